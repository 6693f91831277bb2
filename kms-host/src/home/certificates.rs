//! The certificates of a data directory: reading and verifying them, and installing one.
//!
//! Which of them answers for a product, and why another one does not, is `crate::certificates`' affair.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use shared::certificate::{Chain, Roots};
use shared::envelope::PublicKey;
use shared::files;
use store::file;

use super::{BadFile, Home, HomeError, check_hour_width, make_private_dir, read};
use crate::certificates::{Allowed, Certificates, Difference, Installed, LeftOut};

impl Home {
    /// Verifies the vendor's certificates in the text of the file at `path`, and puts them beside the others. Installing one twice
    /// is installing it once.
    ///
    /// # Errors
    /// There is no certificate in it, none for this host, one that is not allowed with this ledger, or one that machines would
    /// not take and that is not `allowed`. Nothing is changed then.
    pub fn install_certificate(
        &self,
        path: &Path,
        text: &[u8],
        allowed: Allowed,
    ) -> Result<Vec<Installed>, HomeError> {
        let key = self.signing_key()?.public();
        let installed = self.verify_certificates(path, text, &key)?;
        let others = self.certificates()?;
        let all = Certificates::new(others.all().chain(&installed).cloned());
        // The ledger itself may be in use; a host that serves looks there.
        if let Some(hour_width_ms) = self.requested_hour_width_ms() {
            check_hour_width(&all, hour_width_ms)?;
        }
        let of_product = |one: &Installed| others.of(one.chain.host().product).to_vec();
        for one in &installed {
            let differences =
                of_product(one).into_iter().filter_map(|known| Difference::between(one, &known));
            if let Some(difference) = differences.into_iter().find(|difference| !allowed.covers(difference)) {
                return Err(HomeError::Differs { path: path.to_owned(), difference });
            }
        }
        make_private_dir(&self.certificates_path())?;
        let install = |one: Installed| {
            self.set_replaced_aside(&one, &of_product(&one))?;
            let path = self.certificates_path().join(format!("{}.pem", one.chain.host().id));
            // As the vendor wrote it, before it travelled.
            let pem = files::certificate_to_pem(&one.chain, &one.roots);
            file::replace(&path, pem.as_bytes(), 0o644)?;
            Ok(Installed { path, ..one })
        };
        installed.into_iter().map(install).collect()
    }

    /// Moves the certificates aside that a new one replaces, which machines would not take beside them. That it was meant is
    /// noted there, for a host that runs.
    fn set_replaced_aside(&self, new: &Installed, others: &[Installed]) -> Result<(), HomeError> {
        let replaced = others.iter().filter(|other| Difference::between(new, other).is_some());
        let replaced: Vec<_> = replaced.collect();
        if replaced.is_empty() {
            return Ok(());
        }
        make_private_dir(&self.replaced_path())?;
        file::replace(&self.meant_path(new), b"", 0o644)?;
        for other in replaced {
            let aside = self.replaced_path().join(format!("{}.pem", other.chain.host().id));
            std::fs::rename(&other.path, &aside).map_err(|source| HomeError::Unwritable(aside, source))?;
        }
        file::sync_dir(&self.replaced_path())?;
        Ok(file::sync_dir(&self.certificates_path())?)
    }

    /// Whether an administrator has said that this certificate is to replace one that differs.
    pub fn is_meant(&self, new: &Installed) -> bool {
        self.meant_path(new).exists()
    }

    fn meant_path(&self, new: &Installed) -> PathBuf {
        self.replaced_path().join(format!("by-{}", new.chain.host().id))
    }

    fn replaced_path(&self) -> PathBuf {
        self.certificates_path().join("replaced")
    }

    /// Every installed certificate that can be used, and why others cannot: one bad file costs nobody else's product. Without a
    /// folder for them there is none.
    ///
    /// # Errors
    /// The signing key or the folder cannot be read.
    pub fn certificates(&self) -> Result<Certificates, HomeError> {
        let key = self.signing_key()?.public();
        let folder = self.certificates_path();
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Certificates::default()),
            entries => entries.map_err(|source| HomeError::Unreadable(folder.clone(), source))?,
        };
        let (mut installed, mut left_out) = (Vec::new(), Vec::new());
        for entry in entries {
            let path = entry.map_err(|source| HomeError::Unreadable(folder.clone(), source))?.path();
            if path.extension().is_some_and(|extension| extension == "pem") {
                match self.read_certificates(&path, &key) {
                    Ok(read) => installed.extend(read),
                    Err(why) => left_out.push(LeftOut { path, why: Arc::new(why) }),
                }
            }
        }
        left_out.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Certificates::new(installed).with_left_out(left_out))
    }

    fn read_certificates(&self, path: &Path, key: &PublicKey) -> Result<Vec<Installed>, HomeError> {
        let text = read::read(path).map_err(|error| self.bad_certificate(path, error.into()))?;
        self.verify_certificates(path, &text, key)
    }

    /// The certificate at this path is not what it should be: one that is installed, or one that was handed over.
    pub(crate) fn bad_certificate(&self, path: &Path, source: BadFile) -> HomeError {
        let (path, request) = (path.to_owned(), self.request_path());
        if path.starts_with(self.certificates_path()) {
            HomeError::DamagedCertificate { path, source }
        } else {
            HomeError::NotCertificate { path, request, source }
        }
    }

    /// Every certificate of a file that is for this host, at least one. A vendor may send those of several hosts in one mail.
    fn verify_certificates(
        &self,
        path: &Path,
        text: &[u8],
        key: &PublicKey,
    ) -> Result<Vec<Installed>, HomeError> {
        let files = files::certificates_from_pem(text);
        let files = files.map_err(|error| self.bad_certificate(path, error.into()))?;
        let (mut own, mut others) = (Vec::new(), None);
        for (chain, roots) in files {
            match self.verify_certificate(path, &chain, roots, key) {
                Ok(one) => own.push(one),
                Err(error @ HomeError::OtherHost { .. }) => others = others.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        match others {
            Some(error) if own.is_empty() => Err(error),
            _ => Ok(own),
        }
    }

    fn verify_certificate(
        &self,
        path: &Path,
        chain: &Bytes,
        roots: Roots,
        key: &PublicKey,
    ) -> Result<Installed, HomeError> {
        let chain = Chain::verify(chain, &roots).map_err(|error| HomeError::Chain(path.to_owned(), error))?;
        if chain.host().signing_key != *key {
            return Err(HomeError::OtherHost {
                path: path.to_owned(),
                request: self.request_path(),
                named: chain.host().host(),
                own: key.host(),
            });
        }
        Ok(Installed { chain, roots: Arc::new(roots), path: path.to_owned() })
    }
}
