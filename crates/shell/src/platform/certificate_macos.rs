//! Certificates by WKWebView: its navigation delegate belongs to wry, so that only those are accepted which the keychain
//! trusts. `docs/guide/frontends.md` says how to put a dev server's there.

use crate::dev_certificate;
use crate::shell::Shell;
use std::sync::Arc;
use wry::WebView;

/// Says what to do when the dev server's own certificate would be refused.
pub fn accept(_: &WebView, shell: &Arc<Shell>) {
    let Some(address) = shell.facts().dev_url else { return };
    if dev_certificate::trusted_host(shell, &address).is_some() {
        tracing::info!(
            address,
            "if the page stays empty, trust the dev server's certificate in the keychain (mkcert does), or use http"
        );
    }
}
