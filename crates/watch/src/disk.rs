//! What is on the disk: the kind of an entry, the facts by which a change shows, and content as a hash.
//!
//! Everything the watch reads goes through here. Nothing here blocks on a pipe: what is neither file, folder nor link
//! is not seen at all, and files are opened without waiting.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

/// Which file or folder this is, whatever it is called. Numbers are used again when something is deleted; the time of
/// birth tells the new from the old where the file system keeps it.
#[cfg(unix)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id {
    device: u64,
    number: u64,
    born: i64,
}

#[cfg(unix)]
impl Id {
    /// The file system it is on.
    pub fn device(self) -> u64 {
        self.device
    }

    /// One that no file has.
    #[cfg(test)]
    pub fn numbered(number: u64) -> Self {
        Self { device: 0, number, born: 0 }
    }
}

/// There is none: a number would need an open handle for each file. The system's own pairs of names are used instead.
#[cfg(not(unix))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Id {}

#[cfg(not(unix))]
impl Id {
    /// The file system it is on.
    pub fn device(self) -> u64 {
        match self {}
    }
}

/// By these facts a file that has not been touched is told without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub length: u64,
    /// Nanoseconds since 1970.
    pub modified: i64,
    /// Time of the last change of anything about the file; nobody can set it. Zero where there is none.
    pub touched: i64,
    /// `None` where the system does not tell it cheaply.
    pub id: Option<Id>,
}

/// What was found under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Folder(Option<Id>),
    /// A file, and whether it is behind a link that is followed.
    File(Stamp, bool),
    /// A link that is not followed, and where it points to, as a hash.
    Link(Stamp, u64),
}

#[cfg(test)]
thread_local! {
    static BEFORE_READ: std::cell::RefCell<Option<Box<dyn FnMut()>>> = const { std::cell::RefCell::new(None) };
}

/// Has something happen before this thread reads the disk each time; for tests.
#[cfg(test)]
pub fn before_each_read(action: Option<Box<dyn FnMut()>>) {
    BEFORE_READ.set(action);
}

/// Where others may change the disk, and in tests do.
fn about_to_read() {
    #[cfg(test)]
    BEFORE_READ.with_borrow_mut(|action| action.iter_mut().for_each(|action| action()));
}

/// What is at this path; `None` when nothing is, or nothing that is watched.
pub fn look(path: &Path, follow: bool) -> io::Result<Option<Seen>> {
    about_to_read();
    present(std::fs::symlink_metadata(path)).and_then(|facts| match facts {
        Some(facts) => seen(path, &facts, follow),
        None => Ok(None),
    })
}

/// The names in a folder with what they are.
pub fn list(folder: &Path, follow: bool) -> io::Result<Vec<(OsString, Seen)>> {
    about_to_read();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        about_to_read();
        // An entry that goes away while the folder is read is gone; one that may not be looked at is left out.
        let Ok(Some(facts)) = present(entry.metadata()) else { continue };
        if let Ok(Some(what)) = seen(&entry.path(), &facts, follow) {
            found.push((entry.file_name(), what));
        }
    }
    Ok(found)
}

/// Only the names; for questions of upper and lower case.
pub fn holds_name(folder: &Path, name: &std::ffi::OsStr) -> bool {
    std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name() == name))
}

fn present(facts: io::Result<std::fs::Metadata>) -> io::Result<Option<std::fs::Metadata>> {
    match facts {
        Ok(facts) => Ok(Some(facts)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether nothing is at a path any more. A link that leads round in circles may have taken the place of a folder above.
pub fn is_gone(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::ELOOP) {
        return true;
    }
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn seen(path: &Path, facts: &std::fs::Metadata, follow: bool) -> io::Result<Option<Seen>> {
    if facts.is_symlink() {
        // A link whose target is missing, forbidden or goes round in circles is an entry of its own.
        if follow && let Ok(target) = std::fs::metadata(path) {
            return Ok(match seen(path, &target, false)? {
                Some(Seen::File(stamp, _)) => Some(Seen::File(stamp, true)),
                other => other,
            });
        }
        let Some(target) = std::fs::read_link(path).ok() else { return Ok(None) };
        let mut hasher = DefaultHasher::new();
        hasher.write(target.as_os_str().as_encoded_bytes());
        return Ok(Some(Seen::Link(stamp(facts), hasher.finish())));
    }
    Ok(if facts.is_dir() {
        Some(Seen::Folder(id(facts)))
    } else if facts.is_file() {
        Some(Seen::File(stamp(facts), false))
    } else {
        None
    })
}

fn stamp(facts: &std::fs::Metadata) -> Stamp {
    Stamp {
        length: facts.len(),
        modified: nanoseconds(facts.modified()),
        touched: touched(facts),
        id: id(facts),
    }
}

fn nanoseconds(time: io::Result<SystemTime>) -> i64 {
    let Ok(time) = time else { return 0 };
    let whole = |length: std::time::Duration| i64::try_from(length.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    }
}

#[cfg(unix)]
fn id(facts: &std::fs::Metadata) -> Option<Id> {
    use std::os::unix::fs::MetadataExt;
    Some(Id { device: facts.dev(), number: facts.ino(), born: nanoseconds(facts.created()) })
}

#[cfg(unix)]
fn touched(facts: &std::fs::Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    facts.ctime().saturating_mul(1_000_000_000).saturating_add(facts.ctime_nsec())
}

#[cfg(not(unix))]
fn id(_facts: &std::fs::Metadata) -> Option<Id> {
    None
}

/// Windows keeps no such time in what a listing tells; the time of creation shows a file that was replaced.
#[cfg(not(unix))]
fn touched(facts: &std::fs::Metadata) -> i64 {
    nanoseconds(facts.created())
}

/// A file's content as a hash, with its stamp before it was read. `None` for the hash when it is longer than `longest`.
pub fn content(path: &Path, longest: u64) -> io::Result<Option<(Stamp, Option<u64>)>> {
    about_to_read();
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A pipe may have taken the file's place; opening it would wait for somebody to write.
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    let mut file = match options.open(path) {
        Err(error) if is_gone(&error) => return Ok(None),
        file => file?,
    };
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Ok(None);
    }
    let stamp = stamp(&facts);
    if stamp.length > longest {
        return Ok(Some((stamp, None)));
    }
    let mut hasher = DefaultHasher::new();
    let mut buffer = [0; 64 << 10];
    // A file that grows while it is read is read to the length it had: its next event has it read again.
    let mut left = stamp.length;
    while left > 0 {
        let part = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        match file.read(&mut buffer[..part]) {
            Ok(0) => break,
            Ok(count) => {
                hasher.write(&buffer[..count]);
                left -= count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some((stamp, Some(hasher.finish()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_give_the_same_hash_and_long_files_none() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&a, vec![7; 200_000]).unwrap();
        std::fs::write(&b, vec![7; 200_000]).unwrap();
        let hash = |path: &Path| content(path, 1 << 20).unwrap().unwrap().1;
        assert!(hash(&a).is_some());
        assert_eq!(hash(&a), hash(&b));
        std::fs::write(&b, vec![8; 200_000]).unwrap();
        assert_ne!(hash(&a), hash(&b));
        assert_eq!(content(&a, 1_000).unwrap().unwrap().1, None);
        assert!(content(&folder.path().join("none"), 1).unwrap().is_none());
        assert!(content(folder.path(), 1).is_err() || content(folder.path(), 1).unwrap().is_none());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_entries_unless_they_are_followed_and_pipes_are_not_seen() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "x").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("broken")).unwrap();
        std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink("round", at("round")).unwrap();
        assert!(content(&at("round"), 1).unwrap().is_none(), "as if it were gone");
        assert_eq!(look(&at("round/file"), false).unwrap(), None, "as if it were gone");
        assert!(is_gone(&list(&at("round"), false).unwrap_err()));
        std::fs::remove_file(at("round")).unwrap();
        assert!(matches!(look(&at("link"), false).unwrap(), Some(Seen::Link(..))));
        assert!(matches!(look(&at("link"), true).unwrap(), Some(Seen::File(_, true))));
        assert!(matches!(look(&at("broken"), true).unwrap(), Some(Seen::Link(..))));
        assert_eq!(look(&at("socket"), false).unwrap(), None);
        assert_eq!(list(folder.path(), false).unwrap().len(), 3);
    }
}
