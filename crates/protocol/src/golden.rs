//! What the processes of installed apps say to each other goes on being understood, and said alike: `golden/protocol-N.txt`
//! holds every message of protocol N as it was written when that was released.

use crate::frame::{Frame, HEADER_BYTES, Header};
use crate::worker::{ToShell, ToWorker};
use crate::{PROTOCOL_VERSION, PROTOCOL_VERSION_MIN};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeSet;

/// The messages of each protocol that is still spoken.
const GOLDEN: [(u16, &str); 1] = [(1, include_str!("../golden/protocol-1.txt"))];

/// Names every kind of message. The compiler leads here whoever adds one, and the test from here to the file.
macro_rules! kinds {
    ($names:ident $kind:ident $type:ident: $($variant:ident $name:literal,)*) => {
        const $names: &[&str] = &[$($name),*];

        fn $kind(message: &$type) -> Option<&'static str> {
            match message {
                $($type::$variant { .. } => Some($name),)*
                $type::Unknown => None,
            }
        }
    };
}

kinds! { OF_SHELL of_shell ToWorker:
    Welcome "welcome",
    Restore "restore",
    Modules "modules",
    Release "release",
    Acquire "acquire",
    Activate "activate",
    Call "call",
    Credit "credit",
    Push "push",
    PushEnd "push_end",
    StreamGone "stream_gone",
    Cancel "cancel",
    Event "event",
    Snapshot "snapshot",
    Retire "retire",
    Health "health",
    Ping "ping",
    Conditions "conditions",
    DesktopDone "desktop_done",
    DesktopFailed "desktop_failed",
    Update "update",
    Shutdown "shutdown",
}

kinds! { OF_WORKER of_worker ToShell:
    Hello "hello",
    Restored "restored",
    RestoreFailed "restore_failed",
    ModulesTaken "modules_taken",
    ModulesRefused "modules_refused",
    Released "released",
    ReleaseFailed "release_failed",
    Acquired "acquired",
    AcquireFailed "acquire_failed",
    Checkpoint "checkpoint",
    CheckpointLeftOut "checkpoint_left_out",
    SnapshotGrows "snapshot_grows",
    Snapshot "snapshot",
    SnapshotFailed "snapshot_failed",
    Answer "answer",
    Failed "failed",
    Stream "stream",
    Taken "taken",
    StreamEnd "stream_end",
    Event "event",
    Healthy "healthy",
    Pong "pong",
    Log "log",
    Desktop "desktop",
    Update "update",
    Retired "retired",
    Exit "exit",
}

/// A line of the file: it is read, is none of a newer protocol, and is written as it was.
fn same<M: Serialize + DeserializeOwned>(
    head: &str,
    kind: impl Fn(&M) -> Option<&'static str>,
) -> &'static str {
    let message: M = serde_json::from_str(head).unwrap_or_else(|error| panic!("{head}: {error}"));
    let kind = kind(&message).unwrap_or_else(|| panic!("{head} is not understood any more"));
    let frame = Frame::new(7, &message, b"body".to_vec());
    assert_eq!(String::from_utf8(frame.head.clone()).unwrap(), head, "it is written otherwise");
    let mut bytes = Vec::new();
    frame.encode_into(&mut bytes).unwrap();
    let header = bytes.first_chunk::<HEADER_BYTES>().unwrap();
    assert_eq!(Header::decode(header).unwrap(), Header { head_len: head.len(), body_len: 4, call: 7 });
    kind
}

#[test]
fn every_message_that_an_installed_app_may_say_is_read_and_written_as_it_was() {
    let spoken: Vec<u16> = GOLDEN.iter().map(|(version, _)| *version).collect();
    assert_eq!(
        spoken,
        (PROTOCOL_VERSION_MIN..=PROTOCOL_VERSION).collect::<Vec<_>>(),
        "one file for each protocol"
    );
    for (version, file) in GOLDEN {
        let mut seen = [BTreeSet::new(), BTreeSet::new()];
        for line in file.lines().filter(|line| !line.starts_with('#')) {
            match line.split_once(' ') {
                Some(("shell", head)) => seen[0].insert(same::<ToWorker>(head, of_shell)),
                Some(("worker", head)) => seen[1].insert(same::<ToShell>(head, of_worker)),
                _ => panic!("{line}"),
            };
        }
        if version == PROTOCOL_VERSION {
            for (kinds, seen) in [OF_SHELL, OF_WORKER].into_iter().zip(seen) {
                let missing: Vec<_> = kinds.iter().filter(|kind| !seen.contains(*kind)).collect();
                assert!(missing.is_empty(), "add a line for each of them: {missing:?}");
            }
        }
    }
}

/// The envelope itself, byte for byte.
#[test]
fn a_frame_is_laid_out_as_it_was() {
    let mut bytes = Vec::new();
    Frame::new(0x0102_0304_0506_0708, &ToWorker::Ping { n: 9 }, b"body".to_vec())
        .encode_into(&mut bytes)
        .unwrap();
    let expected =
        [&b"SSF1\x12\0\0\0\x04\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01"[..], br#"{"t":"ping","n":9}"#, b"body"];
    assert_eq!(bytes, expected.concat());
}
