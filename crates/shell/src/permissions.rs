//! What a page asks the webview itself for: the window's capabilities answer, there is no prompt.

use crate::shell::{Shell, origin_of};
use staysail_protocol::permission::Permission;
use std::sync::Arc;

/// Whether the page shown at `address` in a window gets all of what it asks for at once. What has no name gets nothing.
///
/// The webview does not say which frame asks: a foreign frame that the page's policy lets in can only ask for what the
/// page hands on to it by `allow` (Permissions Policy).
pub fn permits(
    shell: &Arc<Shell>,
    window: &str,
    address: Option<&str>,
    wanted: &[Permission],
    kind: &str,
) -> bool {
    let origin = address.and_then(origin_of).unwrap_or_else(|| "null".into());
    let of_the_app = shell.is_allowed_origin(window, &origin);
    let has = |permission: &Permission| shell.granted(window, |granted| granted.permission(*permission));
    if of_the_app && !wanted.is_empty() && wanted.iter().all(has) {
        return true;
    }
    let names: Vec<&str> = wanted.iter().map(|permission| permission.name()).collect();
    if !shell.navigation.is_news(format!("{window} {origin} permission {kind} {names:?}")) {
        return false;
    }
    if wanted.is_empty() {
        tracing::warn!(window, origin, kind, "denied: pages never get this");
    } else if of_the_app {
        tracing::warn!(
            window,
            "denied: the page asked for {}; to let it, add `permissions = {names:?}` to [[capabilities]] in \
             staysail.toml",
            names.join(" and ")
        );
    } else {
        tracing::warn!(
            window,
            origin,
            "denied: a foreign page asked for {}; only the app's own pages and those named by `origins` may",
            names.join(" and ")
        );
    }
    false
}
