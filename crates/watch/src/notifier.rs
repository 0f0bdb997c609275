//! The seam around the system's notification: which folders are watched by it, and how its events read.
//!
//! On Linux each folder is watched alone, so that what is ignored costs no watch; elsewhere the system watches the
//! whole tree below each root.
//!
//! notify keeps inotify's watches by path. A folder that moves keeps its watch in the kernel, so two paths may share
//! one for a while, and letting go of one path makes the other deaf. Who uses this therefore watches a folder again
//! after any of its paths was let go of ([`crate::scan`] does).

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::{Path, PathBuf};

/// Whether the system watches what is below a watched folder as well.
const WHOLE_TREES: bool = cfg!(not(any(target_os = "linux", target_os = "android")));

/// What became of the wish to watch a folder.
#[derive(Debug)]
pub enum Outcome {
    Watched,
    /// The system has no watches left.
    Limit,
    /// It can not be watched; it may be gone.
    Failed(notify::Error),
}

/// The system's notification, or its absence.
#[derive(Debug, Default)]
pub struct Notifier {
    watcher: Option<RecommendedWatcher>,
    /// Roots whose trees are watched as a whole.
    trees: Vec<PathBuf>,
}

impl Notifier {
    /// Opens the system's notification.
    pub fn open(deliver: impl Fn(notify::Result<Event>) + Send + 'static) -> notify::Result<Self> {
        let watcher = RecommendedWatcher::new(deliver, Config::default())?;
        Ok(Self { watcher: Some(watcher), trees: Vec::new() })
    }

    /// Whether there is any.
    pub fn is_open(&self) -> bool {
        self.watcher.is_some()
    }

    /// Watches a folder. `root`: the system may watch everything below as well.
    pub fn watch(&mut self, folder: &Path, root: bool) -> Outcome {
        let Some(watcher) = &mut self.watcher else { return Outcome::Limit };
        let mode = if !WHOLE_TREES || !root { RecursiveMode::NonRecursive } else { RecursiveMode::Recursive };
        if WHOLE_TREES {
            if self.trees.iter().any(|tree| folder.starts_with(tree) && folder != tree) {
                return Outcome::Watched;
            }
            if root && !self.trees.iter().any(|tree| tree == folder) {
                self.trees.push(folder.into());
            }
        }
        match watcher.watch(folder, mode) {
            Ok(()) => Outcome::Watched,
            Err(error) if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) => Outcome::Limit,
            Err(error) => Outcome::Failed(error),
        }
    }

    /// Lets a folder go.
    pub fn unwatch(&mut self, folder: &Path) {
        if WHOLE_TREES && !self.trees.iter().any(|tree| tree == folder) {
            return;
        }
        self.trees.retain(|tree| tree != folder);
        if let Some(watcher) = &mut self.watcher {
            // It may have been let go of by itself, when it was deleted.
            let _ = watcher.unwatch(folder);
        }
    }
}

/// What an event says, as far as it is believed: places to look at.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Signs {
    pub places: Vec<(PathBuf, Sign)>,
    /// From and to of one rename.
    pub pair: Option<(PathBuf, PathBuf)>,
    /// Events were lost.
    pub lost: bool,
}

/// How a place came to be looked at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sign {
    /// Its content may have been written, whatever its stamp says.
    pub written: bool,
    /// A name was taken away; the watch of a folder that had it may be gone.
    pub taken: bool,
    /// A finished file got this name.
    pub arrived: bool,
}

impl Sign {
    pub fn and(self, other: Self) -> Self {
        Self {
            written: self.written || other.written,
            taken: self.taken || other.taken,
            arrived: self.arrived || other.arrived,
        }
    }
}

/// Reads an event.
pub fn signs(event: Event) -> Signs {
    let lost = event.need_rescan();
    let written = Sign { written: true, ..Sign::default() };
    let taken = Sign { taken: true, written: true, ..Sign::default() };
    let arrived = Sign { arrived: true, written: true, ..Sign::default() };
    let sign = match event.kind {
        // A file written through mapped memory shows only when it is closed.
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => written,
        // Among them our own reading.
        EventKind::Access(_) => return Signs { lost, ..Signs::default() },
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From | RenameMode::Any)) => {
            taken
        }
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => arrived,
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => {
            let mut paths = event.paths.into_iter();
            let pair = paths.next().zip(paths.next());
            let places = pair.iter().flat_map(|(from, to)| [(from.clone(), taken), (to.clone(), arrived)]);
            return Signs { places: places.collect(), pair, lost };
        }
        EventKind::Modify(ModifyKind::Metadata(_)) => Sign::default(),
        _ => written,
    };
    Signs { places: event.paths.into_iter().map(|path| (path, sign)).collect(), pair: None, lost }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::Flag;

    #[test]
    fn what_only_reads_is_no_sign_and_what_closes_a_written_file_is() {
        let of = |kind| signs(Event::new(kind).add_path("a".into()));
        assert_eq!(of(EventKind::Access(AccessKind::Open(AccessMode::Any))), Signs::default());
        assert_eq!(of(EventKind::Access(AccessKind::Close(AccessMode::Read))), Signs::default());
        assert!(of(EventKind::Access(AccessKind::Close(AccessMode::Write))).places[0].1.written);
        let lost = signs(Event::new(EventKind::Other).set_flag(Flag::Rescan));
        assert!(lost.lost && lost.places.is_empty());
    }

    #[test]
    fn both_names_of_a_rename_are_looked_at() {
        let both = EventKind::Modify(ModifyKind::Name(RenameMode::Both));
        let read = signs(Event::new(both).add_path("a".into()).add_path("b".into()));
        assert_eq!(read.pair, Some(("a".into(), "b".into())));
        assert!(read.places[0].1.taken && read.places[1].1.arrived);
    }
}
