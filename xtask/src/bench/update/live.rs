//! Releases that go live under load, and the return from those that fail.

use super::releases::{ANSWERS, Page, Releases};
use super::watched::Watched;
use crate::bench::apps::STEP_LIMIT;
use crate::bench::{Row, median};
use crate::proc;
use anyhow::{Context, ensure};
use std::time::{Duration, Instant};

/// One release in so many has the page loaded again.
const LOADS_PAGE_EVERY: usize = 10;
/// Calls that are answered for each release, at least: fewer are no load.
const CALLS_PER_RELEASE_MIN: u64 = 100;
const STAGED_TO_LIVE_MS_MAX: f64 = 100.0;
const INSTANT_RETURN_MS_MAX: f64 = 50.0;
/// A release that is ended on probation must not pass it before.
const LONG_PROBATION_S: u64 = 60;

/// `update.staged_to_live_ms`, `update.failed_calls` and `update.payload_bytes`.
pub fn updates(releases: &mut Releases, app: &mut Watched, count: usize) -> anyhow::Result<Vec<Row>> {
    let page = |number: usize| if number % LOADS_PAGE_EVERY == 1 { Page::Script } else { Page::Style };
    let (mut live_ms, mut switch_ms, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    let mut version = releases.publish_new(1, page(1))?;
    for number in 1..=count {
        let available = app.told("Available", &version)?;
        let staged = app.told("Staged", &version)?.at;
        let applied = app.told("Applied", &version)?;
        let live = app.answered_by(ANSWERS[number % 2])?;
        live_ms.push(live.duration_since(staged).as_secs_f64() * 1e3);
        switch_ms.push(applied.number("milliseconds: ")?);
        // Later ones find their backend on the machine: it is that of the release before the last.
        if number == 1 {
            bytes.push(available.number("bytes: ")?);
        }
        if number == count {
            app.told("Committed", &version)?;
        } else {
            // While this one is on probation, which costs no time.
            version = releases.publish_new((number + 1) % 2, page(number + 1))?;
        }
    }
    app.settle()?;
    let (calls, load) = (app.load.calls(), &app.load);
    println!(
        "{count} releases live under {calls} calls, {} failed, the slowest took {:.0} ms; decision to switch {:.1} ms",
        load.failures.len(),
        load.slowest_ms,
        median(&switch_ms).unwrap_or_default()
    );
    load.failures.iter().take(10).for_each(|failure| println!("  a call failed: {failure}"));
    ensure!(
        calls >= count as u64 * CALLS_PER_RELEASE_MIN,
        "{calls} calls through {count} releases are no load"
    );
    let failed = load.failures.len() as f64;
    Ok(vec![
        Row::new("update.staged_to_live_ms", "ms", live_ms, Vec::new())
            .at_most(Some(STAGED_TO_LIVE_MS_MAX), None),
        Row::new("update.failed_calls", "calls", vec![failed], Vec::new()).at_most(Some(0.0), None),
        Row::new("update.payload_bytes", "bytes", bytes, Vec::new()),
    ])
}

/// `update.instant_return_ms`.
pub fn returns(releases: &mut Releases, app: &mut Watched, count: usize) -> anyhow::Result<Row> {
    releases.set_probation(1, LONG_PROBATION_S)?;
    let mut return_ms = Vec::new();
    for _ in 0..count {
        let version = releases.publish_new(1, Page::Style)?;
        app.told("Applied", &version)?;
        app.answered_by(ANSWERS[1])?;
        let serving = beside_frozen(app)?;
        let killed = Instant::now();
        proc::signal(serving, libc::SIGKILL);
        return_ms.push(app.answered_by(ANSWERS[0])?.duration_since(killed).as_secs_f64() * 1e3);
        app.told("RolledBack", &version)?;
    }
    println!("returned after {return_ms:.1?} ms");
    Ok(Row::new("update.instant_return_ms", "ms", return_ms, Vec::new())
        .at_most(Some(INSTANT_RETURN_MS_MAX), None))
}

/// The backend that serves, once the one before it is frozen.
fn beside_frozen(app: &Watched) -> anyhow::Result<u32> {
    let begun = Instant::now();
    loop {
        let backends = app.backends();
        if backends.iter().any(|(_, frozen)| *frozen) {
            let serving = backends.iter().find(|(_, frozen)| !frozen);
            return Ok(serving.context("no backend serves")?.0);
        }
        ensure!(begun.elapsed() < STEP_LIMIT, "the backend before was not frozen: {backends:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
