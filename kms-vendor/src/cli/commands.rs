//! The commands: each calls the library and prints its result. The rules are in the library.

mod custody;
mod keys;
mod recorded;

use std::fmt::Write as _;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kms_vendor::{
    IssueRequest, Issued, NewProduct, Product, RevokeRequest, SignedRevocations, SignedTelephones, Signer,
    Vendor, VendorError, instant_text,
};
use program::exit::{EX_CANTCREAT, EX_DATAERR, EX_NOINPUT, EX_USAGE};
use program::output::json_text;
use rand::CryptoRng;
use serde_json::{Value, json};
use shared::armour;
use shared::certificate::IssuingCertificate;
use shared::ids::{CertificateId, OrganisationId};
use shared::policy::Policy;
use shared::print::{OneLine, one_line};
use shared::time::{Length, Timestamp};
use store::output::{OutputError, OutputFile};
use store::regular;

use crate::cli::{
    AddProduct, CarriedArgs, CertificateCommand, Cli, CodeKeyCommand, Command, CustomerCommand,
    IssueCertificate, IssuerCommand, Life, PUBLIC, ProductCommand, ProductFile, Revoke, RootsCommand,
    SignTelephones, TelephonesCommand,
};

/// How long a certificate is valid by default.
const YEAR: Duration = Duration::from_hours(365 * 24);

/// How long before now a certificate begins by default. Otherwise a host whose clock is minutes behind the vendor's would
/// refuse its new certificate because it has not begun.
const BACKDATED: Duration = Duration::from_hours(1);

/// Runs one command. Returns its text for standard output.
pub(crate) fn run(cli: &Cli, now: Timestamp, rng: &mut impl CryptoRng) -> Result<String, CommandError> {
    let open = || custody::open(cli);
    let answer = match &cli.command {
        Command::Init(new) => custody::init(cli, new, rng)?,
        Command::Roots { command: None } => custody::roots(&open()?)?,
        Command::Roots { command: Some(RootsCommand::Replace { root, again, custody }) } => {
            custody::replace(cli, *root, *again, custody, now, rng)?
        }
        Command::Key(command) => custody::key(&open()?, command)?,
        Command::Product(command) => product(&open()?, command, rng)?,
        Command::Organisation(command) => organisation(&open()?, command, rng)?,
        Command::Certificate(CertificateCommand::Issue(arguments)) => issue(&open()?, arguments, now, rng)?,
        Command::Certificate(CertificateCommand::List(wanted)) => recorded::hosts(&open()?, wanted, now)?,
        Command::Issuer(IssuerCommand::List(wanted)) => recorded::keys(&open()?, wanted, now)?,
        Command::Issuer(IssuerCommand::Create { issuer, custody }) => {
            keys::create_issuer(&open()?, issuer, custody, now, rng)?
        }
        Command::Issuer(IssuerCommand::Sign(arguments)) => keys::sign_issuer(&open()?, arguments, now, rng)?,
        Command::CodeKey(CodeKeyCommand::Sign(arguments)) => {
            keys::sign_code_key(&open()?, arguments, now, rng)?
        }
        Command::Telephones(TelephonesCommand::Sign(arguments)) => sign_telephones(&open()?, arguments)?,
        Command::Revoke(arguments) => revoke(&open()?, arguments, now)?,
    };
    Ok(if cli.json { json_text(&answer.json) } else { answer.text })
}

fn product(
    vendor: &Vendor,
    command: &ProductCommand,
    rng: &mut impl CryptoRng,
) -> Result<Answer, CommandError> {
    Ok(match command {
        ProductCommand::Add(arguments) => Answer::product(&add_product(vendor, arguments, rng)?),
        ProductCommand::List => Answer::products(&vendor.products()?),
        ProductCommand::Show { name } => Answer::product(&vendor.product(name)?),
        ProductCommand::Rust(CarriedArgs { name, extras }) => {
            let text = vendor.product_rust(name, extras)?;
            Answer { json: json!({ "rust": text }), text }
        }
        ProductCommand::File(arguments) => product_file(vendor, arguments)?,
    })
}

fn organisation(
    vendor: &Vendor,
    command: &CustomerCommand,
    rng: &mut impl CryptoRng,
) -> Result<Answer, CommandError> {
    Ok(match command {
        CustomerCommand::Add { name, id, new_organisation } => {
            let id = vendor.add_organisation(name, *id, *new_organisation, rng)?.to_string();
            Answer { text: format!("{id}  {}\n", OneLine(name)), json: json!({ "name": name, "id": id }) }
        }
        CustomerCommand::List => {
            let known = vendor.organisations()?;
            let row = |(name, id)| format!("{id}  {}\n", OneLine(name));
            let text = format!("{:32}  name\n{}", "id", known.iter().map(row).collect::<String>());
            let one = |(name, id): (&String, &OrganisationId)| json!({ "name": name, "id": id.to_string() });
            Answer { text, json: json!({ "organisations": known.iter().map(one).collect::<Vec<_>>() }) }
        }
    })
}

fn product_file(vendor: &Vendor, arguments: &ProductFile) -> Result<Answer, CommandError> {
    let CarriedArgs { name, extras } = &arguments.carried;
    let file =
        arguments.out.as_ref().map(|out| OutputFile::check(out, PUBLIC, arguments.force)).transpose()?;
    let text = vendor.product_file(name, extras)?;
    let mut json: Value = toml::from_str(&text).expect("the library has written TOML, without dates");
    let Some(file) = file else {
        return Ok(Answer { text, json });
    };
    let lost = lost(file.path(), &json);
    file.write(text.as_bytes())?;
    let out = file.path().display().to_string();
    let shown = one_line(&out);
    let mut text = format!("Written to {shown}; `kms-client --product {shown}` takes it.\n");
    if !lost.is_empty() {
        let lost = lost.join(", ");
        let _ = writeln!(
            text,
            "The old file had {lost}, and the new one does not: give all options in one command."
        );
    }
    json["out"] = out.into();
    json["lost"] = lost.into();
    Ok(Answer { text, json })
}

/// The names of what a replaced product file had and the new one lacks.
fn lost(before: &Path, new: &Value) -> Vec<String> {
    let before = regular::read(before).ok().and_then(|text| String::from_utf8(text).ok());
    let before = before.and_then(|text| text.parse::<toml::Table>().ok());
    before.into_iter().flatten().map(|(name, _)| name).filter(|name| new.get(name).is_none()).collect()
}

fn add_product(
    vendor: &Vendor,
    arguments: &AddProduct,
    rng: &mut impl CryptoRng,
) -> Result<Product, VendorError> {
    let defaults = if arguments.server { Policy::SERVER } else { Policy::CLIENT };
    let new = NewProduct {
        name: arguments.name.clone(),
        id: arguments.id,
        policy: arguments.numbers.over(defaults),
        test: arguments.test_times,
        contract: arguments.contract.clone(),
    };
    vendor.add_product(new, rng)
}

fn issue(
    vendor: &Vendor,
    arguments: &IssueCertificate,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Answer, CommandError> {
    // Before anything is recorded.
    let file = arguments.out.check()?;
    let issuer = if arguments.issuer { Some(vendor.issuer()?) } else { None };
    let (not_before, valid_for) = life(&arguments.life, issuer.as_ref(), now);
    let (root, note) = custody::root(vendor, &arguments.root)?;
    let issued = vendor.issue(
        &IssueRequest {
            request_pem: &read_request(&arguments.request)?,
            product: &arguments.product,
            organisation: &arguments.organisation,
            allow: arguments.allow,
            not_before,
            valid_for,
            signer: if arguments.issuer { Signer::Issuer } else { root },
            test: arguments.test_times,
            now,
            contract: arguments.contract.clone(),
        },
        rng,
    )?;
    file.write(issued.pem.as_bytes())
        .map_err(|source| CommandError::NotHandedOut { certificate: issued.certificate.id, source })?;
    let answer = Answer::issued(&issued, file.path());
    Ok(if arguments.issuer { answer } else { answer.with(&note) })
}

/// Start and length of the validity: as given, or a year from now and the hour before now. The default stays within the validity
/// of the issuing certificate that signs.
fn life(asked: &Life, issuer: Option<&IssuingCertificate>, now: Timestamp) -> (Timestamp, Duration) {
    let begin = asked.not_before.unwrap_or(now);
    let before = match (asked.not_before, issuer) {
        (Some(_), _) => Duration::ZERO,
        (None, Some(issuer)) => BACKDATED.min(begin.since(issuer.not_before)),
        (None, None) => BACKDATED,
    };
    let left = issuer.map_or(YEAR, |issuer| issuer.not_after.since(begin));
    // If the issuing certificate has ended, the library refuses the year and says why.
    let valid_for = asked.valid_for.unwrap_or(if left.is_zero() { YEAR } else { YEAR.min(left) });
    (begin - before, valid_for.saturating_add(before))
}

fn read_request(path: &Path) -> Result<String, CommandError> {
    let text = match path.as_os_str().as_encoded_bytes() {
        b"-" => regular::read_bounded(io::stdin().lock()),
        _ => regular::read(path),
    };
    let text = text.map_err(|source| CommandError::Request { path: path.to_owned(), source })?;
    Ok(armour::text(&text))
}

fn sign_telephones(vendor: &Vendor, arguments: &SignTelephones) -> Result<Answer, CommandError> {
    let SignTelephones { file, products, root, out } = arguments;
    let out = out.check()?;
    let products: Vec<_> = products.iter().map(String::as_str).collect();
    let (root, note) = custody::root(vendor, root)?;
    let SignedTelephones { pem, telephones } = vendor.sign_telephones(file, &products, root)?;
    out.write(pem.as_bytes())?;
    let countries = telephones.countries();
    let numbers: usize = countries.iter().map(|country| country.numbers.len()).sum();
    let out = out.path().display().to_string();
    let text = format!(
        "{} of {} signed.\n\n\
         Written to {shown}; products carry it: `kms-vendor product rust NAME --telephones {shown}`.\n",
        if numbers == 1 { "1 number".to_owned() } else { format!("{numbers} numbers") },
        if countries.len() == 1 {
            "1 country is".to_owned()
        } else {
            format!("{} countries are", countries.len())
        },
        shown = OneLine(&out)
    );
    let json = json!({ "countries": countries.len(), "numbers": numbers, "out": out });
    Ok(Answer { text, json }.with(&note))
}

fn revoke(vendor: &Vendor, arguments: &Revoke, now: Timestamp) -> Result<Answer, CommandError> {
    let Revoke { ids, reason, unlisted, root, out } = arguments;
    let out = out.check()?;
    let (root, note) = custody::root(vendor, root)?;
    let request = RevokeRequest { ids, reason, unlisted: *unlisted, root, now };
    let SignedRevocations { pem, list } = vendor.revoke(&request)?;
    out.write(pem.as_bytes()).map_err(CommandError::ListNotHandedOut)?;
    let (out, revoked) = (out.path().display().to_string(), list.revoked().len());
    let text = format!(
        "Revocation list {} has {revoked} revoked.\n\n\
         Written to {}; hosts take it with `kms-host install-revocations`.\n",
        list.number,
        OneLine(&out),
    );
    let json = json!({ "number": list.number, "revoked": revoked, "out": out });
    Ok(Answer { text, json }.with(&note))
}

/// The result of a command, as text and as JSON.
struct Answer {
    text: String,
    json: Value,
}

impl Answer {
    /// The same with another line of text.
    fn with(mut self, line: &str) -> Answer {
        self.text += line;
        self
    }

    fn products(products: &[Product]) -> Answer {
        let names: Vec<_> = products.iter().map(|product| one_line(&product.name)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(4);
        let mut text = format!("{:width$}  {:32}  {:>9}  validity\n", "name", "id", "threshold");
        for (name, Product { id, policy, test, .. }) in names.iter().zip(products) {
            let mark = if *test { "  test" } else { "" };
            let validity = Length(policy.validity);
            let _ = writeln!(text, "{name:width$}  {id}  {:>9}  {validity}{mark}", policy.threshold);
        }
        let products: Vec<_> = products.iter().map(product_json).collect();
        Answer { text, json: json!({ "products": products }) }
    }

    fn product(product: &Product) -> Answer {
        let Product { policy, contract, .. } = product;
        let mut text =
            format!("name             {}\nid               {}\n", OneLine(&product.name), product.id);
        let _ = writeln!(text, "threshold        {}", policy.threshold);
        for (name, length, ..) in policy.lengths() {
            let _ = writeln!(text, "{name:15}  {}", Length(length));
        }
        text += &contract_text(contract.seats, &contract.features, 17);
        if product.test {
            text += "test             yes: every certificate for it is marked\n";
        }
        Answer { text, json: product_json(product) }
    }

    fn issuer(issuer: &IssuingCertificate, next: &str) -> Answer {
        Answer::certified("issuing certificate", issuer, next)
    }

    fn certified(what: &str, issuer: &IssuingCertificate, next: &str) -> Answer {
        let IssuingCertificate { id, public_key, not_before, not_after, test, .. } = issuer;
        let mark = if *test { "\ntest                yes: it signs nothing else" } else { "" };
        let text = format!(
            "{what:19} {id}\nkey                 {}\nvalid               from {not_before} until {not_after}{mark}\n\n\
             {next}",
            public_key.key_id(),
        );
        let json = json!({
            "certificate": id.to_string(),
            "key_id": public_key.key_id().to_string(),
            "not_before": instant_text(*not_before),
            "not_after": instant_text(*not_after),
            "test": test,
        });
        Answer { text, json }
    }

    fn issued(issued: &Issued, out: &Path) -> Answer {
        let out = out.display().to_string();
        let certificate = &issued.certificate;
        let new = if issued.organisation_is_new { ", new here" } else { "" };
        let mark = if certificate.test {
            "\ntest          yes: host and client show it in every status"
        } else {
            ""
        };
        let features: Vec<_> = certificate.features.iter().map(str::to_owned).collect();
        let contract = contract_text(certificate.seats, &features, 14);
        let text = format!(
            "certificate   {}\nhost          {}\nproduct       {} ({})\norganisation  {} ({}){new}\n\
             valid         from {} until {}{mark}\n{contract}\n\
             Written to {}; the host takes it with `kms-host install-certificate`.\n",
            certificate.id,
            certificate.host(),
            OneLine(&certificate.product_name),
            certificate.product,
            OneLine(&certificate.organisation_name),
            certificate.organisation,
            certificate.not_before,
            certificate.not_after,
            OneLine(&out),
        );
        let json = json!({
            "certificate": certificate.id.to_string(),
            "host": certificate.host().to_string(),
            "product": certificate.product.to_string(),
            "organisation": certificate.organisation.to_string(),
            "organisation_is_new": issued.organisation_is_new,
            "not_before": instant_text(certificate.not_before),
            "not_after": instant_text(certificate.not_after),
            "test": certificate.test,
            "seats": certificate.seats,
            "features": features,
            "out": out,
        });
        Answer { text, json }
    }
}

/// Rows for seats and features, if there are any. The names stand in a column of this width.
fn contract_text(seats: Option<NonZeroU32>, features: &[String], width: usize) -> String {
    let mut text = String::new();
    if let Some(seats) = seats {
        let _ = writeln!(text, "{:width$}{seats}", "seats");
    }
    if !features.is_empty() {
        let _ = writeln!(text, "{:width$}{}", "features", features.join(", "));
    }
    text
}

fn product_json(product: &Product) -> Value {
    let mut json = json!({
        "name": product.name,
        "id": product.id.to_string(),
        "test": product.test,
        "threshold": product.policy.threshold,
        "seats": product.contract.seats,
        "features": product.contract.features,
    });
    for (name, length, ..) in product.policy.lengths() {
        json[format!("{name}_ms")] = shared::time::to_ms(length).into();
    }
    json
}

/// A command failed, or did not complete. In one line: what happened, its causes, what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("{}; {}", with_causes(.0), .0.remedy())]
    Vendor(#[from] VendorError),
    #[error(
        "could not read the request {}: {source}; name the file that `kms-host init` or `kms-portal init` wrote",
        .path.display()
    )]
    Request { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(
        "certificate {certificate} is recorded in issued.jsonl and was not handed out: {source}, and issue another certificate"
    )]
    NotHandedOut { certificate: CertificateId, source: OutputError },
    #[error(
        "the revocation is recorded in revoked.toml, and its list was not written: {0}, and give the same command again"
    )]
    ListNotHandedOut(OutputError),
    #[error("could not read {}: {source}; name a file whose first line is the passphrase", .path.display())]
    PassphraseFile { path: PathBuf, source: io::Error },
    #[error("could not ask on the terminal: {0}; give the passphrase in a file")]
    Terminal(io::Error),
    #[error("the two passphrases differ, and nothing was changed; try again")]
    PassphrasesDiffer,
    #[error(
        "there is no passphrase to encrypt it with; run the command on a terminal, or give --new-passphrase-file or --recipient"
    )]
    NoPassphrase,
    #[error(
        "the other roots are encrypted and this one would not be; run the command on a terminal, or give --new-passphrase-file, \
         --recipient or --unencrypted"
    )]
    PlainBesideEncrypted,
    #[error(
        "--passphrase-file opens keys that are there, and encrypts none; give --new-passphrase-file for new ones, or --unencrypted"
    )]
    NothingToOpen,
    #[error(
        "the other root took the place of one on {at}, and products from before that would know neither; add --again once nobody \
         uses them any more"
    )]
    BothReplaced { at: Timestamp },
}

impl CommandError {
    /// The exit code, as in sysexits.h.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            CommandError::Vendor(error) => error.exit_code(),
            CommandError::Request { .. }
            | CommandError::PassphraseFile { .. }
            | CommandError::Terminal(_)
            | CommandError::NoPassphrase => EX_NOINPUT,
            CommandError::PlainBesideEncrypted | CommandError::NothingToOpen => EX_USAGE,
            CommandError::PassphrasesDiffer | CommandError::BothReplaced { .. } => EX_DATAERR,
            CommandError::Output(_)
            | CommandError::NotHandedOut { .. }
            | CommandError::ListNotHandedOut(_) => EX_CANTCREAT,
        }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
