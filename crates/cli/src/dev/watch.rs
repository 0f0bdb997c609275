//! Which saved files count, and when.
//!
//! # Theory of operation
//! Folders are watched, never files: editors save by renaming a new file over the old one. On Linux each folder is
//! watched alone, so that `target/` and `node_modules/` cost nothing; elsewhere the system watches the whole tree and
//! the same filter is applied to what it says. Events only name suspects: after a quiet time each suspect's content
//! is compared with what it was, and a file that did not change causes nothing. An overflow of the system's queue
//! makes everything a suspect. A new folder is watched first and scanned afterwards, so nothing in it is missed
//! (notify #124). A file that reads empty just after a save is read again (Vite does the same).
//!
//! Where the system does not notify, or has no watches left, every file's length and time are looked at in intervals.
//! Some file systems keep times in whole seconds or two, so a file can be saved again and keep its time: as long as
//! length and time are that young, content is compared as well (git calls such entries racy).

use super::filter::{Filter, Kind};
use notify::{Config, Event, RecommendedWatcher, RecursiveMode, Watcher};
use staysail_protocol::limits::WATCH_QUIET_MS;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

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
/// Coarsest times a file system keeps (FAT).
const FILE_TIME_STEP_MS: u64 = 2_000;

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
        let mut state = State::new(filter);
        if !poll {
            let sender = inputs.clone();
            let deliver = move |event| drop(sender.send(Input::Raw(event)));
            match RecommendedWatcher::new(deliver, Config::default()) {
                Ok(watcher) => state.watcher = Some(watcher),
                Err(error) => state.look_instead(&error),
            }
        }
        state.rescan();
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

struct State {
    filter: Filter,
    /// The system's notification; `None` when files are looked at in intervals.
    watcher: Option<RecommendedWatcher>,
    folders: HashSet<PathBuf>,
    /// Content of every file that counts, as a hash.
    known: HashMap<PathBuf, u64>,
    /// Length and time of every file that counts, and since when they are known. Only kept without notification.
    facts: HashMap<PathBuf, (u64, SystemTime, Instant)>,
    /// To be reported.
    notices: Vec<String>,
}

impl State {
    fn new(filter: Filter) -> Self {
        Self {
            filter,
            watcher: None,
            folders: HashSet::new(),
            known: HashMap::new(),
            facts: HashMap::new(),
            notices: Vec::new(),
        }
    }

    fn look_instead(&mut self, error: &notify::Error) {
        self.watcher = None;
        self.notices.push(format!(
            "file notification is not available ({error}); looking every {POLL_INTERVAL_MS} ms instead"
        ));
    }

    fn run(mut self, inbox: &Receiver<Input>, report: impl Fn(Seen)) {
        let mut suspects: BTreeSet<PathBuf> = BTreeSet::new();
        let mut times: Option<(Instant, Instant)> = None;
        let mut everything = false;
        loop {
            self.notices.drain(..).for_each(|notice| report(Seen::Notice(notice)));
            let input = match times {
                None if self.watcher.is_none() => inbox.recv_timeout(Duration::from_millis(POLL_INTERVAL_MS)),
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
                Err(RecvTimeoutError::Timeout) if times.is_none() => {
                    suspects = self.look();
                    times = (!suspects.is_empty()).then(|| (Instant::now(), Instant::now()));
                }
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
            // A target folder shared with a project that is gone still names that one's sources.
            .filter(|folder| folder.is_dir())
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
        let Some(watcher) = &mut self.watcher else { return Ok(()) };
        let mode = if cfg!(target_os = "linux") {
            RecursiveMode::NonRecursive
        } else if self.folders.iter().any(|other| other != folder && folder.starts_with(other)) {
            // One watch of the whole tree per root; folders below are covered.
            return Ok(());
        } else {
            RecursiveMode::Recursive
        };
        match watcher.watch(folder, mode) {
            Err(error) if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) => {
                self.look_instead(&error);
                Ok(())
            }
            result => result,
        }
    }

    /// The files that may have changed since the last look, without notification.
    fn look(&mut self) -> BTreeSet<PathBuf> {
        let mut files: BTreeSet<PathBuf> = self.known.keys().cloned().collect();
        for folder in self.filter.roots() {
            self.scan(&folder, &mut files);
        }
        let now = Instant::now();
        let step = Duration::from_millis(FILE_TIME_STEP_MS);
        let mut before = std::mem::take(&mut self.facts);
        files.retain(|file| {
            let known = before.remove(file);
            let present = std::fs::metadata(file)
                .ok()
                .filter(std::fs::Metadata::is_file)
                .map(|facts| (facts.len(), facts.modified().unwrap_or(SystemTime::UNIX_EPOCH)));
            let Some((length, time)) = present else { return self.known.contains_key(file) };
            let since = known.filter(|&(old, at, _)| (old, at) == (length, time)).map(|(.., since)| since);
            self.facts.insert(file.clone(), (length, time, since.unwrap_or(now)));
            since.is_none_or(|since| now - since <= step)
        });
        files
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

#[cfg(test)]
mod tests {
    use super::*;

    /// One page file in a folder, known, and everything known of it made older than any file system's steps of time.
    fn looked_at() -> (tempfile::TempDir, PathBuf, State) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("style.css");
        std::fs::write(&file, "one").unwrap();
        let none = folder.path().join("none");
        let mut state = State::new(Filter::new(folder.path(), Some(folder.path()), &none, &none));
        state.rescan();
        let young = state.look();
        assert_eq!(young, BTreeSet::from([file.clone()]), "a young file is a suspect");
        assert!(state.examine(young).is_empty(), "and has not changed");
        let old = Instant::now().checked_sub(Duration::from_millis(FILE_TIME_STEP_MS + 1_000)).unwrap();
        state.facts.values_mut().for_each(|(.., since)| *since = old);
        (folder, file, state)
    }

    #[test]
    fn only_what_may_have_changed_is_read_when_looking() {
        let (folder, file, mut state) = looked_at();
        assert_eq!(state.look(), BTreeSet::new());
        let new = folder.path().join("new.css");
        std::fs::write(&new, "new").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling.css")).unwrap();
        assert_eq!(state.look(), BTreeSet::from([new.clone()]));
        state.examine(BTreeSet::from([new]));
        std::fs::remove_file(&file).unwrap();
        assert!(state.look().contains(&file), "what is gone has changed");
        assert_eq!(state.examine(BTreeSet::from([file.clone()])).page, BTreeSet::from([file.clone()]));
        assert!(!state.look().contains(&file), "once");
    }

    #[test]
    fn a_second_save_in_one_step_of_the_file_systems_clock_is_seen() {
        let (_folder, file, mut state) = looked_at();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for text in ["two", "six"] {
            std::fs::write(&file, text).unwrap();
            std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
            let suspects = state.look();
            assert_eq!(state.examine(suspects).page, BTreeSet::from([file.clone()]), "{text}");
        }
    }
}
