//! `dev`: a throwaway vendor, product and host in one folder, served until Ctrl-C, with the commands to try next.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use kms_client::{Clock, SystemClock};
use kms_host::home::Home;
use kms_vendor::Vendor;
use shared::policy::Policy;
use world::shop::ORGANISATION;
use world::{HostProcess, Shop};

const PRODUCT: &str = "Atlas";

/// Serves until Ctrl-C.
pub(crate) async fn run(folder: &Path, listen: SocketAddr, threshold: u32) -> anyhow::Result<()> {
    let home = if folder.join("vendor").exists() {
        println!("Using the vendor and the host in {}.", folder.display());
        Home::at(folder.join("host"))
    } else {
        make(folder, threshold)?
    };
    let vendor = Vendor::open(&folder.join("vendor"))?;
    let product = vendor.product(PRODUCT)?;
    std::fs::write(folder.join("product.toml"), vendor.product_file(PRODUCT)?)?;

    let host = HostProcess::start(&crate::host_program()?, &home, listen).await?;
    let (address, shown) = (host.address(), folder.display());
    println!(
        "\nA host serves on {address}; leases are issued from {} machine(s) on. Try:\n",
        product.policy.threshold
    );
    println!(
        "  cargo run -q -p kms-client-cli -- --product {shown}/product.toml --state {shown}/machine --host {address} activate"
    );
    println!(
        "  cargo run -q -p kms-client-cli -- --product {shown}/product.toml --state {shown}/machine status"
    );
    println!("  cargo run -q -p kms-host -- status --data {shown}/host");
    println!("  cargo run -q -p kms-host -- machines --data {shown}/host");
    println!("\nCtrl-C ends it. The folder may be removed, or used again.");
    tokio::signal::ctrl_c().await?;
    host.stop().await?;
    Ok(())
}

fn make(folder: &Path, threshold: u32) -> anyhow::Result<Home> {
    let now = SystemClock::new().now();
    let shop = Shop::open(folder, PRODUCT, Policy { threshold, ..Policy::CLIENT }, false)?;
    let home = shop.make_bare_host("host", kms_host::home::HOUR_MS)?;
    shop.certify(&home, ORGANISATION, now, Duration::from_hours(365 * 24))?;
    println!("Made a vendor, a product and a host in {}.", folder.display());
    Ok(home)
}
