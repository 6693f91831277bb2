//! What an answer says about a name: its records, another name that it is an alias of, or that there are none.
//!
//! Pure. A name can be an alias by a CNAME of its own or by a DNAME above it, for which servers send a CNAME, too.
//! `lib.rs` asks about the other name.

use hickory_proto::op::Message;
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};

/// More aliases in a row than this are a circle, or as good as one.
pub(crate) const ALIASES_MAX: usize = 16;

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NameAnswer {
    /// There they are.
    Records(Vec<RData>),
    /// The name is an alias, and of the other name nothing is said.
    Alias(Name),
    /// This name does not exist, or has no such records. It is the name that was asked about, or the last of its aliases.
    Missing(Name),
    /// The aliases lead in a circle.
    Circle,
}

/// What the answer says about the records of this name.
pub(crate) fn read(answer: &Message, asked: &Name, kind: RecordType) -> NameAnswer {
    let mut name = asked;
    for _ in 0..ALIASES_MAX {
        let own =
            answer.answers.iter().filter(|record| record.name == *name && record.dns_class == DNSClass::IN);
        let records: Vec<_> = own.clone().filter(|record| record.record_type() == kind).collect();
        if !records.is_empty() {
            return NameAnswer::Records(records.into_iter().map(|record| record.data.clone()).collect());
        }
        let alias = own.clone().find_map(|record| match &record.data {
            RData::CNAME(alias) => Some(&alias.0),
            _ => None,
        });
        match alias {
            Some(alias) => name = alias,
            // A name that does not exist is the last one, whatever the server says of those before.
            None if name == asked
                || answer.metadata.response_code == hickory_proto::op::ResponseCode::NXDomain =>
            {
                return NameAnswer::Missing(name.clone());
            }
            None => return NameAnswer::Alias(name.clone()),
        }
    }
    NameAnswer::Circle
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::{OpCode, ResponseCode};
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::{A, CNAME};

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    /// Each record as `owner>alias` or `owner=1`, which is an address.
    fn check(records: &str, code: ResponseCode, expected: &NameAnswer) {
        let mut answer = Message::response(1, OpCode::Query);
        answer.metadata.response_code = code;
        for record in records.split_whitespace() {
            let (owner, data) = match record.split_once('>') {
                Some((owner, alias)) => (owner, RData::CNAME(CNAME(name(alias)))),
                None => (record.split_once('=').unwrap().0, RData::A(A::new(10, 0, 0, 1))),
            };
            answer.answers.push(Record::from_rdata(name(owner), 60, data));
        }
        assert_eq!(read(&answer, &name("asked."), RecordType::A), *expected, "{records}");
    }

    #[test]
    fn records_are_found_behind_any_alias_and_nobody_elses_are_taken() {
        let address = || NameAnswer::Records(vec![RData::A(A::new(10, 0, 0, 1))]);
        check("asked.=1", ResponseCode::NoError, &address());
        check("ASKED.=1", ResponseCode::NoError, &address());
        check("asked.>b. b.>c. c.=1", ResponseCode::NoError, &address());
        check("c.=1 b.>c. asked.>b.", ResponseCode::NoError, &address());
        check("other.=1", ResponseCode::NoError, &NameAnswer::Missing(name("asked.")));
        check("", ResponseCode::NoError, &NameAnswer::Missing(name("asked.")));
        check("", ResponseCode::NXDomain, &NameAnswer::Missing(name("asked.")));
        check("asked.>b.", ResponseCode::NoError, &NameAnswer::Alias(name("b.")));
        check("asked.>b.", ResponseCode::NXDomain, &NameAnswer::Missing(name("b.")));
        check("asked.>b. b.>asked.", ResponseCode::NoError, &NameAnswer::Circle);
    }
}
