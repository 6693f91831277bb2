//! How many connections machines may hold: what was configured, within what the operating system allows.
//!
//! Each connection is one descriptor. Read `places` next, where they are given out.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that no machine gets: 200 tables that the ledger keeps open, its journal, the log, the listeners, and
/// administrators. Where the limit is small, it is half of it.
const RESERVED: usize = 384;

/// How many connections there may be unless it is configured, whatever the descriptors allow. An idle one takes 17 KB of
/// memory, so these take 1.1 GB.
const MOST: usize = 65_536;

/// How many descriptors are taken for "unlimited". Linux has no more per process (fs.nr_open) unless it was told so.
const UNLIMITED: u64 = 1 << 20;

/// How many connections may be held at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// By everybody together.
    pub in_all: usize,
    /// By one address; an IPv6 network of 64 bits is one.
    pub per_address: usize,
}

impl Default for Limits {
    /// What the descriptors that this process has now allow.
    fn default() -> Limits {
        Limits::within(descriptors(getrlimit(Resource::Nofile).current), 0, 0)
    }
}

impl Limits {
    /// Raises the process's limit of descriptors as far as it may, and says in the log what came of it. A number that is 0 is
    /// chosen here.
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

    /// How many descriptors the process needs for so many of them in all.
    pub(crate) fn descriptors_for(in_all: usize) -> usize {
        in_all.saturating_add(RESERVED)
    }

    /// The rule. One address gets three quarters, so that a site behind a single address is served as fast as it can be, and
    /// others still find a place.
    pub(crate) fn within(descriptors: usize, in_all: usize, per_address: usize) -> Limits {
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
