//! Native features for the backend: menus, dialogs, clipboard, notifications, other programs.

mod dialogs;
mod menu;
pub mod webview;

pub use dialogs::{Clipboard, Dialogs, Level, Notification};
pub use menu::{Menu, MenuItem, MenuRole};
pub use staysail_protocol::desktop::menu::MenuEvent;
pub use staysail_protocol::desktop::notification::{NotificationEvent, NotificationNews};
