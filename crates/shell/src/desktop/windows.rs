//! The open windows: opening, changing, closing, and what is told of them.
//!
//! # Theory of operation
//! Lives on the windows' thread. Declared windows are opened once; one that the user has closed stays closed until
//! somebody asks for it. After a swap what is declared otherwise is changed in place, and nothing else is touched.
//!
//! What is done with them has a file each: `opening`, `change`, `menu_bars`, `stage`, `closing`, and `report` for what is
//! told.

mod change;
mod closing;
mod menu_bars;
mod opening;
mod report;
mod stage;

use super::geometry::Places;
use super::menus::{Bar, Menus};
use super::presence::Presence;
use super::{icon, invalid};
use crate::app::Target;
use crate::platform::{self, WindowPage};
use crate::shell::Shell;
use change::difference;
use staysail_protocol::CallError;
use staysail_protocol::desktop::Declared;
use staysail_protocol::desktop::app::Opens;
use staysail_protocol::interface::{Theme, WindowSpec};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use tao::dpi::LogicalSize;
use tao::window::{Window, WindowId};

struct Open {
    window: Window,
    page: WindowPage,
    spec: WindowSpec,
    /// Its own menu bar, as `spec` says.
    bar: Option<Bar>,
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
    /// The windows as they were declared last, by label.
    specs: HashMap<String, WindowSpec>,
    /// The main window as it is declared: the first.
    main: Option<WindowSpec>,
    places: Places,
    menus: Menus,
    presence: Presence,
    /// Windows that were moved or resized since that was told last.
    moved: BTreeSet<String>,
    resized: BTreeSet<String>,
    /// The user wants the app to end: with its last window, although it may run without.
    quits: bool,
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
        platform::hear_theme(shell);
        Self {
            shell: shell.clone(),
            open: BTreeMap::new(),
            labels: HashMap::new(),
            known: HashSet::new(),
            context: platform::Context::new(shell),
            declared: Declared::default(),
            specs: HashMap::new(),
            main: None,
            places: Places::open(file),
            menus: Menus::new(shell),
            presence: Presence::new(shell),
            moved: BTreeSet::new(),
            resized: BTreeSet::new(),
            quits: false,
            ending: None,
        }
    }

    /// The exit code, once the app is to end.
    pub fn ending(&self) -> Option<i32> {
        self.ending
    }

    /// Brings about what the app declares: opens what is new, changes in place what is declared otherwise now.
    pub fn declare(&mut self, target: &Target, specs: Vec<WindowSpec>, declared: Declared) {
        #[cfg(target_os = "macos")]
        let declared = Declared { menu: menu_bars::usual(declared.menu), ..declared };
        if declared.menu != self.declared.menu
            && let Err(error) = self.set_menu(declared.menu.clone())
        {
            tracing::error!(%error, "the declared menu can not be shown; the one before stays");
        }
        let before = std::mem::replace(&mut self.declared, declared);
        self.declare_presence(&before);
        self.main = specs.first().cloned().or(self.main.take());
        for spec in specs {
            let before = self.specs.insert(spec.label.clone(), spec.clone());
            if let Some(open) = self.open.get_mut(&spec.label) {
                // What page and backend changed at run time stays, unless just that is declared otherwise now.
                let before = before.as_ref().unwrap_or(&open.spec);
                let change = difference(before, &spec);
                let is_other_menu = before.menu != spec.menu;
                open.spec = WindowSpec { url: spec.url.clone(), ..open.spec.clone() };
                let changed = self.change(&spec.label, change);
                let menu = if is_other_menu { self.set_window_menu(&spec.label, spec.menu) } else { Ok(()) };
                if let Err(error) = changed.and(menu) {
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

    /// The menus, and a window to show one over.
    pub(super) fn menus_and_window(&mut self, label: &str) -> Done<(&mut Menus, &Window)> {
        let open = self.open.get(label).ok_or_else(|| not_open(label))?;
        Ok((&mut self.menus, &open.window))
    }

    /// How large a window shows its page.
    pub(super) fn zoom_of(&self, label: &str) -> Done<f64> {
        Ok(self.find(label)?.spec.zoom)
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

    /// Links and files the app opens.
    pub fn opens(&self) -> Opens {
        self.declared.opens.clone()
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
            open.page.load_again(&self.shell, &open.spec.url);
        }
    }
}

fn not_open(label: &str) -> CallError {
    invalid(format!("no window labelled `{label}` is open"))
}

fn size((width, height): (f64, f64)) -> LogicalSize<f64> {
    LogicalSize::new(width, height)
}

/// The theme as tao names it; `None` is that of the desktop.
pub fn native_theme(theme: Theme) -> Option<tao::window::Theme> {
    match theme {
        Theme::System => None,
        Theme::Light => Some(tao::window::Theme::Light),
        Theme::Dark => Some(tao::window::Theme::Dark),
    }
}
