//! Publishing: from a release made ready to a repository of plain files that any static host serves.
//!
//! # Theory of operation
//! ```text
//! blobs/<sha256>.zst                        compressed files and patches
//! targets/releases/<sha256>.<channel>.json  release manifests
//! targets/<sha256>.releases/<channel>.json  the same, under the name that tough asks for
//! targets/releases/<sha256>.<channel>.<sequence>.json  once more for each barrier, under either name
//! targets/releases/<sha256>.<channel>.wave-<sequence>.json  once more for each release in waves
//! targets/rollouts/<sha256>.<channel>.json  how large the shares of releases in waves are
//! metadata/N.root.json                      who may sign
//! metadata/N.targets.json                   which manifest is the newest of each channel
//! metadata/N.channel-<channel>.json         the same for a channel that has a role and keys of its own
//! metadata/N.rollout.json                   the list of shares
//! metadata/N.snapshot.json                  which targets metadata count
//! metadata/timestamp.json                   which snapshot is the newest
//! ```
//! Written in this order, each file whole; only the last one is ever replaced, and that is the moment the release goes
//! live. An interrupted publish leaves files nobody refers to, and the next one steps over the numbers they took.

mod built;
pub mod bundle;
pub mod check;
mod current;
pub mod deltas;
pub mod keys;
mod lists;
pub mod metadata;
pub mod place;
pub mod rollout;
mod shells;

pub use crate::trust::CHANNEL_NAME_BYTES_MAX;
pub use deltas::{DELTA_PERCENT_MAX, DELTA_RELEASES, DELTA_RELEASES_MAX};
pub use keys::Keys;
pub use lists::{delegate, role_of};
pub use metadata::Role;
pub use place::{Folder, Place, Server};
pub use rollout::Share;

use crate::bundle::Contents;
use crate::store::compare_versions;
use crate::trust::{ROLLOUT_ROLE, check_target, target_path, wave_path};
use crate::{Error, hash};
use current::{Current, check_owned, check_root, read};
use lists::{List, Online};
use serde_json::{Map, Value, json};
use staysail_protocol::limits;
use staysail_protocol::manifest::{Delta, FileEntry, Manifest};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Days the list of releases is valid; every publish renews it.
pub const TARGETS_EXPIRY_DAYS: i64 = 730;
/// Days a snapshot is valid; every publish and every renewal renews it.
pub const SNAPSHOT_EXPIRY_DAYS: i64 = 365;
/// Days a client believes that what it sees is the newest. After that it installs nothing until `staysail publish` or
/// `staysail repo renew` has renewed it; apps go on running.
pub const TIMESTAMP_EXPIRY_DAYS: i64 = 30;
/// Letters of a release's hash that are its salt.
const SALT_BYTES: usize = 16;
/// Largest metadata file a publisher reads back.
pub const METADATA_BYTES_MAX: u64 = 16 << 20;

/// What to publish, and as what.
#[derive(Debug, Clone)]
pub struct Options {
    /// Channel; `stable` for everyone.
    pub channel: String,
    /// Version, instead of the manifest's.
    pub version: Option<String>,
    /// Notes for users, Markdown.
    pub notes: Option<String>,
    /// Passphrase of the keys.
    pub passphrase: Option<String>,
    /// Passphrase of the channel's own key, when it is another one.
    pub channel_passphrase: Option<String>,
    /// From how many releases before this one patches are made; [`DELTA_RELEASES_MAX`] at most.
    pub delta_releases: usize,
    /// Versions of barriers that are none any more.
    pub lift_barriers: Vec<String>,
    /// Sign what is published already, although the keys that signed it are no longer trusted. Look at it first: whoever
    /// stole a key may have published something.
    pub resign: bool,
    /// How many get it for now; everybody, unless it is said.
    pub rollout: Option<Share>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            channel: String::new(),
            version: None,
            notes: None,
            passphrase: None,
            channel_passphrase: None,
            delta_releases: DELTA_RELEASES,
            lift_barriers: Vec::new(),
            resign: false,
            rollout: None,
        }
    }
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
    /// Version of the newest barrier before it.
    pub after_barrier: Option<String>,
    /// The release before carried a shell and this one is meant not to: apps return to the one that was installed.
    pub drops_shell: bool,
    /// Targets of which the release before had a backend and this one has none: apps there stay as they are.
    pub drops_targets: Vec<String>,
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

fn refused(message: impl Into<String>) -> Error {
    Error::Refused(message.into())
}

/// Publishes `contents`. Goes live at the very last write, or not at all.
///
/// # Errors
/// [`Error::Refused`] with the repository untouched; disk and network errors with the repository valid as it was;
/// [`Error::Uncertain`] when it is not known whether the very last write was done.
pub fn publish(
    place: &dyn Place,
    keys: &Keys,
    mut contents: Contents,
    options: &Options,
    now: jiff::Timestamp,
) -> Result<Published, Error> {
    let Opened { roots, online, path, current, mut list, top, mut shares } = open(place, keys, options, now)?;
    let channel = &options.channel;
    let newest = rollout::newest_path(&list.targets, channel);
    let previous = previous(place, &list.targets, &newest)?;
    if options.rollout.is_some() {
        rollout::check_room(&list.targets, channel, contents.manifest.barrier)?;
    }

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
    shells::carry(place, &mut contents, previous.as_ref())?;
    shells::check_carried(&contents, previous.as_ref())?;
    let before = deltas::history(&list.targets, &newest);
    let barriers = list.standing_barriers(options)?;
    contents.manifest.after_barrier = barriers.last().map(|(version, _)| version.clone());
    let last_barrier = barriers.last().and_then(|(_, path)| list.hash_of(path));
    let patches = deltas::make(place, previous.as_ref(), &before, last_barrier, &contents, options)?;
    let carried_on = deltas::carried_on(previous.as_ref(), &contents.manifest, options);
    let manifest = &mut contents.manifest;
    manifest.deltas = patches.iter().map(|(delta, _)| delta.clone()).chain(carried_on).collect();
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
    let mut paths = vec![path];
    if manifest.barrier {
        paths.push(list.room_for_barrier(current.as_ref(), channel, manifest.sequence)?);
    }
    let wave = options.rollout.map(|_| wave_path(channel, manifest.sequence));
    // Under the name of those that are for everybody, too: it is to become one.
    for path in paths.iter().chain(&wave) {
        let name = path.trim_start_matches("releases/");
        write.immutable(&format!("targets/releases/{}.{name}", published.hash), &manifest_bytes)?;
        // tough puts the hash before the whole path and not, as the specification says, before the last piece of it.
        write.immutable(&format!("targets/{}.{path}", published.hash), &manifest_bytes)?;
    }

    let custom = json!({
        "app": manifest.app, "version": manifest.version, "sequence": manifest.sequence, "previous": before,
    });
    let target =
        json!({ "length": manifest_bytes.len(), "hashes": { "sha256": published.hash }, "custom": custom });
    let said = current.as_ref().and_then(|current| current.channels.get(ROLLOUT_ROLE));
    match wave {
        None => {
            rollout::end(&mut list.targets, channel);
            list.targets.extend(paths.into_iter().map(|path| (path, target.clone())));
        }
        Some(path) => {
            rollout::fold(&mut list.targets, said, channel);
            let mut target = target;
            target["custom"]["salt"] = published.hash[..SALT_BYTES].into();
            list.targets.insert(path, target);
        }
    }
    if let Some(shares) = &mut shares {
        let mut waves = rollout::waves(&list.targets, said, channel);
        let own = waves.iter_mut().find(|wave| wave.hash == published.hash);
        own.into_iter().for_each(|own| own.share = options.rollout.unwrap_or(own.share));
        rollout::say(&mut write, shares, channel, &waves)?;
    }
    for (version, root) in &roots {
        write.immutable(&format!("metadata/{version}.root.json"), root)?;
    }
    let lists = std::iter::once(list).chain(top).chain(shares).collect();
    write.sign(current.as_ref(), lists, &online, now)?;
    published.written = write.written;
    Ok(published)
}

/// Whether a release could be published as these options say: that the repository can be read, that all keys which must sign are
/// here and open, that the version is a new one, and that apps built with `root` trust these keys. Before anything is compiled.
/// Answers whether there is a repository yet.
///
/// # Errors
/// See [`publish`].
pub fn check_ready(
    place: &dyn Place,
    keys: &Keys,
    options: &Options,
    root: Option<&[u8]>,
    now: jiff::Timestamp,
) -> Result<bool, Error> {
    if root.is_some_and(|root| !keys.roots().is_ok_and(|roots| roots.values().any(|ours| ours == root))) {
        return Err(refused(
            "the app is built to trust other keys (`root` in [update] of staysail.toml) than these, and would refuse the release; \
             nothing was published. Name the folder of its keys with --keys",
        ));
    }
    let Opened { current, list, .. } = open(place, keys, options, now)?;
    if let Some(version) = &options.version {
        let previous =
            previous(place, &list.targets, &rollout::newest_path(&list.targets, &options.channel))?;
        check_version(&Manifest { version: version.clone(), ..Manifest::default() }, previous.as_ref())?;
    }
    Ok(current.is_some())
}

/// What there is before a release, and the keys that sign it.
struct Opened {
    roots: BTreeMap<u64, Vec<u8>>,
    online: Online,
    path: String,
    current: Option<Current>,
    list: List,
    /// The list of the targets role, when the release is in another one and this is to be signed anew, too.
    top: Option<List>,
    /// The list of shares, when there is one or is to be one.
    shares: Option<List>,
}

fn open(place: &dyn Place, keys: &Keys, options: &Options, now: jiff::Timestamp) -> Result<Opened, Error> {
    let roots = check_root(keys, now)?;
    let passphrase = options.passphrase.as_deref();
    let online = Online::open(keys, passphrase)?;
    let path = target_path(&options.channel);
    lists::check_channel(&options.channel)?;
    let current = read(place, &roots)?;
    check_owned(current.as_ref(), options.resign)?;
    let own = options.channel_passphrase.as_deref().or(passphrase);
    let mut list = List::of(current.as_ref(), keys, &path, (passphrase, own))?;
    let disowned = current.as_ref().filter(|current| current.targets_disowned && list.role != "targets");
    let mut top = disowned.map(|current| List::top(Some(current), keys, passphrase)).transpose()?;
    let shares = rollout::open((current.as_ref(), keys, options), &mut list, &mut top)?;
    Ok(Opened { roots, online, path, current, list, top, shares })
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
    let online = Online::open(keys, passphrase)?;
    let current =
        read(place, &roots)?.ok_or_else(|| refused(format!("{} holds no release yet", place.name())))?;
    check_owned(Some(&current), with_targets)?;
    let mut write = Writer { place, written: 0 };
    for (version, root) in &roots {
        write.immutable(&format!("metadata/{version}.root.json"), root)?;
    }
    let lists = rollout::renewed(&current, keys, passphrase, with_targets)?;
    write.sign(Some(&current), lists, &online, now)
}

/// The manifest that is the newest of the channel now.
fn previous(place: &dyn Place, targets: &Map<String, Value>, path: &str) -> Result<Option<Manifest>, Error> {
    let Some(target) = targets.get(path) else { return Ok(None) };
    let target: sigstore_tuf::TargetFile =
        serde_json::from_value(target.clone()).map_err(|error| Error::Trust(error.to_string()))?;
    let torn = |what: String| refused(format!("{} is torn: {what}; nothing was published", place.name()));
    let hash = target.hashes.get("sha256").cloned().unwrap_or_default();
    let name = path.trim_start_matches("releases/");
    let file = format!("targets/releases/{hash}.{name}");
    let bytes = place
        .read(&file, limits::MANIFEST_BYTES_MAX as u64)?
        .ok_or_else(|| torn(format!("{file} is missing")))?;
    check_target(&target, &bytes).map_err(|error| torn(error.to_string()))?;
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
    let lists = current
        .into_iter()
        .flat_map(|current| std::iter::once(&current.targets).chain(current.channels.values()));
    let custom = lists.flat_map(|list| list.targets.values());
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

fn summary(manifest: &Manifest, patches: &[(Delta, Vec<u8>)], previous: Option<&Manifest>) -> Published {
    // What groups hold is fetched by those who ask for it.
    let files = |manifest: &Manifest| -> Vec<FileEntry> {
        let native = manifest.backend.values().chain(manifest.shell.values()).flatten();
        manifest.page.iter().chain(manifest.module_files()).chain(native).cloned().collect()
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
            let fits = |delta: &Delta| delta.to == hash && known.contains(&delta.from);
            let patch =
                patches.iter().filter(|(delta, _)| fits(delta)).map(|(delta, _)| delta.blob.size).min();
            patch.map_or(full, |patch| patch.min(full))
        };
        fresh.iter().map(|(hash, full)| cost(hash, *full)).sum()
    });
    let blobs: BTreeMap<_, _> = all.iter().map(|entry| (&entry.blob.sha256, entry.blob.size)).collect();
    Published {
        version: manifest.version.clone(),
        sequence: manifest.sequence,
        hash: String::new(),
        after_barrier: manifest.after_barrier.clone(),
        drops_shell: shells::dropped(manifest, previous).next().is_some(),
        drops_targets: previous
            .into_iter()
            .flat_map(|previous| previous.backend.keys())
            .filter(|target| !manifest.backend.contains_key(*target))
            .cloned()
            .collect(),
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
    fn free(&self, role: &str, mut version: u64) -> Result<u64, Error> {
        while self.place.size(&format!("metadata/{version}.{role}.json"))?.is_some() {
            version += 1;
        }
        Ok(version)
    }

    /// Signs the lists that change, snapshot and timestamp, and writes them in this order.
    fn sign(
        &mut self,
        current: Option<&Current>,
        lists: Vec<List>,
        online: &Online,
        now: jiff::Timestamp,
    ) -> Result<(), Error> {
        let seal = |signed: &Value, signers: &[keys::Signing]| {
            metadata::envelope(signed, &signers.iter().collect::<Vec<_>>())
        };
        let mut meta = match current.map(|current| serde_json::to_value(&current.snapshot.meta)) {
            Some(Ok(Value::Object(meta))) => meta,
            _ => Map::new(),
        };
        for list in lists {
            let version = self.free(&list.role, list.version + 1)?;
            let expires = metadata::in_days(now, TARGETS_EXPIRY_DAYS);
            let mut signed = metadata::role(Role::Targets, version, expires, Value::Object(list.targets));
            if let Some(delegations) = list.delegations {
                signed["delegations"] = delegations;
            }
            let bytes = seal(&signed, &list.signers)?;
            self.immutable(&format!("metadata/{version}.{}.json", list.role), &bytes)?;
            meta.insert(format!("{}.json", list.role), metadata::pin(version, &bytes));
        }
        let version = self.free("snapshot", current.map_or(0, |current| current.snapshot.version) + 1)?;
        let expires = metadata::in_days(now, SNAPSHOT_EXPIRY_DAYS);
        let signed = metadata::role(Role::Snapshot, version, expires, Value::Object(meta));
        let bytes = seal(&signed, &online.snapshot)?;
        self.immutable(&format!("metadata/{version}.snapshot.json"), &bytes)?;
        let pin = json!({ "snapshot.json": metadata::pin(version, &bytes) });
        let version = current.map_or(0, |current| current.timestamp.version).saturating_add(1);
        let expires = metadata::in_days(now, TIMESTAMP_EXPIRY_DAYS);
        let bytes = seal(&metadata::role(Role::Timestamp, version, expires, pin), &online.timestamp)?;
        let old = current.map(|current| current.timestamp_bytes.as_slice());
        self.place.replace("metadata/timestamp.json", old, &bytes).map_err(|error| match error {
            Error::Refused(_) => error,
            // What failed may have been the answer, or what comes after the file was exchanged.
            error => Error::Uncertain { repository: self.place.name(), reason: error.to_string() },
        })?;
        self.written += 1;
        Ok(())
    }
}
