//! WebKitGTK's downloads, as `crate::desktop::downloads` wants them.

use super::SCHEME;
use crate::asset_groups;
use crate::desktop::downloads::Place;
use crate::shell::Shell;
use gtk::glib::gobject_ffi;
use gtk::glib::prelude::StaticType;
use gtk::glib::translate::{IntoGlib, ToGlibPtr};
use http::{HeaderMap, Method};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use webkit2gtk::{
    Download, DownloadExt, URIRequestExt, URIResponseExt, WebContext, WebContextExt, WebView as GtkWebView,
    WebViewExt,
};

/// WebKit waits for the place of a download as long as it takes.
pub const CAN_WAIT: bool = true;
/// WebKitGTK tells what comes.
pub const TELLS_PROGRESS: bool = true;

/// What a number stands for.
enum UnderWay {
    Web(Download),
    /// Waits for its place.
    Own(OwnFile),
}

/// A file of the app itself.
struct OwnFile {
    shell: Arc<Shell>,
    path: String,
}

thread_local! {
    /// The downloads under way.
    static UNDER_WAY: RefCell<HashMap<u64, UnderWay>> = RefCell::default();
}

/// Hears of the downloads of a context, and nobody else does. `label_of` knows the windows. To be called whenever wry has
/// built a view: it then listens, too, unasked, once more for each view, and decides before all others that a download
/// goes straight to its name in the user's folder (wry: `WebViewAttributes::default`).
pub fn listen(context: &WebContext, shell: &Arc<Shell>, label_of: fn(&GtkWebView) -> Option<String>) {
    let pointer: *mut webkit2gtk_sys::WebKitWebContext = context.to_glib_none().0;
    // SAFETY: the context is alive, the signal is one of its class; what is found by it alone is disconnected once. (All
    // at once GLib disconnects only what is matched by more than the signal.)
    unsafe {
        let signal =
            gobject_ffi::g_signal_lookup(c"download-started".as_ptr(), WebContext::static_type().into_glib());
        loop {
            let mask = gobject_ffi::G_SIGNAL_MATCH_ID;
            let handler = gobject_ffi::g_signal_handler_find(
                pointer.cast(),
                mask,
                signal,
                0,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            );
            if handler == 0 {
                break;
            }
            gobject_ffi::g_signal_handler_disconnect(pointer.cast(), handler);
        }
    }
    let shell = shell.clone();
    context.connect_download_started(move |_, download| started(&shell, download, label_of));
}

fn started(shell: &Arc<Shell>, download: &Download, label_of: fn(&GtkWebView) -> Option<String>) {
    let view = download.web_view();
    let label = view.as_ref().and_then(label_of).unwrap_or_default();
    let page = view.as_ref().and_then(|view| view.uri());
    let url = download.request().and_then(|request| request.uri()).unwrap_or_default();
    let Some(id) = shell.downloads.begin(shell, &label, page.as_deref(), &url) else {
        return download.cancel();
    };
    if url.starts_with(&format!("{SCHEME}:")) {
        // The network process, which does downloads, does not know the app's own scheme.
        download.cancel();
        return of_own_files(shell, id, &url);
    }
    UNDER_WAY.with_borrow_mut(|all| all.insert(id, UnderWay::Web(download.clone())));
    let failure: Rc<Cell<Option<String>>> = Rc::default();
    let offered = shell.clone();
    download.connect_decide_destination(move |download, name| {
        let response = download.response();
        let total = response.as_ref().map(|response| response.content_length()).filter(|total| *total > 0);
        let status = response.map_or(0, |response| response.status_code());
        if status >= 400 {
            offered.downloads.fail(&offered, id, &format!("the server answered {status}"));
            download.cancel();
            return true;
        }
        match offered.downloads.offer(
            &offered,
            id,
            offered_name(download, name).as_deref().unwrap_or(name),
            total,
        ) {
            Place::Partial(file) => write_to(download, &file),
            Place::Later => {}
            Place::Nowhere => download.cancel(),
        }
        true
    });
    let received = shell.clone();
    download.connect_received_data(move |download, _| {
        if !received.downloads.received(&received, id, download.received_data_length()) {
            download.cancel();
        }
    });
    let reason = failure.clone();
    download.connect_failed(move |_, error| reason.set(Some(error.to_string())));
    let shell = shell.clone();
    // Comes in any case, after `failed`, too.
    download.connect_finished(move |_| {
        UNDER_WAY.with_borrow_mut(|all| all.remove(&id));
        match failure.take() {
            Some(reason) => shell.downloads.fail(&shell, id, &reason),
            None => shell.downloads.finish(&shell, id),
        }
    });
}

/// Of a `data:` address without a name WebKit offers its content as one.
fn offered_name(download: &Download, name: &str) -> Option<String> {
    let url = download.request()?.uri()?;
    let content = url.strip_prefix("data:")?;
    let cut: String = name.chars().take(16).collect();
    let is_content =
        content.contains(&cut) || content.split_once('/').is_some_and(|(_, rest)| rest.starts_with(&cut));
    is_content.then(|| "download".to_string())
}

fn write_to(download: &Download, file: &Path) {
    download.set_allow_overwrite(false);
    download.set_destination(&file.to_string_lossy());
}

/// A download that waited has its place now.
pub fn place(id: u64, file: &Path) {
    let waiting = UNDER_WAY.with_borrow_mut(|all| all.remove(&id));
    match waiting {
        Some(UnderWay::Web(download)) => {
            write_to(&download, file);
            UNDER_WAY.with_borrow_mut(|all| all.insert(id, UnderWay::Web(download)));
        }
        Some(UnderWay::Own(own)) => own.write_to(id, file.to_path_buf()),
        None => {}
    }
}

/// Ends a download.
pub fn cancel(id: u64) {
    let ended = UNDER_WAY.with_borrow_mut(|all| all.remove(&id));
    if let Some(UnderWay::Web(download)) = ended {
        download.cancel();
    }
}

/// The app's own files are in the shell's hands: they are written as they are.
fn of_own_files(shell: &Arc<Shell>, id: u64, url: &str) {
    let path = url.split_once("://").and_then(|(_, rest)| Some(&rest[rest.find('/')?..])).unwrap_or("/");
    let path = path.split(['?', '#']).next().unwrap_or(path).to_string();
    let name = percent_decoded(path.rsplit('/').next().unwrap_or_default());
    let place = shell.downloads.offer(shell, id, &name, None);
    let own = OwnFile { shell: shell.clone(), path };
    match place {
        Place::Partial(file) => own.write_to(id, file),
        Place::Later => UNDER_WAY.with_borrow_mut(|all| drop(all.insert(id, UnderWay::Own(own)))),
        Place::Nowhere => {}
    }
}

fn percent_decoded(text: &str) -> String {
    gtk::glib::Uri::unescape_string(text, None).map_or_else(|| text.to_string(), |text| text.to_string())
}

impl OwnFile {
    fn write_to(self, id: u64, file: PathBuf) {
        let Self { shell, path } = self;
        shell.runtime.clone().spawn_blocking(move || {
            let asked = asset_groups::serve(&shell, Method::GET, &path, HeaderMap::new());
            let answer = shell.runtime.block_on(asked);
            if !answer.status().is_success() {
                return shell.downloads.fail(&shell, id, &format!("the app has no file {path}"));
            }
            match std::fs::write(&file, answer.into_body()) {
                Ok(()) => shell.downloads.finish(&shell, id),
                Err(error) => shell.downloads.fail(&shell, id, &error.to_string()),
            }
        });
    }
}
