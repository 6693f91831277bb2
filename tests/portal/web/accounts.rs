//! Accounts: signing in and out, and what a person does with what is mailed.

use std::time::Duration;

use kms_portal::battery::PASSWORD;

use super::{Site, on_both};

on_both! {
    a_person_signs_in_and_out
    whoever_does_not_fit_is_told_the_same_whether_there_is_an_account_or_not
    somebody_with_two_accounts_and_one_password_says_which_one
    a_page_for_people_who_are_signed_in_sends_others_to_sign_in_and_back
    after_a_quarter_of_an_hour_a_person_shows_again_who_they_are
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
