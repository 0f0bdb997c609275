//! Keys of menus on Windows, which wants each key that is pressed looked up in the table of the menu.
//!
//! # Theory of operation
//! Keys pressed in the page go to WebView2's own process, which tells of those that could be an accelerator
//! (`AcceleratorKeyPressed`) and waits for the answer. All others come by the event loop. Both look into the table of the
//! bar that stands in the key's window, so a key does what that window's menu says.

use muda::Menu;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;
use tao::event_loop::EventLoopBuilder;
use tao::platform::windows::{EventLoopBuilderExtWindows, WindowExtWindows};
use tao::window::Window;
use webview2_com::AcceleratorKeyPressedEventHandler;
use webview2_com::Microsoft::Web::WebView2::Win32::{
    COREWEBVIEW2_KEY_EVENT_KIND_KEY_DOWN, COREWEBVIEW2_KEY_EVENT_KIND_SYSTEM_KEY_DOWN,
};
use windows::Win32::Foundation::{HWND, LPARAM, WPARAM};
use windows::Win32::UI::WindowsAndMessaging::{
    GA_ROOT, GetAncestor, HACCEL, MSG, TranslateAcceleratorW, WM_KEYDOWN, WM_SYSKEYDOWN,
};
use wry::{WebView, WebViewExtWindows};

thread_local! {
    /// The menu bar of each window that has one.
    static BARS: RefCell<HashMap<isize, Menu>> = RefCell::default();
}

/// This bar stands in the window now.
pub fn put(bar: &Menu, window: &Window) {
    BARS.with_borrow_mut(|bars| drop(bars.insert(window.hwnd(), bar.clone())));
}

/// No bar stands in the window any more.
pub fn take(window: &Window) {
    BARS.with_borrow_mut(|bars| drop(bars.remove(&window.hwnd())));
}

/// Hears keys that come by the event loop.
pub fn hear<T: 'static>(builder: &mut EventLoopBuilder<T>) {
    builder.with_msg_hook(|message| {
        // SAFETY: tao hands over the message it has just taken from the queue.
        let message = unsafe { *message.cast::<MSG>() };
        // SAFETY: takes any handle; that of a window that is gone has no ancestor.
        let window = unsafe { GetAncestor(message.hwnd, GA_ROOT) };
        does(window, &message)
    });
}

/// Hears keys pressed in the page.
pub fn listen(view: &WebView, window: &Window) {
    let hwnd = window.hwnd();
    let handler = AcceleratorKeyPressedEventHandler::create(Box::new(move |_, event| {
        let Some(event) = event else { return Ok(()) };
        let (mut kind, mut key, mut more) = (COREWEBVIEW2_KEY_EVENT_KIND_KEY_DOWN, 0, 0);
        // SAFETY: calls of methods of a live object; the places of their answers live through them.
        unsafe {
            event.KeyEventKind(&mut kind)?;
            event.VirtualKey(&mut key)?;
            event.KeyEventLParam(&mut more)?;
        }
        let pressed = match kind {
            COREWEBVIEW2_KEY_EVENT_KIND_KEY_DOWN => WM_KEYDOWN,
            COREWEBVIEW2_KEY_EVENT_KIND_SYSTEM_KEY_DOWN => WM_SYSKEYDOWN,
            _ => return Ok(()),
        };
        let window = HWND(hwnd as *mut c_void);
        let message = MSG {
            hwnd: window,
            message: pressed,
            wParam: WPARAM(key as usize),
            lParam: LPARAM(more as isize),
            ..MSG::default()
        };
        if does(window, &message) {
            // SAFETY: a call of a method of a live object, with a plain value.
            unsafe { event.SetHandled(true)? };
        }
        Ok(())
    }));
    let mut token = 0;
    // SAFETY: the handler is counted by WebView2; the token's place lives through the call.
    let listening = unsafe { view.controller().add_AcceleratorKeyPressed(&handler, &mut token) };
    if let Err(error) = listening {
        tracing::warn!(%error, "the keys of menus do nothing while the page has the focus");
    }
}

/// Whether a key is one of the menu in this window, which does then what its entry says.
fn does(window: HWND, message: &MSG) -> bool {
    // What is chosen may change menus: nothing is borrowed while that is told.
    let keys = BARS.with_borrow(|bars| bars.get(&(window.0 as isize)).map(Menu::haccel));
    let Some(keys) = keys.filter(|keys| *keys != 0) else { return false };
    // SAFETY: the table is that of a menu that stands in this window; the message lives through the call.
    unsafe { TranslateAcceleratorW(window, HACCEL(keys as *mut c_void), message) != 0 }
}
