//! Refuses asks of a source that has sent too many bad ones, before anything in them is verified.
//!
//! `fairness` has the limits.

use std::time::Duration;

use server::Source;
use server::unanswered::Unanswered;
use shared::doubt::Moment;
use shared::ids::{MachineId, ProductId};
use shared::reason::{Cause, Reason};
use shared::record::RecordState;
use shared::serial::{self, Mark, Standing};

use super::unanswered::unreadable;
use super::{Host, Incoming};
use crate::fairness::Limited;
use crate::queue::NotSighted;

/// Retry delay for a machine whose source has sent too many bad asks: long enough that machines behind an attacker's address do not
/// add to the attack.
const UNHEARD_RETRY: Duration = Duration::from_mins(15);

impl Host {
    /// Refuses a message that is not an ask, and counts it as a bad one of its source. Size and form come before all other checks.
    pub(crate) fn refuse_unread(&self, source: Option<Source>, cause: Cause) -> Unanswered {
        let now = self.read_clocks();
        if let Err(limited) = self.fairness.hear(source, now.monotonic) {
            return self.unheard(source, limited, now);
        }
        self.note_refusal(now, source, (None, None), &cause);
        cause.into()
    }

    /// Refuses a call without a place. Only its number is kept, because a flood of these must not push other refusals out of the journal.
    pub(crate) fn refuse_without_place(&self) -> Unanswered {
        self.journal.answered(Reason::Overloaded.code());
        NotSighted::Overloaded.into()
    }

    /// Whether to read an ask of this source. Past the limit of bad asks, only asks of known machines and of copies that heal are read.
    /// Anybody can claim to be one; the signature is verified later. An ask that the record has overtaken does not count, because a
    /// recorded ask could be sent for ever.
    pub(super) async fn hear(&self, incoming: &Incoming, now: Moment) -> Result<(), Unanswered> {
        let Err(limited) = self.fairness.hear(incoming.source, now.monotonic) else { return Ok(()) };
        let Incoming { ask, .. } = incoming;
        if let (Some(product), Some(machine), Some(mark)) = (ask.product(), ask.machine(), ask.mark())
            && self.is_known_and_fresh(product, machine, &mark).await?
        {
            return Ok(());
        }
        if let (Some(product), Some(replaced)) = (ask.product(), ask.replaced())
            && self.may_be_replaced(product, replaced).await?
        {
            return Ok(());
        }
        Err(self.unheard(incoming.source, limited, now))
    }

    pub(super) fn unheard(&self, source: Option<Source>, limited: Limited, now: Moment) -> Unanswered {
        self.fairness.note_unheard(source, limited, now.reading());
        Unanswered { cause: limited.cause(Reason::TooManyBadAsks), retry_in: Some(UNHEARD_RETRY) }
    }

    /// Whether the claimed machine of an ask is known here, and the ask is not a recorded one.
    async fn is_known_and_fresh(
        &self,
        product: ProductId,
        machine: MachineId,
        claimed: &Mark,
    ) -> Result<bool, Unanswered> {
        let record = self.ledger.record(product, machine).await.map_err(unreadable)?;
        let Some(record) = record.filter(|record| record.state == RecordState::Active) else {
            return Ok(false);
        };
        let standing = serial::compare(Some(&record.mark()), claimed);
        Ok(standing != Standing::Replay && !self.resent.knows(machine, claimed))
    }

    /// Whether the ask replaces an identity that is known here.
    async fn may_be_replaced(&self, product: ProductId, machine: MachineId) -> Result<bool, Unanswered> {
        let record = self.ledger.record(product, machine).await.map_err(unreadable)?;
        Ok(record.is_some_and(|record| record.state.may_be_replaced()))
    }
}
