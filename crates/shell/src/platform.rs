//! The webview of one window, per platform: how a page's requests come in and the app's scheme is served.
//!
//! Linux reaches through wry to WebKitGTK: script messages with reply, which wry does not offer and which are the
//! fastest way there is (ADR 2), and a scheme handler that reads request bodies to their end (wry takes a short
//! read for the end). Elsewhere everything goes through wry's own custom protocol.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod port;
#[cfg(not(target_os = "linux"))]
mod portable;

#[cfg(target_os = "linux")]
#[path = "platform/native_linux.rs"]
pub(crate) mod native;
#[cfg(not(target_os = "linux"))]
#[path = "platform/native_portable.rs"]
pub(crate) mod native;

#[cfg(unix)]
#[path = "platform/held_unix.rs"]
pub(crate) mod held;
#[cfg(windows)]
#[path = "platform/held_windows.rs"]
pub(crate) mod held;

#[cfg(unix)]
#[path = "platform/signals_unix.rs"]
pub(crate) mod signals;

#[cfg(target_os = "linux")]
#[path = "platform/awake_linux.rs"]
pub(crate) mod awake;
#[cfg(not(target_os = "linux"))]
#[path = "platform/awake_portable.rs"]
pub(crate) mod awake;

#[cfg(target_os = "linux")]
#[path = "platform/machine_linux.rs"]
pub(crate) mod machine;
#[cfg(target_os = "macos")]
#[path = "platform/machine_macos.rs"]
pub(crate) mod machine;
#[cfg(windows)]
#[path = "platform/machine_windows.rs"]
pub(crate) mod machine;

#[cfg(target_os = "linux")]
mod menu_entries;
#[cfg(target_os = "linux")]
#[path = "platform/tray_linux.rs"]
pub(crate) mod tray;
#[cfg(not(target_os = "linux"))]
#[path = "platform/tray_portable.rs"]
pub(crate) mod tray;

#[cfg(target_os = "linux")]
#[path = "platform/shortcuts_linux.rs"]
pub(crate) mod shortcuts;
#[cfg(not(target_os = "linux"))]
#[path = "platform/shortcuts_portable.rs"]
pub(crate) mod shortcuts;
#[cfg(target_os = "linux")]
mod shortcuts_portal;
#[cfg(target_os = "linux")]
mod shortcuts_x11;

#[cfg(target_os = "linux")]
#[path = "platform/registration_linux.rs"]
pub(crate) mod registration;
#[cfg(target_os = "macos")]
#[path = "platform/registration_macos.rs"]
pub(crate) mod registration;
#[cfg(windows)]
#[path = "platform/registration_windows.rs"]
pub(crate) mod registration;

#[cfg(windows)]
#[path = "platform/accelerators_windows.rs"]
pub(crate) mod accelerators;
#[cfg(target_os = "linux")]
#[path = "platform/certificate_linux.rs"]
mod certificate;
#[cfg(target_os = "macos")]
#[path = "platform/certificate_macos.rs"]
mod certificate;
#[cfg(windows)]
#[path = "platform/certificate_windows.rs"]
mod certificate;
#[cfg(target_os = "linux")]
#[path = "platform/downloads_linux.rs"]
pub(crate) mod downloads;
#[cfg(not(target_os = "linux"))]
#[path = "platform/downloads_portable.rs"]
pub(crate) mod downloads;
#[cfg(target_os = "linux")]
#[path = "platform/drops_linux.rs"]
mod drops;
#[cfg(not(target_os = "linux"))]
#[path = "platform/drops_portable.rs"]
mod drops;
#[cfg(target_os = "linux")]
#[path = "platform/looks_linux.rs"]
mod looks;
#[cfg(target_os = "linux")]
#[path = "platform/progress_linux.rs"]
mod progress;
#[cfg(target_os = "linux")]
#[path = "platform/webview_linux.rs"]
pub(crate) mod webview;
#[cfg(not(target_os = "linux"))]
#[path = "platform/webview_portable.rs"]
pub(crate) mod webview;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use portable as system;

use crate::asset_groups;
use crate::assets::{Answer, Served, plain};
use crate::bridge;
use crate::desktop::fs::folders;
use crate::responder::Responder;
use crate::shell::{ORIGIN, Shell};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use staysail_protocol::bridge::{BODY_PATH, CALL_PATH};
use staysail_protocol::interface::WindowSpec;
use staysail_protocol::limits::{PAGE_LOAD_PATIENCE_MS, PAGE_REQUEST_BYTES_MAX};
use staysail_protocol::{CallError, ErrorCode};
use std::sync::Arc;
use std::time::Duration;
use wry::{WebContext, WebView, WebViewBuilder};

pub use system::{
    attach_menu, detach_menu, hear_theme, locale, set_activation, set_modal, set_progress, set_skip_taskbar,
    set_theme, show_context_menu, take_menu_bar, theme, with_parent, with_skip_taskbar,
};

/// Name of the app's own scheme.
const SCHEME: &str = "app";
/// The start script: one function expression, called with the boot record.
const START: &str = include_str!("../page/start.js");

/// What all webviews of the shell share. There is one for the app's life: a dropped web context leaves its network
/// process behind (tauri #14626).
pub struct Context {
    web: WebContext,
}

/// The page of one window.
pub struct WindowPage {
    webview: WebView,
}

impl Context {
    /// The shell's web context.
    pub fn new(shell: &Arc<Shell>) -> Self {
        let facts = shell.facts();
        let mut web = WebContext::new(folders::of_webview(&facts));
        let asked = std::env::var_os("STAYSAIL_AUTOMATION").is_some_and(|value| value == "1");
        web.set_allows_automation(may_be_driven(facts.driven, asked, cfg!(debug_assertions)));
        Self { web }
    }

    /// Puts a page into `window`.
    ///
    /// # Errors
    /// What the webview said, for people.
    pub fn open(
        &mut self,
        shell: &Arc<Shell>,
        window: &tao::window::Window,
        spec: &WindowSpec,
        background: Option<(u8, u8, u8, u8)>,
    ) -> Result<WindowPage, String> {
        let secret = shell.pages.open(&spec.label);
        let boot = serde_json::json!({
            "secret": secret,
            "window": spec.label,
            "native": system::has_script_messages(),
            "base": ORIGIN,
            "allowed": shell.allowed_origins(&spec.label),
        });
        let script = format!("({})({boot});", START.trim().trim_end_matches(';'));
        let settings = shell.facts().config.webview;
        let mut builder = WebViewBuilder::new_with_web_context(&mut self.web)
            .with_id(&spec.label)
            .with_initialization_script_for_main_only(script, true)
            .with_devtools(shell.facts().config.inspector)
            .with_incognito(spec.incognito)
            .with_autoplay(settings.autoplay)
            .with_transparent(spec.transparent)
            .with_focused(true);
        if let Some(colour) = background {
            builder = builder.with_background_color(colour);
        }
        if let Some(agent) = &settings.user_agent {
            builder = builder.with_user_agent(agent);
        }
        let webview = system::build(builder, shell, window, spec)?;
        if shell.facts().dev_url.is_some() {
            certificate::accept(&webview, shell);
        }
        let page = WindowPage { webview };
        page.load(shell, &spec.url);
        Ok(page)
    }
}

impl WindowPage {
    /// The webview.
    pub fn webview(&self) -> &WebView {
        &self.webview
    }

    /// Shows the page larger or smaller; 1 is its own size.
    pub fn zoom(&self, factor: f64) {
        if let Err(error) = self.webview.zoom(factor) {
            tracing::warn!(factor, %error, "the page could not be zoomed");
        }
    }

    /// Loads `path` of the app, from the dev server when there is one.
    pub fn load(&self, shell: &Arc<Shell>, path: &str) {
        let facts = shell.facts();
        let base = facts.dev_url.as_deref().unwrap_or(ORIGIN).trim_end_matches('/');
        let address = format!("{base}/{}", path.trim_start_matches('/'));
        if let Err(error) = self.webview.load_url(&address) {
            tracing::error!(address, %error, "the page could not be loaded");
        }
    }

    /// Loads the page again: `path` of the app, or what a dev server gives for the address that the window shows or that failed.
    pub fn load_again(&self, shell: &Arc<Shell>, path: &str) {
        if shell.facts().dev_url.is_none() || self.webview.reload().is_err() {
            self.load(shell, path);
        }
    }
}

/// Whether a driver may attach to the windows: by the development tool's word, or by that of the environment, which a shell
/// that is shipped does not heed.
fn may_be_driven(by_tool: bool, by_environment: bool, is_debug_build: bool) -> bool {
    by_tool || (by_environment && is_debug_build)
}

/// A request to the app's own scheme.
pub(crate) struct SchemeRequest {
    pub method: Method,
    /// Path, percent-encoded, without query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Answers a request of the page in `window` to the app's own scheme.
pub(crate) fn serve(
    shell: &Arc<Shell>,
    window: &str,
    request: SchemeRequest,
    answer: impl FnOnce(Answer) + Send + 'static,
) {
    let origin = request.headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    let allowed = origin.filter(|origin| shell.is_allowed_origin(window, origin)).map(str::to_string);
    let cors = move |mut response: Answer| {
        if let Some(origin) = allowed.as_deref().and_then(|origin| HeaderValue::from_str(origin).ok()) {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("origin"));
        }
        response
    };
    if request.path == CALL_PATH && request.method == Method::POST {
        let shell_then = shell.clone();
        let responder = Responder::of_texts(window, usize::MAX, shell.bodies.clone(), move |text| {
            answer(cors(shell_then.assets.guarded(bytes(text, "text/plain; charset=utf-8"))));
        });
        if request.body.len() > PAGE_REQUEST_BYTES_MAX {
            return responder.failure(&CallError::new(
                ErrorCode::TooLarge,
                format!(
                    "a request of a page has at most {PAGE_REQUEST_BYTES_MAX} bytes (page_request_bytes_max); send \
                     it in parts, or through a stream (`Sender`)"
                ),
            ));
        }
        // Some engines send no origin, or `null`, with requests of a custom scheme; the key decides then.
        let origin = origin.filter(|origin| *origin != "null").map(str::to_string);
        return bridge::handle(shell, window, origin.as_deref(), request.body, responder);
    }
    if let Some(id) = request.path.strip_prefix(BODY_PATH) {
        let response = match shell.bodies.take(id) {
            Some((body, true)) => bytes(body, "application/octet-stream"),
            Some((body, false)) => bytes(body, "application/json; charset=utf-8"),
            None => plain(StatusCode::GONE, "this answer was fetched already, or its page is gone"),
        };
        return answer(cors(shell.assets.guarded(response)));
    }
    let loads = shell.assets.is_load(window, &request.method, &request.headers);
    let answer = move |answered| answer(cors(answered));
    let mut release = None;
    if loads {
        shell.observe(|observer| release = observer.page_loads());
    }
    let Some(release) = release else { return file(shell, (window, loads), request, answer) };
    let (shell_then, window) = (shell.clone(), window.to_string());
    shell.runtime.spawn(async move {
        // One that takes longer has this page loaded again.
        let _ = tokio::time::timeout(Duration::from_millis(PAGE_LOAD_PATIENCE_MS), release).await;
        file(&shell_then, (&window, loads), request, answer);
    });
}

/// Answers a request for a file of the page.
fn file(
    shell: &Arc<Shell>,
    of: (&str, bool),
    request: SchemeRequest,
    answer: impl FnOnce(Answer) + Send + 'static,
) {
    match shell.assets.look_up(of, &request.method, &request.path, &request.headers) {
        Served::Answer(response) => answer(response),
        Served::OnDemand(wanted) => {
            let shell_then = shell.clone();
            shell.runtime.spawn(async move {
                let SchemeRequest { method, headers, .. } = request;
                answer(asset_groups::deliver(&shell_then, *wanted, method, headers).await);
            });
        }
    }
}

fn bytes(body: Vec<u8>, content_type: &'static str) -> Answer {
    let mut response = Answer::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::may_be_driven;

    #[test]
    fn a_shipped_shell_is_never_driven_by_word_of_its_environment() {
        assert!(!may_be_driven(false, true, false) && !may_be_driven(false, false, true));
        assert!(may_be_driven(true, false, false), "`staysail test` with the shell of an installation");
    }
}
