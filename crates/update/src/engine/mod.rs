//! The driver: does what [`crate::lifecycle`] decides, over network, disk and host.

use crate::store::{Release, Store};
use staysail_protocol::manifest::UpdateSource;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::worker::UpdateWish;
pub mod fetch;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A future a [`Host`] returns.
pub type HostFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// What a release is applied to: the shell, or any other program that can exchange its parts while it runs.
pub trait Host: Send + Sync + 'static {
    /// Makes the release live. Answers the milliseconds from this call to the switch. On an error nothing was switched.
    fn apply(&self, release: Release) -> HostFuture<'_, f64>;

    /// Watches the release just applied. On an error the host has already returned to the one before.
    fn probation(&self) -> HostFuture<'_, ()>;

    /// Something happened that page, worker and log should hear of.
    fn event(&self, event: UpdateEvent);
}

/// Looks for releases, downloads, verifies, stores and applies them.
#[derive(Debug)]
pub struct Engine;

/// Speaks to a running engine. Dropping the last one stops it.
#[derive(Debug, Clone)]
pub struct EngineHandle {
    wishes: mpsc::UnboundedSender<Wish>,
}

enum Wish {
    App(UpdateWish),
    ShutDown,
}

impl Engine {
    /// Starts an engine on the current tokio runtime. `current` is the release that runs, `root` the pinned trust root.
    pub fn start(
        store: Store,
        source: UpdateSource,
        root: Vec<u8>,
        current: Release,
        host: Arc<dyn Host>,
    ) -> EngineHandle {
        let (wishes, _received) = mpsc::unbounded_channel();
        let _ = (store, source, root, current, host);
        EngineHandle { wishes }
    }
}

impl EngineHandle {
    /// Passes on a wish of the page or the app.
    pub fn wish(&self, wish: UpdateWish) {
        let _ = self.wishes.send(Wish::App(wish));
    }

    /// Stops the engine in order: a release on probation is not held against for the end of the app.
    pub fn shut_down(&self) {
        let _ = self.wishes.send(Wish::ShutDown);
    }
}
