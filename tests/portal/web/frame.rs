//! What every page has: headers, languages, and a guard against forms of other sites.

use super::{Site, on_both};

on_both! {
    every_page_says_what_a_browser_may_do_with_it
    a_page_is_in_the_language_that_is_wanted_and_keeps_the_one_that_was_chosen
    a_form_of_another_site_is_refused
}

async fn every_page_says_what_a_browser_may_do_with_it(site: Site) {
    for (path, status) in [("/", 200), ("/style.css", 200), ("/nothing", 404)] {
        let got = site.browser().get(path).await.is(status);
        let policy = got.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        got.never_says("style=").never_says("<script>");
    }
    let page = site.browser().get("/").await;
    assert_eq!(page.headers["cache-control"], "no-store");
}

async fn a_page_is_in_the_language_that_is_wanted_and_keeps_the_one_that_was_chosen(site: Site) {
    let mut browser = site.browser();
    browser.headers.push(("accept-language", "de-AT,de;q=0.9,en;q=0.5".to_owned()));
    browser.get("/").await.is(200).says("<html lang=\"de\">").says("Lizenzen");
    browser.get("/?language=nl").await.says("<html lang=\"nl\">");
    browser.get("/").await.says("<html lang=\"nl\">").says("Licenties");
    browser.get("/nothing").await.is(404).says("Dit is niet gelukt");
}

async fn a_form_of_another_site_is_refused(site: Site) {
    let mut browser = site.browser();
    browser.headers.push(("origin", "https://evil.example".to_owned()));
    browser.headers.push(("sec-fetch-site", "cross-site".to_owned()));
    browser.post("/sign-out", &[]).await.is(403).says("This form was sent from another site");
}
