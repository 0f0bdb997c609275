//! What must hold of every tree, seen from outside: each process of a tree holds the writing end of a pipe, and the
//! test reads its end. The end of the stream is the proof that none is left, without looking at process numbers.

#![cfg(unix)]

use staysail_supervise::{Error, Spawn};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Far longer than anything here takes; only a failing test waits for it.
const BOUND: Duration = Duration::from_secs(10);

/// Runs on another thread and fails when it does not end in bounded time.
fn in_time<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, result) = channel();
    std::thread::spawn(move || sender.send(work()));
    result.recv_timeout(BOUND).unwrap_or_else(|_| panic!("not within {BOUND:?}: {what}"))
}

fn owner(mode: &str) -> (Child, BufReader<impl Read + Send + 'static>) {
    let test = std::env::current_exe().unwrap();
    let path: PathBuf = test.parent().unwrap().parent().unwrap().join("examples/owner");
    assert!(
        path.is_file(),
        "not built: `cargo test -p staysail-supervise` builds it, `--test trees` alone does not"
    );
    let mut owner = Command::new(path).arg(mode).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(owner.stdout.take().unwrap());
    in_time("the owner starts its tree", move || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.starts_with("ready "), "{line:?}");
        (owner, output)
    })
}

/// `kill -9` for the owner; then nobody may hold the pipe any longer.
fn dies_with_its_owner(mode: &str) {
    let (mut owner, mut output) = owner(mode);
    owner.kill().unwrap();
    owner.wait().unwrap();
    in_time("all processes of the tree end", move || output.read_to_end(&mut Vec::new()).unwrap());
}

#[test]
fn a_guarded_tree_with_orphans_dies_when_its_owner_is_killed() {
    dies_with_its_owner("guarded");
}

#[cfg(target_os = "linux")]
#[test]
fn a_frozen_child_dies_when_its_owner_is_killed() {
    dies_with_its_owner("frozen");
}

#[test]
fn killing_a_tree_kills_grandchildren_too() {
    let script = "sleep 1000 & sleep 1000 & echo started; wait";
    let tree = Spawn::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(tree.take_stdout().unwrap());
    let mut output = in_time("the tree starts", move || {
        output.read_line(&mut String::new()).unwrap();
        output
    });
    tree.kill();
    in_time("all processes of the tree end", move || output.read_to_end(&mut Vec::new()).unwrap());
    assert_eq!(tree.wait().unwrap().signal(), Some(9));
    assert_eq!(tree.try_wait().unwrap().unwrap().signal(), Some(9), "the status is remembered");
}

#[test]
fn a_tree_that_ends_takes_what_it_left_in_the_background_along() {
    let tree = Spawn::new("sh").args(["-c", "sleep 1000 & exit 3"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = tree.take_stdout().unwrap();
    assert_eq!(tree.wait().unwrap().code(), Some(3));
    in_time("the background process ends", move || output.read_to_end(&mut Vec::new()).unwrap());
}

#[test]
fn terminate_asks_first_and_kills_what_does_not_listen() {
    let polite = Spawn::new("sh").args(["-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done"]);
    let deaf = Spawn::new("sh").args(["-c", "trap '' TERM; echo up; while :; do sleep 0.01; done"]);
    for (spawn, grace, code, signal) in
        [(polite, BOUND, Some(7), None), (deaf, Duration::from_millis(50), None, Some(9))]
    {
        let tree = spawn.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(tree.take_stdout().unwrap());
        let _output = in_time("the program starts", move || {
            output.read_line(&mut String::new()).unwrap();
            output
        });
        let status = tree.terminate(grace).unwrap();
        assert_eq!((status.code(), status.signal()), (code, signal));
    }
}

#[test]
fn dropping_a_tree_kills_it() {
    let tree = Spawn::new("sleep").arg("1000").stdout(Stdio::piped()).spawn().unwrap();
    let mut output = tree.take_stdout().unwrap();
    drop(tree);
    in_time("the process ends", move || output.read_to_end(&mut Vec::new()).unwrap());
}

#[test]
fn a_missing_program_is_named() {
    let error = Spawn::new("no-such-program-anywhere").spawn().unwrap_err();
    assert!(matches!(&error, Error::NotFound(path) if path.ends_with("no-such-program-anywhere")), "{error}");
}

#[test]
fn a_program_that_never_called_guardian_main_gets_no_guardian() {
    assert!(matches!(Spawn::new("true").guarded(true).spawn(), Err(Error::NoGuardian)));
}

#[test]
fn an_inherited_descriptor_keeps_its_number() {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let (reader, mut writer) = std::io::pipe().unwrap();
    let script = format!("cat <&{}", reader.as_raw_fd());
    let tree = Spawn::new("sh").args(["-c", &script]).inherit(reader.as_raw_fd()).stdout(Stdio::piped());
    let tree = tree.spawn().unwrap();
    writer.write_all(b"through").unwrap();
    drop(writer);
    let mut output = tree.take_stdout().unwrap();
    let text = in_time("the child copies", move || {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        text
    });
    assert_eq!(text, "through");
    assert!(tree.wait().unwrap().success());
}

#[test]
fn waiting_on_one_thread_does_not_keep_another_from_killing() {
    let tree = std::sync::Arc::new(Spawn::new("sleep").arg("1000").spawn().unwrap());
    let waiting = tree.clone();
    let waiter = std::thread::spawn(move || waiting.wait().unwrap());
    tree.kill();
    let status = in_time("the waiter returns", move || waiter.join().unwrap());
    assert_eq!(status.signal(), Some(9));
}
