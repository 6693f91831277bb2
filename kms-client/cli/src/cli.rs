//! The arguments: commands, options, their help and examples. What the commands do is in the file of their group.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use kms_client::HostName;

/// A product's license on this machine: its state, the hosts that it asks, and what a reason means.
#[derive(Debug, Parser)]
#[command(name = "kms-client", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) setting: Setting,
    /// Answer in JSON, for a script. Instants are milliseconds since 1970, UTC.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
First steps:
  export KMS_PRODUCT=product.toml     what the product carries, from `kms-vendor product file`
  kms-client status                   where this machine stands; nobody is asked
  kms-client discover                 whom it would ask, and who named them
  kms-client activate                 asks now
  kms-client explain DNS_NO_RECORD    what a reason means, and what to do

With KMS_LOG=kms_client=debug, every step is logged on standard error.
Exit codes: 0 done, 64 wrong usage, 65 wrong product file, 66 no product file, 69 no host gave anything usable,
74 disk, 75 try again later (waiting, or another process is asking), 77 this user may not.";

/// Which product is meant, where its state is, and where hosts are looked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Product and places")]
pub(crate) struct Setting {
    /// What the product carries, as `kms-vendor product file` writes it.
    #[arg(long, global = true, value_name = "FILE", env = "KMS_PRODUCT")]
    pub(crate) product: Option<PathBuf>,
    /// The directory in which the product keeps its state.
    #[arg(long, global = true, value_name = "DIR", env = "KMS_STATE", default_value = "/var/lib/kms-client")]
    pub(crate) state: PathBuf,
    /// Ask this name server instead of the system's.
    #[arg(long, global = true, value_name = "ADDR:PORT", value_parser = parse_name_server)]
    pub(crate) dns: Option<SocketAddr>,
    /// Look for hosts in this domain instead of the machine's own; again for each one.
    #[arg(long = "domain", global = true, value_name = "NAME")]
    pub(crate) domains: Vec<String>,
    /// Host to ask; repeat for more. KMS_HOSTS and the hosts of `host set` go before it.
    #[arg(long = "host", global = true, value_name = "NAME[:PORT]")]
    pub(crate) hosts: Vec<HostName>,
    /// Speak TLS with hosts, and nothing else: their certificates have to be signed by a CA in this PEM file.
    #[arg(long, global = true, value_name = "FILE", env = "KMS_TLS_CA")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// The certificate of this machine in PEM, for hosts that demand one.
    #[arg(long, global = true, value_name = "FILE", env = "KMS_TLS_CERTIFICATE")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Its private key in PEM, without a passphrase.
    #[arg(long, global = true, value_name = "FILE", env = "KMS_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show where this machine stands. Nobody is asked.
    #[command(after_help = "Examples:
  kms-client status
  kms-client status --state /var/lib/editor
  kms-client status --json | jq -r .state")]
    Status,
    /// Ask for a lease now, and show what every host answered.
    #[command(after_help = "Examples:
  kms-client activate
  kms-client activate --host kms1.corp.example
  kms-client activate --host [2001:db8::1]:21688 --json | jq .attempts

Exit codes: 0 a host gave a lease, 75 counted and waiting for more machines, 69 no host gave anything usable.
Whatever comes of it, a lease that is held runs on.")]
    Activate,
    /// Show which hosts this machine would ask, in order, and which places named none. No host is asked.
    #[command(after_help = "Examples:
  kms-client discover
  kms-client discover --domain corp.example --dns 10.0.0.53

Exit codes: 0 there is somebody to ask, 69 there is nobody.")]
    Discover,
    /// Name hosts on this machine, which then go before the product's own and before DNS.
    #[command(subcommand)]
    Host(HostCommand),
    /// The organisation that this machine belongs to.
    #[command(subcommand)]
    Organisation(OrganisationCommand),
    /// Retire this machine: it leaves the count and gives up its lease, until `activate`.
    #[command(after_help = "Examples:
  kms-client release

Exit codes: 0 a host has confirmed it, 69 none has, and this machine keeps what it has.")]
    Release,
    /// The key pair by which hosts know this machine.
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Stay and renew, printing each change on a line, until Ctrl-C. For trying, and for machines without a service.
    #[command(after_help = "Examples:
  kms-client run
  kms-client run --json | jq -c '{state, until_ms}'")]
    Run,
    /// Say what a reason means, whose fault it is and what to do; without CODE, list all.
    #[command(after_help = "Examples:
  kms-client explain
  kms-client explain HOST_UNREACHABLE
  kms-client explain --json | jq -r '.reasons[].code'")]
    Explain {
        /// The code, such as CLOCK_SKEW.
        code: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum HostCommand {
    /// Ask these hosts from now on, in this order.
    #[command(after_help = "Examples:
  kms-client host set kms1.corp.example kms2.corp.example:21689
  kms-client host set [2001:db8::1]:21688")]
    Set {
        /// The hosts, first the one to ask first.
        #[arg(required = true, value_name = "NAME[:PORT]")]
        names: Vec<HostName>,
    },
    /// Forget the hosts that were set; those of the product are asked again, or DNS.
    #[command(after_help = "Examples:
  kms-client host clear")]
    Clear,
    /// Show the hosts that were set. `discover` shows all that would be asked.
    #[command(after_help = "Examples:
  kms-client host show")]
    Show,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum OrganisationCommand {
    /// Show it. The first lease has named it, unless the product does.
    #[command(after_help = "Examples:
  kms-client organisation show --json | jq -r .name")]
    Show,
    /// Forget it, for a machine that has changed hands. The lease that is held runs on.
    #[command(after_help = "Examples:
  kms-client organisation clear")]
    Clear,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// Make a new one, before an image of this machine is copied. The lease goes with the old one; grace runs on.
    #[command(after_help = "Examples:
  kms-client identity reset --yes")]
    Reset {
        /// Confirm that the lease this machine holds is given up.
        #[arg(long)]
        yes: bool,
    },
}

/// DNS has a port of its own, so it may be left out.
fn parse_name_server(text: &str) -> Result<SocketAddr, String> {
    const DNS_PORT: u16 = 53;
    let bare = |address: IpAddr| SocketAddr::new(address, DNS_PORT);
    let parsed = text.parse().or_else(|_| text.parse().map(bare));
    parsed.map_err(|_| {
        "write the address of a name server, such as 10.0.0.53:53 or [2001:db8::53]:53".to_owned()
    })
}
