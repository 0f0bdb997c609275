//! What happens to the app of a scenario if nothing goes wrong: its lives, one after the other, and what the user does in them.

use crate::chance::Chance;
use crate::channels::OTHER;
use crate::circumstances::Circumstances;
use crate::host::Fails;
use crate::starts::{SHOWN_S, Start};
use crate::world::{DAYS, Setting};

/// What a user does while the app runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Now.
    Now,
    /// Later, for so many seconds.
    Later(u64),
    /// Not this version: the one announced last, or the newest one.
    Skip,
    /// Look for a release.
    Look,
    /// The repository of this day as a file (`--apply FILE`).
    Archive(usize),
    /// The page asks for the files of an asset group.
    Files,
    /// Follow this channel, or the app's own.
    Follow(Option<&'static str>),
    /// Stay at this version, or at none.
    Pin(Option<&'static str>),
    /// Nothing comes faster than so many bytes per second, or everything as fast as it can.
    Rate(Option<u64>),
    /// A window loads its page.
    Load,
}

/// A start of the app until its end, as the scenario has it.
#[derive(Debug, Clone)]
pub struct Life {
    /// The repository's day.
    pub day: usize,
    /// How long it lasts if nothing happens.
    pub seconds: u64,
    /// Whether it ends in order.
    pub orderly: bool,
    /// How bad releases fail.
    pub fails: Fails,
    /// What was put on the machine first is refused once: a backend that can not hand its state over yet.
    pub busy: bool,
    /// What the user does, and after how many seconds.
    pub acts: Vec<(u64, Act)>,
    /// At its start, and from a later second on.
    pub circumstances: (Circumstances, Option<(u64, Circumstances)>),
    /// How what boots takes its start.
    pub start: Start,
    /// Seconds in which the app does not run, before it is started.
    pub pause_s: u64,
}

/// How most starts go, where they are not seen to fail.
const MOSTLY_UP: [Start; 6] = [Start::Up, Start::Up, Start::Up, Start::Up, Start::Up, Start::NotShown];

impl Life {
    /// Whether what was started is shown before it ends.
    pub fn is_shown(&self) -> bool {
        self.start == Start::Up && self.seconds > SHOWN_S
    }

    /// What holds after so many seconds, and for how many it has held.
    pub fn circumstances_at(&self, second: u64) -> (&Circumstances, u64) {
        match &self.circumstances {
            (_, Some((from, later))) if second >= *from => (later, second - from),
            (first, _) => (first, second),
        }
    }
}

/// The lives of a scenario.
pub fn lives(setting: Setting, scenario: u64) -> Vec<Life> {
    match setting {
        Setting::Plain => plain(scenario),
        Setting::Terms => with_terms(scenario),
        Setting::Channels => with_channels(scenario),
        Setting::Waves => in_waves(scenario),
        Setting::Starts => with_starts(scenario),
        Setting::Moments => with_moments(scenario),
    }
}

fn plain(scenario: u64) -> Vec<Life> {
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
                start: Start::Up,
                acts: (chance.below(5) == 0).then_some((0, Act::Later(30))).into_iter().collect(),
                busy: false,
                circumstances: (Circumstances::quiet(), None),
                pause_s: 0,
            }
        })
        .collect()
}

/// The last life again, a day later.
fn plain_and_one_more(scenario: u64) -> Vec<Life> {
    let mut lives = plain(scenario);
    let more = lives.last().map(|last| Life { day: (last.day + 1).min(DAYS - 2), ..last.clone() });
    lives.extend(more);
    lives
}

/// As where releases are taken as they come, with one more life, and now and then the user says now.
fn in_waves(scenario: u64) -> Vec<Life> {
    let mut chance = Chance::new(scenario ^ 0x3A7E_5A11);
    let mut lives = plain_and_one_more(scenario ^ 0x3A7E);
    for life in &mut lives {
        match chance.below(6) {
            0 => life.acts = vec![(1, Act::Now), (2, Act::Look)],
            // What was found is still waiting when the app ends.
            1 => (life.acts, life.seconds) = (vec![(0, Act::Later(100_000))], chance.one_of(&[8, 40])),
            _ => {}
        }
    }
    lives
}

/// Long lives in which something is taken over, and after each of them some in which what was taken over does harm.
fn with_starts(scenario: u64) -> Vec<Life> {
    let mut chance = Chance::new(scenario ^ 0x57A4_5A11);
    let (mut day, mut lives) = (1, Vec::new());
    for counts in [[0, 1, 2, 4], [3, 4, 5, 7]] {
        let long = Life { day, ..calm(Setting::Starts) };
        lives.push(Life { orderly: chance.coin(), ..long.clone() });
        let fails = chance.below(4) == 0;
        for _ in 0..chance.one_of(&counts) {
            let start = if fails { Start::Fails } else { chance.one_of(&MOSTLY_UP) };
            // Gone before it was shown, just after that, or long after it has proven itself.
            let seconds = chance.one_of(&[0, 2, 2, 2, 8, 8, 8, 40]);
            let orderly = start != Start::Up || chance.below(8) == 0;
            lives.push(Life { start, seconds, orderly, ..long.clone() });
        }
        day = (day + 1 + chance.below(3)).min(DAYS - 2);
    }
    lives
}

/// As where releases are taken as they come, with one more life, and now and then a page is loaded, and the user does not wait
/// for that.
fn with_moments(scenario: u64) -> Vec<Life> {
    let mut chance = Chance::new(scenario ^ 0x70AD_5A11);
    let mut lives = plain_and_one_more(scenario ^ 0x70AD);
    for life in &mut lives {
        life.busy = chance.below(6) == 0;
        let mut acts: Vec<_> = (0..chance.below(4))
            .map(|_| {
                let act = match chance.below(8) {
                    0 => Act::Now,
                    1 => Act::Look,
                    2 => Act::Later(30),
                    _ => Act::Load,
                };
                (chance.one_of(&[0, 1, 2, 6, 20, 60, 330]), act)
            })
            .collect();
        acts.sort_by_key(|(at, _)| *at);
        life.acts = acts;
    }
    lives
}

fn with_terms(scenario: u64) -> Vec<Life> {
    let mut chance = Chance::new(scenario ^ 0x7E12_5A11);
    let mut day = chance.below(2);
    (0..3 + chance.below(2))
        .map(|_| {
            day = (day + chance.below(3)).min(DAYS - 2);
            let seconds = chance.one_of(&[400, 400, 8, 40, 1_000]);
            let mut acts: Vec<_> = (0..chance.below(3))
                .map(|_| (chance.one_of(&[0, 1, 5, 70, 200]), act(&mut chance, day)))
                .collect();
            acts.sort_by_key(|(at, _)| *at);
            let first = Circumstances::chosen(&mut chance);
            let changes = chance.below(3) == 0;
            let then = changes.then(|| (chance.one_of(&[3, 35, 150]), Circumstances::chosen(&mut chance)));
            Life {
                day,
                seconds,
                orderly: chance.coin(),
                fails: chance.one_of(&[Fails::Starting, Fails::OnProbation]),
                busy: chance.below(6) == 0,
                start: Start::Up,
                acts,
                circumstances: (first, then),
                // Minutes to days, over the night in which clocks change.
                pause_s: chance.one_of(&[60, 7_000, 20_000, 50_000, 90_000, 200_000]),
            }
        })
        .collect()
}

fn act(chance: &mut Chance, day: usize) -> Act {
    match chance.below(8) {
        0 => Act::Now,
        1 => Act::Later(30),
        2 => Act::Later(100_000),
        3 => Act::Skip,
        4 => Act::Look,
        5 => Act::Archive(chance.below(day + 1)),
        6 => Act::Archive(day),
        _ => Act::Files,
    }
}

fn with_channels(scenario: u64) -> Vec<Life> {
    let mut chance = Chance::new(scenario ^ 0xC4A2_5A11);
    let mut day = chance.below(3);
    (0..3 + chance.below(2))
        .map(|_| {
            day = (day + chance.below(3)).min(DAYS - 2);
            let mut acts: Vec<_> = (0..chance.below(4))
                .map(|_| (chance.one_of(&[0, 0, 1, 5, 70, 200]), choice(&mut chance, day)))
                .collect();
            acts.sort_by_key(|(at, _)| *at);
            let first =
                if chance.coin() { Circumstances::quiet() } else { Circumstances::chosen(&mut chance) };
            Life {
                day,
                seconds: chance.one_of(&[600, 400, 8, 40]),
                orderly: chance.coin(),
                fails: chance.one_of(&[Fails::Starting, Fails::OnProbation]),
                busy: chance.below(8) == 0,
                start: Start::Up,
                acts,
                circumstances: (first, None),
                pause_s: chance.one_of(&[0, 60, 7_000, 50_000, 200_000]),
            }
        })
        .collect()
}

fn choice(chance: &mut Chance, day: usize) -> Act {
    match chance.below(12) {
        0..=2 => Act::Follow(Some(OTHER)),
        3 => Act::Follow(None),
        4 | 5 => Act::Pin(Some(chance.one_of(&["1.1.x", "1.2.0", "1.3.x", "1.4.x", "1.6.x", "1.x"]))),
        6 => Act::Pin(None),
        7 => Act::Rate(chance.one_of(&[None, Some(1_024), Some(3_000)])),
        8 => Act::Files,
        9 => Act::Later(chance.one_of(&[30, 100_000])),
        10 => Act::Archive(chance.below(day + 1)),
        _ => Act::Look,
    }
}

/// A life in which nothing goes wrong and nobody is there, and nothing but days and quiet lets a release pass.
pub fn calm(setting: Setting) -> Life {
    let (acts, pause_s) = match setting {
        Setting::Plain | Setting::Starts => (Vec::new(), 0),
        Setting::Moments => (vec![(300, Act::Load)], 0),
        // Longer than the user had put it off.
        Setting::Waves => (Vec::new(), 2 * 86_400),
        Setting::Terms => (vec![(300, Act::Files)], 8 * 86_400),
        Setting::Channels => {
            (vec![(0, Act::Pin(None)), (0, Act::Follow(None)), (300, Act::Files)], 2 * 86_400)
        }
    };
    Life {
        day: DAYS - 1,
        seconds: 600,
        orderly: true,
        fails: Fails::OnProbation,
        busy: false,
        start: Start::Up,
        acts,
        circumstances: (Circumstances::quiet(), None),
        pause_s,
    }
}
