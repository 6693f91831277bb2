//! The machine's organisation and identity: `organisation show`, `organisation clear`, `identity reset`.

use data_encoding::HEXLOWER;
use kms_client::Client;
use program::exit::EX_USAGE;
use serde_json::json;
use shared::print::OneLine;

use crate::answer::{Answer, Failure};
use crate::cli::{IdentityCommand, OrganisationCommand};
use crate::product::Inspected;
use crate::show;

/// Shows or forgets the organisation that this machine belongs to.
pub(crate) async fn organisation(
    inspected: &Inspected,
    open: impl FnOnce() -> Result<Client, Failure>,
    command: OrganisationCommand,
) -> Result<Answer, Failure> {
    let snapshot = inspected.snapshot();
    let (ours, is_unknown) = (snapshot.organisation.clone(), show::organisation_is_unknown(snapshot));
    let troubles = show::rows(&show::troubles(snapshot));
    let pinned = inspected.product.organisation.map(|id| HEXLOWER.encode(&id));
    match command {
        OrganisationCommand::Show => {
            let text = match (&ours, &pinned) {
                (Some(ours), _) => format!("{} ({})\n", OneLine(&ours.name), ours.id),
                (None, Some(pinned)) => {
                    let known = if is_unknown { "Not known" } else { "None yet" };
                    format!("{known}; only {pinned} may license this copy.\n")
                }
                (None, None) if is_unknown => "Not known: the state cannot be read as a whole.\n".to_owned(),
                (None, None) => "None yet: the first lease names it.\n".to_owned(),
            };
            let (id, name) = ours.map(|ours| (ours.id.to_string(), ours.name)).unzip();
            let json = json!({
                "id": id,
                "name": name,
                "only": pinned,
                "troubles": show::troubles_json(snapshot),
            });
            Ok(Answer::done(text + &troubles, json))
        }
        OrganisationCommand::Clear => {
            // If the product has not run yet, there is none to forget.
            if !inspected.is_not_begun() {
                open()?.organisation_clear().await?;
            }
            let name = ours.map(|ours| ours.name);
            let text = match &name {
                Some(name) => format!(
                    "{} is forgotten. The next lease names the organisation; the one that is held runs on.\n",
                    OneLine(name)
                ),
                None if is_unknown => "It was not known. The next lease names it.\n".to_owned(),
                None => "There was none. The first lease names it.\n".to_owned(),
            };
            let json = json!({ "forgotten": name, "troubles": show::troubles_json(snapshot) });
            Ok(Answer::done(text + &troubles, json))
        }
    }
}

/// Replaces the key pair of this machine. The state is opened only after the confirmation.
pub(crate) async fn identity(
    open: impl FnOnce() -> Result<Client, Failure>,
    command: &IdentityCommand,
) -> Result<Answer, Failure> {
    let IdentityCommand::Reset { yes } = command;
    if !yes {
        let line =
            "a new identity gives up the lease, and this machine is counted anew; add --yes to confirm";
        return Err(Failure::new(EX_USAGE, line));
    }
    let client = open()?;
    let found = client.snapshot();
    client.identity_reset().await?;
    let now = client.snapshot().machine;
    let before = found.machine;
    let text = format!(
        "This machine was {before} and is {now}.\n\
         It holds no lease until it is activated; the old seat leaves the count when its time has passed.\n{}",
        show::rows(&show::troubles(&found))
    );
    let json = json!({
        "before": before.to_string(),
        "machine": now.to_string(),
        "troubles": show::troubles_json(&found),
    });
    Ok(Answer::done(text, json))
}
