//! What people do with subscriptions that takes more than one call of the database: redeem a key, share what they have bought.

use std::time::Duration;

use kms_portal_rules::SubscriptionId;
use server::Source;
use shared::product_key::{KeyKind, ProductKey};

use super::accounts::{AccountRefusal, asked, mailed};
use crate::api::PortalCore;
use crate::db::{Actor, LinkPurpose, PeopleUnchanged, RedeemedKey, Redeemer, Session};

/// A link to a shared subscription waits as long as an invitation.
const SHARE_LASTS: Duration = Duration::from_hours(14 * 24);

/// Begins the subscription of a key that somebody has typed.
///
/// # Errors
/// It is none, or not one for this, or it was redeemed by somebody else.
pub async fn redeem(
    portal: &PortalCore,
    typed: &str,
    redeemer: Redeemer,
    actor: Actor,
    source: Source,
) -> Result<RedeemedKey, AccountRefusal> {
    let now = portal.clock.monotonic();
    portal.wrong_passwords.look(source, now).map_err(AccountRefusal::Busy)?;
    let key: ProductKey = typed.parse().map_err(|_| AccountRefusal::NotAKey)?;
    if key.kind() != KeyKind::Subscription {
        return Err(AccountRefusal::VolumeKey);
    }
    let id = SubscriptionId::from_bytes(rand::random());
    let redeemed = portal.db.redeem_key(portal.mac(&key), redeemer, id, actor).await?;
    if redeemed == Err(PeopleUnchanged::UnknownKey) {
        portal.wrong_passwords.note(source, now);
    }
    Ok(redeemed?)
}

/// Mails somebody a link by which they get a seat of a subscription that whoever is signed in has bought.
///
/// # Errors
/// It is no address, or not their subscription, or too many mails were asked for.
pub async fn share(
    portal: &PortalCore,
    session: &Session,
    subscription: SubscriptionId,
    address: &str,
    source: Source,
) -> Result<(), AccountRefusal> {
    let person = &session.person;
    let bought = portal.db.personal_subscriptions(person.id).await?;
    let bought = bought.into_iter().find(|one| one.is_owner && one.subscription.id == subscription);
    let title = bought.ok_or(PeopleUnchanged::UnknownSubscription)?.title;
    let address = asked(portal, address, source)?;
    let language = person.language.unwrap_or_default();
    let values = [("who", person.name.as_str()), ("what", title.as_str())];
    let link = mailed(portal, LinkPurpose::Share, None, address, SHARE_LASTS, language, "share", &values);
    Ok(portal.db.share_subscription(person.id, subscription, link, portal.clock.now()).await??)
}
