//! How an organisation proves that a domain is its own, and how long the proof holds.
//!
//! A challenge is a random token for one organisation, one domain and one scope, in a TXT record at a label of ours. What was proved is
//! looked at again every week. A proof that is not found for two weeks is doubtful, which takes nothing away; after 30 more days it has
//! lapsed: nobody can take anything over by it, and the administrators that it made stay. If another organisation proves the same domain,
//! it never gets the domain at once.

use std::time::Duration;

use shared::time::Timestamp;

use crate::DAY;

/// How long a challenge can be answered.
pub const CHALLENGE_FOR: Duration = DAY.saturating_mul(7);

/// How often a proof is looked at again.
pub const LOOKED_AT_EVERY: Duration = DAY.saturating_mul(7);

/// How long a proof has not been found when it is doubtful.
pub const DOUBTFUL_AFTER: Duration = DAY.saturating_mul(14);

/// In how many looks it was not found, at least.
pub const DOUBTFUL_MISSES: u32 = 3;

/// How long a doubtful proof stands.
pub const LAPSED_AFTER: Duration = DAY.saturating_mul(30);

/// How long the holder of a domain has to prove it again when somebody else has proved it.
pub const REPROVED_WITHIN: Duration = DAY.saturating_mul(14);

/// The wait before the second look at a challenge. Each one after it is twice as long.
const FIRST_LOOK: Duration = Duration::from_mins(1);

/// The longest wait between two looks.
const LONGEST_LOOK: Duration = Duration::from_hours(1);

/// What a proof is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// This name alone.
    Name,
    /// This name and every name below it that nobody else holds.
    Tree,
}

impl Scope {
    /// Each.
    pub const ALL: [Scope; 2] = [Scope::Name, Scope::Tree];

    /// The label in front of the domain, where the record stands. The scope is in the label, so that a record for one is none for the
    /// other.
    pub const fn label(self) -> &'static str {
        match self {
            Scope::Name => "_kms-challenge",
            Scope::Tree => "_kms-tree-challenge",
        }
    }

    /// Its name in the database and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Scope::Name => "name",
            Scope::Tree => "tree",
        }
    }

    /// The scope of this name.
    pub fn from_name(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// What the record says. It has to stay, because it is looked at every week.
pub fn record(token: &str) -> String {
    format!("token={token} expiry=never")
}

/// How long to wait before the next look at a challenge, after so many looks.
pub fn next_look(looks: u32) -> Duration {
    FIRST_LOOK.saturating_mul(1 << looks.min(16)).min(LONGEST_LOOK)
}

/// Whether a challenge that was made then can still be answered.
pub fn is_open(made_at: Timestamp, now: Timestamp) -> bool {
    now < made_at + CHALLENGE_FOR
}

/// Whether one of the TXT records at the label answers the challenge: `token=<token>`, with other attributes before or behind it. A record
/// of several strings is joined before it comes here.
pub fn answers<'a>(token: &str, records: impl IntoIterator<Item = &'a str>) -> bool {
    let says = |attribute: &str| {
        attribute.strip_prefix("token=").is_some_and(|said| said.eq_ignore_ascii_case(token))
    };
    !token.is_empty() && records.into_iter().any(|record| record.split_ascii_whitespace().any(says))
}

/// What is known of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// When the record was last found.
    pub found_at: Timestamp,
    /// How often it was not, since then. A look without an answer of a name server is none.
    pub misses: u32,
}

/// Where a proof stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofStanding {
    /// The record is there, or was not long ago.
    Good,
    /// It was not found for two weeks. Administrators are told by mail, and nothing is taken.
    Doubtful {
        /// From when on it has lapsed.
        lapses_at: Timestamp,
    },
    /// Nobody can take anything over by it. Proving the domain again needs a new challenge: whoever owns the domain now may have copied
    /// the record.
    Lapsed,
}

impl Proof {
    /// Where it stands.
    pub fn at(self, now: Timestamp) -> ProofStanding {
        let doubtful_at = self.found_at + DOUBTFUL_AFTER;
        if self.misses < DOUBTFUL_MISSES || now < doubtful_at {
            return ProofStanding::Good;
        }
        let lapses_at = doubtful_at + LAPSED_AFTER;
        if now < lapses_at { ProofStanding::Doubtful { lapses_at } } else { ProofStanding::Lapsed }
    }
}

/// What happens to a domain that one organisation has proved and another one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contest {
    /// The holder is told, and has until this instant.
    Waits(Timestamp),
    /// It is the challenger's.
    Moves,
    /// Both have proved it since. People have to decide.
    ToStaff,
}

/// Decides between the holder and a challenger, who proved the domain at `proved_at`. `holder_proved_at` is when the holder's record was
/// last found.
pub fn contest(holder: Proof, proved_at: Timestamp, now: Timestamp) -> Contest {
    let until = proved_at + REPROVED_WITHIN;
    if holder.at(now) == ProofStanding::Lapsed {
        Contest::Moves
    } else if proved_at < holder.found_at {
        Contest::ToStaff
    } else if now < until {
        Contest::Waits(until)
    } else {
        Contest::Moves
    }
}

/// Whose domain a name is, among what was proved: the holder of the name itself, or of the nearest name above it with its whole tree.
///
/// Names are in their one form: lower case, A-labels, without a dot at the end.
pub fn holder_of<'a, O>(name: &str, proved: impl IntoIterator<Item = (&'a str, Scope, O)>) -> Option<O> {
    let covers = |(domain, scope, owner): (&'a str, Scope, O)| {
        let is_below = || name.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
        (domain == name || scope == Scope::Tree && is_below()).then_some((domain.len(), owner))
    };
    // `max_by_key` would take the last of several; a domain has one holder.
    proved.into_iter().filter_map(covers).max_by_key(|(length, _)| *length).map(|(_, owner)| owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUND: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);
    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_challenge_is_looked_at_after_a_minute_and_at_least_every_hour_for_a_week() {
        let waits: Vec<u64> = (0..8).map(|looks| next_look(looks).as_secs() / 60).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(next_look(u32::MAX), LONGEST_LOOK);
        assert!(is_open(FOUND, FOUND + DAY * 7 - MS) && !is_open(FOUND, FOUND + DAY * 7));
    }

    #[test]
    fn the_record_is_found_among_others_and_nothing_like_it_is() {
        let token = "mfrggzdfmztwq2lknnwg23tp";
        for record in [
            "token=mfrggzdfmztwq2lknnwg23tp",
            "token=MFRGGZDFMZTWQ2LKNNWG23TP expiry=2026-12-07T00:00:00Z",
            "v=1  token=mfrggzdfmztwq2lknnwg23tp",
        ] {
            assert!(answers(token, ["v=spf1 -all", record]), "{record}");
        }
        for record in [
            "",
            "token=",
            "token=mfrggzdfmztwq2lknnwg23t",
            "xtoken=mfrggzdfmztwq2lknnwg23tp",
            "mfrggzdfmztwq2lknnwg23tp",
        ] {
            assert!(!answers(token, [record]), "{record}");
        }
        assert!(!answers("", ["token="]), "no token is no proof");
        assert!(answers(token, [record(token).as_str()]));
    }

    #[test]
    fn a_proof_is_doubtful_after_two_weeks_and_three_looks_and_lapses_a_month_later() {
        let missed = |misses| Proof { found_at: FOUND, misses };
        assert_eq!(missed(2).at(FOUND + DAY * 100), ProofStanding::Good, "our own looks were too few");
        assert_eq!(missed(3).at(FOUND + DAY * 14 - MS), ProofStanding::Good);
        let lapses_at = FOUND + DAY * 44;
        assert_eq!(missed(3).at(FOUND + DAY * 14), ProofStanding::Doubtful { lapses_at });
        assert_eq!(missed(9).at(lapses_at), ProofStanding::Lapsed);
    }

    #[test]
    fn a_held_domain_moves_only_from_a_holder_who_does_not_prove_it_again() {
        let proved_at = FOUND + DAY;
        let holder = Proof { found_at: FOUND, misses: 1 };
        assert_eq!(contest(holder, proved_at, proved_at), Contest::Waits(proved_at + DAY * 14));
        assert_eq!(contest(holder, proved_at, proved_at + DAY * 14), Contest::Moves);
        let again = Proof { found_at: proved_at + DAY, misses: 0 };
        assert_eq!(contest(again, proved_at, proved_at + DAY * 20), Contest::ToStaff);
        let lapsed = Proof { found_at: FOUND - DAY * 60, misses: 9 };
        assert_eq!(contest(lapsed, proved_at, proved_at), Contest::Moves);
    }

    #[test]
    fn the_nearest_proof_decides_and_a_proof_of_one_name_is_for_that_name() {
        let proved = [
            ("example.com", Scope::Tree, 1),
            ("shop.example.com", Scope::Name, 2),
            ("example.org", Scope::Name, 3),
        ];
        let of = |name| holder_of(name, proved);
        assert_eq!(of("example.com"), Some(1));
        assert_eq!(of("a.b.example.com"), Some(1));
        assert_eq!(of("shop.example.com"), Some(2));
        assert_eq!(of("x.shop.example.com"), Some(1), "the shop has proved its own name alone");
        assert_eq!(of("badexample.com"), None);
        assert_eq!(of("x.example.org"), None);
    }
}
