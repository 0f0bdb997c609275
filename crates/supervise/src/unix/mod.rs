//! Trees on Linux and macOS: process groups, the parent-death signal, and the guardian.

mod guardian;
mod starter;

use crate::{Error, Spawn};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use guardian::guardian_main;

/// The guardian must have started its child within this time.
const GUARDIAN_START_MS: u64 = 10_000;
/// Pause between two looks at a tree that was asked to end.
const TERMINATE_POLL_MS: u64 = 5;

/// A running program with everything it started. Dropping it kills the tree.
#[derive(Debug)]
pub struct Tree {
    /// What the caller asked for.
    id: u32,
    /// What we wait for: the program itself, or its guardian.
    leader: libc::pid_t,
    state: Mutex<State>,
    guarded: bool,
}

#[derive(Debug)]
struct State {
    child: Child,
    status: Option<ExitStatus>,
    /// Our end of the guardian's socket; closing it ends the tree.
    guardian: Option<OwnedFd>,
}

pub(crate) fn spawn(mut spawn: Spawn) -> Result<Tree, Error> {
    if spawn.guarded { guardian::spawn(spawn) } else { plain(&mut spawn, None) }
}

/// Starts the command as leader of a new group, with the inherited descriptors open.
fn plain(spawn: &mut Spawn, guardian: Option<UnixStream>) -> Result<Tree, Error> {
    let command = &mut spawn.command;
    std::mem::take(&mut spawn.streams).apply(command);
    command.process_group(0);
    let inherited = std::mem::take(&mut spawn.inherited);
    let with_death_signal = guardian.is_none();
    let parent = std::process::id() as libc::pid_t;
    // SAFETY: between fork and exec only `fcntl`, `prctl`, `getppid` and `signal` are called, all
    // async-signal-safe; nothing is allocated (an `Error` of `last_os_error` holds a number).
    unsafe {
        command.pre_exec(move || {
            for descriptor in &inherited {
                if libc::fcntl(*descriptor, libc::F_SETFD, 0) < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                libc::signal(signal, libc::SIG_DFL);
            }
            if with_death_signal { die_with(parent) } else { Ok(()) }
        });
    }
    let command = std::mem::replace(command, std::process::Command::new(""));
    let child = starter::start(command).map_err(|source| Error::spawn(&spawn.program, source))?;
    let id = child.id();
    Ok(Tree {
        id,
        leader: id as libc::pid_t,
        guarded: guardian.is_some(),
        state: Mutex::new(State { child, status: None, guardian: guardian.map(OwnedFd::from) }),
    })
}

/// Asks the kernel to kill this process when the thread that started it ends. Called between fork and exec.
#[cfg(target_os = "linux")]
fn die_with(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: both calls take plain numbers and touch no memory.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) < 0 {
            return Err(io::Error::last_os_error());
        }
        // The parent may have died between fork and prctl: then the signal will never come.
        if libc::getppid() == parent { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with(_parent: libc::pid_t) -> io::Result<()> {
    Ok(())
}

impl Tree {
    /// Process id of the started program.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The reading end of its standard output, once, when it was piped.
    pub fn take_stdout(&self) -> Option<ChildStdout> {
        self.lock().child.stdout.take()
    }

    /// The reading end of its standard error, once, when it was piped.
    pub fn take_stderr(&self) -> Option<ChildStderr> {
        self.lock().child.stderr.take()
    }

    /// Kills the whole tree, at once. Does not wait; see [`Tree::wait`].
    pub fn kill(&self) {
        let mut state = self.lock();
        if state.status.is_some() {
            return;
        }
        match state.guardian.take() {
            Some(socket) => drop(socket),
            None if self.guarded => {}
            None => signal_group(self.leader, libc::SIGKILL),
        }
    }

    /// Asks the tree to end, waits up to `grace`, then kills it. Returns when the program itself is gone.
    ///
    /// # Errors
    /// When its state can not be learned.
    pub fn terminate(&self, grace: Duration) -> Result<ExitStatus, Error> {
        {
            let state = self.lock();
            if let Some(status) = state.status {
                return Ok(status);
            }
            signal_group(self.id as libc::pid_t, libc::SIGTERM);
            signal_group(self.id as libc::pid_t, libc::SIGCONT);
        }
        let end = Instant::now() + grace;
        while Instant::now() < end {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(TERMINATE_POLL_MS));
        }
        self.kill();
        self.wait()
    }

    /// How the program ended, or `None` while it runs. Whatever it left behind in its group is killed then.
    ///
    /// # Errors
    /// When its state can not be learned.
    pub fn try_wait(&self) -> Result<Option<ExitStatus>, Error> {
        let mut state = self.lock();
        if state.status.is_none() && self.ended(libc::WNOHANG)? {
            self.reap(&mut state)?;
        }
        Ok(state.status)
    }

    /// Waits for the end of the program. May be called from any thread, and while others call the other methods.
    ///
    /// # Errors
    /// When its state can not be learned.
    pub fn wait(&self) -> Result<ExitStatus, Error> {
        loop {
            if let Some(status) = self.lock().status {
                return Ok(status);
            }
            // Wait without reaping and without the lock, so that its number stays taken while others signal it.
            if self.ended(0)? {
                let mut state = self.lock();
                if let Some(status) = state.status {
                    return Ok(status);
                }
                return self.reap(&mut state);
            }
        }
    }

    /// Stops the tree where it stands; it uses no processor time until [`Tree::thaw`]. `false` where that would not be
    /// safe: a stopped tree must not survive its owner.
    pub fn freeze(&self) -> bool {
        let state = self.lock();
        if cfg!(target_os = "linux") && state.status.is_none() {
            signal_group(self.id as libc::pid_t, libc::SIGSTOP);
            return true;
        }
        false
    }

    /// Lets a frozen tree go on.
    pub fn thaw(&self) {
        if self.lock().status.is_none() {
            signal_group(self.id as libc::pid_t, libc::SIGCONT);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the leader has ended, without reaping it. `ECHILD` means that another thread reaped it.
    fn ended(&self, flags: libc::c_int) -> Result<bool, Error> {
        loop {
            // SAFETY: an all-zero `siginfo_t` is a valid value, and `waitid` only writes to it.
            let (result, pid) = unsafe {
                let mut info: libc::siginfo_t = std::mem::zeroed();
                let options = libc::WEXITED | libc::WNOWAIT | flags;
                let result = libc::waitid(libc::P_PID, self.leader as libc::id_t, &raw mut info, options);
                (result, info.si_pid())
            };
            if result == 0 {
                return Ok(pid == self.leader);
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::ECHILD) => return Ok(true),
                _ => return Err(Error::Wait(self.id, error)),
            }
        }
    }

    fn reap(&self, state: &mut State) -> Result<ExitStatus, Error> {
        // The zombie still holds its number, so the group is certainly ours.
        signal_group(self.leader, libc::SIGKILL);
        let status = state.child.wait().map_err(|error| Error::Wait(self.id, error))?;
        state.guardian = None;
        state.status = Some(status);
        Ok(status)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.kill();
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.status.is_none() {
            // Killed processes end in a moment; a guardian needs a little longer to end its tree.
            let _ = state.child.wait();
        }
    }
}

/// A signal to a whole group; one that is gone already is no error.
fn signal_group(group: libc::pid_t, signal: libc::c_int) {
    if group > 1 {
        // SAFETY: plain numbers. The group is that of a child not yet reaped, or empty.
        unsafe { libc::kill(-group, signal) };
    }
}

/// Reads exactly `buffer.len()` bytes in bounded time.
fn read_in_time(stream: &mut UnixStream, buffer: &mut [u8]) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(GUARDIAN_START_MS)))?;
    stream.read_exact(buffer)
}

/// The descriptor's number, for a child's argument.
fn number(stream: &UnixStream) -> String {
    stream.as_raw_fd().to_string()
}

/// How a process ended, from the raw status of `wait`.
fn status(raw: libc::c_int) -> ExitStatus {
    ExitStatus::from_raw(raw)
}
