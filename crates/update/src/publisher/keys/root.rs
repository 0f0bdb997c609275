//! The next root, before and while it is signed.

use super::refused;
use crate::publisher::metadata::{self, Role};
use crate::{Error, crypto};
use serde_json::{Value, json};
use sigstore_tuf::{Key, Metadata, Root};
use sigstore_types::SignatureBytes;
use std::collections::BTreeSet;

/// A root that is being made: the one before with a higher version, a new expiry, and changes.
#[derive(Debug, Clone)]
pub struct Draft {
    signed: Value,
}

impl Draft {
    /// The root after `current`.
    pub(super) fn after(current: &[u8], expires: jiff::Timestamp) -> Result<Self, Error> {
        let version = metadata::parse::<Root>(current)?.version + 1;
        let mut envelope: Value = serde_json::from_slice(current)
            .map_err(|error| refused(format!("root.json can not be read: {error}")))?;
        let mut signed = envelope["signed"].take();
        signed["version"] = version.into();
        signed["expires"] = metadata::time(expires).into();
        Ok(Self { signed })
    }

    fn ids(&mut self, role: Role) -> &mut Vec<Value> {
        let role = &mut self.signed["roles"][role.name()];
        if !role["keyids"].is_array() {
            *role = json!({ "keyids": [], "threshold": 1 });
        }
        match &mut role["keyids"] {
            Value::Array(ids) => ids,
            _ => unreachable!("it was made an array"),
        }
    }

    /// How many keys a role has.
    pub fn count(&mut self, role: Role) -> usize {
        self.ids(role).len()
    }

    /// Trusts a key for a role.
    pub fn add(&mut self, role: Role, public: &Value, id: &str) {
        if !self.ids(role).iter().any(|known| known == id) {
            self.ids(role).push(id.into());
        }
        self.signed["keys"][id] = public.clone();
    }

    /// Trusts no key for a role any more.
    pub fn clear(&mut self, role: Role) {
        self.ids(role).clear();
    }

    /// Trusts a key for a role no more; `id` is its id or the beginning of it.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such key, or more than one.
    pub fn remove(&mut self, role: Role, id: &str) -> Result<(), Error> {
        let begins = |known: &Value| known.as_str().is_some_and(|known| known.starts_with(id));
        let ids = self.ids(role);
        match ids.iter().filter(|known| begins(known)).count() {
            1 => ids.retain(|known| !begins(known)),
            0 => {
                return Err(refused(format!(
                    "the {} role has no key {id}; see `staysail keys status`",
                    role.name()
                )));
            }
            _ => return Err(refused(format!("{id} is the beginning of several keys' ids; give more of it"))),
        }
        Ok(())
    }

    /// Wants so many signatures of a role's keys.
    pub fn set_threshold(&mut self, role: Role, threshold: usize) {
        self.ids(role);
        self.signed["roles"][role.name()]["threshold"] = threshold.into();
    }

    /// The signed part, if it makes sense.
    pub(super) fn finish(mut self) -> Result<Value, Error> {
        let mut used = BTreeSet::new();
        for role in Role::ALL {
            let count = self.count(role);
            used.extend(self.ids(role).iter().filter_map(|id| id.as_str().map(str::to_owned)));
            let threshold = self.signed["roles"][role.name()]["threshold"].as_u64().unwrap_or_default();
            if threshold == 0 || threshold > count as u64 {
                return Err(refused(format!(
                    "the {} role would have {count} keys and want {threshold} signatures; nothing was changed. Set its \
                     threshold with --threshold",
                    role.name()
                )));
            }
        }
        if let Value::Object(keys) = &mut self.signed["keys"] {
            keys.retain(|id, _| used.contains(id));
        }
        Ok(self.signed)
    }
}

/// How far the signing of a root has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Signatures by keys of the root before, and how many are wanted.
    pub old: (usize, usize),
    /// Signatures by its own keys, and how many are wanted.
    pub new: (usize, usize),
}

impl Progress {
    /// Whether clients accept it.
    pub fn is_complete(self) -> bool {
        self.old.0 >= self.old.1 && self.new.0 >= self.new.1
    }

    /// Counts the good signatures of `next` by the keys of `current` and by its own.
    pub(super) fn of(current: &Root, next: &Metadata<Root>) -> Self {
        Self { old: count(current, next), new: count(next.signed(), next) }
    }
}

fn count(by: &Root, next: &Metadata<Root>) -> (usize, usize) {
    crypto::install();
    let Some(role) = by.role("root") else { return (0, usize::MAX) };
    let good = |id: &&String, key: &Key| {
        let signed = next.signatures().iter().find(|signature| signature.keyid == **id);
        let raw = signed.and_then(|signature| crate::hash::unhex(&signature.sig));
        raw.is_some_and(|raw| key.verify(next.signed_canonical(), &SignatureBytes::new(raw)).is_ok())
    };
    let ids: BTreeSet<&String> = role.keyids.iter().collect();
    let count = ids.iter().filter(|id| by.keys.get(**id).is_some_and(|key| good(id, key))).count();
    (count, role.threshold)
}

/// What a root changes against the one before, for people: one line each.
pub fn changes(current: &Root, next: &Root) -> Vec<String> {
    let mut lines = Vec::new();
    for role in Role::ALL.map(Role::name) {
        let keys = |root: &Root| -> BTreeSet<String> {
            root.role(role).map(|role| role.keyids.iter().cloned().collect()).unwrap_or_default()
        };
        let threshold = |root: &Root| root.role(role).map_or(0, |role| role.threshold);
        let (before, after) = (keys(current), keys(next));
        lines.extend(after.difference(&before).map(|id| format!("{role}: trusts the key {id}")));
        lines.extend(before.difference(&after).map(|id| format!("{role}: no longer trusts the key {id}")));
        if threshold(current) != threshold(next) {
            lines.push(format!("{role}: wants {} signatures, not {}", threshold(next), threshold(current)));
        }
    }
    if current.consistent_snapshot != next.consistent_snapshot {
        let (before, after) = (current.consistent_snapshot, next.consistent_snapshot);
        lines.push(format!("consistent_snapshot: {after}, not {before}"));
    }
    lines.push(format!("is valid until {}", metadata::time(next.expires)));
    lines
}
