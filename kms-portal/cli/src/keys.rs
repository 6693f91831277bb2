//! `key`: product keys. One is shown when it is issued, and never again. `keys/listed` shows what is known of them, `keys/terms` makes what
//! hosts without a network need.

mod exported;
pub(super) mod listed;
mod terms;

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use kms_portal::rules::keys::calls::valid_for;
use kms_portal::rules::keys::granted::Granted;
use program::exit::{EX_IOERR, EX_SOFTWARE, EX_USAGE};
use program::output;
use program::output::json_text;
use proto::portal::v1 as w;
use serde_json::json;
use shared::product_key::{KeyKind, KeyNumber};
use shared::time::{Clock as _, Timestamp};
use store::output::OutputFile;
use wire::SystemClock;

use super::ask::{PortalAt, ask};
use super::failure::{Failure, OrExit as _, warn};
use super::shown::{date, time};
use super::{Noted, Output};

/// Keys that are asked for at once.
const AT_ONCE: u32 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum KeyVerb {
    /// Issue a key. It is printed once: the portal does not keep it.
    Issue(Box<KeyOrder>),
    /// List the keys, by number.
    List {
        /// Organisation to list keys of, by name or id.
        #[arg(long, value_name = "NAME")]
        organisation: Option<String>,
        /// Product to list keys for, by name or id.
        #[arg(long, value_name = "NAME")]
        product: Option<String>,
        /// Order to list keys of, as `key issue --order` named it.
        #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
        order: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Print the keys as CSV for a spreadsheet: what was sold and what is used. No key is in it.
    Export {
        /// Organisation to print keys of, by name or id.
        #[arg(long, value_name = "NAME")]
        organisation: Option<String>,
        /// Product to print keys for, by name or id.
        #[arg(long, value_name = "NAME")]
        product: Option<String>,
        /// Print the hosts and machines that the keys have activated instead, by their ids.
        #[arg(long)]
        machines: bool,
    },
    /// Show a key, and the hosts and machines that it has activated.
    Show {
        /// Number of the key, such as 3F8K-9QWX.
        number: KeyNumber,
        #[command(flatten)]
        output: Output,
    },
    /// Block a key that was stolen or refunded. What it has activated stays activated.
    Block {
        /// Number of the key.
        number: KeyNumber,
        #[command(flatten)]
        noted: Noted,
    },
    /// Take a block back.
    Unblock {
        /// Number of the key.
        number: KeyNumber,
        #[command(flatten)]
        noted: Noted,
    },
    /// Free the place of a machine that was lost, or that was confirmed by a code. It is not counted as a release.
    Free {
        /// Number of the key.
        number: KeyNumber,
        /// Machine or place in hex, as `key show` lists them, or the installation id of the machine.
        place: String,
        #[command(flatten)]
        noted: Noted,
    },
    /// Write the terms of a host key: the file with which a host is activated by codes.
    ///
    /// They say what the host will be certified for, and name the issuing certificate of today. Send new ones when either has changed: a
    /// host without a network cannot be confirmed under terms whose issuing certificate has ended.
    Terms {
        /// Number of the key.
        number: KeyNumber,
        /// File or folder to write the terms to [default: standard output].
        #[arg(long, value_name = "PATH")]
        out: Option<PathBuf>,
        /// Overwrite the file if it exists.
        #[arg(long, requires = "out")]
        force: bool,
        #[command(flatten)]
        noted: Noted,
    },
    /// Grant more of a key, or less with a negative number. Nobody loses what is activated.
    Raise {
        /// Number of the key.
        number: KeyNumber,
        #[command(flatten)]
        more: More,
        #[command(flatten)]
        noted: Noted,
    },
}

/// What a key is for, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TypedKind {
    /// It activates hosts.
    Host,
    /// It activates a number of machines, each at the portal (multiple-activation key).
    Mak,
}

#[derive(Debug, Args)]
pub(super) struct KeyOrder {
    /// Product, by name or id.
    #[arg(long, value_name = "NAME")]
    product: String,
    /// What the key is for.
    #[arg(long)]
    kind: TypedKind,
    /// Organisation that buys the key, by name or id. A new name is added.
    #[arg(long, value_name = "NAME")]
    organisation: String,
    /// Add the organisation, although one with a similar name is known.
    #[arg(long)]
    new_organisation: bool,
    /// Machines that a MAK activates; required for it.
    #[arg(long, value_name = "N", required_if_eq("kind", "mak"))]
    machines: Option<u64>,
    /// Places of a MAK that machines may give back in a year [default: a tenth of the machines, at least 5].
    #[arg(long, value_name = "N")]
    releases: Option<u64>,
    /// Hosts that a host key activates [default: 6].
    #[arg(long, value_name = "N")]
    hosts: Option<u64>,
    /// Activations of each of these hosts [default: 10].
    #[arg(long, value_name = "N")]
    activations: Option<u64>,
    /// First day on which the key is no longer valid, in UTC: with 2028-01-01, its last day is 2027-12-31 [default: no end].
    #[arg(long, value_name = "DATE", value_parser = date)]
    ends: Option<Timestamp>,
    /// Feature that is sold with the key, in place of those of the product. May be repeated.
    #[arg(long = "feature", value_name = "NAME")]
    features: Vec<String>,
    /// Machines that were paid for, to be shown beside the count. It refuses nobody.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    seats: u32,
    /// File to write the terms of a host key to, for hosts that are activated by codes; with --csv, or if it is a folder, one for each
    /// key in there.
    #[arg(long, value_name = "PATH")]
    terms_out: Option<PathBuf>,
    /// Issue this many keys, and print them as CSV.
    #[arg(long, value_name = "N", conflicts_with = "json", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    csv: Option<u32>,
    /// Order of your back office that the keys are for. Keys are issued once for an order: if the answer was lost, the same command issues
    /// nothing and names the keys, so that you can block them. A different command for the same order is refused.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    order: Option<String>,
    #[command(flatten)]
    noted: Noted,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct More {
    /// More machines.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    machines: Option<i64>,
    /// More hosts.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    hosts: Option<i64>,
    /// More activations of each host.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    activations: Option<i64>,
    /// More places that machines may give back in a year.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    releases: Option<i64>,
}

impl More {
    fn wanted(&self) -> (&'static str, i64) {
        let all = [
            ("machines", self.machines),
            ("hosts", self.hosts),
            ("activations", self.activations),
            ("releases", self.releases),
        ];
        let given = all.into_iter().find_map(|(quota, more)| more.map(|more| (quota, more)));
        given.expect("the command line requires one of them")
    }
}

pub(super) fn run(at: &PortalAt, command: KeyVerb) -> Result<String, Failure> {
    match command {
        KeyVerb::Issue(wanted) => issue(at, &wanted),
        KeyVerb::List { organisation, product, order, output } => {
            let (organisation, product) = (organisation.unwrap_or_default(), product.unwrap_or_default());
            let order = order.unwrap_or_default();
            listed::list(
                at,
                &w::ListKeysRequest { organisation, product, order, ..Default::default() },
                output.json,
            )
        }
        KeyVerb::Export { organisation, product, machines } => {
            let (organisation, product) = (organisation.unwrap_or_default(), product.unwrap_or_default());
            let wanted = w::ListKeysRequest { organisation, product, ..Default::default() };
            exported::export(at, wanted, machines)
        }
        KeyVerb::Show { number, output } => listed::show(at, number, output.json),
        KeyVerb::Block { number, noted } => {
            let request = w::BlockKeyRequest { number: number.to_string(), note: noted.note.clone() };
            ask(at, async |mut portal| portal.block_key(request).await)?;
            Ok(changed(number, &noted, "blocked", "is blocked. What it has activated stays activated."))
        }
        KeyVerb::Unblock { number, noted } => {
            let request = w::UnblockKeyRequest { number: number.to_string(), note: noted.note.clone() };
            ask(at, async |mut portal| portal.unblock_key(request).await)?;
            Ok(changed(number, &noted, "unblocked", "is not blocked any more."))
        }
        KeyVerb::Free { number, place, noted } => {
            let request = w::FreePlaceRequest { number: number.to_string(), place, note: noted.note.clone() };
            ask(at, async |mut portal| portal.free_place(request).await)?;
            let told = "has one place more. The machine keeps its confirmation as long as that lasts.";
            Ok(changed(number, &noted, "freed", told))
        }
        KeyVerb::Terms { number, out, force, noted } => {
            write_terms(at, number, out.as_deref(), force, &noted)
        }
        KeyVerb::Raise { number, more, noted } => {
            let (quota, more) = more.wanted();
            let (number, note) = (number.to_string(), noted.note);
            let request = w::RaiseKeyRequest { number: number.clone(), quota: quota.to_owned(), more, note };
            let granted = ask(at, async |mut portal| {
                Ok(portal.raise_key(request).await?.into_inner().granted.unwrap_or_default())
            })?;
            Ok(if noted.json {
                json_text(&json!({ "number": number, "granted": listed::quotas_json(&granted) }))
            } else {
                let is_for_hosts = ["hosts", "activations"].contains(&quota);
                format!("Key {number} grants {} now.\n", listed::quotas_text(&granted, is_for_hosts))
            })
        }
    }
}

fn changed(number: KeyNumber, noted: &Noted, what: &str, told: &str) -> String {
    if noted.json {
        return json_text(&json!({ "number": number.to_string(), what: true }));
    }
    format!("Key {number} {told}\n")
}

fn write_terms(
    at: &PortalAt,
    number: KeyNumber,
    out: Option<&Path>,
    force: bool,
    noted: &Noted,
) -> Result<String, Failure> {
    let number = number.to_string();
    let output = out.map(|out| terms::output(out, &number, Some(force))).transpose()?;
    let terms = terms::make(at, &number, &noted.note)?;
    if let Some(output) = &output {
        terms::write(output, &terms)?;
    }
    let path = output.as_ref().map(OutputFile::path);
    if noted.json {
        let body = path.is_none().then_some(&terms.file);
        return Ok(json_text(&json!({
            "number": number,
            "terms": terms.number,
            "made_at_ms": terms.made_at,
            "ends_at_ms": terms.ends_at,
            "file": path,
            "text": body,
        })));
    }
    let Some(path) = path else { return Ok(terms.file) };
    Ok(format!(
        "Wrote terms {} of key {number} to {}. Hosts are confirmed under them until {}.\n",
        terms.number,
        path.display(),
        time(terms.ends_at)
    ))
}

/// Writes the terms of keys that were just issued. The keys are shown in any case: nobody can look them up again.
fn write_terms_of(at: &PortalAt, wanted: &KeyOrder, out: &Path, keys: &[w::IssuedKey]) {
    for key in keys {
        let written = terms::output(out, &key.number, None)
            .and_then(|output| terms::write(&output, &terms::make(at, &key.number, &wanted.noted.note)?));
        if let Err(Failure { error, .. }) = written {
            let remedy = format!("kms-portal key terms {} --out FILE", key.number);
            warn(&format!(
                "the terms were not written: {}; write them with `{remedy}`",
                kms_portal::remedy::message(&*error)
            ));
        }
    }
}

/// Where terms go is looked at before a key is issued: it would be shown, and something would be missing.
fn check_terms_out(wanted: &KeyOrder) -> Result<(), Failure> {
    let Some(out) = &wanted.terms_out else { return Ok(()) };
    let fault = if wanted.kind != TypedKind::Host {
        "--terms-out is for a host key; leave it out".to_owned()
    } else if valid_for(wanted.ends, SystemClock::new().now()).is_none() {
        "the key ends too soon for terms: a host's certificate by codes lasts at least until the end of the day after the call; leave \
         --terms-out out, or choose a later day with --ends"
            .to_owned()
    } else if wanted.csv.is_some() && !out.is_dir() {
        format!("{} is no folder; with --csv, name one for the terms", out.display())
    } else {
        // The number of the key is not known yet.
        return terms::output(out, "new", None).map(|_| ());
    };
    Err(Failure { code: EX_USAGE, error: anyhow!("{fault}") })
}

fn issue(at: &PortalAt, wanted: &KeyOrder) -> Result<String, Failure> {
    let request = request(wanted)?;
    check_terms_out(wanted)?;
    if let Some(count) = wanted.csv {
        return issue_csv(at, wanted, &request, count);
    }
    let mut keys = ask(at, async |mut portal| Ok(portal.issue_keys(request).await?.into_inner().keys))?;
    if let Some(out) = &wanted.terms_out {
        write_terms_of(at, wanted, out, &keys);
    }
    let Some(key) = keys.pop() else {
        return Err(Failure { code: EX_SOFTWARE, error: anyhow!("the portal has answered without a key") });
    };
    if wanted.noted.json {
        return Ok(json_text(&json!({ "number": key.number, "key": key.key })));
    }
    let ends = wanted.ends.map(|ends_at| format!("It ends at {ends_at}.\n")).unwrap_or_default();
    Ok(format!(
        "{}\n\nThis is key {} for {}. It is shown only now: the portal does not keep it.\n{ends}",
        key.key, key.number, wanted.organisation
    ))
}

/// Issues keys a few hundred at once, and prints those at once: nobody can look them up again, whatever happens to the next.
fn issue_csv(
    at: &PortalAt,
    wanted: &KeyOrder,
    request: &w::IssueKeysRequest,
    count: u32,
) -> Result<String, Failure> {
    let at_once = if wanted.order.is_some() { count } else { AT_ONCE };
    let mut issued = 0;
    let mut text = "number,key\n".to_owned();
    while issued < count {
        let request = w::IssueKeysRequest { count: at_once.min(count - issued), ..request.clone() };
        let keys = ask(at, async |mut portal| Ok(portal.issue_keys(request).await?.into_inner().keys));
        let keys = keys.map_err(|Failure { code, error }| match issued {
            0 => Failure { code, error },
            _ => Failure {
                code,
                error: error.context(format!("{issued} of {count} keys were issued, and are printed")),
            },
        })?;
        if let Some(out) = &wanted.terms_out {
            write_terms_of(at, wanted, out, &keys);
        }
        text.extend(keys.iter().map(|key| format!("{},{}\n", key.number, key.key)));
        output::write(&text).or_exit(EX_IOERR)?;
        text.clear();
        issued += u32::try_from(keys.len()).unwrap_or(count).max(1);
    }
    Ok(String::new())
}

fn request(wanted: &KeyOrder) -> Result<w::IssueKeysRequest, Failure> {
    let (kind, granted, foreign) = match wanted.kind {
        TypedKind::Host => {
            let hosts = wanted.hosts.unwrap_or(Granted::HOST.hosts);
            let activations = wanted.activations.unwrap_or(Granted::HOST.activations);
            let foreign =
                wanted.machines.or(wanted.releases).map(|_| "--machines and --releases are for a MAK");
            (KeyKind::Host, Granted { hosts, activations, ..Granted::HOST }, foreign)
        }
        TypedKind::Mak => {
            let usual = Granted::machines(wanted.machines.unwrap_or_default());
            let releases = wanted.releases.unwrap_or(usual.releases);
            let foreign =
                wanted.hosts.or(wanted.activations).map(|_| "--hosts and --activations are for a host key");
            (KeyKind::MultipleActivation, Granted { releases, ..usual }, foreign)
        }
    };
    if let Some(foreign) = foreign {
        return Err(Failure { code: EX_USAGE, error: anyhow!("{foreign}; leave them out") });
    }
    let Granted { machines, hosts, activations, releases } = granted;
    let features =
        (!wanted.features.is_empty()).then(|| w::KeyFeatures { features: wanted.features.clone() });
    Ok(w::IssueKeysRequest {
        product: wanted.product.clone(),
        kind: kind.name().to_owned(),
        organisation: wanted.organisation.clone(),
        new_organisation: wanted.new_organisation,
        granted: Some(w::Quotas { machines, hosts, activations, releases }),
        ends_at: wanted.ends.map_or(0, Timestamp::unix_ms),
        features,
        seats: wanted.seats,
        note: wanted.noted.note.clone(),
        count: 1,
        order: wanted.order.clone().unwrap_or_default(),
    })
}
