//! `organisation`: who buys keys.

use bytes::Bytes;
use clap::Subcommand;
use program::output::json_text;
use proto::portal::v1 as w;
use serde_json::json;
use shared::ids::OrganisationId;

use super::ask::{PortalAt, ask};
use super::failure::Failure;
use super::shown::{hex, table};
use super::{Noted, Output};

#[derive(Debug, Subcommand)]
pub(super) enum OrganisationVerb {
    /// Add an organisation. `key issue` does so by itself for a name that is new.
    Add {
        /// Name, as certificates and confirmations show it.
        name: String,
        /// Its id, if `kms-vendor` has certified hosts of it before: machines that are bound to it take only hosts with that id.
        #[arg(long)]
        id: Option<OrganisationId>,
        /// Add the organisation, although one with a similar name is known.
        #[arg(long)]
        new_organisation: bool,
        #[command(flatten)]
        noted: Noted,
    },
    /// Invite an organisation's first general administrator, or one more, by mail. It prints the link that the mail has: whoever opens it
    /// first becomes the administrator.
    Invite {
        /// Organisation, by name or id.
        organisation: String,
        /// Name of the person.
        #[arg(long)]
        name: String,
        /// E-mail address of the person, by which they sign in.
        #[arg(long)]
        address: String,
        /// Language of the mail: en, nl, de or fr.
        #[arg(long, default_value = "en")]
        language: String,
        #[command(flatten)]
        noted: Noted,
    },
    /// List the organisations, by name.
    List(Output),
}

pub(super) fn run(at: &PortalAt, command: OrganisationVerb) -> Result<String, Failure> {
    match command {
        OrganisationVerb::Add { name, id, new_organisation, noted } => {
            let id = id.map(|id| Bytes::copy_from_slice(id.as_bytes())).unwrap_or_default();
            let organisation = Some(w::Organisation { id, name });
            let request = w::SetOrganisationRequest { organisation, note: noted.note, new_organisation };
            let answer =
                ask(at, async |mut portal| Ok(portal.set_organisation(request).await?.into_inner()))?;
            let w::Organisation { id, name } = answer.organisation.unwrap_or_default();
            let id = hex(&id);
            Ok(if noted.json {
                json_text(&json!({ "id": id, "name": name }))
            } else {
                format!("Added {name}, id {id}.\n")
            })
        }
        OrganisationVerb::Invite { organisation, name, address, language, noted } => {
            let shown = address.clone();
            let note = noted.note;
            let request = w::InviteAdministratorRequest { organisation, name, address, language, note };
            let answer =
                ask(at, async |mut portal| Ok(portal.invite_administrator(request).await?.into_inner()))?;
            Ok(if noted.json {
                json_text(&json!({ "link": answer.link }))
            } else {
                format!(
                    "Invited {shown}. The mail has this link, which works once within 14 days:\n{}\n",
                    answer.link
                )
            })
        }
        OrganisationVerb::List(Output { json }) => {
            let organisations = ask(at, async |mut portal| {
                let mut all: Vec<w::Organisation> = Vec::new();
                loop {
                    let after = all.last().map(|last| last.id.clone()).unwrap_or_default();
                    let request = w::ListOrganisationsRequest { after, limit: 0 };
                    let page = portal.list_organisations(request).await?.into_inner();
                    all.extend(page.organisations);
                    if !page.more {
                        return Ok(all);
                    }
                }
            })?;
            if json {
                let list = organisations.iter().map(|one| json!({ "id": hex(&one.id), "name": one.name }));
                return Ok(json_text(&list.collect()));
            }
            let rows = organisations.into_iter().map(|one| vec![one.name, hex(&one.id)]);
            Ok(table(&["organisation", "id"], rows))
        }
    }
}
