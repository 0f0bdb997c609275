//! Looking for the newest release.

use super::fetch::Remote;
use crate::lifecycle::Candidate;
use crate::store::{Release, Store, compare_versions, same_content};
use crate::trust::{self, Client, MetadataFolder, Proof};
use crate::{Error, TARGET, hash};
use staysail_protocol::manifest::Manifest;
use staysail_protocol::policy::Urgency;
use staysail_protocol::{PROTOCOL_VERSION, PROTOCOL_VERSION_MIN, limits};
use std::cmp::Ordering;
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

/// A look under way. Boxed, so that the code for it is there once and not with everybody who looks.
pub(crate) type Looking<'a> = Pin<Box<dyn Future<Output = Result<Option<Found>, Error>> + Send + 'a>>;

/// Refreshes the metadata and gives the newest release of the channel; `None` when none was ever published.
pub(crate) fn look<'a>(
    remote: &'a Remote,
    store: &'a Store,
    root: &'a [u8],
    current: &'a Release,
    now: jiff::Timestamp,
) -> Looking<'a> {
    Box::pin(newest(remote, store, root, current, now))
}

async fn newest(
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
    let carried = remote.network().is_carried();
    if carried {
        manifest.deltas.clear();
    }
    let proof = client.proof(&target)?;
    let (inner, current) = (store.clone(), current.clone());
    store.blocking(move || weigh(&inner, &current, carried, manifest, bytes, proof)).await.map(Some)
}

fn weigh(
    store: &Store,
    current: &Release,
    carried: bool,
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
        conditional: !manifest.policy.is_none(),
        critical: is_critical(&manifest.urgency, &current.manifest().version),
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
    let shell = env!("CARGO_PKG_VERSION");
    if let Some(least) = &manifest.minimum_shell
        && compare_versions(shell, least) == Ordering::Less
    {
        return Some(format!("it needs Staysail {least}, this app has {shell}; install the app again"));
    }
    None
}
