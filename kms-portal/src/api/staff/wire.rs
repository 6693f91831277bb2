//! Rows of the database, for the wire.

use std::num::NonZeroU32;

use bytes::Bytes;
use kms_portal_rules::keys::granted::Granted;
use kms_portal_rules::keys::releases::Releases;
use proto::portal::v1 as w;
use shared::time::Timestamp;

use crate::db::{
    CheckedChanges, IssuedKey, KnownToken, ListedHost, ListedPlace, Organisation, PlaceHolder, Product,
    Raise, StaffChange,
};

pub(super) fn product(product: Product) -> w::Product {
    w::Product {
        id: Bytes::copy_from_slice(product.id.as_bytes()),
        name: product.name,
        test: product.test,
        policy: Some(product.policy.encode()),
        features: product.features.encode(),
    }
}

pub(super) fn organisation(organisation: &Organisation) -> w::Organisation {
    w::Organisation {
        id: Bytes::copy_from_slice(organisation.id.as_bytes()),
        name: organisation.name.clone(),
    }
}

pub(super) fn quotas(granted: &Granted) -> w::Quotas {
    let Granted { machines, hosts, activations, releases } = *granted;
    w::Quotas { machines, hosts, activations, releases }
}

pub(super) fn granted(quotas: w::Quotas) -> Granted {
    let w::Quotas { machines, hosts, activations, releases } = quotas;
    Granted { machines, hosts, activations, releases }
}

pub(super) fn key(key: &IssuedKey) -> w::Key {
    let Releases(releases) = key.taken.releases;
    w::Key {
        number: key.number.to_string(),
        last_group: key.last_group.clone(),
        kind: key.kind.name().to_owned(),
        product: Bytes::copy_from_slice(key.product.as_bytes()),
        product_name: key.product_name.clone(),
        organisation: Some(organisation(&key.organisation)),
        features: key.features.encode(),
        seats: key.seats.map_or(0, NonZeroU32::get),
        blocked: key.validity.blocked,
        ends_at: time(key.validity.ends_at),
        note: key.note.clone(),
        order: key.order.clone(),
        revoked_at: time(key.validity.revoked_at),
        issued_at: key.issued_at.unix_ms(),
        granted: Some(quotas(&key.granted)),
        taken: Some(w::Quotas {
            machines: key.taken.machines,
            hosts: key.taken.hosts,
            activations: 0,
            releases,
        }),
    }
}

pub(super) fn raise(raise: &Raise) -> w::Raise {
    w::Raise {
        quota: raise.quota.name().to_owned(),
        more: raise.more,
        who: raise.by.who.clone(),
        at: raise.by.at.unix_ms(),
        why: raise.by.why.clone(),
    }
}

pub(super) fn host(host: &ListedHost) -> w::ActivatedHost {
    w::ActivatedHost {
        host: Bytes::copy_from_slice(host.host.as_bytes()),
        number: host.activated.host,
        activations: host.activated.activations,
        activated_at: host.activated_at.unix_ms(),
        revoked_at: time(host.revoked_at),
    }
}

pub(super) fn machine(listed: &ListedPlace) -> w::ActivatedMachine {
    let (machine, digest) = match &listed.holder {
        PlaceHolder::Online(holder) => (Bytes::copy_from_slice(holder.machine.as_bytes()), Bytes::new()),
        PlaceHolder::ByCode(digest) => (Bytes::new(), Bytes::copy_from_slice(digest)),
    };
    w::ActivatedMachine {
        place: Bytes::copy_from_slice(listed.id.as_bytes()),
        machine,
        since: listed.since.unix_ms(),
        confirmed_at: listed.confirmed_at.unix_ms(),
        freed_at: time(listed.freed_at),
        digest,
        revoked_at: time(listed.revoked_at),
    }
}

pub(super) fn change(change: StaffChange) -> w::Change {
    let StaffChange { number, by, what, subject, organisation: _, previous } = change;
    let previous = previous.map(|digest| Bytes::copy_from_slice(&digest)).unwrap_or_default();
    w::Change { number, who: by.who, at: by.at.unix_ms(), what, subject, why: by.why, previous }
}

pub(super) fn checked(checked: CheckedChanges) -> w::VerifyChangesResponse {
    let CheckedChanges { changes, last, broken } = checked;
    let (broken_at, cause) = broken.unwrap_or_default();
    let last = last.map(|digest| Bytes::copy_from_slice(&digest)).unwrap_or_default();
    w::VerifyChangesResponse { changes, last, broken_at, cause }
}

pub(super) fn token(token: KnownToken) -> w::Token {
    w::Token {
        name: token.name,
        role: token.role.name().to_owned(),
        issued_at: token.issued_at.unix_ms(),
        ends_at: time(token.ends_at),
        revoked_at: time(token.revoked_at),
        used_at: time(token.used_at),
    }
}

/// On the wire, 0 stands for no instant.
fn time(at: Option<Timestamp>) -> i64 {
    at.map_or(0, Timestamp::unix_ms)
}
