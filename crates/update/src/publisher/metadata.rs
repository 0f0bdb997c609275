//! TUF metadata as it is written: roles, key ids, canonical form, signatures.
//!
//! Clauses are those of the TUF specification 1.0.33, sections 4.2 to 4.6.

use super::keys::Signing;
use crate::{Error, hash};
use serde_json::{Value, json};
use sigstore_tuf::canonical_json::to_canonical_bytes;
use sigstore_tuf::{Key, Metadata};
use std::collections::BTreeMap;

/// Version of the specification this writes.
pub const SPEC_VERSION: &str = "1.0.33";

/// The four roles of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Says which keys count. Offline.
    Root,
    /// Signs what may be installed. Offline.
    Targets,
    /// Signs which metadata belong together. Online.
    Snapshot,
    /// Signs what is newest. Online.
    Timestamp,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Root, Self::Targets, Self::Snapshot, Self::Timestamp];

    /// Its name in metadata and of its key file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
        }
    }
}

/// A public key as metadata spell it, and its id: the SHA-256 of its canonical JSON (section 4.2).
///
/// # Errors
/// None for a key in hexadecimal.
pub fn public_key(public: &str) -> Result<(Value, String), Error> {
    let value = json!({ "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": public } });
    let key: Key = serde_json::from_value(value.clone()).map_err(|error| Error::Trust(error.to_string()))?;
    // A key id is a hash.
    crate::crypto::install();
    let id = key.key_id()?;
    Ok((value, id))
}

/// A time as metadata spell it: whole seconds, `Z`.
pub fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time `days` after `now`.
pub fn in_days(now: jiff::Timestamp, days: i64) -> jiff::Timestamp {
    now.checked_add(jiff::SignedDuration::from_hours(days.saturating_mul(24))).unwrap_or(jiff::Timestamp::MAX)
}

/// The signed part of a root (section 4.3).
///
/// # Errors
/// None for keys in hexadecimal.
pub fn root(version: u64, expires: jiff::Timestamp, public: &BTreeMap<Role, String>) -> Result<Value, Error> {
    let (mut keys, mut roles) = (serde_json::Map::new(), serde_json::Map::new());
    for (role, public) in public {
        let (key, id) = public_key(public)?;
        roles.insert(role.name().into(), json!({ "keyids": [id], "threshold": 1 }));
        keys.insert(id, key);
    }
    Ok(json!({
        "_type": "root", "spec_version": SPEC_VERSION, "version": version, "expires": time(expires),
        "consistent_snapshot": true, "keys": keys, "roles": roles,
    }))
}

/// The signed part of timestamp, snapshot or targets with its one content field (sections 4.4 to 4.6).
pub fn role(role: Role, version: u64, expires: jiff::Timestamp, content: Value) -> Value {
    let field = if role == Role::Targets { "targets" } else { "meta" };
    let mut signed = json!({
        "_type": role.name(), "spec_version": SPEC_VERSION, "version": version, "expires": time(expires),
    });
    signed[field] = content;
    signed
}

/// How a parent role pins a metadata file.
pub fn pin(version: u64, bytes: &[u8]) -> Value {
    json!({ "version": version, "length": bytes.len(), "hashes": { "sha256": hash::of(bytes) } })
}

/// Signs, and gives the whole file.
///
/// # Errors
/// None for what this module builds: only fractions have no canonical form.
pub fn envelope(signed: &Value, signers: &[&Signing]) -> Result<Vec<u8>, Error> {
    let canonical = to_canonical_bytes(signed)?;
    let signatures: Vec<Value> =
        signers.iter().map(|signer| json!({ "keyid": signer.id, "sig": signer.sign(&canonical) })).collect();
    let mut bytes = serde_json::to_vec_pretty(&json!({ "signatures": signatures, "signed": signed }))
        .map_err(|error| Error::Trust(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads metadata without verifying signatures.
///
/// # Errors
/// [`Error::Trust`].
pub fn parse<T: sigstore_tuf::Role>(bytes: &[u8]) -> Result<T, Error> {
    Ok(Metadata::<T>::from_slice(bytes)?.into_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_is_the_hash_of_the_canonical_key() {
        let public = "ab".repeat(32);
        let canonical =
            format!(r#"{{"keytype":"ed25519","keyval":{{"public":"{public}"}},"scheme":"ed25519"}}"#);
        assert_eq!(public_key(&public).unwrap().1, hash::of(canonical.as_bytes()));
    }

    #[test]
    fn times_have_whole_seconds() {
        let at: jiff::Timestamp = "2026-11-22T10:11:12.345Z".parse().unwrap();
        assert_eq!(time(at), "2026-11-22T10:11:12Z");
        assert_eq!(time(in_days(at, 30)), "2026-12-22T10:11:12Z");
    }
}
