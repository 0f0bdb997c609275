//! Endurance: one window under mixed load through hundreds of swaps and reloads.
//!
//! # Theory of operation
//! The shell is driven by its control socket. Swaps go to copies of one worker at paths never used before, so that
//! nothing is compiled in between. The page hands over what it saw each second, which is held against the ledger the
//! workers write: no call lost, none executed twice. Meanwhile memory, handles, threads and processes are sampled.

pub mod control;
mod samples;

use crate::child;
use crate::ledger::{self, Call};
use crate::project::{COLD_BUILD, Project};
use crate::stage::{Stage, cargo_target};
use crate::webdriver::Session;
use anyhow::{Context, ensure};
use control::Shell;
use samples::Samples;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longest wait for a swap, and for a page that loads.
const STEP: Duration = Duration::from_secs(60);
/// Copies of the worker that are left in place: the live one, the frozen one, those that are being retired.
const COPIES_KEPT: u64 = 6;
/// How often the processes are sampled.
const SAMPLE_EVERY: Duration = Duration::from_millis(1_000);
/// Faults that are shown; the rest is counted.
const FAULTS_SHOWN_MAX: usize = 20;

/// How long and how hard.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Shortest duration; it takes longer when the machine does.
    pub duration: Duration,
    /// Exchanges of the worker.
    pub swaps: u64,
    /// Page loads.
    pub reloads: u64,
}

/// What happened.
#[derive(Default)]
pub struct Report {
    took: Duration,
    swaps: u64,
    reloads: u64,
    calls: BTreeMap<String, u64>,
    cancelled: u64,
    executed: usize,
    gate_ms: Vec<f64>,
    faults: Vec<String>,
    samples: Samples,
}

impl Report {
    /// Whether all calls came out right.
    pub fn is_correct(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether nothing grew.
    pub fn is_steady(&self) -> bool {
        self.samples.verdicts().iter().all(samples::Verdict::holds)
    }

    /// For people.
    pub fn text(&self) -> String {
        let calls: u64 = self.calls.values().sum();
        let kinds: Vec<_> = self.calls.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let mut text = format!(
            "{} s: {} swaps, {} page loads, {calls} calls ({} cancelled), {} executions\n  {}\n",
            self.took.as_secs(),
            self.swaps,
            self.reloads,
            self.cancelled,
            self.executed,
            kinds.join(", ")
        );
        text += &format!(
            "calls held up by a swap: median {:.1} ms, worst {:.1} ms\n{} samples, start → end\n",
            self.quantile(0.5),
            self.quantile(1.0),
            self.samples.count()
        );
        for verdict in self.samples.verdicts() {
            text += &format!("  {}\n", verdict.line());
        }
        text += &format!("faults: {}\n", self.faults.len());
        for fault in self.faults.iter().take(FAULTS_SHOWN_MAX) {
            text += &format!("  {fault}\n");
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "seconds": self.took.as_secs(), "swaps": self.swaps, "reloads": self.reloads, "calls": self.calls,
            "cancelled": self.cancelled, "executed": self.executed,
            "gate_ms": { "median": self.quantile(0.5), "worst": self.quantile(1.0) },
            "quantities": self.samples.verdicts().iter().map(samples::Verdict::json).collect::<Vec<_>>(),
            "samples": self.samples.count(), "faults": self.faults,
            "correct": self.is_correct(), "steady": self.is_steady(),
        })
    }

    fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.gate_ms.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (part * sorted.len().saturating_sub(1) as f64).round() as usize;
        sorted.get(at).copied().unwrap_or(0.0)
    }
}

struct Run<'a> {
    stage: &'a Stage,
    stand: Stand,
    report: Report,
    calls: Vec<Call>,
    sampled: Instant,
}

/// The app that is soaked: its page up, its first worker live, no load yet.
pub struct Stand {
    /// The shell.
    pub shell: Shell,
    /// Its page.
    pub page: Session,
    worker: PathBuf,
    folder: PathBuf,
}

impl Stand {
    /// Builds and starts it.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(stage: &Stage) -> anyhow::Result<Self> {
        let project = Project::named(stage, "soak")?;
        let worker = build(stage, &project)?;
        let folder = stage.folder.path().join("workers");
        std::fs::create_dir_all(&folder)?;
        let mut shell = Shell::start(stage, &project.file("frontend"))?;
        let first = folder.join("soaked-0");
        std::fs::copy(&worker, &first)?;
        shell.swap(&first, STEP)?;
        let page = Session::attach(stage, shell.port, STEP)?;
        let stand = Self { shell, page, worker, folder };
        stand.wait_up(None)?;
        Ok(stand)
    }

    /// Exchanges the worker for another copy of itself and says how long calls were held up, in milliseconds.
    ///
    /// # Errors
    /// When it does not become live.
    pub fn swap(&mut self, number: u64) -> anyhow::Result<f64> {
        let copy = self.folder.join(format!("soaked-{number}"));
        std::fs::copy(&self.worker, &copy)?;
        let gate_ms = self.shell.swap(&copy, STEP)?;
        if let Some(old) = number.checked_sub(COPIES_KEPT) {
            std::fs::remove_file(self.folder.join(format!("soaked-{old}")))?;
        }
        Ok(gate_ms)
    }

    fn wait_up(&self, before: Option<&Value>) -> anyhow::Result<()> {
        crate::wait_until("the page to be up", STEP, || {
            match self.page.run("return window.soak?.load", &[]) {
                Ok(load) if load.is_string() && Some(&load) != before => Ok(()),
                Ok(other) => Err(other.to_string()),
                Err(error) => Err(format!("{error:#}")),
            }
        })
    }
}

/// Carries a plan out.
///
/// # Errors
/// When the app can not be started or driven any more; what is wrong with its calls is in the report.
pub fn run(stage: &Stage, plan: Plan) -> anyhow::Result<Report> {
    let stand = Stand::start(stage)?;
    let mut run = Run { stage, stand, report: Report::default(), calls: Vec::new(), sampled: Instant::now() };
    run.stand.page.run("soak.start()", &[])?;
    let begun = Instant::now();
    let pause = plan.duration.div_f64(plan.swaps as f64);
    for swap in 1..=plan.swaps {
        run.swap(swap)?;
        // Whole numbers: sums of fractions end one load short.
        if swap * plan.reloads / plan.swaps > run.report.reloads {
            run.reload()?;
        }
        let due = begun + pause.mul_f64(swap as f64);
        run.watch()?;
        while Instant::now() < due {
            std::thread::sleep(due.saturating_duration_since(Instant::now()).min(Duration::from_millis(250)));
            run.watch()?;
        }
        if swap % 50 == 0 {
            println!("{} s: {swap} swaps, {} calls", begun.elapsed().as_secs(), run.calls.len());
        }
    }
    run.report.took = begun.elapsed();
    run.stage.screenshot("end");
    run.settle()
}

fn build(stage: &Stage, project: &Project) -> anyhow::Result<PathBuf> {
    let target = cargo_target();
    let mut command = stage.command("cargo".as_ref());
    command.args(["build", "--offline", "--target-dir"]).arg(&target).current_dir(&project.root);
    child::run("cargo build", command, COLD_BUILD)?;
    Ok(target.join("debug/soaked"))
}

impl Run<'_> {
    fn live(&self) -> String {
        format!("soaked-{}", self.report.swaps)
    }

    fn swap(&mut self, number: u64) -> anyhow::Result<()> {
        let gate_ms = self.stand.swap(number)?;
        self.report.gate_ms.push(gate_ms);
        self.report.swaps = number;
        Ok(())
    }

    /// Half of them by the shell, as after an edit; half by the page itself, as by a user.
    fn reload(&mut self) -> anyhow::Result<()> {
        self.take();
        let load = self.stand.page.run("return soak.load", &[])?;
        if self.report.reloads.is_multiple_of(2) {
            self.stand.shell.page_changed()?;
        } else {
            // The answer to the script may be lost with the page.
            let _ = self.stand.page.run("setTimeout(() => location.reload())", &[]);
        }
        self.stand.wait_up(Some(&load))?;
        self.report.reloads += 1;
        Ok(())
    }

    fn watch(&mut self) -> anyhow::Result<()> {
        if self.sampled.elapsed() >= SAMPLE_EVERY {
            self.sampled = Instant::now();
            self.take();
            let live = self.live();
            self.report.samples.take(self.stage, self.stand.shell.program.id(), &live);
        }
        let ended = self.stand.shell.program.ended();
        ensure!(ended.is_none(), "the shell ended: {ended:?}\n{}", self.stand.shell.program.tail());
        Ok(())
    }

    /// Takes over what the page saw. A page that is just being loaded is asked again later.
    fn take(&mut self) {
        if let Ok(taken) = self.stand.page.run("return window.soak ? soak.take() : null", &[]) {
            self.accept(&taken);
        }
    }

    fn accept(&mut self, taken: &Value) {
        if taken.is_null() {
            return;
        }
        let faults = taken["faults"].as_array().into_iter().flatten();
        self.report.faults.extend(faults.map(|fault| fault.as_str().unwrap_or("?").to_owned()));
        match ledger::calls(&taken["records"]) {
            Ok(calls) => self.calls.extend(calls),
            Err(error) => self.report.faults.push(format!("{error:#}")),
        }
    }

    /// Lets everything end, and holds page and ledger against each other.
    fn settle(mut self) -> anyhow::Result<Report> {
        self.stand.page.run_async("await soak.stop()", &[]).context("waiting for the last answers")?;
        self.take();
        let rest = self.stand.page.run("return soak.rest()", &[])?;
        self.calls.extend(ledger::calls(&rest)?);
        self.stand.shell.end()?;
        let executions = ledger::executions(&self.stage.ledger_file())?;
        let report = &mut self.report;
        report.executed = executions.len();
        for call in &self.calls {
            *report.calls.entry(call.command.clone()).or_default() += 1;
            report.cancelled += u64::from(call.error.as_deref() == Some("Cancelled"));
            // Who waits for ever is cancelled by the page; nobody else is.
            let cancelled = call.error.as_deref() == Some("Cancelled");
            if call.settled.is_some() && cancelled != (call.command == "patient") {
                report.faults.push(format!("{call:?}"));
            }
        }
        if let Err(error) =
            ledger::check_once(&self.calls, &executions, &["Cancelled"], report.reloads as usize)
        {
            report.faults.push(format!("{error:#}"));
        }
        let mut counts: Vec<Call> = self.calls.into_iter().filter(|call| call.command == "count").collect();
        counts.retain(|call| call.settled.is_some() && call.error.is_none());
        counts.sort_by_key(|call| call.value.as_u64());
        if let Err(error) = ledger::check_counts(&counts) {
            report.faults.push(format!("declared state: {error:#}"));
        }
        Ok(self.report)
    }
}
