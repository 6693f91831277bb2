//! A machine: the client library with a state folder, a fingerprint and a clock of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use kms_client::{Builder, Client};
use prost::Message as _;
use shared::ids::ProductId;
use shared::time::{Clock, Timestamp};

use crate::Shop;
use crate::clock::TestClock;

/// How a machine comes by its hosts.
#[derive(Clone, Debug)]
pub enum Finds {
    /// By these names.
    Named(Vec<String>),
    /// By SRV in this domain, asked of this name server.
    Srv {
        /// The domain.
        domain: String,
        /// The name server.
        name_server: std::net::SocketAddr,
    },
}

/// A machine that carries the product.
pub struct Machine {
    /// The client library's handle.
    pub client: Client,
    /// Its clock, where a test moves it.
    pub clock: Option<Arc<TestClock>>,
    state_dir: PathBuf,
    product: ProductId,
}

impl Machine {
    /// A machine that keeps its state in `state_dir`, with the fingerprint of the operating system id `name`.
    ///
    /// # Errors
    /// The state cannot be opened.
    pub fn new(
        shop: &Shop,
        state_dir: &Path,
        name: &str,
        finds: &Finds,
        clock: Option<Arc<TestClock>>,
    ) -> anyhow::Result<Machine> {
        Machine::with(shop.compiled(), state_dir, name, finds, clock)
    }

    /// Like [`Machine::new`], with another product.
    ///
    /// # Errors
    /// The state cannot be opened.
    pub fn with(
        product: kms_client::Product,
        state_dir: &Path,
        name: &str,
        finds: &Finds,
        clock: Option<Arc<TestClock>>,
    ) -> anyhow::Result<Machine> {
        std::fs::create_dir_all(state_dir)?;
        let id = ProductId::from_bytes(product.id);
        let mut builder: Builder =
            Client::builder(product).state_dir(state_dir).fingerprint_source(name.as_bytes());
        builder = match finds {
            Finds::Named(hosts) => builder.hosts(hosts.iter().cloned()),
            Finds::Srv { domain, name_server } => builder.domains([domain.clone()]).name_server(*name_server),
        };
        if let Some(clock) = &clock {
            let clock: Arc<dyn Clock> = clock.clone();
            builder = builder.clock(clock);
        }
        Ok(Machine { client: builder.build()?, clock, state_dir: state_dir.to_owned(), product: id })
    }

    /// Where its state is.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// When the certificate of the lease in its state folder began.
    ///
    /// # Errors
    /// There is no such lease.
    pub fn certified_from(&self) -> anyhow::Result<Timestamp> {
        let folder = self.state_dir.join(self.product.to_string());
        let saved = std::fs::read(folder.join("saved"))?;
        // Behind magic and version, before the checksum.
        let body = saved.get(5..saved.len().saturating_sub(8)).context("a state")?;
        let held = proto::state::v1::Saved::decode(body)?.held.context("a lease")?;
        let chain = proto::v1::Chain::decode(held.chain)?.host_certificate.context("a certificate")?;
        Ok(Timestamp::from_unix_ms(proto::v1::HostCertificate::decode(chain.payload)?.not_before))
    }

    /// A copy of its state folder, as a disk image has it.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn copy_state(&self, to: &Path) -> anyhow::Result<()> {
        copy_folder(&self.state_dir, to)
    }
}

/// Copies a folder with all that is in it.
///
/// # Errors
/// The disk refuses.
pub fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
