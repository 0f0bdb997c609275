//! What changed in a folder: exact, paired, ordered file events.
//!
//! The system's events only say where to look. Each place they name is compared with what is known of it, so what is
//! reported is what differs: a file saved by writing a new one and renaming it over the old is one `change`, a file
//! touched or saved without a difference is nothing, a folder that moved is one `renameDir`. Where the system tells
//! nothing (network drives, no watches left) files are looked at in intervals. `docs/spec/watch.md` says, sentence by
//! sentence, what is reported when.
//!
//! ```
//! use staysail_watch::{Event, Report, Watcher};
//! use std::sync::mpsc::channel;
//!
//! let folder = tempfile::tempdir()?;
//! let (sender, reports) = channel();
//! // Ends when it is dropped.
//! let watch = Watcher::new([folder.path()]).start(move |report| drop(sender.send(report)))?;
//! assert_eq!(reports.recv()?, Report::Ready { folders: 1, files: 0 });
//!
//! std::fs::write(folder.path().join("hello.txt"), "hello")?;
//! let Report::Changed(batch) = reports.recv()? else { panic!("something else") };
//! assert_eq!(batch.events, [Event::Add(folder.path().join("hello.txt"))]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Which files count is said by [`Rules`] (gitignore and patterns of one's own), or by anything else that is
//! [`Select`]. [`depinfo`] reads which files a Rust program was made of; [`Watch::also`] watches them wherever they are.
//!
//! **Invariant:** one thread, one state; only reads the disk and never writes to it. Knows no project, no build and no
//! window, and none of our crates but the named limits.

mod conclude;
pub mod depinfo;
mod disk;
pub mod editors;
mod event;
mod mounts;
mod notifier;
mod options;
mod order;
mod rules;
mod run;
mod scan;
#[cfg(all(test, unix))]
mod testing;
mod tree;

pub use event::{Batch, Event, Notice, Report, Subject};
pub use options::{Error, Watch, Watcher};
pub use rules::{BadPattern, Rules, Select};
