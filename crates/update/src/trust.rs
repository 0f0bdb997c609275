//! Trust: which manifest the signed TUF metadata names, from the pinned root on.
//!
//! The checks themselves are `sigstore-tuf`'s. This module says which files make a proof, verifies a proof kept on disk
//! without network, and names the target.

use crate::{Error, crypto};
use sigstore_tuf::TargetFile;

/// Most root files in one chain; more rotations than anyone makes.
pub const ROOT_CHAIN_MAX: usize = 256;

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
        let targets = trusted.update_targets(&self.targets, never)?;
        let path = target_path(channel);
        targets.target(&path).cloned().ok_or_else(|| Error::Trust(format!("the targets do not name {path}")))
    }
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
