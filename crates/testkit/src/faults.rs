//! Which fault strikes, and when.

use crate::chance::Chance;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Sorts of faults. The number of a sort is part of a seed: new ones go to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing goes wrong.
    None,
    /// Power fails.
    PowerFailure,
    /// Power fails, and again while the app recovers.
    PowerFailsTwice,
    /// The process is killed.
    Killed,
    /// A disk operation fails once.
    DiskFailsOnce,
    /// From then on, as long as this process lives, operations of this sort on this file fail.
    DiskFailsOn,
    /// The disk is full, as long as this process lives.
    DiskFull,
    /// Nothing can be written, as long as this process lives.
    DiskReadOnly,
    /// A bit of some stored file flips.
    BitRot,
    /// A request, or a piece of an answer, goes wrong in some way, once.
    NetworkFailsOnce,
    /// From then on everything over the network goes wrong in some way, as long as this process lives.
    NetworkFailsOn,
    /// The clock jumps.
    ClockJumps,
    /// Power fails after the process was killed somewhere before: what the dead one did not sync may be lost late.
    KilledThenPowerFailure,
    /// A bit flips in each copy of what the store remembers: nothing of that can be read any more.
    MemoryRots,
}

impl Kind {
    /// All of them; the place in here is the number.
    pub const ALL: [Self; 14] = [
        Self::None,
        Self::PowerFailure,
        Self::PowerFailsTwice,
        Self::Killed,
        Self::DiskFailsOnce,
        Self::DiskFailsOn,
        Self::DiskFull,
        Self::DiskReadOnly,
        Self::BitRot,
        Self::NetworkFailsOnce,
        Self::NetworkFailsOn,
        Self::ClockJumps,
        Self::KilledThenPowerFailure,
        Self::MemoryRots,
    ];

    /// Whether operations of the disk may fail, so that what was to be stored may not be.
    pub fn refuses_writes(self) -> bool {
        matches!(self, Self::DiskFailsOnce | Self::DiskFailsOn | Self::DiskFull | Self::DiskReadOnly)
    }

    /// Whether what the app was told may be forgotten.
    pub fn forgets(self) -> bool {
        matches!(self, Self::BitRot | Self::MemoryRots)
    }

    fn counts(self) -> Sort {
        match self {
            Self::NetworkFailsOnce | Self::NetworkFailsOn => Sort::Network,
            Self::ClockJumps => Sort::Clock,
            _ => Sort::Disk,
        }
    }
}

/// What an effect is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The disk.
    Disk,
    /// The network.
    Network,
    /// The clock.
    Clock,
}

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Power fails.
    Power,
    /// Only the process dies.
    Process,
}

/// The state of the faults of one schedule. Every effect is counted here.
#[derive(Debug)]
pub struct State {
    /// The sort of fault.
    pub kind: Kind,
    /// At which effect it strikes.
    pub at: u64,
    /// Effects of the counted sort so far.
    pub count: u64,
    /// Whether it has struck.
    pub struck: bool,
    /// Faults have stopped for good.
    pub stopped: bool,
    /// Set when the process ended by a fault; nothing it still does has an effect.
    pub dead: Option<End>,
    /// Effects since the process was started, and the one at which a second power failure strikes.
    second: Option<u64>,
    /// What `DiskFailsOn` refuses.
    pub refused: Option<(&'static str, String)>,
    /// The disk takes nothing as long as this process lives.
    pub shut: bool,
    /// The network is broken as long as this process lives, in this way.
    pub offline: Option<u64>,
    /// The file in which a bit has flipped.
    pub rotten: Option<String>,
    /// What came faster than the limit for downloads.
    pub too_fast: Option<String>,
    /// Jump of the clock in seconds.
    pub jump: i64,
    /// Chance for everything a fault leaves open.
    pub chance: Chance,
    /// What happened, when somebody wants to read it.
    pub trace: Option<Vec<String>>,
    /// Hash over all effects, for the proof that a seed replays.
    pub digest: u64,
}

/// What a part does with an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Go,
    /// It fails; the number leaves open in which way.
    Fail(u64),
    /// There is no room; half of it may have been done.
    Full,
    /// A bit flips somewhere, then it is done.
    Rot(u64),
    /// A bit flips in each copy of what the store remembers, then it is done.
    RotMemory(u64),
    /// The process is dead.
    Dead,
}

/// Shared by disk, network and clock of one schedule.
#[derive(Debug, Clone)]
pub struct Faults {
    state: Arc<Mutex<State>>,
    /// Told when the process dies.
    pub death: Arc<Notify>,
}

impl Faults {
    /// One fault of this kind at effect `at`.
    pub fn new(kind: Kind, at: u64, chance: Chance, traced: bool) -> Self {
        let state = State {
            kind,
            at,
            count: 0,
            struck: false,
            stopped: false,
            dead: None,
            second: None,
            refused: None,
            shut: false,
            offline: None,
            rotten: None,
            too_fast: None,
            jump: 0,
            chance,
            trace: traced.then(Vec::new),
            digest: 0,
        };
        Self { state: Arc::new(Mutex::new(state)), death: Arc::default() }
    }

    /// The state.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line into the trace, when there is one.
    pub fn note(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.state().trace {
            trace.push(line());
        }
    }

    /// Whether this process is dead.
    pub fn is_dead(&self) -> bool {
        self.state().dead.is_some()
    }

    /// A new process: what went wrong with the last one is over, except what has not struck yet.
    pub fn new_process(&self) {
        let mut state = self.state();
        state.dead = None;
        state.refused = None;
        state.shut = false;
        state.offline = None;
        let again = matches!(state.kind, Kind::PowerFailsTwice | Kind::KilledThenPowerFailure);
        if again && state.struck && state.second.is_none() {
            let limit = if state.kind == Kind::PowerFailsTwice { 40 } else { 400 };
            state.second = Some(state.count + 1 + state.chance.below(limit) as u64);
        }
    }

    /// No more faults.
    pub fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        state.jump = 0;
    }

    /// Counts an effect, and says what becomes of it. `writes` says whether it changes something.
    pub fn effect(&self, sort: Sort, what: &'static str, name: &str, writes: bool) -> Verdict {
        let mut state = self.state();
        if state.dead.is_some() {
            return Verdict::Dead;
        }
        for byte in what.bytes().chain(name.bytes()) {
            state.digest = (state.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        let verdict = state.judge(sort, what, name, writes);
        let count = state.count;
        if let Some(trace) = &mut state.trace {
            let mark = if verdict == Verdict::Go { String::new() } else { format!("  <== {verdict:?}") };
            trace.push(format!("{count:>5} {what} {name}{mark}"));
        }
        if verdict == Verdict::Dead {
            self.death.notify_one();
        }
        verdict
    }
}

impl State {
    /// The kind, as far as it excuses anything: of what the store remembers there are two copies, and a bit in one is harmless.
    pub fn excuse(&self) -> Kind {
        let of_memory = |name: &String| name.ends_with("/state") || name.ends_with("/state.copy");
        if self.rotten.as_ref().is_some_and(of_memory) { Kind::None } else { self.kind }
    }

    fn judge(&mut self, sort: Sort, what: &'static str, name: &str, writes: bool) -> Verdict {
        if self.stopped {
            return Verdict::Go;
        }
        if sort == self.kind.counts() {
            self.count += 1;
            if self.second == Some(self.count) {
                self.dead = Some(End::Power);
                return Verdict::Dead;
            }
            if self.count == self.at {
                return self.strike(what, name, writes);
            }
        }
        match sort {
            // The folder of last resort lies on another disk.
            Sort::Disk if self.shut && writes && !name.starts_with(crate::disk::PRIVATE) => {
                if self.kind == Kind::DiskFull { Verdict::Full } else { Verdict::Fail(0) }
            }
            Sort::Disk if self.refused.as_ref().is_some_and(|(op, path)| *op == what && path == name) => {
                Verdict::Fail(0)
            }
            Sort::Network => self.offline.map_or(Verdict::Go, Verdict::Fail),
            _ => Verdict::Go,
        }
    }

    fn strike(&mut self, what: &'static str, name: &str, writes: bool) -> Verdict {
        // Nothing is no fault: one schedule of it is all there is.
        self.struck = self.kind != Kind::None;
        match self.kind {
            Kind::None => Verdict::Go,
            Kind::PowerFailure | Kind::PowerFailsTwice => {
                self.dead = Some(End::Power);
                Verdict::Dead
            }
            Kind::Killed | Kind::KilledThenPowerFailure => {
                self.dead = Some(End::Process);
                Verdict::Dead
            }
            Kind::DiskFailsOnce => Verdict::Fail(0),
            Kind::DiskFailsOn => {
                self.refused = Some((what, name.to_owned()));
                Verdict::Fail(0)
            }
            Kind::DiskFull | Kind::DiskReadOnly => {
                self.shut = true;
                match self.kind {
                    _ if !writes => Verdict::Go,
                    Kind::DiskFull => Verdict::Full,
                    _ => Verdict::Fail(0),
                }
            }
            Kind::BitRot => Verdict::Rot(self.chance.number()),
            Kind::MemoryRots => Verdict::RotMemory(self.chance.number()),
            Kind::NetworkFailsOnce => Verdict::Fail(self.chance.number()),
            Kind::NetworkFailsOn => {
                let way = self.chance.number();
                self.offline = Some(way);
                Verdict::Fail(way)
            }
            Kind::ClockJumps => {
                let days = self.chance.one_of(&[-4_000, -366, -1, 1, 29, 31, 366, 4_000]);
                self.jump = days * 86_400;
                Verdict::Go
            }
        }
    }
}
