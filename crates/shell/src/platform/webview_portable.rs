//! What WebView2 and WKWebView can do beside showing a page, through wry and, where wry does not, by their own means.

#[cfg(target_os = "macos")]
#[path = "pdf_macos.rs"]
mod pdf;
#[cfg(windows)]
#[path = "pdf_windows.rs"]
mod pdf;

use crate::desktop::webview::{Done, Search};
use staysail_protocol::desktop::cookies::{Cookie, SameSite, StorageKind};
use staysail_protocol::desktop::find::Found;
use staysail_protocol::desktop::page::PdfLayout;
use staysail_protocol::limits::FIND_MATCHES_MAX;
use std::path::Path;
use wry::WebView;
use wry::cookie::{self, CookieBuilder, time::OffsetDateTime};

/// Finds by the engine's `window.find` and counts by the text; one function expression.
const FIND: &str = include_str!("find.js");

/// Shows the system's dialog for printing.
pub fn print(view: &WebView, _window: &tao::window::Window) -> Result<(), String> {
    view.print().map_err(|error| error.to_string())
}

/// Prints to a file that is not there yet.
#[cfg(any(windows, target_os = "macos"))]
pub fn print_to_pdf(view: &WebView, file: &Path, layout: &PdfLayout, done: Done<()>) {
    pdf::print(view, file, layout, done);
}

/// Prints to a file that is not there yet.
#[cfg(not(any(windows, target_os = "macos")))]
pub fn print_to_pdf(_view: &WebView, _file: &Path, _layout: &PdfLayout, done: Done<()>) {
    let _ = done.send(Err("this system's webview prints to no file".into()));
}

/// These systems tell the page of the mouse's release themselves.
pub fn let_go(_view: &WebView) {}

/// Finds a text, or goes on with the one before.
pub fn find(view: &WebView, search: Search, done: Done<Found>) {
    let order = match search {
        Search::Start { text, case, backwards, wrap } => {
            serde_json::json!({ "text": text, "case": case, "backwards": backwards, "wrap": wrap })
        }
        Search::Next => serde_json::json!({ "again": "next" }),
        Search::Previous => serde_json::json!({ "again": "previous" }),
    };
    let script = format!("({})({order}, {FIND_MATCHES_MAX})", FIND.trim().trim_end_matches(';'));
    let done = std::sync::Mutex::new(Some(done));
    let evaluated = view.evaluate_script_with_callback(&script, move |answer| {
        let matches = serde_json::from_str::<i64>(&answer).unwrap_or(-1);
        let outcome = u32::try_from(matches)
            .map(|matches| Found { matches })
            .map_err(|_| "nothing was searched yet; `find.start` begins".to_string());
        if let Some(done) = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            let _ = done.send(outcome);
        }
    });
    if let Err(error) = evaluated {
        tracing::warn!(%error, "nothing could be found in the page");
    }
}

/// Takes the marks away.
pub fn find_stop(view: &WebView) {
    let _ = view.evaluate_script("getSelection()?.removeAllRanges()");
}

/// What a webview remembers.
pub struct Store<'a> {
    view: &'a WebView,
}

impl<'a> Store<'a> {
    /// That of a webview.
    pub fn of(view: Option<&'a WebView>) -> Result<Self, String> {
        view.map(|view| Self { view }).ok_or_else(|| "no window is open".into())
    }

    /// All cookies, or those a request to `url` would carry.
    pub fn cookies(&self, url: Option<&str>, done: Done<Vec<Cookie>>) {
        let cookies = match url {
            Some(url) => self.view.cookies_for_url(url),
            None => self.view.cookies(),
        };
        let cookies = cookies.map(|cookies| cookies.iter().map(read).collect());
        let _ = done.send(cookies.map_err(|error| error.to_string()));
    }

    /// Sets a cookie.
    pub fn set_cookie(&self, cookie: &Cookie, done: Done<()>) {
        let _ = done.send(self.view.set_cookie(&written(cookie)).map_err(|error| error.to_string()));
    }

    /// Removes a cookie.
    pub fn remove_cookie(&self, cookie: &Cookie, done: Done<()>) {
        let _ = done.send(self.view.delete_cookie(&written(cookie)).map_err(|error| error.to_string()));
    }

    /// Forgets; everything when no kind is named.
    pub fn clear(&self, kinds: &[StorageKind], done: Done<()>) {
        let cleared = match kinds {
            [] => self.view.clear_all_browsing_data(),
            [StorageKind::Cookies] => self
                .view
                .cookies()
                .and_then(|cookies| cookies.iter().try_for_each(|cookie| self.view.delete_cookie(cookie))),
            _ => {
                let message =
                    "this system's webview forgets cookies, or everything; leave `kinds` out for that";
                let _ = done.send(Err(message.into()));
                return;
            }
        };
        let _ = done.send(cleared.map_err(|error| error.to_string()));
    }
}

fn read(cookie: &cookie::Cookie<'_>) -> Cookie {
    Cookie {
        name: cookie.name().into(),
        value: cookie.value().into(),
        domain: cookie.domain().unwrap_or_default().into(),
        path: cookie.path().unwrap_or_default().into(),
        expires_s: cookie.expires_datetime().map(OffsetDateTime::unix_timestamp),
        secure: cookie.secure().unwrap_or_default(),
        http_only: cookie.http_only().unwrap_or_default(),
        same_site: match cookie.same_site() {
            Some(cookie::SameSite::Strict) => SameSite::Strict,
            Some(cookie::SameSite::Lax) => SameSite::Lax,
            _ => SameSite::None,
        },
    }
}

fn written(cookie: &Cookie) -> cookie::Cookie<'static> {
    let builder = CookieBuilder::new(cookie.name.clone(), cookie.value.clone())
        .domain(cookie.domain.clone())
        .path(cookie.path.clone())
        .secure(cookie.secure)
        .http_only(cookie.http_only)
        .same_site(match cookie.same_site {
            SameSite::None => cookie::SameSite::None,
            SameSite::Lax => cookie::SameSite::Lax,
            SameSite::Strict => cookie::SameSite::Strict,
        });
    match cookie.expires_s.and_then(|time| OffsetDateTime::from_unix_timestamp(time).ok()) {
        Some(time) => builder.expires(time).build(),
        None => builder.build(),
    }
}
