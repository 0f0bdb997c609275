//! The app's icon in the tray.

use crate::native::Request;
use crate::{App, AppHandle, Menu};
use serde_json::json;
use staysail_protocol::desktop::tray::TraySpec;
pub use staysail_protocol::desktop::tray::{TrayEvent, TrayState};

/// An icon in the tray. What happens to it is told by `staysail:tray`, a [`TrayEvent`].
///
/// ```
/// # use staysail::{App, Menu, MenuItem, MenuRole, Tray};
/// let tray = Tray::new("icons/tray.png")
///     .tooltip("Charts")
///     .menu(Menu::new().item(MenuItem::new("show", "&Show")).separator().role(MenuRole::Quit));
/// let app = App::new("com.example.charts").run_without_windows().tray(tray);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Tray {
    spec: TraySpec,
}

impl Tray {
    /// One with a picture: path of a PNG of the page's files.
    pub fn new(icon: impl Into<String>) -> Self {
        Self { spec: TraySpec { icon: icon.into(), ..TraySpec::default() } }
    }

    /// Shown when the mouse is over it; the app's name when not set.
    pub fn tooltip(mut self, tooltip: impl Into<String>) -> Self {
        self.spec.tooltip = tooltip.into();
        self
    }

    /// Beside the icon on macOS; its name for the desktop elsewhere.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.spec.title = title.into();
        self
    }

    /// Its menu. Of what the system does by itself it can only quit; keys have no effect there.
    pub fn menu(mut self, menu: Menu) -> Self {
        self.spec.menu = menu.items;
        self
    }

    /// A click opens the menu, too, and is not told.
    pub fn menu_on_click(mut self) -> Self {
        self.spec.menu_on_click = true;
        self
    }
}

impl App {
    /// Declares the app's icon in the tray. After a swap what is declared otherwise is changed in place.
    pub fn tray(mut self, tray: Tray) -> Self {
        self.desktop.tray = Some(tray.spec);
        self
    }
}

impl AppHandle {
    /// Puts this icon into the tray, in place of the one that is there. The answer says whether the desktop shows it: one
    /// without a tray does not, so do not hide the last window there.
    pub fn set_tray(&self, tray: Tray) -> Request<TrayState> {
        self.ask("tray.set", &json!({ "tray": tray.spec }))
    }

    /// How it is with the tray.
    pub fn tray_state(&self) -> Request<TrayState> {
        self.ask("tray.state", &json!({}))
    }

    /// Another picture: path of a PNG of the page's files.
    pub fn set_tray_icon(&self, icon: &str) {
        self.tell("tray.update", &json!({ "icon": icon }));
    }

    /// Another text when the mouse is over the icon.
    pub fn set_tray_tooltip(&self, tooltip: &str) {
        self.tell("tray.update", &json!({ "tooltip": tooltip }));
    }

    /// Checks an entry of the tray's menu, or unchecks it.
    pub fn set_tray_item_checked(&self, id: &str, checked: bool) {
        self.tell("tray.update_item", &json!({ "id": id, "checked": checked }));
    }

    /// Whether an entry of the tray's menu can be chosen.
    pub fn set_tray_item_enabled(&self, id: &str, enabled: bool) {
        self.tell("tray.update_item", &json!({ "id": id, "enabled": enabled }));
    }

    /// What is on an entry of the tray's menu.
    pub fn set_tray_item_text(&self, id: &str, text: &str) {
        self.tell("tray.update_item", &json!({ "id": id, "text": text }));
    }

    /// Takes the icon away.
    pub fn remove_tray(&self) {
        self.tell("tray.remove", &json!({}));
    }
}
