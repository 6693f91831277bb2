//! The last round, as `saved` keeps it, so that any process of this machine can say which hosts were tried, each with its own
//! cause. Its size is bounded, because the texts come from hosts and DNS. `docs/protocol.md` 7.

use proto::state::v1;
use shared::reason::{self, Cause};
use shared::time::Timestamp;

use crate::discovery::Source;
use crate::outcome::{Attempt, Outcome, Waited};

/// Further attempts are left out, and counted.
const ATTEMPTS_MAX: usize = 32;

/// No reason has as many.
const PARAMETERS_MAX: usize = 8;

/// Longer texts are cut off.
const TEXT_MAX_BYTES: usize = 256;

/// A round that ended at this time, as it is saved: its first 32 attempts, and how many more there were.
pub(crate) fn encode(ended_at: Timestamp, attempts: &[Attempt]) -> v1::Round {
    v1::Round {
        ended_at: ended_at.unix_ms(),
        attempts: attempts.iter().take(ATTEMPTS_MAX).filter_map(encode_attempt).collect(),
        left_out: count(attempts.len().saturating_sub(ATTEMPTS_MAX)),
    }
}

/// The attempts of a saved round, and how many more there were. Those that cannot be read are counted only: no license rests on them.
pub(crate) fn decode(round: &v1::Round) -> (Vec<Attempt>, u32) {
    let attempts: Vec<_> = round.attempts.iter().filter_map(decode_attempt).collect();
    let unread = count(round.attempts.len() - attempts.len());
    (attempts, round.left_out.saturating_add(unread))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn cut(text: &str) -> String {
    const MARK: &str = "…";
    if text.len() <= TEXT_MAX_BYTES {
        return text.to_owned();
    }
    format!("{}{MARK}", &text[..text.floor_char_boundary(TEXT_MAX_BYTES - MARK.len())])
}

/// A confirmation is saved itself, and needs no word here, which an earlier release would not know.
fn encode_attempt(attempt: &Attempt) -> Option<v1::Attempt> {
    use v1::attempt::Outcome as Wire;
    Some(v1::Attempt {
        host: cut(&attempt.host),
        address: attempt.address.map(|address| address.to_string()).unwrap_or_default(),
        source: attempt.source.as_ref().map(encode_source),
        outcome: Some(match &attempt.outcome {
            Outcome::Leased { until } => Wire::LeasedUntil(until.unix_ms()),
            Outcome::Confirmed { .. } => return None,
            Outcome::Waiting(Waited { count, threshold }) => {
                Wire::Waiting(v1::Progress { count: *count, threshold: *threshold })
            }
            Outcome::Released => Wire::Released(v1::Released {}),
            Outcome::Refused(refused) => Wire::Refused(encode_cause(refused)),
            Outcome::Failed(failed) => Wire::Failed(encode_cause(failed)),
        }),
    })
}

fn encode_cause(Cause { code, parameters }: &Cause) -> v1::Cause {
    let parameters = parameters.iter().take(PARAMETERS_MAX);
    let parameters = parameters.map(|(name, value)| (cut(name), cut(value))).collect();
    let cause = Cause { code: cut(code), parameters };
    v1::Cause { parameters: reason::encode_parameters(&cause), code: cause.code }
}

fn decode_attempt(wire: &v1::Attempt) -> Option<Attempt> {
    use v1::attempt::Outcome as Wire;
    let cause = |wire: &v1::Cause| reason::decode(&wire.code, &wire.parameters);
    Some(Attempt {
        host: wire.host.clone(),
        address: wire.address.parse().ok(),
        source: wire.source.as_ref().and_then(decode_source),
        outcome: match wire.outcome.as_ref()? {
            Wire::LeasedUntil(until) => Outcome::Leased { until: Timestamp::from_unix_ms(*until) },
            Wire::Waiting(v1::Progress { count, threshold }) => {
                Outcome::Waiting(Waited { count: *count, threshold: *threshold })
            }
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
        Source::CommandLine => at(v1::Place::CommandLine),
        Source::Remembered => at(v1::Place::Remembered),
        Source::Dns { domain, priority, weight } => v1::Source {
            domain: cut(domain),
            priority: u32::from(*priority),
            weight: u32::from(*weight),
            ..at(v1::Place::Dns)
        },
    }
}

fn decode_source(wire: &v1::Source) -> Option<Source> {
    Some(match wire.place() {
        v1::Place::Unspecified => return None,
        v1::Place::Environment => Source::Environment,
        v1::Place::File => Source::File,
        v1::Place::Code => Source::Code,
        v1::Place::CommandLine => Source::CommandLine,
        v1::Place::Remembered => Source::Remembered,
        v1::Place::Dns => Source::Dns {
            priority: u16::try_from(wire.priority).ok()?,
            weight: u16::try_from(wire.weight).ok()?,
            domain: wire.domain.clone(),
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
            attempt("c", Some(Source::CommandLine), Outcome::Released),
            attempt("d", Some(dns), Outcome::Refused(cause.clone())),
            attempt("e", Some(Source::Remembered), Outcome::Failed(cause.clone())),
            attempt("_kms-activation._tcp.corp.example.", None, Outcome::Failed(cause)),
        ];
        assert_eq!(decode(&encode(until, &attempts)), (attempts.to_vec(), 0));
    }

    #[test]
    fn what_hosts_and_dns_say_fills_no_disk() {
        let long = "ß".repeat(500);
        let parameters = vec![(long.clone(), long.clone()); 20];
        let outcome = Outcome::Refused(Cause { code: long.clone(), parameters });
        let source = Source::Dns { domain: long.clone(), priority: 0, weight: 0 };
        let round = encode(Timestamp::default(), &vec![attempt(&long, Some(source), outcome); 50]);
        let (attempts, left_out) = decode(&round);
        assert_eq!((attempts.len(), left_out), (32, 18));
        let bytes = prost::Message::encoded_len(&round);
        assert!(bytes < 160_000, "{bytes}");
        assert_eq!(encode(Timestamp::default(), &attempts).attempts, round.attempts);
    }

    #[test]
    fn what_a_later_release_adds_is_counted_and_not_shown() {
        let later = v1::Attempt { host: "a".into(), ..v1::Attempt::default() };
        let round = v1::Round { ended_at: 1, attempts: vec![later; 2], left_out: 1 };
        assert_eq!(decode(&round), (Vec::new(), 3));
    }
}
