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

pub use client::Client;
pub use folder::MetadataFolder;
pub(crate) use names::as_address;
pub use names::as_file_name;
pub use repository::{Fetching, Repository, Web};
pub use target::Target;

use crate::{Error, crypto};
use sigstore_tuf::TargetFile;

/// Path of the target that is the manifest of a channel's newest release.
pub fn target_path(channel: &str) -> String {
    format!("releases/{channel}.json")
}

/// The channel an app follows.
pub const CHANNEL: &str = "stable";

/// Signed metadata that vouched for a manifest, kept beside it so that a start needs no network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
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
    pub fn verify(&self, pinned_root: &[u8], channel: &str) -> Result<TargetFile, Error> {
        // A clock that stands at the beginning of time finds nothing expired.
        let never = jiff::Timestamp::UNIX_EPOCH;
        let mut trusted = crypto::trusted(pinned_root)?;
        for root in &self.roots {
            // The pinned root may be newer than the beginning of the stored chain: the app was installed again.
            let version = sigstore_tuf::Metadata::<sigstore_tuf::Root>::from_slice(root)?.signed().version;
            if version > trusted.root().version {
                trusted.update_root(root)?;
            }
        }
        trusted.update_timestamp(&self.timestamp, never)?;
        trusted.update_snapshot(&self.snapshot, never)?;
        trusted.update_targets(&self.targets, never)?;
        let path = target_path(channel);
        let mut last = "targets";
        for Delegated { role, metadata } in &self.delegated {
            let delegator = trusted.targets_role(last).ok_or_else(|| unnamed(&path))?;
            if !checks::matching(delegator, &path)?.0.contains(role) {
                return Err(Error::Trust(format!("{last} does not let {role} name {path}")));
            }
            trusted.update_delegated_targets(metadata, role, last, never)?;
            last = role;
        }
        let named = trusted.targets_role(last).and_then(|targets| targets.target(&path));
        named.cloned().ok_or_else(|| unnamed(&path))
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
