//! Our types as `kms.admin.v1` shows them. One way only: what comes in is read where it is needed.

use std::num::NonZeroU32;

use bytes::Bytes;
use ledger::Listed;
use proto::admin::v1 as wire;
use server::audit::{self, AuditLine, Checked};
use shared::ids::{MachineId, ProductId};
use shared::reason::Reason;
use shared::record::{Event, Inactive};
use shared::time::{Timestamp, to_ms};

use super::counting::Counting;
use super::search::state;
use crate::certificates::{Certificates, Installed, LeftOut, WhyNot};
use crate::journal::{Journal, JournaledRefusal};
use crate::watch::alarms::Alarm;

pub(super) fn machine(listed: &Listed, is_counted: bool) -> wire::Machine {
    let mut shown = wire::Machine {
        id: Bytes::copy_from_slice(listed.machine.as_bytes()),
        product: Bytes::copy_from_slice(listed.product.as_bytes()),
        state: state(listed).to_owned(),
        counted: is_counted,
        ..wire::Machine::default()
    };
    if let Some(record) = &listed.record {
        shown.serial = record.serial;
        shown.first_seen = record.first_seen.unix_ms();
        shown.seen_at = record.seen_at.unix_ms();
        shown.licensed_until = record.licensed_until.map_or(0, Timestamp::unix_ms);
    }
    shown
}

pub(super) fn event(product: ProductId, machine: MachineId, event: &Event) -> wire::Event {
    wire::Event {
        at: event.at.unix_ms(),
        kind: event.kind.name().to_owned(),
        other: event.other.map(|id| Bytes::copy_from_slice(id.as_bytes())).unwrap_or_default(),
        machine: Bytes::copy_from_slice(machine.as_bytes()),
        product: Bytes::copy_from_slice(product.as_bytes()),
    }
}

pub(super) fn inactive(Inactive { released, replaced, blocked }: Inactive) -> wire::Inactive {
    wire::Inactive { released, replaced, blocked }
}

pub(super) fn refusal(refusal: JournaledRefusal) -> wire::RecentRefusal {
    wire::RecentRefusal {
        at: refusal.at.unix_ms(),
        machine: refusal.machine.map(|id| Bytes::copy_from_slice(id.as_bytes())).unwrap_or_default(),
        product: refusal.product.map(|id| Bytes::copy_from_slice(id.as_bytes())).unwrap_or_default(),
        text: refusal.cause.to_string(),
        code: refusal.cause.code,
    }
}

/// The reasons among what was tallied, the most frequent first.
pub(super) fn refusals_by_reason(journal: &Journal) -> Vec<wire::RefusalsByReason> {
    let reasons = journal.tallies().into_iter().filter_map(|(code, times)| {
        let reason = Reason::from_code(&code)?;
        Some(wire::RefusalsByReason {
            code,
            times,
            fault: reason.fault().to_string(),
            remedy: reason.remedy().to_owned(),
        })
    });
    let mut reasons: Vec<_> = reasons.collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.times));
    reasons
}

pub(super) fn alarm(alarm: Alarm) -> wire::Alarm {
    wire::Alarm {
        code: alarm.code.to_owned(),
        text: alarm.text,
        remedy: alarm.remedy.to_owned(),
        since: alarm.since.map_or(0, Timestamp::unix_ms),
    }
}

/// By product, and of a product the one that ends last first.
pub(super) fn certificates(
    certificates: &Certificates,
    counting: &Counting,
    now: Timestamp,
) -> Vec<wire::Certificate> {
    let mut installed: Vec<_> = certificates.all().collect();
    let product = |one: &Installed| {
        let certificate = one.chain.host();
        (certificate.product_name.clone(), certificate.product)
    };
    installed.sort_by_key(|one| (product(one), std::cmp::Reverse(one.chain.ends_at())));
    let shown = |one: &Installed| wire::Certificate {
        count: counting.count(one.chain.host().product),
        ..certificate(one, certificates, now)
    };
    installed.into_iter().map(shown).collect()
}

fn certificate(installed: &Installed, all: &Certificates, now: Timestamp) -> wire::Certificate {
    let certificate = installed.chain.host();
    let why_not = all.why_not(installed, now);
    let policy = &certificate.policy;
    wire::Certificate {
        id: Bytes::copy_from_slice(certificate.id.as_bytes()),
        product: Bytes::copy_from_slice(certificate.product.as_bytes()),
        product_name: certificate.product_name.clone(),
        organisation: Bytes::copy_from_slice(certificate.organisation.as_bytes()),
        organisation_name: certificate.organisation_name.clone(),
        not_before: certificate.not_before.unix_ms(),
        not_after: installed.chain.ends_at().unix_ms(),
        test: certificate.test,
        current: why_not.is_none(),
        why_not: why_not.map(|why| why.to_string()).unwrap_or_default(),
        issued_at: certificate.issued_at.map_or(0, Timestamp::unix_ms),
        threshold: policy.threshold,
        count_window_ms: to_ms(policy.count_window),
        validity_ms: to_ms(policy.validity),
        renew_interval_ms: to_ms(policy.renew_interval),
        retry_interval_ms: to_ms(policy.retry_interval),
        clock_tolerance_ms: to_ms(policy.clock_tolerance),
        seats: certificate.seats.map_or(0, NonZeroU32::get),
        features: certificate.features.encode(),
        count: 0,
    }
}

pub(super) fn unusable(left_out: &LeftOut) -> wire::UnusableCertificate {
    wire::UnusableCertificate {
        path: left_out.path.display().to_string(),
        cause: left_out.cause.clone(),
        remedy: left_out.remedy.clone(),
    }
}

pub(super) fn unused((installed, why): (&Installed, WhyNot)) -> wire::UnusedCertificate {
    let certificate = Bytes::copy_from_slice(installed.chain.host().id.as_bytes());
    wire::UnusedCertificate { certificate, why: why.to_string() }
}

pub(super) fn change(line: AuditLine) -> wire::Change {
    let parameter = |(name, value)| wire::ChangeParameter { name, value };
    let (failed_seq, failed_cause) =
        line.failed.map_or((0, String::new()), |failed| (failed.seq, failed.cause));
    wire::Change {
        seq: line.seq,
        at: line.at_ms,
        uid: line.uid,
        user: line.user.unwrap_or_default(),
        pid: line.pid.unwrap_or(0),
        action: line.action,
        parameters: line.parameters.into_iter().map(parameter).collect(),
        note: line.note,
        failed_seq,
        failed_cause,
    }
}

pub(super) fn verified(path: &std::path::Path, checked: Checked) -> wire::VerifyChangesResponse {
    let (broken_line, broken_cause) =
        checked.broken.map_or((0, String::new()), |broken| (broken.line, broken.cause));
    wire::VerifyChangesResponse {
        path: path.display().to_string(),
        lines: checked.lines,
        cut: checked.cut,
        seq: checked.seq,
        digest: checked.last.as_ref().map(audit::hex).unwrap_or_default(),
        broken_line,
        broken_cause,
    }
}
