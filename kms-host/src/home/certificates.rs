//! The certificates of a data directory: reading and verifying them, and installing one.
//!
//! `crate::certificates` decides which of them answers for a product, and says why another one does not.

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use server::fixable::FixableError;
use shared::certificate::{Chain, Roots};
use shared::envelope::PublicKey;
use shared::files::{self, BadFile};
use shared::time::Timestamp;
use store::{file, regular};

use super::{Home, HomeError, check_hour_width, make_private_dir};
use crate::certificates::{Allowed, Certificates, Difference, Installed, LeftOut};
use crate::remedy;

/// A certificate that [`Home::install_certificate`] has installed.
#[derive(Debug)]
pub struct Put {
    /// The certificate.
    pub installed: Installed,
    /// How it differs from what machines knew. The administrator has allowed that.
    pub differs: Option<Difference>,
    /// The new paths of certificates that machines do not accept beside it.
    pub aside: Vec<PathBuf>,
}

impl Home {
    /// Verifies the vendor's certificates in the text of the file at `path`, and installs them beside the others. Installing one
    /// twice has no further effect.
    ///
    /// 1. check that they can be used, and that machines would accept them, unless it is `allowed` that they do not
    /// 2. write them
    /// 3. if that changes what machines know, note it
    /// 4. move certificates of the same products aside that machines would no longer accept
    /// 5. note what machines know of new products
    ///
    /// What this order buys: wherever it is interrupted, the host uses a certificate that machines accept, and the same command
    /// continues.
    ///
    /// # Errors
    /// There is no certificate in it, none for this host, one that cannot be used now, one that is not allowed with this ledger, or
    /// one that machines would not accept and that is not `allowed`. Then nothing is changed.
    pub fn install_certificate(
        &self,
        path: &Path,
        text: &[u8],
        allowed: Allowed,
        now: Timestamp,
    ) -> Result<Vec<Put>, HomeError> {
        // 1
        let key = self.signing_key()?.public();
        let installed = self.verify_certificates(path, text, Some(&key))?;
        let before = self.certificates()?;
        let installed: Vec<_> = installed.into_iter().map(|one| before.believing(one)).collect();
        // The ledger itself may be in use. A host that serves checks it there.
        if let Some(hour_width_ms) = self.requested_hour_width_ms() {
            let all = Certificates::new(before.all().chain(&installed).cloned());
            check_hour_width(&all, hour_width_ms)?;
        }
        let mut put = Vec::new();
        for installed in installed {
            let not = |why: &dyn fmt::Display, remedy: &str| {
                let text = format!("the certificate in {} is not installed: {why}", path.display());
                Err(HomeError::FixableError(FixableError::new(text, remedy)))
            };
            let (begins_at, ended_at) = (installed.chain.begins_at(), installed.chain.ends_at());
            if ended_at <= now {
                // The portal would give this very answer to the same ask again.
                self.forget_pending();
                let why = format!("it has ended at {ended_at}, and this machine's clock says {now}");
                return not(&why, "ask the vendor for another one, or set the clock");
            }
            let differs = before.difference(&installed, now);
            match &differs {
                Some(difference) if !allowed.covers(difference) => {
                    return not(difference, difference.remedy());
                }
                Some(_) if now < begins_at => {
                    let why = format!(
                        "it begins only at {begins_at}, and until then nobody would be served in the place of those who are"
                    );
                    return not(&why, "install it on that day");
                }
                _ => put.push(Put { installed, differs, aside: Vec::new() }),
            }
        }
        // 2
        make_private_dir(&self.certificates_path())?;
        for Put { installed, .. } in &mut put {
            installed.path = self.certificates_path().join(format!("{}.pem", installed.chain.host().id));
            file::replace(&installed.path, pem(installed).as_bytes(), 0o644)?;
        }
        // 3
        for Put { installed, .. } in put.iter().filter(|put| put.differs.is_some()) {
            self.note(installed)?;
        }
        // 4
        let after = self.certificates()?;
        for Put { installed, differs, aside } in &mut put {
            let differs = |other: &Installed| match differs {
                Some(_) => {
                    let apart = |one, other| Difference::between(one, other).is_some();
                    apart(installed, other) || apart(other, installed)
                }
                None => after.difference(other, now).is_some(),
            };
            for other in after.of(installed.chain.host().product).iter().filter(|other| differs(other)) {
                aside.push(self.set_aside(&other.path)?);
            }
        }
        self.forget_pending();
        // 5
        self.note_known(self.certificates()?, now)?;
        Ok(put)
    }

    /// Moves a certificate to the folder of those that are kept and not used.
    fn set_aside(&self, path: &Path) -> Result<PathBuf, HomeError> {
        let folder = self.certificates_path().join("replaced");
        make_private_dir(&folder)?;
        let aside = folder.join(path.file_name().unwrap_or(path.as_os_str()));
        std::fs::rename(path, &aside).map_err(|source| HomeError::Unwritable(aside.clone(), source))?;
        file::sync_dir(&folder)?;
        file::sync_dir(&self.certificates_path())?;
        Ok(aside)
    }

    /// Notes the certificate in use of each product that has no note yet: its machines know that one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_known(&self, certificates: Certificates, now: Timestamp) -> Result<Certificates, HomeError> {
        let new: Vec<_> = certificates.to_note(now).into_iter().cloned().collect();
        // An unreadable note stays, so that an administrator sees it.
        let is_there = |path: &Path| certificates.left_out().iter().any(|left_out| left_out.path == path);
        for one in new.iter().filter(|one| !is_there(&self.note_path(one))) {
            self.note(one)?;
        }
        Ok(certificates.with_known(new))
    }

    fn note(&self, known: &Installed) -> Result<(), HomeError> {
        make_private_dir(&self.known_path())?;
        Ok(file::replace(&self.note_path(known), pem(known).as_bytes(), 0o644)?)
    }

    fn note_path(&self, known: &Installed) -> PathBuf {
        self.known_path().join(format!("{}.pem", known.chain.host().product))
    }

    fn known_path(&self) -> PathBuf {
        self.0.join("known")
    }

    /// Every installed certificate that can be used, why others cannot, and the notes of what machines know. One bad file does not
    /// affect other products. A missing folder is an empty one.
    ///
    /// # Errors
    /// The signing key or the folder of certificates cannot be read.
    pub fn certificates(&self) -> Result<Certificates, HomeError> {
        let key = self.signing_key()?.public();
        let mut left_out = Vec::new();
        let installed = self.read_folder(&self.certificates_path(), Some(&key), &mut left_out)?;
        // A new key of the host does not change what machines know.
        let known = self.read_folder(&self.known_path(), None, &mut left_out).unwrap_or_else(|why| {
            left_out.push(left_out_for(self.known_path(), &why));
            Vec::new()
        });
        let lists = self.read_revocations(&mut left_out);
        left_out.sort_by(|one, other| one.path.cmp(&other.path));
        let certificates = Certificates::new(installed).with_known(known).with_left_out(left_out);
        Ok(certificates.with_revocations(&lists))
    }

    fn read_folder(
        &self,
        folder: &Path,
        key: Option<&PublicKey>,
        left_out: &mut Vec<LeftOut>,
    ) -> Result<Vec<Installed>, HomeError> {
        let unreadable = |source| HomeError::Unreadable(folder.to_owned(), source);
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(unreadable)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_none_or(|extension| extension != "pem") {
                continue;
            }
            let text = regular::read(&path).map_err(|error| HomeError::Unreadable(path.clone(), error));
            match text.and_then(|text| self.verify_certificates(&path, &text, key)) {
                Ok(read) => found.extend(read),
                Err(why) => left_out.push(left_out_for(path, &why)),
            }
        }
        Ok(found)
    }

    /// The error for a file that was given to install.
    pub fn not_installable(&self, path: &Path, source: impl Error + Send + Sync + 'static) -> HomeError {
        let request = self.request_path();
        let remedy = format!("put in the certificate that the vendor has sent for {}", request.display());
        let problem = FixableError::new(format!("{} cannot be installed", path.display()), remedy);
        problem.because(Box::new(source)).into()
    }

    /// The error for what is in a file at this path, which is installed or was given to install.
    fn bad_certificate(&self, path: &Path, source: BadFile) -> HomeError {
        let shown = path.display();
        let problem = if path.starts_with(self.certificates_path()) {
            let text = format!("the installed certificate {shown} is damaged");
            FixableError::new(text, "remove it and install the vendor's file again")
        } else if path.starts_with(self.known_path()) {
            let text = format!("{shown}, which says what machines know, cannot be used");
            FixableError::new(
                text,
                "remove it, and reload or start the host, which notes what it serves then",
            )
        } else {
            return self.not_installable(path, source);
        };
        problem.because(source).into()
    }

    /// The certificates in a file for the host with this key, or for any host; at least one. A vendor may send those of several
    /// hosts in one mail.
    fn verify_certificates(
        &self,
        path: &Path,
        text: &[u8],
        key: Option<&PublicKey>,
    ) -> Result<Vec<Installed>, HomeError> {
        let files = files::certificates_from_pem(text);
        let files = files.map_err(|error| self.bad_certificate(path, error))?;
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
        key: Option<&PublicKey>,
    ) -> Result<Installed, HomeError> {
        let chain = Chain::verify(chain, &roots).map_err(|error| {
            let text = format!("the certificate {} is not valid", path.display());
            FixableError::new(text, "ask the vendor for another one").because(error)
        })?;
        if let Some(key) = key.filter(|key| chain.host().signing_key != **key) {
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

/// The file as the vendor wrote it.
fn pem(one: &Installed) -> String {
    files::certificate_to_pem(&one.chain, &one.roots)
}

pub(super) fn left_out_for(path: PathBuf, why: &HomeError) -> LeftOut {
    LeftOut { path, cause: remedy::cause(why), remedy: why.remedy() }
}
