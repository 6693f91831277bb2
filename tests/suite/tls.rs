//! TLS between machines and hosts: what goes through, what each side hears when it does not, and a certificate that is replaced
//! while the host serves. With real processes; that a lease is believed for its signature alone is told in `trust`.
//!
//! How failures read is tested in `kms-client`, what a host refuses to begin with in `kms-host`.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use kms_client::{Client, Reason, Round, Tls};
use kms_host::home::Home;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, version};
use world::HostProcess;
use world::attack::OPENING;
use world::authority::{Authority, Identity};

use crate::commands::run;
use crate::connections::{is_alive, lines};
use crate::settings::{config, hang_up, log_of, settings_file};
use crate::stage::{
    DOMAIN, LIMIT, SERVICE, Stage, an_hour_ago, dead_port, dns, failure, now, outcomes, serve, until,
};

/// A host whose certificate is this one, with these settings.
async fn host_with(stage: &Stage, identity: &Identity, settings: &str) -> HostProcess {
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    identity.install(home.path()).unwrap();
    fs::write(settings_file(&home), settings).unwrap();
    serve(&home).await
}

/// A certificate for the address at which every host of a story serves.
fn for_loopback(authority: &Authority) -> Identity {
    authority.host(&["127.0.0.1"], now()).unwrap()
}

/// A machine that speaks TLS to this address.
fn machine(stage: &Stage, name: &str, host: SocketAddr, tls: Tls) -> Client {
    stage.builder(name).hosts([host.to_string()]).tls(tls).build().unwrap()
}

/// What comes of its ask: `LEASE`, or the code of the reason, with its text.
async fn asks(stage: &Stage, name: &str, host: SocketAddr, tls: Tls) -> (String, String) {
    told(&machine(stage, name, host, tls).activate().await.unwrap())
}

fn told(round: &Round) -> (String, String) {
    let text = round.outcome.cause().map(ToString::to_string).unwrap_or_default();
    (outcomes(round)[0].to_owned(), text)
}

/// TLS as a peer of our own opens it, who believes this authority.
async fn open_tls(authority: &Authority, host: SocketAddr) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(host).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::from(host.ip()), stream).await.unwrap()
}

/// The certificate that a newcomer is shown.
async fn shown(authority: &Authority, host: SocketAddr) -> CertificateDer<'static> {
    let stream = open_tls(authority, host).await;
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

fn der(identity: &Identity) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()
}

#[tokio::test]
async fn one_port_takes_machines_with_tls_and_without() {
    let (stage, authority) = (Stage::with_threshold(1), Authority::new().unwrap());
    let host = host_with(&stage, &for_loopback(&authority), "tls = \"offered\"").await;

    let in_private = asks(&stage, "private", host.address(), Tls::new(authority.pem())).await;
    let in_the_clear = stage.machine("clear", &[host.address()]).activate().await.unwrap();

    assert_eq!(in_private.0, "LEASE", "{}", in_private.1);
    assert_eq!(outcomes(&in_the_clear), ["LEASE"]);
    assert_eq!(host.count().await.unwrap(), 2);
    assert!(log_of(&host).contains("machines may speak TLS"), "{}", log_of(&host));
}

#[tokio::test]
async fn a_host_that_is_found_in_dns_has_to_have_the_name_that_its_record_says() {
    let (stage, authority) = (Stage::with_threshold(1), Authority::new().unwrap());
    let identity = authority.host(&["host-a.corp.example"], now()).unwrap();
    let host = host_with(&stage, &identity, "tls = \"required\"").await;
    let found_as = async |machine: &str, target: &str| {
        let records = format!("{target} A 127.0.0.1\n{SERVICE} SRV 0 0 {} {target}\n", host.address().port());
        let dns = dns(&records).await;
        let tls = Tls::new(authority.pem());
        let machine = stage.builder(machine).domains([DOMAIN]).name_server(dns.address()).tls(tls);
        told(&machine.build().unwrap().activate().await.unwrap())
    };

    assert_eq!(found_as("right", "host-a.corp.example.").await.0, "LEASE");
    let (code, text) = found_as("wrong", "host-b.corp.example.").await;
    assert_eq!(code, "TLS_CERTIFICATE_BAD");
    assert!(text.contains("it is for host-a.corp.example, and not for host-b.corp.example"), "{text}");
}

/// A closed connection would send the administrator to look at the network.
#[tokio::test]
async fn a_machine_without_tls_hears_that_it_is_required_and_is_not_counted() {
    let (stage, authority) = (Stage::with_threshold(1), Authority::new().unwrap());
    let host = host_with(&stage, &for_loopback(&authority), "tls = \"required\"").await;

    for attempt in 0..3 {
        let round = stage.machine("clear", &[host.address()]).activate().await.unwrap();
        let (reason, text) = failure(&round);
        assert_eq!(reason, Reason::TlsRequired, "{attempt}: {text}");
        assert!(reason.remedy().contains("KMS_TLS_CA"));
    }

    assert_eq!(host.count().await.unwrap(), 0);
    until("told", async || !lines(&host, "spoke in the clear").is_empty()).await;
    let tls = Tls::new(authority.pem());
    assert_eq!(asks(&stage, "clear", host.address(), tls).await.0, "LEASE");
}

#[tokio::test]
async fn a_host_whose_certificate_does_not_hold_is_not_asked_and_the_reason_says_why() {
    let (stage, authority) = (Stage::with_threshold(1), Authority::new().unwrap());
    let host = host_with(&stage, &for_loopback(&authority), "tls = \"offered\"").await;

    let stranger = Tls::new(Authority::new().unwrap().pem());
    let (code, text) = asks(&stage, "of another", host.address(), stranger).await;
    assert_eq!(code, "TLS_CERTIFICATE_BAD");
    assert!(text.contains("no CA that this machine was given has signed it"), "{text}");
    until("told", async || !lines(&host, "TLS handshakes that failed").is_empty()).await;
    let told = lines(&host, "TLS handshakes that failed");
    assert!(told[0].contains("most_from=127.0.0.1") && told[0].contains("UnknownCA"), "{told:?}");

    authority.host_until(&["127.0.0.1"], an_hour_ago()).unwrap().install(host.home().path()).unwrap();
    let host = serve(&host.stop().await.unwrap()).await;
    let (code, text) = asks(&stage, "late", host.address(), Tls::new(authority.pem())).await;
    assert_eq!(code, "TLS_CERTIFICATE_BAD");
    assert!(text.contains("it has ended at") && text.contains("and here it is"), "{text}");
    assert_eq!(host.count().await.unwrap(), 0, "nothing was asked in the clear instead");
}

/// Machines said "CaUsedAsEndEntity" of what `openssl req -x509` makes.
#[tokio::test]
async fn a_host_that_shows_the_certificate_of_a_ca_is_told_in_plain_words() {
    let (stage, own) = (Stage::with_threshold(1), Authority::of_itself("127.0.0.1").unwrap());
    let host = host_with(&stage, &own, "tls = \"required\"").await;
    let (code, text) = asks(&stage, "any", host.address(), Tls::new(own.certificate.clone())).await;
    assert_eq!(code, "TLS_CERTIFICATE_BAD");
    assert!(text.contains("it is a CA's own certificate") && !text.contains("EndEntity"), "{text}");
}

#[tokio::test]
async fn a_host_that_demands_certificates_of_machines_serves_those_that_its_ca_has_signed() {
    let (stage, authority, machines) =
        (Stage::with_threshold(1), Authority::new().unwrap(), Authority::new().unwrap());
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    for_loopback(&authority).install(home.path()).unwrap();
    fs::write(home.path().join("machines.pem"), machines.pem()).unwrap();
    fs::write(settings_file(&home), "tls = \"required\"\ntls_client_ca = \"machines.pem\"\n").unwrap();
    let host = serve(&home).await;
    let with =
        |identity: Identity| Tls::new(authority.pem()).with_certificate(identity.certificate, identity.key);

    let (code, text) = asks(&stage, "none", host.address(), Tls::new(authority.pem())).await;
    assert_eq!(code, "TLS_MACHINE_REFUSED");
    assert!(text.contains("this machine was given none"), "{text}");
    let (code, text) = asks(&stage, "other", host.address(), with(authority.machine().unwrap())).await;
    assert_eq!(code, "TLS_MACHINE_REFUSED");
    assert!(text.contains("no CA that it was given has signed it"), "{text}");
    assert_eq!(host.count().await.unwrap(), 0);
    assert_eq!(asks(&stage, "right", host.address(), with(machines.machine().unwrap())).await.0, "LEASE");
}

#[tokio::test]
async fn a_machine_that_was_told_to_speak_tls_speaks_nothing_else() {
    let (stage, authority) = (Stage::with_threshold(1), Authority::new().unwrap());
    let tls = || Tls::new(authority.pem());
    let without = stage.host("without").await;
    let (code, text) = asks(&stage, "tls is off", without.address(), tls()).await;
    assert_eq!(code, "TLS_NOT_OFFERED", "{text}");
    until("told", async || !lines(&without, "spoke TLS").is_empty()).await;
    assert_eq!(without.count().await.unwrap(), 0);

    // What else may listen: it speaks first, it says that something is wrong with it, it says nothing.
    for (name, says, code) in [
        ("mail", &b"220 mail.corp.example ESMTP\r\n"[..], "TLS_NOT_OFFERED"),
        ("broken", &[0x15, 3, 3, 0, 2, 2, 80], "TLS_FAILED"),
        ("gone", b"", "HOST_UNREACHABLE"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peer = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let heard = stream.read(&mut [0; 2048]).await.unwrap();
            assert!(0 < heard);
            stream.write_all(says).await.unwrap();
        });
        assert_eq!(asks(&stage, name, address, tls()).await.0, code, "{name}");
        peer.await.unwrap();
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_keep_a_machine_from_asking_at_all() {
    let stage = Stage::with_threshold(1);
    let (_held, nobody) = dead_port();
    let (code, text) = asks(&stage, "machine", nobody, Tls::from_file("/nowhere/ca.pem")).await;
    assert_eq!(code, "TLS_FILES_BAD");
    assert!(text.contains("/nowhere/ca.pem"), "{text}");
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_shown_to_newcomers_and_no_ask_is_lost() {
    let (stage, authority) = (Stage::with_threshold(1), Authority::new().unwrap());
    let [first, second] = [for_loopback(&authority), for_loopback(&authority)];
    let host = host_with(&stage, &first, "tls = \"required\"").await;
    let mut standing = open_tls(&authority, host.address()).await;
    standing.write_all(OPENING).await.unwrap();
    assert!(is_alive(&mut standing).await);
    let mut asking = JoinSet::new();
    for number in 0..4 {
        let machine = machine(&stage, &number.to_string(), host.address(), Tls::new(authority.pem()));
        asking.spawn(async move {
            for _ in 0..8 {
                assert_eq!(told(&machine.activate().await.unwrap()).0, "LEASE");
            }
        });
    }

    second.install(host.home().path()).unwrap();
    let said = hang_up(&host).await;

    assert!(said.contains("the TLS certificate is new") && said.contains("ends_at="), "{said}");
    assert_eq!(shown(&authority, host.address()).await, der(&second));
    assert!(is_alive(&mut standing).await, "who came under the first one stays");
    while let Some(asked) = asking.join_next().await {
        asked.unwrap();
    }

    // Half of a change is none.
    fs::write(host.home().path().join("tls.key"), &first.key).unwrap();
    fs::write(settings_file(host.home()), "tls = \"required\"\nlog = \"debug\"\n").unwrap();
    let said = hang_up(&host).await;
    assert!(said.contains("nothing is changed") && said.contains("is not that of the first"), "{said}");
    assert!(!said.contains("a setting has changed"), "{said}");
    assert_eq!(shown(&authority, host.address()).await, der(&second));
}

#[tokio::test]
async fn tls_is_turned_on_and_off_without_a_restart() {
    let (stage, authority) = (Stage::with_threshold(1), Authority::new().unwrap());
    let host = stage.host("host").await;
    for_loopback(&authority).install(host.home().path()).unwrap();
    let plain = stage.machine("plain", &[host.address()]);
    assert_eq!(told(&plain.activate().await.unwrap()).0, "LEASE");

    fs::write(settings_file(host.home()), "tls = \"required\"\n").unwrap();
    let said = hang_up(&host).await;
    assert!(said.contains(r#"key="tls" old="\"off\"" new="\"required\"""#), "{said}");
    assert_eq!(told(&plain.activate().await.unwrap()).0, "TLS_REQUIRED");
    assert_eq!(asks(&stage, "private", host.address(), Tls::new(authority.pem())).await.0, "LEASE");

    fs::write(settings_file(host.home()), "").unwrap();
    hang_up(&host).await;
    assert_eq!(told(&plain.activate().await.unwrap()).0, "LEASE");
}

/// Each step has its ten seconds, so that nobody holds a place for nothing.
#[tokio::test]
async fn a_peer_that_stops_in_the_middle_of_tls_is_closed() {
    let (stage, authority) = (Stage::with_threshold(1), Authority::new().unwrap());
    let host = host_with(&stage, &for_loopback(&authority), "tls = \"required\"").await;
    let ends = async |mut stream: Box<dyn Stream>| {
        // The host may have opened HTTP/2 from its side; a reset is an end, too.
        let _ = timeout(LIMIT, stream.read_to_end(&mut Vec::new())).await.expect("it is closed");
    };
    let says = async |bytes: &[u8]| {
        let mut stream = TcpStream::connect(host.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        Box::new(stream)
    };
    let silent = says(b"").await;
    let first_byte = says(&[0x16]).await;
    // The head of a ClientHello of 512 bytes that never come.
    let half = says(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await;
    let wordless = Box::new(open_tls(&authority, host.address()).await);
    tokio::join!(ends(silent), ends(first_byte), ends(half), ends(wordless));
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

#[tokio::test]
async fn an_administrator_hears_of_a_certificate_that_ends_before_machines_do() {
    let (stage, authority) = (Stage::with_threshold(1), Authority::new().unwrap());
    let in_ten_days = now() + Duration::from_hours(10 * 24 + 12);
    let identity = authority.host_until(&["127.0.0.1"], in_ten_days).unwrap();
    let host = host_with(&stage, &identity, "tls = \"offered\"").await;
    let alarms = async |host: &HostProcess| {
        let alarms = host.status().await.unwrap().alarms.into_iter();
        alarms.map(|alarm| alarm.code).collect::<Vec<_>>()
    };
    assert_eq!(alarms(&host).await, ["TLS_CERTIFICATE_ENDS_SOON"]);
    until("warned", async || log_of(&host).contains("the TLS certificate ends in 10 d")).await;

    authority.host_until(&["127.0.0.1"], an_hour_ago()).unwrap().install(host.home().path()).unwrap();
    let said = hang_up(&host).await;
    assert!(
        said.contains("nothing is changed") && said.contains("the TLS certificate has ended at"),
        "{said}"
    );
    assert_eq!(
        alarms(&host).await,
        ["TLS_CERTIFICATE_ENDS_SOON"],
        "one that holds is not replaced by one that does not"
    );
    let host = serve(&host.stop().await.unwrap()).await;
    until("warned", async || log_of(&host).contains("WARN the TLS certificate has ended at")).await;
    assert_eq!(alarms(&host).await, ["TLS_CERTIFICATE_ENDED"]);

    for_loopback(&authority).install(host.home().path()).unwrap();
    hang_up(&host).await;
    assert!(alarms(&host).await.is_empty());
}

#[tokio::test]
async fn files_that_do_not_fit_are_named_before_a_restart_and_at_a_start() {
    let (stage, authority) = (Stage::with_threshold(1), Authority::new().unwrap());
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    fs::write(settings_file(&home), "tls = \"required\"\n").unwrap();
    let refused = async |home: &Home, told: &str| {
        let data = home.path().display().to_string();
        let start = run(&["serve", "--listen", "127.0.0.1:0", "--data", &data]).await;
        for done in [config(home, &["check"], &[]).await, start] {
            assert_eq!(done.code, 78, "{}", done.stderr);
            let errors: Vec<_> = done.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
            assert!(errors.len() == 1 && errors[0].contains(told), "{}", done.stderr);
        }
    };
    refused(&home, "tls.pem cannot be read, and `tls_certificate` names it").await;
    for_loopback(&authority).install(home.path()).unwrap();
    fs::write(home.path().join("tls.key"), authority.machine().unwrap().key).unwrap();
    refused(&home, "is not that of the first certificate").await;

    for_loopback(&authority).install(home.path()).unwrap();
    fs::set_permissions(home.path().join("tls.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let checked = config(&home, &["check"], &[]).await;
    assert_eq!(checked.code, 0);
    assert!(
        checked.stderr.contains("warning: every user of this machine can read the TLS key"),
        "{}",
        checked.stderr
    );
}
