//! The product key of an installation: entered, cleared, and brought into line with what is remembered of it.
//!
//! The key is in a file of its own, so a crash or a person can leave that and `saved` apart. Then the key in the file counts.

use std::io;
use std::sync::Arc;

use shared::parts::{Hardware, HardwareParts};
use shared::product_key::ProductKey;
use shared::reason::Cause;
use shared::time::Timestamp;

use crate::home::{KEY, Lock};
use crate::key_file::HeldKey;

use super::Installation;

impl Installation {
    /// Whether this machine asks the vendor's portal, and no host.
    pub(crate) fn goes_by_key(&self) -> bool {
        self.saved.key_number().is_some()
    }

    /// The hardware under which the vendor knows this machine: that of the key's confirmation, as long as it is the same hardware. So the
    /// portal finds a place again that was given by a code.
    pub(crate) fn parts(&self) -> HardwareParts {
        let parts = self.terms.hardware();
        let known = self.saved.own_confirmation().map(|held| held.parts);
        known.filter(|known| known.compare(&parts) != Hardware::Different).unwrap_or(parts)
    }

    /// Enters a key, or clears it. It is durable when this returns.
    pub(crate) async fn change_key(
        &mut self,
        key: Option<ProductKey>,
        at_once: bool,
        now: Timestamp,
        lock: &Arc<Lock>,
    ) -> Result<(), Cause> {
        let mut new = self.clone();
        let changed = self.locked(lock, move |lock| {
            match key {
                Some(key) => new.enter(key, at_once, now, lock)?,
                None => new.clear(now, lock)?,
            }
            Ok(new)
        });
        *self = changed.await?;
        Ok(())
    }

    /// Remembers the ask that is under way, or that none is.
    pub(crate) async fn save_key(&mut self, lock: &Arc<Lock>) -> Result<(), Cause> {
        let Some(held) = &self.key else { return Ok(()) };
        let bytes = held.encode();
        self.locked(lock, move |lock| lock.write_secret(KEY, &bytes)).await
    }

    fn enter(&mut self, key: ProductKey, at_once: bool, now: Timestamp, lock: &Lock) -> io::Result<()> {
        if self.key.as_ref().is_none_or(|held| held.key != key) {
            let held = HeldKey::new(key.clone());
            lock.write_secret(KEY, &held.encode())?;
            self.key = Some(held);
        }
        self.saved.enter_key(key.number(), at_once, now);
        self.write(lock)
    }

    fn clear(&mut self, now: Timestamp, lock: &Lock) -> io::Result<()> {
        lock.remove(KEY)?;
        self.key = None;
        if self.goes_by_key() {
            self.saved.clear_key(now);
        }
        self.write(lock)
    }

    /// Enters the key that the product's code gives, and settles what a crash, a person or new hardware has left. Without the lock
    /// this is only known to this process; the next round writes it.
    pub(super) fn settle_key(&mut self, now: Timestamp, lock: Option<&Lock>) -> io::Result<()> {
        let given = self.terms.keys.key.clone().filter(|_| self.identity.is_some() && self.home.keeps());
        let is_new = |key: &ProductKey| self.key.as_ref().is_none_or(|held| held.key != *key);
        if let (Some(key), Some(lock)) = (given.filter(is_new), lock) {
            self.enter(key, true, now, lock)?;
        }
        match (self.look_at_key(now), lock) {
            (true, Some(lock)) => self.write(lock),
            _ => Ok(()),
        }
    }

    /// What the key file and the hardware say. Returns whether that differs from what is remembered.
    pub(super) fn look_at_key(&mut self, now: Timestamp) -> bool {
        let number = self.key.as_ref().map(|held| held.key.number());
        let known = self.saved.key_number();
        match number {
            Some(number) if known != Some(number) => {
                self.saved.enter_key(number, true, now);
                true
            }
            // Another user's process cannot read the key; and what is confirmed needs none.
            None if known.is_some() && self.identity.is_some() && !self.saved.is_confirmed() => {
                self.saved.clear_key(now);
                true
            }
            None if self.identity.is_some()
                && let Some(before) = self.saved.key_before() =>
            {
                self.saved.enter_key(before, true, now);
                true
            }
            _ => {
                let terms = Arc::clone(&self.terms);
                self.saved.check_hardware(&terms, now)
            }
        }
    }
}
