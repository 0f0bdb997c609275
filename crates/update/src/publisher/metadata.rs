//! TUF metadata as it is written: roles, key ids, canonical form, signatures.
//!
//! Clauses are those of the TUF specification 1.0.33, sections 4.2 to 4.6.

use super::keys::Signing;
use crate::{Error, hash};
use serde_json::{Value, json};
use sigstore_tuf::canonical_json::to_canonical_bytes;
use sigstore_tuf::{Key, Metadata};

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

/// A public key as metadata spell it, and its id: the SHA-256 of its canonical JSON (section 4.2). `public` is hexadecimal
/// for Ed25519 and PEM for the others.
///
/// # Errors
/// [`Error::Refused`] for a scheme or a key that clients do not know.
pub fn key(scheme: &str, public: &str) -> Result<(Value, String), Error> {
    let keytype = match scheme {
        "ed25519" => "ed25519",
        "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" => "ecdsa",
        "rsassa-pss-sha256" | "rsassa-pss-sha384" | "rsassa-pss-sha512" => "rsa",
        _ => return Err(Error::Refused(format!("clients do not know signatures by {scheme:?}"))),
    };
    let value = json!({ "keytype": keytype, "scheme": scheme, "keyval": { "public": public } });
    let key: Key = serde_json::from_value(value.clone()).map_err(|error| Error::Trust(error.to_string()))?;
    // A key id is a hash.
    crate::crypto::install();
    key.verification_key()
        .map_err(|error| Error::Refused(format!("the public key can not be used: {error}")))?;
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

/// The root before the first one: of version 0, without keys (section 4.3).
///
/// # Errors
/// None.
pub(super) fn unsigned_root() -> Result<Vec<u8>, Error> {
    let signed = json!({
        "_type": "root", "spec_version": SPEC_VERSION, "version": 0, "expires": time(jiff::Timestamp::UNIX_EPOCH),
        "consistent_snapshot": true, "keys": {}, "roles": {},
    });
    envelope(&signed, &[])
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
/// Those of an external signer; none else for what this module builds: only fractions have no canonical form.
pub fn envelope(signed: &Value, signers: &[&Signing]) -> Result<Vec<u8>, Error> {
    let canonical = to_canonical_bytes(signed)?;
    let mut signatures = Vec::new();
    for signer in signers {
        signatures.push(json!({ "keyid": signer.id, "sig": signer.sign(&canonical)? }));
    }
    pretty(&json!({ "signatures": signatures, "signed": signed }))
}

/// A metadata file's text.
pub(super) fn pretty(envelope: &Value) -> Result<Vec<u8>, Error> {
    let mut bytes = serde_json::to_vec_pretty(envelope).map_err(|error| Error::Trust(error.to_string()))?;
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

/// Reads a root without verifying signatures.
///
/// # Errors
/// [`Error::Trust`].
pub fn parse_root(bytes: &[u8]) -> Result<sigstore_tuf::Root, Error> {
    parse(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_is_the_hash_of_the_canonical_key() {
        let public = "ab".repeat(32);
        let canonical =
            format!(r#"{{"keytype":"ed25519","keyval":{{"public":"{public}"}},"scheme":"ed25519"}}"#);
        assert_eq!(key("ed25519", &public).unwrap().1, hash::of(canonical.as_bytes()));
        assert!(key("ed25519", "abc").is_err() && key("md5", &public).is_err());
    }

    #[test]
    fn times_have_whole_seconds() {
        let at: jiff::Timestamp = "2026-11-22T10:11:12.345Z".parse().unwrap();
        assert_eq!(time(at), "2026-11-22T10:11:12Z");
        assert_eq!(time(in_days(at, 30)), "2026-12-22T10:11:12Z");
    }
}
