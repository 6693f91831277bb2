//! Errors of the vendor's tool, each with its cause and its remedy.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use program::exit::{EX_CANTCREAT, EX_DATAERR, EX_IOERR, EX_NOINPUT, EX_NOPERM, EX_SOFTWARE, EX_USAGE};
use shared::armour::ArmourError;
use shared::certificate::ChainError;
use shared::envelope::EnvelopeError;
use shared::features::FeaturesError;
use shared::files::{BadFile, CODE_REQUEST, HOST_ACTIVATION, HOST_REQUEST, ISSUING_REQUEST};
use shared::ids::{CertificateId, HostId, OrganisationId};
use shared::policy::PolicyError;
use shared::revocation::ListTooLarge;
use shared::spelling::is_near;
use shared::srv::SERVICE_LABEL_FORM;
use shared::time::{Length, Timestamp};

/// The command that takes each kind of request.
const REQUESTS: [(&str, &str); 4] = [
    (HOST_REQUEST, "use `kms-vendor certificate issue`"),
    (ISSUING_REQUEST, "use `kms-vendor issuer sign`"),
    (CODE_REQUEST, "use `kms-vendor code-key sign`"),
    (HOST_ACTIVATION, "use `kms-portal answer`, because a product key is in it"),
];

/// An operation failed. [`VendorError::remedy`] says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VendorError {
    /// The directory is not a vendor's.
    #[error("{} is not a vendor's directory: it has no roots.pub", .0.display())]
    NotAVendor(PathBuf),
    /// A file exists that is never overwritten.
    #[error("{} exists and is never overwritten", .0.display())]
    Exists(PathBuf),
    /// A private key is missing: it is kept elsewhere, or lost.
    #[error("the private key {} is not here", .0.display())]
    KeyMissing(PathBuf),
    /// A private key is encrypted or on a token, and nobody can be asked for the passphrase or the PIN.
    #[error("{0} is locked, and there is no terminal to ask what opens it")]
    Locked(String),
    /// The passphrase is another one.
    #[error("the passphrase for {0} is wrong")]
    WrongPassphrase(String),
    /// The PIN is another one.
    #[error("the PIN of the token {0:?} is wrong")]
    WrongPin(String),
    /// A key on a token cannot be written to a file.
    #[error("{} is on a token, which never gives it away", .0.display())]
    OnToken(PathBuf),
    /// The PKCS #11 module cannot be loaded.
    #[error("could not load the PKCS #11 module {}", .module.display())]
    Module {
        /// The module.
        module: PathBuf,
        /// What is wrong with it.
        source: cryptoki::error::Error,
    },
    /// No token has this label.
    #[error("there is no token {label:?}; there is {}", list(.others))]
    NoToken {
        /// The label.
        label: String,
        /// The labels that there are.
        others: Vec<String>,
    },
    /// The token has no such key.
    #[error("the token {token:?} has no key {key:?}")]
    NotOnToken {
        /// The label of the token.
        token: String,
        /// The label of the key.
        key: String,
    },
    /// The token has failed.
    #[error("could not {doing} the token {token:?}")]
    Token {
        /// What was done with it: `sign with`.
        doing: &'static str,
        /// Its label.
        token: String,
        /// The error of its module.
        source: cryptoki::error::Error,
    },
    /// A passphrase without a character.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// A private key is encrypted to age keys, and no identity opens it.
    #[error("{} is encrypted to age keys, and none of the identities opens it", .0.display())]
    NoIdentity(PathBuf),
    /// A private key is encrypted in a way that this release does not open.
    #[error("{} is encrypted {how}, which this release does not open", .path.display())]
    SealedOtherwise {
        /// The file.
        path: PathBuf,
        /// How it is encrypted.
        how: String,
    },
    /// What opens a private key could not be read.
    #[error("could not read what opens {what}")]
    Unlock {
        /// The key.
        what: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A private key could not be encrypted.
    #[error("could not encrypt the private key: {0}")]
    Encrypt(age::EncryptError),
    /// The root key that is to be kept is not here.
    #[error("the root that is kept is not here: {}. Products in use would trust no key that signs", .0.display())]
    KeptRootMissing(PathBuf),
    /// `init` or the replacement of a root was interrupted, and this command finishes it.
    #[error("`{0}` was interrupted")]
    Unfinished(&'static str),
    /// The issuing certificate was signed by a root that was replaced.
    #[error("{} was signed by a root key that was replaced", .0.display())]
    IssuerOfOldRoot(PathBuf),
    /// There is no issuing certificate.
    #[error("there is no issuing certificate {}", .0.display())]
    NoIssuer(PathBuf),
    /// A file in the vendor's directory is damaged.
    #[error("{} is damaged: {found}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },

    /// A name that a certificate cannot have.
    #[error(
        "the name {0:?} is not 1 to 100 bytes, without line breaks, control or invisible characters, or spaces at its ends"
    )]
    BadName(String),
    /// Another product has this name or id.
    #[error("the product {0:?} already has this name or id")]
    Taken(String),
    /// No product has this name.
    #[error("there is no product {name:?}; {}", near_or_all(.name, .known))]
    UnknownProduct {
        /// The name.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// No organisation with this name or id was certified yet.
    #[error("there is no organisation {name:?}; there is {}", list(.known))]
    UnknownOrganisation {
        /// The name.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// The name or the id of a new organisation belongs to another one.
    #[error("there is the organisation {name:?} already, with the id {id}")]
    OrganisationTaken {
        /// The name of the one that is there.
        name: String,
        /// Its id.
        id: OrganisationId,
    },
    /// The name of a new organisation is similar to one that was certified.
    #[error("there is no organisation {name:?}, but {known:?} ({id}) has nearly the same name")]
    NearOrganisation {
        /// The name.
        name: String,
        /// The similar name.
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
    /// A file that is not the CA of a portal.
    #[error("{} is no CA in PEM: {cause}", path.display())]
    PortalCa {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: ArmourError,
    },
    /// A code certificate that this product cannot carry.
    #[error("{} is no code certificate for this product: {cause}", path.display())]
    CodeKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A file of telephone numbers that cannot be signed.
    #[error("{} cannot be signed: {cause}", path.display())]
    TelephonesFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Signed telephone numbers that this product cannot carry.
    #[error("{} has no telephone numbers for this product: {cause}", path.display())]
    Telephones {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A code has room for the number of 63.
    #[error("a code key has at most 63 feature sets")]
    TooManyFeatureSets,
    /// A service label that DNS cannot have.
    #[error("{0:?} is not a service label for DNS")]
    BadServiceLabel(String),
    /// A number above its bound, or two that contradict each other.
    #[error(transparent)]
    Numbers(PolicyError),
    /// A reason that no revocation list can have.
    #[error("a reason for a revocation has 200 bytes at most, on one line")]
    BadReason,
    /// There is nothing to sign a list of.
    #[error("nothing was revoked yet")]
    NothingRevoked,
    /// A revocation list that machines could not read.
    #[error("{0}")]
    TooManyRevoked(ListTooLarge),
    /// No certificate with this id was issued here.
    #[error("no certificate {0} was issued here")]
    UnknownCertificate(CertificateId),
    /// Features that no certificate can have.
    #[error("{0}")]
    Features(FeaturesError),
    /// A number below its lower bound, which tests may lift.
    #[error(transparent)]
    BelowBounds(PolicyError),

    /// The host's request cannot be read.
    #[error("the host's request is not usable: {0}")]
    Request(BadFile),
    /// The portal's request cannot be read, or its proof does not hold.
    #[error("the portal's request is not usable: {0}")]
    PortalRequest(BadFile),
    /// A request of another kind, which another command takes.
    #[error("the request is a {label}, which another command takes")]
    OtherRequest {
        /// Its label.
        label: &'static str,
        /// The command, as the remedy.
        remedy: &'static str,
    },
    /// The request is not signed. Hosts of earlier releases do not sign it.
    #[error("the host's request is not signed by its key, so anybody could have written it")]
    UnsignedRequest,
    /// The host's ledger is for tests.
    #[error("the host counts in hours of {}, which only a certificate marked as test allows", Length(*.0))]
    HourWidth(Duration),
    /// The certificate would be over before it is issued.
    #[error("the certificate would have ended already, at {not_after}")]
    EndedAlready {
        /// When it would have ended.
        not_after: Timestamp,
    },
    /// A certificate would begin or end after the year 9999.
    #[error("a certificate cannot begin or end after the year 9999")]
    TooLate,
    /// The issuing certificate is for other products.
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
    /// An issuing key cannot sign an issuing certificate.
    #[error("an issuing key is signed by a root key")]
    IssuerSignsIssuer,
    /// A new signature does not verify. Nothing was recorded or written.
    #[error("the signature that was just made does not verify: {0}")]
    OwnSignature(EnvelopeError),
    /// The new certificate does not verify. Nothing was recorded or written.
    #[error("the certificate that was just signed does not verify")]
    OwnOutput(#[source] ChainError),

    /// The vendor's directory could not be created.
    #[error("could not create the directory {}", .dir.display())]
    CreateDir {
        /// The directory.
        dir: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file could not be read or locked.
    #[error("could not {doing} {}", .path.display())]
    Io {
        /// What was done with it: `read`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] store::file::FileError),
    /// The record could not be written, so no certificate was issued.
    #[error("could not append to {}, so no certificate was issued", .path.display())]
    Journal {
        /// The record.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl VendorError {
    /// The exit code of a command that ends with it, as in sysexits.h.
    pub fn exit_code(&self) -> u8 {
        self.advice().0
    }

    /// What to do, as the end of the error's sentence.
    pub fn remedy(&self) -> &'static str {
        self.advice().1
    }

    fn advice(&self) -> (u8, &'static str) {
        const LOOK_THERE: &str = "check the permissions and the free space there, and try again";
        match self {
            VendorError::NotAVendor(_) => {
                (EX_NOINPUT, "name the vendor's directory with --dir, or make one with `kms-vendor init`")
            }
            VendorError::Exists(_) => {
                (EX_CANTCREAT, "name another directory, or move the file away if you really want a new one")
            }
            VendorError::KeyMissing(_) => (
                EX_NOINPUT,
                "copy it back from where it is kept, or sign with another key (--root, --issuer)",
            ),
            VendorError::Locked(_) => {
                (EX_NOINPUT, "give --passphrase-file FILE, or run the command on a terminal")
            }
            VendorError::WrongPassphrase(_) => (
                EX_NOPERM,
                "try again. If nobody knows it any more, sign with another key (--root, --issuer)",
            ),
            VendorError::WrongPin(_) => {
                (EX_NOPERM, "try again; most tokens lock themselves after a few wrong ones")
            }
            VendorError::OnToken(_) => {
                (EX_USAGE, "to keep a root in another way, see `kms-vendor roots replace`")
            }
            VendorError::Module { .. } => {
                (EX_NOINPUT, "name the library of the token's maker with --pkcs11, such as libsofthsm2.so")
            }
            VendorError::NoToken { .. } => (EX_NOINPUT, "insert it, or name another one"),
            VendorError::NotOnToken { .. } => (EX_NOINPUT, "insert the token on which the root was made"),
            VendorError::Token { .. } => (EX_IOERR, "ask the maker of the token, if it happens again"),
            VendorError::EmptyPassphrase => (EX_USAGE, "choose a longer one"),
            VendorError::NoIdentity(_) => (EX_NOPERM, "give the file of one that does with --identity"),
            VendorError::SealedOtherwise { .. } => {
                (EX_DATAERR, "decrypt it with `age -d`, and encrypt it again with `kms-vendor key encrypt`")
            }
            VendorError::Unlock { .. } => (EX_IOERR, "check the file, and try again"),
            VendorError::KeptRootMissing(_) => {
                (EX_NOINPUT, "copy it back from where it is kept, and remove it again afterwards")
            }
            VendorError::Unfinished(_) => (EX_DATAERR, "run it again: it finishes"),
            VendorError::IssuerOfOldRoot(_) => (
                EX_DATAERR,
                "move it and issuing.key away, and make another one with `kms-vendor issuer create`",
            ),
            VendorError::NoIssuer(_) => (EX_NOINPUT, "make one with `kms-vendor issuer create`"),
            VendorError::Damaged { .. } => (EX_DATAERR, "correct it, or restore it from a backup"),
            VendorError::BadName(_) => (EX_USAGE, "choose another name"),
            VendorError::Taken(_) => (EX_USAGE, "see `kms-vendor product list`, and choose another"),
            VendorError::UnknownProduct { .. } => {
                (EX_USAGE, "correct the name, or add it with `kms-vendor product add`")
            }
            VendorError::UnknownOrganisation { .. } => {
                (EX_USAGE, "see `kms-vendor organisation list`, or add it with `kms-vendor organisation add`")
            }
            VendorError::OrganisationTaken { .. } => (
                EX_USAGE,
                "its hosts and machines are bound to that id. If a portal knows it by another one, certify its hosts by that portal alone",
            ),
            VendorError::NearOrganisation { .. } => (
                EX_USAGE,
                "give that name or its id, because machines refuse a host of another organisation. If it is another one, add \
                 --new-organisation",
            ),
            VendorError::HostOfAnother { .. } => (
                EX_USAGE,
                "give that organisation's name, because its machines would refuse this host. If the host has moved to the new \
                 organisation, add --moved-host",
            ),
            VendorError::PortalCa { .. } => {
                (EX_DATAERR, "give the PEM file of a CA, such as `portal-ca.pem` of the portal")
            }
            VendorError::CodeKey { .. } => {
                (EX_DATAERR, "give the file that `kms-vendor code-key sign` has written for this product")
            }
            VendorError::TelephonesFile { .. } => {
                (EX_DATAERR, "correct it; `kms-vendor telephones sign --help` shows how it is written")
            }
            VendorError::Telephones { .. } => {
                (EX_DATAERR, "give the file that `kms-vendor telephones sign` has written for this product")
            }
            VendorError::TooManyFeatureSets => (EX_USAGE, "give fewer with --feature-set"),
            VendorError::BadServiceLabel(_) => (EX_USAGE, SERVICE_LABEL_FORM),
            VendorError::Numbers(_) => (EX_USAGE, "change one of the numbers"),
            VendorError::BelowBounds(_) => (
                EX_USAGE,
                "raise it, or add --test-times, which allows it and marks every certificate as test",
            ),
            VendorError::Request(_) => {
                (EX_DATAERR, "ask for it again, whole and unchanged: `kms-host request` prints it")
            }
            VendorError::BadReason => (EX_USAGE, "give a shorter --reason"),
            VendorError::NothingRevoked => (EX_USAGE, "name the ids to revoke"),
            VendorError::TooManyRevoked(_) => (
                EX_USAGE,
                "revoke a host by its own id in place of each of its certificates, or the issuing certificate above all of them",
            ),
            VendorError::UnknownCertificate(_) => {
                (EX_USAGE, "see issued.jsonl for the ids. To revoke what a portal has issued, add --unlisted")
            }
            VendorError::Features(_) => (EX_USAGE, "give fewer with --feature"),
            VendorError::PortalRequest(_) => (
                EX_DATAERR,
                "ask for it again, whole and unchanged: the portal's directory has it, as issuing-request.pem or, for a code key, as \
                 code-request.pem",
            ),
            VendorError::OtherRequest { remedy, .. } => (EX_DATAERR, remedy),
            VendorError::UnsignedRequest => (
                EX_DATAERR,
                "ask for a new one: `kms-host request` of this version prints it. To certify a host of an older version anyway, \
                 add --unsigned-request",
            ),
            VendorError::HourWidth(_) => (
                EX_DATAERR,
                "make the host without --hour, or mark the certificate as test with --test-times",
            ),
            VendorError::EndedAlready { .. } | VendorError::TooLate => {
                (EX_USAGE, "change --valid-for or --not-before")
            }
            VendorError::IssuerProducts { .. } | VendorError::IssuerTestOnly => {
                (EX_USAGE, "sign with a root key, or create another issuing key")
            }
            VendorError::BeforeIssuer { .. } => {
                (EX_USAGE, "give a later --not-before, or sign with a root key")
            }
            VendorError::OutlivesIssuer { .. } => {
                (EX_USAGE, "give a shorter --valid-for, or sign with a root key")
            }
            VendorError::IssuerSignsIssuer => (EX_USAGE, "sign with a root key"),
            VendorError::OwnOutput(_) | VendorError::OwnSignature(_) | VendorError::Encrypt(_) => {
                (EX_SOFTWARE, "report this as a bug of kms-vendor")
            }
            // Not an error of the system: the reader has refused the file.
            VendorError::Io { source, .. } | VendorError::Journal { source, .. }
                if source.raw_os_error().is_none() =>
            {
                (EX_IOERR, "move it away; if there is a backup of the file, restore it")
            }
            VendorError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                (EX_NOINPUT, "check its name, and in which folder it is")
            }
            VendorError::CreateDir { .. } => (EX_CANTCREAT, LOOK_THERE),
            VendorError::Io { .. } | VendorError::Write(_) | VendorError::Journal { .. } => {
                (EX_IOERR, LOOK_THERE)
            }
        }
    }

    pub(crate) fn damaged(path: &Path, found: impl ToString) -> VendorError {
        VendorError::Damaged { path: path.to_owned(), found: found.to_string() }
    }

    /// What is wrong with a request; `otherwise` if no other command takes it.
    pub(crate) fn bad_request(otherwise: fn(BadFile) -> VendorError) -> impl Fn(BadFile) -> VendorError {
        move |error| {
            let BadFile::Armour { cause: ArmourError::Other(found), .. } = &error else {
                return otherwise(error);
            };
            let other = REQUESTS.into_iter().find(|(label, _)| label == found);
            other.map_or_else(
                || otherwise(error),
                |(label, remedy)| VendorError::OtherRequest { label, remedy },
            )
        }
    }

    pub(crate) fn read(path: &Path, source: io::Error) -> VendorError {
        VendorError::Io { doing: "read", path: path.to_owned(), source }
    }
}

/// The names that were probably meant, or all of them.
fn near_or_all(name: &str, known: &[String]) -> String {
    let near: Vec<_> = known.iter().filter(|known| is_near(name, known)).cloned().collect();
    if near.is_empty() { format!("there is {}", list(known)) } else { format!("near it: {}", list(&near)) }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "),
    }
}
