//! The shell of a release, started in place of the installed one.
//!
//! # Theory of operation
//! What the system starts is the installed executable. When the store has another shell for this start
//! ([`Store::newer_shells`]), that becomes the process (Unix), or is a child whose end is waited for (Windows), with the same
//! arguments and surroundings, and two variables: where the installed executable is, whose attached release, identity and
//! place in the system stay the app's, and the name of this start. Both are taken out of the environment at once.
//!
//! A shell that was started so has no release attached, and only what has one ever starts another shell; one that is handed a
//! start does not either. So there is no loop. The way back is never through the other shell: it is looked for, verified and judged by the
//! installed one, and its starts are written down before they happen ([`staysail_update::store::shell`]). One that has never shown the app
//! must first tell its version: whatever the system refuses to run at all costs no start of the app.

use crate::shell::Shell;
use staysail_protocol::limits::SHELL_PROBE_TIMEOUT_MS;
use staysail_update::bundle::{Attached, read_attached};
use staysail_update::store::shell::{NewerShell, ShellStart};
use staysail_update::store::{Boot, Release, ReleaseStart, Store};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Environment variable with the path of the installed executable, for the shell it starts.
const INSTALLED_VARIABLE: &str = "STAYSAIL_INSTALLED";
/// Environment variable with the name of the start.
const START_VARIABLE: &str = "STAYSAIL_SHELL_START";
/// Pause between two looks whether a shell has told its version.
const LOOK_AGAIN_MS: u64 = 2;

/// What this process is of an installed app.
pub struct Role {
    /// The installed executable.
    pub executable: PathBuf,
    /// The release attached to it.
    pub attached: Attached,
    /// The name of the start, when the installed executable started this process.
    pub given: Option<String>,
}

/// The installed executable, when it started this process.
pub fn installed() -> Option<PathBuf> {
    std::env::var_os(INSTALLED_VARIABLE).map(PathBuf::from)
}

impl Role {
    /// `None` when neither this executable nor one that started it is an app.
    ///
    /// # Errors
    /// A sentence for people: the attached release is damaged.
    pub fn of(executable: PathBuf) -> Result<Option<Self>, String> {
        let (installed, given) = (installed(), std::env::var(START_VARIABLE));
        if installed.is_some() || given.is_ok() {
            for variable in [INSTALLED_VARIABLE, START_VARIABLE] {
                // SAFETY: no other thread reads the environment yet but those of the runtime, which do not.
                unsafe { std::env::remove_var(variable) };
            }
        }
        let given = given.ok();
        if let Some(attached) = read(&executable)? {
            // No start is an app's own that way: it is one of another's name, for which there is nothing to start either.
            return Ok(Some(Self { executable, attached, given: given.map(|_| String::new()) }));
        }
        let (Some(executable), Some(_)) = (installed, &given) else { return Ok(None) };
        Ok(read(&executable)?.map(|attached| Self { executable, attached, given }))
    }
}

fn read(executable: &Path) -> Result<Option<Attached>, String> {
    read_attached(executable)
        .map_err(|error| format!("{} is damaged, install it anew: {error}", executable.display()))
}

/// This process is a shell of a release; dropped in order, its start was no bad one.
pub struct Module(Arc<ShellStart>);

impl Drop for Module {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.ended();
        }
    }
}

impl Module {
    /// Keeps it until the app ends.
    pub fn hold(self, shell: &Shell) -> Arc<ShellStart> {
        let start = Arc::clone(&self.0);
        shell.application.hold(Box::new(self));
        start
    }
}

/// Goes on as the shell of a release if there is one for this start, and then does not return. Returns what this process is
/// when it is that shell already, and nothing when it is the installed one.
pub fn enter(
    store: &Store,
    embedded: &Release,
    executable: &Path,
    root: Option<&[u8]>,
    given: Option<String>,
) -> Option<Module> {
    if let Some(given) = given {
        return store.resume_shell(&given).map(|start| Module(Arc::new(start)));
    }
    let now_s = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    for shell in store.newer_shells(embedded, root) {
        let Some(start) = store.begin_shell(&shell, now_s, std::process::id(), &is_alive) else { continue };
        if !start.is_proven()
            && let Err(reason) = probe(&shell)
        {
            start.failed(&reason);
            continue;
        }
        let mut command = Command::new(&shell.path);
        command.args(std::env::args_os().skip(1)).env(INSTALLED_VARIABLE, executable);
        command.env(START_VARIABLE, start.name());
        if let Err(reason) = become_it(command, &start) {
            start.failed(&reason);
        }
    }
    None
}

/// Whether the system still has this process. Where that is not looked at, time decides.
fn is_alive(process: u32) -> bool {
    !cfg!(target_os = "linux") || Path::new("/proc").join(process.to_string()).exists()
}

/// Has the shell tell its version.
fn probe(shell: &NewerShell) -> Result<(), String> {
    let mut command = Command::new(&shell.path);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let stdout = child.stdout.take();
    // On a thread of its own: what the shell started may keep the pipe open for ever.
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stdout.map(|stdout| stdout.take(256).read_to_string(&mut text));
        text
    });
    let deadline = Instant::now() + Duration::from_millis(SHELL_PROBE_TIMEOUT_MS);
    while !reader.is_finished() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(LOOK_AGAIN_MS));
    }
    let told = reader.is_finished().then(|| reader.join().unwrap_or_default());
    let _ = child.kill();
    let _ = child.wait();
    let text = told.ok_or("it does not tell its version in time (shell_probe_timeout_ms)")?;
    let version = text.trim().strip_prefix("staysail-shell ");
    match version {
        Some(version) if shell.version.as_deref().is_none_or(|named| named == version) => Ok(()),
        _ => Err(format!(
            "it is to tell the version {}, but says {text:?}",
            shell.version.as_deref().unwrap_or_default()
        )),
    }
}

/// The process is that shell from here on; returns with why it is not.
#[cfg(unix)]
fn become_it(mut command: Command, _start: &ShellStart) -> Result<(), String> {
    use std::os::unix::process::CommandExt;
    // Its first word stays the app's, as people and desktops see it.
    if let Some(own) = std::env::args_os().next() {
        command.arg0(own);
    }
    Err(command.exec().to_string())
}

/// Runs it to its end; returns with why the app was not shown.
#[cfg(windows)]
fn become_it(mut command: Command, start: &ShellStart) -> Result<(), String> {
    use staysail_update::store::shell::Left;
    let status = command.status().map_err(|error| error.to_string())?;
    match start.left() {
        Left::NotShown => Err(format!("it ended before the app was shown ({status})")),
        Left::InOrder | Left::Shown => std::process::exit(status.code().unwrap_or(1)),
    }
}

/// A start of a release that is written down; dropped in order, it was no bad one.
pub struct Begun(Arc<ReleaseStart>);

impl Drop for Begun {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.ended();
        }
    }
}

impl Begun {
    /// Keeps it until the app ends.
    pub fn hold(self, shell: &Shell) -> Arc<ReleaseStart> {
        let start = Arc::clone(&self.0);
        shell.application.hold(Box::new(self));
        start
    }
}

/// What boots. Its start is written down unless this is the shell of a release, whose own starts are: one of the two is to blame
/// at a time, first what can be done without.
pub fn begin(
    store: &Store,
    embedded: &Release,
    root: Option<&[u8]>,
    module: Option<&Module>,
) -> (Boot, Option<Begun>) {
    if module.is_some() {
        return (store.boot(embedded, root), None);
    }
    let (boot, start) = store.begin(embedded, root, std::process::id());
    (boot, start.map(|start| Begun(Arc::new(start))))
}

/// The app is up: after the time of a probation the start was a good one.
pub fn watch(start: Option<Arc<ShellStart>>, begun: Option<Arc<ReleaseStart>>, probation_s: u64) {
    drop(tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(probation_s)).await;
        start.iter().for_each(|start| start.is_good());
        begun.iter().for_each(|begun| begun.is_good());
    }));
}
