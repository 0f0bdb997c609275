//! Memory that a flood of events needed goes back to the system when the flood is over.
//!
//! Events are many small texts, made on one thread and let go on another. The allocator of GNU/Linux keeps what it got from
//! the system as long as a single one of them still lies above; asked to, it gives back the pages that are free.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Events waiting together from which on it is a flood.
pub const FLOOD_EVENTS: usize = 4_096;
/// Floods that follow one another so closely are one.
const PAUSE: Duration = Duration::from_millis(200);

/// Gives back what is free, in a moment, on a thread of its own.
pub fn give_back_soon() {
    static UNDER_WAY: AtomicBool = AtomicBool::new(false);
    if UNDER_WAY.swap(true, Ordering::Relaxed) {
        return;
    }
    let work = || {
        std::thread::sleep(PAUSE);
        UNDER_WAY.store(false, Ordering::Relaxed);
        give_back();
    };
    if std::thread::Builder::new().name("memory".into()).spawn(work).is_err() {
        UNDER_WAY.store(false, Ordering::Relaxed);
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back() {
    // SAFETY: may be called at any time from any thread.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators do it by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}
