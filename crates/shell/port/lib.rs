//! The port: what runs inside WebKitGTK's web process and carries the page's requests straight to the shell.
//!
//! # Theory of operation
//! A script message goes from the page through WebKit's inter-process queues to the window's thread and back: ten
//! threads are woken for one call. WebKitGTK loads this library into each web process (a "web process extension").
//! It opens one socket to the shell and gives the main frame of every page one function, `__staysail_port`, before
//! any script runs. The start script takes that function away and calls it with the window's label and a callback;
//! what it gets back sends requests. An answer is read from the socket on the page's own thread and handed to the
//! callback.
//!
//! Nothing here decides what a page may do: a request carries the key of its page load, which only the shell knows
//! how to judge, and the address of its page, which the page cannot forge. Where the library is not loaded or the
//! shell does not answer, there is no `__staysail_port` and the start script uses script messages.
//!
//! All of it happens on the web process's main thread. No state is borrowed while script runs, because script calls
//! back into [`send`].
//!
//! **Invariant:** no dependencies: the shell's build script compiles this with `rustc` alone and embeds the result.
//! Nor the standard library: what it does at a panic alone would make the port ten times as large, in the executable of
//! every app and in the memory of every web process. (Without it panics must abort; cargo, which checks this as an
//! example, builds with panics that unwind, and then it is there.)
#![cfg(target_os = "linux")]
#![cfg_attr(panic = "abort", no_std)]

extern crate alloc;

mod ffi;
mod script;
mod system;
mod text;
mod wire;

use alloc::vec::Vec;
use core::ffi::CStr;
use core::{mem, ptr};
use ffi::*;
use script::{Callback, Text, arguments, bytes_of, hand};
use system::{MainThread, Socket};
use text::utf8_into;
use wire::{Kind, Reader};

/// Priority of answers on the main loop: that of WebKit's own messages, so that a flood starves no painting.
const PRIORITY: i32 = 100;
/// Answers handed out before other work gets its turn.
const ANSWERS_PER_TURN_MAX: usize = 128;
/// Bytes behind a text go in one piece with it below this size: to copy them costs less than to write twice.
const COPIED_BYTES_MAX: usize = 64 << 10;
/// Most that is kept allocated for texts, and for requests the socket did not take at once.
const KEPT_BYTES: usize = 2 << 20;

static CONNECTION: MainThread<Option<Connection>> = MainThread::new(None);

/// The socket to the shell and the pages that use it.
struct Connection {
    socket: Socket,
    reader: Reader,
    backlog: Vec<u8>,
    written: usize,
    /// Where texts become UTF-8, kept so that its memory is.
    text: Vec<u8>,
    /// Whether the main loop waits for room in the socket.
    waits_for_room: bool,
    /// What the process shows: a page each window, rarely two.
    pages: Vec<Page>,
    /// Number of the last port that was opened.
    last_port: u64,
}

struct Page {
    page: *mut WebKitWebPage,
    port: u64,
    /// The context of the page's main frame: what calls from there is this page.
    context: *mut JSContext,
    /// The start script's callback, once it opened its port.
    callback: Option<Callback>,
}

/// WebKit's entry into the library. `user_data` is a string: the socket's abstract name, a space, the token.
///
/// # Safety
/// Called by WebKit, once, on the main thread, with a live extension and variant.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn webkit_web_extension_initialize_with_user_data(
    _extension: *mut WebKitWebExtension,
    user_data: *const GVariant,
) {
    // SAFETY: the shell hands a string variant over; anything else yields null here. The world lives for ever.
    let (text, world) = unsafe {
        if user_data.is_null() || g_variant_is_of_type(user_data, c"s".as_ptr().cast()) == 0 {
            return;
        }
        let text = CStr::from_ptr(g_variant_get_string(user_data, ptr::null_mut()));
        (text.to_string_lossy(), webkit_script_world_get_default())
    };
    let Some((name, token)) = text.split_once(' ') else { return };
    let Some(connection) = connect(name, token) else { return };
    let descriptor = connection.socket.descriptor();
    // SAFETY: WebKit calls this once, and nothing of the library runs before.
    unsafe { CONNECTION.begin(Some(connection)) };
    // SAFETY: the callbacks have the C signatures of GUnixFDSourceFunc and of the signal "window-object-cleared";
    // neither is given user data, and both run on this thread.
    unsafe {
        g_unix_fd_add_full(
            PRIORITY,
            descriptor,
            G_IO_IN | G_IO_HUP | G_IO_ERR,
            readable,
            ptr::null_mut(),
            None,
        );
        g_signal_connect_data(
            world.cast(),
            c"window-object-cleared".as_ptr(),
            Some(mem::transmute::<*const (), unsafe extern "C" fn()>(window_object_cleared as *const ())),
            ptr::null_mut(),
            None,
            0,
        );
    }
}

fn connect(name: &str, token: &str) -> Option<Connection> {
    let socket = Socket::connect(name)?;
    let hello = frame(Kind::Hello, 0, token.as_bytes());
    // The first bytes on a fresh socket: they fit.
    if socket.write(&hello) != Ok(Some(hello.len())) {
        return None;
    }
    Some(Connection {
        socket,
        reader: Reader::default(),
        backlog: Vec::new(),
        written: 0,
        text: Vec::new(),
        waits_for_room: false,
        pages: Vec::new(),
        last_port: 0,
    })
}

/// A whole frame that answers nothing and wants no answer.
fn frame(kind: Kind, port: u64, body: &[u8]) -> Vec<u8> {
    [&wire::head(kind, port, 0, body.len())[..], body].concat()
}

/// Does something with the connection, unless it has ended.
fn with<T>(action: impl FnOnce(&mut Connection) -> T) -> Option<T> {
    CONNECTION.with(|connection| connection.as_mut().map(action)).flatten()
}

/// A new document: its main frame gets the function that opens a port.
unsafe extern "C" fn window_object_cleared(
    world: *mut WebKitScriptWorld,
    page: *mut WebKitWebPage,
    frame: *mut WebKitFrame,
    _data: gpointer,
) {
    // SAFETY: WebKit passes live objects. The function is on the stack, where JSC sees it, until it belongs to the
    // context's global object.
    unsafe {
        if webkit_frame_is_main_frame(frame) == 0 {
            return;
        }
        let context = webkit_frame_get_javascript_context_for_script_world(frame, world);
        if context.is_null() {
            return;
        }
        let fresh = Page { page, port: 0, context, callback: None };
        let known = with(|connection| connection.show(fresh));
        match known {
            None => return,
            // Seen for the first time: its end is to be told.
            Some(None) => g_object_weak_ref(page.cast(), page_gone, ptr::null_mut()),
            // The document before: letting go of its callback runs no script.
            Some(Some(before)) => drop(before),
        }
        let name = Text::new(c"__staysail_port");
        let function = JSObjectMakeFunctionWithCallback(context, name.as_ptr(), open);
        JSObjectSetProperty(
            context,
            JSContextGetGlobalObject(context),
            name.as_ptr(),
            function,
            0,
            ptr::null_mut(),
        );
    }
}

unsafe extern "C" fn page_gone(_data: gpointer, page: gpointer) {
    let gone = with(|connection| {
        let place = connection.pages.iter().position(|shown| shown.page.cast() == page)?;
        Some(connection.pages.swap_remove(place))
    });
    drop(gone);
}

/// `__staysail_port(label, callback)`: opens a port and returns `send(ticket, head, …payload)`, or null.
unsafe extern "C" fn open(
    context: JSContextRef,
    _function: JSObjectRef,
    _this: JSObjectRef,
    count: usize,
    values: *const JSValueRef,
    _exception: *mut JSValueRef,
) -> JSValueRef {
    // SAFETY: JSC passes a live context and live values. The page whose context it is lives, which `page_gone` and
    // `window_object_cleared` keep true.
    unsafe {
        let nothing = JSValueMakeNull(context);
        let [label, callback] = *arguments(count, values) else { return nothing };
        if !JSValueIsObject(context, callback) || !JSObjectIsFunction(context, callback.cast_mut()) {
            return nothing;
        }
        let label = Text::of(context, label);
        let global = JSContextGetGlobalContext(context);
        let opened = with(|connection| {
            let page = connection.pages.iter().find(|page| page.context == global)?.page;
            let address = webkit_web_page_get_uri(page);
            let address = if address.is_null() { &[][..] } else { CStr::from_ptr(address).to_bytes() };
            connection.last_port += 1;
            let port = connection.last_port;
            let mut body = Vec::new();
            utf8_into(label.units(), &mut body);
            connection.write(&frame(Kind::Open, port, &[&body[..], b"\n", address].concat()));
            let callback = Some(Callback::of(global, callback.cast_mut()));
            connection.show(Page { page, port, context: global, callback })
        });
        if opened.flatten().is_none() {
            return nothing;
        }
        JSObjectMakeFunctionWithCallback(context, Text::new(c"send").as_ptr(), send)
    }
}

/// `send(ticket, head, …payload)`: sends one request, a newline between head and payload, and says whether it could. The
/// payload is a `Uint8Array`, or a text in pieces that are cut between characters; an empty text is none.
unsafe extern "C" fn send(
    context: JSContextRef,
    _function: JSObjectRef,
    _this: JSObjectRef,
    count: usize,
    values: *const JSValueRef,
    _exception: *mut JSValueRef,
) -> JSValueRef {
    // SAFETY: JSC passes a live context and `count` live values; an array's memory stays where it is while no script
    // runs.
    unsafe {
        let refused = JSValueMakeBoolean(context, false);
        let [ticket, head, payload @ ..] = arguments(count, values) else { return refused };
        let ticket = JSValueToNumber(context, *ticket, ptr::null_mut()) as u64;
        let mut text = with(|connection| mem::take(&mut connection.text)).unwrap_or_default();
        text.clear();
        text.extend_from_slice(&[0; wire::HEAD_BYTES]);
        utf8_into(Text::of(context, *head).units(), &mut text);
        text.push(b'\n');
        let before = text.len();
        let mut bytes = &[][..];
        match payload {
            [array] if JSValueGetTypedArrayType(context, *array, ptr::null_mut()) == JS_UINT8_ARRAY => {
                bytes = bytes_of(context, *array);
            }
            pieces => {
                for piece in pieces {
                    utf8_into(Text::of(context, *piece).units(), &mut text);
                }
                if text.len() == before {
                    text.pop();
                }
            }
        }
        let global = JSContextGetGlobalContext(context);
        let sent = with(|connection| {
            let page = connection.pages.iter().find(|page| page.context == global);
            let port = page.filter(|page| page.callback.is_some()).map(|page| page.port);
            let sent = port.is_some_and(|port| connection.send(port, ticket, &mut text, bytes));
            text.clear();
            text.shrink_to(KEPT_BYTES);
            connection.text = text;
            sent
        });
        JSValueMakeBoolean(context, sent == Some(true))
    }
}

impl Connection {
    /// Notes what a page shows now, and gives back what it showed before.
    fn show(&mut self, fresh: Page) -> Option<Page> {
        match self.pages.iter_mut().find(|page| page.page == fresh.page) {
            Some(page) => Some(mem::replace(page, fresh)),
            None => {
                self.pages.push(fresh);
                None
            }
        }
    }

    /// Sends a request: its text, before which there is room for the frame's head, and bytes, which are not copied as far
    /// as the socket takes them. Whether it could: a frame has its limit.
    fn send(&mut self, port: u64, ticket: u64, text: &mut Vec<u8>, bytes: &[u8]) -> bool {
        let length = text.len() - wire::HEAD_BYTES + bytes.len();
        if length > wire::BODY_BYTES_MAX {
            return false;
        }
        text[..wire::HEAD_BYTES].copy_from_slice(&wire::head(Kind::Request, port, ticket, length));
        if bytes.len() < COPIED_BYTES_MAX {
            text.extend_from_slice(bytes);
            self.write(text);
        } else {
            self.write(text);
            self.write(bytes);
        }
        true
    }

    /// Writes what the socket takes now and keeps the rest for later. An end of the connection is told by `readable`.
    fn write(&mut self, mut bytes: &[u8]) {
        while self.backlog.is_empty() && !bytes.is_empty() {
            match self.socket.write(bytes) {
                Ok(Some(count)) => bytes = &bytes[count..],
                Ok(None) => break,
                Err(_) => return,
            }
        }
        self.backlog.extend_from_slice(bytes);
        if !self.backlog.is_empty() && !self.waits_for_room {
            self.waits_for_room = true;
            // SAFETY: `writable` has the C signature of GUnixFDSourceFunc and ends the source by itself.
            unsafe {
                let descriptor = self.socket.descriptor();
                g_unix_fd_add_full(PRIORITY, descriptor, G_IO_OUT, writable, ptr::null_mut(), None);
            }
        }
    }

    /// Whether there is something left to write.
    fn flush(&mut self) -> bool {
        while self.written < self.backlog.len() {
            match self.socket.write(&self.backlog[self.written..]) {
                Ok(Some(count)) => self.written += count,
                Ok(None) => return true,
                Err(_) => break,
            }
        }
        self.backlog.clear();
        self.backlog.shrink_to(KEPT_BYTES);
        self.written = 0;
        self.waits_for_room = false;
        false
    }

    /// The callback of a port.
    fn callback(&self, port: u64) -> Option<Callback> {
        self.pages.iter().find(|page| page.port == port)?.callback.clone()
    }
}

unsafe extern "C" fn writable(_descriptor: i32, _condition: u32, _data: gpointer) -> gboolean {
    i32::from(with(Connection::flush) == Some(true))
}

/// Answers have come, or the end of the connection.
unsafe extern "C" fn readable(_descriptor: i32, _condition: u32, _data: gpointer) -> gboolean {
    for _ in 0..ANSWERS_PER_TURN_MAX {
        let next = with(|connection| connection.reader.next(|into| connection.socket.read(into)));
        match next {
            Some(Ok(Some(answer))) => {
                let callback = with(|connection| connection.callback(answer.port)).flatten();
                if let Some(callback) = callback {
                    hand(&callback, answer.ticket, answer.kind, answer.body);
                }
            }
            // Nothing more for now.
            Some(Ok(None)) => return 1,
            Some(Err(_)) | None => {
                end();
                return 0;
            }
        }
    }
    // Other work first; but the socket does not tell of what was read out of it already.
    // SAFETY: `rest` has the C signature of GSourceFunc and is given no data.
    unsafe { g_idle_add_full(PRIORITY, rest, ptr::null_mut(), None) };
    1
}

unsafe extern "C" fn rest(_data: gpointer) -> gboolean {
    // SAFETY: on the main thread, like every source.
    unsafe { readable(0, 0, ptr::null_mut()) };
    0
}

/// The shell is gone, or speaks nonsense: every page is told with the ticket 0.
fn end() {
    let Some(connection) = CONNECTION.with(Option::take).flatten() else { return };
    for callback in connection.pages.iter().filter_map(|page| page.callback.as_ref()) {
        hand(callback, 0, Kind::Text, Vec::new());
    }
}
