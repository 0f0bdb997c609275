//! The shell: the ready-made process that owns windows, webviews, sockets, the router and the supervisor of a
//! Staysail app, and survives every change of its code.
//!
//! It knows nothing of any app: page, worker, windows and configuration come from the development tool
//! ([`dev`]) or from a verified release ([`live`]). Most apps use the binary as it comes; who needs native code
//! inside the shell builds a binary of their own that calls [`launch::launch`].
//!
//! **Invariant:** the only crate that links a webview (tao, wry), and it links no code of any app.

// For the file that the port and the shell share: the port knows no standard library.
#[cfg(target_os = "linux")]
extern crate alloc;

pub mod app;
pub mod asset_groups;
pub mod assets;
pub mod bodies;
pub mod bridge;
pub mod conditions;
pub mod conductor;
pub mod content_policy;
pub mod desktop;
pub mod dev;
pub mod dev_certificate;
mod digest;
pub mod inline_scripts;
pub mod instance;
pub mod launch;
pub mod live;
mod memory;
mod module;
pub mod navigation;
pub mod pages;
pub mod payload;
pub mod permissions;
pub mod platform;
pub mod reload;
pub mod requested;
pub mod responder;
pub mod router;
mod secret;
pub mod shell;
pub mod streams;
pub mod tabs;
mod update_story;
pub mod wasm;
pub mod worker;
