//! A worker under `staysail dev --debug-worker`: it waits for a debugger before anything of the app runs.

use staysail_protocol::limits::DEBUGGER_PATIENCE_S;
use staysail_protocol::worker::DEBUG_VARIABLE;
use std::time::Duration;

/// Pause between two looks for a debugger.
const LOOK: Duration = Duration::from_millis(50);

fn is_asked() -> bool {
    std::env::var_os(DEBUG_VARIABLE).is_some()
}

/// How long something may take that takes at most `usual` when nobody steps through it.
pub(crate) fn patience(usual: Duration) -> Duration {
    if is_asked() { Duration::from_secs(DEBUGGER_PATIENCE_S) } else { usual }
}

/// Returns when a debugger is attached; at once when none is wanted.
pub(crate) fn wait_if_asked() {
    if !is_asked() {
        return;
    }
    platform::let_in();
    let process = std::process::id();
    eprintln!(
        "waiting for a debugger: process {process} (lldb -p {process}, gdb -p {process}, or your editor's \"attach\")"
    );
    while !platform::is_attached() {
        std::thread::sleep(LOOK);
    }
    eprintln!("a debugger is attached; the backend goes on when it lets it");
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod platform {
    /// Debuggers of the same user may attach, wherever they were started: Ubuntu's kernel allows it to ancestors only.
    pub fn let_in() {
        // SAFETY: prctl with these numbers changes who may trace this process, and nothing else; where the kernel does
        // not know the option it fails, and then everybody may.
        unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY) };
    }

    pub fn is_attached() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        tracer(&status) != 0
    }

    /// The process that traces, 0 for none.
    fn tracer(status: &str) -> u32 {
        let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
        line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn the_tracer_is_read_from_the_processs_status() {
            assert_eq!(super::tracer("Name:\tapp\nTracerPid:\t412\nUid:\t0\n"), 412);
            assert_eq!(super::tracer("Name:\tapp\nTracerPid:\t0\n"), 0);
            assert!(!super::is_attached());
        }
    }
}

#[cfg(target_os = "macos")]
mod platform {
    /// `PROC_FLAG_TRACED` of <sys/proc_info.h>.
    const TRACED: u32 = 2;

    pub fn let_in() {}

    pub fn is_attached() -> bool {
        let size = size_of::<libc::proc_bsdinfo>() as libc::c_int;
        let mut facts = std::mem::MaybeUninit::<libc::proc_bsdinfo>::zeroed();
        // SAFETY: the buffer has the size that is told; all zeros is a valid value of this plain structure.
        let (read, facts) = unsafe {
            let process = std::process::id() as libc::c_int;
            let read =
                libc::proc_pidinfo(process, libc::PROC_PIDTBSDINFO, 0, facts.as_mut_ptr().cast(), size);
            (read, facts.assume_init())
        };
        read == size && facts.pbi_flags & TRACED != 0
    }
}

#[cfg(windows)]
mod platform {
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn IsDebuggerPresent() -> i32;
    }

    pub fn let_in() {}

    pub fn is_attached() -> bool {
        // SAFETY: takes nothing and only reads a flag of this process.
        unsafe { IsDebuggerPresent() != 0 }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos", windows)))]
mod platform {
    pub fn let_in() {}

    /// This system does not say; nobody is held up.
    pub fn is_attached() -> bool {
        true
    }
}
