//! The portal's secrets in a directory of their own, which is there only while the portal runs.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::stage::{PortalStage, text};

const SECRETS: [&str; 3] = ["issuing.key", "pepper", "code.key"];

/// As systemd does it: what is encrypted on the disk is plain in a directory in memory, for the service and for root.
#[tokio::test]
async fn secrets_that_are_decrypted_for_the_service_alone_serve_and_are_never_made_anew() {
    let mut portal = PortalStage::open("").await;
    portal.certify_codes(&[]).await;
    let key = portal.key(&["--kind", "mak", "--machines", "9"]).await;
    portal.stop().await;
    let secrets = portal.stage.folder.path().join("credentials");
    fs::create_dir(&secrets).unwrap();
    for name in SECRETS {
        fs::rename(portal.data.join(name), secrets.join(name)).unwrap();
        // The rights that an access list for one user shows.
        fs::set_permissions(secrets.join(name), Permissions::from_mode(0o440)).unwrap();
    }
    fs::write(portal.data.join("kms-portal.toml"), format!("secrets = {:?}\n", text(&secrets))).unwrap();
    portal.start().await;
    portal.confirm(super::stage::Asking::new(portal.product()).for_confirmation(&key)).await.unwrap();
    portal.does(&["doctor"]).await;
    portal.install_issuer().await;
    portal.does(&["reload"]).await;
    let told = portal.does(&["init", "--codes"]).await;
    assert!(told.starts_with("Nothing is missing"), "{told}");
    let backup = portal.stage.folder.path().join("backup");
    portal.does(&["backup", text(&backup)]).await;
    for name in SECRETS {
        assert!(!portal.data.join(name).exists());
        assert_eq!(fs::read(backup.join(name)).unwrap(), fs::read(secrets.join(name)).unwrap());
    }

    // The service ends, and with it the directory.
    portal.stop().await;
    let aside = portal.stage.folder.path().join("aside");
    fs::rename(&secrets, &aside).unwrap();
    let other = portal.stage.folder.path().join("other");
    let issuer = portal.sign_issuer(|_| {});
    let commands: [&[&str]; 5] = [
        &["serve"],
        &["init"],
        &["init", "--codes"],
        &["backup", text(&other)],
        &["install-issuer", text(&issuer)],
    ];
    for command in commands {
        let done = portal.run(command).await;
        assert!(
            done.code == 78 && done.stderr.contains("the setting `secrets`"),
            "{command:?} {} {}",
            done.code,
            done.stderr
        );
    }
    let doctor = portal.run(&["doctor"]).await;
    assert!(doctor.code == 1 && doctor.stdout.contains("only while the service runs"), "{}", doctor.stdout);
    assert!(SECRETS.iter().all(|name| !portal.data.join(name).exists()) && !secrets.exists());
    fs::rename(&aside, &secrets).unwrap();
    portal.start().await;
    portal.confirm_one().await;
}
