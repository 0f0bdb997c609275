//! `cargo xtask bench`: Staysail and Tauri 2, measured in one run on one machine.
//!
//! Names, units and method of every row: `benches/README.md`. Results: a table, and `target/bench/<group>.json`.

mod apps;
mod built;
mod call;
mod dev;
mod events;
mod memory;
mod start;
mod update;

use crate::display::Display;
use anyhow::ensure;
use apps::Apps;
pub use apps::succeed;
use serde_json::{Value, json};
use std::path::Path;

/// The groups, in the order they are measured; one file each.
pub const GROUPS: [&str; 6] = ["dev", "call", "start", "memory", "binary", "update"];
const PEER: &str = "tauri2";
/// Peers that have a column of their own in the table when they were measured.
const COLUMNS: [&str; 2] = ["dioxus", "wails2"];

/// One measured quantity.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    name: String,
    unit: &'static str,
    ours: Vec<f64>,
    peer: Vec<f64>,
    /// Others than [`PEER`], by name.
    others: Vec<(&'static str, f64)>,
    /// Ours must not be above it; not below it, when it is a rate.
    limit: Option<f64>,
}

impl Row {
    fn new(name: impl Into<String>, unit: &'static str, ours: Vec<f64>, peer: Vec<f64>) -> Self {
        Self { name: name.into(), unit, ours, peer, ..Self::default() }
    }

    /// With numbers of others.
    fn beside(mut self, others: Vec<(&'static str, f64)>) -> Self {
        self.others = others;
        self
    }

    /// At most so much, and at most this part of the peer's.
    fn at_most(mut self, limit: Option<f64>, part_of_peer: Option<f64>) -> Self {
        debug_assert!(!self.is_rate());
        let part = part_of_peer.and_then(|part| Some(median(&self.peer)? * part));
        self.limit = match (limit, part) {
            (Some(limit), Some(part)) => Some(limit.min(part)),
            (limit, part) => limit.or(part),
        };
        self
    }

    /// Not above that other's, when it was measured.
    fn below(mut self, name: &str) -> Self {
        debug_assert!(!self.is_rate());
        if let Some(other) = self.other(name) {
            self.limit = Some(self.limit.map_or(other, |limit| limit.min(other)));
        }
        self
    }

    fn other(&self, name: &str) -> Option<f64> {
        self.others.iter().find(|(other, _)| *other == name).map(|(_, number)| *number)
    }

    /// At least so much, and at least so many times the peer's.
    fn at_least(mut self, limit: Option<f64>, times_of_peer: Option<f64>) -> Self {
        debug_assert!(self.is_rate());
        let times = times_of_peer.and_then(|times| Some(median(&self.peer)? * times));
        self.limit = match (limit, times) {
            (Some(limit), Some(times)) => Some(limit.max(times)),
            (limit, times) => limit.or(times),
        };
        self
    }

    /// More is better.
    fn is_rate(&self) -> bool {
        self.unit.ends_with("/s")
    }

    fn group(&self) -> &str {
        self.name.split('.').next().unwrap_or(&self.name)
    }

    /// On the wrong side of its limit.
    fn missed(&self) -> bool {
        match (median(&self.ours), self.limit) {
            (Some(ours), Some(limit)) if self.is_rate() => ours < limit,
            (Some(ours), Some(limit)) => ours > limit,
            _ => false,
        }
    }

    fn worst(&self) -> Option<f64> {
        let numbers = self.ours.iter().copied();
        if self.is_rate() { numbers.reduce(f64::min) } else { numbers.reduce(f64::max) }
    }

    fn json(&self) -> Value {
        let peer = median(&self.peer).map(|number| (PEER, number));
        let peers = peer.into_iter().chain(self.others.iter().copied());
        let peers: serde_json::Map<_, _> =
            peers.map(|(name, number)| (name.to_owned(), json!(rounded(number)))).collect();
        json!({
            "name": self.name,
            "unit": self.unit,
            "ours": median(&self.ours).map(rounded),
            "worst": self.worst().map(rounded),
            "peers": peers,
            "limit": self.limit.map(rounded),
            "runs": self.ours.len(),
        })
    }
}

/// The middle of the numbers; of an even count the mean of the two in the middle.
pub fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The number below which the given part of all lies (nearest rank).
pub fn quantile(numbers: &[f64], part: f64) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// Measures the groups asked for, all when none is.
///
/// # Errors
/// When something can not be built or started, or a page reports a failure. Groups measured before are kept.
pub fn run(root: &Path, groups: &[String], peers: bool, runs: usize) -> anyhow::Result<bool> {
    for group in groups {
        ensure!(
            GROUPS.contains(&group.as_str()),
            "there is no group `{group}`; groups: {}",
            GROUPS.join(" ")
        );
    }
    let wanted = |group: &str| groups.is_empty() || groups.iter().any(|wanted| wanted == group);
    let folder = root.join("target/bench");
    std::fs::create_dir_all(&folder)?;
    let display = Display::virtual_one(1280, 900)?;
    let apps = Apps::prepare(root, &display, peers)?;
    let mut all = Vec::new();
    for group in GROUPS.into_iter().filter(|group| wanted(group)) {
        println!("\n=== measuring {group}");
        let rows = match group {
            "dev" => dev::measure(&apps, runs)?,
            "call" => call::measure(&apps)?,
            "start" => start::measure(&apps, runs)?,
            "memory" => memory::measure(&apps)?,
            "binary" => built::binary(&apps)?,
            _ => update::measure(&apps, runs)?,
        };
        debug_assert!(rows.iter().all(|row| row.group() == group));
        let list: Vec<Value> = rows.iter().map(Row::json).collect();
        std::fs::write(folder.join(format!("{group}.json")), serde_json::to_string_pretty(&list)? + "\n")?;
        all.extend(rows);
    }
    println!("\n{}", table(&all));
    let missed: Vec<&str> = all.iter().filter(|row| row.missed()).map(|row| row.name.as_str()).collect();
    if !missed.is_empty() {
        println!("these miss their limit: {}", missed.join(", "));
    }
    Ok(missed.is_empty())
}

fn table(rows: &[Row]) -> String {
    let number = |number: Option<f64>| number.map_or("–".into(), |number| format!("{number:.3}"));
    let measured = |name: &&str| rows.iter().any(|row| row.other(name).is_some());
    let columns: Vec<&str> = COLUMNS.into_iter().filter(measured).collect();
    let cells =
        |cells: Vec<String>| cells.iter().fold(String::new(), |line, cell| line + &format!(" {cell:>13}"));
    let names = columns.iter().map(|name| (*name).to_owned());
    let head =
        ["ours", "worst", PEER].map(str::to_owned).into_iter().chain(names).chain(["limit".to_owned()]);
    let mut text = format!("{:<34} {:>8}{} {:>5}\n", "name", "unit", cells(head.collect()), "runs");
    for row in rows {
        let ours = [median(&row.ours), row.worst(), median(&row.peer)].into_iter();
        let numbers = ours.chain(columns.iter().map(|name| row.other(name))).chain([row.limit]);
        text += &format!(
            "{:<34} {:>8}{} {:>5}{}\n",
            row.name,
            row.unit,
            cells(numbers.map(number).collect()),
            row.ours.len(),
            if row.missed() { "  misses its limit" } else { "" }
        );
        for (name, number) in row.others.iter().filter(|(name, _)| !COLUMNS.contains(name)) {
            text += &format!("{:<34} {:>8} {number:>13.3}\n", format!("  {name}"), row.unit);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_quantile_are_those_of_the_textbook() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.99), Some(99.0));
        assert_eq!(quantile(&hundred, 0.5), Some(50.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_row_is_written_with_exactly_the_fields_that_are_promised() {
        let row = Row::new("dev.window_absent_ms", "ms", vec![0.0, 2.0, 1.0], vec![8.0])
            .at_most(Some(5.0), Some(0.125));
        let wanted = json!({"name": "dev.window_absent_ms", "unit": "ms", "ours": 1.0, "worst": 2.0,
            "peers": {"tauri2": 8.0}, "limit": 1.0, "runs": 3});
        assert_eq!(row.json(), wanted);
        assert_eq!(row.group(), "dev");
        assert!(!row.missed());
        assert!(Row { ours: vec![1.5], ..row }.missed());
        assert_eq!(Row::new("update.payload_bytes", "bytes", vec![1.0], vec![]).json()["peers"], json!({}));
    }

    #[test]
    fn a_rate_misses_its_limit_when_it_is_below_and_its_worst_is_the_smallest() {
        let row = Row::new("call.events_per_s", "events/s", vec![9.0, 6.0, 7.0], vec![3.0])
            .at_least(Some(5.0), Some(2.0));
        assert_eq!(row.json()["limit"], 6.0);
        assert_eq!(row.json()["worst"], 6.0);
        assert!(!row.missed());
        assert!(Row { ours: vec![5.9], ..row }.missed());
    }
    #[test]
    fn another_that_was_measured_has_a_column_and_may_bound_ours() {
        let row =
            |others| Row::new("dev.backend_template_ms", "ms", vec![800.0], vec![9000.0]).beside(others);
        let alone = row(Vec::new()).at_most(Some(900.0), None).below("dioxus");
        assert!(!alone.missed() && !table(std::slice::from_ref(&alone)).contains("dioxus"));
        let beside = row(vec![("dioxus", 750.0)]).at_most(Some(900.0), None).below("dioxus");
        assert!(beside.missed());
        assert_eq!(beside.json()["peers"], json!({"tauri2": 9000.0, "dioxus": 750.0}));
        let lines: Vec<String> =
            table(&[beside, row(vec![("bsdiff", 1.0)])]).lines().map(str::to_owned).collect();
        let columns: Vec<Vec<&str>> = lines.iter().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(columns[0], ["name", "unit", "ours", "worst", "tauri2", "dioxus", "limit", "runs"]);
        assert_eq!(columns[1][2..7], ["800.000", "800.000", "9000.000", "750.000", "750.000"]);
        assert_eq!(columns[2][2..7], ["800.000", "800.000", "9000.000", "–", "–"]);
        assert_eq!(columns[3], ["bsdiff", "ms", "1.000"]);
    }
}
