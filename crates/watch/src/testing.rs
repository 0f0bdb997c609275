//! A consumer's view, for tests: a tree built from events alone.

use crate::event::Event;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Paths, and what is in each; `None` of a folder.
pub type Paths<C> = BTreeMap<PathBuf, Option<C>>;

/// Applies an event as a consumer does that reads what it is told of, and nothing else; says why one does not fit what
/// is known.
pub fn apply<C>(paths: &mut Paths<C>, event: &Event, read: impl Fn(&Path) -> C) -> Result<(), String> {
    let refuse = |why: &str| Err(format!("{event:?}: {why}"));
    let is_folder = |paths: &Paths<C>, path: &Path| paths.get(path).map(Option::is_none);
    let parent_is_known = |paths: &Paths<C>, path: &Path| {
        path.parent().is_some_and(|parent| is_folder(paths, parent) == Some(true))
    };
    match event {
        Event::Add(path) | Event::AddDir(path) => {
            if !parent_is_known(paths, path) {
                return refuse("its folder is not known");
            }
            let content = matches!(event, Event::Add(_)).then(|| read(path));
            if paths.insert(path.clone(), content).is_some() {
                return refuse("is known already");
            }
        }
        Event::Change(path) if is_folder(paths, path) != Some(false) => return refuse("is no known file"),
        Event::Change(path) => drop(paths.insert(path.clone(), Some(read(path)))),
        Event::Unlink(path) | Event::UnlinkDir(path) => {
            let known = paths.remove(path).map(|content| content.is_none());
            if known != Some(matches!(event, Event::UnlinkDir(_))) {
                return refuse("is not known");
            }
            if paths.keys().any(|other| other.starts_with(path)) {
                return refuse("not everything in it was told before");
            }
        }
        Event::Rename { from, to } | Event::RenameDir { from, to } => {
            if !parent_is_known(paths, to) {
                return refuse("its folder is not known");
            }
            if is_folder(paths, from) != Some(matches!(event, Event::RenameDir { .. })) {
                return refuse("is not known");
            }
            if paths.contains_key(to) {
                return refuse("the new name is taken");
            }
            let all: Vec<PathBuf> = paths.keys().filter(|path| path.starts_with(from)).cloned().collect();
            for old in all {
                let rest = old.strip_prefix(from).unwrap_or(Path::new(""));
                let new: PathBuf = to.join(rest).components().collect();
                if let Some(content) = paths.remove(&old) {
                    paths.insert(new, content);
                }
            }
        }
    }
    Ok(())
}

/// xorshift64*, so that a seed means the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap_or(0) % end
    }
}
