//! The error a page receives when a call fails.

use serde::{Deserialize, Serialize};

/// Why a call failed. The page sees the variant's name as `error.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The command itself returned an error; `details` holds it.
    App,
    /// No command of this name is registered.
    UnknownCommand,
    /// The arguments do not fit the command's types; `details` may name the place.
    InvalidArguments,
    /// The command panicked. Nothing else was harmed.
    Panicked,
    /// The worker ended while the call may already have started. It was not repeated.
    WorkerLost,
    /// The backend cannot be started; the window shows why.
    WorkerUnavailable,
    /// A newer version took over before this stream had ended, or has what this call needs; ask again to go on.
    Superseded,
    /// The caller cancelled the call.
    Cancelled,
    /// The time the caller allowed is over.
    Timeout,
    /// The page may not call this.
    Denied,
    /// Arguments or answer exceed a named limit.
    TooLarge,
    /// Too many calls wait while the backend is exchanged.
    QueueFull,
    /// The page that called has been left or reloaded.
    PageGone,
    /// The message from the page could not be read.
    BadMessage,
    /// A file could not be read or written; `details` is a [`crate::desktop::fs::FileErrorDetails`].
    File,
    /// A file of an asset group is not here and can not be had; `details` is a [`crate::assets::AssetUnavailable`].
    AssetUnavailable,
    /// The page is in a browser tab (`staysail dev --browser`), which has no window this could be done to, or the app
    /// runs without windows; `details` names the `feature`.
    NoWindow,
    /// Something failed inside Staysail.
    Internal,
}

/// A failed call: what the page's promise is rejected with.
///
/// ```
/// use staysail_protocol::{CallError, ErrorCode};
/// let error = CallError::new(ErrorCode::UnknownCommand, "no command `grete`; did you mean `greet`?");
/// assert_eq!(serde_json::to_value(&error).unwrap()["code"], "UnknownCommand");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{code:?}: {message}")]
pub struct CallError {
    /// The kind of failure.
    pub code: ErrorCode,
    /// What happened and what to do, for people.
    pub message: String,
    /// For `App`: the error value of the command as it serialises; else whatever helps, or null.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
}

impl CallError {
    /// An error without details.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: serde_json::Value::Null }
    }
}
