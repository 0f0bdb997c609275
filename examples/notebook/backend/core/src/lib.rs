//! What Notebook does: notes on disk, Markdown, search. Knows nothing of windows and pages.

mod folder;
mod markdown;
mod search;

pub use folder::{Folder, Note, Problem, Summary};
pub use markdown::render;
pub use search::Hit;

/// The line at the bottom of the window. Change it, save, and watch the window.
pub const TAGLINE: &str = "Set sail";
