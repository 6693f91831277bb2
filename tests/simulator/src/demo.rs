//! `demo`: the whole story of an activation in under a minute, with nothing pretended but the length of a day.
//!
//! A test certificate compresses the numbers: a lease lives ten seconds instead of 180 days. Every other thing is what a
//! customer runs. The table at the end is read back from the host's admin socket and from the machines' own state.

mod fleet;
mod table;
mod watch;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use kms_client::{Clock, SystemClock};
use shared::policy::Policy;
use world::dns::{DnsServer, Zone};
use world::machine::Finds;
use world::shop::ORGANISATION;
use world::{HostProcess, Program, Shop};

use self::fleet::Fleet;
use self::table::Table;
use self::watch::{Seen, Teller};

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
        "The vendor makes two root keys and a product; its root signs a certificate for the customer's host",
    );
    let shop = Shop::open(folder, "Atlas", TIMES, true)?;
    let home = shop.make_bare_host("host", HOUR_WIDTH_MS)?;
    shop.certify(&home, ORGANISATION, SystemClock::new().now(), Duration::from_hours(24))?;
    teller.note("the certificate is installed; it is marked as test, since its times are short");

    teller.chapter("The host starts, and the administrator publishes it in DNS");
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
