//! What commands and hooks hold to speak to the rest of the app.

use crate::assets::Assets;
use crate::channel::Streams;
use crate::command::State;
use crate::connection::Outbox;
use crate::exclusive::{Exclusive, Exclusives, Held};
use crate::kept::{Kept, States};
use crate::native::{Asked, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use staysail_link::Courier;
use staysail_protocol::desktop::window::{Screen, WindowChange, WindowState};
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::policy::CustomValue;
use staysail_protocol::worker::{ToShell, UpdateWish, Welcome};
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

pub(crate) type Listener = Box<dyn Fn(&[u8], WindowHandle) + Send + Sync>;
pub(crate) type UpdateListener = Box<dyn Fn(&UpdateEvent) + Send + Sync>;
pub(crate) type UpdateCondition = Arc<dyn Fn() -> Option<CustomValue> + Send + Sync>;

pub(crate) struct Inner {
    pub outbox: Outbox,
    /// The way of what is too large for frames; absent when the shell takes none.
    pub courier: Option<Courier>,
    pub kept: States,
    pub exclusive: Exclusives,
    pub states: RwLock<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    pub listeners: RwLock<HashMap<String, Vec<Listener>>>,
    pub update_listeners: RwLock<Vec<UpdateListener>>,
    pub update_conditions: RwLock<HashMap<String, UpdateCondition>>,
    pub welcome: OnceLock<Welcome>,
    pub asked: Asked,
    pub streams: Streams,
    #[cfg(feature = "wasm")]
    pub modules: crate::modules::Shelf,
}

/// The app, from inside: cheap to clone, usable on any thread.
#[derive(Clone)]
pub struct AppHandle {
    pub(crate) inner: Arc<Inner>,
}

impl AppHandle {
    /// Something the app was given, by its type.
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<State<T>> {
        let states = self.inner.states.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        states.get(&TypeId::of::<T>()).cloned()?.downcast::<T>().ok().map(State)
    }

    /// Gives the app something, in place of what it had of this type.
    pub fn manage<T: Send + Sync + 'static>(&self, value: T) {
        let mut states = self.inner.states.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        states.insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// Like [`manage`](Self::manage), of a type that is known at run time only.
    pub(crate) fn manage_as(&self, ty: TypeId, value: Arc<dyn Any + Send + Sync>) {
        self.inner.states.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(ty, value);
    }

    /// A declared state, by its type.
    pub fn kept<T: 'static>(&self) -> Option<Kept<T>> {
        self.inner.kept.get::<T>()
    }

    /// An exclusive resource, by its type; `None` when this backend does not hold it, or the app was never given it. It is
    /// not handed to another backend while it is looked at, so hold it for a short time.
    pub fn held<T: Exclusive>(&self) -> Option<Held<T>> {
        self.inner.exclusive.get::<T>()
    }

    /// Sends an event to all windows.
    pub fn emit(&self, name: &str, payload: &impl Serialize) {
        self.send_event(name, None, payload);
    }

    /// Sends an event to one window.
    pub fn emit_to(&self, window: &str, name: &str, payload: &impl Serialize) {
        self.send_event(name, Some(window.to_string()), payload);
    }

    /// Sends a typed event to all windows.
    pub fn emit_event<E: crate::Event>(&self, event: &E) {
        self.send_event(E::NAME, None, event);
    }

    fn send_event(&self, name: &str, window: Option<String>, payload: &impl Serialize) {
        match serde_json::to_vec(payload) {
            Ok(body) => self.inner.outbox.send(0, &ToShell::Event { name: name.to_string(), window }, body),
            Err(error) => self.log("error", format!("the event {name} can not be written as JSON: {error}")),
        }
    }

    /// Listens to an event of pages. A payload of another shape is reported in the log and passed over.
    pub fn on<T: DeserializeOwned>(
        &self,
        name: &str,
        handler: impl Fn(T, WindowHandle) + Send + Sync + 'static,
    ) {
        let (app, event) = (Arc::downgrade(&self.inner), name.to_string());
        let listener: Listener = Box::new(move |payload, window| match serde_json::from_slice(payload) {
            Ok(payload) => handler(payload, window),
            Err(error) => {
                if let Some(inner) = app.upgrade() {
                    AppHandle { inner }
                        .log("warn", format!("the payload of event {event} does not fit: {error}"));
                }
            }
        });
        let mut listeners = self.inner.listeners.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        listeners.entry(name.to_string()).or_default().push(listener);
    }

    /// A window, by its label.
    pub fn window(&self, label: &str) -> WindowHandle {
        WindowHandle { app: self.clone(), label: label.to_string() }
    }

    /// Opens a window that is not declared. Its answer comes when it is open; its page loads meanwhile.
    ///
    /// ```no_run
    /// # async fn example(app: staysail::AppHandle) -> Result<(), staysail::CallError> {
    /// let help = app.open_window(staysail::Window::new("help").url("/help.html").parent("main")).await?;
    /// # Ok(()) }
    /// ```
    pub async fn open_window(
        &self,
        window: crate::Window,
    ) -> Result<WindowHandle, staysail_protocol::CallError> {
        let handle = self.window(&window.spec.label);
        self.ask::<()>("window.create", &serde_json::json!({ "window": window.spec })).await?;
        Ok(handle)
    }

    /// Labels of the open windows, sorted.
    pub fn windows(&self) -> Request<Vec<String>> {
        self.ask("window.list", &serde_json::json!({}))
    }

    /// The screens, the primary one first.
    pub fn screens(&self) -> Request<Vec<Screen>> {
        self.ask("window.screens", &serde_json::json!({}))
    }

    fn welcome(&self) -> Option<&Welcome> {
        self.inner.welcome.get()
    }

    /// The mode the app runs in: `debug` or `production`.
    pub fn mode(&self) -> &str {
        self.welcome().map_or("debug", |welcome| &welcome.config.mode)
    }

    /// A constant of `staysail.toml` for the mode. `None` when it is not there or of another type.
    pub fn constant<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let value = self.welcome()?.config.constants.get(name)?;
        T::deserialize(value).ok()
    }

    /// Version of the app that runs.
    pub fn version(&self) -> &str {
        self.welcome().map_or("", |welcome| &welcome.version)
    }

    /// The folder for the app's own data. It exists.
    pub fn data_dir(&self) -> PathBuf {
        self.welcome().map(|welcome| Path::new(&welcome.data_dir).to_path_buf()).unwrap_or_default()
    }

    /// Writes a line to the app's log: `error`, `warn`, `info`, `debug` or `trace`.
    pub fn log(&self, level: &str, message: impl Into<String>) {
        self.inner.outbox.send(0, &ToShell::Log { level: level.into(), message: message.into() }, Vec::new());
    }

    /// Updates of the app.
    pub fn updates(&self) -> Updates {
        Updates { app: self.clone() }
    }

    /// The app's asset groups.
    pub fn assets(&self) -> Assets {
        Assets::of(self)
    }

    /// Ends the whole app in order.
    pub fn exit(&self, code: i32) {
        self.inner.outbox.send(0, &ToShell::Exit { code }, Vec::new());
    }
}

/// A window of the app.
#[derive(Clone)]
pub struct WindowHandle {
    app: AppHandle,
    label: String,
}

impl WindowHandle {
    /// Its label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Sends an event to it alone.
    pub fn emit(&self, name: &str, payload: &impl Serialize) {
        self.app.emit_to(&self.label, name, payload);
    }

    /// Sets its title.
    pub fn set_title(&self, title: impl Into<String>) {
        self.change(WindowChange { title: Some(title.into()), ..WindowChange::default() });
    }

    /// Sets its inner size in logical pixels.
    pub fn set_size(&self, width: f64, height: f64) {
        self.change(WindowChange { size: Some((width, height)), ..WindowChange::default() });
    }

    /// Shows and raises it.
    pub fn show(&self) {
        self.focus();
    }

    /// Hides it.
    pub fn hide(&self) {
        self.change(WindowChange { visible: Some(false), ..WindowChange::default() });
    }

    /// Raises and focuses it.
    pub fn focus(&self) {
        self.tell("window.focus");
    }

    /// Maximises or restores it.
    pub fn set_maximized(&self, yes: bool) {
        self.change(WindowChange { maximized: Some(yes), ..WindowChange::default() });
    }

    /// Enters or leaves full screen.
    pub fn set_fullscreen(&self, yes: bool) {
        self.change(WindowChange { fullscreen: Some(yes), ..WindowChange::default() });
    }

    /// Changes what `change` names, and nothing else.
    pub fn change(&self, change: WindowChange) {
        let arguments = serde_json::json!({ "label": self.label, "change": change });
        self.app.tell("window.set", &arguments);
    }

    /// How it is now.
    ///
    /// ```no_run
    /// # async fn example(window: staysail::WindowHandle) -> Result<(), staysail::CallError> {
    /// let (width, height) = window.state().await?.size;
    /// # Ok(()) }
    /// ```
    pub fn state(&self) -> Request<WindowState> {
        self.app.ask("window.state", &serde_json::json!({ "label": self.label }))
    }

    /// Closes it, asking its page first when that intercepts closing.
    pub fn close(&self) {
        self.tell("window.close");
    }

    /// Closes it without asking.
    pub fn destroy(&self) {
        self.tell("window.destroy");
    }

    pub(crate) fn app(&self) -> &AppHandle {
        &self.app
    }

    fn tell(&self, feature: &str) {
        self.app.tell(feature, &serde_json::json!({ "label": self.label }));
    }
}

/// Updates of the app, as its backend sees and steers them.
pub struct Updates {
    app: AppHandle,
}

impl Updates {
    /// Looks for a release now.
    pub fn check(&self) {
        self.wish(UpdateWish::Check);
    }

    /// Applies the staged release now, whatever was deferred. Where none waits, one is looked for, also one in waves whose turn this
    /// install's is not yet.
    pub fn apply(&self) {
        self.wish(UpdateWish::Apply);
    }

    /// Does not apply before this time has passed, also over starts; `later_max_s` (30 days) at most, and no longer than the
    /// release's `postpone_days_max` once nobody would be disturbed.
    pub fn defer(&self, time: Duration) {
        self.wish(UpdateWish::Defer { seconds: time.as_secs() });
    }

    /// Does not take this version. Remembered over starts until another one is taken; a critical release is taken all the
    /// same.
    pub fn skip(&self, version: &str) {
        self.wish(UpdateWish::Skip { version: version.into() });
    }

    /// Follows a channel from now on, remembered over starts; the app's own (`[update] channel` of staysail.toml) without a
    /// name. One that the repository does not name is told as a failure. A change of the channel never takes the app
    /// back: where the newest release there is older than what runs, it stays until that is passed.
    pub fn follow(&self, channel: Option<&str>) {
        self.wish(UpdateWish::Follow { channel: channel.map(Into::into) });
    }

    /// Stays at a version (`1.4.2`) or at all that begin alike (`1.4.x`), remembered over starts, until this is called
    /// without one. Not even a critical release is taken that is another; that is told as the event `Held`.
    ///
    /// ```no_run
    /// # fn of(app: &staysail::AppHandle) {
    /// app.updates().pin(Some("1.4.x"));
    /// # }
    /// ```
    pub fn pin(&self, version: Option<&str>) {
        self.wish(UpdateWish::Pin { version: version.map(Into::into) });
    }

    /// Downloads releases and asset groups no faster than so many bytes per second from now on, all together, also what is
    /// under way; `None` for as fast as they come. Holds until the app ends, in place of `download_bytes_per_s_max` in
    /// `staysail.toml`. A limit below `download_bytes_per_s_min` counts as that.
    ///
    /// ```no_run
    /// # fn of(app: &staysail::AppHandle) {
    /// app.updates().limit_downloads(Some(200_000)); // a call begins
    /// # }
    /// ```
    pub fn limit_downloads(&self, bytes_per_s_max: Option<u64>) {
        self.wish(UpdateWish::DownloadRate { bytes_per_s_max });
    }

    /// Tells the update policy a value of the app's own, which its expressions know as `custom.NAME`. It is asked for
    /// whenever such an expression is looked at, has one second to answer, and must not disturb what the app does.
    /// `None` is no answer, which makes what depends on it unknown: the update waits. In place of the one before.
    ///
    /// ```no_run
    /// # fn of(app: &staysail::AppHandle, recordings: std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    /// // staysail.toml: [update.policy] apply = "!custom.recording"
    /// app.updates().condition("recording", move || {
    ///     Some((recordings.load(std::sync::atomic::Ordering::Relaxed) > 0).into())
    /// });
    /// # }
    /// ```
    pub fn condition(&self, name: &str, value: impl Fn() -> Option<CustomValue> + Send + Sync + 'static) {
        let conditions = &self.app.inner.update_conditions;
        let mut conditions = conditions.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        conditions.insert(name.into(), Arc::new(value));
    }

    /// Is told of each step in the life of an update.
    pub fn on_event(&self, handler: impl Fn(&UpdateEvent) + Send + Sync + 'static) {
        let listeners = &self.app.inner.update_listeners;
        listeners.write().unwrap_or_else(std::sync::PoisonError::into_inner).push(Box::new(handler));
    }

    fn wish(&self, wish: UpdateWish) {
        self.app.inner.outbox.send(0, &ToShell::Update(wish), Vec::new());
    }
}
