//! Starts of releases: one that takes the whole app down is not started for ever (law 4).
//!
//! # Theory of operation
//! What a backend or a page does wrong at a start the app sees, counts and survives ([`Store::bad_start`]). What ends the app
//! itself, or has the user end it because it hangs, leaves nobody to count. So a start is written down before anything is shown,
//! and crossed out when the app has run for the time of a probation or has ended in order:
//! ```text
//! releases/<hash>/starts/<mark>   a start that is under way, or did not end well
//! starts.lock                     held by every process whose start is written down
//! ```
//! Who finds the lock free knows that all marks are of processes that are gone. [`RELEASE_CRASHED_STARTS_MAX`] of them with no
//! good start between, and the release is banned; the good one before boots, in the end the attached one, which is never
//! counted. As soon as another release is on trial in this process, what happens is that one's doing: the mark goes. Marks are not
//! synced: they have to outlive the process and not the power. They are empty, so that a full disk takes them too; where none can
//! be written the app starts all the same.

use super::boot::join;
use super::{Boot, Release, Store};
use crate::disk::Lock;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{MutexGuard, PoisonError};

/// Starts of one release in a row that may end with the app gone before it is banned.
pub const RELEASE_CRASHED_STARTS_MAX: usize = 3;

/// Held shared by those whose start is written down.
const LOCK: &str = "starts.lock";

/// One start of a release.
#[derive(Debug)]
pub struct ReleaseStart {
    store: Store,
    folder: PathBuf,
    shown: AtomicBool,
    /// It is judged otherwise.
    over: AtomicBool,
    _lock: Box<dyn Lock>,
}

impl Store {
    /// What boots (see [`Store::boot`]), with its start written down; without one when it is the attached release, or nothing
    /// can be written. `process` is the number of this process, which others may have too, each in a sandbox of its own.
    pub fn begin(
        &self,
        embedded: &Release,
        root: Option<&[u8]>,
        process: u32,
    ) -> (Boot, Option<ReleaseStart>) {
        let mut reasons = Vec::new();
        loop {
            let mut boot = self.boot(embedded, root);
            let begun =
                if boot.release.is_embedded() { Ok(None) } else { self.begin_start(&boot.release, process) };
            match begun {
                Ok(start) => {
                    reasons.extend(boot.fallback_reason.take());
                    boot.fallback_reason = join(&reasons);
                    return (boot, start);
                }
                // The ban holds in this process whatever the disk says of it: this comes to an end.
                Err(reason) => {
                    let version = &boot.release.manifest().version;
                    reasons.push(format!("version {version} is never tried again: {reason}"));
                    if let Err(error) = self.ban_release(&boot.release, &reason) {
                        tracing::error!(%error, "the ban could not be stored; it holds for this run");
                    }
                }
            }
        }
    }

    /// Writes down that a release is being started; an error says why it is not to be.
    fn begin_start(&self, release: &Release, process: u32) -> Result<Option<ReleaseStart>, String> {
        let (disk, folder) = (&self.inner.disk, self.starts_of(release.hash()));
        let Ok(alone) = self.try_lock(LOCK, false) else { return Ok(None) };
        let marks = disk.list(&folder).unwrap_or_default();
        if alone.is_some() && marks.len() >= RELEASE_CRASHED_STARTS_MAX {
            return Err(format!("the app was started {} times with it and ended each time", marks.len()));
        }
        drop(alone);
        let Ok(Some(lock)) = self.try_lock(LOCK, true) else { return Ok(None) };
        // One that could not be removed may have this number, too: written over it, a start would not count.
        let names = (marks.len()..).map(|number| format!("{number}-{process}"));
        let mut free = names.filter(|name| marks.iter().all(|mark| mark.name != *name));
        let mark = folder.join(free.next().unwrap_or_default());
        if let Err(error) = disk.create_folders(&folder).and_then(|()| disk.extend(&mark, b"")) {
            tracing::warn!(%error, path = %mark.display(), "a start could not be written down");
            // Nobody would ever cross it out.
            let _ = disk.remove(&mark);
            return Ok(None);
        }
        *self.start() = Some(mark);
        let (shown, over) = Default::default();
        Ok(Some(ReleaseStart { store: self.clone(), folder, shown, over, _lock: lock }))
    }

    /// What happens from here on is not held against the release this process was started with.
    pub(super) fn start_is_over(&self) {
        let mark = self.start().take();
        if let Some(mark) = mark {
            self.cross_out(&mark);
        }
    }

    fn start(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.inner.start.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cross_out(&self, mark: &Path) {
        if let Err(error) = self.inner.disk.remove(mark) {
            tracing::warn!(%error, path = %mark.display(), "the mark of a start could not be removed");
        }
    }

    fn starts_of(&self, hash: &str) -> PathBuf {
        self.inner.folder.join("releases").join(hash).join("starts")
    }
}

impl ReleaseStart {
    /// The app's pages have come up.
    pub fn is_up(&self) {
        self.shown.store(true, Ordering::Relaxed);
    }

    /// The release does not come up, and the app goes on with another one: that is counted elsewhere.
    pub fn passed_over(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.store.start_is_over();
    }

    /// The app has been up for the time of a probation: earlier starts that ended badly are forgotten. Nothing when it was never
    /// shown.
    pub fn is_good(&self) {
        if self.over.load(Ordering::Relaxed) || !self.shown.load(Ordering::Relaxed) {
            return;
        }
        for mark in self.store.inner.disk.list(&self.folder).unwrap_or_default() {
            self.store.cross_out(&self.folder.join(mark.name));
        }
    }

    /// The process ends in order.
    pub fn ended(&self) {
        self.is_good();
        self.store.start_is_over();
    }
}
