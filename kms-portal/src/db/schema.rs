//! The tables, and how a database gets them.

use sqlx::AssertSqlSafe;
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// How the two databases call what the text names.
#[derive(Clone, Copy)]
pub(super) struct Dialect {
    pub(super) bytes: &'static str,
    pub(super) number: &'static str,
    /// A number that the database gives, larger than all before.
    pub(super) numbered: &'static str,
    pub(super) strict: &'static str,
}

pub(super) const SQLITE: Dialect = Dialect {
    bytes: "BLOB",
    number: "INTEGER",
    numbered: "INTEGER PRIMARY KEY AUTOINCREMENT",
    strict: "STRICT",
};
pub(super) const POSTGRES: Dialect = Dialect {
    bytes: "BYTEA",
    number: "BIGINT",
    numbered: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    strict: "",
};

/// Every migration, the oldest first: its number, what it is for, and its text. One that has shipped is never changed.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "keys, hosts and machines", include_str!("migrations/001-keys.sql")),
    (2, "revocations", include_str!("migrations/002-revocations.sql")),
    (3, "codes", include_str!("migrations/003-codes.sql")),
    (4, "tokens of staff", include_str!("migrations/004-staff.sql")),
    (5, "the pepper", include_str!("migrations/005-pepper.sql")),
    (6, "withdrawn revocations", include_str!("migrations/006-withdrawn.sql")),
    (7, "people", include_str!("migrations/007-people.sql")),
    (8, "accounts", include_str!("migrations/008-accounts.sql")),
    (9, "what leaves the portal", include_str!("migrations/009-outbox.sql")),
    (10, "devices", include_str!("migrations/010-devices.sql")),
    (11, "groups", include_str!("migrations/011-groups.sql")),
    (12, "domains", include_str!("migrations/012-domains.sql")),
    (13, "changes of organisations", include_str!("migrations/013-organisation-changes.sql")),
    (14, "tokens of organisations", include_str!("migrations/014-api.sql")),
    (15, "passkeys", include_str!("migrations/015-passkeys.sql")),
    (16, "subscription keys and households", include_str!("migrations/016-subscription-keys.sql")),
];

/// What brings a database to this release. It refuses one that a newer release has been at.
pub(super) fn migrations(dialect: Dialect) -> Migrator {
    let migrations = MIGRATIONS.iter().map(|&(version, about, text)| {
        let text = text
            .replace("BYTES", dialect.bytes)
            .replace("NUMBERED", dialect.numbered)
            .replace("NUMBER", dialect.number)
            .replace(" STRICT;", &format!(" {};", dialect.strict));
        let text = AssertSqlSafe(text).into_sql_str();
        Migration::new(version, about.into(), MigrationType::Simple, text, false)
    });
    Migrator::with_migrations(migrations.collect())
}
