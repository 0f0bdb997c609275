//! Declaring menus.

use crate::native::Request;
use crate::{App, AppHandle, WindowHandle};
pub use staysail_protocol::desktop::menu::MenuRole;
use staysail_protocol::desktop::menu::{self, MenuKind};

/// A menu: entries from top to bottom; of a menu bar, from left to right.
///
/// ```
/// use staysail::{Menu, MenuItem, MenuRole};
/// let bar = Menu::new().menu(
///     "&File",
///     Menu::new()
///         .item(MenuItem::new("save", "&Save").accelerator("CmdOrCtrl+S"))
///         .item(MenuItem::check("wrap", "&Wrap lines", true))
///         .separator()
///         .role(MenuRole::Quit),
/// );
/// ```
#[derive(Debug, Clone, Default)]
pub struct Menu {
    pub(crate) items: Vec<menu::MenuItem>,
}

impl Menu {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry.
    pub fn item(mut self, item: MenuItem) -> Self {
        self.items.push(item.spec);
        self
    }

    /// Adds a menu of its own.
    pub fn menu(mut self, text: impl Into<String>, below: Menu) -> Self {
        let kind = MenuKind::Submenu;
        self.items.push(menu::MenuItem { kind, text: text.into(), items: below.items, ..Default::default() });
        self
    }

    /// Adds a line.
    pub fn separator(mut self) -> Self {
        self.items.push(menu::MenuItem { kind: MenuKind::Separator, ..Default::default() });
        self
    }

    /// Adds something the system does by itself, with the system's words.
    pub fn role(mut self, role: MenuRole) -> Self {
        self.items.push(menu::MenuItem { kind: MenuKind::Role, role: Some(role), ..Default::default() });
        self
    }
}

/// An entry of a menu. When it is chosen, `staysail:menu` tells its id.
#[derive(Debug, Clone)]
pub struct MenuItem {
    spec: menu::MenuItem,
}

impl MenuItem {
    /// One that does something. `&` in the text stands before the letter that chooses it.
    pub fn new(id: impl Into<String>, text: impl Into<String>) -> Self {
        Self { spec: menu::MenuItem { id: id.into(), text: text.into(), ..Default::default() } }
    }

    /// One that is checked or not.
    pub fn check(id: impl Into<String>, text: impl Into<String>, checked: bool) -> Self {
        let mut item = Self::new(id, text);
        (item.spec.kind, item.spec.checked) = (MenuKind::Check, checked);
        item
    }

    /// One of several in `group`, of which one is checked.
    pub fn radio(
        id: impl Into<String>,
        text: impl Into<String>,
        group: impl Into<String>,
        checked: bool,
    ) -> Self {
        let mut item = Self::check(id, text, checked);
        (item.spec.kind, item.spec.group) = (MenuKind::Radio, group.into());
        item
    }

    /// Keys that choose it, e.g. `CmdOrCtrl+Shift+S`.
    pub fn accelerator(mut self, keys: impl Into<String>) -> Self {
        self.spec.accelerator = Some(keys.into());
        self
    }

    /// Whether it can be chosen; yes when not set.
    pub fn enabled(mut self, yes: bool) -> Self {
        self.spec.enabled = yes;
        self
    }
}

impl App {
    /// Declares the application's menu: a bar in each window without a parent, or where the system has it. After a
    /// swap what is declared otherwise is changed in place.
    pub fn menu(mut self, menu: Menu) -> Self {
        self.desktop.menu = menu.items;
        self
    }
}

impl AppHandle {
    /// Puts another menu in place of the application's.
    pub fn set_menu(&self, menu: Menu) -> Request<()> {
        self.ask("menu.set", &serde_json::json!({ "items": menu.items }))
    }

    /// Checks an entry of the application's menu, or unchecks it.
    pub fn set_menu_checked(&self, id: &str, checked: bool) {
        self.tell("menu.update", &serde_json::json!({ "id": id, "checked": checked }));
    }

    /// Whether an entry of the application's menu can be chosen.
    pub fn set_menu_enabled(&self, id: &str, enabled: bool) {
        self.tell("menu.update", &serde_json::json!({ "id": id, "enabled": enabled }));
    }

    /// What is on an entry of the application's menu.
    pub fn set_menu_text(&self, id: &str, text: &str) {
        self.tell("menu.update", &serde_json::json!({ "id": id, "text": text }));
    }
}

impl WindowHandle {
    /// Gives the window another menu bar of its own, changed in place where it has one; an empty one for none at all.
    pub fn set_menu(&self, menu: Menu) -> Request<()> {
        let arguments = serde_json::json!({ "label": self.label(), "items": menu.items });
        self.app().ask("menu.set", &arguments)
    }

    /// Checks an entry of the window's own menu, or unchecks it.
    pub fn set_menu_checked(&self, id: &str, checked: bool) {
        self.update_menu(serde_json::json!({ "label": self.label(), "id": id, "checked": checked }));
    }

    /// Whether an entry of the window's own menu can be chosen.
    pub fn set_menu_enabled(&self, id: &str, enabled: bool) {
        self.update_menu(serde_json::json!({ "label": self.label(), "id": id, "enabled": enabled }));
    }

    /// What is on an entry of the window's own menu.
    pub fn set_menu_text(&self, id: &str, text: &str) {
        self.update_menu(serde_json::json!({ "label": self.label(), "id": id, "text": text }));
    }

    fn update_menu(&self, arguments: serde_json::Value) {
        self.app().tell("menu.update", &arguments);
    }
}
