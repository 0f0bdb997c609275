//! Keys that reach the app whatever program has the focus.

use crate::native::Request;
use crate::{App, AppHandle};
use serde_json::json;
use staysail_protocol::desktop::shortcut::ShortcutSpec;
pub use staysail_protocol::desktop::shortcut::{Shortcut, ShortcutEvent};

impl App {
    /// Declares keys, e.g. `CmdOrCtrl+Shift+K`, that reach the app whatever program has the focus; `staysail:shortcut`
    /// tells of them, a [`ShortcutEvent`]. After a swap those declared as before are not touched. Keys another program has
    /// are reported in the log and by [`AppHandle::shortcuts`].
    pub fn shortcut(mut self, id: impl Into<String>, keys: impl Into<String>) -> Self {
        self.desktop.shortcuts.push(ShortcutSpec { id: id.into(), keys: keys.into() });
        self
    }
}

impl AppHandle {
    /// Takes keys from now on, until they are given back or the app ends; other keys in place of those of a shortcut
    /// with this id.
    pub fn register_shortcut(&self, id: &str, keys: &str) -> Request<()> {
        self.ask("shortcut.register", &json!({ "id": id, "keys": keys }))
    }

    /// Gives keys back.
    pub fn unregister_shortcut(&self, id: &str) -> Request<()> {
        self.ask("shortcut.unregister", &json!({ "id": id }))
    }

    /// All shortcuts of the app, and what keeps them from working.
    pub fn shortcuts(&self) -> Request<Vec<Shortcut>> {
        self.ask("shortcut.list", &json!({}))
    }
}
