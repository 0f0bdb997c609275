//! Publishing: from a release made ready to a repository of plain files that any static host serves.
//!
//! # Theory of operation
//! ```text
//! blobs/<sha256>.zst                        compressed files and patches
//! targets/releases/<sha256>.<channel>.json  release manifests
//! targets/<sha256>.releases/<channel>.json  the same, under the name that tough asks for
//! metadata/N.root.json                      who may sign
//! metadata/N.targets.json                   which manifest is the newest of each channel
//! metadata/N.snapshot.json                  which targets metadata count
//! metadata/timestamp.json                   which snapshot is the newest
//! ```
//! Written in this order, each file whole; only the last one is ever replaced, and that is the moment the release goes
//! live. An interrupted publish leaves files nobody refers to, and the next one steps over the numbers they took.

pub mod check;
pub mod keys;
pub mod metadata;
pub mod place;

pub use keys::Keys;
pub use metadata::Role;
pub use place::{Folder, Place, Server};

use crate::bundle::Contents;
use crate::store::compare_versions;
use crate::trust::{Proof, check_target, target_path};
use crate::{Error, hash, pack};
use serde_json::{Value, json};
use sigstore_tuf::{Snapshot, Targets, Timestamp};
use staysail_protocol::limits;
use staysail_protocol::manifest::{Blob, Delta, FileEntry, Manifest};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Days the list of releases is valid; every publish renews it.
pub const TARGETS_EXPIRY_DAYS: i64 = 730;
/// Days a snapshot is valid; every publish and every renewal renews it.
pub const SNAPSHOT_EXPIRY_DAYS: i64 = 365;
/// Days a client believes that what it sees is the newest. After that it installs nothing until `staysail publish` or
/// `staysail publish --renew` has renewed it; apps go on running.
pub const TIMESTAMP_EXPIRY_DAYS: i64 = 30;
/// A patch is published when it is smaller than this part of the whole file.
pub const DELTA_PERCENT_MAX: u64 = 70;
/// Largest metadata file a publisher reads back.
pub const METADATA_BYTES_MAX: u64 = 16 << 20;

/// What to publish, and as what.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Channel; `stable` for everyone.
    pub channel: String,
    /// Version, instead of the manifest's.
    pub version: Option<String>,
    /// Notes for users, Markdown.
    pub notes: Option<String>,
    /// Passphrase of the keys.
    pub passphrase: Option<String>,
    /// Sign what is published already, although the keys that signed it are no longer trusted. Look at it first: whoever
    /// stole a key may have published something.
    pub resign: bool,
}

/// What a publish made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// Its version.
    pub version: String,
    /// Its sequence.
    pub sequence: u64,
    /// Hash of its manifest: the release's name.
    pub hash: String,
    /// Files of the release.
    pub files: usize,
    /// Bytes somebody with nothing downloads (all targets).
    pub full_bytes: u64,
    /// Bytes somebody with the release before downloads (all targets), when there was one.
    pub update_bytes: Option<u64>,
    /// Patches made.
    pub deltas: usize,
    /// Bytes of patches.
    pub delta_bytes: u64,
    /// Files written to the repository.
    pub written: usize,
}

/// The repository as a verified client would see it, however old.
struct Current {
    timestamp_bytes: Vec<u8>,
    timestamp: Timestamp,
    snapshot: Snapshot,
    targets: Targets,
    /// The newest root no longer trusts the keys that signed the targets.
    targets_disowned: bool,
}

fn refused(message: impl Into<String>) -> Error {
    Error::Refused(message.into())
}

/// Publishes `contents`. Goes live at the very last write, or not at all.
///
/// # Errors
/// [`Error::Refused`] with the repository untouched; disk and network errors with the repository valid as it was.
pub fn publish(
    place: &dyn Place,
    keys: &Keys,
    mut contents: Contents,
    options: &Options,
    now: jiff::Timestamp,
) -> Result<Published, Error> {
    let roots = check_root(keys, now)?;
    let signers = signers(keys, &[Role::Targets, Role::Snapshot, Role::Timestamp], options)?;
    let path = target_path(&options.channel);
    staysail_protocol::manifest::check_path(&path)
        .map_err(|_| refused(format!("{:?} can not be the name of a channel", options.channel)))?;
    let current = read(place, &roots)?;
    check_owned(current.as_ref(), options.resign)?;
    let previous = current.as_ref().map(|current| previous(place, current, &path)).transpose()?.flatten();

    let manifest = &mut contents.manifest;
    if let Some(version) = &options.version {
        manifest.version.clone_from(version);
    }
    if let Some(notes) = &options.notes {
        manifest.notes.clone_from(notes);
    }
    check_version(manifest, previous.as_ref())?;
    check_app(manifest, current.as_ref())?;
    manifest.sequence = previous.as_ref().map_or(0, |previous| previous.sequence) + 1;
    let patches =
        previous.as_ref().map(|previous| deltas(place, previous, &contents)).transpose()?.unwrap_or_default();
    let manifest = &mut contents.manifest;
    manifest.deltas = patches.iter().map(|(delta, _)| delta.clone()).collect();
    let manifest_bytes = manifest.to_bytes();
    Manifest::parse(&manifest_bytes)?;

    let mut published = summary(manifest, &patches, previous.as_ref());
    published.hash = hash::of(&manifest_bytes);
    let mut write = Writer { place, written: 0 };
    for (name, blob) in &contents.blobs {
        write.immutable(&format!("blobs/{name}.zst"), blob)?;
    }
    for (delta, patch) in &patches {
        write.immutable(&format!("blobs/{}.zst", delta.blob.sha256), patch)?;
    }
    let file = format!("targets/releases/{}.{}.json", published.hash, options.channel);
    write.immutable(&file, &manifest_bytes)?;
    // tough puts the hash before the whole path and not, as the specification says, before the last piece of it.
    write.immutable(&format!("targets/{}.{path}", published.hash), &manifest_bytes)?;

    let mut targets = serde_json::Map::new();
    if let Some(current) = &current {
        for (path, target) in &current.targets.targets {
            targets.insert(path.clone(), serde_json::to_value(target).unwrap_or_default());
        }
    }
    let custom = json!({ "app": manifest.app, "version": manifest.version, "sequence": manifest.sequence });
    targets.insert(
        path,
        json!({ "length": manifest_bytes.len(), "hashes": { "sha256": published.hash }, "custom": custom }),
    );
    for (version, root) in &roots {
        write.immutable(&format!("metadata/{version}.root.json"), root)?;
    }
    write.sign(current.as_ref(), Some(Value::Object(targets)), &signers, now)?;
    published.written = write.written;
    Ok(published)
}

/// Signs snapshot and timestamp anew, so that clients go on believing that they see the newest.
///
/// # Errors
/// See [`publish`].
pub fn renew(
    place: &dyn Place,
    keys: &Keys,
    passphrase: Option<&str>,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    sign_anew(place, keys, passphrase, false, now)
}

/// Like [`renew`], and signs the list of releases anew as it stands, too: before it expires, and after its key was exchanged.
///
/// # Errors
/// See [`publish`].
pub fn resign(
    place: &dyn Place,
    keys: &Keys,
    passphrase: Option<&str>,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    sign_anew(place, keys, passphrase, true, now)
}

fn sign_anew(
    place: &dyn Place,
    keys: &Keys,
    passphrase: Option<&str>,
    with_targets: bool,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    let roots = check_root(keys, now)?;
    let options = Options { passphrase: passphrase.map(str::to_owned), ..Options::default() };
    let roles: &[Role] = if with_targets {
        &[Role::Targets, Role::Snapshot, Role::Timestamp]
    } else {
        &[Role::Snapshot, Role::Timestamp]
    };
    let signers = signers(keys, roles, &options)?;
    let current =
        read(place, &roots)?.ok_or_else(|| refused(format!("{} holds no release yet", place.name())))?;
    check_owned(Some(&current), with_targets)?;
    let mut write = Writer { place, written: 0 };
    for (version, root) in &roots {
        write.immutable(&format!("metadata/{version}.root.json"), root)?;
    }
    let targets = with_targets.then(|| serde_json::to_value(&current.targets.targets).unwrap_or_default());
    write.sign(Some(&current), targets, &signers, now)
}

/// What a key that is no longer trusted has signed is signed by another one only when somebody says so.
fn check_owned(current: Option<&Current>, resign: bool) -> Result<(), Error> {
    let Some(current) = current.filter(|current| current.targets_disowned && !resign) else { return Ok(()) };
    let mut lines = String::new();
    for (path, target) in &current.targets.targets {
        let hash = target.hashes.get("sha256").map(String::as_str).unwrap_or_default();
        let custom = target.custom.clone().unwrap_or_default();
        lines += &format!("\n  {path}: version {}, manifest {hash}", custom["version"]);
    }
    Err(refused(format!(
        "what is published was signed by a targets key that the newest root no longer trusts; nothing was changed. It \
         names:{lines}\nIf that is what you have published, sign it with the new key: `staysail repo renew --resign`, or \
         publish with --resign"
    )))
}

/// The keys' roots, of which the newest must not have expired: a publish can renew every role but this one.
fn check_root(keys: &Keys, now: jiff::Timestamp) -> Result<BTreeMap<u64, Vec<u8>>, Error> {
    let roots = keys.roots()?;
    if let Some(newest) = roots.values().next_back() {
        crate::crypto::trusted(newest)?;
        let root: sigstore_tuf::Root = metadata::parse(newest)?;
        if root.expires < now {
            return Err(refused(format!(
                "the root role expired on {}; nothing was published. Renew it with `staysail keys renew`",
                metadata::time(root.expires)
            )));
        }
    }
    Ok(roots)
}

fn signers(
    keys: &Keys,
    roles: &[Role],
    options: &Options,
) -> Result<BTreeMap<Role, Vec<keys::Signing>>, Error> {
    let open = |role: &Role| Ok((*role, keys.signers(*role, options.passphrase.as_deref())?));
    roles.iter().map(open).collect()
}

/// Reads and verifies what is published; `None` for an empty repository.
fn read(place: &dyn Place, roots: &BTreeMap<u64, Vec<u8>>) -> Result<Option<Current>, Error> {
    let file = |path: &str| place.read(path, METADATA_BYTES_MAX);
    for (version, ours) in roots {
        if file(&format!("metadata/{version}.root.json"))?.is_some_and(|theirs| theirs != *ours) {
            return Err(refused(format!(
                "{} belongs to other keys; nothing was published. Use its keys, or another repository",
                place.name()
            )));
        }
    }
    let torn = |what: &str| {
        refused(format!(
            "{} is torn: {what}; nothing was published. Restore it from a backup before you go on",
            place.name()
        ))
    };
    let Some(timestamp_bytes) = file("metadata/timestamp.json")? else {
        let root = file("metadata/1.root.json")?;
        // Roots without a timestamp are what an interrupted first publish leaves.
        return match root {
            Some(root) if !roots.values().any(|ours| *ours == root) => Err(torn("its timestamp is missing")),
            _ => Ok(None),
        };
    };
    let newest = roots.values().next_back().ok_or_else(|| refused("there is no root"))?;
    let timestamp: Timestamp = metadata::parse(&timestamp_bytes).map_err(|error| torn(&error.to_string()))?;
    let version =
        timestamp.snapshot_meta().map(|pin| pin.version).ok_or_else(|| torn("no snapshot is named"))?;
    let snapshot_bytes =
        file(&format!("metadata/{version}.snapshot.json"))?.ok_or_else(|| torn("its snapshot is missing"))?;
    let snapshot: Snapshot = metadata::parse(&snapshot_bytes).map_err(|error| torn(&error.to_string()))?;
    let version = snapshot.meta.get("targets.json").map(|pin| pin.version);
    let version = version.ok_or_else(|| torn("its snapshot names no targets"))?;
    let targets_bytes =
        file(&format!("metadata/{version}.targets.json"))?.ok_or_else(|| torn("its targets are missing"))?;
    let targets: Targets = metadata::parse(&targets_bytes).map_err(|error| torn(&error.to_string()))?;
    let proof = Proof {
        roots: Vec::new(),
        timestamp: timestamp_bytes.clone(),
        snapshot: snapshot_bytes,
        targets: targets_bytes,
        delegated: Vec::new(),
    };
    let any = targets.targets.keys().next().ok_or_else(|| torn("it names no release"))?;
    let channel = any.trim_start_matches("releases/").trim_end_matches(".json");
    // Roots change before what they vouch for is signed anew: the one before may be the one that it was signed under.
    let verified =
        roots.values().rev().map(|root| proof.verify(root, channel)).reduce(|all, one| all.or(one));
    verified.transpose().map_err(|error| torn(&error.to_string()))?;
    let targets_disowned = disowned(newest, &proof.targets)?;
    Ok(Some(Current { timestamp_bytes, timestamp, snapshot, targets, targets_disowned }))
}

/// Whether the root's keys for the targets role are not those that signed these targets.
fn disowned(root: &[u8], targets: &[u8]) -> Result<bool, Error> {
    let root: sigstore_tuf::Root = metadata::parse(root)?;
    let role = root.role("targets").ok_or_else(|| refused("root.json knows no targets role"))?;
    let targets = sigstore_tuf::Metadata::<Targets>::from_slice(targets)?;
    Ok(targets.verify_threshold(&root.keys, role, "targets").is_err())
}

/// The manifest that is the newest of the channel now.
fn previous(place: &dyn Place, current: &Current, path: &str) -> Result<Option<Manifest>, Error> {
    let Some(target) = current.targets.target(path) else { return Ok(None) };
    let torn = |what: String| refused(format!("{} is torn: {what}; nothing was published", place.name()));
    let hash = target.hashes.get("sha256").cloned().unwrap_or_default();
    let name = path.trim_start_matches("releases/");
    let file = format!("targets/releases/{hash}.{name}");
    let bytes = place
        .read(&file, limits::MANIFEST_BYTES_MAX as u64)?
        .ok_or_else(|| torn(format!("{file} is missing")))?;
    check_target(target, &bytes).map_err(|error| torn(error.to_string()))?;
    Ok(Some(Manifest::parse(&bytes)?))
}

fn check_version(manifest: &Manifest, previous: Option<&Manifest>) -> Result<(), Error> {
    let version = &manifest.version;
    if semver::Version::parse(version).is_err() {
        return Err(refused(format!(
            "{version:?} is no semantic version like 1.2.3; nothing was published. Set app.version or --version"
        )));
    }
    let Some(previous) = previous else { return Ok(()) };
    match compare_versions(version, &previous.version) {
        Ordering::Greater => Ok(()),
        Ordering::Equal => Err(refused(format!(
            "version {version} is published already; nothing was changed. Raise app.version or pass --version"
        ))),
        Ordering::Less => Err(refused(format!(
            "version {version} is lower than {}, which is published; nothing was changed. To go back, publish the old \
             content under a higher version",
            previous.version
        ))),
    }
}

fn check_app(manifest: &Manifest, current: Option<&Current>) -> Result<(), Error> {
    let custom = current.into_iter().flat_map(|current| current.targets.targets.values());
    let apps: BTreeSet<_> =
        custom.filter_map(|target| target.custom.as_ref()?.get("app")?.as_str().map(str::to_owned)).collect();
    match apps.iter().find(|app| **app != manifest.app) {
        None => Ok(()),
        Some(app) => Err(refused(format!(
            "this repository holds releases of {app}, not of {}; nothing was published. One repository, one app",
            manifest.app
        ))),
    }
}

/// Pairs of old and new files worth a patch: the same page path, the same place in the same target's backend.
fn deltas(place: &dyn Place, old: &Manifest, contents: &Contents) -> Result<Vec<(Delta, Vec<u8>)>, Error> {
    let new = &contents.manifest;
    let mut pairs: Vec<(&FileEntry, &FileEntry)> = Vec::new();
    let page: BTreeMap<_, _> = old.page.iter().map(|entry| (entry.path.as_str(), entry)).collect();
    pairs.extend(new.page.iter().filter_map(|entry| Some((*page.get(entry.path.as_str())?, entry))));
    for (target, files) in &new.backend {
        let old = old.backend.get(target).map(Vec::as_slice).unwrap_or_default();
        for (at, entry) in files.iter().enumerate() {
            // The worker is the first file, whatever it is called now.
            let same = if at == 0 { old.first() } else { old.iter().find(|old| old.path == entry.path) };
            pairs.extend(same.map(|same| (same, entry)));
        }
    }
    let mut made = BTreeSet::new();
    let mut patches = Vec::new();
    for (from, to) in pairs {
        if from.sha256 == to.sha256 || !made.insert((from.sha256.clone(), to.sha256.clone())) {
            continue;
        }
        let Some(base) = content(place, from)? else { continue };
        let Some(packed) = contents.blobs.get(&to.blob.sha256) else { continue };
        let target = pack::decompress(packed, to.size).map_err(refused)?;
        let Some(patch) = pack::diff(&base, &target)? else { continue };
        if patch.len() as u64 * 100 >= to.blob.size * DELTA_PERCENT_MAX
            || pack::apply(&base, &patch, to.size).ok().as_deref() != Some(target.as_slice())
        {
            continue;
        }
        let delta = Delta {
            from: from.sha256.clone(),
            to: to.sha256.clone(),
            method: pack::PATCH_FROM.into(),
            blob: Blob { sha256: hash::of(&patch), size: patch.len() as u64 },
        };
        patches.push((delta, patch));
    }
    Ok(patches)
}

/// The content of a published file; `None` when its blob is gone or damaged: then there is just no patch.
fn content(place: &dyn Place, entry: &FileEntry) -> Result<Option<Vec<u8>>, Error> {
    let blob = place.read(&format!("blobs/{}.zst", entry.blob.sha256), entry.blob.size.max(1))?;
    let content = blob.and_then(|blob| pack::decompress(&blob, entry.size).ok());
    Ok(content.filter(|content| hash::of(content) == entry.sha256))
}

fn summary(manifest: &Manifest, patches: &[(Delta, Vec<u8>)], previous: Option<&Manifest>) -> Published {
    let files = |manifest: &Manifest| -> Vec<FileEntry> {
        manifest.page.iter().chain(manifest.backend.values().flatten()).cloned().collect()
    };
    let all = files(manifest);
    let update_bytes = previous.map(|previous| {
        let known: BTreeSet<_> = files(previous).into_iter().map(|entry| entry.sha256).collect();
        let fresh: BTreeMap<_, _> = all
            .iter()
            .filter(|entry| !known.contains(&entry.sha256))
            .map(|entry| (&entry.sha256, entry.blob.size))
            .collect();
        let cost = |hash: &str, full: u64| {
            let patch =
                patches.iter().filter(|(delta, _)| delta.to == hash).map(|(delta, _)| delta.blob.size).min();
            patch.map_or(full, |patch| patch.min(full))
        };
        fresh.iter().map(|(hash, full)| cost(hash, *full)).sum()
    });
    let blobs: BTreeMap<_, _> = all.iter().map(|entry| (&entry.blob.sha256, entry.blob.size)).collect();
    Published {
        version: manifest.version.clone(),
        sequence: manifest.sequence,
        hash: String::new(),
        files: all.len(),
        full_bytes: blobs.values().sum(),
        update_bytes,
        deltas: patches.len(),
        delta_bytes: patches.iter().map(|(delta, _)| delta.blob.size).sum(),
        written: 0,
    }
}

struct Writer<'a> {
    place: &'a dyn Place,
    written: usize,
}

impl Writer<'_> {
    /// Writes a file that never changes, unless it is there.
    fn immutable(&mut self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        if !self.place.holds(path, bytes)? {
            self.place.write(path, bytes)?;
            self.written += 1;
        }
        Ok(())
    }

    /// The first number from `version` on that no file has taken: an interrupted publish may have left some.
    fn free(&self, role: Role, mut version: u64) -> Result<u64, Error> {
        while self.place.size(&format!("metadata/{version}.{}.json", role.name()))?.is_some() {
            version += 1;
        }
        Ok(version)
    }

    /// Signs targets (if they change), snapshot and timestamp, and writes them in this order.
    fn sign(
        &mut self,
        current: Option<&Current>,
        targets: Option<Value>,
        signers: &BTreeMap<Role, Vec<keys::Signing>>,
        now: jiff::Timestamp,
    ) -> Result<(), Error> {
        let seal = |role: Role, version, days, content| {
            let signers =
                signers.get(&role).ok_or_else(|| refused(format!("the {} key is missing", role.name())))?;
            let signed = metadata::role(role, version, metadata::in_days(now, days), content);
            metadata::envelope(&signed, &signers.iter().collect::<Vec<_>>())
        };
        let pin = match (targets, current) {
            (None, current) => {
                let pin = current.and_then(|current| current.snapshot.meta.get("targets.json"));
                serde_json::to_value(pin).map_err(|error| Error::Trust(error.to_string()))?
            }
            (Some(targets), current) => {
                let version =
                    self.free(Role::Targets, current.map_or(0, |current| current.targets.version) + 1)?;
                let bytes = seal(Role::Targets, version, TARGETS_EXPIRY_DAYS, targets)?;
                self.immutable(&format!("metadata/{version}.targets.json"), &bytes)?;
                metadata::pin(version, &bytes)
            }
        };
        let version = self.free(Role::Snapshot, current.map_or(0, |current| current.snapshot.version) + 1)?;
        let bytes = seal(Role::Snapshot, version, SNAPSHOT_EXPIRY_DAYS, json!({ "targets.json": pin }))?;
        self.immutable(&format!("metadata/{version}.snapshot.json"), &bytes)?;
        let pin = metadata::pin(version, &bytes);
        let version = current.map_or(0, |current| current.timestamp.version) + 1;
        let bytes = seal(Role::Timestamp, version, TIMESTAMP_EXPIRY_DAYS, json!({ "snapshot.json": pin }))?;
        let old = current.map(|current| current.timestamp_bytes.as_slice());
        self.place.replace("metadata/timestamp.json", old, &bytes)?;
        self.written += 1;
        Ok(())
    }
}
