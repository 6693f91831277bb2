//! The load: so many requests in flight over so many kept connections, until the time or the asks are used up.
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
use proto::v1::ActivateResponse;
use proto::v1::activation_service_client::ActivationServiceClient;
use shared::time::Clock;
use tonic::transport::{Channel, Endpoint};

use crate::asks::Asker;

/// Kept connections to one service.
#[derive(Clone)]
pub(crate) struct Connections(Vec<ActivationServiceClient<Channel>>);

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
    /// No request is sent later than this after the first.
    pub(crate) length: Duration,
}

impl Connections {
    /// Connects so many times.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(crate) async fn open(address: SocketAddr, count: u16) -> anyhow::Result<Connections> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(ActivationServiceClient::new(endpoint.connect().await?));
        }
        Ok(Connections(clients))
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
        let clients = self.0.iter().cycle().take(usize::from(load.in_flight));
        let tasks: Vec<_> = clients
            .map(|client| {
                tokio::spawn(ask_until(client.clone(), load.clone(), next.clone(), clock.clone(), until))
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

/// One request in flight: asks until the time or the asks are used up.
async fn ask_until(
    mut client: ActivationServiceClient<Channel>,
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
        let answer = client.activate(asker.request.clone()).await.context("a request failed")?;
        let latency = clock.monotonic().saturating_sub(sent);
        replies.push(Reply { ask, latency, answer: encode(answer.into_inner()) });
    }
}

fn encode(answer: ActivateResponse) -> Vec<u8> {
    answer.encode_to_vec()
}
