//! A machine and an operator: `kms-client` in one terminal and `kms-portal confirm` in another, with a person at each.

use serde_json::Value;

use super::first_code;
use crate::portal::stage::PortalStage;

impl PortalStage {
    /// What `kms-client` prints as JSON, if it succeeds.
    pub(crate) async fn machine_json(&self, name: &str, arguments: &[&str]) -> Value {
        let done = self.at_machine(name, &[arguments, &["--json"]].concat()).await;
        assert_eq!(done.code, 0, "{arguments:?}: {}", done.stderr);
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// A machine with a key for one machine that grants `export`, which nobody has asked for yet, and the number of that key.
    async fn machine_with_key(&self, name: &str) -> String {
        let key = self.key(&["--kind", "mak", "--machines", "1", "--feature", "export"]).await;
        self.machine_json(name, &["key", "set", "--later", &key.to_string()]).await;
        key.number().to_string()
    }

    /// The operator hears what the machine reads, and reads this back.
    pub(crate) async fn telephones(&self, name: &str, extra: &[&str]) -> String {
        let shown = self.at_machine(name, &["key", "installation-id"]).await;
        assert_eq!(shown.code, 0, "{}", shown.stderr);
        let heard = format!("{}\ny\nticket 9\n", first_code(&shown.stdout));
        let call = self.hears(&[&["confirm"], extra].concat(), &heard).await;
        assert_eq!(call.code, 0, "{} {}", call.stdout, call.stderr);
        first_code(&call.stdout).trim_start().to_owned()
    }

    async fn machines_of(&self, number: &str) -> usize {
        self.json(&["key", "show", number]).await["machines"].as_array().unwrap().len()
    }
}

#[tokio::test]
async fn a_machine_is_licensed_over_the_telephone_and_is_counted_once_when_it_comes_online() {
    let portal = PortalStage::open("").await;
    portal.certify_codes(&["3d", "export"]).await;
    let number = portal.machine_with_key("laptop").await;
    let read = portal.telephones("laptop", &[]).await;
    let wrong = format!("{}{}", if read.starts_with('1') { '2' } else { '1' }, &read[1..]);
    let refused = portal.at_machine("laptop", &["key", "confirm", &wrong]).await;
    assert!(refused.code == 65 && refused.stderr.contains("look at group 1;"), "{}", refused.stderr);
    let done = portal.at_machine("laptop", &["key", "confirm", &read]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    let status = portal.machine_json("laptop", &["status"]).await;
    assert_eq!((&status["state"], &status["key"]["by_code"]), (&"without-end".into(), &true.into()));
    assert_eq!(status["features"], serde_json::json!(["export"]));
    // The line broke off before the last group: the same again, in letters.
    let again = portal.telephones("laptop", &["--letters"]).await;
    assert_eq!(portal.at_machine("laptop", &["key", "confirm", &again]).await.code, 0);

    assert_eq!(portal.at_machine("laptop", &["activate"]).await.code, 0);
    let status = portal.machine_json("laptop", &["status"]).await;
    assert_eq!(
        (&status["key"]["by_code"], &status["organisation"]["name"]),
        (&false.into(), &"Example Works".into())
    );
    assert_eq!(portal.machines_of(&number).await, 1);
}

#[tokio::test]
async fn a_place_that_was_given_over_the_telephone_is_given_back_over_the_network() {
    let portal = PortalStage::open("").await;
    portal.certify_codes(&["export"]).await;
    let number = portal.machine_with_key("laptop").await;
    let read = portal.telephones("laptop", &[]).await;
    assert_eq!(portal.at_machine("laptop", &["key", "confirm", &read]).await.code, 0);
    let done = portal.at_machine("laptop", &["release"]).await;
    assert!(done.code == 0 && done.stdout.contains("another machine can use this place"), "{}", done.stdout);
    assert_eq!(portal.json(&["key", "show", &number]).await["taken"]["machines"], 0);
}
