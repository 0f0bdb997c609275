//! The tray of a desktop, as a stub: it takes icons in, reads them, and chooses of their menus.

use crate::desktop_bus::{DesktopBus, Ear, Stub};
use anyhow::Context;
use gio::glib::{self, ToVariant, Variant};

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const ITEM: &str = "org.kde.StatusNotifierItem";
const ITEM_PATH: &str = "/StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";
const DESCRIPTION: &str = r#"<node><interface name="org.kde.StatusNotifierWatcher">
  <method name="RegisterStatusNotifierItem"><arg type="s" direction="in"/></method>
  <method name="RegisterStatusNotifierHost"><arg type="s" direction="in"/></method>
  <property name="RegisteredStatusNotifierItems" type="as" access="read"/>
  <property name="IsStatusNotifierHostRegistered" type="b" access="read"/>
  <property name="ProtocolVersion" type="i" access="read"/></interface></node>"#;

/// Puts a tray on the bus.
///
/// # Errors
/// When the bus does not take it.
pub fn start(bus: &DesktopBus) -> anyhow::Result<Stub> {
    bus.serve(WATCHER, "/StatusNotifierWatcher", WATCHER, DESCRIPTION, |_, _| Some(().to_variant()))
}

/// Name on the bus of the icon that was registered as the `count`th.
///
/// # Errors
/// When there were fewer.
pub fn registered(watcher: &Stub, count: usize) -> anyhow::Result<String> {
    let call = watcher.wait_call("RegisterStatusNotifierItem", count)?;
    call.parameters.child_value(0).get::<String>().context("the item's name")
}

/// An icon in the tray, from the tray's side.
pub struct Icon {
    /// Hears what it signals.
    pub ear: Ear,
    name: String,
}

/// An entry of its menu.
#[derive(Debug)]
pub struct Entry {
    number: i32,
    /// Its text, `_` before the letter that chooses it.
    pub label: String,
    /// Of one that can be checked: whether it is.
    pub checked: Option<bool>,
}

impl Icon {
    /// The one of this name.
    ///
    /// # Errors
    /// When the bus can not be listened to.
    pub fn named(bus: &DesktopBus, name: String) -> anyhow::Result<Self> {
        Ok(Self { ear: bus.listen()?, name })
    }

    /// One of its properties.
    ///
    /// # Errors
    /// When it is not there.
    pub fn property(&self, name: &str) -> anyhow::Result<Variant> {
        self.ear.property(&self.name, ITEM_PATH, ITEM, name)
    }

    /// Calls one of its methods with a place on the screen, e.g. `Activate`.
    ///
    /// # Errors
    /// When it refuses.
    pub fn call(&self, method: &str) -> anyhow::Result<()> {
        let place = (0_i32, 0_i32).to_variant();
        self.ear.ask(&self.name, ITEM_PATH, ITEM, method, Some(&place)).map(drop)
    }

    fn menu(&self, method: &str, parameters: &Variant) -> anyhow::Result<Variant> {
        let path = self.property("Menu")?;
        let path = path.str().context("the menu is an object path")?.to_string();
        self.ear.ask(&self.name, &path, MENU, method, Some(parameters))
    }

    /// All entries with a text, those of menus within the menu after the entry that opens them.
    ///
    /// # Errors
    /// When it has no menu.
    pub fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let layout = self.menu("GetLayout", &(0_i32, -1_i32, Vec::<String>::new()).to_variant())?;
        let mut entries = Vec::new();
        collect(&layout.child_value(1), &mut entries);
        Ok(entries)
    }

    /// Chooses an entry by its text.
    ///
    /// # Errors
    /// When there is none.
    pub fn choose(&self, label: &str) -> anyhow::Result<()> {
        let entries = self.entries()?;
        let found = entries.iter().find(|entry| entry.label == label);
        let number = found.with_context(|| format!("no entry {label} in {entries:?}"))?.number;
        let event = Variant::tuple_from_iter([
            number.to_variant(),
            "clicked".to_variant(),
            0_i32.to_variant().to_variant(),
            0_u32.to_variant(),
        ]);
        self.menu("Event", &event).map(drop)
    }
}

fn collect(layout: &Variant, entries: &mut Vec<Entry>) {
    let number = layout.child_value(0).get::<i32>().unwrap_or(-1);
    let properties = glib::VariantDict::new(Some(&layout.child_value(1)));
    if let Some(label) = properties.lookup::<String>("label").ok().flatten() {
        let checked = properties.lookup::<i32>("toggle-state").ok().flatten().map(|state| state == 1);
        entries.push(Entry { number, label, checked });
    }
    for below in layout.child_value(2).iter() {
        if let Some(below) = below.as_variant() {
            collect(&below, entries);
        }
    }
}
