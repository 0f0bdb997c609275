//! The tray of Linux desktops: StatusNotifierItem, and its menu by `com.canonical.dbusmenu`, both spoken by the D-Bus
//! that GTK brings along (ADR 9).
//!
//! # Theory of operation
//! The item is an object on the session bus; a desktop that has a tray runs a watcher, which is told of it. When there
//! is no watcher, or it is started anew, the item is told of as soon as one appears. Everything runs on the windows'
//! thread: GDBus calls these objects there, by its main context. What is shown is kept in one [`Shown`], and answered
//! from it; a change tells the desktop what it has to read again.

use super::menu_entries::{Changed, Entries, Entry};
use crate::app::{Ui, Wish};
use crate::desktop::tray::Pixels;
use gtk::gio::{self, BusNameOwnerFlags, BusNameWatcherFlags, BusType, DBusCallFlags, DBusConnection};
use gtk::glib::{self, ToVariant, Variant, VariantDict};
use staysail_protocol::desktop::menu::{MenuItem, MenuKind};
use staysail_protocol::desktop::tray::{TrayEvent, TraySpec};
use staysail_protocol::limits::DESKTOP_TIMEOUT_MS;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

const ITEM: &str = "org.kde.StatusNotifierItem";
const ITEM_PATH: &str = "/StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";
const MENU_PATH: &str = "/StatusNotifierItem/Menu";
const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const WATCHER_PATH: &str = "/StatusNotifierWatcher";

/// The interfaces as freedesktop.org's draft and KDE's, Ubuntu's `dbus-menu.xml` have them.
const INTERFACES: &str = r#"<node>
<interface name="org.kde.StatusNotifierItem">
  <property name="Category" type="s" access="read"/><property name="Id" type="s" access="read"/>
  <property name="Title" type="s" access="read"/><property name="Status" type="s" access="read"/>
  <property name="WindowId" type="i" access="read"/><property name="IconThemePath" type="s" access="read"/>
  <property name="Menu" type="o" access="read"/><property name="ItemIsMenu" type="b" access="read"/>
  <property name="IconName" type="s" access="read"/><property name="IconPixmap" type="a(iiay)" access="read"/>
  <property name="OverlayIconName" type="s" access="read"/><property name="OverlayIconPixmap" type="a(iiay)" access="read"/>
  <property name="AttentionIconName" type="s" access="read"/><property name="AttentionIconPixmap" type="a(iiay)" access="read"/>
  <property name="ToolTip" type="(sa(iiay)ss)" access="read"/>
  <method name="ContextMenu"><arg name="x" type="i" direction="in"/><arg name="y" type="i" direction="in"/></method>
  <method name="Activate"><arg name="x" type="i" direction="in"/><arg name="y" type="i" direction="in"/></method>
  <method name="SecondaryActivate"><arg name="x" type="i" direction="in"/><arg name="y" type="i" direction="in"/></method>
  <method name="Scroll"><arg name="delta" type="i" direction="in"/><arg name="orientation" type="s" direction="in"/></method>
  <signal name="NewTitle"/><signal name="NewIcon"/><signal name="NewToolTip"/>
  <signal name="NewStatus"><arg name="status" type="s"/></signal>
</interface>
<interface name="com.canonical.dbusmenu">
  <property name="Version" type="u" access="read"/><property name="TextDirection" type="s" access="read"/>
  <property name="Status" type="s" access="read"/><property name="IconThemePath" type="as" access="read"/>
  <method name="GetLayout"><arg name="parentId" type="i" direction="in"/><arg name="recursionDepth" type="i" direction="in"/>
    <arg name="propertyNames" type="as" direction="in"/><arg name="revision" type="u" direction="out"/>
    <arg name="layout" type="(ia{sv}av)" direction="out"/></method>
  <method name="GetGroupProperties"><arg name="ids" type="ai" direction="in"/><arg name="propertyNames" type="as" direction="in"/>
    <arg name="properties" type="a(ia{sv})" direction="out"/></method>
  <method name="GetProperty"><arg name="id" type="i" direction="in"/><arg name="name" type="s" direction="in"/>
    <arg name="value" type="v" direction="out"/></method>
  <method name="Event"><arg name="id" type="i" direction="in"/><arg name="eventId" type="s" direction="in"/>
    <arg name="data" type="v" direction="in"/><arg name="timestamp" type="u" direction="in"/></method>
  <method name="EventGroup"><arg name="events" type="a(isvu)" direction="in"/><arg name="idErrors" type="ai" direction="out"/></method>
  <method name="AboutToShow"><arg name="id" type="i" direction="in"/><arg name="needUpdate" type="b" direction="out"/></method>
  <method name="AboutToShowGroup"><arg name="ids" type="ai" direction="in"/><arg name="updatesNeeded" type="ai" direction="out"/>
    <arg name="idErrors" type="ai" direction="out"/></method>
  <signal name="ItemsPropertiesUpdated"><arg name="updatedProps" type="a(ia{sv})"/><arg name="removedProps" type="a(ias)"/></signal>
  <signal name="LayoutUpdated"><arg name="revision" type="u"/><arg name="parent" type="i"/></signal>
</interface>
</node>"#;

/// What the desktop is answered.
#[derive(Default)]
struct Shown {
    id: String,
    name: String,
    spec: TraySpec,
    /// Width, height, and pixels as the draft wants them: alpha, red, green, blue.
    icon: (i32, i32, Vec<u8>),
    entries: Entries,
    revision: u32,
}

type Shared = Arc<Mutex<Shown>>;

fn lock(shown: &Shared) -> MutexGuard<'_, Shown> {
    shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// An icon in the tray; gone when dropped.
pub struct Icon {
    bus: DBusConnection,
    shown: Shared,
    /// Whether the desktop's watcher has taken it; nothing as long as it has not answered.
    hosted: Arc<watch::Sender<Option<bool>>>,
    objects: Vec<gio::RegistrationId>,
    /// Ends the watch for the watcher, and gives the name back.
    leave: Option<Box<dyn FnOnce()>>,
}

impl Icon {
    /// Puts an icon into the tray, or as soon as there is one.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn new(ui: &Ui, app: (String, String), spec: TraySpec, pixels: Pixels) -> Result<Self, String> {
        let bus = gio::bus_get_sync(BusType::Session, gio::Cancellable::NONE).map_err(|error| {
            format!("there is no session bus, so no tray can be reached: {}", error.message())
        })?;
        let entries = Entries::of(&spec.menu);
        let (id, name) = app;
        let shown = Shown { id, name, spec, icon: argb(pixels), entries, revision: 1 };
        let shown: Shared = Arc::new(Mutex::new(shown));
        let interfaces =
            gio::DBusNodeInfo::for_xml(INTERFACES).map_err(|error| error.message().to_string())?;
        let mut icon = Self {
            bus: bus.clone(),
            shown: shown.clone(),
            hosted: Arc::new(watch::Sender::new(None)),
            objects: Vec::new(),
            leave: None,
        };
        icon.offer(&interfaces, ITEM, ITEM_PATH, ui, item_call, item_property)?;
        icon.offer(&interfaces, MENU, MENU_PATH, ui, menu_call, menu_property)?;
        // A name of its own, as the draft wants; the watcher is told of it when both are there.
        let own = format!("{ITEM}-{}-1", std::process::id());
        let name = gio::bus_own_name_on_connection(&bus, &own, BusNameOwnerFlags::NONE, |_, _| {}, |_, _| {});
        let (appeared, vanished) = (icon.hosted.clone(), icon.hosted.clone());
        let watch = gio::bus_watch_name_on_connection(
            &bus,
            WATCHER,
            BusNameWatcherFlags::NONE,
            move |bus, _, _| tell_watcher(&bus, &own, appeared.clone()),
            move |_, _| {
                vanished.send_replace(Some(false));
            },
        );
        icon.leave = Some(Box::new(move || {
            gio::bus_unwatch_name(watch);
            gio::bus_unown_name(name);
        }));
        Ok(icon)
    }

    fn offer(
        &mut self,
        interfaces: &gio::DBusNodeInfo,
        name: &str,
        path: &str,
        ui: &Ui,
        call: fn(&DBusConnection, &Shared, &Ui, &str, &Variant) -> Option<Variant>,
        property: fn(&Shown, &str) -> Option<Variant>,
    ) -> Result<(), String> {
        let interface = interfaces.lookup_interface(name).ok_or("the tray's interface is not described")?;
        let (called, read, ui) = (self.shown.clone(), self.shown.clone(), ui.clone());
        let object = self.bus.register_object(
            path,
            &interface,
            move |bus, _, _, _, method, parameters, invocation| match call(
                &bus,
                &called,
                &ui,
                method,
                &parameters,
            ) {
                Some(answer) => invocation.return_value(Some(&answer)),
                None => invocation.return_dbus_error(
                    "org.freedesktop.DBus.Error.InvalidArgs",
                    "there is no such entry, or the arguments do not fit",
                ),
            },
            move |_, _, _, _, name| property(&lock(&read), name).unwrap_or_else(|| "".to_variant()),
            |_, _, _, _, _, _| false,
        );
        self.objects.push(object.map_err(|error| error.message().to_string())?);
        Ok(())
    }

    /// Whether the desktop shows it, once that is known.
    pub fn shown(&self) -> watch::Receiver<Option<bool>> {
        self.hosted.subscribe()
    }

    /// Another picture.
    pub fn set_pixels(&mut self, pixels: Pixels) -> Result<(), String> {
        lock(&self.shown).icon = argb(pixels);
        self.emit(ITEM_PATH, ITEM, "NewIcon", None);
        Ok(())
    }

    /// Another text when the mouse is over it.
    pub fn set_tooltip(&mut self, tooltip: &str) -> Result<(), String> {
        lock(&self.shown).spec.tooltip = tooltip.into();
        self.emit(ITEM_PATH, ITEM, "NewToolTip", None);
        Ok(())
    }

    /// Another title.
    pub fn set_title(&mut self, title: &str) {
        lock(&self.shown).spec.title = title.into();
        self.emit(ITEM_PATH, ITEM, "NewTitle", None);
    }

    /// Whether a click opens the menu. Read by the desktop when it likes.
    pub fn set_menu_on_click(&mut self, yes: bool) {
        lock(&self.shown).spec.menu_on_click = yes;
        self.emit(ITEM_PATH, ITEM, "NewStatus", Some(("Active",).to_variant()));
    }

    /// Another menu, changed in place where its entries are the same.
    ///
    /// # Errors
    /// None here.
    pub fn set_menu(&mut self, menu: &[MenuItem]) -> Result<(), String> {
        let changed = lock(&self.shown).entries.become_(menu);
        self.tell(changed);
        Ok(())
    }

    /// Changes an entry of the menu. Returns whether it has it.
    pub fn update_item(
        &mut self,
        id: &str,
        text: Option<&str>,
        enabled: Option<bool>,
        checked: Option<bool>,
    ) -> bool {
        let changed = lock(&self.shown).entries.update(id, text, enabled, checked);
        let found = changed.is_some();
        self.tell(changed.unwrap_or_default());
        found
    }

    fn tell(&self, changed: Changed) {
        tell_changed(&self.bus, &self.shown, changed);
    }

    fn emit(&self, path: &str, interface: &str, signal: &str, parameters: Option<Variant>) {
        emit(&self.bus, path, interface, signal, parameters);
    }
}

impl Drop for Icon {
    fn drop(&mut self) {
        if let Some(leave) = self.leave.take() {
            leave();
        }
        for object in self.objects.drain(..) {
            let _ = self.bus.unregister_object(object);
        }
    }
}

fn emit(bus: &DBusConnection, path: &str, interface: &str, signal: &str, parameters: Option<Variant>) {
    if let Err(error) = bus.emit_signal(None, path, interface, signal, parameters.as_ref()) {
        tracing::warn!(signal, error = error.message(), "the tray could not be told of a change");
    }
}

fn tell_changed(bus: &DBusConnection, shown: &Shared, changed: Changed) {
    match changed {
        Changed::Nothing => {}
        Changed::Entries(numbers) => {
            let shown = lock(shown);
            let entries = numbers.iter().filter_map(|number| shown.entries.get(*number));
            let updated = array("(ia{sv})", entries.map(|entry| numbered(entry, &[])));
            let removed = array("(ias)", std::iter::empty());
            let parameters = Variant::tuple_from_iter([updated, removed]);
            drop(shown);
            emit(bus, MENU_PATH, MENU, "ItemsPropertiesUpdated", Some(parameters));
        }
        Changed::Layout => {
            let mut shown = lock(shown);
            shown.revision += 1;
            let parameters = (shown.revision, 0_i32).to_variant();
            drop(shown);
            emit(bus, MENU_PATH, MENU, "LayoutUpdated", Some(parameters));
        }
    }
}

/// Tells the desktop's watcher of the item; never waited for here.
fn tell_watcher(bus: &DBusConnection, own: &str, hosted: Arc<watch::Sender<Option<bool>>>) {
    bus.call(
        Some(WATCHER),
        WATCHER_PATH,
        WATCHER,
        "RegisterStatusNotifierItem",
        Some(&(own,).to_variant()),
        None,
        // Nothing is started for it: a desktop without a tray stays one.
        DBusCallFlags::NO_AUTO_START,
        DESKTOP_TIMEOUT_MS as i32,
        gio::Cancellable::NONE,
        move |told| {
            if let Err(error) = &told {
                tracing::warn!(error = error.message(), "the desktop's tray did not take the icon");
            }
            hosted.send_replace(Some(told.is_ok()));
        },
    );
}

fn argb(pixels: Pixels) -> (i32, i32, Vec<u8>) {
    let argb = pixels.rgba.chunks_exact(4).flat_map(|p| [p[3], p[0], p[1], p[2]]).collect();
    (pixels.width as i32, pixels.height as i32, argb)
}

fn array(of: &str, items: impl Iterator<Item = Variant>) -> Variant {
    let kind = glib::VariantTy::new(of).unwrap_or(glib::VariantTy::VARIANT);
    Variant::array_from_iter_with_type(kind, items)
}

fn pixmaps(icon: Option<&(i32, i32, Vec<u8>)>) -> Variant {
    array("(iiay)", icon.into_iter().map(ToVariant::to_variant))
}

fn item_property(shown: &Shown, name: &str) -> Option<Variant> {
    let Shown { spec, .. } = shown;
    Some(match name {
        "Category" => "ApplicationStatus".to_variant(),
        "Id" => shown.id.to_variant(),
        "Title" => [&spec.title, &shown.name].into_iter().find(|text| !text.is_empty())?.to_variant(),
        "Status" => "Active".to_variant(),
        "WindowId" => 0_i32.to_variant(),
        "Menu" => glib::variant::ObjectPath::try_from(MENU_PATH.to_string()).ok()?.to_variant(),
        "ItemIsMenu" => spec.menu_on_click.to_variant(),
        "IconPixmap" => pixmaps(Some(&shown.icon)),
        "OverlayIconPixmap" | "AttentionIconPixmap" => pixmaps(None),
        "ToolTip" => {
            let text = if spec.tooltip.is_empty() { &shown.name } else { &spec.tooltip };
            Variant::tuple_from_iter(["".to_variant(), pixmaps(None), text.to_variant(), "".to_variant()])
        }
        "IconName" | "OverlayIconName" | "AttentionIconName" | "IconThemePath" => "".to_variant(),
        _ => return None,
    })
}

fn item_call(_: &DBusConnection, _: &Shared, ui: &Ui, method: &str, _: &Variant) -> Option<Variant> {
    let event = match method {
        "Activate" => Some(TrayEvent::Clicked),
        "SecondaryActivate" => Some(TrayEvent::MiddleClicked),
        // A desktop that asks for the menu this way could not read it; there is nothing to show it over.
        _ => None,
    };
    if let Some(event) = event {
        ui.wish(Wish::Do(Box::new(move |windows, _| windows.tray_clicked(event))));
    }
    Some(().to_variant())
}

fn menu_property(_: &Shown, name: &str) -> Option<Variant> {
    Some(match name {
        "Version" => 3_u32.to_variant(),
        "TextDirection" => "ltr".to_variant(),
        "Status" => "normal".to_variant(),
        "IconThemePath" => Vec::<String>::new().to_variant(),
        _ => return None,
    })
}

fn menu_call(
    bus: &DBusConnection,
    shared: &Shared,
    ui: &Ui,
    method: &str,
    parameters: &Variant,
) -> Option<Variant> {
    match method {
        "GetLayout" => {
            let (parent, depth, names): (i32, i32, Vec<String>) = parameters.get()?;
            let shown = lock(shared);
            let layout = layout(&shown.entries, parent, depth, &names)?;
            Some(Variant::tuple_from_iter([shown.revision.to_variant(), layout]))
        }
        "GetGroupProperties" => {
            let (numbers, names): (Vec<i32>, Vec<String>) = parameters.get()?;
            let shown = lock(shared);
            let entries: Vec<&Entry> = if numbers.is_empty() {
                shown.entries.all().collect()
            } else {
                numbers.iter().filter_map(|number| shown.entries.get(*number)).collect()
            };
            let found = entries.into_iter().map(|entry| numbered(entry, &names));
            Some(Variant::tuple_from_iter([array("(ia{sv})", found)]))
        }
        "GetProperty" => {
            let (number, name): (i32, String) = parameters.get()?;
            let shown = lock(shared);
            let properties = properties(shown.entries.get(number)?, std::slice::from_ref(&name));
            Some(Variant::tuple_from_iter([properties.lookup_value(&name, None)?.to_variant()]))
        }
        "Event" => {
            let number = parameters.try_child_value(0)?.get::<i32>()?;
            let event = parameters.try_child_value(1)?.get::<String>()?;
            happened(bus, shared, ui, number, &event)?;
            Some(().to_variant())
        }
        "EventGroup" => {
            let mut unknown: Vec<i32> = Vec::new();
            for event in parameters.try_child_value(0)?.iter() {
                let number = event.try_child_value(0)?.get::<i32>()?;
                let name = event.try_child_value(1)?.get::<String>()?;
                if happened(bus, shared, ui, number, &name).is_none() {
                    unknown.push(number);
                }
            }
            Some((unknown,).to_variant())
        }
        "AboutToShow" => Some((false,).to_variant()),
        "AboutToShowGroup" => Some((Vec::<i32>::new(), Vec::<i32>::new()).to_variant()),
        _ => None,
    }
}

/// The user did something to an entry. `None` when there is no such entry.
fn happened(bus: &DBusConnection, shared: &Shared, ui: &Ui, number: i32, event: &str) -> Option<()> {
    if number == 0 {
        return Some(());
    }
    let mut shown = lock(shared);
    let entry = shown.entries.get(number)?;
    if event != "clicked" || !entry.item.enabled {
        return Some(());
    }
    if entry.item.kind == MenuKind::Role {
        let role = entry.item.role;
        ui.wish(Wish::Do(Box::new(move |windows, _| windows.tray_role(role))));
        return Some(());
    }
    let (chosen, changed) = shown.entries.choose(number)?;
    drop(shown);
    tell_changed(bus, shared, changed);
    ui.wish(Wish::Do(Box::new(move |windows, _| windows.tray_event(chosen))));
    Some(())
}

/// The entries below `parent`, `depth` levels of them; all when it is negative.
fn layout(entries: &Entries, parent: i32, depth: i32, names: &[String]) -> Option<Variant> {
    let properties = match entries.get(parent) {
        Some(entry) => properties(entry, names).end(),
        None if parent == 0 => {
            let root = VariantDict::new(None);
            root.insert_value("children-display", &"submenu".to_variant());
            root.end()
        }
        None => return None,
    };
    let below: Vec<Variant> = if depth == 0 {
        Vec::new()
    } else {
        let layouts =
            entries.below(parent).filter_map(|entry| layout(entries, entry.number, depth - 1, names));
        layouts.map(|layout| layout.to_variant()).collect()
    };
    let below = array("v", below.into_iter());
    Some(Variant::tuple_from_iter([parent.to_variant(), properties, below]))
}

fn numbered(entry: &Entry, names: &[String]) -> Variant {
    Variant::tuple_from_iter([entry.number.to_variant(), properties(entry, names).end()])
}

/// What is told of an entry; of all when no names are given.
fn properties(entry: &Entry, names: &[String]) -> VariantDict {
    let all = VariantDict::new(None);
    let put = |name: &str, value: Variant| {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            all.insert_value(name, &value);
        }
    };
    let item = &entry.item;
    if item.kind == MenuKind::Separator {
        put("type", "separator".to_variant());
        return all;
    }
    put("label", entry.label().to_variant());
    put("enabled", item.enabled.to_variant());
    put("visible", true.to_variant());
    match item.kind {
        MenuKind::Check | MenuKind::Radio => {
            let kind = if item.kind == MenuKind::Radio { "radio" } else { "checkmark" };
            put("toggle-type", kind.to_variant());
            put("toggle-state", i32::from(item.checked).to_variant());
        }
        MenuKind::Submenu => put("children-display", "submenu".to_variant()),
        _ => {}
    }
    all
}
