//! Everything the shell's threads share.

use crate::app::Ui;
use crate::asset_groups::AssetGroups;
use crate::assets::Assets;
use crate::bodies::Bodies;
use crate::conductor::Conductor;
use crate::desktop::app::Application;
use crate::desktop::downloads::Downloads;
use crate::desktop::fs::Files;
use crate::navigation::Navigation;
use crate::pages::Pages;
use crate::router::Router;
use crate::streams::Streams;
use crate::update_story;
use crate::worker::Launch;
use staysail_protocol::bridge::{Overlay, PageEvent, PageReport};
use staysail_protocol::capability::Granted;
use staysail_protocol::manifest::ModeConfig;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::worker::{UpdateWish, Welcome, WorkerConfig};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use tokio::sync::oneshot;

/// The page's own origin.
#[cfg(not(windows))]
pub const ORIGIN: &str = "app://localhost";
/// The page's own origin: WebView2 knows no custom schemes of its own, wry maps them to this.
#[cfg(windows)]
pub const ORIGIN: &str = "http://app.localhost";

/// Lines of the worker that are kept for the page that says why it keeps stopping.
const RECENT_LINES_MAX: usize = 60;

/// What is live now.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Identifier of the app; empty in development, where its folders lie in the project.
    pub app: String,
    /// Name shown to people.
    pub name: String,
    /// Version of the app.
    pub version: String,
    /// Chosen mode and its values.
    pub config: ModeConfig,
    /// Folder for the app's own data.
    pub data_dir: String,
    /// Address of an external dev server, whose origin may call.
    pub dev_url: Option<String>,
    /// A driver may attach to the windows; only ever by the development tool's word.
    pub driven: bool,
}

/// Is told what happens: by the development connection, or by the update engine and the log.
pub trait Observer: Send + Sync {
    /// A page has come up.
    fn page_ready(&self, _window: &str, _generation: u64) {}
    /// Something was said or went wrong in a page.
    fn page_report(&self, _report: &PageReport) {}
    /// A line from the worker; `source` is `stdout`, `stderr` or a log level.
    fn worker_line(&self, _source: &str, _line: &str) {}
    /// A worker died by itself.
    fn worker_lost(&self, _reason: &str, _restarting: bool) {}
    /// App or page have a wish about updates.
    fn update_wish(&self, _wish: UpdateWish) {}
    /// A window is about to load its page. What it is to wait for, if anything: the end of it.
    fn page_loads(&self) -> Option<oneshot::Receiver<()>> {
        None
    }
    /// The user gave the app a file with a release.
    fn apply(&self, _file: &Path) {}
    /// The user wants the newest backend without the state that was kept.
    fn start_fresh(&self) {}
    /// The last window was closed.
    fn closing(&self) {}
}

/// See the module.
pub struct Shell {
    /// The thread of the windows.
    pub ui: Ui,
    /// Pages and their sessions.
    pub pages: Pages,
    /// Calls.
    pub router: Router,
    /// Workers and their exchange.
    pub conductor: Conductor,
    /// The page's files.
    pub assets: Assets,
    /// Files of the page that are fetched when they are asked for.
    pub groups: AssetGroups,
    /// Large answers.
    pub bodies: Arc<Bodies>,
    /// Streams between pages and commands.
    pub streams: Arc<Streams>,
    /// Links that were opened outside, and what was said once.
    pub navigation: Navigation,
    /// The app as a whole: its starts and its end.
    pub application: Application,
    /// Files that pages touch.
    pub files: Files,
    /// What pages have the webview save.
    pub downloads: Downloads,
    /// Where everything that waits runs.
    pub runtime: tokio::runtime::Handle,
    facts: RwLock<Facts>,
    overlay: RwLock<Option<Overlay>>,
    observer: OnceLock<Arc<dyn Observer>>,
    recent: Mutex<VecDeque<String>>,
    /// What has happened to the update that is under way.
    update: Mutex<Vec<UpdateEvent>>,
}

impl Shell {
    /// A shell without windows and workers.
    pub fn new(ui: Ui, runtime: tokio::runtime::Handle, facts: Facts) -> Arc<Self> {
        Arc::new(Self {
            ui,
            pages: Pages::default(),
            router: Router::default(),
            conductor: Conductor::default(),
            assets: Assets::default(),
            groups: AssetGroups::default(),
            bodies: Arc::default(),
            streams: Arc::default(),
            navigation: Navigation::default(),
            application: Application::default(),
            files: Files::default(),
            downloads: Downloads::default(),
            runtime,
            facts: RwLock::new(facts),
            overlay: RwLock::default(),
            observer: OnceLock::new(),
            recent: Mutex::default(),
            update: Mutex::default(),
        })
    }

    /// Names who is told what happens; the first one stays.
    pub fn set_observer(&self, observer: Arc<dyn Observer>) {
        let _ = self.observer.set(observer);
    }

    /// Tells the observer, if there is one.
    pub fn observe(&self, tell: impl FnOnce(&dyn Observer)) {
        if let Some(observer) = self.observer.get() {
            tell(observer.as_ref());
        }
    }

    /// A line from the worker: kept for the crash page, and told to the observer.
    pub fn worker_line(&self, source: &str, line: &str) {
        let mut recent = self.recent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if recent.len() == RECENT_LINES_MAX {
            recent.pop_front();
        }
        recent.push_back(line.to_string());
        drop(recent);
        self.observe(|observer| observer.worker_line(source, line));
    }

    /// The worker's last lines.
    pub fn recent_log(&self) -> String {
        let recent = self.recent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        recent.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// What is live now.
    pub fn facts(&self) -> Facts {
        self.facts.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Changes what is live now.
    pub fn change_facts(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.write().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// What a worker is told at its start.
    pub fn welcome(&self, launch: &Launch) -> Welcome {
        let facts = self.facts.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let config = launch.config.clone().unwrap_or_else(|| WorkerConfig::of(&facts.config));
        let version = launch.version.clone();
        Welcome { protocol: 0, version, config, data_dir: facts.data_dir.clone(), modules: false }
    }

    /// Origins whose pages may call from a window, compared whole (CVE-2026-42184: comparing the first label was not enough).
    pub fn allowed_origins(&self, window: &str) -> Vec<String> {
        let facts = self.facts.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let dev = facts.dev_url.as_deref().and_then(origin_of);
        let granted = Granted::to(&facts.config.capabilities, window);
        let foreign = granted.each().flat_map(|capability| capability.origins.iter().cloned());
        std::iter::once(ORIGIN.to_string()).chain(dev).chain(foreign).collect()
    }

    /// Whether this is the app's own origin, or that of its dev server.
    pub fn is_app_origin(&self, origin: &str) -> bool {
        let facts = self.facts.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        origin == ORIGIN || facts.dev_url.as_deref().and_then(origin_of).is_some_and(|dev| dev == origin)
    }

    /// Whether pages of this origin may call from this window.
    pub fn is_allowed_origin(&self, window: &str, origin: &str) -> bool {
        origin == ORIGIN || self.allowed_origins(window).iter().any(|allowed| allowed == origin)
    }

    /// Asks for something of a window's capabilities.
    pub fn granted<T>(&self, window: &str, ask: impl FnOnce(Granted<'_>) -> T) -> T {
        let facts = self.facts.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A browser tab shows what the main window shows, and may do the same.
        let window = if self.pages.is_tab(window) { "main" } else { window };
        ask(Granted::to(&facts.config.capabilities, window))
    }

    /// Tells of something that happened natively: the worker, and the pages of windows that may use something of the
    /// group (of other windows than their own only those that may list them). `window` is the one it happened to, if any.
    pub fn tell_natively(&self, group: &str, window: &str, payload: &impl serde::Serialize) {
        let Ok(payload) = serde_json::value::to_raw_value(payload) else { return };
        let name = format!("staysail:{group}");
        self.router.emit(name.clone(), window.to_string(), payload.get().as_bytes().to_vec());
        let event = PageEvent::Event { name, payload };
        for label in self.pages.labels() {
            if self.granted(&label, |granted| granted.told(group, window)) {
                self.pages.tell(Some(&label), &event);
            }
        }
    }

    /// Tells of something that concerns one window alone: the worker, and the window's page if it may use something of
    /// the group.
    pub fn tell_window_natively(&self, group: &str, window: &str, payload: &impl serde::Serialize) {
        let Ok(payload) = serde_json::value::to_raw_value(payload) else { return };
        let name = format!("staysail:{group}");
        self.router.emit(name.clone(), window.to_string(), payload.get().as_bytes().to_vec());
        if self.granted(window, |granted| granted.group(group)) {
            self.pages.tell(Some(window), &PageEvent::Event { name, payload });
        }
    }

    /// The overlay pages show now.
    pub fn overlay(&self) -> Option<Overlay> {
        self.overlay.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Shows an overlay over all pages, or takes it away.
    pub fn show_overlay(&self, overlay: Option<Overlay>) {
        *self.overlay.write().unwrap_or_else(std::sync::PoisonError::into_inner) = overlay.clone();
        self.pages.tell(None, &PageEvent::Overlay { overlay });
    }

    /// Takes the overlay away if it is of this kind.
    pub fn hide_overlay(&self, kind: &str) {
        if self.overlay().is_some_and(|overlay| overlay.kind == kind) {
            self.show_overlay(None);
        }
    }

    /// Tells all pages of a step of an update, those that come up later with their hello.
    pub fn tell_of_update(&self, event: &UpdateEvent) {
        // Answers of the backend in pieces: not every page may have asked for them. The backend hears them.
        let for_pages = match event.clone() {
            UpdateEvent::Compared { version, passed, reason, calls, different, .. } => {
                let (differences, report) = (Vec::new(), None);
                UpdateEvent::Compared { version, passed, reason, calls, different, differences, report }
            }
            event => event,
        };
        let event = &for_pages;
        update_story::tell(&mut self.update.lock().unwrap_or_else(std::sync::PoisonError::into_inner), event);
        self.announce("staysail:update", event);
    }

    /// What has happened to the update that is under way.
    pub fn update_story(&self) -> Vec<UpdateEvent> {
        self.update.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Sends an event of Staysail's own to the page of one window.
    pub fn announce_to(&self, window: &str, name: &str, payload: &impl serde::Serialize) {
        if let Ok(payload) = serde_json::value::to_raw_value(payload) {
            self.pages.tell(Some(window), &PageEvent::Event { name: name.into(), payload });
        }
    }

    /// Sends an event of Staysail's own to all pages.
    pub fn announce(&self, name: &str, payload: &impl serde::Serialize) {
        if let Ok(payload) = serde_json::value::to_raw_value(payload) {
            self.pages.tell(None, &PageEvent::Event { name: name.into(), payload });
        }
    }
}

/// Scheme, host and port of an address, as a browser writes an origin.
pub fn origin_of(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.rsplit('@').next().unwrap_or("").to_ascii_lowercase();
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let host = host.strip_suffix(default_port).unwrap_or(&host);
    (!host.is_empty()).then(|| format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::origin_of;

    #[test]
    fn origins_are_scheme_host_and_port_and_nothing_else() {
        assert_eq!(origin_of("http://LocalHost:5173/a?b").as_deref(), Some("http://localhost:5173"));
        assert_eq!(origin_of("https://example.com:443/x").as_deref(), Some("https://example.com"));
        assert_eq!(origin_of("app://localhost/").as_deref(), Some("app://localhost"));
        assert_eq!(origin_of("http://localhost:5173@evil.example/").as_deref(), Some("http://evil.example"));
        assert_eq!(origin_of("about:blank"), None);
    }
}
