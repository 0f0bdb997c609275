//! Certificates by WebKitGTK: a load that failed for one is begun again once the context allows it.

use crate::dev_certificate;
use crate::shell::Shell;
use std::sync::Arc;
use webkit2gtk::{WebContextExt, WebViewExt};
use wry::{WebView, WebViewExtUnix};

/// Accepts the dev server's own certificate.
pub fn accept(view: &WebView, shell: &Arc<Shell>) {
    let shell = shell.clone();
    view.webview().connect_load_failed_with_tls_errors(move |view, address, certificate, _| {
        let Some(host) = dev_certificate::trusted_host(&shell, address) else { return false };
        let Some(context) = view.context() else { return false };
        // For this certificate and host alone; the socket of hot module replacement is covered with it.
        context.allow_tls_certificate_for_host(certificate, &host);
        view.load_uri(address);
        true
    });
}
