//! What is known of the watched folders.
//!
//! Entries are kept by folder and name, so that a hundred thousand files cost names and facts, not a hundred thousand
//! paths.

use crate::disk::{Id, Seen, Stamp};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What is known of one file or link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    pub stamp: Stamp,
    /// Its content, when it was read; of a link where it points to.
    pub hash: Option<u64>,
    /// Since when the stamp is known while it is so young that a second save could leave it as it is (git calls such
    /// an entry racy). `None` when the stamp alone tells a change.
    pub young: Option<Instant>,
    pub link: bool,
}

/// What is known under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Folder(Option<Id>),
    File(File),
}

impl Known {
    /// Whether this is still the same kind of thing.
    pub fn same_kind(&self, seen: &Seen) -> bool {
        match (self, seen) {
            (Self::Folder(_), Seen::Folder(_)) => true,
            (Self::File(file), Seen::File(..)) => !file.link,
            (Self::File(file), Seen::Link(..)) => file.link,
            _ => false,
        }
    }

    pub fn id(&self) -> Option<Id> {
        match self {
            Self::Folder(id) => *id,
            Self::File(file) => file.stamp.id,
        }
    }

    pub fn is_folder(&self) -> bool {
        matches!(self, Self::Folder(_))
    }
}

/// A folder that is looked into.
#[derive(Debug, Default)]
pub struct Folder {
    pub id: Option<Id>,
    /// Looked at in intervals.
    pub polled: bool,
    /// Only its files are looked at.
    pub flat: bool,
    pub entries: BTreeMap<OsString, Known>,
}

/// Every folder that is looked into.
#[derive(Debug, Default)]
pub struct Tree {
    pub folders: HashMap<PathBuf, Folder>,
    /// Paths of each folder; more than one where links are followed or a folder is mounted twice.
    ids: HashMap<Id, Vec<PathBuf>>,
    /// Entries of all folders.
    pub count: usize,
}

impl Tree {
    /// What is known of a path; a root is no entry of its parent.
    pub fn known(&self, path: &Path) -> Option<Known> {
        if let Some(folder) = self.folders.get(path) {
            return Some(Known::Folder(folder.id));
        }
        let parent = self.folders.get(path.parent()?)?;
        parent.entries.get(path.file_name()?).copied()
    }

    /// Keeps what was found under a path whose folder is known.
    pub fn put(&mut self, path: &Path, known: Known) {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
        if let Some(folder) = self.folders.get_mut(parent)
            && folder.entries.insert(name.to_owned(), known).is_none()
        {
            self.count += 1;
        }
    }

    /// Forgets an entry; folders are left by [`Self::leave`].
    pub fn forget(&mut self, path: &Path) {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
        if let Some(folder) = self.folders.get_mut(parent)
            && folder.entries.remove(name).is_some()
        {
            self.count -= 1;
        }
    }

    /// Begins to look into a folder.
    pub fn enter(&mut self, path: &Path, id: Option<Id>, flat: bool) {
        self.folders.insert(path.into(), Folder { id, flat, ..Folder::default() });
        if let Some(id) = id {
            self.ids.entry(id).or_default().push(path.into());
        }
    }

    /// Looks no longer into a folder; its entries are forgotten. Gives its other paths.
    pub fn leave(&mut self, path: &Path) -> Vec<PathBuf> {
        let Some(folder) = self.folders.remove(path) else { return Vec::new() };
        self.count -= folder.entries.len();
        self.drop_id(path, folder.id)
    }

    /// Another folder stands where this one stood. Gives the other paths of the old one.
    pub fn replace(&mut self, path: &Path, id: Option<Id>) -> Vec<PathBuf> {
        let Some(folder) = self.folders.get_mut(path) else { return Vec::new() };
        let old = std::mem::replace(&mut folder.id, id);
        if let Some(id) = id {
            self.ids.entry(id).or_default().push(path.into());
        }
        self.drop_id(path, old)
    }

    fn drop_id(&mut self, path: &Path, id: Option<Id>) -> Vec<PathBuf> {
        let Some(id) = id else { return Vec::new() };
        let Some(paths) = self.ids.get_mut(&id) else { return Vec::new() };
        if let Some(at) = paths.iter().position(|other| other == path) {
            paths.remove(at);
        }
        let others = paths.clone();
        if others.is_empty() {
            self.ids.remove(&id);
        }
        others
    }

    /// The other paths of this folder.
    pub fn aliases(&self, path: &Path) -> &[PathBuf] {
        let id = self.folders.get(path).and_then(|folder| folder.id);
        id.and_then(|id| self.ids.get(&id)).map_or(&[], Vec::as_slice)
    }

    /// Everything below a folder, without itself; folders before what is in them.
    pub fn below(&self, top: &Path) -> Vec<(PathBuf, Known)> {
        let mut found = Vec::new();
        let mut folders = vec![top.to_path_buf()];
        while let Some(path) = folders.pop() {
            let Some(folder) = self.folders.get(&path) else { continue };
            for (name, known) in &folder.entries {
                let path = path.join(name);
                if known.is_folder() {
                    folders.push(path.clone());
                }
                found.push((path, *known));
            }
        }
        found
    }

    /// Whether a folder with this id is above the path: entering it again would never end.
    pub fn goes_round(&self, path: &Path, id: Option<Id>) -> bool {
        id.is_some()
            && path.ancestors().skip(1).any(|above| self.folders.get(above).is_some_and(|it| it.id == id))
    }
}
