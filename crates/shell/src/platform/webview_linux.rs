//! What WebKitGTK can do beside showing a page: printing, finding, cookies, storage, spelling, proxy.
//!
//! Everything here runs on the GTK thread and never waits there: wry's own functions for cookies run a main loop
//! inside the main loop until the answer is there, and whatever comes in meanwhile would find the windows taken.

use crate::desktop::webview::{Done, Search};
use gtk::gdk;
use gtk::gio::{self, Cancellable};
use gtk::glib::translate::{FromGlibPtrContainer, ToGlibPtr, ToGlibPtrMut, from_glib_full};
use gtk::glib::{self, TimeSpan};
use gtk::prelude::{SeatExt, WidgetExt};
use staysail_protocol::desktop::cookies::{Cookie, SameSite, StorageKind};
use staysail_protocol::desktop::find::Found;
use staysail_protocol::desktop::page::PdfLayout;
use staysail_protocol::limits::FIND_MATCHES_MAX;
use staysail_protocol::webview::{Proxy, WebviewConfig};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CString, c_char};
use std::path::Path;
use std::rc::Rc;
use tao::platform::unix::WindowExtUnix;
use webkit2gtk::{
    CookieManager, CookieManagerExt, FindControllerExt, FindOptions, NetworkProxyMode, NetworkProxySettings,
    PrintOperation, PrintOperationExt, SettingsExt, WebContext, WebContextExt, WebView as GtkWebView,
    WebViewExt, WebsiteDataManager, WebsiteDataManagerExt, WebsiteDataManagerExtManual, WebsiteDataTypes,
};
use wry::{WebView, WebViewExtUnix};

thread_local! {
    /// The context of all windows that are not private, once there was one.
    static SHARED: RefCell<Option<WebContext>> = const { RefCell::new(None) };
    /// Who waits for the outcome of a search, by the address of the webview.
    static SEARCHES: RefCell<HashMap<usize, Done<Found>>> = RefCell::default();
}

/// Sets a context up before its first page is loaded.
pub fn prepare_context(context: &WebContext, settings: &WebviewConfig, is_private: bool) {
    if !is_private {
        SHARED.replace(Some(context.clone()));
    }
    if !settings.spell_check.is_empty() {
        context.set_spell_checking_enabled(true);
        let languages: Vec<CString> =
            settings.spell_check.iter().filter_map(|language| CString::new(language.as_str()).ok()).collect();
        let mut list: Vec<*const c_char> = languages.iter().map(|language| language.as_ptr()).collect();
        list.push(std::ptr::null());
        // SAFETY: a list of C strings that ends in NULL, alive through the call, which copies it.
        unsafe {
            webkit2gtk_sys::webkit_web_context_set_spell_checking_languages(
                context.to_glib_none().0,
                list.as_ptr(),
            );
        }
    }
    let proxy = settings.proxy.as_deref().and_then(Proxy::parse);
    let (Some(proxy), Some(manager)) = (proxy, context.website_data_manager()) else { return };
    let custom = |address: String| {
        let mut settings = NetworkProxySettings::new(Some(&address), &[]);
        manager.set_network_proxy_settings(NetworkProxyMode::Custom, Some(&mut settings));
    };
    match proxy {
        Proxy::None => manager.set_network_proxy_settings(NetworkProxyMode::NoProxy, None),
        Proxy::Http(host, port) => custom(format!("http://{host}:{port}")),
        Proxy::Socks5(host, port) => custom(format!("socks5://{host}:{port}")),
    }
}

/// Sets a view up before it loads anything.
pub fn prepare_view(view: &GtkWebView) {
    let Some(settings) = WebViewExt::settings(view) else { return };
    // Printed pages look as they do on the screen.
    settings.set_print_backgrounds(true);
    listen_to_searches(view);
}

/// Shows the system's dialog for printing, whose end nobody waits for.
pub fn print(view: &WebView, window: &tao::window::Window) -> Result<(), String> {
    let operation = PrintOperation::new(&view.webview());
    let parent = window.gtk_window().clone();
    // The dialog runs a loop of its own: not within the work of the windows.
    glib::idle_add_local_once(move || {
        operation.connect_failed(|_, error| tracing::error!(%error, "printing failed"));
        operation.run_dialog(Some(&parent));
    });
    Ok(())
}

/// Prints to a file that is not there yet.
pub fn print_to_pdf(view: &WebView, file: &Path, layout: &PdfLayout, done: Done<()>) {
    let view = view.webview();
    let settings = gtk::PrintSettings::new();
    // The printer GTK makes files with is found by its name in the user's language.
    settings.set_printer(&glib::dgettext(Some("gtk30"), "Print to File"));
    settings.set("output-uri", Some(&gio::prelude::FileExt::uri(&gio::File::for_path(file))));
    settings.set("output-file-format", Some("pdf"));
    settings.set_scale(layout.scale * 100.0);
    let (width, height) = layout.paper_mm;
    let setup = gtk::PageSetup::new();
    setup.set_paper_size(&gtk::PaperSize::new_custom("staysail", "staysail", width, height, gtk::Unit::Mm));
    let (top, right, bottom, left) = layout.margins_mm;
    setup.set_top_margin(top, gtk::Unit::Mm);
    setup.set_right_margin(right, gtk::Unit::Mm);
    setup.set_bottom_margin(bottom, gtk::Unit::Mm);
    setup.set_left_margin(left, gtk::Unit::Mm);
    let turned =
        if layout.landscape { gtk::PageOrientation::Landscape } else { gtk::PageOrientation::Portrait };
    setup.set_orientation(turned);
    settings.set_orientation(turned);
    if let Some(settings) = WebViewExt::settings(&view) {
        settings.set_print_backgrounds(layout.backgrounds);
    }
    let operation =
        PrintOperation::builder().web_view(&view).print_settings(&settings).page_setup(&setup).build();
    let done = Rc::new(Cell::new(Some(done)));
    let failed = done.clone();
    operation.connect_failed(move |_, error| {
        if let Some(done) = failed.take() {
            let _ = done.send(Err(format!("the page could not be printed to a file: {error}")));
        }
    });
    // It must live until it is done, and only its own handler knows when that is.
    let kept = Rc::new(Cell::new(Some(operation.clone())));
    operation.connect_finished(move |operation| {
        if let Some(settings) = operation.web_view().and_then(|view| WebViewExt::settings(&view)) {
            settings.set_print_backgrounds(true);
        }
        if let Some(done) = done.take() {
            let _ = done.send(Ok(()));
        }
        kept.take();
    });
    operation.print();
}

/// The window manager has taken the mouse over, to move or resize the window, and will have its release for itself: the page
/// is told one, or it would go on as if the button was down, select and scroll. Outside of it, so that nothing is clicked.
pub fn let_go(view: &WebView) {
    let view = view.webview();
    glib::idle_add_local_once(move || {
        let Some(surface) = view.window() else { return };
        let Some(pointer) = surface.display().default_seat().and_then(|seat| seat.pointer()) else { return };
        let mut event = gdk::Event::new(gdk::EventType::ButtonRelease);
        let raw: *mut gdk::ffi::GdkEvent = event.to_glib_none_mut().0;
        // SAFETY: an event of this type is a GdkEventButton; it frees the reference to its window, which is made here.
        unsafe {
            let button = raw.cast::<gdk::ffi::GdkEventButton>();
            (*button).window = surface.to_glib_full();
            (*button).send_event = 1;
            (*button).time = gdk::ffi::GDK_CURRENT_TIME as u32;
            ((*button).x, (*button).y) = (-1.0, -1.0);
            (*button).state = gdk::ffi::GDK_BUTTON1_MASK;
            (*button).button = gdk::ffi::GDK_BUTTON_PRIMARY as u32;
            (*button).device = pointer.to_glib_none().0;
        }
        view.event(&event);
    });
}

fn address(view: &GtkWebView) -> usize {
    let pointer: *mut webkit2gtk_sys::WebKitWebView = view.to_glib_none().0;
    pointer as usize
}

fn listen_to_searches(view: &GtkWebView) {
    let Some(finder) = view.find_controller() else { return };
    let key = address(view);
    let settle = move |matches: u32| {
        if let Some(done) = SEARCHES.with_borrow_mut(|searches| searches.remove(&key)) {
            let _ = done.send(Ok(Found { matches: matches.min(FIND_MATCHES_MAX) }));
        }
    };
    finder.connect_found_text(move |_, matches| settle(matches));
    finder.connect_failed_to_find_text(move |_| settle(0));
    view.connect_destroy(move |_| drop(SEARCHES.with_borrow_mut(|searches| searches.remove(&key))));
}

/// Finds a text, or goes on with the one before.
pub fn find(view: &WebView, search: Search, done: Done<Found>) {
    let view = view.webview();
    let Some(finder) = view.find_controller() else {
        let _ = done.send(Err("this webview finds nothing".into()));
        return;
    };
    if !matches!(search, Search::Start { .. }) && finder.search_text().is_none_or(|text| text.is_empty()) {
        let _ = done.send(Err("nothing was searched yet; `find.start` begins".into()));
        return;
    }
    SEARCHES.with_borrow_mut(|searches| searches.insert(address(&view), done));
    match search {
        Search::Start { text, case, backwards, wrap } => {
            let mut options = FindOptions::empty();
            options.set(FindOptions::CASE_INSENSITIVE, !case);
            options.set(FindOptions::BACKWARDS, backwards);
            options.set(FindOptions::WRAP_AROUND, wrap);
            finder.search(&text, options.bits(), FIND_MATCHES_MAX);
        }
        Search::Next => finder.search_next(),
        Search::Previous => finder.search_previous(),
    }
}

/// Takes the marks away.
pub fn find_stop(view: &WebView) {
    if let Some(finder) = view.webview().find_controller() {
        finder.search_finish();
    }
}

/// What a webview remembers.
pub struct Store {
    manager: WebsiteDataManager,
}

impl Store {
    /// That of a webview; the one all windows share when none is named.
    pub fn of(view: Option<&WebView>) -> Result<Self, String> {
        let manager = match view {
            Some(view) => view.webview().website_data_manager(),
            None => SHARED.with_borrow(|context| context.as_ref()?.website_data_manager()),
        };
        manager.map(|manager| Self { manager }).ok_or_else(|| "no window was opened yet".into())
    }

    fn jar<T>(&self, done: Done<T>) -> Option<(CookieManager, Done<T>)> {
        match self.manager.cookie_manager() {
            Some(jar) => Some((jar, done)),
            None => {
                let _ = done.send(Err("this webview keeps no cookies".into()));
                None
            }
        }
    }

    /// All cookies, or those a request to `url` would carry.
    pub fn cookies(&self, url: Option<&str>, done: Done<Vec<Cookie>>) {
        let Some((jar, done)) = self.jar(done) else { return };
        let told = move |cookies: Result<Vec<soup::Cookie>, glib::Error>| {
            let cookies = cookies.map(|cookies| cookies.into_iter().map(read).collect());
            let _ = done.send(cookies.map_err(|error| error.to_string()));
        };
        match url {
            Some(url) => jar.cookies(url, Cancellable::NONE, told),
            None => all_cookies(&jar, told),
        }
    }

    /// Sets a cookie.
    pub fn set_cookie(&self, cookie: &Cookie, done: Done<()>) {
        let Some((jar, done)) = self.jar(done) else { return };
        jar.add_cookie(&mut written(cookie), Cancellable::NONE, move |set| {
            let _ = done.send(set.map_err(|error| error.to_string()));
        });
    }

    /// Removes a cookie.
    pub fn remove_cookie(&self, cookie: &Cookie, done: Done<()>) {
        let Some((jar, done)) = self.jar(done) else { return };
        jar.delete_cookie(&mut written(cookie), Cancellable::NONE, move |removed| {
            let _ = done.send(removed.map_err(|error| error.to_string()));
        });
    }

    /// Forgets; everything when no kind is named.
    pub fn clear(&self, kinds: &[StorageKind], done: Done<()>) {
        let mut types = if kinds.is_empty() { WebsiteDataTypes::all() } else { WebsiteDataTypes::empty() };
        for kind in kinds {
            types |= match kind {
                StorageKind::Cookies => WebsiteDataTypes::COOKIES,
                StorageKind::Cache => WebsiteDataTypes::MEMORY_CACHE | WebsiteDataTypes::DISK_CACHE,
                StorageKind::Data => {
                    WebsiteDataTypes::all()
                        - WebsiteDataTypes::COOKIES
                        - WebsiteDataTypes::MEMORY_CACHE
                        - WebsiteDataTypes::DISK_CACHE
                }
            };
        }
        self.manager.clear(types, TimeSpan::from_seconds(0), Cancellable::NONE, move |cleared| {
            let _ = done.send(cleared.map_err(|error| error.to_string()));
        });
    }
}

fn read(mut cookie: soup::Cookie) -> Cookie {
    let text = |text: Option<glib::GString>| text.map(|text| text.to_string()).unwrap_or_default();
    Cookie {
        name: text(cookie.name()),
        value: text(cookie.value()),
        domain: text(cookie.domain()),
        path: text(cookie.path()),
        expires_s: cookie.expires().map(|time| time.to_unix()),
        secure: cookie.is_secure(),
        http_only: cookie.is_http_only(),
        same_site: match cookie.same_site_policy() {
            soup::SameSitePolicy::Strict => SameSite::Strict,
            soup::SameSitePolicy::Lax => SameSite::Lax,
            _ => SameSite::None,
        },
    }
}

fn written(cookie: &Cookie) -> soup::Cookie {
    const WITH_THE_SESSION: i32 = -1;
    let mut soup =
        soup::Cookie::new(&cookie.name, &cookie.value, &cookie.domain, &cookie.path, WITH_THE_SESSION);
    if let Some(time) = cookie.expires_s.and_then(|time| glib::DateTime::from_unix_utc(time).ok()) {
        soup.set_expires(&time);
    }
    soup.set_secure(cookie.secure);
    soup.set_http_only(cookie.http_only);
    soup.set_same_site_policy(match cookie.same_site {
        SameSite::None => soup::SameSitePolicy::None,
        SameSite::Lax => soup::SameSitePolicy::Lax,
        SameSite::Strict => soup::SameSitePolicy::Strict,
    });
    soup
}

type CookiesTold = Box<dyn FnOnce(Result<Vec<soup::Cookie>, glib::Error>)>;

// In WebKitGTK since 2.42; the bindings do not have it yet, and wry, which needs it as well, declares it the same way.
unsafe extern "C" {
    fn webkit_cookie_manager_get_all_cookies(
        manager: *mut webkit2gtk_sys::WebKitCookieManager,
        cancellable: *mut gio::ffi::GCancellable,
        callback: gio::ffi::GAsyncReadyCallback,
        data: glib::ffi::gpointer,
    );
    fn webkit_cookie_manager_get_all_cookies_finish(
        manager: *mut webkit2gtk_sys::WebKitCookieManager,
        result: *mut gio::ffi::GAsyncResult,
        error: *mut *mut glib::ffi::GError,
    ) -> *mut glib::ffi::GList;
}

fn all_cookies(jar: &CookieManager, told: impl FnOnce(Result<Vec<soup::Cookie>, glib::Error>) + 'static) {
    unsafe extern "C" fn finish(
        source: *mut glib::gobject_ffi::GObject,
        result: *mut gio::ffi::GAsyncResult,
        data: glib::ffi::gpointer,
    ) {
        // SAFETY: GIO calls this once, on the GTK thread, with the manager that was asked and the data given below; the
        // list and the error are ours to free, which the conversions do.
        unsafe {
            let told = Box::from_raw(data.cast::<CookiesTold>());
            let mut error = std::ptr::null_mut();
            let list = webkit_cookie_manager_get_all_cookies_finish(source.cast(), result, &mut error);
            told(if error.is_null() { Ok(Vec::from_glib_full(list)) } else { Err(from_glib_full(error)) });
        }
    }
    let told: Box<CookiesTold> = Box::new(Box::new(told));
    // SAFETY: the manager lives through the call; `finish` takes the box back.
    unsafe {
        webkit_cookie_manager_get_all_cookies(
            jar.to_glib_none().0,
            std::ptr::null_mut(),
            Some(finish),
            Box::into_raw(told).cast(),
        );
    }
}
