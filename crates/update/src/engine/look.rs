//! Looking for the newest release, and downloading it.

use super::fetch::{self, Remote};
use super::progress::Progress;
use crate::disk::Lock;
use crate::lifecycle::Candidate;
use crate::store::{Fetch, Release, Store, compare_versions, misfit, same_content};
use crate::trust::{self, Client, MetadataFolder, Proof, Target};
use crate::{Error, TARGET, hash, pack};
use staysail_protocol::limits;
use staysail_protocol::manifest::{FileEntry, Manifest};
use staysail_protocol::policy::Urgency;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A release found in the repository: signed, not yet downloaded.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub candidate: Candidate,
    pub manifest: Manifest,
    pub bytes: Vec<u8>,
    pub proof: Proof,
}

/// What a look came to.
#[derive(Debug)]
pub(crate) enum Looked {
    /// The next release on the way to the newest of the channel.
    Found(Box<Found>),
    /// None was ever published on it.
    Nothing,
    /// The signed lists name no such channel; those they name.
    NoChannel(String),
}

/// A look under way. Boxed, so that the code for it is there once and not with everybody who looks.
pub(crate) type Looking<'a> = Pin<Box<dyn Future<Output = Result<Looked, Error>> + Send + 'a>>;

/// What is looked from: where the app stands.
pub(crate) struct Standpoint<'a> {
    pub store: &'a Store,
    pub root: &'a [u8],
    pub current: &'a Release,
    pub channel: &'a str,
}

/// Refreshes the metadata and gives the next release on the way to the newest of the channel: that, or a barrier before it.
pub(crate) fn look<'a>(remote: &'a Remote, from: Standpoint<'a>, now: jiff::Timestamp) -> Looking<'a> {
    Box::pin(next(remote, from, now))
}

async fn refreshed(
    remote: &Remote,
    from: &Standpoint<'_>,
    now: jiff::Timestamp,
) -> Result<Option<Client>, Error> {
    let folder =
        MetadataFolder::new(&from.store.folder().join("metadata"), Arc::clone(&from.store.inner.disk));
    let mut client = Client::new(remote.clone(), folder.clone(), from.root)?;
    if let Err(error) = client.refresh(now).await {
        // Once something was published, its absence is a failure. Before, there is nothing, which is none.
        if client.has_seen_any() {
            return Err(error);
        }
        if remote.lacks("metadata/timestamp.json").await {
            return Ok(None);
        }
        // Unless the very first publish came between those two looks.
        client = Client::new(remote.clone(), folder, from.root)?;
        client.refresh(now).await?;
    }
    Ok(Some(client))
}

async fn next(remote: &Remote, from: Standpoint<'_>, now: jiff::Timestamp) -> Result<Looked, Error> {
    let Some(mut client) = refreshed(remote, &from, now).await? else { return Ok(Looked::Nothing) };
    let Some(target) = client.find(&trust::target_path(from.channel)).await? else {
        return Ok(Looked::NoChannel(channels(&client)));
    };
    let mut found = read(&client, &target, from.current).await?;
    let carried = remote.network().is_carried();
    if let Some((version, path)) = barrier(&client, &target, &from) {
        let unnamed = || Error::Trust(format!("no role names {path}, which a release has to come after"));
        let before = client.find(&path).await?.ok_or_else(unnamed)?;
        let newest = found.manifest;
        let lacks = |error| match carried {
            true => Error::Refused(format!(
                "it lacks version {version}, which has to be taken before {}; have it made with that",
                newest.version
            )),
            false => error,
        };
        found = read(&client, &before, from.current).await.map_err(lacks)?;
        found.towards = Some(newest);
    }
    if carried {
        found.manifest.deltas.clear();
    }
    let (store, current, channel) = (from.store.clone(), from.current.clone(), from.channel.to_owned());
    let weighing = from.store.blocking(move || weigh(&store, &current, carried, &channel, found));
    Ok(Looked::Found(Box::new(weighing.await?)))
}

/// The channels that the signed lists name, for people.
fn channels(client: &Client) -> String {
    let mut names = BTreeSet::new();
    if let Some(targets) = client.trusted().targets_role("targets") {
        let given = targets.delegations.iter().flat_map(|delegations| &delegations.roles);
        let paths = given.flat_map(|role| role.paths.iter().flatten()).chain(targets.targets.keys());
        names.extend(paths.filter_map(|path| trust::channel_of(path)));
    }
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Version and path of the barrier to be taken next, if there is one between what runs and the newest release.
fn barrier(client: &Client, newest: &Target, from: &Standpoint<'_>) -> Option<(String, String)> {
    let role = newest.roles.last().map_or("targets", String::as_str);
    let targets = &client.trusted().targets_role(role)?.targets;
    let all = targets.iter().map(|(path, file)| (path.as_str(), file.custom.as_ref()));
    let ahead =
        |version: &str| compare_versions(version, &from.current.manifest().version) == Ordering::Greater;
    let (version, path) =
        trust::barriers(all, from.channel).into_iter().find(|(version, _)| ahead(version))?;
    // The newest one may be a barrier itself.
    let same = targets.get(&path).is_some_and(|file| file.hashes == newest.file.hashes);
    (!same).then_some((version, path))
}

/// A release as the repository has it.
struct Read {
    manifest: Manifest,
    bytes: Vec<u8>,
    proof: Proof,
    /// The newest release, when this is a barrier before it.
    towards: Option<Manifest>,
}

async fn read(client: &Client, target: &Target, current: &Release) -> Result<Read, Error> {
    // What runs is known already: nothing has to be fetched.
    let known = target.file.hashes.get("sha256").is_some_and(|known| known == current.hash());
    let bytes = if known {
        current.manifest_bytes().to_vec()
    } else {
        client.download(target, limits::MANIFEST_BYTES_MAX as u64).await?
    };
    trust::check_target(&target.file, &bytes)?;
    Ok(Read { manifest: Manifest::parse(&bytes)?, bytes, proof: client.proof(target)?, towards: None })
}

fn weigh(store: &Store, current: &Release, carried: bool, channel: &str, read: Read) -> Result<Found, Error> {
    let Read { manifest, bytes, proof, towards } = read;
    let running = &current.manifest().version;
    let urgencies = [Some(&manifest), towards.as_ref()];
    let critical = urgencies.into_iter().flatten().any(|release| is_critical(&release.urgency, running));
    let mut candidate = Candidate {
        hash: hash::of(&bytes),
        version: manifest.version.clone(),
        sequence: manifest.sequence,
        notes: manifest.notes.clone(),
        bytes: 0,
        same_as_current: same_content(current.manifest(), &manifest),
        unusable: unusable(&manifest, current),
        conditional: !manifest.policy.is_none(),
        critical,
        channel: channel.to_owned(),
        towards: towards.map(|newest| newest.version),
    };
    let banned = store.is_banned_content(&candidate.hash, &manifest);
    if candidate.hash != current.hash() && candidate.unusable.is_none() && !banned {
        let missing = store.missing(&manifest, current, carried)?;
        candidate.bytes =
            store.download_plan(&manifest, &missing, current).iter().map(|fetch| fetch.bytes()).sum();
    }
    Ok(Found { candidate, manifest, bytes, proof })
}

/// Whether a release is critical for those who run `version`.
pub(crate) fn is_critical(urgency: &Urgency, version: &str) -> bool {
    let below = |bound: &String| compare_versions(version, bound) == Ordering::Less;
    urgency.critical || urgency.critical_below.as_ref().is_some_and(below)
}

/// The barrier that has to be taken between `version` and a release.
pub(crate) fn barrier_missed<'a>(manifest: &'a Manifest, version: &str) -> Option<&'a str> {
    let barrier = manifest.after_barrier.as_deref()?;
    (compare_versions(version, barrier) == Ordering::Less).then_some(barrier)
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
    if let Some(barrier) = barrier_missed(manifest, &current.manifest().version) {
        return Some(format!("version {barrier} has to be taken before it, and is not there"));
    }
    misfit(manifest)
}

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
    let needed = needed(&found.manifest);
    let mut groups_fail = false;
    for fetch in plan {
        // A file of a group never stands in the way of a release: it is fetched when it is next asked for.
        let of_group = !needed.contains(fetch.entry.sha256.as_str());
        if of_group && groups_fail {
            continue;
        }
        match bring(remote, store, fetch, &arrived).await {
            Err(error) if of_group => {
                tracing::warn!(%error, "the files of asset groups were not brought along with the release");
                groups_fail = true;
            }
            brought => brought?,
        }
    }
    let (inner, bytes, proof, root) =
        (store.clone(), found.bytes.clone(), found.proof.clone(), root.to_vec());
    store.blocking(move || inner.stage(&bytes, &proof, &root)).await
}

/// Hashes of what a release can not be without on this machine.
fn needed(manifest: &Manifest) -> BTreeSet<&str> {
    let backend = manifest.backend.get(TARGET).into_iter().flatten();
    manifest.page.iter().chain(backend).map(|entry| entry.sha256.as_str()).collect()
}

/// Fetches one file, by its delta or as a whole, and puts it in its place.
async fn bring(
    remote: &Remote,
    store: &Store,
    fetch: Fetch,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), Error> {
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
                    pack::decompress(&packed, size).map_err(|found| Error::Tampered { what, expected, found })
                })
                .await?
        }
    };
    let (inner, path) = (store.clone(), fetch.path);
    store.blocking(move || inner.put(&entry, &path, &content)).await?;
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
