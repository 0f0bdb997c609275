//! Services: parts of the backend with a beginning and an end of their own, whose methods are commands.
//!
//! # Theory of operation
//! The order is decided when the app describes itself, purely from what each service says it needs (`order`), so a
//! circle or a gap is an error before anything runs. A worker starts its services one after the other in that order,
//! in its set-up phase; each start runs on a thread of its own, so one that never ends is given up in time. It stops
//! them in reverse when the shell ends it. One that does not stop within its share of the time is left running while
//! the others stop, and has until the end of the whole time.

mod order;

use crate::command::{Call, Command, Need};
use crate::handle::AppHandle;
use crate::runtime::panicked;
use staysail_protocol::CallError;
use staysail_protocol::limits::{SERVICE_START_TIMEOUT_MS, SERVICE_STOP_TIMEOUT_MS};
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

pub(crate) use order::order;

/// A part of the backend that is started with each worker and stopped with it, and whose methods the page may call.
/// Made by `#[service]` on an impl block.
///
/// Services start in the order of what they need, whatever order they were added in, before the worker's first call
/// and after the app's [`setup`](crate::App::setup). They stop in reverse when the worker is ended in order.
///
/// ```no_run
/// use staysail::{App, AppHandle, State, service};
///
/// /// What the user has chosen.
/// #[derive(Default)]
/// struct Settings;
///
/// #[service]
/// impl Settings {}
///
/// /// The user's notes.
/// struct Library {
///     titles: Vec<String>,
/// }
///
/// #[service]
/// impl Library {
///     /// Runs after `Settings` has started. Without such a method, `Default::default()` makes the service.
///     #[start]
///     fn start(app: AppHandle, _settings: State<Settings>) -> std::io::Result<Self> {
///         let text = std::fs::read_to_string(app.data_dir().join("titles"))?;
///         Ok(Self { titles: text.lines().map(String::from).collect() })
///     }
///
///     /// Searches: `invoke("library.search", { query })`.
///     #[command]
///     fn search(&self, query: String) -> Vec<String> {
///         self.titles.iter().filter(|title| title.contains(&query)).cloned().collect()
///     }
///
///     /// Runs before `Settings` stops.
///     #[stop]
///     async fn stop(&self) {}
/// }
///
/// fn main() -> staysail::Result {
///     App::new("com.example.notes").service::<Library>().service::<Settings>().run()
/// }
/// ```
pub trait Service: Send + Sync + Sized + 'static {
    /// What its commands' names begin with.
    const NAME: &'static str;

    #[doc(hidden)]
    fn definition() -> Definition;
}

/// Something of a service's that is to be run: on a thread that may wait, or as a future.
pub enum Work<T> {
    /// May wait or compute.
    Blocking(Box<dyn FnOnce() -> T + Send>),
    /// Waits without holding a thread.
    Async(Pin<Box<dyn Future<Output = T> + Send>>),
}

/// A service of whatever type.
pub type Instance = Arc<dyn Any + Send + Sync>;

/// Takes what a start needs, and makes what starts the service.
pub type Start = fn(Call) -> Result<Work<Result<Instance, String>>, CallError>;
/// Makes what stops the service.
pub type Stop = fn(Instance) -> Work<Result<(), String>>;

/// A service as `#[service]` makes it.
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: TypeId,
    /// The name of the type, for people.
    pub type_name: &'static str,
    /// What its start needs.
    pub needs: fn() -> Vec<Option<Need>>,
    /// How it starts.
    pub start: Start,
    /// How it stops, if there is something to do.
    pub stop: Option<Stop>,
    /// Its methods.
    pub commands: fn() -> Vec<Command>,
}

/// The services of a worker.
#[derive(Default)]
pub(crate) struct Services {
    /// In the order they start.
    ordered: Vec<Definition>,
    started: Mutex<Vec<(usize, Instance)>>,
}

impl Services {
    /// `definitions` were ordered before, when the app described itself.
    pub fn new(definitions: Vec<Definition>) -> Self {
        let order = order(&definitions, |_| true).unwrap_or_default();
        let mut definitions: Vec<_> = definitions.into_iter().map(Some).collect();
        let ordered = order.into_iter().filter_map(|index| definitions[index].take()).collect();
        Self { ordered, started: Mutex::default() }
    }

    /// Starts all of them, each after those it needs. On an error those that have started are stopped again.
    pub fn start(&self, app: &AppHandle, tasks: &Handle) -> Result<(), String> {
        let started = self.start_each(app, tasks);
        if started.is_err() {
            self.stop(app, tasks);
        }
        started
    }

    fn start_each(&self, app: &AppHandle, tasks: &Handle) -> Result<(), String> {
        let deadline =
            Instant::now() + crate::debugger::patience(Duration::from_millis(SERVICE_START_TIMEOUT_MS));
        for (index, service) in self.ordered.iter().enumerate() {
            let failed =
                |reason: String| format!("the service `{}` could not be started: {reason}", service.name);
            let (app_then, start, name) = (app.clone(), service.start, service.name);
            let started = on_a_thread(name, "start", tasks, move || {
                let call = Call {
                    number: 0,
                    app: app_then,
                    command: name.into(),
                    window: String::new(),
                    body: Vec::new(),
                    raw: false,
                };
                start(call).map_err(|error| error.message)
            });
            let started = started.map_err(failed)?;
            let left = deadline.saturating_duration_since(Instant::now());
            let instance = match started.recv_timeout(left) {
                Ok(result) => result.and_then(|instance| instance).map_err(failed)?,
                Err(_) => {
                    return Err(failed(format!(
                        "it was still starting when the time for all services was over, {SERVICE_START_TIMEOUT_MS} ms \
                         (service_start_timeout_ms); start with little and load the rest in the background"
                    )));
                }
            };
            app.manage_as(service.ty, instance.clone());
            self.started().push((index, instance));
        }
        Ok(())
    }

    fn started(&self) -> std::sync::MutexGuard<'_, Vec<(usize, Instance)>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops all that have started, those that need others first. Returns when all have stopped or the time is over.
    pub fn stop(&self, app: &AppHandle, tasks: &Handle) {
        let deadline = Instant::now() + Duration::from_millis(SERVICE_STOP_TIMEOUT_MS);
        // Held to the end, so that whoever asks again waits for it.
        let mut started = self.started();
        let stops = started.drain(..).rev().filter_map(|(index, instance)| {
            let Definition { name, stop, .. } = self.ordered[index];
            stop.map(|stop| (name, stop, instance))
        });
        let stops: Vec<_> = stops.collect();
        let mut late: Vec<(&str, Receiver<Stopped>)> = Vec::new();
        let mut left = stops.len() as u32;
        for (name, stop, instance) in stops {
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            left -= 1;
            match on_a_thread(name, "stop", tasks, move || Ok(stop(instance))) {
                Ok(stopped) => match stopped.recv_timeout(share) {
                    Ok(stopped) => report(app, name, stopped),
                    Err(_) => late.push((name, stopped)),
                },
                Err(reason) => report(app, name, Err(reason)),
            }
        }
        for (name, stopped) in late {
            match stopped.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(stopped) => report(app, name, stopped),
                Err(_) => report(
                    app,
                    name,
                    Err(format!(
                        "it took longer than {SERVICE_STOP_TIMEOUT_MS} ms (service_stop_timeout_ms)"
                    )),
                ),
            }
        }
    }
}

type Stopped = Result<Result<(), String>, String>;

fn report(app: &AppHandle, name: &str, stopped: Stopped) {
    if let Err(reason) = stopped.and_then(|stopped| stopped) {
        app.log("error", format!("the service `{name}` did not stop in order: {reason}"));
    }
}

/// Makes work and does it on a thread of its own. A panic is an error.
fn on_a_thread<T: Send + 'static>(
    name: &str,
    what: &'static str,
    tasks: &Handle,
    make: impl FnOnce() -> Result<Work<T>, String> + Send + 'static,
) -> Result<Receiver<Result<T, String>>, String> {
    let (done, result) = mpsc::channel();
    let tasks = tasks.clone();
    let work = move || {
        let _context = tasks.enter();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            Ok(match make()? {
                Work::Blocking(run) => run(),
                Work::Async(future) => tasks.block_on(future),
            })
        }));
        let _ = done.send(outcome.unwrap_or_else(|panic| Err(panicked(what, panic.as_ref()).message)));
    };
    let thread = std::thread::Builder::new().name(format!("{name} {what}"));
    thread.spawn(work).map_err(|error| format!("no thread for it: {error}"))?;
    Ok(result)
}

/// Names of services by type, for messages.
pub(crate) fn names(definitions: &[Definition]) -> HashMap<TypeId, &'static str> {
    definitions.iter().map(|service| (service.ty, service.name)).collect()
}

#[cfg(test)]
mod tests;
