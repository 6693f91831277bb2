//! Random histories of one key beside a model that looks at every machine.
//!
//! The model is written from what the documentation promises, and knows neither rows nor rules. [`Subject::Rules`] runs the rules alone
//! over rows in memory, [`Subject::Db`] a database.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use shared::envelope::SecretKey;
use shared::ids::{CertificateId, Fingerprint, MachineId, Nonce};
use shared::parts::HardwareParts;
use shared::product_key::ProductKey;
use shared::time::Timestamp;

use super::world::{Machine, PRODUCT, START, World, YEAR};
use crate::rules::granted::{Granted, Quota};
use crate::rules::machines::{Holder, Place, Placement, Taken, place};
use crate::rules::releases::{Leaver, Releases, release};
use crate::rules::{Asked, Validity};

const MACHINES: usize = 10;
const HARDWARE: usize = 10;
const GRANTED: u64 = 4;

#[derive(Clone, Debug)]
pub enum Step {
    /// A machine asks from this hardware, or somebody repeats one of its asks. Hardware 0 says nothing of itself.
    Ask { machine: usize, hardware: usize, which: Which },
    /// A machine leaves, or somebody repeats one of its asks as that.
    Leave { machine: usize, which: Which },
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
    let leaves = (0..MACHINES, which()).prop_map(|(machine, which)| Step::Leave { machine, which });
    prop_oneof![
        6 => stays,
        4 => asks,
        3 => leaves,
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
            Subject::Rules(books) => books.ask(machine.holder(), machine.asked, now),
            Subject::Db(world, key) => {
                world.now = now;
                world.ask(key, machine).await
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
                    made.push(Asked { nonce: Nonce::from_bytes(drawn.to_be_bytes()), asked_at: now });
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
    places: Vec<Place>,
    releases: Vec<Timestamp>,
    last: BTreeMap<MachineId, Asked>,
    left: BTreeSet<MachineId>,
    ids: u128,
}

impl Books {
    fn ask(&mut self, asker: Holder, asked: Asked, now: Timestamp) -> String {
        let own = self.places.iter().find(|place| place.holder.machine == asker.machine);
        let similar: Vec<_> =
            self.places.iter().filter(|place| place.holder.machine != asker.machine).copied().collect();
        let used = self.places.len() as u64;
        let last = self.last.get(&asker.machine).copied();
        let taken = Taken { last, own, similar: &similar, used, releases: self.releases(now) };
        let placement = match place(&asker, asked, Validity::default(), &self.granted, &taken, now) {
            Ok(placement) => placement,
            Err(refused) => return refused.to_string(),
        };
        let how = match placement {
            Placement::Again(_) => "again",
            Placement::Own(id) => self.hold(id, asker, "own"),
            Placement::Moved(id) => {
                self.releases.push(now);
                self.hold(id, asker, "moved")
            }
            Placement::Imaged { place, .. } => self.hold(place, asker, "imaged"),
            Placement::New => {
                self.ids += 1;
                let id = CertificateId::from_bytes(self.ids.to_be_bytes());
                self.places.push(Place { id, since: now, holder: asker });
                "new"
            }
        };
        self.last.insert(asker.machine, asked);
        format!("{how}, {} of {}", self.places.len(), self.granted.machines)
    }

    fn hold(&mut self, id: CertificateId, asker: Holder, how: &'static str) -> &'static str {
        self.places.iter_mut().filter(|place| place.id == id).for_each(|place| place.holder = asker);
        how
    }

    fn leave(&mut self, asker: &Holder, asked: Asked, now: Timestamp) -> String {
        let own = self.places.iter().find(|place| place.holder.machine == asker.machine);
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
    /// Machine and hardware; the oldest place first.
    places: Vec<(usize, usize)>,
    given_back: Vec<Timestamp>,
    last: BTreeMap<usize, Asked>,
    left: BTreeSet<usize>,
}

impl Naive {
    fn ask(&mut self, machine: usize, hardware: usize, asked: Asked, now: Timestamp) -> String {
        let given_back = self.given_back_within_a_year(now);
        let last = self.last.get(&machine);
        let own = self.places.iter().position(|(holder, _)| *holder == machine);
        let same = self.places.iter().position(|(_, known)| *known == hardware && hardware != 0);
        let how = if last == Some(&asked) {
            if own.is_none() {
                return RECORDED.into();
            }
            "again"
        } else if last.is_some_and(|last| asked.asked_at <= last.asked_at) {
            return RECORDED.into();
        } else if let Some(own) = own {
            let known = std::mem::replace(&mut self.places[own].1, hardware);
            if known == hardware || known == 0 || hardware == 0 {
                "own"
            } else if given_back < 5 {
                self.given_back.push(now);
                "moved"
            } else {
                self.places[own].1 = known;
                return exhausted(given_back);
            }
        } else if let Some(same) = same {
            self.places[same].0 = machine;
            "imaged"
        } else if (self.places.len() as u64) < self.granted {
            self.places.push((machine, hardware));
            "new"
        } else {
            return format!("{} of {} machines of the key are activated", self.places.len(), self.granted);
        };
        self.last.insert(machine, asked);
        format!("{how}, {} of {}", self.places.len(), self.granted)
    }

    fn leave(&mut self, machine: usize, asked: Asked, now: Timestamp) -> String {
        let given_back = self.given_back_within_a_year(now);
        let own = self.places.iter().position(|(holder, _)| *holder == machine);
        let last = self.last.get(&machine).filter(|last| **last != asked);
        let told = match own {
            _ if last.is_some_and(|last| asked.asked_at <= last.asked_at) => return RECORDED.into(),
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
