//! From a saved Rust file to the swap: the build, its executable, and what comes of handing that to the shell.

use super::super::description;
use super::super::explain::{Around, Trace};
use super::super::output::{Said, SwapDone, clock, milliseconds};
use super::super::underway::{Build, Swap};
use super::{Incoming, Session};
use crate::bundler::State;
use crate::cargo::{self, Message};
use crate::style;
use anyhow::Result;
use staysail_protocol::bridge::Overlay;
use staysail_protocol::control::{SwapTiming, ToShell};
use staysail_protocol::interface::Description;
use std::path::{Path, PathBuf};
use std::time::Instant;

impl Session {
    /// Starts cargo; a build under way is cancelled, for it would build what is not wanted any more.
    pub(super) fn start_build(&mut self, files: &[String], saved: Option<Instant>) -> Result<()> {
        if let Some(old) = self.build.take() {
            old.tree.kill();
            self.output.say(&Said::BuildCancelled { build: old.number });
        }
        self.builds += 1;
        let number = self.builds;
        let sender = self.sender.clone();
        let started = Instant::now();
        let paths: Vec<PathBuf> = files.iter().map(|file| self.project.root.join(file)).collect();
        let tree = cargo::build_again(&self.project, &self.backend, &self.replay, &paths, move |message| {
            drop(sender.send(Incoming::Cargo(number, message)));
        })?;
        self.status.busy = Some("building".into());
        self.build = Some(Build {
            number,
            trace: self.options.explain.then(|| Trace::begin(tree.id())),
            tree,
            saved,
            started,
            errors: Vec::new(),
            warnings: Vec::new(),
            swapped: false,
            unchanged: false,
            replayed: false,
        });
        self.output.say(&Said::BuildStarted { build: number, files: files.to_vec() });
        Ok(())
    }

    pub(super) fn cargo(&mut self, number: u64, message: Message) -> Result<()> {
        // A cancelled build says a few more things; nobody listens.
        let Some(build) = self.build.as_mut().filter(|build| build.number == number) else { return Ok(()) };
        match message {
            Message::Progress(line) => {
                if let Some(trace) = &mut build.trace {
                    trace.progress(&line);
                }
                self.status.busy = Some(style::without_colours(line.trim()));
            }
            Message::Compiled(crate_) => {
                if let Some(trace) = &mut build.trace {
                    trace.compiled(crate_);
                }
            }
            Message::Script { package, out_dir } => {
                if let Some(trace) = &mut build.trace {
                    trace.script(package, &out_dir);
                }
            }
            Message::Diagnostic { level, rendered, .. } if level == "error" => build.errors.push(rendered),
            Message::Diagnostic { rendered, .. } => build.warnings.push(rendered),
            Message::Replayed => build.replayed = true,
            Message::Executable(path) => self.executable(&path)?,
            Message::Finished { success, notices } => {
                self.status.busy = None;
                if let Some(build) = self.build.take() {
                    self.built = Some(Instant::now());
                    self.finished(build, success, notices);
                }
            }
        }
        Ok(())
    }

    /// The shortest way there is from cargo's message to the swap.
    fn executable(&mut self, path: &Path) -> Result<()> {
        let Some(build) = self.build.as_mut() else { return Ok(()) };
        let asked = Instant::now();
        let Some(version) = self.versions.take(path)? else {
            build.unchanged = true;
            return Ok(());
        };
        build.swapped = true;
        let trace = build.trace.take();
        self.swaps_asked += 1;
        let id = self.swaps_asked;
        let swap = Swap {
            build: build.number,
            path: version.clone(),
            built: path.to_path_buf(),
            saved: build.saved,
            started: build.started,
            cargo_ms: milliseconds(asked - build.started),
            copied: Instant::now(),
            asked,
            trace,
            replayed: build.replayed,
        };
        self.send(&ToShell::Swap {
            id,
            worker: version.display().to_string(),
            fresh: false,
            modules: self.modules.made.clone(),
        });
        self.swaps.insert(id, swap);
        self.newest = Some(version.clone());
        Ok(())
    }

    fn finished(&mut self, build: Build, success: bool, notices: String) {
        let cargo_ms = milliseconds(build.started.elapsed());
        self.status.build_errors = if success || build.swapped { 0 } else { build.errors.len().max(1) };
        if success {
            self.frontend.bundler().backend(&self.project.root, State::Good, "");
            self.over_by_build(None);
            if build.unchanged {
                self.output.say(&Said::BuildUnchanged { build: build.number, cargo_ms });
            }
            self.output.say(&Said::BuildFinished { build: build.number, replayed: build.replayed });
            if !build.warnings.is_empty() && build.warnings != self.warned {
                self.output.tell(&style::for_terminal(&build.warnings.concat()));
            }
            self.warned = build.warnings;
            return;
        }
        if build.swapped {
            return;
        }
        let errors =
            if build.errors.is_empty() { cargo::failure_text(&notices) } else { build.errors.concat() };
        let overlay = Overlay {
            kind: "build".into(),
            title: if build.errors.is_empty() { "Cargo failed" } else { "The backend does not compile" }
                .into(),
            detail: errors.clone(),
            advice: match self.live {
                Some(_) => "The backend before goes on serving. Save a fix and this goes away.",
                None => "No backend is running yet. Save a fix and it starts.",
            }
            .into(),
            retry: false,
            fresh: false,
        };
        // A bundler that shows it in its own overlay is enough.
        self.frontend.bundler().backend(&self.project.root, State::Failed, &errors);
        if self.live.is_none() || !self.frontend.bundler().shows_errors() {
            self.over_by_build(Some(overlay));
        }
        let (serving, replayed) = (self.live.is_some(), build.replayed);
        self.output.say(&Said::BuildFailed { build: build.number, cargo_ms, errors, replayed, serving });
    }

    /// Asks a built program for its description, once its swap is over: two cores are few.
    pub(super) fn describe(&self, program: PathBuf, built: PathBuf) {
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            let result = cargo::describe(&program);
            drop(sender.send(Incoming::Described(built, Box::new(result))));
        });
    }

    pub(super) fn described(&mut self, built: &Path, result: Result<Description>) {
        self.watch.sources(cargo::sources(built));
        match result {
            Ok(description) => {
                description::keep(&self.project, &description, &self.output);
                self.frontend.described(&description);
            }
            Err(error) => self.output.say(&Said::Notice { message: format!("{error:#}") }),
        }
    }

    pub(super) fn swapped(&mut self, id: u64, timing: SwapTiming) {
        let Some(swap) = self.swaps.remove(&id) else { return };
        let now = Instant::now();
        let first = self.live.is_none();
        self.live = Some(swap.path.clone());
        let watch_ms = swap.saved.map_or(0.0, |saved| milliseconds(swap.started - saved));
        let total_ms = milliseconds(now - swap.saved.unwrap_or(swap.started));
        self.status.lost = false;
        self.status.live_since = Some(clock());
        self.status.last_save_ms = swap.saved.map(|_| total_ms).or(self.status.last_save_ms);
        self.output.say(&Said::SwapDone(SwapDone {
            id,
            build: swap.build,
            watch_to_build: watch_ms,
            cargo_ms: swap.cargo_ms,
            swap_ms: milliseconds(now - swap.asked),
            total_ms,
            hello_ms: timing.hello_ms,
            quiesce_ms: timing.quiesce_ms,
            restore_ms: timing.restore_ms,
            gate_ms: timing.gate_ms,
            replayed: swap.replayed,
            first,
        }));
        if let Some(trace) = &swap.trace {
            let copy_ms = milliseconds(swap.copied - swap.asked);
            let (cargo_ms, replayed) = (swap.cargo_ms, swap.replayed);
            let around = Around { watch_ms, cargo_ms, replayed, copy_ms, swap: timing, total_ms };
            self.output.say(&Said::SwapExplained { swap: id, explained: trace.explain(&around) });
        }
        let used: Vec<PathBuf> = self
            .live
            .iter()
            .chain(&self.newest)
            .chain(self.swaps.values().map(|swap| &swap.path))
            .cloned()
            .collect();
        self.versions.clean_up(&used);
        self.describe(swap.path, swap.built);
    }
}
