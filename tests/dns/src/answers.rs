//! What becomes of one question: recorded first, then answered from the zones, failed, or met with silence.
//!
//! The sockets are `lib.rs`'s and Hickory's. Hickory's catalog finds the zone and the records. Along with an
//! SRV answer it sends the addresses of the first target only, where others send those of every target in the
//! zone; a client must look up what is missing in either case. Where zones come from: `zone.rs`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::LowerName;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{Catalog, MessageResponseBuilder, ZoneHandler};

use crate::zone::Zone;
use crate::{QUERIES_KEPT, Query};

/// Everything a test may change while the server runs.
pub(crate) struct Answers(Mutex<State>);

struct State {
    zones: BTreeMap<LowerName, Zone>,
    /// Built from `zones`. A question keeps the catalog it began with, so a reload tears no answer.
    catalog: Arc<Catalog>,
    faults: BTreeMap<String, Fault>,
    queries: VecDeque<Query>,
}

#[derive(Clone, Copy)]
enum Fault {
    Silent,
    Failing,
}

impl Answers {
    pub(crate) fn new(zones: Vec<Zone>) -> Self {
        let zones: BTreeMap<_, _> = zones.into_iter().map(|zone| (zone.origin().clone(), zone)).collect();
        Self(Mutex::new(State {
            catalog: catalog_of(&zones),
            zones,
            faults: BTreeMap::new(),
            queries: VecDeque::new(),
        }))
    }

    pub(crate) fn queries(&self) -> Vec<Query> {
        self.state().queries.iter().cloned().collect()
    }

    pub(crate) fn replace(&self, zone: Zone) {
        let mut state = self.state();
        state.zones.insert(zone.origin().clone(), zone);
        state.catalog = catalog_of(&state.zones);
    }

    pub(crate) fn silence(&self, name: &str) {
        self.state().faults.insert(as_asked(name), Fault::Silent);
    }

    pub(crate) fn fail(&self, name: &str) {
        self.state().faults.insert(as_asked(name), Fault::Failing);
    }

    pub(crate) fn mend(&self, name: &str) {
        self.state().faults.remove(&as_asked(name));
    }

    /// Records the questions of `request` and says how it is to be answered.
    fn receive(&self, request: &Request) -> (Arc<Catalog>, Option<Fault>) {
        let mut state = self.state();
        let mut fault = None;
        for question in request.queries.queries() {
            let query = Query { name: question.name().to_string(), record_type: question.query_type() };
            fault = fault.or_else(|| state.faults.get(&query.name).copied());
            remember(&mut state.queries, query);
        }
        (Arc::clone(&state.catalog), fault)
    }

    /// Nothing above panics half-way through a change, so a poisoned lock still guards a whole state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What Hickory calls for each message.
pub(crate) struct Handler(pub(crate) Arc<Answers>);

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        response_handle: R,
    ) -> ResponseInfo {
        let (catalog, fault) = self.0.receive(request);
        match fault {
            None => catalog.handle_request::<R, T>(request, response_handle).await,
            Some(Fault::Failing) => send_failure(request, response_handle).await,
            Some(Fault::Silent) => failure(request),
        }
    }
}

async fn send_failure(request: &Request, mut response_handle: impl ResponseHandler) -> ResponseInfo {
    let response = MessageResponseBuilder::from_message_request(request)
        .error_msg(&request.metadata, ResponseCode::ServFail);
    // An asker that has gone away needs no answer.
    response_handle.send_response(response).await.unwrap_or_else(|_| failure(request))
}

/// For Hickory's log only: it wants to know what was answered, even where nothing was.
fn failure(request: &Request) -> ResponseInfo {
    let mut metadata = Metadata::response_from_request(&request.metadata);
    metadata.response_code = ResponseCode::ServFail;
    Header { metadata, counts: HeaderCounts::default() }.into()
}

fn remember(queries: &mut VecDeque<Query>, query: Query) {
    if queries.len() == QUERIES_KEPT {
        queries.pop_front();
    }
    queries.push_back(query);
}

fn catalog_of(zones: &BTreeMap<LowerName, Zone>) -> Arc<Catalog> {
    let mut catalog = Catalog::new();
    for (origin, zone) in zones {
        let records: Arc<dyn ZoneHandler> = zone.records();
        catalog.upsert(origin.clone(), vec![records]);
    }
    Arc::new(catalog)
}

/// A name as it is recorded: lower case, with its trailing dot.
fn as_asked(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    if name.ends_with('.') { name } else { name + "." }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecordType;

    #[test]
    fn the_last_queries_are_kept() {
        let mut queries = VecDeque::new();
        for number in 0..=QUERIES_KEPT {
            remember(&mut queries, Query { name: format!("{number}."), record_type: RecordType::A });
        }
        assert_eq!(queries.len(), QUERIES_KEPT);
        assert_eq!(queries[0].name, "1.");
        assert_eq!(queries[QUERIES_KEPT - 1].name, format!("{QUERIES_KEPT}."));
    }
}
