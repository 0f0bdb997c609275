//! Folders held open, and what is done right below them, for Linux and macOS.
//!
//! # Theory of operation
//! A folder is a descriptor, and every name is looked up in it by an `…at` call that follows no link. Who exchanges a
//! folder for a link meanwhile changes what the name means to others, and nothing here: the descriptor stays the folder
//! it was, and a link met on the way down is refused by the kernel (`O_NOFOLLOW`), not by a look beforehand.

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawMode};
use rustix::io::Errno;
use staysail_protocol::desktop::fs::{FileKind, Stat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// Enough to look names up in a folder; more is asked for where more is done.
#[cfg(target_os = "linux")]
const HOLD: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const HOLD: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// A pipe or a device that was put in the file's place does not block, and becomes no terminal of ours.
const CAREFUL: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// A folder held open.
pub struct Held(OwnedFd);

impl Held {
    /// A folder, wherever its path leads.
    ///
    /// # Errors
    /// What the system says.
    pub fn anchor(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, HOLD, Mode::empty())?))
    }

    /// A folder in this one; never through a link.
    ///
    /// # Errors
    /// What the system says; a link is `FilesystemLoop`.
    pub fn folder(&self, name: &OsStr) -> io::Result<Self> {
        match rustix::fs::openat(&self.0, name, HOLD | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(folder) => Ok(Self(folder)),
            Err(error) => Err(self.or_link(name, error)),
        }
    }

    /// A link says `ENOTDIR` or `ELOOP`, by system; this tells it apart.
    fn or_link(&self, name: &OsStr, error: Errno) -> io::Error {
        let is_link = matches!(error, Errno::NOTDIR | Errno::LOOP | Errno::MLINK)
            && self.stat(name).is_ok_and(|stat| stat.kind == FileKind::Link);
        if is_link { Errno::LOOP.into() } else { error.into() }
    }

    /// What is known of what a name stands for; of a link, not of where it leads.
    ///
    /// # Errors
    /// What the system says.
    pub fn stat(&self, name: &OsStr) -> io::Result<Stat> {
        Ok(stat_of(&rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// What is known of the folder itself.
    ///
    /// # Errors
    /// What the system says.
    pub fn stat_self(&self) -> io::Result<Stat> {
        Ok(stat_of(&rustix::fs::fstat(&self.0)?))
    }

    /// Opens a file for reading; never through a link.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&self, name: &OsStr) -> io::Result<File> {
        self.open_with(name, OFlags::RDONLY)
    }

    /// Opens a file for writing at its end; made when it is not there.
    ///
    /// # Errors
    /// What the system says.
    pub fn open_end(&self, name: &OsStr) -> io::Result<File> {
        self.open_with(name, OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE)
    }

    fn open_with(&self, name: &OsStr, how: OFlags) -> io::Result<File> {
        match rustix::fs::openat(&self.0, name, how | CAREFUL, Mode::from_raw_mode(0o666)) {
            Ok(file) => Ok(File::from(file)),
            Err(error) => Err(self.or_link(name, error)),
        }
    }

    /// Makes a file that is not there yet, to be written. It gets the rights of `like`, when there is one.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(&self, name: &OsStr, like: Option<&OsStr>) -> io::Result<File> {
        let how = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | CAREFUL;
        let file = rustix::fs::openat(&self.0, name, how, Mode::from_raw_mode(0o666))?;
        if let Some(like) = like {
            let mode = rustix::fs::statat(&self.0, like, AtFlags::SYMLINK_NOFOLLOW)?.st_mode as RawMode;
            // The rights of people, not the bits that lend somebody's identity.
            rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o777))?;
        }
        Ok(File::from(file))
    }

    /// Gives what is here under `name` the name `to` in another folder. Without `replace` nothing may be there yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, name: &OsStr, into: &Self, to: &OsStr, replace: bool) -> io::Result<()> {
        if replace {
            return Ok(rustix::fs::renameat(&self.0, name, &into.0, to)?);
        }
        #[cfg(any(target_os = "linux", target_vendor = "apple"))]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(&self.0, name, &into.0, to, RenameFlags::NOREPLACE) {
                // Not every file system can.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                done => return Ok(done?),
            }
        }
        match into.stat(to) {
            Ok(_) => Err(Errno::EXIST.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(rustix::fs::renameat(&self.0, name, &into.0, to)?)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes a file or a link away.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Takes an empty folder away.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn create_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o777))?)
    }

    /// The names in the folder, at most one more than `max`.
    ///
    /// # Errors
    /// What the system says.
    pub fn names(&self, max: usize) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(self.readable()?)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            names.push(OsString::from_vec(name.to_vec()));
            if names.len() > max {
                break;
            }
        }
        Ok(names)
    }

    /// Has the disk keep which names are here, as far as it can.
    pub fn sync(&self) {
        // Some file systems can not; the names are kept all the same, a little later.
        if let Ok(folder) = self.readable() {
            let _ = rustix::fs::fsync(folder);
        }
    }

    fn readable(&self) -> io::Result<OwnedFd> {
        let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, OsStr::from_bytes(b"."), how, Mode::empty())?)
    }
}

/// What is known of an open file.
///
/// # Errors
/// What the system says.
pub fn stat_open(file: &File) -> io::Result<Stat> {
    Ok(stat_of(&rustix::fs::fstat(file)?))
}

fn stat_of(stat: &rustix::fs::Stat) -> Stat {
    let kind = match FileType::from_raw_mode(stat.st_mode as RawMode) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Folder,
        FileType::Symlink => FileKind::Link,
        _ => FileKind::Other,
    };
    // The parts have other types on other systems.
    let modified = i128::from(stat.st_mtime) * 1_000 + i128::from(stat.st_mtime_nsec) / 1_000_000;
    Stat {
        kind,
        size: if kind == FileKind::File { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 },
        modified: u64::try_from(modified).ok(),
        readonly: stat.st_mode & 0o222 == 0,
    }
}

/// Whether a link was in the way.
pub fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}
