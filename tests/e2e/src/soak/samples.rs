//! What the processes of an app take, sampled all along, and whether it grew.
//!
//! # Theory of operation
//! Memory goes up and down by itself: garbage is collected when it suits the engine, allocators keep what they may
//! need again. So single values say nothing. The first part of a run is left out; of the rest the median of the first
//! tenth is held against the median of the last one, with a named tolerance. Memory is what a process made itself
//! ([`Process::memory_kb`]): its share of WebKit's libraries depends on what else runs on the machine.

use crate::processes::Process;
use crate::stage::Stage;
use serde_json::{Value, json};
use std::time::Instant;

/// This part of a run warms up and is left out.
const WARM_UP: f64 = 0.1;
/// This part of what is left is compared at both ends.
const PART: f64 = 0.1;

/// One thing that is sampled, and how much it may grow: by a part of itself and by a fixed amount.
pub struct Quantity {
    name: &'static str,
    unit: &'static str,
    part: f64,
    plus: f64,
}

const fn memory(name: &'static str, part: f64, plus: f64) -> Quantity {
    Quantity { name, unit: "MB", part, plus }
}

const fn number(name: &'static str, plus: f64) -> Quantity {
    Quantity { name, unit: "", part: 0.0, plus }
}

/// In the order of [`sample`].
pub const QUANTITIES: [Quantity; 10] = [
    memory("memory of the shell", 0.05, 4.0),
    memory("memory of the worker", 0.10, 2.0),
    // A heap that is collected when its engine likes.
    memory("memory of the web process", 0.10, 24.0),
    memory("memory of the network process", 0.10, 6.0),
    number("handles of the shell", 4.0),
    number("handles of the worker", 2.0),
    number("handles of the web process", 4.0),
    number("threads of the shell", 2.0),
    number("threads of the worker", 8.0),
    // A worker that is just being retired.
    number("processes", 1.0),
];

/// Everything sampled so far.
pub struct Samples {
    begun: Instant,
    all: Vec<(f64, [f64; QUANTITIES.len()])>,
}

/// What became of one quantity.
pub struct Verdict {
    quantity: &'static Quantity,
    first: f64,
    last: f64,
    limit: f64,
}

impl Default for Samples {
    fn default() -> Self {
        Self { begun: Instant::now(), all: Vec::new() }
    }
}

impl Samples {
    /// Takes one. `worker` is part of the path of the worker that is live.
    pub fn take(&mut self, stage: &Stage, shell: i32, worker: &str) {
        let all = crate::processes::descendants(stage.mark(), shell);
        // The guardian beside each worker has the shell's executable.
        let live = all.iter().find(|process| process.executable().contains(worker));
        let named = |name: &str| all.iter().find(|process| process.executable().contains(name));
        let (web, network) = (named("WebKitWebProcess"), named("WebKitNetworkProcess"));
        let Some(shell) = crate::processes::one(shell) else { return };
        // In the middle of a swap, or of a page's start, one of them is not to be seen: the next sample will do.
        let (Some(live), Some(web)) = (live, web) else { return };
        let megabytes = |process: &Process| process.memory_kb() as f64 * 1024.0 / 1e6;
        let values = [
            megabytes(&shell),
            megabytes(live),
            megabytes(web),
            network.map_or(0.0, megabytes),
            entries(shell.id, "fd"),
            entries(live.id, "fd"),
            entries(web.id, "fd"),
            entries(shell.id, "task"),
            entries(live.id, "task"),
            all.len() as f64,
        ];
        // A process that ended meanwhile has nothing.
        if values[1] > 0.0 && values[5] > 0.0 {
            self.all.push((self.begun.elapsed().as_secs_f64(), values));
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Whether anything grew.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let end = self.all.last().map_or(0.0, |(at, _)| *at);
        let begin = end * WARM_UP;
        let part = (end - begin) * PART;
        let median = |index: usize, from: f64, to: f64| {
            let within = self.all.iter().filter(|(at, _)| (from..=to).contains(at));
            median(within.map(|(_, values)| values[index]).collect())
        };
        let verdict = |(index, quantity): (usize, &'static Quantity)| {
            let (first, last) = (median(index, begin, begin + part), median(index, end - part, end));
            Verdict { quantity, first, last, limit: first * (1.0 + quantity.part) + quantity.plus }
        };
        QUANTITIES.iter().enumerate().map(verdict).collect()
    }
}

impl Verdict {
    /// Whether it stayed within its tolerance. Nothing sampled is no proof.
    pub fn holds(&self) -> bool {
        self.last <= self.limit
    }

    /// A line for people.
    pub fn line(&self) -> String {
        format!(
            "{:<30} {:>9.1} → {:>9.1} {:<2} (at most {:.1}){}",
            self.quantity.name,
            self.first,
            self.last,
            self.quantity.unit,
            self.limit,
            if self.holds() { "" } else { "  GREW" }
        )
    }

    /// For the report.
    pub fn json(&self) -> Value {
        json!({ "name": self.quantity.name, "unit": self.quantity.unit, "first": self.first, "last": self.last,
            "limit": self.limit, "holds": self.holds() })
    }
}

fn entries(process: i32, what: &str) -> f64 {
    std::fs::read_dir(format!("/proc/{process}/{what}")).map_or(0.0, |entries| entries.count() as f64)
}

/// Not a number when there are no values.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(value: impl Fn(f64) -> f64) -> Samples {
        let all = (0..200).map(|at| (f64::from(at), [value(f64::from(at)); QUANTITIES.len()])).collect();
        Samples { begun: Instant::now(), all }
    }

    #[test]
    fn what_grows_slowly_is_found_and_what_swings_or_warms_up_is_not() {
        let holds = |value: fn(f64) -> f64| samples(value).verdicts().iter().all(Verdict::holds);
        assert!(holds(|_| 50.0));
        assert!(holds(|at| if at < 15.0 { 20.0 } else { 50.0 }));
        assert!(holds(|at| 50.0 + (at as u32 % 7) as f64));
        assert!(!holds(|at| 50.0 + at / 10.0));
        assert!(!Samples::default().verdicts().iter().any(Verdict::holds), "no samples are no proof");
    }
}
