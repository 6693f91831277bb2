//! More than a source may bring: new machines past the limit, bad asks without end, and what the administrator sees of both.
//!
//! Addresses of 127.0.0.0/8 stand for sources. Stories that need a clock to be moved are in `tests/clocks/newcomers.rs`, the
//! rules beside `shared::fair` and `shared::count`, and SIGHUP in `settings`.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proto::admin::v1::{Alarm, ListSourcesRequest, Source, VerifyRequest};
use proto::v1::{ActivateRequest, Answer, ReleaseRequest, Signed};
use shared::answer::Verdict;
use shared::ask::{Ask, AskKind};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use world::asker::{Asker, Wire, wire_from};
use world::{HostProcess, Shop};

use crate::commands::run;
use crate::stage::{Stage, an_hour_ago, answered, now, serve};

const ONE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ANOTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A host with these settings, and the way to it from either source.
async fn host_with(stage: &Stage, settings: &str) -> (HostProcess, Wire, Wire) {
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    std::fs::write(home.path().join("kms-host.toml"), settings).unwrap();
    let host = serve(&home).await;
    let [one, another] = [ONE, ANOTHER].map(|from| wire_from(from, host.address()).unwrap());
    (host, one, another)
}

/// A new machine, and what it is told: `LEASE`, `WAITING`, or the code of a refusal.
async fn newcomer(shop: &Shop, wire: &mut Wire) -> (Asker, String) {
    let mut asker = Asker::new(shop).unwrap();
    let told = asks(&mut asker, wire).await;
    (asker, told)
}

async fn asks(asker: &mut Asker, wire: &mut Wire) -> String {
    told(&asker.ask(wire, now()).await.unwrap())
}

fn told(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Leased(_) => "LEASE".to_owned(),
        Verdict::Waiting(_) => "WAITING".to_owned(),
        Verdict::Refused(refused) => refused.cause.to_string(),
        Verdict::Released(_) => "RELEASED".to_owned(),
    }
}

async fn alarm(host: &HostProcess, code: &str) -> Option<Alarm> {
    host.status().await.unwrap().alarms.into_iter().find(|alarm| alarm.code == code)
}

/// What the host has seen of this source.
async fn source(host: &HostProcess, name: IpAddr) -> Source {
    let request = ListSourcesRequest { page_size: 0 };
    let found = host.admin().await.unwrap().list_sources(request).await.unwrap().into_inner();
    found.sources.into_iter().find(|source| source.source == name.to_string()).unwrap_or_default()
}

fn told_in_the_log(host: &HostProcess, what: &str) -> usize {
    let log = std::fs::read_to_string(host.home().path().with_extension("log")).unwrap();
    log.lines().filter(|line| line.contains("WARN") && line.contains(what)).count()
}

#[tokio::test]
async fn past_its_limit_a_source_enters_nobody_and_all_others_are_served() {
    let stage = Stage::with_threshold(1);
    let (host, mut one, mut another) = host_with(&stage, "new_machines_per_source = 3").await;
    let mut known = Vec::new();
    for _ in 0..3 {
        let (asker, told) = newcomer(&stage.shop, &mut one).await;
        assert_eq!(told, "LEASE");
        known.push(asker);
    }

    for _ in 0..2 {
        let told = newcomer(&stage.shop, &mut one).await.1;
        assert!(
            told.starts_with("NEW_MACHINES_LIMITED: ") && told.contains("more than 3 in a day"),
            "{told}"
        );
        assert!(told.contains("this machine's address"), "{told}");
    }
    for asker in &mut known {
        assert_eq!(asks(asker, &mut one).await, "LEASE", "who is known is served");
    }
    assert_eq!(newcomer(&stage.shop, &mut another).await.1, "LEASE", "and so is another source");

    let verified = host.admin().await.unwrap().verify(VerifyRequest {}).await.unwrap().into_inner();
    assert_eq!((verified.records, verified.products[0].count), (4, 4), "of the refused there is no trace");
    let alarm = alarm(&host, "NEW_MACHINES_LIMITED").await.unwrap();
    assert!(alarm.text.contains("2 from 127.0.0.1") && alarm.text.contains("is 3 a day"), "{}", alarm.text);
    assert!(alarm.remedy.contains("raise `new_machines_per_source`") && 0 < alarm.since);
    assert_eq!(told_in_the_log(&host, "new machines are refused"), 1, "when it began");
    let seen = source(&host, ONE).await;
    assert_eq!((seen.new, seen.new_today, seen.asks, seen.new_refused), (3, 3, 8, 2), "{seen:?}");
}

#[tokio::test]
async fn past_the_limit_of_the_site_no_source_enters_anybody() {
    let stage = Stage::with_threshold(1);
    let (host, mut one, mut another) = host_with(&stage, "new_machines_per_site = 2").await;
    let mut known = newcomer(&stage.shop, &mut one).await.0;
    assert_eq!(newcomer(&stage.shop, &mut another).await.1, "LEASE");
    for wire in [&mut one, &mut another] {
        let told = newcomer(&stage.shop, wire).await.1;
        assert!(told.contains("new machines came from this whole site, more than 2 in a day"), "{told}");
    }
    assert_eq!(asks(&mut known, &mut another).await, "LEASE", "it may come from anywhere");
    let alarm = alarm(&host, "NEW_MACHINES_LIMITED").await.unwrap();
    assert!(alarm.text.contains("`new_machines_per_site` is 2"), "{}", alarm.text);
}

/// Two addresses had brought as many as the site may, and a third could enter nobody for the rest of the day.
#[tokio::test]
async fn the_first_machine_of_an_address_is_entered_though_others_have_used_up_the_day() {
    let stage = Stage::with_threshold(1);
    let (host, mut one, mut another) = host_with(&stage, "new_machines_per_site = 2").await;
    for _ in 0..3 {
        newcomer(&stage.shop, &mut one).await;
    }
    assert_eq!(newcomer(&stage.shop, &mut another).await.1, "LEASE");
    let told = newcomer(&stage.shop, &mut another).await.1;
    assert!(told.contains("new machines came from this whole site, more than 2 in a day"), "{told}");
    assert_eq!(host.count().await.unwrap(), 3);
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}")).reason
}

async fn garbage(wire: &mut Wire) -> Status {
    let ask = Some(Signed { payload: b"noise".as_slice().into(), ..Signed::default() });
    wire.activate(ActivateRequest { ask, ..ActivateRequest::default() }).await.unwrap_err()
}

#[tokio::test]
async fn a_source_of_bad_asks_is_heard_no_more_but_for_the_machines_that_are_known_there() {
    let stage = Stage::with_threshold(1);
    let (host, mut one, mut another) = host_with(&stage, "bad_asks_per_source = 1").await;
    let mut known = newcomer(&stage.shop, &mut one).await.0;
    assert_eq!(reason(&garbage(&mut one).await), "MALFORMED");

    for _ in 0..3 {
        let status = garbage(&mut one).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "TOO_MANY_BAD_ASKS"));
        assert!(status.message().contains("more than 1 a minute"), "{}", status.message());
        let retry = status.get_details_retry_info().unwrap().retry_delay;
        assert_eq!(retry, Some(Duration::from_mins(15)));
    }
    let mut new = Asker::new(&stage.shop).unwrap();
    assert!(new.ask(&mut one, now()).await.is_err(), "nobody vouches for it there");
    assert_eq!(asks(&mut known, &mut one).await, "LEASE");
    assert_eq!(asks(&mut new, &mut another).await, "LEASE", "another source is not to blame");

    let alarm = alarm(&host, "TOO_MANY_BAD_ASKS").await.unwrap();
    assert!(alarm.text.contains("4 from 127.0.0.1"), "{}", alarm.text);
    assert_eq!(told_in_the_log(&host, "too many bad asks"), 1, "when it began");
    assert_eq!(answered(&host, "TOO_MANY_BAD_ASKS").await, 4);
    assert_eq!((source(&host, ONE).await.unheard, source(&host, ANOTHER).await.unheard), (4, 0));
    assert_eq!(
        (source(&host, ONE).await.bad, source(&host, ANOTHER).await.bad),
        (1, 0),
        "that one was heard"
    );
}

/// One recorded ask of a known machine had been answered with 48,200 leases in 8 seconds, and no limit held.
#[tokio::test]
async fn a_recorded_ask_is_answered_once_and_heard_no_more_past_the_limit() {
    let stage = Stage::with_threshold(1);
    let (host, mut one, mut another) = host_with(&stage, "bad_asks_per_source = 2").await;
    let mut known = newcomer(&stage.shop, &mut one).await.0;
    let ask = known.compose(now());
    let recorded = known.request(&ask);
    let answer = one.activate(recorded.clone()).await.unwrap().into_inner().answer.unwrap();
    assert!(matches!(known.judge(&ask, &answer, now()), Ok(Verdict::Leased(_))));
    for _ in 0..2 {
        let answer = another.activate(recorded.clone()).await.unwrap().into_inner().answer.unwrap();
        let Ok(Verdict::Refused(refused)) = known.clone().judge(&ask, &answer, now()) else {
            panic!("it was answered again")
        };
        assert_eq!(refused.cause.code, "REPLAYED");
    }
    for _ in 0..3 {
        let status = another.activate(recorded.clone()).await.unwrap_err();
        assert_eq!(reason(&status), "TOO_MANY_BAD_ASKS");
    }
    assert_eq!(asks(&mut known, &mut another).await, "LEASE", "the machine itself is heard from there, too");
    assert_eq!(answered(&host, "LEASE").await, 3);
}

/// Not every answer leaves a mark in a record. Those asks, too, are answered once, and count as bad when they are sent again.
#[tokio::test]
async fn an_ask_that_no_record_tells_of_is_answered_once() {
    let stage = Stage::with_threshold(1);
    let limits = "bad_asks_per_source = 2\nnew_machines_per_source = 1";
    let (host, mut one, _) = host_with(&stage, limits).await;
    let mut copied = newcomer(&stage.shop, &mut one).await.0;
    let mut copy = copied.clone();
    asks(&mut copied, &mut one).await;
    let [mut without_state, mut leaves] = [(); 2].map(|()| Asker::new(&stage.shop).unwrap());
    let asks = [
        ("LEASE", Ask { kept: false, ..without_state.compose(now()) }, without_state),
        ("RELEASED", Ask { kind: AskKind::Release, ..leaves.compose(now()) }, leaves),
        ("COPIED", copy.compose(now()), copy),
    ];
    for (number, (first, ask, mut asker)) in (2..).zip(asks) {
        // Each from a source of its own, where no machine and no bad ask has come from, and no room is left for a new machine.
        let mut wire = wire_from(Ipv4Addr::new(127, 0, 0, number).into(), host.address()).unwrap();
        newcomer(&stage.shop, &mut wire).await;
        for expected in [first, "REPLAYED", "REPLAYED"] {
            let answer = send(&asker, &ask, &mut wire).await.unwrap();
            let told = told(&asker.judge(&ask, &answer, now()).unwrap());
            assert!(told.starts_with(expected), "{told}, and not {expected}");
        }
        assert_eq!(reason(&send(&asker, &ask, &mut wire).await.unwrap_err()), "TOO_MANY_BAD_ASKS");
        let again = Ask { asked_at: ask.asked_at + Duration::from_millis(1), ..ask };
        let answer = send(&asker, &again, &mut one).await.unwrap();
        assert!(
            told(&asker.judge(&again, &answer, now()).unwrap()).starts_with(first),
            "the machine itself asks again"
        );
    }
}

async fn send(asker: &Asker, ask: &Ask, wire: &mut Wire) -> Result<Answer, Status> {
    let request = asker.request(ask);
    let answer = match ask.kind {
        AskKind::Activate => wire.activate(request).await?.into_inner().answer,
        AskKind::Release => wire.release(ReleaseRequest { ask: request.ask }).await?.into_inner().answer,
    };
    Ok(answer.expect("a host that answers gives an answer"))
}

#[tokio::test]
async fn a_machine_that_claims_to_be_known_has_to_sign_for_it() {
    let stage = Stage::with_threshold(1);
    let (host, mut one, _) = host_with(&stage, "bad_asks_per_source = 1").await;
    let mut known = newcomer(&stage.shop, &mut one).await.0;
    garbage(&mut one).await;
    let ask = known.compose(now());
    let mut request = known.request(&ask);
    if let Some(signed) = &mut request.ask {
        signed.signature = vec![7; 64].into();
    }
    assert_eq!(reason(&one.activate(request).await.unwrap_err()), "SIGNATURE_BAD");
    assert_eq!(host.count().await.unwrap(), 1);
}

#[tokio::test]
async fn bad_asks_of_the_whole_site_are_limited_as_well() {
    let stage = Stage::with_threshold(1);
    let (_host, mut one, mut another) = host_with(&stage, "bad_asks_per_site = 1").await;
    let mut known = newcomer(&stage.shop, &mut one).await.0;
    assert_eq!(reason(&garbage(&mut one).await), "MALFORMED");
    let status = garbage(&mut another).await;
    assert_eq!(reason(&status), "TOO_MANY_BAD_ASKS");
    assert!(status.message().contains("this whole site"), "{}", status.message());
    assert_eq!(asks(&mut known, &mut another).await, "LEASE");
}

#[tokio::test]
async fn new_machines_that_would_decide_the_count_are_told_of_once_and_shown_until_others_come() {
    const ALARM: &str = "NEW_MACHINES_OF_ONE_SOURCE";
    let stage = Stage::with_threshold(5);
    let (host, mut one, mut another) = host_with(&stage, "").await;
    for number in 1..=6 {
        newcomer(&stage.shop, &mut one).await;
        assert_eq!(alarm(&host, ALARM).await.is_some(), 5 <= number, "after {number}");
    }
    let shown = alarm(&host, ALARM).await.unwrap();
    let told = ["Atlas counts 6 machines", "needs 5", "6 of them", "all from 127.0.0.1"];
    assert!(told.iter().all(|words| shown.text.contains(words)), "{}", shown.text);
    for _ in 0..6 {
        newcomer(&stage.shop, &mut another).await;
    }
    assert_eq!(alarm(&host, ALARM).await, None, "half and half, and either half would do");
    assert_eq!(told_in_the_log(&host, "source=127.0.0.1"), 1, "when it began");
}

#[tokio::test]
async fn the_command_shows_the_largest_source_first_and_the_limits() {
    let stage = Stage::with_threshold(1);
    let (host, mut one, mut another) = host_with(&stage, "new_machines_per_site = 0").await;
    newcomer(&stage.shop, &mut one).await;
    for _ in 0..2 {
        newcomer(&stage.shop, &mut another).await;
    }
    let data = host.home().path().display().to_string();
    let shown = run(&["sources", "--data", &data]).await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let lines: Vec<Vec<&str>> = shown.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1][..4], ["127.0.0.2", "2", "2", "2"], "{}", shown.stdout);
    assert_eq!(lines[2][..4], ["127.0.0.1", "1", "1", "1"], "{}", shown.stdout);
    assert!(shown.stdout.contains("10000 a day for one source, any number for all"), "{}", shown.stdout);

    let shown = run(&["sources", "--json", "--data", &data]).await;
    let json: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(json["sources"][0]["source"], "127.0.0.2");
    assert_eq!((&json["sources"][0]["new_today"], &json["total"]), (&2.into(), &2.into()));
    assert_eq!(json["limits"]["new_machines_per_site"], 0);
}
