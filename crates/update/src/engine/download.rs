//! Downloading a release: a few files at a time, each by its delta or as a whole.
//!
//! # Theory of operation
//! A few *carriers* take files from one list until it is empty. Each file that is cut off goes on where it stopped, at once
//! or at the next look; the first one that can not be had ends the download, and with it what the others are at. All carriers
//! are one task: it ends with the download, and the same things happen in the same order for the same reasons.

use super::fetch::{self, Arrived, Brought, Remote};
use super::look::Found;
use super::progress::Progress;
use crate::disk::Lock;
use crate::store::{Fetch, Release, Store, carried};
use crate::{Error, TARGET, hash, pack};
use staysail_protocol::manifest::{FileEntry, Manifest};
use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

/// Longest wait for another process of the same app that downloads.
pub const DOWNLOAD_LOCK_TIMEOUT_S: u64 = 600;

/// Downloads what is missing, deltas first, and stages the release.
pub(super) async fn download(
    remote: &Remote,
    store: &Store,
    root: &[u8],
    current: &Release,
    found: &Found,
    progress: &Progress,
) -> Result<Release, Error> {
    // One process of this app downloads at a time; the next one finds everything there.
    let _downloading = downloading(store).await?;
    let (inner, manifest, running) = (store.clone(), found.manifest.clone(), current.clone());
    let carried = remote.network().is_carried();
    let plan = store
        .blocking(move || {
            let missing = inner.missing(&manifest, &running, carried)?;
            Ok(inner.download_plan(&manifest, &missing, &running))
        })
        .await?;
    // What an earlier try has brought need not come again.
    let had =
        |fetch: &Fetch| fetch::there(&*store.inner.disk, &store.partial(fetch.blob())).min(fetch.bytes());
    progress.had(plan.iter().map(had).sum());
    let arrived = |bytes| progress.add(bytes);
    let at_once = remote.files_at_once().min(plan.len());
    let list = List { needed: needed(&found.manifest), left: Mutex::new(Left::of(plan)) };
    let carrier = || Box::pin(carry(remote, store, &list, &arrived)) as Carrier<'_>;
    all((0..at_once).map(|_| carrier()).collect()).await?;
    let (inner, bytes, proof, root) =
        (store.clone(), found.bytes.clone(), found.proof.clone(), root.to_vec());
    store.blocking(move || inner.stage(&bytes, &proof, &root)).await
}

/// Files that are still to be fetched.
struct List<'a> {
    /// Hashes of those the release can not be without.
    needed: BTreeSet<&'a str>,
    left: Mutex<Left>,
}

struct Left {
    waiting: VecDeque<Fetch>,
    /// Blobs that somebody fetches: two files may have the same one, which lies in one place while it comes.
    taken: BTreeSet<String>,
}

impl Left {
    fn of(plan: Vec<Fetch>) -> Self {
        Self { waiting: plan.into(), taken: BTreeSet::new() }
    }

    /// The next file none of whose blobs somebody fetches. Who fetches one goes on with the file that waits for it.
    fn next(&mut self) -> Option<Fetch> {
        let is_free = |fetch: &Fetch| blobs(fetch).all(|blob| !self.taken.contains(blob));
        let at = self.waiting.iter().position(is_free)?;
        let fetch = self.waiting.remove(at)?;
        self.taken.extend(blobs(&fetch).map(str::to_owned));
        Some(fetch)
    }
}

/// The blobs a file may come by.
fn blobs(fetch: &Fetch) -> impl Iterator<Item = &str> {
    [fetch.blob(), &fetch.entry.blob.sha256].into_iter()
}

impl List<'_> {
    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn needs(&self, fetch: &Fetch) -> bool {
        self.needed.contains(fetch.entry.sha256.as_str())
    }
}

type Carrier<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// Waits for all of them, or for the first that fails: then the others go no further.
async fn all(mut carriers: Vec<Carrier<'_>>) -> Result<(), Error> {
    std::future::poll_fn(|context| {
        let mut at = 0;
        while let Some(carrier) = carriers.get_mut(at) {
            match carrier.as_mut().poll(context) {
                Poll::Pending => at += 1,
                Poll::Ready(Ok(())) => drop(carriers.remove(at)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        if carriers.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

/// Fetches one file after the other until none is left.
async fn carry(remote: &Remote, store: &Store, list: &List<'_>, arrived: Arrived<'_>) -> Result<(), Error> {
    loop {
        let Some(fetch) = list.left().next() else { return Ok(()) };
        // A file of a group never stands in the way of a release: it is fetched when it is next asked for.
        let needed = list.needs(&fetch);
        let mine: Vec<_> = blobs(&fetch).map(str::to_owned).collect();
        let brought = bring(remote, store, fetch, arrived).await;
        let mut left = list.left();
        left.taken.retain(|blob| !mine.contains(blob));
        match brought {
            Err(error) if !needed => {
                tracing::warn!(%error, "the files of asset groups were not brought along with the release");
                left.waiting.retain(|fetch| list.needs(fetch));
            }
            brought => brought?,
        }
    }
}

/// Hashes of what a release can not be without on this machine.
fn needed(manifest: &Manifest) -> BTreeSet<&str> {
    let backend = manifest.backend.get(TARGET).into_iter().flatten();
    let own = manifest.page.iter().chain(manifest.module_files()).chain(backend);
    own.chain(carried(manifest)).map(|entry| entry.sha256.as_str()).collect()
}

/// Fetches one file, by its delta or as a whole, and puts it in its place.
async fn bring(remote: &Remote, store: &Store, fetch: Fetch, progress: Arrived<'_>) -> Result<(), Error> {
    let Fetch { entry, path, delta } = fetch;
    let mut assembled = None;
    if let Some((delta, base)) = delta {
        let partial = store.partial(&delta.blob.sha256);
        match remote.blob(&delta.blob, &partial, &*store.inner.disk, progress).await {
            Ok(Brought { bytes: patch, only }) => {
                let wanted = entry.clone();
                let applied = store.blocking(move || Ok(patched(&delta.method, &base, &patch, &wanted)));
                assembled = applied
                    .await?
                    .inspect_err(|error| {
                        tracing::warn!(
                            error,
                            file = entry.path,
                            "a delta failed; fetching the whole file, once"
                        );
                    })
                    .ok()
                    .map(|content| (content, only));
                store.inner.disk.remove(&partial).map_err(Error::disk("removing", &partial))?;
            }
            Err(error @ Error::Disk { .. }) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, file = entry.path, "a delta failed; fetching the whole file, once")
            }
        }
    }
    let partial = store.partial(&entry.blob.sha256);
    let (content, only) = match assembled {
        Some(assembled) => assembled,
        None => {
            let Brought { bytes: packed, only } =
                remote.blob(&entry.blob, &partial, &*store.inner.disk, progress).await?;
            let (size, what, expected) = (entry.size, entry.path.clone(), entry.sha256.clone());
            let content = store.blocking(move || {
                pack::decompress(&packed, size).map_err(|found| Error::Tampered { what, expected, found })
            });
            (content.await?, only)
        }
    };
    let inner = store.clone();
    store.blocking(move || inner.put(&entry, &path, &content)).await?;
    drop(only);
    store.inner.disk.remove(&partial).map_err(Error::disk("removing", &partial))?;
    Ok(())
}

/// The file that a patch leads to. The patch is what was signed: this finds the publisher's mistakes, and ours.
fn patched(method: &str, base: &[u8], patch: &[u8], entry: &FileEntry) -> Result<Vec<u8>, String> {
    let content = pack::apply_delta(method, base, patch, entry.size)?;
    match hash::of(&content) {
        found if found == entry.sha256 => Ok(content),
        found => Err(format!("it leads to {found} instead of {}", entry.sha256)),
    }
}

/// Waits for another process's download, with a bound.
async fn downloading(store: &Store) -> Result<Box<dyn Lock>, Error> {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(DOWNLOAD_LOCK_TIMEOUT_S);
    loop {
        if let Some(lock) = store.try_lock("update.lock", false)? {
            return Ok(lock);
        }
        if tokio::time::Instant::now() >= deadline {
            let busy = "another process of this app is downloading; the next look finds what it brought";
            let busy = std::io::Error::new(std::io::ErrorKind::WouldBlock, busy);
            return Err(Error::disk("locking", &store.folder().join("update.lock"))(busy));
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use staysail_protocol::manifest::Blob;

    #[test]
    fn a_patch_that_leads_to_another_file_of_that_size_is_refused() {
        let texts = ["the old text", "the new text", "not new text"];
        let [old, new, other] = texts.map(|text| text.repeat(40).into_bytes());
        let blob = |content: &[u8]| Blob { sha256: hash::of(content), size: content.len() as u64 };
        let (sha256, size) = (hash::of(&new), new.len() as u64);
        let entry = FileEntry { path: "a".into(), sha256, size, executable: false, blob: blob(&new) };
        let code = |new: &[u8]| staysail_delta::diff(&old, new).unwrap().unwrap();
        let plain = |new: &[u8]| pack::diff(&old, new).unwrap().unwrap();
        for (method, good, wrong) in
            [(pack::CODE_AWARE, code(&new), code(&other)), (pack::PATCH_FROM, plain(&new), plain(&other))]
        {
            assert_eq!(patched(method, &old, &good, &entry).unwrap(), new);
            let refused = patched(method, &old, &wrong, &entry).unwrap_err();
            assert_eq!(refused, format!("it leads to {} instead of {}", hash::of(&other), hash::of(&new)));
        }
    }
}
