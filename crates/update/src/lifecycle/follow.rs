//! What is followed: a channel, a version to stay at; and which of its releases are steps forward.
//!
//! Sequences count within a channel, versions across all. So within a channel a higher sequence is newer, whatever it
//! holds; from one channel to another only a higher version is: changing the channel never takes an app back.

use super::{Candidate, Effect, Phase, State, fail, look, settle};
use crate::policy::pin;
use crate::store::compare_versions;
use crate::trust::{CHANNEL_NAME_BYTES_MAX, is_channel};
use staysail_protocol::notice::UpdateEvent;
use std::cmp::Ordering;

/// Whether a release is a step forward from what runs.
pub(crate) fn is_newer(release: &Candidate, current: &Candidate) -> bool {
    let versions = compare_versions(&release.version, &current.version);
    if current.sequence == 0 {
        // An installed build that is newer than the repository is not taken back to what is published.
        release.sequence > 0 && versions != Ordering::Less
    } else if release.channel == current.channel {
        release.sequence > current.sequence
    } else {
        versions == Ordering::Greater
    }
}

/// Whether a release has no business here any more: banned, run already, of another channel, or not to be taken.
pub(super) fn is_useless(state: &State, release: &Candidate) -> bool {
    state.banned.contains(&release.hash)
        || release.channel != state.channel
        || !is_newer(release, &state.current)
        || !fits(state.pinned.as_ref(), release)
}

/// Whether a release may be taken by who stays at that version.
pub(crate) fn fits(pinned: Option<&String>, release: &Candidate) -> bool {
    // A barrier on the way to what fits is taken, too.
    let versions = [Some(&release.version), release.towards.as_ref()];
    pinned.is_none_or(|pinned| versions.into_iter().flatten().any(|version| pin::fits(pinned, version)))
}

/// A rollout that was paused, or begins anew with fewer: what was fetched and does not run yet is left. Who runs it keeps it.
pub(super) fn withdraw(state: &mut State, effects: &mut Vec<Effect>, found: &Candidate) {
    let paused = |staged: &Candidate| !staged.given && found.withheld.contains(&staged.hash);
    if state.staged.as_ref().is_some_and(paused) {
        state.staged = None;
        effects.push(Effect::Unstage);
    }
}

/// Why a release that was found is not taken, where the user should hear of that.
pub(super) fn held(state: &State, found: &Candidate) -> Option<String> {
    let (version, current) = (&found.version, &state.current);
    if let Some(towards) = &found.towards
        && state.banned.contains(&found.hash)
    {
        return Some(format!(
            "version {version} has to be taken before {towards}, and proved bad here; version {} stays until the barrier is \
             lifted or replaced",
            current.version
        ));
    }
    let ahead = compare_versions(version, &current.version) == Ordering::Less;
    if current.sequence > 0 && current.channel != found.channel && ahead {
        return Some(format!(
            "the channel {} is at version {version}; version {} stays until that is passed",
            found.channel, current.version
        ));
    }
    if is_newer(found, current) && !fits(state.pinned.as_ref(), found) {
        let pinned = state.pinned.as_deref().unwrap_or_default();
        let critical = if found.critical { "; it is critical" } else { "" };
        return Some(format!("the app is to stay at {pinned}{critical}"));
    }
    None
}

/// Tells it, once until it changes.
pub(super) fn tell_held(state: &mut State, effects: &mut Vec<Effect>, found: &Candidate, reason: String) {
    let version = found.towards.clone().filter(|_| state.banned.contains(&found.hash));
    let told = (version.unwrap_or_else(|| found.version.clone()), reason);
    if state.held_told.as_ref() != Some(&told) {
        effects.push(Effect::Tell(UpdateEvent::Held { version: told.0.clone(), reason: told.1.clone() }));
        state.held_told = Some(told);
    }
}

/// The user wants another channel, or the app's own again.
pub(super) fn follow(state: &mut State, effects: &mut Vec<Effect>, channel: Option<String>, now: u64) {
    let channel = channel.unwrap_or_else(|| state.own_channel.clone());
    if !is_channel(&channel) && channel != state.own_channel {
        let most = CHANNEL_NAME_BYTES_MAX;
        let reason =
            format!("{channel:?} is no channel: names have letters, digits, - and _ only, {most} at most");
        return fail(state, effects, reason.chars().take(200).collect());
    }
    switch(state, channel);
    remember(state, effects);
    look_anew(state, effects, now);
}

fn switch(state: &mut State, channel: String) {
    let floor = state.floors.remove(&channel).unwrap_or_default();
    let before = std::mem::replace(&mut state.channel, channel);
    if before == state.channel {
        return;
    }
    let floor_before = std::mem::replace(&mut state.floor, floor);
    state.floors.insert(before, floor_before);
}

/// The signed lists name no such channel: the app's own is followed again.
pub(super) fn channel_gone(state: &mut State, effects: &mut Vec<Effect>, gone: &str, known: &str) {
    if state.channel != gone || gone == state.own_channel {
        return;
    }
    switch(state, state.own_channel.clone());
    remember(state, effects);
    fail(
        state,
        effects,
        format!("there is no channel {gone}, only {known}; {} is followed", state.own_channel),
    );
    state.look_again = true;
}

/// The user wants to stay at a version, or no longer.
pub(super) fn pin(state: &mut State, effects: &mut Vec<Effect>, version: Option<String>, now: u64) {
    if let Some(text) = version.as_ref().filter(|text| !pin::is_pin(text)) {
        let text: String = text.chars().take(80).collect();
        return fail(state, effects, format!("{text:?} is no version to stay at: write 1.4.2 or 1.4.x"));
    }
    state.pinned = version;
    remember(state, effects);
    look_anew(state, effects, now);
}

fn remember(state: &mut State, effects: &mut Vec<Effect>) {
    state.held_told = None;
    effects.push(Effect::RememberChoice { channel: state.channel.clone(), pinned: state.pinned.clone() });
    effects.push(Effect::Tell(UpdateEvent::Following {
        channel: state.channel.clone(),
        pinned: state.pinned.clone(),
    }));
}

fn look_anew(state: &mut State, effects: &mut Vec<Effect>, now: u64) {
    if matches!(state.phase, Phase::Idle | Phase::Waiting) {
        state.look_again = true;
        settle(state, effects, now);
    } else {
        look(state, effects);
    }
}

/// A release was committed: the floor of its channel rises.
pub(super) fn raise_floor(state: &mut State, release: &Candidate) {
    let floor = match release.channel == state.channel {
        true => &mut state.floor,
        false => state.floors.entry(release.channel.clone()).or_default(),
    };
    *floor = release.sequence.max(*floor);
}

#[cfg(test)]
mod tests {
    use super::super::{Event, step};
    use super::*;
    use std::collections::BTreeSet;

    fn release(sequence: u64, withheld: &[&str]) -> Candidate {
        Candidate {
            hash: format!("h{sequence}"),
            version: format!("1.{sequence}.0"),
            sequence,
            withheld: withheld.iter().map(|hash| (*hash).to_owned()).collect(),
            ..Candidate::default()
        }
    }

    fn found(staged: Candidate, found: Candidate) -> (State, Vec<Effect>) {
        let state = State {
            phase: Phase::Checking,
            current: release(3, &[]),
            floor: 3,
            staged: Some(staged),
            ..State::default()
        };
        step(state, Event::Found(Some(found)), 0)
    }

    #[test]
    fn what_is_staged_and_then_paused_is_left_and_what_runs_is_kept() {
        let waiting = Candidate { conditional: true, ..release(5, &[]) };
        let (state, effects) = found(waiting.clone(), release(4, &["h5"]));
        assert_eq!((state.phase, state.staged), (Phase::Downloading, None));
        assert_eq!(effects[0], Effect::Unstage);
        // Nothing is said of it: it waits on.
        let (state, effects) = found(waiting.clone(), release(3, &["h6"]));
        assert_eq!(
            (state.staged.map(|staged| staged.sequence), effects.contains(&Effect::Unstage)),
            (Some(5), false)
        );
        // Who was given a file of it wants it.
        let given = Candidate { given: true, ..waiting };
        let (state, effects) = found(given, release(3, &["h5"]));
        assert_eq!((state.phase, effects.contains(&Effect::Unstage)), (Phase::Applying, false));
    }

    #[test]
    fn no_share_takes_an_install_back() {
        // Every share before and after: what runs is release 5, which is in waves, or what is for everybody, or newer.
        for (running, offered) in (1..6).flat_map(|running| (1..6).map(move |offered| (running, offered))) {
            let state = State {
                phase: Phase::Checking,
                current: release(running, &[]),
                floor: running,
                ..State::default()
            };
            let withheld: BTreeSet<_> = (offered + 1..6).map(|sequence| format!("h{sequence}")).collect();
            let offer = Candidate { withheld, ..release(offered, &[]) };
            let (state, _) = step(state, Event::Found(Some(offer)), 0);
            let goes = state.candidate.map(|candidate| candidate.sequence);
            assert_eq!(goes, (offered > running).then_some(offered), "{running} {offered}");
            assert_eq!((state.current.sequence, state.floor), (running, running));
        }
    }
}
