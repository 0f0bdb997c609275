//! Comparing what is known with what is there.
//!
//! # Theory of operation
//! Signs name places; each place is looked at and compared with what is known of it. A folder is watched first and
//! listed afterwards, so nothing put into it is missed. What is gone, or suddenly empty, is looked at once more after a
//! while ([`limits::WATCH_SETTLE_MS`]): editors move a file away and write it anew, or cut it to nothing first.
//!
//! The system's watches may be lost in ways nobody is told of (see [`crate::notifier`]). The rule against it: whenever
//! a name was taken from a folder, or one path of a folder was let go of, the folder is watched again under every path
//! it has, and compared once more after that.
//!
//! What findings mean is decided in [`crate::order`]; [`crate::conclude`] takes them over.

mod compare;
#[cfg(all(test, unix))]
mod random;

use crate::disk::{self, Id, Seen, Stamp};
use crate::event::{Event, Notice, Subject};
use crate::mounts;
use crate::notifier::{Notifier, Outcome, Sign};
use crate::options::Settings;
use crate::rules::Select;
use crate::tree::{Known, Tree};
use staysail_protocol::limits;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// A place the watch begins at.
#[derive(Debug)]
pub struct Root {
    pub path: PathBuf,
    /// Only watched for single files in it, and no matter of report itself.
    pub flat: bool,
    pub there: bool,
}

/// How far a folder is looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    No,
    Entries,
    Everything,
}

/// Whether a file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Nothing says so.
    No,
    /// What would say so may have been missed.
    Perhaps,
    /// An event says so.
    Yes,
}

/// How a place is looked at.
#[derive(Debug, Clone, Copy)]
struct How {
    written: Written,
    /// The folder's watch may be gone.
    rewatch: bool,
    into: Reach,
}

/// What was found in one round, before it is decided what it means.
#[derive(Debug, Default)]
pub struct Found {
    pub gone: BTreeSet<PathBuf>,
    /// What another kind of thing stands in the place of, with everything below; already forgotten.
    pub replaced: BTreeMap<PathBuf, Known>,
    pub new: BTreeMap<PathBuf, Known>,
    pub changed: BTreeSet<PathBuf>,
}

/// The state of a watch.
pub struct Scan {
    pub roots: Vec<Root>,
    /// Files that count whatever the rules say.
    exact: HashSet<PathBuf>,
    /// Those that were told later, all at once.
    extra: HashSet<PathBuf>,
    select: Box<dyn Select>,
    pub settings: Settings,
    pub notifier: Notifier,
    pub tree: Tree,
    /// What is gone or empty: since when that is known, and when it is reported if it still is so.
    pub held: HashMap<PathBuf, (Instant, Instant)>,
    /// Folders that are looked at in intervals.
    pub polled: HashSet<PathBuf>,
    notices: Vec<Notice>,
    told: HashSet<(Subject, PathBuf)>,
    /// Folders whose watch was renewed: they are compared once more.
    pub again: BTreeSet<PathBuf>,
    /// Where the system reports a root under another path: that one, and ours.
    real: Vec<(PathBuf, PathBuf)>,
    /// Bytes and files that may still be read.
    pub budget: (u64, usize),
}

impl Scan {
    pub fn new(
        paths: Vec<PathBuf>,
        select: Box<dyn Select>,
        settings: Settings,
        opened: notify::Result<Notifier>,
    ) -> Self {
        let mut scan = Self {
            roots: Vec::new(),
            exact: HashSet::new(),
            extra: HashSet::new(),
            select,
            settings,
            notifier: Notifier::default(),
            tree: Tree::default(),
            held: HashMap::new(),
            polled: HashSet::new(),
            notices: Vec::new(),
            told: HashSet::new(),
            again: BTreeSet::new(),
            real: Vec::new(),
            budget: (limits::WATCH_START_READ_BYTES_MAX, limits::WATCH_START_READ_FILES_MAX),
        };
        match opened {
            Ok(notifier) => scan.notifier = notifier,
            Err(error) => {
                let message = format!(
                    "the system notifies of no files ({error}); they are looked at every {} ms instead. Under Linux `sysctl fs.inotify.max_user_instances=512` usually helps",
                    settings.interval.as_millis()
                );
                scan.notices.push(Notice { subject: Subject::Polling, path: None, message });
            }
        }
        for path in paths {
            if let Ok(real) = path.canonicalize()
                && real != path
            {
                scan.real.push((real, path.clone()));
            }
            if path.is_dir() {
                scan.roots.push(Root { path, flat: false, there: true });
            } else {
                scan.expect(path);
            }
        }
        scan
    }

    /// Counts this file from now on; gives the folder it is in when that is not looked into yet.
    fn expect(&mut self, file: PathBuf) {
        if let Some(folder) = file.parent()
            && !self.roots.iter().any(|root| root.path == folder)
        {
            self.roots.push(Root { path: folder.into(), flat: true, there: folder.is_dir() });
        }
        self.exact.insert(file);
    }

    /// Learns everything that is there, without a report.
    pub fn begin(&mut self) {
        let mut found = BTreeMap::new();
        for at in 0..self.roots.len() {
            self.enter_root(at, &mut found);
        }
        for (path, known) in found {
            let Known::File(mut file) = known else { continue };
            if !is_fresh(&file.stamp) {
                file.young = None;
            }
            self.read_into(&path, &mut file);
            self.tree.put(&path, Known::File(file));
        }
    }

    fn enter_root(&mut self, at: usize, found: &mut BTreeMap<PathBuf, Known>) {
        let Root { path, flat, there } = &self.roots[at];
        let (path, flat) = (path.clone(), *flat);
        // The folder may be looked into already, as one below another.
        if !there || self.tree.folders.get(&path).is_some_and(|folder| !folder.flat || flat) {
            return;
        }
        if let Ok(Some(Seen::Folder(id))) = disk::look(&path, true) {
            self.appear(&path, id, flat, found);
        }
    }

    /// Watches these files as well, in place of those told before. What is there by now is known and not reported.
    pub fn also(&mut self, files: Vec<PathBuf>) {
        let before = std::mem::take(&mut self.extra);
        let mut folders = BTreeSet::new();
        for file in files.into_iter().filter(|file| file.is_absolute()) {
            let Some(folder) = file.parent().map(Path::to_path_buf) else { continue };
            // A target folder shared with a project that is gone still names that one's sources.
            if self.tree.folders.contains_key(&folder) || self.is_root(&folder) || folder.is_dir() {
                if !self.tree.folders.contains_key(&folder) && !self.is_root(&folder) {
                    self.roots.push(Root { path: folder.clone(), flat: true, there: true });
                }
                folders.insert(folder);
                self.extra.insert(file);
            }
        }
        let mut found = BTreeMap::new();
        for at in 0..self.roots.len() {
            self.enter_root(at, &mut found);
        }
        for file in before {
            if !self.exact.contains(&file) && !self.extra.contains(&file) && !self.select.file(&file) {
                self.leave(&file);
            }
        }
        for folder in folders {
            if !self.tree.folders.contains_key(&folder) {
                continue;
            }
            for (name, seen) in disk::list(&folder, self.settings.follow).unwrap_or_default() {
                let path = folder.join(name);
                let wanted = self.tree.known(&path).is_none() && self.wants(&path, &seen);
                if wanted && !matches!(seen, Seen::Folder(_)) {
                    self.insert_file(&path, seen, &mut found);
                }
            }
        }
        self.budget = (limits::WATCH_START_READ_BYTES_MAX, limits::WATCH_START_READ_FILES_MAX);
        self.read_new(&found.keys().cloned().collect::<Vec<_>>());
    }

    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Tells something once for each place.
    pub fn notice(&mut self, subject: Subject, path: &Path, message: String) {
        if self.told.insert((subject, path.into())) {
            self.notice_again(subject, path, message);
        }
    }

    /// Tells something each time. An empty path: it is about no single place.
    pub fn notice_again(&mut self, subject: Subject, path: &Path, message: String) {
        let path = Some(path.to_path_buf()).filter(|path| !path.as_os_str().is_empty());
        self.notices.push(Notice { subject, path, message });
    }

    pub fn is_root(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| root.path == path)
    }

    fn is_named(&self, path: &Path) -> bool {
        self.exact.contains(path) || self.extra.contains(path)
    }

    fn wants(&mut self, path: &Path, seen: &Seen) -> bool {
        match seen {
            Seen::Folder(_) => {
                let flat = path.parent().and_then(|it| self.tree.folders.get(it)).is_some_and(|it| it.flat);
                !flat && self.select.folder(path)
            }
            _ => self.is_named(path) || self.select.file(path),
        }
    }

    /// Cheap first look, so that a compiler writing into an ignored folder never starts the clock.
    pub fn may_count(&mut self, path: &Path) -> bool {
        if self.tree.known(path).is_some() || self.is_named(path) || self.select.holds_rules(path) {
            return true;
        }
        let Some(folder) = path.parent().and_then(|folder| self.tree.folders.get(folder)) else {
            return false;
        };
        let flat = folder.flat;
        self.select.file(path) || (!flat && self.select.folder(path))
    }

    /// The places an event's path means: itself, and the same under other paths of its folder. Of a path in a folder
    /// that is not known yet the topmost unknown part is meant.
    pub fn places(&self, path: PathBuf) -> Vec<PathBuf> {
        let renamed =
            self.real.iter().find_map(|(real, ours)| Some(ours.join(path.strip_prefix(real).ok()?)));
        // Joining nothing leaves a separator behind.
        let path: PathBuf = renamed.map_or(path, |path| path.components().collect());
        let mut places = Vec::new();
        let mut child = path.as_path();
        while let Some(parent) = child.parent() {
            if self.tree.folders.contains_key(parent) {
                let name = child.file_name().unwrap_or_default();
                places.extend(self.tree.aliases(parent).iter().map(|other| other.join(name)));
                if places.is_empty() {
                    places.push(child.to_path_buf());
                }
                break;
            }
            if self.tree.folders.contains_key(child) {
                break;
            }
            child = parent;
        }
        if self.tree.folders.contains_key(&path) {
            places.push(path.clone());
            places.extend(self.tree.aliases(&path).iter().cloned());
        }
        if self.select.holds_rules(&path) {
            places.extend(path.parent().map(Path::to_path_buf));
        }
        places
    }

    /// Looks at these places.
    pub fn examine(
        &mut self,
        suspects: &BTreeMap<PathBuf, Sign>,
        everything: bool,
        hints: &[(PathBuf, PathBuf)],
    ) -> Vec<Event> {
        let now = Instant::now();
        let mut found = Found::default();
        if everything {
            let how = How { written: Written::Perhaps, rewatch: true, into: Reach::Everything };
            for at in 0..self.roots.len() {
                let path = self.roots[at].path.clone();
                self.check(&path, how, now, &mut found);
            }
        }
        let doubtful = names_that_differ_by_case(suspects.keys());
        for (path, sign) in suspects {
            let into = if sign.taken { Reach::Everything } else { Reach::Entries };
            let written = if sign.written { Written::Yes } else { Written::No };
            let how = How { written, rewatch: sign.taken, into };
            if doubtful.contains(path.as_path()) && !is_really_there(path) {
                self.compare(path, None, how, now, &mut found);
            } else {
                self.check(path, how, now, &mut found);
            }
        }
        self.finish(found, hints, now)
    }

    /// Looks at what tells of no changes by itself.
    pub fn look(&mut self) -> Vec<Event> {
        let now = Instant::now();
        let mut found = Found::default();
        let mut folders: Vec<PathBuf> = self.polled.iter().cloned().collect();
        folders.sort_unstable();
        let how = How { written: Written::No, rewatch: false, into: Reach::Entries };
        for folder in folders {
            // It may have gone since, with the one above.
            if self.tree.folders.contains_key(&folder) {
                self.relist(&folder, how, now, &mut found);
            }
        }
        let missing: Vec<PathBuf> =
            self.roots.iter().filter(|root| !root.there).map(|root| root.path.clone()).collect();
        for path in missing {
            self.check(&path, how, now, &mut found);
        }
        self.finish(found, &[], now)
    }

    fn finish(&mut self, found: Found, hints: &[(PathBuf, PathBuf)], now: Instant) -> Vec<Event> {
        let mut events = self.conclude(found, hints, now);
        // Bounded: a folder comes here only when one of its paths was let go of.
        while !self.again.is_empty() {
            let mut found = Found::default();
            let how = How { written: Written::Perhaps, rewatch: false, into: Reach::Entries };
            for path in std::mem::take(&mut self.again) {
                self.check(&path, how, now, &mut found);
            }
            events.extend(self.conclude(found, &[], now));
        }
        events
    }

    /// Watches a folder, or has it looked at in intervals.
    pub fn watch(&mut self, path: &Path) {
        let root = self.roots.iter().any(|root| root.path == path && !root.flat);
        let mut polled = !self.notifier.is_open();
        if !polled {
            match self.notifier.watch(path, root) {
                Outcome::Watched => {}
                Outcome::Limit => {
                    polled = true;
                    let every = self.settings.interval.as_millis();
                    let message = format!(
                        "the system has no more watches to give; {} and further folders are looked at every {every} ms instead. `sudo sysctl fs.inotify.max_user_watches=524288` raises the limit",
                        path.display()
                    );
                    self.notice(Subject::Limit, Path::new(""), message);
                }
                Outcome::Failed(error) => {
                    polled = path.is_dir();
                    if let notify::ErrorKind::Io(error) = &error.kind {
                        self.denied(path, error);
                    }
                }
            }
            polled |= self.is_foreign(path);
        }
        if polled {
            self.polled.insert(path.into());
        } else if !self.settings.follow {
            self.polled.remove(path);
        }
        if let Some(folder) = self.tree.folders.get_mut(path) {
            folder.polled = polled;
        }
    }

    /// Whether events of this folder can not be relied on; asked where a file system begins.
    fn is_foreign(&mut self, path: &Path) -> bool {
        let id = |path: &Path| self.tree.folders.get(path).and_then(|folder| folder.id).map(Id::device);
        if let Some(above) = path.parent().filter(|above| self.tree.folders.contains_key(*above))
            && id(above) == id(path)
        {
            return self.tree.folders.get(above).is_some_and(|folder| folder.polled);
        }
        let Some(kind) = mounts::foreign(path) else { return false };
        let message = format!(
            "{} is on {kind}, where the system does not tell of what others write; it is looked at every {} ms as well",
            path.display(),
            self.settings.interval.as_millis()
        );
        self.notice(Subject::Polling, path, message);
        true
    }

    /// Lets go of a folder's watch, and renews that of its other paths: they may have shared it.
    pub fn let_go(&mut self, path: &Path, others: Vec<PathBuf>) {
        self.polled.remove(path);
        self.notifier.unwatch(path);
        for other in others {
            self.watch(&other);
            self.again.insert(other);
        }
    }

    /// Forgets a path and everything below.
    pub fn leave(&mut self, path: &Path) {
        let folders: Vec<PathBuf> = std::iter::once(path.to_path_buf())
            .chain(self.tree.below(path).into_iter().filter(|(_, it)| it.is_folder()).map(|(path, _)| path))
            .filter(|path| self.tree.folders.contains_key(path))
            .collect();
        self.tree.forget(path);
        for folder in folders {
            let others = self.tree.leave(&folder);
            self.let_go(&folder, others);
        }
        self.held.remove(path);
    }

    fn is_full(&mut self, path: &Path) -> bool {
        let full = self.tree.count >= limits::WATCH_ENTRIES_MAX;
        if full {
            let message = format!(
                "more than {} files and folders; {} and others are not watched. Leave folders out with --ignore or a .gitignore",
                limits::WATCH_ENTRIES_MAX,
                path.display()
            );
            self.notice(Subject::TooMany, Path::new(""), message);
        }
        full
    }

    fn denied(&mut self, path: &Path, error: &io::Error) {
        if disk::is_gone(error) {
            return;
        }
        let message = format!(
            "{} can not be read ({error}); everything else is watched. Give yourself permission to read it, or leave it out with --ignore",
            path.display()
        );
        self.notice(Subject::Denied, path, message);
    }
}

/// Whether a file was written so lately that the next save may leave its time as it is.
fn is_fresh(stamp: &Stamp) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let step = Duration::from_millis(limits::WATCH_TIME_STEP_MS);
    i128::from(stamp.modified) + step.as_nanos() as i128 >= now.as_nanos() as i128
}

/// Paths of which another one differs only by upper and lower case: a file system may take one for the other.
fn names_that_differ_by_case<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> HashSet<&'a Path> {
    let mut groups: HashMap<String, Vec<&Path>> = HashMap::new();
    for path in paths {
        groups.entry(path.to_string_lossy().to_lowercase()).or_default().push(path);
    }
    groups.into_values().filter(|group| group.len() > 1).flatten().collect()
}

fn is_really_there(path: &Path) -> bool {
    path.parent().zip(path.file_name()).is_some_and(|(folder, name)| disk::holds_name(folder, name))
}
