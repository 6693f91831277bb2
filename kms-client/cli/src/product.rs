//! Which product is meant, and its state on this machine.
//!
//! A product has all this compiled in. Here it comes from a file, so that one tool serves every product; what stands in
//! that file is told in `product_file`.

use std::path::{Path, PathBuf};

use kms_client::{BuildError, Client, Keeping, Product, Reason, Tls};

use crate::answer::{EX_DATAERR, EX_NOINPUT, EX_USAGE, Failure};
use crate::cli::Setting;
use crate::product_file::{self, ProductFileError, REMEDY};

/// A product on this machine.
pub(crate) struct Opened {
    pub(crate) product: Product,
    pub(crate) client: Client,
}

impl Opened {
    /// Where an administrator's hosts are written, one a line.
    pub(crate) fn hosts_path(&self) -> PathBuf {
        self.client.snapshot().keeping.path().join("hosts")
    }
}

/// Opens the product's state for a command whose work would be lost where nothing can be kept.
pub(crate) fn open_to_keep(setting: &Setting) -> Result<Opened, Failure> {
    let opened = open(setting)?;
    let snapshot = opened.client.snapshot();
    match snapshot.keeping {
        Keeping::NotKept { .. } => {
            let cause =
                snapshot.troubles.into_iter().next().unwrap_or_else(|| Reason::StateUnwritable.into());
            Err(Failure::from(cause))
        }
        Keeping::Kept { .. } | Keeping::PerUser { .. } | Keeping::ReadOnly { .. } => Ok(opened),
    }
}

/// Opens the product's state, or begins it. Nobody is asked.
pub(crate) fn open(setting: &Setting) -> Result<Opened, Failure> {
    let (path, product) = named(setting)?;
    let mut builder = Client::builder(product)
        .state_dir(&setting.state)
        .hosts(setting.hosts.iter().map(ToString::to_string))
        .domains(&setting.domains);
    if let Some(name_server) = setting.dns {
        builder = builder.name_server(name_server);
    }
    if let Some(tls) = tls(setting)? {
        builder = builder.tls(tls);
    }
    let client = builder.build().map_err(|error| refused(path, error))?;
    Ok(Opened { product, client })
}

/// How hosts are spoken with: by TLS if a CA is named.
fn tls(setting: &Setting) -> Result<Option<Tls>, Failure> {
    match (&setting.tls_ca, &setting.tls_certificate, &setting.tls_key) {
        (None, None, None) => Ok(None),
        (Some(ca), None, None) => Ok(Some(Tls::from_file(ca))),
        (Some(ca), Some(certificate), Some(key)) => {
            Ok(Some(Tls::from_file(ca).with_certificate_file(certificate, key)))
        }
        (None, _, _) | (Some(_), Some(_), None) | (Some(_), None, Some(_)) => Err(Failure::new(
            EX_USAGE,
            "a certificate of this machine needs all three: --tls-ca, --tls-certificate and --tls-key",
        )),
    }
}

/// Where the product would keep its state, if it has not run on this machine yet. Whoever only looks must not begin it:
/// the files would be this user's, and grace would run.
pub(crate) fn not_begun(setting: &Setting) -> Result<Option<(Product, PathBuf)>, Failure> {
    let (_, product) = named(setting)?;
    let folder = setting.state.join(data_encoding::HEXLOWER.encode(&product.id));
    let begun = ["identity", "saved"].iter().any(|name| folder.join(name).exists());
    Ok((!begun).then_some((product, folder)))
}

/// The product file that is named, and what it says.
fn named(setting: &Setting) -> Result<(&Path, Product), Failure> {
    let Some(path) = &setting.product else {
        let line = "no product is named; give the file that `kms-vendor product file` writes with --product, or in \
                    the environment variable KMS_PRODUCT";
        return Err(Failure::new(EX_USAGE, line));
    };
    Ok((path, product_file::read(path).map_err(unread)?))
}

fn refused(path: &Path, error: BuildError) -> Failure {
    match error {
        BuildError::State(cause) => Failure::from(cause),
        BuildError::Host(error) => Failure::new(EX_USAGE, error.to_string()),
        other => Failure::new(EX_DATAERR, format!("{}: {other}; {REMEDY}", path.display())),
    }
}

fn unread(error: ProductFileError) -> Failure {
    let code = match error {
        ProductFileError::Unreadable { .. } => EX_NOINPUT,
        ProductFileError::Unusable { .. } => EX_DATAERR,
    };
    Failure::new(code, error.to_string())
}
