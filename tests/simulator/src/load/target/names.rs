//! The addresses of a name: from the name server that was given, or else from the system, which knows more than DNS.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::time::timeout;

/// How long one name may take.
const LIMIT: Duration = Duration::from_secs(8);

/// Where names are looked up.
pub(super) enum Names {
    /// The system: its hosts file, its name servers.
    System,
    /// This name server and nothing else.
    Server(Box<TokioResolver>),
}

impl Names {
    /// At this name server, or at the system.
    pub(super) fn open(name_server: Option<SocketAddr>) -> anyhow::Result<Names> {
        let Some(address) = name_server else { return Ok(Names::System) };
        let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
        for connection in &mut connections {
            connection.port = address.port();
        }
        let server = NameServerConfig::new(address.ip(), true, connections);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        let resolver = builder.build().context("the name server cannot be asked")?;
        Ok(Names::Server(Box::new(resolver)))
    }

    /// Every address of a name; of an address itself.
    ///
    /// # Errors
    /// It has none, or nobody answers in time.
    pub(super) async fn addresses(&self, name: &str) -> anyhow::Result<Vec<IpAddr>> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let found = timeout(LIMIT, self.look_up(name)).await;
        let found = found.with_context(|| format!("nobody knows in time where {name} is"))?;
        found.with_context(|| format!("the name {name} leads nowhere; see whether it is written right"))
    }

    async fn look_up(&self, name: &str) -> anyhow::Result<Vec<IpAddr>> {
        match self {
            Names::System => {
                Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
            }
            Names::Server(resolver) => {
                // Fully qualified, so that no search list takes part.
                let qualified = format!("{}.", name.trim_end_matches('.'));
                Ok(resolver.lookup_ip(qualified).await?.iter().collect())
            }
        }
    }
}
