//! WebView2 and WKWebView through wry's custom protocol.

use super::{SCHEME, SchemeRequest, serve};
use crate::shell::Shell;
use muda::{ContextMenu, Menu};
use std::sync::Arc;
use tao::window::{Window, WindowBuilder};
use wry::{WebView, WebViewBuilder};

/// The page posts all its requests to the app's own scheme.
pub const HAS_SCRIPT_MESSAGES: bool = false;

/// Builds the webview of the window `label`.
pub fn build(
    builder: WebViewBuilder<'_>,
    shell: &Arc<Shell>,
    window: &tao::window::Window,
    label: &str,
) -> Result<WebView, String> {
    let (shell, label) = (shell.clone(), label.to_string());
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

/// Shows a menu at a place of the page, in logical pixels, or where the mouse is.
pub fn show_context_menu(menu: &Menu, window: &Window, at: Option<(f64, f64)>) {
    let at = at.map(|(x, y)| muda::dpi::LogicalPosition::new(x, y).into());
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
