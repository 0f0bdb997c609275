//! One app's life from one seed.

use crate::chance::Chance;
use crate::disk::{Machine, STORE};
use crate::faults::{End, Faults, Kind};
use crate::host::{Fails, SimulatedHost, locked, look_at};
use crate::model::Model;
use crate::network::SimulatedNetwork;
use crate::world::{DAYS, EPOCH, World};
use staysail_protocol::manifest::UpdateSource;
use staysail_protocol::worker::UpdateWish;
use staysail_update::engine::{Host, RateLimit, Surroundings};
use staysail_update::{Engine, Release, Store};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Bits of a seed that say at which effect the fault strikes.
const AT_BITS: u32 = 14;
/// Bits of a seed that say which sort of fault strikes.
const KIND_BITS: u32 = 6;
/// Starts in which the app must have come to the newest release once faults have stopped.
const STARTS_TO_PROGRESS_MAX: usize = 3;

/// Which schedule: everything that happens in it follows from these three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed {
    /// What happens to the app if nothing goes wrong.
    pub scenario: u64,
    /// What goes wrong.
    pub kind: Kind,
    /// At which effect, from 1.
    pub at: u64,
}

impl Seed {
    /// As one number.
    pub fn number(self) -> u64 {
        let kind = Kind::ALL.iter().position(|kind| *kind == self.kind).unwrap_or_default() as u64;
        (self.scenario << (AT_BITS + KIND_BITS)) | (kind << AT_BITS) | self.at.min((1 << AT_BITS) - 1)
    }

    /// From the number.
    pub fn from_number(number: u64) -> Self {
        let kind = (number >> AT_BITS) & ((1 << KIND_BITS) - 1);
        Self {
            scenario: number >> (AT_BITS + KIND_BITS),
            kind: Kind::ALL.get(kind as usize).copied().unwrap_or(Kind::None),
            at: number & ((1 << AT_BITS) - 1),
        }
    }
}

/// How a schedule went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the fault struck.
    pub struck: bool,
    /// The law that was broken, if one was.
    pub broken: Option<String>,
    /// What happened, when it was asked for.
    pub trace: Vec<String>,
    /// Hash over all effects.
    pub digest: u64,
}

/// A start of the app until its end, as the scenario has it.
#[derive(Debug, Clone, Copy)]
struct Life {
    /// The repository's day.
    day: usize,
    /// How long it lasts if nothing happens.
    seconds: u64,
    /// Whether it ends in order.
    orderly: bool,
    fails: Fails,
    /// The user says: later.
    deferred: bool,
}

/// The lives of a scenario.
fn lives(scenario: u64) -> Vec<Life> {
    let mut chance = Chance::new(scenario ^ 0x57A7_5A11);
    let mut day = chance.below(2);
    (0..2 + chance.below(2))
        .map(|_| {
            day = (day + chance.below(3)).min(DAYS - 2);
            Life {
                day,
                // The middle one ends while a release is on probation.
                seconds: chance.one_of(&[600, 8, 4_000, 40]),
                orderly: chance.coin(),
                fails: chance.one_of(&[Fails::Starting, Fails::OnProbation]),
                deferred: chance.below(5) == 0,
            }
        })
        .collect()
}

struct Simulation {
    faults: Faults,
    machine: Machine,
    model: Arc<Mutex<Model>>,
    /// Simulated milliseconds since [`EPOCH`].
    now: u64,
}

/// Runs one schedule. With `traced` the outcome says what happened.
pub fn run(seed: Seed, traced: bool) -> Outcome {
    let faults = Faults::new(seed.kind, seed.at, Chance::new(seed.number()), traced);
    let machine = Machine::new(faults.clone());
    let mut simulation = Simulation { faults: faults.clone(), machine, model: Arc::default(), now: 0 };
    for life in lives(seed.scenario) {
        simulation.live(life);
        // A process that died is started again before anything else happens.
        for _ in 0..4 {
            if !simulation.died() {
                break;
            }
            simulation.live(life);
        }
    }
    simulation.progress();
    let broken = locked(&simulation.model).broken.take();
    let mut state = faults.state();
    let trace = state.trace.take().unwrap_or_default();
    Outcome { struck: state.struck, broken, trace, digest: state.digest }
}

impl Simulation {
    /// Whether the last process was ended by a fault.
    fn died(&self) -> bool {
        self.faults.is_dead()
    }

    /// No more faults: the newest good release must come to be what runs and boots.
    fn progress(&mut self) {
        let end = self.faults.state().dead;
        if let Some(end) = end {
            self.machine.after(end);
        }
        self.faults.stop();
        self.faults.note(|| "--- faults have stopped".into());
        let newest = &World::get().newest;
        let life =
            Life { day: DAYS - 1, seconds: 600, orderly: true, fails: Fails::OnProbation, deferred: false };
        for _ in 0..STARTS_TO_PROGRESS_MAX {
            self.live(life);
            if locked(&self.model).committed.as_ref() == Some(newest) {
                break;
            }
        }
        let disk = self.machine.process();
        let store = Store::open_on(Path::new(STORE), disk);
        if let Ok(store) = store {
            self.boot(&store);
        }
        let mut model = locked(&self.model);
        if model.committed.as_ref() != Some(newest) {
            model.broke("progress", "the newest release is not the one that boots");
        }
        drop(model);
        let left = self
            .machine
            .names()
            .into_iter()
            .filter(|name| name.starts_with(STORE) && name.ends_with(".tmp"))
            .collect::<Vec<_>>();
        if !left.is_empty() {
            locked(&self.model).broke("law 8", format!("files are left over for ever: {left:?}"));
        }
    }

    /// Starts the app, and lets it run to its end.
    fn live(&mut self, life: Life) {
        let end = self.faults.state().dead;
        if let Some(end) = end {
            self.machine.after(end);
            // Power may have failed before a verdict was durable that was already to be seen.
            locked(&self.model).trials_are(&self.looks().state().trials);
        }
        self.faults.new_process();
        self.faults.note(|| format!("--- start, {life:?}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without threads can be made");
        let started = self.now;
        let elapsed = runtime.block_on(async {
            let start = tokio::time::Instant::now();
            let death = Arc::clone(&self.faults.death);
            tokio::select! {
                biased;
                () = death.notified() => {}
                () = self.app(life, started) => {}
            }
            start.elapsed()
        });
        drop(runtime);
        self.now += u64::try_from(elapsed.as_millis()).unwrap_or_default();
        let dead = self.faults.state().dead;
        let by_fault = dead.is_some();
        let trials = self.looks().state().trials;
        locked(&self.model).ended(by_fault || !life.orderly, &trials);
        if !by_fault && !life.orderly {
            self.machine.after(End::Process);
        }
    }

    /// The store, to be looked at without an effect.
    fn looks(&self) -> Store {
        Store::open_on(Path::new(STORE), self.machine.onlooker()).expect("nothing but a folder has this name")
    }

    async fn app(&self, life: Life, started: u64) {
        let disk = self.machine.process();
        let Ok(store) = Store::open_on(Path::new(STORE), disk) else { return };
        let Some(current) = self.boot(&store) else { return };
        let host = Arc::new(SimulatedHost {
            model: Arc::clone(&self.model),
            faults: self.faults.clone(),
            disk: self.machine.onlooker(),
            looks: self.looks(),
            fails: life.fails,
            live: Mutex::default(),
        });
        let engine = Engine::start_in(
            store,
            UpdateSource { url: "simulated://".into(), check_interval_s: 3_600, ..UpdateSource::default() },
            World::get().root.clone(),
            current,
            Arc::clone(&host) as Arc<dyn Host>,
            self.surroundings(life, started),
        );
        if life.deferred {
            engine.wish(UpdateWish::Defer { seconds: 30 });
        }
        tokio::time::sleep(Duration::from_secs(life.seconds)).await;
        if life.orderly {
            engine.shut_down();
            // The driver takes note of it.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Starts what boots, and looks at every byte of it. Law 4: something always does.
    fn boot(&self, store: &Store) -> Option<Release> {
        let world = World::get();
        let embedded = match store.embed(&world.attached) {
            Ok(embedded) => embedded,
            Err(error) => {
                locked(&self.model).broke("law 4", format!("nothing starts: {error}"));
                return None;
            }
        };
        let boot = store.boot(&embedded, Some(&world.root));
        if self.died() {
            return None;
        }
        self.faults
            .note(|| format!("      boots {} ({:?})", boot.release.manifest().version, boot.fallback_reason));
        let (kind, struck) = {
            let state = self.faults.state();
            (state.kind, state.struck && !state.stopped)
        };
        locked(&self.model).booted(boot.release.hash(), struck, kind);
        let looks = self.machine.onlooker();
        let looked = look_at(&boot.release, &*looks, &self.model);
        let struck = {
            let state = self.faults.state();
            state.struck && !state.stopped
        };
        match looked {
            Err(_) if self.died() => None,
            // The disk refuses what it gave a moment ago: the shell falls back to the version of last resort.
            Err(_)
                if !boot.release.is_embedded()
                    && struck
                    && (kind.refuses_writes() || kind == Kind::BitRot) =>
            {
                let looked = look_at(&embedded, &*looks, &self.model);
                if let Err(error) = looked {
                    locked(&self.model).broke("law 4", format!("the version of last resort: {error}"));
                }
                Some(embedded)
            }
            Err(error) => {
                locked(&self.model).broke("law 4", format!("what boots can not be read: {error}"));
                None
            }
            Ok(()) => Some(boot.release),
        }
    }

    fn surroundings(&self, life: Life, started: u64) -> Surroundings {
        let (faults, start) = (self.faults.clone(), tokio::time::Instant::now());
        let epoch: jiff::Timestamp = EPOCH.parse().expect("a time");
        let clock = move || {
            let _ = faults.effect(crate::faults::Sort::Clock, "clock", "", false);
            let seconds = (started / 1_000) as i64 + start.elapsed().as_secs() as i64 + faults.state().jump;
            epoch.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(epoch)
        };
        Surroundings {
            clock: Arc::new(clock),
            chance: || 128,
            network: Arc::new(SimulatedNetwork::new(self.faults.clone(), life.day)),
            rate: RateLimit::default(),
        }
    }
}
