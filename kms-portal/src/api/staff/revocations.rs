//! What staff takes back, and the lists that say so.

use bytes::Bytes;
use prost::Message as _;
use proto::portal::v1 as w;
use proto::v1::SignedRevocationList;
use shared::ids::CertificateId;
use shared::print::one_line;
use shared::revocation::REASON_MAX_BYTES;
use tonic::{Response, Status};

use super::{Staff, invalid};
use crate::db::{By, KeptList, NotRevoked, RevocationSubject, RevokedEntry, TakenBack, WithdrawnIds};

pub(super) async fn revoke(
    staff: &Staff,
    by: By,
    request: w::RevokeRequest,
) -> Result<Response<w::RevokeResponse>, Status> {
    let w::RevokeRequest { subject: named, reason, unlisted } = request;
    if REASON_MAX_BYTES < reason.len() || reason != one_line(&reason) {
        return Err(Status::invalid_argument(format!(
            "a reason is one line of {REASON_MAX_BYTES} bytes at most"
        )));
    }
    let taken = staff.ask(staff.portal.revoke(subject(&named)?, unlisted, by.clone())).await?;
    let taken = taken.map_err(refused)?;
    let (kind, number) = (taken.kind.name(), taken.number);
    tracing::info!(subject = named, kind, number, who = by.who, "revoked");
    let TakenBack { added, is_new, .. } = taken;
    Ok(Response::new(w::RevokeResponse { kind: kind.to_owned(), added, number, is_new }))
}

pub(super) async fn withdraw(
    staff: &Staff,
    by: By,
    request: w::WithdrawRevocationRequest,
) -> Result<Response<w::WithdrawRevocationResponse>, Status> {
    let named = request.subject;
    let portal = &staff.portal;
    let withdrawn = portal.db.withdraw_revocation(subject(&named)?, portal.issuer(), by.clone());
    let WithdrawnIds { ids: withdrawn, number } = staff.ask(withdrawn).await?.map_err(refused)?;
    tracing::info!(subject = named, withdrawn, number, who = by.who, "withdrew a revocation");
    Ok(Response::new(w::WithdrawRevocationResponse { withdrawn, number }))
}

pub(super) async fn list(staff: &Staff) -> Result<Response<w::ListRevocationsResponse>, Status> {
    let kept = staff.ask(staff.portal.db.revocations()).await?;
    let lists = [&kept.by_issuer, &kept.by_root].into_iter().filter_map(|kept| kept.list.clone());
    let lists = lists.map(SignedRevocationList::decode).collect::<Result<_, _>>();
    Ok(Response::new(w::ListRevocationsResponse {
        revoked: kept.revoked.into_iter().map(entry).collect(),
        by_issuer: told(&kept.by_issuer),
        by_root: told(&kept.by_root),
        lists: lists.map_err(|_| Status::data_loss("a revocation list in the database is damaged"))?,
    }))
}

pub(super) async fn install(
    staff: &Staff,
    by: By,
    request: w::InstallRevocationsRequest,
) -> Result<Response<w::InstallRevocationsResponse>, Status> {
    let list = request.list.ok_or_else(|| Status::invalid_argument("it has no list"))?;
    let installed = staff.ask(staff.portal.install_revocations(&list, by)).await?;
    let (list, installed) = installed.map_err(refused)?;
    let (by_root, revoked) = (list.is_by_root(), list.list().revoked().len() as u64);
    tracing::info!(
        number = list.list().number,
        by_root,
        revoked,
        is_newer = installed.is_newer,
        "revocation list"
    );
    let (number, is_newer) = (installed.number, installed.is_newer);
    Ok(Response::new(w::InstallRevocationsResponse { number, by_root, revoked, is_newer }))
}

/// An id in hex, or the number of a key.
fn subject(named: &str) -> Result<RevocationSubject, Status> {
    if let Ok(id) = named.parse::<CertificateId>() {
        return Ok(RevocationSubject::Id(id));
    }
    named.parse().map(RevocationSubject::Key).map_err(|_| {
        Status::invalid_argument(format!(
            "{named:?} is neither the number of a key, such as 3F8K-9QWX, nor an id in hex"
        ))
    })
}

fn entry(entry: RevokedEntry) -> w::RevokedId {
    w::RevokedId {
        id: Bytes::copy_from_slice(entry.revoked.id.as_bytes()),
        kind: entry.kind.name().to_owned(),
        subject: entry.subject,
        at: entry.revoked.at.unix_ms(),
        who: entry.who,
        reason: entry.revoked.reason,
    }
}

fn told(kept: &KeptList) -> Option<w::KeptRevocations> {
    let KeptList { number, issued_at, revoked, .. } = *kept;
    kept.list.as_ref().map(|_| w::KeptRevocations { number, issued_at: issued_at.unix_ms(), revoked })
}

fn refused(error: NotRevoked) -> Status {
    let remedy = match error {
        NotRevoked::UnknownKey => "`kms-portal key list` lists those that are",
        NotRevoked::UnknownId => {
            "`kms-portal key show` lists the hosts and machines of a key. To take back what this portal does not know, add --unlisted"
        }
        NotRevoked::NotInForce => {
            "`kms-portal revocations list` lists what is revoked; what a root has revoked, the portal cannot withdraw"
        }
        NotRevoked::IssuerEnded => {
            "have a root sign the portal's request again (`kms-vendor issuer sign`), and run `kms-portal install-issuer`; `kms-portal doctor` \
             says what is wrong with it"
        }
        NotRevoked::TooLarge(_) => {
            "take back a key by its number in place of its machines one by one: the list has one id for all of them. `kms-portal revocations \
             withdraw` makes room as well"
        }
        NotRevoked::Invalid(_) | NotRevoked::IssuerRevoked => "ask whoever keeps the roots for another list",
        NotRevoked::LastNumber(_) => return invalid(error),
    };
    let text = format!("{error}; {remedy}");
    match error {
        NotRevoked::UnknownKey | NotRevoked::UnknownId | NotRevoked::NotInForce => Status::not_found(text),
        _ => Status::failed_precondition(text),
    }
}
