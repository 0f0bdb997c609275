//! The program around the engine: makes releases live, watches them, and looks at every byte.

use crate::faults::Faults;
use crate::model::{Model, known};
use crate::world::World;
use staysail_protocol::notice::UpdateEvent;
use staysail_update::disk::Disk;
use staysail_update::engine::{ApplyFuture, Host, HostFuture, NotApplied};
use staysail_update::{Error, Release, Store};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    pub(crate) fails: Fails,
    pub(crate) live: Mutex<Option<Release>>,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every byte a release hands out is what was released. Law 3.
pub fn look_at(release: &Release, disk: &dyn Disk, model: &Mutex<Model>) -> Result<(), Error> {
    let Some(known) = known(release.hash()) else {
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

impl SimulatedHost {
    fn is_good(&self) -> bool {
        locked(&self.live).as_ref().and_then(|live| known(live.hash())).is_some_and(|known| known.good)
    }

    fn check_store(&self) {
        let state = self.looks.state();
        let kind = self.faults.state().kind;
        let mut model = locked(&self.model);
        model.floor_is(state.floor, kind);
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
            locked(&self.model).applying(release.hash(), &self.faults);
            look_at(&release, &*self.disk, &self.model)?;
            tokio::time::sleep(Duration::from_millis(50)).await;
            let known = known(release.hash());
            *locked(&self.live) = Some(release);
            if self.fails == Fails::Starting && known.is_some_and(|known| !known.good) {
                return Err(NotApplied::AtFault("simulated: it does not start".into()));
            }
            Ok(1.0)
        })
    }

    fn probation(&self) -> HostFuture<'_, ()> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(15)).await;
            if self.is_good() { Ok(()) } else { Err("simulated: it fails".into()) }
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
        let mut model = locked(&self.model);
        match &event {
            UpdateEvent::Failed { reason } if reason.contains("is good, but that could not be stored") => {
                model.maybe = model.on_trial.take();
            }
            UpdateEvent::Committed { .. } => model.committed = model.on_trial.take(),
            UpdateEvent::RolledBack { version, .. } => {
                model.on_trial = None;
                let contents = World::get().releases.values().filter(|known| known.version == *version);
                model.rejected.extend(contents.map(|known| known.content));
            }
            _ => {}
        }
        drop(model);
        self.check_store();
    }
}
