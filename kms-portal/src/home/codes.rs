//! The code key of a portal whose vendor activates by telephone: the key, its request for the offline tool, and its certificates.
//!
//! A product carries the certificate for as long as it is used, so a new one is added to those that are there.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rand::CryptoRng;
use server::fixable::FixableError;
use shared::certificate::ChainError;
use shared::codes::CodeCertificate;
use shared::envelope::EnvelopeError;
use shared::files::{self, CODE_CERTIFICATE, CODE_KEY, RequestedKey};
use shared::ids::ProductId;
use shared::time::Timestamp;
use store::regular;

use super::error::{PortalHomeError, Trouble};
use super::{InstalledCertificate, PUBLIC, PortalHome, make_key, make_request, replace};
use crate::issue::CodeSigner;

/// What [`PortalHome::init_codes`] has made. Everything else existed and is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MadeCodeKey {
    /// The code key.
    pub key: bool,
    /// The request for the offline tool.
    pub request: bool,
}

/// A certificate that was installed.
struct KeptCertificate {
    body: Vec<u8>,
    certificate: CodeCertificate,
    /// Whether it is of a root that was replaced since. Products in use still read codes by it.
    is_of_old_root: bool,
}

impl PortalHome {
    /// The request for the code key, to carry to the offline tool.
    pub fn code_request_path(&self) -> PathBuf {
        self.data.join("code-request.pem")
    }

    pub(super) fn code_key_path(&self) -> PathBuf {
        self.secrets.join("code.key")
    }

    fn code_certificates_path(&self) -> PathBuf {
        self.data.join("code.certificates")
    }

    /// Makes the code key and its request, where they are missing.
    ///
    /// # Errors
    /// A part is damaged, or the disk refuses.
    pub fn init_codes(&self, random: &mut impl CryptoRng) -> Result<MadeCodeKey, PortalHomeError> {
        self.check_secrets()?;
        let path = self.code_key_path();
        let (key, made_key) = match self.private_key(&path, CODE_KEY)? {
            Some(key) => (key, false),
            None => (make_key(&path, CODE_KEY, random)?, true),
        };
        Ok(MadeCodeKey {
            key: made_key,
            request: make_request(&self.code_request_path(), RequestedKey::Code, &key)?,
        })
    }

    /// The code key with its certificates, if this portal has one.
    ///
    /// # Errors
    /// A file is damaged, or the key of the certificates is missing.
    pub fn code_signer(&self) -> Result<Option<CodeSigner>, PortalHomeError> {
        let certificates = self.code_certificates()?;
        let path = self.code_key_path();
        match self.private_key(&path, CODE_KEY)? {
            Some(key) => {
                let valid = certificates.into_iter().filter(|kept| !kept.is_of_old_root);
                Ok(Some(CodeSigner::new(key, valid.map(|kept| kept.certificate).collect())))
            }
            None if certificates.is_empty() => Ok(None),
            None => Err(PortalHomeError::missing(&path, &self.data)),
        }
    }

    /// Every certificate that was installed, the oldest first.
    fn code_certificates(&self) -> Result<Vec<KeptCertificate>, PortalHomeError> {
        let path = self.code_certificates_path();
        let text = match regular::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(PortalHomeError::unreadable(&path, error)),
        };
        let roots = self.roots()?;
        let bodies = files::all_from_pem(CODE_CERTIFICATE, &text);
        // A file without any is not that of a portal without codes: it would stop confirming, and nobody would be told.
        let bodies = bodies.ok().filter(|bodies| !bodies.is_empty()).ok_or_else(|| self.damaged(&path))?;
        let read = |body: Vec<u8>| {
            let (certificate, is_of_old_root) = match CodeCertificate::verify(&body, &roots) {
                Err(ChainError::IssuingCertificate(EnvelopeError::OtherKey)) => {
                    (CodeCertificate::read_unverified(&body), true)
                }
                verified => (verified, false),
            };
            let certificate = certificate.map_err(|error| {
                let text = format!("{} cannot be used", path.display());
                let remedy = "restore it from a backup, or remove it and install the certificates again";
                PortalHomeError::new(Trouble::Data, FixableError::new(text, remedy).because(error))
            })?;
            Ok(KeptCertificate { body, certificate, is_of_old_root })
        };
        bodies.into_iter().map(|body| read(body.to_vec())).collect()
    }

    /// Adds a certificate for this portal's code key, unless it is there. The last that is valid signs.
    ///
    /// # Errors
    /// No root has signed it; it is for another key; it has ended; it contradicts an installed one or lacks a feature set of it; or the
    /// disk refuses.
    pub fn install_code_key(
        &self,
        text: &[u8],
        from: &Path,
        now: Timestamp,
    ) -> Result<InstalledCertificate<CodeCertificate>, PortalHomeError> {
        let refused = |cause: String, remedy: String| {
            let text = format!("{} cannot be installed", from.display());
            PortalHomeError::new(Trouble::Data, FixableError::new(text, remedy).because(cause))
        };
        let how = self.how_to_certify_codes();
        let body = files::from_pem(CODE_CERTIFICATE, text);
        let body = body.map_err(|error| refused(error.to_string(), how.clone()))?;
        let certificate = CodeCertificate::verify(&body, &self.roots()?);
        let certificate = certificate.map_err(|error| refused(error.to_string(), how.clone()))?;
        let limits = &certificate.limits;
        let key = self.private_key(&self.code_key_path(), CODE_KEY)?;
        if key.is_none_or(|key| key.public() != limits.public_key) {
            return Err(refused("it is for another key than this portal's code key".to_owned(), how));
        }
        if limits.not_after <= now {
            return Err(refused(format!("it has ended at {}", limits.not_after), how));
        }
        let mut installed = self.code_certificates()?;
        if installed.iter().any(|kept| kept.certificate.limits.id == limits.id) {
            return Ok(InstalledCertificate { certificate, is_new: false });
        }
        let other = installed.iter().find_map(|kept| contradiction(&kept.certificate, &certificate));
        if let Some((place, before)) = other {
            let cause = format!("its feature set {place} is not the {before:?} of a certificate before");
            let remedy = "products know a set by its place: sign again with the sets of that certificate first, and new ones behind them";
            return Err(refused(cause, remedy.to_owned()));
        }
        let (body, is_of_old_root) = (body.to_vec(), false);
        installed.push(KeptCertificate { body, certificate: certificate.clone(), is_of_old_root });
        let mut pem = String::new();
        for KeptCertificate { body, .. } in &installed {
            let _ = pem.write_str(&files::to_pem(CODE_CERTIFICATE, body));
        }
        replace(&self.code_certificates_path(), pem.as_bytes(), PUBLIC)?;
        Ok(InstalledCertificate { certificate, is_new: true })
    }

    /// What to do if a root has revoked the certificate of the code key.
    pub fn how_to_replace_code_key(&self) -> String {
        let (key, certificates) = (self.code_key_path(), self.code_certificates_path());
        format!(
            "move {} and {} away, {}, and ship products with that certificate alone",
            key.display(),
            certificates.display(),
            self.how_to_certify_codes()
        )
    }

    /// What to do if the code key has no valid certificate.
    pub fn how_to_certify_codes(&self) -> String {
        let (request, data) = (self.code_request_path(), self.data.display());
        let request = request.display();
        format!(
            "run `kms-portal init --codes --data {data}`, which makes the code key and its request where there is none, have the vendor's offline tool sign its \
             request (`kms-vendor code-key sign --request {request} --out code.pem`), then run `kms-portal install-code-key code.pem \
             --data {data}`"
        )
    }
}

/// The first place at which the new certificate has another feature set than the old one, or none, and the old set. Products know a set
/// by its place, and keys were sold with each set.
fn contradiction(before: &CodeCertificate, new: &CodeCertificate) -> Option<(usize, String)> {
    let is_of = |product: &ProductId| new.limits.covers(*product);
    let shares =
        if before.limits.products.is_empty() { true } else { before.limits.products.iter().any(is_of) };
    if !shares || before.limits.public_key != new.limits.public_key {
        return None;
    }
    let mut sets = before.feature_sets.iter().enumerate();
    sets.find_map(|(index, old)| {
        (new.feature_sets.get(index) != Some(old)).then(|| (index + 1, old.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shared::certificate::IssuingCertificate;
    use shared::envelope::{Kind, SecretKey};
    use shared::features::Features;
    use shared::files::KeyRequest;
    use shared::ids::CertificateId;
    use tempfile::TempDir;

    use super::*;
    use crate::config::PortalSettingSources;
    use crate::doctor::{PortalHealth, examine};

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
    const YEAR: Duration = Duration::from_hours(365 * 24);

    /// A portal of a vendor with this root, and nothing in it but its code key.
    fn portal() -> (TempDir, PortalHome, SecretKey) {
        let folder = tempfile::tempdir().unwrap();
        let home = PortalHome::at(folder.path());
        let root = SecretKey::from_seed(&[1; 32]);
        let hex = |key: &SecretKey| data_encoding::HEXLOWER.encode(key.public().as_bytes());
        let roots = format!("{}\n{}\n", hex(&root), hex(&SecretKey::from_seed(&[2; 32])));
        std::fs::write(home.roots_path(), roots).unwrap();
        let made = home.init_codes(&mut rand::rng()).unwrap();
        assert!(made.key && made.request);
        assert_eq!(home.init_codes(&mut rand::rng()).unwrap(), MadeCodeKey::default());
        (folder, home, root)
    }

    /// What the offline tool would sign for this key.
    fn signed(root: &SecretKey, key: &SecretKey, id: u8, years: u32, sets: &[&str]) -> String {
        let certificate = CodeCertificate {
            limits: IssuingCertificate {
                id: CertificateId::from_bytes([id; 16]),
                public_key: key.public(),
                not_before: NOW - YEAR,
                not_after: NOW - YEAR + YEAR * years,
                products: Vec::new(),
                test: false,
            },
            feature_sets: sets.iter().map(|set| Features::new(set.split(',')).unwrap()).collect(),
        };
        files::code_certificate_to_pem(&root.sign(Kind::CodeCertificate, &certificate.encode()))
    }

    fn install(home: &PortalHome, pem: &str) -> Result<InstalledCertificate<CodeCertificate>, String> {
        let installed = home.install_code_key(pem.as_bytes(), Path::new("code.pem"), NOW);
        installed.map_err(|error| crate::remedy::message(&error))
    }

    #[test]
    fn certificates_are_added_and_none_is_taken_that_products_would_misread() {
        let (_folder, home, root) = portal();
        let request = std::fs::read(home.code_request_path()).unwrap();
        let key = home.private_key(&home.code_key_path(), CODE_KEY).unwrap().unwrap();
        assert_eq!(KeyRequest::from_pem(RequestedKey::Code, &request).unwrap().public_key, key.public());
        assert_eq!(home.code_signer().unwrap().unwrap().ends_at(), None);

        let first = signed(&root, &key, 1, 10, &["export"]);
        assert!(install(&home, &first).unwrap().is_new);
        assert!(!install(&home, &first).unwrap().is_new);
        install(&home, &signed(&root, &key, 2, 12, &["export", "3d"])).unwrap();
        let signer = home.code_signer().unwrap().unwrap();
        assert_eq!(signer.certificates().len(), 2);
        assert_eq!(signer.ends_at(), Some(NOW + 11 * YEAR));

        let stranger = SecretKey::from_seed(&[9; 32]);
        for (pem, wanted) in [
            (signed(&root, &key, 3, 12, &["3d", "export"]), "its feature set 1 is not the \"export\""),
            // Keys that were sold with it could not be confirmed any more.
            (signed(&root, &key, 3, 12, &["export"]), "its feature set 2 is not the \"3d\""),
            (signed(&root, &stranger, 4, 12, &[]), "for another key than this portal's code key"),
            (signed(&stranger, &key, 5, 12, &[]), "signed by another key"),
            (signed(&root, &key, 6, 1, &[]), "it has ended at"),
            ("garbage".to_owned(), "KMS CODE CERTIFICATE"),
        ] {
            let refused = install(&home, &pem).unwrap_err();
            assert!(refused.contains(wanted), "{refused}");
        }
        assert_eq!(home.code_signer().unwrap().unwrap().certificates().len(), 2);
    }

    /// Certificates of the root before said nothing any more, so one with other sets was taken, and products read codes by the old places.
    #[test]
    fn the_sets_of_a_certificate_outlive_the_root_that_has_signed_it() {
        let (_folder, home, root) = portal();
        let key = home.private_key(&home.code_key_path(), CODE_KEY).unwrap().unwrap();
        install(&home, &signed(&root, &key, 1, 10, &["export", "3d"])).unwrap();
        let (new, kept) = (SecretKey::from_seed(&[3; 32]), SecretKey::from_seed(&[2; 32]));
        let hex = |key: &SecretKey| data_encoding::HEXLOWER.encode(key.public().as_bytes());
        std::fs::write(home.roots_path(), format!("{}\n{}\n", hex(&new), hex(&kept))).unwrap();
        assert_eq!(
            home.code_signer().unwrap().unwrap().ends_at(),
            None,
            "nothing is confirmed under the old one"
        );

        let refused = install(&home, &signed(&kept, &key, 2, 12, &["3d", "export"])).unwrap_err();
        assert!(refused.contains("its feature set 1 is not the \"export\""), "{refused}");
        install(&home, &signed(&kept, &key, 2, 12, &["export", "3d", "zip"])).unwrap();
        assert_eq!(home.code_signer().unwrap().unwrap().certificates().len(), 1);
    }

    #[tokio::test]
    async fn the_doctor_says_a_month_before_that_the_code_certificate_ends() {
        let (_folder, home, root) = portal();
        let found = async |at| {
            let sources = PortalSettingSources::new(None, home.path());
            let found =
                examine(&home, &sources, at).await.into_iter().find(|finding| finding.what == "codes");
            found.map(|finding| (finding.health, finding.text)).unwrap()
        };
        let (health, text) = found(NOW).await;
        assert!(health == PortalHealth::Warn && text.starts_with("no certificate"), "{text}");
        let key = home.private_key(&home.code_key_path(), CODE_KEY).unwrap().unwrap();
        install(&home, &signed(&root, &key, 1, 2, &[])).unwrap();
        let (end, month) = (NOW + YEAR, Duration::from_hours(30 * 24));
        assert_eq!(found(end - month - Duration::from_millis(1)).await.0, PortalHealth::Ok);
        for (at, wanted) in [(end - month, "ends in 30 d;"), (end, "has ended at")] {
            let (health, text) = found(at).await;
            assert!(health == PortalHealth::Warn && text.contains(wanted), "{text}");
            assert!(text.contains("kms-portal install-code-key code.pem --data "), "{text}");
        }
    }

    #[test]
    fn a_lost_code_key_is_missed_and_a_portal_without_codes_misses_nothing() {
        let (_folder, home, root) = portal();
        let key = home.private_key(&home.code_key_path(), CODE_KEY).unwrap().unwrap();
        install(&home, &signed(&root, &key, 1, 10, &[])).unwrap();
        std::fs::remove_file(home.code_key_path()).unwrap();
        let missed = home.code_signer().unwrap_err();
        assert_eq!(missed.trouble(), Trouble::Missing);
        std::fs::remove_file(home.code_certificates_path()).unwrap();
        assert!(home.code_signer().unwrap().is_none());
    }
}
