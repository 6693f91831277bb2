//! `demo`: the whole story of an activation in under a minute, with nothing pretended but the length of a day.
//!
//! A test certificate compresses the numbers: a lease lives ten seconds instead of 180 days. Every other thing is what a
//! customer runs. The table at the end is read back from the host's admin socket and from the machines' own state.

mod fleet;
mod keys;
mod table;
mod watch;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use shared::policy::Policy;
use world::dns::{DnsServer, Zone};
use world::machine::Finds;
use world::shop::ORGANISATION;
use world::{HostProcess, Program, Shop};

use self::fleet::Fleet;
use self::table::Table;
use self::watch::{Seen, Teller};
use crate::portal::{NewPortal, PortalProcess};

/// 180 days in ten seconds, and everything else to match.
const TIMES: Policy = Policy {
    validity: Duration::from_secs(10),
    renew_interval: Duration::from_millis(1500),
    retry_interval: Duration::from_millis(800),
    renew_retry: Duration::from_millis(400),
    renew_retry_max: Duration::from_millis(1200),
    count_window: Duration::from_secs(20),
    threshold: 25,
    expiry_warning: Duration::from_secs(4),
    clock_tolerance: Duration::from_hours(4),
};

/// The same, as they are typed.
const NUMBERS: &[&str] = &[
    "--threshold=25",
    "--validity=10s",
    "--renew-interval=1500ms",
    "--retry-interval=800ms",
    "--renew-retry=400ms",
    "--renew-retry-max=1200ms",
    "--count-window=20s",
    "--expiry-warning=4s",
];

/// 25 days of grace, compressed in the same way.
const GRACE: Duration = Duration::from_secs(20);

/// An hour of the ledger, compressed in the same way.
const HOUR_WIDTH_MS: u64 = 100;

const MACHINES: u64 = 30;
const DOMAIN: &str = "corp.example";

/// Runs the demo, and returns whether every line of its table holds.
pub(crate) async fn tell(keep: bool) -> anyhow::Result<bool> {
    let scratch = tempfile::Builder::new().prefix("kms-demo-").tempdir()?;
    println!(
        "One activation line, for real, on loopback; only time is compressed: a lease of 180 days lives 10 s."
    );
    let told = story(scratch.path()).await;
    if keep {
        println!("\nThe vendor, the host and the machines are kept in {}", scratch.keep().display());
    }
    told
}

async fn story(folder: &Path) -> anyhow::Result<bool> {
    let mut teller = Teller::new();
    let mut table = Table::default();

    teller.chapter(
        "The vendor makes two root keys and a product; a root signs for the portal, which is started",
    );
    let shop = Shop::open(folder, "Atlas", TIMES, true)?;
    let new = NewPortal { test: true, numbers: NUMBERS, valid_for: Duration::from_hours(30 * 24) };
    let portal = PortalProcess::open(folder, shop.vendor(), "Atlas", &new).await?;
    teller.note(&format!("kms-portal serves on {}", portal.url()));
    let key = portal.sell("Atlas", &["--kind", "host"]).await?;
    teller.note(&format!("it has issued a host key for {ORGANISATION}: {key}"));

    teller.chapter("The customer activates a host with that key, starts it, and publishes it in DNS");
    let home = shop.make_bare_host("host", HOUR_WIDTH_MS)?;
    portal.activate_host(&home, &key).await?;
    teller.note(
        "kms-host activate: the certificate is installed; it is marked as test, since its times are short",
    );
    table.equal("hosts activated by a key", "portal", 1, portal.taken("hosts").await?);
    let program = Program::this_one()?;
    let host = HostProcess::start(&program, &home, SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = host.address();
    let zone = zone(address.port())?;
    let dns = DnsServer::start(vec![zone]).await?;
    teller.note(&format!("kms-host, process {}, serves on {address}", host.id().unwrap_or_default()));
    teller.note(&format!("_kms-activation._tcp.{DOMAIN}. IN SRV 10 100 {} host.{DOMAIN}.", address.port()));

    teller
        .chapter("Thirty machines are switched on, one after the other; leases are issued from the 25th on");
    let finds = Finds::Srv { domain: DOMAIN.to_owned(), name_server: dns.address() };
    let mut fleet = Fleet::new();
    let machines = folder.join("machines");
    for number in 1..=MACHINES {
        fleet.switch_on(&shop, GRACE, &machines, &finds)?;
        if number + 1 == u64::from(TIMES.threshold) {
            let seen = teller
                .wait("24 machines are counted", Some(&host), &fleet, |seen, _| seen.count == Some(24))
                .await?;
            teller.note("24 are counted, and nobody is licensed yet");
            table.equal("licensed while 24 are counted", "machines", 0, seen.standing.licensed);
        }
    }
    let all_licensed = |seen: &Seen, _: &Fleet| seen.standing.licensed == MACHINES;
    teller.wait("every machine is licensed", Some(&host), &fleet, all_licensed).await?;
    teller.note("the threshold is met: every machine is licensed, and nobody did anything");
    table.equal("machines, each with an identity of its own", "machines", MACHINES, fleet.identities());
    table.equal("found their host by SRV", "machines", MACHINES, fleet.found_by_srv(DOMAIN));
    table.equal(
        "hold a lease verified from the pinned root",
        "machines",
        MACHINES,
        fleet.leases(ORGANISATION),
    );
    table.equal("count", "admin socket", MACHINES, host.count().await?);
    let relative = dns.queries().iter().filter(|query| !query.name.contains(DOMAIN)).count();
    table.equal("names asked outside the domain", "DNS server", 0, relative);

    teller.chapter("They renew by themselves");
    let before = fleet.serials();
    let all_renewed = |_: &Seen, fleet: &Fleet| fleet.renewed_since(&before) == MACHINES;
    teller.wait("every machine has renewed", Some(&host), &fleet, all_renewed).await?;
    teller.note("every lease was renewed, and is good for its full life again");
    table.equal("renewed", "machines", MACHINES, fleet.renewed_since(&before));

    teller.chapter("The host is killed (SIGKILL) and started again");
    let known = host.status().await?.products[0].active;
    let home = host.kill().await?;
    let host = HostProcess::start(&program, &home, address).await?;
    let after = host.status().await?;
    teller.note(&format!("it knew {known} machines before, and knows {} after", after.products[0].active));
    table.equal("machines known before and after SIGKILL", "admin socket", known, after.products[0].active);
    let before = fleet.serials();
    let all_renewed = |_: &Seen, fleet: &Fleet| fleet.renewed_since(&before) == MACHINES;
    teller.wait("every machine has renewed", Some(&host), &fleet, all_renewed).await?;
    teller.note("every machine has renewed at it, and no copy was suspected");
    table.equal("renewed after the restart", "machines", MACHINES, fleet.renewed_since(&before));
    table.equal("copies suspected", "admin socket", 0, answered(&host, "COPIED").await?);

    teller.chapter("The host stays away");
    let home = host.stop().await?;
    let all_warned =
        |seen: &Seen, _: &Fleet| seen.standing.licensed == MACHINES && seen.standing.warned == MACHINES;
    let warned = teller.wait("every machine warns", None, &fleet, all_warned).await?;
    teller.note("still licensed; now every product says that its lease ends soon");
    table.equal("warn before the end, still licensed", "machines", MACHINES, warned.standing.warned);
    let all_lapsed = |seen: &Seen, _: &Fleet| seen.standing.lapsed == MACHINES;
    let lapsed = teller.wait("every lease has ended", None, &fleet, all_lapsed).await?;
    teller.note("every lease has ended: the products say so, and go on working");
    table.equal("lapsed while the host was away", "machines", MACHINES, lapsed.standing.lapsed);

    teller.chapter("The host comes back");
    let host = HostProcess::start(&program, &home, address).await?;
    fleet.wake();
    teller.wait("every machine is licensed again", Some(&host), &fleet, all_licensed).await?;
    teller.note("every machine is licensed again, and nobody did anything");
    table.equal("licensed again", "machines", MACHINES, fleet.standing().licensed);
    table.equal("count", "admin socket", MACHINES, host.count().await?);
    let recount = host.admin().await?.verify(proto::admin::v1::VerifyRequest {}).await?.into_inner();
    let recounted = recount.products.first().map_or(0, |product| product.recounted);
    table.equal("count by every record on the disk", "admin socket", MACHINES, recounted);
    table.at_least(
        "leases signed since it came back",
        "admin socket",
        MACHINES,
        answered(&host, "LEASE").await?,
    );

    fleet.switch_off().await;
    host.stop().await?;
    dns.stop().await?;

    teller.chapter("Laptops that never meet the host are activated by another key, which counts them");
    let key = portal.sell("Atlas", &["--kind", "mak", "--machines", "50"]).await?;
    let laptop = keys::activate_online(&portal, &shop, &key).await?;
    teller.note("the first asked the portal, once and for good");
    table.equal("a laptop, activated online", "the laptop", true, laptop.state().is_licensed());
    let state = keys::activate_by_file(&portal, &key).await?;
    teller.note("the second is in a closed network: its ask was carried out in a file, and the answer back");
    table.equal("a laptop, activated by a file", "the laptop", "without-end".to_owned(), state);
    let laptop = keys::activate_by_codes(&portal, &shop, &key).await?;
    teller.note("the third has a telephone: its code was typed into kms-portal confirm, and what that showed into the laptop");
    table.equal("a laptop, activated by codes", "the laptop", true, laptop.state().is_licensed());
    table.equal("machines activated by the key", "portal", 3, portal.taken("machines").await?);
    let home = shop.make_bare_host("host-by-codes", kms_host::home::HOUR_MS)?;
    keys::activate_host_by_codes(&portal, "Atlas", &home).await?;
    teller.note("a second host was activated by codes as well");
    table.equal("certificates of a host by codes", "the host", 1, home.certificates()?.all().count());
    table.equal("hosts activated by keys", "portal", 2, portal.taken("hosts").await?);
    println!("\n{}", table.printed());
    let verdict = if table.holds() { "every line holds" } else { "NOT every line holds" };
    println!("{verdict}; {:.0} s", teller.elapsed().as_secs_f64());
    Ok(table.holds())
}

/// The zone as an administrator writes it.
fn zone(port: u16) -> anyhow::Result<Zone> {
    let text = format!(
        "\
$TTL 60
@                      IN SOA  ns.{DOMAIN}. hostmaster.{DOMAIN}. 1 3600 600 86400 60
@                      IN NS   ns.{DOMAIN}.
ns                     IN A    127.0.0.1
host                   IN A    127.0.0.1
_kms-activation._tcp   IN SRV  0 0 {port} host.{DOMAIN}.
"
    );
    Ok(Zone::parse(DOMAIN, &text)?)
}

/// How often the host has answered so since it was started.
async fn answered(host: &HostProcess, outcome: &str) -> anyhow::Result<u64> {
    let status = host.status().await?;
    Ok(status.answered.iter().find(|tally| tally.name == outcome).map_or(0, |tally| tally.times))
}
