//! TXT records of a name, asked at the servers that are responsible for it.
//!
//! A resolver keeps answers, also that there is none, so a record that was just added may not show there for hours. Here the resolver
//! only says which servers are responsible for a name (NS) and where they are; each of them is asked itself, without recursion, and only
//! what it is responsible for counts. An alias (CNAME) leads to other servers, which are asked in the same way.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RData, RecordType};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::answer::{self, NameAnswer};
use crate::servers::Servers;
use crate::settings::{PORT, ResolverSettings};
use crate::{NoRecords, addresses_of, parse, typed};

/// How long all of it may take: somebody may wait for it.
const LIMIT: Duration = Duration::from_secs(30);

/// How long one server may take, with all its addresses.
const LIMIT_PER_SERVER: Duration = Duration::from_secs(8);

/// How many aliases are followed, and how many servers of one zone are asked. Zones have 13 at most; the rest would say the same.
const ALIASES_FOLLOWED: usize = 8;
const SERVERS_ASKED: usize = 8;

/// The addresses of one server that are tried.
const ADDRESSES_TRIED: usize = 4;

/// Where a server at this address is asked.
type AskedAt = Arc<dyn Fn(IpAddr) -> SocketAddr + Send + Sync>;

/// Asks the servers that are responsible for a name.
#[derive(Clone)]
pub struct Authorities {
    resolver: Option<SocketAddr>,
    asked_at: AskedAt,
}

/// What one server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityAnswer {
    /// Its name, without the dot at the end.
    pub server: String,
    /// Its TXT records, the strings of each joined, or why there is no answer.
    pub texts: Result<Vec<String>, String>,
}

impl Authorities {
    /// As the machine's own resolver finds them, at port 53.
    pub fn system() -> Authorities {
        Authorities { resolver: None, asked_at: Arc::new(|address| SocketAddr::from((address, PORT))) }
    }

    /// As this resolver finds them, and where this function says: for tests, which have no port 53.
    pub fn new(
        resolver: SocketAddr,
        asked_at: impl Fn(IpAddr) -> SocketAddr + Send + Sync + 'static,
    ) -> Authorities {
        Authorities { resolver: Some(resolver), asked_at: Arc::new(asked_at) }
    }

    /// The TXT records of a name at each server that is responsible for it.
    ///
    /// # Errors
    /// The servers are not found; the text says why.
    pub async fn texts(&self, name: &str) -> Result<Vec<AuthorityAnswer>, String> {
        let name = parse(name).map_err(|error| error.to_string())?;
        let asked = timeout(LIMIT, self.ask(name)).await;
        asked.unwrap_or_else(|_| Err(format!("no answer in {} s", LIMIT.as_secs())))
    }

    async fn ask(&self, name: Name) -> Result<Vec<AuthorityAnswer>, String> {
        let resolver = Arc::new(Servers::of(&ResolverSettings::read(), self.resolver));
        let (mut names, mut answers) = (vec![name], Vec::new());
        let mut next = 0;
        while let Some(name) = names.get(next).cloned() {
            next += 1;
            for (server, said) in self.ask_all(&resolver, &name).await? {
                let texts = match said {
                    Ok(NameAnswer::Records(records)) => Ok(records.iter().filter_map(text).collect()),
                    Ok(NameAnswer::Missing(_)) => Ok(Vec::new()),
                    Ok(NameAnswer::Alias(alias))
                        if names.contains(&alias) && names.last() != Some(&alias) =>
                    {
                        Err("its aliases lead in a circle".to_owned())
                    }
                    Ok(NameAnswer::Alias(_)) if ALIASES_FOLLOWED < names.len() => {
                        Err(format!("it has more than {ALIASES_FOLLOWED} aliases"))
                    }
                    Ok(NameAnswer::Alias(alias)) => {
                        if !names.contains(&alias) {
                            names.push(alias);
                        }
                        continue;
                    }
                    Ok(NameAnswer::Circle) => Err("its aliases lead in a circle".to_owned()),
                    Err(cause) => Err(cause),
                };
                answers.push(AuthorityAnswer { server, texts });
            }
        }
        Ok(answers)
    }

    /// Asks the servers of the zone that the name is in, all at once.
    async fn ask_all(
        &self,
        resolver: &Arc<Servers>,
        name: &Name,
    ) -> Result<Vec<(String, Result<NameAnswer, String>)>, String> {
        let mut running = JoinSet::new();
        for server in servers_of(resolver, name).await? {
            let (asked_at, resolver, name) = (self.asked_at.clone(), resolver.clone(), name.clone());
            running.spawn(async move {
                let asked = timeout(LIMIT_PER_SERVER, ask_one(&asked_at, &resolver, &server, &name)).await;
                let limit = || Err(format!("no answer in {} s", LIMIT_PER_SERVER.as_secs()));
                (typed(&server).trim_end_matches('.').to_owned(), asked.unwrap_or_else(|_| limit()))
            });
        }
        let mut said = running.join_all().await;
        said.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(said)
    }
}

/// The servers of the zone that a name is in: those of the nearest name that has any.
async fn servers_of(resolver: &Servers, name: &Name) -> Result<Vec<Name>, String> {
    let mut zone = name.clone();
    let mut none = "no name server is responsible for it".to_owned();
    while !zone.is_root() {
        let answers = match resolver.ask(&zone, RecordType::NS).await {
            Ok(answer) => answer.answers,
            // Some servers fail where they are asked for such records of a name that is no zone. The zone above tells more.
            Err(cause) => {
                none = cause;
                Vec::new()
            }
        };
        let of_zone = answers.iter().filter(|record| record.name == zone);
        let servers = of_zone.filter_map(|record| match &record.data {
            RData::NS(server) => Some(server.0.clone()),
            _ => None,
        });
        let mut servers: Vec<_> = servers.collect();
        if !servers.is_empty() {
            servers.sort();
            servers.truncate(SERVERS_ASKED);
            return Ok(servers);
        }
        zone = zone.base_name();
    }
    Err(none)
}

/// What one server says, at the first of its addresses that answers.
async fn ask_one(
    asked_at: &AskedAt,
    resolver: &Arc<Servers>,
    server: &Name,
    name: &Name,
) -> Result<NameAnswer, String> {
    let addresses = addresses_of(resolver, server.clone()).await.map_err(|none| match none {
        NoRecords::Missing(_) => "it has no address".to_owned(),
        NoRecords::Unknown(cause) => cause,
    })?;
    let mut failed = Vec::new();
    // IPv4 first: many machines have no way to IPv6.
    for address in addresses.into_iter().rev().take(ADDRESSES_TRIED) {
        match Servers::responsible(asked_at(address)).ask(name, RecordType::TXT).await {
            Ok(answer) => return Ok(answer::read(&answer, name, RecordType::TXT)),
            Err(cause) => failed.push(cause),
        }
    }
    Err(failed.join("; "))
}

/// The strings of a record, joined (RFC 7208, 3.3).
fn text(record: &RData) -> Option<String> {
    let RData::TXT(text) = record else { return None };
    Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned())
}
