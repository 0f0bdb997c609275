//! `dialog.*`: the system's own dialogs. Each belongs to a window and takes its input until it is answered.

use serde::{Deserialize, Serialize};

/// A request of the group `dialog`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum DialogRequest {
    /// Choose files or a folder. Answer: array of paths, or null when the user did not.
    Open {
        /// The window it belongs to; the asking page's own when absent.
        label: Option<String>,
        /// Its title.
        #[serde(default)]
        title: String,
        /// More than one may be chosen.
        #[serde(default)]
        multiple: bool,
        /// A folder is chosen rather than files.
        #[serde(default)]
        folder: bool,
        /// Which files are offered; all without any.
        #[serde(default)]
        filters: Vec<Filter>,
        /// The folder it begins in.
        #[serde(default)]
        directory: Option<String>,
    },
    /// Choose where to save. Answer: a path, or null when the user did not.
    Save {
        /// The window it belongs to; the asking page's own when absent.
        label: Option<String>,
        /// Its title.
        #[serde(default)]
        title: String,
        /// File name that is offered.
        #[serde(default)]
        name: String,
        /// Which files are shown; all without any.
        #[serde(default)]
        filters: Vec<Filter>,
        /// The folder it begins in.
        #[serde(default)]
        directory: Option<String>,
    },
    /// Say or ask something. Answer: number of the button that was pressed, from 0, or null when it was closed.
    Message {
        /// The window it belongs to; the asking page's own when absent.
        label: Option<String>,
        /// What is said or asked, in one line.
        text: String,
        /// More about it.
        #[serde(default)]
        detail: String,
        /// How grave it is.
        #[serde(default)]
        level: Level,
        /// Up to three buttons, from left to right; Return presses the last. One named OK without any.
        #[serde(default)]
        buttons: Vec<String>,
    },
}

/// Files with these endings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Its name, for people.
    pub name: String,
    /// Endings without their dot; `*` for every file.
    pub extensions: Vec<String>,
}

/// How grave a message is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something to know.
    #[default]
    Info,
    /// Something to beware of.
    Warning,
    /// Something went wrong.
    Error,
}
