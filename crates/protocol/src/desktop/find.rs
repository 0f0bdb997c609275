//! `find.*`: find in the page of a window.

use serde::{Deserialize, Serialize};

/// A request of the group `find`. The answer of all but `stop` is [`Found`].
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum FindRequest {
    /// Find a text, mark all places, and go to the first one.
    Start {
        /// The window; the asking page's own when absent.
        label: Option<String>,
        /// What to find, not empty.
        text: String,
        /// Upper and lower case are told apart.
        #[serde(default)]
        case: bool,
        /// Upwards from the end.
        #[serde(default)]
        backwards: bool,
        /// After the last place comes the first one again.
        #[serde(default = "yes")]
        wrap: bool,
    },
    /// Go to the next place.
    Next {
        /// The window; the asking page's own when absent.
        label: Option<String>,
    },
    /// Go to the place before.
    Previous {
        /// The window; the asking page's own when absent.
        label: Option<String>,
    },
    /// Take the marks away. Answer: null.
    Stop {
        /// The window; the asking page's own when absent.
        label: Option<String>,
    },
}

#[cfg(feature = "host")]
fn yes() -> bool {
    true
}

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Places in the page, at most `find_matches_max`. 0 when there is none, or none any more in this direction.
    pub matches: u32,
}
