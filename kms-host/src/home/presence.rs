//! Notices that the data directory, or the ledger in it, was removed or replaced under a running host.
//!
//! A host would lose everything that it acknowledges in such a directory. The ledger looks before each answer (`store::Place`). A host
//! without asks looks here, from time to time, and stops.

use std::time::Duration;

use server::fixable::FixableError;
use store::Place;

use super::Home;

/// How often to look. Each look asks for one name that the kernel has cached.
const LOOK: Duration = Duration::from_millis(200);

/// The ledger's directory and files, as they were when they were opened. They are gone if the data directory is.
#[derive(Clone, Debug)]
pub struct Presence(Place);

impl Presence {
    /// Notes the directory. Call it once the ledger is open.
    pub fn of(home: &Home) -> Presence {
        Presence(Place::of(&home.ledger_path()))
    }

    /// Looks whether it is still there.
    ///
    /// # Errors
    /// It is not.
    pub fn look(&self) -> Result<(), FixableError> {
        self.0.look().map_err(|gone| {
            let text = format!(
                "{gone} while the host was running, and the host has stopped, because nothing that it counts there would last"
            );
            FixableError::new(text, "put it back and start the host again, or restore a backup")
        })
    }

    /// Completes once it is gone.
    pub async fn gone(&self) -> FixableError {
        loop {
            if let Err(stopped) = self.look() {
                return stopped;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
