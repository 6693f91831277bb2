//! Machines that carry the client library and are licensed by a key of a real portal: online, through a full key, by a file, and by codes.

use std::path::Path;
use std::time::Duration;

use kms_client::{Builder, Client, Clock as _, LicenseState, Outcome, Product, Reason, SystemClock};
use shared::product_key::ProductKey;

use super::stage::{Asking, PortalStage, text};
use crate::codes::first_code;

impl PortalStage {
    /// A machine of this name that has the portal compiled in.
    pub(super) fn laptop(&self, name: &str) -> Builder {
        self.laptop_with(self.stage.shop.compiled(), name)
    }

    fn laptop_with(&self, product: Product, name: &str) -> Builder {
        let authority = std::fs::read_to_string(self.data.join("portal-ca.pem")).unwrap();
        // The texts live as long as the test, like those of a real product.
        let product = product.with_portal(self.address().to_string().leak());
        Client::builder(product.with_portal_ca(authority.leak()))
            .state_dir(self.stage.state_dir(name))
            .fingerprint_source(name.as_bytes())
            .hardware_source(name, &format!("disk of {name}"), &format!("firmware of {name}"))
    }

    pub(super) async fn machines_key(&self, machines: &str) -> ProductKey {
        self.key(&["--kind", "mak", "--machines", machines, "--feature", "export"]).await
    }
}

#[tokio::test]
async fn a_laptop_with_a_key_is_licensed_without_a_host_and_gives_its_place_to_another() {
    let mut portal = PortalStage::open("").await;
    let key = portal.machines_key("1").await;
    let laptop = portal.laptop("laptop").build().unwrap();
    laptop.set_key(&key.to_string()).await.unwrap();
    let confirmed = laptop.activate().await.unwrap().outcome;
    assert_eq!(confirmed, Outcome::Confirmed { until: None, used: 1, granted: 1 });
    assert_eq!(laptop.state(), LicenseState::LicensedWithoutEnd);
    assert_eq!(laptop.snapshot().organisation.unwrap().name, "Example Works");
    assert!(laptop.has("export"));

    let other = portal.laptop("other").build().unwrap();
    other.set_key(&key.to_string()).await.unwrap();
    let refused = other.activate().await.unwrap().outcome;
    assert_eq!(refused.cause().unwrap().reason(), Some(Reason::KeyExhausted));
    assert!(matches!(other.state(), LicenseState::KeyEntered { .. }));

    assert_eq!(laptop.release().await.unwrap().outcome, Outcome::Released);
    assert!(!laptop.state().is_licensed());
    portal.kill().await;
    let unreached = other.activate().await.unwrap().outcome;
    assert_eq!(unreached.cause().unwrap().reason(), Some(Reason::PortalUnreachable));
    drop(other);
    portal.start().await;
    let other = portal.laptop("other").build().unwrap();
    assert!(matches!(other.activate().await.unwrap().outcome, Outcome::Confirmed { used: 1, .. }));
}

#[tokio::test]
async fn a_machine_installed_anew_takes_its_old_place() {
    let portal = PortalStage::open("").await;
    let key = portal.machines_key("1").await;
    for _ in 0..2 {
        let machine = portal.laptop("imaged").build().unwrap();
        machine.set_key(&key.to_string()).await.unwrap();
        assert!(matches!(machine.activate().await.unwrap().outcome, Outcome::Confirmed { used: 1, .. }));
        let state: &Path = &portal.stage.state_dir("imaged");
        std::fs::remove_dir_all(state).unwrap();
    }
}

#[tokio::test]
async fn two_machines_are_activated_by_one_file_that_is_carried_at_the_command_line() {
    let portal = PortalStage::open("").await;
    let key = portal.machines_key("2").await.to_string();
    let file = portal.stage.folder.path().join("asks.pem");
    let does = async |machine: &str, arguments: &[&str]| {
        let done = portal.at_machine(machine, arguments).await;
        assert_eq!(done.code, 0, "{machine} {arguments:?}: {} {}", done.stdout, done.stderr);
        done.stdout
    };
    for machine in ["one", "two"] {
        does(machine, &["key", "set", "--later", &key]).await;
        does(machine, &["proxy", "collect", text(&file)]).await;
    }
    let carried = does("carrier", &["proxy", "carry", text(&file)]).await;
    assert!(carried.ends_with(": 2; asks without one: 0.\n"), "{carried}");
    let text_of_file = std::fs::read_to_string(&file).unwrap();
    assert!(!text_of_file.contains("MACHINE ACTIVATION"), "no key is carried back: {text_of_file}");
    for machine in ["one", "two"] {
        let applied = does(machine, &["proxy", "apply", text(&file)]).await;
        assert!(applied.starts_with("state         licensed without end\n"), "{applied}");
        // A second time changes nothing, and is no error.
        does(machine, &["proxy", "apply", text(&file)]).await;
    }
    // The vendor was sent the answers. It said nothing, and ended as if it had answered.
    let nothing = portal.run(&["answer", text(&file)]).await;
    assert!(nothing.code == 65 && nothing.stderr.contains("only answers"), "{}", nothing.stderr);
    let other = portal.at_machine("carrier", &["proxy", "apply", text(&file)]).await;
    assert_eq!(other.code, 69, "{}", other.stdout);
}

#[tokio::test]
async fn machines_of_a_closed_network_are_confirmed_by_what_is_carried() {
    let portal = PortalStage::open("").await;
    let key = portal.machines_key("2").await;
    let carrier = portal.laptop("carrier").inspect().unwrap();
    for name in ["one", "two"] {
        let machine = portal.laptop(name).build().unwrap();
        machine.set_key_for_later(&key.to_string()).await.unwrap();
        let ask = machine.key_ask().await.unwrap();
        let confirmation = carrier.carry_ask(&ask).await.unwrap();
        assert_eq!(carrier.carry_ask(&ask).await.unwrap(), confirmation, "carried twice");
        assert_eq!(machine.apply_confirmation(&confirmation).await, Ok(true));
        assert_eq!(machine.state(), LicenseState::LicensedWithoutEnd);
    }
}

#[tokio::test]
async fn a_laptop_is_licensed_over_the_telephone_and_is_counted_once_when_it_comes_online() {
    let portal = PortalStage::open("").await;
    let certificate: &'static [u8] = portal.certify_codes(&["export"]).await.leak();
    let key = portal.machines_key("1").await;
    let product = portal.stage.shop.compiled().with_code_keys(vec![certificate].leak());
    let laptop = portal.laptop_with(product, "laptop").build().unwrap();
    laptop.set_key_for_later(&key.to_string()).await.unwrap();

    let id = laptop.installation_id().await.unwrap().digits();
    let call = portal.hears(&["confirm"], &format!("{}\ny\nticket 9\n", id.replace('-', "\n"))).await;
    assert_eq!(call.code, 0, "{} {}", call.stdout, call.stderr);
    laptop.enter_confirmation(&first_code(&call.stdout)).await.unwrap();
    assert_eq!(laptop.state(), LicenseState::LicensedWithoutEnd);
    assert!(laptop.has("export"));

    let online = laptop.activate().await.unwrap().outcome;
    assert_eq!(online, Outcome::Confirmed { until: None, used: 1, granted: 1 });
    assert_eq!(laptop.release().await.unwrap().outcome, Outcome::Released);
    let shown = portal.json(&["key", "show", &key.number().to_string()]).await;
    assert_eq!(shown["taken"]["machines"], 0);
    assert_eq!(shown["machines"].as_array().unwrap().len(), 1);
}

/// Each ask took 44 ms, whatever the portal did: the last of its writes waited until the portal had acknowledged those before.
#[tokio::test]
async fn an_ask_does_not_wait_for_the_network_to_acknowledge_half_of_it() {
    let portal = PortalStage::open("").await;
    let key = portal.machines_key("20").await;
    let connection = portal.connect().await.unwrap();
    let clock = SystemClock::new();
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let ask = Asking::new(portal.product()).for_confirmation(&key);
        let began = clock.monotonic();
        connection.activate_machine(ask).await.unwrap();
        fastest = fastest.min(clock.monotonic().saturating_sub(began));
    }
    assert!(fastest < Duration::from_millis(35), "{fastest:?}");
}
