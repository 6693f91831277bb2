//! `machine`: one of them, named by as much of its id as tells it from every other.

use clap::{Args, Subcommand};
use proto::admin::v1 as wire;
use serde_json::json;

use super::changes::{change_json, changes_table};
use super::online::{ask, hex, machine_json, resolve_product, table, time};
use super::refusals::refusal_json;
use super::{Failure, json_text};
use crate::admin::Client;
use crate::home::Home;

/// What to do with a machine.
#[derive(Debug, Subcommand)]
pub(super) enum MachineCommand {
    /// Show all that is known of it: its record, what was refused to it, what administrators have done.
    Show(Named),
}

/// Which machine, and how to print it.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// Its id, or as much of its beginning as no other has.
    id: String,
    /// The product among whose machines it is looked for: its name or its id.
    #[arg(long, value_name = "NAME|ID")]
    product: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(home: &Home, command: &MachineCommand) -> Result<String, Failure> {
    match command {
        MachineCommand::Show(named) => show(home, named),
    }
}

impl Named {
    async fn name(&self, host: &mut Client) -> Result<Option<wire::MachineName>, tonic::Status> {
        let product = match &self.product {
            Some(product) => resolve_product(host, product).await?,
            None => bytes::Bytes::new(),
        };
        Ok(Some(wire::MachineName { id_prefix: self.id.clone(), product }))
    }
}

fn show(home: &Home, named: &Named) -> Result<String, Failure> {
    let shown = ask(home, async |mut host| {
        let name = named.name(&mut host).await?;
        Ok(host.get_machine(wire::GetMachineRequest { name }).await?.into_inner())
    })?;
    let machine = shown.machine.unwrap_or_default();
    if named.json {
        return Ok(json_text(&json!({
            "machine": machine_json(&machine),
            "refusals": shown.refusals.iter().map(refusal_json).collect::<Vec<_>>(),
            "changes": shown.changes.iter().map(change_json).collect::<Vec<_>>(),
        })));
    }
    let refused = shown.refusals.iter().map(|refusal| vec![time(refusal.at), refusal.text.clone()]);
    let parts = [
        (shown.refusals.len(), "refused since the host was started", table(&["at", "reason"], refused)),
        (shown.changes.len(), "changed by administrators", changes_table(&shown.changes)),
    ];
    let mut text = machine_text(&machine);
    for (_, title, table) in parts.iter().filter(|(rows, ..)| 0 < *rows) {
        text.extend(["\n", title, "\n", table, "\n"]);
    }
    Ok(text)
}

fn machine_text(machine: &wire::Machine) -> String {
    let counted = if machine.counted { "counted" } else { "not counted" };
    let lines = [
        format!("machine        {}", hex(&machine.id)),
        format!("product        {}", hex(&machine.product)),
        format!("state          {}, {counted}", machine.state),
        format!("first seen     {}", time(machine.first_seen)),
        format!("last seen      {}", time(machine.seen_at)),
        format!("licensed until {}", time(machine.licensed_until)),
        format!("serial         {}\n", machine.serial),
    ];
    lines.join("\n")
}
