//! Where passphrases come from: a file, or a terminal that does not show them. Never from an argument or a variable, because others can see
//! those.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use age::secrecy::ExposeSecret as _;
use age::{Identity, IdentityFile};
use kms_vendor::{Custody, Locked, Passphrase, Signer, Token, Unlock, VendorError};
use store::regular;
use zeroize::Zeroizing;

use crate::cli::commands::CommandError;
use crate::cli::{Encryption, NewCustody, RootCustody, Unlocking};

impl Unlock for Unlocking {
    fn passphrase(&self, of: Locked<'_>) -> io::Result<Option<Passphrase>> {
        match &self.passphrase_file {
            Some(path) => first_line(path).map(Some),
            None => ask(&format!(
                "{} {of}: ",
                if let Locked::Token(_) = of { "PIN of" } else { "Passphrase for" }
            )),
        }
    }

    fn identities(&self) -> io::Result<Vec<Box<dyn Identity + Send + Sync>>> {
        let mut identities = Vec::new();
        for path in &self.identity {
            let text = Zeroizing::new(regular::read(path)?);
            let unusable = |error: &dyn std::fmt::Display| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
            };
            let file = IdentityFile::from_buffer(text.as_slice()).map_err(|error| unusable(&error))?;
            identities.extend(file.into_identities().map_err(|error| unusable(&error))?);
        }
        Ok(identities)
    }
}

impl NewCustody {
    /// How the new key in the file of this name will be kept. Without options, people on a terminal are asked, and scripts are not.
    pub(crate) fn choose(&self, name: &str) -> Result<Custody, CommandError> {
        if self.unencrypted {
            return Ok(Custody::Plain);
        }
        Ok(self
            .encrypted
            .choose(&format!("{name} (leave it empty not to encrypt)"))?
            .unwrap_or(Custody::Plain))
    }
}

impl RootCustody {
    /// How this one of the two root keys will be kept.
    pub(crate) fn choose(
        &self,
        index: usize,
        root: Signer,
        unlocking: &Unlocking,
    ) -> Result<Custody, CommandError> {
        let (Some(module), Some(label)) = (&self.pkcs11, self.token.get(index)) else {
            return self.file.choose(root.file_name());
        };
        let locked = Locked::Token(label);
        let pin = unlocking.passphrase(locked).map_err(CommandError::Terminal)?;
        let pin = pin.ok_or_else(|| VendorError::Locked(locked.to_string()))?;
        Ok(Custody::Token(Token { module: module.clone(), label: label.clone() }, pin))
    }
}

impl Encryption {
    /// The custody that the user chose. `None` without a terminal, or if the passphrase that was typed is empty.
    pub(crate) fn choose(&self, name: &str) -> Result<Option<Custody>, CommandError> {
        if !self.recipient.is_empty() {
            return Ok(Some(Custody::Recipients(self.recipient.clone())));
        }
        if let Some(path) = &self.new_passphrase_file {
            let passphrase = first_line(path);
            let passphrase =
                passphrase.map_err(|source| CommandError::PassphraseFile { path: path.clone(), source })?;
            return Ok(Some(Custody::Passphrase(passphrase)));
        }
        let passphrase = ask(&format!("New passphrase for {name}: ")).map_err(CommandError::Terminal)?;
        let Some(passphrase) = passphrase.filter(|typed| !typed.expose_secret().is_empty()) else {
            return Ok(None);
        };
        let again = ask("The same again: ").map_err(CommandError::Terminal)?;
        if again.is_none_or(|again| again.expose_secret() != passphrase.expose_secret()) {
            return Err(CommandError::PassphrasesDiffer);
        }
        Ok(Some(Custody::Passphrase(passphrase)))
    }
}

/// Asks on the terminal. `None` without one.
fn ask(prompt: &str) -> io::Result<Option<Passphrase>> {
    if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
        return Ok(None);
    }
    rpassword::prompt_password(prompt).map(|typed| Some(typed.into()))
}

/// The first line of a file, which may be a pipe from a program that keeps passphrases.
fn first_line(path: &Path) -> io::Result<Passphrase> {
    let text = Zeroizing::new(regular::read_bounded(File::open(path)?)?);
    let text =
        str::from_utf8(&text).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned().into())
}
