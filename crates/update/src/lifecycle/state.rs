//! What decisions depend on, what happens, and what is done.

use crate::policy::Verdict;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::policy::Live;
use staysail_protocol::worker::UpdateWish;
use std::collections::{BTreeMap, BTreeSet};

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
    /// The channel it is of; empty for what was installed.
    pub channel: String,
    /// It is a barrier on the way to this version.
    pub towards: Option<String>,
    /// It runs in the shell it brings along, from the next start of the app on; not in the one that runs.
    pub next_start: bool,
    /// When it goes live; at once where it was staged by an earlier run.
    pub live: Live,
    /// It is in a file that was given to the app while another release was staged: it is wanted now, and that one waits on.
    pub given: bool,
    /// Hashes of newer releases that this install is not to take, or not yet: they are given out in waves.
    pub withheld: BTreeSet<String>,
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
    /// Highest sequence of the channel ever committed.
    pub floor: u64,
    /// The same of other channels.
    pub floors: BTreeMap<String, u64>,
    /// The channel that is followed.
    pub channel: String,
    /// The channel the app was built to follow.
    pub own_channel: String,
    /// The version the app is to stay at.
    pub pinned: Option<String>,
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
    /// A window is about to load its page, and waits for what becomes of the staged release.
    pub loading: bool,
    /// Version and reason of the wait that was told last; it is not told again.
    pub wait_told: Option<(String, String)>,
    /// Version and reason of what was last told not to be taken; it is not told again.
    pub held_told: Option<(String, String)>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Look for a release: a start, a timer, a notice.
    Look,
    /// The newest published release; `None` when there is none.
    Found(Option<Candidate>),
    /// The signed lists name no such channel, only `known`.
    ChannelGone {
        /// Which.
        channel: String,
        /// Those there are.
        known: String,
    },
    /// Looking failed.
    LookFailed(String),
    /// The candidate is on disk, every byte verified.
    Staged,
    /// The candidate could not be had, or was not what was signed.
    DownloadFailed(String),
    /// The page or the app wishes.
    Wish(UpdateWish),
    /// A window is about to load its page.
    Loads,
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
    /// Record durably which versions the user does not want; answered by `NotStored` when that fails.
    RememberSkips(BTreeSet<String>),
    /// Record durably until when the user puts releases off, or that nothing is put off any more; answered by `NotStored` when
    /// that fails.
    RememberLater(Option<u64>),
    /// Record durably what the user follows; answered by `NotStored` when that fails.
    RememberChoice {
        /// The channel.
        channel: String,
        /// The version to stay at.
        pinned: Option<String>,
    },
    /// Record durably that what is staged is not to be applied any more; answered by `NotStored` when that fails.
    Unstage,
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
            Self::RememberLater(_) => "remember later",
            Self::RememberChoice { .. } => "remember choice",
            Self::Unstage => "unstage",
            Self::Tell(_) => "tell",
            Self::Stop => "stop",
        }
    }
}
