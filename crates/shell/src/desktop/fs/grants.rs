//! What the user chose: paths that came out of a dialog, or were dropped on a window.
//!
//! The choice is the permission: the page of the window may read and write what was chosen until its window closes, a
//! folder with what is in it, as `**` means it. It survives reloads and swaps, not a restart. A link is resolved when it
//! is chosen: what was chosen is what it led to then.

use staysail_protocol::limits::FS_GRANTS_MAX;
use staysail_protocol::path::{FilePath, Style};
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One path the user chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// As the page was told it.
    pub spelled: FilePath,
    /// Where it is, without any link.
    pub target: PathBuf,
    /// It is a folder, meant with what is in it.
    pub tree: bool,
}

/// All of them, by window.
#[derive(Default)]
pub struct Grants {
    by_window: Mutex<HashMap<String, VecDeque<Grant>>>,
}

impl Grants {
    fn by_window(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Grant>>> {
        self.by_window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user chose this path for the page of `window`. It need not be there yet, its folder does. Looks at the disk.
    pub fn give(&self, window: &str, path: &Path) {
        let spelled = path.to_str().and_then(|text| FilePath::parse(text, Style::here()).ok());
        let (Some(spelled), Some(target)) = (spelled, target(path)) else {
            return tracing::warn!(path = %path.display(), "a chosen path can not be opened by a page");
        };
        let grant = Grant { spelled, tree: target.is_dir(), target };
        let mut all = self.by_window();
        let given = all.entry(window.to_owned()).or_default();
        given.retain(|one| one.spelled != grant.spelled);
        if given.len() == FS_GRANTS_MAX {
            given.pop_front();
        }
        given.push_back(grant);
    }

    /// What the page of `window` was given.
    pub fn of(&self, window: &str) -> Vec<Grant> {
        self.by_window().get(window).map(|given| given.iter().cloned().collect()).unwrap_or_default()
    }

    /// The window is gone.
    pub fn forget(&self, window: &str) {
        self.by_window().remove(window);
    }
}

/// Where a path leads, with every link resolved; the last name may be missing, as of a file that is going to be saved.
fn target(path: &Path) -> Option<PathBuf> {
    if let Ok(target) = path.canonicalize() {
        return Some(target);
    }
    // A link to nowhere is none of the files the user saw.
    if path.symlink_metadata().is_ok() {
        return None;
    }
    Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_choices_go_and_a_closed_window_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let grants = Grants::default();
        for number in 0..FS_GRANTS_MAX + 3 {
            grants.give("main", &folder.path().join(format!("{number}.txt")));
        }
        grants.give("main", &folder.path().join("5.txt"));
        let given = grants.of("main");
        assert_eq!(given.len(), FS_GRANTS_MAX);
        assert!(given[0].target.ends_with("3.txt") && given[FS_GRANTS_MAX - 1].target.ends_with("5.txt"));
        assert!(grants.of("other").is_empty());
        grants.forget("main");
        assert!(grants.of("main").is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_chosen_link_is_what_it_led_to_when_it_was_chosen() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        std::fs::write(at("a.txt"), "a").unwrap();
        std::os::unix::fs::symlink(at("a.txt"), at("newest")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("dead")).unwrap();
        let grants = Grants::default();
        grants.give("main", &at("newest"));
        grants.give("main", &at("dead"));
        grants.give("main", Path::new("relative"));
        let given = grants.of("main");
        assert_eq!(given.len(), 1);
        assert_eq!((given[0].target.clone(), given[0].tree), (at("a.txt"), false));
    }
}
