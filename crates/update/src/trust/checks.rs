//! What one file of metadata must be by itself, beyond what `sigstore-tuf` asks of it; and which delegations lead to a target.

use crate::Error;
use sigstore_tuf::{Key, Role, Targets};
use std::collections::{BTreeMap, BTreeSet};

/// Delegated roles that may name `path`, in order, and whether nothing after them counts.
pub(super) fn matching(targets: &Targets, path: &str) -> Result<(Vec<String>, bool), Error> {
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
        if seen.insert(key.keyval.public.trim(), id).is_some_and(|other| other != id) {
            return Err(Error::Trust(format!("the role {role} has one key under two ids")));
        }
    }
    Ok(())
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
