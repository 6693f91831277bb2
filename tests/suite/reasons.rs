//! Every reason that a host can give, provoked through the real service: where its story is told, and those that no other
//! part of the suite tells. What is said of a key before anything is sent has its stories among the rules.
//!
//! A reason that is new has no arm in [`told`], and its test fails until somebody has said where it is provoked.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kms_host::home::HOUR_MS;
use kms_host::signer::{KeyInMemory, Signer, SignerError};
use ledger::{Engine, Write, Written, testing};
use proto::v1::{Answer, Signed};
use shared::answer::{AnswerError, Verdict};
use shared::envelope::{Kind, PublicKey};
use shared::inventory::{Change, Changed, Verb};
use shared::reason::{Cause, Explained, Reason};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use world::asker::{Asker, NoAnswer, wire};
use world::shop::ORGANISATION;

use crate::slow::SlowHost;
use crate::stage::{Stage, YEAR, an_hour_ago, now, serve};

/// Who gives a reason, and where that is seen.
enum Told {
    /// A host does; the story is a test of this name in this file.
    ByAHost(&'static str, &'static str),
    /// The rules do, before anything is sent; the story is a test of this name among those of `shared`.
    ByTheRules(&'static str, &'static str),
    /// The client library comes to it by itself; the stories are its own.
    ByTheClient,
    /// The vendor's portal does; the story is a test of this name in this file.
    AtThePortal(&'static str, &'static str),
}

use Told::{AtThePortal, ByAHost, ByTheClient, ByTheRules};

fn told(reason: Reason) -> Told {
    match reason {
        Reason::TooLarge => ByAHost("suite/unsigned.rs", "an_ask_of_more_than_16_kib_is_too_large"),
        Reason::Malformed => ByAHost("suite/unsigned.rs", "garbage_is_malformed"),
        Reason::ProductUnknown => {
            ByAHost("suite/trust.rs", "a_host_of_another_product_says_that_it_does_not_know_this_one")
        }
        Reason::SignatureBad => ByAHost("suite/unsigned.rs", "an_ask_signed_by_another_key_is_refused"),
        Reason::Overloaded => {
            ByAHost("suite/unsigned.rs", "with_a_full_queue_the_host_says_when_to_come_back")
        }
        Reason::LedgerFailed => {
            ByAHost("suite/reasons.rs", "a_host_whose_disk_fails_acknowledges_nothing_and_says_so")
        }
        Reason::LedgerDamaged => {
            ByAHost("suite/damage.rs", "a_machine_on_a_damaged_page_hears_why_and_all_others_are_served")
        }
        Reason::SignerFailed => ByAHost(
            "suite/reasons.rs",
            "a_host_that_cannot_use_its_key_counts_and_says_why_it_does_not_answer",
        ),
        Reason::Stopping => ByAHost("suite/reasons.rs", "a_host_that_stops_sends_machines_to_the_next_one"),
        Reason::HostClock => ByAHost(
            "clocks/host_clock.rs",
            "a_host_that_jumps_a_year_ahead_ages_nobody_and_ends_its_doubt_when_three_machines_agree",
        ),
        Reason::ClockSkew => ByAHost("suite/admin.rs", "refusals_are_listed_newest_first_with_their_cause"),
        Reason::CertificateEnded => {
            ByAHost("suite/trust.rs", "a_host_whose_certificate_has_ended_says_so_and_the_lease_runs_on")
        }
        Reason::CertificateNotBegun => {
            ByAHost("suite/reasons.rs", "a_certificate_for_tomorrow_gives_no_lease_today")
        }
        Reason::ChainNeeded => {
            ByAHost("suite/reasons.rs", "a_lease_of_a_sibling_without_its_chain_is_asked_for_it")
        }
        Reason::Replayed => ByAHost("suite/reasons.rs", "a_recorded_ask_is_refused_and_changes_nothing"),
        Reason::Copied => ByAHost("suite/reasons.rs", "a_copy_that_asks_after_its_original_is_named"),
        Reason::Blocked => ByAHost("suite/reasons.rs", "a_machine_that_was_blocked_is_refused"),
        Reason::TlsRequired => {
            ByAHost("suite/tls.rs", "a_machine_without_tls_hears_that_it_is_required_and_is_not_counted")
        }
        Reason::TlsNotOffered => {
            ByAHost("suite/tls.rs", "a_machine_that_was_told_to_speak_tls_speaks_nothing_else")
        }
        Reason::TlsCertificateBad => ByAHost(
            "suite/tls.rs",
            "a_host_whose_certificate_does_not_hold_is_not_asked_and_the_reason_says_why",
        ),
        Reason::TlsMachineRefused => ByAHost(
            "suite/tls.rs",
            "a_host_that_demands_certificates_of_machines_serves_those_that_its_ca_has_signed",
        ),
        Reason::CountBelowThreshold => {
            ByAHost("suite/threshold.rs", "the_24th_machine_waits_and_the_25th_is_leased")
        }
        Reason::DiskFull => ByAHost(
            "suite/space.rs",
            "with_too_little_space_at_its_start_a_host_serves_refuses_and_takes_up_another_limit_on_sighup",
        ),
        Reason::NewMachinesLimited => {
            ByAHost("suite/fairness.rs", "past_its_limit_a_source_enters_nobody_and_all_others_are_served")
        }
        Reason::TooManyBadAsks => ByAHost(
            "suite/fairness.rs",
            "a_source_of_bad_asks_is_heard_no_more_but_for_the_machines_that_are_known_there",
        ),
        Reason::NotAdministrator => {
            ByAHost("suite/audit.rs", "another_user_is_refused_even_where_the_socket_lets_him_in")
        }
        Reason::AuditUnwritable => ByAHost(
            "suite/audit.rs",
            "a_change_that_cannot_be_written_down_is_refused_and_nothing_is_changed",
        ),
        Reason::MachineUnknown | Reason::MachineAmbiguous => ByAHost(
            "suite/inventory.rs",
            "a_machine_that_is_unknown_or_not_the_only_one_is_refused_with_what_to_do",
        ),
        Reason::MachineBlocked => {
            ByAHost("suite/changes.rs", "a_blocked_machine_is_not_forgotten_for_that_would_let_it_in")
        }
        Reason::KeyMalformed => ByTheRules("key_stories.rs", "a_mistyped_key_names_its_groups_by_number"),
        Reason::KeyNewer => {
            ByTheRules("key_stories.rs", "a_key_of_a_later_version_or_kind_asks_for_an_update")
        }
        Reason::KeyOtherKind | Reason::KeyOtherProduct => {
            ByTheRules("key_stories.rs", "a_key_of_another_product_or_kind_is_told")
        }
        Reason::NoHostKnown
        | Reason::DnsNoRecord
        | Reason::PortalUnreachable
        | Reason::DnsFailed
        | Reason::DnsNotOffered
        | Reason::DnsPortZero
        | Reason::DnsTargetBad
        | Reason::DnsSettingBad
        | Reason::NotTried
        | Reason::HostNameBad
        | Reason::HostsFileBad
        | Reason::HostNameUnknown
        | Reason::HostUnreachable
        | Reason::HostSilent
        | Reason::NotAHost
        | Reason::TlsFilesBad
        | Reason::TlsFailed
        | Reason::Untrusted
        | Reason::OtherOrganisation
        | Reason::AnswerMismatch
        | Reason::AnswerOutOfTime
        | Reason::BeyondLimits
        | Reason::HostRevoked
        | Reason::NewerProtocol
        | Reason::StateUnwritable
        | Reason::StateUnreadable
        | Reason::StateNewer
        | Reason::StateDamaged
        | Reason::IdentityUnreadable
        | Reason::Busy
        | Reason::RekeyLimit
        | Reason::KeyMissing
        | Reason::KeyNotKept
        | Reason::NoPortalKnown
        | Reason::PortalCaBad
        | Reason::PortalCertificateBad
        | Reason::CodesNotTaken
        | Reason::CodeMalformed
        | Reason::CodeNewer
        | Reason::CodeOtherInstallation
        | Reason::CodeKeyOutOfTime
        | Reason::CodeEnded
        | Reason::SignInDenied
        | Reason::SignInExpired => ByTheClient,
        Reason::NotSignedIn | Reason::AccountNotLicensed | Reason::TooManyDevices => AtThePortal(
            "suite/portal/accounts.rs",
            "somebody_signs_in_and_a_machine_hears_why_it_is_not_licensed_any_more",
        ),
        Reason::TooManySignIns => {
            AtThePortal("suite/portal/accounts.rs", "an_address_has_so_many_codes_that_nobody_has_typed")
        }
        Reason::KeyUnknown | Reason::TooManyWrongKeys => AtThePortal(
            "suite/portal.rs",
            "a_key_that_nobody_sold_is_unknown_and_after_a_few_the_address_has_to_wait",
        ),
        Reason::KeyBlocked => AtThePortal(
            "suite/portal.rs",
            "a_blocked_key_says_that_the_seller_is_to_be_asked_until_it_is_unblocked",
        ),
        Reason::Revoked => AtThePortal(
            "suite/portal/revoking.rs",
            "a_revoked_host_fetches_that_by_itself_and_its_machines_keep_their_leases_with_a_notice",
        ),
        Reason::KeyEnded => {
            AtThePortal("clocks/portal.rs", "a_key_activates_until_the_second_before_its_end")
        }
        Reason::KeyExhausted | Reason::ReleasesExhausted | Reason::NotActivatedHere => AtThePortal(
            "suite/portal.rs",
            "a_key_gives_as_many_machines_as_it_grants_and_more_once_it_is_raised",
        ),
        Reason::HostsExhausted | Reason::ActivationsExhausted => {
            AtThePortal("suite/portal.rs", "a_host_key_activates_so_many_hosts_so_many_times")
        }
        Reason::IssuerEnded => AtThePortal(
            "clocks/portal.rs",
            "a_portal_whose_issuing_certificate_has_ended_says_so_until_a_new_one_is_read",
        ),
        Reason::ClockAhead => {
            AtThePortal("clocks/portal.rs", "a_machine_whose_clock_is_ahead_is_told_so_and_takes_no_place")
        }
        Reason::PortalFailed => {
            AtThePortal("suite/portal.rs", "a_portal_whose_disk_fails_acknowledges_nothing_and_ends")
        }
        Reason::TokenUnknown | Reason::TokenEnded | Reason::NotPermitted => AtThePortal(
            "suite/portal/staff.rs",
            "each_role_may_make_its_calls_and_no_other_and_without_a_token_that_holds_there_are_none",
        ),
        Reason::TooManyWrongTokens => AtThePortal(
            "suite/portal/staff.rs",
            "an_address_that_guesses_tokens_has_to_wait_and_the_socket_stays_open",
        ),
        new => panic!("{new} has no story: say who gives it, and where that is told"),
    }
}

#[test]
fn every_reason_that_hosts_or_rules_can_give_has_a_story_that_provokes_it() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    for reason in Reason::ALL {
        let (path, story) = match told(*reason) {
            ByAHost(file, story) | AtThePortal(file, story) => {
                (tests.join(file), format!("async fn {story}() {{"))
            }
            ByTheRules(file, story) => {
                (tests.join("../shared/tests/rules").join(file), format!("\nfn {story}() {{"))
            }
            ByTheClient => continue,
        };
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(&story), "{reason}: {} has no story {story:?}", path.display());
    }
}

/// `explain` knew reasons alone, and commands, logs and the guides showed other codes as well.
#[test]
fn every_code_that_a_command_a_log_or_a_guide_shows_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = [
        "kms-host/src",
        "kms-host/cli",
        "server/src",
        "kms-client",
        "kms-portal/src",
        "kms-portal/cli",
        "kms-vendor/src",
        "shared/src",
        "names/src",
        "docs",
    ];
    let texts: Vec<_> = folders.iter().flat_map(|folder| texts(&root.join(folder))).collect();
    let all = texts.concat();
    // Variables of the environment, names of other protocols and of the system, constants, and codes that tests make up.
    let is_other = |word: &str| {
        let families = ["KMS_", "CARGO_", "ASK_KIND_", "LC_", "POSIX_", "NOTIFY_", "NO_COLOR", "RES_OPTIONS"];
        let statuses = ["FAILED_PRECONDITION", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "PERMISSION_DENIED"];
        let made_up = ["CLOCK_SKEV", "HOST_UNREACHABEL", "SEATS_TAKEN", "EXAMPLE_CAD"];
        families.iter().any(|family| word.starts_with(family))
            || statuses.iter().chain(&made_up).any(|other| *other == word)
            || all.contains(&format!("const {word}:"))
    };
    let is_code = |word: &&str| {
        let letters = |part: &str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_uppercase());
        word.contains('_') && word.split('_').all(letters) && !is_other(word)
    };
    let codes: BTreeSet<_> =
        all.split(['"', '`']).filter(is_code).chain(["LEASE", "WAITING", "RELEASED"]).collect();
    assert!(40 < codes.len(), "{codes:?}");
    let unknown: Vec<_> = codes.into_iter().filter(|code| Explained::typed(code).is_err()).collect();
    assert!(unknown.is_empty(), "`explain` does not know {unknown:?}");
}

/// Every source and every page below a folder.
fn texts(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(texts(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "md") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
    found
}

/// The reason of a status that nobody has signed, and when to come back.
#[track_caller]
pub(crate) fn unsigned(answer: Result<Verdict, NoAnswer>, code: Code) -> (String, Option<Duration>) {
    let Err(NoAnswer::Unsigned(status)) = answer else { panic!("it was answered: {answer:?}") };
    assert_eq!(status.code(), code, "{status:?}");
    let retry = |status: &Status| status.get_details_retry_info().and_then(|retry| retry.retry_delay);
    (status.get_details_error_info().unwrap_or_else(|| panic!("{status:?}")).reason, retry(&status))
}

/// The cause of a refusal that the host has signed.
#[track_caller]
fn refused(answer: Result<Verdict, NoAnswer>) -> Cause {
    match answer {
        Ok(Verdict::Refused(refused)) => refused.cause,
        other => panic!("it was not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_host_whose_disk_fails_acknowledges_nothing_and_says_so() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let host = SlowHost::start(&home, 8).await;
    host.fail();
    let mut wire = wire(host.address).unwrap();
    let mut asker = Asker::new(&stage.shop).unwrap();

    for _ in 0..2 {
        let (reason, retry) = unsigned(asker.ask(&mut wire, now()).await, Code::Unavailable);
        assert_eq!((reason.as_str(), retry), ("LEDGER_FAILED", Some(Duration::from_mins(1))));
    }
    assert!(host.running.queue.fatal().await.is_fatal(), "and the process ends");
}

/// A device that does not answer.
struct LostKey(PublicKey);

#[async_trait]
impl Signer for LostKey {
    fn public_key(&self) -> PublicKey {
        self.0
    }

    async fn sign(&self, _: Kind, _: Bytes) -> Result<Signed, SignerError> {
        Err(SignerError("the device was pulled out".to_owned()))
    }
}

#[tokio::test]
async fn a_host_that_cannot_use_its_key_counts_and_says_why_it_does_not_answer() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let key = KeyInMemory::new(home.signing_key().unwrap()).public_key();
    let host = SlowHost::start_with(&home, 8, Arc::new(LostKey(key))).await;
    host.go_on();
    let answer = Asker::new(&stage.shop).unwrap().ask(&mut wire(host.address).unwrap(), now()).await;
    let (reason, retry) = unsigned(answer, Code::Unavailable);
    assert_eq!((reason.as_str(), retry), ("SIGNER_FAILED", Some(Duration::from_mins(1))));
}

/// Its ledger is closed already, and a connection still stands.
#[tokio::test]
async fn a_host_that_stops_sends_machines_to_the_next_one() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let host = SlowHost::start(&home, 8).await;
    host.go_on();
    let mut wire = wire(host.address).unwrap();
    Asker::new(&stage.shop).unwrap().ask(&mut wire, now()).await.unwrap();
    host.running.queue.close();
    let answer = Asker::new(&stage.shop).unwrap().ask(&mut wire, now()).await;
    let (reason, retry) = unsigned(answer, Code::Unavailable);
    assert_eq!((reason.as_str(), retry), ("STOPPING", Some(Duration::from_mins(1))));
}

#[tokio::test]
async fn a_certificate_for_tomorrow_gives_no_lease_today() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let tomorrow = now() + Duration::from_hours(24);
    stage.shop.certify(&home, ORGANISATION, tomorrow, YEAR).unwrap();
    let host = serve(&home).await;
    let answer = Asker::new(&stage.shop).unwrap().ask(&mut wire(host.address()).unwrap(), now()).await;
    let cause = refused(answer);
    assert_eq!(cause.reason(), Some(Reason::CertificateNotBegun));
    assert_eq!(cause.parameter("not_before"), Some(tomorrow.to_string().as_str()));
    assert_eq!(host.count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_lease_of_a_sibling_without_its_chain_is_asked_for_it() {
    let stage = Stage::with_threshold(2);
    let (host, sibling) = (stage.host("host").await, stage.host("sibling").await);
    let [mut to_host, mut to_sibling] = [&host, &sibling].map(|host| wire(host.address()).unwrap());
    let [mut other, mut asker] = [(); 2].map(|()| Asker::new(&stage.shop).unwrap());
    other.ask(&mut to_host, now()).await.unwrap();
    assert!(matches!(asker.ask(&mut to_host, now()).await, Ok(Verdict::Leased(_))));

    let ask = asker.compose(now());
    let mut request = asker.request(&ask);
    request.held_chain = Bytes::new();
    let answer: Answer = to_sibling.activate(request).await.unwrap().into_inner().answer.unwrap();
    let verdict: Result<_, AnswerError> = asker.judge(&ask, &answer, now());
    assert_eq!(refused(verdict.map_err(NoAnswer::NotOurs)).reason(), Some(Reason::ChainNeeded));
    assert_eq!(sibling.count().await.unwrap(), 0, "nothing was decided yet");

    let lease = asker.ask(&mut to_sibling, now()).await.unwrap();
    assert!(matches!(lease, Verdict::Leased(lease) if lease.count() == 1), "on the sibling's evidence");
}

#[tokio::test]
async fn a_recorded_ask_is_refused_and_changes_nothing() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let mut wire = wire(host.address()).unwrap();
    let mut asker = Asker::new(&stage.shop).unwrap();
    let recorded = asker.compose(now() - Duration::from_secs(2));
    let request = asker.request(&recorded);
    let answer = wire.activate(request.clone()).await.unwrap().into_inner().answer.unwrap();
    asker.judge(&recorded, &answer, now()).unwrap();
    asker.ask(&mut wire, now()).await.unwrap();

    let answer = wire.activate(request).await.unwrap().into_inner().answer.unwrap();
    let verdict = asker.judge(&recorded, &answer, now());
    assert_eq!(refused(verdict.map_err(NoAnswer::NotOurs)).reason(), Some(Reason::Replayed));
    assert!(matches!(asker.ask(&mut wire, now()).await, Ok(Verdict::Leased(_))), "and nobody is accused");
}

#[tokio::test]
async fn a_copy_that_asks_after_its_original_is_named() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let mut wire = wire(host.address()).unwrap();
    let mut original = Asker::new(&stage.shop).unwrap();
    original.ask(&mut wire, now()).await.unwrap();
    let mut copy = original.clone();
    original.ask(&mut wire, now() - Duration::from_secs(2)).await.unwrap();
    let cause = refused(copy.ask(&mut wire, now()).await);
    assert_eq!(cause.reason(), Some(Reason::Copied));
    assert_eq!(host.count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_machine_that_was_blocked_is_refused() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let mut asker = Asker::new(&stage.shop).unwrap();
    asker.ask(&mut wire(host.address()).unwrap(), now()).await.unwrap();
    let home = host.stop().await.unwrap();
    let block =
        Change { product: stage.shop.product().id, machine: asker.machine(), verb: Verb::Block, at: now() };
    let ledger = home.ledger(Engine::Sled, 8 << 20, &|_| {}).unwrap();
    let blocked = testing::write(&*ledger, Write::Change(block)).await.unwrap();
    assert!(matches!(blocked, Written::Changed(Changed::Done(_))));
    drop(ledger);

    let host = serve(&home).await;
    let cause = refused(asker.ask(&mut wire(host.address()).unwrap(), now()).await);
    assert_eq!(cause.reason(), Some(Reason::Blocked));
    assert_eq!(host.count().await.unwrap(), 0);
}
