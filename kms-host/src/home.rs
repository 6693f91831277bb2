//! What stands in the data directory: the signing key, the request for the vendor, certificates, the ledger, the socket.
//!
//! Each thing is written whole and durably before it is named, and nothing here is ever overwritten but a certificate by
//! itself. What certificates mean is `certificates`' affair, what the ledger holds `ledger`'s.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use pem_rfc7468::LineEnding;
use prost::Message;
use proto::v1;
use rand::{CryptoRng, RngExt};
use shared::certificate::{Chain, ChainError, Roots};
use shared::envelope::{PublicKey, SecretKey};
use shared::ids::{HostId, LedgerId};
use shared::record::Meta;
use store::file::{self, FileError};

use crate::certificates::{Certificates, Installed};
use crate::ledger::{OpenError, SledLedger};

/// The width of an hour in every ledger but a test's.
pub const HOUR_MS: u64 = 3_600_000;

const KEY_LABEL: &str = "KMS HOST SIGNING KEY";
const REQUEST_LABEL: &str = "KMS HOST REQUEST";
const CERTIFICATE_LABEL: &str = "KMS HOST CERTIFICATE";

/// The version of the signing key's file.
const KEY_VERSION: u8 = 1;

/// A host's data directory.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

impl Home {
    /// The directory at this path, which need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Home {
        Home(path.into())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file to send to the vendor.
    pub fn request_path(&self) -> PathBuf {
        self.0.join("host-request.pem")
    }

    /// Where administrators ask.
    pub fn socket_path(&self) -> PathBuf {
        self.0.join("admin.sock")
    }

    fn key_path(&self) -> PathBuf {
        self.0.join("signing.key")
    }

    fn certificates_path(&self) -> PathBuf {
        self.0.join("certificates")
    }

    fn ledger_path(&self) -> PathBuf {
        self.0.join("ledger")
    }

    /// Makes a host: its ledger, its signing key and the request for the vendor, in this order, so that whoever sees a
    /// request has a key and a ledger behind it.
    ///
    /// # Errors
    /// There is a host already, or the disk refuses.
    pub fn init(&self, hour_width_ms: u64, random: &mut impl CryptoRng) -> Result<HostId, HomeError> {
        if self.key_path().exists() {
            return Err(HomeError::AlreadyMade(self.0.clone()));
        }
        make_private_dir(&self.0)?;
        make_private_dir(&self.certificates_path())?;
        let ledger = LedgerId::from_bytes(random.random());
        let meta = Meta { ledger, hour_width_ms, pepper: random.random() };
        drop(SledLedger::create(&self.ledger_path(), CREATION_CACHE_BYTES, meta)?);
        let key = SecretKey::from_seed(&random.random());
        let body = [&[KEY_VERSION], key.seed().as_slice()].concat();
        file::create_new(&self.key_path(), armour(KEY_LABEL, &body).as_bytes(), 0o600)?;
        let request = v1::HostRequest {
            signing_key: Bytes::copy_from_slice(key.public().as_bytes()),
            hour_width_ms: i64::try_from(hour_width_ms).unwrap_or(i64::MAX),
        };
        file::create_new(
            &self.request_path(),
            armour(REQUEST_LABEL, &request.encode_to_vec()).as_bytes(),
            0o644,
        )?;
        Ok(key.public().host())
    }

    /// The signing key.
    ///
    /// # Errors
    /// There is none, or its file is damaged.
    pub fn signing_key(&self) -> Result<SecretKey, HomeError> {
        let path = self.key_path();
        let body = self.read_armoured(&path, KEY_LABEL)?;
        match body.split_first() {
            Some((&KEY_VERSION, seed)) if seed.len() == 32 => {
                let seed: &[u8; 32] = seed.try_into().expect("the length was looked at");
                Ok(SecretKey::from_seed(seed))
            }
            _ => Err(HomeError::Damaged(path)),
        }
    }

    /// Verifies the vendor's certificate and puts it beside the others. Installing it twice is installing it once.
    ///
    /// # Errors
    /// It is not a certificate, not for this host, or not allowed with this ledger. Nothing is changed then.
    pub fn install_certificate(&self, path: &Path) -> Result<Installed, HomeError> {
        let key = self.signing_key()?.public();
        let text = std::fs::read(path).map_err(|source| HomeError::Unreadable(path.to_owned(), source))?;
        let installed = self.read_certificate(path, &key)?;
        let others = self.certificates()?;
        let all = Certificates::new(others.all().cloned().chain([installed.clone()]));
        let hour_width_ms = self.hour_width_ms()?;
        check_hour_width(&all, hour_width_ms)?;
        let name = format!("{}.pem", installed.chain.host().id);
        file::replace(&self.certificates_path().join(name), &text, 0o644)?;
        Ok(installed)
    }

    /// Every installed certificate, verified.
    ///
    /// # Errors
    /// One is damaged or not for this host, named by its path.
    pub fn certificates(&self) -> Result<Certificates, HomeError> {
        let key = self.signing_key()?.public();
        let folder = self.certificates_path();
        let entries =
            std::fs::read_dir(&folder).map_err(|source| HomeError::Unreadable(folder.clone(), source))?;
        let mut installed = Vec::new();
        for entry in entries {
            let path = entry.map_err(|source| HomeError::Unreadable(folder.clone(), source))?.path();
            if path.extension().is_some_and(|extension| extension == "pem") {
                installed.push(self.read_certificate(&path, &key)?);
            }
        }
        Ok(Certificates::new(installed))
    }

    /// Opens the ledger. Only one process may.
    ///
    /// # Errors
    /// There is none, another host serves it, or it is damaged.
    pub fn ledger(&self, cache_bytes: u64) -> Result<SledLedger, HomeError> {
        Ok(SledLedger::open(&self.ledger_path(), cache_bytes)?)
    }

    /// The width of an hour as the request to the vendor has it: the same as in the ledger, without opening it.
    fn hour_width_ms(&self) -> Result<u64, HomeError> {
        let path = self.request_path();
        let body = self.read_armoured(&path, REQUEST_LABEL)?;
        let request = v1::HostRequest::decode(body.as_slice()).map_err(|_| HomeError::Damaged(path))?;
        Ok(u64::try_from(request.hour_width_ms).unwrap_or(HOUR_MS))
    }

    fn read_certificate(&self, path: &Path, key: &PublicKey) -> Result<Installed, HomeError> {
        let body = self.read_armoured(path, CERTIFICATE_LABEL)?;
        let damaged = || HomeError::Damaged(path.to_owned());
        let wire = v1::HostCertificateFile::decode(body.as_slice()).map_err(|_| damaged())?;
        let roots = Roots::new(wire.roots.iter().map(AsRef::as_ref)).map_err(|_| damaged())?;
        let chain =
            Chain::verify(&wire.chain, &roots).map_err(|error| HomeError::Chain(path.to_owned(), error))?;
        if chain.host().signing_key != *key {
            return Err(HomeError::OtherHost {
                path: path.to_owned(),
                named: chain.host().host(),
                own: key.host(),
            });
        }
        Ok(Installed { chain, roots: Arc::new(roots) })
    }

    fn read_armoured(&self, path: &Path, label: &str) -> Result<Vec<u8>, HomeError> {
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.starts_with(&self.0) => {
                return Err(HomeError::NotMade(self.0.clone()));
            }
            Err(source) => return Err(HomeError::Unreadable(path.to_owned(), source)),
            Ok(text) => text,
        };
        match pem_rfc7468::decode_vec(&text) {
            Ok((found, body)) if found == label => Ok(body),
            Ok((found, _)) => Err(HomeError::OtherFile {
                path: path.to_owned(),
                found: found.to_owned(),
                wanted: label.to_owned(),
            }),
            Err(_) => Err(HomeError::Damaged(path.to_owned())),
        }
    }
}

/// Any hour but 3,600,000 ms is for tests: it needs certificates that say so.
///
/// # Errors
/// [`HomeError::HourWidth`].
pub fn check_hour_width(certificates: &Certificates, hour_width_ms: u64) -> Result<(), HomeError> {
    if hour_width_ms == HOUR_MS || certificates.all_test() {
        return Ok(());
    }
    Err(HomeError::HourWidth(hour_width_ms))
}

/// A ledger that is only made needs no cache to speak of.
const CREATION_CACHE_BYTES: u64 = 4 << 20;

fn armour(label: &str, body: &[u8]) -> String {
    let pem = pem_rfc7468::encode_string(label, LineEnding::LF, body)
        .expect("labels are ASCII and bodies are small");
    format!("{}\n", pem.trim_end())
}

/// 0700: a signing key lives here.
fn make_private_dir(path: &Path) -> Result<(), HomeError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| HomeError::Unwritable(path.to_owned(), source))
}

/// The data directory is not as it should be. Each names the path and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// There is no host here.
    #[error("there is no host in {}: make one with `kms-host init --data {}`", .0.display(), .0.display())]
    NotMade(PathBuf),
    /// There is one already.
    #[error("there is a host in {} already; its key is kept, and nothing was changed", .0.display())]
    AlreadyMade(PathBuf),
    /// A file cannot be read.
    #[error("{} cannot be read: {}", .0.display(), .1)]
    Unreadable(PathBuf, std::io::Error),
    /// A directory cannot be made.
    #[error("{} cannot be made: {}", .0.display(), .1)]
    Unwritable(PathBuf, std::io::Error),
    /// A file is not what was written.
    #[error("{} is damaged: bring it back from a backup, or ask the vendor for the certificate again", .0.display())]
    Damaged(PathBuf),
    /// A file is something else.
    #[error("{} holds a {found}, and a {wanted} is wanted here", path.display())]
    OtherFile {
        /// The file.
        path: PathBuf,
        /// What it says that it holds.
        found: String,
        /// What it should.
        wanted: String,
    },
    /// A certificate does not verify.
    #[error("{}: {}; ask the vendor for another one", .0.display(), .1)]
    Chain(PathBuf, ChainError),
    /// A certificate is for another host.
    #[error(
        "{} is for host {named}, and this one is {own}: send this host's own host-request.pem to the vendor",
        path.display()
    )]
    OtherHost {
        /// The file.
        path: PathBuf,
        /// The host that it names.
        named: HostId,
        /// This host.
        own: HostId,
    },
    /// The ledger's hour is for tests and a certificate is not.
    #[error(
        "this ledger's hour is {0} ms long, which is for tests, and a certificate is not marked as test: \
         make a host without --hour for it"
    )]
    HourWidth(u64),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The ledger cannot be made or opened.
    #[error(transparent)]
    Ledger(#[from] OpenError),
}
