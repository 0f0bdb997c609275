//! Floods of events from the backend to one window and to ten: how fast, whether all arrive, and what they leave behind.

use super::Row;
use super::apps::Which;
use super::built::Built;
use super::memory::own_mb;
use anyhow::Context;
use std::time::Duration;

/// Events of one flood of ours.
const EVENTS: u32 = 50_000;
/// And of the peer's: each of its events is a script that is evaluated, and they pile up meanwhile. Fewer of them make
/// its rate look better, if anything.
const PEER_EVENTS: u32 = 5_000;
/// Floods of one start, in the pages' `events.js`.
const FLOODS: usize = 5;
/// Starts: what an allocator has at hand when a flood ends differs by megabytes from one to the next.
const STARTS: usize = 3;
const FLOOD_LIMIT: Duration = Duration::from_secs(240);
/// Rate to reach with one window, without loss.
const ONE_WINDOW_PER_S: f64 = 50_000.0;
/// What five floods may leave behind in the app's own processes: allocators keep a few pages.
const GROWTH_MB_MAX: f64 = 8.0;

/// An app that is done with a flood gives back within this time what it does not need.
const SETTLED: Duration = Duration::from_secs(1);

/// What one start found.
struct Flooded {
    rates: Vec<f64>,
    lost: Vec<f64>,
    growth: f64,
}

/// `call.events_*`.
pub fn measure(built: &Built) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, windows, least) in [("one", 1, Some(ONE_WINDOW_PER_S)), ("ten", 10, None)] {
        let [ours, peer] = built.by_turns(STARTS, |_, which, executable| {
            let events = if which == Which::Ours { EVENTS } else { PEER_EVENTS };
            let more = [("BENCH_EVENTS", events.to_string()), ("BENCH_WINDOWS", windows.to_string())];
            let mut app = built.start(executable, "events", &more)?;
            let (mut rates, mut lost, mut memory) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..FLOODS {
                let flood = app.report("flooded", FLOOD_LIMIT)?.value;
                rates.push(flood["per_s"].as_f64().context("the page reported no rate")?);
                lost.push(flood["lost"].as_f64().context("the page did not report what was lost")?);
                // What a flood leaves behind, not what it needs: the page pauses longer than this after it.
                std::thread::sleep(SETTLED);
                memory.push(own_mb(app.program.id()));
            }
            println!(
                "{which:?}: events to {windows}: {rates:.0?} a second, lost {lost:?}, memory {memory:.1?} MB"
            );
            // The first flood warms up.
            let growth = (memory[FLOODS - 1] - memory[0]).max(0.0);
            Ok(Flooded { rates, lost, growth })
        })?;
        let rates = |starts: &[Flooded]| starts.iter().flat_map(|start| start.rates.clone()).collect();
        // Not the median: a single one that is lost counts.
        let lost = |starts: &[Flooded]| {
            vec![starts.iter().flat_map(|start| &start.lost).fold(0.0, |most: f64, lost| most.max(*lost))]
        };
        let growth = |starts: &[Flooded]| starts.iter().map(|start| start.growth).collect();
        rows.push(
            Row::new(format!("call.events_{name}_window_per_s"), "events/s", rates(&ours), rates(&peer))
                .at_least(least, None),
        );
        rows.push(
            Row::new(format!("call.events_{name}_window_lost"), "events", lost(&ours), lost(&peer))
                .at_most(Some(0.0), None),
        );
        rows.push(
            Row::new(format!("call.events_{name}_window_growth_mb"), "MB", growth(&ours), growth(&peer))
                .at_most(Some(GROWTH_MB_MAX), None),
        );
    }
    Ok(rows)
}
