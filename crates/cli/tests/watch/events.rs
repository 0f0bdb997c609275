//! Which event comes when: chapters 1 to 3 of `docs/spec/watch.md`.

use crate::process::Watched;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A folder with files of these names, each with its name as content; names that end in `/` are folders.
pub fn filled(names: &[&str]) -> impl FnOnce(&Path) {
    move |root| {
        for name in names {
            let path = root.join(name);
            if name.ends_with('/') {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, name).unwrap();
            }
        }
    }
}

/// Watches such a folder and waits until everything is known.
pub fn watch(names: &[&str], flags: &[&str]) -> Watched {
    let watched = Watched::start(filled(names), flags);
    watched.ready();
    watched
}

/// A quiet time in which a test has done several things, however busy the machine.
pub const LONG: [&str; 2] = ["--debounce", "200"];

/// What is told of what `act` does in the folder, all at once.
pub fn told(names: &[&str], act: impl FnOnce(&Path)) -> Vec<String> {
    let watched = watch(names, &LONG);
    act(watched.root());
    watched.events()
}

#[test]
fn w1_a_file_that_was_not_there_is_added_once() {
    let events = told(&[], |root| {
        fs::write(root.join("a"), "1").unwrap();
        fs::write(root.join("a"), "2").unwrap();
    });
    assert_eq!(events, ["add a"]);
}

#[test]
fn w2_other_content_is_a_change() {
    assert_eq!(told(&["a"], |root| fs::write(root.join("a"), "b").unwrap()), ["change a"]);
}

#[test]
fn w3_a_file_that_is_gone_is_unlinked() {
    assert_eq!(told(&["a"], |root| fs::remove_file(root.join("a")).unwrap()), ["unlink a"]);
}

#[test]
fn w4_a_new_folder_is_told_before_what_is_in_it_and_nothing_in_it_is_missed() {
    let events = told(&[], |root| {
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        fs::write(root.join("a/x"), "").unwrap();
        fs::write(root.join("a/b/c/y"), "").unwrap();
    });
    assert_eq!(events, ["addDir a", "addDir a/b", "addDir a/b/c", "add a/b/c/y", "add a/x"]);
}

#[test]
fn w5_a_folder_that_is_gone_is_told_after_what_was_in_it() {
    let events = told(&["a/b/c", "a/x"], |root| fs::remove_dir_all(root.join("a")).unwrap());
    assert_eq!(events, ["unlink a/x", "unlink a/b/c", "unlinkDir a/b", "unlinkDir a"]);
}

#[test]
fn w6_a_renamed_file_is_one_event_with_both_names() {
    let events = told(&["a", "f/"], |root| fs::rename(root.join("a"), root.join("f/b")).unwrap());
    assert_eq!(events, ["rename a -> f/b"]);
}

#[test]
fn w7_a_renamed_folder_is_one_event_and_goes_on_being_watched_under_its_new_name() {
    let watched = watch(&["a/b/c", "a/x", "other/y"], &LONG);
    fs::rename(watched.root().join("a"), watched.root().join("other/n")).unwrap();
    assert_eq!(watched.events(), ["renameDir a -> other/n"]);
    fs::write(watched.root().join("other/n/b/c"), "new").unwrap();
    fs::write(watched.root().join("other/n/b/d"), "new").unwrap();
    assert_eq!(watched.events(), ["add other/n/b/d", "change other/n/b/c"]);
    fs::rename(watched.root().join("other"), watched.root().join("a")).unwrap();
    fs::write(watched.root().join("a/n/b/c"), "newer").unwrap();
    assert_eq!(watched.events(), ["renameDir other -> a", "change a/n/b/c"]);
}

#[test]
fn w8_what_comes_from_elsewhere_is_new_and_what_goes_elsewhere_is_gone() {
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir(elsewhere.path().join("d")).unwrap();
    fs::write(elsewhere.path().join("d/x"), "").unwrap();
    let watched = watch(&["a", "g/y"], &LONG);
    fs::rename(elsewhere.path().join("d"), watched.root().join("d")).unwrap();
    assert_eq!(watched.events(), ["addDir d", "add d/x"]);
    fs::rename(watched.root().join("a"), elsewhere.path().join("a")).unwrap();
    fs::rename(watched.root().join("g"), elsewhere.path().join("g")).unwrap();
    assert_eq!(watched.events(), ["unlink g/y", "unlinkDir g", "unlink a"]);
    fs::write(elsewhere.path().join("g/y"), "not ours").unwrap();
    assert_eq!(watched.events(), [""; 0]);
}

#[test]
fn w9_a_rename_over_a_file_changes_that_one_and_unlinks_the_other() {
    let events = told(&["a", "b"], |root| fs::rename(root.join("a"), root.join("b")).unwrap());
    assert_eq!(events.iter().filter(|event| *event == "change b").count(), 1, "{events:?}");
    assert_eq!(events.iter().filter(|event| *event == "unlink a").count(), 1, "{events:?}");
    assert_eq!(events.len(), 2, "{events:?}");
}

#[test]
fn w10_a_file_renamed_and_written_is_told_as_both() {
    let events = told(&["a"], |root| {
        fs::rename(root.join("a"), root.join("b")).unwrap();
        fs::write(root.join("b"), "other").unwrap();
    });
    assert_eq!(events, ["rename a -> b", "change b"]);
}

#[test]
fn w11_another_kind_of_thing_in_the_same_place_is_an_end_and_a_beginning() {
    let watched = watch(&["a", "d/x"], &LONG);
    fs::remove_file(watched.root().join("a")).unwrap();
    fs::create_dir(watched.root().join("a")).unwrap();
    assert_eq!(watched.events(), ["unlink a", "addDir a"]);
    fs::remove_dir_all(watched.root().join("d")).unwrap();
    fs::write(watched.root().join("d"), "").unwrap();
    assert_eq!(watched.events(), ["unlink d/x", "unlinkDir d", "add d"]);
}

#[test]
fn w12_a_name_that_changes_only_its_case_is_a_rename() {
    let watched = watch(&["readme.md", "src/x"], &LONG);
    fs::rename(watched.root().join("readme.md"), watched.root().join("README.md")).unwrap();
    fs::rename(watched.root().join("src"), watched.root().join("Src")).unwrap();
    assert_eq!(watched.events(), ["renameDir src -> Src", "rename readme.md -> README.md"]);
}

#[test]
fn w13_a_second_name_of_a_file_is_added() {
    let watched = watch(&["a"], &[]);
    fs::hard_link(watched.root().join("a"), watched.root().join("b")).unwrap();
    assert_eq!(watched.events(), ["add b"]);
}

#[test]
fn w14_pipes_and_sockets_are_not_told_of() {
    let events = told(&["a"], |root| {
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        let name = std::ffi::CString::new(root.join("pipe").to_str().unwrap()).unwrap();
        // SAFETY: the name ends in a zero byte.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        fs::write(root.join("a"), "after").unwrap();
    });
    assert_eq!(events, ["change a"]);
}

#[test]
fn w15_a_touch_a_save_without_a_difference_and_other_rights_are_nothing() {
    let watched = watch(&["a", "b", "c"], &[]);
    let at = |name: &str| watched.root().join(name);
    fs::File::options()
        .write(true)
        .open(at("a"))
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    fs::write(at("b"), "b").unwrap();
    fs::set_permissions(at("c"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(watched.events(), [""; 0]);
}

#[test]
fn w16_a_long_file_is_compared_by_length_and_time() {
    let watched = Watched::start(
        |root| fs::File::create(root.join("long")).unwrap().set_len((16 << 20) + 1).unwrap(),
        &[],
    );
    watched.ready();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(9);
    let file = fs::File::options().write(true).open(watched.root().join("long")).unwrap();
    file.set_modified(later).unwrap();
    assert_eq!(watched.events(), ["change long"]);
}

#[test]
fn w17_a_second_save_in_the_same_step_of_the_clock_is_seen() {
    for flags in [&[][..], &["--poll", "--interval", "20"]] {
        let watched = watch(&["a"], flags);
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        for text in ["one", "two", "six"] {
            fs::write(watched.root().join("a"), text).unwrap();
            let file = fs::File::options().write(true).open(watched.root().join("a")).unwrap();
            file.set_modified(time).unwrap();
            assert_eq!(watched.events(), ["change a"], "{text} {flags:?}");
        }
    }
}

#[test]
fn w18_an_editors_new_file_renamed_over_the_old_one_is_one_change() {
    let events = told(&["a.rs"], |root| {
        fs::write(root.join("a.rs.new"), "saved").unwrap();
        fs::rename(root.join("a.rs.new"), root.join("a.rs")).unwrap();
    });
    assert_eq!(events, ["change a.rs"]);
}

#[test]
fn w19_a_file_cut_to_nothing_and_written_is_one_change() {
    let watched = watch(&["a"], &LONG);
    let mut file = fs::File::create(watched.root().join("a")).unwrap();
    // Something else is told in between, so the empty file was looked at.
    fs::write(watched.root().join("b"), "").unwrap();
    let lines = watched.until(|line| line["event"] == "batch");
    assert!(lines.iter().all(|line| watched.words(line).is_none_or(|it| it == "add b")), "{lines:?}");
    std::io::Write::write_all(&mut file, b"whole").unwrap();
    assert_eq!(watched.events(), ["change a"]);
}

#[test]
fn w20_a_file_that_stays_empty_is_one_change() {
    assert_eq!(told(&["a"], |root| fs::write(root.join("a"), "").unwrap()), ["change a"]);
}

#[test]
fn w21_a_file_moved_away_and_written_anew_is_one_change() {
    let watched = watch(&["a"], &LONG);
    let at = |name: &str| watched.root().join(name);
    fs::rename(at("a"), at("a~")).unwrap();
    fs::write(at("b"), "").unwrap();
    let lines = watched.until(|line| line["event"] == "batch");
    assert!(lines.iter().all(|line| watched.words(line).is_none_or(|it| it == "add b")), "{lines:?}");
    fs::write(at("a"), "saved").unwrap();
    fs::remove_file(at("a~")).unwrap();
    assert_eq!(watched.events(), ["change a"]);
}

#[test]
fn w22_a_backup_that_is_kept_is_added() {
    let events = told(&["a"], |root| {
        fs::rename(root.join("a"), root.join("a.orig")).unwrap();
        fs::write(root.join("a"), "saved").unwrap();
    });
    assert_eq!(events, ["add a.orig", "change a"]);
}

#[test]
fn w23_events_of_one_batch_are_followed_by_a_line_that_counts_them() {
    let watched = watch(&["a", "b"], &LONG);
    fs::write(watched.root().join("a"), "1").unwrap();
    fs::write(watched.root().join("b"), "2").unwrap();
    let lines = watched.until(|line| line["event"] == "batch");
    let events: Vec<String> = lines.iter().filter_map(|line| watched.words(line)).collect();
    assert_eq!(events, ["change a", "change b"]);
    let (end, before) = lines.split_last().unwrap();
    assert_eq!(end["events"], 2);
    assert!(end["ms"].is_number() && before.iter().all(|line| line["batch"] == end["batch"]), "{lines:?}");
}

#[test]
fn w24_saves_that_never_end_are_told_all_the_same() {
    let watched = watch(&["a"], &["--debounce", "100"]);
    let file = watched.root().join("a");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut count = 0_u64;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            count += 1;
            fs::write(&file, count.to_string()).unwrap();
        }
    });
    let lines = watched.until(|line| line["event"] == "change");
    drop(stop);
    writer.join().unwrap();
    assert!(lines.last().is_some_and(|line| line["path"].is_string()), "{lines:?}");
}

#[test]
fn w25_a_name_that_is_no_text_is_written_as_well_as_it_can_be() {
    use std::os::unix::ffi::OsStrExt;
    let watched = watch(&[], &[]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    fs::write(watched.root().join(name), "").unwrap();
    let lines = watched.settle();
    let add: Vec<&Value> = lines.iter().filter(|line| line["event"] == "add").collect();
    assert!(
        add[0]["path"].as_str().unwrap().ends_with("caf\u{fffd}") && add[0]["lossy"] == true,
        "{lines:?}"
    );
}

#[test]
fn w27_of_two_names_of_one_file_neither_is_taken_for_the_one_that_moved() {
    let watched = watch(&["a"], &LONG);
    let at = |name: &str| watched.root().join(name);
    fs::hard_link(at("a"), at("b")).unwrap();
    assert_eq!(watched.events(), ["add b"]);
    fs::rename(at("a"), at("c")).unwrap();
    fs::remove_file(at("b")).unwrap();
    let mut events = watched.events();
    events.sort();
    assert_eq!(events, ["add c", "unlink a", "unlink b"]);
}
