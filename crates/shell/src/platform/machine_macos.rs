//! What macOS tells of machine and moment. Whether a connection is metered it tells only to those who watch the network
//! (`NWPathMonitor`): that fact is unknown here.

#[path = "machine_unix.rs"]
mod unix;

use std::ffi::{c_char, c_void};
use std::time::Duration;

pub use unix::{free_disk_bytes, load_per_core, local_offset_s};

/// `kCGEventSourceStateHIDSystemState`, `kCGAnyInputEventType`
const HARDWARE: i32 = 1;
const ANY_INPUT: u32 = u32::MAX;
/// `kIOPSTimeRemainingUnlimited`: the machine is not on battery.
const UNLIMITED: f64 = -2.0;
/// `kCFStringEncodingUTF8`, `kCFNumberSInt64Type`
const UTF8: u32 = 0x0800_0100;
const SIGNED_64: isize = 4;

#[link(name = "CoreGraphics", kind = "framework")]
unsafe extern "C" {
    fn CGEventSourceSecondsSinceLastEventType(state: i32, event: u32) -> f64;
}

#[link(name = "IOKit", kind = "framework")]
unsafe extern "C" {
    fn IOPSGetTimeRemainingEstimate() -> f64;
    fn IOPSCopyPowerSourcesInfo() -> *const c_void;
    fn IOPSCopyPowerSourcesList(information: *const c_void) -> *const c_void;
    fn IOPSGetPowerSourceDescription(information: *const c_void, source: *const c_void) -> *const c_void;
}

#[link(name = "CoreFoundation", kind = "framework")]
unsafe extern "C" {
    fn CFRelease(object: *const c_void);
    fn CFArrayGetCount(array: *const c_void) -> isize;
    fn CFArrayGetValueAtIndex(array: *const c_void, index: isize) -> *const c_void;
    fn CFDictionaryGetValue(dictionary: *const c_void, key: *const c_void) -> *const c_void;
    fn CFNumberGetValue(number: *const c_void, kind: isize, value: *mut c_void) -> u8;
    fn CFStringCreateWithCString(
        allocator: *const c_void,
        text: *const c_char,
        encoding: u32,
    ) -> *const c_void;
}

/// Time since the user last touched mouse or keyboard.
pub fn idle() -> Option<Duration> {
    // SAFETY: takes and gives numbers.
    let seconds = unsafe { CGEventSourceSecondsSinceLastEventType(HARDWARE, ANY_INPUT) };
    Duration::try_from_secs_f64(seconds).ok()
}

/// Not told.
pub fn metered() -> Option<bool> {
    None
}

/// Whether a battery is being emptied, and how full it is.
pub fn battery() -> (Option<bool>, Option<i64>) {
    // SAFETY: gives a number.
    let remaining = unsafe { IOPSGetTimeRemainingEstimate() };
    (Some(remaining != UNLIMITED), charge())
}

fn charge() -> Option<i64> {
    // SAFETY: what is copied or created is released once, after its last use; what is only got belongs to what it was got
    // from. Null is checked before each use.
    unsafe {
        let information = Owned::new(IOPSCopyPowerSourcesInfo())?;
        let list = Owned::new(IOPSCopyPowerSourcesList(information.0))?;
        let key = |name: &std::ffi::CStr| {
            Owned::new(CFStringCreateWithCString(std::ptr::null(), name.as_ptr(), UTF8))
        };
        let (current, full) = (key(c"Current Capacity")?, key(c"Max Capacity")?);
        for index in 0..CFArrayGetCount(list.0) {
            let source = CFArrayGetValueAtIndex(list.0, index);
            let description = IOPSGetPowerSourceDescription(information.0, source);
            if description.is_null() {
                continue;
            }
            let number = |key: &Owned| {
                let mut value = 0_i64;
                let number = CFDictionaryGetValue(description, key.0);
                let told = !number.is_null()
                    && CFNumberGetValue(number, SIGNED_64, (&raw mut value).cast::<c_void>()) != 0;
                told.then_some(value)
            };
            if let (Some(current), Some(full @ 1..)) = (number(&current), number(&full)) {
                return Some(current.saturating_mul(100) / full);
            }
        }
    }
    // No battery: as full as it gets.
    Some(100)
}

/// An object of Core Foundation that is released when this is dropped.
struct Owned(*const c_void);

impl Owned {
    fn new(object: *const c_void) -> Option<Self> {
        (!object.is_null()).then_some(Self(object))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: made of an object that is not null and was not released.
        unsafe { CFRelease(self.0) };
    }
}
