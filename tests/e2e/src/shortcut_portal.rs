//! A stub of the desktop's portal for global shortcuts, and of the user who decides about them.
//!
//! # Theory of operation
//! It offers what `org.freedesktop.portal.GlobalShortcuts.xml`, version 1, describes: GDBus refuses calls whose types are
//! others. What the description says in words is checked here, and what breaks it is written down: tokens that are no
//! elements of a path, a session that binds twice or is not open any more, options nobody knows.

use crate::desktop_bus::{DesktopBus, request_name};
use anyhow::{Context, ensure};
use gio::DBusConnection;
use gio::glib::variant::ObjectPath;
use gio::glib::{ToVariant, Variant, VariantDict, VariantTy};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const PORTAL: &str = "org.freedesktop.portal.Desktop";
const PATH: &str = "/org/freedesktop/portal/desktop";
const SHORTCUTS: &str = "org.freedesktop.portal.GlobalShortcuts";
const REGISTRY: &str = "org.freedesktop.host.portal.Registry";
const SESSION: &str = "org.freedesktop.portal.Session";
const DESCRIPTION: &str = r#"<node>
<interface name="org.freedesktop.portal.GlobalShortcuts">
  <method name="CreateSession"><arg type="a{sv}" name="options" direction="in"/><arg type="o" name="handle" direction="out"/></method>
  <method name="BindShortcuts"><arg type="o" name="session_handle" direction="in"/>
    <arg type="a(sa{sv})" name="shortcuts" direction="in"/><arg type="s" name="parent_window" direction="in"/>
    <arg type="a{sv}" name="options" direction="in"/><arg type="o" name="request_handle" direction="out"/></method>
  <method name="ListShortcuts"><arg type="o" name="session_handle" direction="in"/>
    <arg type="a{sv}" name="options" direction="in"/><arg type="o" name="request_handle" direction="out"/></method>
  <signal name="Activated"><arg type="o"/><arg type="s"/><arg type="t"/><arg type="a{sv}"/></signal>
  <signal name="Deactivated"><arg type="o"/><arg type="s"/><arg type="t"/><arg type="a{sv}"/></signal>
  <signal name="ShortcutsChanged"><arg type="o"/><arg type="a(sa{sv})"/></signal>
  <property name="version" type="u" access="read"/>
</interface>
<interface name="org.freedesktop.host.portal.Registry">
  <method name="Register"><arg type="s" name="app_id" direction="in"/><arg type="a{sv}" name="options" direction="in"/></method>
  <property name="version" type="u" access="read"/>
</interface>
<interface name="org.freedesktop.portal.Session"><method name="Close"/><signal name="Closed"/>
  <property name="version" type="u" access="read"/></interface>
</node>"#;

/// What an app wants bound, until the user has decided.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The session it is for.
    pub session: String,
    /// Id, description and preferred keys of each shortcut.
    pub shortcuts: Vec<(String, String, String)>,
    request: String,
}

impl Binding {
    /// Ids and keys.
    pub fn keys(&self) -> Vec<(&str, &str)> {
        self.shortcuts.iter().map(|(id, _, keys)| (id.as_str(), keys.as_str())).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SessionState {
    Open,
    Bound,
    Closed,
}

#[derive(Default)]
struct Seen {
    apps: Vec<String>,
    sessions: BTreeMap<String, SessionState>,
    bindings: Vec<Binding>,
    faults: Vec<String>,
}

type Shared = Arc<Mutex<Seen>>;

fn lock(seen: &Shared) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The portal; gone when dropped.
pub struct ShortcutPortal {
    connection: DBusConnection,
    seen: Shared,
}

impl ShortcutPortal {
    /// Puts it on the bus.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub fn start(bus: &DesktopBus) -> anyhow::Result<Self> {
        let connection = bus.connect()?;
        let seen = Shared::default();
        for (name, answer) in [(SHORTCUTS, shortcuts as Answer), (REGISTRY, registry)] {
            let (on, record) = (connection.clone(), seen.clone());
            bus.on_thread(move || offer(&on, PATH, name, &record, answer))??;
        }
        request_name(&connection, PORTAL)?;
        Ok(Self { connection, seen })
    }

    /// The `count`th time the app has wanted its shortcuts bound.
    ///
    /// # Errors
    /// When it has not; what it has wanted is named.
    pub fn wait_binding(&self, count: usize) -> anyhow::Result<Binding> {
        crate::wait_until(&format!("binding {count}"), PATIENCE, || {
            let seen = lock(&self.seen);
            let told = || format!("{:?} {:?}", seen.bindings, seen.faults);
            seen.bindings.get(count - 1).cloned().ok_or_else(told)
        })
    }

    /// The user gives keys to the shortcuts of these ids, and to no others.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub fn grant(&self, binding: &Binding, ids: &[&str]) -> anyhow::Result<()> {
        let granted = binding.shortcuts.iter().filter(|(id, ..)| ids.contains(&id.as_str()));
        let granted = granted.map(|(id, description, trigger)| {
            let about = VariantDict::new(None);
            about.insert("description", description);
            about.insert("trigger_description", trigger);
            Variant::tuple_from_iter([id.to_variant(), about.end()])
        });
        let results = VariantDict::new(None);
        let granted = Variant::array_from_iter_with_type(VariantTy::new("(sa{sv})")?, granted);
        results.insert_value("shortcuts", &granted);
        respond(&self.connection, &binding.request, 0, results)
    }

    /// The user closes the dialog.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub fn refuse(&self, binding: &Binding) -> anyhow::Result<()> {
        respond(&self.connection, &binding.request, 1, VariantDict::new(None))
    }

    /// Keys are pressed, or let go.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub fn press(&self, session: &str, id: &str, pressed: bool) -> anyhow::Result<()> {
        let signal = if pressed { "Activated" } else { "Deactivated" };
        let session = ObjectPath::try_from(session.to_owned())?;
        let parameters = Variant::tuple_from_iter([
            session.to_variant(),
            id.to_variant(),
            7_u64.to_variant(),
            VariantDict::new(None).end(),
        ]);
        self.connection.emit_signal(None, PATH, SHORTCUTS, signal, Some(&parameters))?;
        Ok(self.connection.flush_sync(gio::Cancellable::NONE)?)
    }

    /// The desktop closes a session by itself.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub fn close(&self, session: &str) -> anyhow::Result<()> {
        lock(&self.seen).sessions.insert(session.into(), SessionState::Closed);
        self.connection.emit_signal(None, session, SESSION, "Closed", None)?;
        Ok(self.connection.flush_sync(gio::Cancellable::NONE)?)
    }

    /// Waits until a session is closed.
    ///
    /// # Errors
    /// When it stays open.
    pub fn wait_closed(&self, session: &str) -> anyhow::Result<()> {
        crate::wait_until("the session to be closed", PATIENCE, || {
            let state = lock(&self.seen).sessions.get(session).copied();
            if state == Some(SessionState::Closed) { Ok(()) } else { Err(format!("{state:?}")) }
        })
    }

    /// How often the app has wanted its shortcuts bound.
    pub fn bindings(&self) -> usize {
        lock(&self.seen).bindings.len()
    }

    /// Ends well when the app has kept to the description, and has said who it is.
    ///
    /// # Errors
    /// What it did otherwise.
    pub fn check(&self, app: &str) -> anyhow::Result<()> {
        let seen = lock(&self.seen);
        ensure!(seen.faults.is_empty(), "{:?}", seen.faults);
        ensure!(seen.apps == [app], "registered as {:?}", seen.apps);
        Ok(())
    }
}

impl Drop for ShortcutPortal {
    fn drop(&mut self) {
        let _ = self.connection.close_sync(gio::Cancellable::NONE);
    }
}

/// What is asked: connection, who asks, at which path, which method, its parameters.
type Answer = fn(&DBusConnection, &Shared, &str, &str, &str, &Variant) -> anyhow::Result<Option<Variant>>;

fn offer(
    bus: &DBusConnection,
    path: &str,
    name: &str,
    seen: &Shared,
    answer: Answer,
) -> anyhow::Result<gio::RegistrationId> {
    let node = gio::DBusNodeInfo::for_xml(DESCRIPTION)?;
    let interface = node.lookup_interface(name).context("the interface is not in the description")?;
    let seen = seen.clone();
    let object = bus.register_object(
        path,
        &interface,
        move |bus, sender, path, _, method, parameters, invocation| match answer(
            &bus,
            &seen,
            sender,
            path,
            method,
            &parameters,
        ) {
            Ok(answer) => invocation.return_value(answer.as_ref()),
            Err(error) => {
                lock(&seen).faults.push(format!("{method}: {error:#}"));
                invocation
                    .return_dbus_error("org.freedesktop.portal.Error.InvalidArgument", &error.to_string());
            }
        },
        |_, _, _, _, _| 1_u32.to_variant(),
        |_, _, _, _, _, _| false,
    );
    Ok(object?)
}

fn registry(
    _: &DBusConnection,
    seen: &Shared,
    _: &str,
    _: &str,
    _: &str,
    parameters: &Variant,
) -> anyhow::Result<Option<Variant>> {
    ensure!(lock(seen).sessions.is_empty(), "registered after the first use of a portal");
    lock(seen).apps.push(parameters.child_value(0).get().context("no id")?);
    Ok(None)
}

fn session(
    _: &DBusConnection,
    seen: &Shared,
    _: &str,
    path: &str,
    _: &str,
    _: &Variant,
) -> anyhow::Result<Option<Variant>> {
    lock(seen).sessions.insert(path.into(), SessionState::Closed);
    Ok(None)
}

fn shortcuts(
    bus: &DBusConnection,
    seen: &Shared,
    sender: &str,
    _: &str,
    method: &str,
    parameters: &Variant,
) -> anyhow::Result<Option<Variant>> {
    let caller = sender.trim_start_matches(':').replace('.', "_");
    let request = |options: &Variant, known: &[&str]| -> anyhow::Result<(String, ObjectPath)> {
        known_only(options, known)?;
        let request = format!("{PATH}/request/{caller}/{}", token(options, "handle_token")?);
        let path = ObjectPath::try_from(request.clone())?;
        Ok((request, path))
    };
    match method {
        "CreateSession" => {
            let options = parameters.child_value(0);
            let (request, handle) = request(&options, &["handle_token", "session_handle_token"])?;
            let path = format!("{PATH}/session/{caller}/{}", token(&options, "session_handle_token")?);
            offer(bus, &path, SESSION, seen, session)?;
            ensure!(
                lock(seen).sessions.insert(path.clone(), SessionState::Open).is_none(),
                "the session {path} was there already"
            );
            let results = VariantDict::new(None);
            results.insert("session_handle", &path);
            // Before the call is answered, as may happen.
            respond(bus, &request, 0, results)?;
            Ok(Some((handle,).to_variant()))
        }
        "BindShortcuts" => {
            let (request, handle) = request(&parameters.child_value(3), &["handle_token"])?;
            let session = parameters.child_value(0).str().unwrap_or_default().to_owned();
            let before = lock(seen).sessions.insert(session.clone(), SessionState::Bound);
            ensure!(before == Some(SessionState::Open), "bound in a session that is {before:?}");
            let window = parameters.child_value(2);
            let window = window.str().unwrap_or_default();
            ensure!(
                window.is_empty() || window.starts_with("x11:") || window.starts_with("wayland:"),
                "{window} is no window"
            );
            let shortcuts = parameters.child_value(1).iter().map(|one| {
                let about = one.child_value(1);
                known_only(&about, &["description", "preferred_trigger"])?;
                let about = VariantDict::new(Some(&about));
                let text = |name: &str| about.lookup::<String>(name)?.with_context(|| format!("no {name}"));
                let trigger = text("preferred_trigger")?;
                let (held, key) = trigger.rsplit_once('+').unwrap_or(("", &trigger));
                let is_modifier = |name: &str| ["CTRL", "ALT", "SHIFT", "NUM", "LOGO"].contains(&name);
                ensure!(held.is_empty() || held.split('+').all(is_modifier), "{trigger} is not spelled so");
                ensure!(!key.is_empty(), "{trigger} has no key");
                Ok((
                    one.child_value(0).get::<String>().context("no id")?,
                    text("description")?,
                    trigger.clone(),
                ))
            });
            let shortcuts = shortcuts.collect::<anyhow::Result<_>>()?;
            lock(seen).bindings.push(Binding { session, shortcuts, request });
            Ok(Some((handle,).to_variant()))
        }
        _ => anyhow::bail!("not expected"),
    }
}

fn respond(bus: &DBusConnection, request: &str, code: u32, results: VariantDict) -> anyhow::Result<()> {
    let parameters = Variant::tuple_from_iter([code.to_variant(), results.end()]);
    bus.emit_signal(None, request, "org.freedesktop.portal.Request", "Response", Some(&parameters))?;
    Ok(bus.flush_sync(gio::Cancellable::NONE)?)
}

fn token(options: &Variant, name: &str) -> anyhow::Result<String> {
    let token = VariantDict::new(Some(options)).lookup::<String>(name)?;
    let token = token.with_context(|| format!("no {name}"))?;
    let is_element = !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    ensure!(is_element, "{name} {token:?} is no element of a path");
    Ok(token)
}

fn known_only(options: &Variant, known: &[&str]) -> anyhow::Result<()> {
    for entry in options.iter() {
        let name = entry.child_value(0);
        let name = name.str().unwrap_or_default();
        ensure!(known.contains(&name), "{name} is no option of it");
    }
    Ok(())
}
