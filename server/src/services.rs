//! Services made with tonic, as a [`CallHandler`]: for a program that needs no say in how a call is read or refused.

use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::codegen::http::{Request, Response};
use tonic::service::Routes;

use crate::accept::{CallHandler, Line};

/// Services made with tonic. Each call has the [`Source`](crate::Source) of its connection among its extensions.
///
/// Set the size of the largest message at each service: tonic reads up to 4 MiB by itself.
#[derive(Debug)]
pub struct Services(Routes);

impl Services {
    /// These services. tonic answers calls for others with UNIMPLEMENTED.
    pub fn new(routes: Routes) -> Services {
        Services(routes.prepare())
    }
}

impl CallHandler for Services {
    type Called = ();

    fn called(&self, _: &str) -> Option<()> {
        Some(())
    }

    async fn answer(
        &self,
        (): (),
        mut request: Request<Incoming>,
        line: &Line,
    ) -> Result<Response<Body>, Status> {
        request.extensions_mut().insert(line.source());
        let Ok(answer) = self.0.clone().call(request).await;
        // A refusal has its status among the headers, an answer behind its messages.
        if !answer.headers().contains_key(Status::GRPC_STATUS) {
            line.was_of_use();
        }
        Ok(answer)
    }
}
