//! The system's limits and the command itself: chapters 7 and 8 of `docs/spec/watch.md`.

use crate::events::{LONG, filled, watch};
use crate::process::{BOUND, Ends, Watched, eventually};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_staysail"));
    command.env("NO_COLOR", "1").arg("watch");
    command
}

#[test]
fn w50_looking_in_intervals_tells_the_same() {
    let watched = watch(&["a", "b", "d/x"], &["--poll", "--interval", "20"]);
    let at = |name: &str| watched.root().join(name);
    fs::write(at("a"), "2").unwrap();
    assert_eq!(watched.events(), ["change a"]);
    fs::write(at("b"), "b").unwrap();
    assert_eq!(watched.events(), [""; 0]);
    fs::rename(at("a"), at("c")).unwrap();
    assert_eq!(watched.events(), ["rename a -> c"]);
    fs::rename(at("d"), at("e")).unwrap();
    assert_eq!(watched.events(), ["renameDir d -> e"]);
    fs::remove_dir_all(at("e")).unwrap();
    assert_eq!(watched.events(), ["unlink e/x", "unlinkDir e"]);
}

/// Six watches for a user namespace of its own: nobody else is touched by that.
#[cfg(target_os = "linux")]
#[test]
fn w51_without_watches_left_the_rest_is_looked_at_in_intervals() {
    let script = "echo 6 > /proc/sys/user/max_inotify_watches && exec \"$0\" \"$@\"";
    let unshared = |program: &str, arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", script, program]).args(arguments);
        command
    };
    if !unshared("true", &[]).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        eprintln!("not shown: this system lets nobody have a user namespace");
        return;
    }
    let names: Vec<String> = (0..20).map(|number| format!("d{number:02}/x")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let watched = Watched::with(filled(&names), |command| {
        let program = command.get_program().to_owned();
        let folder = command.get_current_dir().unwrap().to_owned();
        let arguments = ["watch", "--json", "--interval", "20"];
        *command = unshared(program.to_str().unwrap(), &arguments);
        command.current_dir(folder);
    });
    let lines = watched.ready();
    let notices: Vec<_> = lines.iter().filter(|line| line["event"] == "notice").collect();
    assert_eq!(notices.len(), 1, "{lines:#?}");
    assert_eq!(notices[0]["subject"], "limit");
    assert!(
        notices[0]["message"].as_str().unwrap().contains("sysctl fs.inotify.max_user_watches"),
        "{lines:#?}"
    );
    for name in &names {
        fs::write(watched.root().join(name), "2").unwrap();
    }
    fs::create_dir(watched.root().join("d19/new")).unwrap();
    fs::write(watched.root().join("d19/new/y"), "").unwrap();
    let mut events = watched.events();
    events.sort();
    let mut expected: Vec<String> = names.iter().map(|name| format!("change {name}")).collect();
    expected.extend(["add d19/new/y".into(), "addDir d19/new".into()]);
    expected.sort();
    assert_eq!(events, expected);
}

/// Has a folder look as if it lay on another machine: its file system has this number, and of what happens in it no event
/// tells.
#[cfg(target_os = "linux")]
const ELSEWHERE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#define NUMBERED(name, type) \
  int name(const char *path, struct type *facts) { \
    int (*real)(const char *, struct type *) = dlsym(RTLD_NEXT, #name); \
    int result = real(path, facts); \
    facts->f_type = strtoll(getenv("FILE_SYSTEM"), 0, 0); \
    return result; \
  }
NUMBERED(statfs, statfs)
NUMBERED(statfs64, statfs64)
int inotify_add_watch(int queue, const char *path, uint32_t mask) {
  int (*real)(int, const char *, uint32_t) = dlsym(RTLD_NEXT, "inotify_add_watch");
  (void)mask;
  return real(queue, path, IN_DELETE_SELF);
}
"#;

#[cfg(target_os = "linux")]
#[test]
fn w54_what_lies_on_another_machine_is_looked_at_in_intervals_without_being_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("elsewhere.c"), folder.path().join("elsewhere.so"));
    fs::write(&source, ELSEWHERE).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl");
    assert!(compiler.status().unwrap().success());
    for (number, name) in [("0x6969", "nfs"), ("0x01021997", "9p")] {
        let watched = Watched::with(filled(&["a", "d/x"]), |command| {
            command.args(["--interval", "20"]).env("LD_PRELOAD", &library).env("FILE_SYSTEM", number);
        });
        let lines = watched.ready();
        let notices: Vec<_> = lines.iter().filter(|line| line["event"] == "notice").collect();
        assert_eq!(notices.len(), 1, "{lines:#?}");
        assert_eq!(notices[0]["subject"], "polling");
        assert!(notices[0]["message"].as_str().unwrap().contains(name), "{lines:#?}");
        fs::write(watched.root().join("d/x"), "2").unwrap();
        assert_eq!(watched.events(), ["change d/x"], "{name}");
    }
}

/// The superuser may read whatever the permissions are: a command is started without that, and as who we are, for only we
/// may be able to reach its executable.
#[cfg(target_os = "linux")]
fn without_privilege(command: &mut Command) {
    const CAP_DAC_OVERRIDE: libc::c_ulong = 1;
    const CAP_DAC_READ_SEARCH: libc::c_ulong = 2;
    // SAFETY: prctl with these arguments changes the new process only; for others than the superuser it fails and nothing
    // has to be given up.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0);
            libc::prctl(libc::PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH, 0, 0, 0);
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn without_privilege(_: &mut Command) {}

#[test]
fn w52_what_may_not_be_read_is_told_once_and_the_rest_is_watched() {
    let watched = Watched::with(
        |root| {
            filled(&["closed/x", "a"])(root);
            fs::set_permissions(root.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
        },
        without_privilege,
    );
    let closed = watched.root().join("closed");
    let denied = |lines: &[Value]| lines.iter().filter(|line| line["subject"] == "denied").count();
    let mut lines = watched.ready();
    fs::write(watched.root().join("a"), "2").unwrap();
    lines.extend(watched.settle());
    assert_eq!(denied(&lines), 1, "{lines:#?}");
    let told = lines.iter().find(|line| line["subject"] == "denied").unwrap();
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("everything else is watched. Give yourself permission"), "{message}");
    assert!(lines.iter().any(|line| watched.words(line).is_some_and(|it| it == "change a")), "{lines:#?}");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    let lines = watched.settle();
    assert!(
        lines.iter().any(|line| watched.words(line).is_some_and(|it| it == "add closed/x")),
        "{lines:#?}"
    );
    fs::write(closed.join("x"), "2").unwrap();
    assert_eq!(watched.events(), ["change closed/x"], "and is watched from then on");
}

#[cfg(target_os = "linux")]
#[test]
fn w53_a_hundred_thousand_files_are_watched_in_bounded_memory() {
    const FOLDERS: usize = 500;
    const FILES: usize = 200;
    let watched = Watched::start(
        |root| {
            for folder in 0..FOLDERS {
                let folder = root.join(format!("folder-{folder}"));
                fs::create_dir(&folder).unwrap();
                for file in 0..FILES {
                    fs::write(folder.join(format!("file-{file}.txt")), "x").unwrap();
                }
            }
        },
        &[],
    );
    let lines = watched.ready();
    assert_eq!(lines.last().unwrap()["files"], FOLDERS * FILES, "{lines:?}");
    let status = fs::read_to_string(format!("/proc/{}/status", watched.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let most: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(most < 150_000, "{most} KiB for {} files", FOLDERS * FILES);
    fs::write(watched.root().join("folder-499/file-199.txt"), "other").unwrap();
    fs::rename(watched.root().join("folder-7"), watched.root().join("seven")).unwrap();
    let events = watched.events();
    assert!(events.contains(&"change folder-499/file-199.txt".into()), "{events:?}");
    assert!(events.contains(&"renameDir folder-7 -> seven".into()), "{events:?}");
    assert_eq!(events.len(), 2);
}

#[test]
fn w60_lines_for_people_are_short_and_a_name_can_not_break_them() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "1").unwrap();
    let mut command = command();
    command.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Ends(command.spawn().unwrap());
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.0.stderr.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "watching 1 files in 1 folders; Ctrl-C ends it");
    fs::write(folder.path().join("b\n\x1b[31m"), "").unwrap();
    let mut out = std::io::BufRead::lines(std::io::BufReader::new(child.0.stdout.take().unwrap()));
    assert_eq!(out.next().unwrap().unwrap(), "add       b\u{fffd}\u{fffd}[31m");
    fs::rename(folder.path().join("a"), folder.path().join("c")).unwrap();
    assert_eq!(out.next().unwrap().unwrap(), "rename    a → c");
}

#[test]
fn w61_its_own_output_in_the_watched_folder_is_not_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let log = fs::File::create(folder.path().join("log")).unwrap();
    fs::write(folder.path().join("end"), "").unwrap();
    let _child = Ends(command().arg("--json").current_dir(folder.path()).stdout(log).spawn().unwrap());
    let text = || fs::read_to_string(folder.path().join("log")).unwrap();
    eventually("ready", || text().contains("ready"));
    for turn in 0..3 {
        fs::write(folder.path().join("end"), format!("{turn}")).unwrap();
        eventually("a batch", || text().matches("\"batch\",\"events\"").count() > turn);
    }
    assert!(!text().contains("/log\""), "{}", text());
}

#[test]
fn w62_a_command_runs_after_each_batch_and_knows_the_paths() {
    let run = "printf '%s' \"$STAYSAIL_WATCH_PATHS\" > \"$OUT\"; exit 3";
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("out");
    let watched = Watched::with(filled(&["a", "b"]), |command| {
        command.args(LONG).args(["--exec", run]).env("OUT", &out);
    });
    watched.ready();
    fs::write(watched.root().join("a"), "2").unwrap();
    fs::rename(watched.root().join("b"), watched.root().join("c")).unwrap();
    let lines = watched.until(|line| line["event"] == "exit");
    let (run, exit) = (lines.iter().find(|line| line["event"] == "run").unwrap(), lines.last().unwrap());
    assert_eq!((&run["run"], &exit["run"], &exit["code"]), (&1.into(), &1.into(), &3.into()));
    let paths = ["a", "c"].map(|name| watched.root().join(name).display().to_string()).join("\n");
    assert_eq!(fs::read_to_string(&out).unwrap(), paths);
    fs::write(watched.root().join("a"), "3").unwrap();
    let lines = watched.until(|line| line["event"] == "exit");
    assert_eq!(lines.last().unwrap()["run"], 2, "a failure ends nothing");
}

#[test]
fn w63_changes_while_the_command_runs_have_it_run_once_more() {
    let gate = tempfile::tempdir().unwrap();
    let open = gate.path().join("open");
    let watched = Watched::with(filled(&["a"]), |command| {
        command.args(["--exec", "until [ -e \"$OPEN\" ]; do sleep 0.01; done"]).env("OPEN", &open);
    });
    watched.ready();
    for text in ["1", "2", "3", "4"] {
        fs::write(watched.root().join("a"), text).unwrap();
        watched.until(|line| line["event"] == "batch");
    }
    fs::write(&open, "").unwrap();
    watched.until(|line| line["event"] == "exit" && line["run"] == 2);
    watched.signal(libc::SIGINT);
    let (rest, _) = watched.end();
    assert!(rest.iter().all(|line| line["event"] != "run"), "{rest:?}");
}

/// Tells the numbers of two processes that never end by themselves.
const HOLD: &str = "echo $$ >> \"$PIDS\"; sleep 1000 & echo $! >> \"$PIDS\"; wait";

fn alive(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

#[cfg(target_os = "linux")]
#[test]
fn w64_restart_ends_the_whole_tree_and_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let watched = Watched::with(filled(&["a"]), |command| {
        command.args(["--exec", HOLD, "--restart"]).env("PIDS", &pids);
    });
    watched.ready();
    fs::write(watched.root().join("a"), "1").unwrap();
    let count = || fs::read_to_string(&pids).unwrap_or_default().lines().count();
    eventually("both processes run", || count() >= 2);
    let first = fs::read_to_string(&pids).unwrap();
    fs::write(watched.root().join("a"), "2").unwrap();
    watched.until(|line| line["event"] == "run" && line["run"] == 2);
    for pid in first.lines() {
        eventually("the first run is gone", || !alive(pid));
    }
    eventually("the second run's processes run", || count() >= 4);
    assert!(fs::read_to_string(&pids).unwrap().lines().skip(2).all(alive));
}

#[cfg(target_os = "linux")]
#[test]
fn w65_ctrl_c_ends_it_well_and_the_command_with_everything_it_started() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let watched = Watched::with(filled(&["a"]), |command| {
            command.args(["--exec", HOLD]).env("PIDS", &pids);
        });
        watched.ready();
        fs::write(watched.root().join("a"), "1").unwrap();
        eventually("both processes run", || {
            fs::read_to_string(&pids).unwrap_or_default().lines().count() >= 2
        });
        watched.signal(signal);
        let (lines, well) = watched.end();
        assert!(well && lines.last().unwrap()["event"] == "ended", "{lines:?}");
        for pid in fs::read_to_string(&pids).unwrap().lines() {
            eventually("everything is gone", || !alive(pid));
        }
    }
}

#[test]
fn w66_what_the_command_prints_never_mixes_with_the_lines_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command();
    command.args(["--json", "--initial", "--exec", "echo not json"]).current_dir(folder.path());
    let mut child = Ends(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.0.stdout.take().unwrap()));
    for line in lines.map_while(Result::ok) {
        let line: Value = serde_json::from_str(&line).expect("JSON");
        if line["event"] == "exit" {
            break;
        }
    }
    let mut errors = String::new();
    let mut stderr = child.0.stderr.take().unwrap();
    while !errors.contains("not json\n") {
        let mut part = [0; 64];
        let count = stderr.read(&mut part).unwrap();
        assert!(count > 0, "it ended: {errors}");
        errors.push_str(&String::from_utf8_lossy(&part[..count]));
    }
}

#[test]
fn w67_it_ends_when_nobody_reads_any_longer() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command();
    let mut child =
        Ends(command.arg("--json").current_dir(folder.path()).stdout(Stdio::piped()).spawn().unwrap());
    let mut out = std::io::BufReader::new(child.0.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut String::new()).unwrap();
    drop(out);
    let (mut count, end) = (0, std::time::Instant::now() + BOUND);
    let status = loop {
        count += 1;
        fs::write(folder.path().join("a"), format!("{count}")).unwrap();
        if let Some(status) = child.0.try_wait().unwrap() {
            break status;
        }
        assert!(std::time::Instant::now() < end, "it does not end");
        std::thread::yield_now();
    };
    assert!(status.success());
}
