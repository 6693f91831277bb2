//! What an administrator asks a running host: `kms.admin.v1`, over the unix socket in the data directory.
//!
//! A call has its [`Caller`] when it comes here. A change is written into the audit log first, and made after that. Both are done
//! even if the caller goes away meanwhile. `admin/counting.rs` says who is counted, `admin/search.rs` searches the inventory,
//! `admin/shown.rs` shows things, `admin/client.rs` asks a host, and `export` writes the lines of an export. The command line is
//! one of the callers.

mod changes;
mod client;
mod counting;
mod reloading;
mod search;
mod shown;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use ledger::{Cursor, Engine, LedgerError, Listed, ListedEvent};
use proto::admin::v1 as wire;
use proto::admin::v1::admin_service_server::AdminService;
use server::accept::Door;
use server::admin::caller::Caller;
use server::audit::{Audit, AuditLine};
use server::unanswered::status;
use shared::ids::ProductId;
use shared::inventory::Verb;
use shared::reason::Reason;
use shared::record::EventKind;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::task::TaskTracker;
use tonic::{Code, Request, Response, Status};

pub use self::client::{Client, Limit, connect};
use self::counting::Counting;
pub use self::reloading::{NotReloaded, ReloadOrder, Reloaded};
pub use self::search::STATES;
use self::search::Search;
use crate::activate::Host;
use crate::export::{self, ExportKind, Head};
use crate::remedy;
use crate::watch::alarms;

/// Number of changes that are listed if the request names none.
const CHANGES_SHOWN: u32 = 100;

/// The most that are listed at once.
const CHANGES_MAX: u32 = 1_000;

/// How many refusals and changes of one machine are shown.
const OF_ONE_MACHINE: usize = 50;

/// How many events one call looks at.
const EVENTS_LOOKED_AT: usize = 1_000;

/// The most sources that are listed at once.
const SOURCES_MAX: u32 = 1_000;

/// Parts of an export that wait for whoever asked: one that is sent, and one that is made meanwhile.
const PARTS_WAITING: usize = 2;

/// `kms.admin.v1.AdminService` over a host.
#[derive(Clone)]
pub struct Admin {
    host: Arc<Host>,
    listening: Vec<String>,
    audit: Arc<Audit>,
    engine: Engine,
    door: Door,
    /// To the task that reloads settings and certificates. If nobody receives, this host cannot reload.
    reloads: mpsc::Sender<ReloadOrder>,
    /// Changes that are being written down and made.
    under_way: TaskTracker,
}

impl Admin {
    /// For this host, which listens on these addresses and writes what is changed into this log.
    pub fn new(
        host: Arc<Host>,
        listening: Vec<String>,
        audit: Arc<Audit>,
        engine: Engine,
        door: Door,
        reloads: mpsc::Sender<ReloadOrder>,
    ) -> Admin {
        Admin { host, listening, audit, engine, door, reloads, under_way: TaskTracker::new() }
    }

    /// Returns once every change that has begun is made. If the host stopped earlier, the audit log would have a false line.
    pub async fn settled(&self) {
        self.under_way.close();
        self.under_way.wait().await;
    }

    /// The one machine of this name.
    async fn named(&self, name: Option<wire::MachineName>, counting: &Counting) -> Result<Listed, Status> {
        let name = name.ok_or_else(|| malformed("it names no machine"))?;
        let search = Search::named(&name)?;
        let (machines, _) = self.search(&search, counting, None, 2).await?;
        let id = name.id_prefix;
        match machines.as_slice() {
            [only] => Ok(*only),
            [] => Err(status(Reason::MachineUnknown.with(&[("id", &id)]).into())),
            [first, second, ..] => {
                let examples: [(&str, &dyn std::fmt::Display); 3] =
                    [("id", &id), ("first", &first.machine), ("second", &second.machine)];
                Err(status(Reason::MachineAmbiguous.with(&examples).into()))
            }
        }
    }

    /// Reads the audit log on a thread that may block, because the file may be long.
    async fn with_audit<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Audit) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Status> {
        let audit = Arc::clone(&self.audit);
        let read_it = move || read(&audit).map_err(|source| (audit.path().display().to_string(), source));
        let read = tokio::task::spawn_blocking(read_it)
            .await
            .map_err(|stopped| Status::internal(stopped.to_string()))?;
        read.map_err(|(path, source)| {
            Status::internal(format!("the audit log {path} cannot be read: {source}"))
        })
    }
}

#[tonic::async_trait]
impl AdminService for Admin {
    async fn get_status(
        &self,
        _: Request<wire::GetStatusRequest>,
    ) -> Result<Response<wire::GetStatusResponse>, Status> {
        let host = &self.host;
        let now = host.clock.now();
        let mut products = Vec::new();
        for (product, terms) in self.host.products(now).await.map_err(unreadable)? {
            products.push(self.product(product, &terms, now).await.map_err(unreadable)?);
        }
        let restored = host.ledger.restored().await.map_err(unreadable)?;
        let tls_certificate = self.door.tls_certificate();
        let alarms = host
            .alarms(tls_certificate.clone(), now)
            .await
            .map_err(unreadable)?
            .into_iter()
            .chain(alarms::of_audit(&self.audit));
        let meta = host.ledger.meta();
        let (free_bytes, free_bytes_needed) = host.space.seen_bytes().unwrap_or_default();
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
            alarms: alarms.map(shown::alarm).collect(),
            engine: self.engine.name().to_owned(),
            tls: self.door.admission().tls.name().to_owned(),
            tls_not_after: tls_certificate.map_or(0, |certificate| certificate.ends_at.unix_ms()),
            free_bytes,
            free_bytes_needed,
        }))
    }

    async fn list_machines(
        &self,
        request: Request<wire::ListMachinesRequest>,
    ) -> Result<Response<wire::ListMachinesResponse>, Status> {
        let request = request.into_inner();
        let search = Search::of(&request)?;
        let after = cursor(request.page_token);
        let counting = self.counting().await.map_err(unreadable)?;
        let (machines, next) = self.search(&search, &counting, after, request.page_size).await?;
        Ok(Response::new(wire::ListMachinesResponse {
            machines: machines.iter().map(|listed| counting.shown(listed)).collect(),
            next_page_token: token_of(next),
        }))
    }

    async fn list_refusals(
        &self,
        request: Request<wire::ListRefusalsRequest>,
    ) -> Result<Response<wire::ListRefusalsResponse>, Status> {
        let wire::ListRefusalsRequest { page_size, code } = request.into_inner();
        let most = if page_size == 0 { usize::MAX } else { page_size as usize };
        let journal = &self.host.journal;
        let refusals = journal.refusals(most, |refusal| code.is_empty() || refusal.cause.code == code);
        Ok(Response::new(wire::ListRefusalsResponse {
            refusals: refusals.into_iter().map(shown::refusal).collect(),
            by_reason: shown::refusals_by_reason(journal),
        }))
    }

    async fn verify(
        &self,
        _: Request<wire::VerifyRequest>,
    ) -> Result<Response<wire::VerifyResponse>, Status> {
        let now = self.host.clock.now();
        let counted_at = self.counted_at(now).await.map_err(unreadable)?;
        let mut answer = wire::VerifyResponse::default();
        for (product, terms) in self.host.products(now).await.map_err(unreadable)? {
            let recount =
                ledger::recount(&*self.host.ledger, product, &terms, counted_at).await.map_err(unreadable)?;
            let kept = self.host.ledger.reading(product, &terms, counted_at).await.map_err(unreadable)?;
            answer.records += recount.records;
            answer.damaged += recount.damaged;
            answer.products.push(wire::Recount {
                product: Bytes::copy_from_slice(product.as_bytes()),
                count: kept.tally.total,
                recounted: recount.counted,
                active: kept.tally.active,
                active_found: recount.active,
                inactive: Some(shown::inactive(kept.inactive)),
                inactive_found: Some(shown::inactive(recount.inactive)),
            });
        }
        Ok(Response::new(answer))
    }

    async fn confirm_clock(
        &self,
        request: Request<wire::ConfirmClockRequest>,
    ) -> Result<Response<wire::ConfirmClockResponse>, Status> {
        let caller = Caller::of(&request);
        self.clone().confirming_clock(caller, request.into_inner().note).await.map(Response::new)
    }

    async fn get_machine(
        &self,
        request: Request<wire::GetMachineRequest>,
    ) -> Result<Response<wire::GetMachineResponse>, Status> {
        let counting = self.counting().await.map_err(unreadable)?;
        let listed = self.named(request.into_inner().name, &counting).await?;
        let history = self.host.ledger.history(listed.product, listed.machine).await.map_err(unreadable)?;
        let refusals =
            self.host.journal.refusals(OF_ONE_MACHINE, |refusal| refusal.machine == Some(listed.machine));
        let id = listed.machine.to_string();
        let is_of_it = move |line: &AuditLine| {
            line.parameters.get(changes::MACHINE).is_some_and(|machine| *machine == id)
        };
        // A log that cannot be read is an alarm of its own, and no reason to hide the rest.
        let changes =
            self.with_audit(|audit| audit.latest(OF_ONE_MACHINE, is_of_it)).await.unwrap_or_default();
        Ok(Response::new(wire::GetMachineResponse {
            machine: Some(counting.shown(&listed)),
            events: history.iter().map(|event| shown::event(listed.product, listed.machine, event)).collect(),
            refusals: refusals.into_iter().map(shown::refusal).collect(),
            changes: changes.into_iter().map(shown::change).collect(),
        }))
    }

    type ExportLedgerStream = Pin<Box<dyn Stream<Item = Result<wire::ExportLedgerResponse, Status>> + Send>>;

    async fn export_ledger(
        &self,
        request: Request<wire::ExportLedgerRequest>,
    ) -> Result<Response<Self::ExportLedgerStream>, Status> {
        let (caller, wire::ExportLedgerRequest { purpose }) = (Caller::of(&request), request.into_inner());
        let purpose = ExportKind::from_name(&purpose)
            .ok_or_else(|| malformed("the purpose is `export` or `backup`"))?;
        let host = &self.host;
        self.carrying_out(purpose, caller).await?;
        let head = Head::new(ExportKind::Export, host.clock.now(), Some(host.id), *host.ledger.meta());
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
            0 => SOURCES_MAX,
            most => most.min(SOURCES_MAX),
        };
        Ok(Response::new(self.host.fairness.report(most as usize, self.host.clock.monotonic())))
    }

    async fn block_machine(
        &self,
        request: Request<wire::BlockMachineRequest>,
    ) -> Result<Response<wire::BlockMachineResponse>, Status> {
        let (caller, wire::BlockMachineRequest { name, note }) = (Caller::of(&request), request.into_inner());
        let (machine, changed) = self.turn(Verb::Block, caller, name, note).await?;
        Ok(Response::new(wire::BlockMachineResponse { machine: Some(machine), changed }))
    }

    async fn unblock_machine(
        &self,
        request: Request<wire::UnblockMachineRequest>,
    ) -> Result<Response<wire::UnblockMachineResponse>, Status> {
        let (caller, wire::UnblockMachineRequest { name, note }) =
            (Caller::of(&request), request.into_inner());
        let (machine, changed) = self.turn(Verb::Unblock, caller, name, note).await?;
        Ok(Response::new(wire::UnblockMachineResponse { machine: Some(machine), changed }))
    }

    async fn forget_machine(
        &self,
        request: Request<wire::ForgetMachineRequest>,
    ) -> Result<Response<wire::ForgetMachineResponse>, Status> {
        let (caller, wire::ForgetMachineRequest { name, note }) =
            (Caller::of(&request), request.into_inner());
        let (machine, _) = self.turn(Verb::Forget, caller, name, note).await?;
        Ok(Response::new(wire::ForgetMachineResponse { machine: Some(machine) }))
    }

    async fn list_events(
        &self,
        request: Request<wire::ListEventsRequest>,
    ) -> Result<Response<wire::ListEventsResponse>, Status> {
        let wire::ListEventsRequest { product, kinds, page_token } = request.into_inner();
        let kinds: Option<Vec<_>> = kinds.iter().map(|kind| EventKind::from_name(kind)).collect();
        let kinds = kinds.ok_or_else(|| malformed("an event is of another kind"))?;
        let after = cursor(page_token);
        let page = self.host.ledger.events(id(&product)?, after, EVENTS_LOOKED_AT);
        let page = page.await.map_err(unreadable)?;
        let wanted = |listed: &&ListedEvent| kinds.is_empty() || kinds.contains(&listed.event.kind);
        let events = page.rows.iter().filter(wanted);
        Ok(Response::new(wire::ListEventsResponse {
            events: events.map(|one| shown::event(one.product, one.machine, &one.event)).collect(),
            next_page_token: token_of(page.next),
        }))
    }

    async fn list_certificates(
        &self,
        _: Request<wire::ListCertificatesRequest>,
    ) -> Result<Response<wire::ListCertificatesResponse>, Status> {
        let now = self.host.clock.now();
        let installed = self.host.certificates();
        let counting = self.counting().await.map_err(unreadable)?;
        let certificates = shown::certificates(&installed, &counting, now);
        let unusable = installed.left_out().iter().map(shown::unusable).collect();
        Ok(Response::new(wire::ListCertificatesResponse { certificates, now: now.unix_ms(), unusable }))
    }

    async fn list_changes(
        &self,
        request: Request<wire::ListChangesRequest>,
    ) -> Result<Response<wire::ListChangesResponse>, Status> {
        let most = match request.into_inner().page_size {
            0 => CHANGES_SHOWN,
            most => most.min(CHANGES_MAX),
        };
        let changes = self.with_audit(move |audit| audit.latest(most as usize, |_| true)).await?;
        Ok(Response::new(wire::ListChangesResponse {
            changes: changes.into_iter().map(shown::change).collect(),
        }))
    }

    async fn verify_changes(
        &self,
        _: Request<wire::VerifyChangesRequest>,
    ) -> Result<Response<wire::VerifyChangesResponse>, Status> {
        let checked = self.with_audit(Audit::verify).await?;
        Ok(Response::new(shown::verified(self.audit.path(), checked)))
    }

    async fn reload(
        &self,
        request: Request<wire::ReloadRequest>,
    ) -> Result<Response<wire::ReloadResponse>, Status> {
        let caller = Caller::of(&request);
        self.reloading(caller, request.into_inner().note).await.map(Response::new)
    }
}

/// An id of 16 bytes, or none for no bytes.
fn id(bytes: &[u8]) -> Result<Option<ProductId>, Status> {
    match bytes {
        [] => Ok(None),
        id => ProductId::from_slice(id).map(Some).ok_or_else(|| malformed("a product's id is 16 bytes")),
    }
}

fn malformed(cause: &str) -> Status {
    status(Reason::Malformed.with(&[("cause", &cause)]).into())
}

/// The position at which a list continues, from the caller's token; without a token, the beginning.
fn cursor(page_token: Bytes) -> Option<Cursor> {
    (!page_token.is_empty()).then(|| Cursor::from_bytes(page_token))
}

fn token_of(next: Option<Cursor>) -> Bytes {
    next.map(|next| next.into_bytes().into()).unwrap_or_default()
}

fn unreadable(error: LedgerError) -> Status {
    let code = if error.is_damage() { Code::DataLoss } else { Code::Internal };
    let error = remedy::message(&error);
    tracing::error!(error, "the ledger has failed a request by an administrator");
    Status::new(code, error)
}
