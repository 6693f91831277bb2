//! Who is counted, as of one moment, and what `status` shows of a product.

use std::num::NonZeroU32;

use bytes::Bytes;
use ledger::{LedgerError, Listed};
use proto::admin::v1 as wire;
use shared::count::{self, Terms};
use shared::ids::ProductId;
use shared::policy::Policy;
use shared::record::{RecordState, Tally};
use shared::time::{Timestamp, to_ms};

use super::{Admin, shown};
use crate::activate::Host;

/// What tells whether a machine is counted, as of one moment.
pub(super) struct Counting {
    tallies: Vec<(ProductId, Tally)>,
    hour_width_ms: u64,
}

impl Admin {
    /// The moment as of which machines are counted. "In doubt it ages nobody": the count that is shown then is that of the
    /// ledger's last entry, whatever the clock says.
    pub(super) async fn counted_at(&self, now: Timestamp) -> Result<Timestamp, LedgerError> {
        match self.host.doubt() {
            None => Ok(now),
            Some(_) => Ok(self.host.ledger.last_time().await?.unwrap_or(now)),
        }
    }

    /// A product, as `status` shows it.
    pub(super) async fn product(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<wire::Product, LedgerError> {
        let reading = self.host.ledger.reading(product, terms, self.counted_at(now).await?).await?;
        let mut shown = wire::Product {
            id: Bytes::copy_from_slice(product.as_bytes()),
            count: reading.tally.total,
            threshold: terms.threshold,
            active: reading.tally.active,
            inactive: Some(shown::inactive(reading.inactive)),
            threshold_met_at: reading.tally.threshold_met_at.map_or(0, Timestamp::unix_ms),
            unkept_today: reading.unkept_today,
            count_window_ms: to_ms(terms.count_window),
            ..wire::Product::default()
        };
        let certificates = self.host.certificates();
        if let Some(name) = certificates.name(product) {
            name.clone_into(&mut shown.name);
            shown.unused = certificates.unused(product, now).into_iter().map(shown::unused).collect();
        }
        if let Some(installed) = certificates.current(product, now) {
            let certificate = installed.chain.host();
            shown.organisation.clone_from(&certificate.organisation_name);
            shown.certificate = Bytes::copy_from_slice(certificate.id.as_bytes());
            shown.not_before = certificate.not_before.unix_ms();
            shown.not_after = installed.chain.ends_at().unix_ms();
            shown.test = certificate.test;
            shown.seats = certificate.seats.map_or(0, NonZeroU32::get);
            shown.features = certificate.features.encode();
        }
        Ok(shown)
    }

    /// The count of every product as of now.
    pub(super) async fn counting(&self) -> Result<Counting, LedgerError> {
        let now = self.host.clock.now();
        let counted_at = self.counted_at(now).await?;
        let mut tallies = Vec::new();
        for (product, terms) in self.host.products(now).await? {
            tallies.push((product, self.host.ledger.reading(product, &terms, counted_at).await?.tally));
        }
        tallies.sort_by_key(|(product, _)| *product);
        Ok(Counting { tallies, hour_width_ms: self.host.ledger.meta().hour_width_ms })
    }
}

impl Counting {
    pub(super) fn products(&self) -> Vec<ProductId> {
        self.tallies.iter().map(|(product, _)| *product).collect()
    }

    /// How many machines of this product are counted.
    pub(super) fn count(&self, product: ProductId) -> u64 {
        self.tally(product).map_or(0, |tally| tally.total)
    }

    fn tally(&self, product: ProductId) -> Option<&Tally> {
        self.tallies.iter().find(|(known, _)| *known == product).map(|(_, tally)| tally)
    }

    pub(super) fn is_counted(&self, listed: &Listed) -> bool {
        let Some(record) = listed.record.filter(|record| record.state == RecordState::Active) else {
            return false;
        };
        self.tally(listed.product)
            .is_some_and(|tally| count::is_counted(tally, record.seen_at, self.hour_width_ms))
    }

    pub(super) fn shown(&self, listed: &Listed) -> wire::Machine {
        shown::machine(listed, self.is_counted(listed))
    }
}

impl Host {
    /// Every product that has a certificate or a record, with the numbers that count for it.
    pub(crate) async fn products(&self, now: Timestamp) -> Result<Vec<(ProductId, Terms)>, LedgerError> {
        let mut products = self.certificates().terms(now);
        for product in self.ledger.products().await? {
            if !products.iter().any(|(known, _)| *known == product) {
                // Its certificate is gone: nobody is licensed, and the count is shown over the usual window.
                products.push((product, Terms { threshold: 0, ..Terms::of(&Policy::CLIENT) }));
            }
        }
        Ok(products)
    }
}
