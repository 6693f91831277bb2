//! The inventory, as an administrator searches it: the host looks, page by page, and the command line prints what it finds.

use std::collections::BTreeSet;
use std::time::Duration;

use proto::admin::v1::{ListMachinesRequest, Machine};
use serde_json::Value;
use shared::ids::MachineId;
use shared::policy::Policy;
use world::HostProcess;
use world::asker::{Asker, wire};
use world::shop::ORGANISATION;

use crate::commands::{Done, run_at};
use crate::stage::{Stage, YEAR, an_hour_ago, now, serve};

/// A host that knows so many machines.
async fn host_with(stage: &Stage, machines: usize) -> (HostProcess, Vec<MachineId>) {
    let host = stage.host("host").await;
    let ids = ask_of(&stage.shop, &host, machines).await;
    (host, ids)
}

/// So many machines ask the host; their ids, sorted.
async fn ask_of(shop: &world::Shop, host: &HostProcess, machines: usize) -> Vec<MachineId> {
    let mut wire = wire(host.address()).unwrap();
    let mut ids = Vec::new();
    for _ in 0..machines {
        let mut asker = Asker::new(shop).unwrap();
        asker.ask(&mut wire, now()).await.unwrap();
        ids.push(asker.machine());
    }
    ids.sort();
    ids
}

/// Every page of a search, with an end.
async fn pages(host: &HostProcess, mut request: ListMachinesRequest) -> Vec<Vec<Machine>> {
    let mut admin = host.admin().await.unwrap();
    let mut pages = Vec::new();
    loop {
        let page = admin.list_machines(request.clone()).await.unwrap().into_inner();
        pages.push(page.machines);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return pages;
        }
        assert!(pages.len() < 50, "it never ends");
    }
}

async fn found(host: &HostProcess, request: ListMachinesRequest) -> Vec<String> {
    let pages = pages(host, request).await;
    pages.concat().iter().map(|machine| data_encoding::HEXLOWER.encode(&machine.id)).collect()
}

fn texts(ids: &[MachineId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_search_over_several_pages_finds_everybody_who_is_wanted_once() {
    let stage = Stage::with_threshold(3);
    let (host, ids) = host_with(&stage, 40).await;
    let of_digit =
        |digit: char| -> Vec<_> { texts(&ids).into_iter().filter(|id| id.starts_with(digit)).collect() };
    for digit in "0123456789abcdef".chars() {
        let request = ListMachinesRequest {
            id_prefix: digit.to_string(),
            page_size: 2,
            ..ListMachinesRequest::default()
        };
        let pages = pages(&host, request.clone()).await;
        assert!(pages.iter().all(|page| page.len() <= 2));
        assert_eq!(found(&host, request).await, of_digit(digit), "{digit}");
    }
    for (states, counted, wanted) in [
        (vec!["active"], Some(true), 40),
        (vec!["active", "released"], None, 40),
        (vec!["blocked"], None, 0),
        (vec![], Some(false), 0),
    ] {
        let states = states.into_iter().map(str::to_owned).collect();
        let request = ListMachinesRequest { states, counted, page_size: 7, ..ListMachinesRequest::default() };
        let found: BTreeSet<_> = found(&host, request.clone()).await.into_iter().collect();
        assert_eq!(found.len(), wanted, "{request:?}");
    }
}

#[tokio::test]
async fn a_search_is_narrowed_by_when_a_machine_was_seen_to_the_millisecond() {
    let stage = Stage::with_threshold(3);
    let (host, ids) = host_with(&stage, 1).await;
    let seen_at = crate::stage::machines_of(&host).await[0].seen_at;
    for (seen_since, seen_before, is_found) in
        [(seen_at, 0, true), (seen_at + 1, 0, false), (0, seen_at, false), (0, seen_at + 1, true)]
    {
        let request = ListMachinesRequest { seen_since, seen_before, ..ListMachinesRequest::default() };
        let wanted = if is_found { texts(&ids) } else { Vec::new() };
        assert_eq!(found(&host, request).await, wanted, "{seen_since} {seen_before}");
    }
}

#[tokio::test]
async fn what_cannot_be_searched_for_is_refused_with_what_can() {
    let stage = Stage::with_threshold(3);
    let host = stage.host("host").await;
    let mut admin = host.admin().await.unwrap();
    let states = ListMachinesRequest { states: vec!["asleep".to_owned()], ..ListMachinesRequest::default() };
    let refused = admin.list_machines(states).await.unwrap_err();
    assert!(
        refused.message().contains("active, released, replaced, blocked, damaged"),
        "{}",
        refused.message()
    );
    for id_prefix in ["xyz".to_owned(), "0".repeat(33)] {
        let request = ListMachinesRequest { id_prefix, ..ListMachinesRequest::default() };
        let refused = admin.list_machines(request).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    }
}

/// Two products, of which one is asked for by its name.
#[tokio::test]
async fn machines_of_a_product_are_listed_by_its_name_or_its_id() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let boreas = stage.shop.another_product("Boreas", Policy { threshold: 1, ..Policy::CLIENT }).unwrap();
    boreas.certify(&home, ORGANISATION, an_hour_ago(), YEAR).unwrap();
    let host = serve(&home).await;
    ask_of(&stage.shop, &host, 2).await;
    let ids = ask_of(&boreas, &host, 3).await;

    for name in ["boreas".to_owned(), boreas.product().id.to_string()] {
        let listed = run_at(&home, &["machines", "--product", &name, "--json"]).await;
        assert_eq!(machines_in(&listed), texts(&ids), "{name}");
    }
    // The start of an id is looked for in every product.
    let id = ids[1].to_string();
    let listed = run_at(&home, &["machines", "--id", &id[..12], "--json"]).await;
    assert_eq!(machines_in(&listed), [id]);
    let unknown = run_at(&home, &["machines", "--product", "Corvus"]).await;
    assert_eq!(unknown.code, 65, "{}", unknown.stderr);
    assert!(unknown.stderr.contains("Atlas") && unknown.stderr.contains("Boreas"), "{}", unknown.stderr);
}

fn machines_in(done: &Done) -> Vec<String> {
    assert_eq!(done.code, 0, "{}", done.stderr);
    let json: Value = serde_json::from_str(&done.stdout).unwrap();
    let machines = json["machines"].as_array().unwrap();
    machines.iter().map(|machine| machine["machine"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_inventory_is_printed_for_people_and_for_two_kinds_of_scripts() {
    let stage = Stage::with_threshold(2);
    let (host, ids) = host_with(&stage, 3).await;

    let table = run_at(host.home(), &["machines", "--limit", "2"]).await;
    let lines: Vec<_> = table.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", table.stdout);
    let column = lines[0].find("licensed until").unwrap();
    assert!(lines[1..3].iter().all(|line| line[column - 1..].starts_with(' ')), "{}", table.stdout);
    assert_eq!(lines[3], "2 machines");
    assert!(lines[1].contains(" Atlas ") && !lines[1].contains(&stage.shop.product().id.to_string()));

    let csv = run_at(host.home(), &["machines", "--csv"]).await;
    let mut rows = csv.stdout.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = rows.next().unwrap();
    let rows: Vec<_> = rows.collect();
    assert!(rows.iter().all(|row| row.len() == head.len() && row[3] == "active"), "{}", csv.stdout);
    assert_eq!(rows.iter().map(|row| row[0].to_owned()).collect::<Vec<_>>(), texts(&ids));

    let json = run_at(host.home(), &["machines", "--counted", "--seen-since", "1h", "--json"]).await;
    assert_eq!(machines_in(&json), texts(&ids));
    // A thing has one name in both: JSON only adds the unit of an instant.
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let fields = json["machines"][0].as_object().unwrap().keys();
    let fields: BTreeSet<_> = fields.map(|name| name.trim_end_matches("_ms")).collect();
    assert_eq!(fields, head.into_iter().collect());
    assert_eq!((&json["machines"][0]["product_name"], rows[0][2]), (&"Atlas".into(), "Atlas"));
    let none = run_at(host.home(), &["machines", "--seen-before", "1h", "--json"]).await;
    assert_eq!(machines_in(&none), [] as [String; 0]);
    let both = run_at(host.home(), &["machines", "--counted", "--not-counted"]).await;
    assert_eq!(both.code, 64, "{}", both.stderr);
}

#[tokio::test]
async fn one_machine_is_shown_by_the_start_of_its_id_with_what_was_refused_to_it() {
    let stage = Stage::with_threshold(1);
    // Three whose clocks agree, or the host would doubt its own.
    let (host, _) = host_with(&stage, 3).await;
    let mut wire = wire(host.address()).unwrap();
    let mut asker = Asker::new(&stage.shop).unwrap();
    asker.ask(&mut wire, now()).await.unwrap();
    asker.ask(&mut wire, now() - Duration::from_hours(24)).await.unwrap();
    let id = asker.machine().to_string();

    let shown = run_at(host.home(), &["machine", "show", &id[..8]]).await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    for told in [id.as_str(), "active, counted", "CLOCK_SKEW", "refused since the host was started"] {
        assert!(shown.stdout.contains(told), "no {told}: {}", shown.stdout);
    }
    let json = run_at(host.home(), &["machine", "show", &id, "--product", "Atlas", "--json"]).await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["machine"]["machine"], *id);
    assert_eq!(json["refusals"][0]["code"], "CLOCK_SKEW");

    let by_reason = run_at(host.home(), &["refusals", "--by-reason"]).await;
    assert!(by_reason.stdout.contains("follow a time server"), "the remedy: {}", by_reason.stdout);
    let of_reason = async |code| run_at(host.home(), &["refusals", "--reason", code]).await.stdout;
    assert!(of_reason("clock_skew").await.contains("1 refusal since"));
    assert!(of_reason("COPIED").await.contains("0 refusals since"));
}

#[tokio::test]
async fn a_machine_that_is_unknown_or_not_the_only_one_is_refused_with_what_to_do() {
    let stage = Stage::with_threshold(1);
    // Of 17 machines, two begin with the same digit.
    let (host, ids) = host_with(&stage, 17).await;
    let ids = texts(&ids);
    let twice = ids.windows(2).find(|pair| pair[0][..1] == pair[1][..1]).unwrap();

    let several = run_at(host.home(), &["machine", "show", &twice[0][..1]]).await;
    assert_eq!(several.code, 65, "{}", several.stderr);
    assert!(
        several.stderr.contains("MACHINE_AMBIGUOUS") && several.stderr.contains(&twice[0]),
        "{}",
        several.stderr
    );
    let unknown = run_at(host.home(), &["machine", "show", &"0".repeat(32)]).await;
    assert_eq!(unknown.code, 65, "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("MACHINE_UNKNOWN") && unknown.stderr.contains("kms-host machines"),
        "{}",
        unknown.stderr
    );
    // "With --product only that product's are looked through" told nobody what to do.
    assert!(unknown.stderr.contains("leave it out"), "{}", unknown.stderr);
    let wrong = run_at(host.home(), &["machine", "show", "laptop-7"]).await;
    assert_eq!(wrong.code, 65, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("hexadecimal"), "{}", wrong.stderr);
}

#[tokio::test]
async fn every_certificate_is_shown_with_its_numbers_its_end_and_whether_it_is_used() {
    let stage = Stage::with_threshold(7);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let day = Duration::from_hours(24);
    stage.shop.certify(&home, ORGANISATION, an_hour_ago(), 20 * day).unwrap();
    let host = serve(&home).await;

    let shown = run_at(&home, &["certificates"]).await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    for told in [ORGANISATION, "7 machines in 30 d", "180 d, renewed every 7 d", "2 certificates"] {
        assert!(shown.stdout.contains(told), "no {told}: {}", shown.stdout);
    }
    assert_eq!(shown.stdout.matches("is           in use").count(), 1, "{}", shown.stdout);
    assert_eq!(shown.stdout.matches("not in use: it was issued at").count(), 1, "{}", shown.stdout);
    let json = run_at(host.home(), &["certificates", "--json"]).await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let current: Vec<_> =
        json["certificates"].as_array().unwrap().iter().map(|one| &one["current"]).collect();
    assert_eq!(current.len(), 2);
}
