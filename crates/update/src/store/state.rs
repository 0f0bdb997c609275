//! The store's durable state: what boots, what is on trial, what is banned, and the floor.
//!
//! # Theory of operation
//! Two copies of one small file, each `SHA-256 of the rest, newline, JSON`, written whole one after the other. A copy
//! reads as [`Copy::Absent`], [`Copy::Valid`] or [`Copy::Corrupt`]; the valid one of the higher generation counts. When
//! both are corrupt the floor is found again from the releases on disk and the bans from their marker files, so a damaged
//! file never lowers a floor and never lifts a ban (laws 4 and 5).

use crate::disk::Disk;
use crate::hash;
use crate::trust::CHANNEL;
use serde::{Deserialize, Serialize};
use staysail_protocol::limits::LATER_MAX_S;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// Largest state file.
pub const STATE_BYTES_MAX: u64 = 4 << 20;

/// What the store remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Counts up with every change; the higher copy counts.
    pub generation: u64,
    /// Hash of the committed release: it boots.
    pub current: Option<String>,
    /// Hash of the good release before it.
    pub previous: Option<String>,
    /// Hash of the release that is on disk, verified, and waits to be applied.
    pub staged: Option<String>,
    /// Highest sequence of the channel `stable` that was ever committed.
    pub floor: u64,
    /// The same of other channels: each counts for itself.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub floors: BTreeMap<String, u64>,
    /// What the user chose to follow.
    #[serde(skip_serializing_if = "Chosen::is_none")]
    pub chosen: Box<Chosen>,
    /// Release hash to the number of its trials that were begun and neither passed nor given up in order.
    pub trials: BTreeMap<String, u32>,
    /// Release hash to the number of its failed starts in a row.
    pub bad_starts: BTreeMap<String, u32>,
    /// Release hash to why it is never tried again.
    pub banned: BTreeMap<String, String>,
    /// What was put off, by the user and by conditions.
    pub postponed: Box<Postponed>,
    /// The shells that releases carry.
    #[serde(skip_serializing_if = "Shells::is_none")]
    pub shells: Box<Shells>,
}

/// Release hash to the hash of the shell it carries for this machine, when that is not the installed one: a start has to open
/// no release to see that there is no other shell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shells(pub BTreeMap<String, String>);

impl Shells {
    fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the user chose to follow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chosen {
    /// A channel, instead of the app's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The version to stay at, or `""` for none at all whatever the app was built with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
}

impl Chosen {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What was put off, by the user, by conditions and until a wave comes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Postponed {
    /// Versions the user does not want.
    pub skipped: BTreeSet<String>,
    /// Since when (seconds since 1970) a release with conditions waits; nothing was committed since.
    pub waiting_since_s: Option<i64>,
    /// When (seconds since 1970) a release was last looked for, where that has a condition.
    pub looked_s: Option<i64>,
    /// When (seconds since 1970) the user said later, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later_s: Option<(i64, i64)>,
    /// The random number of this install, by which it waits for releases in waves: 32 digits, made when they are first asked
    /// for. It is told to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install: Option<String>,
}

impl Postponed {
    /// Milliseconds for which the user still puts releases off. A clock that was set back to before that was said ends it:
    /// nobody knows how long it has lasted.
    pub(crate) fn left_ms(&self, now_s: i64) -> Option<u64> {
        let (_, until_s) = self.later_s.filter(|(said_s, until_s)| (*said_s..*until_s).contains(&now_s))?;
        Some(until_s.abs_diff(now_s).min(LATER_MAX_S) * 1_000)
    }
}

/// One copy of the state as it was found.
#[derive(Debug)]
pub enum Copy {
    /// There is no file.
    Absent,
    /// The file is as it was written.
    Valid(State),
    /// The file is damaged.
    Corrupt,
    /// The disk refuses to say; the next time it may not.
    Unreadable(io::Error),
}

impl State {
    /// Highest sequence of a channel that was ever committed.
    pub fn floor_of(&self, channel: &str) -> u64 {
        if channel == CHANNEL { self.floor } else { self.floors.get(channel).copied().unwrap_or_default() }
    }

    /// Forgets the shells of releases that boot no more.
    pub(crate) fn keep_shells(&mut self) {
        let kept = [&self.current, &self.previous, &self.staged];
        self.shells.0.retain(|release, _| kept.iter().any(|kept| kept.as_ref() == Some(release)));
    }

    /// Raises the floor of a channel, never lowers it.
    pub fn raise_floor(&mut self, channel: &str, sequence: u64) {
        let floor = match channel {
            CHANNEL => &mut self.floor,
            _ => self.floors.entry(channel.to_owned()).or_default(),
        };
        *floor = sequence.max(*floor);
    }

    /// Whether no floor of `before` fell.
    pub(crate) fn keeps_floors(&self, before: &Self) -> bool {
        self.floor >= before.floor
            && before.floors.iter().all(|(channel, floor)| self.floor_of(channel) >= *floor)
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = hash::of(&json).into_bytes();
        bytes.push(b'\n');
        bytes.extend_from_slice(&json);
        bytes
    }
}

/// Reads one copy.
pub fn read_copy(disk: &dyn Disk, path: &Path) -> Copy {
    let bytes = match disk.read(path, STATE_BYTES_MAX) {
        Ok(None) => return Copy::Absent,
        Ok(Some(bytes)) => bytes,
        // A folder in its place, or far too long: nothing that was ever written.
        Err(error) if matches!(error.kind(), io::ErrorKind::FileTooLarge | io::ErrorKind::IsADirectory) => {
            return Copy::Corrupt;
        }
        Err(error) => return Copy::Unreadable(error),
    };
    match bytes.split_at_checked(65) {
        Some((head, json)) if head[64] == b'\n' && head[..64] == *hash::of(json).as_bytes() => {
            serde_json::from_slice(json).map_or(Copy::Corrupt, Copy::Valid)
        }
        _ => Copy::Corrupt,
    }
}

/// Chooses between the two copies.
pub fn choose(first: Copy, second: Copy) -> Copy {
    match (first, second) {
        (Copy::Valid(a), Copy::Valid(b)) => Copy::Valid(if b.generation > a.generation { b } else { a }),
        (Copy::Valid(state), _) | (_, Copy::Valid(state)) => Copy::Valid(state),
        (Copy::Unreadable(error), _) | (_, Copy::Unreadable(error)) => Copy::Unreadable(error),
        (Copy::Absent, Copy::Absent) => Copy::Absent,
        _ => Copy::Corrupt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::OsDisk;

    #[test]
    fn every_flipped_or_missing_byte_reads_as_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert!(matches!(read_copy(&OsDisk, &path), Copy::Absent));
        let state = State { generation: 3, floor: 9, current: Some("ab".into()), ..State::default() };
        let bytes = state.to_bytes();
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(read_copy(&OsDisk, &path), Copy::Valid(read) if read == state));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert!(matches!(read_copy(&OsDisk, &path), Copy::Corrupt), "byte {at}");
            std::fs::write(&path, &bytes[..at]).unwrap();
            assert!(matches!(read_copy(&OsDisk, &path), Copy::Corrupt), "cut at {at}");
        }
    }

    #[test]
    fn what_is_put_off_is_for_the_time_that_is_left_and_no_longer_where_the_clock_was_set_back() {
        let left = |later_s, now_s| Postponed { later_s, ..Postponed::default() }.left_ms(now_s);
        assert_eq!(left(None, 100), None);
        assert_eq!(left(Some((100, 160)), 100), Some(60_000));
        assert_eq!(left(Some((100, 160)), 159), Some(1_000));
        assert_eq!([99, 160, i64::MAX].map(|now_s| left(Some((100, 160)), now_s)), [None; 3]);
        // A damaged number is none that lasts for ever.
        assert_eq!(left(Some((0, i64::MAX)), 1), Some(LATER_MAX_S * 1_000));
        let kept = State {
            postponed: Box::new(Postponed { later_s: Some((1, 2)), ..Postponed::default() }),
            ..State::default()
        };
        let read: State = serde_json::from_slice(&kept.to_bytes()[65..]).unwrap();
        assert_eq!(read, kept);
    }

    #[test]
    fn the_newer_valid_copy_counts_and_a_damaged_one_never_does() {
        let valid = |generation| Copy::Valid(State { generation, ..State::default() });
        let unreadable = || Copy::Unreadable(io::ErrorKind::Other.into());
        assert!(matches!(choose(valid(1), valid(2)), Copy::Valid(state) if state.generation == 2));
        assert!(matches!(choose(Copy::Corrupt, valid(1)), Copy::Valid(state) if state.generation == 1));
        assert!(matches!(choose(unreadable(), valid(1)), Copy::Valid(state) if state.generation == 1));
        assert!(matches!(choose(Copy::Corrupt, Copy::Absent), Copy::Corrupt));
        // As long as one copy might still be read nothing is known to be lost.
        assert!(matches!(choose(Copy::Corrupt, unreadable()), Copy::Unreadable(_)));
    }
}
