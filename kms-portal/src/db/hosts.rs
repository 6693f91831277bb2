//! The hosts of host keys: how they are activated and renewed. `codes` is how they are over a telephone, under the terms of their key.

mod codes;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kms_portal_rules::keys::hosts::{Activated, Certifying, KnownHost, activate, renew};
use kms_portal_rules::keys::{Asked, HOST_VALIDITY, KeyRefusal};
use shared::certificate::HostCertificate;
use shared::envelope::PublicKey;
use shared::ids::{CertificateId, HostId, ProductId};
use shared::product_key::{KeyKind, KeyNumber};
use shared::revocation::Revoked;
use shared::time::Timestamp;

use super::DbError;
use super::catalogue::numbers;
use super::keys::{self, IssuedKey};
use super::revocations::revoked_at;
use super::sql::{Sql, SqlRow};
use super::work::{Work, or_refuse};
use crate::issue::{Issue, KeyMac};

pub use codes::{CodeHost, ConfirmHost, OfferedTerms, SoldTerms};
pub(super) use codes::{ListTerms, MakeTerms};

/// The width of an hour in every ledger that is not for tests.
const HOUR: Duration = Duration::from_hours(1);

/// A host that asks for a certificate.
pub struct HostAsk {
    /// Its public key.
    pub signing_key: PublicKey,
    /// By which ask.
    pub asked: Asked,
    /// The id of a new certificate, random.
    pub certificate: CertificateId,
    /// Now.
    pub now: Timestamp,
    /// The width of an hour in its ledger.
    pub hour_width: Duration,
    /// Signs the certificate.
    pub issuer: Arc<dyn Issue>,
}

/// A host that shows a host key.
pub struct ActivateHost {
    /// The HMAC of the key.
    pub key: KeyMac,
    /// Who asks.
    pub ask: HostAsk,
}

/// A host that was activated before.
pub struct RenewHost {
    /// The product for which it was.
    pub product: ProductId,
    /// Who asks.
    pub ask: HostAsk,
}

/// What a host gets.
#[derive(Clone, Debug)]
pub struct CertifiedHost {
    /// The encoded chain.
    pub chain: Bytes,
    /// The public number of the key.
    pub key: KeyNumber,
    /// Which host of the key it is, and how often it was activated.
    pub activated: Activated,
    /// How many hosts the key is for.
    pub hosts: u64,
    /// How often each may be activated.
    pub activations: u64,
    /// Whether it is the answer to an ask that was heard before.
    pub again: bool,
}

#[async_trait]
impl Work for ActivateHost {
    type Done = Result<CertifiedHost, KeyRefusal>;

    fn lock_order(&self) -> Option<[u8; 32]> {
        Some(*self.key.as_bytes())
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        // 1. The key, so that nobody else decides about its hosts meanwhile.
        let key =
            or_refuse!(keys::fitting(keys::find(sql, &self.key, self.ask.now).await?, KeyKind::Host, None));
        // 2. The decision.
        if let Some(at) = self.ask.revoked_at(sql).await? {
            return Ok(Err(KeyRefusal::Revoked { at }));
        }
        let known = self.ask.known(sql, key.number).await?;
        let decided =
            activate(self.ask.asked, known, key.taken.hosts, key.validity, &key.granted, self.ask.now);
        // 3. The certificate, and the rows. Nothing is sent before the transaction is durable.
        match decided {
            Err(refused) => Ok(Err(refused)),
            Ok(decided) => self.ask.answer(sql, &key, decided).await,
        }
    }
}

#[async_trait]
impl Work for RenewHost {
    type Done = Result<CertifiedHost, KeyRefusal>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        if let Some(at) = self.ask.revoked_at(sql).await? {
            return Ok(Err(KeyRefusal::Revoked { at }));
        }
        // A host may have been activated by several keys. One that is valid renews it, if there is one.
        let mut refused = KeyRefusal::NotActivatedHere;
        for number in self.keys(sql).await? {
            let key = keys::lock(sql, number, self.ask.now).await?;
            let key = key.ok_or_else(|| DbError::damaged("the key of a host"))?;
            let Some(known) = self.ask.known(sql, number).await? else { continue };
            match renew(self.ask.asked, known, key.validity, self.ask.now) {
                Err(reason) => refused = reason,
                Ok(decided) => return self.ask.answer(sql, &key, decided).await,
            }
        }
        Ok(Err(refused))
    }
}

impl RenewHost {
    /// The keys by which this host was activated for the product: those that are blocked at the end, and the latest first.
    async fn keys(&self, sql: &mut dyn Sql) -> Result<Vec<KeyNumber>, DbError> {
        let host = self.ask.signing_key.host();
        let values = [host.as_bytes().into(), self.product.as_bytes().into()];
        let rows = sql
            .rows(
                "SELECT h.key FROM hosts h JOIN keys k ON k.number = h.key \
                 WHERE h.host = $1 AND k.product = $2 ORDER BY k.blocked_at IS NOT NULL, h.activated_at DESC, h.key",
                &values,
            )
            .await?;
        rows.iter().map(|row| row.bytes("key", KeyNumber::from_slice)).collect()
    }
}

impl HostAsk {
    /// When the host was taken back, if it was. That of one certificate does not keep it from another one.
    async fn revoked_at(&self, sql: &mut dyn Sql) -> Result<Option<Timestamp>, DbError> {
        revoked_at(sql, Revoked::host(self.signing_key.host())).await
    }

    /// What the key knows of this host.
    async fn known(&self, sql: &mut dyn Sql, key: KeyNumber) -> Result<Option<KnownHost>, DbError> {
        let (host, nonce) = (self.signing_key.host(), self.asked.nonce());
        let values = [key.as_bytes().into(), host.as_bytes().into(), nonce.as_bytes().into()];
        let found = sql
            .row(
                "SELECT h.number, h.activations, h.asked_at, (SELECT MAX(c.activation) FROM host_chains c \
                 WHERE c.key = h.key AND c.host = h.number AND c.nonce = $3) AS answered \
                 FROM hosts h WHERE h.key = $1 AND h.host = $2",
                &values,
            )
            .await?;
        let Some(row) = found else { return Ok(None) };
        let answered = row.get::<Option<i64>>("answered")?.map(u64::try_from).transpose();
        Ok(Some(KnownHost {
            activated: Activated { host: row.count("number")?, activations: row.count("activations")? },
            answered: answered.map_err(|_| DbError::damaged("the number of a chain"))?,
            last_asked_at: row.time("asked_at")?,
        }))
    }

    /// The certificate that the host got before, or a new one, which is kept.
    async fn answer(
        &self,
        sql: &mut dyn Sql,
        key: &IssuedKey,
        decided: Certifying,
    ) -> Result<Result<CertifiedHost, KeyRefusal>, DbError> {
        let (activated, _) = decided.kept();
        if let Certifying::Again(..) = decided {
            let chain = stored(sql, key.number, decided).await?;
            return Ok(Ok(key.certified(chain, activated, true)));
        }
        if self.hour_width != HOUR && !key.test {
            return Ok(Err(KeyRefusal::HourWidth));
        }
        let certificate = key.host_certificate(sql, self.certificate, self.signing_key, self.now).await?;
        let chain = or_refuse!(self.issuer.certify(&certificate, self.now).await);
        self.write(sql, key.number, decided, &chain).await?;
        Ok(Ok(key.certified(chain, activated, false)))
    }

    /// Of renewals only the latest is kept: a host that asks for an earlier one again gets a new one.
    async fn write(
        &self,
        sql: &mut dyn Sql,
        key: KeyNumber,
        decided: Certifying,
        chain: &[u8],
    ) -> Result<(), DbError> {
        let (activated, activation) = decided.kept();
        let host = self.signing_key.host();
        let (number, now) = (activated.host.into(), self.now.into());
        let (host, asked_at) = (host.as_bytes().into(), self.asked.asked_at().into());
        let values = [key.as_bytes().into(), number, host, activated.activations.into(), now, asked_at];
        sql.run(
            "INSERT INTO hosts (key, number, host, activations, activated_at, asked_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (key, number) DO UPDATE SET \
             activations = excluded.activations, activated_at = excluded.activated_at, \
             asked_at = excluded.asked_at",
            &values,
        )
        .await?;
        let nonce = self.asked.nonce();
        let (nonce, certificate) = (nonce.as_bytes().into(), self.certificate.as_bytes().into());
        let values =
            [key.as_bytes().into(), number, activation.into(), nonce, certificate, chain.into(), now];
        sql.run(
            "INSERT INTO host_chains (key, host, activation, nonce, certificate, chain, issued_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key, host, activation) DO UPDATE SET \
             nonce = excluded.nonce, certificate = excluded.certificate, chain = excluded.chain, \
             issued_at = excluded.issued_at",
            &values,
        )
        .await?;
        Ok(())
    }
}

impl IssuedKey {
    /// What a host of this key is certified for a year, or as long as the key lasts.
    async fn host_certificate(
        &self,
        sql: &mut dyn Sql,
        id: CertificateId,
        signing_key: PublicKey,
        now: Timestamp,
    ) -> Result<HostCertificate, DbError> {
        let year = now + HOST_VALIDITY;
        Ok(HostCertificate {
            id,
            signing_key,
            product: self.product,
            product_name: self.product_name.clone(),
            organisation: self.organisation.id,
            organisation_name: self.organisation.name.clone(),
            not_before: now,
            not_after: self.validity.ends_at.map_or(year, |ends_at| ends_at.min(year)),
            test: self.test,
            policy: numbers(sql, self.product, self.organisation.id).await?,
            issued_at: Some(now),
            seats: self.seats,
            features: self.features.clone(),
        })
    }

    fn certified(&self, chain: Bytes, activated: Activated, again: bool) -> CertifiedHost {
        let (hosts, activations) = (self.granted.hosts, self.granted.activations);
        CertifiedHost { chain, key: self.number, activated, hosts, activations, again }
    }
}

/// A host of a key, as staff sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedHost {
    /// The host.
    pub host: HostId,
    /// Which one of the key it is, and how often it was activated.
    pub activated: Activated,
    /// When it was last activated or renewed.
    pub activated_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// The hosts of a key, in the order in which they came.
pub(super) struct ListHosts(pub(super) KeyNumber);

#[async_trait]
impl Work for ListHosts {
    type Done = Vec<ListedHost>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<ListedHost>, DbError> {
        let list = "SELECT h.*, r.at AS revoked_at FROM hosts h \
                    LEFT JOIN revoked r ON r.id = h.host AND r.withdrawn_at IS NULL WHERE h.key = $1 ORDER BY h.number";
        sql.rows(list, &[self.0.as_bytes().into()]).await?.iter().map(listed).collect()
    }
}

fn listed(row: &SqlRow) -> Result<ListedHost, DbError> {
    Ok(ListedHost {
        host: row.bytes("host", HostId::from_slice)?,
        activated: Activated { host: row.count("number")?, activations: row.count("activations")? },
        activated_at: row.time("activated_at")?,
        revoked_at: row.time_if_any("revoked_at")?,
    })
}

async fn stored(sql: &mut dyn Sql, key: KeyNumber, decided: Certifying) -> Result<Bytes, DbError> {
    let (activated, activation) = decided.kept();
    let values = [key.as_bytes().into(), activated.host.into(), activation.into()];
    let chain = "SELECT chain FROM host_chains WHERE key = $1 AND host = $2 AND activation = $3";
    let found = sql.row(chain, &values).await?;
    Ok(found.ok_or_else(|| DbError::damaged("the chain of a host"))?.get::<Vec<u8>>("chain")?.into())
}
