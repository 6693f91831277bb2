//! Keys: issued, listed, shown, blocked and raised. `orders` has what is issued together.

use kms_portal_rules::keys::granted::Quota;
use proto::portal::v1 as w;
use shared::features::Features;
use shared::ids::{CertificateId, OrganisationId};
use shared::product_key::{KeyKind, ProductKey};
use tonic::{Request, Status};

use super::orders::{self, KEYS_AT_ONCE, SoldKeys};
use super::{LISTED_MAX, Staff, invalid, limit_of, names, number, time, wire};
use crate::db::{By, KeyFilter, KeyUnchanged, Organisation, Raise};

pub(super) async fn issue(
    staff: &Staff,
    request: Request<w::IssueKeysRequest>,
) -> Result<w::IssueKeysResponse, Status> {
    let by = staff.by(&request, &request.get_ref().note)?;
    let wanted = request.into_inner();
    let kind = KeyKind::from_name(&wanted.kind).filter(|kind| *kind != KeyKind::Subscription);
    let kind = kind.ok_or_else(|| Status::invalid_argument("a key is for hosts or for machines"))?;
    if !(1..=KEYS_AT_ONCE).contains(&wanted.count) {
        return Err(Status::invalid_argument(format!("issue 1 to {KEYS_AT_ONCE} keys at once")));
    }
    let ends_at = time(wanted.ends_at);
    if ends_at.is_some_and(|ends_at| ends_at <= by.at) {
        return Err(Status::invalid_argument("the key would have ended already"));
    }
    let features =
        wanted.features.map(|wanted| Features::new(wanted.features).map_err(invalid)).transpose()?;
    let granted = wire::granted(wanted.granted.unwrap_or_default());
    let order = orders::checked_name(wanted.order)?;
    let product = staff.product(&wanted.product).await?;
    if !staff.portal.issuer().signs(product.id, product.test, by.at) {
        return Err(Status::failed_precondition(format!(
            "the issuing certificate cannot sign for {} now, so the key would activate nothing; `kms-portal status` shows its dates, and \
             `kms-portal install-issuer` installs another one",
            product.name
        )));
    }
    let (organisation, is_new) = buyer(staff, &wanted.organisation, wanted.new_organisation).await?;
    let (count, seats, note) = (wanted.count, wanted.seats, by.why.clone());
    let sold =
        SoldKeys { count, kind, product, organisation, features, seats, ends_at, granted, order, note };
    let keys = draw(staff, &sold, is_new, &by).await?;
    let shown = |key: &ProductKey| w::IssuedKey { number: key.number().to_string(), key: key.to_string() };
    let keys: Vec<_> = keys.iter().map(shown).collect();
    let (product, organisation) = (sold.product.id, sold.organisation.id);
    tracing::info!(keys = keys.len(), %product, %organisation, who = by.who, "issued keys");
    Ok(w::IssueKeysResponse { keys })
}

/// The organisation of this name, and whether it is a new one.
async fn buyer(staff: &Staff, name: &str, may_be_near: bool) -> Result<(Organisation, bool), Status> {
    let known = staff.ask(staff.portal.db.organisations()).await?;
    if let Some(found) = names::organisation(&known, name) {
        return Ok((found, false));
    }
    if !may_be_near {
        names::refuse_near(&known, name)?;
    }
    let id = OrganisationId::from_bytes(rand::random());
    Ok((Organisation { id, name: names::new_name(name)?.to_owned() }, true))
}

/// Issues the keys, and draws again if the number of one is taken.
async fn draw(
    staff: &Staff,
    sold: &SoldKeys,
    is_new_organisation: bool,
    by: &By,
) -> Result<Vec<ProductKey>, Status> {
    loop {
        let keys: Vec<_> = (0..sold.count).map(|_| sold.draw()).collect();
        let new = keys.iter().map(|key| sold.new_key(key, staff.portal.mac(key))).collect();
        let organisation = is_new_organisation.then(|| sold.organisation.clone());
        let issued = staff.portal.db.issue_keys(new, organisation, sold.order.clone(), by.clone());
        match staff.ask(issued).await? {
            Ok(()) => return Ok(keys),
            Err(KeyUnchanged::NumberTaken) => {}
            Err(KeyUnchanged::OrderAnswered) => return Err(orders::answered(staff, sold).await?),
            Err(KeyUnchanged::Unfit(unfit)) => return Err(invalid(unfit)),
            Err(KeyUnchanged::NotGrantable(too_much)) => return Err(invalid(too_much)),
            Err(refused) => return Err(unchanged(refused)),
        }
    }
}

pub(super) async fn list(
    staff: &Staff,
    request: Request<w::ListKeysRequest>,
) -> Result<w::ListKeysResponse, Status> {
    let w::ListKeysRequest { organisation, product, after, limit, order } = request.into_inner();
    let order = Some(order).filter(|order| !order.is_empty());
    let mut filter = KeyFilter { order, ..KeyFilter::default() };
    if !organisation.is_empty() {
        filter.organisation = Some(staff.organisation(&organisation).await?.id);
    }
    if !product.is_empty() {
        filter.product = Some(staff.product(&product).await?.id);
    }
    if !after.is_empty() {
        filter.after = Some(number(&after)?);
    }
    let limit = limit_of(limit, LISTED_MAX);
    let portal = &staff.portal;
    let mut keys = staff.ask(portal.db.keys(filter, limit + 1, portal.clock.now())).await?;
    let more = (limit as usize) < keys.len();
    keys.truncate(limit as usize);
    Ok(w::ListKeysResponse { keys: keys.iter().map(wire::key).collect(), more })
}

pub(super) async fn show(
    staff: &Staff,
    request: Request<w::GetKeyRequest>,
) -> Result<w::GetKeyResponse, Status> {
    let number = number(&request.get_ref().number)?;
    let db = &staff.portal.db;
    let key = staff.ask(db.key(number, staff.portal.clock.now())).await?;
    let key = key.ok_or_else(|| unchanged(KeyUnchanged::UnknownKey))?;
    let raises = staff.ask(db.raises(number)).await?;
    let hosts = staff.ask(db.hosts(number)).await?;
    let machines = staff.ask(db.places(number, None, LISTED_MAX)).await?;
    Ok(w::GetKeyResponse {
        key: Some(wire::key(&key)),
        raises: raises.iter().map(wire::raise).collect(),
        hosts: hosts.iter().map(wire::host).collect(),
        machines: machines.iter().map(wire::machine).collect(),
    })
}

pub(super) async fn machines(
    staff: &Staff,
    request: Request<w::ListMachinesRequest>,
) -> Result<w::ListMachinesResponse, Status> {
    let w::ListMachinesRequest { number: typed, after, limit } = request.into_inner();
    let after = match after.as_ref() {
        [] => None,
        id => Some(CertificateId::from_slice(id).ok_or_else(|| invalid("the id of a place has 16 bytes"))?),
    };
    let limit = limit_of(limit, LISTED_MAX);
    let mut machines = staff.ask(staff.portal.db.places(number(&typed)?, after, limit + 1)).await?;
    let more = (limit as usize) < machines.len();
    machines.truncate(limit as usize);
    Ok(w::ListMachinesResponse { machines: machines.iter().map(wire::machine).collect(), more })
}

pub(super) async fn block(
    staff: &Staff,
    request: Request<w::BlockKeyRequest>,
) -> Result<w::BlockKeyResponse, Status> {
    let by = staff.by(&request, &request.get_ref().note)?;
    let number = number(&request.get_ref().number)?;
    staff.ask(staff.portal.db.block_key(number, by)).await?.map_err(unchanged)?;
    Ok(w::BlockKeyResponse {})
}

pub(super) async fn unblock(
    staff: &Staff,
    request: Request<w::UnblockKeyRequest>,
) -> Result<w::UnblockKeyResponse, Status> {
    let by = staff.by(&request, &request.get_ref().note)?;
    let number = number(&request.get_ref().number)?;
    staff.ask(staff.portal.db.unblock_key(number, by)).await?.map_err(unchanged)?;
    Ok(w::UnblockKeyResponse {})
}

pub(super) async fn raise(
    staff: &Staff,
    request: Request<w::RaiseKeyRequest>,
) -> Result<w::RaiseKeyResponse, Status> {
    let by = staff.by(&request, &request.get_ref().note)?;
    let w::RaiseKeyRequest { number: typed, quota, more, .. } = request.into_inner();
    let quota = Quota::ALL.into_iter().find(|known| known.name() == quota);
    let quota = quota.ok_or_else(|| Status::invalid_argument("there is no such quota"))?;
    if more == 0 {
        return Err(Status::invalid_argument(
            "0 more changes nothing; say how many more, or fewer with a minus",
        ));
    }
    let raise = Raise { quota, more, by };
    let granted = staff.ask(staff.portal.db.raise_key(number(&typed)?, raise)).await?;
    let granted = wire::quotas(&granted.map_err(unchanged)?);
    Ok(w::RaiseKeyResponse { granted: Some(granted) })
}

pub(super) fn unchanged(error: KeyUnchanged) -> Status {
    match error {
        KeyUnchanged::UnknownKey => {
            Status::not_found(format!("{error}; `kms-portal key list` lists those that are"))
        }
        KeyUnchanged::Revoked(_) => Status::failed_precondition(format!(
            "{error}, so it gives nothing to anybody; `kms-portal revocations withdraw` takes that back"
        )),
        error => Status::failed_precondition(error.to_string()),
    }
}
