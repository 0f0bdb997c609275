//! The life of an update as a pure function: what happened goes in, what to do comes out.
//!
//! # Theory of operation
//! ```text
//! Idle → Checking → Downloading → (Waiting while deferred) → Applying → Probation → Committing → Idle
//! ```
//! No clock, no disk, no network: [`step`] is told the time in milliseconds. One thing is done at a time; wishes to look
//! for a release that come meanwhile coalesce into one look afterwards. Nothing but a passed probation raises the floor,
//! a commit is told once it is durable, and a ban is ordered before anybody is told of the failure, so that no crash in
//! between can undo it (law 5).

use crate::store::compare_versions;
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
    /// A staged release waits for its time.
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
    /// Being downloaded.
    pub candidate: Option<Candidate>,
    /// On disk, verified.
    pub staged: Option<Candidate>,
    /// Not to be applied before this time.
    pub deferred_until: Option<u64>,
    /// Look again as soon as possible.
    pub look_again: bool,
    /// The last thing told was this failure; it is not told again.
    pub failure_told: Option<String>,
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
    /// Tell page, app and log.
    Tell(UpdateEvent),
    /// Give up everything under way; a trial does not count.
    Stop,
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
            if matches!(state.phase, Phase::Idle | Phase::Waiting) {
                settle(&mut state, &mut effects, now);
            }
        }
        Event::Wish(UpdateWish::Defer { seconds }) => {
            state.deferred_until = Some(now.saturating_add(seconds.saturating_mul(1_000)));
            if matches!(state.phase, Phase::Idle | Phase::Waiting) {
                settle(&mut state, &mut effects, now);
            }
        }
        Event::Woken if state.phase == Phase::Waiting => settle(&mut state, &mut effects, now),
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
            state.phase = Phase::Idle;
            again(&mut state, &mut effects);
        }
        Event::Good if state.phase == Phase::Probation => {
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
            // Others may have come meanwhile.
            state.look_again = true;
            settle(&mut state, &mut effects, now);
        }
        Event::CommitNotStored(reason) if state.phase == Phase::Committing => {
            fail(&mut state, &mut effects, reason);
            if let Some(staged) = state.staged.take() {
                state.current = staged;
            }
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
    let Some(found) = found else { return settle(state, effects, now) };
    let current = &state.current;
    let fresh =
        found.sequence > current.sequence && found.sequence >= state.floor && found.hash != current.hash;
    // An installed build that is newer than the repository is not taken back to what is published.
    let lower = current.sequence == 0 && compare_versions(&found.version, &current.version) == Ordering::Less;
    let staged = state.staged.as_ref().is_some_and(|staged| staged.hash == found.hash);
    if state.banned.contains(&found.hash) || !fresh || lower || staged {
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
    effects.push(Effect::Tell(UpdateEvent::Available {
        version: found.version.clone(),
        notes: found.notes.clone(),
        bytes: found.bytes,
    }));
    effects.push(Effect::Download);
    state.candidate = Some(found);
    state.phase = Phase::Downloading;
}

/// Nothing is under way: apply what is staged, wait for its time, look again, or rest.
fn settle(state: &mut State, effects: &mut Vec<Effect>, now: u64) {
    let banned = state.staged.as_ref().is_some_and(|staged| state.banned.contains(&staged.hash));
    if banned {
        state.staged = None;
    }
    state.phase = Phase::Idle;
    if state.look_again {
        return again(state, effects);
    }
    if state.staged.is_none() {
        return;
    }
    match state.deferred_until.filter(|until| *until > now) {
        Some(until) => {
            state.phase = Phase::Waiting;
            effects.push(Effect::WakeAt(until));
        }
        None => {
            state.deferred_until = None;
            state.phase = Phase::Applying;
            effects.push(Effect::Apply);
        }
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
