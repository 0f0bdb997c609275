//! The terms of simulated releases: conditions, each with a twin in plain Rust that knows nothing of the engine's
//! expressions, windows and zones; days; urgency.

use crate::chance::Chance;
use staysail_protocol::limits::POSTPONE_DAYS_MAX;
use staysail_protocol::policy::{CustomValue, UpdatePolicy, Urgency};
use staysail_update::policy::Facts;
use std::time::Duration;

/// A condition as a release has it, and what it comes to as somebody else would write it; `None` when that can not be told.
#[derive(Debug)]
pub struct Condition {
    /// The expression.
    pub text: &'static str,
    /// Its twin.
    pub holds: fn(&Facts) -> Option<bool>,
}

/// The zone that conditions name, with its rules: central Europe's.
const ZONE: (&str, &str) = ("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3");
const MINUTES_OF_DAY: i64 = 24 * 60;

/// All conditions.
pub const CONDITIONS: [Condition; 7] = [
    Condition {
        text: "idle > duration('5m')",
        holds: |facts| facts.idle.map(|idle| idle > Duration::from_secs(300)),
    },
    Condition {
        text: "!on_battery || battery_percent >= 80",
        holds: |facts| {
            let full = facts.battery_percent.map(|percent| percent >= 80);
            match (facts.on_battery, full) {
                (Some(false), _) | (_, Some(true)) => Some(true),
                (Some(true), full) => full,
                (None, _) => None,
            }
        },
    },
    Condition {
        text: "!metered && free_disk > 1000000",
        holds: |facts| match (facts.metered, facts.free_disk_bytes.map(|bytes| bytes > 1_000_000)) {
            (Some(true), _) | (_, Some(false)) => Some(false),
            (Some(false), room) => room,
            (None, _) => None,
        },
    },
    Condition {
        text: "within('02:00', '05:00', 'Europe/Berlin')",
        holds: |facts| {
            let (_, minute) = weekday_and_minute(facts.now_s + berlin_s(facts.now_s));
            Some((2 * 60..5 * 60).contains(&minute))
        },
    },
    Condition {
        text: "within('Sat 22:00', 'Mon 03:30', 'Europe/Berlin')",
        holds: |facts| {
            let (weekday, minute) = weekday_and_minute(facts.now_s + berlin_s(facts.now_s));
            Some(match weekday {
                6 => minute >= 22 * 60,
                0 => true,
                1 => minute < 3 * 60 + 30,
                _ => false,
            })
        },
    },
    Condition {
        text: "hour >= 22 || hour < 6 || weekday in ['Sat', 'Sun']",
        holds: |facts| {
            let (weekday, minute) = weekday_and_minute(facts.now_s + facts.local_offset_s?);
            Some(!(6 * 60..22 * 60).contains(&minute) || weekday % 6 == 0)
        },
    },
    Condition {
        text: "custom.ready ? load_per_core < 0.5 : false",
        holds: |facts| match facts.custom.get("ready")? {
            CustomValue::Bool(true) => facts.load_per_core.map(|load| load < 0.5),
            _ => Some(false),
        },
    },
];

/// Weekday (Sunday is 0) and minute of the day of a local time.
fn weekday_and_minute(local_s: i64) -> (i64, i64) {
    let minutes = local_s.div_euclid(60);
    // The first of January 1970 was a Thursday.
    ((minutes.div_euclid(MINUTES_OF_DAY) + 4).rem_euclid(7), minutes.rem_euclid(MINUTES_OF_DAY))
}

/// Seconds that Berlin is ahead: two hours from the last Sunday of March, 1:00 universal time, to that of October.
fn berlin_s(now_s: i64) -> i64 {
    let utc = jiff::tz::TimeZone::UTC;
    let Ok(now) = jiff::Timestamp::from_second(now_s).map(|now| utc.to_datetime(now)) else { return 3_600 };
    let last_sunday = |month: i8| {
        let last = jiff::civil::date(now.year(), month, 31);
        let back = i64::from(last.weekday().to_sunday_zero_offset());
        last.saturating_sub(jiff::Span::new().days(back)).at(1, 0, 0, 0)
    };
    if now >= last_sunday(3) && now < last_sunday(10) { 7_200 } else { 3_600 }
}

/// What a condition can hold up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// Looking for releases.
    Look,
    /// A download.
    Download,
    /// Being applied.
    Apply,
}

impl Gate {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Look, Self::Download, Self::Apply];

    /// The value of the app's own by which the conditions of this gate are told from others; it decides nothing.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Download => "download",
            Self::Apply => "apply",
        }
    }
}

/// When a release is taken.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Index of the condition at each gate, in the order of [`Gate::ALL`].
    conditions: [Option<usize>; 3],
    postpone_days: Option<u32>,
    urgency: Urgency,
}

impl Terms {
    /// Some terms.
    pub fn chosen(chance: &mut Chance) -> Self {
        let mut condition = || (chance.below(5) > 1).then(|| chance.below(CONDITIONS.len()));
        let conditions = [condition(), condition(), condition()];
        let postpone_days = chance.one_of(&[None, Some(0), Some(1), Some(3)]);
        let urgency = match chance.below(6) {
            0 => Urgency { critical: true, ..Urgency::default() },
            1 => Urgency { critical_below: Some("1.3.0".into()), ..Urgency::default() },
            _ => Urgency::default(),
        };
        Self { conditions, postpone_days, urgency }
    }

    /// Without urgency.
    pub fn patient(self) -> Self {
        Self { urgency: Urgency::default(), ..self }
    }

    /// As a manifest says it.
    pub fn policy(&self) -> UpdatePolicy {
        let text = |gate: Gate| {
            let condition = &CONDITIONS[self.conditions[gate as usize]?];
            Some(format!("(custom.{} || true) && ({})", gate.mark(), condition.text))
        };
        let [check, download, apply] = Gate::ALL.map(text);
        let zones = if self.is_conditional() {
            [(ZONE.0.to_owned(), ZONE.1.to_owned())].into()
        } else {
            Default::default()
        };
        UpdatePolicy {
            check,
            download,
            apply,
            postpone_days_max: self.postpone_days,
            zones,
            ..UpdatePolicy::default()
        }
    }

    /// As a manifest says it.
    pub fn urgency(&self) -> &Urgency {
        &self.urgency
    }

    /// Something may have to be waited for.
    pub fn is_conditional(&self) -> bool {
        self.postpone_days.is_some() || self.conditions.iter().any(Option::is_some)
    }

    /// Whether there is a condition at this gate.
    pub fn has(&self, gate: Gate) -> bool {
        self.conditions[gate as usize].is_some()
    }

    /// Whether the condition of a gate is known to hold; always without one.
    pub fn hold(&self, gate: Gate, facts: &Facts) -> bool {
        self.conditions[gate as usize].is_none_or(|at| (CONDITIONS[at].holds)(facts) == Some(true))
    }

    /// Seconds that it may be postponed.
    pub fn postpone_s(&self) -> i64 {
        i64::from(self.postpone_days.unwrap_or(POSTPONE_DAYS_MAX)) * 86_400
    }

    /// Urgent for those who run `version`. Versions of simulated releases order as texts do.
    pub fn is_critical(&self, version: &str) -> bool {
        self.urgency.critical || self.urgency.critical_below.as_deref().is_some_and(|bound| version < bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_berlin_clocks_change_in_the_night_to_the_last_sundays_of_march_and_october() {
        let at = |text: &str| berlin_s(text.parse::<jiff::Timestamp>().unwrap().as_second());
        assert_eq!([at("2026-03-29T00:59:59Z"), at("2026-03-29T01:00:00Z")], [3_600, 7_200]);
        assert_eq!([at("2026-10-25T00:59:59Z"), at("2026-10-25T01:00:00Z")], [7_200, 3_600]);
        assert_eq!([at("2015-01-01T00:00:00Z"), at("2037-07-01T00:00:00Z")], [3_600, 7_200]);
        // Sunday, 2026-03-29, 1:00 universal time is 3:00 in Berlin.
        assert_eq!(weekday_and_minute(1_774_746_000 + 7_200), (0, 180));
    }

    #[test]
    fn every_condition_is_one_for_the_engine_too() {
        for Condition { text, .. } in &CONDITIONS {
            assert_eq!(staysail_update::policy::check(text), Ok(()), "{text}");
        }
    }
}
