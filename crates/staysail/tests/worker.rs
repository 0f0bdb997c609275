//! A real worker process, spoken to over a real socket, frame by frame, as the shell does it.
#![cfg(unix)]

use serde_json::{Value, json};
use staysail_protocol::frame::{Decoder, Frame};
use staysail_supervise::{Spawn, Tree};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

/// The example `echo`, started as a worker and past its hello.
struct Worker {
    socket: UnixStream,
    decoder: Decoder,
    tree: Tree,
    hello: Value,
}

impl Worker {
    fn start() -> Self {
        let tests = std::env::current_exe().unwrap();
        let example = tests.parent().unwrap().parent().unwrap().join("examples/echo");
        assert!(example.exists(), "{} is built by cargo test along with this test", example.display());
        let (socket, theirs) = UnixStream::pair().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let descriptor = theirs.as_raw_fd();
        let tree = Spawn::new(&example)
            .env("STAYSAIL_SOCKET", descriptor.to_string())
            .env("STAYSAIL_TOKEN", "secret")
            .inherit(descriptor)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        drop(theirs);
        let mut worker = Self { socket, decoder: Decoder::default(), tree, hello: Value::Null };
        worker.hello = worker.next().0;
        worker.send(0, json!({ "t": "welcome", "protocol": 1, "version": "1.0.0" }), b"");
        worker
    }

    fn active() -> Self {
        let mut worker = Self::start();
        worker.send(0, json!({ "t": "activate" }), b"");
        assert_eq!(worker.next().0, json!({ "t": "event", "name": "tick" }));
        worker
    }

    fn send(&mut self, call: u64, head: Value, body: &[u8]) {
        let mut bytes = Vec::new();
        Frame::new(call, &head, body.to_vec()).encode_into(&mut bytes).unwrap();
        self.socket.write_all(&bytes).unwrap();
    }

    fn call(&mut self, number: u64, command: &str, arguments: Value) {
        let head = json!({ "t": "call", "command": command, "window": "main" });
        self.send(number, head, arguments.to_string().as_bytes());
    }

    fn try_next(&mut self) -> Option<(Value, Frame)> {
        let mut buffer = [0; 65536];
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some((frame.message().unwrap(), frame));
            }
            match self.socket.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.decoder.extend(&buffer[..count]),
                Err(error) => panic!("the worker said nothing in time: {error}"),
            }
        }
    }

    fn next(&mut self) -> (Value, Frame) {
        self.try_next().expect("the worker ended")
    }

    /// The next frame as head and JSON body.
    fn answer(&mut self) -> (u64, Value, Value) {
        let (head, frame) = self.next();
        (frame.call, head, serde_json::from_slice(&frame.body).unwrap_or(Value::Null))
    }
}

#[test]
fn the_hello_holds_the_token_and_the_whole_description() {
    let worker = Worker::start();
    assert_eq!((&worker.hello["t"], &worker.hello["token"]), (&json!("hello"), &json!("secret")));
    let description = &worker.hello["description"];
    let commands: Vec<&str> = description["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|command| command["name"].as_str().unwrap())
        .collect();
    assert!(commands.is_sorted() && commands.contains(&"greet_window"), "{commands:?}");
    assert_eq!(description["interface"].as_str().unwrap().len(), 32);
    assert_eq!(description["types"][0]["name"], "Refusal");
}

#[test]
fn calls_are_answered_by_their_number_with_values_and_typed_errors() {
    let mut worker = Worker::active();
    worker.call(1, "add", json!({ "a": 2, "b": 3 }));
    assert_eq!(worker.answer(), (1, json!({ "t": "answer" }), json!(5)));
    worker.call(2, "fail", json!({ "number": 10 }));
    let (number, head, _) = worker.answer();
    assert_eq!((number, &head["error"]["code"]), (2, &json!("App")));
    assert_eq!(head["error"]["details"], json!({ "TooLarge": { "most": 9 } }));
    worker.call(3, "add", json!({ "a": 2 }));
    let error = &worker.answer().1["error"];
    assert_eq!(error["code"], "InvalidArguments");
    assert!(error["message"].as_str().unwrap().contains("needs the argument `b`"), "{error}");
    worker.call(4, "ad", json!({}));
    let error = &worker.answer().1["error"];
    assert_eq!(error["code"], "UnknownCommand");
    assert!(error["message"].as_str().unwrap().contains("did you mean `add`"), "{error}");
}

#[test]
fn a_panic_is_an_error_to_its_caller_and_nothing_else() {
    let mut worker = Worker::active();
    worker.call(1, "panics", json!({}));
    let error = worker.answer().1["error"].clone();
    assert_eq!(error["code"], "Panicked");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("on purpose") && message.contains("echo.rs:"), "{message}");
    worker.call(2, "add", json!({ "a": 1, "b": 1 }));
    assert_eq!(worker.answer().2, json!(2));
}

#[test]
fn closures_say_what_conditions_of_updates_come_to_and_those_that_do_not_know_are_left_out() {
    let mut worker = Worker::active();
    assert_eq!(worker.hello["conditions"], json!(true));
    let names = json!(["recording", "unsure", "broken", "of nobody"]);
    worker.send(0, json!({ "t": "conditions", "id": 7, "names": names }), b"");
    let answer = &worker.next().0["conditions"];
    assert_eq!(*answer, json!({ "id": 7, "values": { "recording": true } }));
}

#[test]
fn a_cancelled_call_is_answered_once_and_its_future_is_dropped() {
    let mut worker = Worker::active();
    worker.call(1, "slow", json!({ "ms": 600_000 }));
    worker.send(1, json!({ "t": "cancel" }), b"");
    let (number, head, _) = worker.answer();
    assert_eq!((number, &head["error"]["code"]), (1, &json!("Cancelled")));
    worker.send(0, json!({ "t": "retire" }), b"");
    assert_eq!(worker.next().0["t"], "retired", "nothing is under way any more");
}

#[test]
fn signs_of_life_are_given_while_commands_block() {
    let mut worker = Worker::active();
    for number in 1..=8 {
        worker.call(number, "slow", json!({ "ms": 600_000 }));
    }
    worker.send(0, json!({ "t": "ping", "n": 7 }), b"");
    assert_eq!(worker.next().0, json!({ "t": "pong", "n": 7 }));
}

#[test]
fn changed_state_is_sent_before_the_answer_and_taken_over_by_the_next_worker() {
    let mut first = Worker::active();
    first.call(1, "count", json!({}));
    let (head, checkpoint) = first.next();
    assert_eq!(head["t"], "checkpoint");
    assert_eq!(first.answer(), (1, json!({ "t": "answer" }), json!([1, 1])));
    first.tree.kill();

    let mut second = Worker::start();
    second.send(0, json!({ "t": "restore", "from_version": "1" }), &checkpoint.body);
    assert_eq!(second.next().0, json!({ "t": "restored" }));
    second.send(0, json!({ "t": "activate" }), b"");
    second.next();
    second.call(2, "count", json!({}));
    assert_eq!(second.next().0["t"], "checkpoint");
    assert_eq!(second.answer().2, json!([2, 1]), "kept state goes on, managed state is new");
    second.send(0, json!({ "t": "snapshot" }), b"");
    assert_eq!(second.next().0["t"], "snapshot");
}

#[test]
fn garbage_for_a_state_is_refused_by_name() {
    let mut worker = Worker::start();
    worker.send(0, json!({ "t": "restore", "from_version": "1" }), b"\xff\xff");
    let (head, _) = worker.next();
    assert_eq!(head["t"], "restore_failed");
}

#[test]
fn events_come_before_the_answer_of_the_call_that_sent_them() {
    let mut worker = Worker::active();
    worker.call(1, "greet_window", json!({ "name": "Ada" }));
    assert_eq!(worker.next().0, json!({ "t": "event", "name": "greeted" }));
    assert_eq!(worker.answer().2, json!("Ada from main"));
}

#[test]
fn raw_bytes_stay_raw() {
    let mut worker = Worker::active();
    let head = json!({ "t": "call", "command": "raw", "window": "main", "raw": true });
    worker.send(1, head, &[0, 255, 10, 13]);
    let (head, frame) = worker.next();
    assert_eq!((head, frame.body), (json!({ "t": "answer", "raw": true }), vec![0, 255, 10, 13]));
}

#[test]
fn a_worker_ends_with_its_shell() {
    let worker = Worker::active();
    drop(worker.socket);
    assert!(worker.tree.wait().unwrap().success());
}

#[test]
fn an_abort_ends_the_connection_and_nothing_is_answered() {
    let mut worker = Worker::active();
    worker.call(1, "abort", json!({}));
    assert!(worker.try_next().is_none());
    assert!(!worker.tree.wait().unwrap().success());
}

/// The worker's request to the shell: its number, name and arguments.
fn asked(worker: &mut Worker) -> (u64, String, Value) {
    let (number, head, arguments) = worker.answer();
    assert_eq!(head["t"], "desktop", "{head}");
    (number, head["name"].as_str().unwrap().to_owned(), arguments)
}

#[test]
fn the_backend_has_asset_groups_fetched_hears_how_far_they_are_and_which_file_can_not_be_had() {
    let mut worker = Worker::active();
    worker.call(1, "fetch_group", json!({ "group": "maps" }));
    let (number, name, arguments) = asked(&mut worker);
    assert_eq!((name.as_str(), &arguments["group"]), ("assets.fetch", &json!("maps")));
    let event = json!({ "group": "maps", "bytes": 700, "total": 900 });
    worker.send(
        0,
        json!({ "t": "event", "name": "staysail:assets", "window": "" }),
        event.to_string().as_bytes(),
    );
    assert_eq!(worker.answer(), (0, json!({ "t": "event", "name": "fetched" }), json!(700)));
    let state = json!({ "group": "maps", "state": "ready", "files": 3, "bytes": 1000, "missing_bytes": 0 });
    worker.send(number, json!({ "t": "desktop_done" }), state.to_string().as_bytes());
    assert_eq!(worker.answer(), (1, json!({ "t": "answer" }), json!(3)));

    worker.call(3, "fetch_group", json!({ "group": "maps" }));
    let number = asked(&mut worker).0;
    let details = json!({ "group": "maps", "path": "maps/a.bin", "reason": "offline" });
    let error = json!({ "code": "AssetUnavailable", "message": "no route", "details": details });
    worker.send(number, json!({ "t": "desktop_failed", "error": error }), b"");
    let (_, head, _) = worker.answer();
    assert_eq!(head["t"], "failed");
    assert!(head.to_string().contains("maps/a.bin offline"), "{head}");
}

#[test]
fn a_group_that_nobody_waits_for_any_more_is_cancelled() {
    let mut worker = Worker::active();
    worker.call(1, "fetch_group", json!({ "group": "maps" }));
    let (_, _, fetch) = asked(&mut worker);
    worker.send(1, json!({ "t": "cancel" }), b"");
    let mut cancelled = None;
    while cancelled.is_none() {
        let (_, head, arguments) = worker.answer();
        cancelled = (head["name"] == "assets.cancel").then_some(arguments);
    }
    assert_eq!(cancelled.unwrap()["id"], fetch["id"]);
}

#[test]
fn the_backend_says_how_fast_downloads_may_be() {
    let mut worker = Worker::active();
    for (said, expected) in [(json!(5_000), json!({ "bytes_per_s_max": 5_000 })), (Value::Null, json!({}))] {
        worker.call(1, "limit_downloads", json!({ "rate": said }));
        let (_, head, _) = worker.answer();
        assert_eq!(head, json!({ "t": "update", "download_rate": expected }));
        worker.answer();
    }
}
