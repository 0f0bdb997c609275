//! `staysail watch`: tells what changes in folders, or runs a command each time.
//!
//! One loop takes one message at a time: reports of the watch, the end of the command's program, signals. What is
//! reported when is specified in `docs/spec/watch.md`; the lines are written by [`output`], the program is started and
//! ended by [`child`].

mod child;
mod output;

use anyhow::{Context, Result};
use child::Child;
use clap::Args;
use output::Output;
use staysail_watch::{Batch, Report, Rules, Watcher, depinfo};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// Flags of `staysail watch`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folders (with everything below) and files to watch [default: the current folder].
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print one JSON object per line, for programs.
    #[arg(long)]
    json: bool,
    /// Look at files in intervals instead of waiting for the system's events.
    #[arg(long)]
    poll: bool,
    /// Pause between two looks, in milliseconds, where files are looked at in intervals.
    #[arg(long, value_name = "MS", default_value_t = staysail_protocol::limits::WATCH_POLL_MS)]
    interval: u64,
    /// How long nothing must happen before changes are told, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = staysail_protocol::limits::WATCH_QUIET_MS)]
    debounce: u64,
    /// Leave out what matches; a pattern as in a .gitignore. May be given several times.
    #[arg(long, value_name = "GLOB")]
    ignore: Vec<String>,
    /// Count only files that match; a pattern as in a .gitignore. May be given several times.
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Leave nothing out but what --ignore names: no .gitignore is read, .git and editors' own files count.
    #[arg(long)]
    all: bool,
    /// Go into folders behind links, and compare files behind links.
    #[arg(long)]
    follow: bool,
    /// Tell everything that is there at the start, as added.
    #[arg(long)]
    initial: bool,
    /// Watch the source files that cargo's dependency file (target/debug/NAME.d) names, wherever they are.
    #[arg(long, value_name = "FILE")]
    dep_info: Option<PathBuf>,
    /// Run this command, by the shell, after each change. A change while it runs has it run once more afterwards.
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
    /// End the command's program, with everything it started, and start it again, instead of waiting for its end.
    #[arg(long, requires = "exec")]
    restart: bool,
}

/// Everything the loop is told.
enum Incoming {
    Report(Report),
    /// The program of this run has ended, with this code if it was not ended by a signal.
    Ended(u64, Option<i32>),
    Quit,
}

/// Runs until it is told to end, or nobody reads what it says.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let (sender, inbox) = channel();
    end_on_signals(sender.clone())?;
    let here = std::env::current_dir().context("the current folder is gone; go to one that exists")?;
    let mut paths = arguments.paths.clone();
    let listing = arguments.dep_info.as_ref().map(|file| here.join(file));
    if let Some(file) = &listing {
        // It may not have been built yet; its folder must be there to be watched.
        anyhow::ensure!(
            file.parent().is_some_and(Path::is_dir),
            "{} can not be watched: its folder does not exist; nothing is watched. Build the program once, or correct the path",
            file.display()
        );
    } else if paths.is_empty() {
        paths.push(".".into());
    }

    let folders: Vec<PathBuf> =
        paths.iter().filter(|path| path.is_dir()).map(|path| clean(&here.join(path))).collect();
    let rules = Rules::new(&folders)
        .gitignore(!arguments.all)
        .defaults(!arguments.all)
        .ignore(&arguments.ignore)?
        .only(&arguments.only)?;
    let rules = output::Apart::new(rules);
    let reports = sender.clone();
    let sources = |file: &PathBuf| depinfo::read(file).into_iter().chain([file.clone()]).collect::<Vec<_>>();
    let watch = Watcher::new(paths)
        .also(listing.iter().flat_map(sources))
        .select(rules)
        .poll(arguments.poll)
        .interval(Duration::from_millis(arguments.interval.max(1)))
        .quiet(Duration::from_millis(arguments.debounce))
        .follow_links(arguments.follow)
        .initial(arguments.initial)
        .start(move |report| drop(reports.send(Incoming::Report(report))))?;
    let mut output = Output::new(arguments.json, here);
    let mut child = arguments.exec.map(|command| Child::new(command, arguments.restart, arguments.json));
    while let Ok(incoming) = inbox.recv() {
        let told = match incoming {
            Incoming::Report(Report::Changed(mut batch)) => {
                if let Some(file) = &listing {
                    batch = apart_from(batch, file, || watch.also(sources(file)));
                }
                if batch.events.is_empty() {
                    continue;
                }
                let told = output.batch(&batch);
                if let Some(child) = &mut child {
                    child.changed(&batch, &mut output, &sender)?;
                }
                told
            }
            Incoming::Report(report) => output.report(&report),
            Incoming::Ended(run, code) => match &mut child {
                Some(child) => child.ended(run, code, &mut output, &sender)?,
                None => true,
            },
            Incoming::Quit => break,
        };
        if !told {
            // Whoever read the lines has gone.
            break;
        }
    }
    drop(watch);
    if let Some(child) = &mut child {
        child.end();
    }
    output.ended();
    Ok(ExitCode::SUCCESS)
}

/// Takes cargo's listing out of the events: it is read again and no source itself.
fn apart_from(mut batch: Batch, listing: &Path, read: impl Fn()) -> Batch {
    let before = batch.events.len();
    batch.events.retain(|event| event.path() != listing);
    if batch.events.len() < before {
        read();
    }
    batch
}

fn clean(path: &Path) -> PathBuf {
    // Only a path with `..` needs the disk; all others stay as they are written.
    if path.components().any(|part| part == std::path::Component::ParentDir) {
        return path.canonicalize().unwrap_or_else(|_| path.into());
    }
    path.components().filter(|part| *part != std::path::Component::CurDir).collect()
}

/// Ctrl-C and a request to end are taken in order; a second one ends it at once.
fn end_on_signals(sender: Sender<Incoming>) -> Result<()> {
    let again = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if again.swap(true, Ordering::SeqCst) || sender.send(Incoming::Quit).is_err() {
            // The guardian takes the command's program along.
            std::process::exit(130);
        }
    })
    .context("signals can not be handled")
}
