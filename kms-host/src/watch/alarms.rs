//! Alarms: conditions that an administrator should look at. The log has events; an alarm stands for as long as its cause lasts.
//!
//! `status` shows alarms first, and scripts read their codes. Each is derived anew from the state of the host, so none has to be
//! cleared, and none outlives its cause.

use std::error::Error as _;

use ledger::{Disagreement, LedgerError, Restored};
use server::Source;
use server::accept::Crowding;
use server::audit::{Audit, Break};
use server::tls::{Flaw, TlsCertificate};
use shared::certificate::HostCertificate;
use shared::reason::{Explained, Reason, Word};
use shared::time::{Length, Timestamp};

use crate::activate::Host;
use crate::certificates::{Certificates, Difference, ENDS_SOON, Installed, LeftOut, terms};
use crate::fairness::{Inflating, Limiting};
use crate::portal::unrenewed::Unrenewed;
use crate::watch::space::Shortage;

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// A stable word in capitals.
    pub code: &'static str,
    /// The condition, in one line.
    pub text: String,
    /// What to do, in one line.
    pub remedy: &'static str,
    /// The beginning, if it is known.
    pub since: Option<Timestamp>,
}

impl Alarm {
    /// An alarm with the code and the remedy that `explain` prints.
    fn new(code: impl Into<Explained>, text: String) -> Alarm {
        let code = code.into();
        Alarm { code: code.code(), text, remedy: code.remedy(), since: None }
    }

    fn since(self, since: impl Into<Option<Timestamp>>) -> Alarm {
        Alarm { since: since.into(), ..self }
    }
}

impl Host {
    /// The present alarms, the gravest first. `tls` is the certificate that the door shows to machines.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn alarms(
        &self,
        tls: Option<TlsCertificate>,
        now: Timestamp,
    ) -> Result<Vec<Alarm>, LedgerError> {
        let mut alarms = Vec::new();
        alarms.extend(self.doubt().map(|doubt| Alarm::new(Reason::HostClock, doubt.to_string())));
        alarms.extend(self.space.shortage().map(of_space));
        alarms.extend(of_certificates(&self.certificates(), &self.unrenewed, now));
        alarms.extend(of_revoked(&self.certificates(), now));
        let rejections = self.rejections.standing(self.clock.monotonic());
        alarms.extend(rejections.iter().map(|(code, machines)| of_rejected(code, *machines)));
        alarms.extend(of_strange(&self.certificates(), now));
        alarms.extend(self.certificates().left_out().iter().map(of_left_out));
        alarms.extend(tls.and_then(|certificate| of_tls(&certificate, now)));
        alarms.extend(self.ledger.damage().map(|error| of_damage(&error)));
        alarms.extend(
            self.totals.disagreements().into_iter().map(|found| of_totals(&self.certificates(), found)),
        );
        alarms.extend(self.ledger.restored().await?.map(of_restored));
        alarms.extend(self.odd_counts(now).await?);
        let monotonic = self.clock.monotonic();
        let (new, bad) = (self.fairness.limiting_new(monotonic), self.fairness.limiting_bad(monotonic));
        alarms.extend(new.map(|new| {
            let text = format!("new machines are refused, {} a day", limit_of(&new, "new_machines"));
            Alarm::new(Reason::NewMachinesLimited, text).since(new.since)
        }));
        alarms.extend(bad.map(|bad| {
            let text = format!("asks are refused unread, {} a minute", limit_of(&bad, "bad_asks"));
            Alarm::new(Reason::TooManyBadAsks, text).since(bad.since)
        }));
        alarms.extend(self.fairness.crowding().map(of_crowding));
        Ok(alarms)
    }

    /// Alarms for products whose count is above what was paid for, or depends on the new machines of one source. None while the host
    /// doubts its clock, because it counts nobody then.
    async fn odd_counts(&self, now: Timestamp) -> Result<Vec<Alarm>, LedgerError> {
        let mut alarms = Vec::new();
        if self.doubt().is_some() {
            return Ok(alarms);
        }
        for (product, installed) in self.certificates().products(now) {
            let terms = terms(&installed.chain);
            let count = self.ledger.reading(product, &terms, now).await?.tally.total;
            alarms.extend(of_seats(installed.chain.host(), count));
            let inflating = self.fairness.inflating(product, count, terms.threshold, self.clock.monotonic());
            let name = &installed.chain.host().product_name;
            alarms.extend(inflating.map(|inflating| of_inflated(name, count, terms.threshold, inflating)));
        }
        Ok(alarms)
    }
}

/// Of the certificates in use. One that is about to end and is not in use may have a successor.
fn of_certificates(certificates: &Certificates, unrenewed: &Unrenewed, now: Timestamp) -> Vec<Alarm> {
    let ending = certificates.products(now).filter_map(|(product, installed)| {
        let (certificate, ends_at) = (installed.chain.host(), installed.chain.ends_at());
        let (name, left) = (&certificate.product_name, ends_at.since(now));
        let why = || {
            let why = unrenewed.why(product);
            why.map_or_else(String::new, |why| format!(". The vendor's portal has not renewed it: {why}"))
        };
        if ends_at <= now {
            let text =
                format!("the certificate for {name} has ended at {ends_at}: no lease is signed{}", why());
            return Some(Alarm::new(Reason::CertificateEnded, text).since(ends_at));
        }
        let text = || format!("the certificate for {name} ends in {}, at {ends_at}{}", Length(left), why());
        (left < ENDS_SOON).then(|| Alarm::new(Word::CERTIFICATE_ENDS_SOON, text()))
    });
    ending.collect()
}

/// Of certificates in use that the vendor has taken back. The host goes on, because machines that do not know it yet are served.
fn of_revoked(certificates: &Certificates, now: Timestamp) -> Vec<Alarm> {
    let revoked = certificates.products(now).filter_map(|(_, installed)| {
        let revoked = certificates.revocations(installed).of_chain(&installed.chain, now)?;
        let HostCertificate { id, product_name, .. } = installed.chain.host();
        let text = format!("the certificate {id} for {product_name} was {revoked}");
        Some(Alarm::new(Word::CERTIFICATE_REVOKED, text).since(revoked.at))
    });
    revoked.collect()
}

/// Of a certificate file that cannot be used. Its product is unknown, so no other alarm mentions it.
fn of_left_out(left_out: &LeftOut) -> Alarm {
    let text = format!("{} is ignored: {}", left_out.path.display(), left_out.cause);
    Alarm::new(Word::CERTIFICATE_UNUSABLE, text)
}

/// Of answers that machines do not accept, for one reason.
fn of_rejected(code: &str, machines: usize) -> Alarm {
    let reason = Reason::from_code(code);
    let remedy = match reason {
        Some(Reason::OtherOrganisation) => {
            "put back the certificate of the organisation that they know with `kms-host install-certificate ANSWER.pem \
             --new-organisation` (it was moved to certificates/replaced/), and reload the host. If the new organisation is meant, \
             run `kms-client organisation clear` on them"
        }
        Some(Reason::Untrusted) => {
            "compare the root digests that `install-certificate` shows with those that the product pins (`kms-vendor roots`), and \
             ask the vendor for a certificate under these"
        }
        Some(reason) => reason.remedy(),
        None => {
            "update this host: they are of a later release, and it does not know their reason. `kms-client status` on one of them \
             has the cause"
        }
    };
    let machines =
        if machines == 1 { "1 machine does".to_owned() } else { format!("{machines} machines do") };
    let text = format!("{machines} not accept the answers of this host ({code}), so it cannot license them");
    Alarm { remedy, ..Alarm::new(Word::ANSWERS_REJECTED, text) }
}

/// Of installed certificates that the host does not use, because machines would refuse its answers.
fn of_strange(certificates: &Certificates, now: Timestamp) -> Vec<Alarm> {
    let alarm = |(installed, difference): (&Installed, Difference)| {
        let certificate = installed.chain.host();
        let (id, name) = (certificate.id, &certificate.product_name);
        let is_answered = certificates.current(certificate.product, now).is_some();
        let and =
            if is_answered { "" } else { ". There is no other certificate, so no machine gets an answer" };
        let text = format!("the certificate {id} for {name} is not used: {difference}{and}");
        Alarm { remedy: difference.remedy(), ..Alarm::new(Word::CERTIFICATE_DIFFERS, text) }
    };
    certificates.strange(now).into_iter().map(alarm).collect()
}

/// Of the TLS certificate: machines that speak TLS refuse the host because of it.
fn of_tls(certificate: &TlsCertificate, now: Timestamp) -> Option<Alarm> {
    let flaw = certificate.flaw(now)?;
    let since = (flaw == Flaw::Ended).then_some(certificate.ends_at);
    Some(Alarm::new(flaw.word(), certificate.tell(flaw, now)).since(since))
}

fn of_space(shortage: Shortage) -> Alarm {
    let Shortage { since, free_bytes, needed_bytes } = shortage;
    let (free_mib, needed_mib) = (free_bytes >> 20, needed_bytes >> 20);
    let text = format!(
        "{free_mib} MiB are free on the disk of the data directory, and {needed_mib} are needed: no machine is counted"
    );
    Alarm::new(Reason::DiskFull, text).since(since)
}

/// Of an audit log that was changed, or that cannot be written. The administrators' service asks, because it has the log.
pub(crate) fn of_audit(audit: &Audit) -> Vec<Alarm> {
    let path = audit.path().display();
    let unwritable = audit.unwritable().map(|cause| {
        let text = format!("changes are refused, because {path} cannot be written: {cause}");
        Alarm::new(Reason::AuditUnwritable, text)
    });
    let broken = audit.broken().map(|Break { line, cause }| {
        let text = format!("the audit log {path} is not what was written, at line {line}: {cause}");
        Alarm::new(Word::AUDIT_BROKEN, text)
    });
    unwritable.into_iter().chain(broken).collect()
}

fn of_damage(error: &LedgerError) -> Alarm {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    let what = match error {
        LedgerError::Damaged { row } => format!("{row} is damaged"),
        _ => "a part of the ledger cannot be read".to_owned(),
    };
    Alarm::new(Reason::LedgerDamaged, format!("{what}, and machines in it are refused{cause}"))
}

fn of_totals(certificates: &Certificates, found: Disagreement) -> Alarm {
    let Disagreement { product, active, active_found, others } = found;
    let name = certificates.name(product).map_or_else(|| product.to_string(), str::to_owned);
    let text = if active == active_found && others {
        format!("the records of {name} do not add up to the numbers by hour and state that the ledger has")
    } else {
        format!("the ledger has {active} active machines of {name}, and its records are {active_found}")
    };
    Alarm::new(Word::LEDGER_TOTALS_DIFFER, text + ": records were lost or are older than they were")
}

fn of_restored(restored: Restored) -> Alarm {
    let text = format!(
        "machines show leases of this ledger that it does not remember ({} so far): it was restored from a backup, or runs twice",
        restored.machines
    );
    Alarm::new(Word::LEDGER_RESTORED, text).since(restored.at)
}

/// Of a count above the seats. No machine is refused, because whoever has paid for too few learns it here.
fn of_seats(certificate: &HostCertificate, count: u64) -> Option<Alarm> {
    let (name, seats) = (&certificate.product_name, certificate.seats?.get());
    let text = format!("{name} counts {count} machines, and {seats} are paid for: no machine is refused");
    (u64::from(seats) < count).then(|| Alarm::new(Word::SEATS_EXCEEDED, text))
}

fn of_inflated(product: &str, count: u64, threshold: u32, inflating: Inflating) -> Alarm {
    let Inflating { source, new, since } = inflating;
    let text = format!(
        "{product} counts {count} machines and needs {threshold}; {new} of them came in the last day, all from {source}"
    );
    Alarm::new(Word::NEW_MACHINES_OF_ONE_SOURCE, text).since(since)
}

fn of_crowding(crowding: Crowding) -> Alarm {
    let Crowding { source, connections, of } = crowding;
    let text = format!(
        "{connections} of {of} connections are held, most of them by {source}: its oldest are closed for newcomers"
    );
    Alarm::new(Word::CONNECTIONS_FULL, text)
}

/// Whom a limit refuses, and which setting it is.
fn limit_of(limiting: &Limiting, what: &str) -> String {
    let worst =
        limiting.worst.as_ref().map_or_else(|| "addresses not told apart".to_owned(), Source::to_string);
    let others = match limiting.sources {
        0 | 1 => String::new(),
        2 => " and others from another".to_owned(),
        sources => format!(" and others from {} more", sources - 1),
    };
    let (by, most) = (if limiting.limited.by_site { "site" } else { "source" }, limiting.limited.most);
    format!("{} from {worst}{others}: `{what}_per_{by}` is {most}", limiting.times)
}
