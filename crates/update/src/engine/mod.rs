//! The driver: does what [`crate::lifecycle`] decides, over network, disk and host.
//!
//! # Theory of operation
//! One task owns the state. Whatever takes time runs in tasks of its own and answers with an event, so a wish or the end
//! of the app is heard at any moment. What must be durable before the next thing happens (a ban, a commit, the beginning of
//! a trial) is done in order, before the effect that follows it.

mod conditions;
mod download;
mod driver;
pub mod fetch;
pub(crate) mod look;
mod mirrors;
pub mod network;
pub mod notices;
pub mod on_demand;
mod progress;
mod rate;
pub mod trouble;

pub use on_demand::{OnDemand, Unavailable};
pub use rate::RateLimit;

use crate::archive::Archive;
use crate::lifecycle::Event;
use crate::policy::Facts;
use crate::store::{Release, Store, Trial};
use driver::{Driver, Message};
use fetch::Remote;
use network::Network;
use staysail_protocol::manifest::UpdateSource;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::worker::UpdateWish;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};
use trouble::{Trouble, Troubles};

/// Longest time a look for a release may take, however steadily it drips.
pub const LOOK_TIMEOUT_S: u64 = 900;
/// What a host may take for a probation beyond the release's own `probation_s`: pages come up, and go back.
pub const PROBATION_SLACK_S: u64 = 300;
/// Longest time a host may take to make a release live.
pub const APPLY_TIMEOUT_S: u64 = 120;
/// What a host may take for shadow verification beyond the release's own `seconds_max`: the new backend starts, takes the
/// state over, and its last answers are waited for.
pub const SHADOW_SLACK_S: u64 = 180;
/// Least time between two reports of progress.
pub const PROGRESS_INTERVAL_MS: u64 = 100;
/// The time left is told from how fast bytes came in the last one or two of these.
pub const PROGRESS_WINDOW_S: u64 = 5;

/// A future a [`Host`] returns.
pub type HostFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// Why a release was not applied. Nothing was switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotApplied {
    /// The release is at fault; it is never tried again.
    AtFault(String),
    /// The machine is, or what runs: a disk that refuses to read what it holds, a backend whose state can not be handed over.
    /// The release is tried again later.
    NotNow(String),
}

impl From<String> for NotApplied {
    fn from(reason: String) -> Self {
        Self::AtFault(reason)
    }
}

impl From<crate::Error> for NotApplied {
    fn from(error: crate::Error) -> Self {
        match error {
            // Every byte of it was as released a moment ago, when it was put on trial.
            crate::Error::Disk { .. } | crate::Error::Tampered { .. } => Self::NotNow(error.to_string()),
            error => Self::AtFault(error.to_string()),
        }
    }
}

/// The future of [`Host::apply`].
pub type ApplyFuture<'a> = Pin<Box<dyn Future<Output = Result<f64, NotApplied>> + Send + 'a>>;

/// The future of [`Host::shadow`].
pub type ShadowFuture<'a> = Pin<Box<dyn Future<Output = Result<(), NotApplied>> + Send + 'a>>;

/// What a release is applied to: the shell, or any other program that can exchange its parts while it runs.
pub trait Host: Send + Sync + 'static {
    /// Tries the release beside what runs, as its rules of shadow verification say (`Manifest::shadow`), with a bound: before
    /// it is put on trial and before anything is switched. On an error nothing is; the error says whether the release is at
    /// fault, and then it is never tried again. Asked only of releases that have such rules.
    fn shadow(&self, release: Release) -> ShadowFuture<'_> {
        drop(release);
        Box::pin(async { Ok(()) })
    }

    /// Makes the release live. Answers the milliseconds from this call to the switch. On an error nothing was switched;
    /// the error says whether the release is at fault, and then it is never tried again.
    fn apply(&self, release: Release) -> ApplyFuture<'_>;

    /// Watches the release just applied, with a bound. On an error the host has already returned to the one before. When
    /// this has no end, it is dropped, and the release before is given to [`Host::apply`].
    fn probation(&self) -> HostFuture<'_, ()>;

    /// Something happened that page, worker and log should hear of.
    fn event(&self, event: UpdateEvent);

    /// What can be told of machine and moment, and values of the app's own by these names. Time and version are filled in
    /// by the engine; it waits no longer than `facts_timeout_ms`. What is left out is unknown.
    fn facts(&self, custom: BTreeSet<String>) -> HostFuture<'_, Facts> {
        drop(custom);
        Box::pin(async { Ok(Facts::default()) })
    }
}

/// The clock metadata's expiry is measured with. Pauses and time limits are measured with tokio's.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// Gives a byte of chance, for pauses that not everybody makes at once.
pub type Chance = fn() -> u8;

/// Where an engine gets time, chance and a repository's bytes from. The disk comes with the [`Store`].
#[derive(Clone)]
pub struct Surroundings {
    /// What time it is.
    pub clock: Clock,
    /// A byte of chance.
    pub chance: Chance,
    /// The way to the repository.
    pub network: Arc<dyn Network>,
    /// How fast files may come from there.
    pub rate: RateLimit,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("network", &self.network).finish_non_exhaustive()
    }
}

impl Surroundings {
    /// The machine's own, with the repository at `url`.
    ///
    /// # Errors
    /// [`crate::Error::Network`] when `url` is no address of a repository.
    pub fn of_this_machine(url: &str) -> Result<Self, crate::Error> {
        Self::with_mirrors(url, &[])
    }

    /// The machine's own, with the repository at `url`, and at `mirrors` when it can not be reached there.
    ///
    /// # Errors
    /// [`crate::Error::Network`] when one of them is no address of a repository.
    pub fn with_mirrors(url: &str, mirrors: &[String]) -> Result<Self, crate::Error> {
        let mut network = network::connect(url)?;
        if !mirrors.is_empty() {
            let others = mirrors.iter().map(|mirror| network::connect(mirror));
            let all = std::iter::once(Ok(network)).chain(others).collect::<Result<_, _>>()?;
            network = Arc::new(mirrors::Mirrors::new(all));
        }
        Ok(Self::with_network(network))
    }

    /// The machine's own, but for the way to the repository.
    pub fn with_network(network: Arc<dyn Network>) -> Self {
        let chance = || {
            let mut byte = [0];
            // Without randomness everybody waits the same; no reason to fail.
            let _ = getrandom::fill(&mut byte);
            byte[0]
        };
        Self { clock: Arc::new(jiff::Timestamp::now), chance, network, rate: RateLimit::default() }
    }
}

/// Looks for releases, downloads, verifies, stores and applies them.
#[derive(Debug)]
pub struct Engine;

/// Speaks to a running engine. The engine stops when it is told to, or when the last handle is gone.
#[derive(Clone)]
pub struct EngineHandle {
    events: mpsc::UnboundedSender<Message>,
    trial: Arc<Mutex<OnTrial>>,
    troubles: Arc<Troubles>,
    rate: RateLimit,
    awaits_load: Arc<AtomicBool>,
}

impl std::fmt::Debug for EngineHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineHandle").finish_non_exhaustive()
    }
}

/// What would count against a release if the app ended now.
#[derive(Default)]
pub(crate) struct OnTrial {
    pub trial: Option<Trial>,
    pub stopped: bool,
}

pub(crate) fn locked(trial: &Mutex<OnTrial>) -> MutexGuard<'_, OnTrial> {
    trial.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Starts an engine on the current tokio runtime. `current` is the release that runs, `root` the pinned trust root,
    /// `rate` how fast files may come, together with whatever else that limit is for.
    pub fn start(
        store: Store,
        source: UpdateSource,
        root: Vec<u8>,
        current: Release,
        host: Arc<dyn Host>,
        rate: RateLimit,
    ) -> EngineHandle {
        match Surroundings::with_mirrors(&source.url, &source.mirrors) {
            Ok(surroundings) => {
                Self::start_in(store, source, root, current, host, Surroundings { rate, ..surroundings })
            }
            Err(error) => {
                host.event(UpdateEvent::Failed { reason: error.to_string() });
                let handle = EngineHandle {
                    events: mpsc::unbounded_channel().0,
                    trial: Arc::default(),
                    troubles: Arc::default(),
                    rate,
                    awaits_load: Arc::default(),
                };
                handle.troubles.raise_error(Trouble::NotStarted, &error);
                handle
            }
        }
    }

    /// Like [`Engine::start`], in other surroundings than this machine's; `source.url` then is a name only.
    pub fn start_in(
        store: Store,
        source: UpdateSource,
        root: Vec<u8>,
        current: Release,
        host: Arc<dyn Host>,
        surroundings: Surroundings,
    ) -> EngineHandle {
        let (events, received) = mpsc::unbounded_channel();
        let trial = Arc::<Mutex<OnTrial>>::default();
        let troubles = Arc::<Troubles>::default();
        let handle = EngineHandle {
            events: events.clone(),
            trial: Arc::clone(&trial),
            troubles: Arc::clone(&troubles),
            rate: surroundings.rate.clone(),
            awaits_load: Arc::default(),
        };
        let awaits_load = Arc::clone(&handle.awaits_load);
        let remote = Remote::new(&surroundings).at_once(source.download_parallel_max);
        let parts = driver::Parts { store, source, root, current, host, surroundings, remote };
        tokio::spawn(Driver::new(parts, events.downgrade(), trial, troubles, awaits_load).run(received));
        handle
    }
}

impl EngineHandle {
    /// Passes on a wish of the page or the app.
    pub fn wish(&self, wish: UpdateWish) {
        if let UpdateWish::DownloadRate { bytes_per_s_max } = wish {
            return self.rate.set(bytes_per_s_max);
        }
        // An engine that could not start has said so.
        let _ = self.events.send(Message::Event(Event::Wish(wish)));
    }

    /// Applies the newest release that a file holds, as one from the repository is: verified, staged, on probation, with a
    /// way back. What becomes of it the host is told, also when there is nothing newer in it.
    pub fn apply_archive(&self, archive: Archive) {
        let _ = self.events.send(Message::Archive(Arc::new(archive)));
    }

    /// A window is about to load its page. When a release waits for that, what is returned ends once it is live or is not going
    /// to be by this load; the page is to be loaded then.
    pub fn page_loads(&self) -> Option<oneshot::Receiver<()>> {
        if !self.awaits_load.load(Ordering::Acquire) {
            return None;
        }
        let (load, end) = oneshot::channel();
        self.events.send(Message::Loads(load)).ok().map(|()| end)
    }

    /// How often each thing went wrong since the engine was started; what never did is left out.
    pub fn troubles(&self) -> BTreeMap<Trouble, u64> {
        self.troubles.counts()
    }

    /// Stops the engine in order: when this returns, the end of the app no longer counts against a release on probation.
    pub fn shut_down(&self) {
        let trial = {
            let mut on_trial = locked(&self.trial);
            on_trial.stopped = true;
            on_trial.trial.take()
        };
        if let Some(trial) = trial {
            trial.give_up();
        }
        let _ = self.events.send(Message::Event(Event::ShutDown));
    }
}
