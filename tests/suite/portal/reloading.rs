//! What a portal takes up without a restart, as docs/vendor.md says in its table.

use std::fs;

use kms_portal::config::KEYS;
use kms_vendor::{Extras, Signer};

use super::stage::{PortalStage, text};
use crate::stage::now;

#[test]
fn the_guide_says_of_each_setting_whether_a_reload_takes_it_up() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/vendor.md");
    let guide = fs::read_to_string(guide).unwrap();
    let rows = guide.lines().skip_while(|line| *line != "| what | taken up |").skip(2);
    let rows: Vec<_> = rows.take_while(|line| line.starts_with('|')).collect();
    for key in KEYS {
        let row = rows.iter().find(|row| row.contains(&format!("`{}`", key.name)));
        let row = row.unwrap_or_else(|| panic!("no row has {}", key.name));
        assert_eq!(row.contains("at a restart"), key.needs_restart, "{row}");
    }
}

/// `reload` read neither the roots nor a setting again.
#[tokio::test]
async fn a_reload_takes_up_settings_and_roots_and_a_mistake_changes_nothing() {
    let mut portal = PortalStage::open("").await;
    let settings = portal.data.join("kms-portal.toml");
    let key = portal.key(&["--kind", "host"]).await;
    let home = portal.stage.shop.make_bare_host("host", kms_host::home::HOUR_MS).unwrap();

    fs::write(&settings, "allow = [\"10.0.0.0/8\"]\nlog = \"wrong=\"\n").unwrap();
    let wrong = portal.run(&["reload"]).await;
    assert!(wrong.code == 65 && wrong.stderr.contains("`log`"), "{} {}", wrong.code, wrong.stderr);
    assert_eq!(portal.activate(&home, &key).await.code, 0, "not even the half that was right");

    fs::write(&settings, "allow = [\"10.0.0.0/8\"]\nwrong_keys = 7\n").unwrap();
    let told = portal.does(&["reload"]).await;
    assert!(told.ends_with("wait for a restart: wrong_keys.\n"), "{told}");
    assert_ne!(portal.activate(&home, &key).await.code, 0, "it is not allowed any more");
    fs::write(&settings, "").unwrap();
    portal.signal("HUP").await;
    crate::stage::until("the portal allows everybody again", async || {
        portal.activate(&home, &key).await.code == 0
    })
    .await;
    fs::remove_file(&settings).unwrap();
    let gone = portal.run(&["reload"]).await;
    assert!(gone.code == 65 && gone.stderr.contains("is gone; put it back"), "{}", gone.stderr);
    fs::write(&settings, "").unwrap();

    // A root is replaced; the other one signs meanwhile.
    portal.stage.shop.replace_root(Signer::Root1, now()).unwrap();
    let issuer = portal.sign_issuer(|new| new.root = Signer::Root2);
    portal.does(&["install-issuer", text(&issuer)]).await;
    let file = portal.stage.folder.path().join("with-new-roots.toml");
    fs::write(&file, portal.stage.shop.vendor().product_file("Atlas", &Extras::default()).unwrap()).unwrap();
    let add = ["product", "add", "--file", text(&file)];
    let refused = portal.run(&add).await;
    assert!(refused.code == 65 && refused.stderr.contains("other roots"), "{}", refused.stderr);
    fs::copy(portal.stage.shop.vendor().dir().join("roots.pub"), portal.data.join("roots.pub")).unwrap();
    portal.does(&["reload"]).await;
    let known = portal.run(&add).await;
    assert!(known.code == 65 && known.stderr.contains("there already"), "{}", known.stderr);
    portal.confirm_one().await;
}
