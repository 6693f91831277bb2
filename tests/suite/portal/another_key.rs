//! A machine that gets another key: the old license stays until the new one is there, and the old place is given back by the remedy.

use super::stage::{PortalStage, client};

/// A blocked key took the license away that another key had given.
#[tokio::test]
async fn a_machine_keeps_its_license_until_another_key_is_confirmed_and_its_old_place_comes_back_as_told() {
    let portal = PortalStage::open("").await;
    let [first, second] = [portal.machines_key("1").await, portal.machines_key("1").await];
    let [one, two] = [first.number().to_string(), second.number().to_string()];
    let taken = async |number: &str| portal.json(&["key", "show", number]).await["taken"]["machines"].clone();
    assert_eq!(portal.at_machine("laptop", &["key", "set", &first.to_string()]).await.code, 0);

    portal.does(&["key", "block", &two, "--note", "refunded"]).await;
    let refused = portal.at_machine("laptop", &["key", "set", &second.to_string()]).await;
    let stays = format!("What product key {one} has activated stays until key {two} is activated.");
    assert!(refused.code == 69 && refused.stdout.contains("KEY_BLOCKED"), "{}", refused.stdout);
    assert!(
        refused.stdout.contains(&stays) && refused.stdout.contains("licensed without end"),
        "{}",
        refused.stdout
    );

    portal.does(&["key", "unblock", &two, "--note", "paid"]).await;
    let activated = portal.at_machine("laptop", &["activate"]).await;
    let counted = format!("The vendor still counts this machine under product key {one}, too.");
    assert!(activated.code == 0 && activated.stdout.contains(&counted), "{}", activated.stdout);
    assert_eq!((taken(&one).await, taken(&two).await), (1.into(), 1.into()));

    // As it is printed.
    let command = activated.stdout.split('`').find(|text| text.contains(" release --key ")).unwrap();
    let words: Vec<_> = command.split(' ').skip(1).collect();
    let released = client(&words).await;
    let word = format!("Released: another machine can use this place of product key {one}.");
    assert!(released.code == 0 && released.stdout.contains(&word), "{} {}", released.stdout, released.stderr);
    assert!(released.stdout.contains("licensed without end"), "{}", released.stdout);
    assert_eq!((taken(&one).await, taken(&two).await), (0.into(), 1.into()));
    assert_eq!(client(&words).await.code, 0, "again, it changes nothing");

    // A key that has never activated this machine.
    let third = portal.machines_key("1").await.number().to_string();
    let nothing = portal.at_machine("laptop", &["release", "--key", &third]).await;
    let word = format!(
        "Not released: over the internet, the vendor has given this machine no place of product key {third}."
    );
    assert!(nothing.code == 69 && nothing.stdout.contains(&word), "{}", nothing.stdout);
}
