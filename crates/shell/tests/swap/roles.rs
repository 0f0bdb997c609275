//! The workers: an app with large state, that does what the name it was started under says.

use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use staysail::{App, Kept, command, commands};
use staysail_protocol::worker::ATTACHMENTS_VARIABLE;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// Plays the role this program was started for, if it was started for one.
pub fn play() -> bool {
    let path = PathBuf::from(std::env::args_os().next().unwrap_or_default());
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let role = name.split_once('-').filter(|(number, _)| number.parse::<u64>().is_ok()).map(|(_, role)| role);
    match role {
        None => return false,
        Some("good") => app::<Notes>(),
        Some("of-before") => {
            without_attachments();
            app::<Notes>();
        }
        Some("without-room") => {
            leave_no_room();
            app::<Notes>();
        }
        Some("stuck-delivering") => app::<Notes<STUCK_DELIVERING>>(),
        Some("stuck-taking-over") => app::<Notes<STUCK_TAKING_OVER>>(),
        Some("panicking") => app::<Notes<PANICKING>>(),
        Some(other)
            if crate::exclusive::play(other) || crate::shadow::play(other) || crate::modules::play(other) => {
        }
        Some(other) => crate::state::play(other),
    }
    true
}

const STUCK_DELIVERING: u8 = 1;
const STUCK_TAKING_OVER: u8 = 2;
const PANICKING: u8 = 3;

/// Large state, and how it behaves on its way.
#[derive(Default)]
struct Notes<const HOW: u8 = 0> {
    changes: u32,
    bytes: Vec<u8>,
}

impl<const HOW: u8> Serialize for Notes<HOW> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match HOW {
            STUCK_DELIVERING => get_stuck("stuck"),
            PANICKING => panic!("out of order"),
            _ => {}
        }
        serde::Serialize::serialize(&(self.changes, Blob(&self.bytes)), serializer)
    }
}

struct Blob<'a>(&'a [u8]);

impl Serialize for Blob<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Bytes;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Whole)
    }
}

impl<'de, const HOW: u8> Deserialize<'de> for Notes<HOW> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if HOW == STUCK_TAKING_OVER {
            get_stuck("stuck");
        }
        let (changes, Bytes(bytes)) = Deserialize::deserialize(deserializer)?;
        Ok(Self { changes, bytes })
    }
}

/// Writes the number of this process into the test's folder, all of it or nothing.
pub fn say(what: &str) {
    let place = PathBuf::from(std::env::args_os().next().unwrap()).with_file_name(what);
    let unfinished = place.with_extension("unfinished");
    std::fs::write(&unfinished, std::process::id().to_string()).unwrap();
    std::fs::rename(unfinished, place).unwrap();
}

/// Says so and never goes on.
pub fn get_stuck(what: &str) {
    say(what);
    loop {
        std::thread::park();
    }
}

/// As a worker that was built before there were attachments.
fn without_attachments() {
    // SAFETY: called first of all, before any other thread is started.
    unsafe { std::env::remove_var(ATTACHMENTS_VARIABLE) };
}

/// No file, and no memory that is handed over like one, may become larger than 4 MiB.
fn leave_no_room() {
    let limit = libc::rlimit { rlim_cur: 4 << 20, rlim_max: 4 << 20 };
    // SAFETY: plain numbers; an ignored signal leaves the error to whoever writes.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
    }
}

/// Fills the state with so many bytes.
#[command]
fn fill(bytes: usize, notes: Kept<Notes>) -> u32 {
    let mut notes = notes.write();
    notes.changes += 1;
    notes.bytes = (0..bytes).map(|at| (at % 251) as u8).collect();
    notes.changes
}

/// Makes the state so large at once. Of zeros it takes no memory before it is read.
#[command]
fn swell(bytes: usize, value: u8, notes: Kept<Notes>) {
    notes.write().bytes = vec![value; bytes];
}

/// How often the state was changed, how large it is, and whether it is what was filled in.
#[command]
fn look(notes: Kept<Notes>) -> (u32, u32, bool) {
    let notes = notes.read();
    let as_filled = notes.bytes.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8);
    (notes.changes, notes.bytes.len() as u32, as_filled)
}

static ILL: AtomicBool = AtomicBool::new(false);

/// From now on the health check fails.
#[command]
pub fn fall_ill() {
    ILL.store(true, Ordering::SeqCst);
}

/// Whether it fails.
pub fn is_ill() -> bool {
    ILL.load(Ordering::SeqCst)
}

fn app<T: Serialize + DeserializeOwned + Default + Send + Sync + 'static>() {
    let app = App::new("dev.staysail.swap").keep("notes", T::default());
    // The commands work on the state that behaves.
    let app = match std::any::TypeId::of::<T>() == std::any::TypeId::of::<Notes>() {
        true => app.commands(commands![fill, swell, look, fall_ill]),
        false => app,
    };
    let ended = app.health(|| if is_ill() { Err("ill") } else { Ok(()) }).run();
    panic!("the worker ended: {ended:?}");
}
