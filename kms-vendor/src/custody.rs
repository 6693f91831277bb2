//! How a private key is kept, and what opens it again: a passphrase, an age key, the PIN of a token.
//!
//! [`Custody`] is chosen when a key is made, or is to be kept in another way. [`Unlock`] is asked each time that the key signs. `sealed`
//! encrypts, `keys` has the files.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use age::secrecy::SecretString as Passphrase;

/// How a private key is kept.
#[non_exhaustive]
pub enum Custody {
    /// In a file that signs for whoever can read it.
    Plain,
    /// In a file that this passphrase opens.
    Passphrase(Passphrase),
    /// In a file that the holder of any of these age keys opens.
    Recipients(Vec<age::x25519::Recipient>),
    /// On this token, which makes it; this is the PIN. For root keys only.
    Token(Token, Passphrase),
}

/// A token, and the module that speaks with it.
#[derive(Clone, Debug)]
pub struct Token {
    /// The PKCS #11 module: a shared library.
    pub module: PathBuf,
    /// The label of the token.
    pub label: String,
}

/// A file or token that holds a private key and has to be opened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Locked<'a> {
    /// A file that a passphrase opens.
    File(&'a Path),
    /// A token with this label that a PIN opens.
    Token(&'a str),
}

impl fmt::Display for Locked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Locked::File(path) => write!(f, "{}", path.display()),
            Locked::Token(label) => write!(f, "the token {label:?}"),
        }
    }
}

/// Provides what opens private keys: it asks people, or reads files.
pub trait Unlock: fmt::Debug + Send + Sync {
    /// The passphrase of this file, or the PIN of this token. `None` if nobody can be asked.
    ///
    /// # Errors
    /// It could not be read.
    fn passphrase(&self, of: Locked<'_>) -> io::Result<Option<Passphrase>>;

    /// The age identities that may open a file.
    ///
    /// # Errors
    /// They could not be read.
    fn identities(&self) -> io::Result<Vec<Box<dyn age::Identity + Send + Sync>>>;
}

/// Opens nothing: for a vendor whose keys are in plain files.
#[derive(Clone, Copy, Debug)]
pub struct NoUnlock;

impl Unlock for NoUnlock {
    fn passphrase(&self, _: Locked<'_>) -> io::Result<Option<Passphrase>> {
        Ok(None)
    }

    fn identities(&self) -> io::Result<Vec<Box<dyn age::Identity + Send + Sync>>> {
        Ok(Vec::new())
    }
}

/// How a private key is kept, as far as that can be seen without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyPlace {
    /// It is not in the vendor's directory.
    Elsewhere,
    /// In a plain file.
    Plain,
    /// In a file that a passphrase opens.
    Passphrase,
    /// In a file that an age key opens.
    Recipients,
    /// On the token with this label.
    Token(String),
}

impl KeyPlace {
    /// A word for scripts.
    pub fn name(&self) -> &'static str {
        match self {
            KeyPlace::Elsewhere => "elsewhere",
            KeyPlace::Plain => "plain",
            KeyPlace::Passphrase => "passphrase",
            KeyPlace::Recipients => "recipients",
            KeyPlace::Token(_) => "token",
        }
    }
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            KeyPlace::Elsewhere => "not here",
            KeyPlace::Plain => "here, NOT encrypted",
            KeyPlace::Passphrase => "here, encrypted with a passphrase",
            KeyPlace::Recipients => "here, encrypted to age keys",
            KeyPlace::Token(label) => return write!(f, "on the token {label:?}"),
        };
        f.write_str(text)
    }
}
