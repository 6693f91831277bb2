//! `dev`: a throwaway vendor, product and host in one folder, served until Ctrl-C, with the commands to try next. With a portal, its host
//! is activated by a key, and there is another one for laptops.
//!
//! A folder that is there is used again as it is. `HostProcess` in `tests/src/process.rs` starts the host and notices its end.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use kms_client::{Clock, SystemClock};
use kms_host::home::Home;
use kms_vendor::{Extras, Vendor};
use program::exit::{EX_UNAVAILABLE, EX_USAGE};
use shared::policy::Policy;
use tokio::signal::unix::{SignalKind, signal};
use world::shop::ORGANISATION;
use world::{HostProcess, Program, Shop};

use crate::exit::{Failure, OrExit};
use crate::portal::{NewPortal, PortalProcess};

const PRODUCT: &str = "Atlas";

/// The threshold of a new folder, unless another one is asked for: one machine is enough to try things.
const THRESHOLD: u32 = 1;

/// The machines of the load that is named among what to try; more if the threshold is higher.
const LOAD_MACHINES: u32 = 200;

/// The file in the folder that has the key for laptops. A portal keeps no keys, so it is written down.
const KEY_FILE: &str = "laptops.key";

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// The host did not start or ended by itself, or the folder's product has another threshold than the one asked for.
pub(crate) async fn run(
    folder: &Path,
    listen: SocketAddr,
    threshold: Option<u32>,
    with_portal: bool,
) -> Result<(), Failure> {
    let (home, threshold) = open(folder, threshold, with_portal).or_exit(EX_USAGE)?;
    serve(folder, &home, listen, threshold, with_portal).await.or_exit(EX_UNAVAILABLE)
}

async fn serve(
    folder: &Path,
    home: &Home,
    listen: SocketAddr,
    threshold: u32,
    with_portal: bool,
) -> anyhow::Result<()> {
    // Listened for before the host is there, so that no signal leaves it behind.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let portal = if with_portal { Some(open_portal(folder, home, threshold).await?) } else { None };
    let mut host = HostProcess::start(&Program::this_one()?, home, listen).await?;
    print_what_to_try(folder, &host, threshold);
    if let Some(portal) = &portal {
        print_what_to_try_with_keys(folder, portal);
    }
    println!("\nCtrl-C ends it. The folder may be removed, or used again.");
    tokio::select! {
        // A Ctrl-C in the terminal reaches the host as well: that it ends then is no failure.
        biased;
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        ended = host.ended() => {
            let (exit, said) = ended?;
            bail!("the host ended by itself, with {exit}: {said}");
        }
    }
    host.stop().await?;
    Ok(())
}

fn print_what_to_try(folder: &Path, host: &HostProcess, threshold: u32) {
    let (address, shown) = (host.address(), folder.display());
    let from = if threshold == 1 { "the first machine".to_owned() } else { format!("{threshold} machines") };
    println!("\nA host serves on {address}; leases are issued from {from} on. Try:\n");
    let [client, kms_host, simulator] =
        [("kms-client", "kms-client-cli"), ("kms-host", "kms-host-cli"), ("kms-simulator", "kms-simulator")]
            .map(|(program, package)| called(program, package));
    let client = format!("{client} --product {shown}/product.toml --state {shown}/machine");
    println!("  {client} --host {address} activate");
    println!("  {client} status");
    println!("  {kms_host} status --data {shown}/host");
    println!("  {kms_host} machines --data {shown}/host");
    println!(
        "  {simulator} load --host {address} --product {shown}/product.toml --machines {} --seconds 5",
        threshold.max(LOAD_MACHINES)
    );
}

fn print_what_to_try_with_keys(folder: &Path, portal: &PortalProcess) {
    let shown = folder.display();
    println!(
        "\nThe vendor's portal serves on {}; a key for laptops is in {shown}/{KEY_FILE}. Try:\n",
        portal.url()
    );
    let (client, kms_portal) =
        (called("kms-client", "kms-client-cli"), called("kms-portal", "kms-portal-cli"));
    println!(
        "  {client} --product {shown}/product.toml --state {shown}/laptop key set - < {shown}/{KEY_FILE}"
    );
    println!("  {kms_portal} key list --data {shown}/portal");
}

/// Starts the portal of the folder. A new one sells a key by which the host is activated, and another one.
async fn open_portal(folder: &Path, home: &Home, threshold: u32) -> anyhow::Result<PortalProcess> {
    // Written last: somebody may have stopped it before.
    let is_new = !folder.join(KEY_FILE).exists();
    let numbers = [format!("--threshold={threshold}")];
    let new = NewPortal { test: false, numbers: &[&numbers[0]], valid_for: Duration::from_hours(365 * 24) };
    let vendor = Vendor::open(&folder.join("vendor"))?;
    let portal = PortalProcess::open(folder, &vendor, PRODUCT, &new).await?;
    if is_new {
        // Without a portal, the vendor has certified the host of this folder, and its machines know the id.
        if let Some(id) = vendor.organisations()?.get(ORGANISATION) {
            portal.typed(&["organisation", "add", ORGANISATION, "--id", &id.to_string()], "").await?;
        }
        let key = portal.sell(PRODUCT, &["--kind", "host"]).await?;
        portal.activate_host(home, &key).await?;
        println!("Made a portal, and activated the host by the key {key}.");
        let key = portal.sell(PRODUCT, &["--kind", "mak", "--machines", "50"]).await?;
        std::fs::write(folder.join(KEY_FILE), key + "\n")?;
    }
    Ok(portal)
}

/// How a program is called from here: the one beside this one, which is how they are installed; in a checkout, where it may
/// not be built yet, cargo builds and runs it.
fn called(program: &str, package: &str) -> String {
    // cargo sets it for what it runs.
    if std::env::var_os("CARGO_MANIFEST_DIR").is_some() {
        return format!("cargo run -q -p {package} --");
    }
    let beside = std::env::current_exe().ok().map(|this| this.with_file_name(program));
    match beside.filter(|path| path.exists()) {
        Some(path) => path.display().to_string(),
        None => program.to_owned(),
    }
}

/// The host of this folder, made if it is not there, and the threshold of its product.
fn open(folder: &Path, threshold: Option<u32>, with_portal: bool) -> anyhow::Result<(Home, u32)> {
    let made_before = folder.join("vendor").exists();
    let home = if made_before {
        Home::at(folder.join("host"))
    } else {
        make(folder, threshold.unwrap_or(THRESHOLD), with_portal)?
    };
    let shown = folder.display();
    let vendor = Vendor::open(&folder.join("vendor"))?;
    let has = vendor.product(PRODUCT)?.policy.threshold;
    if let Some(asked) = threshold
        && asked != has
    {
        bail!(
            "the product in {shown} has a threshold of {has}, which its certificate holds; for {asked}, name a new folder"
        );
    }
    if made_before {
        println!("Using the vendor and the host in {shown}.");
    }
    std::fs::write(folder.join("product.toml"), vendor.product_file(PRODUCT, &Extras::default())?)?;
    Ok((home, has))
}

/// With a portal, the host is certified by it.
fn make(folder: &Path, threshold: u32, with_portal: bool) -> anyhow::Result<Home> {
    let now = SystemClock::new().now();
    let shop = Shop::open(folder, PRODUCT, Policy { threshold, ..Policy::CLIENT }, false)?;
    let home = shop.make_bare_host("host", kms_host::home::HOUR_MS)?;
    if !with_portal {
        shop.certify(&home, ORGANISATION, now, Duration::from_hours(365 * 24))?;
    }
    println!("Made a vendor, a product and a host in {}.", folder.display());
    Ok(home)
}
