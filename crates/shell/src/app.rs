//! The thread of the windows: its event loop, and the way to it.

use crate::desktop::Windows;
use crate::platform::native;
use crate::shell::Shell;
use staysail_protocol::desktop::Declared;
use staysail_protocol::interface::WindowSpec;
use staysail_protocol::{CallError, ErrorCode};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use tao::event::Event;
use tao::event_loop::{ControlFlow, EventLoop, EventLoopBuilder, EventLoopProxy, EventLoopWindowTarget};

/// Where windows are made.
pub type Target = EventLoopWindowTarget<Wish>;
type Errand = Box<dyn FnOnce(&mut Windows, &Target) + Send>;

/// What other threads ask of the windows.
pub enum Wish {
    /// Bring about what the app declares: open what is new, change in place what is declared otherwise now.
    Declare(Vec<WindowSpec>, Box<Declared>),
    /// Do this on the windows' thread.
    Do(Errand),
    /// Load the page of this window again, because it did not do so itself.
    Reload(String),
    /// End the event loop.
    Exit(i32),
}

/// The way to the thread of the windows. Cheap to clone.
#[derive(Clone)]
pub struct Ui {
    way: Way,
}

#[derive(Clone)]
enum Way {
    Windows(Arc<Mutex<EventLoopProxy<Wish>>>),
    /// There are no windows; what is left to ask for is the end.
    Without(Sender<i32>),
}

impl Ui {
    /// Asks; the windows' thread does it as soon as it can. After the event loop ended nothing happens.
    pub fn wish(&self, wish: Wish) {
        match &self.way {
            Way::Windows(proxy) => {
                let _ = proxy.lock().unwrap_or_else(std::sync::PoisonError::into_inner).send_event(wish);
            }
            Way::Without(end) => {
                if let Wish::Exit(code) = wish {
                    let _ = end.send(code);
                }
            }
        }
    }

    /// Whether there can be windows.
    pub fn has_windows(&self) -> bool {
        matches!(self.way, Way::Windows(_))
    }

    /// Has something done on the windows' thread and brings what came of it.
    ///
    /// # Errors
    /// When the app is ending, or has no windows.
    pub async fn ask<T: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut Windows, &Target) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        if !self.has_windows() {
            let message =
                "the app runs without windows (`staysail dev --browser --no-window`, or no display)";
            return Err(CallError::new(ErrorCode::NoWindow, message));
        }
        let (answer_in, answer) = tokio::sync::oneshot::channel();
        self.wish(Wish::Do(Box::new(move |windows, target| {
            let _ = answer_in.send(errand(windows, target));
        })));
        answer.await.map_err(|_| CallError::new(ErrorCode::Internal, "the app is ending"))
    }

    /// Ends the shell.
    pub fn exit(&self, code: i32) {
        self.wish(Wish::Exit(code));
    }
}

/// The event loop and the way to it.
///
/// # Errors
/// A sentence for people: windows can not be shown.
pub fn event_loop() -> Result<(EventLoop<Wish>, Ui), String> {
    native::has_display()?;
    let mut builder = EventLoopBuilder::<Wish>::with_user_event();
    #[cfg(windows)]
    crate::platform::accelerators::hear(&mut builder);
    let event_loop = builder.build();
    let proxy = Arc::new(Mutex::new(event_loop.create_proxy()));
    Ok((event_loop, Ui { way: Way::Windows(proxy) }))
}

/// The way to no windows at all, and where the end is heard of. No display is needed.
pub fn without_windows() -> (Receiver<i32>, Ui) {
    let (end, ended) = channel();
    (ended, Ui { way: Way::Without(end) })
}

/// Waits until the shell is told to exit. Never returns.
pub fn run_without_windows(ended: &Receiver<i32>, shell: &Arc<Shell>) -> ! {
    let code = ended.recv().unwrap_or(0);
    shut_down(shell);
    std::process::exit(code)
}

/// Runs the windows until the last one is closed or the shell is told to exit. Never returns.
pub fn run(event_loop: EventLoop<Wish>, shell: Arc<Shell>) -> ! {
    crate::desktop::downloads::tidy_up(&shell);
    crate::desktop::fs::incoming::tidy_up(&shell);
    let mut windows = Windows::new(&shell);
    event_loop.run(move |event, target, flow| {
        *flow = ControlFlow::Wait;
        match event {
            Event::UserEvent(Wish::Declare(specs, declared)) => windows.declare(target, specs, *declared),
            Event::UserEvent(Wish::Do(errand)) => errand(&mut windows, target),
            Event::UserEvent(Wish::Reload(label)) => windows.reload(&label),
            Event::UserEvent(Wish::Exit(code)) => return end(&shell, &mut windows, flow, code),
            Event::WindowEvent { window_id, event, .. } => windows.heed(window_id, &event),
            // macOS: links and files come this way, also at the first start.
            Event::Opened { urls } => {
                let arguments = urls.iter().map(ToString::to_string).collect();
                let start = crate::instance::Handover { arguments, ..Default::default() };
                let shell = shell.clone();
                shell.runtime.clone().spawn(async move {
                    let _ = crate::desktop::app::handed_over(&shell, start).await;
                });
            }
            // macOS: a click on the app's icon in the dock.
            Event::Reopen { has_visible_windows: false, .. } => drop(windows.show_main(target, None)),
            Event::MainEventsCleared => windows.settle(),
            // Also where the system ends the app, at a log-off: it is no bad end of the release that runs.
            Event::LoopDestroyed => {
                shell.observe(|observer| observer.closing());
                shell.application.ended();
            }
            _ => {}
        }
        if let Some(code) = windows.ending() {
            end(&shell, &mut windows, flow, code);
        }
    })
}

/// Ends the workers in order, then the event loop. A worker that takes longer ends with its connection.
fn end(shell: &Arc<Shell>, windows: &mut Windows, flow: &mut ControlFlow, code: i32) {
    windows.remember_all();
    shut_down(shell);
    *flow = ControlFlow::ExitWithCode(code);
}

fn shut_down(shell: &Arc<Shell>) {
    // Before the end of a backend could be taken for a fault of the release.
    shell.observe(|observer| observer.closing());
    let patience = std::time::Duration::from_millis(staysail_protocol::limits::SHUTDOWN_MS);
    let _ =
        shell.runtime.block_on(async { tokio::time::timeout(patience, shell.conductor.shut_down()).await });
    shell.application.ended();
}
