//! The commands about private keys: how they are kept, and where they are.

use std::fmt::Write as _;
use std::sync::Arc;

use kms_vendor::{
    Custody, Fate, KeyPlace, Recorded, ReplacedRoot, Signer, Vendor, VendorError, instant_text,
};
use rand::CryptoRng;
use serde_json::{Value, json};
use shared::print::OneLine;
use shared::time::Timestamp;

use super::{Answer, CommandError, recorded};
use crate::cli::{Cli, CustodyCommand, RootChoice, RootCustody};

/// The names by which people call the root keys.
const ROOTS: [(Signer, &str); 2] = [(Signer::Root1, "root-1"), (Signer::Root2, "root-2")];

/// The vendor of this directory, whose keys are opened as the arguments say.
pub(super) fn open(cli: &Cli) -> Result<Vendor, VendorError> {
    Ok(Vendor::open(&cli.dir)?.with_unlock(Arc::new(cli.unlocking.clone())))
}

pub(super) fn init(
    cli: &Cli,
    wanted: &RootCustody,
    rng: &mut impl CryptoRng,
) -> Result<Answer, CommandError> {
    let is_plain = |custody: &Custody| matches!(custody, Custody::Plain);
    // Before anybody types passphrases in vain.
    let begun = Vendor::finish_init(&cli.dir)?;
    let vendor = if let Some(vendor) = begun {
        vendor
    } else {
        Vendor::check_is_new(&cli.dir)?;
        let [(root_1, _), (root_2, _)] = ROOTS;
        let custody = [wanted.choose(0, root_1, &cli.unlocking)?, wanted.choose(1, root_2, &cli.unlocking)?];
        let unlocks = cli.unlocking.passphrase_file.is_some();
        if unlocks && !wanted.file.unencrypted && custody.iter().all(is_plain) {
            return Err(CommandError::NothingToOpen);
        }
        Vendor::init_with(&cli.dir, &custody, rng)?
    };
    let Answer { text, json } = roots(&vendor)?;
    let dir = OneLine(vendor.dir().display());
    let places = [vendor.key_place(Signer::Root1)?, vendor.key_place(Signer::Root2)?];
    let plain = if places.contains(&KeyPlace::Plain) {
        "A root key is not encrypted: `kms-vendor key encrypt` does it.\n"
    } else {
        ""
    };
    let text = format!(
        "Created the vendor's directory {dir}. Back it up, and let nobody else read it.\n{plain}\
         Move one root key, such as root-2.key, offline to another place. If you lose both, you can certify\n\
         nothing, and anybody who steals one can certify any host.\n\n{text}"
    );
    Ok(Answer { text, json })
}

/// The root that signs, and a note about it for the user.
pub(super) fn root(vendor: &Vendor, choice: &RootChoice) -> Result<(Signer, String), VendorError> {
    let root = choice.root.map_or_else(|| vendor.usual_root(), Ok)?;
    let is_unusual = root != vendor.usual_root()?;
    let replaced = vendor.replacement_of(root)?.filter(|_| is_unusual);
    let note = replaced.map(|replaced| {
        format!(
            "It is signed by a root that took the place of another one on {}: products from before refuse it.\n",
            replaced.at
        )
    });
    Ok((root, note.unwrap_or_default()))
}

pub(super) fn replace(
    cli: &Cli,
    root: Signer,
    again: bool,
    wanted: &RootCustody,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Answer, CommandError> {
    let vendor = open(cli)?;
    // Before anybody types a passphrase in vain.
    if let Some(finished) = vendor.finish_replacement(root)? {
        return replaced(&vendor, &finished, now);
    }
    let other = if root == Signer::Root1 { Signer::Root2 } else { Signer::Root1 };
    if let Some(replaced) = vendor.replacement_of(other)?.filter(|_| !again) {
        return Err(CommandError::BothReplaced { at: replaced.at });
    }
    let custody = wanted.choose(0, root, &cli.unlocking)?;
    let is_encrypted = matches!(vendor.key_place(other)?, KeyPlace::Passphrase | KeyPlace::Recipients);
    if is_encrypted && !wanted.file.unencrypted && matches!(custody, Custody::Plain) {
        return Err(CommandError::PlainBesideEncrypted);
    }
    replaced(&vendor, &vendor.replace_root(root, &custody, now, rng)?, now)
}

/// What to do after a root was replaced.
fn replaced(vendor: &Vendor, done: &ReplacedRoot, now: Timestamp) -> Result<Answer, CommandError> {
    let ReplacedRoot { root, old, new, moved_to, .. } = done;
    let (number, kept) = if *root == Signer::Root1 { (1, 2) } else { (2, 1) };
    let mut text = format!(
        "Root {number} was {old}, and is {new} now. Write the new digest down.\n\
         Products that have shipped know the old root {number} and root {kept}, so root {kept} signs by default from now on.\n"
    );
    if let Some(path) = moved_to {
        let _ = writeln!(
            text,
            "The old private key is in {}. Destroy it once nobody needs it.",
            OneLine(path.display())
        );
    }
    let old_root = |one: &Recorded| one.fate == Fate::OldRoot;
    let to_sign: Vec<_> = Vendor::open(vendor.dir())?.recorded(now)?.into_iter().filter(old_root).collect();
    text += "\nNow, in this order:\n\n";
    if to_sign.is_empty() {
        let _ = writeln!(text, "1. Nothing that is recorded here depends on the old root {number}.\n");
    } else {
        let _ = writeln!(
            text,
            "1. Sign with root {kept} again what the old root {number} has signed, and install it:\n\n{}",
            recorded::rows(&to_sign, now)
        );
    }
    if vendor.has_revoked()? {
        text += "   Sign the revocation list again, too, and install it: `kms-vendor revoke --out FILE`.\n\n";
    }
    text += "2. Wait until every host has renewed: until then, machines with a new product refuse it.\n\
             3. Build products with the new roots: `kms-vendor product rust NAME` or `product file NAME`.\n\
             4. Copy roots.pub to the portal's directory, and run `kms-portal reload` there.\n";
    let json = json!({
        "root": number,
        "old": old.to_string(),
        "new": new.to_string(),
        "moved_to": moved_to.as_ref().map(|path| path.display().to_string()),
        "to_sign": to_sign.iter().map(recorded::json_of).collect::<Vec<_>>(),
    });
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
    let mut replaced: Vec<Value> = Vec::new();
    for ReplacedRoot { root, old, at, .. } in vendor.replaced_roots()? {
        let name = root.file_name();
        let _ = writeln!(text, "{old}  {name}: replaced on {at}; products from before know it");
        replaced.push(json!({ "file": name, "digest": old.to_string(), "at": instant_text(at) }));
    }
    let unfinished = vendor.unfinished_root()?.map(|root| if root == Signer::Root2 { 2 } else { 1 });
    if let Some(number) = unfinished {
        let _ = writeln!(
            text,
            "\nReplacing root {number} was interrupted: run `kms-vendor roots replace {number}` again."
        );
    }
    let json = json!({
        "roots": hex,
        "digests": digests,
        "keys": keys,
        "replaced": replaced,
        "unfinished": unfinished,
    });
    Ok(Answer { text, json })
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
