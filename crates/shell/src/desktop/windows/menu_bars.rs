//! Which menu bar stands in which window: the application's, or one of the window's own.
//!
//! macOS has one bar for all windows. There the own one of a window stands in it while that window has the focus.

use super::{Done, Open, Windows, not_open};
use crate::desktop::menus::{Bar, of_window};
use crate::platform;
use muda::Menu;
use staysail_protocol::desktop::menu::{MenuEvent, MenuItem};
use staysail_protocol::interface::WindowSpec;

/// Whether a window shows the application's menu: not below another, nor in place of a title bar of the page's own, nor
/// beside a menu of its own.
pub(super) fn shows_apps(spec: &WindowSpec) -> bool {
    spec.parent.is_none() && spec.decorations && spec.menu.is_none()
}

/// The menu bar that stands in a window, if one does.
pub(super) fn shown<'a>(own: Option<&'a Bar>, spec: &WindowSpec, app: &'a Bar) -> Option<&'a Menu> {
    let bar = own.or_else(|| shows_apps(spec).then_some(app))?;
    (!bar.is_empty()).then(|| bar.bar())
}

/// The menu an app has that declares none: macOS knows the keys for copying, pasting and ending by their entries only.
#[cfg(target_os = "macos")]
pub(super) fn usual(declared: Vec<MenuItem>) -> Vec<MenuItem> {
    use staysail_protocol::desktop::menu::{MenuKind, MenuRole};
    if !declared.is_empty() {
        return declared;
    }
    let line = || MenuItem { kind: MenuKind::Separator, ..MenuItem::default() };
    let entry = |role: MenuRole| MenuItem { kind: MenuKind::Role, role: Some(role), ..MenuItem::default() };
    let menu = |text: &str, items: Vec<MenuItem>| MenuItem {
        kind: MenuKind::Submenu,
        text: text.into(),
        items,
        ..MenuItem::default()
    };
    let edits = [MenuRole::Cut, MenuRole::Copy, MenuRole::Paste, MenuRole::SelectAll].map(entry);
    let shows =
        [MenuRole::Minimize, MenuRole::Maximize, MenuRole::Fullscreen, MenuRole::CloseWindow].map(entry);
    vec![
        // The system calls the first by the app's name.
        menu("App", vec![entry(MenuRole::About), line(), entry(MenuRole::Quit)]),
        menu(
            "Edit",
            [entry(MenuRole::Undo), entry(MenuRole::Redo), line()].into_iter().chain(edits).collect(),
        ),
        menu("Window", shows.into()),
    ]
}

impl Open {
    fn shown<'a>(&'a self, app: &'a Bar) -> Option<&'a Menu> {
        shown(self.bar.as_ref(), &self.spec, app)
    }

    /// Takes its menu bar out of the window.
    pub(super) fn take_menu_bar(&self, app: &Bar) {
        if let Some(bar) = self.shown(app) {
            platform::take_menu_bar(bar, &self.window);
        }
    }

    fn put_menu_bar(&self, app: &Bar) {
        let has_its_turn = !cfg!(target_os = "macos") || self.focused;
        if let Some(bar) = self.shown(app).filter(|_| has_its_turn) {
            platform::attach_menu(bar, &self.window);
        }
    }
}

impl Windows {
    /// Puts another application menu in place.
    pub fn set_menu(&mut self, items: Vec<MenuItem>) -> Done {
        let was_empty = self.menus.app().is_empty();
        self.menus.app_mut().set(items)?;
        let app = self.menus.app();
        for open in self.open.values().filter(|open| shows_apps(&open.spec)) {
            match (was_empty, app.is_empty()) {
                (true, false) => platform::attach_menu(app.bar(), &open.window),
                (false, true) => platform::detach_menu(app.bar(), &open.window),
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives a window another menu of its own, changed in place where it has one; `None` gives it the application's again.
    pub fn set_window_menu(&mut self, label: &str, items: Option<Vec<MenuItem>>) -> Done {
        let open = self.open.get_mut(label).ok_or_else(|| not_open(label))?;
        let app = self.menus.app();
        if let (Some(bar), Some(items)) = (&mut open.bar, &items)
            && !bar.is_empty()
            && !items.is_empty()
        {
            bar.set(items.clone())?;
            open.spec.menu = Some(items.clone());
            return Ok(());
        }
        // Made before anything is taken away: one that can not be made leaves the menu as it was.
        let make = |items: &Vec<MenuItem>| Bar::of_window(&self.shell, label, items.clone());
        let bar = items.as_ref().map(make).transpose()?;
        open.take_menu_bar(app);
        (open.bar, open.spec.menu) = (bar, items);
        open.put_menu_bar(app);
        Ok(())
    }

    /// A menu bar to change: the own one of a window, or the application's.
    ///
    /// # Errors
    /// The window is not open, or has no menu of its own.
    pub fn bar_of(&mut self, label: Option<&str>) -> Done<&mut Bar> {
        let Some(label) = label else { return Ok(self.menus.app_mut()) };
        let open = self.open.get_mut(label).ok_or_else(|| not_open(label))?;
        let none = || super::invalid(format!("the window `{label}` has no menu of its own"));
        open.bar.as_mut().ok_or_else(none)
    }

    /// The user has chosen an entry of a menu.
    pub fn menu_chosen(&mut self, id: String) {
        #[cfg(not(target_os = "linux"))]
        if self.tray_chosen(&id) {
            return;
        }
        let focused = self.open.values().find(|open| open.focused).map(|open| open.spec.label.clone());
        if self.role_chosen(&id, focused.as_deref()) {
            return;
        }
        let event = match of_window(&id) {
            Some((label, id)) => {
                let own = self.open.get(label).and_then(|open| open.bar.as_ref());
                let checked = own.and_then(|bar| bar.chosen(id));
                MenuEvent { id: id.into(), checked, window: Some(label.into()) }
            }
            None => self.menus.chosen(id, focused),
        };
        self.shell.tell_natively("menu", event.window.as_deref().unwrap_or_default(), &event);
    }

    /// The window that has the focus now is the one whose menus stand in the system's bar.
    #[cfg(target_os = "macos")]
    pub(super) fn front_menu_bar(&self, label: &str) {
        if let Some(open) = self.open.get(label) {
            let bar = open.bar.as_ref().unwrap_or_else(|| self.menus.app());
            platform::attach_menu(bar.bar(), &open.window);
        }
    }
}
