//! The client for a product without an asynchronous runtime. It has one thread, which stops when the client is dropped.
//!
//! ```no_run
//! use kms_client::{Client, Product};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # const EDITOR: Product = Product::new([0x0b; 16], "Editor", [[0x1c; 32], [0x2d; 32]]);
//! let license = kms_client::blocking::Client::start(Client::builder(EDITOR).state_dir("/var/lib/editor"))?;
//! println!("{}", license.state().text_key());
//! # Ok(())
//! # }
//! ```

use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use shared::license::LicenseState;
use shared::reason::Cause;
use tokio::runtime::{Builder as RuntimeBuilder, Handle};
use tokio::sync::oneshot;

use crate::client::{BuildError, Builder};
use crate::discovery::Discovery;
use crate::outcome::Round;
use crate::snapshot::Snapshot;

/// How long dropping a client may wait for its thread.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// One product's license on this machine. Its loop runs on a thread of its own.
///
/// The calls block. Do not make them from inside an asynchronous runtime.
#[derive(Debug)]
pub struct Client {
    inner: crate::Client,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Builds a client and starts the loop.
    ///
    /// # Errors
    /// The client cannot be built, or the thread cannot be started.
    pub fn start(builder: Builder) -> Result<Client, BuildError> {
        Client::of(builder.build()?)
    }

    /// Starts the loop of a client that was built.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn of(client: crate::Client) -> Result<Client, BuildError> {
        let refused = |error: io::Error| BuildError::Thread(error.to_string());
        let runtime = RuntimeBuilder::new_current_thread().enable_all().build().map_err(refused)?;
        let (stop, stopped) = oneshot::channel();
        let (handle, running) = (runtime.handle().clone(), client.clone());
        let thread = std::thread::Builder::new().name("kms-client".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(running.run(async {
                // A message or a dropped sender: both end the loop.
                let _ = stopped.await;
            }));
            // A name look-up cannot be stopped and may take long. A write that has begun ends in this time.
            runtime.shutdown_timeout(STOP_LIMIT);
        });
        Ok(Client {
            inner: client,
            runtime: handle,
            stop: Some(stop),
            thread: Some(thread.map_err(refused)?),
        })
    }

    /// Where the product stands now. See [`Client::state`](crate::Client::state).
    pub fn state(&self) -> LicenseState {
        self.inner.state()
    }

    /// Whether the organisation has bought this feature. See [`Client::has`](crate::Client::has).
    pub fn has(&self, feature: &str) -> bool {
        self.inner.has(feature)
    }

    /// Everything that a status line or an about box shows, as of now.
    pub fn snapshot(&self) -> Snapshot {
        self.inner.snapshot()
    }

    /// Looks at the clock now. See [`Client::wake`](crate::Client::wake).
    pub fn wake(&self) {
        self.inner.wake();
    }

    /// Asks now and waits for the outcome. See [`Client::activate`](crate::Client::activate).
    ///
    /// # Errors
    /// No host was asked.
    pub fn activate(&self) -> Result<Round, Cause> {
        let client = self.inner.clone();
        self.wait_for(async move { client.activate().await }).unwrap_or_else(|| Err(stopped()))
    }

    /// Retires this machine. See [`Client::release`](crate::Client::release).
    ///
    /// # Errors
    /// No host was asked.
    pub fn release(&self) -> Result<Round, Cause> {
        let client = self.inner.clone();
        self.wait_for(async move { client.release().await }).unwrap_or_else(|| Err(stopped()))
    }

    /// Enters a product key; the loop asks the vendor's portal at once. See [`Client::set_key`](crate::Client::set_key).
    ///
    /// # Errors
    /// The text is no such key, or nothing can be kept here.
    #[cfg(feature = "keys")]
    pub fn set_key(&self, text: &str) -> Result<crate::KeyNumber, Cause> {
        let (client, text) = (self.inner.clone(), text.to_owned());
        self.wait_for(async move { client.set_key(&text).await }).unwrap_or_else(|| Err(stopped()))
    }

    /// Enters a product key for later. See [`Client::set_key_for_later`](crate::Client::set_key_for_later).
    ///
    /// # Errors
    /// As [`set_key`](Client::set_key).
    #[cfg(feature = "keys")]
    pub fn set_key_for_later(&self, text: &str) -> Result<crate::KeyNumber, Cause> {
        let (client, text) = (self.inner.clone(), text.to_owned());
        self.wait_for(async move { client.set_key_for_later(&text).await }).unwrap_or_else(|| Err(stopped()))
    }

    /// Forgets the product key. See [`Client::clear_key`](crate::Client::clear_key).
    ///
    /// # Errors
    /// Another process is asking, or the state cannot be written.
    #[cfg(feature = "keys")]
    pub fn clear_key(&self) -> Result<(), Cause> {
        let client = self.inner.clone();
        self.wait_for(async move { client.clear_key().await }).unwrap_or_else(|| Err(stopped()))
    }

    /// Gives back the place of a key that was replaced or cleared. See [`Client::release_key`](crate::Client::release_key).
    ///
    /// # Errors
    /// The portal was not asked.
    #[cfg(feature = "keys")]
    pub fn release_key(&self, number: crate::KeyNumber) -> Result<Round, Cause> {
        let client = self.inner.clone();
        self.wait_for(async move { client.release_key(number).await }).unwrap_or_else(|| Err(stopped()))
    }

    /// Begins to sign somebody in; the loop asks the portal whether they have. See [`Client::sign_in`](crate::Client::sign_in).
    ///
    /// # Errors
    /// The portal was not asked, or has refused.
    #[cfg(feature = "accounts")]
    pub fn sign_in(&self) -> Result<crate::SignIn, Cause> {
        let client = self.inner.clone();
        self.wait_for(async move { client.sign_in().await }).unwrap_or_else(|| Err(stopped()))
    }

    /// Waits until somebody has signed in. See [`Client::finish_sign_in`](crate::Client::finish_sign_in).
    ///
    /// # Errors
    /// Why nobody is signed in now.
    #[cfg(feature = "accounts")]
    pub fn finish_sign_in(&self) -> Result<(), Cause> {
        let client = self.inner.clone();
        self.wait_for(async move { client.finish_sign_in().await }).unwrap_or_else(|| Err(stopped()))
    }

    /// Signs out. See [`Client::sign_out`](crate::Client::sign_out).
    ///
    /// # Errors
    /// As [`Client::sign_out`](crate::Client::sign_out).
    #[cfg(feature = "accounts")]
    pub fn sign_out(&self) -> Result<(), Cause> {
        let client = self.inner.clone();
        self.wait_for(async move { client.sign_out().await }).unwrap_or_else(|| Err(stopped()))
    }

    /// What the user reads to the vendor. See [`Client::installation_id`](crate::Client::installation_id).
    ///
    /// # Errors
    /// No key was entered, or this product takes no confirmation id.
    #[cfg(feature = "codes")]
    pub fn installation_id(&self) -> Result<crate::InstallationCode, Cause> {
        let client = self.inner.clone();
        self.wait_for(async move { client.installation_id().await }).unwrap_or_else(|| Err(stopped()))
    }

    /// Takes what the vendor has read back. See [`Client::enter_confirmation`](crate::Client::enter_confirmation).
    ///
    /// # Errors
    /// It confirms nothing here, or nothing can be kept here.
    #[cfg(feature = "codes")]
    pub fn enter_confirmation(&self, text: &str) -> Result<Snapshot, Cause> {
        let (client, text) = (self.inner.clone(), text.to_owned());
        self.wait_for(async move { client.enter_confirmation(&text).await }).unwrap_or_else(|| Err(stopped()))
    }

    /// Does what the wizard needs, and waits for it. See [`WizardTask::run`](crate::wizard::WizardTask::run).
    #[cfg(feature = "codes")]
    pub fn run_task(&self, task: crate::wizard::WizardTask) -> crate::wizard::WizardDone {
        let (client, refused) = (self.inner.clone(), task.refused(stopped()));
        self.wait_for(async move { task.run(&client).await }).unwrap_or(refused)
    }

    /// The hosts that would be asked, in order. See [`Client::discover`](crate::Client::discover).
    pub fn discover(&self) -> Discovery {
        let client = self.inner.clone();
        self.wait_for(async move { client.discover().await }).unwrap_or_default()
    }

    /// The asynchronous client, for everything else.
    pub fn handle(&self) -> crate::Client {
        self.inner.clone()
    }

    /// Runs this on the loop's thread. `None` if that thread is gone, which only a panic in it can cause.
    fn wait_for<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, result) = mpsc::sync_channel(1);
        self.runtime.spawn(async move {
            let _ = done.send(work.await);
        });
        result.recv().ok()
    }
}

fn stopped() -> Cause {
    shared::reason::Reason::Busy.into()
}

/// Stops the loop. A round in progress is abandoned; the next start goes on from what is saved.
impl Drop for Client {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
