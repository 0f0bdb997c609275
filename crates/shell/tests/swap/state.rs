//! Declared state from worker to worker: small and large, back again, and what goes wrong on its way.

use crate::theatre::{Test, Theatre, kill};
use serde_json::json;
use staysail_link::{AttachmentWriter, Courier};
use staysail_protocol::frame::{Decoder, Frame};
use staysail_protocol::limits::{CHECKPOINT_BYTES_MAX, SNAPSHOT_BYTES_MAX};
use staysail_protocol::worker::{ATTACHMENTS_VARIABLE, Attached, Hello, SOCKET_VARIABLE, ToShell, ToWorker};
use staysail_shell::conductor::SwapOptions;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

pub const TESTS: &[Test] = &[
    ("state of any size reaches the next worker as it was", any_size),
    ("workers that were built before there were attachments hand over and take over", of_before),
    ("state too large for checkpoints goes back with its changes when the new worker falls ill", falls_ill),
    ("state too large for checkpoints is as it was handed over after a kill", killed_on_probation),
    ("a worker killed while it delivers its state costs what changed since", killed_delivering),
    ("a worker killed while it takes the state over leaves the one before serving", killed_taking_over),
    ("state over the limit is refused with the limit and can be left behind", too_large),
    ("a full disk is refused as what it is and the worker before serves", no_room),
    ("a state that panics on its way is refused and the worker before serves", panics),
    ("garbage and lies are refused and the worker before serves", garbage),
];

const LARGE: usize = 8 << 20;

fn any_size() {
    let theatre = Theatre::open();
    theatre.swap("good").unwrap();
    for bytes in [10, CHECKPOINT_BYTES_MAX, LARGE, 20] {
        let changes = theatre.call("fill", json!({ "bytes": bytes })).unwrap();
        theatre.swap("good").unwrap();
        assert_eq!(theatre.call("look", json!({})).unwrap(), json!([changes, bytes, true]));
    }
}

fn of_before() {
    let theatre = Theatre::open();
    theatre.swap("good").unwrap();
    theatre.call("fill", json!({ "bytes": LARGE })).unwrap();
    for role in ["of-before", "of-before", "good"] {
        theatre.swap(role).unwrap();
        assert_eq!(theatre.call("look", json!({})).unwrap(), json!([1, LARGE, true]), "{role}");
    }
}

fn falls_ill() {
    let theatre = Theatre::open();
    theatre.swap("good").unwrap();
    theatre.call("fill", json!({ "bytes": LARGE })).unwrap();
    let before = theatre.process();
    let switched = theatre.swap("good").unwrap();
    theatre.call("fill", json!({ "bytes": LARGE + 1 })).unwrap();
    theatre.call("fall_ill", json!({})).unwrap();
    theatre.verdict(switched).unwrap_err();
    assert_eq!(theatre.process(), before, "the worker before serves again");
    assert_eq!(theatre.call("look", json!({})).unwrap(), json!([2, LARGE + 1, true]));
}

fn killed_on_probation() {
    let theatre = Theatre::open();
    theatre.swap("good").unwrap();
    theatre.call("fill", json!({ "bytes": LARGE })).unwrap();
    let switched = theatre.swap("good").unwrap();
    theatre.call("fill", json!({ "bytes": LARGE + 1 })).unwrap();
    kill(theatre.process());
    theatre.verdict(switched).unwrap_err();
    assert_eq!(theatre.call("look", json!({})).unwrap(), json!([1, LARGE, true]));
    theatre.wait_line("is lost with it");
}

fn killed_delivering() {
    let theatre = Theatre::open();
    theatre.swap("good").unwrap();
    theatre.call("fill", json!({ "bytes": LARGE })).unwrap();
    theatre.swap("stuck-delivering").unwrap();
    let swap = theatre.begin_swap("good");
    kill(theatre.wait_said("stuck"));
    swap.recv_timeout(crate::theatre::PATIENCE).expect("an end of the swap").unwrap();
    assert_eq!(theatre.call("look", json!({})).unwrap(), json!([1, LARGE, true]));
}

fn killed_taking_over() {
    let theatre = Theatre::open();
    theatre.swap("good").unwrap();
    theatre.call("fill", json!({ "bytes": LARGE })).unwrap();
    let swap = theatre.begin_swap("stuck-taking-over");
    let candidate = theatre.wait_said("stuck");
    // A call that comes now waits for whoever serves next.
    let call = theatre.begin_call("look", json!({}));
    kill(candidate);
    let refusal = swap.recv_timeout(crate::theatre::PATIENCE).expect("an end of the swap").err().unwrap();
    assert!(refusal.of_state && refusal.reason.contains("ended while it took over"), "{}", refusal.reason);
    let answer = call.recv_timeout(crate::theatre::PATIENCE).expect("an answer");
    assert_eq!(answer.unwrap(), json!([1, LARGE, true]));
}

fn too_large() {
    let theatre = Theatre::open();
    theatre.swap("good").unwrap();
    theatre.call("swell", json!({ "bytes": SNAPSHOT_BYTES_MAX, "value": 0 })).unwrap();
    let refusal = theatre.swap("good").err().unwrap();
    assert!(refusal.of_state, "{}", refusal.reason);
    assert!(refusal.reason.contains("state `notes` could not be handed over"), "{}", refusal.reason);
    assert!(refusal.reason.contains("snapshot_bytes_max"), "{}", refusal.reason);
    theatre.call("fill", json!({ "bytes": 1 })).unwrap();
    theatre.call("swell", json!({ "bytes": SNAPSHOT_BYTES_MAX, "value": 0 })).unwrap();
    theatre.swap_with("good", SwapOptions { fresh: true, at_switch: None }).unwrap();
    assert_eq!(theatre.call("look", json!({})).unwrap(), json!([0, 0, true]), "it started fresh");
}

fn no_room() {
    let theatre = Theatre::open();
    theatre.swap("without-room").unwrap();
    theatre.call("fill", json!({ "bytes": LARGE })).unwrap();
    let refusal = theatre.swap("good").err().unwrap();
    assert!(refusal.of_state && refusal.reason.contains("no room to hand it over"), "{}", refusal.reason);
    assert_eq!(theatre.call("look", json!({})).unwrap(), json!([1, LARGE, true]));
    theatre.call("fill", json!({ "bytes": 3 << 20 })).unwrap();
    theatre.swap("good").unwrap();
    assert_eq!(theatre.call("look", json!({})).unwrap(), json!([2, 3 << 20, true]));
}

fn panics() {
    let theatre = Theatre::open();
    theatre.swap("panicking").unwrap();
    let before = theatre.process();
    let refusal = theatre.swap("good").err().unwrap();
    assert!(refusal.of_state && refusal.reason.contains("out of order"), "{}", refusal.reason);
    assert_eq!(theatre.process(), before);
}

fn garbage() {
    for (role, expected) in [
        ("garbage", "the snapshot can not be read"),
        ("liar", "bytes were handed over instead of"),
        ("nothing-sent", "did not come with it"),
        ("giant", "snapshot_bytes_max"),
    ] {
        let theatre = Theatre::open();
        theatre.swap(role).unwrap();
        let refusal = theatre.swap("good").err().unwrap();
        assert!(refusal.of_state && refusal.reason.contains(expected), "{role}: {}", refusal.reason);
        assert_eq!(theatre.call("who", json!({})).unwrap(), json!(role), "it does not serve any more");
    }
}

/// Prints how long the hand-over of state takes, beside the frames and inside them.
pub fn measure() {
    println!(
        "{:>14} {:>12} {:>14} {:>14} {:>14}",
        "bytes", "way", "deliver ms", "take over ms", "gate shut ms"
    );
    for bytes in [1_000_000, 64_000_000, 256_000_000] {
        for role in ["of-before", "good"] {
            let theatre = Theatre::open();
            theatre.swap(role).unwrap();
            theatre.call("swell", json!({ "bytes": bytes, "value": 7 })).unwrap();
            let mut rows = Vec::new();
            for _ in 0..5 {
                let timing = theatre.swap(role).unwrap().timing;
                rows.push([timing.gate_ms, timing.quiesce_ms, timing.restore_ms]);
            }
            rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
            let [gate, quiesce, restore] = rows[rows.len() / 2];
            let way = if role == "good" && bytes > CHECKPOINT_BYTES_MAX { "beside" } else { "inside" };
            println!("{bytes:>14} {way:>12} {quiesce:>14.1} {restore:>14.1} {gate:>14.1}");
        }
    }
}

/// A worker that keeps to the protocol until it is asked for its state.
pub fn play(role: &str) {
    let inherited = |variable| {
        let number = std::env::var(variable).unwrap().parse().unwrap();
        // SAFETY: the number was inherited from the shell for this purpose and is taken once.
        unsafe { OwnedFd::from_raw_fd(number) }
    };
    let mut shell = UnixStream::from(inherited(SOCKET_VARIABLE));
    let courier = Courier::inherited(inherited(ATTACHMENTS_VARIABLE)).unwrap();
    let (protocol_min, protocol_max) = crate::protocol::spoken_by(role);
    let hello = Hello {
        protocol_min,
        protocol_max,
        token: crate::protocol::token(role),
        attachments: true,
        ..Hello::default()
    };
    send(&mut shell, 0, &ToShell::Hello(Box::new(hello)), Vec::new());
    let mut decoder = Decoder::default();
    let mut buffer = [0; 4096];
    loop {
        let count = shell.read(&mut buffer).unwrap();
        if count == 0 {
            std::process::exit(0);
        }
        decoder.extend(&buffer[..count]);
        while let Some(frame) = decoder.next_frame().unwrap() {
            match frame.message::<ToWorker>().unwrap() {
                ToWorker::Snapshot => {
                    let attached = Some(deliver(role, &courier));
                    send(&mut shell, 0, &ToShell::Snapshot { attached }, Vec::new());
                }
                ToWorker::Call { .. } => {
                    let answer = json!(role).to_string().into_bytes();
                    send(&mut shell, frame.call, &ToShell::Answer { raw: false }, answer);
                }
                ToWorker::Health => {
                    let healthy =
                        ToShell::Healthy { ok: true, message: String::new(), modules: String::new() };
                    send(&mut shell, 0, &healthy, Vec::new());
                }
                // The newest that both speak.
                ToWorker::Welcome(welcome) => {
                    assert_eq!(welcome.protocol, staysail_protocol::PROTOCOL_VERSION)
                }
                ToWorker::Shutdown => std::process::exit(0),
                _ => {}
            }
        }
    }
}

fn send(shell: &mut UnixStream, call: u64, message: &ToShell, body: Vec<u8>) {
    let mut bytes = Vec::new();
    Frame::new(call, message, body).encode_into(&mut bytes).unwrap();
    shell.write_all(&bytes).unwrap();
}

/// Hands over what the role says.
fn deliver(role: &str, courier: &Courier) -> Attached {
    let mut writer = AttachmentWriter::create().unwrap();
    writer.write_all(&[0xff; 2 << 20]).unwrap();
    let attachment = writer.finish().unwrap();
    let bytes = attachment.len();
    match role {
        "garbage" => Attached { number: courier.send(&attachment).unwrap(), bytes },
        "liar" => Attached { number: courier.send(&attachment).unwrap(), bytes: bytes + 1 },
        "nothing-sent" => Attached { number: 1, bytes },
        "giant" => Attached { number: courier.send(&attachment).unwrap(), bytes: u64::MAX },
        _ => panic!("nobody plays {role}"),
    }
}
