//! `tray.*`: the app's icon in the desktop's tray, and the one an app declares.

use super::menu::MenuItem;
use serde::{Deserialize, Serialize};

/// The icon in the tray. An app has one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TraySpec {
    /// Path of a PNG of the page's files.
    pub icon: String,
    /// Shown when the mouse is over it.
    pub tooltip: String,
    /// Beside the icon on macOS; its name for the desktop elsewhere.
    pub title: String,
    /// The entries of its menu.
    pub menu: Vec<MenuItem>,
    /// A click opens the menu, too, and is not told.
    pub menu_on_click: bool,
}

/// A request of the group `tray`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum TrayRequest {
    /// Put this icon into the tray, in place of the one that is there. Answer: [`TrayState`].
    Set {
        /// The icon.
        tray: TraySpec,
    },
    /// Change the icon that is there. Answer: null.
    Update {
        /// Path of a PNG of the page's files.
        #[serde(default)]
        icon: Option<String>,
        /// A PNG in base64, in place of `icon`.
        #[serde(default)]
        png: Option<String>,
        /// Shown when the mouse is over it.
        #[serde(default)]
        tooltip: Option<String>,
        /// Beside the icon on macOS.
        #[serde(default)]
        title: Option<String>,
    },
    /// Change an entry of its menu. Answer: null.
    UpdateItem {
        /// Which.
        id: String,
        /// What is on it.
        #[serde(default)]
        text: Option<String>,
        /// It can be chosen.
        #[serde(default)]
        enabled: Option<bool>,
        /// It is checked.
        #[serde(default)]
        checked: Option<bool>,
    },
    /// Take the icon away. Answer: null.
    Remove {},
    /// Answer: [`TrayState`].
    State {},
}

/// How it is with the tray.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrayState {
    /// The app has an icon.
    pub set: bool,
    /// The desktop shows it. Without a tray it is shown as soon as there is one.
    pub shown: bool,
}

/// Something happened to the icon: the payload of the event `staysail:tray`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TrayEvent {
    /// It was clicked.
    Clicked,
    /// It was clicked with the middle button.
    MiddleClicked,
    /// An entry of its menu was chosen.
    Chosen {
        /// Which.
        id: String,
        /// Of a check or radio item: whether it is checked now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checked: Option<bool>,
    },
}
