//! What a worker owes its shell while the app's own code gets in the way. The example `stubborn` is that app.
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
    fn start(environment: &[(&str, &str)]) -> Self {
        let tests = std::env::current_exe().unwrap();
        let example = tests.parent().unwrap().parent().unwrap().join("examples/stubborn");
        assert!(example.exists(), "{} is built by cargo test along with this test", example.display());
        let (socket, theirs) = UnixStream::pair().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let descriptor = theirs.as_raw_fd();
        let mut spawn = Spawn::new(&example)
            .env("STAYSAIL_SOCKET", descriptor.to_string())
            .env("STAYSAIL_TOKEN", "secret")
            .inherit(descriptor)
            .stderr(Stdio::null());
        for (name, value) in environment {
            spawn = spawn.env(name, value);
        }
        let tree = spawn.spawn().unwrap();
        drop(theirs);
        let mut worker = Self { socket, decoder: Decoder::default(), tree };
        assert_eq!(worker.next().0["t"], "hello");
        worker.send(0, json!({ "t": "welcome", "protocol": 1, "version": "1.0.0" }), b"");
        worker
    }

    fn active() -> Self {
        let mut worker = Self::start(&[]);
        worker.send(0, json!({ "t": "activate" }), b"");
        worker
    }

    fn send(&mut self, call: u64, head: Value, body: &[u8]) {
        let mut bytes = Vec::new();
        Frame::new(call, &head, body.to_vec()).encode_into(&mut bytes).unwrap();
        self.socket.write_all(&bytes).unwrap();
    }

    fn tell(&mut self, message: &str) {
        self.send(0, json!({ "t": message }), b"");
    }

    fn emit(&mut self, name: &str, payload: Value) {
        let head = json!({ "t": "event", "name": name, "window": "main" });
        self.send(0, head, payload.to_string().as_bytes());
    }

    fn call(&mut self, number: u64, command: &str) {
        self.send(number, json!({ "t": "call", "command": command, "window": "main" }), b"{}");
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

    /// Name of the next frame that is no checkpoint: its event, or what it is.
    fn next_name(&mut self) -> String {
        loop {
            let (head, _) = self.next();
            let name = if head["t"] == "event" { &head["name"] } else { &head["t"] };
            if name != "checkpoint" {
                return name.as_str().unwrap().to_string();
            }
        }
    }
}

#[test]
fn signs_of_life_are_given_while_async_commands_block_all_their_threads() {
    let mut worker = Worker::active();
    for number in 1..=16 {
        worker.call(number, "hog");
    }
    // Answered only when the commands before had their turn on the threads for tasks.
    worker.send(0, json!({ "t": "ping", "n": 7 }), b"");
    assert_eq!(worker.next_name(), "pong");
    worker.send(0, json!({ "t": "ping", "n": 8 }), b"");
    assert_eq!(worker.next_name(), "pong");
    worker.tell("health");
    assert_eq!(worker.next_name(), "healthy");
}

#[test]
fn health_is_told_while_every_thread_for_commands_is_busy() {
    let mut worker = Worker::active();
    for number in 1..=80 {
        worker.call(number, "held");
    }
    worker.tell("health");
    assert_eq!(worker.next_name(), "healthy");
}

#[test]
fn exclusive_resources_are_released_after_the_last_call_and_before_retired_is_said() {
    let mut worker = Worker::active();
    worker.call(1, "held");
    worker.tell("retire");
    worker.send(0, json!({ "t": "ping", "n": 1 }), b"");
    assert_eq!(worker.next_name(), "pong", "no hook runs while a call is under way");
    worker.emit("release", Value::Null);
    let order: Vec<_> = (0..4).map(|_| worker.next_name()).collect();
    assert_eq!(order, ["held-ends", "answer", "retire-hook", "retired"]);
}

#[test]
fn a_cancelled_command_that_still_runs_keeps_its_worker_from_being_retired_and_its_changes_are_saved() {
    let mut worker = Worker::active();
    worker.call(1, "write_late");
    assert_eq!(worker.next_name(), "begun");
    worker.send(1, json!({ "t": "cancel" }), b"");
    assert_eq!(worker.next_name(), "failed");
    worker.tell("retire");
    worker.send(0, json!({ "t": "ping", "n": 2 }), b"");
    assert_eq!(worker.next_name(), "pong");
    worker.emit("release", Value::Null);
    let mut rest = Vec::new();
    let mut last_checkpoint = Vec::new();
    while rest.last().is_none_or(|name| name != "retired") {
        let (head, frame) = worker.next();
        match head["t"].as_str().unwrap() {
            "checkpoint" => last_checkpoint = frame.body,
            "event" => {}
            other => rest.push(other.to_string()),
        }
    }
    assert_eq!(rest, ["retired"], "answered once, by the cancellation");
    let state: Value = rmp_serde::from_slice(&last_checkpoint).unwrap();
    assert_eq!(state["note"]["value"]["text"], "late");
}

#[test]
fn events_reach_their_listener_in_the_order_they_were_emitted() {
    let mut worker = Worker::active();
    for number in 0..300 {
        worker.emit("number", json!(number));
    }
    let mut seen = Vec::new();
    while seen.len() < 300 {
        let (head, frame) = worker.next();
        if head["t"] == "event" {
            seen.push(serde_json::from_slice::<u32>(&frame.body).unwrap());
        }
    }
    assert!(seen.is_sorted(), "{seen:?}");
}

#[test]
fn calls_wait_for_the_activation_and_signs_of_life_do_not() {
    let mut worker = Worker::start(&[("STUBBORN_ACTIVATION", "slow")]);
    worker.tell("activate");
    worker.call(1, "activated");
    worker.send(0, json!({ "t": "ping", "n": 1 }), b"");
    assert_eq!(worker.next_name(), "pong");
    worker.emit("release", Value::Null);
    let answer = loop {
        let (head, frame) = worker.next();
        if head["t"] == "answer" {
            break frame;
        }
    };
    assert_eq!(answer.body, b"\"activated\"");
}

#[test]
fn what_is_sent_in_the_stream_of_a_call_that_waits_for_the_activation_waits_with_it() {
    let mut worker = Worker::start(&[("STUBBORN_ACTIVATION", "slow")]);
    worker.tell("activate");
    let call = json!({ "t": "call", "command": "sum", "window": "main" });
    worker.send(1, call.clone(), br#"{"numbers": {"$channel": 7}}"#);
    worker.send(2, call, br#"{"numbers": {"$channel": 8}}"#);
    for number in [1, 2, 3] {
        worker.send(1, json!({ "t": "push", "stream": 7 }), number.to_string().as_bytes());
    }
    worker.send(1, json!({ "t": "push_end", "stream": 7 }), b"");
    worker.send(2, json!({ "t": "push", "stream": 8 }), b"40");
    // Read before the release, so everything above was, too.
    worker.send(0, json!({ "t": "ping", "n": 1 }), b"");
    assert_eq!(worker.next_name(), "pong");
    worker.emit("release", Value::Null);
    worker.send(2, json!({ "t": "push", "stream": 8 }), b"2");
    worker.send(2, json!({ "t": "push_end", "stream": 8 }), b"");
    let mut sums = std::collections::BTreeMap::new();
    while sums.len() < 2 {
        let (head, frame) = worker.next();
        if head["t"] == "answer" {
            sums.insert(frame.call, String::from_utf8(frame.body).unwrap());
        }
    }
    assert_eq!(sums.into_iter().collect::<Vec<_>>(), [(1, "6".into()), (2, "42".into())]);
}

#[test]
fn a_migration_that_panics_is_a_refusal_and_the_worker_goes_on() {
    let mut worker = Worker::active();
    let old =
        rmp_serde::to_vec_named(&json!({ "note": { "version": 1, "value": { "text": "x" } } })).unwrap();
    worker.send(0, json!({ "t": "restore", "from_version": "0.9" }), &old);
    let (head, _) = loop {
        let next = worker.next();
        if next.0["t"] != "checkpoint" {
            break next;
        }
    };
    assert_eq!(head["t"], "restore_failed");
    assert!(head["message"].as_str().unwrap().contains("this migration is broken"), "{head}");
    worker.call(1, "activated");
    assert_eq!(worker.next_name(), "answer");
}

#[test]
fn a_stack_overflow_ends_the_process_by_a_signal_its_parent_sees() {
    let mut worker = Worker::active();
    worker.call(1, "overflow");
    while let Some((head, _)) = worker.try_next() {
        assert_eq!(head["t"], "checkpoint");
    }
    let status = worker.tree.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(6), "{status}");
}
