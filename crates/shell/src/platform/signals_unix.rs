//! The app is asked to end: by a log-out, a shutdown, `kill`, Ctrl-C in the terminal that it was started from, or the end of that.
//!
//! Unheard, each of them would look like a crash of the release that runs, and a few of those have it banned.

use crate::shell::Shell;
use staysail_protocol::limits::SHUTDOWN_MS;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Ends the app in order when it is asked to, with the exit code that shells know for this; at once when it is asked again, or
/// when the thread of the windows hangs.
pub fn heed(shell: &Arc<Shell>) {
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        // `nohup` means what it says.
        if is_ignored(kind.as_raw_value()) {
            continue;
        }
        let Ok(mut asked) = signal(kind) else { continue };
        let shell = shell.clone();
        shell.runtime.clone().spawn(async move {
            if asked.recv().await.is_none() {
                return;
            }
            shell.observe(|observer| observer.closing());
            let code = 128 + kind.as_raw_value();
            shell.ui.exit(code);
            let patience = Duration::from_millis(2 * SHUTDOWN_MS);
            let _ = tokio::time::timeout(patience, asked.recv()).await;
            shell.application.ended();
            std::process::exit(code);
        });
    }
}

fn is_ignored(signal: i32) -> bool {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is set, and the system writes what is in force into a structure of its own size; zeros are valid, too.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr()) == 0
            && now.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
