//! Serving machines, until the host stops.
//!
//! [`server::accept`] decides who may connect and what a connection may do. [`serve`] takes a host with its clock,
//! listeners and a shutdown future from its caller, so a test can pass any time, port 0 and any future.

use std::future::Future;
use std::sync::Arc;

use proto::v1::activation_service_server::SERVICE_NAME;
use server::accept::{self, Door};
use tokio::net::TcpListener;
use tonic_health::ServingStatus;

use crate::activate::Host;
use crate::door::service::Service;

/// Serves machines that this door admits until `shutdown`, then drains.
pub async fn serve(
    host: Arc<Host>,
    door: Door,
    listeners: Vec<TcpListener>,
    shutdown: impl Future<Output = ()>,
) {
    let clock = host.clock.clone();
    let (service, health) = Service::new(host);
    health.set_service_status(SERVICE_NAME, ServingStatus::Serving).await;
    let shutdown = async {
        shutdown.await;
        health.set_service_status(SERVICE_NAME, ServingStatus::NotServing).await;
    };
    accept::serve(door, service, clock, listeners, shutdown).await;
}
