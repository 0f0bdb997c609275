//! What can go wrong with releases on disk, in transit and in the making.

use staysail_protocol::manifest::ManifestError;
use std::path::{Path, PathBuf};

/// Why something about a release failed. Messages say what happened; who shows them says what still works.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk refused.
    #[error("{operation} {}: {source}", path.display())]
    Disk {
        /// What was being done, e.g. `writing`.
        operation: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The release attached to an executable is damaged.
    #[error("the release attached to {} is damaged ({reason}); install the app again", path.display())]
    CorruptBundle {
        /// The executable.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// Content that is not what its hash says, and could not be healed.
    #[error("{what} is not what was released: expected SHA-256 {expected}, found {found}")]
    Tampered {
        /// Which file.
        what: String,
        /// The hash it should have.
        expected: String,
        /// The hash it has, or why it has none.
        found: String,
    },
    /// A file with releases can not be used.
    #[error("{} {reason}; nothing was changed", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        reason: String,
    },
    /// A manifest can not be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The release has no backend for this machine.
    #[error("version {version} has no backend for {target}; it supports {available}")]
    NoBackend {
        /// Version of the release.
        version: String,
        /// This machine's target triple.
        target: String,
        /// What it has, comma-separated.
        available: String,
    },
    /// Signed metadata was refused.
    #[error("the signed metadata was refused: {0}")]
    Trust(String),
    /// The network failed.
    #[error("{0}")]
    Network(String),
    /// The repository answers, and has no such file.
    #[error("{0} is not in the repository")]
    NotThere(String),
    /// A named limit was exceeded.
    #[error("{what} exceeds {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Name of the limit.
        limit: &'static str,
    },
    /// Publishing was refused; the repository is untouched.
    #[error("{0}")]
    Refused(String),
    /// The write that makes a change of a repository live failed, or only its answer was lost.
    #[error(
        "the last write to {repository} failed ({reason}); the change may be live, or not. Look with `staysail repo check`, \
         and repeat the command if it is not"
    )]
    Uncertain {
        /// Which repository.
        repository: String,
        /// What failed.
        reason: String,
    },
    /// Compressing failed.
    #[error("compressing failed: {0}")]
    Compress(std::io::Error),
}

impl Error {
    /// For `map_err`: the disk refused `operation` on `path`.
    pub(crate) fn disk(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Disk { operation, path, source }
    }
}

impl From<sigstore_tuf::Error> for Error {
    fn from(error: sigstore_tuf::Error) -> Self {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            message += &format!(": {cause}");
            source = cause.source();
        }
        match error {
            sigstore_tuf::Error::Transport { .. } => Self::Network(message),
            _ => Self::Trust(message),
        }
    }
}
