//! `machine`: shows or changes one machine, named by a unique prefix of its id.

use clap::{Args, Subcommand};
use kms_host::admin::Client;
use kms_host::home::Home;
use program::output::json_text;
use program::table::table;
use proto::admin::v1 as wire;
use serde_json::json;
use shared::inventory::Verb;

use super::Failure;
use super::audit::{change_json, changes_table};
use super::copies::{event_json, event_text};
use super::online::{ProductNames, ask, hex, machine_json, resolve_product, text_of, time};
use super::refusals::refusal_json;

/// What to do with a machine.
#[derive(Debug, Subcommand)]
pub(super) enum MachineCommand {
    /// Show everything about a machine: its record, its events, its refusals, and what administrators have changed.
    Show(Named),
    /// Block a machine: it leaves the count, and its asks are refused with BLOCKED. Its lease runs on until its end.
    Block(ChangeArgs),
    /// Unblock a machine: its next ask enters it into the count again.
    Unblock(ChangeArgs),
    /// Remove the record of a machine. If the machine asks again, it is entered as a new one.
    Forget(ChangeArgs),
}

/// Which machine, why, and how to print what became of it.
#[derive(Debug, Args)]
pub(super) struct ChangeArgs {
    #[command(flatten)]
    named: Named,
    /// Reason for the audit log, such as a ticket number.
    #[arg(long, default_value = "")]
    note: String,
}

/// Which machine, and how to print it.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// Id of the machine, or a unique prefix of it.
    id: String,
    /// Name or id of the product whose machines to search [default: all].
    #[arg(long, value_name = "NAME|ID")]
    product: Option<String>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(home: &Home, command: &MachineCommand) -> Result<String, Failure> {
    match command {
        MachineCommand::Show(named) => show(home, named),
        MachineCommand::Block(args) => change(home, Verb::Block, args),
        MachineCommand::Unblock(args) => change(home, Verb::Unblock, args),
        MachineCommand::Forget(args) => change(home, Verb::Forget, args),
    }
}

fn change(home: &Home, verb: Verb, ChangeArgs { named, note }: &ChangeArgs) -> Result<String, Failure> {
    let (machine, changed, names) = ask(home, async |mut host| {
        let (name, note) = (named.name(&mut host).await?, note.clone());
        let names = ProductNames::of(&mut host).await?;
        let (machine, changed) = match verb {
            Verb::Block => {
                let done = host.block_machine(wire::BlockMachineRequest { name, note }).await?.into_inner();
                (done.machine, done.changed)
            }
            Verb::Unblock => {
                let request = wire::UnblockMachineRequest { name, note };
                let done = host.unblock_machine(request).await?.into_inner();
                (done.machine, done.changed)
            }
            Verb::Forget => {
                let request = wire::ForgetMachineRequest { name, note };
                (host.forget_machine(request).await?.into_inner().machine, true)
            }
        };
        Ok((machine.unwrap_or_default(), changed, names))
    })?;
    if named.json {
        return Ok(json_text(&json!({ "changed": changed, "machine": machine_json(&machine, &names) })));
    }
    let text = match (verb, changed) {
        (Verb::Block, true) => {
            "is blocked: it is not counted, and its asks are refused. Its lease, if it has one, runs on"
        }
        (Verb::Block, false) => "was blocked already: nothing was changed",
        (Verb::Unblock, true) => "is not blocked any more: it is counted again when it has asked",
        (Verb::Unblock, false) => "was not blocked: nothing was changed",
        (Verb::Forget, _) => "is forgotten: if it asks again, it is entered as a new one",
    };
    Ok(format!("Machine {} {text}.\n", hex(&machine.id)))
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
    let (shown, names) = ask(home, async |mut host| {
        let name = named.name(&mut host).await?;
        let shown = host.get_machine(wire::GetMachineRequest { name }).await?.into_inner();
        Ok((shown, ProductNames::of(&mut host).await?))
    })?;
    let machine = shown.machine.unwrap_or_default();
    if named.json {
        return Ok(json_text(&json!({
            "machine": machine_json(&machine, &names),
            "events": shown.events.iter().map(event_json).collect::<Vec<_>>(),
            "refusals": shown.refusals.iter().map(refusal_json).collect::<Vec<_>>(),
            "changes": shown.changes.iter().map(change_json).collect::<Vec<_>>(),
        })));
    }
    let happened = shown.events.iter().map(|event| vec![time(event.at), event_text(event)]);
    let refused = shown.refusals.iter().map(|refusal| vec![time(refusal.at), refusal.text.clone()]);
    let parts = [
        (shown.events.len(), "what has happened", table(&["at", "what"], happened)),
        (shown.refusals.len(), "refused since the host was started", table(&["at", "reason"], refused)),
        (shown.changes.len(), "changed by administrators", changes_table(&shown.changes)),
    ];
    let mut text = machine_text(&machine, &names);
    for (_, title, table) in parts.iter().filter(|(rows, ..)| 0 < *rows) {
        text.extend(["\n", title, "\n", table, "\n"]);
    }
    Ok(text)
}

fn machine_text(machine: &wire::Machine, names: &ProductNames) -> String {
    let counted = if machine.counted { "counted" } else { "not counted" };
    let lines = [
        format!("machine        {}", hex(&machine.id)),
        format!("product        {}", names.show(&machine.product)),
        format!("state          {}, {counted}", machine.state),
        format!("first seen     {}", time(machine.first_seen)),
        format!("last seen      {}", time(machine.seen_at)),
        format!("licensed until {}", time(machine.licensed_until)),
        format!("serial         {}", machine.serial),
    ];
    text_of(&lines)
}
