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

mod follow;
mod state;

pub(crate) use follow::{fits, is_newer};
pub use state::{Candidate, Effect, Event, Gate, Phase, State};

use crate::policy::{Choice, Decision, Question, Verdict, decide};
use staysail_protocol::limits::{LATER_MAX_S, POLICY_PAUSE_S, SKIPS_MAX};
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::policy::Live;
use staysail_protocol::worker::UpdateWish;
use std::collections::BTreeSet;

/// Said of a release that brings the shell it needs.
const NEXT_START: &str =
    "it needs the Staysail it brings along, which takes over when the app is next started";
/// Said of a release that is to go live at the next launch.
const NEXT_LAUNCH: &str = "it goes live when the app is next started";
/// Said of a release that is to go live at the next load of a page.
const NEXT_LOAD: &str = "it goes live when a page is next loaded";

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
            forget_later(&mut state, &mut effects);
            state.wanted_now = true;
            // What was skipped is wanted again, and has to be found again. Where nothing waits, what others have already may be
            // there: it comes in waves.
            let nothing = state.candidate.is_none() && state.staged.is_none();
            state.look_again |= forget_skips(&mut state, &mut effects) | nothing;
            if matches!(state.phase, Phase::Idle | Phase::Waiting) {
                settle(&mut state, &mut effects, now);
            }
        }
        // It runs: there is nothing left to leave out.
        Event::Wish(UpdateWish::Skip { version }) if is_live(&state, &version) => {}
        Event::Wish(UpdateWish::Skip { version }) => {
            if state.skipped.insert(version.clone()) {
                while state.skipped.len() > SKIPS_MAX {
                    state.skipped.pop_first();
                }
                effects.push(Effect::RememberSkips(state.skipped.clone()));
                effects.push(Effect::Tell(UpdateEvent::Skipped { version }));
            }
            unwanted(&mut state);
            if matches!(state.phase, Phase::Idle | Phase::Waiting) {
                settle(&mut state, &mut effects, now);
            }
        }
        Event::Wish(UpdateWish::Follow { channel }) => {
            follow::follow(&mut state, &mut effects, channel, now);
        }
        Event::Wish(UpdateWish::Pin { version }) => follow::pin(&mut state, &mut effects, version, now),
        // An answer to the host's question, nothing for the machine.
        Event::Wish(UpdateWish::Conditions { .. } | UpdateWish::DownloadRate { .. }) => {}
        Event::Wish(UpdateWish::Defer { seconds }) => {
            let until = now.saturating_add(seconds.min(LATER_MAX_S) * 1_000);
            state.deferred_until = Some(until);
            effects.push(Effect::RememberLater(Some(until)));
            unwanted(&mut state);
            if matches!(state.phase, Phase::Idle | Phase::Waiting) {
                settle(&mut state, &mut effects, now);
            }
        }
        Event::Loads if matches!(state.phase, Phase::Idle | Phase::Waiting) => {
            state.loading = true;
            state.loading = approach(&mut state, &mut effects, Gate::Apply, now);
        }
        Event::Woken if state.phase == Phase::Waiting => settle(&mut state, &mut effects, now),
        Event::Weighed { hash, gate, condition, overdue, quiet } if state.phase == Phase::Waiting => {
            if let Some(release) = at(&state, gate).filter(|release| release.hash == hash)
                && held_back(&state, gate, release, choice(&state, gate, release, now)).is_none()
            {
                let (critical, choice) = (release.critical, choice(&state, gate, release, now));
                let question = Question { critical, choice, condition, overdue, quiet };
                pass(&mut state, &mut effects, gate, &question, now);
            }
        }
        Event::Found(found) if state.phase == Phase::Checking => {
            // One that can not be installed is told once, not at every look.
            if found.as_ref().is_none_or(|found| found.unusable.is_none()) {
                state.failure_told = None;
            }
            weigh(&mut state, &mut effects, found, now);
        }
        Event::ChannelGone { channel, known } if state.phase == Phase::Checking => {
            follow::channel_gone(&mut state, &mut effects, &channel, &known);
            settle(&mut state, &mut effects, now);
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
            (state.phase, state.loading) = (Phase::Probation, false);
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
                follow::raise_floor(&mut state, &staged);
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

/// Whether the release of this version runs, or is being switched to.
fn is_live(state: &State, version: &str) -> bool {
    let on_trial = matches!(state.phase, Phase::Applying | Phase::Probation | Phase::Committing);
    let trial = state.staged.as_ref().filter(|_| on_trial);
    trial.unwrap_or(&state.current).version == version
}

fn look(state: &mut State, effects: &mut Vec<Effect>) {
    if matches!(state.phase, Phase::Idle | Phase::Waiting) {
        state.phase = Phase::Checking;
        (state.look_again, state.loading) = (false, false);
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
    let Some(mut found) = found else {
        state.candidate = None;
        return settle(state, effects, now);
    };
    let before = state.candidate.take().filter(|candidate| candidate.hash == found.hash);
    let waits = before.is_some();
    // Found again, in the repository: it is wanted no less.
    found.given |= before.is_some_and(|candidate| candidate.given);
    // The channel was changed meanwhile: another look follows.
    if found.channel != state.channel {
        return settle(state, effects, now);
    }
    follow::withdraw(state, effects, &found);
    if let Some(reason) = follow::held(state, &found) {
        follow::tell_held(state, effects, &found, reason);
        return settle(state, effects, now);
    }
    state.held_told = None;
    let fresh =
        is_newer(&found, &state.current) && found.sequence >= state.floor && found.hash != state.current.hash;
    let staged = state.staged.as_mut().filter(|staged| staged.hash == found.hash);
    let is_staged = staged.is_some();
    if let Some(staged) = staged {
        // One from an earlier run does not know what it is a step towards, nor whether that is critical.
        staged.towards.clone_from(&found.towards);
        staged.critical |= found.critical;
    }
    let skipped = is_skipped(state, &found) && !found.critical;
    if state.banned.contains(&found.hash) || !fresh || is_staged || skipped {
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

/// Nothing is wanted now any more.
fn unwanted(state: &mut State) {
    state.wanted_now = false;
    [&mut state.candidate, &mut state.staged].into_iter().flatten().for_each(|release| release.given = false);
}

/// The release a step is about.
fn at(state: &State, gate: Gate) -> Option<&Candidate> {
    match gate {
        Gate::Download => state.candidate.as_ref(),
        Gate::Apply => state.staged.as_ref(),
    }
}

/// Whether the user does not want it, nor what it is only a step towards.
fn is_skipped(state: &State, release: &Candidate) -> bool {
    [Some(&release.version), release.towards.as_ref()]
        .into_iter()
        .flatten()
        .any(|version| state.skipped.contains(version))
}

fn choice(state: &State, gate: Gate, release: &Candidate, now: u64) -> Choice {
    if state.wanted_now || release.given {
        Choice::Now
    } else if is_skipped(state, release) {
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
    match gate {
        Gate::Apply => forget_later(state, effects),
        Gate::Download => state.loading = false,
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
    if let Some(reason) = held_back(state, gate, release, choice) {
        let version = release.version.clone();
        tell_waiting(state, effects, version, reason.to_owned());
        return false;
    }
    // What the user puts off is looked at like what has conditions: that, too, ends when it is overdue in the quiet.
    let waits = match choice {
        Choice::None => release.conditional,
        Choice::Later => true,
        Choice::Now | Choice::Skip => false,
    };
    if release.critical || choice != Choice::Skip && !waits {
        go(state, effects, gate);
    } else if waits {
        state.phase = Phase::Waiting;
        effects.push(Effect::Weigh(gate));
    } else {
        leave(state, gate);
        return false;
    }
    true
}

/// Why a release is not even asked about now: it has another moment to go live at.
fn held_back(state: &State, gate: Gate, release: &Candidate, choice: Choice) -> Option<&'static str> {
    if gate == Gate::Download || choice == Choice::Skip && !release.critical {
        return None;
    }
    match release.live {
        _ if release.next_start => Some(NEXT_START),
        _ if release.critical || choice == Choice::Now => None,
        Live::NextLaunch => Some(NEXT_LAUNCH),
        Live::NextLoad if !state.loading => Some(NEXT_LOAD),
        Live::NextLoad | Live::Now => None,
    }
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
            state.loading = false;
            tell_wait(state, effects, gate, question);
            // What is staged already need not wait for the download of what is newer.
            if gate == Gate::Download && approach(state, effects, Gate::Apply, now) {
                return;
            }
            let pause = now.saturating_add(POLICY_PAUSE_S * 1_000);
            let until = state.deferred_until.filter(|until| *until > now);
            effects.push(Effect::WakeAt(until.map_or(pause, |until| until.min(pause))));
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
        Verdict::Metered => {
            "the connection is metered, and the policy has downloads wait for another (`metered`)".to_owned()
        }
        Verdict::True | Verdict::False => format!("the condition `{step}` of the policy does not hold"),
    };
    let version = release.version.clone();
    tell_waiting(state, effects, version, reason);
}

fn tell_waiting(state: &mut State, effects: &mut Vec<Effect>, version: String, reason: String) {
    let told = (version, reason);
    if state.wait_told.as_ref() != Some(&told) {
        effects.push(Effect::Tell(UpdateEvent::Waiting { version: told.0.clone(), reason: told.1.clone() }));
        state.wait_told = Some(told);
    }
}

fn forget_later(state: &mut State, effects: &mut Vec<Effect>) {
    if state.deferred_until.take().is_some() {
        effects.push(Effect::RememberLater(None));
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
    let keep = |release: Option<Candidate>| release.filter(|release| !follow::is_useless(state, release));
    let (staged, candidate) = (keep(state.staged.clone()), keep(state.candidate.clone()));
    (state.staged, state.candidate) = (staged, candidate);
    (state.phase, state.loading) = (Phase::Idle, false);
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

#[cfg(test)]
#[path = "lifecycle_follow_model.rs"]
mod follow_model;
