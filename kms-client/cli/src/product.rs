//! The product that the command is about, and its state on this machine.
//!
//! A product has its constants compiled in. Here they come from a file, so that one tool serves every product. `product_file` reads
//! it.

use std::path::Path;

use kms_client::{BuildError, Builder, Client, Inspector, Keeping, Product, Reason, Snapshot, Tls};
use program::exit::{EX_DATAERR, EX_NOINPUT, EX_USAGE};

use crate::answer::Failure;
use crate::cli::Setting;
use crate::owner;
use crate::product_file::{self, ProductFileError, REMEDY};

/// A product on this machine, to look at. Nothing is made or written.
pub(crate) struct Inspected {
    pub(crate) product: Product,
    pub(crate) inspector: Inspector,
}

impl Inspected {
    pub(crate) fn snapshot(&self) -> &Snapshot {
        self.inspector.snapshot()
    }

    /// Whether the product has not run on this machine yet.
    pub(crate) fn is_not_begun(&self) -> bool {
        self.snapshot().keeping == Keeping::NotBegun
    }
}

/// Opens the product's state for a command that needs to keep something. Fails if nothing can be kept.
pub(crate) fn open_to_keep(setting: &Setting) -> Result<Client, Failure> {
    let client = open(setting)?;
    let snapshot = client.snapshot();
    match snapshot.keeping {
        Keeping::NotKept | Keeping::Frozen | Keeping::NotBegun => {
            let cause = snapshot.troubles.into_iter().next_back();
            Err(Failure::from(cause.unwrap_or_else(|| Reason::StateUnwritable.into())))
        }
        _ => Ok(client),
    }
}

/// Opens the product's state, or begins it. Asks no host.
pub(crate) fn open(setting: &Setting) -> Result<Client, Failure> {
    let (path, _, builder) = named(setting)?;
    builder.build().map_err(|error| refused(path, error))
}

/// Looks at the product's state. A look must not begin it: the files would belong to this user, and grace would run.
pub(crate) fn inspect(setting: &Setting) -> Result<Inspected, Failure> {
    let (path, product, builder) = named(setting)?;
    let inspector = builder.inspect().map_err(|error| refused(path, error))?;
    Ok(Inspected { product, inspector })
}

/// The product file, its product, and a builder with the other settings. From here on root works as the owner of the state.
fn named(setting: &Setting) -> Result<(&Path, Product, Builder), Failure> {
    let Some(path) = &setting.product else {
        let line = "no product is named; name the file that `kms-vendor product file` writes with --product, or in \
                    the environment variable KMS_PRODUCT";
        return Err(Failure::new(EX_USAGE, line));
    };
    let product = product_file::read(path).map_err(unread)?;
    let mut builder = Client::builder(product)
        .state_dir(&setting.state)
        .command_line_hosts(setting.hosts.iter().map(ToString::to_string))
        .domains(&setting.domains);
    if let Some(name_server) = setting.dns {
        builder = builder.name_server(name_server);
    }
    if let Some(tls) = tls(setting)? {
        builder = builder.tls(tls);
    }
    owner::become_owner(&setting.state.join(data_encoding::HEXLOWER.encode(&product.id)))?;
    Ok((path, product, builder))
}

/// TLS with hosts, if a CA is named.
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
