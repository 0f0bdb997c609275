//! The store's own view of the real file system: only this user enters, and no link is followed that the store did not make.
//!
//! The store makes no links at all. One that lies below its folder was put there by somebody else: it counts as absent when
//! read, and makes way (the link, never what it leads to) when something is written. The store's folder itself may be
//! reached over links; people move it to another disk.

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

    /// Whether somebody put a link at this path.
    fn is_foreign(&self, path: &Path) -> bool {
        path != self.root
            && path.starts_with(&self.root)
            && fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_symlink())
    }

    fn make_way(&self, path: &Path) -> io::Result<()> {
        if !self.is_foreign(path) {
            return Ok(());
        }
        tracing::error!(path = %path.display(), "a link lies in the store, which makes none; it is removed");
        OsDisk.remove(path)
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
        OsDisk.remove(path)
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
