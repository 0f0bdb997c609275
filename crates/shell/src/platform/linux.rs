//! WebKitGTK: script messages with reply, and the app's own scheme.
//!
//! # Theory of operation
//! `window.webkit.messageHandlers.staysail.postMessage(text)` in the page raises the signal
//! `script-message-with-reply-received` on this thread, with a reply object that may be answered later, but on
//! this thread only. It waits in a thread-local table under a ticket; whoever has the answer puts it into the
//! [`Outbox`] and wakes this thread once for however many answers are there by then.

mod policy;

use super::{SCHEME, SchemeRequest, downloads, drops, looks, port, progress, serve, webview};
use crate::assets::Answer;
use crate::bridge;
use crate::responder::Responder;
use crate::shell::{Shell, origin_of};
use gtk::gio::prelude::InputStreamExtManual;
use gtk::glib::prelude::ToVariant;
use gtk::glib::translate::{FromGlibPtrNone, ToGlibPtr};
use gtk::glib::{self, MainContext, ffi::gpointer};
use gtk::prelude::{ContainerExt, GtkMenuExt, GtkWindowExt, SeatExt, WidgetExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use javascriptcore::{Value, ValueExt};
pub use looks::{hear_theme, set_theme, theme};
use muda::{ContextMenu, Menu};
use staysail_protocol::desktop::window::Progress;
use staysail_protocol::interface::WindowSpec;
use staysail_protocol::limits::{
    CRASH_RESTARTS_MAX, CRASH_WINDOW_S, INLINE_PAYLOAD_BYTES_MAX, PAGE_REQUEST_BYTES_MAX,
};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ffi::{CString, c_char, c_int};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tao::platform::unix::{WindowBuilderExtUnix, WindowExtUnix};
use tao::window::{Window, WindowBuilder};
use webkit2gtk::{
    SecurityManagerExt, URISchemeRequest, URISchemeRequestExt, URISchemeResponse, URISchemeResponseExt,
    UserContentManager, WebContextExt, WebView as GtkWebView, WebViewExt,
};
use wry::{WebView, WebViewBuilder, WebViewBuilderExtUnix, WebViewExtUnix};

/// Small requests go by script message, unless all are to be posted.
pub fn has_script_messages() -> bool {
    !port::is_set_to("post")
}
/// Name of the script message handler.
const HANDLER: &str = "staysail";

/// Builds the webview of the window `label`.
pub fn build(
    builder: WebViewBuilder<'_>,
    shell: &Arc<Shell>,
    window: &tao::window::Window,
    spec: &WindowSpec,
) -> Result<WebView, String> {
    let label = spec.label.as_str();
    let container = window.default_vbox().ok_or("the window has no place for a page")?;
    let webview = builder.build_gtk(container).map_err(|error| error.to_string())?;
    let gtk_view = webview.webview();
    VIEWS.with_borrow_mut(|views| views.insert(view_address(&gtk_view), label.to_string()));
    take_script_messages(&gtk_view, shell, label)?;
    policy::decide(&gtk_view, shell, label);
    revive(&gtk_view, label);
    looks::hear_scale(shell, window, label);
    prepare_context(&gtk_view, shell, spec.incognito)?;
    webview::prepare_view(&gtk_view);
    drops::listen(&gtk_view, shell, label);
    Ok(webview)
}

/// Label of the window a view is in.
fn label_of(view: &GtkWebView) -> Option<String> {
    VIEWS.with_borrow(|views| views.get(&view_address(view)).cloned())
}

/// The new window stays above `parent` and is minimised with it.
pub fn with_parent(builder: WindowBuilder, parent: &Window) -> WindowBuilder {
    builder.with_transient_for(parent.gtk_window())
}

/// The user's language as a BCP 47 tag, by what POSIX says of it.
pub fn locale() -> Option<String> {
    let named = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
    let locale = named.into_iter().find(|locale| !locale.is_empty())?;
    let tag = locale.split(['.', '@']).next().unwrap_or_default().replace('_', "-");
    (!matches!(tag.as_str(), "" | "C" | "POSIX")).then_some(tag)
}

/// Uses the desktop's leave to come to the front.
pub fn set_activation(window: &Window, activation: &str) {
    window.gtk_window().set_startup_id(activation);
}

/// Puts the menu bar above the page.
pub fn attach_menu(menu: &Menu, window: &Window) {
    if let Err(error) = menu.init_for_gtk_window(window.gtk_window(), window.default_vbox()) {
        tracing::error!(%error, "the window has no place for a menu");
    }
}

/// Takes the menu bar away.
pub fn detach_menu(menu: &Menu, window: &Window) {
    if let Err(error) = menu.remove_for_gtk_window(window.gtk_window()) {
        tracing::error!(%error, "the menu could not be taken away");
    }
}

/// Takes the menu bar of this window away.
pub fn take_menu_bar(menu: &Menu, window: &Window) {
    detach_menu(menu, window);
}

/// Shows a menu at a place of the page, in logical pixels, or where the mouse is.
pub fn show_context_menu(menu: &Menu, window: &Window, at: Option<(f64, f64)>) {
    // muda's own way waits here until the menu is closed, and nothing else would go on.
    let Some(surface) = window.gtk_window().window() else { return };
    // The page is the last below the menu bar.
    let page = window.default_vbox().and_then(|container| container.children().pop());
    let of_page = page.zip(at).and_then(|(page, (x, y))| {
        page.translate_coordinates(window.gtk_window(), x.round() as i32, y.round() as i32)
    });
    let (x, y) = of_page.unwrap_or_else(|| {
        let pointer = surface.display().default_seat().and_then(|seat| seat.pointer());
        pointer.map_or((0, 0), |pointer| {
            let (_, x, y, _) = surface.device_position(&pointer);
            (x, y)
        })
    });
    let place = gtk::gdk::Rectangle::new(x, y, 1, 1);
    let corner = gtk::gdk::Gravity::NorthWest;
    menu.gtk_context_menu().popup_at_rect(&surface, &place, corner, corner, None);
}

/// While `modal`, the parent takes no input.
pub fn set_modal(window: &Window, _parent: &Window, modal: bool) {
    window.gtk_window().set_modal(modal);
}

/// Shows progress at the app's icon.
pub fn set_progress(_window: &Window, progress: Progress, data_dir: &str) {
    progress::set_progress(progress, data_dir);
}

/// Whether the task bar leaves the new window out.
pub fn with_skip_taskbar(builder: WindowBuilder, skip: bool) -> WindowBuilder {
    builder.with_skip_taskbar(skip)
}

/// Whether the task bar leaves the window out.
pub fn set_skip_taskbar(window: &Window, skip: bool) {
    let _ = window.set_skip_taskbar(skip);
}

/// A web process that dies takes only its page along: the page is loaded again, unless that happens over and over.
fn revive(view: &GtkWebView, label: &str) {
    let (deaths, label) = (RefCell::new(Vec::<Instant>::new()), label.to_string());
    view.connect_web_process_terminated(move |view, reason| {
        let mut deaths = deaths.borrow_mut();
        deaths.retain(|death| death.elapsed() < Duration::from_secs(CRASH_WINDOW_S));
        deaths.push(Instant::now());
        if deaths.len() > CRASH_RESTARTS_MAX as usize {
            return tracing::error!(
                window = label,
                ?reason,
                "the page's process keeps dying; its window stays empty"
            );
        }
        tracing::error!(window = label, ?reason, "the page's process died; the page is loaded again");
        view.reload();
    });
}

thread_local! {
    /// Labels of the windows by the address of their webview.
    static VIEWS: RefCell<HashMap<usize, String>> = RefCell::default();
    /// Replies that wait for their answer.
    static REPLIES: RefCell<HashMap<u64, Reply>> = RefCell::default();
    static NEXT_TICKET: Cell<u64> = const { Cell::new(1) };
    /// Contexts that are prepared, by their address: the one of all windows, and one of each private window.
    static PREPARED: RefCell<HashSet<usize>> = RefCell::default();
    /// Where web processes hand requests in, once one was prepared; `None` where that is not possible.
    static OFFER: OnceCell<Option<port::Offer>> = const { OnceCell::new() };
}

fn view_address(view: &GtkWebView) -> usize {
    let pointer: *mut webkit2gtk_sys::WebKitWebView = view.to_glib_none().0;
    pointer as usize
}

/// A counted reference to a script message's reply, and the context its value is made in.
struct Reply {
    reply: *mut webkit2gtk_sys::WebKitScriptMessageReply,
    context: javascriptcore::Context,
}

impl Reply {
    fn answer(&self, text: &[u8]) {
        // Answers are JSON, in which no NUL byte can stand raw; a raw answer travels as a body, not here.
        let text = CString::new(text).unwrap_or_default();
        let value = Value::new_string(&self.context, Some(text.to_str().unwrap_or_default()));
        // SAFETY: `reply` is a live counted reference (released in drop), `value` lives through the call, and both
        // are used on the GTK thread, as this struct is not Send.
        unsafe {
            webkit2gtk_sys::webkit_script_message_reply_return_value(self.reply, value.to_glib_none().0)
        };
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // SAFETY: gives back the reference taken in `received`.
        unsafe { webkit2gtk_sys::webkit_script_message_reply_unref(self.reply) };
    }
}

/// What the signal handler needs; lives as long as the content manager.
struct Receiver {
    shell: Arc<Shell>,
    label: String,
    view: glib::WeakRef<GtkWebView>,
    outbox: Arc<Outbox>,
}

/// Answers on their way to this thread.
#[derive(Default)]
struct Outbox {
    answers: Mutex<Vec<(u64, Vec<u8>)>>,
}

impl Outbox {
    fn put(self: &Arc<Self>, ticket: u64, text: Vec<u8>) {
        let context = MainContext::default();
        if context.is_owner() {
            return answer(ticket, &text);
        }
        if self.keep(ticket, text) {
            let outbox = self.clone();
            let deliver = move || outbox.taken().into_iter().for_each(|(ticket, text)| answer(ticket, &text));
            context.invoke_with_priority(glib::Priority::HIGH, deliver);
        }
    }

    /// Whether this thread has to be woken: it is on its way already when other answers wait.
    fn keep(&self, ticket: u64, text: Vec<u8>) -> bool {
        let mut answers = self.answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        answers.push((ticket, text));
        answers.len() == 1
    }

    fn taken(&self) -> Vec<(u64, Vec<u8>)> {
        std::mem::take(&mut *self.answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

fn answer(ticket: u64, text: &[u8]) {
    if let Some(reply) = REPLIES.with_borrow_mut(|replies| replies.remove(&ticket)) {
        reply.answer(text);
    }
}

fn take_script_messages(view: &GtkWebView, shell: &Arc<Shell>, label: &str) -> Result<(), String> {
    let manager: UserContentManager =
        view.user_content_manager().ok_or("the webview has no content manager; WebKitGTK 2.40 is needed")?;
    let manager_pointer: *mut webkit2gtk_sys::WebKitUserContentManager = manager.to_glib_none().0;
    let receiver = Box::new(Receiver {
        shell: shell.clone(),
        label: label.to_string(),
        view: glib::object::ObjectExt::downgrade(view),
        outbox: Arc::default(),
    });
    let signal = CString::new(format!("script-message-with-reply-received::{HANDLER}")).unwrap_or_default();
    let handler = CString::new(HANDLER).unwrap_or_default();
    type Callback = unsafe extern "C" fn();
    // SAFETY: the signal's C signature is that of `received` (WebKitGTK 2.40, "script-message-with-reply-received");
    // `receiver` is handed to the signal and freed by `release` when the handler is disconnected, which happens when
    // the manager goes. The world name is NULL, the page's own world.
    let registered = unsafe {
        glib::gobject_ffi::g_signal_connect_data(
            manager_pointer.cast(),
            signal.as_ptr(),
            Some(std::mem::transmute::<*const (), Callback>(received as *const ())),
            Box::into_raw(receiver).cast(),
            Some(release),
            0,
        );
        webkit2gtk_sys::webkit_user_content_manager_register_script_message_handler_with_reply(
            manager_pointer,
            handler.as_ptr().cast::<c_char>(),
            std::ptr::null(),
        )
    };
    if registered == 0 { Err("the webview takes no script messages".into()) } else { Ok(()) }
}

unsafe extern "C" fn release(receiver: gpointer, _closure: *mut glib::gobject_ffi::GClosure) {
    // SAFETY: `receiver` came from Box::into_raw in `take_script_messages`; GObject calls this once.
    drop(unsafe { Box::from_raw(receiver.cast::<Receiver>()) });
}

unsafe extern "C" fn received(
    _manager: *mut webkit2gtk_sys::WebKitUserContentManager,
    value: *mut javascriptcore_sys::JSCValue,
    reply: *mut webkit2gtk_sys::WebKitScriptMessageReply,
    receiver: gpointer,
) -> c_int {
    // SAFETY: GObject passes the receiver of `take_script_messages`, alive while the handler is connected, a live
    // value, and a reply of which we take a reference of our own.
    let (receiver, value, reply) = unsafe {
        let receiver = &*receiver.cast::<Receiver>();
        let value = Value::from_glib_none(value);
        webkit2gtk_sys::webkit_script_message_reply_ref(reply);
        (receiver, value, reply)
    };
    let Some(context) = value.context() else {
        // SAFETY: gives back the reference just taken.
        unsafe { webkit2gtk_sys::webkit_script_message_reply_unref(reply) };
        return 0;
    };
    let text = value.to_string_as_bytes().map(|bytes| bytes.to_vec()).unwrap_or_default();
    let ticket = NEXT_TICKET.replace(NEXT_TICKET.get() + 1);
    REPLIES.with_borrow_mut(|replies| replies.insert(ticket, Reply { reply, context }));
    let outbox = receiver.outbox.clone();
    let bodies = receiver.shell.bodies.clone();
    let responder = Responder::of_texts(&receiver.label, INLINE_PAYLOAD_BYTES_MAX, bodies, move |text| {
        outbox.put(ticket, text);
    });
    let origin = receiver.view.upgrade().and_then(|view| view.uri()).and_then(|uri| origin_of(&uri));
    bridge::handle(&receiver.shell, &receiver.label, origin.as_deref().or(Some("null")), text, responder);
    1
}

/// What all webviews share, before the first of them loads anything and so starts a web process.
fn prepare_context(view: &GtkWebView, shell: &Arc<Shell>, is_private: bool) -> Result<(), String> {
    let context = view.context().ok_or("the webview has no context")?;
    downloads::listen(&context, shell, label_of);
    let pointer: *mut webkit2gtk_sys::WebKitWebContext = context.to_glib_none().0;
    // A context that is gone may have had the same address; it was a private one, whose like come prepared never.
    if !PREPARED.with_borrow_mut(|prepared| prepared.insert(pointer as usize)) && !is_private {
        return Ok(());
    }
    webview::prepare_context(&context, &shell.facts().config.webview, is_private);
    // One socket for all: a private window has a context of its own.
    OFFER.with(|cell| {
        if let Some(offer) = cell.get_or_init(|| port::offer(shell)) {
            context.set_web_extensions_directory(&offer.folder.to_string_lossy());
            context.set_web_extensions_initialization_user_data(&offer.address.to_variant());
        }
    });
    let security = context.security_manager().ok_or("the web context has no security manager")?;
    security.register_uri_scheme_as_secure(SCHEME);
    security.register_uri_scheme_as_cors_enabled(SCHEME);
    let shell = shell.clone();
    context.register_uri_scheme(SCHEME, move |request| {
        let label = request.web_view().and_then(|view| label_of(&view)).unwrap_or_default();
        let finish = OnThisThread(request.clone());
        serve(&shell, &label, read_request(request), move |answer| {
            MainContext::default().invoke_with_priority(glib::Priority::HIGH, move || finish.with(answer));
        });
    });
    Ok(())
}

/// A scheme request on its way back to the GTK thread.
struct OnThisThread(URISchemeRequest);

// SAFETY: the request is only cloned, finished and dropped on the GTK thread: it travels inside a closure given to
// `MainContext::invoke`, and `serve` always calls or hands on that closure.
unsafe impl Send for OnThisThread {}

impl OnThisThread {
    fn with(self, answer: Answer) {
        let (parts, body) = answer.into_parts();
        let size = body.len() as i64;
        let stream = gtk::gio::MemoryInputStream::from_bytes(&glib::Bytes::from_owned(body));
        let response = URISchemeResponse::new(&stream, size);
        response.set_status(u32::from(parts.status.as_u16()), None);
        let headers = soup::MessageHeaders::new(soup::MessageHeadersType::Response);
        for (name, value) in &parts.headers {
            let value = value.to_str().unwrap_or_default();
            if name == http::header::CONTENT_TYPE {
                response.set_content_type(value);
            }
            headers.append(name.as_str(), value);
        }
        response.set_http_headers(headers);
        self.0.finish_with_response(&response);
    }
}

fn read_request(request: &URISchemeRequest) -> SchemeRequest {
    let mut headers = HeaderMap::new();
    if let Some(list) = request.http_headers() {
        list.foreach(|name, value| {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
            {
                headers.insert(name, value);
            }
        });
    }
    let method = request.http_method().and_then(|method| method.parse().ok()).unwrap_or(Method::GET);
    // An address without a path (`app://localhost`) is that of the index.
    let path = request.uri().and_then(|uri| {
        let rest = uri.split_once("://")?.1;
        let path = &rest[rest.find('/')?..];
        Some(path.split(['?', '#']).next().unwrap_or(path).to_string())
    });
    let mut body = Vec::new();
    if let Some(stream) = request.http_body() {
        // To the very end, for a short read is not the end; or until `serve` can tell that it is too much.
        let mut buffer = vec![0; 256 << 10];
        while body.len() <= PAGE_REQUEST_BYTES_MAX
            && let Ok(count @ 1..) = stream.read(&mut buffer, None::<&gtk::gio::Cancellable>)
        {
            body.extend_from_slice(&buffer[..count]);
        }
    }
    SchemeRequest { method, path: path.unwrap_or_else(|| "/".into()), headers, body }
}

#[cfg(test)]
mod tests {
    use super::Outbox;

    #[test]
    fn however_many_small_answers_wait_the_thread_of_the_windows_is_woken_once_for_all() {
        let outbox = Outbox::default();
        for round in 0..2 {
            let woken = (0..500_u64).filter(|ticket| outbox.keep(*ticket, b"{}".to_vec())).count();
            assert_eq!(woken, 1, "round {round}");
            let tickets: Vec<u64> = outbox.taken().into_iter().map(|(ticket, _)| ticket).collect();
            assert_eq!(tickets, (0..500).collect::<Vec<_>>());
        }
        assert!(outbox.taken().is_empty());
    }
}
