//! WebView2 and WKWebView through wry's custom protocol.

use super::{SCHEME, SchemeRequest, downloads, drops, may_navigate, serve};
use crate::shell::Shell;
use muda::{ContextMenu, Menu};
use staysail_protocol::interface::WindowSpec;
use staysail_protocol::webview::Proxy;
use std::sync::Arc;
use tao::window::{Window, WindowBuilder};
use wry::{ProxyConfig, ProxyEndpoint, WebView, WebViewBuilder};

/// The page posts all its requests to the app's own scheme.
pub const HAS_SCRIPT_MESSAGES: bool = false;

/// Builds the webview of the window `label`.
pub fn build(
    builder: WebViewBuilder<'_>,
    shell: &Arc<Shell>,
    window: &tao::window::Window,
    spec: &WindowSpec,
) -> Result<WebView, String> {
    let (shell, label) = (shell.clone(), spec.label.clone());
    let (allowed, own) = (shell.clone(), label.clone());
    let builder = builder.with_navigation_handler(move |address| may_navigate(&allowed, &own, &address));
    let builder =
        with_proxy(drops::listen(downloads::listen(builder, &shell, &label), &shell, &label), &shell);
    builder
        .with_asynchronous_custom_protocol(SCHEME.into(), move |_id, request, responder| {
            let (parts, body) = request.into_parts();
            let path = parts.uri.path().to_string();
            let request = SchemeRequest { method: parts.method, path, headers: parts.headers, body };
            serve(&shell, &label, request, move |answer| responder.respond(answer));
        })
        .build(window)
        .map_err(|error| error.to_string())
}

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
    let _ = (parent, modal);
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
        let _ = skip;
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
    let _ = (window, skip);
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
    }
    #[cfg(target_os = "macos")]
    {
        let _ = window;
        menu.remove_for_nsapp();
    }
    #[cfg(not(any(windows, target_os = "macos")))]
    let _ = (menu, window);
}

/// Shows a menu where the mouse is.
pub fn show_context_menu(menu: &Menu, window: &Window) {
    #[cfg(windows)]
    {
        use tao::platform::windows::WindowExtWindows;
        // SAFETY: the handle is that of a window that is open.
        unsafe { menu.show_context_menu_for_hwnd(window.hwnd(), None) };
    }
    #[cfg(target_os = "macos")]
    {
        use tao::platform::macos::WindowExtMacOS;
        // SAFETY: the view is that of a window that is open.
        unsafe { menu.show_context_menu_for_nsview(window.ns_view(), None) };
    }
    #[cfg(not(any(windows, target_os = "macos")))]
    let _ = (menu, window);
}
