//! Accounts: signing in and out, and what a person does with what is mailed.

use std::time::Duration;

use kms_portal::battery::PASSWORD;
use kms_portal::db::{MessageFilter, Outgoing};
use kms_portal::rules::rights::AdminRole;

use super::{Site, on_both};

on_both! {
    a_person_signs_in_and_out
    whoever_does_not_fit_is_told_the_same_whether_there_is_an_account_or_not
    somebody_with_two_accounts_and_one_password_says_which_one
    a_page_for_people_who_are_signed_in_sends_others_to_sign_in_and_back
    after_a_quarter_of_an_hour_a_person_shows_again_who_they_are
    a_stranger_registers_with_the_link_that_was_mailed
    asking_for_a_mail_tells_nobody_who_has_an_account
    a_forgotten_password_is_set_anew_with_a_link_for_each_account
    a_person_changes_what_is_their_own
    an_account_is_deleted_by_its_owner_and_not_by_a_forgotten_session
    a_work_account_keeps_the_address_that_its_organisation_gave
    a_person_redeems_a_key_and_shares_what_came_of_it
}

async fn a_person_signs_in_and_out(site: Site) {
    let mut browser = site.browser();
    site.world.employee("Ann@example.com", &[]).await;
    browser.get("/").await.is(200).says("href=\"/sign-in\"").never_says("/sign-out");
    browser.get("/sign-in").await.is(200).says("autocomplete=\"current-password\"");
    let form = [("address", " ann@EXAMPLE.com "), ("password", PASSWORD), ("to", "/device?code=BCDF-GHJK")];
    let got = browser.post("/sign-in", &form).await.is(303);
    assert_eq!(got.location(), "/device?code=BCDF-GHJK");
    let cookie = got.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("kms-session=kmss_") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    browser.get("/").await.says("Ann@example.com").says("/sign-out").never_says("href=\"/organisation\"");
    let stolen = browser.cookies["kms-session"].clone();
    let got = browser.post("/sign-out", &[]).await.is(303);
    assert!(got.location().starts_with("/sign-in"));
    assert!(!browser.cookies.contains_key("kms-session"));
    browser.cookies.insert("kms-session".into(), stolen);
    browser.get("/").await.never_says("/sign-out");
}

async fn whoever_does_not_fit_is_told_the_same_whether_there_is_an_account_or_not(site: Site) {
    site.world.employee("ann@example.com", &[]).await;
    let mut answers = Vec::new();
    for address in ["ann@example.com", "bob@example.com", "nobody", ""] {
        let form = [("address", address), ("password", "incorrect horse")];
        let got = site.browser().post("/sign-in", &form).await.is(422).says("do not fit");
        assert!(!got.headers.contains_key("set-cookie"));
        answers.push(got.body.replace(&format!("value=\"{address}\""), ""));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    for _ in 0..4 {
        let form = [("address", "ann@example.com"), ("password", "incorrect horse")];
        site.browser().post("/sign-in", &form).await.is(422);
    }
    let right = [("address", "ann@example.com"), ("password", PASSWORD)];
    let got = site.browser().post("/sign-in", &right).await.is(422);
    let got = got.body.replace("value=\"ann@example.com\"", "");
    assert_eq!(got, answers[0], "a right one that was not looked at is told from a wrong one by nobody");
    site.clock.advance(Duration::from_secs(3));
    site.browser().post("/sign-in", &right).await.is(303);
}

async fn somebody_with_two_accounts_and_one_password_says_which_one(site: Site) {
    site.world.employee("ann@example.com", &[]).await;
    site.world.registered("ann@example.com").await;
    let mut browser = site.browser();
    let form = [("address", "ann@example.com"), ("password", PASSWORD), ("to", "/account")];
    let page = browser.post("/sign-in", &form).await.is(200).says("Personal account");
    let page = page.says("Work account at Example Works");
    assert!(!page.headers.contains_key("set-cookie"));
    let choices: Vec<_> = page.body.split("name=\"account\" value=\"").skip(1).collect();
    let choices: Vec<_> = choices.iter().map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(choices.len(), 2);
    let choose = [("account", choices[0]), ("to", "/account")];
    assert_eq!(browser.post("/sign-in/choose", &choose).await.is(303).location(), "/account");
    browser.get("/").await.says("/sign-out");
    let again = site.browser().post("/sign-in/choose", &choose).await.is(303);
    assert_eq!(again.location(), "/sign-in", "a choice is made once");
    site.clock.advance(Duration::from_mins(10));
    let late = [("account", choices[1])];
    assert_eq!(site.browser().post("/sign-in/choose", &late).await.is(303).location(), "/sign-in");
}

async fn a_page_for_people_who_are_signed_in_sends_others_to_sign_in_and_back(site: Site) {
    let mut browser = site.browser();
    let got = browser.get("/sign-in/again?to=/a%3Fb").await.is(303);
    assert_eq!(got.location(), "/sign-in?to=/sign-in/again%3Fto%3D/a%253Fb");
    browser.get(got.location()).await.is(200).says("value=\"/sign-in/again?to=/a%3Fb\"");
    let got = browser.get("/sign-in?to=//evil.example").await.is(200);
    got.never_says("evil.example");
}

async fn after_a_quarter_of_an_hour_a_person_shows_again_who_they_are(site: Site) {
    let mut browser = site.employee("ann@example.com", &[]).await;
    let before = browser.cookies["kms-session"].clone();
    browser
        .get("/sign-in/again?to=/account")
        .await
        .is(200)
        .says("ann@example.com")
        .never_says("name=\"address\"");
    browser.post("/sign-in/again", &[("password", "incorrect horse")]).await.is(422).says("do not fit");
    let got = browser.post("/sign-in/again", &[("password", PASSWORD), ("to", "/account")]).await.is(303);
    assert_eq!(got.location(), "/account");
    assert_ne!(browser.cookies["kms-session"], before);
    let mut other = site.browser();
    other.cookies.insert("kms-session".into(), before);
    other.get("/").await.never_says("/sign-out");
    site.clock.advance(Duration::from_hours(12));
    browser.get("/").await.never_says("/sign-out");
}

/// The link in the latest mail to this address, as a path.
async fn mailed(site: &Site, to: &str) -> (String, String) {
    let messages = site.world.db.messages(MessageFilter::default(), 100).await.unwrap();
    let found = messages.into_iter().find_map(|message| match message.what {
        Outgoing::Mail { to: address, subject, body, .. } if address == to => Some((subject, body)),
        _ => None,
    });
    let (subject, body) = found.unwrap();
    let link = body.lines().find_map(|line| line.strip_prefix(&site.url()).map(ToOwned::to_owned));
    (subject, link.unwrap_or_default())
}

async fn a_stranger_registers_with_the_link_that_was_mailed(site: Site) {
    let mut browser = site.browser();
    browser.headers.push(("accept-language", "nl".to_owned()));
    browser.get("/register").await.is(200).says("Registreren");
    browser.post("/register", &[("address", "no address")]).await.is(422).says("aria-describedby=\"fault\"");
    browser
        .post("/register", &[("address", "Ann@example.com")])
        .await
        .is(200)
        .says("onderweg naar Ann@example.com");
    let (subject, link) = mailed(&site, "Ann@example.com").await;
    assert_eq!(subject, "Bevestig uw adres");
    for _ in 0..2 {
        browser.get(&link).await.is(200).says("Ann@example.com").says("autocomplete=\"new-password\"");
    }
    let form = |password| [("name", "Ann de Vries"), ("location", "nl"), ("password", password)];
    browser.post(&link, &form("short")).await.is(422).says("value=\"Ann de Vries\"").says("10 tekens");
    browser.post(&link, &form("Ann@EXAMPLE.com")).await.is(422).says("Kies een ander wachtwoord");
    let nowhere = [("name", "Ann"), ("location", "Holland"), ("password", "paardenbloem")];
    browser.post(&link, &nowhere).await.is(422).says("twee letters");
    let got = browser.post(&link, &form("paardenbloem")).await.is(303);
    browser.get(got.location()).await.says("Uw account is gemaakt");
    browser.get(&link).await.is(410).says("Deze link werkt niet meer");
    browser.post(&link, &form("paardenbloem")).await.is(410);
    let form = [("address", "ann@example.com"), ("password", "paardenbloem"), ("to", "/account")];
    assert_eq!(browser.post("/sign-in", &form).await.is(303).location(), "/account");
    browser.get("/account").await.is(200).says("Persoonlijk account").says("Ann de Vries");
}

/// The page says the same, and one mail goes out: to the owner of the account, who learns of it in their own language.
async fn asking_for_a_mail_tells_nobody_who_has_an_account(site: Site) {
    site.world.registered("ann@example.com").await;
    for (page, known, unknown) in [
        ("/register", "U hebt al een account", "Confirm your address"),
        ("/forgotten", "Kies een nieuw wachtwoord", "No account has this address"),
    ] {
        let mut answers = Vec::new();
        for (address, subject) in [("ann@example.com", known), ("bob@example.com", unknown)] {
            let before = site.world.mails().await.len();
            let got = site.browser().post(page, &[("address", address)]).await.is(200);
            answers.push(got.body.replace(address, ""));
            let mails = site.world.mails().await;
            assert_eq!((mails.len() - before, &mails[0]), (1, &(address.to_owned(), subject.to_owned())));
        }
        assert_eq!(answers[0], answers[1]);
    }
}

async fn a_forgotten_password_is_set_anew_with_a_link_for_each_account(site: Site) {
    site.world.registered("ann@example.com").await;
    let mut elsewhere = site.employee("ann@work.example", &[]).await;
    site.browser().post("/forgotten", &[("address", "ANN@work.example")]).await.is(200);
    let (subject, link) = mailed(&site, "ann@work.example").await;
    assert_eq!(subject, "Choose a new password for Example Works");
    site.browser().post(&link, &[("password", "battery staple")]).await.is(303);
    elsewhere.get("/").await.never_says("/sign-out");
    let form = |password| [("address", "ann@work.example"), ("password", password)];
    site.browser().post("/sign-in", &form(PASSWORD)).await.is(422);
    site.browser().post("/sign-in", &form("battery staple")).await.is(303);
    assert_eq!(mailed(&site, "ann@work.example").await.0, "Your password was set");
}

async fn a_person_changes_what_is_their_own(site: Site) {
    site.world.registered("ann@example.com").await;
    site.world.registered("bob@example.com").await;
    let (mut here, mut there) =
        (site.signed_in("ann@example.com").await, site.signed_in("ann@example.com").await);
    let got = here.post("/account/name", &[("name", " Anna "), ("language", "fr")]).await.is(303);
    here.get(got.location()).await.says("value=\"Anna\"").says("<html lang=\"fr\">").says("Enregistré");
    here.get("/?language=en").await.is(200);
    here.post("/account/name", &[("name", " "), ("language", "en")]).await.is(422).says("id=\"name-fault\"");
    let form = |old, new| [("old", old), ("password", new)];
    here.post("/account/password", &form("wrong horse", "battery staple"))
        .await
        .is(422)
        .says("password-fault");
    here.post("/account/password", &form(PASSWORD, "short")).await.is(422).says("too short");
    let got = here.post("/account/password", &form(PASSWORD, "battery staple")).await.is(303);
    here.get(got.location()).await.is(200).says("this session");
    there.get("/").await.never_says("/sign-out");
    here.post("/account/address", &[("address", "anna@new.example")]).await.is(200).says("anna@new.example");
    let (subject, link) = mailed(&site, "anna@new.example").await;
    assert_eq!(subject, "Confirmez votre nouvelle adresse", "in the language that was chosen");
    here.get("/account").await.says("<strong>ann@example.com</strong>");
    here.post(&link, &[]).await.is(303);
    here.get("/account").await.says("<strong>anna@new.example</strong>");
    assert_eq!(mailed(&site, "ann@example.com").await.0, "Votre adresse a été changée");
    here.post("/account/address", &[("address", "bob@example.com")]).await.is(200);
    let taken = mailed(&site, "bob@example.com").await.1;
    here.post(&taken, &[]).await.is(422).says("Another account has this address");
    let data = here
        .get("/account/data")
        .await
        .is(200)
        .says("\"address\":\"anna@new.example\"")
        .says("\"language\":\"fr\"");
    assert!(!data.body.contains("argon2") && !data.body.contains("kmss_"), "{}", data.body);
}

async fn an_account_is_deleted_by_its_owner_and_not_by_a_forgotten_session(site: Site) {
    let mut browser = site.employee("ann@example.com", &[AdminRole::General]).await;
    browser.get("/account/delete").await.is(200).says("ann@example.com");
    browser.post("/account/delete", &[]).await.is(422).says("last general administrator");
    site.world.employee("bob@example.com", &[AdminRole::General]).await;
    site.clock.advance(Duration::from_mins(15));
    assert_eq!(browser.post("/account/delete", &[]).await.is(303).location(), "/sign-in/again?to=/");
    browser.post("/sign-in/again", &[("password", PASSWORD)]).await.is(303);
    let got = browser.post("/account/delete", &[]).await.is(303);
    browser.get(got.location()).await.says("Your account was deleted");
    assert!(!browser.cookies.contains_key("kms-session"));
    let form = [("address", "ann@example.com"), ("password", PASSWORD)];
    site.browser().post("/sign-in", &form).await.is(422);
    assert_eq!(mailed(&site, "ann@example.com").await.0, "Your account was deleted");
}

async fn a_work_account_keeps_the_address_that_its_organisation_gave(site: Site) {
    let mut browser = site.employee("ann@example.com", &[]).await;
    let page = browser.get("/account").await.is(200).says("Work account at Example Works");
    page.never_says("action=\"/account/address\"");
    let got = browser.post("/account/address", &[("address", "ann@home.example")]).await;
    got.is(422).says("administrators of your organisation");
    browser.get("/account/name").await.is(405);
    site.browser().get("/account").await.is(303);
}

async fn a_person_redeems_a_key_and_shares_what_came_of_it(site: Site) {
    site.world.shop().await;
    let (ann, bob) = ("ann@example.com", "bob@example.com");
    site.world.registered(ann).await;
    site.world.registered(bob).await;
    let key = site.world.basic_key(2).await.to_string();
    let mut browser = site.signed_in(ann).await;
    browser.get("/?language=en").await.is(200);
    browser.get("/account/subscriptions").await.is(200).says("Nothing yet");
    let redeem = "/account/subscriptions/redeem";
    let typo = format!("{}{}", &key[..28], if key.ends_with('7') { '8' } else { '7' });
    browser
        .post(redeem, &[("key", &typo)])
        .await
        .is(422)
        .says("mistyped")
        .says("aria-describedby=\"key-hint key-fault\"");
    let typed = key.to_lowercase().replace('-', "\u{2014}");
    let got = browser.post(redeem, &[("key", &typed)]).await.is(303);
    let page =
        browser.get(got.location()).await.says("The subscription has begun").says("1 of 2 seats taken");
    let id = page
        .body
        .split("name=\"subscription\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let got = browser.post(redeem, &[("key", &key)]).await.is(303);
    assert!(got.location().ends_with("done=again"), "{}", got.location());
    let mut other = site.signed_in(bob).await;
    other.get("/?language=en").await.is(200);
    other.post(redeem, &[("key", &key)]).await.is(422).says("Somebody else has redeemed this key");
    let share = [("subscription", id.as_str()), ("address", bob)];
    other.post("/account/subscriptions/share", &share).await.is(404);
    browser.post("/account/subscriptions/share", &share).await.is(200).says(bob);
    let (subject, link) = mailed(&site, bob).await;
    assert_eq!(subject, "Ann deelt basic met u");
    let there = site.browser().get(&link).await.is(303).location().to_owned();
    let sent = site.browser().get(&there).await.is(303).location().to_owned();
    assert!(sent.starts_with("/sign-in?to=/shared/"), "{sent}");
    other.get(&there).await.is(200).says("Ann shares basic with you").says(bob);
    browser.post(&there, &[]).await.is(422).says("You have this already");
    other.post(&there, &[]).await.is(303);
    other.get("/account/subscriptions").await.says("Somebody shares this with you").never_says(ann);
    browser.get("/account/subscriptions").await.says("2 of 2 seats taken").says("Take the seat of Ann back");
    other.get(&there).await.is(410);
}
