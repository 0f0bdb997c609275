//! Services in a real worker process, from their start to their stop. The example `services` is that worker.
#![cfg(unix)]

use serde_json::{Value, json};
use staysail_protocol::frame::{Decoder, Frame};
use staysail_supervise::{Spawn, Tree};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

struct Worker {
    socket: UnixStream,
    decoder: Decoder,
    tree: Tree,
}

impl Worker {
    fn start(mode: &str) -> Self {
        let tests = std::env::current_exe().unwrap();
        let example = tests.parent().unwrap().parent().unwrap().join("examples/services");
        assert!(example.exists(), "{} is built by cargo test along with this test", example.display());
        let (socket, theirs) = UnixStream::pair().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let descriptor = theirs.as_raw_fd();
        let tree = Spawn::new(&example)
            .env("STAYSAIL_SOCKET", descriptor.to_string())
            .env("STAYSAIL_TOKEN", "secret")
            .env("SERVICES_MODE", mode)
            .inherit(descriptor)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(theirs);
        let mut worker = Self { socket, decoder: Decoder::default(), tree };
        assert_eq!(worker.next().unwrap().0["t"], "hello");
        worker.send(0, json!({ "t": "welcome", "protocol": 1, "version": "1.0.0" }), b"");
        worker
    }

    fn send(&mut self, call: u64, head: Value, body: &[u8]) {
        let mut bytes = Vec::new();
        Frame::new(call, &head, body.to_vec()).encode_into(&mut bytes).unwrap();
        self.socket.write_all(&bytes).unwrap();
    }

    fn next(&mut self) -> Option<(Value, Frame)> {
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

    /// Calls and returns the answer, or the error's code and message.
    fn call(&mut self, command: &str, arguments: Value) -> Result<Value, (String, String)> {
        let head = json!({ "t": "call", "command": command, "window": "main" });
        self.send(1, head, arguments.to_string().as_bytes());
        loop {
            let (head, frame) = self.next().expect("the worker ended");
            match head["t"].as_str().unwrap() {
                "answer" => return Ok(serde_json::from_slice(&frame.body).unwrap()),
                "failed" => {
                    let text = |name: &str| head["error"][name].as_str().unwrap().to_string();
                    return Err((text("code"), text("message")));
                }
                _ => {}
            }
        }
    }

    /// What is said until the end: events as `name payload`, and lines of the log.
    fn rest(&mut self) -> (Vec<String>, Vec<String>) {
        let (mut events, mut log) = (Vec::new(), Vec::new());
        while let Some((head, frame)) = self.next() {
            match head["t"].as_str().unwrap() {
                "event" => {
                    let payload: Value = serde_json::from_slice(&frame.body).unwrap();
                    events.push(format!("{} {}", head["name"].as_str().unwrap(), payload.as_str().unwrap()));
                }
                "log" => log.push(head["message"].as_str().unwrap().to_string()),
                _ => {}
            }
        }
        (events, log)
    }

    fn shut_down(&mut self) -> (Vec<String>, Vec<String>) {
        self.send(0, json!({ "t": "shutdown" }), b"");
        let rest = self.rest();
        assert!(self.tree.wait().unwrap().success());
        rest
    }

    /// What a worker that could not start said last, on its standard error.
    fn refusal(mut self) -> (Vec<String>, String) {
        let (events, _) = self.rest();
        let mut said = String::new();
        self.tree.take_stderr().unwrap().read_to_string(&mut said).unwrap();
        assert!(!self.tree.wait().unwrap().success());
        (events, said)
    }
}

const STARTED: [&str; 3] = ["started settings", "started library", "started index"];

#[test]
fn services_start_in_the_order_of_what_they_need_and_stop_in_reverse() {
    let (events, log) = Worker::start("").shut_down();
    assert_eq!(events[..3], STARTED);
    assert_eq!(events[3..], ["stopped index", "stopped library", "stopped settings"]);
    assert_eq!(log, Vec::<String>::new());
}

#[test]
fn methods_are_called_by_the_services_name_blocking_and_async_ones() {
    let mut worker = Worker::start("");
    worker.send(0, json!({ "t": "activate" }), b"");
    assert_eq!(worker.call("library.add", json!({ "title": "sail" })), Ok(json!(1)));
    assert_eq!(worker.call("library.add", json!({ "title": "staysail" })), Ok(json!(2)));
    assert_eq!(worker.call("library.search", json!({ "query": "stay" })), Ok(json!(["staysail"])));
    let refused = worker.call("library.search", json!({ "query": "" }));
    assert_eq!(refused, Err(("App".into(), "nothing to look for (en, main)".into())));
    assert_eq!(worker.call("ticks.count", json!({})), Ok(json!(1)));
    assert_eq!(worker.call("ticks.count", json!({})), Ok(json!(2)), "one service for all calls");
    assert_eq!(worker.call("titles", json!({})), Ok(json!([2, true])));
    let (code, message) = worker.call("library.add", json!({})).unwrap_err();
    assert_eq!(code, "InvalidArguments");
    assert!(message.contains("`library.add` needs the argument `title`"), "{message}");
}

#[test]
fn a_start_that_fails_ends_the_worker_with_the_services_name_and_stops_what_had_started() {
    let (events, said) = Worker::start("start-fails").refusal();
    assert!(said.contains("the service `library` could not be started: the disk is full"), "{said}");
    assert_eq!(events, ["started settings", "stopped settings"]);
}

#[test]
fn a_start_that_panics_ends_the_worker_with_the_services_name() {
    let (_, said) = Worker::start("start-panics").refusal();
    assert!(said.contains("the service `library` could not be started: start panicked at"), "{said}");
    assert!(said.contains("services.rs") && said.contains("wrong foot"), "{said}");
}

#[test]
fn a_start_that_never_ends_is_given_up_by_name() {
    let (_, said) = Worker::start("start-hangs").refusal();
    assert!(said.contains("the service `library` could not be started: it was still starting"), "{said}");
    assert!(said.contains("service_start_timeout_ms"), "{said}");
}

#[test]
fn a_stop_that_never_ends_keeps_neither_the_others_from_stopping_nor_the_worker_from_ending() {
    let (events, log) = Worker::start("stop-hangs").shut_down();
    assert_eq!(events[3..], ["stopped index", "stopping library", "stopped settings"]);
    assert!(log.len() == 1 && log[0].contains("the service `library` did not stop in order"), "{log:?}");
    assert!(log[0].contains("service_stop_timeout_ms"), "{log:?}");
}

#[test]
fn a_stop_that_panics_or_fails_is_logged_and_the_others_stop() {
    let (events, log) = Worker::start("stop-panics").shut_down();
    assert_eq!(events[3..], ["stopped index", "stopped settings"]);
    assert!(log.len() == 1 && log[0].contains("`library`") && log[0].contains("wrong foot"), "{log:?}");
    let (_, log) = Worker::start("stop-fails").shut_down();
    assert!(log.len() == 1 && log[0].ends_with("the notes were not saved"), "{log:?}");
}
