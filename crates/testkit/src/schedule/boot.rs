//! The start of a process: what boots, and what becomes of its start.

use super::Simulation;
use crate::disk::STORE;
use crate::faults::Kind;
use crate::host::{locked, look_at};
use crate::lives::Life;
use crate::starts::{CRASHED_MAX, SHOWN_S, Start};
use staysail_update::store::ReleaseStart;
use staysail_update::{Release, Store};
use std::sync::Arc;
use std::time::Duration;

/// The number that every process has, as in a sandbox.
const PROCESS: u32 = 2;
/// What is shown has proven itself after this time.
const PROBATION_S: u64 = 15;

/// What a process was started with.
pub(super) struct Booted {
    pub release: Release,
    pub start: Option<Arc<ReleaseStart>>,
}

impl Simulation {
    /// Starts what boots, or the next one when it does not come up.
    pub(super) fn start(&self, store: &Store, life: &Life) -> Option<Booted> {
        let embedded = self.embed(store)?;
        let (release, start) = self.begin(store, &embedded)?;
        let mut booted = Booted { release, start: start.map(Arc::new) };
        if life.start == Start::Fails && !booted.release.is_embedded() {
            let hash = booted.release.hash().to_owned();
            booted.start.iter().for_each(|start| start.passed_over());
            store.bad_start(&booted.release, "simulated: it does not come up");
            self.faults.note(|| format!("      {} does not come up", booted.release.manifest().version));
            let (died, refused) = (self.died(), self.refused());
            let mut model = locked(&self.model);
            if died {
                // Nobody knows how far it came with writing that down.
                model.starts.gone();
            }
            model.starts.failed(&hash, refused);
            drop(model);
            let next = store.boot_without(std::slice::from_ref(&hash), &embedded, Some(&self.world.root));
            if self.died() {
                return None;
            }
            let ((kind, struck), looks) = (self.excuse(), self.looks());
            locked(&self.model).fell_back(next.release.hash(), struck, kind, |hash| looks.is_banned(hash));
            booted.release = self.readable(next.release, &embedded)?;
        }
        Some(booted)
    }

    /// From here on a crash is no longer the doing of what was booted, when it is shown and lives so long.
    pub(super) fn watch(&self, start: &Arc<ReleaseStart>, hash: &str) {
        let hash = hash.to_owned();
        let (start, model, faults) = (Arc::clone(start), Arc::clone(&self.model), self.faults.clone());
        drop(tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(SHOWN_S)).await;
            start.is_up();
            tokio::time::sleep(Duration::from_secs(PROBATION_S)).await;
            start.is_good();
            if !faults.is_dead() {
                locked(&model).starts.good(&hash);
            }
        }));
    }

    /// What boots, without anything that comes after a start. Law 4: something always does.
    pub(super) fn boot(&self, store: &Store) -> Option<Release> {
        let embedded = self.embed(store)?;
        Some(self.begin(store, &embedded)?.0)
    }

    fn embed(&self, store: &Store) -> Option<Release> {
        let embedded = store.embed(&self.world.attached);
        embedded.map_err(|error| locked(&self.model).broke("law 4", format!("nothing starts: {error}"))).ok()
    }

    fn begin(&self, store: &Store, embedded: &Release) -> Option<(Release, Option<ReleaseStart>)> {
        let marks = self.machine.marks();
        let refused = self.refused();
        let kind = self.faults.state().kind;
        {
            let mut model = locked(&self.model);
            let boots = model.committed.clone();
            if let Err(why) = model.starts.found(&marks, boots.as_deref(), (kind, refused)) {
                model.broke("starts", why);
            }
        }
        let (boot, start) = store.begin(embedded, Some(&self.world.root), PROCESS);
        if self.died() {
            return None;
        }
        self.faults
            .note(|| format!("      boots {} ({:?})", boot.release.manifest().version, boot.fallback_reason));
        let ((kind, struck), looks) = (self.excuse(), self.looks());
        let hash = boot.release.hash().to_owned();
        {
            let mut model = locked(&self.model);
            model.booted(&hash, struck, kind, |hash| looks.is_banned(hash));
            // Where no lock can be had, nothing is counted and nothing held against a release.
            let often = marks.get(&hash).is_some_and(|marks| *marks >= CRASHED_MAX);
            if often && !(struck && kind.refuses_writes()) {
                model
                    .broke("law 4", format!("what took the app down at each start is started again: {hash}"));
            }
            match &start {
                Some(_) if boot.release.is_embedded() => model.broke("law 4", "the last resort is counted"),
                Some(_) => model.starts.begun(&hash),
                None => {}
            }
        }
        let release = self.readable(boot.release, embedded)?;
        if release.hash() != hash {
            start.iter().for_each(ReleaseStart::passed_over);
            locked(&self.model).starts.over();
        }
        Some((release, start))
    }

    /// Looks at every byte of what boots; it is the last resort instead where the disk refuses what it gave a moment ago.
    fn readable(&self, release: Release, embedded: &Release) -> Option<Release> {
        let (kind, _) = self.excuse();
        let looks = self.machine.onlooker();
        let looked = look_at(&release, &*looks, &self.model);
        let struck = self.excuse().1;
        match looked {
            Err(_) if self.died() => None,
            // The disk refuses what it gave a moment ago: the shell falls back to the version of last resort.
            Err(_) if !release.is_embedded() && struck && (kind.refuses_writes() || kind == Kind::BitRot) => {
                let looked = look_at(embedded, &*looks, &self.model);
                if let Err(error) = looked {
                    locked(&self.model).broke("law 4", format!("the version of last resort: {error}"));
                }
                Some(embedded.clone())
            }
            Err(error) => {
                locked(&self.model).broke("law 4", format!("what boots can not be read: {error}"));
                None
            }
            Ok(()) => Some(release),
        }
    }

    /// What excuses what, and whether it has struck and has not stopped.
    fn excuse(&self) -> (Kind, bool) {
        let state = self.faults.state();
        (state.excuse(), state.struck && !state.stopped)
    }

    /// Whether the disk has refused something at any time.
    fn refused(&self) -> bool {
        let state = self.faults.state();
        state.struck && state.kind.refuses_writes()
    }
}

impl crate::disk::Machine {
    /// How many starts are written down of each release.
    fn marks(&self) -> std::collections::BTreeMap<String, usize> {
        let mut marks = std::collections::BTreeMap::new();
        let releases = format!("{STORE}/releases/");
        for name in self.names() {
            let parts = name.strip_prefix(&releases).and_then(|name| name.split_once("/starts/"));
            if let Some((hash, _)) = parts {
                *marks.entry(hash.to_owned()).or_default() += 1;
            }
        }
        marks
    }
}
