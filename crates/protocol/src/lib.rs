//! Every byte that crosses a process or a machine in Staysail.
//!
//! | Boundary | Module |
//! |---|---|
//! | page ↔ shell | [`bridge`] |
//! | shell ↔ worker | [`frame`], [`worker`] |
//! | development tool ↔ shell | [`frame`], [`control`] |
//! | publisher → release server → shell | [`manifest`], [`notice`] |
//! | what an app says of itself | [`interface`] |
//! | native features, and who may use them | [`desktop`], [`capability`], [`permission`], [`scope`], [`path`] |
//! | how the webview is set up | [`webview`] |
//!
//! **Invariant:** this crate holds data types and their encodings only: no files, no network, no clock
//! and no randomness. Everything in it is a pure function of its input, so every parser can be fuzzed.

pub mod assets;
#[cfg(feature = "host")]
pub mod bridge;
#[cfg(feature = "host")]
pub mod capability;
#[cfg(feature = "host")]
pub mod control;
pub mod desktop;
pub mod error;
pub mod frame;
#[cfg(test)]
mod golden;
pub mod interface;
pub mod limits;
#[cfg(feature = "host")]
pub mod manifest;
pub mod module;
pub mod notice;
#[cfg(feature = "host")]
pub mod path;
#[cfg(feature = "host")]
pub mod permission;
pub mod policy;
#[cfg(feature = "host")]
pub mod scope;
#[cfg(feature = "host")]
pub mod shadow;
#[cfg(feature = "host")]
pub mod webview;
pub mod worker;

pub use error::{CallError, ErrorCode};

/// The newest shell-worker protocol this crate speaks.
pub const PROTOCOL_VERSION: u16 = 1;
/// The oldest shell-worker protocol this crate still speaks.
pub const PROTOCOL_VERSION_MIN: u16 = 1;
