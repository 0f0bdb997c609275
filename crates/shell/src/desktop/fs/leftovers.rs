//! Files that are only half written: whose they are, and what becomes of them when their process was killed.
//!
//! # Theory of operation
//! A file is written under a name of ours beside its place. Whoever writes it has it locked as long as it has that
//! name; the system gives the lock up when the process ends, however it ends. So a file of such a name that can be
//! locked is nobody's any more, and is taken away. Between making a file and locking it somebody else may lock it and
//! take it away: the writer sees that its file is gone, and makes another one. Names are never used twice, so what is
//! taken away is what was locked.
//!
//! Where a file system knows no locks nothing is taken away.
//!
//! Sources: flock(2), "released … when all such descriptors have been closed"; `LockFileEx`, "If a process terminates
//! with a portion of a file locked …, the locks are unlocked by the operating system".

use crate::platform::held::Held;
use staysail_protocol::desktop::fs::FileKind;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

const PREFIX: &str = ".staysail-";
const ENDING: &str = ".new";
const TOKEN_CHARACTERS: usize = 32;
/// Most names of a folder that are looked at for leftovers.
pub const NAMES_MAX: usize = staysail_protocol::limits::FS_ENTRIES_MAX;
/// How often another name is taken because somebody sweeps at that moment; once is seldom.
const TRIES_MAX: u32 = 16;
/// So many folders are remembered as swept; then all are forgotten, which costs one look each.
const SWEPT_MAX: usize = 1_024;

/// The folders this process has looked through.
static SWEPT: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// What is between the ends of a name of ours; `None` for any other name.
pub fn token(name: &OsStr) -> Option<&str> {
    let token = name.to_str()?.strip_prefix(PREFIX)?.strip_suffix(ENDING)?;
    let is_ours =
        token.len() == TOKEN_CHARACTERS && token.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    is_ours.then_some(token)
}

/// Makes a file under a name of ours, to be written. Nobody takes it away while it is open.
///
/// # Errors
/// What the system says.
pub fn create(folder: &Held, like: Option<&OsStr>) -> io::Result<(OsString, File)> {
    for _ in 0..TRIES_MAX {
        let name = OsString::from(format!("{PREFIX}{}{ENDING}", crate::secret::token()));
        let file = folder.create(&name, like)?;
        match file.try_lock() {
            Ok(()) => match folder.stat(&name) {
                // Taken away between the two.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                found => return found.map(|_| (name, file)),
            },
            // Somebody is taking it away.
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "files can not be locked here; what a crash leaves half written stays");
                return Ok((name, file));
            }
        }
    }
    Err(ErrorKind::ResourceBusy.into())
}

/// Takes away what nobody writes any more. `before` is called with the token of each, which is locked then.
pub fn sweep(folder: &Held, mut before: impl FnMut(&str)) {
    for name in folder.names(NAMES_MAX).unwrap_or_default() {
        let Some(token) = token(&name) else { continue };
        // Never through a link, and no pipe is opened.
        if folder.stat(&name).is_ok_and(|stat| stat.kind == FileKind::File)
            && let Ok(file) = folder.open(&name)
            && file.try_lock().is_ok()
        {
            before(token);
            match folder.remove_file(&name) {
                Ok(()) => {
                    tracing::info!(file = %name.display(), "removed what a crash had left half written")
                }
                Err(error) => tracing::debug!(file = %name.display(), %error, "a leftover stays"),
            }
        }
    }
}

/// Sweeps a folder unless this process has done so before. `path` is how it is known.
pub fn sweep_once(folder: &Held, path: PathBuf) {
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if swept.len() >= SWEPT_MAX {
        swept.clear();
    }
    let is_new = swept.insert(path);
    drop(swept);
    if is_new {
        sweep(folder, |_| ());
    }
}

#[cfg(all(test, unix))]
#[path = "leftovers_tests.rs"]
mod tests;
