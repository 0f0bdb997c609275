//! Making a file for machines without network: the newest release of a channel with everything an app needs to believe it.

use super::{metadata, role_of};
use crate::archive::{Archive, Entry, blob_path, write_head};
use crate::disk::{self, OsDisk};
use crate::engine::Surroundings;
use crate::engine::fetch::Remote;
use crate::store::compare_versions;
use crate::trust::{self, Client, Fetching, MetadataFolder, Repository, Target, target_path};
use crate::{Error, hash};
use sigstore_tuf::{Role as _, Root};
use staysail_protocol::limits;
use staysail_protocol::manifest::{Blob, Manifest};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What is to be bundled.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Channel; `stable` for everyone.
    pub channel: String,
    /// Target triples whose backends are put in; all there are when empty.
    pub targets: Vec<String>,
    /// Version that every machine it is for runs at least: barriers up to it are left out.
    pub from: Option<String>,
}

/// What a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundled {
    /// The app.
    pub app: String,
    /// Version of the release.
    pub version: String,
    /// Target triples whose backends it holds.
    pub targets: Vec<String>,
    /// Versions of the barriers before it that it holds, too.
    pub barriers: Vec<String>,
    /// Files in it.
    pub files: usize,
    /// Its length in bytes.
    pub bytes: u64,
    /// From then on apps refuse it.
    pub expires: jiff::Timestamp,
}

/// Remembers every file a client was given.
struct Recording {
    remote: Remote,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Recording {
    fn keep(&self, path: String, bytes: Option<&Vec<u8>>) {
        if let Some(bytes) = bytes {
            self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(path, bytes.clone());
        }
    }
}

impl Repository for Recording {
    fn metadata<'a>(&'a self, file: &'a str, bytes_max: u64) -> Fetching<'a> {
        Box::pin(async move {
            let bytes = self.remote.metadata(file, bytes_max).await?;
            self.keep(format!("metadata/{file}"), bytes.as_ref());
            Ok(bytes)
        })
    }

    fn target<'a>(&'a self, path: &'a str, bytes_max: u64) -> Fetching<'a> {
        Box::pin(async move {
            let bytes = self.remote.target(path, bytes_max).await?;
            self.keep(format!("targets/{path}"), bytes.as_ref());
            Ok(bytes)
        })
    }
}

/// Reads a repository as an app with this root does that was just installed, keeping what it has to keep in `own`, an empty
/// folder, and writes what an app needs of it to `out`, whole or not at all.
///
/// # Errors
/// What an app would stumble over; [`Error::Refused`] when there is no such release or target; disk errors.
pub async fn bundle(
    url: &str,
    root: &[u8],
    wanted: &Wanted,
    own: &Path,
    out: &Path,
    now: jiff::Timestamp,
) -> Result<Bundled, Error> {
    let remote = Remote::new(&Surroundings::of_this_machine(url)?);
    let files = Arc::<Mutex<BTreeMap<String, Vec<u8>>>>::default();
    let recording = Recording { remote: remote.clone(), files: Arc::clone(&files) };
    let mut client = Client::new(recording, MetadataFolder::new(own, Arc::new(OsDisk)), root)?;
    client.refresh(now).await?;
    let missing = || Error::Refused(format!("{url} holds no release of the channel {}", wanted.channel));
    let target = client.find(&target_path(&wanted.channel)).await?.ok_or_else(missing)?;
    let manifest = Manifest::parse(&client.download(&target, limits::MANIFEST_BYTES_MAX as u64).await?)?;
    let targets = targets(&manifest, &wanted.targets)?;
    let before = barriers(&mut client, &target, wanted).await?;
    let blobs = blobs(std::iter::once(&manifest).chain(&before), &targets);
    let mut small = std::mem::take(&mut *files.lock().unwrap_or_else(PoisonError::into_inner));
    // Apps begin at the root they were built with, whichever that was.
    let newest: Root = metadata::parse(client.trusted().root_bytes())?;
    for version in 1..=newest.version() {
        let path = format!("metadata/{version}.root.json");
        if let Some(root) = remote.small(&path, limits::ROOT_METADATA_BYTES_MAX).await? {
            small.insert(path, root);
        }
    }
    let mut entries: Vec<_> = small.iter().map(|(path, bytes)| entry(path, bytes)).collect();
    entries.extend(blobs.iter().map(|blob| Entry {
        path: blob_path(&blob.sha256),
        size: blob.size,
        sha256: blob.sha256.clone(),
    }));
    let count = entries.len();
    let temporary = disk::temporary_beside(out);
    let written = write(&temporary, &entries, &small, &blobs, &remote).await;
    let finished = written.and_then(|()| {
        Archive::open(&temporary)?;
        std::fs::rename(&temporary, out).map_err(Error::disk("writing", out))
    });
    if let Err(error) = finished {
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    Ok(Bundled {
        app: manifest.app,
        version: manifest.version,
        targets,
        barriers: before.into_iter().map(|barrier| barrier.version).collect(),
        files: count,
        bytes: std::fs::metadata(out).map_err(Error::disk("reading", out))?.len(),
        expires: expires(&client, &newest, &wanted.channel),
    })
}

fn entry(path: &str, bytes: &[u8]) -> Entry {
    Entry { path: path.to_owned(), size: bytes.len() as u64, sha256: hash::of(bytes) }
}

fn targets(manifest: &Manifest, wanted: &[String]) -> Result<Vec<String>, Error> {
    let all: Vec<_> = manifest.backend.keys().cloned().collect();
    if let Some(unknown) = wanted.iter().find(|wanted| !all.contains(wanted)) {
        return Err(Error::Refused(format!(
            "version {} has no backend for {unknown}, only for {}; nothing was written",
            manifest.version,
            all.join(", ")
        )));
    }
    Ok(all.into_iter().filter(|one| wanted.is_empty() || wanted.contains(one)).collect())
}

/// The barriers that have to be taken before the newest release.
async fn barriers(client: &mut Client, newest: &Target, wanted: &Wanted) -> Result<Vec<Manifest>, Error> {
    let role = newest.roles.last().map_or("targets", String::as_str);
    let targets = client.trusted().targets_role(role).map(|role| role.targets.clone()).unwrap_or_default();
    let all = targets.iter().map(|(path, file)| (path.as_str(), file.custom.as_ref()));
    let mut found = Vec::new();
    for (version, path) in trust::barriers(all, &wanted.channel) {
        let passed =
            wanted.from.as_ref().is_some_and(|from| compare_versions(&version, from) != Ordering::Greater);
        if passed || targets[&path].hashes == newest.file.hashes {
            continue;
        }
        let unnamed = || Error::Trust(format!("no role names {path}"));
        let target = client.find(&path).await?.ok_or_else(unnamed)?;
        found.push(Manifest::parse(&client.download(&target, limits::MANIFEST_BYTES_MAX as u64).await?)?);
    }
    Ok(found)
}

fn blobs<'a>(releases: impl Iterator<Item = &'a Manifest>, targets: &[String]) -> Vec<Blob> {
    let mut seen = BTreeSet::new();
    let mut blobs = Vec::new();
    for manifest in releases {
        let of = |target| manifest.backend.get(target).into_iter().chain(manifest.shell.get(target));
        let backends = targets.iter().flat_map(of).flatten();
        // Where there is no network nothing is fetched later.
        let files = manifest.page.iter().chain(manifest.group_files()).chain(manifest.module_files());
        let files = files.chain(backends);
        blobs.extend(files.map(|entry| entry.blob.clone()).filter(|blob| seen.insert(blob.sha256.clone())));
    }
    blobs
}

async fn write(
    path: &Path,
    entries: &[Entry],
    small: &BTreeMap<String, Vec<u8>>,
    blobs: &[Blob],
    remote: &Remote,
) -> Result<(), Error> {
    let failed = |error| Error::disk("writing", path)(error);
    let mut out = BufWriter::new(File::create_new(path).map_err(failed)?);
    write_head(&mut out, entries).map_err(failed)?;
    for bytes in small.values() {
        out.write_all(bytes).map_err(failed)?;
    }
    for blob in blobs {
        let name = blob_path(&blob.sha256);
        let bytes = remote.small(&name, blob.size).await?;
        let bytes = bytes.ok_or_else(|| Error::Refused(format!("{name} is not in the repository")))?;
        let found = hash::of(&bytes);
        if found != blob.sha256 {
            return Err(Error::Tampered { what: name, expected: blob.sha256.clone(), found });
        }
        out.write_all(&bytes).map_err(failed)?;
    }
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)
}

/// When the first of what an app verifies expires.
fn expires(client: &Client, root: &Root, channel: &str) -> jiff::Timestamp {
    let trusted = client.trusted();
    let times = [
        trusted.timestamp().map(|role| role.expires),
        trusted.snapshot().map(|role| role.expires),
        trusted.targets_role("targets").map(|role| role.expires),
        trusted.targets_role(&role_of(channel)).map(|role| role.expires),
    ];
    times.into_iter().flatten().fold(root.expires, std::cmp::Ord::min)
}
