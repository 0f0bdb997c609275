//! The guardian: a tiny process between an owner and a tree of programs that start programs.
//!
//! # Theory of operation
//! Started as `<this executable> --staysail-guardian <socket> <descriptors> <program> <arguments…>` in its own
//! process group, with the child's environment, folder and standard streams. It
//!
//! 1. becomes the reaper of every orphan below it (Linux), ignores the terminal's signals,
//! 2. starts the program in a group of its own and answers on the socket: `+` and its process id, or `-` and the
//!    error number (four bytes each),
//! 3. lets go of the standard streams, so that their readers see the end when the program ends,
//! 4. ends the way the program ended, after killing what it left in its group. Daemons that moved into a session
//!    of their own are left alone then: ending in order is not being killed,
//! 5. when the socket closes first, because the owner wants it or is dead, kills the group and every descendant,
//!    however often they fork, and ends.

use super::{number, plain, read_in_time, signal_group, status};
use crate::{Error, Spawn, Tree};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const ARGUMENT: &str = "--staysail-guardian";
/// A tree that is being killed must be gone within this time; then the guardian stops trying.
const KILL_MS: u64 = 5_000;

static ARMED: AtomicBool = AtomicBool::new(false);
static KILLING: AtomicBool = AtomicBool::new(false);

/// Starts the guardian, and through it the program.
pub(super) fn spawn(spawn: Spawn) -> Result<Tree, Error> {
    if !ARMED.load(Ordering::Relaxed) {
        return Err(Error::NoGuardian);
    }
    let program = spawn.program.clone();
    let failed = |error| Error::Guardian(error, program.to_string_lossy().into_owned());
    let (mut ours, theirs) = UnixStream::pair().map_err(failed)?;
    let Spawn { command: original, program: name, mut inherited, streams, .. } = spawn;
    let list = inherited.iter().map(RawFd::to_string).collect::<Vec<_>>().join(",");
    inherited.push(std::os::fd::AsRawFd::as_raw_fd(&theirs));
    let mut command = Command::new(own_executable().map_err(failed)?);
    command.arg(ARGUMENT).arg(number(&theirs)).arg(format!(",{list}")).arg(&name).args(original.get_args());
    for (name, value) in original.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(folder) = original.get_current_dir() {
        command.current_dir(folder);
    }
    let mut guardian = Spawn { command, program: name, guarded: true, inherited, streams };
    let wait_end = ours.try_clone().map_err(failed)?;
    let mut tree = plain(&mut guardian, Some(wait_end)).map_err(|error| match error {
        Error::Spawn { source, .. } => failed(source),
        other => other,
    })?;
    drop(theirs);
    let mut answer = [0; 5];
    read_in_time(&mut ours, &mut answer).map_err(failed)?;
    let value = i32::from_le_bytes([answer[1], answer[2], answer[3], answer[4]]);
    if answer[0] != b'+' {
        return Err(Error::spawn(&program, io::Error::from_raw_os_error(value)));
    }
    tree.id = value as u32;
    Ok(tree)
}

/// On Linux the link in /proc works even after the file was replaced by a newer build.
fn own_executable() -> io::Result<OsString> {
    if cfg!(target_os = "linux") {
        Ok("/proc/self/exe".into())
    } else {
        std::env::current_exe().map(Into::into)
    }
}

pub(crate) fn guardian_main() {
    ARMED.store(true, Ordering::Relaxed);
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(ARGUMENT)) {
        return;
    }
    let code = match guard(arguments) {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be gone; there is nobody else to tell.
            let _ = writeln!(io::stderr(), "staysail guardian: {error}");
            70
        }
    };
    std::process::exit(code);
}

fn guard(mut arguments: impl Iterator<Item = OsString>) -> io::Result<i32> {
    let bad = || io::Error::other("called without its arguments; it is not for people");
    let text = |argument: Option<OsString>| argument.and_then(|a| a.into_string().ok()).ok_or_else(bad);
    let socket: RawFd = text(arguments.next())?.parse().map_err(|_| bad())?;
    let inherited: Vec<RawFd> = text(arguments.next())?.split(',').filter_map(|n| n.parse().ok()).collect();
    let program = arguments.next().ok_or_else(bad)?;
    prepare(socket);
    // SAFETY: the owner handed this descriptor to us alone, for this purpose.
    let mut socket = unsafe { UnixStream::from_raw_fd(socket) };
    let mut command = Command::new(&program);
    command.args(arguments).process_group(0);
    let parent = std::process::id() as libc::pid_t;
    // SAFETY: only async-signal-safe calls between fork and exec, see `plain`.
    unsafe {
        command.pre_exec(move || {
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                libc::signal(signal, libc::SIG_DFL);
            }
            super::die_with(parent)
        });
    }
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            answer(&mut socket, b'-', error.raw_os_error().unwrap_or(libc::EIO))?;
            return Ok(127);
        }
    };
    let group = child.id() as libc::pid_t;
    drop(command);
    let_go(&inherited);
    let told = answer(&mut socket, b'+', group);
    std::thread::Builder::new().name("owner".into()).spawn(move || {
        let mut byte = [0];
        while told.is_ok() && matches!(socket.read(&mut byte), Ok(1..)) {}
        KILLING.store(true, Ordering::SeqCst);
        kill_everything(group);
        end_by(libc::SIGKILL)
    })?;
    let raw = wait_for(group);
    // Also what the program left behind in sessions of their own: nothing outlives the tree.
    kill_everything(group);
    if KILLING.load(Ordering::SeqCst) {
        // The other thread ends the process when everything is gone.
        loop {
            std::thread::park();
        }
    }
    let status = status(raw);
    if let Some(signal) = status.signal() {
        end_by(signal);
    }
    Ok(status.code().unwrap_or(1))
}

/// Name, signals, adoption, and no descriptor of ours in the child.
fn prepare(socket: RawFd) {
    // SAFETY: all calls take plain numbers or a constant string that ends in NUL.
    unsafe {
        libc::fcntl(socket, libc::F_SETFD, libc::FD_CLOEXEC);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            libc::signal(signal, libc::SIG_IGN);
        }
        #[cfg(target_os = "linux")]
        {
            libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
            libc::prctl(libc::PR_SET_NAME, c"staysail-guard".as_ptr());
        }
    }
}

fn answer(socket: &mut UnixStream, kind: u8, value: i32) -> io::Result<()> {
    let mut bytes = [kind; 5];
    bytes[1..].copy_from_slice(&value.to_le_bytes());
    socket.write_all(&bytes)
}

/// Closes the inherited descriptors and points the standard streams at nothing.
fn let_go(inherited: &[RawFd]) {
    // SAFETY: nothing in this process uses these descriptors; the child has its own copies.
    unsafe {
        for descriptor in inherited {
            libc::close(*descriptor);
        }
        let nothing = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if nothing >= 0 {
            for standard in 0..3 {
                libc::dup2(nothing, standard);
            }
            libc::close(nothing);
        }
    }
}

/// Reaps adopted orphans until the program itself has ended.
fn wait_for(program: libc::pid_t) -> libc::c_int {
    loop {
        let mut raw = 0;
        // SAFETY: `raw` outlives the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut raw, 0) };
        if pid == program {
            return raw;
        }
        if pid < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ECHILD) {
            return 0;
        }
    }
}

/// Kills the group and all descendants, again and again until none is left: orphans come to us, so none escapes.
fn kill_everything(group: libc::pid_t) {
    let end = Instant::now() + Duration::from_millis(KILL_MS);
    loop {
        signal_group(group, libc::SIGKILL);
        let left = descendants();
        for pid in &left {
            // SAFETY: plain numbers; the process is a descendant of ours that has not been reaped.
            unsafe { libc::kill(*pid, libc::SIGKILL) };
        }
        if left.is_empty() || Instant::now() > end {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Every living process below this one.
#[cfg(target_os = "linux")]
fn descendants() -> Vec<libc::pid_t> {
    let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut parents = Vec::new();
    for entry in folder.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<libc::pid_t>().ok()) else {
            continue;
        };
        // `pid (name) state parent …`, where the name may hold anything.
        let Ok(stat) = std::fs::read(entry.path().join("stat")) else { continue };
        let Some(after) = stat.iter().rposition(|byte| *byte == b')') else { continue };
        let fields = String::from_utf8_lossy(&stat[after + 1..]);
        let mut fields = fields.split_ascii_whitespace();
        let (state, parent) = (fields.next(), fields.next().and_then(|n| n.parse::<libc::pid_t>().ok()));
        if let (Some(state), Some(parent)) = (state, parent)
            && state != "Z"
        {
            parents.push((pid, parent));
        }
    }
    let mut found = vec![std::process::id() as libc::pid_t];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at];
        found.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.remove(0);
    found
}

#[cfg(not(target_os = "linux"))]
fn descendants() -> Vec<libc::pid_t> {
    Vec::new()
}

/// Ends this process by a signal, so that the owner sees how the program ended.
fn end_by(signal: libc::c_int) -> ! {
    // SAFETY: plain numbers, and a limit structure that outlives the call.
    unsafe {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::signal(signal, libc::SIG_DFL);
        libc::kill(libc::getpid(), signal);
    }
    std::process::exit(128 + signal)
}
