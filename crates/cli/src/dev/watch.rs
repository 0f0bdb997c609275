//! Which saved files count, and when.
//!
//! # Theory of operation
//! Folders are watched, never files: editors save by renaming a new file over the old one. On Linux each folder is
//! watched alone, so that `target/` and `node_modules/` cost nothing; elsewhere the system watches the whole tree and
//! the same filter is applied to what it says. Events only name suspects: after a quiet time each suspect's content
//! is compared with what it was, and a file that did not change causes nothing. An overflow of the system's queue
//! makes everything a suspect. A new folder is watched first and scanned afterwards, so nothing in it is missed
//! (notify #124). A file that reads empty just after a save is read again (Vite does the same).

use super::filter::{Filter, Kind};
use notify::{Config, Event, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use staysail_protocol::limits::WATCH_QUIET_MS;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// However long saves go on, they are acted upon after this time.
const QUIET_MAX_MS: u64 = 400;
/// Reads of a file that is empty just after a save.
const EMPTY_READS_MAX: u32 = 10;
/// Pause between them.
const EMPTY_READ_PAUSE_MS: u64 = 10;
/// Files beyond this size are compared by length and time instead of content.
const COMPARED_BYTES_MAX: u64 = 16 << 20;
/// Pause between two looks when the system can not notify.
const POLL_INTERVAL_MS: u64 = 300;

/// Files whose content changed, together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Files of the page.
    pub page: BTreeSet<PathBuf>,
    /// Files of the backend.
    pub backend: BTreeSet<PathBuf>,
    /// The project file.
    pub project: bool,
}

impl Changes {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What the watching thread reports.
#[derive(Debug)]
pub enum Seen {
    /// Files changed; the first event of them came at this time.
    Changed(Changes, Instant),
    /// Something people should know.
    Notice(String),
}

enum Input {
    Raw(notify::Result<Event>),
    Sources(Vec<PathBuf>),
}

/// A running watch. Dropping it ends it.
pub struct Watch {
    inputs: Sender<Input>,
}

impl Watch {
    /// Starts watching; returns when every file's present content is known.
    pub fn start(filter: Filter, poll: bool, report: impl Fn(Seen) + Send + 'static) -> notify::Result<Self> {
        let (inputs, inbox) = channel();
        let (system, notice) = System::start(&inputs, poll)?;
        let mut state = State { filter, system, folders: HashSet::new(), known: HashMap::new() };
        state.rescan();
        if let Some(notice) = notice {
            report(Seen::Notice(notice));
        }
        std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || state.run(&inbox, report))
            .map_err(notify::Error::io)?;
        Ok(Self { inputs })
    }

    /// Tells which files the backend is made of, wherever they are.
    pub fn sources(&self, files: Vec<PathBuf>) {
        let _ = self.inputs.send(Input::Sources(files));
    }
}

/// The system's notification, or looking at intervals where there is none.
struct System {
    watcher: Box<dyn Watcher + Send>,
    polling: bool,
    inputs: Sender<Input>,
}

impl System {
    fn start(inputs: &Sender<Input>, poll: bool) -> notify::Result<(Self, Option<String>)> {
        let sender = inputs.clone();
        let deliver = move |event| drop(sender.send(Input::Raw(event)));
        let mut notice = None;
        if !poll {
            match RecommendedWatcher::new(deliver.clone(), Config::default()) {
                Ok(watcher) => {
                    return Ok((
                        Self { watcher: Box::new(watcher), polling: false, inputs: inputs.clone() },
                        None,
                    ));
                }
                Err(error) => {
                    notice = Some(format!(
                        "file notification is not available ({error}); looking every {POLL_INTERVAL_MS} ms instead"
                    ))
                }
            }
        }
        let interval = Duration::from_millis(POLL_INTERVAL_MS);
        let watcher = PollWatcher::new(deliver, Config::default().with_poll_interval(interval))?;
        Ok((Self { watcher: Box::new(watcher), polling: true, inputs: inputs.clone() }, notice))
    }
}

struct State {
    filter: Filter,
    system: System,
    folders: HashSet<PathBuf>,
    /// Content of every file that counts, as a hash.
    known: HashMap<PathBuf, u64>,
}

impl State {
    fn run(mut self, inbox: &Receiver<Input>, report: impl Fn(Seen)) {
        let mut suspects: BTreeSet<PathBuf> = BTreeSet::new();
        let mut times: Option<(Instant, Instant)> = None;
        let mut everything = false;
        loop {
            let input = match times {
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some((first, last)) => {
                    let quiet = last + Duration::from_millis(WATCH_QUIET_MS);
                    let end = quiet.min(first + Duration::from_millis(QUIET_MAX_MS));
                    inbox.recv_timeout(end.saturating_duration_since(Instant::now()))
                }
            };
            match input {
                Ok(Input::Raw(event)) => {
                    let (paths, rescan) = interesting(event, &report);
                    let counted: Vec<PathBuf> =
                        paths.into_iter().filter(|path| self.may_count(path)).collect();
                    if rescan || !counted.is_empty() {
                        let now = Instant::now();
                        times = Some((times.map_or(now, |(first, _)| first), now));
                        suspects.extend(counted);
                        everything |= rescan;
                    }
                }
                Ok(Input::Sources(files)) => self.take_sources(files, &report),
                Err(RecvTimeoutError::Timeout) => {
                    let first = times.take().map_or_else(Instant::now, |(first, _)| first);
                    let before = std::mem::take(&mut suspects);
                    let changes =
                        if std::mem::take(&mut everything) { self.rescan() } else { self.examine(before) };
                    if !changes.is_empty() {
                        report(Seen::Changed(changes, first));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Cheap first look, so that a compiler writing into `target/` never starts the clock.
    fn may_count(&self, path: &Path) -> bool {
        self.filter.folder_counts(path) || !self.filter.kinds(path).is_empty()
    }

    fn take_sources(&mut self, files: Vec<PathBuf>, report: &impl Fn(Seen)) {
        let outside: BTreeSet<PathBuf> = self
            .filter
            .set_sources(files)
            .iter()
            .filter_map(|file| file.parent().map(Path::to_path_buf))
            .collect();
        for folder in outside {
            if let Err(error) = self.watch_folder(&folder) {
                report(Seen::Notice(format!("changes in {} will not be seen: {error}", folder.display())));
            }
        }
        for file in self.filter.sources() {
            if !self.known.contains_key(&file)
                && let Some(hash) = content(&file)
            {
                self.known.insert(file, hash);
            }
        }
    }

    fn watch_folder(&mut self, folder: &Path) -> notify::Result<()> {
        if !self.folders.insert(folder.to_path_buf()) {
            return Ok(());
        }
        let whole_tree = !cfg!(target_os = "linux") && !self.system.polling;
        if whole_tree {
            // One watch of the whole tree per root; folders below are covered.
            if self.folders.iter().any(|other| other != folder && folder.starts_with(other)) {
                return Ok(());
            }
            return self.system.watcher.watch(folder, RecursiveMode::Recursive);
        }
        let result = self.system.watcher.watch(folder, RecursiveMode::NonRecursive);
        let full = matches!(&result, Err(error) if matches!(error.kind, notify::ErrorKind::MaxFilesWatch));
        if full {
            // The system's limit of watches is reached: look at intervals instead, at everything.
            let (system, _) = System::start(&self.system.inputs, true)?;
            self.system = system;
            for folder in &self.folders {
                self.system.watcher.watch(folder, RecursiveMode::NonRecursive)?;
            }
            return Ok(());
        }
        result
    }

    /// Watches and reads everything that counts; what differs from before has changed.
    fn rescan(&mut self) -> Changes {
        let mut suspects: BTreeSet<PathBuf> = self.known.keys().cloned().collect();
        for folder in self.filter.roots() {
            self.scan(&folder, &mut suspects);
        }
        self.examine(suspects)
    }

    /// Watches `folder` and those below it, then collects their files.
    fn scan(&mut self, folder: &Path, files: &mut BTreeSet<PathBuf>) {
        // A folder that can not be watched may be gone again; its parent is watched.
        let _ = self.watch_folder(folder);
        let Ok(listing) = std::fs::read_dir(folder) else { return };
        for path in listing.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                if self.filter.folder_counts(&path) {
                    self.scan(&path, files);
                }
            } else if !self.filter.kinds(&path).is_empty() {
                files.insert(path);
            }
        }
    }

    fn examine(&mut self, suspects: BTreeSet<PathBuf>) -> Changes {
        let mut files = BTreeSet::new();
        for path in suspects {
            if path.is_dir() {
                self.scan(&path, &mut files);
            } else {
                // A folder that is gone took its files along.
                let gone: Vec<PathBuf> = if path.exists() {
                    Vec::new()
                } else {
                    self.folders.remove(&path);
                    self.known
                        .keys()
                        .filter(|file| file.starts_with(&path) && **file != path)
                        .cloned()
                        .collect()
                };
                files.extend(gone);
                files.insert(path);
            }
        }
        let mut changes = Changes::default();
        for path in files {
            let kinds = self.filter.kinds(&path);
            if kinds.is_empty() || !self.changed(&path) {
                continue;
            }
            for kind in kinds {
                match kind {
                    Kind::Page => drop(changes.page.insert(path.clone())),
                    Kind::Backend => drop(changes.backend.insert(path.clone())),
                    Kind::Project => changes.project = true,
                }
            }
        }
        changes
    }

    fn changed(&mut self, path: &Path) -> bool {
        let old = self.known.get(path).copied();
        let mut new = content(path);
        let mut reads = 1;
        while new == Some(empty()) && old != new && reads < EMPTY_READS_MAX {
            std::thread::sleep(Duration::from_millis(EMPTY_READ_PAUSE_MS));
            new = content(path);
            reads += 1;
        }
        match new {
            Some(hash) => drop(self.known.insert(path.to_path_buf(), hash)),
            None => drop(self.known.remove(path)),
        }
        old != new
    }
}

/// The paths an event names, and whether events were lost.
fn interesting(event: notify::Result<Event>, report: &impl Fn(Seen)) -> (Vec<PathBuf>, bool) {
    match event {
        Ok(event) if event.kind.is_access() => (Vec::new(), false),
        Ok(event) => {
            let lost = event.need_rescan();
            (event.paths, lost)
        }
        Err(error) => {
            report(Seen::Notice(format!("watching files: {error}; looking at everything once more")));
            (Vec::new(), true)
        }
    }
}

/// Hash of a file's content; `None` when there is no such file.
fn content(path: &Path) -> Option<u64> {
    let facts = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let mut hasher = DefaultHasher::new();
    if facts.len() > COMPARED_BYTES_MAX {
        hasher.write_u64(facts.len());
        let time = facts.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        hasher.write_u128(time.map_or(0, |time| time.as_nanos()));
    } else {
        hasher.write(&std::fs::read(path).ok()?);
    }
    Some(hasher.finish())
}

fn empty() -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(&[]);
    hasher.finish()
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
