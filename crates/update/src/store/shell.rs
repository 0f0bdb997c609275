//! The shell as a module of a release: which one is to be started instead of the installed one, and whether it may be.
//!
//! # Theory of operation
//! A release may carry the generic shell (`shell` of the manifest). The installed executable stays what the system starts, and
//! what is left when nothing else works; at a start it asks [`Store::newer_shells`] and has one run in its place. What it
//! asks is in the store's state: a start without another shell opens no release for it.
//!
//! ```text
//! shells/<sha256>/<seconds>-<process>[-failed]   a start that is under way, or did not end well
//! shells/<sha256>/up                             it has shown the app's pages once
//! ```
//! A start is written down before the shell runs, and crossed out when the app has run for the time of a probation or has
//! ended in order. So whatever a bad shell does, or has done to it, it leaves its mark by itself. [`SHELL_BAD_STARTS_MAX`] of
//! them with no good one between, and the shell is banned by the hash of its content (law 5); the marks of a good start
//! clear those of a process that was killed. Marks are not synced: they have to outlive the process and not the power. A shell
//! whose start can not be written down is not started.

use super::boot::older;
use super::state::{Copy, State};
use super::{Release, Store, misfit};
use crate::bundle::Attached;
use crate::engine::look::is_critical;
use crate::lifecycle::{Candidate, fits};
use crate::{Error, TARGET};
use staysail_protocol::limits::SHELL_START_TIMEOUT_S;
use staysail_protocol::manifest::{FileEntry, Manifest};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

/// Starts of one shell that may end badly, with none between that did not, before it is banned.
pub const SHELL_BAD_STARTS_MAX: usize = 3;

const FOLDER: &str = "shells";
/// End of the mark of a start that is known to have failed.
const FAILED: &str = "failed";
/// Mark of a shell that has shown the app's pages.
const UP: &str = "up";

/// A shell that is to be started instead of the installed one. Its file was hashed just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewerShell {
    /// SHA-256 of its content.
    pub sha256: String,
    /// Its executable.
    pub path: PathBuf,
    /// Its version (of Staysail), when the release names it.
    pub version: Option<String>,
}

/// How a start that this process waited for was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It ended in order, or ran for the time of a probation.
    InOrder,
    /// The app was shown; then its process ended.
    Shown,
    /// Its process ended before the app was shown.
    NotShown,
}

/// One start of a shell.
#[derive(Debug)]
pub struct ShellStart {
    store: Store,
    sha256: String,
    name: String,
    /// It has shown the app's pages before this start.
    proven: bool,
    shown: AtomicBool,
    /// It ends in order but was no good start.
    bad: AtomicBool,
}

/// The shell a release carries for this machine. None on macOS, where the signature of the app's bundle covers the shell and
/// the system knows the app by its bundle.
pub(crate) fn carried(manifest: &Manifest) -> Option<&FileEntry> {
    manifest.shell.get(TARGET).filter(|_| cfg!(not(target_os = "macos")))?.first()
}

impl Store {
    pub(crate) fn attached(&self) -> Option<Arc<Attached>> {
        self.inner.attached.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The shell a release carries, and its place, unless it is the installed one or banned.
    pub(crate) fn other_shell<'a>(&self, manifest: &'a Manifest) -> Option<(&'a FileEntry, PathBuf)> {
        let entry = carried(manifest)?;
        let installed =
            self.attached().is_some_and(|attached| attached.shell.as_ref() == Some(&entry.sha256));
        let path = self.inner.backend_folder(std::slice::from_ref(entry)).join(&entry.path);
        (!installed && !self.is_banned(&entry.sha256)).then_some((entry, path))
    }

    /// Whether a release that this process can not run brings along the shell that can, for the next start.
    pub(crate) fn fits_next_start(&self, manifest: &Manifest) -> bool {
        let running = self.inner.shell.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.other_shell(manifest).is_some_and(|(entry, _)| Some(&entry.sha256) != running.as_ref())
    }

    /// The shells to start instead of the installed one, the wanted first: that of a release which waits for it, of the one that
    /// boots, and, where the installed one can not run that, of the one before. Each is verified from the pinned `root` on
    /// when it is asked for; whatever is wrong leads to the next.
    pub fn newer_shells<'a>(
        &'a self,
        embedded: &'a Release,
        root: Option<&'a [u8]>,
    ) -> impl Iterator<Item = NewerShell> + 'a {
        let (state, root) = match (self.read_state(), root) {
            (Copy::Valid(state), Some(root)) => (state, root),
            _ => (State::default(), [].as_slice()),
        };
        let installed = self.attached().and_then(|attached| attached.shell.clone());
        let releases = [state.staged.clone(), state.current.clone(), state.previous.clone()];
        let mut given = Vec::new();
        releases.into_iter().flatten().filter_map(move |release| {
            let sha256 = state.shells.0.get(&release)?;
            if Some(sha256) == installed.as_ref() || given.contains(sha256) || self.is_banned(&release) {
                return None;
            }
            let shell = self.shell_of(&release, &state, root, embedded).unwrap_or_else(|error| {
                tracing::warn!(%error, "a release's shell can not be used");
                None
            });
            given.extend(shell.iter().map(|shell| shell.sha256.clone()));
            shell
        })
    }

    fn shell_of(
        &self,
        release: &str,
        state: &State,
        root: &[u8],
        embedded: &Release,
    ) -> Result<Option<NewerShell>, Error> {
        let release = self.open_release(release, root)?;
        let boots = |hash: &String| {
            let release = self.open_release(hash, root).ok().filter(|_| !self.is_banned(hash))?;
            (!older(&release, embedded)).then_some(release)
        };
        let current = state.current.as_ref().and_then(boots);
        let refused = if state.staged.as_deref() == Some(release.hash()) {
            !self.waits(&release, state, current.as_ref().unwrap_or(embedded))
        } else {
            // The installed shell does when it runs what boots.
            state.current.as_deref() != Some(release.hash())
                && current.is_some_and(|current| misfit(current.manifest()).is_none())
        };
        if older(&release, embedded) || refused {
            return Ok(None);
        }
        let manifest = release.manifest();
        let Some((entry, path)) = self.other_shell(manifest) else { return Ok(None) };
        self.inner.ensure_file(&path, entry)?;
        Ok(Some(NewerShell { sha256: entry.sha256.clone(), path, version: manifest.shell_version.clone() }))
    }

    /// Whether a staged release waits for its shell. What waits only to go live does so in the shell there is, and what is refused
    /// by now (skipped, another channel, a version to stay at, banned) waits for nothing.
    fn waits(&self, staged: &Release, state: &State, running: &Release) -> bool {
        let manifest = staged.manifest();
        let skipped = state.postponed.skipped.contains(&manifest.version)
            && !is_critical(&manifest.urgency, &running.manifest().version);
        let candidate = Candidate { version: manifest.version.clone(), ..Candidate::default() };
        misfit(manifest).is_some()
            && !skipped
            && staged.channel() == self.channel()
            && (manifest.barrier || fits(self.pinned().as_ref(), &candidate))
            && !self.is_banned_content(staged.hash(), manifest)
    }

    /// Writes down that `shell` is being started by `process` (what runs is that process then, or a child it waits for) at
    /// `now_s`, seconds since 1970. `None`: it is not to be started; it is banned when too many starts ended badly.
    pub fn begin_shell(
        &self,
        shell: &NewerShell,
        now_s: u64,
        process: u32,
        is_alive: &dyn Fn(u32) -> bool,
    ) -> Option<ShellStart> {
        let folder = self.inner.folder.join(FOLDER).join(&shell.sha256);
        let (disk, name) = (&self.inner.disk, format!("{now_s}-{process}"));
        let is_bad = |mark: &str| {
            let mut parts = mark.split('-');
            let began_s = parts.next().and_then(|part| part.parse::<u64>().ok());
            let process = parts.next().and_then(|part| part.parse::<u32>().ok());
            let long_ago =
                began_s.is_none_or(|began_s| now_s.saturating_sub(began_s) > SHELL_START_TIMEOUT_S);
            // Whoever has shown the app and lives may take as long as it likes.
            let late = long_ago && !matches!(disk.size(&folder.join(mark)), Ok(Some(2..)));
            late || parts.next().is_some() || process.is_none_or(|process| !is_alive(process))
        };
        let marks = disk.list(&folder).unwrap_or_default();
        let bad = marks.iter().filter(|mark| mark.name != UP && is_bad(&mark.name)).count();
        if bad >= SHELL_BAD_STARTS_MAX {
            self.ban_shell(&shell.sha256, &format!("the shell was started {bad} times and ended each time"));
            return None;
        }
        let path = folder.join(&name);
        let written = disk.create_folders(&folder).and_then(|()| disk.extend(&path, b"."));
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "a start can not be written down; the installed shell runs");
            return None;
        }
        Some(self.start_of(&shell.sha256, name))
    }

    /// The start as [`ShellStart::name`] names it, in the process of the shell itself. From here on that is what runs.
    pub fn resume_shell(&self, name: &str) -> Option<ShellStart> {
        let (sha256, name) = name.split_once('/')?;
        let plain =
            |text: &str, also: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c));
        if !plain(sha256, "") || !plain(name, "-") {
            return None;
        }
        *self.inner.shell.lock().unwrap_or_else(PoisonError::into_inner) = Some(sha256.to_owned());
        Some(self.start_of(sha256, name.to_owned()))
    }

    fn start_of(&self, sha256: &str, name: String) -> ShellStart {
        let up = self.inner.folder.join(FOLDER).join(sha256).join(UP);
        ShellStart {
            store: self.clone(),
            sha256: sha256.to_owned(),
            name,
            proven: matches!(self.inner.disk.size(&up), Ok(Some(_))),
            shown: AtomicBool::new(false),
            bad: AtomicBool::new(false),
        }
    }

    fn ban_shell(&self, sha256: &str, reason: &str) {
        tracing::error!(shell = sha256, reason, "a shell is never started again; the installed one runs");
        if let Err(error) = self.ban(sha256, reason) {
            tracing::error!(%error, "the ban could not be stored; it holds for this run");
        }
    }

    /// Removes what is known of shells that no release carries any more.
    pub(crate) fn forget_shells(&self, known: BTreeSet<String>) -> Result<(), Error> {
        let (folder, disk) = (self.inner.folder.join(FOLDER), &self.inner.disk);
        for entry in disk.list(&folder).map_err(Error::disk("listing", &folder))? {
            if !known.contains(&entry.name) {
                let path = folder.join(entry.name);
                disk.remove(&path).map_err(Error::disk("removing", &path))?;
            }
        }
        Ok(())
    }
}

impl ShellStart {
    /// What [`Store::resume_shell`] takes.
    pub fn name(&self) -> String {
        format!("{}/{}", self.sha256, self.name)
    }

    /// Whether this shell has shown the app's pages before.
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    fn folder(&self) -> PathBuf {
        self.store.inner.folder.join(FOLDER).join(&self.sha256)
    }

    fn remove(&self, path: &Path) {
        if let Err(error) = self.store.inner.disk.remove(path) {
            tracing::warn!(%error, path = %path.display(), "the mark of a start could not be removed");
        }
    }

    /// The shell did not get to run, or not to work. It counts, and this process goes on.
    pub fn failed(&self, reason: &str) {
        tracing::warn!(
            shell = self.sha256,
            reason,
            "a release's shell does not work; three such starts, and the installed one runs"
        );
        let own = self.folder().join(&self.name);
        let mark = own.with_file_name(format!("{}-{FAILED}", self.name));
        if let Err(error) = self.store.inner.disk.rename(&own, &mark) {
            tracing::warn!(%error, "a failed start could not be written down");
        }
    }

    /// How the start was left; for who waited for its process.
    pub fn left(&self) -> Left {
        match self.store.inner.disk.size(&self.folder().join(&self.name)) {
            Ok(Some(1)) => Left::NotShown,
            Ok(Some(_)) => Left::Shown,
            Ok(None) | Err(_) => Left::InOrder,
        }
    }

    /// The app's pages have come up.
    pub fn is_up(&self) {
        if self.bad.load(Ordering::Relaxed) {
            return;
        }
        self.shown.store(true, Ordering::Relaxed);
        let (disk, folder) = (&self.store.inner.disk, self.folder());
        // Two more: another instance whose start was good may have removed the first.
        let marked = disk.extend(&folder.join(&self.name), b"..").and_then(|()| match self.proven {
            true => Ok(()),
            false => disk.extend(&folder.join(UP), b"."),
        });
        if let Err(error) = marked {
            tracing::warn!(%error, "that a shell works could not be written down");
        }
    }

    /// The app has been up for the time of a probation: earlier bad starts are forgotten. Nothing when it was never shown.
    pub fn is_good(&self) {
        if !self.shown.load(Ordering::Relaxed) {
            return;
        }
        let folder = self.folder();
        for mark in self.store.inner.disk.list(&folder).unwrap_or_default() {
            if mark.name != UP {
                self.remove(&folder.join(mark.name));
            }
        }
    }

    /// A release does not come up in this shell. Unless the shell has worked before, it is at fault and not the release, and the
    /// start a bad one, also when an older release comes up in it. Whether it is at fault.
    pub fn blame(&self, reason: &str) -> bool {
        let worked = matches!(self.store.inner.disk.size(&self.folder().join(UP)), Ok(Some(_)));
        if worked || self.shown.load(Ordering::Relaxed) {
            return false;
        }
        if !self.bad.swap(true, Ordering::Relaxed) {
            self.failed(reason);
        }
        true
    }

    /// The process ends in order.
    pub fn ended(&self) {
        match (self.bad.load(Ordering::Relaxed), self.shown.load(Ordering::Relaxed)) {
            (true, _) => {}
            (false, true) => self.is_good(),
            (false, false) => self.remove(&self.folder().join(&self.name)),
        }
    }
}

#[cfg(test)]
#[path = "shell_tests.rs"]
mod tests;
