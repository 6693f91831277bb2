//! The arguments: commands and options, with help and examples. Each group of commands has a file of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use kms_client::{HostName, KeyNumber};
use program::arguments::name_server;

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
  export KMS_PRODUCT=product.toml     the product file, from `kms-vendor product file`
  kms-client status                   show the license of this machine; asks no host
  kms-client discover                 show the hosts that it would ask, and what named them
  kms-client activate                 ask now
  kms-client key set -                enter a product key, for a machine that the vendor licenses without a host
  kms-client account sign-in          sign in, for a product that is licensed to people
  kms-client explain DNS_NO_RECORD    what a reason means, and what to do

KMS_LOG=kms_client=debug logs every step on standard error.
Exit codes: 0 done, 64 wrong usage, 65 wrong product file or code, 66 no product file, 69 no usable answer from any host or
the vendor's portal, 74 disk, 75 try again later (waiting, or another process is asking), 77 this user may not.";

/// Where states are, unless the person says otherwise.
pub(crate) const STATE_DIR: &str = "/var/lib/kms-client";

/// The product, its state, and where to find hosts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Product and places")]
pub(crate) struct Setting {
    /// Product file, as `kms-vendor product file` writes it.
    #[arg(long, global = true, value_name = "FILE", env = "KMS_PRODUCT")]
    pub(crate) product: Option<PathBuf>,
    /// Directory of the product's state.
    #[arg(long, global = true, value_name = "DIR", env = "KMS_STATE", default_value = STATE_DIR)]
    pub(crate) state: PathBuf,
    /// Name server to ask instead of the system's.
    #[arg(long, global = true, value_name = "ADDR:PORT", value_parser = name_server)]
    pub(crate) dns: Option<SocketAddr>,
    /// Domain to search for hosts instead of the machine's own; repeat for more.
    #[arg(long = "domain", global = true, value_name = "NAME")]
    pub(crate) domains: Vec<String>,
    /// Host to ask; repeat for more. KMS_HOSTS and the hosts of `host set` go before it.
    #[arg(long = "host", global = true, value_name = "NAME[:PORT]")]
    pub(crate) hosts: Vec<HostName>,
    /// Speak only TLS with hosts. Their certificates have to be signed by a CA in this PEM file.
    #[arg(long, global = true, value_name = "FILE", env = "KMS_TLS_CA")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Certificate of this machine in PEM, for hosts that demand one.
    #[arg(long, global = true, value_name = "FILE", env = "KMS_TLS_CERTIFICATE")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Private key of that certificate in PEM, without a passphrase.
    #[arg(long, global = true, value_name = "FILE", env = "KMS_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the license of this machine. This asks no host.
    #[command(after_help = "Examples:
  kms-client status
  kms-client status --state /var/lib/editor
  kms-client status --json | jq -r .state")]
    Status,
    /// Ask for a license now, and show every answer. With a product key the vendor's portal is asked, otherwise the hosts.
    #[command(after_help = "Examples:
  kms-client activate
  kms-client activate --host kms1.corp.example
  kms-client activate --host [2001:db8::1]:21688 --json | jq .attempts

Exit codes: 0 licensed, 75 counted and waiting for more machines, 69 no usable answer.
A license that is held runs on, whatever the outcome.")]
    Activate,
    /// Show the hosts that this machine would ask, in order, and the places that named none. This asks no host.
    #[command(after_help = "Examples:
  kms-client discover
  kms-client discover --domain corp.example --dns 10.0.0.53

Exit codes: 0 there is a host to ask, 69 there is none.")]
    Discover,
    /// Enter, show or forget a product key, which licenses this machine at the vendor, without a host.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Sign in with an account at the vendor's portal, which then licenses this machine; show who is signed in; sign out.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Ask for a product key and activate it step by step: over the internet, or by telephone.
    #[command(after_help = "Examples:
  kms-client wizard
  kms-client wizard --language fr-BE
  kms-client wizard --qr              the installation id as a QR code as well

Each question is a line on standard output, and each answer a line on standard input. Ctrl-C or the end of the input leaves: the key that was
entered stays, and the next wizard goes on with it. With --json the questions are on standard error.
Exit codes: 0 licensed, or to be activated later; 69 left before that.")]
    Wizard(WizardArguments),
    /// Activate machines of a closed network by their product keys, with one file that is carried to a machine with a network and back.
    #[command(subcommand)]
    Proxy(ProxyCommand),
    /// Name hosts on this machine. They go before the product's own and before DNS.
    #[command(subcommand)]
    Host(HostCommand),
    /// Show or forget the organisation that this machine belongs to.
    #[command(subcommand)]
    Organisation(OrganisationCommand),
    /// Retire this machine: it leaves the count and gives up its lease, or gives the place of its product key back, until `activate`.
    ///
    /// If another key was entered and is not activated yet, this gives back the place of the old key.
    #[command(after_help = "Examples:
  kms-client release
  kms-client release --key 3F8K-9QWX   give back the place of a key that was replaced or cleared; what licenses this machine now stays

Exit codes: 0 a host or the portal has confirmed it; 69 none has, and this machine keeps its license.")]
    Release {
        /// Number of the product key whose place to give back [default: the key that has activated this machine].
        #[arg(long, value_name = "NUMBER")]
        key: Option<KeyNumber>,
    },
    /// Replace the key pair by which hosts know this machine.
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Keep running and renew, and print each change on a line, until Ctrl-C. For a trial, or a machine without a service.
    #[command(after_help = "Examples:
  kms-client run
  kms-client run --json | jq -c '{state, until_ms}'")]
    Run,
    /// Explain a reason: what it means, whose fault it is and what to do. Without CODE, list all reasons.
    #[command(after_help = "Examples:
  kms-client explain
  kms-client explain HOST_UNREACHABLE
  kms-client explain --json | jq -r '.reasons[].code'")]
    Explain {
        /// Code of the reason, such as CLOCK_SKEW.
        code: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct WizardArguments {
    /// Language of the dialog (en, nl, de or fr), perhaps with the country to call from, such as fr-BE [default: the locale's].
    #[arg(long, value_name = "TAG")]
    pub(crate) language: Option<String>,
    /// Show the installation id as a QR code as well, for a camera.
    #[arg(long)]
    pub(crate) qr: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Enter a product key (a multiple-activation key), and activate this machine with it now. From then on no host is asked.
    ///
    /// Until it is activated, a lease or an old key continues to license this machine.
    #[command(after_help = "Examples:
  kms-client key set DDDDD-DDDDD-DDDDD-DDDDD-DDDDD
  kms-client key set - < key.txt      the key from standard input, so that it is in no list of commands
  kms-client key set --later -

Exit codes: 0 licensed, or entered for later; 64 no such key for this product, and nothing was changed; 69 entered, and the portal has not
confirmed it: the product asks again, or `kms-client activate`.")]
    Set {
        /// The key, in upper or lower case, with or without dashes; `-` asks for it, or reads the first line of a pipe.
        key: String,
        /// Only enter it. `kms-client activate`, or the product at its next start, activates it.
        #[arg(long)]
        later: bool,
    },
    /// Show the installation id, which is read to the vendor where there is no network. It contains neither the key nor a name.
    #[command(after_help = "Examples:
  kms-client key set --later -        the key comes first
  kms-client key installation-id
  kms-client key installation-id --qr
  kms-client key installation-id --json | jq -r .letters

The same machine with the same key always has the same id. Exit codes: 64 no key is entered, 69 this product takes no confirmation id.")]
    InstallationId {
        /// Show a QR code as well, for a camera.
        #[arg(long)]
        qr: bool,
    },
    /// Enter the confirmation id that the vendor has read back, and license this machine with it.
    #[command(after_help = "Examples:
  kms-client key confirm 482913 105526 ...
  kms-client key confirm -            from standard input, typed or scanned

Exit codes: 0 licensed; 65 it confirms nothing here: wrong groups are named, and nothing was changed.")]
    Confirm {
        /// The confirmation id in digits or letters, with or without dashes and spaces; `-` asks for it, or reads it from a pipe.
        #[arg(required = true, value_name = "CODE")]
        code: Vec<String>,
    },
    /// Forget the product key: from then on hosts are asked. The vendor counts its place until `release` gives that back.
    #[command(after_help = "Examples:
  kms-client release && kms-client key clear")]
    Clear,
    /// Show the number of the product key, and whether it is activated. The key itself is never shown.
    #[command(after_help = "Examples:
  kms-client key show --json | jq -r .key.number")]
    Show,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Show a code to type at the vendor's portal, and wait until somebody has signed in there and let this machine in.
    ///
    /// What licenses this machine now does so until then. After that the product renews the license by itself.
    #[command(after_help = "Examples:
  kms-client account sign-in
  kms-client account sign-in --json | jq -r .uri_with_code

With --json the first line has the code, and the last what has come of it.
Exit codes: 0 signed in, or left with Ctrl-C; 69 nobody is signed in, and the reason says why.")]
    SignIn {
        /// Show no QR code.
        #[arg(long)]
        no_qr: bool,
    },
    /// Sign out: the vendor counts this machine no more, and what else licenses it counts again.
    #[command(after_help = "Examples:
  kms-client account sign-out

Exit codes: 0 nobody is signed in; 69 the portal was not reached, and the account stays signed in.")]
    SignOut,
    /// Show the account that is signed in, and until when it licenses this machine. This asks nobody.
    #[command(after_help = "Examples:
  kms-client account show --json | jq -r .account.account")]
    Show,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProxyCommand {
    /// On each machine: add its ask to FILE. Its product key was entered with `key set --later`.
    #[command(after_help = "Examples:
  kms-client key set --later -
  kms-client proxy collect /media/stick/asks.pem

FILE names no user, no address and no computer. But the product keys are in it: keep it as you keep them.")]
    Collect {
        /// File to add the ask to.
        file: PathBuf,
    },
    /// On a machine with a network: ask the vendor's portal for all machines in FILE, and put the answers in their place. Those that the
    /// portal refuses stay as they are; the same ask may be carried again, and costs nothing.
    #[command(after_help = "Examples:
  kms-client --product product.toml proxy carry /media/stick/asks.pem

Exit codes: 0 every machine was confirmed, 69 not all of them.")]
    Carry {
        /// File with the asks.
        file: PathBuf,
    },
    /// On each machine: take its own confirmation out of FILE.
    #[command(after_help = "Examples:
  kms-client proxy apply /media/stick/asks.pem

Exit codes: 0 licensed, 69 there is no confirmation for this machine.")]
    Apply {
        /// File that was carried back.
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum HostCommand {
    /// Ask these hosts from now on, in this order.
    #[command(after_help = "Examples:
  kms-client host set kms1.corp.example kms2.corp.example:21689
  kms-client host set [2001:db8::1]:21688")]
    Set {
        /// Hosts, in the order in which to ask them.
        #[arg(required = true, value_name = "NAME[:PORT]")]
        names: Vec<HostName>,
    },
    /// Forget the hosts that were set. The product's own are asked again, or those in DNS.
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
    /// Show the organisation. The first lease names it, unless the product does.
    #[command(after_help = "Examples:
  kms-client organisation show --json | jq -r .name")]
    Show,
    /// Forget the organisation, for a machine that has changed hands. The lease that is held runs on.
    #[command(after_help = "Examples:
  kms-client organisation clear")]
    Clear,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// Make a new key pair, before an image of this machine is copied. This gives up the lease; grace runs on.
    #[command(after_help = "Examples:
  kms-client identity reset --yes")]
    Reset {
        /// Confirm that this machine gives up its lease.
        #[arg(long)]
        yes: bool,
    },
}
