//! The certificates of this host: which one answers for a product, and how leases of siblings are verified.
//!
//! A host holds several: one for each product, possibly from several vendors, and for a while two for one product after a renewal.
//! `shared::certificate` has the rule that chooses. This file says why a certificate is not used. `home/certificates.rs` reads and
//! installs their files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::v1;
use shared::certificate::{self, Chain, ChainError, HostCertificate, Roots};
use shared::count::Terms;
use shared::envelope::PublicKey;
use shared::ids::{CertificateId, KeyId, OrganisationId, ProductId};
use shared::revocation::{Revocations, SignedList};
use shared::time::Timestamp;

pub(crate) use server::tls::ENDS_SOON;

/// The log warns this long before the end of a certificate, and at its end.
const WARN_BEFORE: [Duration; 5] = [days(90), days(60), ENDS_SOON, days(7), Duration::ZERO];

const fn days(number: u64) -> Duration {
    Duration::from_hours(24 * number)
}

/// One certificate as the vendor has issued it, verified against the vendor's roots.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The chain.
    pub chain: Chain,
    /// The vendor's roots. Chains of siblings are verified with them.
    pub roots: Arc<Roots>,
    /// Its file.
    pub path: PathBuf,
}

/// A certificate file that cannot be used. It is ignored, so that other products are served.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, in one line.
    pub cause: String,
    /// What to do, in one line.
    pub remedy: String,
}

impl Installed {
    /// Verifies the chain of a sibling's lease: it has to end in the same vendor's roots.
    ///
    /// # Errors
    /// See [`ChainError`].
    pub fn verify_sibling(&self, chain: &Bytes) -> Result<Chain, ChainError> {
        Chain::verify(chain, &self.roots)
    }
}

/// Every certificate of this host, by product, and the files that cannot be used.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    by_product: BTreeMap<ProductId, Vec<Installed>>,
    known: BTreeMap<ProductId, Installed>,
    left_out: Vec<LeftOut>,
    /// What each vendor has taken back, by its roots.
    revocations: Vec<(Arc<Roots>, Revocations)>,
}

/// A vendor that replaces a root signs with the other one, and sends the new pair along. The chain holds then under the roots that
/// machines know, and no other root is believed: anybody could have put it into the file.
fn limit_roots(one: &mut Installed, known: &BTreeMap<ProductId, Installed>) {
    let Some(known) = known.get(&one.chain.host().product) else { return };
    if !one.roots.are_among(&known.roots) && Chain::verify(one.chain.encoded(), &known.roots).is_ok() {
        one.roots = known.roots.clone();
    }
}

/// What a vendor has taken back of which there is no list.
static NOTHING_REVOKED: Revocations = Revocations::NONE;

impl Certificates {
    /// These certificates. A certificate in two files counts once.
    pub fn new(installed: impl IntoIterator<Item = Installed>) -> Certificates {
        let mut certificates = Certificates::default();
        certificates.extend(installed);
        certificates
    }

    fn extend(&mut self, installed: impl IntoIterator<Item = Installed>) {
        for one in installed {
            let of_product = self.by_product.entry(one.chain.host().product).or_default();
            if of_product.iter().all(|other| other.chain.host().id != one.chain.host().id) {
                of_product.push(one);
            }
        }
    }

    /// Adds the certificate of each product that says what its machines know: their organisation and their vendor.
    #[must_use]
    pub fn with_known(mut self, known: impl IntoIterator<Item = Installed>) -> Certificates {
        self.known.extend(known.into_iter().map(|one| (one.chain.host().product, one)));
        for one in self.by_product.values_mut().flatten() {
            limit_roots(one, &self.known);
        }
        self
    }

    /// A certificate with the roots that are believed of those that came along.
    #[must_use]
    pub fn believing(&self, mut one: Installed) -> Installed {
        limit_roots(&mut one, &self.known);
        one
    }

    /// Adds the files that cannot be used.
    #[must_use]
    pub fn with_left_out(self, left_out: Vec<LeftOut>) -> Certificates {
        Certificates { left_out, ..self }
    }

    /// Adds revocation lists. Each counts for the vendors under whose roots it verifies.
    #[must_use]
    pub fn with_revocations(mut self, lists: &[v1::SignedRevocationList]) -> Certificates {
        let roots: Vec<_> = self.all().chain(self.known.values()).map(|one| one.roots.clone()).collect();
        for roots in roots {
            let index = self.revocations.iter().position(|(known, _)| *known == roots);
            let index = index.unwrap_or_else(|| {
                self.revocations.push((roots.clone(), Revocations::default()));
                self.revocations.len() - 1
            });
            self.revocations[index].1.take_all(lists, &roots);
        }
        self
    }

    /// What the vendor of this certificate has taken back.
    pub fn revocations(&self, installed: &Installed) -> &Revocations {
        let of_vendor = self.revocations.iter().find(|(roots, _)| *roots == installed.roots);
        of_vendor.map_or(&NOTHING_REVOKED, |(_, revocations)| revocations)
    }

    /// The numbers of the lists of the vendor, to ask for newer ones. With several vendors there, none: a portal tells what it has.
    pub fn known_revocations(&self) -> v1::KnownRevocations {
        match self.revocations.as_slice() {
            [(_, of_vendor)] => of_vendor.known(),
            _ => v1::KnownRevocations::default(),
        }
    }

    /// Every revocation list that counts, each once.
    pub fn revocation_lists(&self) -> Vec<&SignedList> {
        let mut lists: Vec<&SignedList> = Vec::new();
        for list in self.revocations.iter().flat_map(|(_, revocations)| revocations.lists()) {
            if lists.iter().all(|other| other.wire() != list.wire()) {
                lists.push(list);
            }
        }
        lists
    }

    /// The files that cannot be used.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Adds from `before` the certificates whose file cannot be used any more, and what machines know: a bad disk or a mistake does not
    /// take away what a running host has verified.
    #[must_use]
    pub fn keeping(mut self, before: &Certificates) -> Certificates {
        let is_left_out = |one: &&Installed| self.left_out.iter().any(|left_out| left_out.path == one.path);
        let kept: Vec<_> = before.all().filter(is_left_out).cloned().collect();
        self.extend(kept);
        for (product, known) in &before.known {
            self.known.entry(*product).or_insert_with(|| known.clone());
        }
        let lists: Vec<_> = before.revocation_lists().into_iter().map(|list| list.wire().clone()).collect();
        self.with_revocations(&lists)
    }

    /// All certificates.
    pub fn all(&self) -> impl Iterator<Item = &Installed> {
        self.by_product.values().flatten()
    }

    /// The certificates for a product.
    pub fn of(&self, product: ProductId) -> &[Installed] {
        self.by_product.get(&product).map_or(&[], Vec::as_slice)
    }

    /// The certificate that answers for a product now: the rule's choice among those that machines accept.
    pub fn current(&self, product: ProductId, now: Timestamp) -> Option<&Installed> {
        let installed = self.of(product);
        let settled = self.settled(product, now)?;
        let taken = installed.iter().filter(|one| Difference::between(one, settled).is_none());
        let chosen = certificate::choose(taken.map(|one| &one.chain), now)?;
        installed.iter().find(|one| one.chain.host().id == chosen.host().id)
    }

    /// The certificate that says what machines of a product know: the noted one, or else the first that was issued of those that are
    /// valid. One that is marked as test gives way to one that is not.
    fn settled(&self, product: ProductId, now: Timestamp) -> Option<&Installed> {
        let installed = self.of(product);
        let known = self.known.get(&product);
        let fits = |one: &&Installed| known.is_none_or(|known| Difference::between(one, known).is_none());
        let valid = installed.iter().filter(fits).filter(|one| one.chain.check_valid_at(now).is_ok());
        let first = valid.min_by_key(|one| (one.chain.host().test, one.chain.issue_order()));
        let gives_way = |known: &&Installed| {
            known.chain.host().test && first.is_some_and(|first| !first.chain.host().test)
        };
        known.filter(|known| !gives_way(known)).or(first).or_else(|| {
            let chosen = certificate::choose(installed.iter().map(|one| &one.chain), now)?;
            installed.iter().find(|one| one.chain.host().id == chosen.host().id)
        })
    }

    /// The certificates to note, for products without a note or with one that is marked as test and gives way.
    pub fn to_note(&self, now: Timestamp) -> Vec<&Installed> {
        let settled = self.by_product.keys().filter_map(|product| self.settled(*product, now));
        let is_noted = |one: &Installed| {
            let known = self.known.get(&one.chain.host().product);
            known.is_some_and(|known| known.chain.host().id == one.chain.host().id)
        };
        settled.filter(|one| !is_noted(one)).collect()
    }

    /// The difference that makes machines refuse a certificate, if they know another one of its product.
    pub fn difference(&self, one: &Installed, now: Timestamp) -> Option<Difference> {
        self.settled(one.chain.host().product, now).and_then(|settled| Difference::between(one, settled))
    }

    /// The certificates that have not ended and that no machine of this organisation would accept, each with the reason.
    pub fn strange(&self, now: Timestamp) -> Vec<(&Installed, Difference)> {
        let lasting = self.all().filter(|one| now < one.chain.ends_at());
        lasting.filter_map(|one| Some((one, self.difference(one, now)?))).collect()
    }

    /// Why a certificate does not answer for its product now; none for the one that does.
    pub fn why_not(&self, installed: &Installed, now: Timestamp) -> Option<WhyNot> {
        let certificate = installed.chain.host();
        let used = self.current(certificate.product, now).map(|used| used.chain.host());
        if used.is_some_and(|used| used.id == certificate.id) {
            return None;
        }
        let difference = self.difference(installed, now).filter(|_| now < installed.chain.ends_at());
        if let Some(difference) = difference {
            return Some(WhyNot::Differs(difference));
        }
        Some(match (installed.chain.check_valid_at(now), used) {
            (Err(ChainError::NotYetValid { .. }), _) => {
                WhyNot::NotBegun { begins_at: installed.chain.begins_at() }
            }
            (Ok(()), Some(used)) => {
                WhyNot::IssuedEarlier { at: certificate.dated(), used: used.id, used_at: used.dated() }
            }
            _ => WhyNot::Ended { ended_at: installed.chain.ends_at() },
        })
    }

    /// The unused certificates for a product, with the reason. One that was in use until it ended is left out, because its reason is
    /// obvious.
    pub fn unused(&self, product: ProductId, now: Timestamp) -> Vec<(&Installed, WhyNot)> {
        let used = self.current(product, now).map(|used| used.chain.issue_order());
        let unused = self.of(product).iter().filter_map(|one| Some((one, self.why_not(one, now)?)));
        let is_past = |one: &Installed, why: &WhyNot| {
            matches!(why, WhyNot::Ended { .. }) && used.is_some_and(|used| one.chain.issue_order() < used)
        };
        unused.filter(|(one, why)| !is_past(one, why)).collect()
    }

    /// Every product with a certificate.
    pub fn each_product(&self) -> impl Iterator<Item = ProductId> {
        self.by_product.keys().copied()
    }

    /// The product's name in a certificate.
    pub fn name(&self, product: ProductId) -> Option<&str> {
        self.of(product).first().map(|one| one.chain.host().product_name.as_str())
    }

    /// Each product with the certificate that answers now.
    pub fn products(&self, now: Timestamp) -> impl Iterator<Item = (ProductId, &Installed)> {
        self.by_product.keys().filter_map(move |product| Some((*product, self.current(*product, now)?)))
    }

    /// The numbers that the ledger needs, for each product.
    pub fn terms(&self, now: Timestamp) -> Vec<(ProductId, Terms)> {
        self.products(now).map(|(product, installed)| (product, terms(&installed.chain))).collect()
    }

    /// "With several products the longest window counts."
    pub fn longest_window(&self) -> Duration {
        self.all().map(|one| one.chain.host().policy.count_window).max().unwrap_or_default()
    }

    /// Whether every certificate is marked as test.
    pub fn all_test(&self) -> bool {
        self.all().all(|one| one.chain.host().test)
    }

    /// Certificates in use whose end has come within one of the warning marks since `before`, or has passed, with their end.
    pub fn to_warn_of(&self, before: Timestamp, now: Timestamp) -> Vec<(&Installed, Timestamp)> {
        let passed = |ends_at: &Timestamp| {
            WARN_BEFORE
                .iter()
                .map(|before_end| *ends_at - *before_end)
                .any(|mark| before < mark && mark <= now)
        };
        let current = self.products(now).map(|(_, installed)| (installed, installed.chain.ends_at()));
        current.filter(|(_, ends_at)| passed(ends_at)).collect()
    }
}

/// The difference that makes machines refuse the answers under a certificate, although they accepted those under another one. The text
/// follows "it is not used: ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It names another organisation.
    Organisation {
        /// The one that it names, by name and id.
        theirs: (String, OrganisationId),
        /// The one before.
        ours: (String, OrganisationId),
    },
    /// It brings root keys that its machines do not know.
    Vendor {
        /// Those that it brings.
        theirs: Vec<KeyId>,
        /// Those that are known.
        ours: Vec<KeyId>,
    },
    /// It is marked as test, and the other one is not.
    Test,
}

impl Difference {
    /// Between a certificate and one of the same product that machines know.
    pub fn between(one: &Installed, known: &Installed) -> Option<Difference> {
        let (theirs, ours) = (one.chain.host(), known.chain.host());
        let organisation = |host: &HostCertificate| (host.organisation_name.clone(), host.organisation);
        let keys = |roots: &Roots| roots.keys().iter().map(PublicKey::key_id).collect();
        if theirs.organisation != ours.organisation {
            return Some(Difference::Organisation { theirs: organisation(theirs), ours: organisation(ours) });
        }
        if !one.roots.are_among(&known.roots) {
            return Some(Difference::Vendor { theirs: keys(&one.roots), ours: keys(&known.roots) });
        }
        (theirs.test && !ours.test).then_some(Difference::Test)
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Difference::Organisation { .. } => {
                "ask the vendor for one of the organisation that machines know, by its id. If the other one is meant, install it \
                 with --new-organisation: machines that have a license refuse it until `kms-client organisation clear`"
            }
            Difference::Vendor { .. } => {
                "compare the digests with those that the vendor's `kms-vendor roots` prints; if they are the vendor's, install it \
                 with --new-vendor"
            }
            Difference::Test => {
                "ask the vendor for one that is not marked as test; if it is meant, install it with --test"
            }
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Organisation { theirs, ours } => write!(
                f,
                "it names the organisation {:?} ({}), and machines are licensed to another one, {:?} ({})",
                theirs.0, theirs.1, ours.0, ours.1
            ),
            Difference::Vendor { theirs, ours } => {
                let list = |keys: &[KeyId]| keys.iter().map(KeyId::to_string).collect::<Vec<_>>().join(", ");
                write!(
                    f,
                    "it brings root keys of another vendor (digests {}), and those known for the product are {}",
                    list(theirs),
                    list(ours)
                )
            }
            Difference::Test => f.write_str("it is marked as test, and another one for the product is not"),
        }
    }
}

/// The differences from the earlier certificate that an administrator has allowed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed {
    /// `--new-organisation`.
    pub organisation: bool,
    /// `--new-vendor`.
    pub vendor: bool,
    /// `--test`.
    pub test: bool,
}

impl Allowed {
    /// Whether this difference is allowed.
    pub fn covers(self, difference: &Difference) -> bool {
        match difference {
            Difference::Organisation { .. } => self.organisation,
            Difference::Vendor { .. } => self.vendor,
            Difference::Test => self.test,
        }
    }
}

/// Why an installed certificate does not answer for its product. The text follows "it is not used: ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// Machines would not accept it.
    Differs(Difference),
    /// It is not valid yet.
    NotBegun {
        /// When it begins.
        begins_at: Timestamp,
    },
    /// It is not valid any more.
    Ended {
        /// When it ended.
        ended_at: Timestamp,
    },
    /// It is valid, but another valid one was issued later.
    IssuedEarlier {
        /// When it was issued.
        at: Timestamp,
        /// The one that is used.
        used: CertificateId,
        /// When that was issued.
        used_at: Timestamp,
    },
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhyNot::Differs(difference) => difference.fmt(f),
            WhyNot::NotBegun { begins_at } => write!(f, "it begins only at {begins_at}"),
            WhyNot::Ended { ended_at } => write!(f, "it has ended at {ended_at}"),
            // Less than a second apart, or equal and ordered by start and id.
            WhyNot::IssuedEarlier { at, used, used_at } if at.to_string() == used_at.to_string() => {
                write!(
                    f,
                    "it was issued at {at}, as was another one, {used}, which comes after it in the order of certificates"
                )
            }
            WhyNot::IssuedEarlier { at, used, used_at } => {
                write!(f, "it was issued at {at}, and another one, {used}, later, at {used_at}")
            }
        }
    }
}

/// The numbers that the ledger needs.
pub fn terms(chain: &Chain) -> Terms {
    Terms::of(&chain.host().policy)
}

#[cfg(test)]
mod tests {
    use shared::reason::Word;

    use super::*;

    #[test]
    fn the_text_of_the_alarm_says_when_it_begins() {
        let before_end = format!("within {} days", ENDS_SOON.as_secs() / (24 * 3600));
        assert!(Word::CERTIFICATE_ENDS_SOON.what.ends_with(&before_end), "{before_end}");
    }
}
