//! What must have been taken at the end of a life in which nothing went wrong.

use crate::circumstances::Tells;
use crate::lives::{Act, Life};
use crate::model::Model;
use crate::terms::Gate;
use crate::world::{Known, World};
use staysail_protocol::policy::Live;
use staysail_update::policy::Facts;

/// Whoever lives so long has the time to take a release.
const TIME_TO_TAKE_S: u64 = 300;
/// Whoever lives so long after it went live has seen whether it is good.
const PROBATION_S: u64 = 30;

/// The release that must be committed when a life ends, and why; nothing when it can not be said. `from_ms` and `to_ms` is
/// when it began and ends, `skipped` whether the user is known not to want a version, `put_off` whether to have put off all.
pub fn must_be_committed(
    model: &Model,
    life: &Life,
    [from_ms, to_ms]: [u64; 2],
    skipped: impl Fn(&str) -> bool,
    put_off: bool,
) -> Option<(&'static str, String)> {
    if model.world.has_channels() {
        return by_choice(model, life, put_off);
    }
    let World { of_day, releases, epoch, .. } = model.world;
    let hash = of_day[life.day].as_str();
    let (newest, running) = (&releases[hash], model.running()?);
    if life.busy || !model.is_due(newest) || newest.sequence <= running.sequence {
        return None;
    }
    let at_once = newest.live == Live::Now;
    match *life.acts {
        [(at_s, Act::Load)] if at_s >= TIME_TO_TAKE_S && life.seconds >= at_s + PROBATION_S => {
            let goes = newest.live != Live::NextLaunch && !put_off;
            goes.then(|| (hash, format!("a page was loaded while version {} was there", newest.version)))
        }
        [] if !at_once => None,
        [] if life.seconds >= TIME_TO_TAKE_S
            && life.circumstances.1.is_none()
            && !put_off
            && !skipped(&newest.version) =>
        {
            let at = |ms: u64| {
                let now_s = epoch.as_second() + (ms / 1_000) as i64;
                Facts { now_s, ..life.circumstances.0.after((ms - from_ms) / 1_000) }
            };
            let told = life.circumstances.0.tells == Tells::Facts;
            let moments = [at(from_ms + 1_000), at(to_ms)];
            let held_up = moments.iter().any(|facts| is_held_up(newest, running, facts, told));
            (!held_up).then(|| (hash, format!("nothing holds up version {}", newest.version)))
        }
        // Whoever gives the app a file wants it now, whatever conditions say.
        [(at_s, Act::Archive(day))] if day == life.day && life.seconds >= at_s + TIME_TO_TAKE_S => {
            Some((hash, format!("version {} was given as a file", newest.version)))
        }
        _ => None,
    }
}

/// What is followed is taken, however slowly it comes, and whatever else is fetched beside it.
fn by_choice(model: &Model, life: &Life, put_off: bool) -> Option<(&'static str, String)> {
    let harmless = |(_, act): &(u64, Act)| matches!(act, Act::Rate(_) | Act::Files);
    if put_off || life.busy || life.seconds < TIME_TO_TAKE_S || !life.acts.iter().all(harmless) {
        return None;
    }
    let (world, day) = (model.world, life.day);
    let hash = model.choices.expected(model.running()?, (world, day), |known| model.is_due(known))?;
    Some((hash, format!("version {} is the newest of what is followed", world.known(hash)?.version)))
}

fn is_held_up(newest: &Known, running: &Known, facts: &Facts, told: bool) -> bool {
    let holds_up = |known: &Known, gate| known.terms.has(gate) && !(told && known.terms.hold(gate, facts));
    let urgent = newest.terms.is_critical(&running.version);
    holds_up(running, Gate::Look)
        || (!urgent && (holds_up(newest, Gate::Download) || holds_up(newest, Gate::Apply)))
}
