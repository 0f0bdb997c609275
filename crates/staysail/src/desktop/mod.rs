//! Native features for the backend: menus, dialogs, clipboard, notifications, other programs.

mod app;
mod dialogs;
mod menu;
mod power;
mod shortcut;
mod tray;
pub mod webview;

pub use app::{AppEvent, AppInfo, Autostart, FileType, Opened};
pub use dialogs::{Clipboard, Dialogs, Level, Notification};
pub use menu::{Menu, MenuItem, MenuRole};
pub use power::KeepAwake;
pub use shortcut::{Shortcut, ShortcutEvent};
pub use staysail_protocol::desktop::menu::MenuEvent;
pub use staysail_protocol::desktop::notification::{NotificationEvent, NotificationNews};
pub use tray::{Tray, TrayEvent, TrayState};
