//! One [`Reader`] for every ledger: each question is a rule over rows, and a ledger only says how it runs a rule.

use std::future::Future;

use async_trait::async_trait;
use shared::count::{Rows as _, Terms};
use shared::ids::{MachineId, ProductId};
use shared::record::{Event, Meta, Record};
use shared::time::Timestamp;

use super::base::Base;
use super::overlay::Overlay;
use super::{
    Condition, Cursor, Kept, LedgerError, Listed, ListedEvent, Page, Reader, Reading, Restored, kept, reads,
};

/// How much a read takes, and so where it may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// A row or two.
    Rows,
    /// Many rows: all of one kind, or a page of them.
    Page,
    /// Rows that have to be of the same moment.
    Count,
}

/// A ledger that is read by a rule over its rows.
pub(crate) trait ReadByRule: Condition {
    fn meta(&self) -> &Meta;

    /// Runs a rule on the rows, or again and again until it has all that it needs.
    fn read<T: Send + 'static>(
        &self,
        extent: Extent,
        rule: impl Fn(&dyn Base, &Meta) -> Result<T, LedgerError> + Send + 'static,
    ) -> impl Future<Output = Result<T, LedgerError>> + Send;
}

#[async_trait]
impl<L: ReadByRule> Reader for L {
    fn meta(&self) -> &Meta {
        ReadByRule::meta(self)
    }

    async fn last_time(&self) -> Result<Option<Timestamp>, LedgerError> {
        self.read(Extent::Rows, |base, meta| Overlay::new(base, meta).last_time()).await
    }

    async fn record(&self, product: ProductId, machine: MachineId) -> Result<Option<Record>, LedgerError> {
        self.read(Extent::Rows, move |base, meta| Overlay::new(base, meta).record(product, machine)).await
    }

    async fn reading(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Reading, LedgerError> {
        let terms = *terms;
        self.read(Extent::Count, move |base, meta| reads::reading(base, meta, product, &terms, now)).await
    }

    async fn products(&self) -> Result<Vec<ProductId>, LedgerError> {
        self.read(Extent::Page, |base, _| reads::products(base)).await
    }

    async fn machines(
        &self,
        product: Option<ProductId>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Listed>, LedgerError> {
        self.read(Extent::Page, move |base, _| reads::machines(base, product, after.as_ref(), limit)).await
    }

    async fn history(&self, product: ProductId, machine: MachineId) -> Result<Vec<Event>, LedgerError> {
        self.read(Extent::Page, move |base, meta| Overlay::new(base, meta).events(product, machine)).await
    }

    async fn events(
        &self,
        product: Option<ProductId>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<ListedEvent>, LedgerError> {
        self.read(Extent::Page, move |base, _| reads::events(base, product, after.as_ref(), limit)).await
    }

    async fn restored(&self) -> Result<Option<Restored>, LedgerError> {
        self.read(Extent::Rows, |base, meta| Overlay::new(base, meta).restored()).await
    }

    async fn kept(&self, after: Option<Cursor>, limit: usize) -> Result<Page<Kept>, LedgerError> {
        self.read(Extent::Page, move |base, _| reads::page(base, &[], after.as_ref(), limit, kept::read))
            .await
    }
}
