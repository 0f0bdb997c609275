//! Update notices and the life of an update as page, worker and tools see it.

use serde::{Deserialize, Serialize};

/// What a release server announces to its listeners (server-sent events, event name `release`). It is a hint
/// to look, never a source of trust: everything it says is verified through TUF afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateNotice {
    /// `"release"`.
    pub event: String,
    /// Module that changed, or `"*"`.
    pub module: String,
    /// Version of the release.
    pub version: String,
    /// SHA-256 of the timestamp metadata in hexadecimal.
    pub checksum: String,
}

/// One step in the life of an update. The page receives it as the event `staysail:update`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum UpdateEvent {
    /// A newer release exists.
    Available {
        /// Its version.
        version: String,
        /// Its notes for users.
        notes: String,
        /// Bytes to download.
        bytes: u64,
    },
    /// Bytes are arriving.
    Progress {
        /// Version being downloaded.
        version: String,
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all.
        total: u64,
        /// Seconds left at the speed of just now; absent while that is not known.
        #[serde(default)]
        left_s: Option<u64>,
    },
    /// Downloaded and verified; it will be applied, or waits while deferred.
    Staged {
        /// Its version.
        version: String,
    },
    /// It waits for what its policy asks for, or for the next start of the app.
    Waiting {
        /// Its version.
        version: String,
        /// For what.
        reason: String,
    },
    /// It is there and not taken, until something else changes.
    Held {
        /// Its version.
        version: String,
        /// What keeps it from being taken.
        reason: String,
    },
    /// What is followed was changed.
    Following {
        /// The channel.
        channel: String,
        /// The version to stay at, if there is one.
        pinned: Option<String>,
    },
    /// The user does not want it.
    Skipped {
        /// Its version.
        version: String,
    },
    /// Read-only calls were answered by its backend, too, and the answers compared with those that were given. Whether it
    /// goes live follows: `applied`, `rolled_back` or `failed`.
    Compared {
        /// Its version.
        version: String,
        /// Nothing speaks against it.
        passed: bool,
        /// What was found, in a sentence.
        reason: String,
        /// Calls whose answers were compared.
        calls: u32,
        /// Of them, those that were answered otherwise.
        different: u32,
        /// The first differences; what is not told is in no file either.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        differences: Vec<Difference>,
        /// File with the whole report; absent when it could not be written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<String>,
    },
    /// It is live, and on probation.
    Applied {
        /// Its version.
        version: String,
        /// Time from the decision to apply to the switch, in milliseconds.
        milliseconds: f64,
    },
    /// Probation is over: this version is good.
    Committed {
        /// Its version.
        version: String,
    },
    /// It failed and the version before is live again. It will never be tried again.
    RolledBack {
        /// Version that failed.
        version: String,
        /// Version that is live again.
        to: String,
        /// Why.
        reason: String,
    },
    /// Looking, downloading or verifying failed; what runs goes on running.
    Failed {
        /// What happened and what will be done about it.
        reason: String,
    },
}

/// An answer that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The command that was called.
    pub command: String,
    /// The place in its answer, as a JSON Pointer (RFC 6901); empty for the whole answer.
    pub path: String,
    /// What the backend that runs answered there, cut to `shadow_value_bytes_max`; empty when it has nothing there.
    pub before: String,
    /// What the new one answered.
    pub now: String,
}
