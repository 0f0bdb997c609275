//! What must hold: the laws, and what the app is known to have been told.

use crate::choices::{Choice, Choices, lacks_other};
use crate::faults::{Faults, Kind};
use crate::moments::Moments;
use crate::promises::Promises;
use crate::starts::Starts;
use crate::waves::For;
use crate::world::{Known, World};
use staysail_protocol::notice::UpdateEvent;
use std::collections::{BTreeMap, BTreeSet};

/// Trials of one release that may end without a verdict; the same number as in the product's promise, not its constant.
const TRIALS_MAX: u32 = 2;

/// Knowledge about one app, gathered while it runs.
#[derive(Debug, Clone)]
pub struct Model {
    /// Where the app lives.
    pub world: &'static World,
    /// Hash of what the process was started with.
    pub started_with: Option<String>,
    /// The version announced last in this process.
    pub announced: Option<String>,
    /// What was promised about when.
    pub promises: Promises,
    /// What was chosen to be followed.
    pub choices: Choices,
    /// What is known of the moments at which releases go live.
    pub moments: Moments,
    /// The repository's day.
    pub day: usize,
    /// The user has said now in this process.
    pub said_now: bool,
    /// Hash of what runs, releases on trial left out.
    pub current: Option<String>,
    /// Channel to the highest sequence of it that ever ran and was good.
    pub passed: BTreeMap<&'static str, u64>,
    /// The release that must boot, if it is known.
    pub committed: Option<String>,
    /// The good one before it, which boots when that is given up.
    pub previous: Option<String>,
    /// What is known of starts.
    pub starts: Starts,
    /// What else may boot: a release whose verdict was under way when the process ended.
    pub maybe: Option<String>,
    /// On trial right now.
    pub on_trial: Option<String>,
    /// Told to be rolled back, so never to be tried again.
    pub rejected: BTreeSet<u32>,
    /// How often each content was applied.
    pub applied: BTreeMap<u32, u32>,
    /// Most trials of a content that were begun, on disk, and without a verdict when the process ended.
    pub ended_on_trial: BTreeMap<u32, u32>,
    /// Channel to the highest floor that was seen durable, or told to be.
    pub floors: BTreeMap<&'static str, u64>,
    /// The first law that was broken.
    pub broken: Option<String>,
}

/// What is known of a release of the plain world; nothing of one it does not have.
pub fn known(hash: &str) -> Option<&'static Known> {
    World::get().known(hash)
}

impl Default for Model {
    fn default() -> Self {
        Self::new(World::get())
    }
}

impl Model {
    /// Of an app in this world.
    pub fn new(world: &'static World) -> Self {
        Self {
            world,
            started_with: None,
            announced: None,
            promises: Promises::default(),
            choices: Choices::default(),
            moments: Moments::default(),
            day: 0,
            said_now: false,
            current: None,
            passed: BTreeMap::new(),
            committed: None,
            previous: None,
            starts: Starts::default(),
            maybe: None,
            on_trial: None,
            rejected: BTreeSet::new(),
            applied: BTreeMap::new(),
            ended_on_trial: BTreeMap::new(),
            floors: BTreeMap::new(),
            broken: None,
        }
    }

    /// What the process was started with.
    pub fn running(&self) -> Option<&'static Known> {
        self.world.known(self.started_with.as_ref()?)
    }

    /// A release is to be applied now: whether that was promised. Requirement R10.
    pub fn wanted_now(&mut self, hash: &str, kind: Kind) {
        let (Some(release), Some(running)) = (self.world.known(hash), self.running()) else { return };
        let (now_ms, wanted) = (self.promises.now_ms(), self.promises.is_wanted());
        if let Err(why) = self.promises.may_apply(release, running) {
            self.broke("policy", format!("version {} is applied although {why}", release.version));
        }
        if !wanted && let Err(why) = self.moments.may_apply(release, now_ms) {
            self.broke("moments", format!("version {} is applied although {why}", release.version));
        }
        // What the repository says of shares can not be known where it was not to be had, nor remembered where nothing can.
        let unknown = kind.refuses_writes()
            || matches!(
                kind,
                Kind::NetworkFailsOnce | Kind::NetworkFailsOn | Kind::ClockJumps | Kind::BitRot
            );
        let given = release.given[self.day];
        if !(given == For::All || given == For::Us || unknown || given == For::Others && self.said_now) {
            let version = &release.version;
            self.broke(
                "waves",
                format!("version {version} is applied on a day on which it is for {given:?}"),
            );
        }
        let Some(current) = self.current.as_ref().and_then(|hash| self.world.known(hash)) else { return };
        let passed = |channel: &str| self.passed.get(channel).copied().unwrap_or_default();
        if let Err(why) = self.choices.may_apply(release, current, (self.world, self.day), now_ms, passed) {
            self.broke(
                "choice",
                format!("version {} is applied over {}: {why}", release.version, current.version),
            );
        }
    }

    /// A release runs, and is good.
    fn runs(&mut self, hash: &str) {
        self.current = Some(hash.to_owned());
        if let Some(known) = self.world.known(hash) {
            let passed = self.passed.entry(known.channel).or_default();
            *passed = known.sequence.max(*passed);
        }
    }

    /// Something is fetched from the repository. `undisturbed` when nothing has gone wrong yet.
    pub fn fetching(&mut self, path: &str, undisturbed: bool) {
        let Some(running) = self.running() else { return };
        if path == "metadata/timestamp.json" && !self.promises.may_look(running, undisturbed) {
            self.broke("policy", "a release is looked for although the condition for that does not hold");
        }
        if let Some(hashes) = self.world.downloads.get(path) {
            let releases = hashes.iter().filter_map(|hash| self.world.known(hash));
            if !self.promises.may_download(releases, running) {
                self.broke("policy", format!("{path} is downloaded although its condition does not hold"));
            }
        }
    }

    /// A law was broken.
    pub fn broke(&mut self, law: &str, how: impl Into<String>) {
        let how = how.into();
        self.broken.get_or_insert_with(|| format!("{law}: {how}"));
    }

    /// A release is about to be live. Law 5.
    pub fn applying(&mut self, hash: &str, faults: &Faults) {
        let Some(release) = self.world.known(hash) else {
            return self.broke("law 3", format!("{hash} was never released"));
        };
        let kind = faults.state().kind;
        let again = self.rejected.contains(&release.content);
        if again && !matches!(kind, Kind::DiskFailsOn | Kind::DiskFull | Kind::DiskReadOnly | Kind::BitRot) {
            self.broke("law 5", format!("version {} was rolled back and is tried again", release.version));
        }
    }

    /// It is tried: all of it could be read. Law 5.
    pub fn tried(&mut self, hash: &str, faults: &Faults) {
        let Some(release) = self.world.known(hash) else { return };
        self.on_trial = Some(hash.to_owned());
        let kind = faults.state().kind;
        let applied = self.applied.entry(release.content).or_default();
        *applied += 1;
        let applied = *applied;
        // Trials of before are forgotten with everything else; once it was rolled back, its ban holds.
        let most = if kind == Kind::MemoryRots { 2 * TRIALS_MAX } else { TRIALS_MAX };
        if !release.good && applied > most {
            self.broke("law 5", format!("the bad version {} is tried {applied} times", release.version));
        }
    }

    /// This release is what boots, and what did so before it is the next.
    fn commit(&mut self, hash: Option<String>) {
        if self.committed != hash {
            self.previous = std::mem::replace(&mut self.committed, hash);
        }
    }

    /// Page and app were told.
    pub fn told(&mut self, event: &UpdateEvent, kind: Kind) {
        match event {
            UpdateEvent::Available { version, .. } => self.announced = Some(version.clone()),
            UpdateEvent::Staged { version } => self.moments.staged(version),
            UpdateEvent::Skipped { version } => self.promises.skip(version),
            UpdateEvent::Failed { reason } => {
                if reason.contains("is good, but that could not be stored") {
                    self.maybe = self.on_trial.take();
                    self.maybe.clone().into_iter().for_each(|hash| self.runs(&hash));
                }
                self.promises.failed();
            }
            UpdateEvent::Committed { .. } => {
                let committed = self.on_trial.take();
                self.commit(committed);
                // It is told once it is durable, and so is the floor.
                if let Some(hash) = self.committed.clone() {
                    self.starts.committed(&hash);
                    self.runs(&hash);
                    let release = self.world.known(&hash).map(|release| (release.channel, release.sequence));
                    release
                        .into_iter()
                        .for_each(|(channel, floor)| self.floor_is(channel, floor, Kind::BitRot));
                }
                self.promises.committed(kind.forgets());
            }
            UpdateEvent::Following { channel, pinned } => {
                let choice = Choice { channel: channel.clone(), pinned: pinned.clone() };
                let may_lack = lacks_other(self.world, self.day)
                    || matches!(kind, Kind::NetworkFailsOnce | Kind::NetworkFailsOn);
                if let Err(why) = self.choices.told(choice, self.promises.now_ms(), may_lack) {
                    self.broke("choice", why);
                }
            }
            UpdateEvent::RolledBack { version, .. } => {
                self.on_trial = None;
                let contents = self.world.releases.values().filter(|known| known.version == *version);
                self.rejected.extend(contents.map(|known| known.content));
                self.promises.ended();
            }
            _ => {}
        }
    }

    /// Whether a release may be waited for no longer: it is good, not given up, and nothing holds it up. Progress.
    pub fn is_due(&self, release: &Known) -> bool {
        let ended = self.ended_on_trial.get(&release.content).copied().unwrap_or_default();
        let rejected = self.rejected.contains(&release.content) || self.is_given_up(release);
        release.good && ended < TRIALS_MAX && !rejected
    }

    /// Whether this content may be banned for its starts.
    fn is_given_up(&self, release: &Known) -> bool {
        let mut same = self.world.releases.iter().filter(|(_, known)| known.content == release.content);
        same.any(|(hash, _)| self.starts.is_given_up(hash))
    }

    /// The process ended, by a fault or not, with these trials on disk; `quit` when the user had ended it before the fault.
    pub fn ended(&mut self, by_fault: bool, quit: bool, trials: &BTreeMap<String, u32>) {
        let on_trial = self.on_trial.take();
        self.starts.gone();
        // A trial that ends in order does not count, and one that a fault ends meanwhile need not.
        if let Some(release) = on_trial.as_deref().filter(|_| quit).and_then(|hash| self.world.known(hash)) {
            self.applied.entry(release.content).and_modify(|applied| *applied -= 1);
        }
        // A disk that refused to take note of such an end has it count.
        self.trials_are(trials);
        if !by_fault {
            return;
        }
        // What may have been committed before still may, until something boots.
        self.maybe = on_trial.or_else(|| self.maybe.take());
    }

    /// Trials as they are on disk when no process runs.
    pub fn trials_are(&mut self, trials: &BTreeMap<String, u32>) {
        for (hash, count) in trials {
            if let Some(release) = self.world.known(hash) {
                let ended = self.ended_on_trial.entry(release.content).or_default();
                *ended = (*ended).max(*count);
            }
        }
    }

    /// The app was started with this release, where these are banned by now. Laws 4 and 6.
    pub fn booted(&mut self, hash: &str, struck_now: bool, kind: Kind, is_banned: impl Fn(&str) -> bool) {
        let World { embedded, .. } = self.world;
        let Some(release) = self.world.known(hash) else {
            return self.broke("law 4", format!("{hash} was started and never released"));
        };
        let given_up = |hash: &String| is_banned(hash) && self.starts.is_given_up(hash);
        if self.committed.as_ref().is_some_and(given_up) {
            let given_up = std::mem::replace(&mut self.committed, self.previous.take());
            let known = given_up.and_then(|hash| self.world.known(&hash));
            self.rejected.extend(known.map(|known| known.content));
        }
        let expected = self.committed.as_ref().unwrap_or(embedded);
        let allowed = hash == expected || self.maybe.as_deref() == Some(hash);
        // Nobody knows any more what was good: the last resort starts, and nothing else.
        let forgotten = kind == Kind::MemoryRots && hash == embedded;
        let excused = kind == Kind::BitRot || forgotten || (struck_now && kind.refuses_writes());
        if !allowed && !excused {
            let expected = self.world.known(expected).map_or("?", |release| release.version.as_str());
            self.broke("law 6", format!("version {} was started where {expected} was good", release.version));
        }
        if !release.good && self.maybe.as_deref() != Some(hash) {
            self.broke("law 5", format!("the bad version {} was started", release.version));
        }
        if allowed || forgotten {
            self.commit((hash != embedded).then(|| hash.to_owned()));
        }
        self.maybe = None;
    }

    /// What was committed does not come up, and the app went on with this release. Law 6.
    pub fn fell_back(&mut self, hash: &str, struck_now: bool, kind: Kind, is_banned: impl Fn(&str) -> bool) {
        let next = self.previous.as_ref().filter(|previous| !is_banned(previous));
        let expected = next.unwrap_or(&self.world.embedded);
        let excused = kind.forgets() || (struck_now && kind.refuses_writes());
        if hash != expected && !excused {
            self.broke("law 6", format!("the app went on with {hash} where {expected} was good"));
        }
    }

    /// The floor of a channel as it is stored now. Law 5.
    pub fn floor_is(&mut self, channel: &'static str, floor: u64, kind: Kind) {
        let before = self.floors.get(channel).copied().unwrap_or_default();
        if floor < before && kind != Kind::BitRot {
            self.broke("law 5", format!("the floor of {channel} fell from {before} to {floor}"));
        }
        self.floors.insert(channel, floor.max(before));
    }

    /// Which bans are stored now: good releases are banned only when the app ended during their trials.
    pub fn bans_are<'a>(&mut self, banned: impl Iterator<Item = &'a String>) {
        for release in banned.filter_map(|hash| self.world.known(hash)) {
            let ended = self.ended_on_trial.get(&release.content).copied().unwrap_or_default();
            if release.good && ended < TRIALS_MAX && !self.is_given_up(release) {
                self.broke("progress", format!("the good version {} is banned", release.version));
            }
        }
    }
}
