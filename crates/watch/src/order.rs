//! From findings to events: renames paired, the order such that each event can be applied to what is known by then.
//!
//! Pure: looks at no disk.

use crate::disk::Id;
use crate::event::Event;
use crate::tree::Known;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// What differs.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is no longer there, with everything that was below.
    pub gone: BTreeMap<PathBuf, Known>,
    /// What was not there, with everything below.
    pub new: BTreeMap<PathBuf, Known>,
    /// Files with other content.
    pub changed: BTreeSet<PathBuf>,
}

impl Findings {
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.new.is_empty() && self.changed.is_empty()
    }

    /// What went and came again under the same name, as the same kind of thing, is there as before; of a file only
    /// the content can be another one.
    pub fn cancel(&mut self) {
        let is_file = |known: &Known| !known.is_folder();
        let both = self
            .gone
            .iter()
            .filter(|(path, old)| self.new.get(*path).is_some_and(|new| new.is_folder() == old.is_folder()));
        let both: Vec<_> = both.map(|(path, known)| (path.clone(), is_file(known))).collect();
        for (path, file) in both {
            self.gone.remove(&path);
            self.new.remove(&path);
            if file {
                self.changed.insert(path);
            }
        }
    }
}

/// What has moved.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Folders by their new path.
    pub folders: BTreeMap<PathBuf, PathBuf>,
    /// Files by their new path.
    pub files: BTreeMap<PathBuf, PathBuf>,
    /// Everything below moved folders that moved along, by its new path.
    pub along: BTreeMap<PathBuf, PathBuf>,
}

/// Finds what is gone in one place and new in another. A thing is known by its id; where the system has none, by the
/// pairs of names (`hints`) that came with its events. Things without a single counterpart are not paired.
pub fn pair(findings: &Findings, hints: &[(PathBuf, PathBuf)]) -> Moves {
    let mut by_id: HashMap<(Id, bool), Option<&Path>> = HashMap::new();
    for (path, known) in &findings.gone {
        // A path that holds something else now did not move in the sense of a rename: both are reported.
        if let Some(id) = known.id().filter(|_| !findings.new.contains_key(path)) {
            // Two names of one file (hard links): which of them moved can not be told.
            by_id.entry((id, known.is_folder())).and_modify(|path| *path = None).or_insert(Some(path));
        }
    }
    let by_hint: HashMap<&Path, &Path> = hints.iter().map(|(from, to)| (&**to, &**from)).collect();
    let mut moves = Moves::default();
    let mut used: BTreeSet<&Path> = BTreeSet::new();
    for (to, known) in &findings.new {
        if findings.gone.contains_key(to) || moves.along.contains_key(to) {
            continue;
        }
        let from = match known.id() {
            Some(id) => by_id.get(&(id, known.is_folder())).copied().flatten(),
            None => by_hint.get(&**to).copied(),
        };
        let fits = |from: &&Path| {
            let gone = findings.gone.get_key_value(*from);
            let same = gone.is_some_and(|(_, old)| old.is_folder() == known.is_folder());
            let moved = from.ancestors().any(|above| moves.folders.values().any(|it| it == above));
            same && !moved && !used.contains(from) && !to.starts_with(from)
        };
        // Where a moved folder brings something of another kind along, that has to end first.
        let taken = moves.folders.iter().any(|(now, before)| {
            to.strip_prefix(now).is_ok_and(|rest| findings.gone.contains_key(&before.join(rest)))
        });
        let Some(from) = from.filter(fits).filter(|_| !taken) else { continue };
        used.insert(from);
        if !known.is_folder() {
            moves.files.insert(to.clone(), from.to_path_buf());
            continue;
        }
        // A folder that moved out of this one before is told before, and does not come along.
        let out: Vec<PathBuf> = moves.folders.values().filter(|it| it.starts_with(from)).cloned().collect();
        moves.folders.insert(to.clone(), from.to_path_buf());
        for (old, before) in below(&findings.gone, from) {
            let Ok(rest) = old.strip_prefix(from) else { continue };
            if out.iter().any(|out| old.starts_with(out)) {
                continue;
            }
            let now = to.join(rest);
            // Another thing of the same kind under the same name is that file with other content.
            if findings.new.get(&now).is_some_and(|it| it.is_folder() == before.is_folder()) {
                moves.along.insert(now, old.clone());
            }
        }
    }
    // A file may have been taken for moved before the folder it went along with was seen.
    let folders: Vec<&PathBuf> = moves.folders.values().collect();
    moves.files.retain(|_, from| !from.ancestors().any(|above| folders.iter().any(|it| *it == above)));
    moves
}

/// Everything below a path, without itself.
fn below<'a>(
    all: &'a BTreeMap<PathBuf, Known>,
    top: &'a Path,
) -> impl Iterator<Item = (&'a PathBuf, &'a Known)> {
    let from = (std::ops::Bound::Excluded(top), std::ops::Bound::Unbounded);
    all.range::<Path, _>(from).take_while(move |(path, _)| path.starts_with(top))
}

/// The events, in an order in which each can be applied.
pub fn arrange(findings: &Findings, moves: &Moves) -> Vec<Event> {
    let Findings { gone, new, changed } = findings;
    let moved: BTreeSet<&Path> = moves
        .folders
        .values()
        .chain(moves.files.values())
        .chain(moves.along.values())
        .map(|it| &**it)
        .collect();
    // What was in a folder that moved is in the new place by the time its own end is told.
    let place = |path: &Path| -> PathBuf {
        let around = moves.folders.iter().filter(|(_, from)| path.starts_with(from));
        let nearest = around.max_by_key(|(_, from)| from.components().count());
        let found = nearest.and_then(|(to, from)| Some(to.join(path.strip_prefix(from).ok()?)));
        found.unwrap_or_else(|| path.to_path_buf())
    };
    let replaced = |path: &Path| new.contains_key(&place(path));
    let mut events = Vec::new();
    // 1. A file where a folder is now.
    for (path, known) in gone {
        if !known.is_folder() && !moved.contains(path.as_path()) && replaced(path) {
            events.push(Event::Unlink(path.clone()));
        }
    }
    // 2. Folders, from the top.
    for path in new.iter().filter(|(_, known)| known.is_folder()).map(|(path, _)| path) {
        match moves.folders.get(path) {
            Some(from) => events.push(Event::RenameDir { from: from.clone(), to: path.clone() }),
            None if moves.along.contains_key(path) => {}
            None => events.push(Event::AddDir(path.clone())),
        }
    }
    // 3. Files that moved.
    for (to, from) in &moves.files {
        events.push(Event::Rename { from: from.clone(), to: to.clone() });
    }
    // 4. What is gone, from the bottom.
    for (path, known) in gone.iter().rev().filter(|(path, _)| !moved.contains(path.as_path())) {
        match known {
            Known::Folder(_) => events.push(Event::UnlinkDir(place(path))),
            Known::File(_) if replaced(path) => {}
            Known::File(_) => events.push(Event::Unlink(place(path))),
        }
    }
    // 5. New files.
    for (path, known) in new {
        let moved = moves.files.contains_key(path) || moves.along.contains_key(path);
        if !known.is_folder() && !moved {
            events.push(Event::Add(path.clone()));
        }
    }
    // 6. Other content.
    events.extend(changed.iter().cloned().map(Event::Change));
    events
}

#[cfg(all(test, unix))]
mod random;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Stamp;
    use crate::tree::File;

    /// A file of which the system tells no number.
    fn file() -> Known {
        let stamp = Stamp { length: 1, modified: 1, touched: 0, id: None };
        Known::File(File { stamp, hash: None, young: None, link: false })
    }

    fn findings(gone: &[(&str, Known)], new: &[(&str, Known)]) -> Findings {
        let map = |list: &[(&str, Known)]| list.iter().map(|(path, known)| (path.into(), *known)).collect();
        Findings { gone: map(gone), new: map(new), changed: BTreeSet::new() }
    }

    #[test]
    fn w26_without_numbers_the_systems_pairs_tell_what_moved() {
        let gone = [("a", Known::Folder(None)), ("a/x", file()), ("b", file())];
        let new = [("c", Known::Folder(None)), ("c/x", file()), ("d", file())];
        let found = findings(&gone, &new);
        let hints = [("a".into(), "c".into()), ("b".into(), "d".into())];
        let events = arrange(&found, &pair(&found, &hints));
        let rename = |from: &str, to: &str| (PathBuf::from(from), PathBuf::from(to));
        let ((from, to), (old, name)) = (rename("a", "c"), rename("b", "d"));
        assert_eq!(events, [Event::RenameDir { from, to }, Event::Rename { from: old, to: name }]);
        let unpaired = arrange(&found, &pair(&found, &[]));
        assert!(unpaired.iter().all(|event| event.from().is_none()), "{unpaired:?}");
    }

    #[cfg(unix)]
    #[test]
    fn w27_of_two_names_of_one_file_none_is_taken_for_the_one_that_moved() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x"), "").unwrap();
        let Ok(Some(crate::disk::Seen::File(stamp, _))) = crate::disk::look(&folder.path().join("x"), false)
        else {
            panic!("no file");
        };
        let known = Known::File(File { stamp, hash: None, young: None, link: false });
        let found = findings(&[("a", known), ("b", known)], &[("c", known)]);
        let events = arrange(&found, &pair(&found, &[]));
        let path = |name: &str| PathBuf::from(name);
        assert_eq!(events, [Event::Unlink(path("b")), Event::Unlink(path("a")), Event::Add(path("c"))]);
        let found = findings(&[("a", known)], &[("c", known)]);
        assert!(matches!(arrange(&found, &pair(&found, &[]))[..], [Event::Rename { .. }]));
    }

    #[test]
    fn nothing_is_renamed_to_where_a_moved_folder_has_something_else() {
        let found = findings(
            &[("a", Known::Folder(None)), ("a/x", Known::Folder(None)), ("f", file())],
            &[("b", Known::Folder(None)), ("b/x", file())],
        );
        let hints = [("a".into(), "b".into()), ("f".into(), "b/x".into())];
        let expected = [
            Event::RenameDir { from: "a".into(), to: "b".into() },
            Event::Unlink("f".into()),
            Event::UnlinkDir("b/x".into()),
            Event::Add("b/x".into()),
        ];
        assert_eq!(arrange(&found, &pair(&found, &hints)), expected);
    }

    #[test]
    fn what_takes_the_place_of_a_moved_folders_entry_is_told_where_it_is_by_then() {
        let mut found = findings(
            &[("a", Known::Folder(None)), ("a/x", file()), ("a/y", Known::Folder(None))],
            &[("b", Known::Folder(None)), ("b/x", Known::Folder(None)), ("b/y", file())],
        );
        found.cancel();
        let events = arrange(&found, &pair(&found, &[("a".into(), "b".into())]));
        let expected = [
            Event::Unlink("a/x".into()),
            Event::RenameDir { from: "a".into(), to: "b".into() },
            Event::AddDir("b/x".into()),
            Event::UnlinkDir("b/y".into()),
            Event::Add("b/y".into()),
        ];
        assert_eq!(events, expected);
    }
}
