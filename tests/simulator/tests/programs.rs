//! The simulator as a newcomer runs it: the demo to its last line, and `dev` with the files that it names.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn the_demo_ends_with_a_table_in_which_every_line_holds() {
    let output = Command::new(env!("CARGO_BIN_EXE_kms-simulator")).arg("demo").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("every line holds") && !text.contains("NOT every line"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("ok ")).count(), 16, "{text}");
}

#[test]
fn dev_serves_until_it_is_interrupted_and_uses_its_folder_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("dev");
    for greeting in ["Made a vendor", "Using the vendor"] {
        let mut dev = Command::new(env!("CARGO_BIN_EXE_kms-simulator"))
            .args(["dev", "--listen", "127.0.0.1:0"])
            .arg(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(dev.stdout.take().unwrap()).lines().map(Result::unwrap);
        let told: Vec<String> = lines.take_while(|line| !line.starts_with("Ctrl-C")).collect();
        let interrupted = Command::new("kill").args(["-INT", &dev.id().to_string()]).status().unwrap();
        assert!(interrupted.success() && dev.wait().unwrap().success());
        assert!(told[0].starts_with(greeting), "{told:?}");
        assert!(told.iter().any(|line| line.contains("activate")), "{told:?}");
        assert!(folder.join("product.toml").exists() && folder.join("host/signing.key").exists());
    }
}
