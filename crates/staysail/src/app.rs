//! Declaring an app.

use crate::command::{Command, Kind, Need};
use crate::connection::Invitation;
use crate::describe::{self, Types};
use crate::exclusive::{Exclusive, Exclusives};
use crate::handle::AppHandle;
use crate::kept::{KeptState, Migrate, States};
use crate::service::{self, Service};
use crate::{Error, Event, Result, Window, runtime};
use serde::Serialize;
use serde::de::DeserializeOwned;
use staysail_protocol::desktop::Declared;
use staysail_protocol::interface::{DESCRIBE_ARGUMENT, Description, EventSpec, StateSpec};
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) type Hook = Box<dyn Fn(&AppHandle) + Send + Sync>;
pub(crate) type Setup = Box<dyn FnOnce(&AppHandle) -> std::result::Result<(), String> + Send>;
pub(crate) type Health = Box<dyn Fn() -> std::result::Result<(), String> + Send + Sync>;

/// An app: declare what it has, then [`run`](App::run) it.
#[must_use = "an app does nothing until it is run"]
pub struct App {
    pub(crate) id: String,
    pub(crate) version: String,
    windows: Vec<Window>,
    pub(crate) desktop: Declared,
    pub(crate) commands: Vec<Command>,
    events: Vec<fn(&mut Types) -> EventSpec>,
    pub(crate) kept: States,
    pub(crate) exclusive: Exclusives,
    pub(crate) states: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    pub(crate) services: Vec<service::Definition>,
    pub(crate) setup: Vec<Setup>,
    pub(crate) activate: Vec<Hook>,
    pub(crate) retire: Vec<Hook>,
    pub(crate) health: Vec<Health>,
}

impl App {
    /// An app with a reverse-domain identifier, e.g. `com.example.notes`.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            version: String::new(),
            windows: Vec::new(),
            desktop: Declared::default(),
            commands: Vec::new(),
            events: Vec::new(),
            kept: States::default(),
            exclusive: Exclusives::default(),
            states: HashMap::new(),
            services: Vec::new(),
            setup: Vec::new(),
            activate: Vec::new(),
            retire: Vec::new(),
            health: Vec::new(),
        }
    }

    /// Adds a window. The first is the main one; without any, one named `main` is opened.
    pub fn window(mut self, window: Window) -> Self {
        self.windows.push(window);
        self
    }

    /// The app goes on when its last window is closed, until [`AppHandle::exit`] is called.
    pub fn run_without_windows(mut self) -> Self {
        self.desktop.runs_without_windows = true;
        self
    }

    /// Adds commands: `.commands(commands![greet, notes::search])`.
    pub fn commands(mut self, commands: Vec<Command>) -> Self {
        self.commands.extend(commands);
        self
    }

    /// Gives the app something for its commands to use as [`State<T>`](struct@crate::State). It lives in one worker; what
    /// must survive a swap is declared with [`keep`](App::keep).
    pub fn manage<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(TypeId::of::<T>(), Arc::new(value));
        self
    }

    /// Adds a [`Service`]: it is started with each worker and stopped with it, its methods are commands, and others
    /// reach it as [`State<S>`](struct@crate::State).
    pub fn service<S: Service>(mut self) -> Self {
        let definition = S::definition();
        self.commands.extend((definition.commands)());
        self.services.push(definition);
        self
    }

    /// Declares state that is handed from worker to worker under `name`, for commands to use as
    /// [`Kept<T>`](crate::Kept). `initial` is its value at the first start.
    pub fn keep<T>(mut self, name: &str, initial: T) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.kept.add(name, 1, initial, None);
        self
    }

    /// Like [`keep`](App::keep), with a version of its type and a way to make it from an older version's value.
    pub fn keep_versioned<T>(
        mut self,
        name: &str,
        version: u32,
        initial: T,
        migrate: impl Fn(u32, serde_json::Value) -> std::result::Result<T, String> + Send + Sync + 'static,
    ) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.kept.add(name, version, initial, Some(Box::new(migrate)));
        self
    }

    /// Declares state by its type alone: name, version and the way from older versions are those of its
    /// [`KeptState`](crate::KeptState), its value at the first start is its default.
    pub fn kept<T: KeptState>(mut self) -> Self {
        let migrate = T::FROM_VERSION.map(|migrate| Box::new(migrate) as Migrate<T>);
        self.kept.add(T::NAME, T::VERSION, T::default(), migrate);
        self
    }

    /// Gives the app a resource that only one process can hold, for commands to use as [`Held<T>`](crate::Held). It is
    /// released by the worker before and acquired by the next one when they are exchanged, in the order declared.
    pub fn exclusive<T: Exclusive>(mut self) -> Self {
        self.exclusive.add::<T>();
        self
    }

    /// Names an event, so that the page knows its type.
    pub fn event<E: Event>(mut self) -> Self {
        self.events.push(|types| {
            let payload = types.to_page(format!("the event `{}`", E::NAME), Types::name_of::<E>);
            EventSpec { name: E::NAME.into(), payload }
        });
        self
    }

    /// Runs once in each worker before its first call, when data folder and configuration are known: the place to
    /// open files and give them to the app. An error ends the worker; the one before goes on serving.
    pub fn setup<E: Display>(
        mut self,
        setup: impl FnOnce(&AppHandle) -> std::result::Result<(), E> + Send + 'static,
    ) -> Self {
        self.setup.push(Box::new(move |app| setup(app).map_err(|error| format!("{error:#}"))));
        self
    }

    /// Runs when a worker becomes the active one: the place to start what may run only once. What only one process can
    /// hold is an [`exclusive`](App::exclusive) resource, which can fail and be given back. May run again after a return to this worker.
    pub fn on_activate(mut self, hook: impl Fn(&AppHandle) + Send + Sync + 'static) -> Self {
        self.activate.push(Box::new(hook));
        self
    }

    /// Runs when another worker takes over, after the last call. Exclusive resources are released already.
    pub fn on_retire(mut self, hook: impl Fn(&AppHandle) + Send + Sync + 'static) -> Self {
        self.retire.push(Box::new(hook));
        self
    }

    /// Adds a health check. A new version whose check fails within its probation is rolled back.
    pub fn health<E: Display>(
        mut self,
        check: impl Fn() -> std::result::Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.health.push(Box::new(move || check().map_err(|error| format!("{error:#}"))));
        self
    }

    /// Adds a health check that may fail now and then: it counts once it has failed so many times in a row. Checks are asked for
    /// after the switch and about every two seconds of the probation (`heartbeat_interval_ms`); one that panics counts at once.
    ///
    /// ```
    /// # fn answers() -> Result<(), String> { Ok(()) }
    /// let app = staysail::App::new("com.example.notes").health_after(3, || answers());
    /// ```
    pub fn health_after<E: Display>(
        self,
        failures_in_a_row: u32,
        check: impl Fn() -> std::result::Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        let failed = AtomicU32::new(0);
        self.health(move || match check() {
            Err(error) if failed.fetch_add(1, Ordering::Relaxed) + 1 >= failures_in_a_row => Err(error),
            Err(_) => Ok(()),
            Ok(()) => {
                failed.store(0, Ordering::Relaxed);
                Ok(())
            }
        })
    }

    /// The version of the app; that of its release or project when not set.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Runs the app until its shell ends it.
    ///
    /// # Errors
    /// When it was started without a shell, or its declarations contradict each other.
    pub fn run(self) -> Result {
        let description = self.describe()?;
        if std::env::args().nth(1).as_deref() == Some(DESCRIBE_ARGUMENT) {
            println!("{}", serde_json::to_string(&description).unwrap_or_default());
            return Ok(());
        }
        match Invitation::take() {
            Ok(invitation) => runtime::run(self, description, &invitation),
            Err(error) => {
                eprintln!("{error}");
                std::process::exit(2);
            }
        }
    }

    /// Whether the app has this, or can have been given it by its set-up, services apart.
    fn gives(&self, need: &Need) -> bool {
        match need.kind {
            Kind::Kept => self.kept.has(need.ty),
            Kind::Held => self.exclusive.has(need.ty),
            Kind::State => self.states.contains_key(&need.ty) || !self.setup.is_empty(),
        }
    }

    pub(crate) fn describe(&self) -> Result<Description> {
        if let Some(name) = self.kept.has_twice() {
            return Err(Error::Declaration(format!(
                "the state `{name}` has the name or the type of another one; give each a type of its own"
            )));
        }
        if let Some(name) = self.exclusive.has_twice() {
            return Err(Error::Declaration(format!(
                "the exclusive resource `{name}` has the name or the type of another one; give each of its own"
            )));
        }
        staysail_protocol::desktop::menu::check(&self.desktop.menu)
            .map_err(|error| Error::Declaration(format!("the menu: {error}")))?;
        self.desktop.check().map_err(Error::Declaration)?;
        if let Some(service) = self.services.iter().find(|service| self.states.contains_key(&service.ty)) {
            let name = service.name;
            return Err(Error::Declaration(format!("the service `{name}` was given with App::manage, too")));
        }
        service::order(&self.services, |need| self.gives(need)).map_err(Error::Declaration)?;
        let mut types = Types::default();
        let mut commands = Vec::new();
        for command in &self.commands {
            if commands
                .iter()
                .any(|other: &staysail_protocol::interface::CommandSpec| other.name == command.name)
            {
                return Err(Error::Declaration(format!("two commands are named `{}`", command.name)));
            }
            for need in (command.needs)().into_iter().flatten() {
                let service =
                    need.kind == Kind::State && self.services.iter().any(|service| service.ty == need.ty);
                if !service && !self.gives(&need) {
                    let how = need.kind.how();
                    return Err(Error::Declaration(format!(
                        "the command `{}` uses a {} that the app was never given; give it with {how}",
                        command.name, need.name
                    )));
                }
            }
            commands.push((command.describe)(&mut types));
        }
        let events = self.events.iter().map(|event| event(&mut types)).collect();
        let mut windows: Vec<_> = self.windows.iter().map(|window| window.spec.clone()).collect();
        if windows.is_empty() {
            windows.push(Window::new("main").spec);
        }
        let types = types.declarations().map_err(|problems| Error::Declaration(problems.join("\n")))?;
        Ok(describe::finish(Description {
            app: self.id.clone(),
            windows,
            desktop: self.desktop.clone(),
            commands,
            events,
            types,
            states: self.kept.names().map(|name| StateSpec { name: name.into() }).collect(),
            modules: cfg!(feature = "wasm"),
            interface: String::new(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_may_fail_counts_once_it_has_failed_so_often_in_a_row() {
        let asked = AtomicU32::new(0);
        // Bad twice, good once, and bad from then on.
        let check =
            move || if asked.fetch_add(1, Ordering::Relaxed) == 2 { Ok(()) } else { Err("no answer") };
        let app = App::new("com.example.notes").health_after(3, check);
        let answers: Vec<_> = (0..7).map(|_| app.health[0]().is_ok()).collect();
        assert_eq!(answers, [true, true, true, true, true, false, false]);
        let app = App::new("com.example.notes").health_after(1, || Err("no answer"));
        assert_eq!(app.health[0](), Err("no answer".to_owned()));
    }
}
