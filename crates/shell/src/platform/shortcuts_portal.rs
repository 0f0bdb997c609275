//! Global shortcuts of Wayland desktops: the portal `org.freedesktop.portal.GlobalShortcuts`, spoken by the D-Bus that
//! GTK brings along (ADR 9).
//!
//! # Theory of operation
//! On Wayland no program takes keys; it offers shortcuts, and the *user* gives them keys, in a dialog of the desktop's.
//! A session binds its shortcuts once. So whenever others are wanted, the session is closed and another one binds all of
//! them; a desktop that knows them already does not ask again. What was asked for in one turn of the loop is bound
//! together, and what is asked for while the user decides is bound afterwards. When a new one is refused, those before
//! are bound again: an error leaves no less than there was.
//!
//! Everything runs on the windows' thread, in GLib's own loop; nothing blocks it.
//!
//! Sources: the portal's description (`org.freedesktop.portal.GlobalShortcuts.xml`, version 1), that of its requests and
//! sessions, and the XDG specification of shortcuts for how keys are spelled.

use crate::app::{Ui, Wish};
use gtk::gio::{self, BusType, DBusCallFlags, DBusConnection, DBusSignalFlags};
use gtk::glib::variant::ObjectPath;
use gtk::glib::{self, ToVariant, Variant, VariantDict};
use muda::accelerator::{Accelerator, Modifiers};
use staysail_protocol::limits::{DESKTOP_TIMEOUT_MS, SHORTCUT_CHOICE_TIMEOUT_S};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::oneshot;

const PORTAL: &str = "org.freedesktop.portal.Desktop";
const PATH: &str = "/org/freedesktop/portal/desktop";
const SHORTCUTS: &str = "org.freedesktop.portal.GlobalShortcuts";
const REQUEST: &str = "org.freedesktop.portal.Request";
const SESSION: &str = "org.freedesktop.portal.Session";
const REGISTRY: &str = "org.freedesktop.host.portal.Registry";

/// Why shortcuts can not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// This desktop has no such portal.
    Absent(String),
    /// The user, or the desktop, said no; a sentence for people.
    Refused(String),
}

/// What comes of offering a shortcut.
pub type Answer = oneshot::Receiver<Result<(), Refusal>>;

struct Wanted {
    accelerator: u32,
    trigger: String,
    /// It was among those that were bound last.
    is_offered: bool,
    /// It has keys.
    is_bound: bool,
    asked: Option<oneshot::Sender<Result<(), Refusal>>>,
}

struct State {
    ui: Ui,
    /// The app's id, which the desktop shows its shortcuts under.
    app: String,
    wanted: BTreeMap<String, Wanted>,
    bus: Option<DBusConnection>,
    session: Option<String>,
    /// Somebody binds, or will in the loop's next turn.
    binds: bool,
    /// Something was asked for, or given back, since the last time.
    is_stale: bool,
}

/// The shortcuts this app offers to its desktop.
#[derive(Clone)]
pub struct Portal(Rc<RefCell<State>>);

impl Portal {
    /// None yet.
    pub fn new(ui: &Ui, app: &str) -> Self {
        Self(Rc::new(RefCell::new(State {
            ui: ui.clone(),
            app: app.into(),
            wanted: BTreeMap::new(),
            bus: None,
            session: None,
            binds: false,
            is_stale: false,
        })))
    }

    /// Offers a shortcut under its id, in place of the one of that id. The answer comes when the user has decided.
    pub fn offer(&self, id: &str, accelerator: Accelerator, key: &str) -> Answer {
        let (asked, answer) = oneshot::channel();
        let wanted = Wanted {
            accelerator: accelerator.id(),
            trigger: trigger(accelerator.modifiers(), key),
            is_offered: false,
            is_bound: false,
            asked: Some(asked),
        };
        self.0.borrow_mut().wanted.insert(id.into(), wanted);
        self.stale();
        answer
    }

    /// Offers it no more.
    pub fn take_back(&self, accelerator: u32) {
        let mut state = self.0.borrow_mut();
        let before = state.wanted.len();
        state.wanted.retain(|_, wanted| wanted.accelerator != accelerator);
        let is_gone = state.wanted.len() < before;
        drop(state);
        if is_gone {
            self.stale();
        }
    }

    fn stale(&self) {
        let mut state = self.0.borrow_mut();
        state.is_stale = true;
        if !std::mem::replace(&mut state.binds, true) {
            let portal = self.clone();
            glib::MainContext::default().spawn_local(async move { portal.bind_all().await });
        }
    }

    /// Binds until nothing has changed meanwhile.
    async fn bind_all(&self) {
        loop {
            self.0.borrow_mut().is_stale = false;
            let bound = self.bind().await;
            self.tell(bound);
            let mut state = self.0.borrow_mut();
            if !state.is_stale {
                state.binds = false;
                return;
            }
        }
    }

    /// Says to everybody who waits what has come of it, and to the app which of its shortcuts it has lost.
    fn tell(&self, bound: Result<Vec<String>, Refusal>) {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        match bound {
            Ok(bound) => {
                let mut refused = Vec::new();
                // What was asked for meanwhile comes in the next turn.
                for (id, wanted) in state.wanted.iter_mut().filter(|(_, wanted)| wanted.is_offered) {
                    wanted.is_bound = bound.contains(id);
                    if !wanted.is_bound {
                        refused.push(id.clone());
                    } else if let Some(asked) = wanted.asked.take() {
                        let _ = asked.send(Ok(()));
                    }
                }
                for id in refused {
                    lose(state, &id, Refusal::Refused("the user gave it no keys".into()));
                }
            }
            Err(reason) => {
                let offered = state.wanted.iter().filter(|(_, wanted)| wanted.is_offered);
                let (old, new): (Vec<_>, Vec<_>) = offered.partition(|(_, wanted)| wanted.is_bound);
                // Those that had keys get another chance without the new ones; alone they have had it.
                let lost = if new.is_empty() { old } else { new };
                let lost: Vec<String> = lost.into_iter().map(|(id, _)| id.clone()).collect();
                for id in lost {
                    lose(state, &id, reason.clone());
                }
                state.is_stale |= !state.wanted.is_empty();
            }
        }
    }

    /// Closes the session and binds what is wanted in another one. Which have keys then.
    async fn bind(&self) -> Result<Vec<String>, Refusal> {
        for wanted in self.0.borrow_mut().wanted.values_mut() {
            wanted.is_offered = true;
        }
        let bus = self.bus().await?;
        if let Some(session) = self.0.borrow_mut().session.take() {
            // Never waited for: what comes next from this connection comes after it.
            bus.call(
                Some(PORTAL),
                &session,
                SESSION,
                "Close",
                None,
                None,
                DBusCallFlags::NONE,
                DESKTOP_TIMEOUT_MS as i32,
                gio::Cancellable::NONE,
                |_| (),
            );
        }
        let shortcuts: Vec<(String, String)> = {
            let mut state = self.0.borrow_mut();
            let offer = |(id, wanted): (&String, &mut Wanted)| {
                // What came while the bus was looked for, too.
                wanted.is_offered = true;
                (id.clone(), wanted.trigger.clone())
            };
            state.wanted.iter_mut().map(offer).collect()
        };
        if shortcuts.is_empty() {
            return Ok(Vec::new());
        }
        let refused = |reason: String| Refusal::Refused(reason);
        let desktop = Duration::from_millis(DESKTOP_TIMEOUT_MS);
        let created = request(&bus, "CreateSession", desktop, |token| {
            let options = VariantDict::new(None);
            options.insert("handle_token", token);
            options.insert("session_handle_token", token);
            Variant::tuple_from_iter([options.end()])
        });
        let created = created.await.map_err(refused)?;
        // An object path as a string: "erroneously implemented as `s`", and so kept.
        let session = created.lookup::<String>("session_handle").ok().flatten();
        let session = session.ok_or_else(|| refused("the desktop opened no session".into()))?;
        let path = ObjectPath::try_from(session.clone());
        let path = path.map_err(|_| refused(format!("`{session}` is no session")))?;
        self.0.borrow_mut().session = Some(session);
        let user = Duration::from_secs(SHORTCUT_CHOICE_TIMEOUT_S);
        let bound = request(&bus, "BindShortcuts", user, |token| {
            let described = shortcuts.iter().map(|(id, trigger)| {
                let about = VariantDict::new(None);
                about.insert("description", id);
                about.insert("preferred_trigger", trigger);
                Variant::tuple_from_iter([id.to_variant(), about.end()])
            });
            let described = Variant::array_from_iter_with_type(
                glib::VariantTy::new("(sa{sv})").unwrap_or(glib::VariantTy::ANY),
                described,
            );
            let options = VariantDict::new(None);
            options.insert("handle_token", token);
            // No window: the desktop puts its dialog where it likes.
            Variant::tuple_from_iter([path.to_variant(), described, "".to_variant(), options.end()])
        });
        let bound = bound.await.map_err(refused)?;
        let bound = bound.lookup_value("shortcuts", None);
        Ok(bound.iter().flat_map(Variant::iter).filter_map(|one| one.child_value(0).get()).collect())
    }

    /// The session bus, with the portal on it.
    async fn bus(&self) -> Result<DBusConnection, Refusal> {
        if let Some(bus) = self.0.borrow().bus.clone() {
            return Ok(bus);
        }
        let absent = |error: glib::Error| Refusal::Absent(error.message().to_string());
        let bus = gio::bus_get_future(BusType::Session).await.map_err(absent)?;
        let version = (SHORTCUTS, "version").to_variant();
        call(&bus, PATH, "org.freedesktop.DBus.Properties", "Get", &version).await.map_err(absent)?;
        // Outside a sandbox the portal knows the app only by this. Older ones do not know it, and one that is not
        // installed has no entry to be known by: it is asked for all the same.
        let app = self.0.borrow().app.clone();
        let register = Variant::tuple_from_iter([app.to_variant(), VariantDict::new(None).end()]);
        if let Err(error) = call(&bus, PATH, REGISTRY, "Register", &register).await {
            tracing::debug!(error = error.message(), "the portal does not know this app");
        }
        self.listen(&bus);
        self.0.borrow_mut().bus = Some(bus.clone());
        Ok(bus)
    }

    fn listen(&self, bus: &DBusConnection) {
        for (signal, pressed) in [("Activated", true), ("Deactivated", false)] {
            let portal = self.clone();
            bus.signal_subscribe(
                Some(PORTAL),
                Some(SHORTCUTS),
                Some(signal),
                Some(PATH),
                None,
                DBusSignalFlags::NONE,
                move |_, _, _, _, _, parameters| portal.used(parameters, pressed),
            );
        }
        let portal = self.clone();
        bus.signal_subscribe(
            Some(PORTAL),
            Some(SESSION),
            Some("Closed"),
            None,
            None,
            DBusSignalFlags::NONE,
            move |_, _, path, _, _, _| portal.closed(path),
        );
    }

    /// Keys were pressed or let go: session, id, time, more.
    fn used(&self, parameters: &Variant, pressed: bool) {
        let state = self.0.borrow();
        if parameters.child_value(0).str() != state.session.as_deref() {
            return;
        }
        let id = parameters.child_value(1);
        let Some(wanted) = id.str().and_then(|id| state.wanted.get(id)) else { return };
        let accelerator = wanted.accelerator;
        state.ui.wish(Wish::Do(Box::new(move |windows, _| windows.shortcut_pressed(accelerator, pressed))));
    }

    /// The desktop has closed a session.
    fn closed(&self, path: &str) {
        let mut state = self.0.borrow_mut();
        if state.session.as_deref() != Some(path) {
            return;
        }
        state.session = None;
        let lost: Vec<String> =
            state.wanted.iter().filter(|(_, wanted)| wanted.is_bound).map(|(id, _)| id.clone()).collect();
        for id in lost {
            lose(&mut state, &id, Refusal::Refused("the desktop has taken its keys back".into()));
        }
    }
}

/// A shortcut has no keys: who waits for it is told, or the app.
fn lose(state: &mut State, id: &str, reason: Refusal) {
    let Some(wanted) = state.wanted.remove(id) else { return };
    match (wanted.asked, reason) {
        (Some(asked), reason) => drop(asked.send(Err(reason))),
        (None, Refusal::Absent(reason) | Refusal::Refused(reason)) => {
            let accelerator = wanted.accelerator;
            state.ui.wish(Wish::Do(Box::new(move |windows, _| windows.shortcut_lost(accelerator, &reason))));
        }
    }
}

async fn call(
    bus: &DBusConnection,
    path: &str,
    interface: &str,
    method: &str,
    parameters: &Variant,
) -> Result<Variant, glib::Error> {
    bus.call_future(
        Some(PORTAL),
        path,
        interface,
        method,
        Some(parameters),
        None,
        DBusCallFlags::NONE,
        DESKTOP_TIMEOUT_MS as i32,
    )
    .await
}

/// Asks for something the portal answers later, by a signal, and waits for that answer.
async fn request(
    bus: &DBusConnection,
    method: &str,
    patience: Duration,
    parameters: impl FnOnce(&str) -> Variant,
) -> Result<VariantDict, String> {
    let token = format!("staysail_{}", crate::secret::token());
    // The path is known before it is asked, so that no answer can be missed.
    let sender = bus.unique_name().unwrap_or_default().trim_start_matches(':').replace('.', "_");
    let path = format!("{PATH}/request/{sender}/{token}");
    let (answered, answer) = oneshot::channel();
    let answered = Cell::new(Some(answered));
    let subscription = bus.signal_subscribe(
        Some(PORTAL),
        Some(REQUEST),
        Some("Response"),
        Some(&path),
        None,
        DBusSignalFlags::NONE,
        move |_, _, _, _, _, parameters| {
            answered.take().map(|answered| answered.send(parameters.clone()));
        },
    );
    let outcome = match call(bus, PATH, SHORTCUTS, method, &parameters(&token)).await {
        Err(error) => Err(format!("the desktop's portal refused {method}: {}", error.message())),
        Ok(_) => {
            tokio::select! {
                answer = answer => answer.map_err(|error| error.to_string()),
                () = glib::timeout_future(patience) => {
                    let _ = call(bus, &path, REQUEST, "Close", &().to_variant()).await;
                    let seconds = patience.as_secs();
                    Err(format!("nobody decided within {seconds} s (shortcut_choice_timeout_s, desktop_timeout_ms)"))
                }
            }
        }
    };
    bus.signal_unsubscribe(subscription);
    let outcome = outcome?;
    match outcome.child_value(0).get::<u32>() {
        Some(0) => Ok(VariantDict::new(Some(&outcome.child_value(1)))),
        Some(1) => Err("the user did not allow it".into()),
        _ => Err("the desktop ended the dialog without a choice".into()),
    }
}

/// Keys as the XDG specification of shortcuts spells them: `CTRL+SHIFT+k`.
fn trigger(modifiers: Modifiers, key: &str) -> String {
    let names = [
        (Modifiers::CONTROL, "CTRL"),
        (Modifiers::ALT, "ALT"),
        (Modifiers::SHIFT, "SHIFT"),
        (Modifiers::META, "LOGO"),
    ];
    let held = names.iter().filter(|(modifier, _)| modifiers.contains(*modifier)).map(|(_, name)| *name);
    held.chain([key]).collect::<Vec<_>>().join("+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spelled_as_the_specification_wants_them() {
        for (keys, name, expected) in [
            ("CmdOrCtrl+Shift+K", "k", "CTRL+SHIFT+k"),
            ("Super+Alt+F5", "F5", "ALT+LOGO+F5"),
            ("MediaPlayPause", "XF86AudioPlay", "XF86AudioPlay"),
        ] {
            let accelerator: Accelerator = keys.parse().unwrap();
            assert_eq!(trigger(accelerator.modifiers(), name), expected);
        }
    }
}
