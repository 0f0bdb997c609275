//! Shadow verification: a candidate answers calls that were answered already, and both answers are compared.
//!
//! # Theory of operation
//! The worker that serves knows nothing of all this, and no page waits for it. The candidate is started beside it, is
//! given the declared state, and is never activated: it holds no exclusive resource, and whatever it says but answers to
//! copied calls and to restoring is dropped, what it asks for is refused. The router copies calls to commands that both
//! versions declare as read-only with the same types (`mirror::Mirror`), each with its answer and the state it was answered from. The
//! candidate has exactly that state when it answers: it is restored again whenever the state has changed, while nothing is
//! with the candidate. So two backends that are alike answer alike, however fast the state changes.
//!
//! Whatever the outcome, this candidate ends. A release that passes is started anew by the swap, whose path is the same with
//! and without this (ADR 12).
//!
//! **Invariant:** nothing of a candidate reaches a page, the worker that serves, or the kept state; its end, its silence and
//! its floods cost it the release and nobody else anything. Everything kept for it is bounded by the rules.

mod compare;
pub(crate) mod mirror;
pub(crate) mod report;
pub mod tally;

use super::state::{restore, restored};
use super::{Seat, milliseconds};
use crate::shell::Shell;
use crate::worker::{Launch, LineSink, NotStarted, Worker};
use compare::{Answer, compare, no_answer};
use mirror::{Mirror, Sample, patience};
use staysail_link::Incoming;
use staysail_protocol::frame::Frame;
use staysail_protocol::interface::Description;
use staysail_protocol::limits;
use staysail_protocol::shadow::{Pattern, ShadowRules};
use staysail_protocol::worker::{ToShell, ToWorker};
use staysail_protocol::{CallError, ErrorCode};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tally::{Gate, Tally};
use tokio::sync::mpsc;

/// An answer of the candidate to the copied call of this number.
type Heard = (u64, Answer);

/// A candidate beside the worker that serves.
struct Rehearsal<'a> {
    shell: &'a Arc<Shell>,
    rules: &'a ShadowRules,
    ignored: Vec<Pattern>,
    candidate: Arc<Seat>,
    said: Arc<Said>,
    heard: mpsc::Receiver<Heard>,
    /// Number of the state it has; 0 when that is none of ours.
    state: u64,
    under_way: HashMap<u64, UnderWay>,
    next: u64,
}

/// What the candidate said beside answers.
#[derive(Default)]
struct Said {
    /// It changed its declared state by itself.
    changed: AtomicBool,
    /// Why it is listened to no more.
    fault: OnceLock<String>,
}

/// A copied call that is with the candidate.
struct UnderWay {
    sample: Sample,
    begun: Instant,
    patience: Duration,
}

/// Has the worker of `launch` answer calls that the active one answers, until the rules decide.
pub async fn rehearse(shell: &Arc<Shell>, launch: Launch, rules: &ShadowRules) -> (Gate, Tally) {
    let mut tally = Tally::default();
    let verdict = match Rehearsal::begin(shell, launch, rules).await {
        Ok(mut rehearsal) => {
            let verdict = rehearsal.play(&mut tally).await;
            if matches!(verdict, Gate::Passed(_)) {
                // In order, so that nothing of it is left when the swap starts it anew.
                let worker = rehearsal.candidate.worker.clone();
                let _ = tokio::task::spawn_blocking(move || worker.end()).await;
            }
            verdict
        }
        // With another shell it would start.
        Err(NotStarted { reason, of_shell: true }) => Gate::Undecided(reason),
        Err(NotStarted { reason, of_shell: false }) => Gate::Rejected(reason),
    };
    (verdict, tally)
}

impl<'a> Rehearsal<'a> {
    async fn begin(
        shell: &'a Arc<Shell>,
        launch: Launch,
        rules: &'a ShadowRules,
    ) -> Result<Self, NotStarted> {
        let welcome = shell.welcome(&launch);
        let timeout = Duration::from_millis(shell.facts().config.hello_timeout_ms);
        let (worker, mut frames) = Worker::start(launch, welcome, timeout, lines(shell)).await?;
        frames.limit_bodies(rules.bytes_max);
        let candidate = Seat::of(worker);
        let said = Arc::<Said>::default();
        let (say, heard) = mpsc::channel(1);
        shell.runtime.spawn(listen(candidate.clone(), frames, say, said.clone()));
        let ignored = rules.ignore.iter().filter_map(|pattern| Pattern::parse(pattern).ok()).collect();
        let under_way = HashMap::new();
        Ok(Self { shell, rules, ignored, candidate, said, heard, state: 0, under_way, next: 0 })
    }

    /// Copies calls of the worker that serves until there is a verdict.
    async fn play(&mut self, tally: &mut Tally) -> Gate {
        let lineup = self.shell.conductor.lineup.lock().await;
        let Some(serving) = lineup.active.clone() else {
            return Gate::Passed("no backend serves, so there is nothing to compare with".into());
        };
        let description = |seat: &Arc<Seat>| seat.worker.hello.description.clone();
        let commands = comparable(&description(&serving), &description(&self.candidate));
        if commands.is_empty() {
            return tally
                .last_verdict(self.rules, "because no read-only command is the same in both versions");
        }
        let (copy, samples) = mpsc::unbounded_channel();
        let mirror = Mirror::new(serving.worker.id, commands, self.rules.clone(), copy);
        self.shell.router.set_mirror(Some(mirror.clone()));
        // One that is too large for checkpoints is not even asked for.
        let left_out = || serving.left_out.load(Ordering::SeqCst);
        let mut state = None;
        if !left_out() {
            // Not kept: calls flow, and a newer checkpoint may be kept already.
            match self.shell.conductor.ask_state(self.shell, &serving).await {
                Ok(asked) => state = Some(asked.unwrap_or_else(|| self.shell.conductor.newest_checkpoint())),
                Err(reason) => return Gate::Undecided(reason),
            }
        }
        match state.filter(|_| !left_out()) {
            Some(snapshot) => mirror.begin(snapshot),
            None => mirror.changed(serving.worker.id, None),
        }
        drop(lineup);
        let verdict = self.compare_calls(tally, &mirror, samples).await;
        self.shell.router.set_mirror(None);
        tally.passed_over = mirror.passed_over();
        verdict
    }

    async fn compare_calls(
        &mut self,
        tally: &mut Tally,
        mirror: &Mirror,
        mut samples: mpsc::UnboundedReceiver<Sample>,
    ) -> Gate {
        let end = Instant::now() + Duration::from_secs(self.rules.seconds_max);
        let mut held: Option<Sample> = None;
        loop {
            if let Some(verdict) = tally.verdict(self.rules) {
                return verdict;
            }
            let now = Instant::now();
            let over = now >= end || mirror.lost();
            if over && self.under_way.is_empty() {
                let why = match mirror.lost() {
                    true => {
                        "because the declared state is too large to be followed (checkpoint_bytes_max)".into()
                    }
                    false => format!("in {} s (seconds_max)", self.rules.seconds_max),
                };
                return tally.last_verdict(self.rules, &why);
            }
            if !mirror.is_of(self.shell.router.active().as_deref()) {
                return Gate::Undecided("the backend that served was exchanged or ended meanwhile".into());
            }
            if !over && let Some(sample) = held.take() {
                match self.pass_on(sample).await {
                    Ok(None) => continue,
                    Ok(waits) => held = waits,
                    Err(reason) => return Gate::Rejected(reason),
                }
            }
            let wake = self.give_up_late(tally, now);
            tokio::select! {
                heard = self.heard.recv() => match heard {
                    Some((number, answer)) => self.answered(tally, mirror, number, &answer),
                    None => return Gate::Rejected(self.gone().await),
                },
                sample = samples.recv(), if held.is_none() && !over => held = sample,
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
    }

    /// Gives a copied call to the candidate, or back when it has to wait until nothing is with the candidate any more.
    async fn pass_on(&mut self, sample: Sample) -> Result<Option<Sample>, String> {
        if self.said.changed.swap(false, Ordering::SeqCst) {
            self.state = 0;
        }
        if self.state != sample.state.number {
            if !self.under_way.is_empty() {
                return Ok(Some(sample));
            }
            self.restore(&sample).await?;
        }
        self.next += 1;
        let Sample { command, window, arguments, .. } = &sample;
        let call = ToWorker::Call { command: command.clone(), window: window.clone(), raw: sample.raw };
        let frame = Frame::new(self.next, &call, arguments.clone());
        self.candidate.worker.link.pass(frame).map_err(|error| error.to_string())?;
        let patience = patience(sample.took).unwrap_or_default();
        self.under_way.insert(self.next, UnderWay { sample, begun: Instant::now(), patience });
        Ok(None)
    }

    /// Nothing is with the candidate: what it says meanwhile answers nothing.
    async fn restore(&mut self, sample: &Sample) -> Result<(), String> {
        let restored = restore(&self.candidate, &sample.state.snapshot);
        let mut restored = std::pin::pin!(restored);
        loop {
            tokio::select! {
                outcome = &mut restored => {
                    // Why it ended says more than that it did.
                    if outcome.is_err() && self.candidate.gone.load(Ordering::SeqCst) {
                        break;
                    }
                    outcome?;
                    self.state = sample.state.number;
                    return Ok(());
                }
                heard = self.heard.recv() => if heard.is_none() { break },
            }
        }
        Err(self.gone().await)
    }

    fn answered(&mut self, tally: &mut Tally, mirror: &Mirror, number: u64, answer: &Answer) {
        // Late, or the answer to a call that nobody made.
        let Some(UnderWay { sample, begun, .. }) = self.under_way.remove(&number) else { return };
        // It lacks what only the worker that serves can have.
        if answer.as_ref().is_err_and(|error| error.code == ErrorCode::Superseded) {
            return mirror.pass_over();
        }
        let found = compare(&sample.command, &sample.before, answer, &self.ignored);
        tally.add(&sample.command, sample.took, begun.elapsed(), found);
    }

    /// Counts calls that were not answered in time, and says when to look again.
    fn give_up_late(&mut self, tally: &mut Tally, now: Instant) -> Instant {
        let late = |(number, call): (&u64, &UnderWay)| (now >= call.begun + call.patience).then_some(*number);
        let late: Vec<u64> = self.under_way.iter().filter_map(late).collect();
        for number in late {
            let Some(UnderWay { sample, begun, .. }) = self.under_way.remove(&number) else { continue };
            let _ = self.candidate.worker.link.send(&Frame::new(number, &ToWorker::Cancel, Vec::new()));
            let found = no_answer(&sample.command, &sample.before, milliseconds(begun));
            tally.add(&sample.command, sample.took, begun.elapsed(), vec![found]);
        }
        let next = self.under_way.values().map(|call| call.begun + call.patience);
        next.fold(now + Duration::from_millis(limits::SHADOW_LOOK_MS), Instant::min)
    }

    async fn gone(&self) -> String {
        let ended = self.candidate.worker.exit_reason().await;
        let how = self
            .said
            .fault
            .get()
            .map_or_else(|| format!("ended ({ended})"), |fault| format!("was ended: {fault}"));
        format!("the new backend {how}, while its answers were compared")
    }
}

impl Drop for Rehearsal<'_> {
    fn drop(&mut self) {
        self.shell.router.set_mirror(None);
        self.candidate.worker.kill();
    }
}

/// Commands that both versions declare as read-only, and whose arguments and answers are of the same types.
fn comparable(before: &Description, now: &Description) -> HashSet<String> {
    let same = before.commands.iter().filter(|command| {
        let other = now.commands.iter().find(|other| other.name == command.name);
        command.read_only
            && other.is_some_and(|other| {
                other.read_only && before.command_text(command) == now.command_text(other)
            })
    });
    same.map(|command| command.name.clone()).collect()
}

/// Where a candidate's output goes: into the log, as much of it as is bearable.
fn lines(shell: &Arc<Shell>) -> LineSink {
    let (shell, count) = (shell.clone(), AtomicUsize::new(0));
    Arc::new(move |source: &str, line: String| {
        if count.fetch_add(1, Ordering::Relaxed) < limits::SHADOW_LINES_MAX {
            shell.observe(|observer| observer.worker_line(source, &line));
        }
    })
}

/// Reads what the candidate says until its connection ends, or it has said too much.
async fn listen(candidate: Arc<Seat>, mut frames: Incoming, heard: mpsc::Sender<Heard>, said: Arc<Said>) {
    let mut count = 0;
    while let Some(frame) = frames.next().await {
        count += 1;
        let frame = match frame {
            Ok(frame) if count <= limits::SHADOW_SAID_MAX => frame,
            refused => {
                let much = format!("it said more than {} things (shadow_said_max)", limits::SHADOW_SAID_MAX);
                let _ = said.fault.set(refused.err().map_or(much, |error| error.to_string()));
                break;
            }
        };
        let Ok(message) = frame.message::<ToShell>() else { continue };
        let answer = match message {
            ToShell::Answer { raw } => Ok((frame.body, raw)),
            ToShell::Failed { error } => Err(error),
            other => {
                heed(&candidate, &said, other, frame.call);
                continue;
            }
        };
        if heard.send((frame.call, answer)).await.is_err() {
            return;
        }
    }
    candidate.nothing_more();
    candidate.worker.kill();
}

/// What is no answer to a call. Events, streams, lines and wishes of a candidate are nobody's business.
fn heed(candidate: &Seat, said: &Said, message: ToShell, number: u64) {
    match message {
        ToShell::Checkpoint | ToShell::CheckpointLeftOut => said.changed.store(true, Ordering::SeqCst),
        ToShell::Restored => restored(candidate, Ok(())),
        ToShell::RestoreFailed { state, message } => restored(candidate, Err((&state, &message))),
        ToShell::Desktop { .. } if number != 0 => {
            let why = "a backend whose answers are only compared touches nothing outside of itself";
            let error = CallError::new(ErrorCode::Superseded, why);
            let refused = Frame::new(number, &ToWorker::DesktopFailed { error }, Vec::new());
            let _ = candidate.worker.link.send(&refused);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use staysail_protocol::interface::{CommandSpec, TypeSpec};

    fn description(note: &str, commands: &[(&str, &str, bool)]) -> Description {
        let types = vec![TypeSpec { name: "Note".into(), declaration: format!("type Note = {note};") }];
        let command = |(name, result, read_only): &(&str, &str, bool)| CommandSpec {
            name: (*name).into(),
            result: (*result).into(),
            read_only: *read_only,
            ..CommandSpec::default()
        };
        Description { types, commands: commands.iter().map(command).collect(), ..Description::default() }
    }

    #[test]
    fn commands_are_compared_that_both_versions_call_read_only_and_that_mean_the_same() {
        let both = [("count", "number", true), ("list", "Array<Note>", true), ("save", "number", false)];
        let before = description("{ id: number }", &both);
        let of = |now: &Description| {
            let mut names: Vec<_> = comparable(&before, now).into_iter().collect();
            names.sort();
            names
        };
        assert_eq!(of(&before), ["count", "list"]);
        assert_eq!(of(&description("{ id: string }", &both)), ["count"], "what a type is made of counts");
        let now = [("count", "string", true), ("list", "Array<Note>", false), ("save", "number", true)];
        assert_eq!(of(&description("{ id: number }", &now)), [""; 0]);
        assert_eq!(of(&description("{ id: number }", &[])), [""; 0]);
    }
}
