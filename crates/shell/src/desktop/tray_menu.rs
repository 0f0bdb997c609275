//! The tray's menu where the system's menus are used for it: Windows and macOS.
//!
//! Choices of all menus come to one handler, which knows entries by their ids only; those of the tray carry a prefix.

use super::Windows;
use super::menus::{Entries, make};
use muda::{ContextMenu, Menu};
use staysail_protocol::CallError;
use staysail_protocol::desktop::menu::{MenuItem, same_shape};
use staysail_protocol::desktop::tray::TrayEvent;

/// Stands before the ids of the tray's entries. No keyboard types it into an id of an app's own.
const PREFIX: &str = "tray\u{1f}";

/// See the module.
pub struct TrayMenu {
    menu: Menu,
    spec: Vec<MenuItem>,
    entries: Entries,
}

impl TrayMenu {
    /// Makes one.
    ///
    /// # Errors
    /// An accelerator that can not be read.
    pub fn new(items: &[MenuItem]) -> Result<Self, CallError> {
        let spec = prefixed(items);
        let (menu, mut entries) = (Menu::new(), Entries::default());
        for item in &spec {
            menu.append(make(item, &mut entries)?.entry()).map_err(super::menus::failed)?;
        }
        Ok(Self { menu, spec, entries })
    }

    /// For the system to show.
    pub fn shown(&self) -> Box<dyn ContextMenu> {
        Box::new(self.menu.clone())
    }

    /// Becomes another menu. Returns whether the system must be given it anew.
    ///
    /// # Errors
    /// An accelerator that can not be read; the menu before stays.
    pub fn change(&mut self, items: &[MenuItem]) -> Result<bool, CallError> {
        let spec = prefixed(items);
        if spec == self.spec {
            return Ok(false);
        }
        if !same_shape(&self.spec, &spec) || has_renamed_submenu(&self.spec, &spec) {
            *self = Self::new(items)?;
            return Ok(true);
        }
        let old = std::mem::replace(&mut self.spec, spec.clone());
        self.change_in_place(&old, &spec);
        Ok(false)
    }

    fn change_in_place(&self, old: &[MenuItem], new: &[MenuItem]) {
        for (old, new) in old.iter().zip(new) {
            let text = (old.text != new.text).then_some(new.text.as_str());
            let enabled = (old.enabled != new.enabled).then_some(new.enabled);
            let checked = (old.checked != new.checked).then_some(new.checked);
            self.entries.apply(&new.id, text, enabled, checked);
            self.change_in_place(&old.items, &new.items);
        }
    }

    /// Changes one entry. Returns whether there is one of this id.
    pub fn update(
        &mut self,
        id: &str,
        text: Option<&str>,
        enabled: Option<bool>,
        checked: Option<bool>,
    ) -> bool {
        self.entries.apply(&format!("{PREFIX}{id}"), text, enabled, checked)
    }

    /// The user has chosen an entry: whether it is checked now.
    pub fn chosen(&self, id: &str) -> Option<bool> {
        self.entries.chosen(&format!("{PREFIX}{id}"))
    }
}

impl Windows {
    /// Whether an entry that was chosen is one of the tray's menu; it is told then.
    pub(super) fn tray_chosen(&mut self, id: &str) -> bool {
        let Some(id) = id.strip_prefix(PREFIX) else { return false };
        let checked = self.tray().chosen(id);
        self.tray_event(TrayEvent::Chosen { id: id.into(), checked });
        true
    }
}

fn prefixed(items: &[MenuItem]) -> Vec<MenuItem> {
    let one = |item: &MenuItem| MenuItem {
        id: format!("{PREFIX}{}", item.id),
        group: format!("{PREFIX}{}", item.group),
        items: prefixed(&item.items),
        ..item.clone()
    };
    items.iter().map(one).collect()
}

/// Submenus are not kept by their ids, so one that is called otherwise is made anew.
fn has_renamed_submenu(old: &[MenuItem], new: &[MenuItem]) -> bool {
    old.iter().zip(new).any(|(old, new)| {
        let differs = old.text != new.text || old.enabled != new.enabled;
        (!old.items.is_empty() && differs) || has_renamed_submenu(&old.items, &new.items)
    })
}
