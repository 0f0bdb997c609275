//! Asset groups: files of the page that are not shipped with the app but fetched when they are first asked for.
//!
//! # Theory of operation
//! A release names the files of each group by hash ([`crate::manifest::Manifest::groups`]). The page asks for them by
//! ordinary addresses, or has a whole group fetched, as the backend may: requests `assets.*` ([`AssetsRequest`]), which need no capability
//! because they reach nothing but the app's own files. What is under way is told as the event `staysail:assets`
//! ([`AssetsEvent`]) to all pages and the backend. What can not be had is told as [`AssetUnavailable`]: in the `details` of a
//! [`crate::CallError`], and as the JSON body of the answer to an address.

#[cfg(feature = "host")]
use crate::manifest::FileEntry;
use serde::{Deserialize, Serialize};

/// Header of the answer to an address whose file could not be had: the name of the [`AssetFault`].
pub const REASON_HEADER: &str = "staysail-asset-reason";

/// One group of a release.
#[cfg(feature = "host")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// When it is fetched without being asked for.
    #[serde(default)]
    pub prefetch: Prefetch,
    /// Its files; their paths are of the page's files.
    pub files: Vec<FileEntry>,
}

/// When a group is fetched without being asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefetch {
    /// Not at all: at its first use.
    #[default]
    Never,
    /// As soon as no page has asked for files of a group for a while (`assets_idle_s`).
    Idle,
    /// As soon as the app has come up.
    Start,
}

/// A request of the group `assets`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum AssetsRequest {
    /// Fetch what is missing of a group. Answer: its [`GroupState`], when all of it is there.
    Fetch {
        /// Its name.
        group: String,
        /// A number by which the page may cancel this request.
        id: u64,
    },
    /// Answer the request of this page with that number at once; files under way are still fetched, no further ones.
    /// Answer: null.
    Cancel {
        /// The number.
        id: u64,
    },
    /// How a group is. Answer: [`GroupState`].
    State {
        /// Its name.
        group: String,
    },
    /// How all groups are. Answer: array of [`GroupState`].
    List {},
}

/// How a group is on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupState {
    /// Its name.
    pub group: String,
    /// `ready`: everything is there; `partial`: something; `absent`: nothing.
    pub state: Presence,
    /// Files of the group.
    pub files: usize,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Bytes that would have to be fetched, compressed.
    pub missing_bytes: u64,
}

/// How much of a group is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Nothing.
    #[default]
    Absent,
    /// Something.
    Partial,
    /// Everything.
    Ready,
}

/// A group is being fetched as a whole: payload of the event `staysail:assets`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetsEvent {
    /// Its name.
    pub group: String,
    /// Compressed bytes that have come so far, of those that were missing when it began.
    pub bytes: u64,
    /// Compressed bytes that were missing.
    pub total: u64,
}

/// Why a file of a group can not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetFault {
    /// The repository does not answer.
    Offline,
    /// The repository has no such file, or the app has no repository.
    Missing,
    /// What the repository sent is not what was released.
    Damaged,
    /// The disk refused to take it.
    Disk,
}

impl AssetFault {
    /// Its name, as pages see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Missing => "missing",
            Self::Damaged => "damaged",
            Self::Disk => "disk",
        }
    }
}

/// A file of a group can not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetUnavailable {
    /// Name of the group.
    pub group: String,
    /// Path of the file.
    pub path: String,
    /// Why.
    pub reason: AssetFault,
}

/// Looks through a group's name: it stands in the project file, in messages and in scripts.
///
/// # Errors
/// A sentence for people.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
        let name: String = name.chars().take(80).collect();
        return Err(format!(
            "{name:?} is no name of an asset group: letters, digits, `-` and `_`, at most 64"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_groups_are_plain() {
        for good in ["maps", "level-2", "de_DE"] {
            assert_eq!(check_name(good), Ok(()));
        }
        for bad in ["", "a b", "ä", "a/b", "..", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn faults_are_named_alike_in_headers_and_in_json() {
        for fault in [AssetFault::Offline, AssetFault::Missing, AssetFault::Damaged, AssetFault::Disk] {
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.name());
        }
    }
}
