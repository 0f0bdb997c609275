//! `menu.*`, and the menus an app declares.

use serde::{Deserialize, Serialize};

/// One entry of a menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MenuItem {
    /// What it is.
    pub kind: MenuKind,
    /// Named by the event when it is chosen; unique in its menu.
    pub id: String,
    /// What is on it; `&` before the letter that chooses it.
    pub text: String,
    /// Keys that choose it, e.g. `CmdOrCtrl+Shift+S`.
    pub accelerator: Option<String>,
    /// It can be chosen.
    pub enabled: bool,
    /// Of a check or radio item: it is checked.
    pub checked: bool,
    /// Of radio items: those of one group, in one menu, exclude each other.
    pub group: String,
    /// Of a submenu: its entries.
    pub items: Vec<MenuItem>,
    /// Of what the system does by itself.
    pub role: Option<MenuRole>,
}

impl Default for MenuItem {
    fn default() -> Self {
        Self {
            kind: MenuKind::Action,
            id: String::new(),
            text: String::new(),
            accelerator: None,
            enabled: true,
            checked: false,
            group: String::new(),
            items: Vec::new(),
            role: None,
        }
    }
}

/// What an entry is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MenuKind {
    /// It does something when it is chosen.
    #[default]
    Action,
    /// It is checked or not.
    Check,
    /// One of its group is checked.
    Radio,
    /// A line.
    Separator,
    /// A menu of its own.
    Submenu,
    /// Something the system does by itself (`role`).
    Role,
}

/// What the system does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum MenuRole {
    Undo,
    Redo,
    Cut,
    Copy,
    Paste,
    SelectAll,
    Minimize,
    Maximize,
    Fullscreen,
    CloseWindow,
    Quit,
    About,
}

/// A request of the group `menu`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum MenuRequest {
    /// Put another menu in place of the application's, or of a window's own. Answer: null.
    Set {
        /// The window that gets a menu of its own; the application's is meant when absent.
        label: Option<String>,
        /// Its menus, from left to right. A window without any shows no menu bar.
        items: Vec<MenuItem>,
    },
    /// Change an entry of the application's menu, or of a window's own. Answer: null.
    Update {
        /// The window whose own menu is meant; the application's when absent.
        label: Option<String>,
        /// Which.
        id: String,
        /// What is on it.
        text: Option<String>,
        /// It can be chosen.
        enabled: Option<bool>,
        /// It is checked.
        checked: Option<bool>,
    },
    /// Show a menu. Answer: null, once it is shown.
    Popup {
        /// Over which window; the asking page's own when absent.
        label: Option<String>,
        /// Where, from the top left corner of the page in its own pixels; where the mouse is when absent.
        at: Option<(f64, f64)>,
        /// Its entries.
        items: Vec<MenuItem>,
    },
}

/// An entry was chosen: the payload of the event `staysail:menu`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MenuEvent {
    /// Which.
    pub id: String,
    /// Of a check or radio item: whether it is checked now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<bool>,
    /// Label of the window whose own menu it is in, else of the one that has the focus, if one has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
}

/// Looks a menu through.
///
/// # Errors
/// A sentence for people: an entry that can not be told from another one, or says nothing.
pub fn check(items: &[MenuItem]) -> Result<(), String> {
    fn walk<'a>(items: &'a [MenuItem], seen: &mut Vec<&'a str>, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("menus are nested more than {DEPTH_MAX} deep"));
        }
        for item in items {
            match item.kind {
                MenuKind::Separator => {}
                MenuKind::Role if item.role.is_none() => {
                    return Err("an entry of kind `role` names no role".into());
                }
                MenuKind::Role => {}
                MenuKind::Submenu => walk(&item.items, seen, depth + 1)?,
                MenuKind::Action | MenuKind::Check | MenuKind::Radio => {
                    if item.id.is_empty() || seen.contains(&item.id.as_str()) {
                        return Err(format!("two entries have the id `{}`, or it is empty", item.id));
                    }
                    seen.push(&item.id);
                }
            }
            if item.text.is_empty() && !matches!(item.kind, MenuKind::Separator | MenuKind::Role) {
                return Err(format!("the entry `{}` has no text", item.id));
            }
        }
        Ok(())
    }
    const DEPTH_MAX: usize = 8;
    walk(items, &mut Vec::new(), 0)
}

/// Whether two menus have the same entries in the same places, so that one becomes the other by changing texts and
/// states alone.
pub fn same_shape(a: &[MenuItem], b: &[MenuItem]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| {
            let plain = |item: &MenuItem| (item.kind, item.id.clone(), item.group.clone(), item.role);
            plain(a) == plain(b) && a.accelerator == b.accelerator && same_shape(&a.items, &b.items)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(id: &str) -> MenuItem {
        MenuItem { id: id.into(), text: id.into(), ..MenuItem::default() }
    }

    fn submenu(items: Vec<MenuItem>) -> MenuItem {
        MenuItem { kind: MenuKind::Submenu, text: "File".into(), items, ..MenuItem::default() }
    }

    #[test]
    fn entries_that_can_not_be_told_apart_are_refused() {
        assert!(check(&[submenu(vec![action("open"), action("save")])]).is_ok());
        assert!(check(&[submenu(vec![action("open")]), action("open")]).unwrap_err().contains("`open`"));
        assert!(check(&[action("")]).is_err());
        assert!(
            check(&[MenuItem { text: String::new(), ..action("open") }]).unwrap_err().contains("no text")
        );
        assert!(check(&[MenuItem { kind: MenuKind::Role, ..MenuItem::default() }]).is_err());
    }

    #[test]
    fn texts_and_states_do_not_change_the_shape_of_a_menu_and_entries_do() {
        let old = [submenu(vec![action("open"), action("save")])];
        let renamed = MenuItem { text: "Save all".into(), enabled: false, ..action("save") };
        assert!(same_shape(&old, &[submenu(vec![action("open"), renamed])]));
        assert!(!same_shape(&old, &[submenu(vec![action("open")])]));
        assert!(!same_shape(&old, &[submenu(vec![action("save"), action("open")])]));
    }
}
