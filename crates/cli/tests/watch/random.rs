//! Ten thousand random operations: at each quiet point what the events say is what is there.

use crate::process::Watched;
use crate::view::{View, tree};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const OPERATIONS: usize = 10_000;
/// Operations between two points at which everything is compared.
const ROUND: usize = 250;
/// One round in so many, where the system's queue is made to overflow.
const FLOODED: usize = 8;

/// xorshift64*, so that a seed means the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % end
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        if list.is_empty() { None } else { list.get(self.below(list.len())) }
    }
}

/// The real tree, as the operations left it.
struct Real {
    root: PathBuf,
    random: Random,
    writes: usize,
}

impl Real {
    /// Files and folders, without the watched one.
    fn list(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        let mut left = vec![self.root.clone()];
        while let Some(folder) = left.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    left.push(entry.path());
                    folders.push(entry.path());
                } else {
                    files.push(entry.path());
                }
            }
        }
        // The order of a listing differs from run to run.
        files.sort();
        folders.sort();
        (files, folders)
    }

    fn name(&mut self) -> &'static str {
        const NAMES: [&str; 9] = ["a", "b", "c", "A", "B", "x.rs", "y.css", "with space", "ümlaut"];
        NAMES[self.random.below(NAMES.len())]
    }

    /// A path in a random folder; something may be there.
    fn place(&mut self, folders: &[PathBuf]) -> PathBuf {
        let at = self.random.below(folders.len() + 1);
        let folder = folders.get(at).unwrap_or(&self.root).clone();
        let name = self.name();
        folder.join(name)
    }

    fn text(&mut self) -> String {
        self.writes += 1;
        // Of few lengths, so that length alone tells nothing.
        format!("{:06}{}", self.writes, "-".repeat(self.random.below(3)))
    }

    /// One operation. What the system refuses (a folder into itself, a file over a folder) did nothing.
    fn operate(&mut self) {
        let (files, folders) = self.list();
        let file = self.random.of(&files).cloned();
        let folder = self.random.of(&folders).cloned();
        let (place, text) = (self.place(&folders), self.text());
        // Kept small: much of what can go wrong needs the same names again.
        if files.len() > 60 {
            for file in files.iter().skip(30) {
                fs::remove_file(file).unwrap();
            }
        }
        let _ = match (self.random.below(13), file, folder) {
            (0 | 1, ..) => fs::write(&place, text),
            (2, Some(file), _) => fs::write(file, text),
            (3, Some(file), _) => append(&file, &text),
            (4, Some(file), _) => fs::write(file, ""),
            (5, Some(file), _) => fs::rename(file, &place),
            (6, _, Some(folder)) => fs::rename(folder, &place),
            (7, Some(file), _) => fs::remove_file(file),
            (8, _, Some(folder)) => fs::remove_dir_all(folder),
            (9, ..) => {
                let more = place.join(self.name()).join(self.name());
                fs::create_dir_all(if more.components().count() > 14 { &self.root } else { &more })
            }
            (10, Some(file), _) => std::os::unix::fs::symlink(file, &place),
            (11, Some(file), _) => {
                let new = file.with_extension("new");
                fs::write(&new, text).and_then(|()| fs::rename(&new, file))
            }
            (12, Some(file), _) => {
                let name = file.file_name().unwrap().to_str().unwrap();
                let other = if name.chars().any(char::is_lowercase) {
                    name.to_uppercase()
                } else {
                    name.to_lowercase()
                };
                fs::rename(&file, file.with_file_name(other))
            }
            _ => Ok(()),
        };
    }
}

fn append(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    // A link may lead to nowhere, or to a folder.
    fs::OpenOptions::new().append(true).open(file)?.write_all(text.as_bytes())
}

/// Does all operations and compares; `disturb` is called with each round's number before the operations and after them.
fn compare(seed: u64, flags: &[&str], disturb: impl Fn(&Watched, usize, bool)) -> Vec<Value> {
    let watched = Watched::start(|root| fs::write(root.join("a"), "first").unwrap(), flags);
    let mut view = View::default();
    for line in watched.ready() {
        view.apply(&line);
    }
    let mut real = Real { root: watched.root().to_path_buf(), random: Random(seed), writes: 0 };
    let mut before = tree(&real.root);
    let mut notices = Vec::new();
    for round in 0..OPERATIONS / ROUND {
        disturb(&watched, round, true);
        for _ in 0..ROUND {
            real.operate();
        }
        disturb(&watched, round, false);
        let lines = watched.settle();
        for line in &lines {
            view.apply(line);
        }
        notices.extend(lines.iter().filter(|line| line["event"] == "notice").cloned());
        let now = tree(&real.root);
        let there: Vec<_> = now.iter().map(|(path, content)| (path.clone(), content.is_none())).collect();
        let known: Vec<_> = view.paths.clone().into_iter().collect();
        assert_eq!(known, there, "seed {seed}, round {round}; told: {lines:#?}");
        for (path, content) in &now {
            let same = before.get(path) == Some(content);
            let told = view.told.contains(path);
            assert!(
                same || told,
                "seed {seed}, round {round}: {} changed and nothing was told",
                path.display()
            );
        }
        view.told.clear();
        before = now;
    }
    notices
}

#[test]
fn w90_what_the_events_say_is_what_is_there_after_ten_thousand_operations() {
    for seed in [1, 20_261_124, 0xdead_beef] {
        assert_eq!(compare(seed, &["--initial", "--all"], |_, _, _| {}), Vec::<Value>::new());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn w91_what_the_events_say_is_what_is_there_when_the_systems_queue_overflows() {
    let most = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let most: usize = most.trim().parse().unwrap();
    let notices = compare(7, &["--initial", "--all"], |watched, round, begins| {
        if round % FLOODED != 0 {
            return;
        }
        if !begins {
            return watched.signal(libc::SIGCONT);
        }
        watched.signal(libc::SIGSTOP);
        // Of two files in turn, so that no event is merged with the one before.
        for at in 0..=most / 2 {
            fs::write(watched.root().join(["flood-1", "flood-2"][at % 2]), "flood").unwrap();
        }
    });
    let lost = notices.iter().filter(|line| line["subject"] == "overflow").count();
    assert_eq!(lost, (OPERATIONS / ROUND).div_ceil(FLOODED), "{notices:#?}");
}

#[test]
fn w92_what_looking_in_intervals_says_is_what_is_there() {
    assert_eq!(
        compare(11, &["--initial", "--all", "--poll", "--interval", "20"], |_, _, _| {}),
        Vec::<Value>::new()
    );
}
