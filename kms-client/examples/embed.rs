//! The vendor's whole side on one screen: a licensed product.
//!
//! A real product has its id and roots compiled in. Here they come from a file that `kms-vendor product file` has
//! written, so that it can be tried: `cargo run -p kms-client --example embed -- PRODUCT.toml STATE-DIR`. Hosts are
//! found in DNS, or named in the environment: `KMS_HOSTS=localhost`. It runs until Enter is pressed.

use std::error::Error;

use data_encoding::HEXLOWER_PERMISSIVE;
use kms_client::{Client, Notice, Product, Snapshot};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("name the file that `kms-vendor product file` has written")?;
    let file: toml::Table = std::fs::read_to_string(file)?.parse()?;
    let roots = [bytes(&file["roots"][0])?, bytes(&file["roots"][1])?];
    let product = Product::new(bytes(&file["id"])?, "Atlas", roots);
    // A product names the directory that its installer makes, never one that every user can write to, such as /tmp.
    let state_dir = arguments.next().ok_or("name the directory that is to keep the state")?;

    // 1 build: reads the state, asks no host  2 spawn the one loop  3 show each change.
    let license = Client::builder(product).state_dir(state_dir).build()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let agent = license.clone();
    let agent = tokio::spawn(async move { agent.run(async { drop(stopped.await) }).await });

    let mut watch = license.watch();
    let enter = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    tokio::pin!(enter);
    show(&license.snapshot());
    loop {
        tokio::select! {
            changed = watch.changed() => changed?,
            _ = &mut enter => break,
        }
        show(&license.snapshot());
    }
    drop(stop);
    Ok(agent.await?)
}

/// Shows a notice level and a text key. The rest is the product's own design, in its own languages or those of `kms-client-texts`.
fn show(snapshot: &Snapshot) {
    let level = match snapshot.state.notice() {
        Notice::Silent => "nothing to say",
        Notice::Info => "about box",
        Notice::Warning => "banner",
    };
    println!("{}  [{level}: {}]", snapshot.state, snapshot.state.text_key());
    for attempt in &snapshot.attempts {
        println!("  {}  {}", attempt.host, attempt.outcome);
    }
}

fn bytes<const N: usize>(text: &toml::Value) -> Result<[u8; N], Box<dyn Error>> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_str().unwrap_or_default().as_bytes())?;
    bytes.try_into().map_err(|_| format!("{text}: {N} bytes in hexadecimal are needed").into())
}
