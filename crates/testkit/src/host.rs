//! The program around the engine: makes releases live, watches them, and looks at every byte.

use crate::channels::OTHER;
use crate::circumstances::Tells;
use crate::faults::Faults;
use crate::lives::Life;
use crate::model::Model;
use crate::terms::Gate;
use crate::world::OWN;
use staysail_protocol::notice::UpdateEvent;
use staysail_update::disk::Disk;
use staysail_update::engine::{ApplyFuture, Host, HostFuture, NotApplied};
use staysail_update::policy::Facts;
use staysail_update::{Error, Release, Store};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// When a bad release shows that it is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fails {
    /// It does not start.
    Starting,
    /// It fails on probation.
    OnProbation,
}

/// A simulated shell.
pub struct SimulatedHost {
    pub(crate) model: Arc<Mutex<Model>>,
    pub(crate) faults: Faults,
    pub(crate) disk: Arc<dyn Disk>,
    /// The store as it can be looked at without an effect.
    pub(crate) looks: Store,
    pub(crate) life: Life,
    /// Answers once that it can not be now.
    pub(crate) busy: AtomicBool,
    pub(crate) live: Mutex<Option<Release>>,
    /// When the process was started, in simulated milliseconds, and by tokio's clock.
    pub(crate) started: (u64, Instant),
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every byte a release hands out is what was released. Law 3.
pub fn look_at(release: &Release, disk: &dyn Disk, model: &Mutex<Model>) -> Result<(), Error> {
    let world = locked(model).world;
    let Some(known) = world.known(release.hash()) else {
        locked(model).broke("law 3", format!("{} was never released", release.hash()));
        return Ok(());
    };
    let path = release.worker()?;
    // Between handing out and running nothing may have to be read again; only what lies there counts.
    match disk.read(&path, u64::MAX - 1) {
        Ok(Some(worker)) if worker != known.worker => {
            locked(model).broke("law 3", format!("the worker of version {} is another one", known.version));
        }
        Ok(None) => locked(model).broke("law 3", format!("the worker of version {} is gone", known.version)),
        _ => {}
    }
    for (path, content) in &known.page {
        if release.page_file(path)?.as_ref() != Some(content) {
            locked(model).broke("law 3", format!("{path} of version {} is another file", known.version));
        }
    }
    Ok(())
}

/// Simulated milliseconds of now.
pub(crate) fn now_ms((started, start): (u64, Instant)) -> u64 {
    started + u64::try_from(start.elapsed().as_millis()).unwrap_or_default()
}

impl SimulatedHost {
    /// Whether what is live works.
    fn is_good(&self) -> bool {
        let world = locked(&self.model).world;
        locked(&self.live).as_ref().and_then(|live| world.known(live.hash())).is_some_and(|known| known.good)
    }

    fn seconds(&self) -> u64 {
        self.started.1.elapsed().as_secs()
    }

    /// The model, which is told what time it is.
    pub(crate) fn model_now(&self) -> MutexGuard<'_, Model> {
        let mut model = locked(&self.model);
        model.promises.time_is(now_ms(self.started));
        model
    }

    fn check_store(&self) {
        let state = self.looks.state();
        let kind = self.faults.state().excuse();
        let mut model = locked(&self.model);
        for channel in [OWN, OTHER] {
            model.floor_is(channel, state.floor_of(channel), kind);
        }
        model.bans_are(state.banned.keys());
    }
}

impl Host for SimulatedHost {
    fn apply(&self, release: Release) -> ApplyFuture<'_> {
        Box::pin(async move {
            if self.faults.is_dead() {
                std::future::pending::<()>().await;
            }
            self.faults.note(|| format!("      apply {}", release.manifest().version));
            let kind = self.faults.state().kind;
            self.model_now().wanted_now(release.hash(), kind);
            locked(&self.model).starts.over();
            if self.busy.swap(false, Ordering::Relaxed) {
                return Err(NotApplied::NotNow("simulated: its state can not be handed over yet".into()));
            }
            locked(&self.model).applying(release.hash(), &self.faults);
            // Where the disk refuses a file, nothing of the release has run.
            look_at(&release, &*self.disk, &self.model)?;
            locked(&self.model).tried(release.hash(), &self.faults);
            tokio::time::sleep(Duration::from_millis(50)).await;
            *locked(&self.live) = Some(release);
            if self.life.fails == Fails::Starting && !self.is_good() {
                return Err(NotApplied::AtFault("simulated: it does not start".into()));
            }
            Ok(1.0)
        })
    }

    fn probation(&self) -> HostFuture<'_, ()> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(15)).await;
            if !self.is_good() {
                return Err("simulated: it fails".into());
            }
            locked(&self.model).promises.good();
            Ok(())
        })
    }

    fn facts(&self, custom: BTreeSet<String>) -> HostFuture<'_, Facts> {
        let gate = Gate::ALL.into_iter().find(|gate| custom.contains(gate.mark()));
        let (circumstances, seconds) = self.life.circumstances_at(self.seconds());
        let facts = circumstances.after(seconds);
        let tells = circumstances.tells;
        let known = if tells == Tells::Facts { facts.clone() } else { Facts::default() };
        self.faults.note(|| format!("      asked for {gate:?}: {tells:?} {known:?}"));
        self.model_now().promises.told(gate, known);
        Box::pin(async move {
            match tells {
                Tells::Facts => Ok(facts),
                Tells::Failure => Err("simulated: the machine does not tell".into()),
                Tells::Nothing => std::future::pending().await,
            }
        })
    }

    fn event(&self, event: UpdateEvent) {
        if self.faults.is_dead() {
            return;
        }
        self.faults.note(|| format!("      {event:?}"));
        if matches!(event, UpdateEvent::Progress { .. }) {
            return;
        }
        let kind = self.faults.state().kind;
        self.model_now().told(&event, kind);
        self.check_store();
    }
}
