//! What a watch reports.

use std::path::{Path, PathBuf};
use std::time::Instant;

/// One difference between the tree as it was known and as it is. `docs/spec/watch.md` says when each comes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A file (or a link that is not followed) is there that was not.
    Add(PathBuf),
    /// A file's content, or a link's target, is another one.
    Change(PathBuf),
    /// A file or link is gone.
    Unlink(PathBuf),
    /// A folder is there that was not. What is in it follows.
    AddDir(PathBuf),
    /// A folder is gone. What was in it was reported before.
    UnlinkDir(PathBuf),
    /// A file has another name.
    Rename {
        /// Its name before.
        from: PathBuf,
        /// Its name now.
        to: PathBuf,
    },
    /// A folder has another name, and with it everything below.
    RenameDir {
        /// Its name before.
        from: PathBuf,
        /// Its name now.
        to: PathBuf,
    },
}

impl Event {
    /// The event's name, as `staysail watch --json` writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Change(_) => "change",
            Self::Unlink(_) => "unlink",
            Self::AddDir(_) => "addDir",
            Self::UnlinkDir(_) => "unlinkDir",
            Self::Rename { .. } => "rename",
            Self::RenameDir { .. } => "renameDir",
        }
    }

    /// The path it is about; of a rename the new one.
    pub fn path(&self) -> &Path {
        match self {
            Self::Add(path)
            | Self::Change(path)
            | Self::Unlink(path)
            | Self::AddDir(path)
            | Self::UnlinkDir(path) => path,
            Self::Rename { to, .. } | Self::RenameDir { to, .. } => to,
        }
    }

    /// Of a rename the path before.
    pub fn from(&self) -> Option<&Path> {
        match self {
            Self::Rename { from, .. } | Self::RenameDir { from, .. } => Some(from),
            _ => None,
        }
    }
}

/// Events that belong together: taken in order they turn the tree known before into the one that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// At least one.
    pub events: Vec<Event>,
    /// When the first sign of them came.
    pub first: Instant,
}

/// Something the watch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Report {
    /// Everything that is there is known. Comes once.
    Ready {
        /// Folders that are looked into.
        folders: usize,
        /// Files and links that count.
        files: usize,
    },
    /// The tree changed.
    Changed(Batch),
    /// Something people should know; the watch goes on.
    Notice(Notice),
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// Events can not be relied on here, so files are looked at in intervals.
    Polling,
    /// The system has no more watches to give.
    Limit,
    /// Something may not be read.
    Denied,
    /// Events were lost; everything was compared.
    Overflow,
    /// A watched folder or file is gone, or there again.
    Root,
    /// There is more below the folder than is watched.
    TooMany,
}

impl Subject {
    /// The subject's name, as `staysail watch --json` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Limit => "limit",
            Self::Denied => "denied",
            Self::Overflow => "overflow",
            Self::Root => "root",
            Self::TooMany => "too_many",
        }
    }
}

/// Something people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub subject: Subject,
    /// Where, when it is about one place.
    pub path: Option<PathBuf>,
    /// What happened, what still works and what to do.
    pub message: String,
}
