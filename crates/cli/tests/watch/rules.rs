//! Which files count, links, and where a watch begins: chapters 4 to 6 of `docs/spec/watch.md`.

use crate::events::{LONG, filled, watch};
use crate::process::Watched;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

/// Watches with a `.gitignore` of this text.
fn ignoring(rules: &str, names: &[&str], flags: &[&str]) -> Watched {
    let watched = Watched::start(
        |root| {
            filled(names)(root);
            fs::write(root.join(".gitignore"), rules).unwrap();
        },
        flags,
    );
    watched.ready();
    watched
}

#[test]
fn w30_what_git_ignores_is_not_told_and_the_nearest_rule_decides() {
    let watched = ignoring("*.log\n/out/\n", &["out/x", "keep/.gitignore", "a.log"], &LONG);
    fs::write(watched.root().join("keep/.gitignore"), "!b.log\n").unwrap();
    assert_eq!(watched.events(), ["change keep/.gitignore"]);
    for path in ["a.log", "out/x", "keep/a.log", "keep/b.log", "a.txt"] {
        fs::write(watched.root().join(path), "new").unwrap();
    }
    assert_eq!(watched.events(), ["add a.txt", "add keep/b.log"]);
}

#[test]
fn w31_rules_above_the_watched_folder_and_those_of_the_repository_count() {
    let watched = Watched::with(
        |root| {
            filled(&[".git/info/", "app/a"])(root);
            fs::write(root.join(".gitignore"), "*.log\n/app/out\n").unwrap();
            fs::write(root.join(".git/info/exclude"), "secret\n").unwrap();
        },
        |command| {
            command.args(LONG).args(["app", "."]);
        },
    );
    watched.ready();
    fs::create_dir(watched.root().join("app/out")).unwrap();
    for path in ["app/x.log", "app/out/x", "app/secret", "app/a"] {
        fs::write(watched.root().join(path), "new").unwrap();
    }
    assert_eq!(watched.events(), ["change app/a"]);
}

#[test]
fn w32_a_changed_gitignore_counts_at_once() {
    for flags in [&[][..], &["--poll", "--interval", "20"]] {
        let watched = ignoring("*.log\n", &["a.log", "a.txt", "d/b.txt", "d/c.log"], flags);
        fs::write(watched.root().join(".gitignore"), "*.txt\n").unwrap();
        let events = watched.events();
        // What no longer counts is not gone: nothing is told of it.
        assert!(events.contains(&"add a.log".into()) && events.contains(&"add d/c.log".into()), "{events:?}");
        assert!(events.iter().all(|event| !event.ends_with(".txt")), "{events:?}");
        fs::write(watched.root().join("a.txt"), "2").unwrap();
        fs::write(watched.root().join("d/b.txt"), "2").unwrap();
        fs::write(watched.root().join("a.log"), "2").unwrap();
        assert_eq!(watched.events(), ["change a.log"]);
    }
}

#[test]
fn w33_own_patterns_leave_out_and_bring_back() {
    let flags = ["--ignore", "*.tmp.js", "--ignore", "/gen", "--ignore", "!a.log"];
    let watched = ignoring("*.log\n", &["gen/x"], &flags);
    for path in ["a.tmp.js", "gen/x", "b.log", "a.log"] {
        fs::write(watched.root().join(path), "new").unwrap();
    }
    assert_eq!(watched.events(), ["add a.log"]);
}

#[test]
fn w34_only_narrows_the_files_in_all_folders() {
    let watched = watch(&["a.txt", "d/a.rs"], &["--only", "*.rs", "--only", "sentinel"]);
    fs::write(watched.root().join("a.txt"), "new").unwrap();
    fs::write(watched.root().join("d/a.rs"), "new").unwrap();
    assert_eq!(watched.events(), ["change d/a.rs"]);
}

#[test]
fn w35_what_version_control_package_managers_and_editors_write_is_left_out() {
    let names = [".git/index", ".hg/x", "node_modules/m/x", ".env"];
    let watched = watch(&names, &LONG);
    for path in [".git/index", ".hg/x", "node_modules/m/x", "a.rs~", ".a.rs.swp", "4913", "#a#", ".env"] {
        fs::write(watched.root().join(path), "new").unwrap();
    }
    assert_eq!(watched.events(), ["change .env"]);
}

#[test]
fn w36_all_leaves_nothing_out_but_ones_own_patterns() {
    let watched = ignoring("*.log\n", &[".git/index"], &["--all", "--ignore", "x", "--debounce", "200"]);
    for path in [".git/index", "a.log", "a~", "x"] {
        fs::write(watched.root().join(path), "new").unwrap();
    }
    assert_eq!(watched.events(), ["add a.log", "add a~", "change .git/index"]);
}

#[test]
fn w37_a_file_that_is_named_counts_alone_and_whatever_the_rules_say() {
    let watched = Watched::with(
        |root| {
            filled(&["f/a.log", "f/b", "g/"])(root);
            fs::write(root.join(".gitignore"), "*.log\n").unwrap();
        },
        |command| {
            command.args(["f/a.log", "g"]);
        },
    );
    watched.ready();
    let (file, end) = (watched.root().join("f/a.log"), watched.root().join("g/end"));
    fs::write(watched.root().join("f/b"), "not watched").unwrap();
    fs::write(&file, "watched").unwrap();
    let lines = watched.until(|line| watched.words(line).is_some());
    assert_eq!(watched.words(lines.last().unwrap()).unwrap(), "change f/a.log");
    fs::remove_file(&file).unwrap();
    let lines = watched.until(|line| watched.words(line).is_some());
    assert_eq!(watched.words(lines.last().unwrap()).unwrap(), "unlink f/a.log");
    fs::write(&file, "again").unwrap();
    fs::write(end, "").unwrap();
    let lines = watched.until(|line| watched.words(line).is_some_and(|it| it == "add g/end"));
    let events: Vec<_> = lines.iter().filter_map(|line| watched.words(line)).collect();
    assert!(events.contains(&"add f/a.log".to_owned()), "{events:?}");
}

#[test]
fn w38_cargos_listing_says_exactly_which_files_count_wherever_they_are() {
    let elsewhere = tempfile::tempdir().unwrap();
    let shared = elsewhere.path().canonicalize().unwrap().join("my shared.rs");
    fs::write(&shared, "1").unwrap();
    let list = |root: &std::path::Path, more: &str| {
        let shared = shared.to_str().unwrap().replace(' ', "\\ ");
        let text = format!("{0}/target/app: {0}/src/main.rs {shared} {more}\n", root.display());
        fs::write(root.join("target/app.d"), text).unwrap();
    };
    let watched = Watched::start(
        |root| {
            filled(&["target/", "src/main.rs", "src/other.rs"])(root);
            list(root, "");
        },
        &["--dep-info", "target/app.d"],
    );
    watched.ready();
    let next = || {
        let lines = watched.until(|line| watched.words(line).is_some());
        watched.words(lines.last().unwrap()).unwrap()
    };
    fs::write(watched.root().join("src/other.rs"), "no source yet").unwrap();
    fs::write(watched.root().join("src/main.rs"), "new").unwrap();
    assert_eq!(next(), "change src/main.rs");
    fs::write(&shared, "2").unwrap();
    assert_eq!(next(), format!("change {}", shared.display()));
    // The next build lists another file. When that was read nothing tells, so it is written until it shows.
    list(watched.root(), &format!("{}/src/other.rs", watched.root().display()));
    let other = watched.root().join("src/other.rs");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut count = 0_u64;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            count += 1;
            fs::write(&other, count.to_string()).unwrap();
            std::thread::yield_now();
        }
    });
    assert_eq!(next(), "change src/other.rs");
    drop(stop);
    writer.join().unwrap();
}

#[test]
fn w39_a_pattern_that_means_nothing_is_refused() {
    for flag in ["--ignore", "--only"] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_staysail"));
        let output = command.current_dir(folder.path()).args(["watch", flag, "a{b"]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains("\"a{b\" can not be understood"), "{error}");
    }
}

#[test]
fn w40_a_link_is_an_entry_of_its_own() {
    let watched = watch(&["d/x"], &LONG);
    let link = watched.root().join("link");
    symlink("d", &link).unwrap();
    assert_eq!(watched.events(), ["add link"]);
    fs::write(watched.root().join("d/x"), "new").unwrap();
    assert_eq!(watched.events(), ["change d/x"]);
    fs::remove_file(&link).unwrap();
    symlink("nowhere", &link).unwrap();
    assert_eq!(watched.events(), ["change link"]);
    fs::remove_file(&link).unwrap();
    assert_eq!(watched.events(), ["unlink link"]);
}

#[test]
fn w41_followed_folders_tell_under_each_of_their_paths() {
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("x"), "1").unwrap();
    let watched = Watched::start(
        |root| {
            symlink(elsewhere.path(), root.join("one")).unwrap();
            symlink(elsewhere.path(), root.join("two")).unwrap();
        },
        &["--follow"],
    );
    watched.ready();
    fs::write(elsewhere.path().join("x"), "2").unwrap();
    assert_eq!(watched.events(), ["change one/x", "change two/x"]);
    fs::remove_file(watched.root().join("two")).unwrap();
    assert_eq!(watched.events(), ["unlink two/x", "unlinkDir two"]);
    fs::write(elsewhere.path().join("x"), "3").unwrap();
    assert_eq!(watched.events(), ["change one/x"], "and the other goes on");
}

#[test]
fn w42_a_file_behind_a_followed_link_is_looked_at_in_intervals() {
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("target");
    fs::write(&target, "1").unwrap();
    let link = |root: &std::path::Path| symlink(&target, root.join("link")).unwrap();
    let watched = Watched::start(link, &["--follow", "--interval", "20"]);
    watched.ready();
    fs::write(&target, "2").unwrap();
    let lines = watched.until(|line| line["event"] == "change");
    assert_eq!(watched.words(lines.last().unwrap()).unwrap(), "change link");
}

#[test]
fn w43_a_link_to_a_folder_above_is_not_entered() {
    let watched = Watched::start(
        |root| {
            filled(&["d/x"])(root);
            symlink("..", root.join("d/up")).unwrap();
            symlink(".", root.join("self")).unwrap();
        },
        &["--follow", "--initial"],
    );
    let events: Vec<_> = watched.ready().iter().filter_map(|line| watched.words(line)).collect();
    assert_eq!(events, ["addDir ", "addDir d", "add d/x"]);
    fs::write(watched.root().join("d/x"), "2").unwrap();
    assert_eq!(watched.events(), ["change d/x"]);
}

#[test]
fn w44_a_line_tells_when_everything_is_known_and_nothing_before_it_is_an_event() {
    let watched = Watched::start(filled(&["a", "d/b", "d/e/c"]), &[]);
    let lines = watched.ready();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((&lines[0]["folders"], &lines[0]["files"]), (&3.into(), &3.into()));
}

#[test]
fn w45_what_is_there_can_be_told_first() {
    let watched = Watched::start(filled(&["a", "d/b"]), &["--initial"]);
    let events: Vec<_> = watched.ready().iter().filter_map(|line| watched.words(line)).collect();
    assert_eq!(events, ["addDir ", "addDir d", "add a", "add d/b"]);
}

#[test]
fn w46_a_path_that_is_not_there_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["none"][..], &[".", "none"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_staysail"));
        let output = command.current_dir(folder.path()).arg("watch").args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains("none does not exist; nothing is watched"),
            "{error}"
        );
    }
}

#[test]
fn w47_a_watched_folder_that_goes_and_comes_back_is_watched_again() {
    for flags in [&["--interval", "20"][..], &["--interval", "20", "--poll"]] {
        let watched = Watched::with(filled(&["root/a", "other/"]), |command| {
            command.args(flags).args(["root", "other"]);
        });
        watched.ready();
        let (root, last) = (watched.root().join("root"), |line: &serde_json::Value| line["event"] == "batch");
        fs::remove_dir_all(&root).unwrap();
        let lines = watched.until(|line| watched.words(line).is_some_and(|it| it == "unlinkDir root"));
        assert!(
            lines.iter().any(|line| watched.words(line).is_some_and(|it| it == "unlink root/a")),
            "{lines:?}"
        );
        assert!(lines.iter().any(|line| line["subject"] == "root"), "{lines:?}");
        watched.until(last);
        fs::create_dir(watched.root().join("made")).unwrap();
        fs::write(watched.root().join("made/b"), "").unwrap();
        fs::rename(watched.root().join("made"), &root).unwrap();
        let lines = watched.until(last);
        let events: Vec<_> = lines.iter().filter_map(|line| watched.words(line)).collect();
        assert_eq!(events, ["addDir root", "add root/b"], "{flags:?}");
        fs::write(root.join("b"), "and on").unwrap();
        let lines = watched.until(last);
        assert!(
            lines.iter().any(|line| watched.words(line).is_some_and(|it| it == "change root/b")),
            "{lines:?}"
        );
    }
}
