//! `app.*`: the app as a whole, and its starts.
//!
//! # Theory of operation
//! A start with links or files, or one that a second instance handed over, is told by `staysail:app`. It must not be
//! lost, whenever it comes: the router keeps it for the worker until there is one, and pages get it when they have come
//! up. Windows that are not there yet, or whose pages are just loading, are waited for; when there is none at all, the
//! first page that comes up and may know gets it.

use super::{Answer, answer};
use crate::instance::Handover;
use crate::shell::Shell;
use serde_json::Value;
use staysail_protocol::bridge::PageEvent;
use staysail_protocol::desktop::app::{AppEvent, AppInfo, AppRequest, Opened, Opens};
use staysail_protocol::limits::{DIALOGS_MAX, NOTIFICATIONS_MAX, OPENED_WAITING_MAX};
use staysail_protocol::{CallError, ErrorCode};
use std::any::Any;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// Name of the event.
const EVENT: &str = "staysail:app";

/// How this process was started.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Identifier of the app; empty when it is not known yet, in development.
    pub id: String,
    /// What the system starts; absent in development.
    pub executable: Option<PathBuf>,
    /// Arguments and working folder.
    pub handover: Handover,
}

/// What the shell keeps of the app as a whole.
#[derive(Default)]
pub struct Application {
    start: OnceLock<Start>,
    /// Events no page could be told of yet.
    waiting: Mutex<VecDeque<PageEvent>>,
    /// Arguments of the start that follows the end.
    relaunch: Mutex<Option<Vec<String>>>,
    /// What is dropped when the app has ended, in this order.
    held: Mutex<Vec<Box<dyn Any + Send>>>,
    /// Wishes to keep the machine awake.
    pub wishes: super::power::Wishes,
    /// Dialogs that are open.
    dialogs: AtomicUsize,
    /// Numbers of the notifications shown last, the oldest first.
    notifications: Mutex<VecDeque<u32>>,
}

/// A dialog that is open until this is dropped.
pub struct OpenDialog(Arc<Shell>);

impl OpenDialog {
    /// One opens.
    ///
    /// # Errors
    /// `QueueFull` when too many are open.
    pub fn begin(shell: &Arc<Shell>) -> Result<Self, CallError> {
        shell.application.dialog_opens()?;
        Ok(Self(shell.clone()))
    }
}

impl Drop for OpenDialog {
    fn drop(&mut self) {
        self.0.application.dialogs.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Application {
    /// Says how this process was started; the first word stays.
    pub fn begin(&self, start: Start) {
        let _ = self.start.set(start);
    }

    /// Whether the user has a dialog of the app to deal with.
    pub fn is_dialog_open(&self) -> bool {
        self.dialogs.load(Ordering::Relaxed) > 0
    }

    fn dialog_opens(&self) -> Result<(), CallError> {
        if self.dialogs.fetch_add(1, Ordering::Relaxed) < DIALOGS_MAX {
            return Ok(());
        }
        self.dialogs.fetch_sub(1, Ordering::Relaxed);
        Err(CallError::new(
            ErrorCode::QueueFull,
            format!("{DIALOGS_MAX} dialogs are open already (dialogs_max); await their answers"),
        ))
    }

    /// A notification is shown; says which one has to go for it.
    pub fn notified(&self, id: u32) -> Option<u32> {
        let mut shown = lock(&self.notifications);
        shown.push_back(id);
        if shown.len() > NOTIFICATIONS_MAX { shown.pop_front() } else { None }
    }

    /// How this process was started.
    pub fn start(&self) -> Start {
        self.start.get().cloned().unwrap_or_default()
    }

    /// Identifier and executable of an app the system can start; neither in development.
    pub fn installed(&self) -> Option<(String, PathBuf)> {
        let start = self.start.get()?;
        Some((start.id.clone(), start.executable.clone()?))
    }

    /// Holds something until the app has ended: what makes this the only instance, and that its shell ends in order.
    pub fn hold(&self, held: Box<dyn Any + Send>) {
        lock(&self.held).push(held);
    }

    /// The app has ended; starts it again when that was asked for.
    pub fn ended(&self) {
        lock(&self.held).clear();
        let (Some(arguments), Some((_, executable))) = (lock(&self.relaunch).take(), self.installed()) else {
            return;
        };
        let mut command = std::process::Command::new(&executable);
        command.args(arguments).stdin(std::process::Stdio::null());
        if let Some(start) = self.start.get()
            && Path::new(&start.handover.cwd).is_dir()
        {
            command.current_dir(&start.handover.cwd);
        }
        if let Err(error) = command.spawn() {
            tracing::error!(executable = %executable.display(), %error, "the app could not be started again");
        }
    }

    /// A page has come up: it is told what came when there was none.
    pub fn page_ready(&self, shell: &Shell, window: &str) {
        if !shell.granted(window, |granted| granted.group("app")) {
            return;
        }
        for event in std::mem::take(&mut *lock(&self.waiting)) {
            shell.pages.tell_when_ready(window, &event);
        }
    }
}

/// Does what is asked.
pub async fn handle(shell: &Arc<Shell>, request: AppRequest) -> Answer {
    match request {
        AppRequest::Info {} => answer(info(shell)),
        AppRequest::Show {} => {
            shell.ui.ask(|windows, target| windows.show_main(target, None)).await?.map(|()| Value::Null)
        }
        AppRequest::Exit { code } => {
            shell.ui.exit(code);
            Ok(Value::Null)
        }
        AppRequest::Relaunch { arguments } => {
            let Some(_) = shell.application.installed() else { return Err(only_built("be started again")) };
            let arguments = arguments.unwrap_or_else(|| shell.application.start().handover.arguments);
            *lock(&shell.application.relaunch) = Some(arguments);
            shell.ui.exit(0);
            Ok(Value::Null)
        }
    }
}

/// What only an app that the system can start is able to do.
pub(super) fn only_built(what: &str) -> CallError {
    let message = format!(
        "only a built app can {what}: in development the system knows no program to start; try it with `staysail build`"
    );
    CallError::new(ErrorCode::Internal, message)
}

/// The app's id. In development it is the worker that knows it, and before that the folder of its data.
pub(crate) fn id(shell: &Shell) -> String {
    let start = shell.application.start().id;
    if !start.is_empty() {
        return start;
    }
    if let Some(worker) = shell.router.active() {
        return worker.hello.description.app.clone();
    }
    let data_dir = shell.facts().data_dir;
    let folder = std::path::Path::new(&data_dir).parent().and_then(std::path::Path::file_name);
    folder.and_then(|name| name.to_str()).unwrap_or_default().to_owned()
}

fn info(shell: &Shell) -> AppInfo {
    let facts = shell.facts();
    let start = shell.application.start();
    let path = |path: Option<PathBuf>| path.map(|path| path.display().to_string()).unwrap_or_default();
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    AppInfo {
        id: id(shell),
        name: facts.name,
        version: facts.version,
        mode: facts.config.mode,
        staysail: env!("CARGO_PKG_VERSION").into(),
        os: std::env::consts::OS.into(),
        arch: std::env::consts::ARCH.into(),
        locale: crate::platform::locale().unwrap_or_default(),
        executable: path(start.executable),
        data_dir: facts.data_dir,
        home_dir: path(std::env::var_os(home).map(PathBuf::from)),
        temp_dir: path(Some(std::env::temp_dir())),
        arguments: start.handover.arguments,
        cwd: start.handover.cwd,
    }
}

/// A start that was handed over: the main window comes to the front, and everybody is told.
///
/// # Errors
/// When the app is ending.
pub async fn handed_over(shell: &Arc<Shell>, start: Handover) -> Result<(), CallError> {
    let activation = start.activation.clone();
    let opens = shell
        .ui
        .ask(move |windows, target| {
            if let Err(error) = windows.show_main(target, activation.as_deref()) {
                tracing::warn!(%error, "the main window could not be shown");
            }
            windows.opens()
        })
        .await?;
    if let Some(file) = start.to_apply() {
        let shell = shell.clone();
        tokio::task::spawn_blocking(move || shell.observe(|observer| observer.apply(&file)));
        return Ok(());
    }
    // Looking for files may take its time on a network's disk.
    let opened = tokio::task::spawn_blocking(move || sort(start, &opens, false)).await;
    tell(shell, opened.map_err(|error| CallError::new(ErrorCode::Internal, error.to_string()))?);
    Ok(())
}

/// The start of this very process is told when it brought something to open.
pub fn started(shell: &Arc<Shell>, start: Handover, opens: &Opens) {
    let opened = sort(start, opens, true);
    if !opened.urls.is_empty() || !opened.files.is_empty() {
        tell(shell, opened);
    }
}

fn tell(shell: &Shell, opened: Opened) {
    let Ok(payload) = serde_json::value::to_raw_value(&AppEvent::Opened(opened)) else { return };
    shell.router.emit(EVENT.into(), String::new(), payload.get().as_bytes().to_vec());
    let event = PageEvent::Event { name: EVENT.into(), payload };
    let mut is_told = false;
    for label in shell.pages.labels() {
        if shell.granted(&label, |granted| granted.group("app")) {
            shell.pages.tell_when_ready(&label, &event);
            is_told = true;
        }
    }
    if !is_told {
        let mut waiting = lock(&shell.application.waiting);
        if waiting.len() == OPENED_WAITING_MAX {
            waiting.pop_front();
        }
        waiting.push_back(event);
    }
}

/// Finds links and files among the arguments. All of them are data: what begins with `-` is nobody's option here, and
/// no file either.
fn sort(start: Handover, opens: &Opens, first: bool) -> Opened {
    let Handover { arguments, cwd, .. } = start;
    let (mut urls, mut files) = (Vec::new(), Vec::new());
    for argument in &arguments {
        if argument.starts_with('-') || argument.is_empty() {
            continue;
        }
        if opens.is_link(argument) {
            urls.push(argument.clone());
        } else if let Some(file) = file_of(argument, &cwd) {
            files.push(file);
        }
    }
    Opened { arguments, cwd, urls, files, first }
}

fn file_of(argument: &str, cwd: &str) -> Option<String> {
    let path = match argument.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("file://") => from_file_url(&argument[7..])?,
        _ => Path::new(cwd).join(argument),
    };
    // Without its links resolved: the name the user knows. NUL can be in no path.
    (path.is_absolute() && path.exists()).then(|| path.display().to_string())
}

/// Path of a `file:` address behind its `file://`: on this machine, percent-encoded.
fn from_file_url(rest: &str) -> Option<PathBuf> {
    let encoded = rest.strip_prefix("localhost").unwrap_or(rest);
    let encoded = encoded.split(['?', '#']).next().filter(|path| path.starts_with('/'))?;
    let mut bytes = Vec::new();
    let mut left = encoded.as_bytes();
    while let Some((&byte, rest)) = left.split_first() {
        left = rest;
        if byte == b'%' {
            let digits = std::str::from_utf8(left.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            left = &left[2..];
        } else {
            bytes.push(byte);
        }
    }
    let path = String::from_utf8(bytes).ok()?;
    // `/C:/…` on Windows.
    let drive = cfg!(windows) && path.as_bytes().get(2) == Some(&b':');
    Some(PathBuf::from(if drive { &path[1..] } else { &path }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialogs_are_limited_and_the_oldest_notifications_go() {
        let application = Application::default();
        (0..DIALOGS_MAX).for_each(|_| application.dialog_opens().unwrap());
        let error = application.dialog_opens().unwrap_err();
        assert_eq!(error.code, ErrorCode::QueueFull);
        assert!(error.message.contains("dialogs_max"), "{}", error.message);
        application.dialogs.fetch_sub(1, Ordering::Relaxed);
        application.dialog_opens().unwrap();

        let gone: Vec<u32> =
            (0..NOTIFICATIONS_MAX as u32 + 2).filter_map(|id| application.notified(id)).collect();
        assert_eq!(gone, [0, 1]);
    }

    #[test]
    fn links_and_files_are_found_among_the_arguments_and_nothing_else_is_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let cwd = folder.path().display().to_string();
        std::fs::write(folder.path().join("a b.kap"), "").unwrap();
        std::fs::write(folder.path().join("--version"), "").unwrap();
        let opens = Opens { schemes: vec!["notes".into()], ..Opens::default() };
        let arguments: Vec<String> = [
            "a b.kap",
            "notes://open/7?a=b&c=$(reboot)",
            "--version",
            "--notes://x",
            "notes:\u{0}",
            "nothing.kap",
            "javascript:alert(1)",
            "",
            &format!("file://{cwd}/a%20b.kap"),
            "file://elsewhere/etc/passwd",
            "file:///%zz",
            "\u{feff}notes://x",
        ]
        .map(String::from)
        .into();
        let opened =
            sort(Handover { arguments: arguments.clone(), cwd: cwd.clone(), activation: None }, &opens, true);
        assert_eq!(opened.urls, ["notes://open/7?a=b&c=$(reboot)"]);
        let file = folder.path().join("a b.kap").display().to_string();
        assert_eq!(opened.files, [file.clone(), file]);
        assert_eq!(opened.arguments, arguments, "the app gets all of them as they were");
        let lost = sort(Handover { arguments: vec!["a b.kap".into()], ..Handover::default() }, &opens, true);
        assert!(lost.files.is_empty(), "a relative path without a folder names nothing");
    }
}
