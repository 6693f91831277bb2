//! The vendor's whole side on one screen: a product that is licensed.
//!
//! A real product has its id and roots compiled in. Here they come from the environment, so that the commands that
//! `kms-simulator dev` prints can drive it: `KMS_PRODUCT` (32 hexadecimal digits), `KMS_ROOTS` (two times 64, separated
//! by a comma), and optionally `KMS_STATE_DIR` and `KMS_HOSTS`. It runs until Enter is pressed.

use std::error::Error;

use data_encoding::HEXLOWER_PERMISSIVE;
use kms_client::{Client, Notice, Product, Snapshot};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let product =
        Product::new(bytes("KMS_PRODUCT", 0)?, "Editor", [bytes("KMS_ROOTS", 0)?, bytes("KMS_ROOTS", 1)?]);
    let state_dir = std::env::var_os("KMS_STATE_DIR").map_or_else(std::env::temp_dir, Into::into);

    // 1 build: reads the state, asks nobody  2 spawn the one loop  3 show what changes.
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

/// A notice level and a text key: the rest is the product's own design, in its own languages.
fn show(snapshot: &Snapshot) {
    let level = match snapshot.state.notice() {
        Notice::Silent => "nothing to say",
        Notice::Info => "about box",
        Notice::Warning => "banner",
    };
    println!("{:?}  [{level}: {}]", snapshot.state, snapshot.state.text_key());
    for attempt in &snapshot.attempts {
        println!("  {}  {}", attempt.host, attempt.outcome);
    }
}

fn bytes<const N: usize>(variable: &str, part: usize) -> Result<[u8; N], Box<dyn Error>> {
    let text = std::env::var(variable).map_err(|_| format!("set {variable}"))?;
    let text = text.split(',').nth(part).unwrap_or_default().trim();
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes())?;
    bytes.try_into().map_err(|_| format!("{variable}: {N} bytes in hexadecimal are needed").into())
}
