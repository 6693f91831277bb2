//! Whether an ask is looked at, before anything in it is verified: a source that has sent too many bad ones is not heard.
//!
//! How many are too many is `fairness`' affair.

use std::time::Duration;

use proto::v1;
use shared::admission::Moment;
use shared::ask::Ask;
use shared::ids::{MachineId, ProductId};
use shared::reason::{Cause, Reason};
use shared::record::RecordState;
use shared::serial::{self, Standing};

use super::unanswered::{Unanswered, unreadable};
use super::{Host, Incoming};
use crate::fairness::{Limited, Source};
use crate::queue::NotSighted;

/// How long a machine is asked to stay away that was not heard for too many bad asks: so long that those who wait behind the
/// same address as an attacker do not add to it.
const UNHEARD_RETRY: Duration = Duration::from_mins(15);

impl Host {
    /// Refuses what came instead of an ask: it counts as a bad one of its source. Size and form are looked at before anything else,
    /// since nothing else can be.
    pub(crate) fn refuse_unread(&self, source: Option<Source>, cause: Cause) -> Unanswered {
        let now = self.read_clocks();
        if let Err(limited) = self.fairness.hear(source, now.monotonic) {
            return self.unheard(source, limited, now);
        }
        self.note_refusal(now, source, (None, None), &cause);
        cause.into()
    }

    /// Refuses a call that finds no place. Its number is kept and nothing else: a flood of these must not wash away what is said of
    /// others.
    pub(crate) fn refuse_without_place(&self) -> Unanswered {
        self.journal.answered(Reason::Overloaded.code());
        NotSighted::Overloaded.into()
    }

    /// Whether this source is listened to: not past its share of bad asks, unless for a machine that is known, or for one that
    /// heals. Anybody can claim to be one; then its signature is verified, as it was before. Whoever has recorded an ask could
    /// send it for ever, so one that has been overtaken speaks for nobody.
    pub(super) async fn hear(
        &self,
        incoming: &Incoming,
        claimed: Option<ProductId>,
        now: Moment,
    ) -> Result<(), Unanswered> {
        let Err(limited) = self.fairness.hear(incoming.source, now.monotonic) else { return Ok(()) };
        if let (Some(product), Some(machine)) = (claimed, Ask::claimed_machine(&incoming.ask))
            && self.is_known_and_fresh(product, machine, &incoming.ask).await?
        {
            return Ok(());
        }
        if let (Some(product), Some(replaced)) = (claimed, Ask::claimed_replaced(&incoming.ask))
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

    /// Whether the machine that an ask claims to come from is known here, and the ask is no recorded one.
    async fn is_known_and_fresh(
        &self,
        product: ProductId,
        machine: MachineId,
        ask: &v1::Signed,
    ) -> Result<bool, Unanswered> {
        let record = self.ledger.record(product, machine).await.map_err(unreadable)?;
        let Some(record) = record.filter(|record| record.state == RecordState::Active) else {
            return Ok(false);
        };
        let is_fresh = |claimed| {
            let standing = serial::compare(Some(&record.mark()), &claimed);
            standing != Standing::Replay && !self.resent.knows(machine, &claimed)
        };
        Ok(Ask::claimed_mark(ask).is_some_and(is_fresh))
    }

    /// Whether there is an identity whose successor may return here.
    async fn may_be_replaced(&self, product: ProductId, machine: MachineId) -> Result<bool, Unanswered> {
        let record = self.ledger.record(product, machine).await.map_err(unreadable)?;
        Ok(record.is_some_and(|record| match record.state {
            RecordState::Active | RecordState::Replaced => true,
            RecordState::Released | RecordState::Blocked => false,
        }))
    }
}
