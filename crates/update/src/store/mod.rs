//! Releases on the user's disk.
//!
//! # Theory of operation
//! ```text
//! files/<2 digits>/<sha256>      page files by the hash of their content
//! backend/<sha256>/<name>        a worker at a path of its own version, never overwritten while it fits its hash
//! releases/<hash>/manifest.json  the manifest, its proof.json (signed TUF metadata) and the lock of who uses it
//! state, state.copy              see `state`
//! banned/<hash>                  one file for each banned release, so that no damage lifts a ban
//! partial/<sha256>               downloads under way
//! metadata/                      newest verified TUF metadata: the floors of its versions
//! lock, update.lock, trial.lock  one writer of the state; one downloader; who has a release on trial
//! ```
//! Nothing live is moved or overwritten. Whatever is read is hashed at the read, so the worst a damaged or tampered disk
//! does is to make a release unusable; the one attached to the executable remains.

mod boot;
mod release;
mod stage;
pub mod state;

pub use boot::Boot;
pub(crate) use boot::compare_versions;
pub use release::Release;
pub(crate) use release::{content_hash, same_content};
pub use stage::Trial;

use crate::bundle::Attached;
use crate::disk::{Disk, OsDisk};
use crate::{Error, hash};
use state::{Copy, State};
use staysail_protocol::manifest::Manifest;
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait for another process that changes the state.
pub const STORE_LOCK_TIMEOUT_MS: u64 = 5_000;

/// The store of one app. Cheap to clone; several processes may have one open.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) folder: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    attached: Mutex<Option<Arc<Attached>>>,
    /// Bans of this process, which hold even when the disk is too full to remember them.
    banned: Mutex<BTreeMap<String, String>>,
    /// Where the last resort's worker lies when the store can not be written.
    private: Mutex<Option<PathBuf>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(folder) = self.private.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("folder", &self.inner.folder).finish()
    }
}

impl Store {
    /// Opens the store in `folder`. Nothing is created before something is stored, so this works on a read-only disk.
    ///
    /// # Errors
    /// When `folder` exists but is no folder.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::open_on(folder, Arc::new(OsDisk))
    }

    /// Like [`Store::open`], with everything written through `disk`.
    ///
    /// # Errors
    /// See [`Store::open`].
    pub fn open_on(folder: &Path, disk: Arc<dyn Disk>) -> Result<Self, Error> {
        match fs::metadata(folder) {
            Ok(found) if !found.is_dir() => {
                let source = std::io::Error::from(std::io::ErrorKind::NotADirectory);
                return Err(Error::Disk { operation: "opening", path: folder.to_owned(), source });
            }
            _ => {}
        }
        Ok(Self {
            inner: Arc::new(Inner {
                folder: folder.to_owned(),
                disk,
                attached: Mutex::default(),
                banned: Mutex::default(),
                private: Mutex::default(),
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
        Ok(Release::new(Arc::clone(&self.inner), manifest, bytes, Some(attached), None))
    }

    /// Whether the release with this hash is never tried again.
    pub fn is_banned(&self, hash: &str) -> bool {
        self.ban_reason(hash).is_some()
    }

    /// Whether the release with this hash is never tried again, or one with the same content under another number.
    pub(crate) fn is_banned_content(&self, hash: &str, manifest: &Manifest) -> bool {
        self.is_banned(hash) || self.is_banned(&content_hash(manifest))
    }

    /// Why the release with this hash is never tried again.
    pub fn ban_reason(&self, hash: &str) -> Option<String> {
        if let Some(reason) = self.inner.banned.lock().unwrap_or_else(PoisonError::into_inner).get(hash) {
            return Some(reason.clone());
        }
        let marker = self.inner.folder.join("banned").join(hash);
        if fs::symlink_metadata(&marker).is_ok() {
            return Some(fs::read_to_string(&marker).unwrap_or_default());
        }
        self.state().banned.remove(hash)
    }

    /// The durable state, found again as far as possible when it is damaged.
    pub fn state(&self) -> State {
        match self.read_state() {
            Copy::Valid(state) => state,
            Copy::Absent => State::default(),
            Copy::Corrupt => self.rebuild_state(),
        }
    }

    pub(crate) fn read_state(&self) -> Copy {
        let folder = &self.inner.folder;
        state::choose(state::read_copy(&folder.join("state")), state::read_copy(&folder.join("state.copy")))
    }

    /// Both copies are damaged: the floor is at least the highest sequence on disk, and every marked ban holds. What was
    /// committed is unknown, so nothing is: the attached release boots and the newest is applied anew.
    fn rebuild_state(&self) -> State {
        let mut state = State::default();
        for hash in self.release_hashes() {
            if let Ok(manifest) = self.read_manifest(&hash) {
                state.floor = state.floor.max(manifest.0.sequence);
            }
        }
        state
    }

    pub(crate) fn release_hashes(&self) -> Vec<String> {
        let Ok(listing) = fs::read_dir(self.inner.folder.join("releases")) else { return Vec::new() };
        listing.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// Changes the state, durably, while no other process does.
    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), Error> {
        let folder = &self.inner.folder;
        fs::create_dir_all(folder).map_err(Error::disk("creating", folder))?;
        let lock = self.lock_file("lock")?;
        let deadline = Instant::now() + Duration::from_millis(STORE_LOCK_TIMEOUT_MS);
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(Error::disk("locking", &folder.join("lock"))(error.into())),
            }
        }
        let mut state = self.state();
        let (floor, before) = (state.floor, state.clone());
        change(&mut state);
        assert!(state.floor >= floor, "the floor never falls");
        if state == before {
            return Ok(());
        }
        state.generation += 1;
        let bytes = state.to_bytes();
        for name in ["state", "state.copy"] {
            let path = folder.join(name);
            self.inner.disk.write(&path, &bytes, false).map_err(Error::disk("writing", &path))?;
        }
        Ok(())
    }

    pub(crate) fn lock_file(&self, name: &str) -> Result<File, Error> {
        let path = self.inner.folder.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::disk("creating", folder))?;
        }
        File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(Error::disk("opening", &path))
    }

    /// Never try this release again, nor its content under another number. Holds for this process even when the disk
    /// refuses to remember it.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn ban(&self, hash: &str, reason: &str) -> Result<(), Error> {
        let reason: String = reason.chars().take(1_000).collect();
        let manifest = fs::read(self.inner.folder.join("releases").join(hash).join("manifest.json"));
        let content =
            manifest.ok().and_then(|bytes| Manifest::parse(&bytes).ok()).map(|all| content_hash(&all));
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
            state.banned.extend(content.map(|content| (content, reason.clone())));
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
        let mut random = [0; 16];
        let parent = std::env::temp_dir();
        getrandom::fill(&mut random).map_err(|error| {
            Error::disk("naming a folder in", &parent)(std::io::Error::other(error.to_string()))
        })?;
        let folder = parent.join(format!("staysail-{}", hash::hex(&random)));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(0o700);
        }
        builder.recursive(false).create(&folder).map_err(Error::disk("creating", &folder))?;
        Ok(private.insert(folder).clone())
    }
}
