//! What the simulated machine and its user are like at a moment: the facts that conditions are about.

use crate::chance::Chance;
use staysail_protocol::policy::CustomValue;
use staysail_update::policy::Facts;
use std::time::Duration;

/// Whether a host tells the facts when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    /// It does.
    Facts,
    /// It says that it can not.
    Failure,
    /// It never answers.
    Nothing,
}

/// What holds for a while. Only the time since the user last did something goes on.
#[derive(Debug, Clone)]
pub struct Circumstances {
    facts: Facts,
    /// Whether the host tells them.
    pub tells: Tells,
}

/// Everything conditions ask for, but for the time of day.
fn fine() -> Facts {
    Facts {
        local_offset_s: Some(3_600),
        idle: Some(Duration::from_secs(1_000)),
        load_per_core: Some(0.1),
        on_battery: Some(false),
        battery_percent: Some(90),
        metered: Some(false),
        free_disk_bytes: Some(5_000_000_000),
        custom: [("ready".to_owned(), CustomValue::Bool(true))].into(),
        ..Facts::default()
    }
}

impl Circumstances {
    /// Some circumstances; often fine ones.
    pub fn chosen(chance: &mut Chance) -> Self {
        if chance.coin() {
            return Self { facts: fine(), tells: Tells::Facts };
        }
        let idle_s = chance.one_of(&[None, Some(0), Some(200), Some(100_000)]);
        let ready = chance.one_of(&[None, Some(true), Some(false)]);
        let facts = Facts {
            local_offset_s: chance.one_of(&[None, Some(7_200), Some(-18_000), Some(20_700)]),
            idle: idle_s.map(Duration::from_secs),
            load_per_core: chance.one_of(&[None, Some(0.1), Some(2.0)]),
            on_battery: chance.one_of(&[None, Some(true), Some(false)]),
            battery_percent: chance.one_of(&[None, Some(20), Some(80)]),
            metered: chance.one_of(&[None, Some(true), Some(false)]),
            free_disk_bytes: chance.one_of(&[None, Some(1_000), Some(5_000_000_000)]),
            custom: ready.map(|ready| ("ready".to_owned(), CustomValue::Bool(ready))).into_iter().collect(),
            at_work: chance.below(4) == 0,
            ..Facts::default()
        };
        let tells = match chance.below(8) {
            0 => Tells::Failure,
            1 => Tells::Nothing,
            _ => Tells::Facts,
        };
        Self { facts, tells }
    }

    /// Nobody is there, and hardly any condition holds.
    pub fn quiet() -> Self {
        let facts = Facts {
            on_battery: Some(true),
            battery_percent: Some(20),
            metered: Some(true),
            load_per_core: None,
            ..fine()
        };
        Self { facts, tells: Tells::Facts }
    }

    /// The facts after so many seconds, without time and version.
    pub fn after(&self, seconds: u64) -> Facts {
        // Who is at the keyboard stays there.
        let idle = self.facts.idle.map(|idle| {
            if idle.is_zero() { idle } else { idle.saturating_add(Duration::from_secs(seconds)) }
        });
        Facts { idle, ..self.facts.clone() }
    }
}
