//! The thread of the windows: event loop, opening, changing and closing windows.

use crate::platform::{self, WindowPage};
use crate::shell::Shell;
use staysail_protocol::interface::WindowSpec;
use staysail_protocol::worker::WindowOp;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use tao::dpi::{LogicalPosition, LogicalSize};
use tao::event::{Event, WindowEvent};
use tao::event_loop::{ControlFlow, EventLoop, EventLoopBuilder, EventLoopProxy};
use tao::window::{Fullscreen, Window, WindowBuilder, WindowId};

/// What other threads ask of the windows.
#[derive(Debug)]
pub enum Wish {
    /// Open these windows. Of those that are open already, what is declared otherwise now is changed in place.
    Open(Vec<WindowSpec>),
    /// Change one.
    Change(String, WindowOp),
    /// Load the page of this window again, because it did not do so itself.
    Reload(String),
    /// End the event loop.
    Exit(i32),
}

/// The way to the thread of the windows. Cheap to clone.
#[derive(Clone)]
pub struct Ui {
    proxy: Arc<Mutex<EventLoopProxy<Wish>>>,
}

impl Ui {
    /// Asks; the windows' thread does it as soon as it can. After the event loop ended nothing happens.
    pub fn wish(&self, wish: Wish) {
        let _ = self.proxy.lock().unwrap_or_else(std::sync::PoisonError::into_inner).send_event(wish);
    }

    /// Changes a window.
    pub fn change_window(&self, label: String, change: WindowOp) {
        self.wish(Wish::Change(label, change));
    }

    /// Ends the shell.
    pub fn exit(&self, code: i32) {
        self.wish(Wish::Exit(code));
    }
}

/// The event loop and the way to it.
pub fn event_loop() -> (EventLoop<Wish>, Ui) {
    let event_loop = EventLoopBuilder::<Wish>::with_user_event().build();
    let proxy = Arc::new(Mutex::new(event_loop.create_proxy()));
    (event_loop, Ui { proxy })
}

struct Open {
    window: Window,
    page: WindowPage,
    spec: WindowSpec,
}

/// Runs the windows until the last one is closed or the shell is told to exit. Never returns.
pub fn run(event_loop: EventLoop<Wish>, shell: Arc<Shell>) -> ! {
    let mut windows: HashMap<String, Open> = HashMap::new();
    let mut labels: HashMap<WindowId, String> = HashMap::new();
    let mut known: HashSet<String> = HashSet::new();
    let mut context = platform::Context::new(&shell);
    event_loop.run(move |event, target, flow| {
        *flow = ControlFlow::Wait;
        match event {
            Event::UserEvent(Wish::Open(specs)) => {
                for spec in specs {
                    if let Some(open) = windows.get_mut(&spec.label) {
                        reconcile(open, spec);
                        continue;
                    }
                    // One the user has closed stays closed.
                    if !known.insert(spec.label.clone()) {
                        continue;
                    }
                    match open(target, &mut context, &shell, &spec) {
                        Ok(open) => {
                            labels.insert(open.window.id(), spec.label.clone());
                            windows.insert(spec.label.clone(), open);
                        }
                        Err(error) => {
                            tracing::error!(window = spec.label, %error, "the window could not be opened");
                            eprintln!("staysail: the window {} could not be opened: {error}", spec.label);
                            end(&shell, flow, 1);
                        }
                    }
                }
            }
            Event::UserEvent(Wish::Change(label, WindowOp::Close)) => {
                close(&shell, &mut windows, &mut labels, &label, flow);
            }
            Event::UserEvent(Wish::Change(label, change)) => match windows.get(&label) {
                Some(open) => apply(&open.window, change),
                None => tracing::warn!(window = label, "the app changes a window that is not open"),
            },
            Event::UserEvent(Wish::Reload(label)) => {
                if let Some(open) = windows.get(&label) {
                    open.page.load(&shell, &open.spec.url);
                }
            }
            Event::UserEvent(Wish::Exit(code)) => end(&shell, flow, code),
            Event::WindowEvent { window_id, event: WindowEvent::CloseRequested, .. } => {
                if let Some(label) = labels.get(&window_id).cloned() {
                    close(&shell, &mut windows, &mut labels, &label, flow);
                }
            }
            _ => {}
        }
    })
}

fn close(
    shell: &Arc<Shell>,
    windows: &mut HashMap<String, Open>,
    labels: &mut HashMap<WindowId, String>,
    label: &str,
    flow: &mut ControlFlow,
) {
    if let Some(open) = windows.remove(label) {
        labels.remove(&open.window.id());
        shell.pages.close(label);
    }
    if windows.is_empty() {
        shell.observe(|observer| observer.closing());
        end(shell, flow, 0);
    }
}

/// Ends the workers in order, then the event loop. A worker that takes longer ends with its connection.
fn end(shell: &Arc<Shell>, flow: &mut ControlFlow, code: i32) {
    let patience = std::time::Duration::from_millis(staysail_protocol::limits::SHUTDOWN_MS);
    let _ =
        shell.runtime.block_on(async { tokio::time::timeout(patience, shell.conductor.shut_down()).await });
    *flow = ControlFlow::ExitWithCode(code);
}

fn open(
    target: &tao::event_loop::EventLoopWindowTarget<Wish>,
    context: &mut platform::Context,
    shell: &Arc<Shell>,
    spec: &WindowSpec,
) -> Result<Open, String> {
    let title = if spec.title.is_empty() { shell.facts().name } else { spec.title.clone() };
    let size = |(width, height)| LogicalSize::new(width, height);
    let mut builder = WindowBuilder::new()
        .with_title(title)
        .with_inner_size(size((spec.width, spec.height)))
        .with_resizable(spec.resizable)
        .with_decorations(spec.decorations)
        .with_maximized(spec.maximized)
        .with_always_on_top(spec.always_on_top)
        .with_visible(spec.visible);
    if let Some(min) = spec.min_size {
        builder = builder.with_min_inner_size(size(min));
    }
    if let Some(max) = spec.max_size {
        builder = builder.with_max_inner_size(size(max));
    }
    if let Some((x, y)) = spec.position {
        builder = builder.with_position(LogicalPosition::new(x, y));
    }
    if spec.fullscreen {
        builder = builder.with_fullscreen(Some(Fullscreen::Borderless(None)));
    }
    let background = spec.background.as_deref().and_then(parse_colour);
    if let Some(colour) = background {
        builder = builder.with_background_color(colour);
    }
    let window = builder.build(target).map_err(|error| error.to_string())?;
    let page = context.open(shell, &window, spec, background)?;
    Ok(Open { window, page, spec: spec.clone() })
}

/// Changes in place what the app declares otherwise than before, and nothing else.
fn reconcile(open: &mut Open, spec: WindowSpec) {
    let (window, old) = (&open.window, &open.spec);
    let size = |size: Option<(f64, f64)>| size.map(|(width, height)| LogicalSize::new(width, height));
    if spec.title != old.title {
        window.set_title(&spec.title);
    }
    if (spec.width, spec.height) != (old.width, old.height) {
        window.set_inner_size(LogicalSize::new(spec.width, spec.height));
    }
    if spec.min_size != old.min_size {
        window.set_min_inner_size(size(spec.min_size));
    }
    if spec.max_size != old.max_size {
        window.set_max_inner_size(size(spec.max_size));
    }
    if spec.resizable != old.resizable {
        window.set_resizable(spec.resizable);
    }
    if spec.decorations != old.decorations {
        window.set_decorations(spec.decorations);
    }
    if spec.always_on_top != old.always_on_top {
        window.set_always_on_top(spec.always_on_top);
    }
    open.spec = spec;
}

fn apply(window: &Window, change: WindowOp) {
    match change {
        WindowOp::Title(title) => window.set_title(&title),
        WindowOp::Size(width, height) => window.set_inner_size(LogicalSize::new(width, height)),
        WindowOp::Show => {
            window.set_visible(true);
            window.set_focus();
        }
        WindowOp::Hide => window.set_visible(false),
        WindowOp::Focus => window.set_focus(),
        WindowOp::Maximize(on) => window.set_maximized(on),
        WindowOp::Fullscreen(on) => window.set_fullscreen(on.then_some(Fullscreen::Borderless(None))),
        WindowOp::Close => {}
    }
}

fn parse_colour(text: &str) -> Option<(u8, u8, u8, u8)> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let channel = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some((channel(0)?, channel(2)?, channel(4)?, 255))
}
