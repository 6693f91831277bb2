//! The hosts that a scenario is played against: a throwaway host, or named ones.

use std::time::Duration;

use anyhow::{Context, bail};
use kms_client::Product;
use shared::certificate::Roots;
use shared::ids::ProductId;
use shared::policy::Policy;
use world::Program;

use super::options::Whom;
use super::scenario::Scenario;
use super::site::{Numbers, Site};
use super::target::{Host, Target};

/// The hosts that the scenario is played against.
pub(crate) struct Played {
    /// The throwaway host, if it is one.
    pub(crate) site: Option<Site>,
    pub(crate) target: Target,
    pub(crate) product: ProductId,
    pub(crate) roots: Roots,
    /// For people.
    pub(crate) host: String,
}

impl Played {
    /// Starts a throwaway host, or finds the named ones.
    ///
    /// # Errors
    /// The host does not start, or the named ones cannot be asked; says what to do.
    pub(crate) async fn find(scenario: &Scenario, whom: &Whom, program: Program) -> anyhow::Result<Played> {
        if whom.hosts.is_empty() && whom.domain.is_none() {
            let site = Site::start(program, numbers(scenario)).await.context("a throwaway host")?;
            let (address, product) = (site.address(), site.product());
            let only = Host { name: address.to_string().parse()?, address, srv: None };
            return Ok(Played {
                host: format!("a throwaway host on {address}"),
                target: Target { hosts: vec![only], how: String::new() },
                product: ProductId::from_bytes(product.id),
                roots: roots(&product)?,
                site: Some(site),
            });
        }
        if let Some(why) = scenario.needs_own_host() {
            bail!(
                "the scenario {} is for a throwaway host alone, since {why}: leave --host and --domain out",
                scenario.name
            );
        }
        let path = whom.product.as_deref().context("no product is named: give its file with --product")?;
        let product = kms_client_cli::product_file::read(path)?;
        let (id, roots) = (ProductId::from_bytes(product.id), roots(&product)?);
        let target = Target::find(whom, product).await?;
        let names: Vec<_> = target.hosts.iter().map(|host| host.name.to_string()).collect();
        let host = format!("{}, {}", names.join(", "), target.how);
        Ok(Played { site: None, product: id, roots, host, target })
    }
}

fn numbers(scenario: &Scenario) -> Numbers {
    // A fleet smaller than the usual threshold would get no lease.
    let usual = Policy::CLIENT.threshold.min(scenario.machines);
    let threshold = scenario.host.threshold.map_or(usual, |threshold| threshold.of(scenario.machines));
    match scenario.host.count_window_s {
        None => Numbers::real(threshold),
        Some(window_s) => Numbers::compressed(threshold, Duration::from_secs_f64(window_s)),
    }
}

fn roots(product: &Product) -> anyhow::Result<Roots> {
    let roots = Roots::new(product.roots.iter().map(<[u8; 32]>::as_slice));
    roots.map_err(|error| anyhow::anyhow!("the product's roots: {error}"))
}
