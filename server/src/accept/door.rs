//! The door: who may connect and how, by the present settings.
//!
//! It exists as long as the program serves; a reload replaces its rules. Open connections are not checked again.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use super::limits::Limits;
use super::places::{Place, Places};
use super::turned_away::{ConnectionObserver, Why};
use crate::network::Network;
use crate::network::is_allowed;
use crate::settings::SettingFault;
use crate::source::Source;
use crate::tls::{Tls, TlsCertificate};

/// The settings of the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorSettings {
    /// The number of connections at once; 0 for as many as the descriptors allow.
    pub connections: usize,
    /// The number of connections of one address; 0 for its share.
    pub connections_per_address: usize,
    /// The number of calls at once on one connection.
    pub calls_per_connection: u32,
    /// The networks that may connect; empty if every address may.
    pub allow: Vec<Network>,
}

impl DoorSettings {
    /// Checks that the numbers fit together.
    ///
    /// # Errors
    /// One address could hold more connections than all.
    pub fn check(&self) -> Result<(), SettingFault> {
        let DoorSettings { connections, connections_per_address, .. } = self;
        if *connections == 0 || connections_per_address <= connections {
            return Ok(());
        }
        let fault = format!(
            "`connections_per_address` is {connections_per_address} and `connections` is only {connections}: one address cannot hold more \
             than all"
        );
        Err(("connections_per_address", fault))
    }
}

/// The rules of the door.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The settings.
    pub settings: DoorSettings,
    /// The number of connections at once, which follows from them.
    pub limits: Limits,
    /// In the clear, or by TLS.
    pub tls: Tls,
}

/// The door for peers. A clone is the same door.
#[derive(Clone, Debug)]
pub struct Door {
    admission: Arc<RwLock<Arc<Admission>>>,
    pub(super) places: Arc<Places>,
}

impl Door {
    /// A door with these rules. `observer` learns of refused connections. The log names the file that has the settings.
    pub fn new(
        admission: Admission,
        settings_file: &'static str,
        observer: Arc<dyn ConnectionObserver>,
    ) -> Door {
        let places = Arc::new(Places::new(admission.limits, settings_file, observer));
        Door { admission: Arc::new(RwLock::new(Arc::new(admission))), places }
    }

    /// The present rules.
    pub fn admission(&self) -> Arc<Admission> {
        self.admission.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The TLS certificate that peers are shown; none if TLS is off.
    pub fn tls_certificate(&self) -> Option<TlsCertificate> {
        self.admission().tls.server().map(|server| server.certificate().clone())
    }

    /// Applies these settings from the next connection on.
    pub fn take_up(&self, new: DoorSettings) {
        let limits = |settings: &DoorSettings| (settings.connections, settings.connections_per_address);
        self.change(|admission| {
            if limits(&admission.settings) != limits(&new) {
                admission.limits = Limits::of_this_process(new.connections, new.connections_per_address);
                self.places.set_limits(admission.limits);
            }
            admission.settings = new;
        });
    }

    /// Applies this TLS from the next connection on.
    pub fn show(&self, tls: Tls) {
        self.change(|admission| admission.tls = tls);
    }

    fn change(&self, change: impl FnOnce(&mut Admission)) {
        let mut admission = self.admission.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut admission));
    }

    /// A place for a new connection from this address, and its TLS; none if it may not connect.
    pub(super) fn admit(&self, from: IpAddr) -> Option<(Place, Arc<Admission>)> {
        let admission = self.admission();
        if !is_allowed(&admission.settings.allow, from) {
            self.places.turned_away.note(Source::of(from), Why::NotAllowed, None);
            return None;
        }
        Some((self.places.take(from)?, admission))
    }
}
