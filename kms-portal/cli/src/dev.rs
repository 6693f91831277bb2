//! `kms-portal dev`: a portal with a small made-up world, for whoever wants to look at its pages or write against its API.
//!
//! It is made in a folder that is thrown away at the end, or kept. A root that signs for its issuing key is drawn and forgotten, and what
//! it has signed is marked as a test. Mails go nowhere: they are printed.

mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use kms_portal::RunningPortal;
use kms_portal::api::PortalCore;
use kms_portal::config::{PortalConfig, WEB_PORT};
use kms_portal::db::{MessageFilter, Outgoing};
use kms_portal::home::PortalHome;
use kms_portal::run::{Listeners, OpenedPortal, run};
use program::exit::{EX_CANTCREAT, EX_CONFIG, EX_IOERR, EX_UNAVAILABLE};
use program::output;
use serde_json::json;

use server::signals::{Signals, Starting};
use server::{listen, log};
use shared::certificate::IssuingCertificate;
use shared::envelope::{Kind, SecretKey};
use shared::files::{KeyRequest, RequestedKey, issuing_certificate_to_pem, roots_to_text};
use shared::ids::CertificateId;
use shared::print::Lines;
use shared::time::{Clock as _, Timestamp};
use tokio::time::{Duration, sleep};
use wire::SystemClock;

use self::world::{MadeUp, PASSWORD};
use super::failure::{Failure, OrExit as _};

/// How long the issuing key of a trial may sign.
const VALID_FOR: Duration = Duration::from_hours(365 * 24);

#[derive(Debug, Args)]
pub(super) struct Dev {
    /// Folder to make the portal in, or with the one of an earlier time [default: a temporary one].
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Port to serve pages at, on this machine; 0 for one that is free.
    #[arg(long, default_value_t = WEB_PORT)]
    port: u16,
    /// Print JSON instead of text: one line for the portal, and one for each mail.
    #[arg(long)]
    json: bool,
}

pub(super) fn dev(wanted: &Dev) -> Result<String, Failure> {
    let Signals { stops, .. } = Signals::hear().or_exit(EX_UNAVAILABLE)?;
    let temporary = match wanted.folder {
        Some(_) => None,
        None => Some(tempfile::tempdir().or_exit(EX_CANTCREAT)?),
    };
    let folder = wanted.folder.as_deref().or(temporary.as_ref().map(tempfile::TempDir::path));
    let folder = folder.unwrap_or(Path::new("."));
    let _set_log = log::start("warn", PortalConfig::default().log_format, "kms_portal").or_exit(EX_CONFIG)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().or_exit(EX_UNAVAILABLE)?;
    let starting = Starting::watch(&runtime, stops, "portal");
    runtime.block_on(async {
        let mut running = start(folder, wanted.port).await?;
        let mut stops = starting.done().await.or_exit(EX_UNAVAILABLE)?;
        let made_up = MadeUp::open(&running.portal).await.or_exit(EX_IOERR)?;
        kms_portal_web::serve(&mut running);
        let (url, is_kept) = (address(&running), wanted.folder.is_some());
        let greeting = if wanted.json {
            format!(
                "{}\n",
                json!({"url": url, "folder": folder, "people": made_up.people, "token": made_up.token})
            )
        } else {
            greeting(&url, &made_up, is_kept.then_some(folder))
        };
        say(&greeting)?;
        let end = tokio::select! {
            _ = stops.next() => Ok(()),
            error = running.portal.failed() => Err(error).or_exit(EX_IOERR),
            failed = print_mails(&running.portal, made_up.mails, wanted.json) => failed,
        };
        running.stop().await;
        end
    })?;
    Ok(String::new())
}

/// Starts the portal of this folder, and makes it first if there is none.
async fn start(folder: &Path, port: u16) -> Result<RunningPortal, Failure> {
    let home = PortalHome::at(folder);
    if !home.key_path().exists() {
        make(&home).await?;
    }
    let here = |port| [SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
    let (public, web) = (listen::bind_all(&here(0)), listen::bind_all(&here(port)));
    let listeners = Listeners {
        public: public.or_exit(EX_UNAVAILABLE)?,
        staff: Vec::new(),
        web: web.or_exit(EX_UNAVAILABLE)?,
    };
    let addresses = listeners.web.iter().map(tokio::net::TcpListener::local_addr);
    let web_listen = addresses.collect::<Result<Vec<_>, _>>().or_exit(EX_UNAVAILABLE)?;
    let port = web_listen.first().map_or(port, SocketAddr::port);
    let web_url = format!("http://localhost:{port}");
    let config = PortalConfig { listen: here(0).to_vec(), web_listen, web_url, ..PortalConfig::default() };
    let opened = OpenedPortal::open(&home, config).await?;
    Ok(run(opened, listeners, Arc::new(SystemClock::new()))?)
}

/// Makes a portal whose issuing key a new root has signed. Nobody keeps the root.
async fn make(home: &PortalHome) -> Result<(), Failure> {
    let now = SystemClock::new().now();
    let root = SecretKey::from_seed(&rand::random());
    let roots = [root.public(), SecretKey::from_seed(&rand::random()).public()].map(|key| *key.as_bytes());
    let names = ["localhost".parse().map_err(anyhow::Error::msg).or_exit(EX_CANTCREAT)?];
    home.init(Some(roots_to_text(&roots).as_bytes()), &names, now, &mut rand::rng()).await?;
    let request = home.request_path();
    let signed = std::fs::read(&request).or_exit(EX_IOERR)?;
    let request = KeyRequest::from_pem(RequestedKey::Issuing, &signed).or_exit(EX_IOERR)?;
    let certificate = IssuingCertificate {
        id: CertificateId::from_bytes(rand::random()),
        public_key: request.public_key,
        not_before: now,
        not_after: now + VALID_FOR,
        products: Vec::new(),
        test: true,
    };
    let signed = root.sign(Kind::IssuingCertificate, &certificate.encode());
    let pem = issuing_certificate_to_pem(&signed);
    home.install_issuer(pem.as_bytes(), &home.request_path(), now, false)?;
    Ok(())
}

fn address(running: &RunningPortal) -> String {
    running.web_address.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn greeting(url: &str, made_up: &MadeUp, kept_in: Option<&Path>) -> String {
    let kept = match kept_in {
        Some(folder) => format!("It is kept in {}.", folder.display()),
        None => "It is gone at the end; --folder keeps one.".to_owned(),
    };
    let people = made_up.people.iter().map(|person| {
        let roles =
            if person.roles.is_empty() { "no administrator".to_owned() } else { person.roles.join(", ") };
        format!("  {:28} {roles}\n", person.address)
    });
    let people: String = people.collect();
    let token = &made_up.token;
    format!(
        "A portal with a made-up world serves {url}\n{kept}\n\n\
         Sign in at {url}/sign-in with the password \"{PASSWORD}\" as one of:\n{people}\n\
         For programs: a token with every role, for {url}/api/v1\n  {token}\n\n\
         Mails are printed here. Stop with Ctrl-C.\n"
    )
}

/// Prints each mail that is posted behind this one.
async fn print_mails(portal: &PortalCore, mut last: u64, json: bool) -> Result<(), Failure> {
    loop {
        sleep(Duration::from_millis(300)).await;
        let mut posted = portal.db.messages(MessageFilter::default(), 100).await.or_exit(EX_IOERR)?;
        posted.retain(|message| last < message.number);
        for message in posted.into_iter().rev() {
            last = message.number;
            let Outgoing::Mail { to, subject, body, .. } = message.what else { continue };
            say(&if json {
                format!("{}\n", json!({"to": to, "subject": subject, "body": body}))
            } else {
                format!("\n--- mail to {to}: {subject}\n\n{body}\n")
            })?;
        }
    }
}

fn say(text: &str) -> Result<(), Failure> {
    output::write(&Lines(text).to_string()).or_exit(EX_IOERR)
}

/// Where a made-up time is, before now.
fn days_ago(now: Timestamp, days: u64) -> Timestamp {
    now - Duration::from_hours(24 * days)
}
