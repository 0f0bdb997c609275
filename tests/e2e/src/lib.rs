//! Black-box tests in a real WebKitGTK window: the command, the shell and built apps, driven as a user would.
//!
//! # Theory of operation
//! A test enters the [`stage::Stage`]: one display of its own (Xvfb and a window manager), one folder for
//! everything it writes, and a mark in the environment by which every process it causes, however deep, is found
//! again in `/proc`. Programs under test are started as they are for users; the page is driven through
//! WebKitWebDriver, which attaches to the shell's inspector port. What the backend executed is read from a log
//! that it appends to itself, so that "once" is proved from outside and not by what the page was told.
//!
//! Tests of one program take turns. Programs may run at once, each in a lane: what one test leaves for the next, compiled
//! dependencies above all, lies in `target/e2e/<lane>`.
//!
//! **Invariant:** nothing here links any crate of Staysail: what is tested is what users run.

#[cfg(target_os = "linux")]
pub mod accessibility;
pub mod built;
pub mod child;
#[cfg(target_os = "linux")]
pub mod desktop_bus;
pub mod dev;
pub mod display;
pub mod drag;
pub mod foreign;
pub mod kitchen_sink;
pub mod ledger;
pub mod page;
pub mod processes;
pub mod project;
#[cfg(target_os = "linux")]
pub mod shortcut_portal;
pub mod soak;
pub mod stage;
pub mod template;
#[cfg(target_os = "linux")]
pub mod tray;
pub mod webdriver;

use std::time::{Duration, Instant};

/// How often a condition is looked at while it is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(15);

/// Waits until `condition` yields something; the wait has a bound, what was last seen is in the error, and
/// what was on the screen then in `target/e2e/screenshots/<test>-waited.png`.
///
/// # Errors
/// After `patience`, naming `what` and the reason of the last look.
pub fn wait_until<T>(
    what: &str,
    patience: Duration,
    mut condition: impl FnMut() -> Result<T, String>,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    loop {
        match condition() {
            Ok(found) => return Ok(found),
            Err(seen) if begun.elapsed() >= patience => {
                stage::waited_in_vain();
                anyhow::bail!("waited {} s for {what}, last seen: {seen}", patience.as_secs_f32())
            }
            Err(_) => std::thread::sleep(LOOK_AGAIN),
        }
    }
}

/// A port of the loopback that nobody listened on a moment ago.
///
/// # Errors
/// When the loopback can not be used.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
