//! Serving: machines over TCP, administrators over a unix socket.
//!
//! [`accept`](server::accept) decides who may connect and what a connection may do. [`serve`] takes a host with its clock,
//! listeners and a shutdown future from its caller, so a test can pass any time, port 0 and any future.

use std::future::Future;
use std::sync::Arc;

use proto::admin::v1::admin_service_server::AdminServiceServer;
use proto::v1::activation_service_server::SERVICE_NAME;
use server::accept::{self, Door};
use tokio::net::{TcpListener, UnixListener};
use tonic_health::ServingStatus;

use crate::activate::Host;
use crate::admin::Admin;
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

/// Serves administrators until `shutdown`: root, and the host's own user. The kernel says who asks.
///
/// # Errors
/// The transport failed.
pub async fn serve_admin(
    admin: Admin,
    socket: UnixListener,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    server::admin::serve(AdminServiceServer::new(admin), proto::FILE_DESCRIPTOR_SET, socket, shutdown).await
}
