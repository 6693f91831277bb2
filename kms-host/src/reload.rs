//! Reloading: a running host reads its settings and certificates again and takes up what needs no restart. It does so on SIGHUP,
//! and for `kms-host reload`, which prints the result.
//!
//! 1. read the file, the environment, the certificates and the files of TLS, those for the portal included; if one is wrong, say so and
//!    go on as before
//! 2. write what changes into the audit log, one line for all of it; if that fails, say so and go on as before
//! 3. take up what changed, and log each change with both values; name what waits for a restart
//!
//! Because of this order a mistake in a file changes nothing, not even the half of the file that was right, and every change is in
//! the audit log.

use std::sync::Arc;

use anyhow::bail;
use server::accept::Door;
use server::admin::caller::Caller;
use server::audit::{self, Audit};
use server::certificate;
use server::log::SetLog;
use server::settings::ChangedSetting;
use server::tls::Tls;
use shared::revocation::SignedList;
use shared::time::Timestamp;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, watch};
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use crate::activate::Host;
use crate::admin::{NotReloaded, ReloadOrder, Reloaded};
use crate::certificates::{Certificates, Installed};
use crate::config::{Config, SettingSources, Settings};
use crate::home::{self, Home};
use crate::portal;
use crate::remedy;
use crate::run::{self, Running};
use crate::watch::{self as watching, retention};

/// The parts of a running host that a reload reads and changes.
pub struct Reload {
    home: Home,
    sources: SettingSources,
    /// The settings in force. A change that waits for a restart is not in them.
    settings: Settings,
    set_log: SetLog,
    host: Arc<Host>,
    audit: Arc<Audit>,
    config: watch::Sender<Arc<Config>>,
    door: Door,
}

impl Reload {
    /// Reloads this host, which was started with these settings.
    pub fn of(
        running: &Running,
        home: Home,
        sources: SettingSources,
        settings: Settings,
        set_log: SetLog,
    ) -> Reload {
        let Running { host, audit, config, door, .. } = running;
        Reload {
            home,
            sources,
            settings,
            set_log,
            host: host.clone(),
            audit: audit.clone(),
            config: config.clone(),
            door: door.clone(),
        }
    }

    /// Reloads at each SIGHUP and each order, until the host stops. Signals that arrive together cause one reload.
    pub async fn at_each(
        mut self,
        mut hangups: Signal,
        mut orders: mpsc::Receiver<ReloadOrder>,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                Some(()) = hangups.recv() => {
                    // The result is in the log.
                    let _ = self.once(Caller::own(), "SIGHUP").await;
                }
                Some(order) = orders.recv() => {
                    let done = self.once(order.caller, &order.note).await;
                    // If the administrator has left, the result is in the log and the audit log.
                    let _ = order.done.send(done);
                }
                () = stop.cancelled() => return,
            }
        }
    }

    async fn once(&mut self, caller: Caller, note: &str) -> Result<Vec<Reloaded>, NotReloaded> {
        // 1
        let read = block_in_place(|| self.read()).map_err(|error| {
            let error = remedy::message(&*error);
            tracing::error!(error, "the new settings or certificates are not valid: nothing is changed");
            NotReloaded::Invalid(error)
        })?;
        let changes = self.settings.changes(&read.0);
        let found = self.differences(&changes, &read.1, &read.2);
        let (audit, clock) = (Arc::clone(&self.audit), Arc::clone(&self.host.clock));
        // 2, 3
        let change = change(&found, caller, note);
        let take_up = async {
            block_in_place(|| self.take_up_all(&changes, read));
            Ok(())
        };
        let taken_up = match change {
            Some(change) => audit.perform(&*clock, change, take_up).await,
            None => take_up.await,
        };
        taken_up.inspect_err(|error: &NotReloaded| {
            tracing::error!(%error, "nothing is changed");
        })?;
        Ok(found)
    }

    // 3
    fn take_up_all(&mut self, changes: &[ChangedSetting], read: (Settings, Certificates, Tls)) {
        let (settings, certificates, tls) = read;
        // The changes are logged at the more detailed of the old and the new level.
        let is_quiet = !tracing::enabled!(tracing::Level::INFO);
        let new = Arc::new(self.settings.taken_up(&settings));
        if is_quiet {
            self.set_log(&new);
        }
        changes.iter().for_each(say);
        self.config.send_replace(new.clone());
        certificate::take_up(&self.door, tls, self.host.clock.now());
        self.take_up_certificates(certificates);
        tracing::info!("settings and certificates were read again");
        if !is_quiet {
            self.set_log(&new);
        }
        self.settings.config = Arc::unwrap_or_clone(new);
    }

    fn read(&self) -> anyhow::Result<(Settings, Certificates, Tls)> {
        let settings = self.sources.read()?;
        // Otherwise every setting would fall back to its default, including TLS and `allow`.
        if self.settings.are_of_a_file && !settings.are_of_a_file {
            bail!(
                "{} is gone; put it back, or start the host again without it",
                self.settings.file().display()
            );
        }
        let certificates = self.home.certificates()?.keeping(&self.host.certificates());
        run::check_any(&self.home, &certificates)?;
        // These certificates fit the key on disk, but the host signs with the key that it read at its start.
        let own = self.host.id;
        if let Some(other) = certificates.all().map(|one| one.chain.host().host()).find(|host| *host != own) {
            bail!(
                "signing key and certificates are those of host {other}, and this is {own}: restart it as that one"
            );
        }
        self.check_known(&certificates)?;
        home::check_hour_width(&certificates, self.host.ledger.meta().hour_width_ms)?;
        retention::check(settings.config.retention_days, &certificates)?;
        let tls = settings.config.read_tls(self.home.path())?;
        portal::check_tls(&settings.config, self.home.path(), self.host.clock.clone())?;
        certificate::check_end(&self.door.admission().tls, &tls, self.host.clock.now())?;
        Ok((settings, certificates, tls))
    }

    /// Everything that has changed.
    fn differences(
        &self,
        changes: &[ChangedSetting],
        certificates: &Certificates,
        tls: &Tls,
    ) -> Vec<Reloaded> {
        let old = self.host.certificates();
        let settings = changes.iter().map(|change| Reloaded {
            name: change.key.name.to_owned(),
            text: format!("{} -> {}", change.old, change.new),
            needs_restart: change.key.needs_restart,
        });
        let taken_up = |name: &str, text| Reloaded { name: name.to_owned(), text, needs_restart: false };
        let certificate = |installed: &Installed, what| {
            let certificate = installed.chain.host();
            let text = format!("{what}, for {}", certificate.product_name);
            taken_up(&format!("certificate {}", certificate.id), text)
        };
        let now = self.host.clock.now();
        let new = only_in(certificates, &old, now).map(|installed| certificate(installed, "new"));
        let gone = only_in(&old, certificates, now).map(|installed| certificate(installed, "gone"));
        let running = &self.door.admission().tls;
        let of_tls = certificate::new_certificate(running, tls)
            .map(|new| taken_up("tls certificate", format!("new, until {}", new.ends_at)));
        let authority = certificate::has_new_authority(running, tls);
        let authority = authority.then(|| taken_up("tls client CA", "new".to_owned()));
        let lists = old.revocation_lists();
        let is_new = |list: &&SignedList| lists.iter().all(|old| old.wire() != list.wire());
        let revocations = certificates.revocation_lists().into_iter().filter(is_new).map(|list| {
            let (number, revoked) = (list.list().number, list.list().revoked().len());
            taken_up(&format!("revocation list {number}"), format!("new, with {revoked} revoked"))
        });
        settings.chain(new).chain(gone).chain(of_tls).chain(authority).chain(revocations).collect()
    }

    /// Fails if a product that is served would have only certificates that its machines refuse.
    fn check_known(&self, new: &Certificates) -> anyhow::Result<()> {
        let now = self.host.clock.now();
        for (product, used) in self.host.certificates().products(now) {
            let mut strange = new.of(product).iter().filter_map(|one| Some((one, new.difference(one, now)?)));
            if let (None, Some((one, difference))) = (new.current(product, now), strange.next()) {
                bail!(
                    "the certificate {} is not taken up: {difference}; put the certificate {} back, and {}",
                    one.path.display(),
                    used.chain.host().id,
                    difference.remedy()
                );
            }
        }
        Ok(())
    }

    fn set_log(&self, new: &Config) {
        if new.log != self.settings.config.log
            && let Err(error) = (self.set_log)(&new.log)
        {
            let error = format!("{error:#}");
            tracing::error!(error, "the log stays as it was");
        }
    }

    fn take_up_certificates(&self, new: Certificates) {
        let (old, now) = (self.host.certificates(), self.host.clock.now());
        for installed in only_in(&new, &old, now) {
            let (certificate, ends_at) = (installed.chain.host(), installed.chain.ends_at());
            let (product, certificate) = (certificate.product_name.as_str(), certificate.id);
            tracing::info!(product, %certificate, %ends_at, "a certificate is new");
        }
        for installed in only_in(&old, &new, now) {
            let certificate = installed.chain.host();
            let (product, certificate) = (certificate.product_name.as_str(), certificate.id);
            tracing::warn!(product, %certificate, "a certificate is gone, and is not used any more");
        }
        watching::certificates::warn_of_left_out(&new);
        let new = watching::certificates::note_known(&self.home, new, now);
        watching::certificates::say_which_are_used(&new, &old, now);
        watching::certificates::warn_of_ends(&new, Timestamp::from_unix_ms(i64::MIN), now);
        self.host.replace_certificates(new);
    }
}

/// The line of the audit log for a reload; `None` if nothing changes.
fn change(found: &[Reloaded], caller: Caller, note: &str) -> Option<audit::AuditedChange> {
    let taken_up = found.iter().filter(|one| !one.needs_restart);
    let parameters: Vec<_> =
        taken_up.map(|one| (one.name.as_str(), &one.text as &dyn std::fmt::Display)).collect();
    (!parameters.is_empty()).then(|| audit::AuditedChange::new(caller, "reload", &parameters, note))
}

fn say(ChangedSetting { key, old, new }: &ChangedSetting) {
    if key.needs_restart {
        tracing::warn!(key = key.name, old, new, "this setting has changed: restart the host to apply it");
    } else {
        tracing::info!(key = key.name, old, new, "a setting has changed");
    }
}

/// The certificates that machines accept in `these` and not in `those`.
fn only_in<'a>(
    these: &'a Certificates,
    those: &'a Certificates,
    now: Timestamp,
) -> impl Iterator<Item = &'a Installed> {
    let id = |installed: &Installed| installed.chain.host().id;
    let taken = move |all: &'a Certificates| all.all().filter(move |one| all.difference(one, now).is_none());
    taken(these).filter(move |this| taken(those).all(|that| id(that) != id(this)))
}
