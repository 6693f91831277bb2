//! The commands about private keys: how they are kept, and where they are.

use std::fmt::Write as _;
use std::sync::Arc;

use kms_vendor::{Custody, KeyPlace, Signer, Vendor, VendorError};
use rand::CryptoRng;
use serde_json::{Value, json};
use shared::print::OneLine;

use super::{Answer, CommandError};
use crate::cli::{Cli, CustodyCommand, NewCustody};

/// The names by which people call the root keys.
const ROOTS: [(Signer, &str); 2] = [(Signer::Root1, "root-1"), (Signer::Root2, "root-2")];

/// The vendor of this directory, whose keys are opened as the arguments say.
pub(super) fn open(cli: &Cli) -> Result<Vendor, VendorError> {
    Ok(Vendor::open(&cli.dir)?.with_unlock(Arc::new(cli.unlocking.clone())))
}

pub(super) fn init(
    cli: &Cli,
    custody: &NewCustody,
    rng: &mut impl CryptoRng,
) -> Result<Answer, CommandError> {
    // Before anybody types passphrases in vain.
    Vendor::check_is_new(&cli.dir)?;
    let custody = [custody.choose("root-1.key")?, custody.choose("root-2.key")?];
    let vendor = Vendor::init_with(&cli.dir, &custody, rng)?;
    let Answer { text, json } = roots(&vendor)?;
    let dir = OneLine(vendor.dir().display());
    let plain = if custody.iter().any(|custody| matches!(custody, Custody::Plain)) {
        "A root key is not encrypted: `kms-vendor key encrypt` does it.\n"
    } else {
        ""
    };
    let text = format!(
        "Created the vendor's directory {dir}. Back it up, and let nobody else read it.\n{plain}\
         Move one root key, such as root-2.key, offline to another place: without both keys you can certify no\n\
         host, and anybody who steals one can certify any host.\n\n{text}"
    );
    Ok(Answer { text, json })
}

/// The root public keys, and where the private ones are.
pub(super) fn roots(vendor: &Vendor) -> Result<Answer, VendorError> {
    let hex = vendor.roots().map(|root| data_encoding::HEXLOWER.encode(&root));
    let digests = vendor.root_digests();
    let mut text = format!(
        "Every product pins both roots. `kms-vendor product rust NAME` prints the constant to paste.\n\n{}\n{}\n\n\
         Their digests, as `kms-host install-certificate` shows them, and where the private keys are:\n\n",
        hex[0], hex[1],
    );
    let mut keys: Vec<Value> = Vec::new();
    for ((signer, name), digest) in ROOTS.into_iter().zip(&digests) {
        let place = vendor.key_place(signer)?;
        let _ = writeln!(text, "{digest}  {name}.key: {place}");
        keys.push(json!({ "name": name, "digest": digest, "kept": place.name() }));
    }
    Ok(Answer { text, json: json!({ "roots": hex, "digests": digests, "keys": keys }) })
}

pub(super) fn key(vendor: &Vendor, command: &CustodyCommand) -> Result<Answer, CommandError> {
    let (signer, custody) = match command {
        CustodyCommand::Encrypt { key, encryption } => {
            let before = vendor.key_place(*key)?;
            if before == KeyPlace::Elsewhere {
                return Err(CommandError::Vendor(VendorError::KeyMissing(vendor.key_path(*key))));
            }
            (*key, encryption.choose(key.file_name())?.ok_or(CommandError::NoPassphrase)?)
        }
        CustodyCommand::Decrypt { key } => (*key, Custody::Plain),
    };
    let before = vendor.key_place(signer)?;
    vendor.keep_key(signer, &custody)?;
    let place = vendor.key_place(signer)?;
    let name = signer.file_name();
    let mut text = format!("{name}: {place}.\n");
    if before == KeyPlace::Plain && place != KeyPlace::Plain {
        text += "It was in a plain file until now, and its old bytes may still be on this medium, and in backups.\n";
    }
    Ok(Answer { text, json: json!({ "name": name, "kept": place.name() }) })
}
