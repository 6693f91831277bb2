//! The vendor's portal as a process, for `demo` and `dev`: made, certified and started in a folder, and asked by typed commands.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use kms_client::{Clock as _, SystemClock};
use kms_host::home::Home;
use kms_vendor::{Extras, NewIssuer, Signer, Vendor};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use world::shop::ORGANISATION;

/// How long a portal may take to answer its first question, and how often it is asked.
const START_TRIES: u32 = 400;
const APART: Duration = Duration::from_millis(50);

/// The portal of a folder, as a process. Dropping it kills it.
pub(crate) struct PortalProcess {
    folder: PathBuf,
    data: PathBuf,
    url: String,
    serving: Child,
}

/// What a portal is made with, if there is none.
pub(crate) struct NewPortal<'a> {
    /// Whether its product is for tests, and everything that is signed says so.
    pub(crate) test: bool,
    /// The numbers of its product, as they are typed.
    pub(crate) numbers: &'a [&'a str],
    /// How long its certificates are valid.
    pub(crate) valid_for: Duration,
}

impl PortalProcess {
    /// Starts the portal of this folder. If there is none, makes it: a root signs for its issuing key and its code key, and it is given
    /// the product.
    ///
    /// # Errors
    /// A command fails; the error has what it said.
    pub(crate) async fn open(
        folder: &Path,
        vendor: &Vendor,
        product: &str,
        new: &NewPortal<'_>,
    ) -> anyhow::Result<PortalProcess> {
        let data = folder.join("portal");
        let is_new = !data.exists();
        if is_new {
            let roots = vendor.dir().join("roots.pub");
            let init = ["init", "--codes", "--roots", text(&roots)?, "--name", "localhost"];
            typed(&[&["portal", "--data", text(&data)?], &init[..]].concat(), "").await?;
            certify(folder, vendor, &data, new).await?;
        }
        let serving = Command::new(std::env::current_exe()?)
            .args(["portal", "serve", "--listen", "127.0.0.1:0", "--data", text(&data)?])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("portal.log"))?)
            .kill_on_drop(true)
            .spawn()?;
        let mut portal = PortalProcess { folder: folder.to_owned(), data, url: String::new(), serving };
        portal.url = format!("https://localhost:{}", portal.port().await?);
        let extras = Extras {
            portal: Some(portal.url.parse().map_err(|error| anyhow!("{error}"))?),
            portal_ca: Some(portal.authority()),
            code_keys: vec![portal.code_certificate()],
            ..Extras::default()
        };
        let file = portal.product_file();
        std::fs::write(&file, vendor.product_file(product, &extras)?)?;
        if is_new {
            let test: &[&str] = if new.test { &["--test"] } else { &[] };
            portal
                .typed(&[&["product", "add", "--file", text(&file)?], test, new.numbers].concat(), "")
                .await?;
        }
        Ok(portal)
    }

    /// Where it serves.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The folder that it is in.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Who has signed its TLS certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.data.join("portal-ca.pem")
    }

    /// The product file that names it.
    pub(crate) fn product_file(&self) -> PathBuf {
        self.folder.join("product.toml")
    }

    /// What a root has signed for its code key.
    pub(crate) fn code_certificate(&self) -> PathBuf {
        self.folder.join("code.pem")
    }

    /// A new key of this product.
    ///
    /// # Errors
    /// The portal refuses.
    pub(crate) async fn sell(&self, product: &str, kind: &[&str]) -> anyhow::Result<String> {
        let usual = ["key", "issue", "--product", product, "--organisation", ORGANISATION, "--json"];
        let issued: Value = serde_json::from_str(&self.typed(&[&usual, kind].concat(), "").await?)?;
        Ok(issued["key"].as_str().context("no key was issued")?.to_owned())
    }

    /// How many `machines` or `hosts` its keys have activated.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) async fn taken(&self, of: &str) -> anyhow::Result<u64> {
        let keys: Value = serde_json::from_str(&self.typed(&["key", "list", "--json"], "").await?)?;
        let taken = keys.as_array().into_iter().flatten().filter_map(|key| key["taken"][of].as_u64());
        Ok(taken.sum())
    }

    /// `kms-host activate` with a key that is typed.
    ///
    /// # Errors
    /// The host was refused.
    pub(crate) async fn activate_host(&self, home: &Home, key: &str) -> anyhow::Result<String> {
        let (data, authority) = (home.path(), self.authority());
        let portal = ["--portal", &self.url, "--portal-ca", text(&authority)?];
        typed(&[&["host", "activate", "--data", text(data)?], &portal[..]].concat(), key).await
    }

    /// Types a command of `kms-portal` for it.
    ///
    /// # Errors
    /// The command fails.
    pub(crate) async fn typed(&self, words: &[&str], stdin: &str) -> anyhow::Result<String> {
        typed(&[&["portal", "--data", text(&self.data)?], words].concat(), stdin).await
    }

    /// The port on which it serves, once it answers.
    async fn port(&mut self) -> anyhow::Result<String> {
        let mut failed = None;
        for _ in 0..START_TRIES {
            match self.typed(&["status", "--json"], "").await {
                Err(error) => failed = Some(error),
                Ok(status) => {
                    let status: Value = serde_json::from_str(&status)?;
                    let address = status["listening"][0].as_str().context("the portal listens nowhere")?;
                    return Ok(address.rsplit(':').next().unwrap_or_default().to_owned());
                }
            }
            if let Some(exit) = self.serving.try_wait()? {
                let said = std::fs::read_to_string(self.folder.join("portal.log"))?;
                bail!("the portal ended with {exit}: {said}");
            }
            tokio::time::sleep(APART).await;
        }
        Err(failed.unwrap_or_else(|| anyhow!("the portal was never asked")))
    }
}

/// Has a root sign for the issuing key and for the code key of this portal.
async fn certify(
    folder: &Path,
    vendor: &Vendor,
    data: &Path,
    &NewPortal { test, valid_for, .. }: &NewPortal<'_>,
) -> anyhow::Result<()> {
    let now = SystemClock::new().now();
    let new = NewIssuer { products: vec![], not_before: now, valid_for, root: Signer::Root1, test, now };
    let request = |name| std::fs::read_to_string(data.join(name));
    let issuer = vendor.sign_issuer(&request("issuing-request.pem")?, &new, &mut rand::rng())?;
    let codes = vendor.sign_code_key(&request("code-request.pem")?, &new, vec![], &mut rand::rng())?;
    for (verb, name, pem) in
        [("install-issuer", "issuing.pem", &issuer.pem), ("install-code-key", "code.pem", &codes.pem)]
    {
        let file = folder.join(name);
        std::fs::write(&file, pem)?;
        typed(&["portal", verb, text(&file)?, "--data", text(data)?], "").await?;
    }
    Ok(())
}

/// Types a command: a process of its own, with this on its standard input. Returns what it prints.
pub(crate) async fn typed(words: &[&str], stdin: &str) -> anyhow::Result<String> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // It may have ended without reading.
        let _ = input.write_all(stdin.as_bytes()).await;
    }
    let Output { status, stdout, stderr } = child.wait_with_output().await?;
    if !status.success() {
        bail!("{}: {status}: {}", words.join(" "), String::from_utf8_lossy(&stderr).trim_end());
    }
    Ok(String::from_utf8(stdout)?)
}

pub(crate) fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is no text")
}
