//! Desktop apps that update like web pages, while they run.
//!
//! An app is a Rust program that declares its windows and its commands. It draws nothing: windows belong to the
//! shell, a process of its own, so this program can be exchanged while they stay open.
//!
//! ```no_run
//! use staysail::{App, Kept, Window, command, commands};
//!
//! /// How often somebody was greeted. Handed from worker to worker: it survives every swap.
//! #[staysail::data]
//! #[derive(Default)]
//! struct Counter {
//!     greeted: u32,
//! }
//!
//! /// Greets by name.
//! #[command]
//! fn greet(name: String, counter: Kept<Counter>) -> String {
//!     let mut counter = counter.write();
//!     counter.greeted += 1;
//!     format!("Hello {name}, you are number {}", counter.greeted)
//! }
//!
//! fn main() -> staysail::Result {
//!     App::new("com.example.hello")
//!         .window(Window::new("main").title("Hello").size(960.0, 680.0))
//!         .keep("counter", Counter::default())
//!         .commands(commands![greet])
//!         .run()
//! }
//! ```
//!
//! **Invariant:** never links a webview; few, quick-to-compile dependencies.

// The macros name the crate by its name, in its own tests as well.
#[cfg(test)]
extern crate self as staysail;

mod app;
pub mod assets;
mod call;
mod channel;
mod command;
mod connection;
mod debugger;
mod describe;
mod desktop;
mod error;
mod exclusive;
mod handle;
mod handover;
mod integer;
mod kept;
mod lane;
#[cfg(feature = "wasm")]
mod modules;
mod native;
mod packing;
mod runtime;
mod service;
mod snapshot;
mod text;
mod time;
mod window;

pub use app::App;
pub use channel::{Channel, Closed, FromMessage, Message, Receiver};
pub use command::{Bytes, State};
/// What belongs to the webview: printing, finding, cookies, storage, downloads, files dragged over a window.
pub use desktop::webview;
pub use desktop::{
    AppEvent, AppInfo, Autostart, Clipboard, Dialogs, FileType, KeepAwake, Level, Menu, MenuEvent, MenuItem,
    MenuRole, Notification, NotificationEvent, NotificationNews, Opened, Shortcut, ShortcutEvent, Tray,
    TrayEvent, TrayState,
};
pub use error::{Error, Result};
pub use exclusive::{Exclusive, Held};
pub use handle::{AppHandle, Updates, WindowHandle};
pub use integer::{BigInt, Integer, Number};
pub use kept::{FromVersion, Kept, KeptState, KeptWriter};
#[cfg(feature = "wasm")]
pub use modules::{Module, ModuleError};
pub use native::Request;
pub use service::Service;
pub use window::Window;

/// Makes a function callable from the page.
///
/// `#[command(read_only)]` says that it changes nothing, whoever calls it how often: before a release goes live its
/// backend may answer such a call once more, to compare the answers (`[update.shadow]` in `staysail.toml`).
///
/// ```
/// use staysail::{Kept, command};
///
/// #[command(read_only)]
/// fn count(notes: Kept<Vec<String>>) -> u32 {
///     notes.read().len() as u32
/// }
/// ```
pub use staysail_macros::command;
pub use staysail_macros::{Event, State, commands, data, service};
/// What an app may ask of the shell's windows, and what it is told of them.
pub mod window_events {
    pub use staysail_protocol::desktop::window::{
        Edge, Progress, Screen, WindowChange, WindowEvent, WindowNews, WindowState,
    };
    pub use staysail_protocol::interface::Theme;
}
/// A value of an older version of some state: what [`FromVersion`] is given.
pub use serde_json::Value;
pub use staysail_protocol::notice::UpdateEvent;
pub use staysail_protocol::policy::CustomValue;
pub use staysail_protocol::{CallError, ErrorCode};
/// Describes a type in TypeScript; derived by `#[staysail::data]`.
pub use ts_rs::TS;
#[doc(hidden)]
pub use {serde, ts_rs};

/// A named event that crosses the bridge. Derive it; the name is the type's in kebab-case.
///
/// ```
/// use staysail::Event as _;
/// #[staysail::data]
/// #[derive(staysail::Event)]
/// struct NoteSaved {
///     id: u32,
/// }
/// assert_eq!(NoteSaved::NAME, "note-saved");
/// ```
pub trait Event: serde::Serialize + TS + 'static {
    /// The name used in `listen(name, …)`.
    const NAME: &'static str;
}

/// What the macros generate against. No part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::call::{
        Answer, AnswerBytes, AnswerJson, AnswerText, Arguments, Failure, FailureDisplay, FailureFull,
        FailureJson, ResultParts,
    };
    pub use crate::command::{Call, Command, FromCall, Kind, Need, Run};
    pub use crate::describe::{Describe, KnownType, Probe, Types, UnknownType, describe_command};
    pub use crate::integer::{bigint, number};
    pub use crate::service::{Definition as ServiceDefinition, Instance, Work};
    pub use crate::time::StandardTime;
}
