//! What the user chose to follow, and what may be applied by that: a channel, a version to stay at, barriers on the way.
//! Written without a look at how the engine decides it.

use crate::channels::OTHER;
use crate::world::{Known, OWN, World};

/// For this long after a choice was told what was begun before may still be seen.
const RACE_MS: u64 = 1_000;

/// What is followed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Choice {
    /// The channel.
    pub channel: String,
    /// The version to stay at: all numbers of one, or the first of them and `x`.
    pub pinned: Option<String>,
}

impl Default for Choice {
    fn default() -> Self {
        Self { channel: OWN.into(), pinned: None }
    }
}

impl Choice {
    fn fits(&self, version: &str) -> bool {
        self.pinned.as_ref().is_none_or(|pinned| match pinned.strip_suffix('x') {
            Some(beginning) => version.starts_with(beginning),
            None => version == pinned,
        })
    }

    /// Whether a release is one to take on some day until this one, or has to be taken before one that is.
    fn takes(&self, release: &Known, world: &World, day: usize) -> bool {
        let beyond = |day| {
            let newest = world.known(world.newest_on(&self.channel, day)?)?;
            Some(newest.sequence > release.sequence && self.fits(&newest.version))
        };
        release.channel == self.channel
            && (self.fits(&release.version)
                || (!release.barrier.is_empty() && (0..=day).any(|day| beyond(day) == Some(true))))
    }
}

/// What the user says of it.
#[derive(Debug, Clone)]
pub enum Change {
    /// The channel is to be this one.
    Follow(String),
    /// The version to stay at.
    Pin(Option<String>),
}

impl Change {
    fn applied_to(&self, mut choice: Choice) -> Choice {
        match self {
            Self::Follow(channel) => choice.channel.clone_from(channel),
            Self::Pin(version) => choice.pinned.clone_from(version),
        }
        choice
    }
}

/// What is known of it.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    told: Choice,
    /// What it may be instead: a process ended before it told what it had stored.
    maybe: Vec<Choice>,
    /// What the user said since, in order, and was not told yet.
    said: Vec<Change>,
    /// What was followed before, until this time.
    before: (Vec<Choice>, u64),
    /// What was chosen may be forgotten: the disk refused something.
    unsure: bool,
}

impl Choices {
    /// The app is started; `forgetful` where the disk may not have kept what was chosen, `lacked` where the repository may not
    /// have named the other channel before: that the own one is followed again may be stored and not told.
    pub fn started(&mut self, forgetful: bool, lacked: bool) {
        self.before = Default::default();
        self.maybe = self.outlook(lacked).flatten().chain(self.bases(lacked)).collect();
        self.said.clear();
        self.unsure = forgetful;
    }

    /// The user wants something else.
    pub fn say(&mut self, change: Change) {
        self.said.push(change);
    }

    /// What it may be after each of the things the user said; the own channel again at any time, where the other one may be gone.
    fn outlook(&self, may_lack: bool) -> impl Iterator<Item = Vec<Choice>> {
        self.said.iter().scan(self.bases(may_lack), move |choices, change| {
            let changed = std::mem::take(choices).into_iter().map(|choice| change.applied_to(choice));
            *choices = with_own(changed.collect(), may_lack);
            Some(choices.clone())
        })
    }

    fn bases(&self, may_lack: bool) -> Vec<Choice> {
        with_own([&self.told].into_iter().chain(&self.maybe).cloned().collect(), may_lack)
    }

    /// It is told what is followed. `may_lack` where the repository may not name the other channel.
    ///
    /// # Errors
    /// When nobody chose that.
    pub fn told(&mut self, choice: Choice, now_ms: u64, may_lack: bool) -> Result<(), String> {
        let mut before = self.bases(may_lack);
        let again = before.contains(&choice);
        // A start tells what it found, after which what was said since may be told as well.
        let outlook: Vec<Vec<Choice>> = self.outlook(may_lack).collect();
        let said = outlook.iter().position(|said| said.contains(&choice)).filter(|_| !again);
        if said.is_none() && !again && !self.unsure {
            return Err(format!("{choice:?} is followed, and nobody chose that: {self:?}"));
        }
        let heard = said.map_or(0, |last| last + 1);
        self.said.drain(..heard);
        before.extend(outlook.into_iter().take(heard).flatten());
        self.maybe.clear();
        (self.told, self.before, self.unsure) = (choice, (before, now_ms + RACE_MS), false);
        Ok(())
    }

    fn possible(&self, now_ms: u64) -> Vec<Choice> {
        let before = if now_ms <= self.before.1 { self.before.0.as_slice() } else { &[] };
        self.bases(false)
            .into_iter()
            .chain(self.outlook(false).flatten())
            .chain(before.iter().cloned())
            .collect()
    }

    /// Whether a release may be applied over another one. `passed` gives the highest sequence of a channel that ever ran.
    ///
    /// # Errors
    /// Why not.
    pub fn may_apply(
        &self,
        release: &Known,
        current: &Known,
        (world, day): (&World, usize),
        now_ms: u64,
        passed: impl Fn(&str) -> u64,
    ) -> Result<(), String> {
        if !self.unsure && !self.possible(now_ms).iter().any(|choice| choice.takes(release, world, day)) {
            return Err(format!("this is chosen: {self:?}"));
        }
        if !is_forward(release, current) {
            return Err(format!("it is no step forward from version {}", current.version));
        }
        let missed = |barrier: &&Known| passed(barrier.channel) < barrier.sequence;
        match barriers(release, current, world, day).find(missed) {
            Some(barrier) => Err(format!("version {} was not taken before it", barrier.version)),
            None => Ok(()),
        }
    }

    /// The release that is taken by whoever is not disturbed, if that can be said; `due` says whether one is good.
    pub fn expected<'a>(
        &self,
        current: &Known,
        (world, day): (&'a World, usize),
        due: impl Fn(&Known) -> bool,
    ) -> Option<&'a String> {
        let mut others = self.maybe.iter().cloned().chain(self.outlook(false).flatten());
        if self.unsure || others.any(|other| other != self.told) {
            return None;
        }
        let hash = world.newest_on(&self.told.channel, day)?;
        let newest = world.known(hash)?;
        let all_due = due(newest) && barriers(newest, current, world, day).all(due);
        (all_due && is_forward(newest, current) && self.told.fits(&newest.version)).then_some(hash)
    }
}

/// These, and with each the own channel where the other one may be gone.
fn with_own(mut choices: Vec<Choice>, may_lack: bool) -> Vec<Choice> {
    if may_lack {
        let own: Vec<Choice> =
            choices.iter().map(|choice| Choice { channel: OWN.into(), ..choice.clone() }).collect();
        choices.extend(own);
        choices.sort_unstable();
        choices.dedup();
    }
    choices
}

/// Within a channel what was published later, between channels what has the higher version. Versions of simulated releases order
/// as texts do.
fn is_forward(release: &Known, current: &Known) -> bool {
    if release.channel == current.channel {
        release.sequence > current.sequence
    } else {
        release.version > current.version
    }
}

/// What nobody jumps over between two releases.
fn barriers<'a>(
    release: &'a Known,
    current: &'a Known,
    world: &'a World,
    day: usize,
) -> impl Iterator<Item = &'a Known> {
    world.releases.values().filter(move |barrier| {
        barrier.barrier.contains(&day)
            && barrier.channel == release.channel
            && barrier.version > current.version
            && barrier.sequence < release.sequence
    })
}

/// Whether the repository of a day names no other channel.
pub fn lacks_other(world: &World, day: usize) -> bool {
    world.newest_on(OTHER, day).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Setting;

    fn may(choices: &Choices, version: &str, over: &str, passed: u64) -> Result<(), String> {
        let world = World::of(Setting::Channels, 0);
        let release = |version| world.releases.values().find(|known| known.version == version).unwrap();
        choices.may_apply(release(version), release(over), (world, 4), 0, |_| passed)
    }

    #[test]
    fn nobody_jumps_over_a_barrier_who_was_never_beyond_it() {
        let choices = Choices::default();
        assert!(may(&choices, "1.6.0", "1.1.0", 1).unwrap_err().contains("version 1.2.0 was not taken"));
        assert_eq!(may(&choices, "1.2.0", "1.1.0", 1), Ok(()));
        assert_eq!(may(&choices, "1.6.0", "1.2.0", 2), Ok(()));
        assert_eq!(may(&choices, "1.6.0", "1.1.0", 2), Ok(()), "it fell back");
        assert!(may(&choices, "1.1.0", "1.2.0", 2).unwrap_err().contains("no step forward"));
    }

    #[test]
    fn what_is_said_again_may_have_been_heard_before_the_channel_went() {
        let mut choices = Choices::default();
        let other = Choice { channel: OTHER.into(), pinned: None };
        choices.say(Change::Follow(OTHER.into()));
        choices.told(other.clone(), 0, false).unwrap();
        choices.started(false, false);
        choices.say(Change::Follow(OTHER.into()));
        choices.told(other.clone(), 0, true).unwrap();
        choices.told(other, 0, true).unwrap();
        choices.told(Choice::default(), 0, true).unwrap();
        let pinned = Choice { pinned: Some("1.4.x".into()), ..Choice::default() };
        assert!(choices.clone().told(pinned.clone(), 0, true).is_err(), "nobody said so");
        choices.say(Change::Pin(pinned.pinned.clone()));
        assert!(choices.clone().told(pinned.clone(), 0, false).is_err(), "the channel is there");
        choices.told(pinned, 0, true).unwrap();
    }

    #[test]
    fn only_what_was_chosen_is_applied_and_barriers_on_the_way_to_it() {
        let mut choices = Choices::default();
        assert!(may(&choices, "1.3.0", "1.1.0", 9).is_err(), "another channel");
        choices.say(Change::Pin(Some("1.6.x".into())));
        assert_eq!(may(&choices, "1.1.0", "1.0.0", 9), Ok(()), "not told yet");
        let pinned = Choice { channel: OWN.into(), pinned: Some("1.6.x".into()) };
        choices.told(pinned.clone(), 0, false).unwrap();
        choices.started(false, false);
        assert!(may(&choices, "1.1.0", "1.0.0", 9).is_err());
        assert_eq!(may(&choices, "1.2.0", "1.0.0", 9), Ok(()), "a barrier");
        assert_eq!(may(&choices, "1.6.0", "1.2.0", 9), Ok(()));
        assert!(choices.told(Choice { channel: OTHER.into(), ..pinned }, 0, true).is_err(), "nobody said so");
    }
}
