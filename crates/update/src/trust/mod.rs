//! Trust: which manifest the signed TUF metadata name, from the pinned root on.
//!
//! | Module | Holds |
//! |---|---|
//! | `client` | the client workflow: what is asked for, kept and found |
//! | `folder` | verified metadata on disk |
//! | `floors` | what was seen once and never falls again |
//! | `checks` | what one file must be by itself; which delegations lead to a target |
//! | `target` | what metadata say of one file |
//! | `repository` | the seam to the network |
//! | `names` | roles and targets in addresses and file names |
//! | `waves` | who a release is for that is given out in waves |
//!
//! The checks of one file against the others are `sigstore-tuf`'s. This module says which files make a proof, verifies a
//! proof kept on disk without network, and names the target.

mod checks;
mod client;
mod floors;
mod folder;
mod names;
mod repository;
mod target;
mod waves;

pub(crate) use checks::matching;
pub use client::Client;
pub use folder::MetadataFolder;
pub(crate) use names::as_address;
pub use names::as_file_name;
pub use repository::{Fetching, Repository, Web};
pub use target::Target;
pub(crate) use waves::{ROLLOUT_PATTERN, ROLLOUT_ROLE, wave_sequence};
pub use waves::{SHARE_WHOLE, place_in_order, rollout_path, share_of, wave_path};

use crate::{Error, crypto};
use sigstore_tuf::{TargetFile, TrustedMetadataSet};

/// Where expiry is not looked at: at the beginning of time nothing has expired.
pub(crate) const NEVER: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

/// Path of the target that is the manifest of a channel's newest release.
pub fn target_path(channel: &str) -> String {
    format!("releases/{channel}.json")
}

/// Path of the target that is the manifest of a barrier: a release of the channel that stays there when newer ones are published.
pub fn barrier_path(channel: &str, sequence: u64) -> String {
    format!("releases/{channel}.{sequence}.json")
}

/// The pattern that takes in the barriers of a channel and nothing else.
pub(crate) fn barrier_pattern(channel: &str) -> String {
    format!("releases/{channel}.*.json")
}

/// The barriers of a channel among the targets of one role, the oldest first: version and path.
pub(crate) fn barriers<'a>(
    targets: impl Iterator<Item = (&'a str, Option<&'a serde_json::Value>)>,
    channel: &str,
) -> Vec<(String, String)> {
    let mut found: Vec<_> = targets
        .filter_map(|(path, custom)| {
            let name = path.strip_prefix("releases/")?.strip_prefix(channel)?;
            let sequence: u64 = name.strip_prefix('.')?.strip_suffix(".json")?.parse().ok()?;
            Some((sequence, custom?.get("version")?.as_str()?.to_owned(), path.to_owned()))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, version, path)| (version, path)).collect()
}

/// The channel an app follows.
pub const CHANNEL: &str = "stable";

/// Whether this can be the name of a channel: they are part of the names of files and roles.
pub fn is_channel(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !name.is_empty() && name.len() <= CHANNEL_NAME_BYTES_MAX && name.bytes().all(plain)
}

/// Longest name of a channel.
pub const CHANNEL_NAME_BYTES_MAX: usize = 50;

/// The channel that a target belongs to, by its path; `None` for what is no release.
pub(crate) fn channel_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix("releases/")?.strip_suffix(".json")?;
    let channel = match name.split_once('.') {
        Some((channel, rest)) => {
            let sequence = rest.strip_prefix("wave-").unwrap_or(rest);
            sequence.parse::<u64>().ok().map(|_| channel)?
        }
        None => name,
    };
    is_channel(channel).then_some(channel)
}

/// The sequence in the path of a barrier; `None` for what is none.
pub(crate) fn sequence_of(path: &str) -> Option<u64> {
    path.strip_prefix("releases/")?.strip_suffix(".json")?.split_once('.')?.1.parse().ok()
}

/// Signed metadata that vouched for a manifest, kept beside it so that a start needs no network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// Path of the target they vouch for.
    pub path: String,
    /// Roots after the pinned one, in order.
    pub roots: Vec<Vec<u8>>,
    /// `timestamp.json`.
    pub timestamp: Vec<u8>,
    /// `snapshot.json`.
    pub snapshot: Vec<u8>,
    /// `targets.json`.
    pub targets: Vec<u8>,
    /// Delegated roles on the way to the target, from the top down.
    pub delegated: Vec<Delegated>,
}

/// Metadata of a delegated role in a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegated {
    /// The role's name.
    pub role: String,
    /// Its metadata.
    pub metadata: Vec<u8>,
}

impl Proof {
    /// Verifies the chain from the pinned root down to the release target. Expiry is not looked at: it says that a
    /// release is no longer the newest, never that it turned bad, and an app must start offline for ever (law 4).
    ///
    /// # Errors
    /// [`Error::Trust`] when any signature, version, length or hash does not fit.
    pub fn verify(&self, pinned_root: &[u8]) -> Result<TargetFile, Error> {
        let mut trusted = self.chain(pinned_root)?;
        let path = &self.path;
        if channel_of(path).is_none() {
            return Err(Error::Trust(format!("{path} is no release of a channel")));
        }
        let mut last = "targets";
        for Delegated { role, metadata } in &self.delegated {
            let delegator = trusted.targets_role(last).ok_or_else(|| unnamed(path))?;
            if !checks::matching(delegator, path)?.0.contains(role) {
                return Err(Error::Trust(format!("{last} does not let {role} name {path}")));
            }
            trusted.update_delegated_targets(metadata, role, last, NEVER)?;
            last = role;
        }
        let named = trusted.targets_role(last).and_then(|targets| targets.target(path));
        named.cloned().ok_or_else(|| unnamed(path))
    }

    /// The chain from the pinned root down to the top-level targets.
    pub(crate) fn chain(&self, pinned_root: &[u8]) -> Result<TrustedMetadataSet, Error> {
        let mut trusted = crypto::trusted(pinned_root)?;
        for root in &self.roots {
            // The pinned root may be newer than the beginning of the stored chain: the app was installed again.
            let version = sigstore_tuf::Metadata::<sigstore_tuf::Root>::from_slice(root)?.signed().version;
            if version > trusted.root().version {
                trusted.update_root(root)?;
            }
        }
        trusted.update_timestamp(&self.timestamp, NEVER)?;
        trusted.update_snapshot(&self.snapshot, NEVER)?;
        trusted.update_targets(&self.targets, NEVER)?;
        Ok(trusted)
    }
}

fn unnamed(path: &str) -> Error {
    Error::Trust(format!("the targets do not name {path}"))
}

/// Checks the manifest's bytes against the target that names them.
///
/// # Errors
/// [`Error::Tampered`].
pub fn check_target(target: &TargetFile, bytes: &[u8]) -> Result<(), Error> {
    let found = crate::hash::of(bytes);
    match target.hashes.get("sha256") {
        Some(expected) if *expected == found && target.length == bytes.len() as u64 => Ok(()),
        expected => Err(Error::Tampered {
            what: "the release manifest".into(),
            expected: expected.cloned().unwrap_or_default(),
            found,
        }),
    }
}
