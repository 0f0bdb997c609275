//! Random trees before and after: the events lead from one to the other, whatever moved where.

use super::*;
use crate::disk::Stamp;
use crate::testing::{Paths, Random, apply};
use crate::tree::File;

/// The 46,403rd found that a folder taken out of one that moved as well was thought to have come along.
const TRIALS: u64 = 60_000;
const OPERATIONS: usize = 12;

/// A tree without a disk: what is under each path, the watched folder itself left out.
#[derive(Clone, Default)]
struct Model {
    things: BTreeMap<PathBuf, Known>,
    made: u64,
}

impl Model {
    fn new_file(&mut self) -> Known {
        self.made += 1;
        let stamp = Stamp { length: 1, modified: 1, touched: 0, id: Some(Id::numbered(self.made)) };
        Known::File(File { stamp, hash: None, young: None, link: false })
    }

    /// Another content of the same file.
    fn write(&mut self, path: &Path) {
        self.made += 1;
        if let Some(Known::File(file)) = self.things.get_mut(path) {
            file.stamp.modified = self.made as i64;
        }
    }

    fn new_folder(&mut self) -> Known {
        self.made += 1;
        Known::Folder(Some(Id::numbered(self.made)))
    }

    fn is_folder(&self, path: &Path) -> bool {
        path == Path::new("r") || self.things.get(path).is_some_and(Known::is_folder)
    }

    /// A path whose folder is there.
    fn place(&self, random: &mut Random) -> PathBuf {
        let mut folders: Vec<PathBuf> =
            self.things.iter().filter(|(_, it)| it.is_folder()).map(|(path, _)| path.clone()).collect();
        folders.push("r".into());
        folders[random.below(folders.len())].join(["a", "b", "c"][random.below(3)])
    }

    fn remove(&mut self, path: &Path) {
        self.things.retain(|other, _| !other.starts_with(path));
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        if to.starts_with(from) || from.starts_with(to) || !self.is_folder(to.parent().unwrap()) {
            return;
        }
        self.remove(to);
        let moved: Vec<PathBuf> = self.things.keys().filter(|path| path.starts_with(from)).cloned().collect();
        for old in moved {
            let new: PathBuf = to.join(old.strip_prefix(from).unwrap()).components().collect();
            let known = self.things.remove(&old).unwrap();
            self.things.insert(new, known);
        }
    }

    fn operate(&mut self, random: &mut Random) {
        let place = self.place(random);
        let any: Vec<PathBuf> = self.things.keys().cloned().collect();
        match random.below(7) {
            0 | 1 if !self.is_folder(&place) => {
                let file = self.new_file();
                self.things.insert(place, file);
            }
            2 if !self.things.contains_key(&place) && place.components().count() < 6 => {
                let folder = self.new_folder();
                self.things.insert(place, folder);
            }
            3 if !any.is_empty() => self.remove(&any[random.below(any.len())]),
            6 if !any.is_empty() => self.write(&any[random.below(any.len())]),
            4 | 5 if !any.is_empty() => self.rename(&any[random.below(any.len())], &place),
            _ => {}
        }
    }

    /// What is in a file: which one it is stands for what was written into it first.
    fn content(&self, path: &Path) -> Stamp {
        match self.things.get(path) {
            Some(Known::File(file)) => file.stamp,
            other => panic!("{} is no file to be read but {other:?}", path.display()),
        }
    }

    fn paths(&self) -> Paths<Stamp> {
        let content = |path: &Path, known: &Known| (!known.is_folder()).then(|| self.content(path));
        let all = self.things.iter().map(|(path, known)| (path.clone(), content(path, known)));
        all.chain([("r".into(), None)]).collect()
    }
}

/// What a scan finds between two trees.
fn differ(before: &Model, after: &Model) -> Findings {
    let same = |path: &Path, known: &Known, other: &Model| {
        other.things.get(path).is_some_and(|it| it.is_folder() == known.is_folder())
    };
    let only = |one: &Model, other: &Model| {
        let left = one.things.iter().filter(|(path, known)| !same(path, known, other));
        left.map(|(path, known)| (path.clone(), *known)).collect::<BTreeMap<_, _>>()
    };
    let changed = after.things.iter().filter(|(path, known)| {
        !known.is_folder() && before.things.get(*path).is_some_and(|old| !old.is_folder() && old != *known)
    });
    Findings {
        gone: only(before, after),
        new: only(after, before),
        changed: changed.map(|(path, _)| path.clone()).collect(),
    }
}

#[test]
fn events_lead_from_any_tree_to_any_other() {
    for seed in 1..=TRIALS {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut before = Model::default();
        for _ in 0..OPERATIONS {
            before.operate(&mut random);
        }
        let mut after = before.clone();
        for _ in 0..=random.below(OPERATIONS) {
            after.operate(&mut random);
        }
        let mut findings = differ(&before, &after);
        let moves = pair(&findings, &[]);
        // As the scan does: what moved may have been written, and what moved along may be another file by then.
        let moved = moves.files.iter().chain(&moves.along);
        let written = moved
            .filter(|(to, from)| !after.things[*to].is_folder() && after.content(to) != before.content(from));
        findings.changed.extend(written.map(|(to, _)| to.clone()));
        let events = arrange(&findings, &moves);
        let mut view = before.paths();
        for event in &events {
            if let Err(why) = apply(&mut view, event, |path| after.content(path)) {
                panic!("seed {seed}: {why}\n{:#?}\n{:#?}\n{events:#?}", before.paths(), after.paths());
            }
        }
        assert_eq!(view, after.paths(), "seed {seed}: {events:#?}");
    }
}
