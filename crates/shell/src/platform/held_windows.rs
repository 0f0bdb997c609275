//! Folders held open, and what is done right below them, for Windows.
//!
//! # Theory of operation
//! Every folder on the way down is opened with the right to list it and without sharing deletion. While such a handle is
//! open nobody can rename or remove that folder, so nobody can put a link in its place, and paths through it mean what
//! they meant when it was looked at. Reparse points (links, junctions, mount points) are opened as themselves and
//! refused. After a look-up the system's own spelling is compared, so that a short name (`PROGRA~1`) does not stand in
//! for a name the scope does not meet.

use staysail_protocol::desktop::fs::{FileKind, Stat};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

// https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-createfilew
const FILE_LIST_DIRECTORY: u32 = 0x0001;
const FILE_READ_ATTRIBUTES: u32 = 0x0080;
const FILE_SHARE_READ: u32 = 1;
const FILE_SHARE_WRITE: u32 = 2;
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
const FILE_ATTRIBUTE_DEVICE: u32 = 0x40;
const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x400;

/// A folder held open, and with it those it lies in.
pub struct Held {
    path: PathBuf,
    held: Vec<Arc<File>>,
}

fn link() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, Link)
}

/// Stands for `ErrorKind::FilesystemLoop`, which can not be made on its own yet.
#[derive(Debug, thiserror::Error)]
#[error("a link is in the way")]
pub struct Link;

impl Held {
    /// A folder, wherever its path leads.
    ///
    /// # Errors
    /// What the system says.
    pub fn anchor(path: &Path) -> io::Result<Self> {
        // Verbatim (`\\?\`): from here on names are taken as they are.
        let path = path.canonicalize()?;
        let folder = hold(&path)?;
        if !folder.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { path, held: vec![Arc::new(folder)] })
    }

    /// A folder in this one; never through a link.
    ///
    /// # Errors
    /// What the system says; a link is [`Link`].
    pub fn folder(&self, name: &OsStr) -> io::Result<Self> {
        let path = self.path.join(name);
        let folder = hold(&path)?;
        let metadata = folder.metadata()?;
        if metadata.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
            return Err(link());
        }
        if !metadata.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        self.is_spelled(&path, name)?;
        let mut held = self.held.clone();
        held.push(Arc::new(folder));
        Ok(Self { path, held })
    }

    /// Refuses names that stand for another one.
    fn is_spelled(&self, path: &Path, name: &OsStr) -> io::Result<()> {
        let real = path.canonicalize()?;
        let same = real.file_name().is_some_and(|real| {
            real.to_string_lossy().to_lowercase() == name.to_string_lossy().to_lowercase()
        });
        if same { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// What is known of what a name stands for; of a link, not of where it leads.
    ///
    /// # Errors
    /// What the system says.
    pub fn stat(&self, name: &OsStr) -> io::Result<Stat> {
        let path = self.path.join(name);
        let stat = stat_of(&path.symlink_metadata()?);
        if stat.kind != FileKind::Link {
            self.is_spelled(&path, name)?;
        }
        Ok(stat)
    }

    /// What is known of the folder itself.
    ///
    /// # Errors
    /// What the system says.
    pub fn stat_self(&self) -> io::Result<Stat> {
        Ok(stat_of(&self.path.symlink_metadata()?))
    }

    /// Opens a file for reading; never through a link.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&self, name: &OsStr) -> io::Result<File> {
        self.open_with(name, OpenOptions::new().read(true))
    }

    /// Opens a file for writing at its end; made when it is not there.
    ///
    /// # Errors
    /// What the system says.
    pub fn open_end(&self, name: &OsStr) -> io::Result<File> {
        self.open_with(name, OpenOptions::new().append(true).create(true))
    }

    fn open_with(&self, name: &OsStr, how: &mut OpenOptions) -> io::Result<File> {
        let path = self.path.join(name);
        let file = how.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(&path)?;
        if file.metadata()?.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
            return Err(link());
        }
        self.is_spelled(&path, name)?;
        Ok(file)
    }

    /// Makes a file that is not there yet, to be written. Its rights are those of the folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(&self, name: &OsStr, _like: Option<&OsStr>) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
            .open(self.path.join(name))
    }

    /// Gives what is here under `name` the name `to` in another folder. Without `replace` nothing may be there yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, name: &OsStr, into: &Self, to: &OsStr, replace: bool) -> io::Result<()> {
        if !replace && into.path.join(to).symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        std::fs::rename(self.path.join(name), into.path.join(to))
    }

    /// Takes a file or a link away.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        let path = self.path.join(name);
        // A link to a folder is taken away as a folder is; what it leads to stays.
        if path.symlink_metadata()?.is_dir() { std::fs::remove_dir(path) } else { std::fs::remove_file(path) }
    }

    /// Takes an empty folder away.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        std::fs::remove_dir(self.path.join(name))
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn create_folder(&self, name: &OsStr) -> io::Result<()> {
        std::fs::create_dir(self.path.join(name))
    }

    /// The names in the folder, at most one more than `max`.
    ///
    /// # Errors
    /// What the system says.
    pub fn names(&self, max: usize) -> io::Result<Vec<OsString>> {
        let entries = std::fs::read_dir(&self.path)?.take(max + 1);
        entries.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    /// Windows keeps names by itself.
    pub fn sync(&self) {}
}

/// Opens a folder so that nobody can exchange it. A link is opened itself.
fn hold(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .access_mode(FILE_LIST_DIRECTORY | FILE_READ_ATTRIBUTES)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)
}

/// What is known of an open file.
///
/// # Errors
/// What the system says.
pub fn stat_open(file: &File) -> io::Result<Stat> {
    Ok(stat_of(&file.metadata()?))
}

fn stat_of(metadata: &Metadata) -> Stat {
    let attributes = metadata.file_attributes();
    let kind = if attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        FileKind::Link
    } else if metadata.is_dir() {
        FileKind::Folder
    } else if attributes & FILE_ATTRIBUTE_DEVICE != 0 {
        FileKind::Other
    } else {
        FileKind::File
    };
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Stat {
        kind,
        size: if kind == FileKind::File { metadata.len() } else { 0 },
        modified: modified.and_then(|time| u64::try_from(time.as_millis()).ok()),
        readonly: metadata.permissions().readonly(),
    }
}

/// Whether a link was in the way.
pub fn is_link(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Link>())
}
