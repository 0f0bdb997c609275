//! One app's life from one seed.

mod boot;

use crate::chance::Chance;
use crate::choices::{Change, lacks_other};
use crate::disk::{Machine, STORE};
use crate::faults::{End, Faults, Kind, Sort};
use crate::host::{SimulatedHost, locked, now_ms};
use crate::lives::{Act, Life, calm, lives};
use crate::model::Model;
use crate::moments::Moments;
use crate::network::{Meter, SimulatedNetwork};
use crate::progress::must_be_committed;
use crate::starts::Start;
use crate::world::{OWN, Setting, World};
use boot::Booted;
use staysail_protocol::manifest::UpdateSource;
use staysail_protocol::worker::UpdateWish;
use staysail_update::engine::{Host, OnDemand, RateLimit, Surroundings};
use staysail_update::{Engine, EngineHandle, Release, Store};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Bits of a seed that say at which effect the fault strikes.
const AT_BITS: u32 = 14;
/// Bits of a seed that say which sort of fault strikes.
const KIND_BITS: u32 = 6;
/// Where the bits of a seed begin that say in which setting.
const SETTING_SHIFT: u32 = 61;
/// What those bits say.
const SETTINGS: [(Setting, u64); 6] = [
    (Setting::Plain, 0),
    (Setting::Starts, 1),
    (Setting::Channels, 2),
    (Setting::Moments, 3),
    (Setting::Terms, 4),
    (Setting::Waves, 6),
];
/// Starts in which the app must have come to the newest release once faults have stopped; where there are terms, with days
/// between them in which a look and a release can become overdue.
const STARTS_TO_PROGRESS_MAX: usize = 3;
const STARTS_TO_PROGRESS_WITH_TERMS_MAX: usize = 7;

/// No page that is loaded waits longer for a release that goes live with it.
const LOAD_WAITS_MAX_S: u64 = 5;

/// Which schedule: everything that happens in it follows from these four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed {
    /// What releases are like.
    pub setting: Setting,
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
        let setting = SETTINGS.iter().find(|(setting, _)| *setting == self.setting);
        setting.map_or(0, |(_, bits)| bits << SETTING_SHIFT)
            | (self.scenario << (AT_BITS + KIND_BITS))
            | (kind << AT_BITS)
            | self.at.min((1 << AT_BITS) - 1)
    }

    /// From the number.
    pub fn from_number(number: u64) -> Self {
        let kind = (number >> AT_BITS) & ((1 << KIND_BITS) - 1);
        Self {
            setting: SETTINGS
                .iter()
                .find(|(_, bits)| *bits == number >> SETTING_SHIFT)
                .map_or(Setting::Plain, |(setting, _)| *setting),
            scenario: (number & ((1 << SETTING_SHIFT) - 1)) >> (AT_BITS + KIND_BITS),
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

/// What one process of the app has.
struct Process<'a> {
    life: &'a Life,
    started: (u64, Instant),
    rate: RateLimit,
    meter: Meter,
}

struct Simulation {
    seed: Seed,
    world: &'static World,
    faults: Faults,
    machine: Machine,
    model: Arc<Mutex<Model>>,
    /// Simulated milliseconds since [`World::epoch`].
    now: u64,
}

/// Runs one schedule. With `traced` the outcome says what happened.
pub fn run(seed: Seed, traced: bool) -> Outcome {
    let faults = Faults::new(seed.kind, seed.at, Chance::new(seed.number()), traced);
    let machine = Machine::new(faults.clone());
    let world = World::of(seed.setting, seed.scenario);
    let model = Arc::new(Mutex::new(Model::new(world)));
    let mut simulation = Simulation { seed, world, faults: faults.clone(), machine, model, now: 0 };
    for mut life in lives(seed.setting, seed.scenario) {
        simulation.live(&life);
        life.pause_s = 0;
        // A process that died is started again before anything else happens.
        for _ in 0..4 {
            if !simulation.died() {
                break;
            }
            simulation.live(&life);
        }
    }
    simulation.progress();
    let mut broken = locked(&simulation.model).broken.take();
    broken = broken.or_else(|| faults.state().too_fast.take().map(|how| format!("rate: {how}")));
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
        let (newest, plain) = (&self.world.newest, !self.seed.setting.has_terms());
        let starts = if plain { STARTS_TO_PROGRESS_MAX } else { STARTS_TO_PROGRESS_WITH_TERMS_MAX };
        let version = &self.world.releases[newest].version;
        for _ in 0..starts {
            let mut life = calm(self.seed.setting);
            if self.looks().state().postponed.skipped.contains(version) {
                // Whom nobody asks again is not given what was not wanted.
                life.acts.insert(0, (1, Act::Now));
            }
            self.live(&life);
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
    fn live(&mut self, life: &Life) {
        let end = self.faults.state().dead;
        if let Some(end) = end {
            self.machine.after(end);
            // Power may have failed before a verdict was durable that was already to be seen.
            locked(&self.model).trials_are(&self.looks().state().trials);
        }
        self.now += life.pause_s * 1_000;
        self.faults.new_process();
        self.faults.note(|| format!("--- start, {life:?}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without threads can be made");
        let started = self.now;
        let elapsed = runtime.block_on(async {
            let start = Instant::now();
            let death = Arc::clone(&self.faults.death);
            // The death of a process before this one, which ended before it could be told.
            let _ = tokio::time::timeout(Duration::ZERO, death.notified()).await;
            tokio::select! {
                biased;
                () = death.notified() => {}
                () = self.app(life, (started, start)) => {}
            }
            start.elapsed()
        });
        drop(runtime);
        self.now += u64::try_from(elapsed.as_millis()).unwrap_or_default();
        let dead = self.faults.state().dead;
        let by_fault = dead.is_some();
        let trials = self.looks().state().trials;
        let quit = life.orderly && elapsed >= Duration::from_secs(life.seconds);
        locked(&self.model).ended(by_fault || !life.orderly, quit, &trials);
        if !by_fault && !life.orderly {
            self.machine.after(End::Process);
        }
    }

    /// The store, to be looked at without an effect.
    fn looks(&self) -> Store {
        Store::open_on(Path::new(STORE), self.machine.onlooker()).expect("nothing but a folder has this name")
    }

    async fn app(&self, life: &Life, started: (u64, Instant)) {
        let disk = self.machine.process();
        let Ok(store) = Store::open_on(Path::new(STORE), disk) else { return };
        let Some(Booted { release: current, start }) = self.start(&store, life) else { return };
        self.starts(&current, life.day, started);
        if let Some(start) = start.as_ref().filter(|_| life.start == Start::Up) {
            self.watch(start, current.hash());
        }
        let host = Arc::new(SimulatedHost {
            model: Arc::clone(&self.model),
            faults: self.faults.clone(),
            disk: self.machine.onlooker(),
            looks: self.looks(),
            life: life.clone(),
            busy: AtomicBool::new(life.busy),
            live: Mutex::default(),
            started,
        });
        let process = Process { life, started, rate: RateLimit::default(), meter: Meter::default() };
        let pages = OnDemand::new_in(store.clone(), &self.surroundings(&process, None));
        let engine = Engine::start_in(
            store,
            UpdateSource { url: "simulated://".into(), check_interval_s: 3_600, ..UpdateSource::default() },
            self.world.root.clone(),
            current.clone(),
            Arc::clone(&host) as Arc<dyn Host>,
            self.surroundings(&process, Some(Arc::clone(&self.model))),
        );
        let end = started.1 + Duration::from_secs(life.seconds);
        let mut loads = Vec::new();
        for (at_s, act) in life.acts.iter().filter(|(at_s, _)| *at_s < life.seconds) {
            let at = started.1 + Duration::from_secs(*at_s);
            if at > Instant::now() {
                tokio::time::sleep_until(at).await;
            }
            self.faults.note(|| format!("      the user: {act:?}"));
            if *act == Act::Files {
                let live = locked(&host.live).clone().unwrap_or_else(|| current.clone());
                let _ = tokio::time::timeout_at(end, self.files(&pages, &live)).await;
            } else if *act == Act::Load {
                host.model_now().moments.loads(now_ms(started));
                loads.extend(engine.page_loads().map(|load| (*at_s, load)));
            } else {
                self.act(*act, &process, &engine, &host);
            }
        }
        tokio::time::sleep_until(end).await;
        for (at_s, mut load) in loads {
            let waits = load.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty);
            if waits && at_s + LOAD_WAITS_MAX_S < life.seconds {
                locked(&self.model).broke("progress", "a page that is loaded is let wait for ever");
            }
        }
        self.taken(life, started);
        if life.orderly {
            engine.shut_down();
            // The driver takes note of it.
            tokio::time::sleep(Duration::from_millis(1)).await;
            start.iter().for_each(|start| start.ended());
            if !self.died() {
                let starts = &mut locked(&self.model).starts;
                if start.is_some() && life.is_shown() {
                    starts.good(current.hash());
                } else {
                    starts.over();
                }
            }
        }
    }

    /// The model is told of a new process.
    fn starts(&self, current: &Release, day: usize, (started, _): (u64, Instant)) {
        let kind = self.faults.state().kind;
        let mut model = locked(&self.model);
        (model.started_with, model.announced) = (Some(current.hash().to_owned()), None);
        model.said_now = false;
        model.moments = Moments::default();
        if let Some(running) = model.running() {
            let forgetful = kind.refuses_writes() || kind.forgets();
            model.promises.started(running, started, forgetful, kind == Kind::ClockJumps);
            let network = matches!(kind, Kind::NetworkFailsOnce | Kind::NetworkFailsOn);
            let lacked = network || lacks_other(model.world, model.day);
            model.choices.started(forgetful, lacked);
        }
        (model.current, model.day) = (model.started_with.clone(), day);
    }

    fn act(&self, act: Act, process: &Process<'_>, engine: &EngineHandle, host: &SimulatedHost) {
        let mut model = host.model_now();
        let wish = match act {
            Act::Now => {
                model.promises.now();
                model.said_now = true;
                UpdateWish::Apply
            }
            Act::Later(seconds) => {
                model.promises.later(seconds);
                UpdateWish::Defer { seconds }
            }
            // The model hears of it with everybody else, once it is stored.
            Act::Skip => {
                model.promises.never();
                let newest =
                    self.world.known(&self.world.of_day[process.life.day]).map(|known| known.version.clone());
                UpdateWish::Skip { version: model.announced.clone().or(newest).unwrap_or_default() }
            }
            Act::Look => {
                model.promises.look();
                UpdateWish::Check
            }
            Act::Archive(day) => {
                model.promises.given();
                return engine.apply_archive(self.world.archive(day));
            }
            Act::Follow(channel) => {
                let channel = channel.map(str::to_owned);
                let followed = channel.clone().unwrap_or_else(|| OWN.to_owned());
                model.choices.say(Change::Follow(followed));
                UpdateWish::Follow { channel }
            }
            Act::Pin(version) => {
                let version = version.map(str::to_owned);
                model.choices.say(Change::Pin(version.clone()));
                UpdateWish::Pin { version }
            }
            Act::Rate(bytes_per_s_max) => {
                // Before any time has passed nothing is on its way.
                process.meter.limit(bytes_per_s_max, Instant::now() > process.started.1);
                UpdateWish::DownloadRate { bytes_per_s_max }
            }
            Act::Files | Act::Load => return,
        };
        engine.wish(wish);
    }

    /// The page asks for the files of a group: what comes is what was released (law 3), and it comes when nothing is wrong.
    async fn files(&self, pages: &OnDemand, live: &Release) {
        let Some(known) = self.world.known(live.hash()) else { return };
        for (path, content) in &known.group {
            let Some((_, entry)) = live.on_demand(path) else { continue };
            let brought = pages.file(live, entry).await;
            self.faults.note(|| format!("      {path}: {:?}", brought.as_ref().map(Vec::len)));
            let undisturbed = {
                let state = self.faults.state();
                !state.struck || state.stopped
            };
            match brought {
                Ok(brought) if brought != *content => {
                    locked(&self.model)
                        .broke("law 3", format!("{path} of {} is another file", known.version));
                }
                Err(error) if undisturbed => {
                    locked(&self.model).broke("progress", format!("{path} can not be had: {error}"));
                }
                _ => {}
            }
        }
    }

    /// A life ends: what nothing held up was taken.
    fn taken(&self, life: &Life, started: (u64, Instant)) {
        if self.faults.state().struck {
            return;
        }
        let stored = self.looks().state();
        let (skipped, later_s) = (stored.postponed.skipped, stored.postponed.later_s);
        let began_s = self.world.epoch.as_second() + (started.0 / 1_000) as i64;
        let put_off = later_s.is_some_and(|(_, until_s)| until_s >= began_s);
        let mut model = locked(&self.model);
        let time = [started.0, now_ms(started)];
        if let Some((hash, why)) =
            must_be_committed(&model, life, time, |version| skipped.contains(version), put_off)
            && model.committed.as_deref() != Some(hash)
        {
            model.broke("progress", format!("{why}, and it is not taken"));
        }
    }

    fn surroundings(&self, process: &Process<'_>, model: Option<Arc<Mutex<Model>>>) -> Surroundings {
        let (life, started) = (process.life, process.started);
        let (faults, epoch) = (self.faults.clone(), self.world.epoch);
        let told = model.clone();
        let clock = move || {
            let _ = faults.effect(Sort::Clock, "clock", "", false);
            let now = now_ms(started);
            let seconds = (now / 1_000) as i64 + faults.state().jump;
            let now_s = epoch.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(epoch);
            if let Some(model) = &told {
                locked(model).promises.reading(now, now_s.as_second());
            }
            now_s
        };
        let network =
            SimulatedNetwork::new(self.faults.clone(), self.world, life.day, model, process.meter.clone());
        Surroundings {
            clock: Arc::new(clock),
            chance: || 128,
            network: Arc::new(network),
            rate: process.rate.clone(),
        }
    }
}
