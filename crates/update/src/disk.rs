//! The one seam to the file system.
//!
//! # Theory of operation
//! [`Disk`] has a few plain operations, which a simulated disk can fail, tear and forget, and on top of them the ones the
//! store uses. A file appears under its name whole or not at all: written to a temporary name in the same folder, synced,
//! renamed, folder synced; a folder that had to be made is synced into its parent before anything is put into it. Nothing
//! is ever written in place, so a power failure at any moment leaves the old file or the new one. Renames are tried again
//! with a bound, because virus scanners hold fresh files for a moment (Velopack #64).

use crate::hash;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Tries of a rename that another program may be holding up.
pub const RENAME_ATTEMPTS_MAX: u32 = 5;
/// First pause between two of them; doubles.
pub const RENAME_PAUSE_MS: u64 = 10;

/// Tries of a write whose temporary file is in the way of another process's, or the other way round.
const TEMPORARY_ATTEMPTS_MAX: u32 = 5;

/// Ending of files that are being written. What a crash leaves of them is removed when the store is tidied up.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Holds a lock until it is dropped, or its process is gone.
pub trait Lock: std::fmt::Debug + Send + Sync {}

impl Lock for File {}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name; names that are no text are left out of listings, the store makes none.
    pub name: String,
    /// Whether it is a folder (and no link to one).
    pub is_folder: bool,
}

/// A file system. Errors are those of the system, everywhere.
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
pub trait Disk: Send + Sync {
    /// Writes a new file and syncs its content. Fails when there is one already.
    fn create(&self, path: &Path, bytes: &[u8], executable: bool) -> io::Result<()>;

    /// Adds bytes to the end of a file without syncing. Creates it.
    fn extend(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Gives a file another name in the same folder, replacing what has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes a folder whose parent exists. That it exists already is fine.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder's entries durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Removes a file, or a folder with its contents; absence is fine.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// A whole file of at most `max` bytes; `None` when it does not exist, `FileTooLarge` beyond `max`.
    fn read(&self, path: &Path, max: u64) -> io::Result<Option<Vec<u8>>>;

    /// SHA-256 and size of a file, read piece by piece; `None` when it does not exist.
    fn digest(&self, path: &Path) -> io::Result<Option<(String, u64)>>;

    /// Size of a file; `None` when it does not exist.
    fn size(&self, path: &Path) -> io::Result<Option<u64>>;

    /// Whether there is a folder of this name.
    fn is_folder(&self, path: &Path) -> bool;

    /// What a folder holds, in order of the names; nothing when it does not exist.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// Makes sure that a file may be executed; somebody may have copied the store without that bit.
    fn mark_executable(&self, path: &Path) -> io::Result<()>;

    /// Locks a file, making it if need be: for this holder alone, or shared with others who share it. `None` when another
    /// holder is in the way.
    fn try_lock(&self, path: &Path, shared: bool) -> io::Result<Option<Box<dyn Lock>>>;

    /// Makes a folder outside the store that only this user can enter.
    fn private_folder(&self) -> io::Result<PathBuf>;

    /// A name beside `path` that no other process or thread uses.
    fn temporary(&self, path: &Path) -> PathBuf {
        temporary_beside(path)
    }

    /// Whether calls may take a while, so that they belong on a thread of their own.
    fn blocks(&self) -> bool {
        true
    }

    /// Makes a folder and those above it, durably.
    fn create_folders(&self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || self.is_folder(path) {
            return Ok(());
        }
        let Some(parent) = path.parent() else { return Ok(()) };
        self.create_folders(parent)?;
        self.create_folder(path)?;
        self.sync_folder(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
    }

    /// Puts a whole file in place, durably, replacing what was there. Creates the folder. On an error the file that was
    /// there before is still there.
    fn write(&self, path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.create_folders(folder)?;
        for attempt in 1.. {
            let temporary = self.temporary(path);
            let written =
                self.create(&temporary, bytes, executable).and_then(|()| self.rename(&temporary, path));
            let Err(error) = written else { break };
            // The error that matters is the one of the write; a leftover is removed at the next clean-up.
            let _ = self.remove(&temporary);
            // Either a process of the same number left this name when it crashed (in a sandbox numbers are small), or
            // another process tidied up and took the file for such a leftover.
            let collided = matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound);
            if !collided || attempt == TEMPORARY_ATTEMPTS_MAX {
                return Err(error);
            }
        }
        self.sync_folder(folder)
    }

    /// Adds bytes to the end of a file that may be lost (a partial download). Creates it and its folder.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            self.create_folders(folder)?;
        }
        self.extend(path, bytes)
    }
}

/// The real file system.
#[derive(Debug, Default, Clone, Copy)]
pub struct OsDisk;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A name beside `path` that no other process or thread uses.
pub(crate) fn temporary_beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}-{number}{TEMPORARY}", std::process::id()))
}

/// Makes a folder's entries durable. Only Unix can; Windows journals them itself.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Writes a file that was not there, durably. The mode is Unix's; elsewhere the folder decides who may.
pub(crate) fn create_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(mode);
    }
    let _ = mode;
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let mut pause = Duration::from_millis(RENAME_PAUSE_MS);
    for attempt in 1.. {
        match fs::rename(from, to) {
            Err(error)
                if attempt < RENAME_ATTEMPTS_MAX
                    && error.kind() == io::ErrorKind::PermissionDenied
                    && cfg!(windows) =>
            {
                std::thread::sleep(pause);
                pause *= 2;
            }
            result => return result,
        }
    }
    Ok(())
}

/// Absence is no error to those who ask for something that may not be there.
fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Disk for OsDisk {
    fn create(&self, path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
        create_new(path, bytes, if executable { 0o755 } else { 0o644 })
    }

    fn extend(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().create(true).append(true).open(path)?.write_all(bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        rename(from, to)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        sync_folder(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(error) => Err(error),
        };
        absent(removed).map(|_| ())
    }

    fn read(&self, path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
        read(path, max)
    }

    fn digest(&self, path: &Path) -> io::Result<Option<(String, u64)>> {
        absent(File::open(path))?.map(|mut file| hash::of_reader(&mut file)).transpose()
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        Ok(absent(fs::metadata(path))?.map(|found| found.len()))
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in absent(fs::read_dir(path))?.into_iter().flatten() {
            let entry = entry?;
            let is_folder = entry.file_type()?.is_dir();
            entries.extend(entry.file_name().into_string().ok().map(|name| Entry { name, is_folder }));
        }
        entries.sort();
        Ok(entries)
    }

    fn mark_executable(&self, path: &Path) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(path)?.permissions().mode();
            if mode & 0o100 == 0 {
                fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o755))?;
            }
        }
        let _ = path;
        Ok(())
    }

    fn try_lock(&self, path: &Path, shared: bool) -> io::Result<Option<Box<dyn Lock>>> {
        let file = File::options().create(true).truncate(false).read(true).write(true).open(path)?;
        match if shared { file.try_lock_shared() } else { file.try_lock() } {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn private_folder(&self) -> io::Result<PathBuf> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let folder = std::env::temp_dir().join(format!("staysail-{}", hash::hex(&random)));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(0o700);
        }
        builder.recursive(false).create(&folder)?;
        Ok(folder)
    }
}

/// Reads a whole file of at most `max` bytes; `None` when it does not exist.
///
/// # Errors
/// Those of the system; `FileTooLarge` beyond `max`.
pub fn read(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = absent(File::open(path))? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {max} bytes")));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_no_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        OsDisk.write(&path, b"old", false).unwrap();
        // A folder in the way makes the rename fail after the bytes were written.
        let blocked = folder.path().join("b");
        fs::create_dir_all(blocked.join("inside")).unwrap();
        assert!(OsDisk.write(&blocked, b"new", false).is_err());
        let names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert_eq!(read(&path, 10).unwrap().unwrap(), b"old");
        assert!(read(&path, 2).is_err());
    }
}
