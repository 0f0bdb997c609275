//! `menu.*`: the application's menu, in every window or where the system has it, menus of single windows, and context menus.
//!
//! # Theory of operation
//! After a swap the menu that is declared now is compared with the one before. When both have the same entries in the
//! same places, texts and states are changed in place; otherwise those menus of the bar that differ are exchanged, and
//! the others stay. Which entry the user checked stays as long as it is not declared otherwise.

use super::{Answer, Asker, Windows, invalid, menu_roles};
use crate::platform;
use crate::shell::Shell;
use muda::accelerator::Accelerator;
use muda::{AboutMetadata, CheckMenuItem, IsMenuItem, Menu, MenuItem as Action, PredefinedMenuItem, Submenu};
use serde_json::Value;
use staysail_protocol::desktop::menu::{
    MenuEvent, MenuItem, MenuKind, MenuRequest, MenuRole, check, same_shape,
};
use staysail_protocol::{CallError, ErrorCode};
use std::collections::HashMap;
use std::sync::Arc;
use tao::window::Window;

/// Does what is asked.
pub async fn handle(shell: &Arc<Shell>, asker: &Asker, request: MenuRequest) -> Answer {
    let own = match asker {
        Asker::Page(visitor) => Some(visitor.window.clone()),
        Asker::Worker(_) => None,
    };
    let done = match request {
        MenuRequest::Set { label: None, items } => {
            shell.ui.ask(move |windows, _| windows.set_menu(items)).await?
        }
        MenuRequest::Set { label: Some(label), items } => {
            shell.ui.ask(move |windows, _| windows.set_window_menu(&label, Some(items))).await?
        }
        MenuRequest::Update { label, id, text, enabled, checked } => {
            let ui = &shell.ui;
            ui.ask(move |windows, _| windows.bar_of(label.as_deref())?.update(&id, text, enabled, checked))
                .await?
        }
        MenuRequest::Popup { label, at, items } => {
            let label = label.or(own).ok_or_else(|| invalid("the label of the window is missing".into()))?;
            shell.ui.ask(move |windows, _| windows.popup(&label, at, &items)).await?
        }
    };
    done.map(|()| Value::Null)
}

/// An entry as the system has it.
pub(super) enum Made {
    Action(Action),
    Check(CheckMenuItem),
    Submenu(Submenu, Vec<Made>),
    Other(PredefinedMenuItem),
}

impl Made {
    pub(super) fn entry(&self) -> &dyn IsMenuItem {
        match self {
            Self::Action(item) => item,
            Self::Check(item) => item,
            Self::Submenu(item, _) => item,
            Self::Other(item) => item,
        }
    }
}

/// The entries of a menu that can be changed or chosen, by their ids.
#[derive(Default)]
pub(super) struct Entries {
    /// Stands before each id where the system knows it: choices of all menus come to one handler.
    prefix: String,
    actions: HashMap<String, Action>,
    checks: HashMap<String, CheckMenuItem>,
    /// The ids of each radio group, and the group of each id.
    groups: HashMap<String, Vec<String>>,
    group_of: HashMap<String, String>,
    /// What an entry about the app shows.
    about: Option<AboutMetadata>,
}

impl Entries {
    /// These are no longer in the menu.
    fn forget(&mut self, items: &[MenuItem]) {
        for item in items {
            self.actions.remove(&item.id);
            self.checks.remove(&item.id);
            if let Some(group) = self.group_of.remove(&item.id)
                && let Some(ids) = self.groups.get_mut(&group)
            {
                ids.retain(|id| *id != item.id);
            }
            self.forget(&item.items);
        }
    }

    /// These are in the menu now, too.
    fn take(&mut self, new: Self) {
        self.actions.extend(new.actions);
        self.checks.extend(new.checks);
        self.group_of.extend(new.group_of);
        for (group, ids) in new.groups {
            self.groups.entry(group).or_default().extend(ids);
        }
    }

    /// Changes an entry. Returns whether there is one of this id.
    pub(super) fn apply(
        &self,
        id: &str,
        text: Option<&str>,
        enabled: Option<bool>,
        checked: Option<bool>,
    ) -> bool {
        if let Some(item) = self.actions.get(id) {
            text.inspect(|text| item.set_text(text));
            enabled.inspect(|enabled| item.set_enabled(*enabled));
            return true;
        }
        let Some(item) = self.checks.get(id) else { return false };
        text.inspect(|text| item.set_text(text));
        enabled.inspect(|enabled| item.set_enabled(*enabled));
        if let Some(checked) = checked {
            item.set_checked(checked);
            if checked {
                self.chosen(id);
            }
        }
        true
    }

    /// What became of an entry the user has chosen: whether it is checked now.
    pub(super) fn chosen(&self, id: &str) -> Option<bool> {
        let item = self.checks.get(id)?;
        if let Some(group) = self.group_of.get(id) {
            for other in self.groups.get(group).into_iter().flatten() {
                if let Some(other_item) = self.checks.get(other) {
                    other_item.set_checked(other == id);
                }
            }
        }
        Some(item.is_checked())
    }
}

/// Stands before the ids of entries of a window's own menu, with the window's label behind it. No keyboard types it into
/// an id of an app's own.
const WINDOW_PREFIX: &str = "window\u{1f}";

/// Label and id of an entry of a window's own menu; `None` for entries of all others.
pub(super) fn of_window(id: &str) -> Option<(&str, &str)> {
    id.strip_prefix(WINDOW_PREFIX)?.split_once('\u{1f}')
}

/// A menu bar: the application's, or a window's own.
pub struct Bar {
    shell: Arc<Shell>,
    prefix: String,
    bar: Menu,
    spec: Vec<MenuItem>,
    /// The menus of the bar, in the order of `spec`.
    made: Vec<Made>,
    entries: Entries,
}

impl Bar {
    fn new(shell: &Arc<Shell>, prefix: String) -> Self {
        Self {
            shell: shell.clone(),
            prefix,
            bar: Menu::new(),
            spec: Vec::new(),
            made: Vec::new(),
            entries: Entries::default(),
        }
    }

    /// The own one of a window.
    pub fn of_window(shell: &Arc<Shell>, label: &str, items: Vec<MenuItem>) -> Result<Self, CallError> {
        let mut bar = Self::new(shell, format!("{WINDOW_PREFIX}{label}\u{1f}"));
        bar.set(items)?;
        Ok(bar)
    }

    /// Whether there is anything in it.
    pub fn is_empty(&self) -> bool {
        self.spec.is_empty()
    }

    /// The menu bar.
    pub fn bar(&self) -> &Menu {
        &self.bar
    }

    /// Makes the menu what `items` say, with as little change as that takes.
    pub fn set(&mut self, items: Vec<MenuItem>) -> Result<(), CallError> {
        check(&items).map_err(invalid)?;
        if items == self.spec {
            return Ok(());
        }
        if same_shape(&self.spec, &items) {
            let old = std::mem::replace(&mut self.spec, items.clone());
            self.change_in_place(&self.made, &old, &items);
            return Ok(());
        }
        // Menus that are equal at both ends of the bar are not touched.
        let same = |(a, b): &(&MenuItem, &MenuItem)| a == b;
        let head = self.spec.iter().zip(&items).take_while(same).count();
        let rest = self.spec.len().min(items.len()) - head;
        let tail = self.spec.iter().rev().zip(items.iter().rev()).take(rest).take_while(same).count();
        // Made before anything is taken away: an accelerator that can not be read leaves the menu as it was.
        let mut entries = self.none_yet();
        let mut made = Vec::new();
        for item in &items[head..items.len() - tail] {
            made.push(make(item, &mut entries)?);
        }
        let old_end = self.spec.len() - tail;
        for old in self.made.drain(head..old_end) {
            self.bar.remove(old.entry()).map_err(failed)?;
        }
        for (at, new) in made.iter().enumerate() {
            self.bar.insert(new.entry(), head + at).map_err(failed)?;
        }
        self.entries.forget(&self.spec[head..old_end]);
        self.entries.take(entries);
        self.made.splice(head..head, made);
        self.spec = items;
        Ok(())
    }

    /// Walks both menus and what was made of them; they have the same shape.
    fn change_in_place(&self, made: &[Made], old: &[MenuItem], new: &[MenuItem]) {
        for ((made, old), new) in made.iter().zip(old).zip(new) {
            if let Made::Submenu(menu, below) = made {
                if old.text != new.text {
                    menu.set_text(&new.text);
                }
                if old.enabled != new.enabled {
                    menu.set_enabled(new.enabled);
                }
                self.change_in_place(below, &old.items, &new.items);
            }
            self.change_entry(old, new);
        }
    }

    fn change_entry(&self, old: &MenuItem, new: &MenuItem) {
        if old.text != new.text {
            self.entries.apply(&new.id, Some(&new.text), None, None);
        }
        if old.enabled != new.enabled {
            self.entries.apply(&new.id, None, Some(new.enabled), None);
        }
        if old.checked != new.checked {
            self.entries.apply(&new.id, None, None, Some(new.checked));
        }
    }

    fn none_yet(&self) -> Entries {
        let facts = self.shell.facts();
        let about = Some(menu_roles::about(facts.name, facts.version));
        Entries { about, prefix: self.prefix.clone(), ..Entries::default() }
    }

    /// Changes one entry.
    pub fn update(
        &mut self,
        id: &str,
        text: Option<String>,
        enabled: Option<bool>,
        checked: Option<bool>,
    ) -> Result<(), CallError> {
        if self.entries.apply(id, text.as_deref(), enabled, checked) {
            Ok(())
        } else {
            Err(invalid(format!("this menu has no entry `{id}`")))
        }
    }

    /// What became of an entry the user has chosen: whether it is checked now.
    pub fn chosen(&self, id: &str) -> Option<bool> {
        self.entries.chosen(id)
    }
}

/// The application's menu and the context menu that was shown last.
pub struct Menus {
    app: Bar,
    popup: Option<(Menu, Entries)>,
}

impl Menus {
    /// None yet. From here on what the user chooses is told.
    pub fn new(shell: &Arc<Shell>) -> Self {
        let ui = shell.ui.clone();
        muda::MenuEvent::set_event_handler(Some(move |event: muda::MenuEvent| {
            let id = event.id.0;
            ui.wish(crate::app::Wish::Do(Box::new(move |windows, _| windows.menu_chosen(id))));
        }));
        Self { app: Bar::new(shell, String::new()), popup: None }
    }

    /// The application's menu.
    pub fn app(&self) -> &Bar {
        &self.app
    }

    /// The application's menu, to change it.
    pub fn app_mut(&mut self) -> &mut Bar {
        &mut self.app
    }

    /// Shows a menu at a place of the page, in logical pixels, or where the mouse is.
    pub fn popup(
        &mut self,
        window: &Window,
        at: Option<(f64, f64)>,
        items: &[MenuItem],
    ) -> Result<(), CallError> {
        check(items).map_err(invalid)?;
        let (menu, mut entries) = (Menu::new(), self.app.none_yet());
        for item in items {
            menu.append(make(item, &mut entries)?.entry()).map_err(failed)?;
        }
        platform::show_context_menu(&menu, window, at);
        self.popup = Some((menu, entries));
        Ok(())
    }

    /// What becomes of an entry the user has chosen.
    pub fn chosen(&self, id: String, window: Option<String>) -> MenuEvent {
        let in_popup = self.popup.as_ref().and_then(|(_, entries)| entries.chosen(&id));
        let checked = in_popup.or_else(|| self.app.chosen(&id));
        MenuEvent { id, checked, window }
    }
}

impl Windows {
    fn popup(&mut self, label: &str, at: Option<(f64, f64)>, items: &[MenuItem]) -> Result<(), CallError> {
        let zoom = self.zoom_of(label)?;
        let (menus, window) = self.menus_and_window(label)?;
        menus.popup(window, at.map(|(x, y)| (x * zoom, y * zoom)), items)
    }
}

pub(super) fn failed(error: muda::Error) -> CallError {
    CallError::new(ErrorCode::Internal, error.to_string())
}

pub(super) fn make(item: &MenuItem, entries: &mut Entries) -> Result<Made, CallError> {
    let accelerator: Option<Accelerator> = match &item.accelerator {
        Some(keys) => Some(keys.parse().map_err(|error| {
            invalid(format!("the accelerator `{keys}` of `{}` can not be read: {error}", item.id))
        })?),
        None => None,
    };
    let named = |entries: &Entries| format!("{}{}", entries.prefix, item.id);
    Ok(match item.kind {
        MenuKind::Action => {
            let made = Action::with_id(named(entries), &item.text, item.enabled, accelerator);
            entries.actions.insert(item.id.clone(), made.clone());
            Made::Action(made)
        }
        MenuKind::Check | MenuKind::Radio => {
            let made =
                CheckMenuItem::with_id(named(entries), &item.text, item.enabled, item.checked, accelerator);
            entries.checks.insert(item.id.clone(), made.clone());
            if item.kind == MenuKind::Radio {
                entries.groups.entry(item.group.clone()).or_default().push(item.id.clone());
                entries.group_of.insert(item.id.clone(), item.group.clone());
            }
            Made::Check(made)
        }
        MenuKind::Separator => Made::Other(PredefinedMenuItem::separator()),
        MenuKind::Submenu => {
            let menu = Submenu::new(&item.text, item.enabled);
            let mut below = Vec::new();
            for item in &item.items {
                let made = make(item, entries)?;
                menu.append(made.entry()).map_err(failed)?;
                below.push(made);
            }
            Made::Submenu(menu, below)
        }
        MenuKind::Role => match menu_roles::stand_in(item) {
            Some((id, text)) => Made::Action(Action::with_id(id, text, item.enabled, accelerator)),
            None => Made::Other(of_role(item, entries.about.clone())),
        },
    })
}

fn of_role(item: &MenuItem, about: Option<AboutMetadata>) -> PredefinedMenuItem {
    let text = (!item.text.is_empty()).then_some(item.text.as_str());
    match item.role {
        Some(MenuRole::Undo) => PredefinedMenuItem::undo(text),
        Some(MenuRole::Redo) => PredefinedMenuItem::redo(text),
        Some(MenuRole::Cut) => PredefinedMenuItem::cut(text),
        Some(MenuRole::Copy) => PredefinedMenuItem::copy(text),
        Some(MenuRole::Paste) => PredefinedMenuItem::paste(text),
        Some(MenuRole::SelectAll) => PredefinedMenuItem::select_all(text),
        Some(MenuRole::Minimize) => PredefinedMenuItem::minimize(text),
        Some(MenuRole::Maximize) => PredefinedMenuItem::maximize(text),
        Some(MenuRole::Fullscreen) => PredefinedMenuItem::fullscreen(text),
        Some(MenuRole::CloseWindow) => PredefinedMenuItem::close_window(text),
        Some(MenuRole::Quit) => PredefinedMenuItem::quit(text),
        Some(MenuRole::About) => PredefinedMenuItem::about(text, about),
        None => PredefinedMenuItem::separator(),
    }
}
