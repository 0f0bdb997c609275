//! A worker at work: its conversation with the shell.
//!
//! # Theory of operation
//! The connection has a runtime of its own, on one thread that runs nothing of the app's: signs of life are given
//! whatever the app does, also when async commands block every thread of theirs. Frames are read there in order. A call
//! is prepared there and run elsewhere: blocking commands on a bounded pool of threads, async ones as tasks. What
//! must happen in the shell's order (restore, activation, snapshot, retirement) is done on one [`Lane`], events for
//! listeners on another. Calls that come while activation hooks run wait for them.
//!
//! Each call has an entry in `calls` until it is answered; who takes the entry out answers, so a call is answered
//! exactly once, also when it is cancelled in the moment it ends. A command counts as running until its function has
//! ended, also when nobody waits for it any more; retirement waits for that, runs its hooks, and is told. State that a
//! call changed goes out before its answer, on the same ordered stream. When the socket ends the process ends: it
//! never outlives its shell.

use crate::app::{App, Health, Hook};
use crate::call::Outcome;
use crate::channel::{News, Streams};
use crate::command::{Call, Command, Run};
use crate::connection::{Invitation, Outbox};
use crate::handle::{AppHandle, Inner};
use crate::handover;
use crate::lane::Lane;
use crate::native::Asked;
use crate::service::Services;
use crate::{Error, Result};
use staysail_link::{Courier, Incoming, Link};
use staysail_protocol::frame::Frame;
use staysail_protocol::interface::Description;
use staysail_protocol::worker::{Hello, ToShell, ToWorker, UpdateWish};
use staysail_protocol::{CallError, ErrorCode, PROTOCOL_VERSION, PROTOCOL_VERSION_MIN};
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, RwLock};
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// Most blocking commands that run at once; one more waits.
const BLOCKING_THREADS_MAX: usize = 64;

struct Worker {
    app: AppHandle,
    commands: HashMap<&'static str, Command>,
    activate: Vec<Hook>,
    retire: Vec<Hook>,
    health: Vec<Health>,
    services: Services,
    calls: Mutex<Calls>,
    /// Where async and blocking commands run.
    tasks: Handle,
    /// Restore, activation, snapshot and retirement, in the shell's order.
    control: Lane,
    /// Events and news of updates, for listeners.
    events: Lane,
}

#[derive(Default)]
struct Calls {
    /// Calls that were not answered yet.
    under_way: HashMap<u64, Option<AbortHandle>>,
    /// Commands whose function has not ended yet.
    running: usize,
    retiring: bool,
    /// Activations whose hooks still run.
    activating: usize,
    /// Calls that wait for these.
    waiting: Vec<(u64, Call)>,
    /// Calls that have waited and are just being begun, and whether they were cancelled meanwhile.
    beginning: HashMap<u64, bool>,
    /// What came in the streams of calls that wait or are just being begun: their ends do not exist yet.
    early: HashMap<u64, Vec<(u64, News)>>,
}

/// Counts a command as running until it is dropped, however that comes about.
struct Running(Arc<Worker>);

impl Drop for Running {
    fn drop(&mut self) {
        let mut calls = self.0.calls();
        calls.running -= 1;
        let last = calls.running == 0 && std::mem::take(&mut calls.retiring);
        drop(calls);
        if last {
            self.0.retired();
        }
    }
}

/// Runs the app's conversation with the shell to its end.
pub(crate) fn run(mut app: App, description: Description, invitation: &Invitation) -> Result {
    note_panics();
    crate::debugger::wait_if_asked();
    let tasks = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()?;
    let handle = tasks.handle().clone();
    let connection = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended: Result = connection.block_on(async {
        let (link, mut incoming) = Link::start(invitation.connect()?);
        let outbox = Outbox(link);
        let courier = invitation.courier();
        let hello = Hello {
            protocol_min: PROTOCOL_VERSION_MIN,
            protocol_max: PROTOCOL_VERSION,
            token: invitation.token.clone(),
            version: app.version.clone(),
            attachments: courier.is_some(),
            conditions: true,
            exclusive: app.exclusive.names(),
            description,
        };
        outbox.send(0, &ToShell::Hello(Box::new(hello)), Vec::new());
        let setup = std::mem::take(&mut app.setup);
        let worker = Arc::new(Worker::new(app, outbox, courier, handle.clone())?);
        match next(&mut incoming).await.as_ref().map(Frame::message::<ToWorker>) {
            Some(Ok(ToWorker::Welcome(welcome))) => {
                let _ = worker.app.inner.welcome.set(*welcome);
            }
            Some(_) => return Err(Error::Setup("the shell did not welcome this worker first".into())),
            None => std::process::exit(0),
        }
        let modules = match worker.app.inner.welcome.get().is_some_and(|welcome| welcome.modules) {
            true => next(&mut incoming).await,
            false => None,
        };
        let (begun, done) = (worker.clone(), tokio::sync::oneshot::channel());
        // On a thread of its own: set-up may open files and wait.
        std::thread::spawn(move || {
            let _context = handle.enter();
            let modules = modules.map_or(Ok(()), |frame| begun.take_modules(&frame));
            let result = modules.and_then(|()| setup.into_iter().try_for_each(|setup| setup(&begun.app)));
            let _ = done.0.send(result.and_then(|()| begun.services.start(&begun.app, &handle)));
        });
        match done.1.await {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => return Err(Error::Setup(reason)),
            Err(_) => return Err(Error::Setup("the app's setup panicked".into())),
        }
        while let Some(frame) = next(&mut incoming).await {
            worker.heed(frame);
        }
        // The shell is gone. Nothing may go on on its behalf.
        std::process::exit(0)
    });
    // Whatever the app's setup left running does not keep a failed start from being reported.
    tasks.shutdown_background();
    ended
}

/// The next frame, or `None` when the shell is gone.
async fn next(incoming: &mut Incoming) -> Option<Frame> {
    let frame = incoming.next().await?;
    frame.inspect_err(|error| eprintln!("staysail: the shell sent bytes that are no frame: {error}")).ok()
}

impl Worker {
    fn new(app: App, outbox: Outbox, courier: Option<Courier>, tasks: Handle) -> std::io::Result<Self> {
        let inner = Inner {
            outbox,
            courier,
            kept: app.kept,
            exclusive: app.exclusive,
            states: RwLock::new(app.states),
            listeners: RwLock::default(),
            update_listeners: RwLock::default(),
            update_conditions: RwLock::default(),
            welcome: OnceLock::new(),
            asked: Asked::default(),
            streams: Streams::default(),
            #[cfg(feature = "wasm")]
            modules: crate::modules::Shelf::default(),
        };
        Ok(Self {
            app: AppHandle { inner: Arc::new(inner) },
            commands: app.commands.into_iter().map(|command| (command.name, command)).collect(),
            activate: app.activate,
            retire: app.retire,
            health: app.health,
            services: Services::new(app.services),
            calls: Mutex::default(),
            control: Lane::start("staysail-control", tasks.clone())?,
            events: Lane::start("staysail-events", tasks.clone())?,
            tasks,
        })
    }

    fn tell(&self, message: &ToShell) {
        self.app.inner.outbox.send(0, message, Vec::new());
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn heed(self: &Arc<Self>, frame: Frame) {
        let message = match frame.message::<ToWorker>() {
            Ok(message) => message,
            Err(error) => {
                return self.app.log("warn", format!("a message of the shell could not be read: {error}"));
            }
        };
        match message {
            ToWorker::Call { command, window, raw } => {
                let number = frame.call;
                let call = Call { app: self.app.clone(), number, command, window, body: frame.body, raw };
                let mut calls = self.calls();
                if calls.activating > 0 {
                    calls.waiting.push((frame.call, call));
                    calls.early.insert(frame.call, Vec::new());
                    return;
                }
                drop(calls);
                self.begin(frame.call, call);
            }
            ToWorker::Credit { stream, bytes } => self.stream(frame.call, stream, News::Credit(bytes)),
            ToWorker::Push { stream, raw } => self.stream(frame.call, stream, News::Push(frame.body, raw)),
            ToWorker::PushEnd { stream } => self.stream(frame.call, stream, News::PushEnd),
            ToWorker::StreamGone { stream } => self.stream(frame.call, stream, News::Gone),
            ToWorker::Cancel => self.cancel(frame.call),
            ToWorker::Event { name, window } => self.deliver(name, window, frame.body),
            ToWorker::Snapshot => self.in_order(|worker| handover::deliver(&worker.app.inner)),
            ToWorker::Restore { attached, .. } => {
                self.in_order(move |worker| handover::take_over(&worker.app.inner, &frame.body, attached));
            }
            ToWorker::Modules { .. } => self.in_order(move |worker| {
                let _ = worker.take_modules(&frame);
            }),
            ToWorker::Release => self.in_order(|worker| handover::release(&worker.app)),
            ToWorker::Acquire => self.in_order(|worker| handover::acquire(&worker.app)),
            ToWorker::Activate => {
                let mut calls = self.calls();
                calls.retiring = false;
                calls.activating += 1;
                drop(calls);
                #[cfg(feature = "wasm")]
                self.app.inner.modules.forget_failures();
                self.in_order(|worker| {
                    handover::acquire_late(&worker.app);
                    worker.run_hooks(&worker.activate);
                    worker.activated();
                });
            }
            ToWorker::Retire => {
                let mut calls = self.calls();
                // An activation still under way ends with calls that waited for it.
                calls.retiring = calls.running > 0 || calls.activating > 0;
                let idle = !calls.retiring;
                drop(calls);
                if idle {
                    self.retired();
                }
            }
            ToWorker::Health => {
                let worker = self.clone();
                // Not on the pool for commands, which may be full.
                let checking = std::thread::Builder::new().spawn(move || {
                    let _context = worker.tasks.enter();
                    worker.check_health();
                });
                if let Err(error) = checking {
                    self.tell(&ToShell::Healthy {
                        ok: false,
                        message: format!("no thread to check on: {error}"),
                    });
                }
            }
            ToWorker::Ping { n } => self.tell(&ToShell::Pong { n }),
            ToWorker::DesktopDone => self.app.inner.asked.answer(frame.call, Ok(frame.body)),
            ToWorker::DesktopFailed { error } => self.app.inner.asked.answer(frame.call, Err(error)),
            ToWorker::Conditions { id, names } => {
                let app = self.app.clone();
                // Not on the pool for commands, which may be full.
                let asking = std::thread::Builder::new().spawn(move || answer_conditions(&app, id, names));
                if let Err(error) = asking {
                    self.tell(&ToShell::Log {
                        level: "warn".into(),
                        message: format!("no thread for conditions: {error}"),
                    });
                }
            }
            ToWorker::Update(event) => {
                let worker = self.clone();
                self.events.run(move || {
                    let listeners = &worker.app.inner.update_listeners;
                    for listener in listeners.read().unwrap_or_else(std::sync::PoisonError::into_inner).iter()
                    {
                        let _ = catch_unwind(AssertUnwindSafe(|| listener(&event)));
                    }
                });
            }
            ToWorker::Shutdown => self.shut_down(),
            ToWorker::Welcome(_) | ToWorker::Unknown => {}
        }
    }

    /// Takes the Wasm modules of a frame, all or none, and answers.
    fn take_modules(&self, frame: &Frame) -> std::result::Result<(), String> {
        let taken = self.modules_of(frame);
        self.tell(&match &taken {
            Ok(()) => ToShell::ModulesTaken,
            Err((module, message)) => {
                ToShell::ModulesRefused { module: module.clone(), message: message.clone() }
            }
        });
        taken.map_err(|(_, message)| message)
    }

    #[cfg(feature = "wasm")]
    fn modules_of(&self, frame: &Frame) -> std::result::Result<(), (String, String)> {
        match frame.message() {
            Ok(ToWorker::Modules { modules, back }) => {
                self.app.inner.modules.take(&self.app, &modules, &frame.body, back)
            }
            _ => Err((String::new(), "the shell sent something else in place of the modules".into())),
        }
    }

    /// Nobody sends modules to a worker that says it takes none.
    #[cfg(not(feature = "wasm"))]
    fn modules_of(&self, _frame: &Frame) -> std::result::Result<(), (String, String)> {
        let message = "this backend takes no modules; give the dependency `staysail` the feature `wasm`";
        Err((String::new(), message.into()))
    }

    fn stream(&self, call: u64, stream: u64, news: News) {
        if let Some(early) = self.calls().early.get_mut(&call) {
            return early.push((stream, news));
        }
        self.app.inner.streams.heed(call, stream, news);
    }

    /// Ends the process in order: services stop first, on a thread of their own, for a bounded time.
    fn shut_down(self: &Arc<Self>) {
        let worker = self.clone();
        let stopping = std::thread::Builder::new().spawn(move || {
            worker.services.stop(&worker.app, &worker.tasks);
            handover::let_go(&worker.app);
            std::process::exit(0);
        });
        if stopping.is_err() {
            std::process::exit(0);
        }
    }

    /// Does something in the shell's order, off the thread that reads.
    fn in_order(self: &Arc<Self>, errand: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let worker = self.clone();
        self.control.run(move || errand(&worker));
    }

    /// The hooks of one activation are through: calls that waited go on, in their order.
    fn activated(self: &Arc<Self>) {
        let mut calls = self.calls();
        calls.activating -= 1;
        if calls.activating > 0 {
            return;
        }
        let waiting = std::mem::take(&mut calls.waiting);
        calls.beginning.extend(waiting.iter().map(|(number, _)| (*number, false)));
        calls.running += 1;
        drop(calls);
        // Counted as running, so that a retirement asked for meanwhile comes after the calls that waited.
        let _running = Running(self.clone());
        for (number, call) in waiting {
            self.begin(number, call);
        }
    }

    /// Nothing runs any more: the app lets go of what only one worker can hold, then the shell is told.
    fn retired(self: &Arc<Self>) {
        self.in_order(|worker| {
            worker.run_hooks(&worker.retire);
            handover::let_go(&worker.app);
            worker.checkpoint();
            worker.tell(&ToShell::Retired);
        });
    }

    fn begin(self: &Arc<Self>, number: u64, call: Call) {
        let Some(command) = self.commands.get(call.command.as_str()) else {
            let message = self.unknown_command(&call.command);
            let mut calls = self.calls();
            calls.beginning.remove(&number);
            calls.early.remove(&number);
            drop(calls);
            return self.answer(number, Err(CallError::new(ErrorCode::UnknownCommand, message)));
        };
        let prepared = catch_unwind(AssertUnwindSafe(|| (command.prepare)(call)));
        // The entry is there before the command runs.
        let mut calls = self.calls();
        let early = calls.early.remove(&number);
        if calls.beginning.remove(&number) == Some(true) {
            drop(calls);
            return self.answer(number, Err(cancelled()));
        }
        calls.under_way.insert(number, None);
        calls.running += 1;
        // Under the lock, so that what comes now comes after it.
        for (stream, news) in early.into_iter().flatten() {
            self.app.inner.streams.heed(number, stream, news);
        }
        drop(calls);
        let (worker, running) = (self.clone(), Running(self.clone()));
        let task = match prepared {
            Ok(Ok(Run::Async(future))) => self.tasks.spawn(async move {
                let _running = running;
                let outcome = CatchPanic { future }.await;
                worker.end(number, outcome);
            }),
            Ok(Ok(Run::Blocking(run))) => self.tasks.spawn_blocking(move || {
                let _running = running;
                let outcome = catch_unwind(AssertUnwindSafe(run))
                    .unwrap_or_else(|panic| Err(panicked("the command", panic.as_ref())));
                worker.end(number, outcome);
            }),
            Ok(Err(error)) => return self.end(number, Err(error)),
            Err(panic) => return self.end(number, Err(panicked("the command", panic.as_ref()))),
        };
        match self.calls().under_way.get_mut(&number) {
            Some(entry) => *entry = Some(task.abort_handle()),
            // Ended or cancelled meanwhile.
            None => task.abort(),
        }
    }

    fn unknown_command(&self, name: &str) -> String {
        let nearest = self
            .commands
            .keys()
            .map(|known| (distance(known, name), known))
            .min()
            .filter(|(distance, _)| *distance <= name.len() / 2);
        let advice = match nearest {
            Some((_, known)) => format!("did you mean `{known}`?"),
            None => "add it to commands![…] in App::commands".into(),
        };
        format!("no command is named `{name}`; {advice}")
    }

    fn end(&self, number: u64, outcome: Outcome) {
        // Also when nobody waits for the answer any more: what the command changed is changed.
        self.checkpoint();
        if self.calls().under_way.remove(&number).is_some() {
            self.answer(number, outcome);
        }
    }

    fn cancel(&self, number: u64) {
        let mut calls = self.calls();
        let before = calls.waiting.len();
        calls.waiting.retain(|(waiting, _)| *waiting != number);
        let waited = calls.waiting.len() < before;
        if waited {
            calls.early.remove(&number);
        }
        let entry = calls.under_way.remove(&number);
        if entry.is_none() && !waited {
            // Between its wait for the activation and its beginning: it is answered where it would begin.
            if let Some(cancelled) = calls.beginning.get_mut(&number) {
                *cancelled = true;
            }
            return;
        }
        drop(calls);
        if let Some(Some(task)) = entry {
            // May drop the command at once, which counts it as ended: not under the lock.
            task.abort();
        }
        self.answer(number, Err(cancelled()));
    }

    fn answer(&self, number: u64, outcome: Outcome) {
        let outbox = &self.app.inner.outbox;
        match outcome {
            Ok((body, raw)) => outbox.send(number, &ToShell::Answer { raw }, body),
            Err(error) => outbox.send(number, &ToShell::Failed { error }, Vec::new()),
        }
    }

    /// When this returns, all declared state changed so far is on its way to the shell.
    fn checkpoint(&self) {
        let inner = &self.app.inner;
        inner.kept.checkpoint(|snapshot| match snapshot {
            Some(snapshot) => inner.outbox.send(0, &ToShell::Checkpoint, snapshot),
            None => inner.outbox.send(0, &ToShell::CheckpointLeftOut, Vec::new()),
        });
    }

    fn deliver(self: &Arc<Self>, name: String, window: String, payload: Vec<u8>) {
        let worker = self.clone();
        self.events.run(move || {
            let listeners =
                worker.app.inner.listeners.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            for listener in listeners.get(&name).into_iter().flatten() {
                let handle = worker.app.window(&window);
                // A panic was logged by the hook; the other listeners still hear the event.
                let _ = catch_unwind(AssertUnwindSafe(|| listener(&payload, handle)));
            }
            drop(listeners);
            worker.checkpoint();
        });
    }

    fn run_hooks(&self, hooks: &[Hook]) {
        for hook in hooks {
            let _ = catch_unwind(AssertUnwindSafe(|| hook(&self.app)));
        }
    }

    fn check_health(&self) {
        let check = |check: &Health| {
            catch_unwind(AssertUnwindSafe(check))
                .unwrap_or_else(|panic| Err(panicked("a health check", panic.as_ref()).message))
        };
        let result = self.health.iter().try_for_each(check);
        #[cfg(feature = "wasm")]
        let result = result.and_then(|()| self.app.inner.modules.health());
        let message = result.as_ref().err().cloned().unwrap_or_default();
        self.tell(&ToShell::Healthy { ok: result.is_ok(), message });
    }
}

/// Tells what the app's conditions come to; one that panics has no value.
fn answer_conditions(app: &AppHandle, id: u64, names: Vec<String>) {
    let values = names.into_iter().filter_map(|name| {
        let conditions =
            app.inner.update_conditions.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let condition = conditions.get(&name)?.clone();
        drop(conditions);
        Some((name, catch_unwind(AssertUnwindSafe(|| condition())).ok()??))
    });
    let values = values.collect();
    app.inner.outbox.send(0, &ToShell::Update(UpdateWish::Conditions { id, values }), Vec::new());
}

thread_local! {
    /// Where the last panic of this thread happened.
    static PANIC_PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Notes where panics happen, besides printing them as usual.
fn note_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        PANIC_PLACE.with_borrow_mut(|last| *last = place);
        print(info);
    }));
}

pub(crate) fn panicked(what: &str, panic: &(dyn Any + Send)) -> CallError {
    let message = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into());
    let place = PANIC_PLACE.with_borrow(Clone::clone);
    CallError::new(ErrorCode::Panicked, format!("{what} panicked at {place}: {message}"))
}

fn cancelled() -> CallError {
    CallError::new(ErrorCode::Cancelled, "the call was cancelled")
}

/// A future whose panic is its outcome.
struct CatchPanic {
    future: Pin<Box<dyn Future<Output = Outcome> + Send>>,
}

impl Future for CatchPanic {
    type Output = Outcome;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(context)))
            .unwrap_or_else(|panic| Poll::Ready(Err(panicked("the command", panic.as_ref()))))
    }
}

/// Edits between two names (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances_count_edits() {
        assert_eq!(distance("greet", "grete"), 2);
        assert_eq!(distance("greet", "greet"), 0);
        assert_eq!(distance("", "abc"), 3);
    }
}
