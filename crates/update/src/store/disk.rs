//! The store's own view of the real file system: only this user enters, and no link is followed that the store did not make.
//!
//! The store makes no links at all. One that lies below its folder was put there by somebody else: it, and whatever lies
//! beyond it, counts as absent when read, and the link (never what it leads to) makes way when something is written. The
//! store's folder itself may be reached over links; people move it to another disk.

use crate::disk::{self, Disk, Entry, Lock, OsDisk};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
pub(super) struct StoreDisk {
    root: PathBuf,
}

impl StoreDisk {
    /// For a store in this folder.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The first link on the way from the store's folder to `path`, `path` itself included.
    fn link_on_the_way<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        let below = path.ancestors().take_while(|on_the_way| *on_the_way != self.root);
        let links = below.filter(|on_the_way| {
            fs::symlink_metadata(on_the_way).is_ok_and(|found| found.file_type().is_symlink())
        });
        // From the leaf upwards: the last one found is the first on the way.
        if path.starts_with(&self.root) { links.last() } else { None }
    }

    fn is_foreign(&self, path: &Path) -> bool {
        self.link_on_the_way(path).is_some()
    }

    fn make_way(&self, path: &Path) -> io::Result<()> {
        let Some(link) = self.link_on_the_way(path) else { return Ok(()) };
        tracing::error!(path = %link.display(), "a link lies in the store, which makes none; it is removed");
        OsDisk.remove(link)
    }
}

/// What makes folders that only the user may enter. On Windows a folder inherits who may from the one above.
fn for_the_user() -> fs::DirBuilder {
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700);
        builder
    }
    #[cfg(not(unix))]
    fs::DirBuilder::new()
}

impl Disk for StoreDisk {
    fn create(&self, path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
        disk::create_new(path, bytes, if executable { 0o700 } else { 0o600 })
    }

    fn extend(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.make_way(path)?;
        OsDisk.extend(path, bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.make_way(path)?;
        if !path.starts_with(&self.root) {
            return OsDisk.create_folder(path);
        }
        match for_the_user().create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        OsDisk.sync_folder(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        // A link goes, and what it leads to stays.
        if path.parent().is_some_and(|folder| self.is_foreign(folder)) { Ok(()) } else { OsDisk.remove(path) }
    }

    fn read(&self, path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
        if self.is_foreign(path) { Ok(None) } else { OsDisk.read(path, max) }
    }

    fn digest(&self, path: &Path) -> io::Result<Option<(String, u64)>> {
        if self.is_foreign(path) { Ok(None) } else { OsDisk.digest(path) }
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        if self.is_foreign(path) { Ok(None) } else { OsDisk.size(path) }
    }

    fn is_folder(&self, path: &Path) -> bool {
        !self.is_foreign(path) && OsDisk.is_folder(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        if self.is_foreign(path) { Ok(Vec::new()) } else { OsDisk.list(path) }
    }

    fn mark_executable(&self, path: &Path) -> io::Result<()> {
        if self.is_foreign(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        OsDisk.mark_executable(path)
    }

    fn try_lock(&self, path: &Path, shared: bool) -> io::Result<Option<Box<dyn Lock>>> {
        self.make_way(path)?;
        OsDisk.try_lock(path, shared)
    }

    fn private_folder(&self) -> io::Result<PathBuf> {
        OsDisk.private_folder()
    }
}
