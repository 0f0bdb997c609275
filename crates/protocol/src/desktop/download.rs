//! `download.*`: files a page has the webview save. (What the update engine fetches is another thing.)
//!
//! # Theory of operation
//! A download is asked for by a page: a link with `download`, an answer that is an attachment, a `blob:` address. It is
//! taken when its address is of an origin that may (see [`crate::webview::Downloads`]), goes into a file with another
//! name beside its place, and has its own name only when it is whole. What happens is told by `staysail:download`.

use serde::{Deserialize, Serialize};

/// A request of the group `download`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum DownloadRequest {
    /// The downloads under way. Answer: array of [`DownloadEvent`].
    List {},
    /// Take a download that waits for this (`downloads = "ask"`). Answer: null.
    Accept {
        /// Its number.
        id: u64,
        /// Where to: for a page a path it may write, for the worker an absolute one; a free name in the user's download folder when absent. A file that is there is never
        /// overwritten: the number is put behind the name.
        #[serde(default)]
        path: Option<String>,
    },
    /// End a download; nothing of it stays. Answer: null.
    Cancel {
        /// Its number.
        id: u64,
    },
}

/// How a download is: the payload of the event `staysail:download`, told to the page of the window it was asked for in and
/// to the worker.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DownloadEvent {
    /// Its number, unique as long as the app runs.
    pub id: u64,
    /// Label of the window it was asked for in.
    pub label: String,
    /// What is downloaded.
    pub url: String,
    /// The name that was offered for it, made harmless.
    pub name: String,
    /// Where it will be, or is. Empty as long as nobody knows.
    pub path: String,
    /// How far it is.
    pub state: DownloadState,
    /// Bytes received so far.
    pub received: u64,
    /// Bytes in all, when the server says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Of a failed one: why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// How far a download is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadState {
    /// It waits for somebody to take it or to cancel it.
    #[default]
    Requested,
    /// It is under way.
    Running,
    /// It is whole, in its place.
    Finished,
    /// It failed; nothing of it is left.
    Failed,
    /// It was cancelled; nothing of it is left.
    Cancelled,
    /// It was not even begun, because pages may not download this.
    Denied,
}

impl DownloadState {
    /// Whether nothing more comes.
    pub fn is_last(self) -> bool {
        !matches!(self, Self::Requested | Self::Running)
    }
}
