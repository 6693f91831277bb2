//! `product`: what keys are for, with the numbers that travel in certificates.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use clap::{Args, Subcommand};
use data_encoding::HEXLOWER_PERMISSIVE;
use program::exit::{EX_DATAERR, EX_USAGE};
use program::output::json_text;
use program::toml_text;
use proto::portal::v1 as w;
use serde::Deserialize;
use serde_json::json;
use shared::ids::ProductId;
use shared::policy::Policy;
use shared::time::Length;

use super::ask::{PortalAt, ask};
use super::failure::{Failure, OrExit as _};
use super::offline::read;
use super::shown::{hex, table};
use super::{Noted, Output};

#[derive(Debug, Subcommand)]
pub(super) enum ProductVerb {
    /// Add a product.
    Add {
        /// Product file, from `kms-vendor product file`: it has the id and the name.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        numbers: ProductNumbers,
        /// Feature that a key brings along, unless the key says otherwise. May be repeated.
        #[arg(long = "feature", value_name = "NAME")]
        features: Vec<String>,
        /// Allow numbers below their lower bounds, and mark everything that is signed as test.
        #[arg(long)]
        test: bool,
        #[command(flatten)]
        noted: Noted,
    },
    /// Change the numbers or features of a product, or its numbers for one organisation.
    ///
    /// Hosts get new numbers when they renew their certificate.
    Set {
        /// Name or id.
        product: String,
        /// New name.
        #[arg(long, conflicts_with = "organisation")]
        name: Option<String>,
        #[command(flatten)]
        numbers: ProductNumbers,
        /// Features that a key brings along from now on, in place of the former. May be repeated.
        #[arg(long = "feature", value_name = "NAME", conflicts_with = "organisation")]
        features: Vec<String>,
        /// No features any more.
        #[arg(long, conflicts_with_all = ["features", "organisation"])]
        no_features: bool,
        /// Organisation to set the numbers for, by name or id, in place of those of the product.
        #[arg(long, value_name = "NAME")]
        organisation: Option<String>,
        /// Give the organisation the numbers of the product again.
        #[arg(long, requires = "organisation", conflicts_with = "ProductNumbers")]
        usual: bool,
        #[command(flatten)]
        noted: Noted,
    },
    /// List the products, by name.
    List(Output),
    /// Show the numbers of a product, and those of each organisation that has its own.
    Show {
        /// Name or id.
        product: String,
        #[command(flatten)]
        output: Output,
    },
}

/// The numbers of a product; what is not given stays.
#[derive(Debug, Args)]
pub(super) struct ProductNumbers {
    /// Machines that have to be counted before leases are signed [default: 25].
    #[arg(long, value_name = "N")]
    threshold: Option<u32>,
    /// How long a lease is valid [default: 180d].
    #[arg(long, value_name = "LENGTH", value_parser = humantime::parse_duration)]
    validity: Option<Duration>,
    /// How often machines renew [default: 7d].
    #[arg(long, value_name = "LENGTH", value_parser = humantime::parse_duration)]
    renew_interval: Option<Duration>,
    /// First wait after a renewal failed; it doubles with each failure [default: 2h].
    #[arg(long, value_name = "LENGTH", value_parser = humantime::parse_duration)]
    renew_retry: Option<Duration>,
    /// Longest wait after failed renewals [default: 24h].
    #[arg(long, value_name = "LENGTH", value_parser = humantime::parse_duration)]
    renew_retry_max: Option<Duration>,
    /// How often machines without a lease ask [default: 2h].
    #[arg(long, value_name = "LENGTH", value_parser = humantime::parse_duration)]
    retry_interval: Option<Duration>,
    /// How long a machine counts after its last ask [default: 30d].
    #[arg(long, value_name = "LENGTH", value_parser = humantime::parse_duration)]
    count_window: Option<Duration>,
    /// How long before its end a lease is shown as ending [default: 30d].
    #[arg(long, value_name = "LENGTH", value_parser = humantime::parse_duration)]
    expiry_warning: Option<Duration>,
    /// How far clocks may be apart [default: 4h].
    #[arg(long, value_name = "LENGTH", value_parser = humantime::parse_duration)]
    clock_tolerance: Option<Duration>,
}

impl ProductNumbers {
    fn over(&self, usual: Policy) -> Policy {
        Policy {
            threshold: self.threshold.unwrap_or(usual.threshold),
            validity: self.validity.unwrap_or(usual.validity),
            renew_interval: self.renew_interval.unwrap_or(usual.renew_interval),
            renew_retry: self.renew_retry.unwrap_or(usual.renew_retry),
            renew_retry_max: self.renew_retry_max.unwrap_or(usual.renew_retry_max),
            retry_interval: self.retry_interval.unwrap_or(usual.retry_interval),
            count_window: self.count_window.unwrap_or(usual.count_window),
            expiry_warning: self.expiry_warning.unwrap_or(usual.expiry_warning),
            clock_tolerance: self.clock_tolerance.unwrap_or(usual.clock_tolerance),
        }
    }
}

/// What is used of a product file. The rest is for products.
#[derive(Deserialize)]
struct ProductFile {
    id: String,
    name: String,
    roots: Vec<String>,
}

pub(super) fn run(at: &PortalAt, command: ProductVerb) -> Result<String, Failure> {
    match command {
        ProductVerb::Add { file, numbers, features, test, noted } => {
            let text = String::from_utf8(read(&file)?).or_exit(EX_DATAERR)?;
            let found: ProductFile = toml_text::read(&text)
                .map_err(|cause| anyhow!("{} is no product file: {cause}", file.display()))
                .or_exit(EX_DATAERR)?;
            let id: ProductId = found.id.parse().or_exit(EX_DATAERR)?;
            let roots =
                found.roots.iter().map(|root| HEXLOWER_PERMISSIVE.decode(root.as_bytes()).map(Bytes::from));
            let roots = roots.collect::<Result<_, _>>().or_exit(EX_DATAERR)?;
            let policy = Some(numbers.over(Policy::CLIENT).encode());
            let id = Bytes::copy_from_slice(id.as_bytes());
            let product = w::Product { id, name: found.name, test, policy, features };
            set(at, product, Some(roots), &noted)
        }
        ProductVerb::Set { product, numbers, organisation: Some(organisation), usual, noted, .. } => {
            let known = find(at, &product)?;
            // What was set before stays, unless it is given now.
            let own = own_numbers(at, &product)?.into_iter().find(|own| is_called(own, &organisation));
            let before = own.and_then(|own| own.policy).or(known.policy).unwrap_or_default();
            let policy = (!usual).then(|| Policy::decode(&before).or_exit(EX_USAGE));
            let policy = policy.transpose()?.map(|before| numbers.over(before).encode());
            let request = w::SetNumbersRequest {
                product,
                organisation: organisation.clone(),
                policy,
                note: noted.note,
            };
            ask(at, async |mut portal| portal.set_numbers(request).await)?;
            Ok(if noted.json {
                json_text(&json!({ "product": hex(&known.id), "organisation": organisation }))
            } else {
                format!(
                    "Set the numbers of {} for {organisation}. Its hosts get them when they renew.\n",
                    known.name
                )
            })
        }
        ProductVerb::Set { product, name, numbers, features, no_features, noted, .. } => {
            let mut known = find(at, &product)?;
            known.policy = Some(numbers.over(decoded(&known)?).encode());
            known.name = name.unwrap_or(known.name);
            if no_features || !features.is_empty() {
                known.features = features;
            }
            set(at, known, None, &noted)
        }
        ProductVerb::List(Output { json }) => list(at, json),
        ProductVerb::Show { product, output } => show(at, &product, output.json),
    }
}

fn own_numbers(at: &PortalAt, product: &str) -> Result<Vec<w::OrganisationNumbers>, Failure> {
    let request = w::ListNumbersRequest { product: product.to_owned() };
    ask(at, async |mut portal| Ok(portal.list_numbers(request).await?.into_inner().numbers))
}

fn is_called(numbers: &w::OrganisationNumbers, name: &str) -> bool {
    numbers.organisation.as_ref().is_some_and(|known| known.name == name || hex(&known.id) == name)
}

/// All numbers of a product, and what differs for organisations.
fn show(at: &PortalAt, product: &str, as_json: bool) -> Result<String, Failure> {
    let (known, own) = (find(at, product)?, own_numbers(at, product)?);
    let usual = known.policy.unwrap_or_default();
    if as_json {
        let own = own.iter().map(|own| {
            let organisation = own.organisation.clone().unwrap_or_default();
            let numbers = numbers_json(&own.policy.unwrap_or_default());
            json!({ "id": hex(&organisation.id), "name": organisation.name, "numbers": numbers })
        });
        return Ok(json_text(&json!({
            "id": hex(&known.id),
            "name": known.name,
            "test": known.test,
            "features": known.features,
            "numbers": numbers_json(&usual),
            "organisations": own.collect::<Vec<_>>(),
        })));
    }
    let mut columns = vec![("usual".to_owned(), decoded(&known)?)];
    for own in own {
        let numbers = Policy::decode(&own.policy.unwrap_or_default()).or_exit(EX_USAGE)?;
        columns.push((own.organisation.unwrap_or_default().name, numbers));
    }
    let head = [
        "numbers for",
        "threshold",
        "validity",
        "renew",
        "renew retry",
        "retry",
        "window",
        "warning",
        "tolerance",
    ];
    let rows = columns.into_iter().map(|(name, policy)| {
        let lengths = [
            policy.validity,
            policy.renew_interval,
            policy.renew_retry,
            policy.retry_interval,
            policy.count_window,
            policy.expiry_warning,
            policy.clock_tolerance,
        ];
        let lengths = lengths.map(|length| Length(length).to_string());
        [name, policy.threshold.to_string()].into_iter().chain(lengths).collect()
    });
    let test = if known.test { ", for tests" } else { "" };
    Ok(format!("{}{test}, id {}\n\n{}", known.name, hex(&known.id), table(&head, rows)))
}

fn numbers_json(policy: &proto::v1::Policy) -> serde_json::Value {
    json!({
        "threshold": policy.threshold,
        "validity_ms": policy.validity_ms,
        "renew_interval_ms": policy.renew_interval_ms,
        "renew_retry_ms": policy.renew_retry_ms,
        "renew_retry_max_ms": policy.renew_retry_max_ms,
        "retry_interval_ms": policy.retry_interval_ms,
        "count_window_ms": policy.count_window_ms,
        "expiry_warning_ms": policy.expiry_warning_ms,
        "clock_tolerance_ms": policy.clock_tolerance_ms,
    })
}

fn find(at: &PortalAt, name: &str) -> Result<w::Product, Failure> {
    let products = all(at)?;
    let found = products.into_iter().find(|known| known.name == name || hex(&known.id) == name);
    found.ok_or_else(|| Failure {
        code: EX_DATAERR,
        error: anyhow!("no product {name:?} is known; `kms-portal product list` lists those that are"),
    })
}

fn decoded(product: &w::Product) -> Result<Policy, Failure> {
    Policy::decode(&product.policy.unwrap_or_default()).or_exit(EX_USAGE)
}

/// Adds a product that trusts these roots; without them, changes it.
fn set(
    at: &PortalAt,
    product: w::Product,
    roots: Option<Vec<Bytes>>,
    noted: &Noted,
) -> Result<String, Failure> {
    let (id, name) = (hex(&product.id), product.name.clone());
    let is_known = roots.is_none();
    let (note, roots) = (noted.note.clone(), roots.unwrap_or_default());
    let request = w::SetProductRequest { product: Some(product), is_known, note, roots };
    ask(at, async |mut portal| portal.set_product(request).await)?;
    let done = if is_known { "Changed" } else { "Added" };
    Ok(if noted.json {
        json_text(&json!({ "id": id, "name": name }))
    } else {
        format!("{done} {name}, id {id}.\n")
    })
}

fn all(at: &PortalAt) -> Result<Vec<w::Product>, Failure> {
    ask(at, async |mut portal| {
        Ok(portal.list_products(w::ListProductsRequest {}).await?.into_inner().products)
    })
}

fn list(at: &PortalAt, as_json: bool) -> Result<String, Failure> {
    let products = all(at)?;
    if as_json {
        let list = products.iter().map(|product| {
            let policy = product.policy.unwrap_or_default();
            json!({
                "id": hex(&product.id),
                "name": product.name,
                "test": product.test,
                "threshold": policy.threshold,
                "validity_ms": policy.validity_ms,
                "features": product.features,
            })
        });
        return Ok(json_text(&list.collect()));
    }
    let rows = products.into_iter().map(|product| {
        let policy = decoded(&product).ok();
        let threshold = policy.map_or_else(String::new, |policy| policy.threshold.to_string());
        let validity = policy.map_or_else(String::new, |policy| Length(policy.validity).to_string());
        let name = if product.test { format!("{} (test)", product.name) } else { product.name };
        vec![name, hex(&product.id), threshold, validity, product.features.join(" ")]
    });
    Ok(table(&["product", "id", "threshold", "validity", "features"], rows))
}
