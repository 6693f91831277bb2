//! What administrators look up of their organisation's people: by name or address, page by page. Nothing is written.
//!
//! People are listed by name. A page begins behind the last person of the one before, so it costs the same at 100 people and at 100,000.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use kms_portal_rules::PersonId;
use kms_portal_rules::addresses::Address;
use kms_portal_rules::offers::OfferName;
use kms_portal_rules::seats::Seat;
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::Person;
use super::offers::offer_in;
use super::persons::{read, roles};
use super::seats::{add_groups, read_seat};
use crate::db::DbError;
use crate::db::sql::{Sql, Value};
use crate::db::work::Work;

/// A longer search finds nobody more.
const SEARCH_MAX_CHARS: usize = 100;

/// For more addresses than this, all of the organisation are read at once.
const READ_ONE_BY_ONE: usize = 200;

/// Which people of an organisation are looked for.
#[derive(Clone, Debug)]
pub struct PeopleSearch {
    /// Whose.
    pub organisation: OrganisationId,
    /// Parts of the name or address, in their order; empty for everybody.
    pub text: String,
    /// Which of those.
    pub which: PeopleKind,
    /// Those behind this one.
    pub after: Option<PersonId>,
}

/// Which people are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeopleKind {
    /// Everybody who is there.
    #[default]
    There,
    /// Only those of them without any licence.
    Unlicensed,
    /// Those who were deleted.
    Deleted,
}

/// A person in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPerson {
    /// Who it is.
    pub person: Person,
    /// What they have.
    pub offers: BTreeSet<OfferName>,
}

/// The people for whom this holds, by name. `$2` is the pattern, `$3` and `$4` where the page before ended.
macro_rules! people_where {
    ($condition:literal) => {
        concat!(
            "SELECT p.* FROM people p WHERE p.organisation = $1 AND ",
            $condition,
            " AND lower(p.name || ' ' || p.address) LIKE $2 ESCAPE '!' \
             AND $3 <= lower(p.name || ' ' || p.address) \
             AND ($3 < lower(p.name || ' ' || p.address) OR $4 < p.id) \
             ORDER BY lower(p.name || ' ' || p.address), p.id LIMIT $5"
        )
    };
}

/// People of an organisation, by name.
pub(in crate::db) struct SearchPeople {
    pub(in crate::db) search: PeopleSearch,
    pub(in crate::db) limit: u32,
}

#[async_trait]
impl Work for SearchPeople {
    type Done = Vec<ListedPerson>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let PeopleSearch { organisation, text, which, after } = &self.search;
        let after_id = after.map(|after| *after.as_bytes());
        let behind = match &after_id {
            Some(after) => {
                let place = "SELECT lower(name || ' ' || address) AS place FROM people WHERE id = $1 AND organisation = $2";
                sql.row(place, &[after.into(), organisation.as_bytes().into()]).await?
            }
            None => None,
        };
        let place = behind.map(|row| row.get::<String>("place")).transpose()?;
        let pattern = pattern(text);
        let values: [Value<'_>; 5] = [
            organisation.as_bytes().into(),
            pattern.as_str().into(),
            place.as_deref().unwrap_or_default().into(),
            after_id.as_ref().filter(|_| place.is_some()).map(|id| &id[..]).unwrap_or_default().into(),
            u64::from(self.limit).into(),
        ];
        let list = match which {
            PeopleKind::There => people_where!("p.deleted_at IS NULL"),
            PeopleKind::Unlicensed => {
                people_where!(
                    "p.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM seats s WHERE s.person = p.id)"
                )
            }
            PeopleKind::Deleted => people_where!("p.deleted_at IS NOT NULL AND p.address <> ''"),
        };
        let mut listed = Vec::new();
        for row in sql.rows(list, &values).await? {
            let mut person = read(&row)?;
            person.roles = roles(sql, person.id).await?;
            let offers = "SELECT offer FROM seats WHERE person = $1";
            let offers = sql.rows(offers, &[person.id.as_bytes().into()]).await?;
            let offers = offers.iter().map(offer_in).collect::<Result<_, _>>()?;
            listed.push(ListedPerson { person, offers });
        }
        Ok(listed)
    }
}

/// What finds a text that has these words in this order, in lower case. The databases disagree about the case of letters outside ASCII, so
/// such a letter stands for any.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for word in text.split_whitespace() {
        for sign in word.chars().take(SEARCH_MAX_CHARS) {
            match sign {
                '%' | '_' | '!' => pattern.extend(['!', sign]),
                sign if sign.is_ascii() => pattern.push(sign.to_ascii_lowercase()),
                sign if sign.is_alphabetic() => pattern.push('_'),
                sign => pattern.push(sign),
            }
        }
        pattern.push('%');
        if SEARCH_MAX_CHARS < pattern.len() {
            break;
        }
    }
    pattern
}

/// The administrators of an organisation, by name.
pub(in crate::db) struct ListAdmins(pub(in crate::db) OrganisationId);

#[async_trait]
impl Work for ListAdmins {
    type Done = Vec<Person>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let list = "SELECT p.* FROM people p WHERE p.organisation = $1 AND p.deleted_at IS NULL \
                    AND p.id IN (SELECT person FROM admin_roles) ORDER BY lower(p.name || ' ' || p.address), p.id";
        let mut admins = Vec::new();
        for row in sql.rows(list, &[self.0.as_bytes().into()]).await? {
            let mut person = read(&row)?;
            person.roles = roles(sql, person.id).await?;
            admins.push(person);
        }
        Ok(admins)
    }
}

/// A licence of a person, and since when they have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldSeat {
    /// What gives it, and what is switched off.
    pub seat: Seat,
    /// Since when.
    pub since: Timestamp,
}

/// What a person has.
pub(in crate::db) struct ListSeats(pub(in crate::db) PersonId);

#[async_trait]
impl Work for ListSeats {
    type Done = BTreeMap<OfferName, HeldSeat>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let values = [self.0.as_bytes().into()];
        let rows = sql.rows("SELECT * FROM seats WHERE person = $1", &values).await?;
        let groups = sql.rows("SELECT * FROM seat_groups WHERE person = $1", &values).await?;
        let mut member =
            kms_portal_rules::seats::Member { person: self.0, location: None, seats: BTreeMap::new() };
        let mut since = BTreeMap::new();
        for row in &rows {
            member.seats.insert(offer_in(row)?, read_seat(row)?);
            since.insert(offer_in(row)?, row.time("since")?);
        }
        add_groups(&mut BTreeMap::from([(self.0, &mut member)]), &groups)?;
        let held = member.seats.into_iter().zip(since.into_values());
        Ok(held.map(|((offer, seat), since)| (offer, HeldSeat { seat, since })).collect())
    }
}

/// The people who have these addresses in an organisation; none for an address that nobody has.
pub(in crate::db) struct FindByAddress {
    pub(in crate::db) organisation: OrganisationId,
    pub(in crate::db) addresses: Vec<Address>,
}

#[async_trait]
impl Work for FindByAddress {
    type Done = Vec<Option<PersonId>>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let scope = self.organisation.as_bytes();
        let mut known = BTreeMap::new();
        if self.addresses.len() <= READ_ONE_BY_ONE {
            for address in &self.addresses {
                let address = address.to_string();
                let find = "SELECT person FROM addresses WHERE scope = $1 AND address = $2";
                if let Some(row) = sql.row(find, &[scope.into(), address.as_str().into()]).await? {
                    known.insert(address, row.bytes("person", PersonId::from_slice)?);
                }
            }
        } else {
            let all = "SELECT address, person FROM addresses WHERE scope = $1";
            for row in sql.rows(all, &[scope.into()]).await? {
                known.insert(row.get("address")?, row.bytes("person", PersonId::from_slice)?);
            }
        }
        Ok(self.addresses.iter().map(|address| known.get(&address.to_string()).copied()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn a_search_is_for_its_words_and_no_sign_of_it_means_more_than_itself() {
        assert_eq!(pattern(""), "%");
        assert_eq!(pattern("  Ann  Vries "), "%ann%vries%");
        assert_eq!(pattern("100%_!"), "%100!%!_!!%");
        assert_eq!(pattern("Émile"), "%_mile%");
        assert!(pattern(&"word ".repeat(1_000)).len() < 300);
        assert!(pattern(&"w".repeat(1_000)).len() < 300);
    }
}
