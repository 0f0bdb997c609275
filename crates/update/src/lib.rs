//! The update engine of Staysail: trust, store, download, life cycle, and the publisher's side of it.
//!
//! | Module | Holds |
//! |---|---|
//! | [`archive`] | a repository in one file, for machines without network |
//! | [`awake`] | time limits that a sleeping machine does not use up |
//! | [`bundle`] | the first release, attached to the shipped executable |
//! | [`store`] | releases on the user's disk, by content; what boots; floors and bans |
//! | [`lifecycle`] | what to do next, as a pure function |
//! | [`policy`] | conditions of releases: read, checked, told; what follows from them and from the user's choice |
//! | [`engine`] | the driver that does it: network, disk, host |
//! | [`trust`] | TUF metadata, verified from the pinned root on, with or without network |
//! | [`publisher`] | keys and the repository of releases |
//!
//! Used without the rest of Staysail: `examples/standalone.rs` is a whole program, `docs/guide/engine.md` tells how.
//!
//! **Invariant:** builds and runs without any webview library, knows nothing of windows or workers (a host is told
//! through [`engine::Host`]), and hands out no byte that was not verified just before.

#[macro_use]
mod failpoint;

pub mod archive;
pub mod awake;
pub mod bundle;
mod crypto;
pub mod disk;
pub mod engine;
pub mod error;
pub mod hash;
pub mod lifecycle;
pub mod pack;
pub mod policy;
pub mod publisher;
pub mod store;
pub mod trust;

pub use archive::Archive;
pub use engine::{Engine, EngineHandle, Host};
pub use error::Error;
/// Manifests, events and wishes: what an engine is told and tells.
pub use staysail_protocol as protocol;
pub use store::{Boot, Release, Store};

/// The target triple this build runs on; the key of [`staysail_protocol::manifest::Manifest::backend`].
pub const TARGET: &str = env!("STAYSAIL_TARGET");
