//! Certificates by WebView2 (`ICoreWebView2_14::ServerCertificateErrorDetected`).

use crate::dev_certificate;
use crate::shell::Shell;
use std::sync::Arc;
use webview2_com::Microsoft::Web::WebView2::Win32::{
    COREWEBVIEW2_SERVER_CERTIFICATE_ERROR_ACTION_ALWAYS_ALLOW, ICoreWebView2_14,
};
use webview2_com::{ServerCertificateErrorDetectedEventHandler, take_pwstr};
use windows_core::{Interface, PWSTR};
use wry::{WebView, WebViewExtWindows};

/// Accepts the dev server's own certificate.
pub fn accept(view: &WebView, shell: &Arc<Shell>) {
    let shell = shell.clone();
    let handler = ServerCertificateErrorDetectedEventHandler::create(Box::new(move |_, event| {
        let Some(event) = event else { return Ok(()) };
        let mut address = PWSTR::null();
        // SAFETY: WebView2 puts a text there that `take_pwstr` frees.
        let address = unsafe {
            event.RequestUri(&mut address)?;
            take_pwstr(address)
        };
        if dev_certificate::trusted_host(&shell, &address).is_some() {
            // SAFETY: a call of a method of a live object, with a plain value.
            unsafe { event.SetAction(COREWEBVIEW2_SERVER_CERTIFICATE_ERROR_ACTION_ALWAYS_ALLOW)? };
        }
        Ok(())
    }));
    let mut token = 0;
    // SAFETY: the handler is counted by WebView2; the token's place lives through the call.
    let listening = view
        .webview()
        .cast::<ICoreWebView2_14>()
        .and_then(|webview| unsafe { webview.add_ServerCertificateErrorDetected(&handler, &mut token) });
    if let Err(error) = listening {
        tracing::warn!(%error, "this WebView2 accepts no dev server with a certificate of its own; use http there");
    }
}
