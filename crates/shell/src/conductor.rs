//! Exchanges workers: the swap of DESIGN §5, and starting a worker again that died.
//!
//! # Theory of operation
//! One swap at a time. The candidate is started and greeted while the old worker serves. Then, under the lock of
//! the `Lineup`, the gate of the router closes, calls under way get a bounded time to end, the
//! old worker's declared state is handed over, and the gate opens to the new worker. From the first moment to the
//! last there is a worker to return to: before the switch by opening the gate again, after it by thawing the old
//! worker, which stays frozen in memory through the new one's probation. However fast swaps follow each other, each
//! worker has its time (`drain_s`) to finish its calls before it is ended.
//!
//! A worker's connection that ends unexpectedly is a crash. Within probation it returns to the frozen worker;
//! otherwise the same executable is started again, with the newest checkpoint of its state and a growing pause,
//! until the named number of tries is used up.

mod exclusive;
pub mod modules;
mod probation;
mod recovery;
pub mod shadow;
mod state;

use crate::desktop::{self, Asker};
use crate::shell::Shell;
use crate::wasm::Modules;
use crate::worker::{Launch, NotStarted, Worker};
use state::{Content, Snapshot, restore};
use staysail_link::Incoming;
use staysail_protocol::bridge::PageEvent;
use staysail_protocol::control::SwapTiming;
use staysail_protocol::frame::Frame;
use staysail_protocol::limits;
use staysail_protocol::worker::{ToShell, ToWorker};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex as PlainMutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, oneshot};

/// A worker with what the shell keeps of it.
struct Seat {
    worker: Arc<Worker>,
    /// Answers to questions asked of it, other than calls.
    replies: PlainMutex<Replies>,
    /// Its connection has ended: no question will be answered any more.
    gone: AtomicBool,
    /// Its state is too large for checkpoints, and has changed since the newest one.
    left_out: AtomicBool,
    /// It was asked for its state, which is large.
    grows: AtomicBool,
    /// The Wasm modules it has.
    modules: PlainMutex<Modules>,
    /// Held by whoever asks for its health: there is one answer at a time.
    health_turn: Mutex<()>,
    drains: Drains,
}

/// What is known of the drains of a worker: it may be returned to, and drained again later.
#[derive(Default)]
struct Drains {
    /// Number of the newest one, or of its being called off.
    newest: AtomicU64,
    /// The newest one is over.
    done: AtomicBool,
}

#[derive(Default)]
struct Replies {
    restored: Option<oneshot::Sender<Result<(), String>>>,
    snapshot: Option<oneshot::Sender<Result<Content, String>>>,
    retired: Option<oneshot::Sender<()>>,
    healthy: Option<oneshot::Sender<Result<(), String>>>,
    modules: Option<oneshot::Sender<Result<(), String>>>,
    released: exclusive::Question,
    acquired: exclusive::Question,
    pong: Option<oneshot::Sender<()>>,
}

/// Who plays.
#[derive(Default)]
struct Lineup {
    active: Option<Arc<Seat>>,
    /// The worker before, kept through the probation of the active one.
    frozen: Option<Arc<Seat>>,
    /// Told how the probation of the active worker ended.
    verdict: Option<oneshot::Sender<Result<(), String>>>,
    /// What to start again after the shell stopped trying.
    last_launch: Option<Launch>,
    crashes: Vec<Instant>,
}

/// Owns the workers. See the module's theory of operation.
#[derive(Default)]
pub struct Conductor {
    /// Held through a whole swap; the lineup only while it changes, so that recovery never waits for a candidate
    /// that is still starting.
    swapping: Mutex<()>,
    lineup: Mutex<Lineup>,
    checkpoint: PlainMutex<Snapshot>,
}

/// How to swap.
#[derive(Default)]
pub struct SwapOptions {
    /// Leave the old worker's declared state behind.
    pub fresh: bool,
    /// Done at the switch, between the last call to the old worker and the first to the new one: other assets,
    /// other facts.
    pub at_switch: Option<Box<dyn FnOnce() + Send>>,
}

/// Why a switch was given up; the worker before serves.
#[derive(Debug)]
pub struct Refusal {
    /// A sentence for people, saying what happened and what to do.
    pub reason: String,
    /// The state was not handed over: without it, the new worker would start.
    pub of_state: bool,
    /// Not the new worker is at fault, but the one before or the machine: the new one may be tried again.
    pub of_others: bool,
    /// It speaks another protocol than this shell: with another shell it would start.
    pub of_shell: bool,
}

impl Refusal {
    fn of_others(reason: String) -> Self {
        Self { of_others: true, ..reason.into() }
    }
}

impl From<NotStarted> for Refusal {
    fn from(not: NotStarted) -> Self {
        Self { of_shell: not.of_shell, ..not.reason.into() }
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self { reason, of_state: false, of_others: false, of_shell: false }
    }
}

impl From<Refusal> for String {
    fn from(refusal: Refusal) -> Self {
        refusal.reason
    }
}

/// A finished switch.
pub struct Switched {
    /// Where the time went.
    pub timing: SwapTiming,
    /// The new worker speaks another interface than the one before: pages must be loaded again.
    pub new_interface: bool,
    /// How its probation ended. An error means that the worker before is live again.
    pub verdict: oneshot::Receiver<Result<(), String>>,
}

impl Conductor {
    /// Starts `launch` and makes it the active worker. On an error the old worker goes on serving as if nothing had
    /// been asked.
    ///
    /// # Errors
    /// Why not.
    pub async fn swap(
        &self,
        shell: &Arc<Shell>,
        launch: Launch,
        options: SwapOptions,
    ) -> Result<Switched, Refusal> {
        let begun = Instant::now();
        let _one_at_a_time = self.swapping.lock().await;
        let config = shell.facts().config;
        self.lineup.lock().await.last_launch.get_or_insert_with(|| launch.clone());
        let new = self.start(shell, launch.clone()).await?;
        let hello_ms = milliseconds(begun);
        let mut lineup = self.lineup.lock().await;

        let quiesce_begun = Instant::now();
        shell.router.close();
        let old = lineup.active.clone().or_else(|| lineup.frozen.clone());
        let snapshot =
            if options.fresh { Ok(Snapshot::default()) } else { self.take_state(shell, old.as_ref()).await };
        let quiesce_ms = milliseconds(quiesce_begun);

        let restore_begun = Instant::now();
        let of_others = snapshot.is_err();
        let restored = match snapshot {
            Ok(snapshot) => restore(&new, &snapshot).await,
            Err(reason) => Err(reason),
        };
        if let Err(reason) = restored {
            shell.router.reopen();
            new.worker.kill();
            return Err(Refusal { of_state: true, of_others, ..reason.into() });
        }
        let restore_ms = milliseconds(restore_begun);

        let serving = old.as_ref().filter(|old| lineup.is_active(old));
        // What the worker before holds by its hooks, the new one may have declared by now: it is let go of first.
        let mut retired = serving.filter(|old| exclusive::begins(old, &new)).map(|old| old.ask_to_retire());
        if let (Some(retired), Some(old)) = (&retired, serving) {
            wait_for_hooks(shell, old, retired).await;
        }
        if let Err(refusal) = exclusive::hand_over(serving, &new, options.fresh).await {
            if let (Some(_), Some(old)) = (&retired, serving) {
                old.worker.tell(&ToWorker::Activate);
            }
            shell.router.reopen();
            return Err(refusal);
        }
        if retired.is_none() {
            retired = serving.map(|old| old.ask_to_retire());
            if let (Some(retired), Some(old)) = (&retired, serving) {
                wait_for_hooks(shell, old, retired).await;
            }
        }
        new.worker.tell(&ToWorker::Activate);
        let interface = |seat: &Arc<Seat>| seat.worker.hello.description.interface.clone();
        let new_interface = old.as_ref().is_some_and(|old| interface(old) != interface(&new));
        if let Some(at_switch) = options.at_switch {
            at_switch();
        }
        shell.router.switch(new.worker.clone(), new_interface);
        let timing = SwapTiming {
            hello_ms,
            quiesce_ms,
            restore_ms,
            gate_ms: milliseconds(quiesce_begun),
            total_ms: milliseconds(begun),
        };

        if options.fresh {
            self.keep_checkpoint(Snapshot::default());
        }
        lineup.last_launch = Some(launch);
        lineup.crashes.clear();
        if let Some(verdict) = lineup.verdict.take() {
            let _ = verdict.send(Ok(()));
        }
        let previous = lineup.active.replace(new.clone());
        if let Some(older) = lineup.frozen.take() {
            probation::let_go(&older);
        }
        let (verdict_in, verdict) = oneshot::channel();
        lineup.verdict = Some(verdict_in);
        lineup.frozen = previous;
        if let (Some(old), Some(retired)) = (&lineup.frozen, retired) {
            probation::drain(shell, old, retired, config.drain_s);
        }
        shell.runtime.spawn(probation::watch(shell.clone(), new, config.probation_s));
        drop(lineup);
        shell.hide_overlay("crash_loop");
        shell.announce(
            "staysail:worker",
            &serde_json::json!({ "kind": "swapped", "milliseconds": timing.gate_ms }),
        );
        Ok(Switched { timing, new_interface, verdict })
    }

    /// Starts a worker and the task that reads what it says.
    async fn start(&self, shell: &Arc<Shell>, launch: Launch) -> Result<Arc<Seat>, NotStarted> {
        let config = shell.facts().config;
        let sink_shell = shell.clone();
        let lines = Arc::new(move |source: &str, line: String| {
            sink_shell.worker_line(source, &line);
        });
        let welcome = shell.welcome(&launch);
        let timeout = launch.patience(Duration::from_millis(config.hello_timeout_ms));
        let (worker, frames) = Worker::start(launch, welcome, timeout, lines).await?;
        let seat = Seat::of(worker);
        let modules = &seat.worker.launch.modules;
        let taken = seat.worker.takes_modules().then(|| {
            let (answer_in, answer) = oneshot::channel();
            seat.replies().modules = Some(answer_in);
            answer
        });
        shell.runtime.spawn(listen(shell.clone(), seat.clone(), frames));
        match taken {
            Some(answer) => {
                if let Err(reason) = seat.modules_taken(answer, modules).await {
                    seat.worker.kill();
                    return Err(reason.into());
                }
            }
            None if modules.is_empty() => {}
            None => shell.worker_line(
                "warn",
                "there are Wasm modules, but this backend takes none; give the dependency `staysail` the feature `wasm`",
            ),
        }
        Ok(seat)
    }

    /// Ends all workers in order, because the app ends.
    pub async fn shut_down(&self) {
        let mut lineup = self.lineup.lock().await;
        let seats: Vec<_> = lineup.active.take().into_iter().chain(lineup.frozen.take()).collect();
        drop(lineup);
        // Side by side: each has the whole time.
        let ends = seats.into_iter().map(|seat| tokio::task::spawn_blocking(move || seat.worker.end()));
        for end in ends.collect::<Vec<_>>() {
            let _ = end.await;
        }
    }
}

impl Lineup {
    fn is_active(&self, seat: &Arc<Seat>) -> bool {
        self.active.as_ref().is_some_and(|active| Arc::ptr_eq(active, seat))
    }
}

impl Seat {
    fn of(worker: Arc<Worker>) -> Arc<Self> {
        Arc::new(Self {
            worker,
            replies: PlainMutex::default(),
            gone: AtomicBool::new(false),
            left_out: AtomicBool::new(false),
            grows: AtomicBool::new(false),
            modules: PlainMutex::default(),
            health_turn: Mutex::default(),
            drains: Drains::default(),
        })
    }

    fn replies(&self) -> std::sync::MutexGuard<'_, Replies> {
        self.replies.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Asks a question; the receiver fails when the worker is gone, or goes before it answers.
    fn ask<T>(
        &self,
        slot: impl FnOnce(&mut Replies) -> &mut Option<oneshot::Sender<T>>,
        question: &ToWorker,
        body: Vec<u8>,
    ) -> oneshot::Receiver<T> {
        let (answer_in, answer) = oneshot::channel();
        *slot(&mut self.replies()) = Some(answer_in);
        if self.gone.load(Ordering::SeqCst) {
            self.nothing_more();
        } else {
            self.worker.tell_with(question, body);
        }
        answer
    }

    /// Ends the wait for all answers.
    fn nothing_more(&self) {
        self.gone.store(true, Ordering::SeqCst);
        *self.replies() = Replies::default();
    }

    fn ask_to_retire(&self) -> tokio::task::JoinHandle<()> {
        let answer = self.ask(|replies| &mut replies.retired, &ToWorker::Retire, Vec::new());
        tokio::spawn(async move {
            let _ = answer.await;
        })
    }
}

/// Waits for the `on_retire` hooks of a worker that has nothing under way, so that this is over as fast as they are: what
/// they let go of is free before the new worker takes it.
async fn wait_for_hooks(shell: &Shell, old: &Seat, retired: &tokio::task::JoinHandle<()>) {
    if shell.router.in_flight(old.worker.id) == 0 {
        let deadline = Duration::from_millis(limits::QUIESCE_MS);
        let _ = tokio::time::timeout(deadline, wait_until(|| retired.is_finished())).await;
    }
}

/// Waits for a condition that is reached within milliseconds; the caller bounds the wait.
async fn wait_until(condition: impl Fn() -> bool) {
    let mut pause = Duration::from_micros(50);
    while !condition() {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

/// Reads what a worker says until its connection ends.
/// Boxed, because a worker that is lost is started again, which listens again.
fn listen(
    shell: Arc<Shell>,
    seat: Arc<Seat>,
    mut frames: Incoming,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        while let Some(frame) = frames.next().await {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    tracing::error!(%error, "the backend sent bytes that are no frame; its connection is closed");
                    break;
                }
            };
            match frame.message::<ToShell>() {
                Ok(message) => heed(&shell, &seat, message, frame),
                Err(error) => {
                    tracing::warn!(%error, "a message of the backend could not be read; it is ignored")
                }
            }
        }
        recovery::lost(&shell, &seat).await;
    })
}

fn heed(shell: &Arc<Shell>, seat: &Arc<Seat>, message: ToShell, frame: Frame) {
    match message {
        ToShell::Answer { raw } => {
            shell.router.answered(seat.worker.id, frame.call, Ok((frame.body, raw)));
        }
        ToShell::Failed { error } => shell.router.answered(seat.worker.id, frame.call, Err(error)),
        ToShell::Stream { stream, raw } => {
            shell.streams.message(seat.worker.id, frame.call, stream, frame.body, raw);
        }
        ToShell::Taken { stream } => shell.streams.taken(seat.worker.id, frame.call, stream),
        ToShell::StreamEnd { stream } => shell.streams.ended(seat.worker.id, frame.call, stream, None),
        ToShell::Event { name, window } => match serde_json::from_slice(&frame.body) {
            Ok(payload) => shell.pages.tell(window.as_deref(), &PageEvent::Event { name, payload }),
            Err(error) => tracing::warn!(name, %error, "the payload of an event is no JSON; it is dropped"),
        },
        // A worker that is being drained may still change its state; the state that goes on is the active one's.
        ToShell::Checkpoint if shell.router.active().is_none_or(|active| active.id == seat.worker.id) => {
            let version = seat.worker.hello.version.clone();
            seat.left_out.store(false, Ordering::SeqCst);
            let snapshot = Snapshot { version, content: Content::Inline(frame.body) };
            if let Some(mirror) = shell.router.mirror() {
                mirror.changed(seat.worker.id, Some(snapshot.clone()));
            }
            shell.conductor.keep_checkpoint(snapshot);
        }
        ToShell::CheckpointLeftOut => {
            if let Some(mirror) = shell.router.mirror() {
                mirror.changed(seat.worker.id, None);
            }
            seat.left_out.store(true, Ordering::SeqCst);
        }
        ToShell::SnapshotGrows => seat.grows.store(true, Ordering::SeqCst),
        ToShell::Snapshot { attached } => state::answered(seat, frame, attached),
        ToShell::SnapshotFailed { state, message } => state::refused(seat, &state, &message),
        ToShell::Restored => state::restored(seat, Ok(())),
        ToShell::RestoreFailed { state, message } => state::restored(seat, Err((&state, &message))),
        ToShell::Released => exclusive::answered(seat, |replies| &mut replies.released, Ok(())),
        ToShell::ReleaseFailed { resource, message } => {
            let failed = exclusive::failed(&resource, &message);
            exclusive::answered(seat, |replies| &mut replies.released, failed);
        }
        ToShell::Acquired => exclusive::answered(seat, |replies| &mut replies.acquired, Ok(())),
        ToShell::AcquireFailed { resource, message } => {
            let failed = exclusive::failed(&resource, &message);
            exclusive::answered(seat, |replies| &mut replies.acquired, failed);
        }
        ToShell::Retired => {
            if let Some(waiting) = seat.replies().retired.take() {
                let _ = waiting.send(());
            }
        }
        ToShell::Healthy { ok, message } => {
            if let Some(waiting) = seat.replies().healthy.take() {
                let _ = waiting.send(if ok { Ok(()) } else { Err(message) });
            }
        }
        ToShell::ModulesTaken => modules_answered(seat, Ok(())),
        ToShell::ModulesRefused { message, .. } => modules_answered(seat, Err(message)),
        ToShell::Pong { .. } => {
            if let Some(waiting) = seat.replies().pong.take() {
                let _ = waiting.send(());
            }
        }
        ToShell::Log { level, message } => shell.worker_line(&level, &message),
        ToShell::Desktop { name } => use_native(shell, seat, name, frame),
        ToShell::Update(wish) => shell.observe(|observer| observer.update_wish(wish)),
        ToShell::Exit { code } => shell.ui.exit(code),
        ToShell::Checkpoint | ToShell::Hello(_) | ToShell::Unknown => {}
    }
}

fn modules_answered(seat: &Seat, answer: Result<(), String>) {
    if let Some(waiting) = seat.replies().modules.take() {
        let _ = waiting.send(answer);
    }
}

/// Does natively what the worker asks for, and answers when it wants that.
fn use_native(shell: &Arc<Shell>, seat: &Arc<Seat>, name: String, frame: Frame) {
    let (shell_then, seat) = (shell.clone(), seat.clone());
    desktop::begin(shell, async move {
        let outcome = desktop::handle(&shell_then, &Asker::Worker(seat.worker.id), &name, &frame.body).await;
        let (message, body) = match outcome {
            Ok(value) => (ToWorker::DesktopDone, value.to_string().into_bytes()),
            Err(error) if frame.call == 0 => {
                return shell_then.worker_line("warn", &format!("{name}: {error}"));
            }
            Err(error) => (ToWorker::DesktopFailed { error }, Vec::new()),
        };
        if frame.call != 0 {
            let _ = seat.worker.link.pass(Frame::new(frame.call, &message, body));
        }
    });
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
