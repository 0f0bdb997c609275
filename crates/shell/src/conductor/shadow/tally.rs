//! What the comparisons come to: the gate, and the report.

use serde::Serialize;
use staysail_protocol::limits::{SHADOW_DIFFERENCES_TOLD_MAX, SHADOW_SLOW_MS, SHADOW_TIMED_CALLS_MIN};
use staysail_protocol::notice::Difference;
use staysail_protocol::shadow::{ShadowRules, WhenQuiet};
use std::collections::BTreeMap;
use std::time::Duration;

/// Whether a release may go live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Nothing speaks against it. Why.
    Passed(String),
    /// It is rejected. Why.
    Rejected(String),
    /// It may be tried again later. Why.
    Undecided(String),
}

/// Counts comparisons.
#[derive(Debug, Default, Serialize)]
pub struct Tally {
    /// Calls whose answers were compared.
    pub calls: u32,
    /// Of them, those that were answered otherwise.
    pub different: u32,
    /// Calls that could have been compared and were not, for the limits or because the state changed meanwhile.
    pub passed_over: u32,
    /// By command.
    pub commands: BTreeMap<String, Command>,
    /// The first ones.
    pub differences: Vec<Difference>,
}

/// Comparisons of one command.
#[derive(Debug, Default, Serialize)]
pub struct Command {
    calls: u32,
    different: u32,
    /// Medians of the time from the shell to the backend and back, in microseconds.
    before_us: u64,
    now_us: u64,
    #[serde(skip)]
    times: Vec<(u64, u64)>,
}

impl Command {
    fn find_medians(&mut self) {
        let median = |mut times: Vec<u64>| {
            times.sort_unstable();
            times.get(times.len() / 2).copied().unwrap_or_default()
        };
        self.before_us = median(self.times.iter().map(|(before, _)| *before).collect());
        self.now_us = median(self.times.iter().map(|(_, now)| *now).collect());
    }
}

impl Tally {
    /// A call was answered by both, or by the candidate not at all.
    pub fn add(&mut self, command: &str, before: Duration, now: Duration, found: Vec<Difference>) {
        let of = self.commands.entry(command.into()).or_default();
        let different = u32::from(!found.is_empty());
        self.calls += 1;
        self.different += different;
        of.calls += 1;
        of.different += different;
        of.times.push((before.as_micros() as u64, now.as_micros() as u64));
        let room = SHADOW_DIFFERENCES_TOLD_MAX - self.differences.len();
        self.differences.extend(found.into_iter().take(room));
    }

    /// What is known already, while calls go on.
    pub fn verdict(&mut self, rules: &ShadowRules) -> Option<Gate> {
        if self.different > rules.differences_max {
            let (different, calls, most) = (self.different, self.calls, rules.differences_max);
            let place =
                self.differences.first().map(|one| format!("; first `{}` at {:?}", one.command, one.path));
            return Some(Gate::Rejected(format!(
                "{different} of {calls} calls were answered otherwise, more than {most} (differences_max){}",
                place.unwrap_or_default()
            )));
        }
        if self.calls < rules.calls_min {
            return None;
        }
        Some(self.slower(rules).unwrap_or_else(|| {
            Gate::Passed(format!(
                "{} calls were compared, {} were answered otherwise",
                self.calls, self.different
            ))
        }))
    }

    /// There are no more calls, for this reason.
    pub fn last_verdict(&mut self, rules: &ShadowRules, why: &str) -> Gate {
        if let Some(verdict) = self.verdict(rules).or_else(|| self.slower(rules)) {
            return verdict;
        }
        let few =
            format!("{} calls were compared, fewer than {} (calls_min), {why}", self.calls, rules.calls_min);
        match rules.when_quiet {
            WhenQuiet::Pass => Gate::Passed(few),
            WhenQuiet::Wait => Gate::Undecided(few),
            WhenQuiet::Reject => Gate::Rejected(few),
        }
    }

    fn slower(&mut self, rules: &ShadowRules) -> Option<Gate> {
        self.commands.values_mut().for_each(Command::find_medians);
        let most = rules.slower_max?;
        let slow = |of: &Command| {
            of.times.len() >= SHADOW_TIMED_CALLS_MIN
                && of.now_us >= SHADOW_SLOW_MS * 1_000
                && of.now_us as f64 > most * of.before_us as f64
        };
        let (command, of) = self.commands.iter().find(|(_, of)| slow(of))?;
        let [before, now] = [of.before_us, of.now_us].map(|us| us as f64 / 1_000.0);
        Some(Gate::Rejected(format!(
            "`{command}` takes {now} ms instead of {before} ms, more than {most} times as long (slower_max)"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(when_quiet: WhenQuiet) -> ShadowRules {
        ShadowRules {
            calls_min: 10,
            differences_max: 1,
            slower_max: Some(2.0),
            when_quiet,
            ..ShadowRules::default()
        }
    }

    fn difference() -> Vec<Difference> {
        let text = String::from;
        vec![Difference { command: text("a"), path: text("/x"), before: text("1"), now: text("2") }]
    }

    fn add(tally: &mut Tally, times: u32, before_ms: u64, now_ms: u64) {
        let [before, now] = [before_ms, now_ms].map(Duration::from_millis);
        (0..times).for_each(|_| tally.add("a", before, now, Vec::new()));
    }

    #[test]
    fn a_release_passes_with_enough_calls_and_no_more_differences_than_it_may_have() {
        let rules = rules(WhenQuiet::Reject);
        let mut tally = Tally::default();
        add(&mut tally, 8, 1, 1);
        tally.add("a", Duration::ZERO, Duration::ZERO, difference());
        assert_eq!(tally.verdict(&rules), None);
        add(&mut tally, 1, 1, 1);
        assert!(matches!(tally.verdict(&rules), Some(Gate::Passed(_))));
    }

    #[test]
    fn one_difference_too_many_decides_at_once_and_names_its_place() {
        let mut tally = Tally::default();
        (0..2).for_each(|_| tally.add("a", Duration::ZERO, Duration::ZERO, difference()));
        let Some(Gate::Rejected(why)) = tally.verdict(&rules(WhenQuiet::Pass)) else { panic!() };
        assert!(why.contains("2 of 2") && why.contains("differences_max") && why.contains("\"/x\""), "{why}");
        (0..100).for_each(|_| tally.add("a", Duration::ZERO, Duration::ZERO, difference()));
        assert_eq!(tally.differences.len(), SHADOW_DIFFERENCES_TOLD_MAX);
    }

    #[test]
    fn few_calls_mean_what_the_rules_say_unless_they_were_answered_otherwise() {
        let end = |when_quiet, different| {
            let mut tally = Tally::default();
            add(&mut tally, 3, 1, 1);
            (0..different).for_each(|_| tally.add("a", Duration::ZERO, Duration::ZERO, difference()));
            tally.last_verdict(&rules(when_quiet), "in 5 s")
        };
        assert!(matches!(end(WhenQuiet::Pass, 1), Gate::Passed(why) if why.contains("calls_min")));
        assert!(matches!(end(WhenQuiet::Wait, 0), Gate::Undecided(_)));
        assert!(matches!(end(WhenQuiet::Reject, 0), Gate::Rejected(_)));
        assert!(matches!(end(WhenQuiet::Pass, 2), Gate::Rejected(why) if why.contains("differences_max")));
    }

    #[test]
    fn a_command_is_slower_by_its_median_and_never_within_a_few_milliseconds() {
        let slower = |calls: &[(u32, u64, u64)]| {
            let mut tally = Tally::default();
            calls.iter().for_each(|(times, before, now)| add(&mut tally, *times, *before, *now));
            matches!(tally.last_verdict(&rules(WhenQuiet::Pass), ""), Gate::Rejected(why) if why.contains("slower_max"))
        };
        assert!(slower(&[(10, 10, 21)]));
        assert!(!slower(&[(10, 10, 20)]));
        assert!(!slower(&[(10, 1, SHADOW_SLOW_MS - 1)]));
        assert!(slower(&[(10, 1, SHADOW_SLOW_MS)]));
        assert!(!slower(&[(6, 10, 10), (4, 10, 900)]), "a few late answers are no median");
        assert!(!slower(&[(4, 10, 900)]), "too few to tell");
        assert!(slower(&[(5, 10, 900)]), "also when it was quiet");
    }
}
