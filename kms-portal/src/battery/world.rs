//! A portal's database, a vendor, some keys and a clock: the words of every story.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kms_portal_rules::keys::granted::{Granted, Quota};
use kms_portal_rules::keys::machines::{CodePlacement, Holder, Placement};
use kms_portal_rules::keys::{Asked, KeyRefusal};
use prost::Message as _;
use proto::vendor::v1::SignedConfirmation;
use shared::certificate::{Chain, IssuingCertificate, Roots};
use shared::codes::{CodeCertificate, CodeKey, Confirmed, InstallationId, MachineDigest};
use shared::confirmation::Confirmation;
use shared::envelope::{Kind, SecretKey};
use shared::features::Features;
use shared::ids::{CertificateId, Fingerprint, Nonce, OrganisationId, ProductId};
use shared::parts::HardwareParts;
use shared::policy::Policy;
use shared::product_key::{KeyKind, ProductKey, ProductTag};
use shared::time::{Clock, Timestamp};
use zeroize::Zeroizing;

use crate::api::PortalCore;
use crate::db::{
    ActivateHost, ActivateMachine, By, CertifiedHost, CodeMachine, ConfirmMachine, ConfirmedMachine, Db,
    HostAsk, IssuedKey, KeyUnchanged, NewKey, Organisation, Product, Raise, ReleaseMachine, RenewHost,
};
use crate::issue::{CodeSigner, Issuer, KeyMac, Pepper, Unconfirmed};

pub const HOUR: Duration = Duration::from_hours(1);
pub const DAY: Duration = Duration::from_hours(24);
pub const YEAR: Duration = Duration::from_hours(365 * 24);
pub const MS: Duration = Duration::from_millis(1);

pub const PRODUCT: ProductId = ProductId::from_bytes([1; 16]);
pub const OTHER_PRODUCT: ProductId = ProductId::from_bytes([2; 16]);
pub const TEST_PRODUCT: ProductId = ProductId::from_bytes([3; 16]);
pub const ORGANISATION: OrganisationId = OrganisationId::from_bytes([7; 16]);

pub const START: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

/// A database with nothing in it, and what has to live as long as it.
pub struct Opened {
    pub db: Db,
    pub keeps: Box<dyn Any + Send + Sync>,
}

pub struct World {
    pub db: Db,
    pub now: Timestamp,
    pub roots: Roots,
    pub issuer: Arc<Issuer>,
    pub code_signer: Arc<CodeSigner>,
    /// What products carry of it.
    code_key: CodeKey,
    pepper: Pepper,
    drawn: AtomicU64,
    _keeps: Box<dyn Any + Send + Sync>,
}

/// A machine as the portal meets it.
#[derive(Clone)]
pub struct Machine {
    pub identity: SecretKey,
    pub product: ProductId,
    pub asked: Asked,
    pub fingerprint: Fingerprint,
    pub parts: HardwareParts,
}

/// A host as the portal meets it.
#[derive(Clone)]
pub struct Host {
    pub identity: SecretKey,
    pub asked: Asked,
    pub hour_width: Duration,
}

impl World {
    /// A vendor with three products, one organisation and an issuing key for two years.
    pub async fn new(opened: Opened) -> World {
        let root = SecretKey::from_seed(&[1; 32]);
        let roots = Roots::new([&root.public().as_bytes()[..]]).unwrap();
        let issuing = SecretKey::from_seed(&[2; 32]);
        let certificate = IssuingCertificate {
            id: CertificateId::from_bytes([8; 16]),
            public_key: issuing.public(),
            not_before: START - DAY,
            not_after: START + 3 * YEAR,
            products: Vec::new(),
            test: false,
        };
        let signed = root.sign(Kind::IssuingCertificate, &certificate.encode());
        let code = SecretKey::from_seed(&[3; 32]);
        let code_certificate = CodeCertificate {
            limits: IssuingCertificate {
                public_key: code.public(),
                not_after: START + 10 * YEAR,
                ..certificate.clone()
            },
            feature_sets: vec![Features::new(["export"]).unwrap()],
        };
        let carried = root.sign(Kind::CodeCertificate, &code_certificate.encode()).encode_to_vec();
        let world = World {
            code_signer: Arc::new(CodeSigner::new(code, vec![code_certificate])),
            code_key: CodeKey::verify(&carried, &roots, PRODUCT, false).unwrap(),
            db: opened.db,
            now: START,
            issuer: Arc::new(Issuer::new(issuing, signed, &roots).unwrap()),
            roots,
            pepper: Pepper::new(Zeroizing::new([9; 32])),
            drawn: AtomicU64::new(0),
            _keeps: opened.keeps,
        };
        for (id, name, test) in
            [(PRODUCT, "Atlas", false), (OTHER_PRODUCT, "Borealis", false), (TEST_PRODUCT, "Corona", true)]
        {
            let features = Features::new(["export"]).unwrap();
            let product = Product { id, name: name.into(), test, policy: Policy::CLIENT, features };
            world.db.set_product(product, world.by("new")).await.unwrap().unwrap();
        }
        let organisation = Organisation { id: ORGANISATION, name: "Example Works".into() };
        world.db.set_organisation(organisation, world.by("new")).await.unwrap().unwrap();
        world
    }

    /// The portal over this database.
    pub fn portal(&self, clock: Arc<dyn Clock>) -> PortalCore {
        let issuing = SecretKey::from_seed(&[2; 32]);
        let certificate = self.issuer.certificate().encode();
        let signed = SecretKey::from_seed(&[1; 32]).sign(Kind::IssuingCertificate, &certificate);
        let issuer = Issuer::new(issuing, signed, &self.roots).unwrap();
        PortalCore::new(self.db.clone(), self.pepper.clone(), self.roots.clone(), issuer, None, clock)
    }

    /// 16 bytes that no other story part has.
    pub fn draw(&self) -> [u8; 16] {
        let mut drawn = [0xd0; 16];
        drawn[8..].copy_from_slice(&self.drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        drawn
    }

    pub fn by(&self, why: &str) -> By {
        By { who: "ann".into(), at: self.now, why: why.into() }
    }

    pub fn draw_key(&self, kind: KeyKind, product: ProductId) -> ProductKey {
        ProductKey::new(kind, ProductTag::of(product), self.draw()[6..].try_into().unwrap())
    }

    /// What the database knows of a key.
    pub fn mac(&self, key: &ProductKey) -> KeyMac {
        self.pepper.mac(key)
    }

    /// What is issued of a key; change what a story is about.
    pub fn new_key(&self, key: &ProductKey, product: ProductId, granted: Granted) -> NewKey {
        NewKey {
            mac: self.mac(key),
            number: key.number(),
            last_group: key.last_group(),
            kind: key.kind(),
            product,
            organisation: ORGANISATION,
            features: None,
            seats: None,
            ends_at: None,
            note: String::new(),
            granted,
        }
    }

    pub async fn issue(&self, key: NewKey) -> Result<(), KeyUnchanged> {
        self.db.issue_keys(vec![key], None, String::new(), self.by("order 1")).await.unwrap()
    }

    /// A key for so many machines.
    pub async fn machine_key(&self, machines: u64) -> ProductKey {
        let key = self.draw_key(KeyKind::MultipleActivation, PRODUCT);
        self.issue(self.new_key(&key, PRODUCT, Granted::machines(machines))).await.unwrap();
        key
    }

    /// A host key as it is sold.
    pub async fn host_key(&self, product: ProductId) -> ProductKey {
        let key = self.draw_key(KeyKind::Host, product);
        self.issue(self.new_key(&key, product, Granted::HOST)).await.unwrap();
        key
    }

    pub async fn key(&self, key: &ProductKey) -> IssuedKey {
        self.db.key(key.number(), self.now).await.unwrap().unwrap()
    }

    /// How many places of the key are taken.
    pub async fn used(&self, key: &ProductKey) -> u64 {
        let taken = self.key(key).await.taken.machines;
        let places = self.db.places(key.number(), None, 100_000).await.unwrap();
        let listed = places.iter().filter(|place| place.freed_at.is_none()).count();
        assert_eq!(taken, listed as u64, "what is shown is what is listed");
        assert!(self.db.miscounted().await.unwrap().is_empty());
        taken
    }

    pub async fn raise(&self, key: &ProductKey, quota: Quota, more: i64) -> Result<Granted, KeyUnchanged> {
        let raise = Raise { quota, more, by: self.by("bought more") };
        self.db.raise_key(key.number(), raise).await.unwrap()
    }

    /// A machine with hardware of its own.
    pub fn machine(&self) -> Machine {
        let drawn = self.draw();
        let text = format!("{:032x}", u128::from_be_bytes(drawn));
        Machine {
            identity: secret(drawn),
            product: PRODUCT,
            asked: self.asked(),
            fingerprint: Fingerprint::of_machine(PRODUCT, text.as_bytes()),
            parts: HardwareParts::of_machine(
                PRODUCT,
                &format!("b{text}"),
                &format!("d{text}"),
                &format!("f{text}"),
            ),
        }
    }

    pub fn host(&self) -> Host {
        let drawn = self.draw();
        Host { identity: secret(drawn), asked: self.asked(), hour_width: HOUR }
    }

    /// A new ask, later than those before.
    pub fn asked(&self) -> Asked {
        let drawn = self.draw();
        let later = u64::from_be_bytes(drawn[8..].try_into().unwrap());
        Asked::kept(Nonce::from_bytes(drawn), START + Duration::from_millis(later))
    }

    pub fn activation(&self, key: &ProductKey, machine: &Machine) -> ActivateMachine {
        ActivateMachine {
            key: self.mac(key),
            product: machine.product,
            asker: machine.holder(),
            digest: machine.digest(),
            asked: machine.asked,
            place: CertificateId::from_bytes(self.draw()),
            now: self.now,
            issuer: self.issuer.clone(),
        }
    }

    /// The machine asks; what it gets.
    pub async fn confirm(&self, key: &ProductKey, machine: &Machine) -> Result<ConfirmedMachine, KeyRefusal> {
        self.db.activate_machine(self.activation(key, machine)).await.unwrap()
    }

    /// The machine asks; what it is told.
    pub async fn ask(&self, key: &ProductKey, machine: &Machine) -> String {
        told(&self.confirm(key, machine).await)
    }

    /// The machine makes a new ask.
    pub async fn ask_anew(&self, key: &ProductKey, machine: &mut Machine) -> String {
        machine.asked = self.asked();
        self.ask(key, machine).await
    }

    /// The code that the machine shows.
    pub fn read_aloud(key: &ProductKey, machine: &Machine) -> InstallationId {
        InstallationId::of_machine(&machine.identity.public(), machine.product, key.number(), &machine.parts)
    }

    pub fn phoned(&self, id: InstallationId) -> ConfirmMachine {
        ConfirmMachine {
            id,
            ends_at: None,
            place: CertificateId::from_bytes(self.draw()),
            signer: self.code_signer.clone(),
            by: self.by("ticket 9"),
            dry_run: false,
        }
    }

    /// What the machine makes of what is read back to it.
    pub fn typed(&self, id: &InstallationId, done: &CodeMachine) -> Confirmed {
        done.signed.confirmation.confirm(id, std::slice::from_ref(&self.code_key)).unwrap()
    }

    /// Somebody calls for the machine; what the operator sees.
    pub async fn call(&self, key: &ProductKey, machine: &Machine) -> String {
        let id = World::read_aloud(key, machine);
        let done = self.db.confirm_machine(self.phoned(id)).await.unwrap();
        if let Ok(done) = &done {
            self.typed(&id, done);
        }
        told_caller(&done)
    }

    pub async fn leave(&self, key: &ProductKey, machine: &Machine) -> String {
        let ask = ReleaseMachine {
            key: key.number(),
            product: machine.product,
            machine: machine.identity.public().machine(),
            asked: machine.asked,
            now: self.now,
        };
        match self.db.release_machine(ask).await.unwrap() {
            Ok(done) if done.place.is_some() => format!("left, {} of {}", done.released, done.releases),
            Ok(_) => "left before".into(),
            Err(refused) => refused.to_string(),
        }
    }

    /// The machine leaves by a new ask.
    pub async fn leave_anew(&self, key: &ProductKey, machine: &mut Machine) -> String {
        machine.asked = self.asked();
        self.leave(key, machine).await
    }

    pub fn host_ask(&self, host: &Host) -> HostAsk {
        HostAsk {
            signing_key: host.identity.public(),
            asked: host.asked,
            certificate: CertificateId::from_bytes(self.draw()),
            now: self.now,
            hour_width: host.hour_width,
            issuer: self.issuer.clone(),
        }
    }

    pub async fn activate(&self, key: &ProductKey, host: &Host) -> Result<CertifiedHost, KeyRefusal> {
        let ask = ActivateHost { key: self.mac(key), ask: self.host_ask(host) };
        self.db.activate_host(ask).await.unwrap()
    }

    pub async fn renew(&self, host: &Host) -> Result<CertifiedHost, KeyRefusal> {
        let ask = RenewHost { product: PRODUCT, ask: self.host_ask(host) };
        self.db.renew_host(ask).await.unwrap()
    }

    /// What a machine reads in this confirmation.
    pub fn opened(&self, confirmation: &Bytes) -> Confirmation {
        let wire = SignedConfirmation::decode(confirmation.clone()).unwrap();
        Confirmation::open(&wire, &self.roots).unwrap()
    }

    /// What a machine reads in this chain.
    pub fn chain(&self, certified: &CertifiedHost) -> Chain {
        let chain = Chain::verify(&certified.chain, &self.roots).unwrap();
        assert_eq!(chain.check_valid_at(self.now), Ok(()));
        chain
    }
}

impl Machine {
    pub fn digest(&self) -> MachineDigest {
        InstallationId::digest(&self.identity.public(), self.product, &self.parts)
    }

    pub fn holder(&self) -> Holder {
        Holder { machine: self.identity.public().machine(), fingerprint: self.fingerprint, parts: self.parts }
    }
}

fn secret(drawn: [u8; 16]) -> SecretKey {
    let mut seed = [0; 32];
    seed[..16].copy_from_slice(&drawn);
    SecretKey::from_seed(&seed)
}

/// What a machine is told, in a line.
pub fn told(answer: &Result<ConfirmedMachine, KeyRefusal>) -> String {
    match answer {
        Ok(ConfirmedMachine { placement, used, granted, .. }) => {
            let how = match placement {
                Placement::Again(_) => "again",
                Placement::Own(_) => "own",
                Placement::Moved(_) => "moved",
                Placement::Imaged { .. } => "imaged",
                Placement::ByCode(_) => "by code before",
                Placement::New => "new",
            };
            format!("{how}, {used} of {granted}")
        }
        Err(refused) => refused.to_string(),
    }
}

/// What the operator of a call sees, in a line.
pub fn told_caller(answer: &Result<CodeMachine, Unconfirmed>) -> String {
    match answer {
        Ok(CodeMachine { key, placement, .. }) => {
            let (how, more) = match placement {
                CodePlacement::Known(_) => ("known", 0),
                CodePlacement::New => ("new", 1),
            };
            format!("{how}, {} of {}", key.taken.machines + more, key.granted.machines)
        }
        Err(refused) => refused.to_string(),
    }
}

/// What a host is told, in a line.
pub fn told_host(answer: &Result<CertifiedHost, KeyRefusal>) -> String {
    match answer {
        Ok(CertifiedHost { activated, hosts, activations, again, .. }) => {
            let again = if *again { ", again" } else { "" };
            let (host, activation) = (activated.host, activated.activations);
            format!("host {host} of {hosts}, activation {activation} of {activations}{again}")
        }
        Err(refused) => refused.to_string(),
    }
}
