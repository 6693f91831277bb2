//! `load` as a load tester runs it: every scenario against a real host, a host that stalls, hosts that are named, and what
//! it refuses to do.
//!
//! Nothing here asserts how fast anything is, but for the one planned stall. The loads are small, so that a machine with
//! two cores and other work keeps up with them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its set-up included")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use kms_host::home::Home;
use serde_json::Value;
use shared::policy::Policy;
use shared::time::Timestamp;
use world::authority::Authority;
use world::dns::{DnsServer, Zone};
use world::shop::ORGANISATION;
use world::{HostProcess, Program, Shop};

#[test]
fn steady_renews_every_machine_and_verifies_every_lease() {
    let run = Run::of(&["--scenario", "steady", "--machines", "80", "--seconds", "2"]);
    run.holds();
    let week = run.phase("week");
    assert!(week["open"] == true && 40 < run.outcome("week", "LEASE"), "{week}");
    let verified = &run.json["verified"];
    assert_eq!(verified["answers"], verified["looked_at"]);
    assert!(80 < verified["leases"].as_u64().unwrap(), "first leases and renewals: {verified}");
    assert!(run.said.contains("every expectation holds"), "{}", run.said);
}

#[test]
fn monday_has_a_peak() {
    let run = Run::of(&["--scenario", "monday", "--machines", "400", "--seconds", "6", "--connections", "4"]);
    run.holds();
    let due: Vec<u64> = run.seconds("morning").iter().map(|second| second["due"].as_u64().unwrap()).collect();
    let (lowest, highest) = (due.iter().min().unwrap(), due.iter().max().unwrap());
    assert!(lowest * 2 < *highest, "{due:?}");
}

#[test]
fn rollout_waits_for_the_threshold_and_ends_licensed() {
    let smaller = [("threshold = 500", "threshold = 50"), ("retry_s = 2.0", "retry_s = 1.0")];
    let run = Run::of_changed("rollout", &smaller, &["--machines", "60", "--seconds", "5"]);
    run.holds();
    assert!(40 < run.outcome("rollout", "WAITING"), "{}", run.said);
    assert_eq!(run.json["standing"]["licensed"], 60);
}

#[test]
fn outage_finds_nobody_and_then_everybody_returns() {
    let shorter = [("retry_max_s = 4.0", "retry_max_s = 1.0"), ("seconds = 6", "seconds = 3")];
    let run =
        Run::of_changed("outage", &shorter, &["--machines", "100", "--seconds", "3", "--signed-before"]);
    run.holds();
    assert!(20 < run.outcome("away", "HOST_UNREACHABLE"), "{}", run.said);
    assert_eq!(run.outcome("return", "HOST_UNREACHABLE"), 0);
    assert_eq!(run.json["standing"]["licensed"], 100);
}

#[test]
fn storm_waits_below_the_threshold_until_the_rest_is_back() {
    let run = Run::of(&["--scenario", "storm", "--machines", "20", "--seconds", "8"]);
    run.holds();
    assert_eq!(run.outcome("storm", "LEASE"), 0);
    assert!(15 < run.outcome("storm", "WAITING"), "{}", run.said);
    let counts = run.seconds("storm").iter().filter_map(|second| second["count"].as_u64()).max();
    assert!(counts.unwrap() < 20, "nine tenths of the fleet are too few");
    assert_eq!(run.json["standing"]["licensed"], 20);
}

#[test]
fn clones_are_named_and_end_with_an_identity_each() {
    let arguments = ["--scenario", "clones", "--machines", "40", "--identities", "4", "--seconds", "4"];
    let run = Run::of(&arguments);
    run.holds();
    assert!(25 < run.outcome("copies", "COPIED"), "{}", run.said);
    assert_eq!(run.outcome("healed", "COPIED"), 0);
    let last =
        run.json["seconds"].as_array().unwrap().iter().rev().find_map(|second| second["count"].as_u64());
    assert_eq!(last, Some(40), "forty machines are counted, and not four");
}

/// The host is held still for two seconds. Whoever plans the asks ahead sees it; whoever waits for an answer before the
/// next ask does not, since it asks nothing meanwhile.
#[test]
fn a_stall_of_two_seconds_shows_in_the_open_loop_and_hides_in_the_closed_one() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("stall.toml");
    let text = r#"
about = "A host that stalls"
machines = 200
[[phase]]
name = "prepare"
who = "new"
in_flight = 8
seconds = 30
[[phase]]
name = "before"
who = "known"
rate = 60
seconds = 1
measured = true
[[phase]]
name = "stalled"
who = "known"
rate = 60
seconds = 2
host = "stalled"
measured = true
[[phase]]
name = "after"
who = "known"
rate = 60
seconds = 3
measured = true
"#;
    std::fs::write(&scenario, text).unwrap();
    let scenario = scenario.to_str().unwrap();

    let (open, closed) = std::thread::scope(|scope| {
        let open = scope.spawn(|| Run::of(&["--scenario", scenario]));
        let closed = Run::of(&["--scenario", scenario, "--closed", "4"]);
        (open.join().unwrap(), closed)
    });

    open.holds();
    closed.holds();
    let measured = ["before", "stalled", "after"];
    let (open_p90, closed_p90) = (open.response(&measured, 0.90), closed.response(&measured, 0.90));
    assert!(1_000_000 < open_p90, "a third of what was due met the stall: p90 is {open_p90} µs");
    assert!(closed_p90 < 1_000_000, "of what was sent a few asks did: p90 is {closed_p90} µs");
    assert!(1_500_000 < closed.response(&measured, 1.0), "those few are its longest");
}

#[test]
fn a_host_is_found_by_srv_and_two_processes_make_one_report() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::open(folder.path(), "Atlas", Policy { threshold: 5, ..Policy::CLIENT }, false).unwrap();
    let product = folder.path().join("product.toml");
    std::fs::write(&product, shop.vendor().product_file("Atlas", &kms_vendor::Extras::default()).unwrap())
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (host, dns) = runtime.block_on(published(&shop));
    let (name_server, product) = (dns.address().to_string(), product.to_str().unwrap().to_owned());
    let found =
        ["--domain", "corp.example", "--dns", &name_server, "--product", &product, "--connections", "2"];
    let sized = ["--scenario", "steady", "--machines", "40", "--seconds", "2"];

    let runs: Vec<Run> = std::thread::scope(|scope| {
        let run = || Run::of(&[&sized[..], &found[..]].concat());
        [scope.spawn(run), scope.spawn(run)].map(|run| run.join().unwrap()).into()
    });

    runs.iter().for_each(Run::holds);
    assert_eq!(runtime.block_on(host.count()).unwrap(), 80, "the host has counted every machine of both");
    let files: Vec<_> = runs.iter().map(|run| run.folder.path().join("load.json")).collect();
    let merged = Run::merged(&files);
    merged.holds();
    assert_eq!((&merged.json["processes"], &merged.json["machines"]), (&Value::from(2), &Value::from(80)));
    let each = runs.iter().map(|run| run.outcome("week", "LEASE")).sum::<u64>();
    assert_eq!(merged.outcome("week", "LEASE"), each);
    runtime.block_on(async { (host.stop().await.unwrap(), dns.stop().await.unwrap()) });
}

#[test]
fn a_host_that_requires_tls_is_asked_by_tls() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::open(folder.path(), "Atlas", Policy { threshold: 5, ..Policy::CLIENT }, false).unwrap();
    let (product, ca) = (folder.path().join("product.toml"), folder.path().join("ca.pem"));
    std::fs::write(&product, shop.vendor().product_file("Atlas", &kms_vendor::Extras::default()).unwrap())
        .unwrap();
    let (home, authority) = (made(&shop), Authority::new().unwrap());
    std::fs::write(&ca, authority.pem()).unwrap();
    authority.host(&["127.0.0.1"], now()).unwrap().install(home.path()).unwrap();
    std::fs::write(home.path().join("kms-host.toml"), "tls = \"required\"").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = runtime.block_on(serving(&home));
    let address = host.address().to_string();
    let asked =
        ["--machines", "20", "--seconds", "1", "--host", &address, "--product", product.to_str().unwrap()];

    for connections in ["fresh", "2"] {
        let by_tls = ["--tls-ca", ca.to_str().unwrap(), "--connections", connections];
        Run::of(&[&asked[..], &by_tls].concat()).holds();
    }
    assert_eq!(runtime.block_on(host.count()).unwrap(), 40);
    runtime.block_on(host.stop()).unwrap();
}

/// Leases of another vendor with the same product are worth nothing, and a run that got them says so.
#[test]
fn leases_that_do_not_verify_are_an_error_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::open(folder.path(), "Atlas", Policy { threshold: 2, ..Policy::CLIENT }, false).unwrap();
    let product = folder.path().join("product.toml");
    std::fs::write(&product, shop.vendor().product_file("Atlas", &kms_vendor::Extras::default()).unwrap())
        .unwrap();
    let forger = shop.forge(&folder.path().join("forger")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = runtime.block_on(started(&forger));
    let address = host.address().to_string();

    let arguments = ["--machines", "10", "--seconds", "1", "--host", &address, "--product"];
    let run = Run::of(&[&arguments[..], &[product.to_str().unwrap()]].concat());

    assert_eq!(run.code, Some(1));
    assert!(run.said.contains("answers do not verify"), "{}", run.said);
    assert_eq!(run.json["verified"]["wrong"], run.json["verified"]["looked_at"]);
    runtime.block_on(host.stop()).unwrap();
}

#[test]
fn what_it_will_not_do_it_says_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::open(folder.path(), "Atlas", Policy::CLIENT, false).unwrap();
    let product = folder.path().join("product.toml");
    std::fs::write(&product, shop.vendor().product_file("Atlas", &kms_vendor::Extras::default()).unwrap())
        .unwrap();
    let product = product.to_str().unwrap();
    let refused = [
        (vec!["--scenario", "tuesday"], "name one of steady, monday"),
        (vec!["--machines", "200000"], "--beyond-bounds lifts the bounds"),
        (vec!["--host", "192.0.2.1", "--product", product], "--allow 192.0.2.1"),
        (
            vec!["--scenario", "outage", "--host", "127.0.0.1:9", "--product", product],
            "for a throwaway host alone",
        ),
        (vec!["--host", "127.0.0.1:9", "--product", "no-such.toml"], "no-such.toml"),
        (vec!["--product", product, "--tls-ca", "ca.pem"], "a throwaway host speaks no TLS"),
    ];
    for (arguments, remedy) in refused {
        let output = simulator("load").args(&arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(remedy), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

/// What is shown is a scenario that can be played.
#[test]
fn a_scenario_of_ones_own_begins_with_a_built_in_one() {
    let run = Run::of_changed("steady", &[("seconds = 15", "seconds = 1")], &["--machines", "30"]);
    run.holds();
    assert_eq!(run.json["scenario"], "mine");
}

/// One run of the program, and what it left.
struct Run {
    folder: tempfile::TempDir,
    code: Option<i32>,
    said: String,
    json: Value,
}

impl Run {
    /// Plays this, and reads the result.
    fn of(arguments: &[&str]) -> Run {
        Run::with("load", arguments.iter().map(PathBuf::from))
    }

    /// Plays a scenario of one's own: a built-in one as it is shown, with these texts in place of those.
    fn of_changed(built_in: &str, changes: &[(&str, &str)], arguments: &[&str]) -> Run {
        let shown = simulator("load").args(["--scenario", built_in, "--show"]).output().unwrap();
        let mut text = String::from_utf8(shown.stdout).unwrap();
        for (old, new) in changes {
            assert!(text.contains(old), "{built_in} has no {old}: {text}");
            text = text.replace(old, new);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, text).unwrap();
        Run::of(&[&["--scenario", path.to_str().unwrap()], arguments].concat())
    }

    /// Adds these results up.
    fn merged(files: &[PathBuf]) -> Run {
        Run::with("report", files.iter().cloned())
    }

    fn with(command: &str, arguments: impl Iterator<Item = PathBuf>) -> Run {
        let folder = tempfile::tempdir().unwrap();
        let output = simulator(command).args(arguments).arg("--out").arg(folder.path()).output().unwrap();
        let said = told(&output);
        let json = read(&folder.path().join("load.json"), &said);
        let html = read(&folder.path().join("load.html"), &said);
        assert!(html.contains("<svg") && !html.contains("http://") && !html.contains("<script"), "{said}");
        Run { folder, code: output.status.code(), said, json: serde_json::from_str(&json).unwrap() }
    }

    /// Everything is as the scenario expects.
    fn holds(&self) {
        assert_eq!(self.code, Some(0), "{}", self.said);
        assert_eq!(self.json["verified"]["wrong"], 0, "{}", self.said);
        assert_eq!(self.json["errors"], Value::Array(Vec::new()), "{}", self.said);
    }

    fn phase(&self, name: &str) -> &Value {
        self.json["phases"].as_array().unwrap().iter().find(|phase| phase["name"] == name).unwrap()
    }

    fn outcome(&self, phase: &str, name: &str) -> u64 {
        self.phase(phase)["outcomes"][name].as_u64().unwrap_or(0)
    }

    /// The seconds that lie in a phase, from their beginning to their end.
    fn seconds(&self, phase: &str) -> Vec<&Value> {
        let began_s = self.json["began_at_ms"].as_f64().unwrap() / 1000.0;
        let (from, to) = (&self.phase(phase)["from_s"], &self.phase(phase)["to_s"]);
        let (from, to) = (began_s + from.as_f64().unwrap(), began_s + to.as_f64().unwrap());
        let within = |second: &&Value| {
            let at = second["at_unix_s"].as_f64().unwrap();
            from <= at && at + 1.0 <= to
        };
        self.json["seconds"].as_array().unwrap().iter().filter(within).collect()
    }

    /// The response time that this share of the asks of these phases did not exceed, in microseconds.
    fn response(&self, phases: &[&str], share: f64) -> u64 {
        let mut all: Vec<u64> = Vec::new();
        for phase in phases {
            for (us, times) in self.phase(phase)["response"].as_object().unwrap() {
                all.extend(std::iter::repeat_n(
                    us.parse::<u64>().unwrap(),
                    times.as_u64().unwrap().try_into().unwrap(),
                ));
            }
        }
        all.sort_unstable();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "some hundred asks"
        )]
        let rank = (all.len() as f64 * share).ceil() as usize;
        all[rank - 1]
    }
}

fn simulator(command: &str) -> Command {
    let mut simulator = Command::new(env!("CARGO_BIN_EXE_kms-simulator"));
    simulator.arg(command).env_remove("KMS_HOSTS").env_remove("KMS_PRODUCT");
    simulator
}

fn told(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn read(path: &Path, said: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}\n{said}", path.display()))
}

/// This shop's host, as a process.
async fn started(shop: &Shop) -> HostProcess {
    serving(&made(shop)).await
}

fn made(shop: &Shop) -> Home {
    let home = shop.make_bare_host("host", kms_host::home::HOUR_MS).unwrap();
    shop.certify(&home, ORGANISATION, now(), Duration::from_hours(24)).unwrap();
    home
}

fn now() -> Timestamp {
    kms_client::Clock::now(&kms_client::SystemClock::new())
}

async fn serving(home: &Home) -> HostProcess {
    let program =
        Program { path: env!("CARGO_BIN_EXE_kms-simulator").into(), arguments: vec!["host".into()] };
    HostProcess::start(&program, home, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

/// The same, published in a domain.
async fn published(shop: &Shop) -> (HostProcess, DnsServer) {
    let host = started(shop).await;
    let text = format!(
        "\
$TTL 60
@                      IN SOA  ns.corp.example. hostmaster.corp.example. 1 3600 600 86400 60
@                      IN NS   ns.corp.example.
ns                     IN A    127.0.0.1
host                   IN A    127.0.0.1
_kms-activation._tcp   IN SRV  0 0 {} host.corp.example.
",
        host.address().port()
    );
    let dns = DnsServer::start(vec![Zone::parse("corp.example", &text).unwrap()]).await.unwrap();
    (host, dns)
}
