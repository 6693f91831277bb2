//! Codes that are read to staff: a machine or a host is confirmed, the terms of a host key are made, a place is freed.

use kms_portal_rules::keys::KeyRefusal;
use kms_portal_rules::keys::hosts::Certifying;
use kms_portal_rules::keys::machines::CodePlacement;
use proto::portal::v1 as w;
use shared::codes::{CodeForm, CodeKind, CodeSubject, ConfirmationId, InstallationId};
use shared::ids::{CertificateId, MachineId};
use shared::product_key::{KeyKind, KeyNumber};
use shared::time::Timestamp;
use tonic::{Request, Status};

use super::keys::unchanged;
use super::{Staff, invalid, number, time, wire};
use crate::api::refusals;
use crate::db::{CodeHost, CodeMachine, ConfirmHost, ConfirmMachine, KeyUnchanged, OfferedTerms, PlaceName};
use crate::issue::Unconfirmed;

/// What to do if no machine can be confirmed.
const NO_CODE_KEY: &str = "this portal has no code key, which confirms machines by codes; make one with `kms-portal init --codes`, have \
                           its request signed with `kms-vendor code-key sign`, and install the certificate with `kms-portal \
                           install-code-key`";

pub(super) async fn make_terms(
    staff: &Staff,
    request: &Request<w::MakeTermsRequest>,
) -> Result<w::MakeTermsResponse, Status> {
    let by = staff.by(request, &request.get_ref().note)?;
    let number = number(&request.get_ref().number)?;
    let portal = &staff.portal;
    let key = staff.ask(portal.db.key(number, by.at)).await?;
    if key.ok_or_else(|| unchanged(KeyUnchanged::UnknownKey))?.kind != KeyKind::Host {
        return Err(Status::failed_precondition(format!(
            "key {number} is for machines, and a machine is activated by codes without terms: run `kms-portal confirm`"
        )));
    }
    let made = staff.ask(portal.db.make_terms(number, portal.issuer(), by)).await?;
    let OfferedTerms { sold, last_call } = made.map_err(unconfirmed)?;
    Ok(w::MakeTermsResponse {
        terms: sold.number,
        body: sold.terms.encode().into(),
        made_at: sold.made_at.unix_ms(),
        ends_at: last_call.unix_ms(),
    })
}

pub(super) async fn confirm(
    staff: &Staff,
    request: &Request<w::ConfirmByCodeRequest>,
) -> Result<w::ConfirmByCodeResponse, Status> {
    let by = staff.by(request, &request.get_ref().note)?;
    let w::ConfirmByCodeRequest { installation_id, dry_run, ends_at, terms, .. } = request.get_ref();
    let (id, dry_run): (InstallationId, _) = (installation_id.parse().map_err(invalid)?, *dry_run);
    let (ends_at, terms) = (time(*ends_at), Some(*terms).filter(|terms| *terms != 0));
    if ends_at.is_some_and(|ends_at| ends_at <= by.at) {
        let text = "the confirmation would have ended already; name this month or a later one";
        return Err(Status::invalid_argument(text));
    }
    let portal = &staff.portal;
    let (who, key) = (by.who.clone(), id.key);
    let confirmed = match id.kind() {
        CodeKind::Host => {
            if ends_at.is_some() {
                return Err(unconfirmed(Unconfirmed::EndOfHost));
            }
            let call = ConfirmHost { id, terms, issuer: portal.issuer(), by, dry_run };
            staff.ask(portal.db.confirm_host(call)).await?.map(host)
        }
        CodeKind::Machine | CodeKind::Confirmation => {
            if terms.is_some() {
                return Err(unconfirmed(Unconfirmed::TermsOfMachine));
            }
            let signer = portal.code_signer().ok_or_else(|| Status::failed_precondition(NO_CODE_KEY))?;
            let place = CertificateId::from_bytes(rand::random());
            let call = ConfirmMachine { id, ends_at, place, signer, by, dry_run };
            staff.ask(portal.db.confirm_machine(call)).await?.map(machine)
        }
    };
    let mut answer = confirmed.map_err(|error| {
        tracing::info!(%key, %error, "refused a code");
        unconfirmed(error)
    })?;
    if dry_run {
        (answer.digits, answer.letters) = (String::new(), String::new());
    } else {
        tracing::info!(%key, again = answer.known, who, "confirmed a code");
    }
    Ok(answer)
}

fn machine(done: CodeMachine) -> w::ConfirmByCodeResponse {
    let CodeMachine { mut key, placement, signed } = done;
    let known = placement != CodePlacement::New;
    key.taken.machines += u64::from(!known);
    answer(&signed.confirmation, wire::key(&key), known, signed.ends_at, None)
}

fn host(done: CodeHost) -> w::ConfirmByCodeResponse {
    let CodeHost { mut key, decided, confirmation, ends_at, terms, last_terms } = done;
    let (activated, _) = decided.kept();
    let is_free = matches!(decided, Certifying::Again(..) | Certifying::Renewed(_));
    key.taken.hosts = key.taken.hosts.max(activated.host);
    let host =
        w::ConfirmedHost { number: activated.host, activation: activated.activations, terms, last_terms };
    answer(&confirmation, wire::key(&key), is_free, Some(ends_at), Some(host))
}

fn answer(
    confirmation: &ConfirmationId,
    key: w::Key,
    known: bool,
    ends_at: Option<Timestamp>,
    host: Option<w::ConfirmedHost>,
) -> w::ConfirmByCodeResponse {
    let [digits, letters] = [CodeForm::Digits, CodeForm::Letters].map(|form| confirmation.text(form));
    let ends_at = ends_at.map_or(0, Timestamp::unix_ms);
    w::ConfirmByCodeResponse { key: Some(key), known, digits, letters, ends_at, host }
}

pub(super) async fn free_place(
    staff: &Staff,
    request: &Request<w::FreePlaceRequest>,
) -> Result<w::FreePlaceResponse, Status> {
    let by = staff.by(request, &request.get_ref().note)?;
    let key = number(&request.get_ref().number)?;
    let place = place(key, &request.get_ref().place)?;
    if staff.ask(staff.portal.db.free_place(key, place, by)).await? {
        return Ok(w::FreePlaceResponse {});
    }
    Err(Status::not_found(format!(
        "no machine has that place of key {key}; `kms-portal key show {key}` lists those that have one"
    )))
}

fn place(key: KeyNumber, typed: &str) -> Result<PlaceName, Status> {
    // The id of a place is written as that of a machine is.
    if let Ok(id) = typed.trim().parse::<MachineId>() {
        return Ok(PlaceName::Id(*id.as_bytes()));
    }
    let id: InstallationId = typed.parse().map_err(|error| {
        Status::invalid_argument(format!(
            "neither the id of a place or machine in hex, nor an installation id: {error}"
        ))
    })?;
    match id.installed {
        CodeSubject::Machine(digest) if id.key == key => Ok(PlaceName::Installation(digest)),
        CodeSubject::Machine(_) => {
            Err(Status::invalid_argument(format!("this installation id is for key {}", id.key)))
        }
        _ => Err(Status::invalid_argument("a host has no place: its activations are not given back")),
    }
}

fn unconfirmed(error: Unconfirmed) -> Status {
    match error {
        Unconfirmed::Key(refusal) => refused(refusal),
        error => Status::failed_precondition(error.to_string()),
    }
}

fn refused(refusal: KeyRefusal) -> Status {
    refusals::status(refusal.cause().into())
}
