//! A menu as the tray of Linux desktops has it: entries by numbers, changed in place where they stay the same.

use staysail_protocol::desktop::menu::{MenuItem, MenuKind, MenuRole, same_shape};
use staysail_protocol::desktop::tray::TrayEvent;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, never used again for another one.
    pub number: i32,
    /// The number of what it stands below; 0 for the menu itself.
    pub parent: i32,
    /// What it is. Without what stands below it.
    pub item: MenuItem,
}

impl Entry {
    /// Its text, with `_` before the letter that chooses it instead of `&`.
    pub fn label(&self) -> String {
        let text = match (self.item.text.as_str(), self.item.role) {
            ("", Some(MenuRole::Quit)) => "&Quit",
            (text, _) => text,
        };
        let mut label = String::new();
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '_' => label.push_str("__"),
                '&' if rest.next_if_eq(&'&').is_some() => label.push('&'),
                '&' => label.push('_'),
                other => label.push(other),
            }
        }
        label
    }
}

/// What the desktop has to read again.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Changed {
    /// Nothing.
    #[default]
    Nothing,
    /// These entries.
    Entries(Vec<i32>),
    /// Everything.
    Layout,
}

/// All entries, in the order of the menu.
#[derive(Debug, Default)]
pub struct Entries {
    spec: Vec<MenuItem>,
    entries: Vec<Entry>,
    last: i32,
}

impl Entries {
    /// Those of a menu.
    pub fn of(menu: &[MenuItem]) -> Self {
        let mut entries = Self { spec: menu.to_vec(), ..Self::default() };
        entries.add(menu, 0);
        entries
    }

    fn add(&mut self, menu: &[MenuItem], parent: i32) {
        for item in menu {
            self.last += 1;
            let number = self.last;
            let own = MenuItem { items: Vec::new(), ..item.clone() };
            self.entries.push(Entry { number, parent, item: own });
            self.add(&item.items, number);
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// One of them.
    pub fn get(&self, number: i32) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.number == number)
    }

    /// Those right below another one.
    pub fn below(&self, parent: i32) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.parent == parent)
    }

    /// Becomes another menu. What is declared as before stays as it is, also where the user has changed it.
    pub fn become_(&mut self, menu: &[MenuItem]) -> Changed {
        if self.spec == menu {
            return Changed::Nothing;
        }
        if !same_shape(&self.spec, menu) {
            let last = self.last;
            *self = Self { spec: menu.to_vec(), entries: Vec::new(), last };
            self.add(menu, 0);
            return Changed::Layout;
        }
        let old = std::mem::replace(&mut self.spec, menu.to_vec());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        flatten(&old, &mut before);
        flatten(menu, &mut after);
        let mut changed = Vec::new();
        for (at, (old, new)) in before.iter().zip(&after).enumerate() {
            let entry = &mut self.entries[at];
            let was = entry.clone();
            if old.text != new.text {
                entry.item.text.clone_from(&new.text);
            }
            if old.enabled != new.enabled {
                entry.item.enabled = new.enabled;
            }
            if old.checked != new.checked {
                entry.item.checked = new.checked;
            }
            if *entry != was {
                changed.push(entry.number);
            }
        }
        if changed.is_empty() { Changed::Nothing } else { Changed::Entries(changed) }
    }

    /// Changes one entry; `None` when there is none of this id.
    pub fn update(
        &mut self,
        id: &str,
        text: Option<&str>,
        enabled: Option<bool>,
        checked: Option<bool>,
    ) -> Option<Changed> {
        let at = self.entries.iter().position(|entry| !id.is_empty() && entry.item.id == id)?;
        let entry = &mut self.entries[at];
        if let Some(text) = text {
            entry.item.text = text.into();
        }
        if let Some(enabled) = enabled {
            entry.item.enabled = enabled;
        }
        let mut changed = vec![entry.number];
        if let Some(checked) = checked {
            entry.item.checked = checked;
            if checked {
                changed.extend(self.uncheck_others(at));
            }
        }
        Some(Changed::Entries(changed))
    }

    /// The user has chosen an entry: what is told of it, and what it changed.
    pub fn choose(&mut self, number: i32) -> Option<(TrayEvent, Changed)> {
        let at = self.entries.iter().position(|entry| entry.number == number)?;
        let item = &mut self.entries[at].item;
        let id = item.id.clone();
        let checked = match item.kind {
            MenuKind::Action => None,
            MenuKind::Check => Some(!item.checked),
            MenuKind::Radio => Some(true),
            MenuKind::Separator | MenuKind::Submenu | MenuKind::Role => return None,
        };
        let mut changed = Changed::Nothing;
        if let Some(checked) = checked {
            item.checked = checked;
            let mut numbers = vec![number];
            numbers.extend(self.uncheck_others(at));
            changed = Changed::Entries(numbers);
        }
        Some((TrayEvent::Chosen { id, checked }, changed))
    }

    /// Of a radio group only one is checked. Returns those that are not any more.
    fn uncheck_others(&mut self, at: usize) -> Vec<i32> {
        let chosen = self.entries[at].item.clone();
        if chosen.kind != MenuKind::Radio {
            return Vec::new();
        }
        let others = self.entries.iter_mut().filter(|entry| {
            let item = &entry.item;
            item.kind == MenuKind::Radio && item.group == chosen.group && item.id != chosen.id && item.checked
        });
        others
            .map(|entry| {
                entry.item.checked = false;
                entry.number
            })
            .collect()
    }
}

fn flatten<'a>(menu: &'a [MenuItem], into: &mut Vec<&'a MenuItem>) {
    for item in menu {
        into.push(item);
        flatten(&item.items, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(kind: MenuKind, id: &str) -> MenuItem {
        MenuItem { kind, id: id.into(), text: id.into(), group: "g".into(), ..MenuItem::default() }
    }

    fn menu() -> Vec<MenuItem> {
        let one = MenuItem { checked: true, ..item(MenuKind::Radio, "one") };
        let below = vec![one, item(MenuKind::Radio, "two")];
        let submenu = MenuItem { items: below, ..item(MenuKind::Submenu, "more") };
        vec![item(MenuKind::Action, "show"), submenu, item(MenuKind::Check, "quiet")]
    }

    fn checked(entries: &Entries) -> Vec<&str> {
        entries.all().filter(|entry| entry.item.checked).map(|entry| entry.item.id.as_str()).collect()
    }

    #[test]
    fn of_a_radio_group_one_is_checked_and_a_check_item_changes_with_each_choice() {
        let mut entries = Entries::of(&menu());
        let number = |entries: &Entries, id: &str| entries.all().find(|e| e.item.id == id).unwrap().number;
        let two = number(&entries, "two");
        let (event, changed) = entries.choose(two).unwrap();
        assert_eq!(event, TrayEvent::Chosen { id: "two".into(), checked: Some(true) });
        assert_eq!(changed, Changed::Entries(vec![two, number(&entries, "one")]));
        let quiet = number(&entries, "quiet");
        entries.choose(quiet).unwrap();
        assert_eq!(checked(&entries), ["two", "quiet"]);
        assert_eq!(
            entries.choose(quiet).unwrap().0,
            TrayEvent::Chosen { id: "quiet".into(), checked: Some(false) }
        );
        assert!(entries.choose(number(&entries, "more")).is_none() && entries.choose(99).is_none());
    }

    #[test]
    fn the_same_menu_is_not_touched_other_texts_are_changed_and_other_entries_get_other_numbers() {
        let mut entries = Entries::of(&menu());
        assert_eq!(entries.become_(&menu()), Changed::Nothing);
        let quiet = entries.all().last().unwrap().number;
        entries.choose(quiet);
        let mut renamed = menu();
        renamed[0].text = "Show it".into();
        let first = entries.all().next().unwrap().number;
        assert_eq!(entries.become_(&renamed), Changed::Entries(vec![first]));
        assert_eq!(checked(&entries), ["one", "quiet"], "what the user checked stays");
        assert_eq!(entries.become_(&menu()[..1]), Changed::Layout);
        assert!(entries.all().all(|entry| entry.number > quiet));
    }

    #[test]
    fn letters_are_marked_as_the_desktop_marks_them() {
        let label =
            |text: &str| Entries::of(&[MenuItem { text: text.into(), ..item(MenuKind::Action, "a") }]);
        for (text, label_then) in [("&Save", "_Save"), ("a_b", "a__b"), ("Q && A", "Q & A"), ("50 %", "50 %")]
        {
            assert_eq!(label(text).all().next().unwrap().label(), label_then);
        }
    }
}
