//! The one seam to the file system for everything the store writes.
//!
//! # Theory of operation
//! A file appears under its name whole or not at all: written to a temporary name in the same folder, synced, renamed,
//! folder synced. Nothing is ever written in place, so a power failure at any moment leaves the old file or the new one.
//! Renames are tried again with a bound, because virus scanners hold fresh files for a moment (Velopack #64).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Tries of a rename that another program may be holding up.
pub const RENAME_ATTEMPTS_MAX: u32 = 5;
/// First pause between two of them; doubles.
pub const RENAME_PAUSE_MS: u64 = 10;

/// Everything that writes. Tests put their own in its place to make disks full.
pub trait Disk: Send + Sync {
    /// Puts a whole file in place, durably, replacing what was there. Creates the folder.
    ///
    /// # Errors
    /// Those of the system; the file that was there before is then still there.
    fn write(&self, path: &Path, bytes: &[u8], executable: bool) -> io::Result<()>;

    /// Adds bytes to the end of a file that may be lost (a partial download). Creates it and its folder.
    ///
    /// # Errors
    /// Those of the system.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Removes a file or a folder with its contents; absence is fine.
    ///
    /// # Errors
    /// Those of the system.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The real file system.
#[derive(Debug, Default, Clone, Copy)]
pub struct OsDisk;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A name beside `path` that no other process or thread uses.
pub(crate) fn temporary_beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}-{number}.tmp", std::process::id()))
}

/// Makes a folder's entries durable. Only Unix can; Windows journals them itself.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
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

impl Disk for OsDisk {
    fn write(&self, path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let temporary = temporary_beside(path);
        let written = (|| {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            {
                use std::os::unix::fs::OpenOptionsExt;
                options.mode(if executable { 0o755 } else { 0o644 });
            }
            let mut file = options.open(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            drop(file);
            rename(&temporary, path)?;
            sync_folder(folder)
        })();
        if written.is_err() {
            // The error that matters is the one of the write; a leftover is removed at the next clean-up.
            let _ = fs::remove_file(&temporary);
        }
        let _ = executable;
        written
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new().create(true).append(true).open(path)?.write_all(bytes)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

/// Reads a whole file of at most `max` bytes; `None` when it does not exist.
///
/// # Errors
/// Those of the system; `FileTooLarge` beyond `max`.
pub fn read(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    use std::io::Read;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
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
