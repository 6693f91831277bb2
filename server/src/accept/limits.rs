//! The number of connections that machines may hold: the configured number, within the limits of the operating system.
//!
//! Each connection is one descriptor. Read `places` next, which gives them out.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are reserved: for 200 tables that the ledger keeps open, its journal, the log, the listeners, and administrators. If
/// the limit is small, half of it is reserved.
const RESERVED: usize = 384;

/// The largest default, whatever the descriptors allow. An idle connection takes 17 KB of memory, so these take 1.1 GB.
const MOST: usize = 65_536;

/// The number of descriptors that stands for "unlimited". By default, Linux allows no more per process (fs.nr_open).
const UNLIMITED: u64 = 1 << 20;

/// The number of connections that may be held at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// By all addresses together.
    pub in_all: usize,
    /// By one address; an IPv6 network of 64 bits is one.
    pub per_address: usize,
}

impl Default for Limits {
    /// The limits that follow from the present descriptors of this process.
    fn default() -> Limits {
        Limits::within(descriptors(getrlimit(Resource::Nofile).current), 0, 0)
    }
}

impl Limits {
    /// Raises the process's limit of descriptors as far as possible, and logs the result. If a number is 0, this function chooses it.
    pub fn of_this_process(in_all: usize, per_address: usize) -> Limits {
        let descriptors = raised_descriptors();
        let limits = Limits::within(descriptors, in_all, per_address);
        if limits.in_all < in_all {
            tracing::warn!(
                descriptors,
                configured = in_all,
                possible = limits.in_all,
                "the system does not allow as many descriptors as `connections` needs: raise the hard limit (LimitNOFILE in a \
                 systemd unit, `ulimit -Hn` in a shell)"
            );
        }
        let Limits { in_all, per_address } = limits;
        tracing::info!(connections = in_all, per_address, descriptors, "connections that machines may hold");
        limits
    }

    /// The number of descriptors that the process needs for this many connections in all.
    pub fn descriptors_for(in_all: usize) -> usize {
        in_all.saturating_add(RESERVED)
    }

    /// The rule. One address gets three quarters, so that a site behind a single address is served fast, and others still get a place.
    pub fn within(descriptors: usize, in_all: usize, per_address: usize) -> Limits {
        let possible = (descriptors - RESERVED.min(descriptors / 2)).max(1);
        let in_all = possible.min(if in_all == 0 { MOST } else { in_all });
        let share = (in_all - in_all / 4).max(1);
        Limits { in_all, per_address: in_all.min(if per_address == 0 { share } else { per_address }) }
    }
}

/// The soft limit is low for the sake of programs that use select(2); this one does not.
fn raised_descriptors() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: maximum, maximum };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => descriptors(maximum),
        Err(error) => {
            tracing::warn!(%error, "the limit of descriptors cannot be raised and stays as it is");
            descriptors(current)
        }
    }
}

fn descriptors(limit: Option<u64>) -> usize {
    usize::try_from(limit.unwrap_or(UNLIMITED)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(descriptors: usize, configured: [usize; 2], expected: [usize; 2]) {
        let Limits { in_all, per_address } = Limits::within(descriptors, configured[0], configured[1]);
        assert_eq!([in_all, per_address], expected);
    }

    #[test]
    fn what_is_not_configured_follows_from_the_descriptors() {
        check(1024, [0, 0], [640, 480]);
        check(20_000, [0, 0], [19_616, 14_712]);
        check(1 << 20, [0, 0], [65_536, 49_152]);
        check(64, [0, 0], [32, 24]);
        check(1, [0, 0], [1, 1]);
        check(0, [0, 0], [1, 1]);
    }

    #[test]
    fn what_is_configured_holds_as_far_as_the_descriptors_go() {
        check(20_000, [100, 0], [100, 75]);
        check(20_000, [100, 10], [100, 10]);
        check(20_000, [0, 19_000], [19_616, 19_000]);
        check(1024, [5000, 4000], [640, 640]);
        check(1 << 20, [500_000, 0], [500_000, 375_000]);
    }
}
