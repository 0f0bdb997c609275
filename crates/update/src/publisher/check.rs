//! A repository seen as an app sees it.

use super::rollout::{self, Share};
use crate::disk::OsDisk;
use crate::engine::Surroundings;
use crate::engine::fetch::Remote;
use crate::trust::{self, Client, MetadataFolder};
use crate::{Error, hash};
use sigstore_tuf::{Metadata, Role as _, Root};
use staysail_protocol::limits;
use staysail_protocol::manifest::{Blob, Manifest};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Whoever would have to sign within this many days is named with a warning.
pub const EXPIRY_WARNING_DAYS: i64 = 10;

/// Until when a role's metadata count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleReport {
    /// The role.
    pub role: String,
    /// Version of its metadata.
    pub version: u64,
    /// When they expire.
    pub expires: jiff::Timestamp,
}

/// A release that apps are offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseReport {
    /// Its target path.
    pub path: String,
    /// Its version.
    pub version: String,
    /// Its sequence.
    pub sequence: u64,
    /// Hash of its manifest.
    pub hash: String,
    /// How many get it, and whether that is paused, when it is given out in waves.
    pub wave: Option<(Share, bool)>,
    /// Its files and deltas that were downloaded and are what they should be.
    pub blobs: usize,
}

/// What an app finds in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The top-level roles, then those of channels.
    pub roles: Vec<RoleReport>,
    /// What is offered.
    pub releases: Vec<ReleaseReport>,
}

/// Reads a repository as an app with this root does that was just installed, keeping what it has to keep in `own`, an empty
/// folder. With `files` every file and delta of every release is downloaded, too.
///
/// # Errors
/// What an app would stumble over.
pub async fn check(
    url: &str,
    root: &[u8],
    own: &Path,
    files: bool,
    now: jiff::Timestamp,
) -> Result<Report, Error> {
    let remote = Remote::new(&Surroundings::of_this_machine(url)?);
    let mut client = Client::new(remote.clone(), MetadataFolder::new(own, Arc::new(OsDisk)), root)?;
    client.refresh(now).await?;
    let trusted = client.trusted();
    let newest = Metadata::<Root>::from_slice(trusted.root_bytes())?.into_signed();
    let missing = || Error::Trust("the metadata were not refreshed".into());
    let (timestamp, snapshot) =
        (trusted.timestamp().ok_or_else(missing)?, trusted.snapshot().ok_or_else(missing)?);
    let targets = trusted.targets_role("targets").ok_or_else(missing)?;
    let report = |role: &str, version, expires| RoleReport { role: role.into(), version, expires };
    let roles = vec![
        report("root", newest.version(), newest.expires()),
        report("targets", targets.version(), targets.expires()),
        report("snapshot", snapshot.version(), snapshot.expires()),
        report("timestamp", timestamp.version(), timestamp.expires()),
    ];
    let mut paths: Vec<String> = targets.targets.keys().cloned().collect();
    let given = targets.delegations.iter().flat_map(|delegations| &delegations.roles);
    let given: Vec<_> =
        given.map(|role| (role.name.clone(), role.paths.clone().unwrap_or_default())).collect();
    paths.extend(
        given.iter().flat_map(|(_, paths)| paths).filter(|path| !path.contains(['*', '?', '['])).cloned(),
    );
    let mut roles = roles;
    let mut releases = Vec::new();
    for path in &paths {
        releases.extend(release(&remote, &mut client, path, files).await?);
    }
    // What stands in the lists of channels beside their newest releases: barriers.
    let lists = given.iter().filter_map(|(name, _)| client.trusted().targets_role(name));
    let more: BTreeSet<String> = lists.flat_map(|list| list.targets.keys().cloned()).collect();
    let releases_only = |path: &&String| !paths.contains(path) && !path.starts_with("rollouts/");
    for path in more.iter().filter(releases_only) {
        releases.extend(release(&remote, &mut client, path, files).await?);
    }
    for (name, _) in given {
        let list = client.trusted().targets_role(&name);
        roles.extend(list.map(|list| report(&name, list.version(), list.expires())));
    }
    Ok(Report { roles, releases })
}

/// Reads one release; `None` for a channel that was given away and never published to.
async fn release(
    remote: &Remote,
    client: &mut Client,
    path: &str,
    files: bool,
) -> Result<Option<ReleaseReport>, Error> {
    let Some(target) = client.find(path).await? else { return Ok(None) };
    let bytes = client.download(&target, limits::MANIFEST_BYTES_MAX as u64).await?;
    let manifest = Manifest::parse(&bytes)?;
    let mut blobs = 0;
    if files {
        for blob in all_blobs(&manifest) {
            check_blob(remote, &blob).await?;
            blobs += 1;
        }
    }
    let wave = wave(client, path, manifest.sequence).await?;
    Ok(Some(ReleaseReport {
        path: path.to_owned(),
        wave,
        version: manifest.version.clone(),
        sequence: manifest.sequence,
        hash: hash::of(&bytes),
        blobs,
    }))
}

/// How many get the release of this path.
async fn wave(client: &mut Client, path: &str, sequence: u64) -> Result<Option<(Share, bool)>, Error> {
    let channel = trust::channel_of(path).unwrap_or_default().to_owned();
    if trust::wave_sequence(path, &channel) != Some(sequence) {
        return Ok(None);
    }
    let shares = client.find(&trust::rollout_path(&channel)).await?;
    let shares = shares.ok_or_else(|| Error::Trust(format!("nobody says how many get {path}")))?;
    Ok(Some(rollout::said(shares.file.custom.as_ref(), sequence)))
}

fn all_blobs(manifest: &Manifest) -> Vec<Blob> {
    let files = manifest.files().map(|entry| &entry.blob);
    let blobs = files.chain(manifest.deltas.iter().map(|delta| &delta.blob));
    let mut seen = BTreeSet::new();
    blobs.filter(|blob| seen.insert(blob.sha256.clone())).cloned().collect()
}

async fn check_blob(remote: &Remote, blob: &Blob) -> Result<(), Error> {
    let path = format!("blobs/{}.zst", blob.sha256);
    let bytes = remote.small(&path, blob.size).await?;
    let found = match bytes {
        None => "nothing".to_owned(),
        Some(bytes) => hash::of(&bytes),
    };
    if found == blob.sha256 {
        return Ok(());
    }
    Err(Error::Tampered { what: path, expected: blob.sha256.clone(), found })
}
