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
#![cfg(target_os = "linux")]

mod ffi;
mod wire;

use ffi::*;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;
use std::io::{ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::ptr;
use wire::{Kind, Reader};

/// Priority of answers on the main loop: that of WebKit's own messages, so that a flood starves no painting.
const PRIORITY: i32 = 100;
/// Answers handed out before other work gets its turn.
const ANSWERS_PER_TURN_MAX: usize = 128;
/// Answers of this size and more go to the page as bytes, texts too: the page's decoder is many times faster than the
/// interface for C.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// Requests below this size go in one piece: to copy them costs less than to write twice.
const COPIED_BYTES_MAX: usize = 64 << 10;
/// Most that is kept allocated for requests the socket did not take at once.
const BACKLOG_KEPT_BYTES: usize = 1 << 20;

thread_local! {
    static CONNECTION: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// The socket to the shell and the pages that use it.
struct Connection {
    socket: UnixStream,
    reader: Reader,
    backlog: Vec<u8>,
    written: usize,
    /// Whether the main loop waits for room in the socket.
    waits_for_room: bool,
    /// The page's address in memory, and what is shown in it.
    pages: HashMap<usize, Page>,
    /// Number of the last port that was opened.
    last_port: u64,
}

struct Page {
    port: u64,
    /// The start script's callback; null until it opened its port.
    callback: *mut JSCValue,
}

impl Drop for Page {
    fn drop(&mut self) {
        if !self.callback.is_null() {
            // SAFETY: gives back the reference taken in `open`, on the main thread.
            unsafe { g_object_unref(self.callback.cast()) };
        }
    }
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
    let descriptor = connection.socket.as_raw_fd();
    CONNECTION.set(Some(connection));
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
            Some(std::mem::transmute::<*const (), unsafe extern "C" fn()>(
                window_object_cleared as *const (),
            )),
            ptr::null_mut(),
            None,
            0,
        );
    }
}

fn connect(name: &str, token: &str) -> Option<Connection> {
    let socket = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name).ok()?).ok()?;
    // The first bytes on a fresh socket: they fit.
    (&socket).write_all(&frame(Kind::Hello, 0, token.as_bytes())).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(Connection {
        socket,
        reader: Reader::default(),
        backlog: Vec::new(),
        written: 0,
        waits_for_room: false,
        pages: HashMap::new(),
        last_port: 0,
    })
}

/// A whole frame that answers nothing and wants no answer.
fn frame(kind: Kind, port: u64, body: &[u8]) -> Vec<u8> {
    [&wire::head(kind, port, 0, body.len())[..], body].concat()
}

/// Does something with the connection, unless it has ended.
fn with<T>(action: impl FnOnce(&mut Connection) -> T) -> Option<T> {
    CONNECTION.with_borrow_mut(|connection| connection.as_mut().map(action))
}

/// A new document: its main frame gets the function that opens a port.
unsafe extern "C" fn window_object_cleared(
    world: *mut WebKitScriptWorld,
    page: *mut WebKitWebPage,
    frame: *mut WebKitFrame,
    _data: gpointer,
) {
    // SAFETY: WebKit passes live objects. What is created here is owned by the context's global object after
    // `jsc_context_set_value`, except for the references given back below.
    unsafe {
        if webkit_frame_is_main_frame(frame) == 0 {
            return;
        }
        let known = with(|connection| connection.pages.insert(page as usize, Page::empty()));
        match known {
            None => return,
            // Seen for the first time: its end is to be told.
            Some(None) => g_object_weak_ref(page.cast(), page_gone, ptr::null_mut()),
            // The document before: letting go of its callback runs no script.
            Some(Some(before)) => drop(before),
        }
        let context = webkit_frame_get_js_context_for_script_world(frame, world);
        let function = jsc_value_new_function_variadic(
            context,
            c"__staysail_port".as_ptr(),
            Some(std::mem::transmute::<*const (), unsafe extern "C" fn()>(open as *const ())),
            page.cast(),
            None,
            jsc_value_get_type(),
        );
        jsc_context_set_value(context, c"__staysail_port".as_ptr(), function);
        g_object_unref(function.cast());
        g_object_unref(context.cast());
    }
}

unsafe extern "C" fn page_gone(_data: gpointer, page: gpointer) {
    let gone = with(|connection| connection.pages.remove(&(page as usize)));
    drop(gone);
}

impl Page {
    fn empty() -> Self {
        Self { port: 0, callback: ptr::null_mut() }
    }
}

/// `__staysail_port(label, callback)`: opens a port and returns `send(ticket, text, bytes)`.
unsafe extern "C" fn open(arguments: *const GPtrArray, page: gpointer) -> *mut JSCValue {
    // SAFETY: JSC passes live values. `page` is only used when it is among the living pages, which `page_gone` keeps
    // true. The function returned is owned by the caller.
    unsafe {
        let Some([label, callback]) = values(arguments) else { return ptr::null_mut() };
        let context = jsc_value_get_context(callback);
        let is_function = jsc_value_is_function(callback) != 0;
        let label = Text::of(label);
        let port = with(|connection| {
            if !is_function || !connection.pages.contains_key(&(page as usize)) {
                return None;
            }
            let address = webkit_web_page_get_uri(page.cast());
            let address = if address.is_null() { &[][..] } else { CStr::from_ptr(address).to_bytes() };
            connection.last_port += 1;
            let port = connection.last_port;
            connection.write(&frame(Kind::Open, port, &[label.bytes(), b"\n", address].concat()));
            g_object_ref(callback.cast());
            let before = connection.pages.insert(page as usize, Page { port, callback });
            Some((port, before))
        });
        let Some(Some((port, _before))) = port else { return jsc_value_new_null(context) };
        jsc_value_new_function_variadic(
            context,
            c"send".as_ptr(),
            Some(std::mem::transmute::<*const (), unsafe extern "C" fn()>(send as *const ())),
            port as usize as gpointer,
            None,
            G_TYPE_BOOLEAN,
        )
    }
}

/// `send(ticket, text, bytes)`: sends one request, text first, and says whether it could.
unsafe extern "C" fn send(arguments: *const GPtrArray, port: gpointer) -> gboolean {
    // SAFETY: JSC passes live values; the view's memory stays where it is while no script runs.
    unsafe {
        let Some([ticket, text, bytes]) = values(arguments) else { return 0 };
        let ticket = jsc_value_to_double(ticket);
        let text = Text::of(text);
        let text = text.bytes();
        let mut length = 0_usize;
        let data = match jsc_value_is_typed_array(bytes) {
            0 => ptr::null(),
            _ => jsc_value_typed_array_get_data(bytes, &mut length).cast::<u8>().cast_const(),
        };
        let bytes = if data.is_null() { &[][..] } else { std::slice::from_raw_parts(data, length) };
        if text.len() + bytes.len() > wire::BODY_BYTES_MAX {
            return 0;
        }
        let port = port as usize as u64;
        let sent = with(|connection| {
            let open = connection.pages.values().any(|page| page.port == port);
            if open {
                connection.send(port, ticket as u64, text, bytes);
            }
            open
        });
        i32::from(sent == Some(true))
    }
}

/// The arguments of a call, when they are as many as expected. Declared parameters would have JSC make an object of
/// each of them first, which throws for `null` and costs a stack trace.
///
/// # Safety
/// `arguments` must be what JSC passed.
unsafe fn values<const COUNT: usize>(arguments: *const GPtrArray) -> Option<[*mut JSCValue; COUNT]> {
    // SAFETY: the array holds `len` pointers to values.
    unsafe {
        let arguments = &*arguments;
        if arguments.len as usize != COUNT {
            return None;
        }
        let mut values = [ptr::null_mut(); COUNT];
        for (index, value) in values.iter_mut().enumerate() {
            *value = (*arguments.pdata.add(index)).cast();
        }
        Some(values)
    }
}

/// A value's text as UTF-8; a lone surrogate becomes U+FFFD.
struct Text(*mut GBytes);

impl Text {
    /// # Safety
    /// `value` must be live.
    unsafe fn of(value: *mut JSCValue) -> Self {
        // SAFETY: the bytes are ours until they are given back in `drop`.
        Self(unsafe { jsc_value_to_string_as_bytes(value) })
    }

    fn bytes(&self) -> &[u8] {
        if self.0.is_null() {
            return &[];
        }
        let mut length = 0;
        // SAFETY: the bytes never change and live as long as `self`.
        unsafe {
            let data = g_bytes_get_data(self.0, &mut length).cast::<u8>();
            if data.is_null() { &[] } else { std::slice::from_raw_parts(data, length) }
        }
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the reference taken in `of`.
            unsafe { g_bytes_unref(self.0) };
        }
    }
}

impl Connection {
    /// Sends a request without copying its bytes, as far as the socket takes them.
    fn send(&mut self, port: u64, ticket: u64, text: &[u8], bytes: &[u8]) {
        let head = wire::head(Kind::Request, port, ticket, text.len() + bytes.len());
        if text.len() + bytes.len() < COPIED_BYTES_MAX {
            return self.write(&[&head, text, bytes].concat());
        }
        [&head[..], text, bytes].into_iter().for_each(|piece| self.write(piece));
    }

    /// Writes what the socket takes now and keeps the rest for later. An end of the connection is told by `readable`.
    fn write(&mut self, mut bytes: &[u8]) {
        while self.backlog.is_empty() && !bytes.is_empty() {
            match self.socket.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return,
            }
        }
        self.backlog.extend_from_slice(bytes);
        if !self.backlog.is_empty() && !self.waits_for_room {
            self.waits_for_room = true;
            // SAFETY: `writable` has the C signature of GUnixFDSourceFunc and ends the source by itself.
            unsafe {
                let descriptor = self.socket.as_raw_fd();
                g_unix_fd_add_full(PRIORITY, descriptor, G_IO_OUT, writable, ptr::null_mut(), None);
            }
        }
    }

    /// Whether there is something left to write.
    fn flush(&mut self) -> bool {
        while self.written < self.backlog.len() {
            match self.socket.write(&self.backlog[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => break,
            }
        }
        self.backlog.clear();
        self.backlog.shrink_to(BACKLOG_KEPT_BYTES);
        self.written = 0;
        self.waits_for_room = false;
        false
    }

    /// The callback of a port, as a reference of the caller's own.
    fn callback(&self, port: u64) -> Option<*mut JSCValue> {
        let page = self.pages.values().find(|page| page.port == port && !page.callback.is_null())?;
        // SAFETY: the page holds a reference; this takes another one.
        unsafe { g_object_ref(page.callback.cast()) };
        Some(page.callback)
    }
}

unsafe extern "C" fn writable(_descriptor: i32, _condition: u32, _data: gpointer) -> gboolean {
    i32::from(with(Connection::flush) == Some(true))
}

/// Answers have come, or the end of the connection.
unsafe extern "C" fn readable(_descriptor: i32, _condition: u32, _data: gpointer) -> gboolean {
    for _ in 0..ANSWERS_PER_TURN_MAX {
        let next = with(|connection| connection.reader.next(&mut &connection.socket));
        match next {
            Some(Ok(Some(answer))) => {
                let callback = with(|connection| connection.callback(answer.port)).flatten();
                if let Some(callback) = callback {
                    // SAFETY: a reference of our own, given back by `hand`.
                    unsafe { hand(callback, answer.ticket, answer.kind, answer.body) };
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
    let Some(connection) = CONNECTION.take() else { return };
    for page in connection.pages.values().filter(|page| !page.callback.is_null()) {
        // SAFETY: `hand` gives back the reference taken here.
        unsafe {
            g_object_ref(page.callback.cast());
            hand(page.callback, 0, Kind::Text, Vec::new());
        }
    }
}

/// Calls the start script's callback with a ticket and its answer, and gives the reference to the callback back.
///
/// # Safety
/// `callback` must be a live function of which the caller owns a reference.
unsafe fn hand(callback: *mut JSCValue, ticket: u64, kind: Kind, body: Vec<u8>) {
    // SAFETY: the context lives as long as the callback. The text is handed to GLib together with the function that frees
    // it; the array is as long as it says.
    unsafe {
        let context = jsc_value_get_context(callback);
        let as_bytes = kind == Kind::Raw || body.len() >= TEXT_BYTES_MAX;
        let value = match as_bytes {
            true => {
                // Memory of our own is not let into WebKit's cage for buffers: the bytes are copied.
                let array = jsc_value_new_typed_array(context, JSC_TYPED_ARRAY_UINT8, body.len());
                let mut length = 0;
                let data = jsc_value_typed_array_get_data(array, &mut length).cast::<u8>();
                if !data.is_null() && length == body.len() {
                    ptr::copy_nonoverlapping(body.as_ptr(), data, length);
                }
                let buffer = jsc_value_typed_array_get_buffer(array);
                g_object_unref(array.cast());
                buffer
            }
            false => {
                let body = Box::new(body);
                let (data, length) = (body.as_ptr(), body.len());
                let bytes =
                    g_bytes_new_with_free_func(data.cast(), length, Some(free), Box::into_raw(body).cast());
                let text = jsc_value_new_string_from_bytes(context, bytes);
                g_bytes_unref(bytes);
                text
            }
        };
        let ticket = jsc_value_new_number(context, ticket as f64);
        let is_text = jsc_value_new_boolean(context, i32::from(kind != Kind::Raw));
        let parameters = [ticket, value, is_text];
        let result = jsc_value_function_callv(callback, parameters.len() as u32, parameters.as_ptr());
        for value in [result, ticket, value, is_text, callback] {
            if !value.is_null() {
                g_object_unref(value.cast());
            }
        }
    }
}

unsafe extern "C" fn free(body: gpointer) {
    // SAFETY: came from Box::into_raw of a Vec<u8> in `hand`; called once.
    drop(unsafe { Box::from_raw(body.cast::<Vec<u8>>()) });
}
