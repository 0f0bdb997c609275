//! `opener.*`: other programs.

use serde::{Deserialize, Serialize};

/// A request of the group `opener`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum OpenerRequest {
    /// Open an address (`https:`, `http:`, `mailto:`, `tel:`) with the program the user has for it. Answer: null.
    OpenUrl {
        /// The address.
        url: String,
    },
    /// Open a file or folder with the program the user has for it. Answer: null.
    OpenPath {
        /// Its path.
        path: String,
    },
    /// Show a file or folder in the file manager. Answer: null.
    Reveal {
        /// Its path.
        path: String,
    },
}
