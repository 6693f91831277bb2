//! The addresses of a name: from the name server that was given, or else from the system, which knows more than DNS.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use names::Dns;
use tokio::time::timeout;

/// How long one name may take.
const LIMIT: Duration = Duration::from_secs(8);

/// Every address of a name; of an address itself.
///
/// # Errors
/// It has none, or nobody answers in time.
pub(super) async fn addresses(name: &str, name_server: Option<SocketAddr>) -> anyhow::Result<Vec<IpAddr>> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    let found = timeout(LIMIT, look_up(name, name_server)).await;
    let found = found.with_context(|| format!("nobody knows in time where {name} is"))?;
    found.with_context(|| format!("the name {name} leads nowhere; see whether it is written right"))
}

async fn look_up(name: &str, name_server: Option<SocketAddr>) -> anyhow::Result<Vec<IpAddr>> {
    if name_server.is_none() {
        return Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect());
    }
    // Fully qualified, so that no search list takes part.
    let qualified = format!("{}.", name.trim_end_matches('.'));
    Ok(Dns::open(name_server, &[], shared::SERVICE_LABEL).addresses(&qualified).await?)
}
