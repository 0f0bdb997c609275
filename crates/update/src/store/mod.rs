//! Releases on the user's disk.
//!
//! # Theory of operation
//! ```text
//! files/<2 digits>/<sha256>      page files, those of asset groups too, by the hash of their content
//! backend/<sha256>/<name>        a worker at a path of its own version, never overwritten while it fits its hash
//! releases/<hash>/manifest.json  the manifest, its proof.json (signed TUF metadata) and the lock of who uses it
//! releases/<hash>/starts/        starts of it that are under way or took the app down, see `start`
//! state, state.copy              see `state`
//! banned/<hash>                  one file for each banned release, so that no damage lifts a ban
//! partial/<sha256>               downloads under way
//! metadata/                      newest verified TUF metadata: the floors of its versions
//! on-demand/<sha256>             files of asset groups under way; kept over the end of the app
//! shells/<sha256>/               starts of another shell than the installed one, see `shell`
//! lock, update.lock, trial.lock  one writer of the state; one downloader; who has a release on trial
//! starts.lock                    whoever has a start written down
//! on-demand.lock                 one process that fetches files of asset groups
//! ```
//! Only this user enters. Nothing live is moved or overwritten, and no link below the folder is followed. Whatever is read is hashed at the read, so the worst a damaged or tampered disk
//! does is to make a release unusable; the one attached to the executable remains.

mod boot;
mod disk;
mod release;
pub mod shell;
pub(crate) mod stage;
mod start;
pub mod state;

pub use boot::Boot;
pub(crate) use boot::compare_versions;
pub use release::Release;
pub(crate) use release::{compared_hash, content_hash, misfit, same_content};
pub(crate) use shell::carried;
pub(crate) use stage::Fetch;
pub use stage::Trial;
pub use start::ReleaseStart;

use crate::bundle::Attached;
use crate::disk::{Disk, Lock};
use crate::{Error, hash};
use release::Origin;
use state::{Copy, State};
use staysail_protocol::limits;
use staysail_protocol::manifest::{Manifest, UpdateSource};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait for another process that changes the state.
pub const STORE_LOCK_TIMEOUT_MS: u64 = 5_000;
/// Longest reason of a ban that is read back.
const BAN_REASON_BYTES_MAX: u64 = 16 << 10;

/// The store of one app. Cheap to clone; several processes may have one open.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) folder: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    attached: Mutex<Option<Arc<Attached>>>,
    /// Hash of the shell that runs, when it is not the one that was installed.
    shell: Mutex<Option<String>>,
    /// Bans of this process, which hold even when the disk is too full to remember them.
    banned: Mutex<BTreeMap<String, String>>,
    /// Hashes of releases whose answers differed from what was expected.
    compared: Mutex<BTreeSet<String>>,
    /// Where the last resort's worker lies when the store can not be written.
    private: Mutex<Option<PathBuf>>,
    /// The mark of this process's start, until another release is to blame for what happens.
    start: Mutex<Option<PathBuf>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(folder) = self.private.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = self.disk.remove(&folder);
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("folder", &self.inner.folder).finish()
    }
}

/// Runs work on a thread where it may wait for the disk. Boxed, so that the runtime's code for a task is there once.
pub(crate) fn apart(work: Box<dyn FnOnce() + Send>) {
    drop(tokio::task::spawn_blocking(work));
}

impl Store {
    /// Opens the store in `folder`. Nothing is created before something is stored, so this works on a read-only disk.
    ///
    /// # Errors
    /// When `folder` exists but is no folder.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::open_on(folder, Arc::new(disk::StoreDisk::new(folder)))
    }

    /// Like [`Store::open`], with everything read and written through `disk`.
    ///
    /// # Errors
    /// See [`Store::open`].
    pub fn open_on(folder: &Path, disk: Arc<dyn Disk>) -> Result<Self, Error> {
        if matches!(disk.size(folder), Ok(Some(_))) && !disk.is_folder(folder) {
            let source = std::io::Error::from(std::io::ErrorKind::NotADirectory);
            return Err(Error::Disk { operation: "opening", path: folder.to_owned(), source });
        }
        Ok(Self {
            inner: Arc::new(Inner {
                folder: folder.to_owned(),
                disk,
                attached: Mutex::default(),
                shell: Mutex::default(),
                banned: Mutex::default(),
                compared: Mutex::default(),
                private: Mutex::default(),
                start: Mutex::default(),
            }),
        })
    }

    /// The store's folder.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// Makes the attached release one of this store. Its page files stay in the executable and are read from there; its
    /// worker is put on disk when it is first asked for. Idempotent, and heals what is damaged.
    ///
    /// # Errors
    /// None of the disk's; only a manifest that can not be used.
    pub fn embed(&self, attached: &Attached) -> Result<Release, Error> {
        let attached = Arc::new(attached.clone());
        *self.inner.attached.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&attached));
        let (manifest, bytes) = (attached.manifest.clone(), attached.manifest_bytes.clone());
        Ok(Release::new(Arc::clone(&self.inner), manifest, bytes, Origin::Embedded(attached), None))
    }

    /// Whether the release with this hash is never tried again.
    pub fn is_banned(&self, hash: &str) -> bool {
        self.ban_reason(hash).is_some()
    }

    /// Whether the release with this hash is never tried again, or one with the same content under another number.
    pub(crate) fn is_banned_content(&self, hash: &str, manifest: &Manifest) -> bool {
        self.is_banned(hash)
            || self.is_banned(&content_hash(manifest))
            || compared_hash(manifest).is_some_and(|compared| self.is_banned(&compared))
    }

    /// Why the release with this hash is never tried again.
    pub fn ban_reason(&self, hash: &str) -> Option<String> {
        if let Some(reason) = self.inner.banned.lock().unwrap_or_else(PoisonError::into_inner).get(hash) {
            return Some(reason.clone());
        }
        let marker = self.inner.folder.join("banned").join(hash);
        if matches!(self.inner.disk.size(&marker), Ok(Some(_))) {
            let reason =
                self.inner.disk.read(&marker, BAN_REASON_BYTES_MAX).ok().flatten().unwrap_or_default();
            return Some(String::from_utf8_lossy(&reason).into_owned());
        }
        self.state().banned.remove(hash)
    }

    /// The durable state, found again as far as possible when it is damaged.
    pub fn state(&self) -> State {
        match self.read_state() {
            Copy::Valid(state) => state,
            Copy::Absent => State::default(),
            Copy::Corrupt | Copy::Unreadable(_) => self.found_again().0,
        }
    }

    /// The channel that is followed: what the user chose, or what the app was built with.
    pub(crate) fn channel(&self) -> String {
        self.state().chosen.channel.unwrap_or_else(|| self.own_channel())
    }

    /// The channel the app was built to follow.
    fn own_channel(&self) -> String {
        let own = self.source().map(|source| source.channel).filter(|own| !own.is_empty());
        own.unwrap_or_else(|| crate::trust::CHANNEL.to_owned())
    }

    /// The version to stay at: what the user chose, or what the app was built with.
    pub(crate) fn pinned(&self) -> Option<String> {
        let pinned = self.state().chosen.pinned.or_else(|| self.source()?.pin);
        pinned.filter(|pinned| !pinned.is_empty())
    }

    fn source(&self) -> Option<UpdateSource> {
        self.inner.attached.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.source.clone()
    }

    pub(crate) fn read_state(&self) -> Copy {
        let copy = |name| state::read_copy(&*self.inner.disk, &self.inner.folder.join(name));
        state::choose(copy("state"), copy("state.copy"))
    }

    /// Both copies are damaged: the floor is at least the highest sequence on disk, and every marked ban holds. What was
    /// committed is unknown, so nothing is: the attached release boots and the newest is applied anew. An error says that the
    /// disk refused something, so that there may be more.
    fn found_again(&self) -> (State, Result<(), Error>) {
        let (mut state, mut whole) = (State::default(), Ok(()));
        let hashes = self.list_releases().unwrap_or_else(|error| {
            whole = Err(error);
            Vec::new()
        });
        for hash in hashes {
            match self.read_manifest(&hash) {
                Ok((manifest, _)) => state.raise_floor(&self.read_channel(&hash), manifest.sequence),
                Err(Error::Disk { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                Err(error @ Error::Disk { .. }) => whole = Err(error),
                Err(_) => {}
            }
        }
        (state, whole)
    }

    /// The same for those who write it down.
    fn rebuilt_state(&self) -> Result<State, Error> {
        let (state, whole) = self.found_again();
        whole.map(|()| state)
    }

    pub(crate) fn release_hashes(&self) -> Vec<String> {
        self.list_releases().unwrap_or_default()
    }

    /// The same for those to whom a failure is something else than none.
    pub(crate) fn list_releases(&self) -> Result<Vec<String>, Error> {
        let folder = self.inner.folder.join("releases");
        let listing = self.inner.disk.list(&folder).map_err(Error::disk("listing", &folder))?;
        Ok(listing.into_iter().map(|entry| entry.name).collect())
    }

    /// Changes the state, durably, while no other process does. A state that can not be read just now is left alone: what
    /// it holds must not be lost to an error that may pass.
    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), Error> {
        let folder = &self.inner.folder;
        let _lock = self.lock_state()?;
        let mut state = match self.read_state() {
            Copy::Unreadable(error) => return Err(Error::disk("reading", &folder.join("state"))(error)),
            Copy::Valid(state) => state,
            Copy::Absent => State::default(),
            Copy::Corrupt => self.rebuilt_state()?,
        };
        let before = state.clone();
        change(&mut state);
        assert!(state.keeps_floors(&before), "the floor never falls");
        if state == before {
            return Ok(());
        }
        state.generation += 1;
        self.write_state(&state)
    }

    /// The random number of this install, made of `chance` when there is none: who comes when in releases that are given out in
    /// waves follows from it. When both copies of the state are lost it is drawn again, as by a new install.
    pub(crate) fn install(&self, chance: fn() -> u8) -> Result<String, Error> {
        if let Some(known) = self.state().postponed.install {
            return Ok(known);
        }
        let drawn = hash::hex(&std::array::from_fn::<u8, 16, _>(|_| chance()));
        let mut install = String::new();
        // Another process may have been first.
        self.change(|state| install.clone_from(state.postponed.install.get_or_insert(drawn)))?;
        Ok(install)
    }

    /// Leaves what is staged there: it is not to be applied any more, also by the next start.
    pub(crate) fn unstage(&self) -> Result<(), Error> {
        self.change(|state| {
            state.staged = None;
            state.keep_shells();
        })
    }

    /// Makes the two copies of the state the same again, after damage to one and after a crash between the two: the next
    /// damage or crash may concern the other one.
    pub(crate) fn heal_state(&self) -> Result<(), Error> {
        let copy = |name| state::read_copy(&*self.inner.disk, &self.inner.folder.join(name));
        match (copy("state"), copy("state.copy")) {
            (Copy::Absent, Copy::Absent) => return Ok(()),
            (Copy::Valid(a), Copy::Valid(b)) if a == b => return Ok(()),
            _ => {}
        }
        let _lock = self.lock_state()?;
        match self.read_state() {
            Copy::Valid(state) => self.write_state(&state),
            // Before anything is removed of what the floor is found again from.
            Copy::Corrupt => self.write_state(&self.rebuilt_state()?),
            // What can not be read is left alone.
            _ => Ok(()),
        }
    }

    fn write_state(&self, state: &State) -> Result<(), Error> {
        let bytes = state.to_bytes();
        if state.generation <= 1 {
            // From here on there is something to lose, and the store's folder may have been made by a process that was killed
            // before its place was durable. A folder that can not be opened is the system's and was there before.
            let above = self.inner.folder.ancestors().skip(1);
            for folder in above.take_while(|folder| !folder.as_os_str().is_empty()) {
                let _ = self.inner.disk.sync_folder(folder);
            }
        }
        for name in ["state", "state.copy"] {
            let path = self.inner.folder.join(name);
            self.inner.disk.write(&path, &bytes, false).map_err(Error::disk("writing", &path))?;
        }
        Ok(())
    }

    /// Waits for another process that changes the state, with a bound.
    fn lock_state(&self) -> Result<Box<dyn Lock>, Error> {
        let deadline = Instant::now() + Duration::from_millis(STORE_LOCK_TIMEOUT_MS);
        loop {
            if let Some(lock) = self.try_lock("lock", false)? {
                return Ok(lock);
            }
            if Instant::now() >= deadline {
                let busy = std::io::Error::from(std::io::ErrorKind::WouldBlock);
                return Err(Error::disk("locking", &self.inner.folder.join("lock"))(busy));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A lock by its name in the store; `None` while somebody else is in the way.
    pub(crate) fn try_lock(&self, name: &str, shared: bool) -> Result<Option<Box<dyn Lock>>, Error> {
        let path = self.inner.folder.join(name);
        if let Some(folder) = path.parent() {
            self.inner.disk.create_folders(folder).map_err(Error::disk("creating", folder))?;
        }
        self.inner.disk.try_lock(&path, shared).map_err(Error::disk("locking", &path))
    }

    /// Runs work that reads and writes files where it holds nobody up.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        if !self.inner.disk.blocks() {
            return work();
        }
        let (done, result) = tokio::sync::oneshot::channel();
        apart(Box::new(move || drop(done.send(work()))));
        result.await.unwrap_or_else(|_| Err(Error::Network("a task failed".into())))
    }

    /// Never try this release again, nor its content under another number. Holds for this process even when the disk
    /// refuses to remember it.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn ban(&self, hash: &str, reason: &str) -> Result<(), Error> {
        let manifest = self.inner.folder.join("releases").join(hash).join("manifest.json");
        let manifest = self.inner.disk.read(&manifest, limits::MANIFEST_BYTES_MAX as u64).ok().flatten();
        let manifest = manifest.and_then(|bytes| Manifest::parse(&bytes).ok());
        self.ban_with(hash, manifest.as_ref(), reason)
    }

    /// The same for a release that is at hand, whose content need not be read from a disk that may refuse.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn ban_release(&self, release: &Release, reason: &str) -> Result<(), Error> {
        self.ban_with(release.hash(), Some(release.manifest()), reason)
    }

    /// The release was rejected because its answers differed: its ban is to hold for these rules only.
    pub(crate) fn reject_compared(&self, release: &Release) {
        let mut compared = self.inner.compared.lock().unwrap_or_else(PoisonError::into_inner);
        compared.insert(release.hash().to_owned());
    }

    fn ban_with(&self, hash: &str, manifest: Option<&Manifest>, reason: &str) -> Result<(), Error> {
        let compared = self.inner.compared.lock().unwrap_or_else(PoisonError::into_inner).contains(hash);
        let content = manifest.and_then(|manifest| match compared {
            true => compared_hash(manifest),
            false => Some(content_hash(manifest)),
        });
        let reason: String = reason.chars().take(1_000).collect();
        let mut marked = Ok(());
        for name in std::iter::once(hash).chain(content.as_deref()) {
            let mut banned = self.inner.banned.lock().unwrap_or_else(PoisonError::into_inner);
            banned.insert(name.to_owned(), reason.clone());
            drop(banned);
            let marker = self.inner.folder.join("banned").join(name);
            let written = self.inner.disk.write(&marker, reason.as_bytes(), false);
            marked = marked.and(written.map_err(Error::disk("writing", &marker)));
        }
        let changed = self.change(|state| {
            if let Some(content) = content {
                state.trials.remove(&content);
                state.banned.insert(content, reason.clone());
            }
            state.banned.insert(hash.to_owned(), reason);
            state.trials.remove(hash);
            state.bad_starts.remove(hash);
            if state.staged.as_deref() == Some(hash) {
                state.staged = None;
            }
            if state.previous.as_deref() == Some(hash) {
                state.previous = None;
            }
            if state.current.as_deref() == Some(hash) {
                state.current = state.previous.take();
            }
            state.keep_shells();
        });
        marked.and(changed)
    }
}

impl Inner {
    /// A folder outside the store that only this user can enter, made once, removed with the store.
    fn private_folder(&self) -> Result<PathBuf, Error> {
        let mut private = self.private.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = &*private {
            return Ok(folder.clone());
        }
        let created = self.disk.private_folder();
        let folder = created.map_err(Error::disk("creating a folder in", &std::env::temp_dir()))?;
        Ok(private.insert(folder).clone())
    }
}
