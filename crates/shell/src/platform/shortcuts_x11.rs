//! Global shortcuts on X11: passive grabs of the root window, heard of through GDK, which reads the X connection
//! anyway. No thread, no polling.

use crate::app::{Ui, Wish};
use gtk::gdk;
use gtk::glib::Cast;
use gtk::glib::translate::ToGlibPtr;
use muda::accelerator::{Accelerator, Code, Modifiers};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{c_int, c_uint, c_void};
use x11_dl::xlib::{self, Xlib};

/// Keys that may be locked while a shortcut is pressed: caps lock, num lock, both.
const LOCKS: [c_uint; 4] = [0, xlib::LockMask, xlib::Mod2Mask, xlib::LockMask | xlib::Mod2Mask];
/// Modifiers that make a difference.
const MEANT: c_uint = xlib::ShiftMask | xlib::ControlMask | xlib::Mod1Mask | xlib::Mod4Mask;

struct Grab {
    accelerator: u32,
    is_pressed: bool,
}

#[derive(Default)]
struct Grabbed {
    ui: Option<Ui>,
    /// By key code and modifiers.
    all: HashMap<(c_uint, c_uint), Grab>,
    is_listening: bool,
}

thread_local! {
    static GRABS: RefCell<Grabbed> = RefCell::default();
}

/// The keys this app has taken.
pub struct Grabs {
    xlib: Option<Xlib>,
}

impl Grabs {
    /// None yet.
    pub fn new(ui: &Ui) -> Self {
        GRABS.with_borrow_mut(|grabs| grabs.ui = Some(ui.clone()));
        Self { xlib: None }
    }

    /// Takes keys.
    ///
    /// # Errors
    /// A sentence for people: another program has them, or this desktop has no such thing.
    pub fn take(&mut self, accelerator: Accelerator) -> Result<(), String> {
        let display = display()?;
        let (keycode, modifiers) = self.place(&display, accelerator)?;
        if GRABS.with_borrow(|grabs| grabs.all.contains_key(&(keycode, modifiers))) {
            return Err("they are the same keys as those of another shortcut of this app".into());
        }
        let (xlib, raw) = (self.xlib()?, raw(&display));
        display.error_trap_push();
        for lock in LOCKS {
            // SAFETY: the display is open, and X answers a grab that is refused with an error, which is trapped.
            unsafe {
                let root = (xlib.XDefaultRootWindow)(raw);
                (xlib.XGrabKey)(
                    raw,
                    keycode as c_int,
                    modifiers | lock,
                    root,
                    xlib::False,
                    xlib::GrabModeAsync,
                    xlib::GrabModeAsync,
                );
            }
        }
        // SAFETY: the display is open.
        unsafe { (xlib.XSync)(raw, xlib::False) };
        if display.error_trap_pop() != 0 {
            ungrab(xlib, &display, keycode, modifiers);
            return Err("another program has them; choose others".into());
        }
        GRABS.with_borrow_mut(|grabs| {
            let grab = Grab { accelerator: accelerator.id(), is_pressed: false };
            grabs.all.insert((keycode, modifiers), grab);
            if !std::mem::replace(&mut grabs.is_listening, true) {
                // SAFETY: without a window the filter sees every event; it is a function that lives for ever, called on
                // this thread, where GDK runs.
                unsafe {
                    gdk::ffi::gdk_window_add_filter(std::ptr::null_mut(), Some(filter), std::ptr::null_mut())
                };
            }
        });
        Ok(())
    }

    /// Gives keys back.
    pub fn give_back(&mut self, accelerator: Accelerator) {
        let place = GRABS.with_borrow_mut(|grabs| {
            let place = grabs.all.iter().find(|(_, grab)| grab.accelerator == accelerator.id());
            let place = place.map(|(place, _)| *place)?;
            grabs.all.remove(&place);
            Some(place)
        });
        if let (Some((keycode, modifiers)), Ok(display), Ok(xlib)) = (place, display(), self.xlib()) {
            ungrab(xlib, &display, keycode, modifiers);
        }
    }

    /// Key code and modifiers of an accelerator.
    fn place(
        &mut self,
        display: &gdkx11::X11Display,
        accelerator: Accelerator,
    ) -> Result<(c_uint, c_uint), String> {
        let unknown = || format!("this keyboard has no key {}", accelerator.key());
        let keysym = keysym(accelerator.key()).ok_or_else(unknown)?;
        // SAFETY: the display is open.
        let keycode = unsafe { (self.xlib()?.XKeysymToKeycode)(raw(display), keysym.into()) };
        if keycode == 0 {
            return Err(unknown());
        }
        Ok((keycode.into(), modifiers(accelerator.modifiers())))
    }

    fn xlib(&mut self) -> Result<&Xlib, String> {
        if self.xlib.is_none() {
            self.xlib =
                Some(Xlib::open().map_err(|error| format!("the X library can not be used: {error}"))?);
        }
        self.xlib.as_ref().ok_or_else(|| "the X library can not be used".into())
    }
}

fn display() -> Result<gdkx11::X11Display, String> {
    let display = gdk::Display::default().ok_or("there is no display")?;
    display.downcast::<gdkx11::X11Display>().map_err(|_| "the app's windows are none of X11's".into())
}

/// Whether the app's windows are X11's.
pub fn is_here() -> bool {
    display().is_ok()
}

fn raw(display: &gdkx11::X11Display) -> *mut xlib::Display {
    // SAFETY: the display is open as long as GTK runs; both crates describe the same structure of Xlib.
    unsafe { gdkx11::ffi::gdk_x11_display_get_xdisplay(display.to_glib_none().0).cast() }
}

fn ungrab(xlib: &Xlib, display: &gdkx11::X11Display, keycode: c_uint, modifiers: c_uint) {
    let raw = raw(display);
    display.error_trap_push();
    for lock in LOCKS {
        // SAFETY: the display is open, and giving back what is not ours is an error, which is trapped.
        unsafe { (xlib.XUngrabKey)(raw, keycode as c_int, modifiers | lock, (xlib.XDefaultRootWindow)(raw)) };
    }
    // SAFETY: the display is open.
    unsafe { (xlib.XSync)(raw, xlib::False) };
    display.error_trap_pop_ignored();
}

/// Sees every event of the X connection, before GDK makes something of it.
unsafe extern "C" fn filter(
    event: *mut gdk::ffi::GdkXEvent,
    _: *mut gdk::ffi::GdkEvent,
    _: *mut c_void,
) -> gdk::ffi::GdkFilterReturn {
    // SAFETY: on an X11 display GDK hands an XEvent over, whose first field is its type; a key event is read as one only
    // when it is one.
    let key = unsafe {
        let event = event.cast::<xlib::XEvent>();
        match (*event).type_ {
            xlib::KeyPress | xlib::KeyRelease => (*event).key,
            _ => return gdk::ffi::GDK_FILTER_CONTINUE,
        }
    };
    let pressed = key.type_ == xlib::KeyPress;
    let heard = GRABS.with_borrow_mut(|grabs| {
        let ui = grabs.ui.clone()?;
        let grab = if pressed {
            grabs.all.get_mut(&(key.keycode, key.state & MEANT))
        } else {
            // Whichever of the keys was let go first: the modifiers may be up already.
            grabs
                .all
                .iter_mut()
                .find(|((code, _), grab)| *code == key.keycode && grab.is_pressed)
                .map(|(_, grab)| grab)
        }?;
        // A key that is held down is pressed over and over.
        let is_new = std::mem::replace(&mut grab.is_pressed, pressed) != pressed;
        Some((ui, grab.accelerator, is_new))
    });
    let Some((ui, accelerator, is_new)) = heard else { return gdk::ffi::GDK_FILTER_CONTINUE };
    if is_new {
        ui.wish(Wish::Do(Box::new(move |windows, _| windows.shortcut_pressed(accelerator, pressed))));
    }
    gdk::ffi::GDK_FILTER_REMOVE
}

fn modifiers(modifiers: Modifiers) -> c_uint {
    let masks = [
        (Modifiers::SHIFT, xlib::ShiftMask),
        (Modifiers::CONTROL, xlib::ControlMask),
        (Modifiers::ALT, xlib::Mod1Mask),
        (Modifiers::META, xlib::Mod4Mask),
    ];
    masks.iter().filter(|(modifier, _)| modifiers.contains(*modifier)).fold(0, |all, (_, mask)| all | mask)
}

/// The key's symbol as X has it. Found by name, which X keeps as `XStringToKeysym` of old.
fn keysym(code: Code) -> Option<u32> {
    let key: u32 = *gdk::keys::Key::from_name(&x_name(code));
    (key != 0 && key != VOID_SYMBOL).then_some(key)
}

/// What X calls a key, and xkbcommon after it.
pub fn x_name(code: Code) -> String {
    let name = code.to_string();
    let is_one = |rest: &str| rest.len() == 1;
    if let Some(letter) = name.strip_prefix("Key").filter(|rest| is_one(rest)) {
        letter.to_ascii_lowercase()
    } else if let Some(digit) = name.strip_prefix("Digit").filter(|rest| is_one(rest)) {
        digit.into()
    } else if let Some(digit) = name.strip_prefix("Numpad").filter(|rest| is_one(rest)) {
        format!("KP_{digit}")
    } else {
        let named = NAMES.iter().find(|(code, _)| *code == name);
        named.map_or(name, |(_, x_name)| (*x_name).into())
    }
}

/// What GDK answers for a name it does not know.
const VOID_SYMBOL: u32 = 0x00ff_ffff;

/// Codes whose key X calls otherwise; `F1`, `Escape`, `Tab`, `Delete`, `Home` and the like are called the same.
const NAMES: [(&str, &str); 35] = [
    ("Minus", "minus"),
    ("Equal", "equal"),
    ("BracketLeft", "bracketleft"),
    ("BracketRight", "bracketright"),
    ("Backslash", "backslash"),
    ("Semicolon", "semicolon"),
    ("Quote", "apostrophe"),
    ("Backquote", "grave"),
    ("Comma", "comma"),
    ("Period", "period"),
    ("Slash", "slash"),
    ("Space", "space"),
    ("Enter", "Return"),
    ("Backspace", "BackSpace"),
    ("PageUp", "Page_Up"),
    ("PageDown", "Page_Down"),
    ("ArrowUp", "Up"),
    ("ArrowDown", "Down"),
    ("ArrowLeft", "Left"),
    ("ArrowRight", "Right"),
    ("PrintScreen", "Print"),
    ("ScrollLock", "Scroll_Lock"),
    ("ContextMenu", "Menu"),
    ("NumpadAdd", "KP_Add"),
    ("NumpadSubtract", "KP_Subtract"),
    ("NumpadMultiply", "KP_Multiply"),
    ("NumpadDivide", "KP_Divide"),
    ("NumpadDecimal", "KP_Decimal"),
    ("NumpadEnter", "KP_Enter"),
    ("MediaPlayPause", "XF86AudioPlay"),
    ("MediaStop", "XF86AudioStop"),
    ("MediaTrackNext", "XF86AudioNext"),
    ("MediaTrackPrevious", "XF86AudioPrev"),
    ("AudioVolumeUp", "XF86AudioRaiseVolume"),
    ("AudioVolumeDown", "XF86AudioLowerVolume"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_key_is_found_as_x_has_it() {
        for (keys, expected) in [
            ("Ctrl+K", 0x6b),
            ("Ctrl+7", 0x37),
            ("Alt+F5", 0xffc2),
            ("Ctrl+Space", 0x20),
            ("Ctrl+ArrowUp", 0xff52),
            ("Ctrl+PageDown", 0xff56),
            ("Ctrl+Escape", 0xff1b),
            ("Ctrl+Numpad3", 0xffb3),
            ("Ctrl+Minus", 0x2d),
        ] {
            let accelerator: Accelerator = keys.parse().unwrap();
            assert_eq!(keysym(accelerator.key()), Some(expected), "{keys}");
        }
        for (code, _) in NAMES {
            assert!(keysym(code.parse().unwrap()).is_some(), "{code}");
        }
        assert_eq!(keysym(Code::Unidentified), None);
    }

    #[test]
    fn modifiers_are_those_of_x() {
        let accelerator: Accelerator = "CmdOrCtrl+Shift+Alt+Super+K".parse().unwrap();
        assert_eq!(modifiers(accelerator.modifiers()), MEANT);
    }
}
