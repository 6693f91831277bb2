//! Product keys: what is known of them. `staff` is how they are issued, blocked and raised.

mod staff;

use std::num::NonZeroU32;

use async_trait::async_trait;
use kms_portal_rules::keys::granted::{Granted, Quota};
use kms_portal_rules::keys::releases::{RELEASES_WINDOW, Releases};
use kms_portal_rules::keys::{KeyRefusal, Validity};
use shared::features::Features;
use shared::ids::{OrganisationId, ProductId};
use shared::product_key::{KeyKind, KeyNumber};
use shared::time::Timestamp;

use super::DbError;
use super::catalogue::{self, Organisation};
use super::changes::By;
use super::sql::{Sql, SqlRow};
use super::work::Work;
use crate::issue::KeyMac;

pub(super) use staff::{BlockKey, IssueKeys, RaiseKey};
pub use staff::{KeyUnchanged, NewKey};

/// What is known of a product key. The key itself is nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedKey {
    /// Its public number.
    pub number: KeyNumber,
    /// Its last five characters, for its owner.
    pub last_group: String,
    /// What it is for.
    pub kind: KeyKind,
    /// The product.
    pub product: ProductId,
    /// The product's name.
    pub product_name: String,
    /// Whether the product is for tests.
    pub test: bool,
    /// Who bought it.
    pub organisation: Organisation,
    /// What was sold with it.
    pub features: Features,
    /// How many machines the organisation has paid for, if that is said. It refuses nobody.
    pub seats: Option<NonZeroU32>,
    /// Whether it can be used.
    pub validity: Validity,
    /// Staff's own words.
    pub note: String,
    /// The order that it answered; may be empty.
    pub order: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// What it grants.
    pub granted: Granted,
    /// How much of it is taken.
    pub taken: KeyUse,
}

/// How much of a key is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyUse {
    /// Machines that have a place.
    pub machines: u64,
    /// Hosts that were activated.
    pub hosts: u64,
    /// Places that machines gave back in the last year.
    pub releases: Releases,
}

/// One addition to what a key grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    /// Of what.
    pub quota: Quota,
    /// How much more; less, if it is negative.
    pub more: i64,
    /// Who, when, and why.
    pub by: By,
}

/// One key.
pub(super) struct ShowKey {
    pub(super) number: KeyNumber,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for ShowKey {
    type Done = Option<IssuedKey>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Option<IssuedKey>, DbError> {
        read(sql, self.number, self.now).await
    }
}

/// Which keys to list.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    /// Those of this organisation only.
    pub organisation: Option<OrganisationId>,
    /// Those for this product only.
    pub product: Option<ProductId>,
    /// Those behind this one: the last of the page before.
    pub after: Option<KeyNumber>,
    /// Those that have answered this order.
    pub order: Option<String>,
}

/// Keys, by number.
pub(super) struct ListKeys {
    pub(super) filter: KeyFilter,
    pub(super) limit: u32,
    pub(super) now: Timestamp,
}

/// The keys for which this holds, and what is taken of them. `$1` is when the year of releases begins.
macro_rules! keys_where {
    ($condition:literal) => {
        concat!(
            "SELECT k.*, p.name AS product_name, p.test AS product_test, o.name AS organisation_name, ",
            "(SELECT COUNT(*) FROM hosts WHERE key = k.number) AS taken_hosts, ",
            "(SELECT COUNT(*) FROM releases WHERE key = k.number AND $1 < at AND how <> 'freed') AS taken_releases, ",
            keys_where!(@ "machines"), ", ", keys_where!(@ "hosts"), ", ",
            keys_where!(@ "activations"), ", ", keys_where!(@ "releases"),
            " FROM keys k JOIN products p ON p.id = k.product JOIN organisations o ON o.id = k.organisation WHERE ",
            $condition
        )
    };
    (@ $quota:literal) => {
        concat!(
            "(SELECT CAST(COALESCE(SUM(more), 0) AS BIGINT) FROM raises WHERE key = k.number AND quota = '",
            $quota, "') AS ", $quota
        )
    };
}

#[async_trait]
impl Work for ListKeys {
    type Done = Vec<IssuedKey>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<IssuedKey>, DbError> {
        let KeyFilter { organisation, product, after, order } = &self.filter;
        let values = [
            (self.now - RELEASES_WINDOW).into(),
            after.as_ref().map_or(&[][..], |number| number.as_bytes()).into(),
            organisation.as_ref().map(|id| id.as_bytes().as_slice()).into(),
            product.as_ref().map(|id| id.as_bytes().as_slice()).into(),
            u64::from(self.limit).into(),
            order.as_deref().unwrap_or_default().into(),
        ];
        let list = keys_where!(
            "$2 < k.number AND k.organisation = COALESCE($3, k.organisation) \
             AND k.product = COALESCE($4, k.product) AND ($6 = '' OR k.order_name = $6) ORDER BY k.number LIMIT $5"
        );
        sql.rows(list, &values).await?.iter().map(key).collect()
    }
}

/// All that was ever granted by a key, the first first.
pub(super) struct ListRaises(pub(super) KeyNumber);

#[async_trait]
impl Work for ListRaises {
    type Done = Vec<Raise>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<Raise>, DbError> {
        let list = "SELECT * FROM raises WHERE key = $1 ORDER BY number";
        sql.rows(list, &[self.0.as_bytes().into()]).await?.iter().map(raise).collect()
    }
}

/// Keys that keep another number of places than are taken.
pub(super) struct ListMiscounted;

#[async_trait]
impl Work for ListMiscounted {
    type Done = Vec<KeyNumber>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<KeyNumber>, DbError> {
        let miscounted = "SELECT number FROM keys k WHERE taken <> \
            (SELECT COUNT(*) FROM places WHERE key = k.number AND freed_at IS NULL) ORDER BY number";
        let rows = sql.rows(miscounted, &[]).await?;
        rows.iter().map(|row| row.bytes("number", KeyNumber::from_slice)).collect()
    }
}

/// The key with this HMAC, which nobody else uses until the transaction ends. All else about it is read after that: what was read
/// before might have changed.
pub(super) async fn find(
    sql: &mut dyn Sql,
    mac: &KeyMac,
    now: Timestamp,
) -> Result<Option<IssuedKey>, DbError> {
    sql.lock("SELECT number FROM keys WHERE mac = $1", &[mac.as_bytes().into()]).await?;
    let values = [(now - RELEASES_WINDOW).into(), mac.as_bytes().into()];
    sql.row(keys_where!("k.mac = $2"), &values).await?.as_ref().map(key).transpose()
}

/// The key with this number, which nobody else uses until the transaction ends.
pub(super) async fn lock(
    sql: &mut dyn Sql,
    number: KeyNumber,
    now: Timestamp,
) -> Result<Option<IssuedKey>, DbError> {
    sql.lock("SELECT number FROM keys WHERE number = $1", &[number.as_bytes().into()]).await?;
    read(sql, number, now).await
}

/// The key, if it is of this kind and for this product. What it is otherwise nobody is told.
pub(super) fn fitting(
    key: Option<IssuedKey>,
    kind: KeyKind,
    product: Option<ProductId>,
) -> Result<IssuedKey, KeyRefusal> {
    let fits = |key: &IssuedKey| key.kind == kind && product.is_none_or(|product| key.product == product);
    key.filter(fits).ok_or(KeyRefusal::Unknown)
}

pub(super) async fn read(
    sql: &mut dyn Sql,
    number: KeyNumber,
    now: Timestamp,
) -> Result<Option<IssuedKey>, DbError> {
    let values = [(now - RELEASES_WINDOW).into(), number.as_bytes().into()];
    sql.row(keys_where!("k.number = $2"), &values).await?.as_ref().map(key).transpose()
}

fn raise(row: &SqlRow) -> Result<Raise, DbError> {
    let quota = |name: &str| Quota::ALL.into_iter().find(|quota| quota.name() == name);
    Ok(Raise {
        quota: row.text("quota", quota)?,
        more: row.get("more")?,
        by: By { who: row.get("who")?, at: row.time("at")?, why: row.get("why")? },
    })
}

fn key(row: &SqlRow) -> Result<IssuedKey, DbError> {
    let seats = u32::try_from(row.count("seats")?).map_err(|_| DbError::damaged("seats"))?;
    Ok(IssuedKey {
        number: row.bytes("number", KeyNumber::from_slice)?,
        last_group: row.get("last_group")?,
        kind: row.text("kind", KeyKind::from_name)?,
        product: row.bytes("product", ProductId::from_slice)?,
        product_name: row.get("product_name")?,
        test: row.count("product_test")? != 0,
        organisation: Organisation {
            id: row.bytes("organisation", OrganisationId::from_slice)?,
            name: row.get("organisation_name")?,
        },
        features: catalogue::features(row)?,
        seats: NonZeroU32::new(seats),
        validity: Validity {
            blocked: row.time_if_any("blocked_at")?.is_some(),
            revoked_at: row.time_if_any("revoked_at")?,
            ends_at: row.time_if_any("ends_at")?,
        },
        note: row.get("note")?,
        order: row.get("order_name")?,
        issued_at: row.time("issued_at")?,
        granted: Granted {
            machines: row.count("machines")?,
            hosts: row.count("hosts")?,
            activations: row.count("activations")?,
            releases: row.count("releases")?,
        },
        taken: KeyUse {
            machines: row.count("taken")?,
            hosts: row.count("taken_hosts")?,
            releases: Releases(row.count("taken_releases")?),
        },
    })
}
