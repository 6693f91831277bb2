//! Reloading: a portal that serves reads its settings, roots, certificates and files of TLS again, and takes up what needs no restart.
//! It does so on SIGHUP, and for `kms-portal reload`.
//!
//! 1. read everything; if one part is wrong, say so and go on as before
//! 2. take up what changed, and name what waits for a restart
//!
//! docs/vendor.md, "Reload", lists what is taken up.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::bail;
use server::accept::Door;
use server::certificate;
use server::log::SetLog;
use server::settings::ChangedSetting;

use crate::api::PortalCore;
use crate::config::{PortalConfig, PortalSettingSources, PortalSettings};
use crate::home::PortalHome;
use crate::remedy;

/// The settings of a portal, where to read them again, and its log, which follows them.
pub struct FollowedSettings {
    /// Where they are read.
    pub sources: PortalSettingSources,
    /// The settings in force. A change that waits for a restart is not in them.
    pub settings: PortalSettings,
    /// Changes what is logged.
    pub set_log: SetLog,
}

/// The parts of a portal that a reload reads and changes.
pub(crate) struct PortalReload {
    pub(crate) home: PortalHome,
    /// The settings in force where none are followed.
    pub(crate) config: PortalConfig,
    pub(crate) followed: Mutex<Option<FollowedSettings>>,
    pub(crate) portal: Arc<PortalCore>,
    pub(crate) door: Door,
    pub(crate) staff_door: Door,
    pub(crate) web_door: Door,
}

impl PortalReload {
    /// Reads everything again. Returns the settings that have changed and wait for a restart.
    ///
    /// # Errors
    /// Something cannot be used; nothing has changed.
    pub(crate) fn once(&self) -> Result<Vec<String>, String> {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        self.read_and_take_up(followed.as_mut()).map_err(|error| remedy::message(&*error))
    }

    fn read_and_take_up(&self, followed: Option<&mut FollowedSettings>) -> anyhow::Result<Vec<String>> {
        // 1
        let read = followed.as_deref().map(read_settings).transpose()?;
        let (config, changes) = match (&followed, &read) {
            (Some(old), Some(new)) => (old.settings.taken_up(new), old.settings.changes(new)),
            _ => (self.config.clone(), Vec::new()),
        };
        let (roots, issuer) = (self.home.roots()?, self.home.issuer()?);
        let code_signer = self.home.code_signer()?;
        let tls = config.read_tls(self.home.path())?;
        let now = self.portal.clock.now();
        certificate::check_end(&self.door.admission().tls, &tls, now)?;
        // 2
        changes.iter().for_each(say);
        tracing::info!(until = %issuer.certificate().not_after, "read settings, roots, certificates and files of TLS again");
        self.portal.take_up(roots, issuer, code_signer);
        self.door.take_up(config.door());
        self.staff_door.take_up(config.staff_door());
        self.web_door.take_up(config.web_door());
        certificate::take_up(&self.door, tls.clone(), now);
        self.web_door.show(config.web_tls(tls.clone()));
        self.staff_door.show(tls);
        if let Some(followed) = followed {
            followed.take_up(config);
        }
        let waiting = changes.iter().filter(|change| change.key.needs_restart);
        Ok(waiting.map(|change| change.key.name.to_owned()).collect())
    }
}

fn read_settings(old: &FollowedSettings) -> anyhow::Result<PortalSettings> {
    let new = old.sources.read()?;
    // Otherwise every setting would fall back to its default, including `allow`.
    if old.settings.are_of_a_file && !new.are_of_a_file {
        bail!("{} is gone; put it back, or start the portal again without it", old.settings.file().display());
    }
    Ok(new)
}

impl FollowedSettings {
    fn take_up(&mut self, config: PortalConfig) {
        if config.log != self.settings.config.log
            && let Err(error) = (self.set_log)(&config.log)
        {
            let error = format!("{error:#}");
            tracing::error!(error, "the log stays as it was");
        }
        self.settings.config = config;
    }
}

fn say(ChangedSetting { key, old, new }: &ChangedSetting) {
    let key_name = key.name;
    if key.name == "database" {
        // It may have a password in it.
        tracing::warn!(key = key_name, "this setting has changed: restart the portal to apply it");
    } else if key.needs_restart {
        tracing::warn!(key = key_name, old, new, "this setting has changed: restart the portal to apply it");
    } else {
        tracing::info!(key = key_name, old, new, "a setting has changed");
    }
}
