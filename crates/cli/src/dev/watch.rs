//! What a save is for: the watch's events, told apart into page, backend and project file.
//!
//! `staysail-watch` says what changed; [`Filter`] says which files count and what they are.

use super::filter::{Filter, Kind};
use staysail_watch::{Event, Report, Select, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Files whose content changed, together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Files of the page.
    pub page: BTreeSet<PathBuf>,
    /// Files of the backend.
    pub backend: BTreeSet<PathBuf>,
    /// Wasm modules, and what they are made of.
    pub modules: bool,
    /// The project file.
    pub project: bool,
}

/// What the watching thread reports.
#[derive(Debug)]
pub enum Seen {
    /// Files changed; the first event of them came at this time.
    Changed(Changes, Instant),
    /// Something people should know.
    Notice(String),
}

/// A running watch. Dropping it ends it.
pub struct Watch {
    watch: staysail_watch::Watch,
    filter: Shared,
}

impl Watch {
    /// Starts watching; returns when every file's present content is known.
    pub fn start(
        filter: Filter,
        poll: bool,
        report: impl Fn(Seen) + Send + 'static,
    ) -> Result<Self, staysail_watch::Error> {
        let roots = filter.roots();
        let filter = Shared(Arc::new(Mutex::new(filter)));
        let kinds = filter.clone();
        let watch = Watcher::new(roots)
            .select(filter.clone())
            .poll(poll)
            // A package of the page or the backend may be a link to a folder elsewhere.
            .follow_links(true)
            // What moved is to be loaded again under its new name; that it is the same file changes nothing.
            .split_renames(true)
            .eager(true)
            .start(move |what| match what {
                Report::Changed(batch) => {
                    let changes = kinds.lock().sort(&batch.events);
                    if changes != Changes::default() {
                        report(Seen::Changed(changes, batch.first));
                    }
                }
                Report::Notice(notice) => report(Seen::Notice(notice.message)),
                _ => {}
            })?;
        Ok(Self { watch, filter })
    }

    /// Tells which files the backend is made of, wherever they are.
    pub fn sources(&self, files: Vec<PathBuf>) {
        let watched = self.filter.lock().set_sources(files);
        self.watch.also(watched);
    }
}

/// The filter, for the watch's thread and for whoever tells it the backend's sources.
#[derive(Clone)]
struct Shared(Arc<Mutex<Filter>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Filter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Select for Shared {
    fn enter(&mut self, folder: &Path) -> bool {
        self.lock().rules.enter(folder)
    }

    fn folder(&mut self, path: &Path) -> bool {
        self.lock().folder_counts(path)
    }

    fn file(&mut self, path: &Path) -> bool {
        !self.lock().kinds(path).is_empty()
    }

    fn holds_rules(&self, path: &Path) -> bool {
        self.lock().rules.holds_rules(path)
    }
}

impl Filter {
    fn sort(&self, events: &[Event]) -> Changes {
        let mut changes = Changes::default();
        for event in events {
            let (Event::Add(path) | Event::Change(path) | Event::Unlink(path)) = event else { continue };
            for kind in self.kinds(path) {
                match kind {
                    Kind::Page => drop(changes.page.insert(path.clone())),
                    Kind::Backend => drop(changes.backend.insert(path.clone())),
                    Kind::Module => changes.modules = true,
                    Kind::Project => changes.project = true,
                }
            }
        }
        changes
    }
}

/// Paths of page files below the app's origin: `/css/app.css`.
pub fn page_paths(files: &BTreeSet<PathBuf>, page: &Path) -> Vec<String> {
    let below = |file: &PathBuf| {
        let parts = file.strip_prefix(page).ok()?.components();
        let parts: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy()).collect();
        Some(format!("/{}", parts.join("/")))
    };
    files.iter().filter_map(below).collect()
}
