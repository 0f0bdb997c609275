//! `clipboard.*`.

use serde::{Deserialize, Serialize};

/// A request of the group `clipboard`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClipboardRequest {
    /// Answer: the text, or null when there is none.
    ReadText {},
    /// Answer: null.
    WriteText {
        /// The text.
        text: String,
    },
    /// Answer: HTML, or null when there is none.
    ReadHtml {},
    /// Answer: null.
    WriteHtml {
        /// HTML.
        html: String,
        /// For programs that take none.
        #[serde(default)]
        text: String,
    },
    /// Answer: a PNG in base64, or null when there is no image.
    ReadImage {},
    /// Answer: null.
    WriteImage {
        /// A PNG in base64.
        png: String,
    },
    /// Take away what is in it. Answer: null.
    Clear {},
}
