//! Root keys on a PKCS #11 token: SoftHSM, with a configuration and tokens of its own.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::binary::issue_to;
use crate::{HOUR_MS, request_pem, verify};

const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
];

/// A folder with two tokens, "first" and "second". None where SoftHSM is not installed.
struct Tokens {
    home: TempDir,
    module: &'static str,
}

impl Tokens {
    fn new() -> Option<Tokens> {
        let Some(module) = MODULES.into_iter().find(|path| Path::new(path).exists()) else {
            let told = "NOT RUN: root keys on a PKCS #11 token: softhsm2 is not installed\n";
            // Past the test harness, which would swallow it.
            std::io::stderr().write_all(told.as_bytes()).unwrap();
            assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{told}");
            return None;
        };
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("tokens");
        fs::create_dir(&folder).unwrap();
        let conf = format!("directories.tokendir = {}\nobjectstore.backend = file\n", folder.display());
        fs::write(home.path().join("softhsm2.conf"), conf).unwrap();
        for (name, pin) in [("pin", "1234\n"), ("wrong", "4321\n")] {
            fs::write(home.path().join(name), pin).unwrap();
        }
        fs::write(home.path().join("host.request"), request_pem(7, HOUR_MS)).unwrap();
        let tokens = Tokens { home, module };
        for label in ["first", "second"] {
            let init = ["--init-token", "--free", "--label", label, "--so-pin", "5678", "--pin", "1234"];
            let made = tokens.command("softhsm2-util").args(init).output().unwrap();
            assert!(made.status.success(), "{made:?}");
        }
        Some(tokens)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.home.path()).env("SOFTHSM2_CONF", self.home.path().join("softhsm2.conf"));
        command.env_remove("KMS_VENDOR_DIR");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_kms-vendor")).args(arguments).output().unwrap()
    }

    #[track_caller]
    fn answer(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn failure(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(line.starts_with("error: ") && line.lines().count() == 1, "{line}");
        (output.status.code().unwrap(), line)
    }

    fn init<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["init", "--pkcs11", self.module, "--passphrase-file", "pin"][..], more].concat()
    }

    fn roots(&self) -> [[u8; 32]; 2] {
        let text = fs::read_to_string(self.home.path().join("vendor/roots.pub")).unwrap();
        shared::files::roots_from_text(&text).unwrap()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.home.path().join(name)).unwrap()
    }
}

#[test]
fn a_root_on_a_token_signs_what_products_verify_and_never_leaves_it() {
    let Some(tokens) = Tokens::new() else { return };
    tokens.answer(&tokens.init(&["--token", "first", "--token", "second"]));
    let said = tokens.answer(&["roots"]);
    assert!(said.contains("root-1.key: on the token \"first\"\n"), "{said}");
    assert!(said.contains("root-2.key: on the token \"second\"\n"), "{said}");
    for entry in fs::read_dir(tokens.home.path().join("vendor")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("KEY-----") && !text.contains("1234"), "{text}");
    }
    tokens.answer(&["product", "add", "Example CAD"]);
    for root in ["1", "2"] {
        let sign = ["--root", root, "--passphrase-file", "pin"];
        tokens.answer(&[&issue_to(root)[..], &sign].concat());
        assert!(verify(&tokens.read(root), tokens.roots()).is_ok());
    }
    tokens.answer(&["issuer", "create", "--unencrypted", "--passphrase-file", "pin"]);
    let issued = tokens.answer(&[&issue_to("3")[..], &["--issuer"]].concat());
    assert!(issued.contains("Written to 3"), "the token is not needed for it: {issued}");

    let (code, line) = tokens.failure(&issue_to("4"));
    assert_eq!(code, 66, "{line}");
    assert!(line.contains("the token \"first\" is locked") && line.contains("--passphrase-file"), "{line}");
    let (code, line) = tokens.failure(&[&issue_to("4")[..], &["--passphrase-file", "wrong"]].concat());
    assert_eq!(code, 77, "{line}");
    assert!(line.contains("the PIN of the token \"first\" is wrong"), "{line}");
    let (code, line) = tokens.failure(&["key", "decrypt", "root-1", "--passphrase-file", "pin"]);
    assert_eq!(code, 64, "{line}");
    assert!(line.contains("is on a token, which never gives it away"), "{line}");
}

#[test]
fn one_root_may_be_on_a_token_and_the_other_in_a_file() {
    let Some(tokens) = Tokens::new() else { return };
    tokens.answer(&tokens.init(&["--token", "first", "--unencrypted"]));
    let said: serde_json::Value = serde_json::from_str(&tokens.answer(&["roots", "--json"])).unwrap();
    assert_eq!((&said["keys"][0]["kept"], &said["keys"][1]["kept"]), (&"token".into(), &"plain".into()));

    // A root in a file is replaced by one on a token.
    tokens.answer(&["product", "add", "Example CAD"]);
    let replace =
        ["roots", "replace", "2", "--pkcs11", tokens.module, "--token", "first", "--passphrase-file", "pin"];
    tokens.answer(&replace);
    assert!(tokens.answer(&["roots"]).contains("root-2.key: on the token \"first\"\n"));
    tokens.answer(&[&issue_to("1")[..], &["--root", "2", "--passphrase-file", "pin"]].concat());
    assert!(verify(&tokens.read("1"), tokens.roots()).is_ok());
}

#[test]
fn a_token_that_is_not_there_is_named_and_nothing_is_made() {
    let Some(tokens) = Tokens::new() else { return };
    let (code, line) = tokens.failure(&tokens.init(&["--token", "third", "--unencrypted"]));
    assert_eq!(code, 66, "{line}");
    assert!(line.contains("there is no token \"third\"; there is \"first\", \"second\""), "{line}");
    let no_module = ["init", "--pkcs11", "none.so", "--token", "first", "--passphrase-file", "pin"];
    let (code, line) = tokens.failure(&no_module);
    assert_eq!(code, 66, "{line}");
    assert!(line.contains("none.so"), "{line}");
    assert_eq!(tokens.run(&["init", "--token", "first"]).status.code(), Some(64), "a token needs its module");
    tokens.answer(&["init", "--unencrypted"]);
}
