//! Real processes: the app is killed at every named moment of real updates, at random ones, and beside another instance.
#![cfg(unix)]

mod app;
mod lab;

use lab::{Ended, Lab, Life};
use staysail_testkit::chance::Chance;
use std::collections::BTreeMap;

/// Days of the repository on which something is published that the app decides on: a good release, a bad one, a good one
/// of other keys, and the last one.
const DAYS: [usize; 4] = [1, 2, 3, 5];
/// Random kills within `./x test`.
const KILLS: usize = 20;
/// Random kills of `./x soak`.
const KILLS_SOAK: usize = 200;
/// A little more moments than a life has.
const MOMENTS: usize = 190;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the app of the other tests; does nothing when it is run by itself"]
async fn the_app() {
    app::run().await;
}

/// Every moment that has a name. What is done anew has a new one, and belongs into this list.
const NAMES: &str = include_str!("moments.txt");

/// Kills the app at the moments that come on a day, on that day, and starts it again. Moments come on several days; `all`
/// of these are taken, or the last one, when there is most to lose.
fn kill_at_every_moment(all: bool) {
    let lab = Lab::new();
    let (mut days, mut last) = (Vec::new(), BTreeMap::new());
    let mut before = lab.installed();
    for day in DAYS {
        let mut after = before.clone_of(&lab);
        let names = after.moments(day);
        last.extend(names.iter().map(|name| (name.clone(), day)));
        days.push((day, std::mem::replace(&mut before, after), names));
    }
    let moments =
        days.iter().flat_map(|(day, before, names)| names.iter().map(move |name| (*day, before, name)));
    for (day, before, name) in moments.filter(|(day, _, name)| all || last[*name] == *day) {
        let mut app = before.clone_of(&lab);
        assert_eq!(app.live(day, Life::Killed(name)), Ended::Killed, "day {day}, {name}");
        assert_eq!(app.live(day, Life::Whole), Ended::InOrder, "day {day}, {name}");
        app.is_at(day);
    }
    let seen: Vec<_> = last.into_keys().collect();
    assert!(NAMES.lines().eq(&seen), "moments.txt should be:\n{}", seen.join("\n"));
}

#[test]
fn the_app_survives_a_kill_at_every_named_moment() {
    kill_at_every_moment(false);
}

#[test]
#[ignore = "minutes; ./x soak runs it"]
fn the_app_survives_a_kill_at_every_named_moment_of_every_day() {
    kill_at_every_moment(true);
}

fn random_kills(kills: usize, seed: u64) {
    println!("seed {seed}; STAYSAIL_KILL_SEED={seed} replays");
    let lab = Lab::new();
    let mut chance = Chance::new(seed);
    let mut killed = 0;
    while killed < kills {
        let mut app = lab.installed();
        for day in DAYS {
            // Twice on trial, and even a good release is taken for one that takes the app down: one kill a day.
            let moment = format!("#{}", 1 + chance.below(MOMENTS));
            killed += usize::from(app.live(day, Life::Killed(&moment)) == Ended::Killed);
            // Some days nobody starts the app again, and the next release comes over the half done one.
            if day != 5 && chance.coin() {
                continue;
            }
            app.live(day, Life::Whole);
        }
        assert_eq!(app.live(5, Life::Whole), Ended::InOrder);
        app.is_at(5);
    }
    println!("{killed} kills");
}

#[test]
fn the_app_survives_random_kills() {
    random_kills(KILLS, 1);
}

#[test]
#[ignore = "minutes; ./x soak runs it"]
fn the_app_survives_two_hundred_random_kills() {
    let given = std::env::var("STAYSAIL_KILL_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    random_kills(KILLS_SOAK, given.unwrap_or(now));
}

#[test]
fn two_instances_at_once_share_a_store_and_one_survives_the_kill_of_the_other() {
    let lab = Lab::new();
    let mut app = lab.installed();
    for (day, moment) in
        [(1, None), (2, None), (3, Some("on trial")), (5, Some("rename releases/*/manifest.json"))]
    {
        let killed = moment.map_or(Life::Whole, Life::Killed);
        app.live_twice(day, [killed, Life::Whole]);
        app.is_at(day);
    }
}
