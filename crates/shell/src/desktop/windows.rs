//! The open windows: opening, changing, closing, and what is told of them.
//!
//! # Theory of operation
//! Lives on the windows' thread. Declared windows are opened once; one that the user has closed stays closed until
//! somebody asks for it. After a swap what is declared otherwise is changed in place, and nothing else is touched.
//!
//! A window whose page intercepts closing is asked first (`close_requested`). The page has
//! `close_answer_timeout_ms` to say that it has heard (`hold_close`); from then on the user decides in the page, and a
//! page that hangs never keeps its window open.

use super::geometry::{Place, Places};
use super::menus::Menus;
use super::power::Wishes;
use super::presence::Presence;
use super::{icon, invalid};
use crate::app::Target;
use crate::platform::{self, WindowPage};
use crate::shell::Shell;
use staysail_protocol::desktop::Declared;
use staysail_protocol::desktop::app::Opens;
use staysail_protocol::desktop::window::{
    Edge, Screen, WindowChange, WindowEvent as Told, WindowNews, WindowState,
};
use staysail_protocol::interface::{Theme, WindowSpec};
use staysail_protocol::limits::{CLOSE_ANSWER_TIMEOUT_MS, WINDOWS_MAX};
use staysail_protocol::{CallError, ErrorCode};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tao::dpi::{LogicalPosition, LogicalSize};
use tao::event::WindowEvent;
use tao::monitor::MonitorHandle;
use tao::window::{Fullscreen, ResizeDirection, UserAttentionType, Window, WindowBuilder, WindowId};

struct Open {
    window: Window,
    page: WindowPage,
    spec: WindowSpec,
    /// Counts the wishes to close it, so that an old time limit does not close it.
    close_wishes: u64,
    /// The page has heard the newest of these.
    close_is_held: bool,
    focused: bool,
}

/// All open windows. See the module.
pub struct Windows {
    shell: Arc<Shell>,
    open: BTreeMap<String, Open>,
    labels: HashMap<WindowId, String>,
    /// Declared windows that were opened once.
    known: HashSet<String>,
    context: platform::Context,
    declared: Declared,
    /// The main window as it is declared: the first.
    main: Option<WindowSpec>,
    places: Places,
    menus: Menus,
    presence: Presence,
    /// Windows that were moved or resized since that was told last.
    moved: BTreeSet<String>,
    resized: BTreeSet<String>,
    /// Exit code, once the app is to end.
    ending: Option<i32>,
}

type Done<T = ()> = Result<T, CallError>;

impl Windows {
    /// None yet.
    pub fn new(shell: &Arc<Shell>) -> Self {
        let data_dir = shell.facts().data_dir;
        let file =
            (!data_dir.is_empty()).then(|| std::path::Path::new(&data_dir).with_file_name("windows.json"));
        Self {
            shell: shell.clone(),
            open: BTreeMap::new(),
            labels: HashMap::new(),
            known: HashSet::new(),
            context: platform::Context::new(shell),
            declared: Declared::default(),
            main: None,
            places: Places::open(file),
            menus: Menus::new(shell),
            presence: Presence::new(shell),
            moved: BTreeSet::new(),
            resized: BTreeSet::new(),
            ending: None,
        }
    }

    /// The exit code, once the app is to end.
    pub fn ending(&self) -> Option<i32> {
        self.ending
    }

    /// Brings about what the app declares: opens what is new, changes in place what is declared otherwise now.
    pub fn declare(&mut self, target: &Target, specs: Vec<WindowSpec>, declared: Declared) {
        if declared.menu != self.declared.menu
            && let Err(error) = self.set_menu(declared.menu.clone())
        {
            tracing::error!(%error, "the declared menu can not be shown; the one before stays");
        }
        let before = std::mem::replace(&mut self.declared, declared);
        self.declare_presence(&before);
        self.main = specs.first().cloned().or(self.main.take());
        for spec in specs {
            if let Some(open) = self.open.get_mut(&spec.label) {
                let change = difference(&open.spec, &spec);
                open.spec = WindowSpec { url: spec.url.clone(), ..open.spec.clone() };
                if let Err(error) = self.change(&spec.label, change) {
                    tracing::warn!(window = spec.label, %error, "the window could not be changed");
                }
                continue;
            }
            // One the user has closed stays closed.
            if !self.known.insert(spec.label.clone()) {
                continue;
            }
            let label = spec.label.clone();
            if let Err(error) = self.create(target, spec) {
                tracing::error!(window = label, %error, "the window could not be opened");
                eprintln!("staysail: the window {label} could not be opened: {}", error.message);
                // Declared otherwise later, it gets another chance.
                self.known.remove(&label);
            }
        }
        // Without any window there is nothing to go on with; one that a swap brought in vain costs nothing (law 6).
        if self.open.is_empty() && !self.declared.runs_without_windows {
            self.ending.get_or_insert(1);
        }
    }

    /// Opens a window.
    ///
    /// # Errors
    /// When its label is taken, there are too many, or what the system said.
    pub fn create(&mut self, target: &Target, spec: WindowSpec) -> Done {
        if spec.label.is_empty() || self.open.contains_key(&spec.label) {
            return Err(invalid(format!(
                "a window labelled `{}` is open already, or the label is empty",
                spec.label
            )));
        }
        if self.open.len() >= WINDOWS_MAX {
            return Err(CallError::new(
                ErrorCode::TooLarge,
                format!("{WINDOWS_MAX} windows are open already (windows_max)"),
            ));
        }
        if spec.url.contains("://") || spec.url.starts_with("//") {
            return Err(invalid(format!(
                "`{}` is no path of the app; a window's url is one, e.g. `/help.html`",
                spec.url
            )));
        }
        let mut spec = spec;
        let mut maximized = spec.maximized;
        if let Some(place) = spec.remember.then(|| self.places.of(&spec.label)).flatten() {
            let screens: Vec<Place> = self.screens(target).iter().map(place_of_screen).collect();
            let (position, size) = place.fit(&screens);
            (spec.width, spec.height) = size;
            spec.position = position;
            maximized |= place.maximized;
        }
        if spec.position.is_none() {
            spec.position = self.over_parent(&spec);
        }
        let open = self.build(target, &spec, maximized)?;
        self.labels.insert(open.window.id(), spec.label.clone());
        let label = spec.label.clone();
        self.open.insert(label.clone(), open);
        self.tell(&label, WindowNews::Created);
        Ok(())
    }

    /// The middle of its parent, where a window with one is looked for.
    fn over_parent(&self, spec: &WindowSpec) -> Option<(f64, f64)> {
        let parent = &self.open.get(spec.parent.as_ref()?)?.window;
        let scale = parent.scale_factor();
        let corner = parent.outer_position().ok()?.to_logical::<f64>(scale);
        let outer = parent.outer_size().to_logical::<f64>(scale);
        let x = corner.x + (outer.width - spec.width) / 2.0;
        // Never with its title bar above that of the parent, which the user can reach.
        let y = (corner.y + (outer.height - spec.height) / 2.0).max(corner.y);
        Some((x, y))
    }

    fn build(&mut self, target: &Target, spec: &WindowSpec, maximized: bool) -> Done<Open> {
        let title = if spec.title.is_empty() { self.shell.facts().name } else { spec.title.clone() };
        let mut builder = WindowBuilder::new()
            .with_title(title)
            .with_inner_size(size((spec.width, spec.height)))
            .with_resizable(spec.resizable)
            .with_decorations(spec.decorations)
            .with_maximized(maximized)
            .with_always_on_top(spec.always_on_top)
            .with_transparent(spec.transparent)
            .with_theme(theme(spec.theme))
            .with_visible(spec.visible);
        if let Some(min) = spec.min_size {
            builder = builder.with_min_inner_size(size(min));
        }
        if let Some(max) = spec.max_size {
            builder = builder.with_max_inner_size(size(max));
        }
        let over_parent = || {
            let parent = &self.open.get(spec.parent.as_ref()?)?.window;
            let scale = parent.scale_factor();
            let corner = parent.outer_position().ok()?.to_logical(scale);
            let place = Place::over(corner, parent.outer_size().to_logical(scale), (spec.width, spec.height));
            Some(place)
        };
        if let Some((x, y)) = spec.position.or_else(over_parent) {
            builder = builder.with_position(LogicalPosition::new(x, y));
        }
        if spec.fullscreen {
            builder = builder.with_fullscreen(Some(Fullscreen::Borderless(None)));
        }
        if let Some(path) = &spec.icon {
            builder = builder.with_window_icon(Some(self.icon(path)?));
        }
        let background = spec.background.as_deref().and_then(parse_colour);
        if let Some(colour) = background.filter(|_| !spec.transparent) {
            builder = builder.with_background_color(colour);
        }
        if let Some(parent) = &spec.parent {
            let parent = self.open.get(parent).ok_or_else(|| not_open(parent))?;
            builder = platform::with_parent(builder, &parent.window);
        }
        builder = platform::with_skip_taskbar(builder, spec.skip_taskbar);
        let failed = |error: String| CallError::new(ErrorCode::Internal, error);
        let window = builder.build(target).map_err(|error| failed(error.to_string()))?;
        if spec.modal
            && let Some(parent) = spec.parent.as_ref().and_then(|parent| self.open.get(parent))
        {
            platform::set_modal(&window, &parent.window, true);
        }
        if has_menu(spec) && !self.menus.is_empty() {
            platform::attach_menu(self.menus.bar(), &window);
        }
        let page = self.context.open(&self.shell, &window, spec, background).map_err(failed)?;
        if (spec.zoom - 1.0).abs() > f64::EPSILON {
            page.zoom(spec.zoom);
        }
        Ok(Open { window, page, spec: spec.clone(), close_wishes: 0, close_is_held: false, focused: false })
    }

    fn icon(&self, path: &str) -> Done<tao::window::Icon> {
        let bytes = self.shell.assets.file(path).map_err(invalid)?;
        icon::from_png(&bytes).map_err(|error| invalid(format!("{path}: {error}")))
    }

    fn find(&self, label: &str) -> Done<&Open> {
        self.open.get(label).ok_or_else(|| not_open(label))
    }

    /// What is declared beside windows.
    pub(super) fn declared(&self) -> &Declared {
        &self.declared
    }

    pub(super) fn shell(&self) -> &Arc<Shell> {
        &self.shell
    }

    pub(super) fn presence(&mut self) -> &mut Presence {
        &mut self.presence
    }

    /// The menus.
    pub fn menus(&mut self) -> &mut Menus {
        &mut self.menus
    }

    /// The menus, to look at.
    pub(super) fn menus_ref(&self) -> &Menus {
        &self.menus
    }

    /// The menus, and a window to show one over.
    pub(super) fn menus_and_window(&mut self, label: &str) -> Done<(&mut Menus, &Window)> {
        let open = self.open.get(label).ok_or_else(|| not_open(label))?;
        Ok((&mut self.menus, &open.window))
    }

    /// How large a window shows its page.
    pub(super) fn zoom_of(&self, label: &str) -> Done<f64> {
        Ok(self.find(label)?.spec.zoom)
    }

    /// The windows that have the application's menu.
    pub(super) fn menu_windows(&self) -> impl Iterator<Item = &Window> {
        self.open.values().filter(|open| has_menu(&open.spec)).map(|open| &open.window)
    }

    /// The user has chosen an entry of a menu.
    pub fn menu_chosen(&mut self, id: String) {
        #[cfg(not(target_os = "linux"))]
        if self.tray_chosen(&id) {
            return;
        }
        let focused = self.open.values().find(|open| open.focused).map(|open| open.spec.label.clone());
        let event = self.menus.chosen(id, focused.clone());
        self.shell.tell_natively("menu", focused.as_deref().unwrap_or_default(), &event);
    }

    /// A window of the system's.
    pub fn window(&self, label: &str) -> Done<&Window> {
        Ok(&self.find(label)?.window)
    }

    /// The page of a window.
    pub fn page(&self, label: &str) -> Done<&WindowPage> {
        Ok(&self.find(label)?.page)
    }

    /// The page of any window that is not private.
    pub fn public_page(&self) -> Option<&WindowPage> {
        self.open.values().find(|open| !open.spec.incognito).map(|open| &open.page)
    }

    /// Labels of the open windows, sorted.
    pub fn labels(&self) -> Vec<String> {
        self.open.keys().cloned().collect()
    }

    /// The screens, the primary one first.
    pub fn screens(&self, target: &Target) -> Vec<Screen> {
        let primary = target.primary_monitor();
        let mut screens: Vec<Screen> = target
            .available_monitors()
            .map(|monitor| screen(&monitor, primary.as_ref().is_some_and(|primary| *primary == monitor)))
            .collect();
        screens.sort_by_key(|screen| !screen.primary);
        screens
    }

    /// How a window is.
    pub fn state(&self, label: &str) -> Done<WindowState> {
        let Open { window, spec, focused, .. } = self.find(label)?;
        let scale = window.scale_factor();
        let inner = window.inner_size().to_logical::<f64>(scale);
        let position = window.outer_position().unwrap_or_default().to_logical::<f64>(scale);
        Ok(WindowState {
            label: label.into(),
            title: window.title(),
            size: (inner.width, inner.height),
            position: (position.x, position.y),
            scale,
            focused: *focused,
            visible: window.is_visible(),
            maximized: window.is_maximized(),
            minimized: window.is_minimized(),
            fullscreen: window.fullscreen().is_some(),
            // tao does not know it on Linux.
            always_on_top: spec.always_on_top,
            resizable: window.is_resizable(),
            decorations: window.is_decorated(),
            theme: told_theme(window.theme()),
            intercept_close: spec.intercept_close,
        })
    }

    /// Changes a window: what `change` names, and nothing else.
    pub fn change(&mut self, label: &str, change: WindowChange) -> Done {
        let icon = change.icon.as_deref().map(|path| self.icon(path)).transpose()?;
        let open = self.open.get_mut(label).ok_or_else(|| not_open(label))?;
        let Open { window, page, spec, .. } = open;
        if let Some(title) = change.title {
            window.set_title(&title);
            spec.title = title;
        }
        if let Some(min) = change.min_size {
            spec.min_size = limit(min);
            window.set_min_inner_size(spec.min_size.map(size));
        }
        if let Some(max) = change.max_size {
            spec.max_size = limit(max);
            window.set_max_inner_size(spec.max_size.map(size));
        }
        if let Some((width, height)) = change.size {
            window.set_inner_size(size((width, height)));
            (spec.width, spec.height) = (width, height);
        }
        if let Some((x, y)) = change.position {
            window.set_outer_position(LogicalPosition::new(x, y));
            spec.position = Some((x, y));
        }
        if let Some(yes) = change.resizable {
            window.set_resizable(yes);
            spec.resizable = yes;
        }
        if let Some(yes) = change.decorations {
            window.set_decorations(yes);
            let had_menu = has_menu(spec);
            spec.decorations = yes;
            if !self.menus.is_empty() && has_menu(spec) != had_menu {
                let change = if had_menu { platform::take_menu_bar } else { platform::attach_menu };
                change(self.menus.bar(), window);
            }
        }
        if let Some(yes) = change.always_on_top {
            window.set_always_on_top(yes);
            spec.always_on_top = yes;
        }
        if let Some(wanted) = change.theme {
            window.set_theme(theme(wanted));
            spec.theme = wanted;
        }
        if let Some(zoom) = change.zoom {
            page.zoom(zoom);
            spec.zoom = zoom;
        }
        if let Some(icon) = icon {
            window.set_window_icon(Some(icon));
            spec.icon = change.icon;
        }
        if let Some(progress) = change.progress {
            platform::set_progress(window, progress, &self.shell.facts().data_dir);
        }
        if let Some(yes) = change.skip_taskbar {
            platform::set_skip_taskbar(window, yes);
            spec.skip_taskbar = yes;
        }
        if let Some(yes) = change.intercept_close {
            spec.intercept_close = yes;
        }
        if let Some(yes) = change.visible {
            window.set_visible(yes);
        }
        if let Some(yes) = change.minimized {
            window.set_minimized(yes);
        }
        if let Some(yes) = change.maximized {
            window.set_maximized(yes);
        }
        if let Some(yes) = change.fullscreen {
            window.set_fullscreen(yes.then_some(Fullscreen::Borderless(None)));
        }
        Ok(())
    }

    /// Shows, raises and focuses a window.
    pub fn focus(&self, label: &str) -> Done {
        let window = &self.find(label)?.window;
        window.set_visible(true);
        window.set_minimized(false);
        window.set_focus();
        Ok(())
    }

    /// Brings the main window to the front; opens it when it is closed. `activation` is the desktop's leave to do so.
    pub fn show_main(&mut self, target: &Target, activation: Option<&str>) -> Done {
        let Some(main) = self.main.clone() else { return Err(invalid("the app declares no window".into())) };
        let label = main.label.clone();
        if !self.open.contains_key(&label) {
            self.create(target, WindowSpec { visible: true, ..main })?;
        }
        if let Some(activation) = activation {
            platform::set_activation(&self.find(&label)?.window, activation);
        }
        self.focus(&label)
    }

    /// Links and files the app opens.
    pub fn opens(&self) -> Opens {
        self.declared.opens.clone()
    }

    /// Puts a window in the middle of its screen.
    pub fn center(&self, label: &str) -> Done {
        let window = &self.find(label)?.window;
        let monitor = window.current_monitor().or_else(|| window.primary_monitor());
        let Some(monitor) = monitor else { return Ok(()) };
        let (area, corner, outer) = (monitor.size(), monitor.position(), window.outer_size());
        let middle = |from: i32, length: u32, own: u32| from + (length as i32 - own as i32) / 2;
        window.set_outer_position(tao::dpi::PhysicalPosition::new(
            middle(corner.x, area.width, outer.width),
            middle(corner.y, area.height, outer.height),
        ));
        Ok(())
    }

    /// Asks for the user's attention.
    pub fn request_attention(&self, label: &str) -> Done {
        self.find(label)?.window.request_user_attention(Some(UserAttentionType::Informational));
        Ok(())
    }

    /// Moves a window with the mouse, whose button is down.
    pub fn start_dragging(&self, label: &str) -> Done {
        let open = self.find(label)?;
        let dragged = open.window.drag_window();
        platform::webview::let_go(open.page.webview());
        dragged.map_err(|error| CallError::new(ErrorCode::Internal, error.to_string()))
    }

    /// Resizes a window with the mouse, whose button is down.
    pub fn start_resizing(&self, label: &str, edge: Edge) -> Done {
        let direction = match edge {
            Edge::North => ResizeDirection::North,
            Edge::NorthEast => ResizeDirection::NorthEast,
            Edge::East => ResizeDirection::East,
            Edge::SouthEast => ResizeDirection::SouthEast,
            Edge::South => ResizeDirection::South,
            Edge::SouthWest => ResizeDirection::SouthWest,
            Edge::West => ResizeDirection::West,
            Edge::NorthWest => ResizeDirection::NorthWest,
        };
        let open = self.find(label)?;
        let dragged = open.window.drag_resize_window(direction);
        platform::webview::let_go(open.page.webview());
        dragged.map_err(|error| CallError::new(ErrorCode::Internal, error.to_string()))
    }

    /// Opens the web inspector of the window in front, or of the first one.
    pub fn inspect(&self) {
        let in_front = self.open.values().find(|open| open.focused);
        if let Some(open) = in_front.or_else(|| self.open.values().next()) {
            open.page.webview().open_devtools();
        }
    }

    /// Loads the page of a window again.
    pub fn reload(&self, label: &str) {
        if let Some(open) = self.open.get(label) {
            open.page.load(&self.shell, &open.spec.url);
        }
    }

    /// The user, or somebody for them, wants to close a window.
    pub fn request_close(&mut self, label: &str) -> Done {
        let open = self.open.get_mut(label).ok_or_else(|| not_open(label))?;
        if !open.spec.intercept_close {
            return self.close(label);
        }
        open.close_wishes += 1;
        open.close_is_held = false;
        let (wish, label, ui) = (open.close_wishes, label.to_string(), self.shell.ui.clone());
        self.tell(&label, WindowNews::CloseRequested);
        self.shell.runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(CLOSE_ANSWER_TIMEOUT_MS)).await;
            let _ = ui
                .ask(move |windows, _| {
                    let unheard = |open: &Open| open.close_wishes == wish && !open.close_is_held;
                    if windows.open.get(&label).is_some_and(unheard) {
                        tracing::warn!(
                            window = label,
                            "the page did not answer within {CLOSE_ANSWER_TIMEOUT_MS} ms \
                             (close_answer_timeout_ms); its window is closed"
                        );
                        let _ = windows.close(&label);
                    }
                })
                .await;
        });
        Ok(())
    }

    /// The page decides about the newest wish to close its window.
    pub fn hold_close(&mut self, label: &str) -> Done {
        self.open.get_mut(label).ok_or_else(|| not_open(label))?.close_is_held = true;
        Ok(())
    }

    /// Closes a window, and the windows that belong to it.
    pub fn close(&mut self, label: &str) -> Done {
        self.find(label)?;
        let children: Vec<String> = self
            .open
            .values()
            .filter(|open| open.spec.parent.as_deref() == Some(label))
            .map(|open| open.spec.label.clone())
            .collect();
        for child in children {
            self.close(&child)?;
        }
        self.remember(label);
        if let Some(open) = self.open.remove(label) {
            // The next window may be given the same address, and would count as one that has its menu bar.
            if has_menu(&open.spec) && !self.menus.is_empty() {
                platform::take_menu_bar(self.menus.bar(), &open.window);
            }
            if open.spec.modal
                && let Some(parent) = open.spec.parent.as_ref().and_then(|parent| self.open.get(parent))
            {
                platform::set_modal(&open.window, &parent.window, false);
            }
            self.labels.remove(&open.window.id());
            self.shell.pages.close(label);
            self.shell.streams.forget(label);
            Wishes::forget_page(&self.shell, label, u64::MAX);
            self.shell.files.grants.forget(label);
        }
        self.moved.remove(label);
        self.resized.remove(label);
        self.tell(label, WindowNews::Closed);
        if self.open.is_empty() && !self.declared.runs_without_windows {
            self.shell.observe(|observer| observer.closing());
            self.ending.get_or_insert(0);
        }
        Ok(())
    }

    fn remember(&mut self, label: &str) {
        let Ok(Open { window, spec, .. }) = self.find(label) else { return };
        if !spec.remember {
            return;
        }
        let (scale, maximized) = (window.scale_factor(), window.is_maximized());
        let inner = window.inner_size().to_logical::<f64>(scale);
        let position = window.outer_position().unwrap_or_default().to_logical::<f64>(scale);
        let now = Place { x: position.x, y: position.y, width: inner.width, height: inner.height, maximized };
        // Of a maximised window the size it returns to is the one remembered before.
        let place = if maximized { Place { maximized, ..self.places.of(label).unwrap_or(now) } } else { now };
        self.places.keep(label, place);
    }

    /// Remembers where all windows are, because the app ends.
    pub fn remember_all(&mut self) {
        for label in self.labels() {
            self.remember(&label);
        }
    }

    /// Something happened to a window.
    pub fn heed(&mut self, id: WindowId, event: &WindowEvent<'_>) {
        let Some(label) = self.labels.get(&id).cloned() else { return };
        match event {
            WindowEvent::CloseRequested => {
                let _ = self.request_close(&label);
            }
            WindowEvent::Focused(focused) => {
                if let Some(open) = self.open.get_mut(&label) {
                    open.focused = *focused;
                }
                self.tell(&label, if *focused { WindowNews::Focused } else { WindowNews::Blurred });
            }
            WindowEvent::Resized(_) => drop(self.resized.insert(label)),
            WindowEvent::Moved(_) => drop(self.moved.insert(label)),
            WindowEvent::ThemeChanged(theme) => {
                self.tell(&label, WindowNews::ThemeChanged { theme: told_theme(*theme) });
            }
            WindowEvent::ScaleFactorChanged { scale_factor, .. } => {
                self.tell(&label, WindowNews::ScaleChanged { scale: *scale_factor });
            }
            _ => {}
        }
    }

    /// Tells what came in bursts: of many moves and sizes the last one.
    pub fn settle(&mut self) {
        for label in std::mem::take(&mut self.resized) {
            if let Ok(state) = self.state(&label) {
                self.tell(&label, WindowNews::Resized { width: state.size.0, height: state.size.1 });
            }
        }
        for label in std::mem::take(&mut self.moved) {
            if let Ok(state) = self.state(&label) {
                self.tell(&label, WindowNews::Moved { x: state.position.0, y: state.position.1 });
            }
        }
    }

    fn tell(&self, label: &str, what: WindowNews) {
        self.shell.tell_natively("window", label, &Told { label: label.into(), what });
    }
}

/// Whether a window shows the application's menu: not below another, nor in place of a title bar of the page's own.
fn has_menu(spec: &WindowSpec) -> bool {
    spec.parent.is_none() && spec.decorations
}

fn not_open(label: &str) -> CallError {
    invalid(format!("no window labelled `{label}` is open"))
}

fn size((width, height): (f64, f64)) -> LogicalSize<f64> {
    LogicalSize::new(width, height)
}

/// 0 × 0 stands for no limit.
fn limit(size: (f64, f64)) -> Option<(f64, f64)> {
    (size.0 > 0.0 || size.1 > 0.0).then_some(size)
}

fn theme(theme: Theme) -> Option<tao::window::Theme> {
    match theme {
        Theme::System => None,
        Theme::Light => Some(tao::window::Theme::Light),
        Theme::Dark => Some(tao::window::Theme::Dark),
    }
}

fn told_theme(theme: tao::window::Theme) -> Theme {
    if theme == tao::window::Theme::Dark { Theme::Dark } else { Theme::Light }
}

fn screen(monitor: &MonitorHandle, primary: bool) -> Screen {
    let scale = monitor.scale_factor();
    let position = monitor.position().to_logical::<f64>(scale);
    let size = monitor.size().to_logical::<f64>(scale);
    Screen {
        name: monitor.name(),
        position: (position.x, position.y),
        size: (size.width, size.height),
        scale,
        primary,
    }
}

fn place_of_screen(screen: &Screen) -> Place {
    let ((x, y), (width, height)) = (screen.position, screen.size);
    Place { x, y, width, height, maximized: false }
}

/// What is declared otherwise than before. What the user changed meanwhile stays.
fn difference(old: &WindowSpec, new: &WindowSpec) -> WindowChange {
    fn other<T: PartialEq + Clone>(old: &T, new: &T) -> Option<T> {
        (old != new).then(|| new.clone())
    }
    WindowChange {
        title: other(&old.title, &new.title),
        size: other(&(old.width, old.height), &(new.width, new.height)),
        min_size: other(&old.min_size, &new.min_size).map(Option::unwrap_or_default),
        max_size: other(&old.max_size, &new.max_size).map(Option::unwrap_or_default),
        resizable: other(&old.resizable, &new.resizable),
        decorations: other(&old.decorations, &new.decorations),
        always_on_top: other(&old.always_on_top, &new.always_on_top),
        theme: other(&old.theme, &new.theme),
        zoom: other(&old.zoom, &new.zoom),
        icon: if old.icon == new.icon { None } else { new.icon.clone() },
        intercept_close: other(&old.intercept_close, &new.intercept_close),
        skip_taskbar: other(&old.skip_taskbar, &new.skip_taskbar),
        ..WindowChange::default()
    }
}

fn parse_colour(text: &str) -> Option<(u8, u8, u8, u8)> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let channel = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some((channel(0)?, channel(2)?, channel(4)?, 255))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_declared_otherwise_is_changed() {
        let old = WindowSpec { title: "One".into(), min_size: Some((10.0, 10.0)), ..WindowSpec::default() };
        assert_eq!(difference(&old, &old.clone()), WindowChange::default());
        let new = WindowSpec { title: "Two".into(), min_size: None, ..old.clone() };
        let change =
            WindowChange { title: Some("Two".into()), min_size: Some((0.0, 0.0)), ..WindowChange::default() };
        assert_eq!(difference(&old, &new), change);
    }
}
