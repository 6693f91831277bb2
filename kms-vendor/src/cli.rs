//! The arguments: commands, options, their help and examples. What the commands do is in `commands.rs`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use kms_vendor::{Signer, parse_instant, parse_length};
use shared::ids::ProductId;
use shared::policy::Policy;
use shared::time::Timestamp;

/// The vendor's side of volume activation: root keys, products, host certificates.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:
  kms-vendor init
  kms-vendor product add \"Example CAD\" --threshold 10
  kms-vendor certificate issue --request host.request --product \"Example CAD\" \\
      --organisation \"Example University\" --out host.certificate"
)]
pub(crate) struct Cli {
    /// The vendor's directory; it holds private keys.
    #[arg(long, global = true, env = "KMS_VENDOR_DIR", default_value = "./vendor")]
    pub(crate) dir: PathBuf,
    /// Answer in JSON, for a script.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the vendor's directory with two root keys, and print what a product pins.
    #[command(after_help = "Examples:
  kms-vendor init
  kms-vendor init --dir /srv/vendor
  kms-vendor init --json | jq -r '.roots[]'")]
    Init,
    /// Print once more what a product pins.
    #[command(after_help = "Examples:
  kms-vendor roots")]
    Roots,
    /// Add and show products, and write what they carry.
    #[command(subcommand)]
    Product(ProductCommand),
    /// Issue host certificates.
    #[command(subcommand)]
    Certificate(CertificateCommand),
    /// Make an issuing key, which signs for a while so that the roots can stay offline.
    #[command(subcommand)]
    Issuer(IssuerCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProductCommand {
    /// Add a product with its numbers.
    #[command(after_help = "Examples:
  kms-vendor product add \"Example CAD\"
  kms-vendor product add \"Example Database\" --server --validity 90d --expiry-warning 14d
  kms-vendor product add Trial --threshold 2 --validity 1m --renew-interval 5s --retry-interval 1s \\
      --renew-retry 1s --renew-retry-max 5s --count-window 20s --expiry-warning 10s --test-times

Lengths of time are written as 180d, 2h, 30m, 10s, 250ms.")]
    Add(AddProduct),
    /// List all products.
    #[command(after_help = "Examples:
  kms-vendor product list
  kms-vendor product list --json | jq -r '.products[].name'")]
    List,
    /// Show one product with all its numbers.
    #[command(after_help = "Examples:
  kms-vendor product show \"Example CAD\"
  kms-vendor product show \"Example CAD\" --json | jq -r .id")]
    Show {
        /// The product's name.
        name: String,
    },
    /// Write what a product carries (id, name, both roots) as TOML, for `kms-client --product`.
    #[command(after_help = "Examples:
  kms-vendor product file \"Example CAD\" --out product.toml
  kms-vendor product file \"Example CAD\" --organisation \"Example University\" --out pinned.toml
  kms-client --product product.toml discover

Without --out it is printed. Nothing in it is secret.")]
    File(ProductFile),
}

#[derive(Debug, Args)]
pub(crate) struct ProductFile {
    /// The product's name.
    pub(crate) name: String,
    /// The only organisation that may license this copy: the name under which it was certified.
    #[arg(long, value_name = "NAME")]
    pub(crate) organisation: Option<String>,
    /// The label under which the product's hosts are found in DNS [default: _kms-activation._tcp].
    #[arg(long, value_name = "LABEL")]
    pub(crate) service_label: Option<String>,
    /// Where the file is written.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Replace the file at --out.
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AddProduct {
    /// The product's name, for people.
    pub(crate) name: String,
    /// The id that the product carries already: 32 hexadecimal digits. A random one without this.
    #[arg(long, value_name = "HEX")]
    pub(crate) id: Option<ProductId>,
    /// Start from the numbers for servers (5 machines) instead of those for people's machines (25).
    #[arg(long)]
    pub(crate) server: bool,
    /// Lift the lower bounds of the numbers; every certificate for the product is then marked as test.
    #[arg(long)]
    pub(crate) test_times: bool,
    #[command(flatten)]
    pub(crate) numbers: Numbers,
}

/// The numbers that are given; the others have their defaults.
#[derive(Debug, Args)]
#[command(next_help_heading = "Numbers")]
pub(crate) struct Numbers {
    /// Distinct machines before leases are issued [default: 25, servers 5].
    #[arg(long, value_name = "N")]
    threshold: Option<u32>,
    /// Life of a lease [default: 180d].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    validity: Option<Duration>,
    /// When a licensed machine asks again [default: 7d].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    renew_interval: Option<Duration>,
    /// When an unlicensed machine asks again [default: 2h].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    retry_interval: Option<Duration>,
    /// When a licensed machine first asks again after a failed renewal; it doubles from here [default: 2h].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    renew_retry: Option<Duration>,
    /// Where the doubling ends [default: 1d].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    renew_retry_max: Option<Duration>,
    /// How long a machine that is not seen stays in the count [default: 30d].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    count_window: Option<Duration>,
    /// How long before its end a lease is said to expire soon [default: 30d].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    expiry_warning: Option<Duration>,
    /// The largest difference between two clocks at which one side takes the other's word [default: 4h].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    clock_tolerance: Option<Duration>,
}

impl Numbers {
    /// These numbers in the place of the defaults.
    pub(crate) fn over(&self, defaults: Policy) -> Policy {
        Policy {
            validity: self.validity.unwrap_or(defaults.validity),
            renew_interval: self.renew_interval.unwrap_or(defaults.renew_interval),
            retry_interval: self.retry_interval.unwrap_or(defaults.retry_interval),
            renew_retry: self.renew_retry.unwrap_or(defaults.renew_retry),
            renew_retry_max: self.renew_retry_max.unwrap_or(defaults.renew_retry_max),
            count_window: self.count_window.unwrap_or(defaults.count_window),
            threshold: self.threshold.unwrap_or(defaults.threshold),
            expiry_warning: self.expiry_warning.unwrap_or(defaults.expiry_warning),
            clock_tolerance: self.clock_tolerance.unwrap_or(defaults.clock_tolerance),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertificateCommand {
    /// Certify a host: one signing key, one product, one organisation.
    #[command(after_help = "Examples:
  kms-vendor certificate issue --request host.request --product \"Example CAD\" \\
      --organisation \"Example University\" --out host.certificate
  kms-vendor certificate issue --request host.request --product \"Example CAD\" \\
      --organisation \"Example University\" --not-before 2027-01-01T00:00:00Z --valid-for 365d \\
      --issuer --out next-year.certificate

Every certificate is recorded in issued.jsonl before its file is written.
With --issuer, the default life ends with the issuing certificate at the latest.")]
    Issue(IssueCertificate),
}

#[derive(Debug, Args)]
pub(crate) struct IssueCertificate {
    /// The host's request, as `kms-host init` writes and `kms-host request` prints it; - is standard input. Text before and behind it does no harm.
    #[arg(long, value_name = "FILE")]
    pub(crate) request: PathBuf,
    /// The product's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) product: String,
    /// The organisation's name or id; the same name always gets the same id.
    #[arg(long, value_name = "NAME|ID")]
    pub(crate) organisation: String,
    /// Make a new organisation even if its name is nearly that of another.
    #[arg(long)]
    pub(crate) new_organisation: bool,
    /// Certify the host even if it was certified for another organisation before.
    #[arg(long)]
    pub(crate) moved_host: bool,
    /// Accept a request that is not signed by the host's key, from a host of an older version.
    #[arg(long)]
    pub(crate) unsigned_request: bool,
    #[command(flatten)]
    pub(crate) life: Life,
    /// Sign with this root.
    #[arg(long, value_name = "1|2", default_value = "1", value_parser = parse_root)]
    pub(crate) root: Signer,
    /// Sign with the issuing key instead of a root.
    #[arg(long, conflicts_with = "root")]
    pub(crate) issuer: bool,
    /// Mark the certificate as test, for a host whose hours have another width.
    #[arg(long)]
    pub(crate) test_times: bool,
    /// Where the certificate is written.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Replace the file at --out.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IssuerCommand {
    /// Make issuing.key and its certificate, signed by a root.
    #[command(after_help = "Examples:
  kms-vendor issuer create
  kms-vendor issuer create --product \"Example CAD\" --valid-for 90d --root 2

No certificate that it signs may end later than its own.")]
    Create(CreateIssuer),
}

#[derive(Debug, Args)]
pub(crate) struct CreateIssuer {
    /// A product that it may sign for, again for each one; all products without this.
    #[arg(long = "product", value_name = "NAME")]
    pub(crate) products: Vec<String>,
    #[command(flatten)]
    pub(crate) life: Life,
    /// Sign its certificate with this root.
    #[arg(long, value_name = "1|2", default_value = "1", value_parser = parse_root)]
    pub(crate) root: Signer,
    /// Let it sign nothing but certificates that are marked as test.
    #[arg(long)]
    pub(crate) test_only: bool,
}

/// From when and for how long something is valid.
#[derive(Debug, Args)]
pub(crate) struct Life {
    /// The first instant at which it is valid, such as 2027-01-01T00:00:00Z [default: an hour ago, because the clock of
    /// a host may be behind].
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    pub(crate) not_before: Option<Timestamp>,
    /// How long it is valid from then on, or from now on without --not-before [default: 365d].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    pub(crate) valid_for: Option<Duration>,
}

fn parse_root(text: &str) -> Result<Signer, String> {
    match text {
        "1" => Ok(Signer::Root1),
        "2" => Ok(Signer::Root2),
        _ => Err("there are two roots, 1 and 2".to_owned()),
    }
}
