//! `token`: who may ask the portal over the network. A token is shown when it is issued, and never again.

use std::path::PathBuf;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use kms_portal::roles::Role;
use program::exit::EX_CANTCREAT;
use program::output::{self, json_text};
use proto::portal::v1 as w;
use serde_json::json;
use shared::print::Lines;
use shared::time::Timestamp;
use store::output::OutputFile;

use super::ask::{PortalAt, ask};
use super::failure::{Failure, OrExit as _};
use super::shown::{date, instant, table, time};
use super::{Noted, Output};

#[derive(Debug, Subcommand)]
pub(super) enum TokenVerb {
    /// Issue a token. It is printed once: the portal does not keep it.
    Issue {
        /// Person or program that gets it, such as CI. The record of changes shows this name.
        #[arg(long)]
        name: String,
        /// What the token allows.
        #[arg(long, value_parser = PossibleValuesParser::new(Role::ALL.map(Role::name)))]
        role: String,
        /// First day on which the token is no longer valid, in UTC: with 2028-01-01, its last day is 2027-12-31 [default: no end].
        #[arg(long, value_name = "DATE", value_parser = date)]
        ends: Option<Timestamp>,
        /// New file to write the token to, which only you may read [default: standard output].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        noted: Noted,
    },
    /// List the tokens, by name.
    List(Output),
    /// Take a token back. It is refused from the next call on.
    Revoke {
        /// Name of the token.
        name: String,
        #[command(flatten)]
        noted: Noted,
    },
}

pub(super) fn run(at: &PortalAt, command: TokenVerb) -> Result<String, Failure> {
    match command {
        TokenVerb::Issue { name, role, ends, out, noted } => {
            let out = out.map(|out| OutputFile::check_new(&out, 0o600)).transpose().or_exit(EX_CANTCREAT)?;
            let ends_at = ends.map_or(0, Timestamp::unix_ms);
            let request =
                w::IssueTokenRequest { name: name.clone(), role, ends_at, note: noted.note.clone() };
            let token =
                ask(at, async |mut portal| Ok(portal.issue_token(request).await?.into_inner().token))?;
            shown(&name, &token, out.as_ref(), &noted)
        }
        TokenVerb::List(Output { json }) => list(at, json),
        TokenVerb::Revoke { name, noted } => {
            let request = w::RevokeTokenRequest { name: name.clone(), note: noted.note.clone() };
            ask(at, async |mut portal| portal.revoke_token(request).await)?;
            Ok(if noted.json {
                json_text(&json!({ "name": name, "revoked": true }))
            } else {
                format!("The token {name} is of no use any more.\n")
            })
        }
    }
}

fn shown(name: &str, token: &str, out: Option<&OutputFile>, noted: &Noted) -> Result<String, Failure> {
    let printed = if noted.json {
        json_text(&json!({ "name": name, "token": token }))
    } else {
        format!("{token}\n\nThis is the token {name}. It is shown only now: the portal does not keep it.\n")
    };
    let Some(out) = out else { return Ok(printed) };
    if let Err(error) = out.write(format!("{token}\n").as_bytes()) {
        // There is no other copy of it.
        output::print(&Lines(printed).to_string(), 0);
        let error =
            anyhow::Error::from(error).context("the token is printed, because its file was not written");
        return Err(Failure { code: EX_CANTCREAT, error });
    }
    let path = out.path();
    Ok(if noted.json {
        json_text(&json!({ "name": name, "file": path }))
    } else {
        format!("Wrote the token {name} to {}.\n", path.display())
    })
}

/// Every token.
pub(super) fn all(at: &PortalAt) -> Result<Vec<w::Token>, Failure> {
    ask(at, async |mut portal| Ok(portal.list_tokens(w::ListTokensRequest {}).await?.into_inner().tokens))
}

fn list(at: &PortalAt, as_json: bool) -> Result<String, Failure> {
    let tokens = all(at)?;
    if as_json {
        let list = tokens.iter().map(|token| {
            json!({
                "name": token.name,
                "role": token.role,
                "issued_at_ms": token.issued_at,
                "ends_at_ms": instant(token.ends_at),
                "revoked_at_ms": instant(token.revoked_at),
                "used_at_ms": instant(token.used_at),
            })
        });
        return Ok(json_text(&list.collect()));
    }
    let rows = tokens.into_iter().map(|token| {
        let ends = match token.revoked_at {
            0 => time(token.ends_at),
            at => format!("revoked {}", time(at)),
        };
        vec![token.name, token.role, time(token.issued_at), ends, time(token.used_at)]
    });
    Ok(table(&["token", "role", "issued", "ends", "used"], rows))
}
