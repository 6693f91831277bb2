//! The revocation lists of a data directory: reading them, and installing those of a file.
//!
//! A host keeps the newest list of each rank and vendor, and hands it to machines (protocol.md 11). `crate::certificates` says which
//! certificates a list takes back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use proto::v1::SignedRevocationList;
use server::fixable::FixableError;
use shared::files;
use shared::revocation::{RevocationError, RevocationList, SignedList};
use store::{file, regular};

use super::certificates::left_out_for;
use super::{Home, HomeError, make_private_dir};
use crate::certificates::{Certificates, Installed, LeftOut};

/// What became of a list that was given to install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenUp {
    /// Its number.
    pub number: u64,
    /// Whether a root has signed it.
    pub by_root: bool,
    /// How many ids it takes back.
    pub revoked: usize,
    /// Whether it is newer than what the host had. One that is not changes nothing.
    pub is_newer: bool,
}

impl Home {
    /// Verifies the revocation lists in the text of the file at `path`, and installs those that are newer.
    ///
    /// # Errors
    /// There is no list in it, or one that none of the vendors has signed whose certificates are installed. Then nothing is changed.
    pub fn install_revocations(&self, path: &Path, text: &[u8]) -> Result<Vec<TakenUp>, HomeError> {
        let shown = path.display();
        let lists = files::revocation_lists_from_pem(text).map_err(|source| {
            let text = format!("{shown} cannot be installed");
            FixableError::new(text, "put in the revocation list that the vendor has sent").because(source)
        })?;
        self.take_up_revocations(&lists, &format!("the revocation list {shown}"))
    }

    /// Verifies these lists, and installs those that are newer. They are called `called` if they are not valid.
    pub(crate) fn take_up_revocations(
        &self,
        lists: &[SignedRevocationList],
        called: &str,
    ) -> Result<Vec<TakenUp>, HomeError> {
        let certificates = self.certificates()?;
        let opened = lists.iter().map(|list| of_vendor(&certificates, list));
        let opened: Vec<_> = opened.collect::<Result<_, _>>().map_err(|cause| {
            let remedy = "ask the vendor for another one, or install the vendor's certificate first";
            FixableError::new(format!("{called} is not valid"), remedy).because(cause)
        })?;
        let mut taken_up = Vec::new();
        for (vendor, list) in opened {
            // A list that was just written may say that the next one is not believed.
            let certificates = self.certificates()?;
            let mut held = certificates.revocations(vendor).clone();
            let is_newer = held.take(list.clone());
            if is_newer {
                make_private_dir(&self.revocations_path())?;
                let rank = if list.is_by_root() { "root" } else { "issuer" };
                let name = format!("{}-{rank}.pem", vendor.roots.keys()[0].key_id());
                let pem = files::revocation_list_to_pem(list.wire());
                file::replace(&self.revocations_path().join(name), pem.as_bytes(), 0o644)?;
            }
            let (number, revoked) = (list.list().number, list.list().revoked().len());
            taken_up.push(TakenUp { number, by_root: list.is_by_root(), revoked, is_newer });
        }
        Ok(taken_up)
    }

    /// Every list that can be read. A missing folder is an empty one.
    pub(super) fn read_revocations(&self, left_out: &mut Vec<LeftOut>) -> Vec<SignedRevocationList> {
        let folder = self.revocations_path();
        let unreadable = |path: &Path, source| HomeError::Unreadable(path.to_owned(), source);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                left_out.push(left_out_for(folder.clone(), &unreadable(&folder, error)));
                return Vec::new();
            }
        };
        let mut lists = Vec::new();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "pem")) {
            let text = regular::read(&path).map_err(|error| unreadable(&path, error));
            let read = text.and_then(|text| {
                files::revocation_lists_from_pem(&text).map_err(|source| {
                    let text = format!("the revocation list {} is damaged", path.display());
                    FixableError::new(text, "remove it and install the vendor's file again")
                        .because(source)
                        .into()
                })
            });
            match read {
                Ok(read) => lists.extend(read),
                Err(why) => left_out.push(left_out_for(path, &why)),
            }
        }
        lists
    }

    fn revocations_path(&self) -> PathBuf {
        self.0.join("revocations")
    }
}

/// The list, and a certificate of the vendor who has signed it.
fn of_vendor<'c>(
    certificates: &'c Certificates,
    list: &SignedRevocationList,
) -> Result<(&'c Installed, SignedList), RevocationError> {
    let mut cause = RevocationError::Malformed;
    for installed in certificates.all() {
        match RevocationList::open(list, &installed.roots) {
            Ok(list) => return Ok((installed, list)),
            Err(error) => cause = error,
        }
    }
    Err(cause)
}
