//! A portal of the vendor on the stage: a process of its own, its commands, and asks to it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kms_host::home::Home;
use kms_vendor::{Extras, NewIssuer, Signer};
use proto::v1::Signed;
use proto::vendor::v1::{ActivateMachineResponse, ReleaseMachineResponse};
use serde_json::Value;
use shared::activation::{Claim, HostActivation, MachineActivation, MachineRelease};
use shared::envelope::SecretKey;
use shared::features::Features;
use shared::files;
use shared::ids::{Fingerprint, Nonce, ProductId};
use shared::parts::HardwareParts;
use shared::product_key::ProductKey;
use shared::time::{Clock as _, Timestamp};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use wire::portal::{Portal, PortalAddress};
use wire::{Failure, SystemClock, Tls};

use crate::commands::Done;
use crate::stage::{LIMIT, Stage, YEAR, program, until};

/// How a portal is started.
pub(crate) const PORTAL: &str = env!("CARGO_BIN_EXE_portal-under-test");

/// A portal of this stage's vendor, which knows its product.
pub(crate) struct PortalStage {
    pub(crate) stage: Stage,
    pub(crate) data: PathBuf,
    /// What its environment has, of the next start on.
    pub(crate) environment: Vec<(&'static str, PathBuf)>,
    process: Option<Child>,
    address: PortalAddress,
}

/// A portal that goes on while the stage has another one.
pub(crate) struct Beside {
    data: PathBuf,
    process: Option<Child>,
    address: PortalAddress,
}

impl PortalStage {
    /// Makes room for another portal, in an empty directory. The one that was there goes on.
    pub(crate) fn another(&mut self, name: &str) -> Beside {
        let data = std::mem::replace(&mut self.data, self.stage.folder.path().join(name));
        Beside { data, process: self.process.take(), address: self.address.clone() }
    }

    /// Puts the other portal on the stage, and this one beside it.
    pub(crate) fn swap(&mut self, other: &mut Beside) {
        std::mem::swap(&mut self.data, &mut other.data);
        std::mem::swap(&mut self.process, &mut other.process);
        std::mem::swap(&mut self.address, &mut other.address);
    }

    /// A portal with an issuing certificate, which serves.
    pub(crate) async fn open(settings: &str) -> PortalStage {
        let stage = Stage::with_threshold(5);
        let data = stage.folder.path().join("portal");
        let address = "https://localhost:1".parse().unwrap();
        let mut portal = PortalStage { stage, data, environment: Vec::new(), process: None, address };
        let roots = portal.stage.shop.vendor().dir().join("roots.pub");
        portal.does(&["init", "--roots", text(&roots), "--name", "localhost"]).await;
        std::fs::write(portal.data.join("kms-portal.toml"), settings).unwrap();
        portal.install_issuer().await;
        portal.start().await;
        let file = portal.stage.folder.path().join("atlas.toml");
        let product = portal.stage.shop.vendor().product_file("Atlas", &Extras::default()).unwrap();
        std::fs::write(&file, product).unwrap();
        portal.does(&["product", "add", "--file", text(&file), "--threshold", "5"]).await;
        portal
    }

    /// The offline tool signs the portal's request, and the portal takes that.
    pub(crate) async fn install_issuer(&self) {
        self.does(&["install-issuer", text(&self.sign_issuer(|_| {}))]).await;
    }

    /// The offline tool signs the portal's request, with a change to what it usually says.
    pub(crate) fn sign_issuer(&self, change: impl FnOnce(&mut NewIssuer<'_>)) -> PathBuf {
        let request = std::fs::read_to_string(self.data.join("issuing-request.pem")).unwrap();
        let now = SystemClock::new().now();
        let (not_before, valid_for) = (now - Duration::from_hours(1), YEAR);
        let mut new =
            NewIssuer { products: vec![], not_before, valid_for, root: Signer::Root1, test: false, now };
        change(&mut new);
        let signed = self.stage.shop.vendor().sign_issuer(&request, &new, &mut rand::rng()).unwrap();
        let path = self.stage.folder.path().join("issuing.pem");
        std::fs::write(&path, signed.pem).unwrap();
        path
    }

    /// Starts `serve` for what has to refuse it.
    pub(crate) async fn refuses_to_serve(&self) -> Done {
        self.run(&["serve", "--listen", "127.0.0.1:0"]).await
    }

    /// Starts it on a port of its own, and waits until it answers.
    pub(crate) async fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let child = Command::new(PORTAL)
            .args(["serve", "--listen", "127.0.0.1:0", "--data", text(&self.data)])
            .envs(self.environment.clone())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let pid = child.id();
        self.process = Some(child);
        until("the portal answers", async || {
            // A socket that a killed portal has left answers nobody.
            let serving = server::admin::serving(&self.data.join("admin.sock")).await;
            serving.and_then(|peer| peer.pid()) == pid.and_then(|pid| i32::try_from(pid).ok())
        })
        .await;
        let status = self.json(&["status"]).await;
        let port = status["listening"][0].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        self.address = format!("https://localhost:{port}").parse().unwrap();
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.process.take().unwrap().kill().await.unwrap();
    }

    /// Sends it this signal.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.process.as_ref().unwrap().id().unwrap().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().await.unwrap().success());
    }

    /// SIGTERM, and waits until it has stopped in order.
    pub(crate) async fn stop(&mut self) {
        self.signal("TERM").await;
        let mut process = self.process.take().unwrap();
        assert!(timeout(LIMIT, process.wait()).await.expect("it stops").unwrap().success());
    }

    /// Waits until it ends by itself; its exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let mut process = self.process.take().unwrap();
        timeout(LIMIT, process.wait()).await.expect("it ends").unwrap().code()
    }

    /// Runs a command for this portal.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Done {
        self.run_at(text(&self.data), arguments).await
    }

    /// Runs a command with another data directory.
    pub(crate) async fn run_at(&self, data: &str, arguments: &[&str]) -> Done {
        let mut command = Command::new(PORTAL);
        command.args(arguments).args(["--data", data]);
        finished(&mut command).await
    }

    /// Runs a command on a machine without a portal, with this environment.
    pub(crate) async fn run_elsewhere(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Done {
        let mut command = Command::new(PORTAL);
        command.args(arguments).env("KMS_PORTAL_DATA", "/nonexistent").envs(environment.iter().copied());
        finished(&mut command).await
    }

    /// Runs a command for this portal that reads this from a pipe.
    pub(crate) async fn hears(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = Command::new(PORTAL);
        command.args(arguments).args(["--data", text(&self.data)]);
        // Whoever runs the tests may speak another language.
        command.env("LC_ALL", "C").kill_on_drop(true).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let output = timeout(LIMIT, child.wait_with_output()).await.expect("it ends").unwrap();
        Done {
            code: output.status.code().expect("it ends by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Gives the portal a code key, which root 1 has certified with these sets; its certificate, as products carry it.
    pub(crate) async fn certify_codes(&self, sets: &[&str]) -> Vec<u8> {
        self.certify_codes_by(Signer::Root1, sets).await
    }

    /// As [`PortalStage::certify_codes`], by this root.
    pub(crate) async fn certify_codes_by(&self, root: Signer, sets: &[&str]) -> Vec<u8> {
        self.does(&["init", "--codes"]).await;
        let request = std::fs::read_to_string(self.data.join("code-request.pem")).unwrap();
        let now = SystemClock::new().now();
        let (not_before, valid_for) = (now - Duration::from_hours(1), 10 * YEAR);
        let new = NewIssuer { products: vec![], not_before, valid_for, root, test: false, now };
        let sets = sets.iter().map(|set| Features::new(set.split(',')).unwrap()).collect();
        let signed = self.stage.shop.vendor().sign_code_key(&request, &new, sets, &mut rand::rng()).unwrap();
        let path = self.stage.folder.path().join("code.pem");
        std::fs::write(&path, &signed.pem).unwrap();
        self.does(&["install-code-key", text(&path)]).await;
        files::from_pem(files::CODE_CERTIFICATE, signed.pem.as_bytes()).unwrap().to_vec()
    }

    /// Runs a command as the user `nobody`; nothing where this machine or this user does not allow that.
    pub(crate) async fn run_as_nobody(&self, arguments: &[&str]) -> Option<Done> {
        let run = async |arguments: &[&str]| {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", PORTAL]);
            finished(command.args(arguments).args(["--data", text(&self.data)])).await
        };
        let is_allowed = Command::new("setpriv").arg("--version").output().await.is_ok();
        if !is_allowed || run(&["config", "sample"]).await.code != 0 {
            return None;
        }
        Some(run(arguments).await)
    }

    /// A new key, and a new machine that is confirmed by it.
    pub(crate) async fn confirm_one(&self) {
        let key = self.key(&["--kind", "mak", "--machines", "1"]).await;
        let ask = Asking::new(self.product()).for_confirmation(&key);
        assert_eq!(self.confirm(ask).await.unwrap().used, 1);
    }

    /// So many new machines are confirmed by this key, over 16 connections: a multiple of 16.
    pub(crate) async fn confirm_many(&self, key: &ProductKey, machines: u64) {
        let mut lines = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (portal, product, key) = (self.connect().await.unwrap(), self.product(), key.clone());
            lines.spawn(async move {
                for _ in 0..machines / 16 {
                    portal.activate_machine(Asking::new(product).for_confirmation(&key)).await.unwrap();
                }
            });
        }
        lines.join_all().await;
    }

    /// Runs a command that has to succeed; what it prints.
    pub(crate) async fn does(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments).await;
        assert_eq!(done.code, 0, "{arguments:?}: {}", done.stderr);
        done.stdout
    }

    /// What a command prints as JSON.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.does(&[arguments, &["--json"]].concat()).await).unwrap()
    }

    /// Issues a key for the usual organisation.
    pub(crate) async fn key(&self, arguments: &[&str]) -> ProductKey {
        let usual = ["key", "issue", "--product", "Atlas", "--organisation", "Example Works"];
        let issued = self.json(&[&usual, arguments].concat()).await;
        issued["key"].as_str().unwrap().parse().unwrap()
    }

    /// `kms-host activate` with this key.
    pub(crate) async fn activate(&self, host: &Home, key: &ProductKey) -> Done {
        let mut command = Command::new(program().path);
        let authority = self.data.join("portal-ca.pem");
        command.args(["activate", &key.to_string(), "--portal", &self.address.to_string()]);
        command.args(["--portal-ca", text(&authority), "--data", text(host.path())]);
        finished(&mut command).await
    }

    /// Runs `kms-client` on a machine of this name, for the product with this portal, and with its code key if it has one.
    pub(crate) async fn at_machine(&self, name: &str, arguments: &[&str]) -> Done {
        let setting = self.setting_of_machine(name);
        let setting: Vec<_> = setting.iter().map(String::as_str).collect();
        client(&[&setting, arguments].concat()).await
    }

    /// Starts `kms-client` there, whose standard output is a pipe.
    pub(crate) fn starts_at_machine(&self, name: &str, arguments: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_client-under-test"));
        command.args(self.setting_of_machine(name)).args(arguments).env_remove("KMS_HOSTS");
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).spawn().unwrap()
    }

    fn setting_of_machine(&self, name: &str) -> [String; 4] {
        let code_key = self.stage.folder.path().join("code.pem");
        let extras = Extras {
            code_keys: code_key.exists().then_some(code_key).into_iter().collect(),
            portal: Some(self.address.clone()),
            portal_ca: Some(self.data.join("portal-ca.pem")),
            ..Extras::default()
        };
        let product = self.stage.folder.path().join("carried.toml");
        std::fs::write(&product, self.stage.shop.vendor().product_file("Atlas", &extras).unwrap()).unwrap();
        let state = self.stage.state_dir(name);
        ["--product", text(&product), "--state", text(&state)].map(str::to_owned)
    }

    pub(crate) async fn connect(&self) -> Result<Portal, Failure> {
        let tls = Tls::from_file(self.data.join("portal-ca.pem"));
        Portal::connect(&self.address, &tls.read(Arc::new(SystemClock::new())).unwrap()).await
    }

    /// A machine asks.
    pub(crate) async fn confirm(&self, ask: Signed) -> Result<ActivateMachineResponse, Failure> {
        self.connect().await?.activate_machine(ask).await
    }

    /// A machine leaves.
    pub(crate) async fn release(&self, ask: Signed) -> Result<ReleaseMachineResponse, Failure> {
        self.connect().await?.release_machine(ask).await
    }

    /// A host asks; which host and activation it is.
    pub(crate) async fn certify(&self, ask: Signed) -> Result<String, Failure> {
        let answer = self.connect().await?.activate_host(ask).await?;
        let (host, hosts) = (answer.host, answer.hosts);
        Ok(format!("host {host} of {hosts}, activation {} of {}", answer.activation, answer.activations))
    }

    /// Where it serves since its last start.
    pub(crate) fn address(&self) -> &PortalAddress {
        &self.address
    }

    pub(crate) fn product(&self) -> ProductId {
        self.stage.shop.product().id
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.stage.folder.path().join("portal.log")
    }
}

/// A machine or a host that is nothing but its asks. Each is later than the one before, by its own clock.
pub(crate) struct Asking {
    pub(crate) identity: SecretKey,
    product: ProductId,
    asks: AtomicU64,
}

impl Asking {
    pub(crate) fn new(product: ProductId) -> Asking {
        Asking { identity: SecretKey::from_seed(&rand::random()), product, asks: AtomicU64::new(0) }
    }

    fn asked_at(&self) -> Timestamp {
        SystemClock::new().now() + Duration::from_millis(self.asks.fetch_add(1, Ordering::Relaxed))
    }

    /// Its hardware.
    pub(crate) fn parts(&self) -> HardwareParts {
        let hardware = self.identity.public().machine().to_string();
        HardwareParts::of_machine(self.product, &hardware, &hardware, &hardware)
    }

    /// A new ask for a confirmation, by hardware that nobody else has.
    pub(crate) fn for_confirmation(&self, key: &ProductKey) -> Signed {
        let hardware = self.identity.public().machine().to_string();
        let machine_key = self.identity.public();
        MachineActivation {
            machine_key,
            product: self.product,
            product_key: key.clone(),
            nonce: Nonce::from_bytes(rand::random()),
            asked_at: self.asked_at(),
            fingerprint: Fingerprint::of_machine(self.product, hardware.as_bytes()),
            parts: self.parts(),
        }
        .sign(&self.identity)
    }

    pub(crate) fn to_leave(&self, key: &ProductKey) -> Signed {
        let machine_key = self.identity.public();
        MachineRelease {
            machine_key,
            product: self.product,
            key_number: key.number(),
            nonce: Nonce::from_bytes(rand::random()),
            asked_at: self.asked_at(),
        }
        .sign(&self.identity)
    }

    /// A new ask for a host certificate.
    pub(crate) fn for_certificate(&self, claim: Claim) -> Signed {
        HostActivation {
            signing_key: self.identity.public(),
            claim,
            hour_width: Duration::from_hours(1),
            nonce: Nonce::from_bytes(rand::random()),
            asked_at: self.asked_at(),
        }
        .sign(&self.identity)
    }
}

/// `kms-client` with these arguments alone.
pub(crate) async fn client(arguments: &[&str]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_client-under-test"));
    finished(command.args(arguments).env_remove("KMS_HOSTS")).await
}

async fn finished(command: &mut Command) -> Done {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(LIMIT, output).await.unwrap_or_else(|_| panic!("{command:?} does not end")).unwrap();
    Done {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
