//! Files the webview writes for a page, on their way to where the page wants them.
//!
//! # Theory of operation
//! A webview takes a path and follows every link in it. So it is given one in a folder of the app's own, which no page
//! reaches, and what it has written is put in its place as every file of a page is: where the scopes were asked, below
//! folders held open. A claim beside it (`leftovers`) tells the next start what a shell that was killed has left here.

use super::disk;
use super::leftovers;
use super::reach::{Place, Reach};
use crate::desktop::file_name::{self, Taken};
use crate::platform::held::Held;
use crate::shell::{Facts, Shell};
use staysail_protocol::desktop::fs::FileFault;
use staysail_protocol::path::Style;
use staysail_protocol::scope::Access;
use staysail_protocol::{CallError, ErrorCode};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is being written. What is left of it goes with it.
pub struct Incoming {
    reach: Reach,
    place: Place,
    folder: Held,
    file: PathBuf,
    claim: OsString,
    /// Held open: that is the claim.
    _claimed: File,
}

impl Incoming {
    /// Asks whether the page of `window` may write `path`, and says where the webview writes meanwhile. Looks at the
    /// disk.
    ///
    /// # Errors
    /// `Denied` for what is out of the page's reach, `File` when something is there that is not to be replaced.
    pub fn new(shell: &Shell, window: &str, path: &str, taken: Taken) -> Result<Self, CallError> {
        let reach = Reach::of(shell, window);
        let place = reach.place(path, Access::ReadWrite)?;
        if taken != Taken::Number {
            disk::is_free(&reach, &place, taken == Taken::Replace)?;
        }
        let failed = |error: std::io::Error| {
            let message = format!("`{path}` can not be written: the app's own folder: {error}");
            CallError::new(ErrorCode::Internal, message)
        };
        let own = folder(&shell.facts()).ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        std::fs::create_dir_all(&own).map_err(failed)?;
        let folder = Held::anchor(&own).map_err(failed)?;
        let (claim, claimed) = leftovers::create(&folder, None).map_err(failed)?;
        let token = leftovers::token(&claim).unwrap_or_default();
        let file = own.join(format!("{token}{}", file_name::PARTIAL));
        Ok(Self { reach, place, folder, file, claim, _claimed: claimed })
    }

    /// Where the webview writes.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The path it is to have, without a variable.
    pub fn wanted(&self) -> String {
        self.place.path.text(Style::here())
    }

    /// Puts the whole file in its place, and says which path that is. Blocks.
    ///
    /// # Errors
    /// `Denied` or `File`; nothing was written then.
    pub fn settle(self, taken: Taken) -> Result<String, CallError> {
        let mut wanted = self.place.clone();
        let first = wanted.path.names.last().cloned().unwrap_or_default();
        for number in 0..file_name::NAMES_MAX {
            if number > 0 {
                if let Some(name) = wanted.path.names.last_mut() {
                    *name = file_name::numbered(&first, number);
                }
                wanted = match self.reach.place(&wanted.path.text(Style::here()), Access::ReadWrite) {
                    Ok(place) => place,
                    // Only this one name is allowed, and it is taken.
                    Err(_) => break,
                };
            }
            match disk::take_in(&self.reach, &wanted, &self.file, taken == Taken::Replace) {
                Err(error) if taken == Taken::Number && error.details["reason"] == "exists" => {}
                done => return done.map(|()| wanted.path.text(Style::here())),
            }
        }
        Err(super::fault::found(FileFault::Exists, "written", &self.place.shown))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        clear(&self.folder, leftovers::token(&self.claim).unwrap_or_default());
        let _ = self.folder.remove_file(&self.claim);
    }
}

/// [`Incoming::new`], in its turn among those at the disk.
///
/// # Errors
/// As there, and when the disk has too much to do.
pub async fn incoming(
    shell: &Arc<Shell>,
    window: &str,
    path: String,
    taken: Taken,
) -> Result<Incoming, CallError> {
    let (asked, window) = (shell.clone(), window.to_owned());
    super::at_the_disk(&shell.files, move || Incoming::new(&asked, &window, &path, taken)).await
}

/// Where the webview writes what is not in its place yet.
fn folder(facts: &Facts) -> Option<PathBuf> {
    super::folders::kept_from_pages(facts).map(|own| own.join("incoming"))
}

/// Removes what the webview has written under a claim: the file, and what it kept beside it meanwhile.
fn clear(folder: &Held, token: &str) {
    let names = folder.names(leftovers::NAMES_MAX).unwrap_or_default();
    let of_claim = |name: &&OsString| {
        name.to_str().and_then(|name| name.strip_prefix(token)).is_some_and(|rest| rest.starts_with('.'))
    };
    for name in names.iter().filter(of_claim) {
        let _ = folder.remove_file(name);
    }
}

/// Removes what a shell that was killed has left.
pub fn tidy_up(shell: &Arc<Shell>) {
    let Some(folder) = folder(&shell.facts()).and_then(|folder| Held::anchor(&folder).ok()) else { return };
    leftovers::sweep(&folder, |token| clear(&folder, token));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_that_was_killed_has_left_goes_and_what_is_being_written_stays() {
        let root = tempfile::tempdir().unwrap();
        let folder = Held::anchor(root.path()).unwrap();
        let begin = || {
            let (claim, claimed) = leftovers::create(&folder, None).unwrap();
            let token = leftovers::token(&claim).unwrap().to_owned();
            for ending in [".part", ".part.wkdownload"] {
                std::fs::write(root.path().join(format!("{token}{ending}")), "half").unwrap();
            }
            (token, claimed)
        };
        let count = || std::fs::read_dir(root.path()).unwrap().count();
        let (living, held) = begin();
        let (_, of_the_killed) = begin();
        assert_eq!(count(), 6);
        drop(of_the_killed);
        leftovers::sweep(&folder, |token| clear(&folder, token));
        assert_eq!(count(), 3);
        assert!(root.path().join(format!("{living}.part")).exists());
        drop(held);
        leftovers::sweep(&folder, |token| clear(&folder, token));
        assert_eq!(count(), 0);
    }
}
