//! Logs which certificates the host uses and when they end, at the start and after each change.

use std::sync::Arc;
use std::time::Duration;

use server::accept::Door;
use server::certificate;
use shared::ids::CertificateId;
use shared::time::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::activate::Host;
use crate::certificates::Certificates;
use crate::home::Home;

/// How often the host checks whether a certificate ends soon.
const CHECK: Duration = Duration::from_hours(1);

/// Warns of each certificate whose end is within one of the marks, and logs which certificates are used: at the start, and whenever
/// that changes with time.
pub(crate) async fn warn(host: Arc<Host>, door: Door, stop: CancellationToken) {
    let mut looked = Timestamp::from_unix_ms(i64::MIN);
    loop {
        let now = host.clock.now();
        let certificates = host.certificates();
        if looked == Timestamp::from_unix_ms(i64::MIN)
            || used(&certificates, looked) != used(&certificates, now)
        {
            say_which_are_used(&certificates, &Certificates::default(), now);
        }
        warn_of_ends(&certificates, looked, now);
        certificate::warn_of_end(&door, looked, now);
        looked = now;
        tokio::select! {
            () = tokio::time::sleep(CHECK) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Warns of every certificate whose end has come within one of the marks since `looked`.
pub(crate) fn warn_of_ends(certificates: &Certificates, looked: Timestamp, now: Timestamp) {
    for (installed, ends_at) in certificates.to_warn_of(looked, now) {
        let certificate = installed.chain.host();
        let (product, certificate) = (certificate.product_name.as_str(), certificate.id);
        if ends_at <= now {
            tracing::error!(product, %certificate, %ends_at, "the certificate has ended, and no lease is signed: renew it with the vendor");
        } else {
            tracing::warn!(product, %certificate, %ends_at, "the certificate ends soon: renew it with the vendor");
        }
    }
}

/// The certificate that answers for each product at this time.
fn used(certificates: &Certificates, now: Timestamp) -> Vec<CertificateId> {
    certificates.products(now).map(|(_, used)| used.chain.host().id).collect()
}

/// Logs which certificate answers for a product and why the others do not, for each product where that differs from `before`, and for
/// new products.
pub(crate) fn say_which_are_used(certificates: &Certificates, before: &Certificates, now: Timestamp) {
    for product in certificates.each_product() {
        let ids = |certificates: &Certificates| -> Vec<_> {
            certificates.of(product).iter().map(|one| one.chain.host().id).collect()
        };
        if ids(certificates) == ids(before) {
            continue;
        }
        let name = certificates.name(product);
        if let Some(used) = certificates.current(product, now) {
            let (id, ends_at) = (used.chain.host().id, used.chain.ends_at());
            tracing::info!(product = name, certificate = %id, %ends_at, "this certificate is used");
        } else {
            tracing::error!(product = name, "no certificate is used, so no machine gets an answer");
        }
        for (other, why) in certificates.unused(product, now) {
            let id = other.chain.host().id;
            tracing::warn!(product = name, certificate = %id, %why, "this certificate is not used");
        }
    }
}

/// Notes the certificates of products that are served for the first time in `known/`, which says what their machines know. If that
/// fails, the products are served anyway.
pub(crate) fn note_known(home: &Home, certificates: Certificates, now: Timestamp) -> Certificates {
    home.note_known(certificates.clone(), now).unwrap_or_else(|error| {
        let error = format!("{:#}", anyhow::Error::from(error));
        tracing::warn!(
            error,
            "cannot note which organisation machines know, so a certificate of another one could be used after a restart"
        );
        certificates
    })
}

/// Logs which files are ignored, and why.
pub(crate) fn warn_of_left_out(certificates: &Certificates) {
    for left_out in certificates.left_out() {
        let (file, cause, remedy) = (left_out.path.display(), &left_out.cause, &left_out.remedy);
        tracing::error!(%file, cause, remedy, "a certificate cannot be used and is ignored");
    }
}
