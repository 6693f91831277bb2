//! `offer`: what people can have, and the keys by which subscriptions of it begin.

use clap::Subcommand;
use program::exit::EX_DATAERR;
use program::output::json_text;
use proto::portal::v1 as w;
use serde_json::json;

use super::Noted;
use super::ask::{PortalAt, ask};
use super::failure::Failure;
use super::shown::table;

#[derive(Debug, Subcommand)]
pub(super) enum OfferVerb {
    /// Add an offer, or change all of it but its name.
    Set {
        /// Name: letters, digits and dashes.
        name: String,
        /// What people call it.
        #[arg(long)]
        title: String,
        /// Number of devices on which a person may use it.
        #[arg(long, default_value_t = 5)]
        devices: u32,
        /// Service with what people call it. Repeat it for each service.
        #[arg(long = "service", value_name = "NAME=TITLE", value_parser = pair, required = true)]
        services: Vec<(String, String)>,
        /// Two services that nobody may have together.
        #[arg(long, value_name = "SERVICE=OTHER", value_parser = pair)]
        excludes: Vec<(String, String)>,
        /// Service that nobody may have without another.
        #[arg(long, value_name = "SERVICE=NEEDED", value_parser = pair)]
        requires: Vec<(String, String)>,
        /// Country of two letters where a service is not offered.
        #[arg(long, value_name = "SERVICE=COUNTRY", value_parser = pair)]
        not_in: Vec<(String, String)>,
        /// Product that a service licenses on devices, by name or id. A service of one name is the same in every offer.
        #[arg(long, value_name = "SERVICE=PRODUCT", value_parser = pair)]
        product: Vec<(String, String)>,
        /// Feature of that product that the service brings along.
        #[arg(long = "feature", value_name = "SERVICE=FEATURE", value_parser = pair)]
        features: Vec<(String, String)>,
        #[command(flatten)]
        noted: Noted,
    },
    /// Issue subscription keys. Each begins one subscription of the offer, when an organisation or a person redeems it.
    Keys {
        /// Name of the offer.
        offer: String,
        /// Number of people that each subscription is for.
        #[arg(long, default_value_t = 1)]
        seats: u32,
        /// Number of days that a subscription lasts, from the moment at which its key is redeemed.
        #[arg(long, default_value_t = 365)]
        days: u32,
        /// Number of keys.
        #[arg(long, default_value_t = 1)]
        count: u32,
        #[command(flatten)]
        noted: Noted,
    },
}

fn pair(typed: &str) -> Result<(String, String), String> {
    let (left, right) = typed.split_once('=').ok_or("write two words with = between them")?;
    Ok((left.to_owned(), right.to_owned()))
}

pub(super) fn run(at: &PortalAt, command: OfferVerb) -> Result<String, Failure> {
    match command {
        OfferVerb::Set {
            name,
            title,
            devices,
            services,
            excludes,
            requires,
            not_in,
            product,
            features,
            noted,
        } => {
            let of_services =
                excludes.iter().chain(&requires).chain(&not_in).chain(&product).chain(&features);
            for (service, _) in of_services {
                if !services.iter().any(|(known, _)| known == service) {
                    let error =
                        anyhow::anyhow!("this offer has no service {service:?}; name it with --service");
                    return Err(Failure { code: EX_DATAERR, error });
                }
            }
            let of = |pairs: &[(String, String)], service: &str| {
                let own = pairs.iter().filter(|(of, _)| of == service);
                own.map(|(_, other)| other.clone()).collect::<Vec<_>>()
            };
            let service = |(name, title): &(String, String)| w::OfferedService {
                name: name.clone(),
                title: title.clone(),
                excludes: of(&excludes, name),
                requires: of(&requires, name),
                not_in: of(&not_in, name),
                product: of(&product, name).pop().unwrap_or_default(),
                features: of(&features, name),
            };
            let services = services.iter().map(service).collect();
            let shown = name.clone();
            let request = w::SetOfferRequest { name, title, devices, services, note: noted.note };
            ask(at, async |mut portal| Ok(portal.set_offer(request).await?.into_inner()))?;
            Ok(if noted.json { json_text(&json!({ "name": shown })) } else { format!("Set {shown}.\n") })
        }
        OfferVerb::Keys { offer, seats, days, count, noted } => {
            let request = w::IssueSubscriptionKeysRequest { offer, seats, days, count, note: noted.note };
            let keys =
                ask(at, async |mut portal| Ok(portal.issue_subscription_keys(request).await?.into_inner()))?
                    .keys;
            if noted.json {
                let list = keys.iter().map(|one| json!({ "number": one.number, "key": one.key }));
                return Ok(json_text(&list.collect()));
            }
            Ok(table(&["number", "key"], keys.into_iter().map(|one| vec![one.number, one.key])))
        }
    }
}
