//! Proofs of domains: a token is drawn, name servers are asked, and what was found is noted.
//!
//! The servers that are responsible for a domain are asked themselves (`names::Authorities`). One record that answers is enough, at one of
//! them: the others may lag behind. If none answers, nothing is noted. [`keep_looking`] looks at whatever is due, as long as the portal
//! runs.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use kms_portal_rules::domains::{Contest, ProofStanding, Scope, answers};
use names::AuthorityAnswer;
use shared::ids::OrganisationId;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::PortalCore;
use crate::db::{Actor, DbError, DomainRefused, DueLook, LookNoted, OwnDomain};

/// How often it is seen what is due.
const EVERY: Duration = Duration::from_secs(30);

/// How many domains are looked at at once.
const AT_ONCE: u32 = 16;

/// What somebody who waits for a look is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// It was looked at a moment ago, or there is nothing to look for.
    JustNow,
    /// What it has changed.
    Noted(LookNoted),
    /// No name server has answered; the texts say why.
    Unanswered(Vec<String>),
    /// The name servers have records at this name, but not the right one.
    OtherRecords(Vec<String>),
    /// The record stands at this name, which has the domain twice: the provider adds it by itself.
    DomainTwice(String),
}

/// Begins to prove a domain.
///
/// # Errors
/// The database has failed.
pub async fn begin(
    portal: &PortalCore,
    organisation: OrganisationId,
    domain: &str,
    scope: Scope,
    actor: Actor,
) -> Result<Result<OwnDomain, DomainRefused>, DbError> {
    let token = BASE32_NOPAD.encode(&rand::random::<[u8; 16]>()).to_ascii_lowercase();
    portal.db.begin_domain(organisation, domain.to_owned(), scope, token, actor).await
}

/// Looks at a domain now, for somebody who waits.
///
/// # Errors
/// The database has failed.
pub async fn look_now(
    portal: &PortalCore,
    organisation: OrganisationId,
    domain: &str,
    actor: Actor,
) -> Result<Result<Looked, DomainRefused>, DbError> {
    let looks = match portal.db.take_look(organisation, domain.to_owned(), actor).await? {
        Ok(looks) => looks,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut last = Looked::JustNow;
    for due in looks {
        let (token, twice) = (due.token.clone(), format!("{}.{domain}", name_of(&due)));
        last = look(portal, due).await?;
        match &last {
            Looked::Noted(LookNoted::Proved | LookNoted::TookOver(_)) => break,
            Looked::Noted(LookNoted::Waits) => {
                let (texts, _) = ask(portal, &twice).await;
                if answers(&token, texts.iter().flatten().map(String::as_str)) {
                    last = Looked::DomainTwice(twice);
                }
            }
            _ => {}
        }
    }
    Ok(Ok(last))
}

/// The name at which the record stands.
fn name_of(look: &DueLook) -> String {
    format!("{}.{}", look.scope.label(), look.domain)
}

/// The records at a name, from each server that has answered, and why others have not.
async fn ask(portal: &PortalCore, name: &str) -> (Vec<Vec<String>>, Vec<String>) {
    let (mut texts, mut faults) = (Vec::new(), Vec::new());
    match portal.authorities.texts(name).await {
        Ok(said) => {
            for AuthorityAnswer { server, texts: found } in said {
                match found {
                    Ok(found) => texts.push(found),
                    Err(cause) => faults.push(format!("{server}: {cause}")),
                }
            }
        }
        Err(cause) => faults.push(cause),
    }
    (texts, faults)
}

async fn look(portal: &PortalCore, due: DueLook) -> Result<Looked, DbError> {
    let (said, faults) = ask(portal, &name_of(&due)).await;
    if said.is_empty() {
        tracing::info!(domain = due.domain, ?faults, "no name server has answered for a domain");
        return Ok(Looked::Unanswered(faults));
    }
    let mut texts = said.concat();
    let found = answers(&due.token, texts.iter().map(String::as_str));
    let domain = due.domain.clone();
    let noted = portal.db.note_look(due, found, portal.clock.now()).await?;
    match &noted {
        LookNoted::Waits if !texts.is_empty() => {
            texts.sort();
            texts.dedup();
            return Ok(Looked::OtherRecords(texts));
        }
        LookNoted::Proved | LookNoted::TookOver(_) => {
            tracing::info!(domain, ?noted, "a domain was proved");
        }
        LookNoted::Contested(Contest::ToStaff) => tracing::warn!(
            domain,
            "two organisations have proved a domain; find out whose it is, then decide"
        ),
        LookNoted::Holds(standing @ (ProofStanding::Doubtful { .. } | ProofStanding::Lapsed)) => {
            tracing::info!(domain, ?standing, "the record of a domain is missing");
        }
        _ => {}
    }
    Ok(Looked::Noted(noted))
}

/// Looks at whatever is due, once.
///
/// # Errors
/// The database has failed.
pub async fn look_at_due(portal: &Arc<PortalCore>) -> Result<usize, DbError> {
    let due = portal.db.take_due_looks(portal.clock.now(), AT_ONCE).await?;
    let looks = due.len();
    let mut running = JoinSet::new();
    for due in due {
        let portal = portal.clone();
        running.spawn(async move { look(&portal, due).await });
    }
    for looked in running.join_all().await {
        looked?;
    }
    Ok(looks)
}

/// Looks at whatever is due until the portal stops. A look that is under way then is given up: nothing of it is noted.
pub async fn keep_looking(portal: Arc<PortalCore>, stopped: CancellationToken) {
    let looking = async {
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = look_at_due(&portal).await {
                portal.failed_at(error);
            }
        }
    };
    stopped.run_until_cancelled(looking).await;
}
