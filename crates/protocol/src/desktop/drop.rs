//! `drop.*`: files of other programs that are dragged over a window.
//!
//! Nothing can be asked of this group. Who may use something of it (`drop.*`) is told of the paths by the event
//! `staysail:drop`; the page's own drag and drop works either way, and never tells a path.

use serde::{Deserialize, Serialize};

/// Files are dragged over a window: the payload of the event `staysail:drop`, told to the page of that window and to
/// the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DropEvent {
    /// Label of the window.
    pub label: String,
    /// What happened.
    pub kind: DropKind,
    /// Paths of the files and folders. Empty for `over` and `left`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Where in the page, in CSS pixels from its upper left corner.
    pub position: (f64, f64),
}

/// What happened to files that are dragged over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropKind {
    /// They came over the window.
    Enter,
    /// They were moved over it.
    Over,
    /// They were dropped.
    Dropped,
    /// They left the window again, or the user gave up.
    Left,
}
