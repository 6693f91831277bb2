//! The revocation lists of a data directory: reading them, and installing those of a file.
//!
//! A host keeps the newest list of each rank and vendor, and hands it to machines (protocol.md 11). `crate::certificates` says which
//! certificates a list takes back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use proto::v1::SignedRevocationList;
use server::fixable::FixableError;
use shared::files;
use shared::revocation::{RevocationList, SignedList};
use store::{file, regular};

use super::certificates::left_out_for;
use super::{Home, HomeError, make_private_dir};
use crate::certificates::LeftOut;

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
        let certificates = self.certificates()?;
        let mut opened: Vec<(PathBuf, SignedList)> = Vec::new();
        for list in &lists {
            let mut cause = None;
            for one in certificates.all() {
                match RevocationList::open(list, &one.roots) {
                    Ok(list) => {
                        let vendor = one.roots.keys()[0].key_id();
                        let rank = if list.is_by_root() { "root" } else { "issuer" };
                        opened.push((self.revocations_path().join(format!("{vendor}-{rank}.pem")), list));
                        cause = None;
                        break;
                    }
                    Err(error) => cause = Some(error),
                }
            }
            if let Some(cause) = cause {
                let text = format!("the revocation list {shown} is not valid");
                let remedy = "ask the vendor for another one, or install the vendor's certificate first";
                return Err(FixableError::new(text, remedy).because(cause).into());
            }
        }
        make_private_dir(&self.revocations_path())?;
        let mut taken_up = Vec::new();
        for (path, list) in opened {
            let held = self.certificates()?;
            let held =
                held.revocation_lists().into_iter().map(|held| (held.is_by_root(), held.list().number));
            let newest =
                held.filter(|(by_root, _)| *by_root == list.is_by_root()).map(|(_, number)| number).max();
            let is_newer = newest.is_none_or(|newest| newest < list.list().number);
            if is_newer {
                let pem = files::revocation_list_to_pem(list.wire());
                file::replace(&path, pem.as_bytes(), 0o644)?;
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
