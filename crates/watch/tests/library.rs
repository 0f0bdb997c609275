//! What only the library offers: chapter 9 of `docs/spec/watch.md`.

use staysail_watch::{Event, Report, Watcher};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// Only a failing test waits for this.
const BOUND: Duration = Duration::from_secs(60);

fn start(watcher: Watcher) -> (staysail_watch::Watch, Receiver<Report>) {
    let (sender, reports) = channel();
    let watch = watcher.start(move |report| drop(sender.send(report))).unwrap();
    assert!(matches!(reports.recv_timeout(BOUND).unwrap(), Report::Ready { .. }));
    (watch, reports)
}

fn next(reports: &Receiver<Report>) -> Vec<Event> {
    loop {
        if let Report::Changed(batch) = reports.recv_timeout(BOUND).unwrap() {
            return batch.events;
        }
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    (folder, path)
}

#[test]
fn w70_renames_can_be_told_as_ends_and_beginnings() {
    let (_folder, root) = folder();
    fs::create_dir(root.join("a")).unwrap();
    fs::write(root.join("a/x"), "1").unwrap();
    let (_watch, reports) = start(Watcher::new([&root]).split_renames(true));
    fs::rename(root.join("a"), root.join("b")).unwrap();
    let (mut events, ends) = (Vec::new(), Event::UnlinkDir(root.join("a")));
    while !events.contains(&ends) {
        events.extend(next(&reports));
    }
    events.sort();
    let at = |path: &str| root.join(path);
    let expected =
        [Event::Add(at("b/x")), Event::Unlink(at("a/x")), Event::AddDir(at("b")), Event::UnlinkDir(at("a"))];
    assert_eq!(events, expected);
}

#[cfg(target_os = "linux")]
#[test]
fn w71_a_file_replaced_by_a_rename_is_told_without_waiting_for_quiet() {
    let (_folder, root) = folder();
    fs::write(root.join("a"), "1").unwrap();
    // A quiet time that no test lives to see the end of.
    let forever = Duration::from_secs(100_000);
    let (_watch, reports) = start(Watcher::new([&root]).quiet(forever).eager(true));
    fs::write(root.join("a.new"), "2").unwrap();
    fs::rename(root.join("a.new"), root.join("a")).unwrap();
    assert_eq!(next(&reports), [Event::Change(root.join("a"))]);
}

#[test]
fn w72_further_files_are_watched_wherever_they_are_until_others_are_told() {
    let ((_folder, root), (_elsewhere, other)) = (folder(), folder());
    let (one, two) = (other.join("one"), other.join("two"));
    fs::write(&one, "1").unwrap();
    fs::write(&two, "1").unwrap();
    let (watch, reports) = start(Watcher::new([&root]).also([one.clone()]));
    fs::write(&two, "2").unwrap();
    fs::write(&one, "2").unwrap();
    assert_eq!(next(&reports), [Event::Change(one.clone())]);
    watch.also([two.clone()]);
    write_until_told(&two, &reports);
    fs::write(&one, "not watched any longer").unwrap();
    fs::write(&two, "last").unwrap();
    assert!(next(&reports).iter().all(|event| event.path() == two));
}

/// When a list is taken in nothing tells, so the file is written until it shows.
fn write_until_told(file: &Path, reports: &Receiver<Report>) {
    for count in 0.. {
        fs::write(file, format!("count {count}")).unwrap();
        match reports.recv_timeout(Duration::from_millis(50)) {
            Ok(Report::Changed(batch)) if batch.events == [Event::Change(file.into())] => return,
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn w73_a_dropped_watch_ends() {
    let (_folder, root) = folder();
    let (watch, reports) = start(Watcher::new([&root]));
    drop(watch);
    // The thread held the other end.
    while reports.recv_timeout(BOUND) != Err(RecvTimeoutError::Disconnected) {}
}

#[test]
fn w46_a_path_that_is_not_there_is_refused_with_what_to_do() {
    let (_folder, root) = folder();
    let error = Watcher::new([root.join("none")]).start(|_| {}).unwrap_err().to_string();
    assert!(error.contains("none does not exist; nothing is watched"), "{error}");
}
