//! What entries with a role do to windows and to the app, where the system's menus leave it to the app.
//!
//! macOS does all of it by itself. GTK knows none of these and shows them greyed out; on Windows ending is done past the
//! app, whose workers would not be ended in order. What edits text (`cut`, `undo`, …) is the menu's own on every system.

use super::Windows;
use muda::AboutMetadata;
use staysail_protocol::desktop::menu::{MenuItem, MenuRole};

/// Stands before the names of roles among the ids of entries. No keyboard types it into an id of an app's own.
const PREFIX: &str = "role\u{1f}";

/// Those done here, with what is on them when the app does not say.
const ROLES: [(MenuRole, &str, &str); 5] = [
    (MenuRole::Minimize, "minimize", "&Minimise"),
    (MenuRole::Maximize, "maximize", "Ma&ximise"),
    (MenuRole::Fullscreen, "fullscreen", "&Full screen"),
    (MenuRole::CloseWindow, "close_window", "&Close"),
    (MenuRole::Quit, "quit", if cfg!(windows) { "E&xit" } else { "&Quit" }),
];

/// Id and text of the ordinary entry that stands for one of a role; `None` when the system does it.
pub(super) fn stand_in(item: &MenuItem) -> Option<(String, String)> {
    let wanted = item.role.filter(|_| !cfg!(target_os = "macos"))?;
    let (_, name, text) = ROLES.iter().find(|(role, ..)| *role == wanted)?;
    let text = if item.text.is_empty() { text } else { item.text.as_str() };
    Some((format!("{PREFIX}{name}"), text.to_owned()))
}

/// The role whose entry was chosen; `None` for entries of the app's own.
fn role_of(id: &str) -> Option<MenuRole> {
    let chosen = id.strip_prefix(PREFIX)?;
    ROLES.iter().find(|(_, name, _)| *name == chosen).map(|(role, ..)| *role)
}

/// What a system's window about the app says.
pub(super) fn about(name: String, version: String) -> AboutMetadata {
    let version = Some(version).filter(|version| !version.is_empty());
    AboutMetadata { name: Some(name), version, ..AboutMetadata::default() }
}

impl Windows {
    /// Does what an entry with a role stands for, to the window with the focus. Whether it was one.
    pub(super) fn role_chosen(&mut self, id: &str, focused: Option<&str>) -> bool {
        let Some(role) = role_of(id) else { return false };
        if role == MenuRole::Quit {
            self.quit();
            return true;
        }
        // A menu that is open may have the focus itself: then the only window is meant.
        let labels = self.labels();
        let only = || labels.first().filter(|_| labels.len() == 1).cloned();
        let Some(label) = focused.map(str::to_owned).or_else(only) else { return true };
        if let Err(error) = self.change_by_role(role, &label) {
            tracing::warn!(window = label, %error, "an entry of the menu did nothing");
        }
        true
    }

    fn change_by_role(&mut self, role: MenuRole, label: &str) -> Result<(), staysail_protocol::CallError> {
        use staysail_protocol::desktop::window::WindowChange;
        let now = self.state(label)?;
        let change = match role {
            MenuRole::CloseWindow => return self.request_close(label),
            MenuRole::Minimize => WindowChange { minimized: Some(true), ..WindowChange::default() },
            MenuRole::Maximize => WindowChange { maximized: Some(!now.maximized), ..WindowChange::default() },
            _ => WindowChange { fullscreen: Some(!now.fullscreen), ..WindowChange::default() },
        };
        self.change(label, change)
    }
}

#[cfg(all(test, not(target_os = "macos")))]
mod tests {
    use super::*;

    fn entry(role: MenuRole, text: &str) -> MenuItem {
        MenuItem { role: Some(role), text: text.into(), ..MenuItem::default() }
    }

    #[test]
    fn each_role_done_here_is_known_again_when_it_is_chosen_and_an_id_of_the_apps_own_never_is() {
        for (role, name, text) in ROLES {
            let (id, shown) = stand_in(&entry(role, "")).unwrap();
            assert_eq!((role_of(&id), shown.as_str()), (Some(role), text));
            assert_eq!(role_of(name), None);
        }
        assert_eq!(stand_in(&entry(MenuRole::Quit, "&Leave")).unwrap().1, "&Leave");
        assert_eq!(stand_in(&entry(MenuRole::Copy, "")), None);
    }
}
