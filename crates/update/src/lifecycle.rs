//! The life of an update as a pure function: what happened goes in, what to do comes out.
//!
//! # Theory of operation
//! ```text
//! Idle → Checking → (Waiting) → Downloading → (Waiting) → Applying → Probation → Committing → Idle
//! ```
//! No clock, no disk, no network: [`step`] is told the time in milliseconds. One thing is done at a time; wishes to look
//! for a release that come meanwhile coalesce into one look afterwards. Nothing but a passed probation raises the floor,
//! a commit is told once it is durable, and a ban is ordered before anybody is told of the failure, so that no crash in
//! between can undo it (law 5).
//!
//! Where a release has a policy, the machine asks before each [`Gate`] what its condition says, and waits meanwhile; what
//! follows from the answer, from urgency and from the user's choice is decided by [`crate::policy::decide`].

use crate::policy::{Choice, Decision, Question, Verdict, decide};
use crate::store::compare_versions;
use staysail_protocol::limits::{POLICY_PAUSE_S, SKIPS_MAX};
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::worker::UpdateWish;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// A release as far as decisions need to know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Hash of its manifest.
    pub hash: String,
    /// Its version.
    pub version: String,
    /// Its sequence.
    pub sequence: u64,
    /// Its notes.
    pub notes: String,
    /// Bytes to download.
    pub bytes: u64,
    /// A switch to it would change nothing.
    pub same_as_current: bool,
    /// Why this machine can not run it, if so.
    pub unusable: Option<String>,
    /// It has conditions.
    pub conditional: bool,
    /// It is critical for the version that runs.
    pub critical: bool,
}

/// A step of a release that conditions can hold up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Its download.
    Download,
    /// Its being applied.
    Apply,
}

/// What is being done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing.
    #[default]
    Idle,
    /// Looking for a release.
    Checking,
    /// Downloading and verifying the candidate.
    Downloading,
    /// A release waits for its time, or for its conditions.
    Waiting,
    /// The host is switching to the staged release.
    Applying,
    /// The new release is live and being watched.
    Probation,
    /// The new release is good, and that is being stored.
    Committing,
    /// The engine was shut down.
    Stopped,
}

/// Everything decisions depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// What is being done.
    pub phase: Phase,
    /// What runs, or ran before the release on probation.
    pub current: Candidate,
    /// Highest sequence ever committed.
    pub floor: u64,
    /// Hashes never to be tried again.
    pub banned: BTreeSet<String>,
    /// Being downloaded, or to be when its conditions allow.
    pub candidate: Option<Candidate>,
    /// On disk, verified.
    pub staged: Option<Candidate>,
    /// Not to be applied before this time.
    pub deferred_until: Option<u64>,
    /// Look again as soon as possible.
    pub look_again: bool,
    /// The last thing told was this failure; it is not told again.
    pub failure_told: Option<String>,
    /// Versions the user does not want.
    pub skipped: BTreeSet<String>,
    /// The user wants what comes next at once.
    pub wanted_now: bool,
    /// Version and reason of the wait that was told last; it is not told again.
    pub wait_told: Option<(String, String)>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Look for a release: a start, a timer, a notice.
    Look,
    /// The newest published release; `None` when there is none.
    Found(Option<Candidate>),
    /// Looking failed.
    LookFailed(String),
    /// The candidate is on disk, every byte verified.
    Staged,
    /// The candidate could not be had, or was not what was signed.
    DownloadFailed(String),
    /// The page or the app wishes.
    Wish(UpdateWish),
    /// The time a wake-up was ordered for has come.
    Woken,
    /// What the policy of a release says at this moment.
    Weighed {
        /// Which release.
        hash: String,
        /// Which step.
        gate: Gate,
        /// Its condition.
        condition: Verdict,
        /// It was postponed as long as it may be.
        overdue: bool,
        /// Nobody would be disturbed.
        quiet: bool,
    },
    /// The staged release is live; milliseconds from decision to switch.
    Applied(f64),
    /// The host could not switch; what ran goes on running. The release is at fault.
    ApplyFailed(String),
    /// The switch was not even tried; the release is not at fault.
    ApplyPostponed(String),
    /// Probation passed.
    Good,
    /// Probation failed, and the host is back at the release before.
    Bad(String),
    /// Probation failed, and the host could not go back: what failed runs on.
    Stuck(String),
    /// That the release is good is stored.
    Committed,
    /// That the release is good could not be stored; it runs on all the same.
    CommitNotStored(String),
    /// Something else could not be stored, or not be removed.
    NotStored(String),
    /// The app ends.
    ShutDown,
}

/// What to do, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Look for the newest release; answered by `Found` or `LookFailed`.
    Look,
    /// Download the candidate; answered by `Staged` or `DownloadFailed`.
    Download,
    /// Put the staged release on trial and switch; answered by `Applied`, `ApplyFailed` or `ApplyPostponed`.
    Apply,
    /// Watch; answered by `Good`, `Bad` or `Stuck`.
    Watch,
    /// Record durably that the release on probation is good; answered by `Committed` or `CommitNotStored`.
    Commit,
    /// Remove what is no longer needed; answered by `NotStored` when that fails.
    Tidy,
    /// Record durably, before anything else, that this release is never tried again; answered by `NotStored` when that
    /// fails.
    Ban {
        /// Its hash.
        hash: String,
        /// Why.
        reason: String,
    },
    /// The published release is what runs: the floor rises to its sequence; answered by `NotStored` when that fails.
    RaiseFloor(u64),
    /// Send `Woken` at this time.
    WakeAt(u64),
    /// Look at the conditions of a step; answered by `Weighed`.
    Weigh(Gate),
    /// Record durably which versions the user does not want.
    RememberSkips(BTreeSet<String>),
    /// Tell page, app and log.
    Tell(UpdateEvent),
    /// Give up everything under way; a trial does not count.
    Stop,
}

#[cfg(debug_assertions)]
impl Effect {
    /// The name of the moment before it.
    pub(crate) fn moment(&self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Download => "download",
            Self::Apply => "apply",
            Self::Watch => "watch",
            Self::Commit => "commit",
            Self::Tidy => "tidy",
            Self::Ban { .. } => "ban",
            Self::RaiseFloor(_) => "raise floor",
            Self::WakeAt(_) => "wake at",
            Self::Weigh(_) => "weigh",
            Self::RememberSkips(_) => "remember skips",
            Self::Tell(_) => "tell",
            Self::Stop => "stop",
        }
    }
}

/// Decides. `now` is in milliseconds since any fixed moment.
pub fn step(mut state: State, event: Event, now: u64) -> (State, Vec<Effect>) {
    let mut effects = Vec::new();
    match event {
        _ if state.phase == Phase::Stopped => {}
        Event::ShutDown => {
            state.phase = Phase::Stopped;
            effects.push(Effect::Stop);
        }
        Event::Look | Event::Wish(UpdateWish::Check) => look(&mut state, &mut effects),
        Event::Wish(UpdateWish::Apply) => {
            state.deferred_until = None;
            state.wanted_now = true;
            // What was skipped is wanted again, and has to be found again.
            state.look_again |= forget_skips(&mut state, &mut effects);
            if matches!(state.phase, Phase::Idle | Phase::Waiting) {
                settle(&mut state, &mut effects, now);
            }
        }
        Event::Wish(UpdateWish::Skip { version }) => {
            if state.skipped.insert(version.clone()) {
                while state.skipped.len() > SKIPS_MAX {
                    state.skipped.pop_first();
                }
                effects.push(Effect::RememberSkips(state.skipped.clone()));
                effects.push(Effect::Tell(UpdateEvent::Skipped { version }));
            }
            state.wanted_now = false;
            if matches!(state.phase, Phase::Idle | Phase::Waiting) {
                settle(&mut state, &mut effects, now);
            }
        }
        // An answer to the host's question, nothing for the machine.
        Event::Wish(UpdateWish::Conditions { .. } | UpdateWish::DownloadRate { .. }) => {}
        Event::Wish(UpdateWish::Defer { seconds }) => {
            state.deferred_until = Some(now.saturating_add(seconds.saturating_mul(1_000)));
            state.wanted_now = false;
            if matches!(state.phase, Phase::Idle | Phase::Waiting) {
                settle(&mut state, &mut effects, now);
            }
        }
        Event::Woken if state.phase == Phase::Waiting => settle(&mut state, &mut effects, now),
        Event::Weighed { hash, gate, condition, overdue, quiet } if state.phase == Phase::Waiting => {
            if let Some(release) = at(&state, gate).filter(|release| release.hash == hash) {
                let (critical, choice) = (release.critical, choice(&state, gate, release, now));
                let question = Question { critical, choice, condition, overdue, quiet };
                pass(&mut state, &mut effects, gate, &question, now);
            }
        }
        Event::Found(found) if state.phase == Phase::Checking => {
            state.failure_told = None;
            weigh(&mut state, &mut effects, found, now);
        }
        Event::LookFailed(reason) if state.phase == Phase::Checking => {
            fail(&mut state, &mut effects, reason);
            settle(&mut state, &mut effects, now);
        }
        Event::Staged if state.phase == Phase::Downloading => {
            state.failure_told = None;
            state.staged = state.candidate.take();
            if let Some(staged) = &state.staged {
                effects.push(Effect::Tell(UpdateEvent::Staged { version: staged.version.clone() }));
            }
            settle(&mut state, &mut effects, now);
        }
        Event::DownloadFailed(reason) if state.phase == Phase::Downloading => {
            state.candidate = None;
            fail(&mut state, &mut effects, reason);
            settle(&mut state, &mut effects, now);
        }
        Event::Applied(milliseconds) if state.phase == Phase::Applying => {
            state.phase = Phase::Probation;
            let version = state.staged.as_ref().map(|staged| staged.version.clone()).unwrap_or_default();
            effects.push(Effect::Tell(UpdateEvent::Applied { version, milliseconds }));
            effects.push(Effect::Watch);
        }
        Event::ApplyFailed(reason) if state.phase == Phase::Applying => {
            reject(&mut state, &mut effects, reason, now)
        }
        Event::ApplyPostponed(reason) if state.phase == Phase::Applying => {
            fail(&mut state, &mut effects, reason);
            // It stays staged on disk; the next look brings it back.
            state.staged = None;
            settle(&mut state, &mut effects, now);
        }
        Event::Good if state.phase == Phase::Probation => {
            forget_skips(&mut state, &mut effects);
            state.phase = Phase::Committing;
            effects.push(Effect::Commit);
        }
        Event::Bad(reason) if state.phase == Phase::Probation => {
            reject(&mut state, &mut effects, reason, now)
        }
        Event::Stuck(reason) if state.phase == Phase::Probation => {
            if let Some(staged) = state.staged.take() {
                ban(&mut state, &mut effects, staged.hash, reason.clone());
                fail(&mut state, &mut effects, reason);
            }
            state.wanted_now = false;
            state.look_again = true;
            settle(&mut state, &mut effects, now);
        }
        Event::Committed if state.phase == Phase::Committing => {
            state.failure_told = None;
            if let Some(staged) = state.staged.take() {
                state.floor = state.floor.max(staged.sequence);
                effects.push(Effect::Tidy);
                effects.push(Effect::Tell(UpdateEvent::Committed { version: staged.version.clone() }));
                state.current = staged;
            }
            state.wanted_now = false;
            // Others may have come meanwhile.
            state.look_again = true;
            settle(&mut state, &mut effects, now);
        }
        Event::CommitNotStored(reason) if state.phase == Phase::Committing => {
            fail(&mut state, &mut effects, reason);
            if let Some(staged) = state.staged.take() {
                state.current = staged;
            }
            state.wanted_now = false;
            state.look_again = true;
            settle(&mut state, &mut effects, now);
        }
        Event::NotStored(reason) => fail(&mut state, &mut effects, reason),
        // An answer to something that is no longer being done.
        _ => {}
    }
    (state, effects)
}

fn look(state: &mut State, effects: &mut Vec<Effect>) {
    if matches!(state.phase, Phase::Idle | Phase::Waiting) {
        state.phase = Phase::Checking;
        state.look_again = false;
        effects.push(Effect::Look);
    } else {
        state.look_again = true;
    }
}

fn again(state: &mut State, effects: &mut Vec<Effect>) {
    if std::mem::take(&mut state.look_again) {
        look(state, effects);
    }
}

/// Is the published release one to install?
fn weigh(state: &mut State, effects: &mut Vec<Effect>, found: Option<Candidate>, now: u64) {
    let Some(found) = found else {
        state.candidate = None;
        return settle(state, effects, now);
    };
    let waits = state.candidate.take().is_some_and(|candidate| candidate.hash == found.hash);
    let current = &state.current;
    let fresh =
        found.sequence > current.sequence && found.sequence >= state.floor && found.hash != current.hash;
    // An installed build that is newer than the repository is not taken back to what is published.
    let lower = current.sequence == 0 && compare_versions(&found.version, &current.version) == Ordering::Less;
    let staged = state.staged.as_ref().is_some_and(|staged| staged.hash == found.hash);
    let skipped = state.skipped.contains(&found.version) && !found.critical;
    if state.banned.contains(&found.hash) || !fresh || lower || staged || skipped {
        return settle(state, effects, now);
    }
    if found.same_as_current {
        effects.push(Effect::RaiseFloor(found.sequence));
        state.floor = state.floor.max(found.sequence);
        return settle(state, effects, now);
    }
    if let Some(reason) = &found.unusable {
        fail(state, effects, format!("version {} can not be installed: {reason}", found.version));
        return settle(state, effects, now);
    }
    if !waits {
        effects.push(Effect::Tell(UpdateEvent::Available {
            version: found.version.clone(),
            notes: found.notes.clone(),
            bytes: found.bytes,
        }));
    }
    let conditional = found.conditional;
    state.candidate = Some(found);
    if conditional {
        return settle(state, effects, now);
    }
    go(state, effects, Gate::Download);
}

/// The release a step is about.
fn at(state: &State, gate: Gate) -> Option<&Candidate> {
    match gate {
        Gate::Download => state.candidate.as_ref(),
        Gate::Apply => state.staged.as_ref(),
    }
}

fn choice(state: &State, gate: Gate, release: &Candidate, now: u64) -> Choice {
    if state.wanted_now {
        Choice::Now
    } else if state.skipped.contains(&release.version) {
        Choice::Skip
    } else if gate == Gate::Apply && state.deferred_until.is_some_and(|until| until > now) {
        Choice::Later
    } else {
        Choice::None
    }
}

fn go(state: &mut State, effects: &mut Vec<Effect>, gate: Gate) {
    let (phase, effect) = match gate {
        Gate::Download => (Phase::Downloading, Effect::Download),
        Gate::Apply => (Phase::Applying, Effect::Apply),
    };
    if gate == Gate::Apply {
        state.deferred_until = None;
    }
    state.wait_told = None;
    state.phase = phase;
    effects.push(effect);
}

/// Something waits at this gate: it goes on, is asked about, waits for its time, or is left. Whether that is all there is to
/// do.
fn approach(state: &mut State, effects: &mut Vec<Effect>, gate: Gate, now: u64) -> bool {
    let Some(release) = at(state, gate) else { return false };
    let choice = choice(state, gate, release, now);
    if release.conditional && choice != Choice::Skip && choice != Choice::Now && !release.critical {
        state.phase = Phase::Waiting;
        effects.push(Effect::Weigh(gate));
        return true;
    }
    let (critical, condition) = (release.critical, Verdict::True);
    let question = Question { critical, choice, condition, overdue: false, quiet: false };
    match decide(&question) {
        Decision::Go => go(state, effects, gate),
        Decision::Leave => {
            leave(state, gate);
            return false;
        }
        Decision::Wait => {
            state.phase = Phase::Waiting;
            effects.extend(state.deferred_until.map(Effect::WakeAt));
        }
    }
    true
}

fn leave(state: &mut State, gate: Gate) {
    match gate {
        Gate::Download => state.candidate = None,
        Gate::Apply => state.staged = None,
    }
}

/// The conditions of a step are known.
fn pass(state: &mut State, effects: &mut Vec<Effect>, gate: Gate, question: &Question, now: u64) {
    match decide(question) {
        Decision::Go => go(state, effects, gate),
        Decision::Leave => {
            leave(state, gate);
            settle(state, effects, now);
        }
        Decision::Wait => {
            tell_wait(state, effects, gate, question);
            // What is staged already need not wait for the download of what is newer.
            let pause = now.saturating_add(POLICY_PAUSE_S * 1_000);
            if gate == Gate::Download && approach(state, effects, Gate::Apply, now) {
                if let Some(Effect::WakeAt(at)) = effects.last_mut() {
                    *at = pause.min(*at);
                }
                return;
            }
            effects.push(Effect::WakeAt(pause));
        }
    }
}

fn tell_wait(state: &mut State, effects: &mut Vec<Effect>, gate: Gate, question: &Question) {
    let Some(release) = at(state, gate) else { return };
    let step = if gate == Gate::Download { "download" } else { "apply" };
    let reason = match &question.condition {
        _ if question.choice == Choice::Later => "the user said later".to_owned(),
        Verdict::Unknown(why) => {
            format!("whether the condition `{step}` of the policy holds can not be told: {why}")
        }
        _ => format!("the condition `{step}` of the policy does not hold"),
    };
    let told = (release.version.clone(), reason.clone());
    if state.wait_told.as_ref() != Some(&told) {
        effects.push(Effect::Tell(UpdateEvent::Waiting { version: told.0.clone(), reason }));
        state.wait_told = Some(told);
    }
}

/// Whether there were any.
fn forget_skips(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let any = !std::mem::take(&mut state.skipped).is_empty();
    if any {
        effects.push(Effect::RememberSkips(BTreeSet::new()));
    }
    any
}

/// Nothing is under way: download or apply what there is, wait for its time, look again, or rest.
fn settle(state: &mut State, effects: &mut Vec<Effect>, now: u64) {
    let (banned, current) = (&state.banned, state.current.sequence);
    for release in [&mut state.staged, &mut state.candidate] {
        let useless = |release: &mut Candidate| banned.contains(&release.hash) || release.sequence <= current;
        let _ = release.take_if(useless);
    }
    state.phase = Phase::Idle;
    if state.look_again {
        return again(state, effects);
    }
    if !approach(state, effects, Gate::Download, now) && !approach(state, effects, Gate::Apply, now) {
        state.wanted_now = false;
    }
}

/// The release is at fault: ban it, then say so.
fn reject(state: &mut State, effects: &mut Vec<Effect>, reason: String, now: u64) {
    if let Some(staged) = state.staged.take() {
        ban(state, effects, staged.hash, reason.clone());
        effects.push(Effect::Tell(UpdateEvent::RolledBack {
            version: staged.version,
            to: state.current.version.clone(),
            reason,
        }));
    }
    state.wanted_now = false;
    state.look_again = true;
    settle(state, effects, now);
}

fn ban(state: &mut State, effects: &mut Vec<Effect>, hash: String, reason: String) {
    state.banned.insert(hash.clone());
    effects.push(Effect::Ban { hash, reason });
}

fn fail(state: &mut State, effects: &mut Vec<Effect>, reason: String) {
    if state.failure_told.as_ref() != Some(&reason) {
        effects.push(Effect::Tell(UpdateEvent::Failed { reason: reason.clone() }));
        state.failure_told = Some(reason);
    }
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "lifecycle_model.rs"]
mod model;
