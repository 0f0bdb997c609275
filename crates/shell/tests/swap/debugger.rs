//! A worker that a debugger holds is left alone for as long as it likes, one that just stopped is not.

use crate::theatre::{Test, Theatre, wait};
use serde_json::json;

pub const TESTS: &[Test] = &[("a worker held by a debugger is not restarted when one that hangs is", held)];

/// Traces a worker's first thread, which gives its signs of life, until dropped.
struct Debugger(i32);

impl Debugger {
    /// Nothing where the system lets nobody trace.
    fn attach(process: u32) -> Option<Self> {
        let process = process as libc::pid_t;
        // SAFETY: asks the kernel to let this thread trace another one; no memory is handed over.
        let attached = unsafe { libc::ptrace(libc::PTRACE_SEIZE, process, 0, 0) };
        if attached == 0 {
            return Some(Self(process));
        }
        let error = std::io::Error::last_os_error();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
        None
    }

    /// Holds it, as at a breakpoint.
    fn hold(&self) {
        let mut status = 0;
        // SAFETY: it is traced by this thread; `status` outlives the calls.
        unsafe {
            assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT, self.0, 0, 0), 0);
            assert_eq!(libc::waitpid(self.0, &raw mut status, libc::__WALL), self.0);
        }
        assert!(libc::WIFSTOPPED(status), "{status}");
    }

    /// Lets it go on, untraced.
    fn let_go(self) {
        // SAFETY: it is traced by this thread and stopped.
        assert_eq!(unsafe { libc::ptrace(libc::PTRACE_DETACH, self.0, 0, 0) }, 0);
    }
}

fn held() {
    // Held while signs of life are asked for, and while its health is.
    let (alive, healthy) = (Theatre::open_for(0), Theatre::open_for(600));
    let mut debuggers = Vec::new();
    for theatre in [&alive, &healthy] {
        let swap = theatre.begin_swap_debugged("good");
        let waiting = theatre.wait_process_that_waits();
        let Some(debugger) = Debugger::attach(waiting) else {
            println!("left out: this system lets nobody trace");
            return;
        };
        let switched = swap.recv_timeout(crate::theatre::PATIENCE).expect("an end of the swap").unwrap();
        assert_eq!(theatre.process(), waiting);
        if std::ptr::eq(theatre, &alive) {
            theatre.verdict(switched).unwrap();
        }
        debugger.hold();
        debuggers.push((theatre, debugger));
    }
    // This one has no debugger, is stopped later, and is found to hang: that time is over for the others, too.
    let hanging = Theatre::open_for(0);
    let switched = hanging.swap("good").unwrap();
    hanging.verdict(switched).unwrap();
    let before = hanging.process();
    // SAFETY: sends a signal to a process this test has started.
    unsafe { libc::kill(before as libc::pid_t, libc::SIGSTOP) };
    wait("the one that hangs to be replaced", || {
        hanging.shell.router.active().filter(|worker| worker.process() != before).map(drop)
    });
    for (theatre, debugger) in debuggers {
        assert_eq!(theatre.process() as i32, debugger.0, "it was replaced");
        debugger.let_go();
        assert_eq!(theatre.call("look", json!({})).unwrap(), json!([0, 0, true]));
    }
}
