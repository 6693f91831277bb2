//! Root keys on a PKCS #11 token, which makes them, signs with them, and never hands them out.
//!
//! A file in the vendor's directory says where the key is: the module, the label of the token, the label of the key. The token signs by
//! EdDSA. The caller verifies the signature.

use std::path::PathBuf;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use serde::{Deserialize, Serialize};
use shared::envelope::PublicKey;

use crate::custody::{Passphrase, Token};
use crate::error::VendorError;
use crate::registry::Version1;

/// "edwards25519" as a name, which PKCS #11 3.0 wants.
const CURVE_BY_NAME: &[u8] = b"\x13\x0cedwards25519";

/// The same as the OID 1.3.101.112, which later versions and some tokens want.
const CURVE_BY_OID: &[u8] = b"\x06\x03\x2b\x65\x70";

/// Where a key on a token is, as its file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenFile {
    version: Version1,
    module: PathBuf,
    token: String,
    key: String,
}

impl TokenFile {
    pub(crate) fn token(&self) -> Token {
        Token { module: self.module.clone(), label: self.token.clone() }
    }

    /// The key, for which the token asks for its PIN.
    pub(crate) fn open(&self, pin: &Passphrase) -> Result<TokenKey, VendorError> {
        let token = self.token();
        let failed = |doing| token.failed(doing);
        let session = token.session(pin)?;
        let wanted = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(KeyType::EC_EDWARDS),
            Attribute::Label(self.key.as_bytes().to_vec()),
        ];
        let found = session.find_objects(&wanted).map_err(failed("search"))?;
        let [key] = found[..] else {
            return Err(VendorError::NotOnToken { token: self.token.clone(), key: self.key.clone() });
        };
        Ok(TokenKey { token, session, key })
    }
}

/// A private key on a token that is open.
pub(crate) struct TokenKey {
    token: Token,
    session: Session,
    key: ObjectHandle,
}

impl TokenKey {
    /// The signature of these bytes.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, VendorError> {
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
        self.session.sign(&mechanism, self.key, bytes).map_err(self.token.failed("sign with"))
    }
}

impl Token {
    /// Makes a key of this name on the token. Returns what its file has to say, and the public half.
    pub(crate) fn generate(
        &self,
        key: &str,
        pin: &Passphrase,
    ) -> Result<(TokenFile, PublicKey), VendorError> {
        let session = self.session(pin)?;
        let label = Attribute::Label(key.as_bytes().to_vec());
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            label.clone(),
        ];
        let pair = |curve: &[u8]| {
            let curve = Attribute::EcParams(curve.to_vec());
            let public = [Attribute::Token(true), Attribute::Verify(true), label.clone(), curve];
            session.generate_key_pair(&Mechanism::EccEdwardsKeyPairGen, &public, &private)
        };
        let (public, _) =
            pair(CURVE_BY_NAME).or_else(|_| pair(CURVE_BY_OID)).map_err(self.failed("make a key on"))?;
        let point = session.get_attributes(public, &[AttributeType::EcPoint]);
        let point = point.map_err(self.failed("read the public key of"))?;
        let public = point.first().and_then(public_key);
        let public = public.ok_or_else(|| self.failed("read the public key of")(Error::InvalidValue))?;
        let file = TokenFile {
            version: Version1,
            module: self.module.clone(),
            token: self.label.clone(),
            key: key.to_owned(),
        };
        Ok((file, public))
    }

    /// A session of the token's user.
    fn session(&self, pin: &Passphrase) -> Result<Session, VendorError> {
        let module = Pkcs11::new(&self.module);
        let module = module.map_err(|source| VendorError::Module { module: self.module.clone(), source })?;
        let begun = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        unless(begun, RvError::CryptokiAlreadyInitialized).map_err(self.failed("begin with"))?;
        let mut others = Vec::new();
        for slot in module.get_slots_with_initialized_token().map_err(self.failed("look for"))? {
            let label = module.get_token_info(slot).map_err(self.failed("look at"))?.label().to_owned();
            if label != self.label {
                others.push(label);
                continue;
            }
            let session = module.open_rw_session(slot).map_err(self.failed("open"))?;
            let entered = session.login(UserType::User, Some(pin));
            unless(entered, RvError::UserAlreadyLoggedIn).map_err(|error| match error {
                Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
                    VendorError::WrongPin(self.label.clone())
                }
                other => self.failed("log in to")(other),
            })?;
            return Ok(session);
        }
        others.sort_unstable();
        Err(VendorError::NoToken { label: self.label.clone(), others })
    }

    fn failed(&self, doing: &'static str) -> impl Fn(Error) -> VendorError {
        move |source| VendorError::Token { doing, token: self.label.clone(), source }
    }
}

/// Treats this one error as success, because everything in this process shares the module.
fn unless(result: Result<(), Error>, harmless: RvError) -> Result<(), Error> {
    match result {
        Err(Error::Pkcs11(error, _)) if error == harmless => Ok(()),
        other => other,
    }
}

/// The key in a point: 32 bytes, as they are or in an octet or bit string of DER.
fn public_key(point: &Attribute) -> Option<PublicKey> {
    let Attribute::EcPoint(point) = point else { return None };
    let ([0x04, 0x20, bytes @ ..] | [0x03, 0x21, 0x00, bytes @ ..] | bytes) = &point[..];
    PublicKey::from_slice(bytes).ok()
}
