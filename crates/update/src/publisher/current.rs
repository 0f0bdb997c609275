//! What a publisher finds: the keys' roots, and the repository as a verified client would see it.

use super::{Keys, METADATA_BYTES_MAX, Place, metadata, refused};
use crate::Error;
use crate::trust::{NEVER, Proof, as_file_name};
use sigstore_tuf::{Snapshot, Targets, Timestamp};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The repository as a verified client would see it, however old.
pub(super) struct Current {
    pub timestamp_bytes: Vec<u8>,
    pub timestamp: Timestamp,
    pub snapshot: Snapshot,
    pub targets: Targets,
    /// What roles of single channels have signed.
    pub channels: BTreeMap<String, Targets>,
    /// The newest root no longer trusts the keys that signed the targets.
    pub targets_disowned: bool,
}

/// What a key that is no longer trusted has signed is signed by another one only when somebody says so.
pub(super) fn check_owned(current: Option<&Current>, resign: bool) -> Result<(), Error> {
    let Some(current) = current.filter(|current| current.targets_disowned && !resign) else { return Ok(()) };
    let mut lines = named(&current.targets, "  ");
    if let Some(delegations) = &current.targets.delegations {
        for role in &delegations.roles {
            // Ids as they follow from the keys: what a list calls a key proves nothing.
            let ids = role.keyids.iter().filter_map(|id| delegations.keys.get(id)?.key_id().ok());
            let ids = ids.collect::<Vec<_>>().join(", ");
            let paths = role.paths.as_ref().or(role.path_hash_prefixes.as_ref());
            let paths = paths.map(|paths| paths.join(", ")).unwrap_or_default();
            let (name, wanted) = (&role.name, role.threshold);
            let _ = write!(lines, "\n  the role {name} signs {paths}, with {wanted} of the keys {ids}");
            lines += &current.channels.get(name).map(|list| named(list, "    ")).unwrap_or_default();
        }
    }
    Err(refused(format!(
        "what is published was signed by a targets key that the newest root no longer trusts; nothing was changed. It \
         names:{lines}\nIf that is what you have published, and the keys are those you gave, sign it with the new key: \
         `staysail repo renew --resign`, or publish with --resign. A channel that others were given is taken back by \
         `staysail repo renew --resign` and `staysail repo delegate CHANNEL` after it"
    )))
}

/// The releases in a list, one line each.
fn named(list: &Targets, indent: &str) -> String {
    let mut lines = String::new();
    for (path, target) in &list.targets {
        let hash = target.hashes.get("sha256").map(String::as_str).unwrap_or_default();
        let custom = target.custom.clone().unwrap_or_default();
        let _ = write!(lines, "\n{indent}{path}: version {}, manifest {hash}", custom["version"]);
    }
    lines
}

/// The keys' roots, of which the newest must not have expired: a publish can renew every role but this one.
pub(super) fn check_root(keys: &Keys, now: jiff::Timestamp) -> Result<BTreeMap<u64, Vec<u8>>, Error> {
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

/// Reads and verifies what is published; `None` for an empty repository.
pub(super) fn read(place: &dyn Place, roots: &BTreeMap<u64, Vec<u8>>) -> Result<Option<Current>, Error> {
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
        path: String::new(),
        roots: Vec::new(),
        timestamp: timestamp_bytes.clone(),
        snapshot: snapshot_bytes,
        targets: targets_bytes,
        delegated: Vec::new(),
    };
    // Roots change before what they vouch for is signed anew: the one before may be the one that it was signed under.
    let mut trusted = proof.chain(newest);
    for older in roots.values().rev().skip(1) {
        trusted = trusted.or_else(|error| proof.chain(older).map_err(|_| error));
    }
    let mut trusted = trusted.map_err(|error| torn(&error.to_string()))?;
    let mut channels = BTreeMap::new();
    for role in targets.delegations.iter().flat_map(|delegations| &delegations.roles) {
        let Some(pin) = snapshot.meta.get(&format!("{}.json", role.name)) else { continue };
        let name = format!("metadata/{}.{}.json", pin.version, as_file_name(&role.name));
        let bytes = file(&name)?.ok_or_else(|| torn(&format!("{name} is missing")))?;
        let list = trusted.update_delegated_targets(&bytes, &role.name, "targets", NEVER);
        channels.insert(role.name.clone(), list.map_err(|error| torn(&error.to_string()))?.clone());
    }
    if targets.targets.is_empty() && channels.is_empty() {
        return Err(torn("it names no release"));
    }
    let targets_disowned = disowned(newest, &proof.targets)?;
    Ok(Some(Current { timestamp_bytes, timestamp, snapshot, targets, channels, targets_disowned }))
}

/// Whether the root's keys for the targets role are not those that signed these targets.
fn disowned(root: &[u8], targets: &[u8]) -> Result<bool, Error> {
    let root: sigstore_tuf::Root = metadata::parse(root)?;
    let role = root.role("targets").ok_or_else(|| refused("root.json knows no targets role"))?;
    let targets = sigstore_tuf::Metadata::<Targets>::from_slice(targets)?;
    Ok(targets.verify_threshold(&root.keys, role, "targets").is_err())
}
