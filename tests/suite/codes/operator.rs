//! The other end of the telephone: `kms-portal confirm`, for hosts and machines that read their installation ids aloud.

use std::fs;

use kms_host::home::HOUR_MS;
use shared::certificate::Roots;
use shared::codes::{CodeForm, CodeKey, ConfirmationId, Confirmed, InstallationId};
use shared::product_key::ProductKey;
use shared::time::Timestamp;

use super::first_code;
use crate::commands::run_at;
use crate::portal::stage::{Asking, PortalStage, text};

/// A machine that is nothing but its code.
struct Caller {
    asking: Asking,
    id: InstallationId,
}

impl Caller {
    fn new(portal: &PortalStage, key: &ProductKey) -> Caller {
        let asking = Asking::new(portal.product());
        let id = InstallationId::of_machine(
            &asking.identity.public(),
            portal.product(),
            key.number(),
            &asking.parts(),
        );
        Caller { asking, id }
    }

    /// What it makes of what is read back.
    fn types(&self, portal: &PortalStage, certificate: &[u8], read: &str) -> Confirmed {
        let roots = portal.stage.shop.vendor().roots();
        let roots = Roots::new(roots.iter().map(<[u8; 32]>::as_slice)).unwrap();
        let key = CodeKey::verify(certificate, &roots, portal.product(), false).unwrap();
        let confirmation: ConfirmationId = read.parse().unwrap();
        confirmation.confirm(&self.id, &[key]).unwrap()
    }
}

/// The first digit is another one.
fn mistyped(group: &str) -> String {
    format!("{}{}", if group.starts_with('1') { '2' } else { '1' }, &group[1..])
}

#[tokio::test]
async fn a_host_reads_its_id_to_an_operator_who_names_each_wrong_group_at_once() {
    let portal = PortalStage::open("").await;
    let terms = portal.stage.folder.path().join("terms.pem");
    let key = portal.key(&["--kind", "host", "--feature", "export", "--terms-out", text(&terms)]).await;
    let home = portal.stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let none = run_at(&home, &["activate", "--terms", "/no/terms.pem"]).await;
    let told = "/no/terms.pem cannot be read: No such file or directory (os error 2); name the file that the vendor has sent";
    assert!(none.code == 66 && none.stderr.contains(told), "{}", none.stderr);
    let shown = run_at(&home, &["activate", "--terms", text(&terms)]).await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);

    // Group 1 is misheard, 3 and 4 come in the wrong order, the rest is right.
    let id: InstallationId = first_code(&shown.stdout).parse().unwrap();
    let id = id.text(CodeForm::Digits);
    let groups: Vec<_> = id.split('-').collect();
    let lines = [
        mistyped(groups[0]),
        groups[..2].join(" "),
        format!("{}-{}", groups[3], groups[2]),
        groups[2..].join(" "),
        "j".to_owned(),
        "ticket 9".to_owned(),
    ];
    let call = portal.hears(&["confirm", "--language", "nl"], &(lines.join("\n") + "\n")).await;
    assert_eq!(call.code, 0, "{} {}", call.stdout, call.stderr);
    for wanted in [
        "Groep 1 klopt niet.",
        "De groepen 3 en 4 zijn verwisseld.",
        &format!("Sleutel {} voor Atlas, verkocht aan Example Works.", key.number()),
        "Dit is host 1, activering 1 van 10.",
        "Hosts die de sleutel heeft geactiveerd: 1 van 6.",
        "Functies: export.",
    ] {
        assert!(call.stdout.contains(wanted), "{wanted}: {}", call.stdout);
    }
    let read = first_code(&call.stdout);

    let typed = run_at(&home, &["activate", "--terms", text(&terms), "--confirm", &read]).await;
    assert_eq!(typed.code, 0, "{}", typed.stderr);
    let installed = home.certificates().unwrap();
    assert!(installed.all().next().unwrap().chain.host().features.has("export"));
    let change = &portal.json(&["audit"]).await[0];
    assert_eq!((&change["what"], &change["note"]), (&"confirm by code".into(), &"ticket 9".into()));

    // Later it has a network, and is the same host.
    let online = portal.activate(&home, &key).await;
    assert!(online.stdout.contains("host 1 of 6, activation 2 of 10"), "{} {}", online.stdout, online.stderr);
}

#[tokio::test]
async fn a_machine_is_confirmed_by_its_code_once_and_is_the_same_when_it_comes_online() {
    let portal = PortalStage::open("").await;
    let certificate = portal.certify_codes(&["3d", "export"]).await;
    let key = portal.key(&["--kind", "mak", "--machines", "1", "--feature", "export"]).await;
    let (caller, other) = (Caller::new(&portal, &key), Caller::new(&portal, &key));
    let number = key.number().to_string();

    let looked = portal.json(&["confirm", &caller.id.to_string(), "--dry-run"]).await;
    assert_eq!((&looked["known"], &looked["digits"]), (&false.into(), &serde_json::Value::Null));
    assert_eq!(portal.json(&["key", "show", &number]).await["taken"]["machines"], 0);

    // The whole of it in one paste, and the answer in letters.
    let said = format!("{}\ny\nticket 9\n", caller.id.text(CodeForm::Digits));
    let call = portal.hears(&["confirm", "--letters", "--qr"], &said).await;
    assert_eq!(call.code, 0, "{} {}", call.stdout, call.stderr);
    assert!(
        call.stdout.contains("This machine takes a place.") && call.stdout.contains('█'),
        "{}",
        call.stdout
    );
    let read = first_code(&call.stdout);
    let confirmed = caller.types(&portal, &certificate, &read);
    assert!(confirmed.ends_at.is_none() && confirmed.features.has("export"));

    // The call broke off.
    let again = portal.json(&["confirm", &caller.id.to_string(), "--note", "ticket 9"]).await;
    assert_eq!(again["known"], true);
    assert_eq!(again["digits"].as_str().unwrap().replace('-', ""), read.replace(' ', ""));
    let until = portal.json(&["confirm", &caller.id.to_string(), "--end-month", "2030-12"]).await;
    let confirmed = caller.types(&portal, &certificate, until["letters"].as_str().unwrap());
    assert_eq!(confirmed.ends_at, Some(Timestamp::of_month(2031, 1)));

    let full = portal.hears(&["confirm", "-", "--language", "fr"], &other.id.to_string()).await;
    assert_eq!(full.code, 65, "{}", full.stdout);
    assert!(full.stderr.contains("KEY_EXHAUSTED. Dites à l'appelant :"), "{}", full.stderr);
    assert_eq!(portal.confirm(caller.asking.for_confirmation(&key)).await.unwrap().used, 1);
    let shown = portal.json(&["key", "show", &number]).await;
    assert_eq!(shown["machines"].as_array().unwrap().len(), 1);
    assert_eq!(shown["machines"][0]["machine"], caller.asking.identity.public().machine().to_string());

    portal.does(&["key", "free", &number, &caller.id.to_string(), "--note", "the laptop was stolen"]).await;
    assert_eq!(portal.json(&["confirm", &other.id.to_string()]).await["known"], false);
    let listed = portal.json(&["key", "show", &number]).await;
    let by_code =
        listed["machines"].as_array().unwrap().iter().find(|machine| !machine["installation"].is_null());
    let place = by_code.unwrap()["place"].as_str().unwrap().to_owned();
    portal.does(&["key", "free", &number, &place]).await;
    let nobody = portal.run(&["key", "free", &number, &place]).await;
    assert!(nobody.code == 65 && nobody.stderr.contains("`kms-portal key show"), "{}", nobody.stderr);
}

#[tokio::test]
async fn a_blocked_key_sends_the_caller_to_the_seller_in_the_operators_language() {
    let portal = PortalStage::open("").await;
    portal.certify_codes(&[]).await;
    let key = portal.key(&["--kind", "mak", "--machines", "5"]).await;
    let caller = Caller::new(&portal, &key);
    portal.does(&["key", "block", &key.number().to_string(), "--note", "stolen"]).await;
    for (language, seller) in [("en", "seller"), ("nl", "verkoper"), ("de", "Verkäufer"), ("fr", "vendeur")]
    {
        let call = portal.hears(&["confirm", "--language", language], &format!("{}\n", caller.id)).await;
        assert_eq!(call.code, 65, "{}", call.stdout);
        assert!(call.stderr.contains("KEY_BLOCKED.") && call.stderr.contains(seller), "{}", call.stderr);
    }
    assert_eq!(portal.json(&["key", "show", &key.number().to_string()]).await["taken"]["machines"], 0);
}

#[tokio::test]
async fn an_operator_who_says_no_or_hangs_up_has_confirmed_nothing() {
    let portal = PortalStage::open("").await;
    portal.certify_codes(&[]).await;
    let key = portal.key(&["--kind", "mak", "--machines", "5"]).await;
    let caller = Caller::new(&portal, &key);
    let id = caller.id.text(CodeForm::Letters);
    let (begun, _) = id.rsplit_once('-').unwrap();
    for (input, code, wanted) in [
        (format!("{id}\nn\n"), 0, "Nothing was confirmed."),
        (format!("{id}\n"), 0, "Nothing was confirmed."),
        (format!("{begun}\n"), 65, "5 groups are there."),
        (String::new(), 65, "0 groups are there."),
        (format!("{begun}\n12345\n"), 65, "Group 6 has 5 characters, not 6."),
    ] {
        let call = portal.hears(&["confirm"], &input).await;
        let said = call.stdout + &call.stderr;
        assert!(call.code == code && said.contains(wanted), "{input}: {said}");
    }
    let wrong = portal.run(&["confirm", &format!("{begun}-{}", mistyped(&id[id.len() - 6..]))]).await;
    assert!(wrong.code == 65 && wrong.stderr.contains("group 6 is mistyped"), "{}", wrong.stderr);
    assert_eq!(portal.json(&["key", "show", &key.number().to_string()]).await["taken"]["machines"], 0);
}

#[tokio::test]
async fn without_a_code_key_the_operator_is_told_how_to_get_one_and_that_works() {
    let portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "mak", "--machines", "5", "--feature", "export"]).await;
    let id = Caller::new(&portal, &key).id.to_string();
    let refused = async |wanted: &[&str]| {
        let done = portal.run(&["confirm", &id]).await;
        assert_eq!(done.code, 65, "{}", done.stdout);
        for wanted in wanted {
            assert!(done.stderr.contains(wanted), "{wanted}: {}", done.stderr);
        }
    };
    refused(&["`kms-portal init --codes", "`kms-vendor code-key sign`"]).await;
    portal.does(&["init", "--codes"]).await;
    portal.does(&["reload"]).await;
    refused(&["`kms-vendor code-key sign`", "`kms-portal install-code-key"]).await;
    let doctor = portal.does(&["doctor"]).await;
    assert!(doctor.contains("warn  codes     no certificate of the code key is installed"), "{doctor}");
    portal.certify_codes(&["3d"]).await;
    refused(&["no feature set", "--feature-set export"]).await;
    portal.certify_codes(&["3d", "export"]).await;
    assert_eq!(portal.json(&["confirm", &id]).await["known"], false);
    assert!(portal.does(&["doctor"]).await.contains("ok    codes     the code certificate is valid until"));
    assert!(portal.json(&["status"]).await["code_key_not_after_ms"].is_i64());

    // A backup has the code key in it.
    let [backup, restored] = ["backup", "restored"].map(|name| portal.stage.folder.path().join(name));
    portal.does(&["backup", text(&backup)]).await;
    let key = |folder: &std::path::Path| fs::read(folder.join("code.key")).unwrap();
    let mut restoring = tokio::process::Command::new(crate::portal::stage::PORTAL);
    restoring.args(["restore", text(&backup), "--data", text(&restored)]);
    assert!(restoring.output().await.unwrap().status.success());
    assert_eq!(key(&restored), key(&portal.data));
    assert!(restored.join("code.certificates").is_file());
}

#[tokio::test]
async fn terms_go_into_a_folder_with_each_of_many_keys_and_are_written_again_on_demand() {
    let portal = PortalStage::open("").await;
    let folder = portal.stage.folder.path().join("terms");
    fs::create_dir(&folder).unwrap();
    let issue = ["key", "issue", "--product", "Atlas", "--organisation", "Example Works"];
    let host = [&issue[..], &["--kind", "host", "--csv", "2", "--terms-out", text(&folder)]].concat();
    let csv = portal.does(&host).await;
    let numbers: Vec<_> = csv.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    for number in &numbers {
        let file = folder.join(format!("{number}-terms.pem"));
        let written = fs::read_to_string(&file).unwrap();
        assert!(written.starts_with(&format!("Terms 1 of host key {number}, of ")), "{written}");
        assert_eq!(portal.does(&["key", "terms", number]).await, written);
        let exists = portal.run(&["key", "terms", number, "--out", text(&file)]).await;
        assert_eq!(exists.code, 73, "{}", exists.stderr);
        portal.does(&["key", "terms", number, "--out", text(&file), "--force"]).await;
    }
    portal.does(&["product", "set", "Atlas", "--threshold", "7"]).await;
    let anew = portal.json(&["key", "terms", numbers[0]]).await;
    assert_eq!(anew["terms"], 2);

    let mak = [&issue[..], &["--kind", "mak", "--machines", "5", "--terms-out", text(&folder)]].concat();
    let refused = portal.run(&mak).await;
    assert!(refused.code == 64 && refused.stderr.contains("for a host key"), "{}", refused.stderr);
}
