//! Native features: what page and worker may ask of the shell, and what the app declares of itself.
//!
//! # Theory of operation
//! A request is a name `group.operation` and JSON arguments; its answer is JSON or a [`crate::CallError`]. Each group
//! is a module here with one enum of requests, tagged with the operation (`op`), so page, worker and shell share one
//! definition. From the page a request needs a capability ([`crate::capability`]); the worker, a program of the user's
//! own, may ask for anything.
//!
//! What happens natively is told as an event `staysail:<group>` to the worker, and to the pages of windows that may
//! use something of that group.
//!
//! What an app declares ([`Declared`]) is brought about by the shell at the start, and reconciled after each swap.

pub mod app;
#[cfg(feature = "host")]
pub mod autostart;
#[cfg(feature = "host")]
pub mod clipboard;
pub mod cookies;
pub mod dialog;
pub mod download;
pub mod drop;
#[cfg(feature = "host")]
pub mod features;
pub mod find;
#[cfg(feature = "host")]
pub mod fs;
pub mod menu;
pub mod notification;
#[cfg(feature = "host")]
pub mod opener;
pub mod page;
#[cfg(feature = "host")]
pub mod power;
pub mod shortcut;
pub mod tray;
pub mod window;

use serde::{Deserialize, Serialize};

/// What an app declares beside its windows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Declared {
    /// The app goes on when its last window is closed: it lives in the tray, or waits for its shortcut.
    pub runs_without_windows: bool,
    /// The application's menu; none when empty.
    pub menu: Vec<menu::MenuItem>,
    /// A second start hands its arguments over to the first, and ends.
    pub single_instance: bool,
    /// Links and files the app opens.
    pub opens: app::Opens,
    /// Its icon in the tray.
    pub tray: Option<tray::TraySpec>,
    /// Keys that reach it whatever program has the focus.
    pub shortcuts: Vec<shortcut::ShortcutSpec>,
}

impl Declared {
    /// Looks through what belongs to the app as a whole: links and files, tray, shortcuts.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn check(&self) -> Result<(), String> {
        self.opens.check()?;
        shortcut::check(&self.shortcuts)?;
        let Some(tray) = &self.tray else { return Ok(()) };
        if tray.icon.is_empty() {
            return Err("the tray's icon is the path of a PNG of the page's files; it is empty".into());
        }
        menu::check(&tray.menu).map_err(|error| format!("the tray's menu: {error}"))
    }
}

/// Takes a name apart into group and operation.
///
/// ```
/// assert_eq!(staysail_protocol::desktop::parts("window.set_title"), Some(("window", "set_title")));
/// assert_eq!(staysail_protocol::desktop::parts("window"), None);
/// ```
pub fn parts(name: &str) -> Option<(&str, &str)> {
    name.split_once('.').filter(|(group, operation)| !group.is_empty() && !operation.is_empty())
}

/// Reads a group's request from the operation's name and its arguments: a JSON object, or nothing.
///
/// # Errors
/// A sentence for people, when the operation is not known or its arguments do not fit.
pub fn read<R: serde::de::DeserializeOwned>(operation: &str, arguments: &[u8]) -> Result<R, String> {
    use serde_json::{Map, Value};
    let mut object: Map<String, Value> = match arguments {
        [] | b"null" => Map::new(),
        bytes => serde_json::from_slice(bytes)
            .map_err(|error| format!("the arguments must be a JSON object: {error}"))?,
    };
    object.insert("op".into(), Value::String(operation.into()));
    serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())
}
