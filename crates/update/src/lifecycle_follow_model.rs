//! What is followed, against a tiny reference: channels, a version to stay at, a barrier that proves bad.
//!
//! All that is ever found is version 1.2.0, sequence 2 of either channel, as it is or as a barrier before 1.5.0; 1.1.0 runs.

use super::model::{release, visit};
use super::*;
use std::collections::BTreeMap;

/// Every event about what can be followed: another channel, a version to stay at, a barrier that proved bad.
pub(super) fn choices() -> Vec<Event> {
    let found = |candidate| Event::Found(Some(candidate));
    let beta = |sequence| Candidate { channel: "beta".into(), ..release(sequence) };
    let follow = |channel: Option<&str>| Event::Wish(UpdateWish::Follow { channel: channel.map(Into::into) });
    let pin = |version: Option<&str>| Event::Wish(UpdateWish::Pin { version: version.map(Into::into) });
    vec![
        follow(Some("beta")),
        follow(None),
        follow(Some("../beta")),
        pin(Some("1.1.x")),
        pin(None),
        pin(Some("latest")),
        Event::ChannelGone { channel: "beta".into(), known: "stable".into() },
        Event::Look,
        Event::Found(None),
        found(release(2)),
        found(Candidate { towards: Some("1.5.0".into()), ..release(2) }),
        found(beta(2)),
        Event::LookFailed("x".into()),
        Event::Staged,
        Event::Wish(UpdateWish::Apply),
        Event::Applied(1.0),
        Event::Good,
        Event::Bad("x".into()),
        Event::Committed,
        Event::ShutDown,
    ]
}

/// A release is its channel: everything else is the same in all of them.
type Channel = String;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Reference {
    phase: Phase,
    /// Whether 1.2.0 runs.
    new: bool,
    channel: Channel,
    floors: BTreeMap<Channel, u64>,
    /// Whether the app is to stay at 1.1.
    stays: bool,
    banned: bool,
    candidate: Option<Channel>,
    staged: Option<Channel>,
    again: bool,
    wanted: bool,
}

impl Reference {
    fn of(state: &State) -> Self {
        let channel = |release: &Option<Candidate>| release.as_ref().map(|release| release.channel.clone());
        let mut floors = state.floors.clone();
        floors.insert(state.channel.clone(), state.floor);
        floors.retain(|_, floor| *floor > 0);
        Self {
            phase: state.phase,
            new: state.current.sequence == 2,
            channel: state.channel.clone(),
            floors,
            stays: state.pinned.is_some(),
            banned: !state.banned.is_empty(),
            candidate: channel(&state.candidate),
            staged: channel(&state.staged),
            again: state.look_again,
            wanted: state.wanted_now,
        }
    }

    fn step(&mut self, event: &Event) {
        let resting = matches!(self.phase, Phase::Idle | Phase::Waiting);
        match (self.phase, event) {
            (Phase::Stopped, _) => {}
            (_, Event::ShutDown) => self.phase = Phase::Stopped,
            (_, Event::Look) => self.look(resting),
            (_, Event::Wish(UpdateWish::Follow { channel })) => match channel.as_deref() {
                Some("../beta") => {}
                other => {
                    self.channel = other.unwrap_or_default().to_owned();
                    self.look(resting);
                }
            },
            (_, Event::Wish(UpdateWish::Pin { version })) => match version.as_deref() {
                Some("latest") => {}
                other => {
                    self.stays = other.is_some();
                    self.look(resting);
                }
            },
            (_, Event::Wish(UpdateWish::Apply)) => {
                self.wanted = true;
                self.again |= self.candidate.is_none() && self.staged.is_none();
                if resting {
                    self.rest();
                }
            }
            (Phase::Checking, Event::ChannelGone { channel, .. }) => {
                if *channel == self.channel {
                    (self.channel, self.again) = (String::new(), true);
                }
                self.rest();
            }
            (Phase::Checking, Event::Found(found)) => {
                let fresh = |found: &Candidate| self.staged.is_none() && self.is_wanted(&found.channel);
                self.candidate =
                    found.as_ref().filter(|found| fresh(found)).map(|found| found.channel.clone());
                match self.candidate {
                    // What was wished for meanwhile follows when it is there.
                    Some(_) => self.phase = Phase::Downloading,
                    None => self.rest(),
                }
            }
            (Phase::Checking, Event::LookFailed(_)) => self.rest(),
            (Phase::Downloading, Event::Staged) => {
                self.staged = self.candidate.take();
                self.rest();
            }
            (Phase::Applying, Event::Applied(_)) => self.phase = Phase::Probation,
            (Phase::Probation, Event::Good) => self.phase = Phase::Committing,
            (Phase::Probation, Event::Bad(_)) => {
                (self.staged, self.banned) = (None, true);
                self.ended();
            }
            (Phase::Committing, Event::Committed) => {
                self.new = true;
                self.floors.insert(self.staged.take().unwrap(), 2);
                self.ended();
            }
            _ => {}
        }
    }

    fn look(&mut self, now: bool) {
        (self.again, self.phase) = if now { (false, Phase::Checking) } else { (true, self.phase) };
        if now {
            self.forget();
        }
    }

    fn ended(&mut self) {
        (self.wanted, self.again) = (false, true);
        self.rest();
    }

    fn is_wanted(&self, channel: &Channel) -> bool {
        !self.banned && !self.new && !self.stays && *channel == self.channel
    }

    fn forget(&mut self) {
        let wanted = |release: &Channel| self.is_wanted(release);
        (self.staged, self.candidate) =
            (self.staged.clone().filter(wanted), self.candidate.clone().filter(wanted));
    }

    fn rest(&mut self) {
        self.forget();
        self.phase = match (&self.candidate, &self.staged) {
            _ if std::mem::take(&mut self.again) => Phase::Checking,
            (Some(_), _) => Phase::Downloading,
            (None, Some(_)) => Phase::Applying,
            (None, None) => Phase::Idle,
        };
        self.wanted &= self.phase != Phase::Idle;
    }
}

#[test]
fn what_is_followed_is_what_its_reference_follows_in_every_state_that_can_be_reached() {
    let states = visit(&choices(), |before, event, after, _| {
        let mut reference = Reference::of(before);
        reference.step(event);
        assert_eq!(reference, Reference::of(after), "in {before:?}\non {event:?}");
    });
    assert!(states > 500, "{states}");
}
