//! `shortcut.*`: keys that reach the app whatever program has the focus.

use serde::{Deserialize, Serialize};

/// A shortcut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShortcutSpec {
    /// Named by the event.
    pub id: String,
    /// Keys, e.g. `CmdOrCtrl+Shift+K`.
    pub keys: String,
}

/// A request of the group `shortcut`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum ShortcutRequest {
    /// Take keys from now on; other keys in place of those of a shortcut with this id. Answer: null.
    Register {
        /// Named by the event.
        id: String,
        /// Keys, e.g. `CmdOrCtrl+Shift+K`.
        keys: String,
    },
    /// Give them back. Answer: null.
    Unregister {
        /// Which.
        id: String,
    },
    /// Answer: array of [`Shortcut`], sorted by id.
    List {},
}

/// How it is with a shortcut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortcut {
    /// Named by the event.
    pub id: String,
    /// Its keys.
    pub keys: String,
    /// Why it does not work, when it does not: another program has the keys, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Keys were pressed or let go: the payload of the event `staysail:shortcut`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShortcutEvent {
    /// Which.
    pub id: String,
    /// Pressed; otherwise let go.
    pub pressed: bool,
}

/// Looks declared shortcuts through.
///
/// # Errors
/// A sentence for people: two of one id, or of the same keys, or nothing where something belongs.
pub fn check(shortcuts: &[ShortcutSpec]) -> Result<(), String> {
    for (at, shortcut) in shortcuts.iter().enumerate() {
        if shortcut.id.is_empty() || shortcut.keys.is_empty() {
            return Err("a shortcut needs an id and keys".into());
        }
        if let Some(other) = shortcuts[..at].iter().find(|other| other.id == shortcut.id) {
            return Err(format!("two shortcuts have the id `{}`", other.id));
        }
        let same = |other: &&ShortcutSpec| other.keys.eq_ignore_ascii_case(&shortcut.keys);
        if let Some(other) = shortcuts[..at].iter().find(same) {
            return Err(format!(
                "`{}` and `{}` are the same keys, `{}`",
                other.id, shortcut.id, shortcut.keys
            ));
        }
    }
    Ok(())
}
