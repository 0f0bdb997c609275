//! WebView2 and WKWebView through wry's custom protocol.

use super::{SCHEME, SchemeRequest, serve};
use crate::shell::Shell;
use std::sync::Arc;
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
