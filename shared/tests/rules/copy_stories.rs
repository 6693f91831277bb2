//! Copies are named and lost answers are not: 2,000 fleets left to chance, before two hosts with ledgers of their own.
//!
//! `KMS_SEED` runs a single fleet again. The table itself is tested in `serial`, one ledger's rows in `count_stories`.

use core::time::Duration;

use shared::ask::AskKind;
use shared::count::{Decision, Entrants, Shown, Sighting, Terms};
use shared::exchange::Exchange;
use shared::ids::{Fingerprint, HostId, LedgerId, MachineId, Nonce};
use shared::reason::Reason;
use shared::serial::Mark;
use shared::time::Timestamp;

use crate::books::Books;
use crate::kit::{DAY, HOUR, MS, NOW, PRODUCT};

const TERMS: Terms = Terms {
    threshold: 1,
    count_window: Duration::from_hours(30 * 24),
    validity: Duration::from_hours(180 * 24),
    clock_tolerance: Duration::from_hours(4),
};

const SEEDS: u64 = 2000;

fn for_each_seed(story: impl Fn(u64)) {
    if let Ok(seed) = std::env::var("KMS_SEED") {
        return story(seed.parse().unwrap());
    }
    for seed in 1..=SEEDS {
        println!("KMS_SEED={seed}");
        story(seed);
    }
}

/// Small and the same everywhere: xorshift.
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// One installation, and all that its disk holds.
#[derive(Clone, Debug)]
struct Body {
    identity: u64,
    /// The identity that asks, and replaces the other once it holds a lease.
    pending: Option<u64>,
    exchange: Exchange<()>,
    licensed: bool,
    fingerprint: u64,
}

struct World {
    chance: Chance,
    now: Timestamp,
    names: u64,
    books: [Books; 2],
    bodies: Vec<Body>,
    alarms: u32,
}

impl World {
    fn new(seed: u64, machines: u64) -> World {
        let mut world = World {
            chance: Chance::new(seed),
            now: NOW,
            names: 0,
            books: [1, 2].map(|id| Books::new(LedgerId::from_bytes([id; 16]))),
            bodies: Vec::new(),
            alarms: 0,
        };
        for fingerprint in 0..machines {
            let body = Body {
                identity: world.name(),
                pending: None,
                exchange: Exchange::default(),
                licensed: false,
                fingerprint,
            };
            world.bodies.push(body);
        }
        world
    }

    fn name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    /// One ask of one body; its clock is out by up to `skew` and may go back between two asks.
    fn ask(&mut self, body: usize, host: usize, answer_arrives: bool, skew: usize) {
        let skew_ms = u64::try_from(self.chance.below(skew + 1)).unwrap();
        let (fresh, new_identity) = (self.name(), self.name());
        let asker = &mut self.bodies[body];
        let nonce = asker.exchange.name(Nonce::from_bytes(name(fresh)));
        let sighting = Sighting {
            product: PRODUCT,
            machine: machine(asker.pending.unwrap_or(asker.identity)),
            presented: Mark {
                serial: asker.exchange.serial,
                nonce,
                asked_at: self.now + Duration::from_millis(skew_ms),
            },
            fingerprint: Fingerprint::of_machine(PRODUCT, &asker.fingerprint.to_be_bytes()),
            kind: AskKind::Activate,
            kept: true,
            replaces: asker.pending.map(|_| machine(asker.identity)),
            shown: Shown::Nothing,
            entrants: Entrants::Anybody,
            at: self.now,
            terms: TERMS,
        };
        let decision = self.books[host].decide(&sighting);
        let copied = decision == Decision::Refused(Reason::Copied);
        self.alarms += u32::from(copied);
        match decision {
            _ if !answer_arrives => {}
            Decision::Lease { serial, .. } => {
                asker.exchange.accept(serial, HostId::from_bytes([0; 16]), ());
                asker.identity = asker.pending.take().unwrap_or(asker.identity);
                asker.licensed = true;
            }
            Decision::Refused(Reason::Copied) if asker.exchange.replace(self.now).is_ok() => {
                asker.pending = Some(new_identity);
            }
            Decision::Refused(_) => {}
            Decision::Waiting { .. } | Decision::Released { .. } | Decision::Verify => panic!("{decision:?}"),
        }
    }

    /// Time passes, somebody asks somewhere, and a third of the answers is lost.
    fn step(&mut self, skew: usize) {
        self.now = self.now + u32::try_from(1 + self.chance.below(12)).unwrap() * HOUR;
        let (body, host) = (self.chance.below(self.bodies.len()), self.chance.below(2));
        let answer_arrives = !self.chance.one_in(3);
        self.ask(body, host, answer_arrives, skew);
    }

    /// Everybody asks daily, nothing is lost, until no alarm is raised for a while and old seats have aged out.
    ///
    /// The order is left to chance. Two copies that take turns at two hosts in a fixed order, one always one serial ahead,
    /// look to both hosts like one machine for as long as they keep to it.
    fn heal(&mut self) {
        let mut quiet_days = 0;
        for _ in 0..200 {
            self.now = self.now + DAY;
            let alarms = self.alarms;
            let mut asks: Vec<_> = (0..self.bodies.len()).flat_map(|body| [(body, 0), (body, 1)]).collect();
            while !asks.is_empty() {
                let (body, host) = asks.swap_remove(self.chance.below(asks.len()));
                self.now = self.now + MS;
                self.ask(body, host, true, 0);
            }
            quiet_days = if alarms == self.alarms { quiet_days + 1 } else { 0 };
            if quiet_days == 32 {
                return;
            }
        }
        panic!("alarms do not end");
    }

    fn counts(&mut self) -> [u64; 2] {
        let now = self.now;
        self.books.each_mut().map(|books| books.total(PRODUCT, &TERMS, now))
    }
}

fn name(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn machine(identity: u64) -> MachineId {
    MachineId::from_bytes(name(identity))
}

#[test]
fn no_single_machine_is_called_a_copy_whatever_is_lost() {
    for_each_seed(|seed| {
        let mut world = World::new(seed, 3);
        for _ in 0..60 {
            // Clocks are out by up to two days, and go back between two asks.
            world.step(2 * 86_400_000);
        }
        assert_eq!(world.alarms, 0);
        world.heal();
        assert_eq!(world.alarms, 0);
        assert_eq!(world.counts(), [3, 3]);
        assert!(world.bodies.iter().all(|body| body.exchange.serial < 200));
    });
}

#[test]
fn every_copy_that_meets_the_same_ledger_is_named_and_both_are_licensed() {
    for_each_seed(|seed| {
        let mut world = World::new(seed, 2);
        let mut copies = 0;
        for step in 0..60 {
            world.step(1000);
            if copies < 3 && (world.chance.one_in(15) || step == 50) {
                let original = world.chance.below(world.bodies.len());
                world.bodies.push(world.bodies[original].clone());
                copies += 1;
            }
        }
        world.heal();
        let mut identities: Vec<_> = world.bodies.iter().map(|body| body.identity).collect();
        identities.sort_unstable();
        identities.dedup();
        let living = world.bodies.len();
        assert_eq!(identities.len(), living, "two bodies still share an identity");
        assert!(copies <= world.alarms, "{copies} copies, {} alarms", world.alarms);
        assert!(world.bodies.iter().all(|body| body.licensed));
        assert_eq!(world.counts(), [living as u64; 2]);
    });
}

#[test]
fn a_disk_that_was_set_back_is_one_machine_again() {
    for_each_seed(|seed| {
        let mut world = World::new(seed, 2);
        let mut backup = world.bodies[0].clone();
        for _ in 0..60 {
            world.step(1000);
            match world.chance.below(12) {
                0 => backup = world.bodies[0].clone(),
                1 => world.bodies[0] = backup.clone(),
                _ => {}
            }
        }
        world.heal();
        assert!(world.bodies.iter().all(|body| body.licensed));
        assert_eq!(world.counts(), [2, 2]);
    });
}

/// The same at one host alone, where the seat is taken over and need not age out.
#[test]
fn a_new_identity_is_counted_in_the_old_ones_place_at_once() {
    let mut world = World::new(1, 1);
    world.ask(0, 0, false, 0);
    let backup = world.bodies[0].clone();
    for _ in 0..3 {
        world.now = world.now + HOUR;
        world.ask(0, 0, true, 0);
    }
    world.bodies[0] = backup;
    // The backup holds the very nonce of the first ask, which the ledger has forgotten since.
    for (counted, alarms) in [(1, 1), (1, 1), (1, 1)] {
        world.now = world.now + HOUR;
        world.ask(0, 0, true, 0);
        assert_eq!((world.counts()[0], world.alarms), (counted, alarms));
    }
    assert!(world.bodies[0].licensed && world.bodies[0].pending.is_none());
}
