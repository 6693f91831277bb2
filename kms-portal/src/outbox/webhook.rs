//! Tells the vendor's services, by HTTP and signed as Standard Webhooks has it.

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use shared::time::Timestamp;
use tonic::codegen::http::Request;
use tonic::codegen::http::header::CONTENT_TYPE;

use super::Undelivered;
use crate::db::{PostedMessage, WebhookTarget};
use crate::webhook_signature::seconds;

/// Sends webhooks. It follows no redirect: a service is told where staff has said.
#[derive(Clone, Debug)]
pub struct WebhookSender(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl WebhookSender {
    /// Trusts the CAs that this machine trusts.
    ///
    /// # Errors
    /// There are none.
    pub fn new() -> std::io::Result<WebhookSender> {
        let connector =
            HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        Ok(WebhookSender(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// Sends an event. Each try has the same id, so a service that gets it twice can tell.
    pub(super) async fn send(
        &self,
        target: &WebhookTarget,
        posted: &PostedMessage,
        event: &str,
        now: Timestamp,
    ) -> Result<(), Undelivered> {
        let id = format!("msg_{}_{}", posted.number, posted.posted_at.unix_ms());
        let request = Request::post(target.url())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", seconds(now))
            .header("webhook-signature", target.secret.sign(&id, now, event.as_bytes()))
            .body(Full::new(Bytes::copy_from_slice(event.as_bytes())))
            .map_err(Undelivered::later)?;
        let answer = self.0.request(request).await.map_err(|error| Undelivered::later(causes(&error)))?;
        let status = answer.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(Undelivered::later(format!("the service answered {status}")))
        }
    }
}

/// An error with what is behind it: the first alone says too little.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(behind) = cause {
        text = format!("{text}: {behind}");
        cause = behind.source();
    }
    text
}
