//! Changes by administrators.
//!
//! 1. read the note and the names that the caller gives; what does not hold is refused
//! 2. write the change into the audit log, durably; where that fails, nothing is changed
//! 3. make the change; where that fails, a second line says so
//!
//! What this order buys: nothing is changed that is not written down. All of it runs in a task of its own, so that a caller
//! who goes away between 2 and 3 leaves no line that lies.

use std::future::Future;
use std::sync::Arc;

use ledger::Listed;
use proto::admin::v1 as wire;
use server::admin::caller::Caller;
use server::audit::{AuditedChange, NOTE_BYTES};
use server::unanswered::status;
use shared::ids::MachineId;
use shared::inventory::{self, Changed, Verb};
use shared::reason::Reason;
use tonic::Status;

use super::{Admin, malformed, unreadable};
use crate::export::ExportKind;
use crate::queue::NotChanged;

/// The name of the parameter that is a machine's id.
pub(super) const MACHINE: &str = "machine";

impl Admin {
    /// The administrator says that the clock is right.
    pub(super) async fn confirming_clock(
        self,
        caller: Caller,
        note: String,
    ) -> Result<wire::ConfirmClockResponse, Status> {
        let host = Arc::clone(&self.host);
        let Some(doubt) = host.doubt() else {
            return Ok(wire::ConfirmClockResponse { ended: String::new(), now: host.clock.now().unix_ms() });
        };
        let now = host.clock.now();
        let change =
            AuditedChange::new(caller, "clock confirm", &[("doubt", &doubt), ("clock", &now)], &note);
        let ended = self.change(change, async move { host.confirm_clock().await.map_err(status) }).await?;
        Ok(wire::ConfirmClockResponse {
            ended: ended.map(|doubt| doubt.to_string()).unwrap_or_default(),
            now: self.host.clock.now().unix_ms(),
        })
    }

    /// Blocks, unblocks or forgets a machine. Gives back how it is now, or how it was where it was forgotten, and whether
    /// anything was changed. If the machine is in that state already, nothing is written down.
    pub(super) async fn turn(
        &self,
        verb: Verb,
        caller: Caller,
        name: Option<wire::MachineName>,
        note: String,
    ) -> Result<(wire::Machine, bool), Status> {
        let counting = self.counting().await.map_err(unreadable)?;
        let listed = self.named(name, &counting).await?;
        let Listed { product, machine, .. } = listed;
        // A damaged record does not say whether the machine is blocked; the ledger refuses its change.
        match listed.record.and_then(|record| verb.leaves(record.state)) {
            None => {}
            Some(Changed::StillBlocked) => return Err(still_blocked(machine)),
            Some(_) => return Ok((counting.shown(&listed), false)),
        }
        let action = match verb {
            Verb::Block => "machine block",
            Verb::Unblock => "machine unblock",
            Verb::Forget => "machine forget",
        };
        let change = AuditedChange::new(caller, action, &[("product", &product), (MACHINE, &machine)], &note);
        let host = Arc::clone(&self.host);
        self.change(change, async move {
            let change = inventory::Change { product, machine, verb, at: host.clock.now() };
            match host.queue.change(change).await.map_err(not_changed)? {
                Changed::Done(_) => Ok(()),
                Changed::StillBlocked => Err(still_blocked(machine)),
                Changed::Unknown | Changed::AlreadyBlocked | Changed::NotBlocked(_) => Err(Status::aborted(
                    "somebody else has changed this machine at the same moment: look at it again",
                )),
            }
        })
        .await?;
        if verb == Verb::Forget {
            return Ok((counting.shown(&listed), true));
        }
        let record = self.host.ledger.record(product, machine).await.map_err(unreadable)?;
        let counting = self.counting().await.map_err(unreadable)?;
        Ok((counting.shown(&Listed { record, ..listed }), true))
    }

    /// Records that an export or a backup is about to leave the host: it has every machine's record, and the pepper.
    pub(super) async fn carrying_out(&self, purpose: ExportKind, caller: Caller) -> Result<(), Status> {
        self.change(AuditedChange::new(caller, purpose.name(), &[], ""), async { Ok(()) }).await
    }

    /// Writes a change down and then makes it.
    async fn change<T: Send + 'static>(
        &self,
        change: AuditedChange,
        make: impl Future<Output = Result<T, Status>> + Send + 'static,
    ) -> Result<T, Status> {
        // 1
        if NOTE_BYTES < change.note.len() {
            return Err(malformed(&format!("a note has at most {NOTE_BYTES} bytes")));
        }
        // 2, 3
        let (audit, clock) = (Arc::clone(&self.audit), Arc::clone(&self.host.clock));
        let made = self.under_way.spawn(async move { audit.perform(&*clock, change, make).await });
        made.await.unwrap_or_else(|stopped| Err(Status::internal(stopped.to_string())))
    }
}

fn still_blocked(machine: MachineId) -> Status {
    status(Reason::MachineBlocked.with(&[("machine", &machine)]).into())
}

fn not_changed(error: NotChanged) -> Status {
    match error {
        NotChanged::Ledger(error) => unreadable(error),
        NotChanged::Stopping => status(Reason::Stopping.into()),
    }
}

#[cfg(test)]
mod tests {
    use ledger::Engine;
    use ledger::testing::{self, MemoryLedger};
    use server::accept::{Admission, Door, Limits};
    use server::audit::Audit;
    use server::tls::Tls;
    use shared::ask::AskKind;
    use shared::count::{Entrants, Shown, Sighting, Terms};
    use shared::envelope::SecretKey;
    use shared::ids::{Fingerprint, LedgerId, Nonce, ProductId};
    use shared::policy::Policy;
    use shared::record::Meta;
    use shared::serial::Mark;
    use shared::time::Timestamp;
    use tokio::runtime::Handle;
    use tokio::sync::mpsc;

    use super::*;
    use crate::activate::Host;
    use crate::certificates::Certificates;
    use crate::clock::SystemClock;
    use crate::config::{self, Config};
    use crate::queue::Queue;
    use crate::signer::KeyInMemory;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_763_777_150_999);
    const MACHINE_ID: MachineId = MachineId::from_bytes([5; 16]);

    fn sighting() -> Sighting {
        let Policy { threshold, count_window, validity, clock_tolerance, .. } = Policy::CLIENT;
        Sighting {
            product: ProductId::from_bytes([1; 16]),
            machine: MACHINE_ID,
            presented: Mark { serial: 0, nonce: Nonce::from_bytes([1; 16]), asked_at: NOW },
            fingerprint: Fingerprint::NONE,
            kind: AskKind::Activate,
            kept: true,
            replaces: None,
            shown: Shown::Nothing,
            entrants: Entrants::Anybody,
            at: NOW,
            terms: Terms { threshold, count_window, validity, clock_tolerance },
        }
    }

    /// An administrator's side of a host that knows one machine and is about to stop.
    async fn stopping(folder: &tempfile::TempDir) -> Admin {
        let meta = Meta { ledger: LedgerId::from_bytes([7; 16]), hour_width_ms: 3_600_000, pepper: [9; 32] };
        let ledger = Arc::new(MemoryLedger::new(meta));
        testing::sight(&*ledger, vec![sighting()]).await.unwrap();
        let (queue, _writer) = Queue::start(ledger.clone(), 8, Handle::current()).unwrap();
        queue.close();
        let signer = Arc::new(KeyInMemory::new(SecretKey::from_seed(&[3; 32])));
        let (certificates, clock) = (Certificates::default(), Arc::new(SystemClock::new()));
        let host = Host::new(certificates, signer, ledger, queue, Arc::default(), clock).await.unwrap();
        let audit = Arc::new(Audit::open(folder.path().join("audit.jsonl")));
        let settings = Config::default().door();
        let admission = Admission { settings, limits: Limits::default(), tls: Tls::Off };
        let door = Door::new(admission, config::FILE_NAME, Arc::new(()));
        Admin::new(Arc::new(host), Vec::new(), audit, Engine::Sled, door, mpsc::channel(1).0)
    }

    #[tokio::test]
    async fn a_change_that_fails_after_it_was_written_down_has_a_second_line_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let admin = stopping(&folder).await;
        let name = wire::MachineName { id_prefix: MACHINE_ID.to_string(), ..wire::MachineName::default() };

        let refused =
            admin.turn(Verb::Block, Caller::own(), Some(name), "ticket 7".to_owned()).await.unwrap_err();

        assert!(refused.message().starts_with("STOPPING"), "{}", refused.message());
        let lines = admin.audit.latest(9, |_| true).unwrap();
        let [written, failed] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((written.action.as_str(), &written.failed), ("machine block", &None));
        let failed = failed.failed.as_ref().unwrap();
        assert!(failed.seq == written.seq && failed.cause.starts_with("STOPPING"), "{failed:?}");
    }
}
