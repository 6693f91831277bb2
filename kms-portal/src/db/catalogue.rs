//! What is sold, and to whom: products with their numbers, and organisations.

use async_trait::async_trait;
use prost::Message as _;
use proto::v1;
use shared::features::Features;
use shared::ids::{OrganisationId, ProductId};
use shared::policy::Policy;
use shared::product_key::ProductTag;

use super::DbError;
use super::changes::{By, note};
use super::sql::{Sql, SqlRow};
use super::work::Work;

/// A product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its id, which is compiled into it.
    pub id: ProductId,
    /// Its name, for people.
    pub name: String,
    /// Whether it is for tests: whatever is signed for it says so.
    pub test: bool,
    /// Its numbers.
    pub policy: Policy,
    /// What a key for it brings along, unless the key says otherwise.
    pub features: Features,
}

/// A customer of the vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Its id, which never changes.
    pub id: OrganisationId,
    /// Its name, for people.
    pub name: String,
}

/// Why the catalogue was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCatalogued {
    /// Another one has this name.
    #[error("another one has this name")]
    NameTaken,
    /// Keys name a product by 15 bits that follow from its id, and another product has the same.
    #[error("another product has the same tag in its keys; give this one another id")]
    TagTaken,
    /// There is no such product.
    #[error("no such product is known")]
    UnknownProduct,
    /// There is no such organisation.
    #[error("no such organisation is known")]
    UnknownOrganisation,
}

/// Adds a product, or changes all of it but its id.
pub(super) struct SetProduct {
    pub(super) product: Product,
    pub(super) by: By,
}

#[async_trait]
impl Work for SetProduct {
    type Done = Result<(), NotCatalogued>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let Product { id, name, test, policy, features } = &self.product;
        let tag = u64::from(ProductTag::of(*id).value());
        let (policy, features) = (policy.encode().encode_to_vec(), lines(features));
        let values = [
            id.as_bytes().into(),
            tag.into(),
            name.as_str().into(),
            (*test).into(),
            policy.as_slice().into(),
            features.as_str().into(),
        ];
        let other = "SELECT name FROM products WHERE id <> $1 AND (tag = $2 OR name = $3)";
        if let Some(other) = sql.row(other, &values[..3]).await? {
            let is_named_so = other.get::<String>("name")? == *name;
            return Ok(Err(if is_named_so { NotCatalogued::NameTaken } else { NotCatalogued::TagTaken }));
        }
        sql.run(
            "INSERT INTO products (id, tag, name, test, policy, features) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, test = excluded.test, \
             policy = excluded.policy, features = excluded.features",
            &values,
        )
        .await?;
        note(sql, &self.by, "set product", name).await?;
        Ok(Ok(()))
    }
}

/// Adds an organisation, or gives it another name.
pub(super) struct SetOrganisation {
    pub(super) organisation: Organisation,
    pub(super) by: By,
}

#[async_trait]
impl Work for SetOrganisation {
    type Done = Result<(), NotCatalogued>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let Organisation { id, name } = &self.organisation;
        let other = "SELECT name FROM organisations WHERE id <> $1 AND name = $2";
        if sql.row(other, &[id.as_bytes().into(), name.as_str().into()]).await?.is_some() {
            return Ok(Err(NotCatalogued::NameTaken));
        }
        add_organisation(sql, &self.organisation, &self.by).await?;
        Ok(Ok(()))
    }
}

/// Adds an organisation whose name nobody else has, or gives it this name.
pub(super) async fn add_organisation(
    sql: &mut dyn Sql,
    organisation: &Organisation,
    by: &By,
) -> Result<(), DbError> {
    let Organisation { id, name } = organisation;
    sql.run(
        "INSERT INTO organisations (id, name, added_at) VALUES ($1, $2, $3) \
         ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        &[id.as_bytes().into(), name.as_str().into(), by.at.into()],
    )
    .await?;
    note(sql, by, "set organisation", name).await
}

/// Gives one organisation numbers of its own for a product, or the product's own again.
pub(super) struct SetNumbers {
    pub(super) product: ProductId,
    pub(super) organisation: OrganisationId,
    pub(super) policy: Option<Policy>,
    pub(super) by: By,
}

#[async_trait]
impl Work for SetNumbers {
    type Done = Result<(), NotCatalogued>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let Some(product) = product(sql, self.product).await? else {
            return Ok(Err(NotCatalogued::UnknownProduct));
        };
        let Some(organisation) = organisation(sql, self.organisation).await? else {
            return Ok(Err(NotCatalogued::UnknownOrganisation));
        };
        let values = [self.product.as_bytes().into(), self.organisation.as_bytes().into()];
        sql.run("DELETE FROM product_numbers WHERE product = $1 AND organisation = $2", &values).await?;
        if let Some(policy) = &self.policy {
            let policy = policy.encode().encode_to_vec();
            let values = [values[0], values[1], policy.as_slice().into()];
            let insert = "INSERT INTO product_numbers (product, organisation, policy) VALUES ($1, $2, $3)";
            sql.run(insert, &values).await?;
        }
        note(sql, &self.by, "set numbers", &format!("{} for {}", product.name, organisation.name)).await?;
        Ok(Ok(()))
    }
}

/// The numbers of a product for this organisation.
pub(super) async fn numbers(
    sql: &mut dyn Sql,
    product: ProductId,
    organisation: OrganisationId,
) -> Result<Policy, DbError> {
    let found = sql
        .row(
            "SELECT COALESCE((SELECT policy FROM product_numbers WHERE product = $1 AND organisation = $2), \
             policy) AS policy FROM products WHERE id = $1",
            &[product.as_bytes().into(), organisation.as_bytes().into()],
        )
        .await?;
    policy(&found.ok_or_else(|| DbError::damaged("the product of a key"))?)
}

/// The organisations that have numbers of their own for a product, by name, with these numbers.
pub(super) struct ListNumbers(pub(super) ProductId);

#[async_trait]
impl Work for ListNumbers {
    type Done = Vec<(Organisation, Policy)>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let list = "SELECT o.id, o.name, n.policy FROM product_numbers n JOIN organisations o ON o.id = n.organisation \
                    WHERE n.product = $1 ORDER BY o.name";
        let rows = sql.rows(list, &[self.0.as_bytes().into()]).await?;
        rows.iter().map(|row| Ok((read_organisation(row)?, policy(row)?))).collect()
    }
}

/// Every product, by name.
pub(super) struct ListProducts;

#[async_trait]
impl Work for ListProducts {
    type Done = Vec<Product>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<Product>, DbError> {
        sql.rows("SELECT * FROM products ORDER BY name", &[]).await?.iter().map(read_product).collect()
    }
}

/// Every organisation, by name. What people have bought for themselves is no customer's.
pub(super) struct ListOrganisations;

#[async_trait]
impl Work for ListOrganisations {
    type Done = Vec<Organisation>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<Organisation>, DbError> {
        let rows =
            sql.rows("SELECT * FROM organisations WHERE kind <> 'household' ORDER BY name", &[]).await?;
        rows.iter().map(read_organisation).collect()
    }
}

/// One organisation.
pub(super) struct ShowOrganisation(pub(super) OrganisationId);

#[async_trait]
impl Work for ShowOrganisation {
    type Done = Option<Organisation>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        organisation(sql, self.0).await
    }
}

pub(super) async fn product(sql: &mut dyn Sql, id: ProductId) -> Result<Option<Product>, DbError> {
    let found = sql.row("SELECT * FROM products WHERE id = $1", &[id.as_bytes().into()]).await?;
    found.as_ref().map(read_product).transpose()
}

pub(super) async fn organisation(
    sql: &mut dyn Sql,
    id: OrganisationId,
) -> Result<Option<Organisation>, DbError> {
    let found = sql.row("SELECT * FROM organisations WHERE id = $1", &[id.as_bytes().into()]).await?;
    found.as_ref().map(read_organisation).transpose()
}

fn read_product(row: &SqlRow) -> Result<Product, DbError> {
    Ok(Product {
        id: row.bytes("id", ProductId::from_slice)?,
        name: row.get("name")?,
        test: row.count("test")? != 0,
        policy: policy(row)?,
        features: features(row)?,
    })
}

fn read_organisation(row: &SqlRow) -> Result<Organisation, DbError> {
    Ok(Organisation { id: row.bytes("id", OrganisationId::from_slice)?, name: row.get("name")? })
}

fn policy(row: &SqlRow) -> Result<Policy, DbError> {
    row.bytes("policy", |bytes| Policy::decode(&v1::Policy::decode(bytes).ok()?).ok())
}

/// Features in a column.
pub(super) fn features(row: &SqlRow) -> Result<Features, DbError> {
    row.text("features", |text| Features::new(text.lines()).ok())
}

/// Features for a column.
pub(super) fn lines(features: &Features) -> String {
    features.iter().collect::<Vec<_>>().join("\n")
}
