//! What was seen once and never falls again: versions of metadata, and the time.
//!
//! # Theory of operation
//! Cached metadata carry their own versions, but a damaged file carries none, and a client that forgot could be led back to
//! what it has left behind. So the numbers are kept apart, in two copies, each `SHA-256 of the rest, newline, JSON`. What
//! counts is the highest of both copies and of the cached metadata that still verify.
//!
//! They fall in one case: a key of timestamp or snapshot was taken away by a new root. Whoever had stolen it may have driven
//! the numbers up to lock clients out, and the new root is the way back in (section 5.3.11). A key that was only added
//! lets nothing fall.
//!
//! The time is the latest at which a refresh succeeded; no key moves it, and it never falls. A clock set back can not make expired metadata fresh again; a clock
//! that once ran ahead does no lasting harm, because nothing succeeds later than the metadata expire.

use crate::disk::Disk;
use crate::{Error, hash};
use serde::{Deserialize, Serialize};
use sigstore_tuf::{Root, Snapshot, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Largest file of floors.
pub const FLOORS_BYTES_MAX: u64 = 4 << 20;
/// The time is written down in steps of this length, to spare the disk.
pub const CLOCK_STEP_S: i64 = 3_600;

const COPIES: [&str; 2] = ["floors", "floors.copy"];

/// The floors, all at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Floors {
    /// Counts up with every change.
    generation: u64,
    /// Hash of the root that trust began with.
    pinned: String,
    /// Version of the root these belong to.
    root: u64,
    /// Hashes of the public keys that signed, by role.
    keys: BTreeMap<String, BTreeSet<String>>,
    timestamp: u64,
    /// Snapshot version that a timestamp named.
    snapshot: u64,
    /// File name of targets metadata to the version a snapshot named.
    targets: BTreeMap<String, u64>,
    /// Seconds since 1970.
    time_s: i64,
}

fn keys_of(root: &Root, role: &str) -> BTreeSet<String> {
    let ids = root.role(role).map(|role| role.keyids.as_slice()).unwrap_or_default();
    ids.iter().filter_map(|id| root.keys.get(id)).map(|key| hash::of(key.keyval.public.as_bytes())).collect()
}

fn read_copy(path: &Path, disk: &dyn Disk) -> Option<Floors> {
    let bytes = disk.read(path, FLOORS_BYTES_MAX).ok().flatten()?;
    let (head, json) = bytes.split_at_checked(65)?;
    if head[64] != b'\n' || head[..64] != *hash::of(json).as_bytes() {
        return None;
    }
    serde_json::from_slice(json).ok()
}

impl Floors {
    /// What is remembered in `folder`; nothing when neither copy can be read.
    pub fn load(folder: &Path, disk: &dyn Disk) -> Self {
        COPIES
            .iter()
            .filter_map(|name| read_copy(&folder.join(name), disk))
            .fold(Self::default(), Self::highest)
    }

    /// Writes them down, without undercutting what another process has written meanwhile.
    pub fn save(&mut self, folder: &Path, disk: &dyn Disk) -> Result<(), Error> {
        let there = Self::load(folder, disk);
        let mut next = there.clone().highest(Self { generation: there.generation + 1, ..self.clone() });
        next.generation = there.generation;
        if next != there {
            next.generation += 1;
        }
        *self = next;
        let json = serde_json::to_vec(&*self).unwrap_or_default();
        let bytes = [hash::of(&json).as_bytes(), b"\n", &json].concat();
        for name in COPIES {
            let path = folder.join(name);
            if disk.read(&path, FLOORS_BYTES_MAX).ok().flatten().as_deref() != Some(&*bytes) {
                disk.write(&path, &bytes, false).map_err(Error::disk("writing", &path))?;
            }
        }
        Ok(())
    }

    /// The higher of both in everything; of different beginnings the later one, of different roots those of the newer one.
    fn highest(self, other: Self) -> Self {
        if self.pinned != other.pinned {
            return if self.generation > other.generation { self } else { other };
        }
        if self.root != other.root {
            let time_s = self.time_s.max(other.time_s);
            return Self { time_s, ..if self.root > other.root { self } else { other } };
        }
        let mut targets = self.targets;
        for (name, version) in other.targets {
            let known = targets.entry(name).or_default();
            *known = version.max(*known);
        }
        Self {
            generation: self.generation.max(other.generation),
            pinned: self.pinned,
            root: self.root,
            keys: other.keys,
            timestamp: self.timestamp.max(other.timestamp),
            snapshot: self.snapshot.max(other.snapshot),
            targets,
            time_s: self.time_s.max(other.time_s),
        }
    }

    /// Takes note of the root that is trusted now, to which trust came from `pinned`. `true` when a key that had signed was
    /// taken away, and so every version fell.
    ///
    /// # Errors
    /// [`Error::Trust`] when trust had come further before, from the same beginning: roots are being withheld.
    pub fn follow(&mut self, root: &Root, pinned: &[u8]) -> Result<bool, Error> {
        let pinned = hash::of(pinned);
        if root.version < self.root && pinned == self.pinned {
            return Err(rollback("root", root.version, self.root));
        }
        let now: BTreeMap<_, _> =
            ["timestamp", "snapshot"].map(|role| (role.to_owned(), keys_of(root, role))).into();
        let taken_away =
            self.keys.iter().any(|(role, keys)| !now.get(role).is_some_and(|now| keys.is_subset(now)));
        if taken_away {
            *self = Self { generation: self.generation, time_s: self.time_s, ..Self::default() };
        }
        (self.root, self.keys, self.pinned) = (root.version, now, pinned);
        Ok(taken_away)
    }

    /// Section 5.4.3: neither the timestamp's version nor that of the snapshot it names goes back.
    pub fn check_timestamp(&self, timestamp: &Timestamp) -> Result<(), Error> {
        let named = timestamp.snapshot_meta().map(|pin| pin.version).unwrap_or_default();
        for (what, version, floor) in
            [("timestamp", timestamp.version, self.timestamp), ("snapshot", named, self.snapshot)]
        {
            if version < floor {
                return Err(rollback(what, version, floor));
            }
        }
        Ok(())
    }

    /// Section 5.5.5: no targets metadata go back, and none disappear.
    pub fn check_snapshot(&self, snapshot: &Snapshot) -> Result<(), Error> {
        for (name, floor) in &self.targets {
            match snapshot.meta.get(name) {
                Some(pin) if pin.version >= *floor => {}
                Some(pin) => return Err(rollback(name, pin.version, *floor)),
                None => return Err(Error::Trust(format!("the snapshot does not name {name} any more"))),
            }
        }
        Ok(())
    }

    pub fn raise_timestamp(&mut self, timestamp: &Timestamp) {
        self.timestamp = self.timestamp.max(timestamp.version);
        self.snapshot =
            self.snapshot.max(timestamp.snapshot_meta().map(|pin| pin.version).unwrap_or_default());
    }

    pub fn raise_snapshot(&mut self, snapshot: &Snapshot) {
        for (name, pin) in &snapshot.meta {
            let known = self.targets.entry(name.clone()).or_default();
            *known = pin.version.max(*known);
        }
    }

    /// A refresh has succeeded at this time.
    pub fn raise_time(&mut self, now: jiff::Timestamp) {
        if now.as_second() >= self.time_s.saturating_add(CLOCK_STEP_S) {
            self.time_s = now.as_second();
        }
    }

    /// The time to measure expiry by: what the clock says, and never before the time of the last success.
    pub fn time(&self, clock: jiff::Timestamp) -> jiff::Timestamp {
        let known = jiff::Timestamp::from_second(self.time_s).unwrap_or(clock);
        if clock < known {
            tracing::warn!(%clock, %known, "the clock was set back; expiry is measured by the latest time known");
        }
        clock.max(known)
    }

    /// Whether anything was ever seen.
    pub fn any(&self) -> bool {
        self.timestamp > 0
    }
}

fn rollback(what: &str, version: u64, floor: u64) -> Error {
    Error::Trust(format!(
        "rollback of {what}: version {version} is lower than {floor}, which was seen before"
    ))
}
