//! Downloads through wry, as `crate::desktop::downloads` wants them. wry tells of a begin and of an end, not of what comes
//! between, and ends none.

use super::system::Shown;
use crate::desktop::downloads::Place;
use crate::shell::Shell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use wry::WebViewBuilder;

/// wry wants the place at once.
pub const CAN_WAIT: bool = false;
/// What has come is seen by the file.
pub const TELLS_PROGRESS: bool = false;

/// Numbers of the downloads under way by where they are written to, and by address for an end without a path.
type Numbers = Arc<Mutex<HashMap<PathBuf, (u64, String)>>>;

/// Hears of the downloads of a window, which are those of the page that is `shown`.
pub fn listen<'a>(
    builder: WebViewBuilder<'a>,
    shell: &Arc<Shell>,
    label: &str,
    shown: &Shown,
) -> WebViewBuilder<'a> {
    let numbers = Numbers::default();
    let (begun, shown, shell, label) = (numbers.clone(), shown.clone(), shell.clone(), label.to_string());
    let ended = shell.clone();
    builder
        .with_download_started_handler(move |url, path| {
            let page = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some(id) = shell.downloads.begin(&shell, &label, Some(&page), &url) else { return false };
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            match shell.downloads.offer(&shell, id, &name, None) {
                Place::Partial(file) => {
                    path.clone_from(&file);
                    begun.lock().unwrap_or_else(PoisonError::into_inner).insert(file, (id, url));
                    true
                }
                Place::Later | Place::Nowhere => false,
            }
        })
        .with_download_completed_handler(move |url, path, is_whole| {
            let mut numbers = numbers.lock().unwrap_or_else(PoisonError::into_inner);
            // On macOS the path is never told (wry: `with_download_completed_handler`).
            let file = path.filter(|path| numbers.contains_key(path)).or_else(|| {
                numbers.iter().find(|(_, (_, known))| *known == url).map(|(file, _)| file.clone())
            });
            let Some((id, _)) = file.and_then(|file| numbers.remove(&file)) else { return };
            drop(numbers);
            if is_whole {
                ended.downloads.finish(&ended, id);
            } else {
                ended.downloads.fail(&ended, id, "the webview gave it up");
            }
        })
}

/// Never called: see [`CAN_WAIT`].
pub fn place(_id: u64, _file: &Path) {}

/// wry ends no download: it goes on by itself, into a file that has been removed, and comes to nothing.
pub fn cancel(_id: u64) {}
