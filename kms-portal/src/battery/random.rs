//! Random histories of one key beside a model that looks at every machine.
//!
//! The model is written from what the documentation promises, and knows neither rows nor rules. [`Subject::Rules`] runs the rules alone
//! over rows in memory, [`Subject::Db`] a database.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kms_portal_rules::keys::granted::{Granted, Quota};
use kms_portal_rules::keys::machines::{
    CodePlacement, Holder, Place, Placement, Taken, place, place_by_code,
};
use kms_portal_rules::keys::releases::{Leaver, Releases, release};
use kms_portal_rules::keys::{Asked, Validity};
use proptest::collection::vec;
use proptest::prelude::*;
use shared::codes::MachineDigest;
use shared::envelope::SecretKey;
use shared::ids::{CertificateId, Fingerprint, MachineId, Nonce};
use shared::parts::HardwareParts;
use shared::product_key::ProductKey;
use shared::time::Timestamp;

use super::world::{Machine, PRODUCT, START, World, YEAR};

const MACHINES: usize = 10;
const HARDWARE: usize = 10;
const GRANTED: u64 = 4;

#[derive(Clone, Debug)]
pub enum Step {
    /// A machine asks from this hardware, or somebody repeats one of its asks. Hardware 0 says nothing of itself.
    Ask { machine: usize, hardware: usize, which: Which },
    /// A machine leaves, or somebody repeats one of its asks as that.
    Leave { machine: usize, which: Which },
    /// Somebody reads the code of a machine to staff.
    Call { machine: usize, hardware: usize },
    /// Staff grants more or less.
    Raise(i64),
    /// Time passes.
    Wait(Duration),
}

#[derive(Clone, Copy, Debug)]
pub enum Which {
    New,
    Last,
    /// Some earlier one.
    Recorded(usize),
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        7 => Just(Which::New),
        2 => Just(Which::Last),
        1 => (0..100_usize).prop_map(Which::Recorded),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let asks = (0..MACHINES, 0..HARDWARE, which()).prop_map(|(machine, hardware, which)| Step::Ask {
        machine,
        hardware,
        which,
    });
    // Most machines stay where they are.
    let stays =
        (0..MACHINES, which()).prop_map(|(machine, which)| Step::Ask { machine, hardware: machine, which });
    let calls = (0..MACHINES, 0..HARDWARE).prop_map(|(machine, hardware)| Step::Call { machine, hardware });
    // Most call from where they ask.
    let calls_at_home = (0..MACHINES).prop_map(|machine| Step::Call { machine, hardware: machine });
    let leaves = (0..MACHINES, which()).prop_map(|(machine, which)| Step::Leave { machine, which });
    prop_oneof![
        6 => stays,
        4 => asks,
        3 => leaves,
        1 => calls,
        3 => calls_at_home,
        1 => (-3..4_i64).prop_map(Step::Raise),
        2 => (1..10_000_000_000_u64).prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
    ]
}

/// What may happen, one after the other.
pub fn steps(at_most: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..at_most)
}

/// Who decides.
pub enum Subject {
    Rules(Books),
    Db(Box<World>, ProductKey),
}

impl Subject {
    /// The rules alone.
    pub fn rules() -> Subject {
        Subject::Rules(Books { granted: Granted::machines(GRANTED), ..Books::default() })
    }

    /// A database.
    pub async fn db(world: World) -> Subject {
        let key = world.machine_key(GRANTED).await;
        Subject::Db(Box::new(world), key)
    }

    async fn ask(&mut self, machine: &Machine, now: Timestamp) -> String {
        match self {
            Subject::Rules(books) => books.ask(machine, now),
            Subject::Db(world, key) => {
                world.now = now;
                world.ask(key, machine).await
            }
        }
    }

    async fn call(&mut self, machine: &Machine, now: Timestamp) -> String {
        match self {
            Subject::Rules(books) => books.call(machine.digest(), now),
            Subject::Db(world, key) => {
                world.now = now;
                world.call(key, machine).await
            }
        }
    }

    async fn leave(&mut self, machine: &Machine, now: Timestamp) -> String {
        match self {
            Subject::Rules(books) => books.leave(&machine.holder(), machine.asked, now),
            Subject::Db(world, key) => {
                world.now = now;
                world.leave(key, machine).await
            }
        }
    }

    async fn raise(&mut self, more: i64, now: Timestamp) -> bool {
        match self {
            Subject::Rules(books) => {
                let raised = books.granted.raised(Quota::Machines, more);
                books.granted = raised.unwrap_or(books.granted);
                raised.is_ok()
            }
            Subject::Db(world, key) => {
                world.now = now;
                world.raise(key, Quota::Machines, more).await.is_ok()
            }
        }
    }

    async fn used(&self) -> u64 {
        match self {
            Subject::Rules(books) => books.places.len() as u64,
            Subject::Db(world, key) => world.used(key).await,
        }
    }
}

/// Runs it beside the model, and compares after every step.
pub async fn run(mut subject: Subject, steps: Vec<Step>) {
    let mut naive = Naive { granted: GRANTED, ..Naive::default() };
    let mut now = START;
    let mut asks: Vec<Vec<Asked>> = vec![Vec::new(); MACHINES];
    for step in steps {
        now = now + Duration::from_millis(1);
        let mut ask = |number: usize, which| {
            let made = &mut asks[number];
            match which {
                Which::Recorded(back) if !made.is_empty() => made[back % made.len()],
                Which::Last if !made.is_empty() => made[made.len() - 1],
                _ => {
                    let drawn = (number as u128) << 64 | u128::try_from(now.unix_ms()).unwrap();
                    made.push(Asked::kept(Nonce::from_bytes(drawn.to_be_bytes()), now));
                    made[made.len() - 1]
                }
            }
        };
        match step {
            Step::Ask { machine: number, hardware, which } => {
                let machine = machine(number, hardware, ask(number, which));
                let told = subject.ask(&machine, now).await;
                assert_eq!(told, naive.ask(number, hardware, machine.asked, now), "{step:?}");
            }
            Step::Leave { machine: number, which } => {
                let machine = machine(number, 0, ask(number, which));
                let told = subject.leave(&machine, now).await;
                assert_eq!(told, naive.leave(number, machine.asked, now), "{step:?}");
            }
            Step::Call { machine: number, hardware } => {
                let machine = machine(number, hardware, ask(number, Which::Last));
                let told = subject.call(&machine, now).await;
                assert_eq!(told, naive.call(number, hardware), "{step:?}");
            }
            Step::Raise(more) => assert_eq!(subject.raise(more, now).await, naive.raise(more), "{step:?}"),
            Step::Wait(time) => now = now + time,
        }
        assert_eq!(subject.used().await, naive.places.len() as u64, "{step:?}");
    }
}

fn machine(number: usize, hardware: usize, asked: Asked) -> Machine {
    let seed = [u8::try_from(number).unwrap() + 1; 32];
    Machine {
        identity: SecretKey::from_seed(&seed),
        product: PRODUCT,
        asked,
        fingerprint: Fingerprint::NONE,
        parts: parts(hardware),
    }
}

fn parts(hardware: usize) -> HardwareParts {
    if hardware == 0 {
        return HardwareParts::NONE;
    }
    let part = |kind: &str| format!("{kind}-{hardware}-{hardware}");
    HardwareParts::of_machine(PRODUCT, &part("BOARD"), &part("DISK"), &part("FIRMWARE"))
}

/// Rows in memory, on which the rules decide.
#[derive(Default)]
pub struct Books {
    granted: Granted,
    places: Vec<BookedPlace>,
    releases: Vec<Timestamp>,
    last: BTreeMap<MachineId, Asked>,
    left: BTreeSet<MachineId>,
    ids: u128,
}

struct BookedPlace {
    id: CertificateId,
    since: Timestamp,
    digest: MachineDigest,
    /// Who has it, if it has asked itself.
    holder: Option<Holder>,
}

impl BookedPlace {
    fn online(&self) -> Option<Place> {
        Some(Place { id: self.id, since: self.since, holder: self.holder? })
    }
}

impl Books {
    fn ask(&mut self, machine: &Machine, now: Timestamp) -> String {
        let (asker, asked) = (machine.holder(), machine.asked);
        let online = self.places.iter().filter_map(BookedPlace::online);
        let (own, similar): (Vec<_>, Vec<_>) =
            online.partition(|place| place.holder.machine == asker.machine);
        let by_code =
            self.places.iter().find(|place| place.holder.is_none() && place.digest == machine.digest());
        let by_code = by_code.map(|place| place.id);
        let used = self.places.len() as u64;
        let last = self.last.get(&asker.machine).copied();
        let releases = self.releases(now);
        let taken =
            Taken { last, own: own.first(), by_code, similar: &similar, used, releases, revoked_at: None };
        let placement = match place(&asker, asked, Validity::default(), &self.granted, &taken, now) {
            Ok(placement) => placement,
            Err(refused) => return refused.to_string(),
        };
        if let Some(superfluous) = placement.superfluous(by_code) {
            self.places.retain(|place| place.id != superfluous);
        }
        let how = match placement {
            Placement::Again(_) => "again",
            Placement::Own(id) => self.hold(id, machine, "own"),
            Placement::Moved(id) => {
                self.releases.push(now);
                self.hold(id, machine, "moved")
            }
            Placement::Imaged { place, .. } => self.hold(place, machine, "imaged"),
            Placement::ByCode(id) => self.hold(id, machine, "by code before"),
            Placement::New => {
                self.add(machine.digest(), Some(asker), now);
                "new"
            }
        };
        self.last.insert(asker.machine, asked);
        format!("{how}, {} of {}", self.places.len(), self.granted.machines)
    }

    fn call(&mut self, digest: MachineDigest, now: Timestamp) -> String {
        let own = self.places.iter().find(|place| place.digest == digest).map(|place| place.id);
        let used = self.places.len() as u64;
        let how = match place_by_code(own, None, Validity::default(), &self.granted, used, now) {
            Ok(CodePlacement::Known(_)) => "known",
            Ok(CodePlacement::New) => {
                self.add(digest, None, now);
                "new"
            }
            Err(refused) => return refused.to_string(),
        };
        format!("{how}, {} of {}", self.places.len(), self.granted.machines)
    }

    fn add(&mut self, digest: MachineDigest, holder: Option<Holder>, since: Timestamp) {
        self.ids += 1;
        let id = CertificateId::from_bytes(self.ids.to_be_bytes());
        self.places.push(BookedPlace { id, since, digest, holder });
    }

    fn hold(&mut self, id: CertificateId, machine: &Machine, how: &'static str) -> &'static str {
        for place in self.places.iter_mut().filter(|place| place.id == id) {
            place.holder = Some(machine.holder());
            place.digest = machine.digest();
        }
        how
    }

    fn leave(&mut self, asker: &Holder, asked: Asked, now: Timestamp) -> String {
        let is_own = |place: &Place| place.holder.machine == asker.machine;
        let own = self.places.iter().filter_map(BookedPlace::online).find(is_own);
        let leaver = Leaver {
            last: self.last.get(&asker.machine).copied(),
            own: own.map(|place| place.id),
            left: self.left.contains(&asker.machine),
        };
        let releases = self.releases(now);
        let place = match release(asked, leaver, &self.granted, releases) {
            Ok(place) => place,
            Err(refused) => return refused.to_string(),
        };
        self.last.insert(asker.machine, asked);
        let Some(id) = place else { return "left before".into() };
        self.places.retain(|place| place.id != id);
        self.releases.push(now);
        self.left.insert(asker.machine);
        format!("left, {} of {}", releases.0 + 1, self.granted.releases)
    }

    fn releases(&self, now: Timestamp) -> Releases {
        Releases(self.releases.iter().filter(|at| now - YEAR < **at).count() as u64)
    }
}

/// One key, as somebody would count who sees every machine.
#[derive(Default)]
struct Naive {
    granted: u64,
    /// The oldest place first.
    places: Vec<NaivePlace>,
    given_back: Vec<Timestamp>,
    last: BTreeMap<usize, Asked>,
    left: BTreeSet<usize>,
}

#[derive(Clone, Copy)]
struct NaivePlace {
    machine: usize,
    hardware: usize,
    /// Whether the machine has shown itself. By a code, nobody sees more of it than that it is the same as before.
    is_online: bool,
}

impl Naive {
    fn ask(&mut self, machine: usize, hardware: usize, asked: Asked, now: Timestamp) -> String {
        let given_back = self.given_back_within_a_year(now);
        let last = self.last.get(&machine);
        let own = self.own(machine);
        let same = |place: &NaivePlace| place.is_online && place.hardware == hardware && hardware != 0;
        let same = self.places.iter().position(same);
        let is_here = NaivePlace { machine, hardware, is_online: true };
        let by_code =
            |place: &NaivePlace| !place.is_online && (place.machine, place.hardware) == (machine, hardware);
        let found_by_code = self.places.iter().position(by_code);
        let how = if last == Some(&asked) {
            if own.is_none() {
                return RECORDED.into();
            }
            "again"
        } else if last.is_some_and(|last| asked.asked_at() <= last.asked_at()) {
            return RECORDED.into();
        } else if let Some(own) = own {
            let known = self.places[own].hardware;
            let moves = known != hardware && known != 0 && hardware != 0;
            if moves && 5 <= given_back {
                return exhausted(given_back);
            }
            self.places[own] = is_here;
            self.places.retain(|place| !by_code(place));
            if moves {
                self.given_back.push(now);
            }
            if moves { "moved" } else { "own" }
        } else if let Some(same) = same {
            self.places[same] = is_here;
            self.places.retain(|place| !by_code(place));
            "imaged"
        } else if let Some(found) = found_by_code {
            self.places[found] = is_here;
            "by code before"
        } else if (self.places.len() as u64) < self.granted {
            self.places.push(is_here);
            "new"
        } else {
            return self.full();
        };
        self.last.insert(machine, asked);
        format!("{how}, {} of {}", self.places.len(), self.granted)
    }

    fn call(&mut self, machine: usize, hardware: usize) -> String {
        let is_it = |place: &NaivePlace| (place.machine, place.hardware) == (machine, hardware);
        let how = if self.places.iter().any(is_it) {
            "known"
        } else if (self.places.len() as u64) < self.granted {
            self.places.push(NaivePlace { machine, hardware, is_online: false });
            "new"
        } else {
            return self.full();
        };
        format!("{how}, {} of {}", self.places.len(), self.granted)
    }

    fn full(&self) -> String {
        format!("{} of {} machines of the key are activated", self.places.len(), self.granted)
    }

    fn own(&self, machine: usize) -> Option<usize> {
        self.places.iter().position(|place| place.is_online && place.machine == machine)
    }

    fn leave(&mut self, machine: usize, asked: Asked, now: Timestamp) -> String {
        let given_back = self.given_back_within_a_year(now);
        let own = self.own(machine);
        let last = self.last.get(&machine).filter(|last| **last != asked);
        let told = match own {
            _ if last.is_some_and(|last| asked.asked_at() <= last.asked_at()) => return RECORDED.into(),
            Some(_) if 5 <= given_back => return exhausted(given_back),
            Some(own) => {
                self.places.remove(own);
                self.given_back.push(now);
                self.left.insert(machine);
                format!("left, {} of 5", given_back + 1)
            }
            None if self.left.contains(&machine) => "left before".into(),
            None => return "it was not activated here".into(),
        };
        self.last.insert(machine, asked);
        told
    }

    fn raise(&mut self, more: i64) -> bool {
        let raised = self.granted.checked_add_signed(more);
        self.granted = raised.unwrap_or(self.granted);
        raised.is_some()
    }

    fn given_back_within_a_year(&self, now: Timestamp) -> usize {
        self.given_back.iter().filter(|at| now - YEAR < **at).count()
    }
}

const RECORDED: &str = "a later ask was heard before";

fn exhausted(given_back: usize) -> String {
    format!("{given_back} places of the key were given back within a year, as many as may be (5)")
}
