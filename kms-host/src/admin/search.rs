//! The search through the inventory: what an administrator wants to see of it, and how the next page of that is found.
//!
//! The host looks, so that a list of ten million machines is not sent to somebody who wants three of them. One call looks
//! through no more than so many records, on the threads for blocking work, and then gives back what it has and where to go on.

use ledger::{Cursor, Listed, Page};
use proto::admin::v1 as wire;
use shared::ids::{ID_BYTES, MachineId, ProductId};
use shared::record::RecordState;
use shared::time::Timestamp;
use tonic::Status;

use super::{Admin, Counting, id, malformed, unreadable};

/// The largest page.
const PAGE_MAX: usize = 1_000;

/// How many records one call looks through: tens of milliseconds, so that whoever waits sees that something moves.
const LOOKED_THROUGH_MAX: usize = 20_000;

/// How many records are read at a time where not every one is wanted.
const READ_AT_ONCE: usize = 1_000;

/// A state as lists show it: that of a record, or `damaged` where it cannot be read.
pub(super) fn state(listed: &Listed) -> &'static str {
    listed.record.map_or(DAMAGED, |record| record.state.name())
}

/// The states by which one may search.
pub const STATES: [&str; 5] = [
    RecordState::Active.name(),
    RecordState::Released.name(),
    RecordState::Replaced.name(),
    RecordState::Blocked.name(),
    DAMAGED,
];

const DAMAGED: &str = "damaged";

/// What is wanted. Everything that is set narrows it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Search {
    product: Option<ProductId>,
    id: Option<IdPrefix>,
    states: Vec<String>,
    counted: Option<bool>,
    seen_since: Option<Timestamp>,
    seen_before: Option<Timestamp>,
}

/// A page of what was found, and where to go on; none at the end.
type FoundMachines = (Vec<Listed>, Option<Cursor>);

/// A part of the ledger's machines: of one product or of all, behind this place.
type Stretch = (Option<ProductId>, Option<Cursor>);

impl Search {
    pub(super) fn of(request: &wire::ListMachinesRequest) -> Result<Search, Status> {
        let instant =
            |unix_ms| Some(Timestamp::from_unix_ms(unix_ms)).filter(|at| *at != Timestamp::default());
        if let Some(unknown) = request.states.iter().find(|state| !STATES.contains(&state.as_str())) {
            return Err(malformed(&format!("{unknown:?} is not a state: states are {}", STATES.join(", "))));
        }
        let id = match request.id_prefix.as_str() {
            "" => None,
            digits => Some(IdPrefix::parse(digits)?),
        };
        Ok(Search {
            product: self::id(&request.product)?,
            id,
            states: request.states.clone(),
            counted: request.counted,
            seen_since: instant(request.seen_since),
            seen_before: instant(request.seen_before),
        })
    }

    /// The machines whose ids begin so.
    pub(super) fn named(name: &wire::MachineName) -> Result<Search, Status> {
        let id = Some(IdPrefix::parse(&name.id_prefix)?);
        Ok(Search { product: self::id(&name.product)?, id, ..Search::default() })
    }

    fn wants(&self, listed: &Listed, is_counted: bool) -> bool {
        let seen_at = listed.record.map(|record| record.seen_at);
        self.id.as_ref().is_none_or(|id| id.begins(&listed.machine))
            && (self.states.is_empty() || self.states.iter().any(|wanted| wanted == state(listed)))
            && self.counted.is_none_or(|wanted| wanted == is_counted)
            && self.seen_since.is_none_or(|since| seen_at.is_some_and(|seen_at| since <= seen_at))
            && self.seen_before.is_none_or(|before| seen_at.is_some_and(|seen_at| seen_at < before))
    }

    fn wants_all(&self) -> bool {
        *self == Search { product: self.product, ..Search::default() }
    }

    /// Records are sorted by product and id, so the start of an id is found without looking through what comes before it.
    fn stretches(&self, products: &[ProductId]) -> Vec<Stretch> {
        let Some(id) = &self.id else {
            return vec![(self.product, None)];
        };
        let products = match self.product {
            Some(product) => vec![product],
            None => products.to_vec(),
        };
        products.iter().map(|product| (Some(*product), Some(id.before(*product)))).collect()
    }
}

impl Admin {
    /// The next page of what is wanted, behind a place or from the beginning; at most so many, and 0 is the most.
    pub(super) async fn search(
        &self,
        search: &Search,
        counting: &Counting,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<FoundMachines, Status> {
        let limit = if limit == 0 { PAGE_MAX } else { PAGE_MAX.min(limit as usize) };
        let (mut machines, mut looked_through) = (Vec::new(), 0);
        for (product, begin) in search.stretches(&counting.products()) {
            // No place is before none, and a stretch that lies before the page is empty.
            let mut after = begin.max(after.clone());
            loop {
                let read = if search.wants_all() { limit - machines.len() } else { READ_AT_ONCE };
                let Page { rows: listed, next, .. } =
                    self.host.ledger.machines(product, after, read).await.map_err(unreadable)?;
                let in_stretch = listed.iter().take_while(|listed| {
                    !search.id.as_ref().is_some_and(|id| id.is_passed_by(&listed.machine))
                });
                let mut seen = 0;
                for listed in in_stretch {
                    (seen, looked_through) = (seen + 1, looked_through + 1);
                    if search.wants(listed, counting.is_counted(listed)) {
                        machines.push(*listed);
                    }
                    if machines.len() == limit || looked_through == LOOKED_THROUGH_MAX {
                        let next = Some(Cursor::behind(listed.product, listed.machine));
                        return Ok((machines, next));
                    }
                }
                after = next.filter(|_| seen == listed.len());
                if after.is_none() {
                    break;
                }
            }
        }
        Ok((machines, None))
    }
}

/// The first digits of an id, in lower case.
#[derive(Debug, PartialEq, Eq)]
struct IdPrefix(String);

impl IdPrefix {
    fn parse(digits: &str) -> Result<IdPrefix, Status> {
        if (1..=2 * ID_BYTES).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        {
            return Ok(IdPrefix(digits.to_ascii_lowercase()));
        }
        Err(malformed(&format!(
            "{digits:?} does not begin an id: write 1 to {} hexadecimal digits",
            2 * ID_BYTES
        )))
    }

    fn begins(&self, id: &MachineId) -> bool {
        id.to_string().starts_with(&self.0)
    }

    /// Whether every id with this prefix comes before this one.
    fn is_passed_by(&self, id: &MachineId) -> bool {
        !self.begins(id) && self.0 < id.to_string()
    }

    /// The position right before the first machine whose id has this prefix, if there is one.
    fn before(&self, product: ProductId) -> Cursor {
        let whole = self.0.len().next_multiple_of(2);
        let id = data_encoding::HEXLOWER.decode(format!("{:0<whole$}", self.0).as_bytes());
        Cursor::before(product, &id.expect("it is an even number of digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digits: &str) -> MachineId {
        format!("{digits:0<32}").parse().unwrap()
    }

    #[test]
    fn the_first_digits_of_an_id_are_an_even_or_an_odd_number() {
        for (digits, begins, others) in [
            ("a", ["a", "af"], ["9f", "b"]),
            ("ab", ["ab", "abff"], ["aa", "ac"]),
            ("AB7", ["ab7", "ab7f"], ["ab6f", "ab8"]),
        ] {
            let prefix = IdPrefix::parse(digits).unwrap();
            assert!(begins.iter().all(|one| prefix.begins(&id(one))), "{digits}");
            assert!(!others.iter().any(|one| prefix.begins(&id(one))), "{digits}");
            assert_eq!(others.map(|one| prefix.is_passed_by(&id(one))), [false, true], "{digits}");
            assert!(!begins.iter().any(|one| prefix.is_passed_by(&id(one))), "{digits}");
        }
        let whole = "0123456789abcdef".repeat(2);
        assert!(IdPrefix::parse(&whole).unwrap().begins(&id(&whole)));
    }

    #[test]
    fn what_is_no_start_of_an_id_is_refused() {
        for wrong in ["", "g", "0x12", "12 ", &"0".repeat(33)] {
            let refused = IdPrefix::parse(wrong).unwrap_err();
            assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{wrong:?}");
        }
    }

    #[test]
    fn a_search_begins_right_before_the_first_id_that_it_may_find() {
        let product = ProductId::from_bytes([3; 16]);
        let whole = "0123456789abcdef".repeat(2);
        for digits in ["a", "ab", "ab7", &whole[..31], &whole] {
            let before = IdPrefix::parse(digits).unwrap().before(product);
            let (first, earlier) = (id(digits), digits.len() < 31);
            assert!(before < Cursor::behind(product, first), "{digits}");
            // One digit less than the last: everything up to there is skipped, but among the last digits of a whole id.
            let mut less = first.as_bytes().to_vec();
            let at = (digits.len() - 1) / 2;
            less[at] = less[at].wrapping_sub(if digits.len().is_multiple_of(2) { 1 } else { 16 });
            let less = Cursor::behind(product, MachineId::from_slice(&less).unwrap());
            assert_eq!(less < before, earlier, "{digits}");
        }
    }
}
