//! Letting a machine in by its code, and signing out of devices.

use std::time::Duration;

use kms_portal::act::devices::begin_sign_in;
use kms_portal::battery::PASSWORD;
use kms_portal::battery::world::PRODUCT;
use kms_portal::web_address::WebAddress;
use server::Source;
use shared::envelope::SecretKey;
use shared::ids::{Fingerprint, Nonce};
use shared::parts::HardwareParts;
use shared::time::Clock as _;
use shared::user_lease::{AccountAsk, AccountPurpose};

use super::{Browser, Site, on_both};

on_both! {
    somebody_sees_what_asks_before_they_let_it_in
    a_code_that_nobody_shows_says_so_and_a_visitor_signs_in_first
    a_person_signs_out_of_their_own_devices_only
}

/// A machine at this address shows a code.
pub(super) async fn code(site: &Site, address: [u8; 4], name: &str) -> String {
    let identity = SecretKey::from_seed(&rand::random());
    let machine_key = identity.public();
    let ask = AccountAsk {
        machine_key,
        product: PRODUCT,
        purpose: AccountPurpose::SignIn,
        nonce: Nonce::from_bytes(rand::random()),
        asked_at: site.clock.now(),
        fingerprint: Fingerprint::NONE,
        parts: HardwareParts::NONE,
        device_name: name.into(),
    };
    let pages = WebAddress::new(&site.url()).unwrap();
    let (source, signed) = (Source::of(address.into()), ask.sign(&identity));
    let begun = begin_sign_in(&site.portal, Some(&pages), source, Some(&signed)).await;
    begun.unwrap_or_else(|refused| panic!("{:?}", refused.cause)).user_code
}

async fn signed_in(site: &Site, address: &str) -> Browser {
    site.world.employee(address, &[]).await;
    let mut browser = site.browser();
    browser.post("/sign-in", &[("address", address), ("password", PASSWORD)]).await.is(303);
    browser
}

async fn somebody_sees_what_asks_before_they_let_it_in(site: Site) {
    let mut browser = signed_in(&site, "ann@example.com").await;
    let near = code(&site, [127, 0, 0, 1], "Ann's <laptop>").await;
    site.clock.advance(Duration::from_mins(3));
    browser.get("/device").await.is(200).says("Eight letters");
    let page = browser.get(&format!("/device?code={}", near.to_lowercase())).await.is(200);
    let page = page.says("Atlas").says("Ann&#39;s &#60;laptop&#62;").says("the network that you are in");
    page.says("3 minutes ago").says("Let it in only if");
    let far = code(&site, [203, 0, 113, 7], "").await;
    browser.get(&format!("/device?code={far}")).await.is(200).says("203.0.113.7: another network than yours");

    let allow = [("code", near.as_str()), ("decision", "allow")];
    assert_eq!(browser.post("/device", &allow).await.is(303).location(), "/device?done=allow");
    browser.get("/device?done=allow").await.is(200).says("The device is let in");
    browser.post("/device", &allow).await.is(422).says("No device waits with this code");
    let deny = [("code", far.as_str()), ("decision", "deny")];
    assert_eq!(browser.post("/device", &deny).await.is(303).location(), "/device?done=deny");
    let changes = site.world.db.changes(None, 2).await.unwrap();
    let what: Vec<_> = changes.iter().map(|change| change.what.as_str()).collect();
    assert_eq!(what, ["turn device away", "let device in"]);
}

async fn a_code_that_nobody_shows_says_so_and_a_visitor_signs_in_first(site: Site) {
    let code = code(&site, [127, 0, 0, 1], "laptop").await;
    let sent = site.browser().get(&format!("/device?code={code}")).await.is(303);
    assert!(sent.location().starts_with("/sign-in?to=/device"), "{}", sent.location());
    site.browser().post("/device", &[("code", code.as_str()), ("decision", "allow")]).await.is(303);
    let mut browser = signed_in(&site, "ann@example.com").await;
    browser.get("/device?code=BCDF-GHJK").await.is(422).says("No device waits with this code");
    browser.get("/device?code=%3Cscript%3E").await.is(422).never_says("<script>");
    browser.post("/device", &[("code", code.as_str()), ("decision", "perhaps")]).await.is(422);
    site.clock.advance(Duration::from_mins(15));
    browser.get(&format!("/device?code={code}")).await.is(422);
    for _ in 1..200 {
        browser.get("/device?code=BCDF-GHJK").await.is(422);
    }
    browser.get("/device?code=BCDF-GHJK").await.is(429).says("Too many wrong codes");
    browser.get("/device").await.is(200);
}

async fn a_person_signs_out_of_their_own_devices_only(site: Site) {
    let mut browser = signed_in(&site, "ann@example.com").await;
    browser.get("/devices").await.is(200).says("not signed in on any device");
    let (_, address, device) = site.world.device_user().await;
    let device = device.to_string();
    let form = [("device", device.as_str())];
    browser.post("/devices/sign-out", &form).await.is(404);
    browser.post("/devices/sign-out", &[("device", "x")]).await.is(422);
    let mut own = site.browser();
    own.post("/sign-in", &[("address", address.as_str()), ("password", PASSWORD)]).await.is(303);
    own.get("/devices").await.is(200).says("laptop").says("Atlas");
    assert_eq!(own.post("/devices/sign-out", &form).await.is(303).location(), "/devices?done=signed-out");
    own.get("/devices?done=signed-out").await.is(200).says("You are signed out of the device");
}
