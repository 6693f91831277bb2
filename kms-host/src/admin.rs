//! What an administrator asks a running host: `kms.admin.v1`, over the unix socket in the data directory.
//!
//! It reads, and changes one thing: the confirmation of the clock. The command line in `cli` is one of its callers. The lines
//! of an export are `export`'s.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use proto::admin::v1 as wire;
use proto::admin::v1::admin_service_client::AdminServiceClient;
use proto::admin::v1::admin_service_server::AdminService;
use shared::count::{self, Terms};
use shared::ids::ProductId;
use shared::reason::Reason;
use shared::record::{Inactive, RecordState, Tally};
use shared::time::{Timestamp, to_ms};
use tokio::net::UnixStream;
use tokio::net::unix::UCred;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use crate::activate::Host;
use crate::alarms::Alarm;
use crate::export::{self, Head, Kind};
use crate::fairness::{Report, Row};
use crate::ledger::LedgerError;
use crate::service::status;

/// The largest page of the inventory.
const PAGE_MAX: u32 = 1_000;

/// Parts of an export that wait for whoever asked: one that is sent, and one that is made meanwhile.
const PARTS_WAITING: usize = 2;

/// `kms.admin.v1.AdminService` over a host.
pub struct Admin {
    host: Arc<Host>,
    listening: Vec<String>,
}

impl Admin {
    /// For this host, which listens on these addresses.
    pub fn new(host: Arc<Host>, listening: Vec<String>) -> Admin {
        Admin { host, listening }
    }

    /// Every product that has a certificate or a record, with the numbers that count for it.
    async fn products(&self, now: Timestamp) -> Result<Vec<(ProductId, Terms)>, LedgerError> {
        let mut products = self.host.certificates().terms(now);
        for product in self.host.ledger.products().await? {
            if !products.iter().any(|(known, _)| *known == product) {
                products.push((product, UNLICENSED));
            }
        }
        Ok(products)
    }

    /// The moment as of which machines are counted. "In doubt it ages nobody": the count that is shown then is that of the
    /// ledger's last entry, whatever the clock says.
    async fn counted_at(&self, now: Timestamp) -> Result<Timestamp, LedgerError> {
        match self.host.doubt() {
            None => Ok(now),
            Some(_) => Ok(self.host.ledger.last_time().await?.unwrap_or(now)),
        }
    }

    async fn product(
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
            threshold_met_at: reading.tally.threshold_met_at.map_or(0, Timestamp::unix_ms),
            unkept_today: reading.unkept_today,
            count_window_ms: to_ms(terms.count_window),
            ..wire::Product::default()
        };
        if let Some(installed) = self.host.certificates().current(product, now) {
            let certificate = installed.chain.host();
            shown.name.clone_from(&certificate.product_name);
            shown.organisation.clone_from(&certificate.organisation_name);
            shown.certificate = Bytes::copy_from_slice(certificate.id.as_bytes());
            shown.not_before = certificate.not_before.unix_ms();
            shown.not_after = installed.chain.ends_at().unix_ms();
            shown.test = certificate.test;
        }
        Ok(shown)
    }
}

/// The numbers of a product whose certificate is gone: nobody is licensed, and the count is shown over the usual window.
const UNLICENSED: Terms = Terms {
    threshold: 0,
    count_window: shared::policy::Policy::CLIENT.count_window,
    validity: shared::policy::Policy::CLIENT.validity,
    clock_tolerance: shared::policy::Policy::CLIENT.clock_tolerance,
};

#[tonic::async_trait]
impl AdminService for Admin {
    async fn get_status(
        &self,
        _: Request<wire::GetStatusRequest>,
    ) -> Result<Response<wire::GetStatusResponse>, Status> {
        let host = &self.host;
        let now = host.clock.now();
        let mut products = Vec::new();
        for (product, terms) in self.products(now).await.map_err(unreadable)? {
            products.push(self.product(product, &terms, now).await.map_err(unreadable)?);
        }
        let restored = host.ledger.restored().await.map_err(unreadable)?;
        let meta = host.ledger.meta();
        Ok(Response::new(wire::GetStatusResponse {
            host: Bytes::copy_from_slice(host.id.as_bytes()),
            ledger: Bytes::copy_from_slice(meta.ledger.as_bytes()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: host.started_at.unix_ms(),
            now: now.unix_ms(),
            doubt: host.doubt().map(|doubt| doubt.to_string()).unwrap_or_default(),
            listening: self.listening.clone(),
            products,
            answered: host
                .journal
                .tallies()
                .into_iter()
                .map(|(name, times)| wire::Tally { name, times })
                .collect(),
            restored: restored.map(|restored| wire::Restored {
                noticed_at: restored.at.unix_ms(),
                machines: restored.machines,
            }),
            hour_width_ms: i64::try_from(meta.hour_width_ms).unwrap_or(i64::MAX),
            alarms: host.alarms(now).await.map_err(unreadable)?.into_iter().map(alarm).collect(),
        }))
    }

    async fn list_machines(
        &self,
        request: Request<wire::ListMachinesRequest>,
    ) -> Result<Response<wire::ListMachinesResponse>, Status> {
        let wire::ListMachinesRequest { product, page_size, page_token } = request.into_inner();
        let product = match product.as_ref() {
            [] => None,
            id => Some(ProductId::from_slice(id).ok_or_else(|| malformed("a product's id is 16 bytes"))?),
        };
        let limit = if page_size == 0 { PAGE_MAX } else { page_size.min(PAGE_MAX) };
        let after = (!page_token.is_empty()).then(|| page_token.to_vec());
        let ledger = &self.host.ledger;
        let page = ledger.machines(product, after, limit as usize).await.map_err(unreadable)?;
        let now = self.host.clock.now();
        let counted_at = self.counted_at(now).await.map_err(unreadable)?;
        let mut tallies: Vec<(ProductId, Tally)> = Vec::new();
        for (product, terms) in self.products(now).await.map_err(unreadable)? {
            let reading = ledger.reading(product, &terms, counted_at).await.map_err(unreadable)?;
            tallies.push((product, reading.tally));
        }
        let hour_width_ms = ledger.meta().hour_width_ms;
        let machines = page.machines.iter().map(|listed| {
            let mut shown = wire::Machine {
                id: Bytes::copy_from_slice(listed.machine.as_bytes()),
                product: Bytes::copy_from_slice(listed.product.as_bytes()),
                state: "damaged".to_owned(),
                ..wire::Machine::default()
            };
            if let Some(record) = &listed.record {
                let tally = tallies.iter().find(|(product, _)| *product == listed.product);
                let in_window =
                    tally.is_some_and(|(_, tally)| count::is_counted(tally, record.seen_at, hour_width_ms));
                record.state.name().clone_into(&mut shown.state);
                shown.counted = in_window && record.state == RecordState::Active;
                shown.serial = record.serial;
                shown.first_seen = record.first_seen.unix_ms();
                shown.seen_at = record.seen_at.unix_ms();
                shown.licensed_until = record.licensed_until.map_or(0, Timestamp::unix_ms);
            }
            shown
        });
        Ok(Response::new(wire::ListMachinesResponse {
            machines: machines.collect(),
            next_page_token: page.next.map(Bytes::from).unwrap_or_default(),
        }))
    }

    async fn list_refusals(
        &self,
        request: Request<wire::ListRefusalsRequest>,
    ) -> Result<Response<wire::ListRefusalsResponse>, Status> {
        let most = match request.into_inner().page_size {
            0 => usize::MAX,
            most => most as usize,
        };
        let refusals = self.host.journal.refusals(most).into_iter().map(|refusal| wire::RecentRefusal {
            at: refusal.at.unix_ms(),
            machine: refusal.machine.map(|id| Bytes::copy_from_slice(id.as_bytes())).unwrap_or_default(),
            product: refusal.product.map(|id| Bytes::copy_from_slice(id.as_bytes())).unwrap_or_default(),
            text: refusal.cause.to_string(),
            code: refusal.cause.code,
        });
        Ok(Response::new(wire::ListRefusalsResponse { refusals: refusals.collect() }))
    }

    async fn verify(
        &self,
        _: Request<wire::VerifyRequest>,
    ) -> Result<Response<wire::VerifyResponse>, Status> {
        let now = self.host.clock.now();
        let counted_at = self.counted_at(now).await.map_err(unreadable)?;
        let mut answer = wire::VerifyResponse::default();
        for (product, terms) in self.products(now).await.map_err(unreadable)? {
            let recount = self.host.ledger.recount(product, &terms, counted_at).await.map_err(unreadable)?;
            let kept = self.host.ledger.reading(product, &terms, counted_at).await.map_err(unreadable)?;
            answer.records += recount.records;
            answer.damaged += recount.damaged;
            answer.products.push(wire::Recount {
                product: Bytes::copy_from_slice(product.as_bytes()),
                count: kept.tally.total,
                recounted: recount.counted,
                active: kept.tally.active,
                active_found: recount.active,
                inactive: Some(inactive(kept.inactive)),
                inactive_found: Some(inactive(recount.inactive)),
            });
        }
        Ok(Response::new(answer))
    }

    async fn confirm_clock(
        &self,
        _: Request<wire::ConfirmClockRequest>,
    ) -> Result<Response<wire::ConfirmClockResponse>, Status> {
        let ended = self.host.confirm_clock().await.map_err(status)?;
        Ok(Response::new(wire::ConfirmClockResponse {
            ended: ended.map(|doubt| doubt.to_string()).unwrap_or_default(),
            now: self.host.clock.now().unix_ms(),
        }))
    }

    type ExportLedgerStream = Pin<Box<dyn Stream<Item = Result<wire::ExportLedgerResponse, Status>> + Send>>;

    async fn export_ledger(
        &self,
        request: Request<wire::ExportLedgerRequest>,
    ) -> Result<Response<Self::ExportLedgerStream>, Status> {
        let purpose = Kind::from_name(&request.into_inner().purpose)
            .ok_or_else(|| malformed("the purpose is `export` or `backup`"))?;
        let host = &self.host;
        // The audit log's place: whoever has an export has every machine's record and the pepper.
        tracing::info!(purpose = purpose.name(), "the ledger is carried out");
        let head = Head::new(Kind::Export, host.clock.now(), Some(host.id), *host.ledger.meta());
        let (to, parts) = mpsc::channel(PARTS_WAITING);
        tokio::spawn(export::send(host.ledger.clone(), head, to));
        let parts = ReceiverStream::new(parts)
            .map(|part| part.map(|lines| wire::ExportLedgerResponse { lines }).map_err(unreadable));
        Ok(Response::new(Box::pin(parts)))
    }

    async fn list_sources(
        &self,
        request: Request<wire::ListSourcesRequest>,
    ) -> Result<Response<wire::ListSourcesResponse>, Status> {
        let most = match request.into_inner().page_size {
            0 => PAGE_MAX,
            most => most.min(PAGE_MAX),
        };
        let fairness = &self.host.fairness;
        let Report { rows, sources, others } = fairness.report(most as usize, self.host.clock.monotonic());
        let limits = fairness.allowances();
        Ok(Response::new(wire::ListSourcesResponse {
            sources: rows.into_iter().map(source).collect(),
            total: sources as u64,
            others: Some(source(others)),
            limits: Some(wire::SourceLimits {
                new_machines_per_source: limits.new_per_source.most(),
                new_machines_per_site: limits.new_per_site.most(),
                bad_asks_per_source: limits.bad_per_source.most(),
                bad_asks_per_site: limits.bad_per_site.most(),
            }),
        }))
    }
}

/// Whoever asks a host of this machine.
pub type Client = AdminServiceClient<Channel>;

/// Connects to the host that serves this socket.
///
/// # Errors
/// There is no socket, nobody serves it, or this user may not open it.
pub async fn connect(socket: &Path) -> Result<Client, tonic::transport::Error> {
    let socket = socket.to_owned();
    // The address is a formality: the connector knows the way.
    let endpoint = Endpoint::from_static("http://host").connect_timeout(Duration::from_secs(5));
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    endpoint.connect_with_connector(connector).await.map(AdminServiceClient::new)
}

/// The process that serves this socket, and its user; nothing where nobody serves it, or it cannot be seen from here.
pub async fn serving(socket: &Path) -> Option<UCred> {
    UnixStream::connect(socket).await.ok()?.peer_cred().ok()
}

fn alarm(alarm: Alarm) -> wire::Alarm {
    wire::Alarm {
        code: alarm.code.to_owned(),
        text: alarm.text,
        remedy: alarm.remedy.to_owned(),
        since: alarm.since.map_or(0, Timestamp::unix_ms),
    }
}

fn inactive(Inactive { released, replaced, blocked }: Inactive) -> wire::Inactive {
    wire::Inactive { released, replaced, blocked }
}

fn source(row: Row) -> wire::Source {
    wire::Source {
        source: row.source.map(|source| source.to_string()).unwrap_or_default(),
        new_today: row.new_today,
        new: row.new,
        asks: row.asks,
        new_refused: row.new_limited,
        unheard: row.bad_limited,
        turned_away: row.turned_away,
    }
}

fn malformed(cause: &str) -> Status {
    status(Reason::Malformed.with(&[("cause", &cause)]).into())
}

fn unreadable(error: LedgerError) -> Status {
    tracing::error!(%error, "the ledger cannot be read");
    Status::internal(error.to_string())
}
