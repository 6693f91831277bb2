//! The arguments about private keys: how new ones are kept, what opens those that are encrypted, and the command `key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kms_vendor::Signer;

/// What opens private keys that are encrypted.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Encrypted keys")]
pub(crate) struct Unlocking {
    /// File whose first line is the passphrase, or the PIN of a token [default: ask on the terminal].
    #[arg(long, global = true, value_name = "FILE", env = "KMS_VENDOR_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// File with age identities, for keys that are encrypted to age keys. Repeat it for several.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
}

/// The root key that signs.
#[derive(Debug, Args)]
pub(crate) struct RootChoice {
    /// Root key that signs [default: 1, or the one that was kept when a root was replaced].
    #[arg(long, value_name = "1|2", value_parser = parse_root)]
    pub(crate) root: Option<Signer>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RootsCommand {
    /// Make a new root key in the place of one that has leaked or is lost.
    #[command(after_help = "Examples:
  kms-vendor roots replace 1
  kms-vendor roots replace 1 --pkcs11 /usr/lib/softhsm/libsofthsm2.so --token vendor-1

Products that have shipped know the old pair for ever. So the root that is kept signs by default
from then on, and its private key has to be here. The answer lists what the old root has signed,
which the kept one has to sign again. If the command is interrupted, run it again: it finishes.")]
    Replace {
        /// Root key to replace.
        #[arg(value_name = "1|2", value_parser = parse_root)]
        root: Signer,
        /// Replace it although the other root has been replaced, too. Products from before that then know neither root.
        #[arg(long)]
        again: bool,
        #[command(flatten)]
        custody: RootCustody,
    },
}

/// How a new private key is kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "How the new key is kept")]
pub(crate) struct NewCustody {
    /// Leave it unencrypted, and do not ask.
    #[arg(long, conflicts_with_all = ["new_passphrase_file", "recipient"])]
    pub(crate) unencrypted: bool,
    #[command(flatten)]
    pub(crate) encrypted: Encryption,
}

/// How new root keys are kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "How the new key is kept")]
pub(crate) struct RootCustody {
    #[command(flatten)]
    pub(crate) file: NewCustody,
    /// PKCS #11 module of a token, on which the key is made instead of in a file.
    #[arg(long, value_name = "LIBRARY", requires = "token")]
    pub(crate) pkcs11: Option<PathBuf>,
    /// Label of the token. With `init`, a second --token is for root 2, which is in a file otherwise.
    #[arg(long, value_name = "LABEL", requires = "pkcs11")]
    pub(crate) token: Vec<String>,
}

/// With what a private key is encrypted.
#[derive(Debug, Args)]
pub(crate) struct Encryption {
    /// Encrypt it with the first line of this file [default: ask on the terminal].
    #[arg(long, value_name = "FILE", conflicts_with = "recipient")]
    pub(crate) new_passphrase_file: Option<PathBuf>,
    /// Encrypt it to this age key instead of with a passphrase. Repeat it for several holders.
    #[arg(long, value_name = "AGE1...", value_parser = parse_recipient)]
    pub(crate) recipient: Vec<age::x25519::Recipient>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CustodyCommand {
    /// Encrypt a private key, or encrypt it anew with another passphrase.
    #[command(after_help = "Examples:
  kms-vendor key encrypt root-1
  kms-vendor key encrypt root-2 --new-passphrase-file second.txt
  kms-vendor key encrypt root-2 --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kdldg4fcs7zzxam

The file is an age file: `age -d root-1.key` opens it, too.
A key that was in a plain file may still be found on its medium. One that must never have been
there is made by `kms-vendor init` with a passphrase.")]
    Encrypt {
        /// Key to encrypt.
        #[arg(value_name = "root-1|root-2|issuing", value_parser = parse_key)]
        key: Signer,
        #[command(flatten)]
        encryption: Encryption,
    },
    /// Write a private key to a plain file, in place of its encrypted one.
    #[command(after_help = "Examples:
  kms-vendor key decrypt issuing")]
    Decrypt {
        /// Key to decrypt.
        #[arg(value_name = "root-1|root-2|issuing", value_parser = parse_key)]
        key: Signer,
    },
}

fn parse_root(text: &str) -> Result<Signer, String> {
    match text {
        "1" => Ok(Signer::Root1),
        "2" => Ok(Signer::Root2),
        _ => Err("there are two roots, 1 and 2".to_owned()),
    }
}

fn parse_key(text: &str) -> Result<Signer, String> {
    match text.strip_suffix(".key").unwrap_or(text) {
        "root-1" => Ok(Signer::Root1),
        "root-2" => Ok(Signer::Root2),
        "issuing" => Ok(Signer::Issuer),
        _ => Err("the private keys are root-1, root-2 and issuing".to_owned()),
    }
}

fn parse_recipient(text: &str) -> Result<age::x25519::Recipient, String> {
    text.parse().map_err(|error: &str| format!("{error}; give the public key that `age-keygen` prints"))
}
