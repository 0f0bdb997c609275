//! `power.*`: keeping the machine awake.

use serde::{Deserialize, Serialize};

/// A request of the group `power`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum PowerRequest {
    /// Do not fall asleep for want of use. Answer: a number, for `release`. Who asks again with the same words gets
    /// the same number, and must release it as often.
    KeepAwake {
        /// Why, for the user.
        reason: String,
        /// The screen stays on, too.
        #[serde(default)]
        display: bool,
    },
    /// It may again. Answer: null.
    Release {
        /// Number of the wish.
        id: u64,
    },
}
