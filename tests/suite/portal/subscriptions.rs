//! Subscriptions as staff sells them: what is said of each, and what is refused.

use super::stage::PortalStage;

#[tokio::test]
async fn staff_sells_renews_resizes_disables_and_cancels_a_subscription() {
    let portal = PortalStage::open("").await;
    portal.does(&["organisation", "add", "Example Works"]).await;
    let offer = ["offer", "set", "team", "--title", "Atlas Team", "--service", "mail=Mail"];
    portal.does(&[&offer[..], &["--product", "mail=Atlas", "--feature", "mail=export"]].concat()).await;
    let sold = ["subscription", "add", "Example Works", "--offer", "team", "--seats", "50"];
    let told = portal.does(&[&sold[..], &["--ends", "2100-01-01"]].concat()).await;
    assert!(told.starts_with("team for 50 people until 2100-01-01, active."), "{told}");

    let list = portal.json(&["subscription", "list", "Example Works"]).await;
    let id = list[0]["id"].as_str().unwrap().to_owned();
    let change = async |what: &str, more: &[&str]| {
        portal.does(&[&["subscription", what, "Example Works", &id], more].concat()).await
    };
    let paid = ["--ends", "2101-01-01", "--note", "invoice 7"];
    assert!(change("renew", &paid).await.contains("until 2101-01-01, active"));
    assert!(change("renew", &paid).await.contains("until 2101-01-01"), "a payment twice changes nothing");
    assert!(change("seats", &["60"]).await.starts_with("team for 60 people"));
    assert!(change("disable", &[]).await.contains("disabled-by-vendor"));
    assert!(change("enable", &[]).await.contains("active"));
    assert!(change("cancel", &[]).await.contains("disabled-by-cancellation"));
    assert!(change("reactivate", &[]).await.contains("until 2101-01-01, active"));

    let refused = async |arguments: &[&str], told: &str| {
        let done = portal.run(arguments).await;
        assert!(done.code != 0 && done.stderr.contains(told), "{} {}", done.code, done.stderr);
    };
    refused(&[&offer[..], &["--product", "mail=Atlos"]].concat(), "Atlos").await;
    refused(&[&offer[..], &["--feature", "mail=export"]].concat(), "name it, too").await;
    refused(&[&offer[..], &["--product", "files=Atlas"]].concat(), "no service \"files\"").await;
    let unknown = ["subscription", "add", "Example Works", "--offer", "teem", "--seats", "1", "--ends"];
    refused(&[&unknown[..], &["2100-01-01"]].concat(), "no such offer").await;
    refused(&[&sold[..], &["--ends", "2020-01-01"]].concat(), "would have ended already").await;
    refused(&["subscription", "seats", "Example Works", &id, "0"], "a seat at least").await;
    let other = "00".repeat(16);
    refused(&["subscription", "cancel", "Example Works", &other], "no such subscription").await;

    let changes = portal.json(&["audit"]).await.to_string();
    assert!(changes.contains("renew subscription") && changes.contains("invoice 7"), "{changes}");
}
