//! What an administrator sees: over the socket, in the data directory, and through the health check that machines' side has.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use proto::admin::v1::{ListMachinesRequest, ListRefusalsRequest, VerifyRequest};
use proto::v1::ActivateRequest;
use shared::answer::Verdict;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use world::HostProcess;
use world::asker::{Asker, wire};
use world::shop::ORGANISATION;

use crate::stage::{Stage, now};

/// A host that has counted these many machines.
async fn host_with(stage: &Stage, machines: usize) -> (HostProcess, Vec<Asker>) {
    let host = stage.host("host").await;
    let mut wire = wire(host.address()).unwrap();
    let mut askers = Vec::new();
    for _ in 0..machines {
        let mut asker = Asker::new(&stage.shop).unwrap();
        asker.ask(&mut wire, now()).await.unwrap();
        askers.push(asker);
    }
    (host, askers)
}

#[tokio::test]
async fn the_status_tells_what_the_host_is_and_what_it_counts() {
    let stage = Stage::with_threshold(3);
    let (host, _askers) = host_with(&stage, 4).await;

    let status = host.status().await.unwrap();

    assert_eq!((status.host.len(), status.ledger.len(), status.doubt.as_str()), (16, 16, ""));
    assert_eq!(status.listening, [host.address().to_string()]);
    assert!(status.started_at <= status.now && status.now <= now().unix_ms());
    assert_eq!((status.hour_width_ms, status.restored), (3_600_000, None));
    let [product] = &status.products[..] else { panic!("{status:?}") };
    assert_eq!(product.id, stage.shop.product().id.as_bytes()[..]);
    assert_eq!((product.name.as_str(), product.organisation.as_str()), ("Atlas", ORGANISATION));
    assert_eq!((product.count, product.active, product.threshold, product.test), (4, 4, 3, false));
    assert!(0 < product.threshold_met_at && product.not_before < product.not_after);
    let answered: Vec<_> = status.answered.iter().map(|tally| (tally.name.as_str(), tally.times)).collect();
    assert_eq!(answered, [("LEASE", 2), ("WAITING", 2)]);
}

#[tokio::test]
async fn the_inventory_comes_in_pages_and_has_everybody_once() {
    let stage = Stage::with_threshold(3);
    let (host, askers) = host_with(&stage, 5).await;
    let mut admin = host.admin().await.unwrap();
    let (mut seen, mut pages) = (Vec::new(), Vec::new());
    let mut page_token = Bytes::new();
    loop {
        let request = ListMachinesRequest { page_size: 2, page_token, ..ListMachinesRequest::default() };
        let page = admin.list_machines(request).await.unwrap().into_inner();
        pages.push(page.machines.len());
        seen.extend(page.machines);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
        assert!(pages.len() < 5, "it never ends");
    }
    assert_eq!(pages, [2, 2, 1]);
    let asked: BTreeSet<_> = askers.iter().map(|asker| asker.machine().as_bytes().to_vec()).collect();
    assert_eq!(seen.iter().map(|machine| machine.id.to_vec()).collect::<BTreeSet<_>>(), asked);
    assert!(seen.iter().all(|machine| machine.state == "active" && machine.counted && machine.serial == 1));
    assert_eq!(seen.iter().filter(|machine| 0 < machine.licensed_until).count(), 3);

    let others =
        ListMachinesRequest { product: Bytes::from_static(&[7; 16]), ..ListMachinesRequest::default() };
    assert!(admin.list_machines(others).await.unwrap().into_inner().machines.is_empty());
    let wrong =
        ListMachinesRequest { product: Bytes::from_static(b"Atlas"), ..ListMachinesRequest::default() };
    assert_eq!(admin.list_machines(wrong).await.unwrap_err().code(), tonic::Code::InvalidArgument);
}

#[tokio::test]
async fn refusals_are_listed_newest_first_with_their_cause() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let mut wire = wire(host.address()).unwrap();
    wire.activate(ActivateRequest { ask: Some(proto::v1::Signed::default()), ..ActivateRequest::default() })
        .await
        .unwrap_err();
    let yesterday = now() - std::time::Duration::from_hours(24);
    let mut late = Asker::new(&stage.shop).unwrap();
    assert!(matches!(late.ask(&mut wire, yesterday).await, Ok(Verdict::Refused(_))));

    let mut admin = host.admin().await.unwrap();
    let refusals = admin.list_refusals(ListRefusalsRequest::default()).await.unwrap().into_inner().refusals;

    let codes: Vec<_> = refusals.iter().map(|refusal| refusal.code.as_str()).collect();
    assert_eq!(codes, ["CLOCK_SKEW", "MALFORMED"]);
    assert_eq!(refusals[0].machine, late.machine().as_bytes()[..]);
    assert!(refusals[0].text.contains("behind"), "{}", refusals[0].text);
    assert!(refusals[1].machine.is_empty(), "nobody has signed it");
    let one = admin
        .list_refusals(ListRefusalsRequest { page_size: 1, ..ListRefusalsRequest::default() })
        .await
        .unwrap()
        .into_inner()
        .refusals;
    assert_eq!(one.len(), 1);
}

#[tokio::test]
async fn verify_counts_again_and_finds_the_same() {
    let stage = Stage::with_threshold(3);
    let (host, _askers) = host_with(&stage, 7).await;
    let verified = host.admin().await.unwrap().verify(VerifyRequest {}).await.unwrap().into_inner();
    assert_eq!((verified.records, verified.damaged, verified.products.len()), (7, 0, 1));
    let product = &verified.products[0];
    assert_eq!([product.count, product.recounted, product.active, product.active_found], [7; 4]);
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn nobody_but_its_owner_may_ask_or_look_at_the_key() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let home = host.home();
    assert_eq!(mode(home.path()), 0o700);
    assert_eq!(mode(&home.socket_path()), 0o600);
    assert_eq!(mode(&home.path().join("signing.key")), 0o600);
}

async fn check_serving(channel: Channel, service: &str) {
    for service in ["", service] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let health = HealthClient::new(channel.clone()).check(request).await.unwrap().into_inner();
        assert_eq!(health.status(), ServingStatus::Serving, "{service:?}");
    }
}

#[tokio::test]
async fn both_sides_have_a_health_check() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let machines = Endpoint::from_shared(format!("http://{}", host.address())).unwrap();
    check_serving(machines.connect().await.unwrap(), "kms.v1.ActivationService").await;
    check_serving(socket(&host).await, "kms.admin.v1.AdminService").await;
}

#[tokio::test]
async fn the_socket_says_what_may_be_asked_there() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(socket(&host).await);
    let mut answers =
        reflection.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(listed)) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = listed.service.iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&"kms.admin.v1.AdminService"), "{names:?}");
}

/// A channel over the host's socket, as any gRPC tool would open one.
async fn socket(host: &HostProcess) -> Channel {
    let address = format!("unix:{}", host.home().socket_path().display());
    Endpoint::from_shared(address).unwrap().connect().await.unwrap()
}
