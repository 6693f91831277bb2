//! What came of the last round, as `saved` keeps it: any process of this machine can say which hosts were tried, each with its
//! own cause. Bounded, because hosts and DNS fill it. `docs/protocol.md` 7.

use proto::state::v1;
use shared::reason::{self, Cause};
use shared::time::Timestamp;

use crate::discovery::Source;
use crate::outcome::{Attempt, Outcome, Waited};

/// More is left out, and counted.
const ATTEMPTS_MAX: usize = 32;

/// No reason has as many.
const PARAMETERS_MAX: usize = 8;

/// A longer text is cut off.
const TEXT_MAX_BYTES: usize = 256;

/// The last walk through the hosts, whichever process made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastRound {
    /// When it ended.
    pub(crate) ended_at: Timestamp,
    /// Every host that was tried and every place that named none, in order; the first 32.
    pub(crate) attempts: Vec<Attempt>,
    /// How many more there were.
    pub(crate) left_out: u32,
}

impl LastRound {
    pub(crate) fn new(ended_at: Timestamp, attempts: &[Attempt]) -> LastRound {
        let left_out = attempts.len().saturating_sub(ATTEMPTS_MAX);
        LastRound {
            ended_at,
            attempts: attempts.iter().take(ATTEMPTS_MAX).map(bounded).collect(),
            left_out: u32::try_from(left_out).unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn encode(&self) -> v1::Round {
        v1::Round {
            ended_at: self.ended_at.unix_ms(),
            attempts: self.attempts.iter().map(encode_attempt).collect(),
            left_out: self.left_out,
        }
    }

    /// What cannot be read is left out: nobody is licensed by it.
    pub(crate) fn decode(wire: v1::Round) -> LastRound {
        let written = wire.attempts.len();
        let attempts: Vec<_> = wire.attempts.into_iter().filter_map(decode_attempt).collect();
        let unread = u32::try_from(written - attempts.len()).unwrap_or(u32::MAX);
        LastRound {
            ended_at: Timestamp::from_unix_ms(wire.ended_at),
            attempts,
            left_out: wire.left_out.saturating_add(unread),
        }
    }
}

fn bounded(attempt: &Attempt) -> Attempt {
    let Attempt { host, address, source, outcome } = attempt;
    let cause = |cause: &Cause| Cause {
        code: cut(&cause.code),
        parameters: cause
            .parameters
            .iter()
            .take(PARAMETERS_MAX)
            .map(|(name, value)| (cut(name), cut(value)))
            .collect(),
    };
    Attempt {
        host: cut(host),
        address: *address,
        source: source.as_ref().map(|source| match source {
            Source::Dns { domain, priority, weight } => {
                Source::Dns { domain: cut(domain), priority: *priority, weight: *weight }
            }
            Source::Environment | Source::File | Source::Code | Source::Remembered => source.clone(),
        }),
        outcome: match outcome {
            Outcome::Refused(refused) => Outcome::Refused(cause(refused)),
            Outcome::Failed(failed) => Outcome::Failed(cause(failed)),
            Outcome::Leased { .. } | Outcome::Waiting(_) | Outcome::Released => outcome.clone(),
        },
    }
}

fn cut(text: &str) -> String {
    const MARK: &str = "…";
    if text.len() <= TEXT_MAX_BYTES {
        return text.to_owned();
    }
    format!("{}{MARK}", &text[..text.floor_char_boundary(TEXT_MAX_BYTES - MARK.len())])
}

fn encode_attempt(attempt: &Attempt) -> v1::Attempt {
    use v1::attempt::Outcome as Wire;
    let cause =
        |cause: &Cause| v1::Cause { code: cause.code.clone(), parameters: reason::encode_parameters(cause) };
    v1::Attempt {
        host: attempt.host.clone(),
        address: attempt.address.map(|address| address.to_string()).unwrap_or_default(),
        source: attempt.source.as_ref().map(encode_source),
        outcome: Some(match &attempt.outcome {
            Outcome::Leased { until } => Wire::LeasedUntil(until.unix_ms()),
            Outcome::Waiting(Waited { count, threshold }) => {
                Wire::Waiting(v1::Progress { count: *count, threshold: *threshold })
            }
            Outcome::Released => Wire::Released(v1::Released {}),
            Outcome::Refused(refused) => Wire::Refused(cause(refused)),
            Outcome::Failed(failed) => Wire::Failed(cause(failed)),
        }),
    }
}

fn decode_attempt(wire: v1::Attempt) -> Option<Attempt> {
    use v1::attempt::Outcome as Wire;
    let cause = |wire: v1::Cause| reason::decode(&wire.code, &wire.parameters);
    Some(Attempt {
        host: wire.host,
        address: wire.address.parse().ok(),
        source: wire.source.and_then(decode_source),
        outcome: match wire.outcome? {
            Wire::LeasedUntil(until) => Outcome::Leased { until: Timestamp::from_unix_ms(until) },
            Wire::Waiting(v1::Progress { count, threshold }) => Outcome::Waiting(Waited { count, threshold }),
            Wire::Released(v1::Released {}) => Outcome::Released,
            Wire::Refused(refused) => Outcome::Refused(cause(refused)),
            Wire::Failed(failed) => Outcome::Failed(cause(failed)),
        },
    })
}

fn encode_source(source: &Source) -> v1::Source {
    let at = |place: v1::Place| v1::Source { place: place.into(), ..v1::Source::default() };
    match source {
        Source::Environment => at(v1::Place::Environment),
        Source::File => at(v1::Place::File),
        Source::Code => at(v1::Place::Code),
        Source::Remembered => at(v1::Place::Remembered),
        Source::Dns { domain, priority, weight } => v1::Source {
            domain: domain.clone(),
            priority: u32::from(*priority),
            weight: u32::from(*weight),
            ..at(v1::Place::Dns)
        },
    }
}

fn decode_source(wire: v1::Source) -> Option<Source> {
    Some(match wire.place() {
        v1::Place::Unspecified => return None,
        v1::Place::Environment => Source::Environment,
        v1::Place::File => Source::File,
        v1::Place::Code => Source::Code,
        v1::Place::Remembered => Source::Remembered,
        v1::Place::Dns => Source::Dns {
            priority: u16::try_from(wire.priority).ok()?,
            weight: u16::try_from(wire.weight).ok()?,
            domain: wire.domain,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::reason::Reason;

    fn attempt(host: &str, source: Option<Source>, outcome: Outcome) -> Attempt {
        Attempt { host: host.to_owned(), address: "[2001:db8::1%7]:9".parse().ok(), source, outcome }
    }

    #[test]
    fn every_outcome_and_source_survives_the_file() {
        let cause = Reason::HostUnreachable.with(&[("address", &"10.0.0.1:1"), ("cause", &"refused")]);
        let dns = Source::Dns { domain: "corp.example".into(), priority: 10, weight: 65_535 };
        let until = Timestamp::from_unix_ms(-5);
        let attempts = [
            attempt("a", Some(Source::Environment), Outcome::Leased { until }),
            attempt("b", Some(Source::File), Outcome::Waiting(Waited { count: 7, threshold: 25 })),
            attempt("c", Some(Source::Code), Outcome::Released),
            attempt("d", Some(dns), Outcome::Refused(cause.clone())),
            attempt("e", Some(Source::Remembered), Outcome::Failed(cause.clone())),
            attempt("_kms-activation._tcp.corp.example.", None, Outcome::Failed(cause)),
        ];
        let round = LastRound::new(until, &attempts);
        assert_eq!((round.attempts.as_slice(), round.left_out), (&attempts[..], 0));
        assert_eq!(LastRound::decode(round.encode()), round);
    }

    #[test]
    fn what_hosts_and_dns_say_fills_no_disk() {
        let long = "ß".repeat(500);
        let parameters = vec![(long.clone(), long.clone()); 20];
        let outcome = Outcome::Refused(Cause { code: long.clone(), parameters });
        let source = Source::Dns { domain: long.clone(), priority: 0, weight: 0 };
        let round = LastRound::new(Timestamp::default(), &vec![attempt(&long, Some(source), outcome); 50]);
        assert_eq!((round.attempts.len(), round.left_out), (32, 18));
        let bytes = prost::Message::encoded_len(&round.encode());
        assert!(bytes < 160_000, "{bytes}");
        assert_eq!(LastRound::decode(round.encode()), round);
    }

    #[test]
    fn what_a_later_release_adds_is_counted_and_not_shown() {
        let later = v1::Attempt { host: "a".into(), ..v1::Attempt::default() };
        let wire = v1::Round { ended_at: 1, attempts: vec![later; 2], left_out: 1 };
        assert_eq!((LastRound::decode(wire.clone()).left_out, wire.attempts.len()), (3, 2));
    }
}
