//! A look at a product's state on this machine, for tools. It makes, mends and locks nothing, and asks no host.
//!
//! A product starts with `Builder::build`, which begins a state if there is none. A tool that only looks must not do that: the files
//! would belong to the tool's user, grace would run, and an image would have an identity. It can write only the file `hosts`, which
//! belongs to the administrator and begins nothing.

use std::io;
use std::sync::Arc;

#[cfg(feature = "keys")]
use prost::{DecodeError, Message as _};
#[cfg(feature = "keys")]
use proto::v1::Signed;
use shared::reason::{Cause, Reason};
#[cfg(feature = "keys")]
use wire::SystemClock;

#[cfg(feature = "codes")]
use crate::codes::InstallationCode;
use crate::discovery::{Discovery, Places, Problem, in_hosts_file};
use crate::files::off_thread;
use crate::home::{HOSTS, HOSTS_MAX_BYTES, Home, unwritable};
use crate::hosts::HostName;
use crate::snapshot::Snapshot;
#[cfg(feature = "keys")]
use crate::{carrier, key_file::read_key, product::Terms};

/// A product's state on this machine, as it lies on the disk.
#[derive(Debug)]
pub struct Inspector {
    pub(crate) home: Arc<Home>,
    pub(crate) places: Places,
    pub(crate) snapshot: Snapshot,
    #[cfg(feature = "codes")]
    pub(crate) installation_id: Result<InstallationCode, Cause>,
    #[cfg(feature = "keys")]
    pub(crate) terms: Arc<Terms>,
}

impl Inspector {
    /// Where the product stood when the inspector was made.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The public number of a product key, however it is typed. Nothing is entered.
    ///
    /// # Errors
    /// It is no key that licenses a machine of this product, as for [`Client::set_key`](crate::Client::set_key).
    #[cfg(feature = "keys")]
    pub fn check_key(&self, text: &str) -> Result<crate::KeyNumber, Cause> {
        read_key(text, self.terms.id).map(|key| key.number())
    }

    /// What the user of this machine reads to the vendor. See [`Client::installation_id`](crate::Client::installation_id).
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "codes")]
    pub fn installation_id(&self) -> Result<InstallationCode, Cause> {
        self.installation_id.clone()
    }

    /// The hosts that would be asked, in order, and what named each. This asks DNS, and no host.
    pub async fn discover(&self) -> Discovery {
        let Snapshot { last_host, left_out, .. } = &self.snapshot;
        discover(&self.home, &self.places, last_host.as_deref(), left_out).await
    }

    /// The hosts that the file `hosts` names, and the lines in it that name none. This asks neither DNS nor a host.
    ///
    /// # Errors
    /// The file exists and cannot be read.
    pub async fn hosts_file(&self) -> Result<Discovery, Cause> {
        let text = read_hosts(&self.home).await?;
        Ok(text.as_deref().and_then(in_hosts_file).unwrap_or_default())
    }

    /// Writes the file `hosts`, which the product reads in every round.
    ///
    /// # Errors
    /// It cannot be written (`STATE_UNWRITABLE`).
    pub async fn set_hosts(&self, hosts: &[HostName]) -> Result<(), Cause> {
        set_hosts(&self.home, hosts).await
    }

    /// Carries the ask of another machine ([`Client::key_ask`](crate::Client::key_ask)) to the vendor's portal, and returns its
    /// confirmation, for [`Client::apply_confirmation`](crate::Client::apply_confirmation) there. This machine needs no license for it.
    ///
    /// # Errors
    /// The portal's refusal, or why there is no answer. The same ask may be carried again, which costs nothing.
    #[cfg(feature = "keys")]
    pub async fn carry_ask(&self, ask: &[u8]) -> Result<Vec<u8>, Cause> {
        let malformed = |error: DecodeError| Reason::Malformed.with(&[("cause", &error)]);
        let ask = Signed::decode(ask).map_err(malformed)?;
        let carried = carrier::carry(&self.terms, Arc::new(SystemClock::new()), ask).await;
        carried.map(|confirmation| confirmation.encode_to_vec())
    }

    /// Removes the file `hosts`.
    ///
    /// # Errors
    /// It cannot be removed (`STATE_UNWRITABLE`).
    pub async fn clear_hosts(&self) -> Result<(), Cause> {
        clear_hosts(&self.home).await
    }
}

pub(crate) async fn discover(
    home: &Arc<Home>,
    places: &Places,
    last: Option<&str>,
    first: &[String],
) -> Discovery {
    let path = home.path().join(HOSTS);
    let (hosts_file, unread) =
        read_hosts(home).await.map_or_else(|cause| (None, Some(cause)), |text| (text, None));
    let mut found = places.discover(hosts_file.as_deref(), last, first).await;
    // A file that cannot be read is not a missing one. It is shown, even though other hosts are asked instead.
    let unread = unread.map(|cause| Problem { place: path.display().to_string(), cause });
    found.problems.splice(..0, unread);
    found
}

async fn read_hosts(home: &Arc<Home>) -> Result<Option<String>, Cause> {
    let files = Arc::clone(home);
    let read = off_thread(move || Ok(files.read_hosts())).await;
    read.unwrap_or_else(|error| Err(unwritable(home.path(), &error)))
}

pub(crate) async fn set_hosts(home: &Arc<Home>, hosts: &[HostName]) -> Result<(), Cause> {
    let lines = hosts.iter().map(|host| format!("{host}\n"));
    let text = lines.collect::<Vec<_>>().concat();
    if HOSTS_MAX_BYTES < text.len() {
        let cause = format!("{} names are more than the 64 KiB that a hosts file may have", hosts.len());
        return Err(Reason::HostsFileBad.with(&[("cause", &cause)]));
    }
    change_hosts(home, move |home| home.write_hosts(text.as_bytes())).await
}

pub(crate) async fn clear_hosts(home: &Arc<Home>) -> Result<(), Cause> {
    change_hosts(home, Home::remove_hosts).await
}

async fn change_hosts(
    home: &Arc<Home>,
    change: impl FnOnce(&Home) -> io::Result<()> + Send + 'static,
) -> Result<(), Cause> {
    let files = Arc::clone(home);
    let changed = off_thread(move || change(&files)).await;
    changed.map_err(|error| unwritable(home.path(), &error))
}
