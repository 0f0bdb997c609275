//! The connection to the development tool: it says what to show and what to exchange, and is told what happened.
//!
//! **Invariant:** when the tool is gone the shell ends itself and its workers; nothing is left over.

use crate::app::Wish;
use crate::assets::Source;
use crate::conductor::{Refusal, SwapOptions};
use crate::reload;
use crate::shell::{Facts, Observer, Shell};
use crate::tabs;
use crate::wasm::Modules;
use crate::worker::Launch;
use staysail_link::{Incoming, Link, Socket};
use staysail_protocol::bridge::{Overlay, PageEvent, PageReport};
use staysail_protocol::control::{Start, SwapTiming, ToShell, ToTool};
use staysail_protocol::frame::Frame;
use staysail_protocol::interface::Description;
use staysail_protocol::module::ModuleFile;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// Title of what lies over the page when modules were not taken.
const NO_MODULES: &str = "The new Wasm modules were not taken over";

/// The tool's side of the connection, before the windows exist.
pub struct Connection {
    link: Link,
    frames: Incoming,
    start: Start,
}

/// Connects to the tool that started this shell and takes its first message.
///
/// # Errors
/// A sentence for people.
pub async fn connect(address: &str) -> Result<Connection, String> {
    let (link, mut frames) = Link::start(open(address)?);
    let first = frames.next().await.ok_or("the development tool ended before it said what to show")?;
    let first = first.map_err(|error| error.to_string())?;
    match first.message::<ToShell>() {
        Ok(ToShell::Start(start)) => Ok(Connection { link, frames, start: *start }),
        Ok(_) => Err("the development tool did not say first what to show".into()),
        Err(error) => {
            Err(format!("the development tool speaks another version of the control protocol: {error}"))
        }
    }
}

#[cfg(unix)]
fn open(address: &str) -> Result<Socket, String> {
    use std::os::fd::FromRawFd;
    let descriptor: i32 =
        address.parse().map_err(|_| format!("STAYSAIL_CONTROL={address:?} is no descriptor number"))?;
    // SAFETY: fcntl on a number is harmless; it fails when the descriptor is not open.
    if unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return Err(format!("STAYSAIL_CONTROL={address:?} names no open descriptor"));
    }
    // SAFETY: the descriptor is open (checked above), was inherited for this purpose, and is taken once.
    let stream = unsafe { std::os::unix::net::UnixStream::from_raw_fd(descriptor) };
    Socket::new(stream).map_err(|error| error.to_string())
}

#[cfg(windows)]
fn open(address: &str) -> Result<Socket, String> {
    let pipe = tokio::net::windows::named_pipe::ClientOptions::new().open(address);
    pipe.map(Socket::from).map_err(|error| format!("STAYSAIL_CONTROL={address:?}: {error}"))
}

impl Connection {
    /// What is to be shown.
    pub fn facts(&self) -> Facts {
        Facts {
            app: String::new(),
            name: self.start.name.clone(),
            version: self.start.version.clone(),
            config: self.start.config.clone(),
            data_dir: self.start.data_dir.clone(),
            dev_url: self.start.dev_url.clone(),
            driven: self.start.driven,
        }
    }

    /// Whether pages are in browser tabs only.
    pub fn no_window(&self) -> bool {
        self.start.no_window
    }

    /// Opens the windows that are known and serves the tool until it is gone.
    pub fn serve(self, shell: Arc<Shell>) {
        let Self { link, frames, start } = self;
        let source = match (&start.dev_url, &start.page_dir) {
            (None, Some(folder)) => Source::Folder(folder.into()),
            _ => Source::Nothing,
        };
        shell.assets.set(source, start.config.csp.clone());
        shell.groups.declare(start.groups);
        let tool = Tool { link };
        shell.set_observer(Arc::new(tool.clone()));
        if let Some(description) = start.description {
            tool.declare(&shell, description);
        }
        let swaps = Arc::new(Swaps::default());
        shell.runtime.spawn(exchange(
            shell.clone(),
            swaps.clone(),
            tool.clone(),
            start.version,
            start.debug_worker,
        ));
        shell.runtime.clone().spawn(heed(shell, swaps, tool, frames));
    }
}

/// The newest wish for a swap; an older one that has not begun is superseded by it.
#[derive(Default)]
struct Swaps {
    newest: Mutex<Option<Swap>>,
    wake: Notify,
}

struct Swap {
    id: u64,
    worker: String,
    fresh: bool,
    modules: Vec<ModuleFile>,
}

async fn heed(shell: Arc<Shell>, swaps: Arc<Swaps>, tool: Tool, mut frames: Incoming) {
    while let Some(frame) = frames.next().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                tracing::error!(%error, "the development tool sent bytes that are no frame");
                break;
            }
        };
        let message = match frame.message::<ToShell>() {
            Ok(
                message @ (ToShell::TabOpened { .. }
                | ToShell::TabClosed { .. }
                | ToShell::TabRequest { .. }
                | ToShell::PageFile { .. }),
            ) => {
                tabs::heed(&shell, &tool.link, frame.call, message, frame.body);
                continue;
            }
            Ok(message) => message,
            Err(error) => {
                tracing::error!(%error, "a message of the development tool could not be read; it is ignored");
                continue;
            }
        };
        match message {
            ToShell::Swap { id, worker, fresh, modules } => {
                let older = swaps
                    .newest
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .replace(Swap { id, worker, fresh, modules });
                if let Some(older) = older {
                    tool.tell(&ToTool::SwapFailed {
                        id: older.id,
                        reason: "superseded by a newer build".into(),
                    });
                }
                swaps.wake.notify_one();
            }
            ToShell::StylesChanged { paths } => shell.pages.tell(None, &PageEvent::StylesChanged { paths }),
            ToShell::PageChanged { .. } => {
                reload::all(&shell);
            }
            ToShell::Overlay { overlay } => shell.show_overlay(overlay),
            ToShell::Inspect => shell.ui.wish(Wish::Do(Box::new(|windows, _| windows.inspect()))),
            ToShell::Exit => break,
            _ => {}
        }
    }
    shell.ui.exit(0);
}

async fn exchange(shell: Arc<Shell>, swaps: Arc<Swaps>, tool: Tool, version: String, debugged: bool) {
    loop {
        let next = swaps.newest.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(swap) = next else {
            swaps.wake.notified().await;
            continue;
        };
        let modules = match Modules::read(&swap.modules) {
            Ok(modules) => modules,
            Err(reason) => {
                tool.tell(&ToTool::SwapFailed { id: swap.id, reason: reason.clone() });
                show_failure(&shell, NO_MODULES, reason);
                continue;
            }
        };
        if !swap.fresh && runs(&shell, &swap.worker) && shell.conductor.has_other_modules(&modules).await {
            exchange_modules(&shell, &tool, swap.id, &modules).await;
            continue;
        }
        let launch = Launch {
            executable: swap.worker.into(),
            version: version.clone(),
            modules,
            debugged,
            ..Launch::default()
        };
        let options = SwapOptions { fresh: swap.fresh, at_switch: None };
        match shell.conductor.swap(&shell, launch, options).await {
            Ok(switched) => {
                tool.tell(&ToTool::SwapDone { id: swap.id, timing: switched.timing });
                shell.hide_overlay("worker");
                shell.hide_overlay("state");
                if let Some(worker) = shell.router.active() {
                    tool.declare(&shell, worker.hello.description.clone());
                }
                if switched.new_interface {
                    reload::all(&shell);
                }
                shell.runtime.spawn(report_verdict(shell.clone(), tool.clone(), switched.verdict));
            }
            Err(Refusal { reason, of_state, of_others, .. }) => {
                tool.tell(&ToTool::SwapFailed { id: swap.id, reason: reason.clone() });
                match (of_state, of_others) {
                    (_, true) => show_held_fast(&shell, reason),
                    (true, false) => show_refused_state(&shell, reason),
                    (false, false) => show_failure(&shell, "The new backend was not taken over", reason),
                }
            }
        }
    }
}

/// Whether the worker that serves is this executable.
fn runs(shell: &Shell, worker: &str) -> bool {
    shell.router.active().is_some_and(|active| active.launch.executable == Path::new(worker))
}

/// Exchanges the modules in the worker that runs.
async fn exchange_modules(shell: &Arc<Shell>, tool: &Tool, id: u64, modules: &Modules) {
    let exchanged = match shell.conductor.exchange_modules(modules).await {
        Ok(exchanged) => exchanged,
        Err(Refusal { reason, .. }) => {
            tool.tell(&ToTool::SwapFailed { id, reason: reason.clone() });
            return show_failure(shell, NO_MODULES, reason);
        }
    };
    let total_ms = exchanged.milliseconds;
    tool.tell(&ToTool::SwapDone { id, timing: SwapTiming { total_ms, ..SwapTiming::default() } });
    shell.hide_overlay("worker");
    let (shell, tool) = (shell.clone(), tool.clone());
    shell.runtime.clone().spawn(async move {
        // Where another worker or other modules have come meanwhile, nothing is to be taken back.
        if let Some(Err(reason)) = shell.conductor.prove_modules(&shell, &exchanged).await
            && !shell.conductor.has_other_modules(&exchanged.new).await
        {
            shell.conductor.take_modules_back(&exchanged).await;
            tool.tell(&ToTool::WorkerLog { level: "error".into(), message: reason.clone() });
            show_failure(&shell, "The new modules failed", reason);
        }
    });
}

async fn report_verdict(
    shell: Arc<Shell>,
    tool: Tool,
    verdict: tokio::sync::oneshot::Receiver<Result<(), String>>,
) {
    if let Ok(Err(reason)) = verdict.await {
        let serving = shell.router.active().is_some();
        tool.tell(&ToTool::WorkerLost { reason: reason.clone(), restarting: false, serving });
        show_failure(&shell, "The new backend failed", reason);
        reload::all(&shell);
    }
}

fn show_failure(shell: &Shell, title: &str, reason: String) {
    let served = shell.router.active().is_some();
    shell.show_overlay(Some(Overlay {
        kind: "worker".into(),
        title: title.into(),
        detail: format!("{reason}\n\n{}", shell.recent_log()),
        advice: if served {
            "The backend before goes on serving. Repair it and save; this message goes away by itself.".into()
        } else {
            "Repair it and save; this message goes away by itself.".into()
        },
        retry: false,
        fresh: false,
    }));
}

/// The old backend serves on; whether its state is worth more than the new code is for the user to say.
fn show_refused_state(shell: &Shell, reason: String) {
    shell.show_overlay(Some(Overlay {
        kind: "state".into(),
        title: "The new backend can not take over the state".into(),
        detail: reason,
        advice: "The backend before goes on serving with its state. Give the new one a migration and save, or start it without."
            .into(),
        retry: false,
        fresh: true,
    }));
}

/// What runs does not hand over what it has, so no repair of the new code helps.
fn show_held_fast(shell: &Shell, reason: String) {
    shell.show_overlay(Some(Overlay {
        kind: "state".into(),
        title: "The backend that runs can not be exchanged".into(),
        detail: reason,
        advice: "Not the backend you saved is at fault: the one that runs goes on serving. Start the new one without its state; \
                 if another program has what both need, end that program first and save again."
            .into(),
        retry: false,
        fresh: true,
    }));
}

#[derive(Clone)]
struct Tool {
    link: Link,
}

impl Tool {
    /// Opens the windows, and says so.
    fn declare(&self, shell: &Shell, description: Description) {
        if shell.ui.has_windows() {
            shell.ui.wish(Wish::Declare(description.windows, Box::new(description.desktop)));
            self.tell(&ToTool::WindowsOpen);
        }
    }

    fn tell(&self, message: &ToTool) {
        if let Err(error) = self.link.send(&Frame::new(0, message, Vec::new())) {
            tracing::error!(%error, "the development tool was not told something");
        }
    }
}

impl Observer for Tool {
    fn page_ready(&self, window: &str, generation: u64) {
        self.tell(&ToTool::PageReady { window: window.into(), generation });
    }

    fn page_report(&self, report: &PageReport) {
        self.tell(&ToTool::Page(report.clone()));
    }

    fn worker_line(&self, source: &str, line: &str) {
        self.tell(&ToTool::WorkerLog { level: source.into(), message: line.into() });
    }

    fn worker_lost(&self, reason: &str, restarting: bool) {
        self.tell(&ToTool::WorkerLost { reason: reason.into(), restarting, serving: false });
    }

    fn start_fresh(&self) {
        self.tell(&ToTool::StartFresh);
    }

    fn closing(&self) {
        self.tell(&ToTool::Closing);
    }
}
