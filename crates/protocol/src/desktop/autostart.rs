//! `autostart.*`: whether the app starts when its user logs in.

use serde::{Deserialize, Serialize};

/// A request of the group `autostart`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum AutostartRequest {
    /// Start at log-in from now on. Answer: null.
    Enable {
        /// Arguments of that start.
        #[serde(default)]
        arguments: Vec<String>,
    },
    /// Do so no more. Answer: null.
    Disable {},
    /// Answer: whether it does, as a boolean.
    State {},
}
