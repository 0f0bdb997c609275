//! A tree built from events alone, and the tree that is really there.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a consumer of the events knows.
#[derive(Debug, Default)]
pub struct View {
    /// Paths, and whether each is a folder.
    pub paths: BTreeMap<PathBuf, bool>,
    /// What was told to be new or other since it was asked last.
    pub told: BTreeSet<PathBuf>,
}

impl View {
    /// Applies an event. One that does not fit what is known is an error of the watch.
    pub fn apply(&mut self, line: &Value) {
        let path = |name: &str| PathBuf::from(line[name].as_str().unwrap_or_default());
        let (to, from) = (path("path"), path("from"));
        let parent = to.parent().map(Path::to_path_buf).unwrap_or_default();
        let event = line["event"].as_str().unwrap();
        let has_parent = |view: &Self| view.paths.get(&parent) == Some(&true) || view.paths.is_empty();
        match event {
            "add" | "addDir" => {
                assert!(has_parent(self), "{line}: its folder is not known");
                assert_eq!(
                    self.paths.insert(to.clone(), event == "addDir"),
                    None,
                    "{line}: is known already"
                );
                self.told.insert(to);
            }
            "change" => {
                assert_eq!(self.paths.get(&to), Some(&false), "{line}: is no known file");
                self.told.insert(to);
            }
            "unlink" | "unlinkDir" => {
                let known = self.paths.remove(&to);
                assert_eq!(known, Some(event == "unlinkDir"), "{line}: is not known");
                let below = self.paths.keys().find(|path| path.starts_with(&to));
                assert_eq!(below, None, "{line}: not everything in it was told before");
            }
            "rename" | "renameDir" => {
                assert!(has_parent(self), "{line}: its folder is not known");
                assert_eq!(self.paths.get(&from), Some(&(event == "renameDir")), "{line}: is not known");
                assert_eq!(self.paths.get(&to), None, "{line}: the new name is taken");
                let all: Vec<PathBuf> =
                    self.paths.keys().filter(|path| path.starts_with(&from)).cloned().collect();
                for old in all {
                    let rest = old.strip_prefix(&from).unwrap();
                    let new: PathBuf = to.join(rest).components().collect();
                    let folder = self.paths.remove(&old).unwrap();
                    self.paths.insert(new.clone(), folder);
                    self.told.insert(new);
                }
            }
            _ => {}
        }
    }
}

/// Every path below a folder with its content; `None` of folders, of links where they point to.
pub fn tree(top: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::from([(top.to_path_buf(), None)]);
    let mut folders = vec![top.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let content = if kind.is_dir() {
                folders.push(path.clone());
                None
            } else if kind.is_symlink() {
                Some(std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes())
            } else {
                Some(std::fs::read(&path).unwrap())
            };
            found.insert(path, content);
        }
    }
    found
}
