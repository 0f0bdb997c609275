//! `staysail dev`: what is saved goes live in the open window.
//!
//! # Theory of operation
//! One loop owns all state ([`session`]) and takes one message at a time; threads bring them: the watch, cargo, the
//! shell, a dev server, signals, the keyboard. The way of a save: [`watch`] sees the content change → cargo is
//! started (a build under way is cancelled first) → its message about the finished executable comes → the executable
//! gets a path of its own ([`versions`]) → the shell is told to swap → it reports the swap live. The app's
//! description is asked for after that, beside the swap: for the types file and the cache from which the next
//! start opens its windows at once.
//!
//! An error leaves everything as it was: a build that fails puts an overlay over the page while the old backend
//! goes on serving. The lines for programs (`--json`) are documented in [`output`].

mod browser;
mod control;
mod description;
mod explain;
mod filter;
mod frontend;
mod keyboard;
mod missed;
mod output;
mod place;
pub mod server;
mod session;
mod shell;
mod status;
mod underway;
mod versions;
mod watch;

use crate::bundler::Bundler;
use crate::commands::ProjectArguments;
use crate::project::Mode;
use crate::{cargo, shell_binary};
use anyhow::{Context, Result, bail};
use clap::Args;
use keyboard::Keyboard;
use output::{Output, Said};
use session::{Incoming, Options, Session};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

/// Flags of `staysail dev`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Print one JSON object per line, for programs.
    #[arg(long)]
    json: bool,
    /// Look for changes at intervals (network file systems and WSL send no notifications).
    #[arg(long)]
    poll: bool,
    /// After each save, say where its time went and what would shorten it.
    #[arg(long)]
    explain: bool,
    /// Hold each new backend until a debugger is attached to it (lldb, gdb, your editor).
    #[arg(long)]
    debug_worker: bool,
    #[command(flatten)]
    browser: browser::Flags,
    /// For `staysail test`: let a driver attach to the windows, with the app's data in this folder.
    #[arg(long, value_name = "FOLDER", hide = true)]
    driven: Option<PathBuf>,
}

/// Runs until the window is closed, or until it is told to end.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let project = arguments.project.load(Mode::Debug)?;
    let shell = shell_binary::find(shell_binary::Use::Develop)?;
    let backend = cargo::locate(&project)?;
    let output = Output::new(arguments.json);
    let (sender, inbox) = channel();
    end_on_signals(sender.clone())?;

    let server = project.config.frontend.dev.clone();
    let folder = project.frontend_folder();
    if server.as_ref().is_some_and(|server| server.command.is_some())
        || project.config.frontend.build.is_some()
    {
        server::install_packages(&folder)?;
    }
    let writes_files = server.as_ref().is_none_or(|server| server.url.is_none());
    if writes_files && !project.dist().is_dir() {
        match (&project.config.frontend.build, &server) {
            (Some(build), _) => {
                let bundler = Bundler::begin(&project, &backend.version, None)?;
                server::run_to_end(&folder, &build.command, bundler.variables())?;
            }
            (None, Some(_)) => std::fs::create_dir_all(project.dist()).context("making the page's folder")?,
            (None, None) => bail!(
                "the page's folder {} does not exist.\n  Make it, or correct frontend.dist in {}.",
                project.dist().display(),
                project.file().display()
            ),
        }
    }

    output.tell(&format!(
        "{} {} ({} mode)",
        crate::style::strong("staysail dev:"),
        project.name(),
        project.mode.name()
    ));
    if project.shadow().is_some() {
        let message = "[update.shadow] counts for releases, not for saves: docs/guide/shadow.md says how to try rules out";
        output.say(&Said::Notice { message: message.into() });
    }
    let _keyboard = Keyboard::start(sender.clone());
    let options = Options {
        poll: arguments.poll,
        explain: arguments.explain,
        debug_worker: arguments.debug_worker,
        driven: arguments.driven,
    };
    let mut session = Session::new(project, backend, shell, output, sender, options, arguments.browser)?;
    let result = session.run(&inbox);
    session.end();
    session.output.say(&Said::Ended);
    result
}

/// Ctrl-C, a request to end, and a terminal that vanishes end everything in order; a second one ends it at once.
fn end_on_signals(sender: Sender<Incoming>) -> Result<()> {
    let again = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if again.swap(true, Ordering::SeqCst) || sender.send(Incoming::Quit).is_err() {
            keyboard::restore();
            // Guardians and the parent-death signal take everything along.
            std::process::exit(130);
        }
    })
    .context("signals can not be handled")
}
