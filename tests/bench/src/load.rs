//! The load: a fixed number of requests in flight, over kept connections or each over one of its own, until the time or the asks
//! are used up.
//!
//! Each request in flight is one task that asks, waits and asks again, so the load never waits for a slow answer and never
//! exceeds its number: what is measured is the service at that depth, not a queue in front of it. Answers are kept as
//! they came; `verify` looks at them once the clock has stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use prost::Message;
use proto::v1::activation_service_client::ActivationServiceClient;
use proto::v1::{self, ActivateResponse};
use shared::time::Clock;
use tonic::transport::{Channel, Endpoint};

use crate::asks::Asker;

/// The way to one service.
pub(crate) struct Connections {
    endpoint: Endpoint,
    kept: Vec<ActivationServiceClient<Channel>>,
}

/// How requests travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Travel {
    /// Over connections that are kept.
    Kept,
    /// Each over a connection of its own, as in the field.
    Fresh,
}

/// An answer as it came.
pub(crate) struct Reply {
    /// Which of the asks it answers.
    pub(crate) ask: usize,
    /// From sending to having it.
    pub(crate) latency: Duration,
    /// Encoded again, since what was decoded are slices of a connection's buffer and would keep all of that alive.
    pub(crate) answer: Vec<u8>,
}

/// What one measurement gave.
pub(crate) struct Run {
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// Every answer.
    pub(crate) replies: Vec<Reply>,
}

/// What to send, for how long.
pub(crate) struct Load {
    /// The asks, in order.
    pub(crate) askers: Arc<Vec<Asker>>,
    /// Whether they may be sent over and over: only to a service that remembers nothing.
    pub(crate) over_and_over: bool,
    /// Requests in flight.
    pub(crate) in_flight: u16,
    pub(crate) travel: Travel,
    /// No request is sent later than this after the first.
    pub(crate) length: Duration,
}

impl Connections {
    /// Opens `count` connections.
    ///
    /// # Errors
    /// No server listens there.
    pub(crate) async fn open(address: SocketAddr, count: u16) -> anyhow::Result<Connections> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
        let mut kept = Vec::new();
        for _ in 0..count {
            kept.push(ActivationServiceClient::new(endpoint.connect().await?));
        }
        Ok(Connections { endpoint, kept })
    }

    /// Sends a load and waits for every answer.
    ///
    /// # Errors
    /// A request failed: then there is no figure.
    pub(crate) async fn send(&self, load: Load, clock: Arc<dyn Clock>) -> anyhow::Result<Run> {
        let load = Arc::new(load);
        let next = Arc::new(AtomicUsize::new(0));
        let began = clock.monotonic();
        let until = began + load.length;
        let clients = self.kept.iter().cycle().take(usize::from(load.in_flight));
        let tasks: Vec<_> = clients
            .map(|client| {
                let way = match load.travel {
                    Travel::Kept => Way::Kept(client.clone()),
                    Travel::Fresh => Way::Fresh(Box::new(self.endpoint.clone())),
                };
                tokio::spawn(ask_until(way, load.clone(), next.clone(), clock.clone(), until))
            })
            .collect();
        let mut replies = Vec::new();
        for task in tasks {
            replies.push(task.await??);
        }
        let took = clock.monotonic().saturating_sub(began);
        Ok(Run { took, replies: replies.into_iter().flatten().collect() })
    }
}

/// The way of one request in flight.
enum Way {
    Kept(ActivationServiceClient<Channel>),
    Fresh(Box<Endpoint>),
}

impl Way {
    async fn ask(&mut self, request: v1::ActivateRequest) -> anyhow::Result<ActivateResponse> {
        let answer = match self {
            Way::Kept(client) => client.activate(request).await,
            Way::Fresh(endpoint) => {
                ActivationServiceClient::new(endpoint.connect().await?).activate(request).await
            }
        };
        Ok(answer?.into_inner())
    }
}

/// One request in flight: asks until the time or the asks are used up.
async fn ask_until(
    mut way: Way,
    load: Arc<Load>,
    next: Arc<AtomicUsize>,
    clock: Arc<dyn Clock>,
    until: Duration,
) -> anyhow::Result<Vec<Reply>> {
    let mut replies = Vec::new();
    loop {
        let mut ask = next.fetch_add(1, Ordering::Relaxed);
        if load.over_and_over {
            ask %= load.askers.len();
        }
        let sent = clock.monotonic();
        let Some(asker) = load.askers.get(ask).filter(|_| sent < until) else {
            return Ok(replies);
        };
        let answer = way.ask(asker.request.clone()).await.context("a request failed")?;
        let latency = clock.monotonic().saturating_sub(sent);
        replies.push(Reply { ask, latency, answer: encode(answer) });
    }
}

fn encode(answer: ActivateResponse) -> Vec<u8> {
    answer.encode_to_vec()
}
