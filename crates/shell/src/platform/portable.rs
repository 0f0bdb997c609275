//! WebView2 and WKWebView through wry's custom protocol.
//!
//! wry tells neither the user's gesture nor, on macOS, whether a frame asks: what leads out of the app is bounded by the
//! number of links that open, and frames go where the page's policy lets them.

use super::{SCHEME, SchemeRequest, downloads, drops, serve};
use crate::navigation::{self, Verdict};
use crate::permissions;
use crate::shell::Shell;
use muda::{ContextMenu, Menu};
use staysail_protocol::desktop::window::Progress;
use staysail_protocol::interface::{Theme, WindowSpec};
use staysail_protocol::permission::Permission;
use staysail_protocol::webview::Proxy;
use std::sync::{Arc, Mutex, PoisonError};
use tao::window::{ProgressBarState, ProgressState, Window, WindowBuilder};
use wry::{
    NewWindowResponse, PageLoadEvent, PermissionKind, PermissionResponse, ProxyConfig, ProxyEndpoint,
    WebView, WebViewBuilder,
};

/// Address of the page a window shows: wry says of a request neither which page makes it nor which frame.
pub type Shown = Arc<Mutex<String>>;

/// The page posts all its requests to the app's own scheme.
pub const fn has_script_messages() -> bool {
    false
}

/// Builds the webview of the window `label`.
pub fn build(
    builder: WebViewBuilder<'_>,
    shell: &Arc<Shell>,
    window: &tao::window::Window,
    spec: &WindowSpec,
) -> Result<WebView, String> {
    let (shell, label) = (shell.clone(), spec.label.clone());
    let shown = Shown::default();
    let builder = with_proxy(decide(builder, &shell, &label, &shown), &shell);
    let builder = drops::listen(downloads::listen(builder, &shell, &label, &shown), &shell, &label);
    let view = builder
        .with_asynchronous_custom_protocol(SCHEME.into(), move |_id, request, responder| {
            let (parts, body) = request.into_parts();
            let path = parts.uri.path().to_string();
            let request = SchemeRequest { method: parts.method, path, headers: parts.headers, body };
            serve(&shell, &label, request, move |answer| responder.respond(answer));
        })
        .build(window)
        .map_err(|error| error.to_string())?;
    #[cfg(windows)]
    super::accelerators::listen(&view, window);
    Ok(view)
}

/// The theme its page sees.
pub fn theme(window: &Window) -> Theme {
    if window.theme() == tao::window::Theme::Dark { Theme::Dark } else { Theme::Light }
}

/// Gives the window this theme, or that of the desktop back.
pub fn set_theme(window: &Window, theme: Theme) {
    window.set_theme(crate::desktop::native_theme(theme));
}

/// Each window hears by itself when the theme is another: tao tells it.
pub fn hear_theme(_shell: &Arc<Shell>) {}

fn with_proxy<'a>(builder: WebViewBuilder<'a>, shell: &Arc<Shell>) -> WebViewBuilder<'a> {
    let endpoint = |host: String, port: u16| ProxyEndpoint { host, port: port.to_string() };
    match shell.facts().config.webview.proxy.as_deref().and_then(Proxy::parse) {
        Some(Proxy::Http(host, port)) => builder.with_proxy_config(ProxyConfig::Http(endpoint(host, port))),
        Some(Proxy::Socks5(host, port)) => {
            builder.with_proxy_config(ProxyConfig::Socks5(endpoint(host, port)))
        }
        #[cfg(windows)]
        Some(Proxy::None) => {
            use wry::WebViewBuilderExtWindows;
            // In place of wry's own arguments, which are these without the last (wry: `with_additional_browser_args`).
            builder.with_additional_browser_args(
                "--disable-features=msWebOOUI,msPdfOOUI,msSmartScreenProtection --no-proxy-server",
            )
        }
        // WKWebView always follows the system's settings where no proxy is named.
        _ => builder,
    }
}

/// Decides where the page goes and what it is permitted.
fn decide<'a>(
    builder: WebViewBuilder<'a>,
    shell: &Arc<Shell>,
    label: &str,
    shown: &Shown,
) -> WebViewBuilder<'a> {
    let own = || (shell.clone(), label.to_string());
    let (shown, shown_then) = (shown.clone(), shown.clone());
    let (goes_shell, goes_label) = own();
    let (new_shell, new_label) = own();
    let (asks_shell, asks_label) = own();
    builder
        .with_navigation_handler(move |address| {
            let goes = if cfg!(windows) {
                // WebView2 asks for the window itself only.
                navigation::window_goes(&goes_shell, &goes_label, &address, None)
            } else {
                navigation::somewhere(&goes_shell, &goes_label, &address, None) != Verdict::Stay
            };
            if goes {
                goes_shell.assets.begins_load(&goes_label);
            }
            goes
        })
        .with_new_window_req_handler(move |address, _| {
            navigation::new_window(&new_shell, &new_label, &address, None);
            NewWindowResponse::Deny
        })
        .with_on_page_load_handler(move |event, address| {
            if matches!(event, PageLoadEvent::Started) {
                *shown_then.lock().unwrap_or_else(PoisonError::into_inner) = address;
            }
        })
        .with_permission_handler(move |kind| {
            let address = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let wanted: Vec<Permission> = permission(kind).into_iter().collect();
            let kind = kind.to_string();
            if permissions::permits(&asks_shell, &asks_label, Some(&address), &wanted, &kind) {
                PermissionResponse::Allow
            } else {
                PermissionResponse::Deny
            }
        })
}

/// The name of what is asked for. WKWebView asks for camera and microphone only.
fn permission(kind: PermissionKind) -> Option<Permission> {
    Some(match kind {
        PermissionKind::Camera => Permission::Camera,
        PermissionKind::Microphone => Permission::Microphone,
        PermissionKind::DisplayCapture => Permission::DisplayCapture,
        PermissionKind::Geolocation => Permission::Geolocation,
        PermissionKind::Notifications => Permission::Notifications,
        PermissionKind::ClipboardRead => Permission::ClipboardRead,
        PermissionKind::PointerLock => Permission::PointerLock,
        PermissionKind::MediaKeySystemAccess => Permission::MediaKeys,
        PermissionKind::Midi => Permission::Midi,
        PermissionKind::Sensors => Permission::Sensors,
        PermissionKind::LocalFonts => Permission::LocalFonts,
        PermissionKind::WindowManagement => Permission::WindowManagement,
        PermissionKind::AutomaticDownloads => Permission::AutomaticDownloads,
        PermissionKind::FileSystemAccess => Permission::FileSystemAccess,
        PermissionKind::Autoplay => Permission::Autoplay,
        _ => return None,
    })
}

/// The new window stays above `parent` and is minimised with it.
pub fn with_parent(builder: WindowBuilder, parent: &Window) -> WindowBuilder {
    #[cfg(windows)]
    {
        use tao::platform::windows::{WindowBuilderExtWindows, WindowExtWindows};
        builder.with_owner_window(parent.hwnd())
    }
    #[cfg(target_os = "macos")]
    {
        use tao::platform::macos::{WindowBuilderExtMacOS, WindowExtMacOS};
        builder.with_parent_window(parent.ns_window())
    }
    #[cfg(not(any(windows, target_os = "macos")))]
    {
        let _ = parent;
        builder
    }
}

/// While `modal`, the parent takes no input.
pub fn set_modal(_window: &Window, parent: &Window, modal: bool) {
    #[cfg(windows)]
    {
        use tao::platform::windows::WindowExtWindows;
        parent.set_enable(!modal);
    }
    // macOS knows modal sheets only; the window stays above its parent, which keeps its input.
    #[cfg(not(windows))]
    {
        let _ = parent;
        if modal {
            tracing::warn!("`modal` has no effect on this system: the parent keeps its input");
        }
    }
}

/// Whether the task bar leaves the new window out.
pub fn with_skip_taskbar(builder: WindowBuilder, skip: bool) -> WindowBuilder {
    #[cfg(windows)]
    {
        use tao::platform::windows::WindowBuilderExtWindows;
        builder.with_skip_taskbar(skip)
    }
    #[cfg(not(windows))]
    {
        if skip {
            tracing::warn!(
                "`skipTaskbar` has no effect on this system: its dock shows programs, not windows"
            );
        }
        builder
    }
}

/// Whether the task bar leaves the window out.
pub fn set_skip_taskbar(window: &Window, skip: bool) {
    #[cfg(windows)]
    {
        use tao::platform::windows::WindowExtWindows;
        let _ = window.set_skip_taskbar(skip);
    }
    #[cfg(not(windows))]
    {
        let _ = window;
        if skip {
            tracing::warn!(
                "`skipTaskbar` has no effect on this system: its dock shows programs, not windows"
            );
        }
    }
}

/// The user's language as a BCP 47 tag.
pub fn locale() -> Option<String> {
    #[cfg(windows)]
    {
        let mut name = [0_u16; 85];
        // SAFETY: the buffer is this function's own, of the length the system names (LOCALE_NAME_MAX_LENGTH).
        let length = unsafe { windows::Win32::Globalization::GetUserDefaultLocaleName(&mut name) };
        let length = usize::try_from(length).ok()?.checked_sub(1)?;
        Some(String::from_utf16_lossy(&name[..length]))
    }
    #[cfg(not(windows))]
    {
        let said =
            std::process::Command::new("defaults").args(["read", "-g", "AppleLocale"]).output().ok()?;
        let locale = String::from_utf8(said.stdout).ok()?;
        let tag = locale.trim().split('@').next().unwrap_or_default().replace('_', "-");
        (!tag.is_empty()).then_some(tag)
    }
}

/// These systems give their leave by themselves.
pub fn set_activation(_window: &Window, _activation: &str) {}

/// Shows progress at the icon in the task bar or the dock.
pub fn set_progress(window: &Window, progress: Progress, _data_dir: &str) {
    window.set_progress_bar(progress_bar(progress));
}

fn progress_bar(progress: Progress) -> ProgressBarState {
    let (state, progress) = match progress {
        Progress::None => (ProgressState::None, None),
        Progress::Indeterminate => (ProgressState::Indeterminate, None),
        Progress::Percent(percent) => (ProgressState::Normal, Some(percent.min(100))),
        Progress::Error(percent) => (ProgressState::Error, Some(percent.min(100))),
    };
    ProgressBarState { state: Some(state), progress, desktop_filename: None }
}

/// Puts the menu where the system has it.
pub fn attach_menu(menu: &Menu, window: &Window) {
    #[cfg(windows)]
    {
        use tao::platform::windows::WindowExtWindows;
        // SAFETY: the handle is that of a window that is open.
        if let Err(error) = unsafe { menu.init_for_hwnd(window.hwnd()) } {
            tracing::error!(%error, "the window has no place for a menu");
        }
        super::accelerators::put(menu, window);
    }
    #[cfg(target_os = "macos")]
    {
        let _ = window;
        menu.init_for_nsapp();
    }
    #[cfg(not(any(windows, target_os = "macos")))]
    let _ = (menu, window);
}

/// Takes the menu away.
pub fn detach_menu(menu: &Menu, window: &Window) {
    #[cfg(windows)]
    {
        use tao::platform::windows::WindowExtWindows;
        // SAFETY: the handle is that of a window that is open.
        if let Err(error) = unsafe { menu.remove_for_hwnd(window.hwnd()) } {
            tracing::error!(%error, "the menu could not be taken away");
        }
        super::accelerators::take(window);
    }
    #[cfg(target_os = "macos")]
    {
        let _ = window;
        menu.remove_for_nsapp();
    }
    #[cfg(not(any(windows, target_os = "macos")))]
    let _ = (menu, window);
}

/// Takes the menu bar of this window away. On macOS windows have none of their own.
pub fn take_menu_bar(menu: &Menu, window: &Window) {
    #[cfg(not(target_os = "macos"))]
    detach_menu(menu, window);
    #[cfg(target_os = "macos")]
    let _ = (menu, window);
}

/// Shows a menu at a place of the page, in logical pixels, or where the mouse is.
pub fn show_context_menu(menu: &Menu, window: &Window, at: Option<(f64, f64)>) {
    let at: Option<muda::dpi::Position> = at.map(|(x, y)| muda::dpi::LogicalPosition::new(x, y).into());
    #[cfg(windows)]
    {
        use tao::platform::windows::WindowExtWindows;
        // SAFETY: the handle is that of a window that is open.
        unsafe { menu.show_context_menu_for_hwnd(window.hwnd(), at) };
    }
    #[cfg(target_os = "macos")]
    {
        use tao::platform::macos::WindowExtMacOS;
        // SAFETY: the view is that of a window that is open.
        unsafe { menu.show_context_menu_for_nsview(window.ns_view(), at) };
    }
    #[cfg(not(any(windows, target_os = "macos")))]
    let _ = (menu, window, at);
}
