//! What a host cannot sign for: a gRPC status with the reason in `google.rpc.ErrorInfo`, and nothing counted.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use prost::Message as _;
use proto::admin::v1::VerifyRequest;
use proto::v1::{ActivateRequest, Signed};
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::client::GrpcService as _;
use tonic::codegen::http::{self, Response};
use tonic::transport::Endpoint;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use world::HostProcess;
use world::asker::{Asker, NoAnswer, wire};

use crate::slow::SlowHost;
use crate::stage::{Stage, an_hour_ago, answered, machines_of, now, serve};

async fn refused(host: &HostProcess, request: ActivateRequest) -> Status {
    wire(host.address()).unwrap().activate(request).await.unwrap_err()
}

fn reason(status: &Status) -> String {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "kms");
    info.reason
}

/// An ask that would be counted as it is, to be spoilt.
fn good_request(stage: &Stage) -> ActivateRequest {
    let mut asker = Asker::new(&stage.shop).unwrap();
    let ask = asker.compose(now());
    asker.request(&ask)
}

async fn check_nothing_counted(host: &HostProcess) {
    let verified = host.admin().await.unwrap().verify(VerifyRequest {}).await.unwrap().into_inner();
    assert_eq!((verified.records, verified.products[0].count), (0, 0));
    assert!(machines_of(host).await.is_empty());
}

#[tokio::test]
async fn garbage_is_malformed() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let good = good_request(&stage).ask.unwrap();
    let truncated = Signed { payload: good.payload.slice(..good.payload.len() / 2), ..good.clone() };
    let noise = Signed { payload: Bytes::from_static(b"\xff\xfe noise"), ..good };
    for ask in [None, Some(truncated), Some(noise)] {
        let status = refused(&host, ActivateRequest { ask, ..ActivateRequest::default() }).await;
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, "MALFORMED"),
            "{status:?}"
        );
    }
    check_nothing_counted(&host).await;
    assert!(2 <= answered(&host, "MALFORMED").await, "an administrator can see it");
}

#[tokio::test]
async fn an_ask_of_more_than_16_kib_is_too_large() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let large = |held_chain_bytes| ActivateRequest {
        held_chain: vec![0; held_chain_bytes].into(),
        ..good_request(&stage)
    };
    // One that is read, and one that nobody reads to its end.
    for bytes in [16 * 1024, 1 << 20] {
        let status = refused(&host, large(bytes)).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "TOO_LARGE"));
        assert!(status.message().contains("16384"), "{}", status.message());
    }
    check_nothing_counted(&host).await;
}

/// What the host says to this body of a call, after its headers.
async fn raw(host: &HostProcess, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Response<Body> {
    let endpoint = Endpoint::from_shared(format!("http://{}", host.address())).unwrap();
    let mut channel = endpoint.connect().await.unwrap();
    let request = http::Request::builder()
        .method(method)
        .uri(format!("http://host{path}"))
        .header("content-type", kind)
        .header("te", "trailers")
        .body(Body::new(Full::new(Bytes::from(body))))
        .unwrap();
    std::future::poll_fn(|cx| channel.poll_ready(cx)).await.unwrap();
    channel.call(request).await.unwrap()
}

/// A message as gRPC has it: whether it is compressed, its length, itself.
fn message(compressed: u8, length: usize, bytes: &[u8]) -> Vec<u8> {
    [&[compressed], &u32::try_from(length).unwrap().to_be_bytes()[..], bytes].concat()
}

/// Some of it was an internal error without a reason, and none of it counted as bad.
#[tokio::test]
async fn what_is_no_ask_is_malformed_or_too_large_and_counts_as_bad() {
    const ACTIVATE: &str = "/kms.v1.ActivationService/Activate";
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    std::fs::write(home.path().join("kms-host.toml"), "bad_asks_per_source = 8").unwrap();
    let host = serve(&home).await;
    let good = good_request(&stage).encode_to_vec();
    // A field of the number 1000, of which nobody knows, with 60,000 bytes.
    let unknown = [&good[..], &[0xc2, 0x3e, 0xe0, 0xd4, 3], &vec![7; 60_000]].concat();
    let two = message(0, good.len(), &good).repeat(2);
    let cases = [
        ("nothing", Vec::new(), "MALFORMED"),
        ("half a prefix", vec![0, 0], "MALFORMED"),
        ("no message of ours", message(0, 3, b"\xff\xff\xff"), "MALFORMED"),
        ("compressed", message(1, good.len(), &good), "MALFORMED"),
        ("shorter than it says", message(0, good.len() + 1, &good), "MALFORMED"),
        ("two", two, "MALFORMED"),
        ("too large", message(0, unknown.len(), &unknown), "TOO_LARGE"),
        ("too large, it says", message(0, 17_000, &vec![0; 17_000]), "TOO_LARGE"),
        ("one too many", Vec::new(), "TOO_MANY_BAD_ASKS"),
    ];
    for (what, body, expected) in cases {
        let response = raw(&host, "POST", ACTIVATE, "application/grpc", body).await;
        let status =
            Status::from_header_map(response.headers()).unwrap_or_else(|| panic!("{what}: {response:?}"));
        assert_eq!(reason(&status), expected, "{what}: {status:?}");
    }
    check_nothing_counted(&host).await;
    assert_eq!((answered(&host, "MALFORMED").await, answered(&host, "TOO_LARGE").await), (6, 2));
}

#[tokio::test]
async fn what_calls_nothing_gets_an_error_of_http() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    for (method, path, kind, expected) in [
        ("GET", "/kms.v1.ActivationService/Activate", "application/grpc", 405),
        ("POST", "/kms.v1.ActivationService/Activate", "application/json", 415),
        ("POST", "/kms.v1.ActivationService/Deactivate", "application/grpc", 404),
        ("POST", "/kms.admin.v1.AdminService/GetStatus", "application/grpc+proto", 404),
        ("POST", "/", "application/grpc", 404),
    ] {
        let response = raw(&host, method, path, kind, Vec::new()).await;
        assert_eq!(response.status().as_u16(), expected, "{method} {path} {kind}");
    }
    check_nothing_counted(&host).await;
}

#[tokio::test]
async fn an_ask_signed_by_another_key_is_refused() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let [good, anothers] = [good_request(&stage), good_request(&stage)].map(|request| request.ask.unwrap());
    let ask = Some(Signed { payload: good.payload, ..anothers });
    let status = refused(&host, ActivateRequest { ask, ..ActivateRequest::default() }).await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "SIGNATURE_BAD"));
    check_nothing_counted(&host).await;
}

/// "Signed by another key" was said of all of these, and its remedy is to reset the identity of a machine.
#[tokio::test]
async fn an_ask_of_another_type_or_length_is_malformed_and_its_signature_is_not_blamed() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let good = good_request(&stage).ask.unwrap();
    let cut = |bytes: &Bytes| bytes.slice(..bytes.len() - 1);
    let typed = Signed { payload_type: "kms.lease.v1".to_owned(), ..good.clone() };
    let untyped = Signed { payload_type: String::new(), ..good.clone() };
    let short = Signed { signature: cut(&good.signature), ..good.clone() };
    let unsigned = Signed { signature: Bytes::new(), ..good.clone() };
    let anonymous = Signed { key_id: cut(&good.key_id), ..good };
    for ask in [typed, untyped, short, unsigned, anonymous].map(Some) {
        let status = refused(&host, ActivateRequest { ask, ..ActivateRequest::default() }).await;
        assert_eq!(reason(&status), "MALFORMED", "{status:?}");
    }
    check_nothing_counted(&host).await;
}

/// A machine waits ten seconds; before that the host says why it has no answer, and that it may come back.
#[tokio::test]
async fn before_a_disk_that_stands_still_the_host_says_when_to_come_back() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let host = SlowHost::start(&home, 8).await;
    let mut wire = wire(host.address).unwrap();
    let mut asker = Asker::new(&stage.shop).unwrap();

    let Err(NoAnswer::Unsigned(status)) = asker.ask(&mut wire, now()).await else {
        panic!("nobody can be counted while the disk stands still");
    };

    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(15)));
    // It was counted when the disk moved, and asks again under the same nonce: no copy, and the same seat.
    host.go_on();
    assert!(asker.ask(&mut wire, now()).await.is_ok());
}

#[tokio::test]
async fn with_a_full_queue_the_host_says_when_to_come_back() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let host = SlowHost::start(&home, 1).await;
    let wire = wire(host.address).unwrap();
    let ask = || {
        let (mut asker, mut wire) = (Asker::new(&stage.shop).unwrap(), wire.clone());
        async move { asker.ask(&mut wire, now()).await }
    };
    let mut at_the_disk = JoinSet::new();
    at_the_disk.spawn(ask());
    host.is_busy().await;

    // One more has a place; the others have none.
    let mut rest: JoinSet<_> = (0..3).map(|_| ask()).collect();
    for _ in 0..2 {
        let Err(NoAnswer::Unsigned(status)) = rest.join_next().await.unwrap().unwrap() else {
            panic!("nobody can be counted while the disk stands still");
        };
        assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
        let retry = status.get_details_retry_info().unwrap().retry_delay;
        assert_eq!(retry, Some(Duration::from_secs(15)));
    }
    host.go_on();
    assert!(at_the_disk.join_next().await.unwrap().unwrap().is_ok());
    assert!(rest.join_next().await.unwrap().unwrap().is_ok());
}
