//! Patches from the files of the last releases to those of a new one.
//!
//! Which releases there were is signed along with the newest one (`custom.previous` of its target). A patch is made for
//! each file that has a predecessor, in the smallest of all methods, and left out unless it is clearly smaller than the
//! file: a client that has no patch fetches the whole file, and comes to the same.

use super::{Options, Place, refused};
use crate::bundle::Contents;
use crate::{Error, hash, pack};
use serde_json::{Map, Value};
use staysail_protocol::limits;
use staysail_protocol::manifest::{Blob, Delta, FileEntry, Manifest, Module};
use std::collections::{BTreeMap, BTreeSet};

/// A patch is published when it is smaller than this part of the whole file.
pub const DELTA_PERCENT_MAX: u64 = 70;
/// Releases before a new one from which patches are made, when nothing else is said.
pub const DELTA_RELEASES: usize = 3;
/// Most releases from which patches are made.
pub const DELTA_RELEASES_MAX: usize = 16;

/// Hashes of the manifests that were published on the channel, the newest first.
pub(super) fn history(targets: &Map<String, Value>, path: &str) -> Vec<String> {
    let Some(target) = targets.get(path) else { return Vec::new() };
    let before = target["custom"]["previous"].as_array().into_iter().flatten();
    let all = std::iter::once(&target["hashes"]["sha256"]).chain(before);
    all.filter_map(|hash| Some(hash.as_str()?.to_owned())).take(DELTA_RELEASES_MAX).collect()
}

/// The manifests published before the newest one, as far as they are still there: of others there are just no patches.
fn older(
    place: &dyn Place,
    channel: &str,
    hashes: &[String],
    barrier: Option<String>,
    releases: usize,
) -> Vec<Manifest> {
    let manifest = |hash: &String| {
        let file = format!("targets/releases/{hash}.{channel}.json");
        let bytes = place.read(&file, limits::MANIFEST_BYTES_MAX as u64).ok()??;
        Manifest::parse(&bytes).ok().filter(|_| hash::of(&bytes) == *hash)
    };
    let last = &hashes[..releases.min(hashes.len())];
    // Whoever is far behind comes from the barrier, however long ago that was.
    let barrier = barrier.filter(|barrier| !last.contains(barrier));
    last.iter().skip(1).chain(&barrier).filter_map(manifest).collect()
}

/// Pairs of old and new files that may be worth a patch: the same page path, the same module, the same place in the same target's backend.
fn pairs<'a>(old: &'a Manifest, new: &'a Manifest) -> Vec<(&'a FileEntry, &'a FileEntry)> {
    let addressed = |manifest: &'a Manifest| manifest.page.iter().chain(manifest.group_files());
    let page: BTreeMap<_, _> = addressed(old).map(|entry| (entry.path.as_str(), entry)).collect();
    let mut pairs: Vec<_> =
        addressed(new).filter_map(|entry| Some((*page.get(entry.path.as_str())?, entry))).collect();
    let module = |(name, module): (&String, &'a Module)| Some((&old.modules.get(name)?.file, &module.file));
    pairs.extend(new.modules.iter().filter_map(module));
    for (target, files) in &new.backend {
        let old = old.backend.get(target).map(Vec::as_slice).unwrap_or_default();
        for (at, entry) in files.iter().enumerate() {
            // The worker is the first file, whatever it is called now.
            let same = if at == 0 { old.first() } else { old.iter().find(|old| old.path == entry.path) };
            pairs.extend(same.map(|same| (same, entry)));
        }
    }
    for (target, files) in &new.shell {
        let old = old.shell.get(target).and_then(|old| old.first());
        pairs.extend(old.zip(files.first()));
    }
    pairs
}

/// The patches of the release before to the shells that the new one carries on.
pub(super) fn carried_on(previous: Option<&Manifest>, new: &Manifest, options: &Options) -> Vec<Delta> {
    let Some(previous) = previous.filter(|_| options.delta_releases > 0) else { return Vec::new() };
    let shells: BTreeSet<&str> = new.shell.values().flatten().map(|entry| entry.sha256.as_str()).collect();
    previous.deltas.iter().filter(|delta| shells.contains(delta.to.as_str())).cloned().collect()
}

/// Makes the patches for a release that follows `previous`; `before` are the hashes of all manifests before it, `barrier` that
/// of the newest barrier.
pub(super) fn make(
    place: &dyn Place,
    previous: Option<&Manifest>,
    before: &[String],
    barrier: Option<String>,
    contents: &Contents,
    options: &Options,
) -> Result<Vec<(Delta, Vec<u8>)>, Error> {
    let releases = options.delta_releases.min(DELTA_RELEASES_MAX);
    let Some(previous) = previous.filter(|_| releases > 0) else { return Ok(Vec::new()) };
    let older = older(place, &options.channel, before, barrier, releases);
    deltas(place, std::iter::once(previous).chain(&older), contents)
}

/// Patches from the files of the releases before to those that are new, where they are clearly smaller than the whole.
fn deltas<'a>(
    place: &dyn Place,
    before: impl Iterator<Item = &'a Manifest>,
    contents: &Contents,
) -> Result<Vec<(Delta, Vec<u8>)>, Error> {
    let new = &contents.manifest;
    let mut made = BTreeSet::new();
    let mut patches = Vec::new();
    for old in before {
        for (from, to) in pairs(old, new) {
            if from.sha256 == to.sha256 || !made.insert((from.sha256.clone(), to.sha256.clone())) {
                continue;
            }
            let Some(base) = content(place, from) else { continue };
            // What an earlier release brought has its patches already.
            let Some(packed) = contents.blobs.get(&to.blob.sha256) else { continue };
            let target = pack::decompress(packed, to.size).map_err(refused)?;
            let Some((method, patch)) = pack::smallest_delta(&base, &target)? else { continue };
            if patch.len() as u64 * 100 >= to.blob.size * DELTA_PERCENT_MAX
                || pack::apply_delta(method, &base, &patch, to.size).ok().as_deref()
                    != Some(target.as_slice())
            {
                continue;
            }
            let delta = Delta {
                from: from.sha256.clone(),
                to: to.sha256.clone(),
                method: method.into(),
                blob: Blob { sha256: hash::of(&patch), size: patch.len() as u64 },
            };
            patches.push((delta, patch));
        }
    }
    Ok(patches)
}

/// The content of a published file; `None` when its blob is gone, damaged or can not be read: then there is just no patch.
fn content(place: &dyn Place, entry: &FileEntry) -> Option<Vec<u8>> {
    let blob = place.read(&format!("blobs/{}.zst", entry.blob.sha256), entry.blob.size.max(1)).ok()??;
    pack::decompress(&blob, entry.size).ok().filter(|content| hash::of(content) == entry.sha256)
}
