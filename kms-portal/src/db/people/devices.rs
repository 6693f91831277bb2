//! Devices: where people use what they have, and how they are let in there.
//!
//! A machine shows a code, a person types it and decides, and the machine gets a lease that it renews by itself. The person's row is locked
//! before their devices are counted. `kms_portal_rules::device_codes` and `devices` decide. `docs/protocol.md` 13.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kms_portal_rules::device_codes::{CODE_FOR, Decided, Polled, SignInCode, can_open};
use kms_portal_rules::devices::{Device, DeviceAdmission, DeviceRefusal, LeaseTerm, SignInDevice, admit};
use kms_portal_rules::keys::Asked;
use kms_portal_rules::offers::{OfferName, ServiceName};
use kms_portal_rules::{DeviceId, PersonId};
use prost::Message as _;
use proto::vendor::v1;
use sha2::{Digest as _, Sha256};
use shared::features::Features;
use shared::ids::{Fingerprint, MachineId, Nonce, OrganisationId, ProductId};
use shared::parts::{Hardware, HardwareParts};
use shared::time::{Timestamp, from_ms, to_ms};
use shared::user_lease::{ProductPersonId, UserLease};

use super::offers::{lines, offer_in, service_name, set};
use super::standing::ShowStanding;
use super::subscriptions;
use crate::db::changes::{By, note};
use crate::db::sql::{Sql, SqlRow};
use crate::db::work::{Work, or_refuse};
use crate::db::{Db, DbError, catalogue};
use crate::issue::Issue;

/// How long codes are kept that nobody can use any more, so that a machine is told what has become of its own.
const KEPT_FOR: Duration = CODE_FOR.saturating_mul(4);

/// How long a machine waits that cannot get a code.
const TRY_AGAIN: Duration = Duration::from_mins(1);

/// The digest under which a code is stored.
pub type CodeDigest = [u8; 32];

/// A machine that wants to show a code.
#[derive(Clone, Debug)]
pub struct BeginSignIn {
    /// Of its secret.
    pub device_code: CodeDigest,
    /// Of what it shows.
    pub user_code: CodeDigest,
    /// Who asks.
    pub machine: MachineId,
    /// For which product.
    pub product: ProductId,
    /// The name of the ask.
    pub nonce: Nonce,
    /// How its owner calls it.
    pub label: String,
    /// From where it asks.
    pub source: String,
    /// Now.
    pub now: Timestamp,
}

/// A device that asks for a lease.
#[derive(Clone)]
pub struct DeviceAsk {
    /// Who asks.
    pub machine: MachineId,
    /// For which product.
    pub product: ProductId,
    /// By which ask.
    pub asked: Asked,
    /// Tells installations apart.
    pub fingerprint: Fingerprint,
    /// Tells hardware apart.
    pub parts: HardwareParts,
    /// Now.
    pub now: Timestamp,
    /// Signs the lease.
    pub issuer: Arc<dyn Issue>,
}

/// A machine that asks whether somebody has let it in.
#[derive(Clone)]
pub struct PollSignIn {
    /// Of its secret.
    pub device_code: CodeDigest,
    /// What it asks.
    pub ask: DeviceAsk,
    /// The id of a new device, random.
    pub device: DeviceId,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInAnswer {
    /// It is in: an encoded `kms.vendor.v1.SignedUserLease`.
    Lease(Bytes),
    /// It is not; how long it waits between two questions from now on.
    Not(Polled, Duration),
}

/// A code that somebody has typed, and what they have to know before they decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownSignIn {
    /// The name of the product; none if the portal does not know it.
    pub product: Option<String>,
    /// How the machine calls itself.
    pub label: String,
    /// From where it asked.
    pub source: String,
    /// When it asked.
    pub made_at: Timestamp,
}

/// A device of a person, as they see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDevice {
    /// Its id.
    pub id: DeviceId,
    /// The name of the product.
    pub product: String,
    /// How the machine calls itself.
    pub label: String,
    /// When the person signed in there.
    pub signed_in_at: Timestamp,
    /// When it asked last.
    pub seen_at: Timestamp,
}

/// Devices and their codes.
impl Db {
    /// Says which product a service licenses, with which features beside it.
    pub async fn set_service_product(
        &self,
        service: ServiceName,
        product: ProductId,
        features: Features,
        by: By,
    ) -> Result<(), DbError> {
        self.write(SetServiceProduct { service, product, features, by }).await
    }

    /// Keeps the codes of a machine on which somebody wants to sign in.
    pub async fn begin_sign_in(&self, begin: BeginSignIn) -> Result<Result<(), DeviceRefusal>, DbError> {
        self.write(begin).await
    }

    /// What a machine gets that has shown a code.
    pub async fn poll_sign_in(
        &self,
        poll: PollSignIn,
    ) -> Result<Result<SignInAnswer, DeviceRefusal>, DbError> {
        self.write(poll).await
    }

    /// The next lease of a device: an encoded `kms.vendor.v1.SignedUserLease`.
    pub async fn renew_user_lease(&self, ask: DeviceAsk) -> Result<Result<Bytes, DeviceRefusal>, DbError> {
        self.write(RenewUserLease(ask)).await
    }

    /// Forgets who is signed in on the machine that asks for it. It succeeds if nobody is.
    pub async fn leave_device(
        &self,
        machine: MachineId,
        product: ProductId,
        asked: Asked,
    ) -> Result<Result<(), DeviceRefusal>, DbError> {
        self.write(LeaveDevice { machine, product, asked }).await
    }

    /// What somebody has to know of the machine that shows this code; none if it waits for nobody.
    pub async fn shown_sign_in(
        &self,
        user_code: CodeDigest,
        now: Timestamp,
    ) -> Result<Option<ShownSignIn>, DbError> {
        self.read(ShowSignIn { user_code, now }).await
    }

    /// Lets the machine in that shows this code, for this person, or turns it away. Returns whether it waited for somebody.
    pub async fn decide_sign_in(
        &self,
        user_code: CodeDigest,
        person: PersonId,
        approved: bool,
        by: By,
    ) -> Result<bool, DbError> {
        self.write(DecideSignIn { user_code, person, approved, by }).await
    }

    /// The devices of a person, the one that asked last first.
    pub async fn devices(&self, person: PersonId) -> Result<Vec<ListedDevice>, DbError> {
        self.read(ListDevices(person)).await
    }

    /// Signs a person out of one of their devices. Returns whether it was theirs.
    pub async fn sign_out_device(&self, person: PersonId, device: DeviceId, by: By) -> Result<bool, DbError> {
        self.write(SignOutDevice { person, device, by }).await
    }
}

struct SetServiceProduct {
    service: ServiceName,
    product: ProductId,
    features: Features,
    by: By,
}

#[async_trait]
impl Work for SetServiceProduct {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        let features = lines(self.features.iter());
        let (service, product) = (self.service.as_str(), self.product.as_bytes());
        sql.run(
            "INSERT INTO service_products (service, product, features) VALUES ($1, $2, $3) \
             ON CONFLICT (service) DO UPDATE SET product = excluded.product, features = excluded.features",
            &[service.into(), product.into(), features.as_str().into()],
        )
        .await?;
        note(sql, &self.by, "set product of service", &format!("{service} ({})", self.product)).await
    }
}

#[async_trait]
impl Work for BeginSignIn {
    type Done = Result<(), DeviceRefusal>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let too_old = self.now - KEPT_FOR;
        sql.run("DELETE FROM sign_in_codes WHERE made_at < $1", &[too_old.into()]).await?;
        let of_source =
            "SELECT COUNT(*) AS open FROM sign_in_codes WHERE made_at > $1 AND decided = 0 AND source = $2";
        let in_all = "SELECT COUNT(*) AS open FROM sign_in_codes WHERE made_at > $1 AND decided = 0";
        let since = self.now - CODE_FOR;
        let values = [since.into(), self.source.as_str().into()];
        let of_source = open(sql.row(of_source, &values).await?)?;
        if !can_open(of_source, open(sql.row(in_all, &values[..1]).await?)?) {
            return Ok(Err(DeviceRefusal::TooManyCodes(TRY_AGAIN)));
        }
        let code = SignInCode::new(self.now);
        let values = [
            (&self.device_code).into(),
            (&self.user_code).into(),
            self.machine.as_bytes().into(),
            self.product.as_bytes().into(),
            self.nonce.as_bytes().into(),
            self.label.as_str().into(),
            self.source.as_str().into(),
            self.now.into(),
            to_ms(code.interval).into(),
        ];
        sql.run(
            "INSERT INTO sign_in_codes (device_code, user_code, machine, product, nonce, label, source, made_at, interval_ms, \
             decided) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)",
            &values,
        )
        .await?;
        Ok(Ok(()))
    }
}

fn open(row: Option<SqlRow>) -> Result<u64, DbError> {
    row.ok_or_else(|| DbError::damaged("sign_in_codes"))?.count("open")
}

#[async_trait]
impl Work for PollSignIn {
    type Done = Result<SignInAnswer, DeviceRefusal>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let find = "SELECT * FROM sign_in_codes WHERE device_code = $1";
        let found = sql.locked(find, &[(&self.device_code).into()]).await?.pop();
        let code = match found {
            Some(row) if self.ask.has_begun(&row)? => Code::read(&row)?,
            _ => return Ok(Ok(SignInAnswer::Not(Polled::Used, Duration::ZERO))),
        };
        let (polled, kept) = code.code.poll(self.ask.now);
        let answer = match polled {
            Polled::In(person) => {
                let lease = or_refuse!(self.ask.let_in(sql, person, self.device, &code.label).await?);
                SignInAnswer::Lease(lease)
            }
            _ => SignInAnswer::Not(polled, kept.interval),
        };
        let values = [
            (&self.device_code).into(),
            to_ms(kept.interval).into(),
            kept.asked_at.into(),
            decided_number(kept.decided).into(),
        ];
        let keep =
            "UPDATE sign_in_codes SET interval_ms = $2, asked_at = $3, decided = $4 WHERE device_code = $1";
        sql.run(keep, &values).await?;
        Ok(Ok(answer))
    }
}

/// A row of `sign_in_codes`.
struct Code {
    code: SignInCode,
    label: String,
}

impl Code {
    fn read(row: &SqlRow) -> Result<Code, DbError> {
        let decided = match row.count("decided")? {
            0 => Decided::Nothing,
            1 => Decided::Approved(row.bytes("person", PersonId::from_slice)?),
            2 => Decided::Denied,
            3 => Decided::Used,
            _ => return Err(DbError::damaged("decided")),
        };
        let interval = from_ms(row.get("interval_ms")?).ok_or_else(|| DbError::damaged("interval_ms"))?;
        let (made_at, asked_at) = (row.time("made_at")?, row.time_if_any("asked_at")?);
        Ok(Code { code: SignInCode { made_at, interval, asked_at, decided }, label: row.get("label")? })
    }
}

const fn decided_number(decided: Decided) -> u64 {
    match decided {
        Decided::Nothing => 0,
        Decided::Approved(_) => 1,
        Decided::Denied => 2,
        Decided::Used => 3,
    }
}

struct RenewUserLease(DeviceAsk);

#[async_trait]
impl Work for RenewUserLease {
    type Done = Result<Bytes, DeviceRefusal>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let DeviceAsk { machine, product, asked, .. } = &self.0;
        let Some(device) = of_machine(sql, *machine, *product).await? else {
            return Ok(Err(DeviceRefusal::NotSignedIn));
        };
        or_refuse!(asked.check_not_before(last_ask(&device)?));
        let person = device.bytes("person", PersonId::from_slice)?;
        let Some(account) = account(sql, person).await? else { return Ok(Err(DeviceRefusal::NotSignedIn)) };
        let licence = or_refuse!(self.0.licence(sql, person, account).await?);
        self.0.note(sql, device.bytes("id", DeviceId::from_slice)?).await?;
        self.0.lease(person, licence).await
    }
}

struct LeaveDevice {
    machine: MachineId,
    product: ProductId,
    asked: Asked,
}

#[async_trait]
impl Work for LeaveDevice {
    type Done = Result<(), DeviceRefusal>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        if let Some(device) = of_machine(sql, self.machine, self.product).await? {
            or_refuse!(self.asked.check_not_before(last_ask(&device)?));
            let values = [self.machine.as_bytes().into(), self.product.as_bytes().into()];
            sql.run("DELETE FROM devices WHERE machine = $1 AND product = $2", &values).await?;
        }
        Ok(Ok(()))
    }
}

/// What a person has for a product.
struct Licence {
    account: String,
    offer: OfferName,
    organisation: OrganisationId,
    organisation_name: String,
    features: Features,
    devices: u32,
    works_until: Timestamp,
    test: bool,
}

impl DeviceAsk {
    /// Whether this is the ask that has begun to sign in.
    fn has_begun(&self, code: &SqlRow) -> Result<bool, DbError> {
        Ok(code.bytes("machine", MachineId::from_slice)? == self.machine
            && code.bytes("product", ProductId::from_slice)? == self.product
            && code.bytes("nonce", Nonce::from_slice)? == self.asked.nonce())
    }

    /// Makes this machine a device of the person, and licenses it.
    async fn let_in(
        &self,
        sql: &mut dyn Sql,
        person: PersonId,
        new: DeviceId,
        label: &str,
    ) -> Result<Result<Bytes, DeviceRefusal>, DbError> {
        // 1. The person, so that nobody else counts their devices meanwhile.
        sql.lock("SELECT id FROM people WHERE id = $1", &[person.as_bytes().into()]).await?;
        let Some(account) = account(sql, person).await? else { return Ok(Err(DeviceRefusal::NotSignedIn)) };
        let licence = or_refuse!(self.licence(sql, person, account).await?);
        // 2. Their devices, and the one with this machine's key, whoever was signed in there.
        let values = [person.as_bytes().into(), self.product.as_bytes().into()];
        let rows = sql.rows("SELECT * FROM devices WHERE person = $1 AND product = $2", &values).await?;
        let (mut theirs, mut by_hardware) = (Vec::new(), None);
        for row in &rows {
            let device = Device { id: row.bytes("id", DeviceId::from_slice)?, seen_at: row.time("seen_at")? };
            if row.bytes("parts", read_parts)?.compare(&self.parts) == Hardware::Same {
                by_hardware = by_hardware.or(Some(device.id));
            }
            theirs.push(device);
        }
        let by_key = of_machine(sql, self.machine, self.product).await?;
        let by_key = by_key.map(|row| row.bytes("id", DeviceId::from_slice)).transpose()?;
        // 3. The decision.
        let device = match admit(SignInDevice { by_key, by_hardware }, &theirs, licence.devices) {
            DeviceAdmission::Known(id) | DeviceAdmission::Reinstalled(id) => id,
            DeviceAdmission::New => new,
            DeviceAdmission::TooMany(devices) => {
                let account = licence.account;
                return Ok(Err(DeviceRefusal::TooManyDevices { account, devices: devices.len() }));
            }
        };
        // 4. The lease, and the rows that say so. Whoever was signed in on this machine no longer is.
        let lease = or_refuse!(self.lease(person, licence).await?);
        let id = device.as_bytes().into();
        let others = "DELETE FROM devices WHERE machine = $1 AND product = $2 AND id <> $3";
        let machine = self.machine.as_bytes().into();
        let product = self.product.as_bytes().into();
        sql.run(others, &[machine, product, id]).await?;
        let (parts, nonce) = (encoded(&self.parts), self.asked.nonce());
        let values = [
            id,
            person.as_bytes().into(),
            product,
            machine,
            parts.as_slice().into(),
            label.into(),
            self.now.into(),
            nonce.as_bytes().into(),
            self.asked.asked_at().into(),
        ];
        sql.run(
            "INSERT INTO devices (id, person, product, machine, parts, label, signed_in_at, seen_at, nonce, asked_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET machine = excluded.machine, \
             parts = excluded.parts, label = excluded.label, signed_in_at = excluded.signed_in_at, seen_at = excluded.seen_at, \
             nonce = excluded.nonce, asked_at = excluded.asked_at",
            &values,
        )
        .await?;
        Ok(Ok(lease))
    }

    /// What the person has for the product: of several, what works longest.
    async fn licence(
        &self,
        sql: &mut dyn Sql,
        person: PersonId,
        account: String,
    ) -> Result<Result<Licence, DeviceRefusal>, DbError> {
        let values = [person.as_bytes().into(), self.product.as_bytes().into()];
        let rows = sql
            .rows(
                "SELECT s.offer, s.off, s.organisation, v.name AS service, p.features, o.devices, g.name, t.test \
                 FROM seats s JOIN services v ON v.offer = s.offer JOIN service_products p ON p.service = v.name \
                 JOIN offers o ON o.name = s.offer JOIN organisations g ON g.id = s.organisation \
                 JOIN products t ON t.id = p.product WHERE s.person = $1 AND p.product = $2 ORDER BY s.offer",
                &values,
            )
            .await?;
        let mut best: Option<Licence> = None;
        for row in &rows {
            let off = row.text("off", |text| set(text, service_name))?;
            if off.contains(&row.text("service", service_name)?) {
                continue;
            }
            let (offer, organisation) =
                (offer_in(row)?, row.bytes("organisation", OrganisationId::from_slice)?);
            let sold = subscriptions::of(sql, organisation).await?;
            let sold = sold.iter().filter(|sold| sold.offer == offer);
            let works_until = sold.filter_map(|sold| sold.life.works_until(self.now)).max();
            let stops_at = self.stops_at(sql, person, &offer, organisation).await?;
            let works_until = works_until.map(|until| stops_at.map_or(until, |stops_at| until.min(stops_at)));
            let Some(works_until) = works_until.filter(|until| self.now < *until) else { continue };
            let mut features = catalogue::features(row)?;
            let devices = u32::try_from(row.count("devices")?).unwrap_or(u32::MAX);
            match &mut best {
                Some(best) if works_until <= best.works_until => {
                    best.features = union(&best.features, &features);
                    best.devices = best.devices.max(devices);
                }
                _ => {
                    let before = best.take();
                    if let Some(before) = &before {
                        features = union(&before.features, &features);
                    }
                    best = Some(Licence {
                        account: account.clone(),
                        offer,
                        organisation,
                        organisation_name: row.get("name")?,
                        features,
                        devices: devices.max(before.map_or(0, |before| before.devices)),
                        works_until,
                        test: row.count("test")? != 0,
                    });
                }
            }
        }
        Ok(best.ok_or(DeviceRefusal::NotLicensed { account }))
    }

    /// When the person's seat stops working because more are taken than bought: after 90 days the newest do.
    async fn stops_at(
        &self,
        sql: &mut dyn Sql,
        person: PersonId,
        offer: &OfferName,
        organisation: OrganisationId,
    ) -> Result<Option<Timestamp>, DbError> {
        let standings = ShowStanding { organisation, now: self.now }.pools(sql).await?;
        let Some(over) = standings.get(offer).and_then(|standing| standing.over) else { return Ok(None) };
        let values = [organisation.as_bytes().into(), offer.as_str().into(), over.over.into()];
        // In the order of `TooMany::stopped`, which takes no more of them.
        let latest = "SELECT person, since FROM seats WHERE organisation = $1 AND offer = $2 \
                      ORDER BY since DESC, person DESC LIMIT $3";
        let mut assigned = Vec::new();
        for row in sql.rows(latest, &values).await? {
            assigned.push((row.time("since")?, row.bytes("person", PersonId::from_slice)?));
        }
        let stopped = over.stopped(&assigned, over.all_work_until);
        Ok(stopped.contains(&person).then_some(over.all_work_until))
    }

    /// Notes that this device has asked.
    async fn note(&self, sql: &mut dyn Sql, device: DeviceId) -> Result<(), DbError> {
        let (parts, nonce) = (encoded(&self.parts), self.asked.nonce());
        let values = [
            device.as_bytes().into(),
            parts.as_slice().into(),
            self.now.into(),
            nonce.as_bytes().into(),
            self.asked.asked_at().into(),
        ];
        let keep = "UPDATE devices SET parts = $2, seen_at = $3, nonce = $4, asked_at = $5 WHERE id = $1";
        sql.run(keep, &values).await.map(drop)
    }

    /// Signs the lease.
    async fn lease(
        &self,
        person: PersonId,
        licence: Licence,
    ) -> Result<Result<Bytes, DeviceRefusal>, DbError> {
        let LeaseTerm { renew_after, not_after } = LeaseTerm::new(self.now, licence.works_until);
        let lease = UserLease {
            machine: self.machine,
            product: self.product,
            person: person_of_product(person, self.product),
            account: licence.account,
            organisation: licence.organisation,
            organisation_name: licence.organisation_name,
            offer: licence.offer.to_string(),
            features: licence.features,
            issued_at: self.now,
            renew_after,
            not_after,
            nonce: self.asked.nonce(),
            fingerprint: self.fingerprint,
            parts: self.parts,
            test: licence.test,
        };
        Ok(self.issuer.lease(&lease).await.map_err(DeviceRefusal::from))
    }
}

/// Features of several offers may be too many for a lease; then those of the one that works longest count.
fn union(best: &Features, more: &Features) -> Features {
    Features::new(best.iter().chain(more.iter())).unwrap_or_else(|_| best.clone())
}

/// The id by which a product knows a person: two products cannot tell that they have the same user.
fn person_of_product(person: PersonId, product: ProductId) -> ProductPersonId {
    let digest = Sha256::new().chain_update(b"kms v1 person").chain_update(person.as_bytes());
    let digest = digest.chain_update(product.as_bytes()).finalize();
    ProductPersonId::from_slice(&digest[..16]).expect("16 bytes were just taken")
}

/// The address of a person who can sign in.
async fn account(sql: &mut dyn Sql, person: PersonId) -> Result<Option<String>, DbError> {
    let find = "SELECT address FROM people WHERE id = $1 AND blocked_at IS NULL AND deleted_at IS NULL";
    let found = sql.row(find, &[person.as_bytes().into()]).await?;
    found.map(|row| row.get("address")).transpose()
}

/// The device with this machine's key, which nobody else changes meanwhile.
async fn of_machine(
    sql: &mut dyn Sql,
    machine: MachineId,
    product: ProductId,
) -> Result<Option<SqlRow>, DbError> {
    let find = "SELECT * FROM devices WHERE machine = $1 AND product = $2";
    Ok(sql.locked(find, &[machine.as_bytes().into(), product.as_bytes().into()]).await?.pop())
}

fn last_ask(device: &SqlRow) -> Result<Asked, DbError> {
    Ok(Asked::kept(device.bytes("nonce", Nonce::from_slice)?, device.time("asked_at")?))
}

fn encoded(parts: &HardwareParts) -> Vec<u8> {
    parts.encode().unwrap_or_default().encode_to_vec()
}

fn read_parts(bytes: &[u8]) -> Option<HardwareParts> {
    HardwareParts::decode(Some(&v1::Parts::decode(bytes).ok()?))
}

struct ShowSignIn {
    user_code: CodeDigest,
    now: Timestamp,
}

#[async_trait]
impl Work for ShowSignIn {
    type Done = Option<ShownSignIn>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let find = "SELECT c.*, p.name FROM sign_in_codes c LEFT JOIN products p ON p.id = c.product WHERE user_code = $1";
        let Some(row) = sql.row(find, &[(&self.user_code).into()]).await? else { return Ok(None) };
        let Code { code, label } = Code::read(&row)?;
        let shown = || -> Result<ShownSignIn, DbError> {
            Ok(ShownSignIn {
                product: row.get("name")?,
                label,
                source: row.get("source")?,
                made_at: code.made_at,
            })
        };
        code.is_open(self.now).then(shown).transpose()
    }
}

struct DecideSignIn {
    user_code: CodeDigest,
    person: PersonId,
    approved: bool,
    by: By,
}

#[async_trait]
impl Work for DecideSignIn {
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        let find = "SELECT * FROM sign_in_codes WHERE user_code = $1";
        let Some(row) = sql.locked(find, &[(&self.user_code).into()]).await?.pop() else { return Ok(false) };
        if !Code::read(&row)?.code.is_open(self.by.at) || account(sql, self.person).await?.is_none() {
            return Ok(false);
        }
        let decided = if self.approved { Decided::Approved(self.person) } else { Decided::Denied };
        let values =
            [(&self.user_code).into(), decided_number(decided).into(), self.person.as_bytes().into()];
        sql.run("UPDATE sign_in_codes SET decided = $2, person = $3 WHERE user_code = $1", &values).await?;
        let machine = row.bytes("machine", MachineId::from_slice)?;
        let what = if self.approved { "let device in" } else { "turn device away" };
        note(sql, &self.by, what, &format!("machine {machine} for {}", self.person)).await?;
        Ok(true)
    }
}

struct ListDevices(PersonId);

#[async_trait]
impl Work for ListDevices {
    type Done = Vec<ListedDevice>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let list = "SELECT d.*, p.name FROM devices d JOIN products p ON p.id = d.product WHERE d.person = $1 \
                    ORDER BY d.seen_at DESC, d.id";
        let listed = |row: &SqlRow| {
            Ok(ListedDevice {
                id: row.bytes("id", DeviceId::from_slice)?,
                product: row.get("name")?,
                label: row.get("label")?,
                signed_in_at: row.time("signed_in_at")?,
                seen_at: row.time("seen_at")?,
            })
        };
        sql.rows(list, &[self.0.as_bytes().into()]).await?.iter().map(listed).collect()
    }
}

struct SignOutDevice {
    person: PersonId,
    device: DeviceId,
    by: By,
}

#[async_trait]
impl Work for SignOutDevice {
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        let values = [self.device.as_bytes().into(), self.person.as_bytes().into()];
        if sql.run("DELETE FROM devices WHERE id = $1 AND person = $2", &values).await? == 0 {
            return Ok(false);
        }
        note(sql, &self.by, "sign out device", &format!("{} of {}", self.device, self.person)).await?;
        Ok(true)
    }
}
