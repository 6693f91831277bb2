//! The arguments: commands, options, their help and examples. What the commands do is in `cli/commands.rs`,
//! and `cli/secrets.rs` has passphrases from the terminal. Everything outside this folder is the library.

pub(crate) mod commands;
mod custody;
mod secrets;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use kms_vendor::{Allow, Contract, Extras, Numbers, parse_instant, parse_length};
use shared::features::Features;
use shared::ids::{CertificateId, OrganisationId, ProductId};
use shared::time::Timestamp;

use store::output::{OutputError, OutputFile};

pub(crate) use custody::{
    CustodyCommand, Encryption, NewCustody, RootChoice, RootCustody, RootsCommand, Unlocking,
};

/// What is written for others to read.
pub(crate) const PUBLIC: u32 = 0o644;

/// Manage a vendor's root keys and products, and issue host certificates.
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
    /// The vendor's directory, which contains private keys.
    #[arg(long, global = true, env = "KMS_VENDOR_DIR", default_value = "./vendor")]
    pub(crate) dir: PathBuf,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) unlocking: Unlocking,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create the vendor's directory with two root keys, and print the values that every product pins.
    #[command(after_help = "Examples:
  kms-vendor init
  kms-vendor init --dir /srv/vendor
  kms-vendor init --pkcs11 /usr/lib/softhsm/libsofthsm2.so --token vendor-1 --token vendor-2
  kms-vendor init --unencrypted --json | jq -r '.roots[]'

On a terminal, the passphrase of each root key is asked for. Give them different ones: if one is
forgotten, the other root still signs. Without a terminal and without options, the keys are not
encrypted. If the command is interrupted, run it again: it finishes.")]
    Init(RootCustody),
    /// Print the root public keys that every product pins, and where the private keys are.
    #[command(after_help = "Examples:
  kms-vendor roots
  kms-vendor roots --json | jq -r '.keys[].kept'")]
    Roots {
        #[command(subcommand)]
        command: Option<RootsCommand>,
    },
    /// Encrypt and decrypt private keys.
    #[command(subcommand)]
    Key(CustodyCommand),
    /// Add and show products, and write their product files.
    #[command(subcommand)]
    Product(ProductCommand),
    /// Add and list the organisations for which hosts are certified.
    #[command(subcommand)]
    Organisation(CustomerCommand),
    /// Issue host certificates.
    #[command(subcommand)]
    Certificate(CertificateCommand),
    /// Create or sign an issuing key, so that the root keys can stay offline.
    #[command(subcommand)]
    Issuer(IssuerCommand),
    /// Sign a code key, which confirms codes that are read aloud.
    #[command(subcommand)]
    CodeKey(CodeKeyCommand),
    /// Sign the telephone numbers that users call to be activated by codes.
    #[command(subcommand)]
    Telephones(TelephonesCommand),
    /// Revoke certificates, and write the signed list of everything that is revoked.
    #[command(after_help = "Examples:
  kms-vendor revoke 0ff1ce00112233445566778899aabbcc --reason \"the host was stolen\" \\
      --out revoked.pem
  kms-vendor revoke 0ff1ce00112233445566778899aabbcc --unlisted --root 2 --out revoked.pem

`certificate list` and `issuer list` show the ids. The list has everything that was ever revoked here.
Hosts take it with `kms-host install-revocations`, and a portal with
`kms-portal install-revocations`; both hand it to machines.
A machine that holds a lease of a revoked host keeps it to its end.
Revoking is final, and is recorded in revoked.toml before the file is written.")]
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Id of a host certificate, a host, an issuing certificate, a code certificate or a confirmation [default: none, which signs the
    /// list again].
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<CertificateId>,
    /// Reason, which administrators and users see: 200 bytes at most.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    /// Accept ids that are not in issued.jsonl, such as those of a portal.
    #[arg(long)]
    pub(crate) unlisted: bool,
    #[command(flatten)]
    pub(crate) root: RootChoice,
    #[command(flatten)]
    pub(crate) out: OutArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProductCommand {
    /// Add a product and set its numbers.
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
    /// Show a product and all its numbers.
    #[command(after_help = "Examples:
  kms-vendor product show \"Example CAD\"
  kms-vendor product show \"Example CAD\" --json | jq -r .id")]
    Show {
        /// Name of the product.
        name: String,
    },
    /// Print id, name and roots of a product as a constant in Rust, to paste into the product.
    #[command(after_help = "Examples:
  kms-vendor product rust \"Example CAD\"
  kms-vendor product rust \"Example CAD\" --organisation \"Example University\"

The constant contains no secret.")]
    Rust(CarriedArgs),
    /// Write a product file: id, name and roots of a product as TOML, for `kms-client --product`.
    #[command(after_help = "Examples:
  kms-vendor product file \"Example CAD\" --out product.toml
  kms-vendor product file \"Example CAD\" --organisation \"Example University\" --out pinned.toml
  kms-vendor product file \"Example CAD\" --portal https://activation.example.com \\
      --portal-ca portal-ca.pem --telephones telephones.signed --out product.toml --force
  kms-client --product product.toml discover

A product file contains no secret. It keeps nothing of an earlier file, so give all options in
one command.")]
    File(ProductFile),
}

/// What a product carries.
#[derive(Debug, Args)]
pub(crate) struct CarriedArgs {
    /// Name of the product.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) extras: Extras,
}

#[derive(Debug, Args)]
pub(crate) struct ProductFile {
    #[command(flatten)]
    pub(crate) carried: CarriedArgs,
    /// File to write the product file to [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Replace the --out file if it exists.
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AddProduct {
    /// Name of the product.
    pub(crate) name: String,
    /// Id of the product, 32 hexadecimal digits [default: a random one].
    #[arg(long, value_name = "HEX")]
    pub(crate) id: Option<ProductId>,
    /// Use the default numbers for servers (threshold 5) instead of those for clients (threshold 25).
    #[arg(long)]
    pub(crate) server: bool,
    /// Allow numbers below their lower bounds, and mark every certificate for the product as test.
    #[arg(long)]
    pub(crate) test_times: bool,
    #[command(flatten)]
    pub(crate) contract: Contract,
    #[command(flatten)]
    pub(crate) numbers: Numbers,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CustomerCommand {
    /// Add an organisation. `certificate issue` does so by itself for a name that is new.
    #[command(after_help = "Examples:
  kms-vendor organisation add \"Example University\"
  kms-vendor organisation add \"Example University\" --id 0ff1ce00112233445566778899aabbcc

An organisation has one id, here and at the portal, because its machines take leases only of hosts
with that id. `kms-portal organisation list` shows the ids there, and `kms-portal organisation add`
takes an id from here.")]
    Add {
        /// Name, as certificates show it.
        name: String,
        /// Id that the portal has given it, 32 hexadecimal digits [default: a random one].
        #[arg(long, value_name = "HEX")]
        id: Option<OrganisationId>,
        /// Add it even if its name is similar to that of another.
        #[arg(long)]
        new_organisation: bool,
    },
    /// List all organisations with their ids.
    #[command(after_help = "Examples:
  kms-vendor organisation list
  kms-vendor organisation list --json | jq -r '.organisations[].id'")]
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertificateCommand {
    /// Issue a certificate for one host, one product and one organisation.
    #[command(after_help = "Examples:
  kms-vendor certificate issue --request host.request --product \"Example CAD\" \\
      --organisation \"Example University\" --out host.certificate
  kms-vendor certificate issue --request host.request --product \"Example CAD\" \\
      --organisation \"Example University\" --not-before 2027-01-01T00:00:00Z --valid-for 365d \\
      --issuer --out next-year.certificate
  kms-vendor certificate issue --request host.request --product \"Example CAD\" \\
      --organisation \"Example University\" --seats 400 --feature export --out host.certificate

Every certificate is recorded in issued.jsonl before its file is written.
It has the features of the product and those of --feature. Without --seats it has the seats of the product.
With --issuer, the certificate ends by default no later than the issuing certificate.")]
    Issue(IssueCertificate),
    /// List the host certificates that were issued here, and which end soon.
    #[command(after_help = "Examples:
  kms-vendor certificate list
  kms-vendor certificate list --ending 90d
  kms-vendor certificate list --all --json | jq -r '.certificates[].certificate'")]
    List(ListRecorded),
}

#[derive(Debug, Args)]
pub(crate) struct IssueCertificate {
    /// File with the host's request, as `kms-host request` prints it; - is standard input. Text around it is ignored.
    #[arg(long, value_name = "FILE")]
    pub(crate) request: PathBuf,
    /// Name of the product.
    #[arg(long, value_name = "NAME")]
    pub(crate) product: String,
    /// Name or id of the organisation. A name always gets the same id.
    #[arg(long, value_name = "NAME|ID")]
    pub(crate) organisation: String,
    #[command(flatten)]
    pub(crate) allow: Allow,
    #[command(flatten)]
    pub(crate) life: Life,
    #[command(flatten)]
    pub(crate) root: RootChoice,
    /// Sign with the issuing key instead of a root key.
    #[arg(long, conflicts_with = "root")]
    pub(crate) issuer: bool,
    /// Mark the certificate as test, for a host that was made with --hour.
    #[arg(long)]
    pub(crate) test_times: bool,
    #[command(flatten)]
    pub(crate) out: OutArgs,
    #[command(flatten)]
    pub(crate) contract: Contract,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IssuerCommand {
    /// Create issuing.key and its certificate, signed by a root key.
    #[command(after_help = "Examples:
  kms-vendor issuer create
  kms-vendor issuer create --product \"Example CAD\" --valid-for 90d --root 2

Certificates that it signs cannot end later than its own.
On a terminal, the passphrase of the new key is asked for.")]
    Create {
        #[command(flatten)]
        issuer: NewIssuerArgs,
        #[command(flatten)]
        custody: NewCustody,
    },
    /// Sign the key of a portal with a root key.
    #[command(after_help = "Examples:
  kms-vendor issuer sign --request issuing-request.pem --out issuing.certificate
  kms-vendor issuer sign --request issuing-request.pem --product \"Example CAD\" --valid-for 90d \\
      --out issuing.certificate

`kms-portal init` writes the request. The private key stays with the portal.
Every certificate is recorded in issued.jsonl before its file is written.")]
    Sign(SignIssuer),
    /// List the issuing keys and code keys that were signed here, and which end soon.
    #[command(after_help = "Examples:
  kms-vendor issuer list
  kms-vendor issuer list --ending 90d
  kms-vendor issuer list --all --json | jq -r '.certificates[].certificate'")]
    List(ListRecorded),
}

/// What is shown of issued.jsonl.
#[derive(Debug, Args)]
pub(crate) struct ListRecorded {
    /// Show only those that end within this time.
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    pub(crate) ending: Option<Duration>,
    /// Show those as well that have ended, or were renewed or revoked.
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CodeKeyCommand {
    /// Sign the code key of a portal with a root key, for products to carry.
    #[command(after_help = "Examples:
  kms-vendor code-key sign --request code-request.pem --out code.certificate
  kms-vendor code-key sign --request code-request.pem --product \"Example CAD\" \\
      --feature-set export --feature-set export,3d --out code.certificate
  kms-vendor product file \"Example CAD\" --code-key code.certificate --out product.toml

A product without a network gets no new certificate, so this one lasts as long as the product.
A confirmation names a feature set by its place: to add one later, sign again with the new one last.
Every certificate is recorded in issued.jsonl before its file is written.")]
    Sign(SignCodeKey),
}

#[derive(Debug, Subcommand)]
pub(crate) enum TelephonesCommand {
    /// Sign the numbers in a TOML file with a root key, for products to carry.
    #[command(after_help = r#"Examples:
  kms-vendor telephones sign --file telephones.toml --out telephones.signed
  kms-vendor product file "Example CAD" --telephones telephones.signed --out product.toml

A file with one country and all that a number can have; `number` alone is needed:
  [country.NL]
  names = { en = "Netherlands", nl = "Nederland" }
  [[country.NL.number]]
  number = "+31 20 555 0100"
  text_telephone = "+31 20 555 0101"
  region = "Randstad"
  hours = "Mon-Fri 8:00-18:00"
  languages = ["nl", "en"]
  kinds = ["multiple-activation"]

Countries are the codes of ISO 3166-1. Without kinds, a number is for all kinds of product keys."#)]
    Sign(SignTelephones),
}

#[derive(Debug, Args)]
pub(crate) struct SignTelephones {
    /// TOML file with the numbers.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Product that may carry them. Repeat it for several [default: all products].
    #[arg(long = "product", value_name = "NAME")]
    pub(crate) products: Vec<String>,
    #[command(flatten)]
    pub(crate) root: RootChoice,
    #[command(flatten)]
    pub(crate) out: OutArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SignCodeKey {
    /// File with the portal's request; - is standard input. Text around it is ignored.
    #[arg(long, value_name = "FILE")]
    pub(crate) request: PathBuf,
    /// Product whose codes the key may confirm. Repeat it for several [default: all products].
    #[arg(long = "product", value_name = "NAME")]
    pub(crate) products: Vec<String>,
    /// Features, with commas between them, that a confirmation may grant together. Repeat it for several sets.
    #[arg(long = "feature-set", value_name = "FEATURES", value_parser = parse_feature_set)]
    pub(crate) feature_sets: Vec<Features>,
    /// How long the key may confirm, from now.
    #[arg(long, value_name = "LENGTH", value_parser = parse_length, default_value = "3650d")]
    pub(crate) valid_for: Duration,
    #[command(flatten)]
    pub(crate) root: RootChoice,
    /// Restrict the key to products that are marked as test.
    #[arg(long)]
    pub(crate) test_only: bool,
    #[command(flatten)]
    pub(crate) out: OutArgs,
}

fn parse_feature_set(text: &str) -> Result<Features, String> {
    Features::new(text.split(',')).map_err(|error| error.to_string())
}

#[derive(Debug, Args)]
pub(crate) struct SignIssuer {
    /// File with the portal's request; - is standard input. Text around it is ignored.
    #[arg(long, value_name = "FILE")]
    pub(crate) request: PathBuf,
    #[command(flatten)]
    pub(crate) issuer: NewIssuerArgs,
    #[command(flatten)]
    pub(crate) out: OutArgs,
}

#[derive(Debug, Args)]
pub(crate) struct NewIssuerArgs {
    /// Product that the key may sign for. Repeat it for several [default: all products].
    #[arg(long = "product", value_name = "NAME")]
    pub(crate) products: Vec<String>,
    #[command(flatten)]
    pub(crate) life: Life,
    #[command(flatten)]
    pub(crate) root: RootChoice,
    /// Restrict the key to what is marked as test.
    #[arg(long)]
    pub(crate) test_only: bool,
}

/// The file that a command writes.
#[derive(Debug, Args)]
pub(crate) struct OutArgs {
    /// File to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the --out file if it exists.
    #[arg(long)]
    force: bool,
}

impl OutArgs {
    /// Checks that the file can be written.
    pub(crate) fn check(&self) -> Result<OutputFile, OutputError> {
        OutputFile::check(&self.out, PUBLIC, self.force)
    }
}

/// The period for which a certificate is valid.
#[derive(Debug, Args)]
pub(crate) struct Life {
    /// Start of the validity, such as 2027-01-01T00:00:00Z [default: an hour ago, because a host's clock may be behind].
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    pub(crate) not_before: Option<Timestamp>,
    /// Length of the validity from --not-before, or from now without it [default: 365d].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    pub(crate) valid_for: Option<Duration>,
}
