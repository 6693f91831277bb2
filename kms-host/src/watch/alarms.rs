//! What somebody should look at: conditions that stand for as long as they last, where the log has events.
//!
//! `status` shows them first, and a script reads their codes. Each is derived anew from what the host knows, so none has to be
//! cleared, and none outlives its cause.

use std::error::Error as _;
use std::time::Duration;

use ledger::{Disagreement, LedgerError, Restored};
use shared::reason::Reason;
use shared::time::{Length, Timestamp};

use crate::activate::Host;
use crate::admin::audit::{Audit, Break};
use crate::certificates::{Certificates, Difference, Installed, LeftOut, terms};
use crate::door::tls::{Flaw, TlsCertificate};
use crate::fairness::{Crowding, Inflating, Limiting, Source};
use crate::watch::space::Shortage;

/// How near a certificate's end is an alarm; the log warns earlier, too.
pub(crate) const CERTIFICATE_ENDS_SOON: Duration = Duration::from_hours(30 * 24);
pub(crate) const ANSWERS_REJECTED_CODE: &str = "ANSWERS_REJECTED";
pub(crate) const CERTIFICATE_DIFFERS_CODE: &str = "CERTIFICATE_DIFFERS";
pub(crate) const CERTIFICATE_ENDS_SOON_CODE: &str = "CERTIFICATE_ENDS_SOON";

/// A file among the certificates cannot be used.
pub(crate) const CERTIFICATE_UNUSABLE_CODE: &str = "CERTIFICATE_UNUSABLE";

const RENEW_TLS: &str = "have your CA sign a new one, put it into the files of `tls_certificate` and `tls_key`, and reload the host";

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// A stable word in capitals.
    pub code: &'static str,
    /// What it is, in one line.
    pub text: String,
    /// What to do, in one line.
    pub remedy: &'static str,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
}

impl Host {
    /// What somebody should look at now, the gravest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn alarms(&self, now: Timestamp) -> Result<Vec<Alarm>, LedgerError> {
        let mut alarms = Vec::new();
        alarms.extend(self.doubt().map(|doubt| Alarm {
            code: Reason::HostClock.code(),
            text: doubt.to_string(),
            remedy: Reason::HostClock.remedy(),
            since: None,
        }));
        alarms.extend(self.space.shortage().map(of_space));
        alarms.extend(of_certificates(&self.certificates(), now));
        let rejections = self.rejections.standing(self.clock.monotonic());
        alarms.extend(rejections.iter().map(|(code, machines)| of_rejected(code, *machines)));
        alarms.extend(of_strange(&self.certificates(), now));
        alarms.extend(self.certificates().left_out().iter().map(of_left_out));
        alarms.extend(self.tls_certificate().and_then(|certificate| of_tls(&certificate, now)));
        alarms.extend(self.ledger.damage().map(|error| of_damage(&error)));
        alarms.extend(
            self.totals.disagreements().into_iter().map(|found| of_totals(&self.certificates(), found)),
        );
        alarms.extend(self.ledger.restored().await?.map(of_restored));
        alarms.extend(self.inflated_counts(now).await?);
        let monotonic = self.clock.monotonic();
        alarms.extend(self.fairness.limiting_new(monotonic).map(|limiting| of_new_machines(&limiting)));
        alarms.extend(self.fairness.limiting_bad(monotonic).map(|limiting| of_bad_asks(&limiting)));
        alarms.extend(self.fairness.crowding().map(of_crowding));
        Ok(alarms)
    }

    /// Of each product whose count stands on the new machines of one source. In doubt nobody is counted, and nothing is said.
    async fn inflated_counts(&self, now: Timestamp) -> Result<Vec<Alarm>, LedgerError> {
        let mut alarms = Vec::new();
        if self.doubt().is_some() {
            return Ok(alarms);
        }
        for (product, installed) in self.certificates().products(now) {
            let terms = terms(&installed.chain);
            let count = self.ledger.reading(product, &terms, now).await?.tally.total;
            let inflating = self.fairness.inflating(product, count, terms.threshold, self.clock.monotonic());
            let name = &installed.chain.host().product_name;
            alarms.extend(inflating.map(|inflating| of_inflated(name, count, terms.threshold, inflating)));
        }
        Ok(alarms)
    }
}

/// Of the certificates that answer now: one that is about to end may have a successor already.
fn of_certificates(certificates: &Certificates, now: Timestamp) -> Vec<Alarm> {
    let ending = certificates.products(now).filter_map(|(_, installed)| {
        let (certificate, ends_at) = (installed.chain.host(), installed.chain.ends_at());
        let (name, left) = (&certificate.product_name, ends_at.since(now));
        if ends_at <= now {
            return Some(Alarm {
                code: Reason::CertificateEnded.code(),
                text: format!("the certificate for {name} has ended at {ends_at}: no lease is signed"),
                remedy: Reason::CertificateEnded.remedy(),
                since: Some(ends_at),
            });
        }
        (left < CERTIFICATE_ENDS_SOON).then(|| Alarm {
            code: CERTIFICATE_ENDS_SOON_CODE,
            text: format!("the certificate for {name} ends in {}, at {ends_at}", Length(left)),
            remedy: "send host-request.pem to the vendor again, install the answer, and reload the host",
            since: None,
        })
    });
    ending.collect()
}

/// It is nobody's product that is known, so nobody else tells of it.
fn of_left_out(left_out: &LeftOut) -> Alarm {
    Alarm {
        code: CERTIFICATE_UNUSABLE_CODE,
        text: format!("{} is passed over: {}", left_out.path.display(), left_out.cause()),
        remedy: "remove that file, or put in the vendor's certificate with `kms-host install-certificate`, and reload the host",
        since: None,
    }
}

/// Of answers that machines do not take, for one reason.
fn of_rejected(code: &str, machines: usize) -> Alarm {
    let reason = Reason::from_code(code);
    let remedy = match reason {
        Some(Reason::OtherOrganisation) => {
            "install a certificate of the organisation that they know again, and reload the host; where the new one is meant, run \
             `kms-client organisation clear` on them"
        }
        Some(Reason::Untrusted) => {
            "compare the root digests that `install-certificate` shows with those that the product pins (`kms-vendor roots`), and \
             ask the vendor for a certificate under these"
        }
        Some(reason) => reason.remedy(),
        None => {
            "they are of a later release than this host: `kms-client status` on one of them has the cause"
        }
    };
    let machines =
        if machines == 1 { "1 machine does".to_owned() } else { format!("{machines} machines do") };
    Alarm {
        code: ANSWERS_REJECTED_CODE,
        text: format!(
            "{machines} not take the answers of this host, for the reason {code}: nobody of them is licensed by it"
        ),
        remedy,
        since: None,
    }
}

/// Of certificates that are installed and would have machines refuse their answers: the host does not use them.
fn of_strange(certificates: &Certificates, now: Timestamp) -> Vec<Alarm> {
    let alarm = |(installed, difference): (&Installed, Difference)| {
        let certificate = installed.chain.host();
        let (id, name) = (certificate.id, &certificate.product_name);
        let is_answered = certificates.current(certificate.product, now).is_some();
        let and = if is_answered { "" } else { ". There is no other one, so no machine is answered" };
        Alarm {
            code: CERTIFICATE_DIFFERS_CODE,
            text: format!("the certificate {id} for {name} is not used: {difference}{and}"),
            remedy: difference.remedy(),
            since: None,
        }
    };
    certificates.strange(now).into_iter().map(alarm).collect()
}

/// Machines that speak TLS refuse a host for it, however well the rest of it stands.
fn of_tls(certificate: &TlsCertificate, now: Timestamp) -> Option<Alarm> {
    let flaw = certificate.flaw(now)?;
    let (code, since, remedy) = match flaw {
        Flaw::NotBegun => {
            ("TLS_CERTIFICATE_NOT_BEGUN", None, "check the host's clock, or put the old one back until then")
        }
        Flaw::EndsSoon => ("TLS_CERTIFICATE_ENDS_SOON", None, RENEW_TLS),
        Flaw::Ended => ("TLS_CERTIFICATE_ENDED", Some(certificate.ends_at), RENEW_TLS),
    };
    Some(Alarm { code, text: certificate.tell(flaw, now), remedy, since })
}

fn of_space(shortage: Shortage) -> Alarm {
    let Shortage { since, free_bytes, needed_bytes } = shortage;
    Alarm {
        code: Reason::DiskFull.code(),
        text: format!(
            "{} MiB are free on the disk of the data directory, and {} are needed: no machine is counted",
            free_bytes >> 20,
            needed_bytes >> 20
        ),
        remedy: "free space there, or set `free_space_mib` lower and reload the host; it goes on by itself, nothing is lost",
        since: Some(since),
    }
}

/// A log that is not what was written, or that takes no line. The administrators' service asks, which is where it is at hand.
pub(crate) fn of_audit(audit: &Audit) -> Vec<Alarm> {
    let path = audit.path().display();
    let unwritable = audit.unwritable().map(|cause| Alarm {
        code: Reason::AuditUnwritable.code(),
        text: format!("no change is taken, because {path} cannot be written: {cause}"),
        remedy: "mend that file or its disk: the next change that is taken ends the alarm",
        since: None,
    });
    let broken = audit.broken().map(|Break { line, cause }| Alarm {
        code: "AUDIT_BROKEN",
        text: format!("the audit log {path} is not what was written, at line {line}: {cause}"),
        remedy: "find out who may write there, keep the file, and move it away while the host is stopped: a new one begins",
        since: None,
    });
    unwritable.into_iter().chain(broken).collect()
}

fn of_damage(error: &LedgerError) -> Alarm {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    let what = match error {
        LedgerError::Damaged { row } => format!("{row} is damaged"),
        _ => "a part of the ledger cannot be read".to_owned(),
    };
    Alarm {
        code: Reason::LedgerDamaged.code(),
        text: format!("{what}, and machines in it are refused{cause}"),
        remedy: "stop the host, `kms-host export --salvage FILE`, move the ledger away, `kms-host import FILE`: that saves all \
                 that is whole",
        since: None,
    }
}

fn of_totals(certificates: &Certificates, found: Disagreement) -> Alarm {
    let Disagreement { product, active, active_found, others } = found;
    let name = certificates.name(product).map_or_else(|| product.to_string(), str::to_owned);
    let text = if active == active_found && others {
        format!("the records of {name} do not add up to the numbers by hour and state that the ledger has")
    } else {
        format!("the ledger has {active} active machines of {name}, and its records are {active_found}")
    };
    Alarm {
        code: "LEDGER_TOTALS_DIFFER",
        text: text + ": records were lost or are older than they were",
        remedy: "stop the host, `kms-host export FILE`, move the ledger away, `kms-host import FILE`: that counts anew; and look \
                 at the disk",
        since: None,
    }
}

fn of_restored(restored: Restored) -> Alarm {
    Alarm {
        code: "LEDGER_RESTORED",
        text: format!(
            "machines show leases of this ledger that it does not remember ({} so far): it was restored from a backup, or \
             runs twice",
            restored.machines
        ),
        remedy: "nothing where it was restored; otherwise find the other host and stop it: each needs a directory of its own",
        since: Some(restored.at),
    }
}

fn of_inflated(product: &str, count: u64, threshold: u32, inflating: Inflating) -> Alarm {
    let Inflating { source, new, since } = inflating;
    Alarm {
        code: "NEW_MACHINES_OF_ONE_SOURCE",
        text: format!(
            "{product} counts {count} machines and needs {threshold}; {new} of them came in the last day, all from {source}"
        ),
        remedy: "nothing in a roll-out, or where this host takes over from another; otherwise look who is at that address: \
                 machines that do not exist leave the count by themselves once nobody asks for them",
        since,
    }
}

fn of_new_machines(limiting: &Limiting) -> Alarm {
    let limit = if limiting.limited.by_site { "new_machines_per_site" } else { "new_machines_per_source" };
    Alarm {
        code: Reason::NewMachinesLimited.code(),
        text: format!(
            "new machines are refused, {}: `{limit}` is {} a day",
            whom(limiting),
            limiting.limited.most
        ),
        remedy: "in a roll-out, raise it and reload the host; otherwise look who is at that address. Machines that are known \
                 are served",
        since: Some(limiting.since),
    }
}

fn of_bad_asks(limiting: &Limiting) -> Alarm {
    let limit = if limiting.limited.by_site { "bad_asks_per_site" } else { "bad_asks_per_source" };
    Alarm {
        code: Reason::TooManyBadAsks.code(),
        text: format!(
            "asks are not heard, {}: `{limit}` is {} a minute",
            whom(limiting),
            limiting.limited.most
        ),
        remedy: "`kms-host refusals` has what was wrong with the first of them; look who is at that address. Machines that are \
                 known are served",
        since: Some(limiting.since),
    }
}

fn of_crowding(crowding: Crowding) -> Alarm {
    let Crowding { source, connections, of } = crowding;
    Alarm {
        code: "CONNECTIONS_FULL",
        text: format!(
            "{connections} of {of} connections are held, most of them by {source}: its oldest are closed for newcomers"
        ),
        remedy: "look who is at that address: a machine makes one call and leaves. If it is a proxy or a NAT of yours, raise \
                 `connections` and reload the host",
        since: None,
    }
}

fn whom(limiting: &Limiting) -> String {
    let worst =
        limiting.worst.as_ref().map_or_else(|| "addresses not told apart".to_owned(), Source::to_string);
    let others = match limiting.sources {
        0 | 1 => String::new(),
        2 => " and others from another".to_owned(),
        sources => format!(" and others from {} more", sources - 1),
    };
    format!("{} from {worst}{others}", limiting.times)
}
