//! The subject of the faults: an engine of `store`, or a database of the portal.

use std::str::FromStr;

use store::Engine;

/// What is loaded and struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An engine under a host's ledger.
    Engine(Engine),
    /// A portal's database in a file.
    Sqlite,
    /// A portal's database on a server.
    Postgres,
}

impl Subject {
    /// The most acknowledgements to wait for before a fault. A batch of a portal is a dozen asks and several commits.
    pub(crate) fn patience(self) -> u32 {
        match self {
            Subject::Engine(_) => 150,
            Subject::Sqlite | Subject::Postgres => 40,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Subject::Engine(engine) => engine.name(),
            Subject::Sqlite => "sqlite",
            Subject::Postgres => "postgres",
        }
    }
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Subject, String> {
        match text {
            "sqlite" => Ok(Subject::Sqlite),
            "postgres" => Ok(Subject::Postgres),
            _ => match text.parse() {
                Ok(engine) => Ok(Subject::Engine(engine)),
                Err(_) => Err("choose sled, fjall, sqlite or postgres".to_owned()),
            },
        }
    }
}
