//! A disk that changes between any two reads of it: whatever a scan happens to see, its events can be applied, and once
//! the disk is quiet they have told of everything that is there, down to the content of files.

use super::*;
use crate::rules::Rules;
use crate::testing::{Paths, Random, apply};
use std::cell::RefCell;
use std::fs;
use std::rc::Rc;

const TRIALS: u64 = 60;
const LOOKS: usize = 30;
/// Of a hundred reads, how many at most find that something was changed right before.
const DISTURBED_MAX: usize = 40;
/// Far longer than anything is held back.
const QUIET_MAX: Duration = Duration::from_secs(60);

/// What no file held before, of few lengths, so that often only the content tells; or nothing.
fn text(random: &mut Random) -> String {
    let length = random.below(3);
    format!("{:08}", random.below(100_000_000)).repeat(length)
}

/// Changes one thing below a folder. What the system refuses did nothing. Gives the name something moved to.
fn operate(root: &Path, random: &mut Random) -> Option<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    let mut at = 0;
    while let Some(folder) = folders.get(at).cloned() {
        at += 1;
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    folders.sort();
    let mut place = folders[random.below(folders.len())].clone();
    place.push(["a", "b", "c"][random.below(3)]);
    let folder = folders[random.below(folders.len())].clone();
    let file = files.get(random.below(files.len().max(1))).cloned();
    let text = text(random);
    let moved = |from: PathBuf| fs::rename(from, &place).is_ok().then(|| place.clone());
    let _ = match (random.below(9), file) {
        (0 | 1, _) => fs::write(&place, text),
        (2, Some(file)) => fs::write(file, text),
        (3, Some(file)) => return moved(file),
        (4 | 5, _) if folder != root => return moved(folder),
        (6, Some(file)) => fs::remove_file(file),
        (7, _) if folder != root => fs::remove_dir_all(folder),
        (8, _) if place.components().count() < root.components().count() + 5 => fs::create_dir(&place),
        _ => Ok(()),
    };
    None
}

/// What stands for the content of a file that was gone when it was to be read. The event that tells where to, or that it is, follows.
const UNREAD: &str = "not read yet";

fn content(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|_| UNREAD.into())
}

/// Applies an event as whoever follows the files does: what moved before it could be read is read in its new place.
fn hear(view: &mut Paths<String>, event: &Event) -> Result<(), String> {
    apply(view, event, content)?;
    if let Event::Rename { to, .. } | Event::RenameDir { to, .. } = event {
        let moved = view.iter_mut().filter(|(path, _)| path.starts_with(to));
        for (path, read) in moved.filter(|(_, read)| read.as_deref() == Some(UNREAD)) {
            *read = Some(content(path));
        }
    }
    Ok(())
}

/// What could not be read when it was told, and how many names had been moved to by then.
#[derive(Default)]
struct Unread(BTreeMap<PathBuf, usize>);

impl Unread {
    fn note(&mut self, view: &Paths<String>, moves: usize) {
        let unread = view.iter().filter(|(_, read)| read.as_deref() == Some(UNREAD));
        self.0 = unread.map(|(path, _)| (path.clone(), *self.0.get(path).unwrap_or(&moves))).collect();
    }

    /// Whether it may have been moved back since: as it was told, it is not told again, and who could not read it knows that.
    fn is_back(&self, path: &Path, moves: &[PathBuf]) -> bool {
        let since = self.0.get(path).and_then(|since| moves.get(*since..));
        since.is_some_and(|since| since.iter().any(|to| path.starts_with(to)))
    }
}

fn there(root: &Path) -> Paths<String> {
    let mut found = Paths::from([(root.to_path_buf(), None)]);
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let is_folder = entry.file_type().unwrap().is_dir();
            found.insert(entry.path(), (!is_folder).then(|| content(&entry.path())));
            if is_folder {
                folders.push(entry.path());
            }
        }
    }
    found
}

/// Looks once, and again at what was held for long enough; as the loop does.
fn look(scan: &mut Scan) -> Vec<Event> {
    let mut events = scan.look();
    let now = Instant::now();
    let due: BTreeMap<PathBuf, Sign> = scan
        .held
        .iter()
        .filter(|(_, (_, until))| *until <= now)
        .map(|(path, _)| (path.clone(), Sign::default()))
        .collect();
    events.extend(scan.examine(&due, false, &[]));
    for path in due.keys() {
        scan.held.remove(path);
    }
    events
}

/// One that knows what is there, and is notified of nothing.
fn scan(root: &Path) -> Scan {
    let settings = crate::Watcher::new([root]).interval(Duration::ZERO).settings;
    let select = Box::new(Rules::new(&[root.to_path_buf()]));
    let mut scan = Scan::new(vec![root.to_path_buf()], select, settings, Ok(Notifier::default()));
    scan.begin();
    scan
}

fn run(seed: u64) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let random = Rc::new(RefCell::new(Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
    let moves = Rc::new(RefCell::new(Vec::new()));
    let mut unread = Unread::default();
    for _ in 0..15 {
        operate(&root, &mut random.borrow_mut());
    }
    let often = random.borrow_mut().below(DISTURBED_MAX);
    let mut scan = scan(&root);
    let mut view = there(&root);
    let mut told = Vec::new();
    let mut take = |events: Vec<Event>, view: &mut Paths<String>| {
        told.push(events.clone());
        for event in &events {
            hear(view, event).map_err(|why| format!("seed {seed}: {why}; told: {told:#?}"))?;
        }
        Ok::<(), String>(())
    };
    for _ in 0..LOOKS {
        let (disturbed, moved, below) = (Rc::clone(&random), Rc::clone(&moves), root.clone());
        disk::before_each_read(Some(Box::new(move || {
            let random = &mut *disturbed.borrow_mut();
            if random.below(100) < often {
                moved.borrow_mut().extend(operate(&below, random));
            }
        })));
        let events = look(&mut scan);
        disk::before_each_read(None);
        take(events, &mut view)?;
        unread.note(&view, moves.borrow().len());
        moves.borrow_mut().extend(operate(&root, &mut random.borrow_mut()));
    }
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < QUIET_MAX, "seed {seed}: still not quiet; {:?} are held", scan.held);
        let events = look(&mut scan);
        let quiet = events.is_empty() && scan.held.is_empty();
        take(events, &mut view)?;
        unread.note(&view, moves.borrow().len());
        if quiet {
            break;
        }
        std::thread::yield_now();
    }
    let there = there(&root);
    // Emptied, written and emptied again looks like emptied once, and who reads in between has read more.
    let is_empty = |content: &Option<String>| content.as_ref().is_some_and(String::is_empty);
    for (path, content) in &mut view {
        if there.get(path).is_some_and(is_empty) && content.is_some() {
            *content = Some(String::new());
        }
        if content.as_deref() == Some(UNREAD) && unread.is_back(path, &moves.borrow()) {
            content.clone_from(there.get(path).unwrap_or(&None));
        }
    }
    if view == there {
        return Ok(());
    }
    Err(format!("seed {seed}: {view:#?} is told, {there:#?} is there; told: {told:#?}"))
}

#[test]
fn whatever_is_changed_between_two_reads_is_told_in_the_end() {
    let failed: Vec<String> = (1..=TRIALS).filter_map(|seed| run(seed).err()).collect();
    assert!(failed.is_empty(), "{} of {TRIALS} failed: {}", failed.len(), failed[0]);
}

#[test]
fn what_is_moved_away_and_back_as_it_was_told_is_not_told_again() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = folder.path().canonicalize().unwrap();
    let mut scan = scan(&root);
    let (here, away) = (root.join("a"), elsewhere.path().join("a"));
    fs::write(&here, "text").unwrap();
    assert_eq!(scan.look(), [Event::Add(here.clone())]);
    // Whoever reads it now finds nothing, and is not told when it is there as before.
    fs::rename(&here, &away).unwrap();
    fs::rename(&away, &here).unwrap();
    assert_eq!(look(&mut scan), []);
}
