//! Looking for the newest release, and downloading it.

use super::fetch::Remote;
use crate::disk::Lock;
use crate::lifecycle::Candidate;
use crate::store::{Release, Store, same_content};
use crate::trust::{self, Client, MetadataFolder, Proof};
use crate::{Error, TARGET, hash, pack};
use staysail_protocol::manifest::{FileEntry, Manifest};
use staysail_protocol::{PROTOCOL_VERSION, PROTOCOL_VERSION_MIN, limits};
use std::sync::Arc;

/// A release found in the repository: signed, not yet downloaded.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub candidate: Candidate,
    pub manifest: Manifest,
    pub bytes: Vec<u8>,
    pub proof: Proof,
}

/// Refreshes the metadata and gives the newest release of the channel; `None` when none was ever published.
pub(crate) async fn look(
    remote: &Remote,
    store: &Store,
    root: &[u8],
    current: &Release,
    now: jiff::Timestamp,
) -> Result<Option<Found>, Error> {
    let folder = MetadataFolder::new(&store.folder().join("metadata"), Arc::clone(&store.inner.disk));
    let mut client = Client::new(remote.clone(), folder.clone(), root)?;
    if let Err(error) = client.refresh(now).await {
        // Once something was published, its absence is a failure. Before, there is nothing, which is none.
        if client.has_seen_any() {
            return Err(error);
        }
        if remote.lacks("metadata/timestamp.json").await {
            return Ok(None);
        }
        // Unless the very first publish came between those two looks.
        client = Client::new(remote.clone(), folder, root)?;
        client.refresh(now).await?;
    }
    let Some(target) = client.find(&trust::target_path(trust::CHANNEL)).await? else { return Ok(None) };
    // What runs is known already: nothing has to be fetched.
    let known = target.file.hashes.get("sha256").is_some_and(|known| known == current.hash());
    let bytes = if known {
        current.manifest_bytes().to_vec()
    } else {
        client.download(&target, limits::MANIFEST_BYTES_MAX as u64).await?
    };
    trust::check_target(&target.file, &bytes)?;
    let mut manifest = Manifest::parse(&bytes)?;
    if remote.network().lacks_deltas() {
        manifest.deltas.clear();
    }
    let proof = client.proof(&target)?;
    let (inner, current) = (store.clone(), current.clone());
    store.blocking(move || weigh(&inner, &current, manifest, bytes, proof)).await.map(Some)
}

fn weigh(
    store: &Store,
    current: &Release,
    manifest: Manifest,
    bytes: Vec<u8>,
    proof: Proof,
) -> Result<Found, Error> {
    let mut candidate = Candidate {
        hash: hash::of(&bytes),
        version: manifest.version.clone(),
        sequence: manifest.sequence,
        notes: manifest.notes.clone(),
        bytes: 0,
        same_as_current: same_content(current.manifest(), &manifest),
        unusable: unusable(&manifest, current),
    };
    let banned = store.is_banned_content(&candidate.hash, &manifest);
    if candidate.hash != current.hash() && candidate.unusable.is_none() && !banned {
        let missing = store.missing(&manifest, current)?;
        candidate.bytes =
            store.download_plan(&manifest, &missing, current).iter().map(|fetch| fetch.bytes()).sum();
    }
    Ok(Found { candidate, manifest, bytes, proof })
}

/// Why this machine can not run a release, if so.
fn unusable(manifest: &Manifest, current: &Release) -> Option<String> {
    let app = &current.manifest().app;
    if manifest.app != *app {
        return Some(format!("it belongs to {}, not to {app}", manifest.app));
    }
    if manifest.backend.get(TARGET).is_none_or(Vec::is_empty) {
        let available = manifest.backend.keys().cloned().collect::<Vec<_>>().join(", ");
        return Some(format!("it has no backend for {TARGET}, only for {available}"));
    }
    let (oldest, newest) = manifest.protocol;
    if oldest > PROTOCOL_VERSION || newest < PROTOCOL_VERSION_MIN {
        return Some(format!(
            "its backend speaks protocol {oldest} to {newest}, this app {PROTOCOL_VERSION_MIN} to {PROTOCOL_VERSION}; \
             install the app again"
        ));
    }
    None
}

/// Downloads what is missing, deltas first, and stages the release.
pub(crate) async fn download(
    remote: &Remote,
    store: &Store,
    root: &[u8],
    current: &Release,
    found: &Found,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Release, Error> {
    // One process of this app downloads at a time; the next one finds everything there.
    let _downloading = downloading(store).await?;
    let (inner, manifest, running) = (store.clone(), found.manifest.clone(), current.clone());
    let plan = store
        .blocking(move || {
            let missing = inner.missing(&manifest, &running)?;
            Ok(inner.download_plan(&manifest, &missing, &running))
        })
        .await?;
    for fetch in plan {
        let entry = fetch.entry.clone();
        let mut content = None;
        if let Some((delta, base)) = fetch.delta {
            let partial = store.partial(&delta.blob.sha256);
            match remote.blob(&delta.blob, &partial, &*store.inner.disk, progress).await {
                Ok(patch) => {
                    let wanted = entry.clone();
                    let applied = store.blocking(move || Ok(patched(&delta.method, &base, &patch, &wanted)));
                    content = applied
                        .await?
                        .inspect_err(|error| {
                            tracing::warn!(
                                error,
                                file = entry.path,
                                "a delta failed; fetching the whole file, once"
                            );
                        })
                        .ok();
                    store.inner.disk.remove(&partial).map_err(Error::disk("removing", &partial))?;
                }
                Err(error @ Error::Disk { .. }) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, file = entry.path, "a delta failed; fetching the whole file, once")
                }
            }
        }
        let partial = store.partial(&entry.blob.sha256);
        let content = match content {
            Some(content) => content,
            None => {
                let packed = remote.blob(&entry.blob, &partial, &*store.inner.disk, progress).await?;
                let (size, what, expected) = (entry.size, entry.path.clone(), entry.sha256.clone());
                store
                    .blocking(move || {
                        pack::decompress(&packed, size).map_err(|found| Error::Tampered {
                            what,
                            expected,
                            found,
                        })
                    })
                    .await?
            }
        };
        let (inner, path) = (store.clone(), fetch.path);
        store.blocking(move || inner.put(&entry, &path, &content)).await?;
        store.inner.disk.remove(&partial).map_err(Error::disk("removing", &partial))?;
    }
    let (inner, bytes, proof, root) =
        (store.clone(), found.bytes.clone(), found.proof.clone(), root.to_vec());
    store.blocking(move || inner.stage(&bytes, &proof, &root)).await
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
            let busy = std::io::Error::from(std::io::ErrorKind::WouldBlock);
            return Err(Error::disk("locking", &store.folder().join("update.lock"))(busy));
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Longest wait for another process of the same app that downloads.
pub const DOWNLOAD_LOCK_TIMEOUT_S: u64 = 600;

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
