//! The demo's laptops that never meet the host. Each is activated by a product key, in another way.
//!
//! What people would type is typed: each command is a process, and codes go through pipes.

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use kms_client::{Client, Outcome};
use kms_host::home::Home;
use serde_json::Value;
use shared::files;
use world::Shop;

use crate::portal::{PortalProcess, text, typed};

/// A laptop with hardware of its own, which enters the key and is activated at the portal.
///
/// # Errors
/// It was refused.
pub(crate) async fn activate_online(
    portal: &PortalProcess,
    shop: &Shop,
    key: &str,
) -> anyhow::Result<Client> {
    let laptop = laptop(portal, shop, "laptop-online")?;
    laptop.set_key(key).await.map_err(|cause| anyhow!("{cause}"))?;
    match laptop.activate().await?.outcome {
        Outcome::Confirmed { .. } => Ok(laptop),
        outcome => bail!("the laptop was told {outcome:?}"),
    }
}

/// A laptop in a closed network: its ask is carried to a machine with a network in a file, and the answer back. Returns its state in
/// a word.
///
/// # Errors
/// A command fails.
pub(crate) async fn activate_by_file(portal: &PortalProcess, key: &str) -> anyhow::Result<String> {
    let (product, carried) = (portal.product_file(), portal.folder().join("carried"));
    let (laptop, carrier) = (portal.folder().join("laptop-closed"), portal.folder().join("carrier"));
    let (product, carried) = (text(&product)?, text(&carried)?);
    let client = async |state: &Path, words: &[&str], stdin: &str| {
        let usual = ["client", "--product", product, "--state", text(state)?];
        typed(&[&usual, words].concat(), stdin).await
    };
    client(&laptop, &["key", "set", "--later", "-"], key).await?;
    client(&laptop, &["proxy", "collect", carried], "").await?;
    client(&carrier, &["proxy", "carry", carried], "").await?;
    client(&laptop, &["proxy", "apply", carried], "").await?;
    let status: Value = serde_json::from_str(&client(&laptop, &["--json", "status"], "").await?)?;
    Ok(status["state"].as_str().unwrap_or_default().to_owned())
}

/// A laptop without a network: its code is typed into `kms-portal confirm`, and what that shows into the laptop.
///
/// # Errors
/// The operator's tool fails, or the laptop does not take what was read.
pub(crate) async fn activate_by_codes(
    portal: &PortalProcess,
    shop: &Shop,
    key: &str,
) -> anyhow::Result<Client> {
    let laptop = laptop(portal, shop, "laptop-by-codes")?;
    laptop.set_key_for_later(key).await.map_err(|cause| anyhow!("{cause}"))?;
    let id = laptop.installation_id().await.map_err(|cause| anyhow!("{cause}"))?;
    let read = operator(portal, &id.digits()).await?;
    laptop.enter_confirmation(&read).await.map_err(|cause| anyhow!("{cause}"))?;
    Ok(laptop)
}

/// A host without a network, in the same way.
///
/// # Errors
/// A command fails.
pub(crate) async fn activate_host_by_codes(
    portal: &PortalProcess,
    product: &str,
    home: &Home,
) -> anyhow::Result<()> {
    let terms = home.path().with_extension("terms.pem");
    let (terms, data) = (text(&terms)?, text(home.path())?);
    portal.sell(product, &["--kind", "host", "--terms-out", terms]).await?;
    let activate = ["host", "activate", "--terms", terms, "--data", data];
    let shown = typed(&activate, "").await?;
    let read = operator(portal, &code_in(&shown)).await?;
    typed(&[&activate[..], &["--confirm", "-"]].concat(), &read).await?;
    Ok(())
}

/// What the operator reads back.
async fn operator(portal: &PortalProcess, installation: &str) -> anyhow::Result<String> {
    let answered = portal.typed(&["confirm", "-", "--note", "demo", "--json"], installation).await?;
    let answered: Value = serde_json::from_str(&answered)?;
    Ok(answered["digits"].as_str().context("nothing was confirmed")?.to_owned())
}

/// The code that stands in rows with a letter before each.
fn code_in(shown: &str) -> String {
    let rows = shown.lines().skip_while(|line| !line.starts_with("  A ")).take_while(|line| !line.is_empty());
    rows.map(|row| &row[4..]).collect()
}

fn laptop(portal: &PortalProcess, shop: &Shop, name: &str) -> anyhow::Result<Client> {
    let authority = std::fs::read_to_string(portal.authority())?;
    let codes = files::from_pem(files::CODE_CERTIFICATE, &std::fs::read(portal.code_certificate())?)?;
    // A real product has all of this compiled in, for as long as it runs.
    let codes: &[u8] = codes.to_vec().leak();
    let product = shop.compiled().with_portal(portal.url().to_owned().leak());
    let product = product.with_portal_ca(authority.leak()).with_code_keys(vec![codes].leak());
    let state = portal.folder().join(name);
    std::fs::create_dir_all(&state)?;
    let laptop = Client::builder(product).state_dir(state).fingerprint_source(name.as_bytes());
    Ok(laptop.hardware_source(name, &format!("disk of {name}"), &format!("firmware of {name}")).build()?)
}
