//! The door: who may connect and how, by the present settings.
//!
//! It exists as long as the host serves; a reload replaces its rules. Open connections are not checked again.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use super::limits::Limits;
use super::places::{Place, Places};
use super::turned_away::Why;
use crate::config::network::is_allowed;
use crate::config::{Config, Network};
use crate::door::tls::{Tls, TlsCertificate};
use crate::fairness::{Fairness, Source};

/// The rules of the door.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The number of connections at once.
    pub limits: Limits,
    /// The number of calls at once on one connection.
    pub calls_per_connection: u32,
    /// The networks that may connect; empty if every address may.
    pub allow: Vec<Network>,
    /// In the clear, or by TLS.
    pub tls: Tls,
}

impl Admission {
    /// The rules of these settings, with limits and TLS that were derived from them.
    pub fn new(config: &Config, limits: Limits, tls: Tls) -> Admission {
        let Config { calls_per_connection, allow, .. } = config;
        Admission { limits, calls_per_connection: *calls_per_connection, allow: allow.clone(), tls }
    }
}

/// All machines, in the clear, as many as the descriptors of this process allow.
impl Default for Admission {
    fn default() -> Admission {
        Admission::new(&Config::default(), Limits::default(), Tls::Off)
    }
}

/// The door for machines. A clone is the same door.
#[derive(Clone, Debug)]
pub struct Door {
    admission: Arc<RwLock<Arc<Admission>>>,
    pub(super) places: Arc<Places>,
}

impl Door {
    /// A door with these rules. `fairness` counts refused connections.
    pub fn new(admission: Admission, fairness: Arc<Fairness>) -> Door {
        let places = Arc::new(Places::new(admission.limits, fairness));
        Door { admission: Arc::new(RwLock::new(Arc::new(admission))), places }
    }

    /// The present rules.
    pub fn admission(&self) -> Arc<Admission> {
        self.admission.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The TLS certificate that the host shows to machines; none if TLS is off.
    pub fn tls_certificate(&self) -> Option<TlsCertificate> {
        self.admission().tls.server().map(|server| server.certificate().clone())
    }

    /// Applies limits and networks from the next connection on.
    pub fn take_up(&self, old: &Config, new: &Config) {
        let are_limits_new =
            (old.connections, old.connections_per_address) != (new.connections, new.connections_per_address);
        self.change(|admission| {
            if are_limits_new {
                admission.limits = Limits::of_this_process(new.connections, new.connections_per_address);
                self.places.set_limits(admission.limits);
            }
            *admission = Admission::new(new, admission.limits, admission.tls.clone());
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
        if !is_allowed(&admission.allow, from) {
            self.places.turned_away.note(Source::of(from), Why::NotAllowed, None);
            return None;
        }
        Some((self.places.take(from)?, admission))
    }
}
