//! The organisation's volume keys: how much of each is used, and when the certificates of its hosts end. Nothing is changed here.

use askama::Template;
use axum::extract::State;
use kms_portal::db::KeyFilter;
use kms_portal::rules::keys::HOST_VALIDITY;
use shared::product_key::KeyKind;

use super::admin::{OrganisationAdmin, PageAnswer, Top};
use crate::Web;
use crate::frame::{Frame, page};

/// How many keys a page has.
const PAGE: u32 = 50;

struct KeyLine {
    number: String,
    last_group: String,
    product: String,
    used: String,
    ends: String,
    standing: String,
    hosts: Vec<HostLine>,
}

struct HostLine {
    host: String,
    activations: String,
    activated_at: String,
    /// When its certificate ends at the latest; a text if it was revoked.
    ends: String,
}

#[derive(Template)]
#[template(path = "organisation/keys.html")]
struct KeysPage {
    frame: Frame,
    top: Top,
    keys: Vec<KeyLine>,
    next: Option<String>,
}

pub(super) async fn list(State(web): State<Web>, admin: OrganisationAdmin) -> PageAnswer {
    let after = admin.query.one("after").parse().ok();
    let filter = KeyFilter { organisation: Some(admin.organisation), after, ..KeyFilter::default() };
    let issued = web.portal.db.keys(filter, PAGE, admin.now).await?;
    let next = issued.last().filter(|_| issued.len() == PAGE as usize).map(|last| last.number.to_string());
    let (frame, mut keys) = (admin.frame(), Vec::new());
    for key in issued {
        let mut hosts = Vec::new();
        if key.kind == KeyKind::Host {
            for listed in web.portal.db.hosts(key.number).await? {
                let latest = listed.activated_at + HOST_VALIDITY;
                let latest = key.validity.ends_at.map_or(latest, |ends_at| latest.min(ends_at));
                let (used, of) = (listed.activated.activations, key.granted.activations);
                hosts.push(HostLine {
                    host: listed.host.to_string(),
                    activations: frame.t2("keys-of", "used", used, "granted", of),
                    activated_at: frame.date(listed.activated_at),
                    ends: match listed.revoked_at {
                        Some(at) => frame.t1("keys-revoked", "date", frame.date(at)),
                        None => frame.date(latest),
                    },
                });
            }
        }
        let used = match key.kind {
            KeyKind::Host => {
                frame.t2("keys-hosts-used", "used", key.taken.hosts, "granted", key.granted.hosts)
            }
            _ => frame.t2("keys-machines-used", "used", key.taken.machines, "granted", key.granted.machines),
        };
        let standing = match (key.validity.revoked_at, key.validity.blocked) {
            (Some(at), _) => frame.t1("keys-revoked", "date", frame.date(at)),
            (None, true) => frame.t("keys-blocked"),
            (None, false) => String::new(),
        };
        keys.push(KeyLine {
            number: key.number.to_string(),
            last_group: key.last_group,
            product: key.product_name,
            ends: key.validity.ends_at.map_or_else(|| frame.t("keys-no-end"), |at| frame.date(at)),
            standing,
            used,
            hosts,
        });
    }
    Ok(page(&KeysPage { keys, next, top: admin.top(), frame }))
}
