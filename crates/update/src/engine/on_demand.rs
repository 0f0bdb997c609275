//! Files of asset groups: fetched when they are first asked for, kept by content.
//!
//! # Theory of operation
//! What a file is was decided when its release was verified: the manifest names it by size and hash. So nothing is looked
//! up, whichever address answers is as good as any other, and what came is hashed before anybody sees it. One *flight* at a
//! time brings a file, however many ask for it, and goes on when they no longer wait. A few flights fetch at once, of one
//! process of the app; another one waits and then finds the file there. A flight that fails tells everybody who waits; who
//! asks later begins a new one, which goes on where the last one stopped.

use super::fetch::{self, Brought, Remote};
use super::{RateLimit, Surroundings};
use crate::disk::Lock;
use crate::store::stage::ON_DEMAND_LOCK;
use crate::store::{Release, Store};
use crate::{Error, pack};
use staysail_protocol::assets::AssetFault;
use staysail_protocol::limits::ASSETS_AT_ONCE_MAX;
use staysail_protocol::manifest::{FileEntry, UpdateSource};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Longest wait for another process of the same app that fetches files of groups.
pub const ON_DEMAND_LOCK_TIMEOUT_S: u64 = 600;

/// Why a file of a group can not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    /// The kind of failure.
    pub reason: AssetFault,
    /// What happened, for people.
    pub message: String,
}

impl From<Error> for Unavailable {
    fn from(error: Error) -> Self {
        let reason = match &error {
            Error::Network(_) => AssetFault::Offline,
            Error::NotThere(_) => AssetFault::Missing,
            Error::Disk { .. } => AssetFault::Disk,
            _ => AssetFault::Damaged,
        };
        Self { reason, message: error.to_string() }
    }
}

/// Fetches files of asset groups. Cheap to clone.
#[derive(Clone)]
pub struct OnDemand {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    source: Option<UpdateSource>,
    rate: RateLimit,
    /// Made when it is first needed: at the start of an app nothing is.
    remote: OnceLock<Result<Remote, Unavailable>>,
    /// By the hash of what they bring.
    flights: Mutex<HashMap<String, Flight>>,
    seats: Semaphore,
    lock: tokio::sync::Mutex<Weak<Box<dyn Lock>>>,
}

type Landing = Option<Result<(), Unavailable>>;

struct Flight {
    received: Arc<AtomicU64>,
    landed: watch::Receiver<Landing>,
}

impl std::fmt::Debug for OnDemand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnDemand").field("store", &self.inner.store).finish_non_exhaustive()
    }
}

impl OnDemand {
    /// Fetches into `store`, from the app's repository, at most as fast as `rate` says; from nowhere when it has none.
    pub fn new(store: Store, source: Option<UpdateSource>, rate: RateLimit) -> Self {
        Self::with(store, source, rate, OnceLock::new())
    }

    /// The same in other surroundings than this machine's.
    pub fn new_in(store: Store, surroundings: &Surroundings) -> Self {
        Self::with(store, None, RateLimit::default(), OnceLock::from(Ok(Remote::new(surroundings))))
    }

    fn with(
        store: Store,
        source: Option<UpdateSource>,
        rate: RateLimit,
        remote: OnceLock<Result<Remote, Unavailable>>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                source,
                rate,
                remote,
                flights: Mutex::default(),
                seats: Semaphore::new(ASSETS_AT_ONCE_MAX),
                lock: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// The verified bytes of a file of a group of `release`, fetched if they are not on this machine.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub async fn file(&self, release: &Release, entry: &FileEntry) -> Result<Vec<u8>, Unavailable> {
        if let Some(content) = self.stored(release, entry).await? {
            return Ok(content);
        }
        self.fetch(entry).await?;
        self.stored(release, entry).await?.ok_or_else(|| Unavailable {
            reason: AssetFault::Disk,
            message: format!("{} was fetched, and is not what was stored", entry.path),
        })
    }

    async fn stored(&self, release: &Release, entry: &FileEntry) -> Result<Option<Vec<u8>>, Unavailable> {
        let (release, entry) = (release.clone(), entry.clone());
        Ok(self.inner.store.blocking(move || release.group_file(&entry)).await?)
    }

    /// Puts a file into the store, whether or not it is there.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub async fn fetch(&self, entry: &FileEntry) -> Result<(), Unavailable> {
        let mut landed = self.board(entry);
        let ended = landed.wait_for(Option::is_some).await.map(|landing| landing.clone());
        ended.ok().flatten().unwrap_or_else(|| {
            let message = format!("the fetch of {} was broken off: the app is ending", entry.path);
            Err(Unavailable { reason: AssetFault::Offline, message })
        })
    }

    /// Bytes of this file that have come so far on a flight under way.
    pub fn received(&self, entry: &FileEntry) -> u64 {
        let flights = self.inner.flights();
        flights.get(&entry.sha256).map_or(0, |flight| flight.received.load(Ordering::Relaxed))
    }

    /// The flight that brings this file; begins one when there is none.
    fn board(&self, entry: &FileEntry) -> watch::Receiver<Landing> {
        let mut flights = self.inner.flights();
        if let Some(flight) = flights.get(&entry.sha256) {
            return flight.landed.clone();
        }
        let (land, landed) = watch::channel(None);
        let received = Arc::<AtomicU64>::default();
        let flight = Flight { received: Arc::clone(&received), landed: landed.clone() };
        flights.insert(entry.sha256.clone(), flight);
        let (inner, entry) = (Arc::clone(&self.inner), entry.clone());
        tokio::spawn(async move {
            let ended = Ended { inner: &inner, hash: &entry.sha256 };
            let brought = inner.bring(&entry, &received).await;
            if let Err(error) = &brought {
                tracing::warn!(file = entry.path, reason = error.reason.name(), %error, "a file of a group was not fetched");
            }
            // Who asks from now on begins anew, or finds the file.
            drop(ended);
            let _ = land.send(Some(brought));
        });
        landed
    }
}

/// Takes a flight off the list however it ends.
struct Ended<'a> {
    inner: &'a Inner,
    hash: &'a str,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.inner.flights().remove(self.hash);
    }
}

impl Inner {
    fn flights(&self) -> MutexGuard<'_, HashMap<String, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remote(&self) -> Result<Remote, Unavailable> {
        let connect = || {
            let source = self.source.as_ref().ok_or_else(|| Unavailable {
                reason: AssetFault::Missing,
                message: "this app has no [update] source to fetch files of asset groups from".into(),
            })?;
            let surroundings = Surroundings::with_mirrors(&source.url, &source.mirrors)?;
            Ok(Remote::new(&Surroundings { rate: self.rate.clone(), ..surroundings }))
        };
        self.remote.get_or_init(connect).clone()
    }

    async fn bring(&self, entry: &FileEntry, received: &AtomicU64) -> Result<(), Unavailable> {
        let remote = self.remote()?;
        let closed = |_| Error::Network("the app is ending".into());
        let _seat = self.seats.acquire().await.map_err(closed)?;
        let _lock = self.lock().await?;
        let path = self.store.content_path(&entry.sha256);
        let (store, at, wanted) = (self.store.clone(), path.clone(), entry.clone());
        // Another process may have brought it meanwhile.
        let is_there = move || {
            let found = store.inner.disk.digest(&at).map_err(Error::disk("reading", &at))?;
            Ok(found == Some((wanted.sha256, wanted.size)))
        };
        if self.store.blocking(is_there).await? {
            return Ok(());
        }
        let partial = self.store.on_demand_partial(&entry.blob.sha256);
        received.store(fetch::there(&*self.store.inner.disk, &partial), Ordering::Relaxed);
        let progress = |bytes| {
            // One flight alone counts here.
            let before = received.load(Ordering::Relaxed);
            received.store(before.saturating_add_signed(bytes), Ordering::Relaxed);
        };
        let brought = remote.blob(&entry.blob, &partial, &*self.store.inner.disk, &progress).await?;
        let Brought { bytes: packed, only: _only } = brought;
        let (store, entry) = (self.store.clone(), entry.clone());
        let put = move || {
            let content = pack::decompress(&packed, entry.size);
            // It was the right blob: another try brings the same, and neither is kept.
            store.inner.disk.remove(&partial).map_err(Error::disk("removing", &partial))?;
            let content = content.map_err(|found| Error::Tampered {
                what: entry.path.clone(),
                expected: entry.sha256.clone(),
                found,
            })?;
            store.put(&entry, &path, &content)
        };
        Ok(self.store.blocking(put).await?)
    }

    /// The lock that keeps other processes of the app and the store's tidying away, shared by all flights.
    async fn lock(&self) -> Result<Arc<Box<dyn Lock>>, Error> {
        let mut shared = self.lock.lock().await;
        if let Some(lock) = shared.upgrade() {
            return Ok(lock);
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(ON_DEMAND_LOCK_TIMEOUT_S);
        loop {
            if let Some(lock) = self.store.try_lock(ON_DEMAND_LOCK, false)? {
                let lock = Arc::new(lock);
                *shared = Arc::downgrade(&lock);
                return Ok(lock);
            }
            if tokio::time::Instant::now() >= deadline {
                let busy = std::io::Error::from(std::io::ErrorKind::WouldBlock);
                return Err(Error::disk("locking", &self.store.folder().join(ON_DEMAND_LOCK))(busy));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
