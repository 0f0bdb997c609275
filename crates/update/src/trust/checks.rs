//! What one file of metadata must be by itself, beyond what `sigstore-tuf` asks of it; and which delegations lead to a target.

use crate::{Error, hash};
use sigstore_tuf::{Key, Role, Targets};
use sigstore_types::DerPublicKey;
use std::collections::{BTreeMap, BTreeSet};

/// Delegated roles that may name `path`, in order, and whether nothing after them counts.
pub(crate) fn matching(targets: &Targets, path: &str) -> Result<(Vec<String>, bool), Error> {
    let mut roles = Vec::new();
    for role in targets.delegations.iter().flat_map(|delegations| &delegations.roles) {
        if is_top_level(&role.name) || !role.matches_path(path)? {
            continue;
        }
        roles.push(role.name.clone());
        if role.terminating {
            return Ok((roles, true));
        }
    }
    Ok((roles, false))
}

fn is_top_level(role: &str) -> bool {
    matches!(role, "root" | "timestamp" | "snapshot" | "targets")
}

pub(super) fn check_version(role: &impl Role) -> Result<(), Error> {
    // Section 4.3: versions are greater than zero.
    if role.version() == 0 { Err(Error::Trust("metadata of version 0".into())) } else { Ok(()) }
}

/// A key counts once, whatever ids it goes by: thresholds count keys. Where one signature is enough nothing is to be counted.
fn check_keys(
    role: &str,
    threshold: usize,
    ids: &[String],
    keys: &BTreeMap<String, Key>,
) -> Result<(), Error> {
    if threshold < 2 {
        return Ok(());
    }
    let mut seen = BTreeMap::new();
    for id in ids {
        let Some(key) = keys.get(id) else { continue };
        if seen.insert(raw(&key.keyval.public), id).is_some_and(|other| other != id) {
            return Err(Error::Trust(format!("the role {role} has one key under two ids")));
        }
    }
    Ok(())
}

/// The key itself, however it is written: in letters of either case, in PEM or not.
fn raw(public: &str) -> Vec<u8> {
    // What stands before the 32 bytes of an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410).
    const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let text = public.trim();
    if let Some(bytes) = hash::unhex(text) {
        return bytes;
    }
    let Ok(der) = DerPublicKey::from_pem(text) else { return text.into() };
    let bytes = der.as_bytes();
    bytes.strip_prefix(&ED25519).unwrap_or(bytes).to_vec()
}

pub(super) fn check_root(root: &sigstore_tuf::Root) -> Result<(), Error> {
    check_version(root)?;
    root.roles.iter().try_for_each(|(name, role)| check_keys(name, role.threshold, &role.keyids, &root.keys))
}

pub(super) fn check_targets(targets: &Targets) -> Result<(), Error> {
    check_version(targets)?;
    let Some(delegations) = &targets.delegations else { return Ok(()) };
    let mut names = BTreeSet::new();
    for role in &delegations.roles {
        if !names.insert(&role.name) {
            return Err(Error::Trust(format!("the role {} is delegated to twice in one place", role.name)));
        }
        check_keys(&role.name, role.threshold, &role.keyids, &delegations.keys)?;
    }
    Ok(())
}
