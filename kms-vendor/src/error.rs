//! What can go wrong at the vendor, by whose fault it is, each with its remedy.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use shared::certificate::ChainError;
use shared::files::BadFile;
use shared::ids::{HostId, OrganisationId};
use shared::policy::PolicyError;
use shared::srv::SERVICE_LABEL_FORM;
use shared::time::{Length, Timestamp};

/// Something was not done. [`VendorError::remedy`] says what to do, [`VendorError::fault`] whose fault it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VendorError {
    /// There is no vendor in this directory.
    #[error("{} holds no vendor: there is no roots.pub in it", .dir.display())]
    NotAVendor {
        /// The directory.
        dir: PathBuf,
    },
    /// A file is there already that is never overwritten.
    #[error("{} exists and is never overwritten", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A private key is kept elsewhere, or lost.
    #[error("the private key {} is not here", .path.display())]
    KeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// There is no issuing certificate.
    #[error("there is no issuing certificate {}", .path.display())]
    NoIssuer {
        /// Where it should be.
        path: PathBuf,
    },
    /// A file of the vendor's directory is not what was written there.
    #[error("{} is damaged: {found}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },

    /// A name that cannot stand in a certificate.
    #[error(
        "the name {name:?} is not 1 to 100 bytes, without line breaks, control or invisible characters, or spaces at its ends"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// A product has this name or id already.
    #[error("the product {name:?} has this name or id already")]
    Taken {
        /// The product that has it.
        name: String,
    },
    /// No product of this name.
    #[error("there is no product {name:?}; there is {}", list(.known))]
    UnknownProduct {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// No organisation of this name was certified yet.
    #[error("there is no organisation {name:?}; there is {}", list(.known))]
    UnknownOrganisation {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A new organisation would have nearly the name of one that was certified.
    #[error("there is no organisation {name:?}, but {known:?} ({id}), which is nearly the same name")]
    NearOrganisation {
        /// The name.
        name: String,
        /// The name that it is near to.
        known: String,
        /// The id of that organisation.
        id: OrganisationId,
    },
    /// The host was certified for another organisation.
    #[error("the host {host} was certified for another organisation, {organisation:?}")]
    HostOfAnother {
        /// The host.
        host: HostId,
        /// The organisation.
        organisation: String,
    },
    /// A label under which no host can be found.
    #[error("{label:?} is no label for a service in DNS")]
    BadServiceLabel {
        /// The label.
        label: String,
    },
    /// A number above its bound, or two that contradict each other.
    #[error(transparent)]
    Numbers(PolicyError),
    /// A number below its lower bound, which tests may lift.
    #[error(transparent)]
    BelowBounds(PolicyError),

    /// The host's request cannot be read.
    #[error("the host's request is not usable: {0}")]
    Request(BadFile),
    /// The host has not shown that it has the key, as earlier releases of it do not.
    #[error("the host's request is not signed by its key, so anybody could have written it")]
    UnsignedRequest,
    /// The host's ledger was made for a test.
    #[error("the host counts in hours of {}, which only a certificate marked as test allows", Length(*.width))]
    HourWidth {
        /// The width of its hour.
        width: Duration,
    },
    /// It would have ended before it was made.
    #[error("the certificate would have ended already at {not_after}")]
    EndedAlready {
        /// When it would have ended.
        not_after: Timestamp,
    },
    /// An instant that has no text.
    #[error("an instant beyond the year 9999 is not for a certificate")]
    TooLate,
    /// The issuing certificate names other products.
    #[error("the issuing certificate does not cover the product {product:?}, only {}", list(.allowed))]
    IssuerProducts {
        /// The product.
        product: String,
        /// The names of the products that it covers.
        allowed: Vec<String>,
    },
    /// The issuing certificate is for tests.
    #[error("the issuing certificate signs only certificates that are marked as test")]
    IssuerTestOnly,
    /// The certificate would begin before the issuing certificate.
    #[error(
        "the certificate would begin at {not_before}, before its issuing certificate at {issuer_not_before}"
    )]
    BeforeIssuer {
        /// When the certificate would begin.
        not_before: Timestamp,
        /// When the issuing certificate begins.
        issuer_not_before: Timestamp,
    },
    /// The certificate would outlive the issuing certificate.
    #[error("the certificate would end at {not_after}, after its issuing certificate at {issuer_not_after}")]
    OutlivesIssuer {
        /// When the certificate would end.
        not_after: Timestamp,
        /// When the issuing certificate ends.
        issuer_not_after: Timestamp,
    },
    /// An issuing key was to be signed by an issuing key.
    #[error("an issuing key is signed by a root")]
    IssuerSignsIssuer,
    /// What was signed does not verify. Nothing was recorded or handed out.
    #[error("the certificate that was just signed does not verify")]
    OwnOutput(#[source] ChainError),

    /// The vendor's directory could not be made.
    #[error("could not create the directory {}", .dir.display())]
    CreateDir {
        /// The directory.
        dir: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process could not be kept out.
    #[error("could not lock {}", .path.display())]
    Lock {
        /// The lock's file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("could not read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] store::file::FileError),
    /// The record could not be written, so nothing was handed out.
    #[error("could not append to {}, so no certificate was issued", .path.display())]
    Journal {
        /// The record.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Whose fault something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller asked for what cannot be.
    Usage,
    /// A file holds what it should not.
    Data,
    /// A file that is needed is not there.
    NoInput,
    /// A file that is to be made is there already, or its directory refuses.
    CannotCreate,
    /// The disk or the operating system.
    Io,
    /// This program.
    Software,
}

impl VendorError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            VendorError::BadName { .. }
            | VendorError::Taken { .. }
            | VendorError::UnknownProduct { .. }
            | VendorError::UnknownOrganisation { .. }
            | VendorError::NearOrganisation { .. }
            | VendorError::HostOfAnother { .. }
            | VendorError::BadServiceLabel { .. }
            | VendorError::Numbers(_)
            | VendorError::BelowBounds(_)
            | VendorError::EndedAlready { .. }
            | VendorError::TooLate
            | VendorError::IssuerProducts { .. }
            | VendorError::IssuerTestOnly
            | VendorError::BeforeIssuer { .. }
            | VendorError::OutlivesIssuer { .. }
            | VendorError::IssuerSignsIssuer => Fault::Usage,
            VendorError::Damaged { .. }
            | VendorError::Request(_)
            | VendorError::UnsignedRequest
            | VendorError::HourWidth { .. } => Fault::Data,
            VendorError::NotAVendor { .. }
            | VendorError::KeyMissing { .. }
            | VendorError::NoIssuer { .. } => Fault::NoInput,
            VendorError::Exists { .. } | VendorError::CreateDir { .. } => Fault::CannotCreate,
            VendorError::Lock { .. }
            | VendorError::Read { .. }
            | VendorError::Write(_)
            | VendorError::Journal { .. } => Fault::Io,
            VendorError::OwnOutput(_) => Fault::Software,
        }
    }

    /// What to do, as the end of a sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            VendorError::NotAVendor { .. } => {
                "name the vendor's directory with --dir, or make one with `kms-vendor init`"
            }
            VendorError::Exists { .. } => {
                "move it away if another is really wanted, or name another directory"
            }
            VendorError::KeyMissing { .. } => {
                "bring it back from where it is kept, or sign with another key (--root, --issuer)"
            }
            VendorError::NoIssuer { .. } => "make one with `kms-vendor issuer create`",
            VendorError::Damaged { .. } => "correct it, or restore it from a backup",
            VendorError::BadName { .. } => "choose another name",
            VendorError::Taken { .. } => "see `kms-vendor product list`, and choose another",
            VendorError::UnknownProduct { .. } => "add it with `kms-vendor product add`",
            VendorError::UnknownOrganisation { .. } => {
                "spell it as it was certified; an organisation is known from its first certificate on"
            }
            VendorError::NearOrganisation { .. } => {
                "give that name or its id: machines refuse a host of another organisation. If it is another one, say so with \
                 --new-organisation"
            }
            VendorError::HostOfAnother { .. } => {
                "give that organisation's name: its machines refuse this host otherwise. If the host has moved to the other one, say \
                 so with --moved-host"
            }
            VendorError::BadServiceLabel { .. } => SERVICE_LABEL_FORM,
            VendorError::Numbers(_) => "change one of the numbers",
            VendorError::BelowBounds(_) => {
                "raise it, or lift the lower bounds with --test-times, which marks every certificate as test"
            }
            VendorError::Request(_) => "ask for it again, whole and unchanged: `kms-host request` prints it",
            VendorError::UnsignedRequest => {
                "ask for a new one: `kms-host request` of this version prints it. To certify a host of an older version all the \
                 same, say so with --unsigned-request"
            }
            VendorError::HourWidth { .. } => {
                "make the host's ledger anew with the default hour, or mark the certificate with --test-times"
            }
            VendorError::EndedAlready { .. } | VendorError::TooLate => "change --valid-for or --not-before",
            VendorError::IssuerProducts { .. } | VendorError::IssuerTestOnly => {
                "sign with a root, or make another issuing key"
            }
            VendorError::BeforeIssuer { .. } => "give a later --not-before, or sign with a root",
            VendorError::OutlivesIssuer { .. } => "give a shorter --valid-for, or sign with a root",
            VendorError::IssuerSignsIssuer => "name a root",
            VendorError::OwnOutput(_) => "report this as a defect of kms-vendor",
            VendorError::CreateDir { .. }
            | VendorError::Lock { .. }
            | VendorError::Read { .. }
            | VendorError::Write(_)
            | VendorError::Journal { .. } => "see to the permissions and the space there, and try again",
        }
    }

    pub(crate) fn damaged(path: &Path, found: impl ToString) -> VendorError {
        VendorError::Damaged { path: path.to_owned(), found: found.to_string() }
    }

    pub(crate) fn read(path: &Path, source: io::Error) -> VendorError {
        VendorError::Read { path: path.to_owned(), source }
    }

    pub(crate) fn create_dir(dir: &Path, source: io::Error) -> VendorError {
        VendorError::CreateDir { dir: dir.to_owned(), source }
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "),
    }
}
