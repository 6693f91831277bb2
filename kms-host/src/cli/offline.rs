//! Commands that prepare a host: `init` and `install-certificate`.

use std::path::Path;
use std::time::Duration;

use shared::time::Length;

use super::{EX_CANTCREAT, EX_DATAERR, EX_USAGE, Failure, OrExit};
use crate::home::{Home, HomeError};

pub(super) fn init(home: &Home, hour: Duration, json: bool) -> Result<(), Failure> {
    let hour_width_ms = u64::try_from(hour.as_millis()).ok().filter(|width_ms| 0 < *width_ms);
    let hour_width_ms =
        hour_width_ms.ok_or_else(|| anyhow::anyhow!("--hour has to be at least 1ms")).or_exit(EX_USAGE)?;
    let host = home.init(hour_width_ms, &mut rand::rng()).or_exit(EX_CANTCREAT)?;
    let request = home.request_path();
    if json {
        println!("{}", serde_json::json!({ "host": host.to_string(), "request": request }));
        return Ok(());
    }
    println!("Made host {host} in {}.", home.path().display());
    println!("Send {} to the vendor, then put in the answer:", request.display());
    println!("  kms-host install-certificate ANSWER.pem --data {}", home.path().display());
    Ok(())
}

pub(super) fn install_certificate(home: &Home, file: &Path, json: bool) -> Result<(), Failure> {
    let installed = home.install_certificate(file).map_err(|error| {
        let code = if matches!(error, HomeError::File(_)) { EX_CANTCREAT } else { EX_DATAERR };
        Failure { code, error: error.into() }
    })?;
    let certificate = installed.chain.host();
    let (product, organisation) = (&certificate.product_name, &certificate.organisation_name);
    if json {
        let shown = serde_json::json!({
            "certificate": certificate.id.to_string(),
            "product": certificate.product.to_string(),
            "product_name": product,
            "organisation": organisation,
            "not_before_ms": certificate.not_before.unix_ms(),
            "not_after_ms": installed.chain.ends_at().unix_ms(),
            "threshold": certificate.policy.threshold,
            "test": certificate.test,
        });
        println!("{shown}");
        return Ok(());
    }
    println!(
        "Installed certificate {}{}:",
        certificate.id,
        if certificate.test { ", marked as TEST" } else { "" }
    );
    println!("  product       {product} ({})", certificate.product);
    println!("  organisation  {organisation}");
    println!("  valid         {} to {}", certificate.not_before, installed.chain.ends_at());
    let policy = &certificate.policy;
    println!("  threshold     {} machines in {}", policy.threshold, Length(policy.count_window));
    println!("  lease         {}, renewed every {}", Length(policy.validity), Length(policy.renew_interval));
    println!("A host that runs already reads it at its next start. To serve:");
    println!("  kms-host serve --data {}", home.path().display());
    Ok(())
}
