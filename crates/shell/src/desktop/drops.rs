//! `drop.*`: tells of files that are dragged over a window.

use crate::shell::Shell;
use staysail_protocol::desktop::drop::{DropEvent, DropKind};
use staysail_protocol::limits::DROP_PATHS_MAX;
use std::path::PathBuf;
use std::sync::Arc;

/// Tells the page of the window, if it may know, and the worker.
pub fn tell(shell: &Arc<Shell>, label: &str, kind: DropKind, paths: &[PathBuf], position: (f64, f64)) {
    if paths.len() > DROP_PATHS_MAX {
        tracing::warn!(files = paths.len(), "more files were dropped than are told (drop_paths_max)");
    }
    // One that is no text can be told to nobody; it is left out rather than told as another one.
    let paths =
        paths.iter().take(DROP_PATHS_MAX).filter_map(|path| path.to_str().map(str::to_string)).collect();
    let event = DropEvent { label: label.into(), kind, paths, position };
    shell.tell_window_natively("drop", label, &event);
}
