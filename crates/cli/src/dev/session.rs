//! The loop of `staysail dev`: all its state, one message at a time.

mod asked;
mod backend;
mod modules;
mod over;

use super::browser::{Browser, Exchange, Flags};
use super::description;
use super::filter::Filter;
use super::frontend::Frontend;
use super::keyboard::Key;
use super::output::{Output, Said, milliseconds};
use super::shell::{FromShell, ShellLink};
use super::status::Status;
use super::underway::{Build, Swap};
use super::versions::Versions;
use super::watch::{self, Changes, Seen, Watch};
use crate::cargo::{self, Backend, Message, Profile};
use crate::project::Project;
use crate::replay::Replay;
use crate::style;
use anyhow::{Context, Result, bail};
use staysail_protocol::control::{Start, ToShell, ToTool};
use staysail_protocol::interface::Description;
use staysail_protocol::module::ModuleFile;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

/// A change of Cargo.lock this soon after a build is cargo's own.
const LOCK_SETTLES: Duration = Duration::from_secs(1);

/// Everything the loop is told.
pub enum Incoming {
    Seen(Seen),
    Cargo(u64, Message),
    Shell(FromShell),
    /// Of the dev server that was started as this one, from 1.
    ServerLine(u64, String),
    ServerEnded(u64, String),
    ServerAgain,
    ServerBack(u64),
    Described(PathBuf, Box<Result<Description>>),
    Modules(u64, Instant, Result<Vec<ModuleFile>, String>),
    Key(Key),
    Quit,
}

/// How it is to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Look for changes in intervals.
    pub poll: bool,
    /// Say where the time of each save went.
    pub explain: bool,
    /// Hold each backend until a debugger is attached.
    pub debug_worker: bool,
    /// A test drives the app; its data lie in this folder.
    pub driven: Option<PathBuf>,
}

/// `staysail dev`, running.
pub struct Session {
    pub output: Output,
    project: Project,
    backend: Backend,
    program: PathBuf,
    sender: Sender<Incoming>,
    watch: Watch,
    shell: Option<ShellLink>,
    frontend: Frontend,
    versions: Versions,
    replay: Replay,
    modules: modules::Modules,
    builds: u64,
    swaps: BTreeMap<u64, Swap>,
    swaps_asked: u64,
    build: Option<Build>,
    /// When the last build ended.
    built: Option<Instant>,
    /// What lies over the page.
    over: over::Over,
    /// The executable that is live, and the newest that was built.
    live: Option<PathBuf>,
    newest: Option<PathBuf>,
    warned: Vec<String>,
    window_open: bool,
    options: Options,
    status: Status,
    /// Saved files of the backend that wait, and when the first was seen, while swapping on save is off.
    waiting: Option<(BTreeSet<String>, Option<Instant>)>,
    browsers: Flags,
    browser: Option<Browser>,
    /// Requests of browser tabs on their way to the shell and back.
    exchange: Arc<Exchange>,
}

impl Session {
    /// Begins watching; nothing is shown yet.
    pub fn new(
        project: Project,
        backend: Backend,
        program: PathBuf,
        output: Output,
        sender: Sender<Incoming>,
        options: Options,
        browsers: Flags,
    ) -> Result<Self> {
        let served = project.served();
        let target = project.target();
        std::fs::create_dir_all(&target).with_context(|| format!("making {}", target.display()))?;
        let filter = Filter::new(&project.root, served.as_deref(), &project.types(), &target);
        let filter = filter.with_modules(project.module_places());
        let seen = sender.clone();
        let watch = Watch::start(filter, options.poll, move |what| drop(seen.send(Incoming::Seen(what))))
            .context("files can not be watched; try `staysail dev --poll`")?;
        let built = target.join(Profile::Develop.folder()).join(&backend.binary);
        watch.sources(cargo::sources(&built));
        let versions = Versions::open(&target)?;
        let replay = Replay::new(&project, &backend.binary);
        let status = Status { name: project.name().to_owned(), ..Status::default() };
        let version = project.config.app.version.as_deref().unwrap_or(&backend.version);
        let frontend = Frontend::new(&project, version, sender.clone())?;
        Ok(Self {
            output,
            project,
            backend,
            program,
            sender,
            watch,
            shell: None,
            frontend,
            versions,
            replay,
            modules: modules::Modules::default(),
            builds: 0,
            swaps: BTreeMap::new(),
            swaps_asked: 0,
            build: None,
            built: None,
            over: over::Over::default(),
            live: None,
            newest: None,
            warned: Vec::new(),
            window_open: false,
            options,
            status,
            waiting: None,
            browsers,
            browser: None,
            exchange: Arc::default(),
        })
    }

    /// Runs to the end.
    pub fn run(&mut self, inbox: &Receiver<Incoming>) -> Result<ExitCode> {
        self.make_modules(Instant::now());
        self.start_build(&[], None)?;
        if description::cached(&self.project.app_folder()).is_none() {
            self.output.tell(&style::dim(
                "  the first time everything is compiled; the window opens when that is done",
            ));
        }
        self.start_server()?;
        self.start_shell()?;
        loop {
            self.output.show(Some(&self.status));
            let incoming = inbox.recv().context("everything that could say something has ended")?;
            match incoming {
                Incoming::Seen(Seen::Changed(changes, first)) => self.changed(&changes, first)?,
                Incoming::Seen(Seen::Notice(message)) => self.output.say(&Said::Notice { message }),
                Incoming::Cargo(number, message) => self.cargo(number, message)?,
                Incoming::Shell(FromShell::Said(message)) => self.shell(message),
                // Answers are handed over where they come in.
                Incoming::Shell(FromShell::Answered(_)) => {}
                Incoming::Shell(FromShell::Line(line)) => eprintln!("{} {line}", style::dim("shell")),
                Incoming::Shell(FromShell::Gone { well: true, .. }) => return Ok(ExitCode::SUCCESS),
                Incoming::Shell(FromShell::Gone { status, .. }) => {
                    bail!(
                        "the shell ended by itself ({status}).\n  `staysail doctor` checks what it needs; start `staysail dev` again."
                    )
                }
                // Empty lines set nothing apart where others come between them.
                Incoming::ServerLine(_, line) if style::without_colours(&line).trim().is_empty() => {}
                Incoming::ServerLine(number, line) => {
                    self.output.tell(&format!("{} {}", style::dim("page │"), style::for_terminal(&line)));
                    self.server_said(number, &line);
                }
                Incoming::ServerEnded(number, status) => self.server_ended(number, &status),
                Incoming::ServerAgain => self.server_again(),
                Incoming::ServerBack(number) => self.server_back(number),
                Incoming::Described(path, result) => self.described(&path, *result),
                Incoming::Modules(number, saved, made) => self.modules_made(number, saved, made),
                Incoming::Key(Key::Quit) => return Ok(ExitCode::SUCCESS),
                Incoming::Key(key) => self.key(key)?,
                Incoming::Quit => return Ok(ExitCode::SUCCESS),
            }
        }
    }

    /// Ends everything that was started.
    pub fn end(&mut self) {
        self.output.show(None);
        self.browser = None;
        if let Some(build) = self.build.take() {
            build.tree.kill();
        }
        if let Some(shell) = self.shell.take() {
            shell.end();
        }
        self.frontend.end();
    }

    fn start_server(&mut self) -> Result<()> {
        let output = &self.output;
        self.frontend.start(&self.project, |message| output.tell(message))
    }

    fn server_said(&mut self, number: u64, line: &str) {
        match self.frontend.heard(&self.project, number, line) {
            Ok(None) => {}
            Ok(Some(file)) => {
                let file = self.relative(&file);
                let message = format!(
                    "{file} was saved while the page's compiler started, which may have missed it: the compiler is started again"
                );
                self.output.say(&Said::Notice { message });
            }
            Err(error) => {
                let message =
                    format!("{error:#}\n  Page edits do not show until `staysail dev` is started again.");
                self.output.say(&Said::Error { message });
            }
        }
    }

    /// A file as the user knows it.
    fn relative(&self, file: &Path) -> String {
        file.strip_prefix(&self.project.root).unwrap_or(file).display().to_string()
    }

    fn server_ended(&mut self, number: u64, status: &str) {
        let Some(ended) = self.frontend.ended(number, status) else { return };
        self.output.say(&Said::Error { message: ended.message });
        self.send(&ToShell::Overlay { overlay: Some(ended.overlay) });
    }

    fn server_again(&mut self) {
        if let Err(error) = self.frontend.again(&self.project) {
            self.output.say(&Said::Error { message: format!("{error:#}") });
        }
    }

    fn server_back(&mut self, number: u64) {
        if !self.frontend.runs(number) {
            return;
        }
        self.output.say(&Said::Notice { message: "the dev server is back".into() });
        self.send(&ToShell::Overlay { overlay: self.over.shown() });
        if self.frontend.url.is_some() {
            // A page that was being loaded when the server ended is a page of errors, or stands there without its scripts:
            // then there is no client of the bundler in it that would notice.
            self.page_begins_anew();
            self.send(&ToShell::PageChanged { paths: Vec::new() });
        }
    }

    fn start_shell(&mut self) -> Result<()> {
        let project = &self.project;
        let data_dir = match &self.options.driven {
            Some(folder) => folder.join("data"),
            None => project.app_folder().join("data"),
        };
        std::fs::create_dir_all(&data_dir).with_context(|| format!("making {}", data_dir.display()))?;
        let served = project.served();
        let start = Start {
            name: project.name().into(),
            version: project.config.app.version.clone().unwrap_or_else(|| self.backend.version.clone()),
            page_dir: served.map(|folder| folder.display().to_string()),
            dev_url: self.frontend.url.clone(),
            config: project.mode_config(),
            description: description::cached(&project.app_folder()),
            data_dir: data_dir.display().to_string(),
            no_window: self.browsers.without_window(),
            groups: project.config.assets.groups.keys().cloned().collect(),
            debug_worker: self.options.debug_worker,
            driven: self.options.driven.is_some(),
        };
        let (sender, exchange) = (self.sender.clone(), Arc::new(Exchange::default()));
        let answered = exchange.clone();
        let shell = ShellLink::start(&self.program, start, move |what| match what {
            FromShell::Answered(frame) => answered.answered(frame),
            what => drop(sender.send(Incoming::Shell(what))),
        })?;
        self.output.say(&Said::ShellStarted { pid: shell.id(), shell: self.program.display().to_string() });
        exchange.connect(shell.control());
        self.shell = Some(shell);
        self.exchange = exchange;
        if self.browsers.browser {
            self.open_browser()?;
            if self.browsers.without_window() && !self.browsers.no_window {
                let message = "there is no display: the page is in the browser alone".into();
                self.output.say(&Said::Notice { message });
            }
        }
        // A build may have finished while the dev server was waited for; its messages are still in the queue.
        Ok(())
    }

    fn send(&self, message: &ToShell) {
        if let Some(shell) = &self.shell {
            shell.send(message);
        }
    }

    fn changed(&mut self, changes: &Changes, first: Instant) -> Result<()> {
        if changes.project {
            self.project_file_changed();
        }
        if changes.modules {
            self.make_modules(first);
        }
        if !changes.page.is_empty()
            && let Some(folder) = self.project.served()
        {
            let paths = watch::page_paths(&changes.page, &folder);
            let only_styles =
                changes.page.iter().all(|file| super::frontend::is_exchanged_in_place(file) && file.exists());
            let message = if only_styles {
                ToShell::StylesChanged { paths: paths.clone() }
            } else {
                self.page_begins_anew();
                ToShell::PageChanged { paths: paths.clone() }
            };
            self.send(&message);
            let watch_ms = milliseconds(first.elapsed());
            self.output.say(&if only_styles {
                Said::StylesChanged { paths, watch_ms }
            } else {
                Said::PageChanged { paths, watch_ms }
            });
        }
        let by_hand = |file: &&PathBuf| !(file.ends_with("Cargo.lock") && self.cargo_may_have_written());
        if changes.backend.iter().any(|file| by_hand(&file)) {
            let files: Vec<String> = changes.backend.iter().map(|file| self.relative(file)).collect();
            match &mut self.waiting {
                Some((saved, since)) => {
                    saved.extend(files);
                    since.get_or_insert(first);
                    self.status.waiting = Some(saved.len());
                }
                None => self.start_build(&files, Some(first))?,
            }
        }
        Ok(())
    }

    /// Cargo writes Cargo.lock itself, at the start of a build; that is no reason for another one.
    fn cargo_may_have_written(&self) -> bool {
        self.build.is_some() || self.built.is_some_and(|end| end.elapsed() < LOCK_SETTLES)
    }

    fn project_file_changed(&mut self) {
        let said = match Project::find(Some(&self.project.root), self.project.mode) {
            Ok(_) => {
                Said::Notice { message: "staysail.toml changed; start `staysail dev` again to use it".into() }
            }
            Err(error) => Said::Error { message: format!("{error}\n  What was read before stays in use.") },
        };
        self.output.say(&said);
    }

    fn shell(&mut self, message: ToTool) {
        match message {
            // Said again after each swap that may have changed the windows; once is news.
            ToTool::WindowsOpen if self.window_open => {}
            ToTool::WindowsOpen => {
                self.window_open = true;
                self.output.say(&Said::WindowOpen);
            }
            ToTool::PageReady { window, generation } => {
                self.status.page_errors = 0;
                self.page_begins_anew();
                self.output.say(&Said::PageReady { window, generation })
            }
            ToTool::SwapDone { id, .. } if self.modules_exchanged(id) => {}
            ToTool::SwapDone { id, timing } => self.swapped(id, timing),
            ToTool::SwapFailed { id, reason } if self.modules_refused(id, &reason) => {}
            ToTool::SwapFailed { id, reason } => {
                if let Some(swap) = self.swaps.remove(&id) {
                    self.versions.forget();
                    let serving = self.live.is_some();
                    self.output.say(&Said::SwapFailed { id, build: swap.build, reason, serving });
                    self.describe(swap.path, swap.built);
                }
            }
            ToTool::WorkerLost { reason, restarting, serving } => {
                self.status.lost = !restarting && !serving;
                self.output.say(&Said::WorkerLost { reason, restarting, serving })
            }
            ToTool::Page(mut report) => {
                report.place = super::place::of(&report.place, &self.project);
                self.status.page_errors += usize::from(super::status::counts(&report));
                self.over_by_page(&report);
                self.output.say(&Said::PageReport { report });
            }
            ToTool::WorkerLog { level, message } => self.output.say(&Said::WorkerLog { level, message }),
            ToTool::StartFresh => self.start_afresh(),
            // Answers have a number and go another way.
            ToTool::Closing | ToTool::TabAnswer { .. } | ToTool::PageFile { .. } | ToTool::Unknown => {}
        }
    }
}
