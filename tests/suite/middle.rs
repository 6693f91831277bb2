//! Somebody between machine and host: passes asks on, keeps what goes by, and may answer with something else.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use prost::Message;
use proto::v1::activation_service_server::{ActivationService, ActivationServiceServer};
use proto::v1::{ActivateRequest, ActivateResponse, Answer, ReleaseRequest, ReleaseResponse};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use world::asker::{Wire, wire};

use crate::stage::LOOPBACK;

/// What is said instead of what the host has answered.
type Says = Box<dyn Fn(Answer) -> Answer + Send>;

/// Between machines and one host. It is gone when it is dropped.
pub(crate) struct Middle {
    address: SocketAddr,
    tapped: Tapped,
    serving: JoinHandle<()>,
}

/// What it keeps.
#[derive(Clone, Default)]
struct Tapped {
    passed: Arc<Mutex<Vec<Passed>>>,
    says: Arc<Mutex<Option<Says>>>,
}

/// One ask and its answer, as the host gave it.
#[derive(Clone)]
pub(crate) struct Passed {
    pub(crate) request: ActivateRequest,
    pub(crate) response: ActivateResponse,
}

impl Passed {
    /// How large ask and answer were, in bytes.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.request.encoded_len(), self.response.encoded_len())
    }
}

impl Middle {
    /// Stands in front of a host, on a port of its own.
    pub(crate) async fn of(host: SocketAddr) -> Middle {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let address = listener.local_addr().unwrap();
        let tapped = Tapped::default();
        let service = Passing { host: wire(host).unwrap(), tapped: tapped.clone() };
        let served = Server::builder()
            .add_service(ActivationServiceServer::new(service))
            .serve_with_incoming(TcpIncoming::from(listener));
        let serving = tokio::spawn(async move { served.await.unwrap() });
        Middle { address, tapped, serving }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The last ask that went by.
    pub(crate) fn last(&self) -> Passed {
        self.tapped.passed.lock().unwrap().last().cloned().expect("something went by")
    }

    /// How many asks went by.
    pub(crate) fn passed(&self) -> usize {
        self.tapped.passed.lock().unwrap().len()
    }

    /// Changes every answer from now on. The host is asked all the same.
    pub(crate) fn answer_with(&self, says: impl Fn(Answer) -> Answer + Send + 'static) {
        *self.tapped.says.lock().unwrap() = Some(Box::new(says));
    }

    /// Answers as the host does, again.
    pub(crate) fn be_honest(&self) {
        *self.tapped.says.lock().unwrap() = None;
    }
}

impl Drop for Middle {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Passing {
    host: Wire,
    tapped: Tapped,
}

#[tonic::async_trait]
impl ActivationService for Passing {
    async fn activate(
        &self,
        request: Request<ActivateRequest>,
    ) -> Result<Response<ActivateResponse>, Status> {
        let request = request.into_inner();
        let response = self.host.clone().activate(request.clone()).await?.into_inner();
        self.tapped.passed.lock().unwrap().push(Passed { request, response: response.clone() });
        let says = self.tapped.says.lock().unwrap();
        let answer = response.answer.map(|answer| match &*says {
            Some(says) => says(answer),
            None => answer,
        });
        Ok(Response::new(ActivateResponse { answer }))
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        self.host.clone().release(request).await
    }
}
