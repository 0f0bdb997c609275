//! What must hold of every parser of foreign bytes, whatever the bytes: one function a parser, driven by libFuzzer
//! (`fuzz/`, `./x fuzz`) and, over the seeds kept in `fuzz/seeds`, by `cargo test`.
//!
//! A function panics when something does not hold, and returns whether the parser took the bytes: seeds are kept that are
//! taken, so that no target rots into one that refuses everything.
//!
//! **Invariant:** knows nothing of libFuzzer, and starts nothing: a function is done when it returns.

extern crate alloc;

mod answers;
mod browsers;
mod messages;
mod metadata;
mod names;
mod pages;
mod policies;
mod releases;
mod streams;

pub use metadata::seeds as metadata_seeds;

// Parsers inside programs, compiled here as they are there.
#[path = "../../../crates/shell/src/conductor/shadow/compare.rs"]
pub mod compare;
#[path = "../../../crates/shell/src/content_policy.rs"]
pub mod content_policy;
#[path = "../../../crates/cli/src/dev/browser/door.rs"]
pub mod door;
#[path = "../../../crates/shell/src/inline_scripts.rs"]
pub mod inline_scripts;
#[path = "../../../crates/cli/src/project/mod.rs"]
pub mod project;
#[path = "../../../crates/shell/src/requested.rs"]
pub mod requested;
#[path = "../../../crates/cli/src/dev/browser/spoken.rs"]
pub mod spoken;
#[path = "../../../crates/cli/src/dev/browser/start_script.rs"]
pub mod start_script;
#[path = "../../../crates/shell/port/wire.rs"]
pub mod wire;

/// A target: its name, and what must hold.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// All of them; `fuzz/fuzz_targets` has a file for each.
pub const TARGETS: [Target; 22] = [
    ("frame", streams::frame),
    ("wire", streams::wire),
    ("bridge", messages::bridge),
    ("worker", messages::worker),
    ("control", messages::control),
    ("describe", messages::describe),
    ("desktop", messages::desktop),
    ("capability", names::capability),
    ("scope", names::scope),
    ("requested", names::requested),
    ("inline_scripts", pages::inline_scripts),
    ("project_file", names::project_file),
    ("door", browsers::door),
    ("spoken", browsers::spoken),
    ("start_script", browsers::start_script),
    ("manifest", releases::manifest),
    ("delta", releases::delta),
    ("bundle", releases::bundle),
    ("metadata", metadata::metadata),
    ("expression", policies::expression),
    ("answers", answers::answers),
    ("archive", releases::archive),
];

/// Runs a target by its name, for the fuzzer.
///
/// # Panics
/// When there is no such target, or something does not hold.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target of TARGETS");
    target(bytes);
}
