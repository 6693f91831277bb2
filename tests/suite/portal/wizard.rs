//! The wizard on a machine whose product is made by the vendor's tool: with a real portal, with a key that was blocked there, and by
//! telephone while the portal is gone.

use std::fs;

use kms_client::wizard::{Wizard, WizardChoice, WizardStep};
use kms_client::{Client, LicenseState, Product};
use kms_vendor::{NewIssuer, Signer};
use shared::codes::{CodeForm, ConfirmationId, InstallationId, MachineOptions};
use shared::envelope::SecretKey;
use shared::files::{self, CODE_CERTIFICATE, KeyRequest, RequestedKey, TELEPHONES};

use super::stage::PortalStage;
use crate::stage::{YEAR, an_hour_ago, now};

const NUMBERS: &str = r#"
[country.NL]
names = { en = "Netherlands", nl = "Nederland" }
[[country.NL.number]]
number = "+31 20 555 0100"
"#;

fn code_key() -> SecretKey {
    SecretKey::from_seed(&[9; 32])
}

impl PortalStage {
    /// The product with the portal, the code key and the numbers that its vendor has signed.
    fn offering(&self) -> Product {
        let vendor = self.stage.shop.vendor();
        let (not_before, valid_for) = (an_hour_ago(), YEAR);
        let new = NewIssuer {
            products: vec![],
            not_before,
            valid_for,
            root: Signer::Root1,
            test: false,
            now: now(),
        };
        let request = KeyRequest::to_pem(RequestedKey::Code, &code_key());
        let certificate = vendor.sign_code_key(&request, &new, vec![], &mut rand::rng()).unwrap().pem;
        let file = self.stage.folder.path().join("telephones.toml");
        fs::write(&file, NUMBERS).unwrap();
        let numbers = vendor.sign_telephones(&file, &["Atlas"], Signer::Root2).unwrap().pem;
        let carried = |label, pem: &str| &*files::from_pem(label, pem.as_bytes()).unwrap().to_vec().leak();
        let authority = fs::read_to_string(self.data.join("portal-ca.pem")).unwrap();
        let product = self.stage.shop.compiled().with_telephones(carried(TELEPHONES, &numbers));
        product
            .with_code_keys(vec![carried(CODE_CERTIFICATE, &certificate)].leak())
            .with_portal(self.address().to_string().leak())
            .with_portal_ca(authority.leak())
    }

    fn desk(&self, name: &str) -> Client {
        Client::builder(self.offering())
            .state_dir(self.stage.state_dir(name))
            .fingerprint_source(name.as_bytes())
            .hardware_source(name, name, name)
            .build()
            .unwrap()
    }
}

async fn choose(wizard: &mut Wizard, client: &Client, choice: WizardChoice) -> &'static str {
    if let Some(task) = wizard.choose(&choice) {
        wizard.finish(task.run(client).await);
    }
    wizard.step().text_key()
}

async fn enter(wizard: &mut Wizard, client: &Client, text: &str) -> &'static str {
    let task = wizard.enter(text).unwrap();
    wizard.finish(task.run(client).await);
    wizard.step().text_key()
}

#[tokio::test]
async fn a_user_is_led_to_a_license_with_a_portal_and_without() {
    let mut portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "mak", "--machines", "2"]).await;
    let client = portal.desk("online");
    let mut wizard = Wizard::start(&client, "nl_NL.UTF-8");
    assert_eq!(enter(&mut wizard, &client, &key.to_string()).await, "wizard.now-or-later");
    assert_eq!(choose(&mut wizard, &client, WizardChoice::Now).await, "wizard.way");

    portal.does(&["key", "block", &key.number().to_string(), "--note", "refunded"]).await;
    assert_eq!(choose(&mut wizard, &client, WizardChoice::Internet).await, "wizard.failed");
    assert_eq!(wizard.step().cause().unwrap().code, "KEY_BLOCKED");
    portal.does(&["key", "unblock", &key.number().to_string()]).await;
    assert_eq!(choose(&mut wizard, &client, WizardChoice::Retry).await, "wizard.licensed");
    assert_eq!(client.state(), LicenseState::LicensedWithoutEnd);

    let client = portal.desk("offline");
    portal.kill().await;
    let mut wizard = Wizard::start(&client, "nl_NL.UTF-8");
    enter(&mut wizard, &client, &key.to_string()).await;
    choose(&mut wizard, &client, WizardChoice::Now).await;
    assert_eq!(choose(&mut wizard, &client, WizardChoice::Internet).await, "wizard.no-connection");
    assert_eq!(choose(&mut wizard, &client, WizardChoice::Telephone).await, "wizard.country");
    let country = wizard.country().unwrap();
    assert_eq!(country.name("nl"), "Nederland");
    let country = WizardChoice::Country(country.code);
    assert_eq!(choose(&mut wizard, &client, country).await, "wizard.numbers");
    assert_eq!(wizard.numbers()[0].number, "+31 20 555 0100");
    choose(&mut wizard, &client, WizardChoice::Continue).await;
    let WizardStep::InstallationId(read) = *wizard.step() else { panic!("{wizard:?}") };
    choose(&mut wizard, &client, WizardChoice::Continue).await;
    // The vendor's operator.
    let id: InstallationId = read.digits().parse().unwrap();
    let answer = ConfirmationId::of_machine(&id, MachineOptions::default(), &code_key());
    assert_eq!(enter(&mut wizard, &client, &answer.text(CodeForm::Digits)).await, "wizard.licensed");
    assert!(client.snapshot().key.unwrap().by_code);
}
