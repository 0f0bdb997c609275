//! Of the optimised executables: calls, start, memory, size.

use super::apps::{Apps, STEP_LIMIT, Which};
use super::{Row, median, quantile};
use crate::proc;
use anyhow::Context;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Time for caches and first garbage collection before memory is read.
const SETTLE: Duration = Duration::from_secs(4);
const CALLS_LIMIT: Duration = Duration::from_secs(300);

fn command(apps: &Apps, executable: &Path) -> Command {
    // Not from the project's folder: it has to run alone.
    apps.around(Command::new(executable), &apps.work("."))
}

/// `call.*`: three starts of each app, all their single calls together.
pub fn calls(apps: &Apps) -> anyhow::Result<Vec<Row>> {
    const STARTS: usize = 3;
    let mut measured = Vec::new();
    for which in apps.all() {
        let executable = apps.release(which)?;
        let mut numbers: [Vec<f64>; 4] = Default::default();
        for _ in 0..STARTS {
            let mut app = apps.start("the app", command(apps, &executable), "calls")?;
            let report = app.report("calls", CALLS_LIMIT)?.value;
            let list = |name: &str| -> anyhow::Result<Vec<f64>> {
                let list = report[name].as_array().with_context(|| format!("the page reported no {name}"))?;
                Ok(list.iter().filter_map(serde_json::Value::as_f64).collect())
            };
            let single = list("single_us")?;
            numbers[0].extend(quantile(&single, 0.5));
            numbers[1].extend(quantile(&single, 0.99));
            numbers[2].extend(list("pipelined_us")?);
            numbers[3].extend(list("echo_ms")?);
        }
        println!("{which:?}: p50 {:?} us, pipelined {:?} us", median(&numbers[0]), median(&numbers[2]));
        measured.push(numbers);
    }
    let mut measured = measured.into_iter();
    let [p50, p99, pipelined, echo] = measured.next().unwrap_or_default();
    let [peer_p50, peer_p99, peer_pipelined, peer_echo] = measured.next().unwrap_or_default();
    Ok(vec![
        Row::new("call.p50_us", "us", p50, peer_p50).at_most(None, Some(0.5)),
        Row::new("call.p99_us", "us", p99, peer_p99),
        Row::new("call.pipelined_us", "us", pipelined, peer_pipelined),
        Row::new("call.echo_1mb_ms", "ms", echo, peer_echo),
    ])
}

/// `start.first_paint_ms`: from the start of the process to the page's second animation frame.
pub fn start(apps: &Apps, runs: usize) -> anyhow::Result<Vec<Row>> {
    let mut measured = Vec::new();
    for which in apps.all() {
        let executable = apps.release(which)?;
        let mut times = Vec::new();
        // The first start fills caches and is not counted.
        for run in 0..=runs {
            let begun = Instant::now();
            let mut app = apps.start("the app", command(apps, &executable), "idle")?;
            let painted = app.report("paint", STEP_LIMIT)?.at;
            if run > 0 {
                times.push((painted - begun).as_secs_f64() * 1000.0);
            }
        }
        println!("{which:?}: {:?} ms to the first paint", median(&times));
        measured.push(times);
    }
    let mut measured = measured.into_iter();
    let (ours, peer) = (measured.next().unwrap_or_default(), measured.next().unwrap_or_default());
    Ok(vec![Row::new("start.first_paint_ms", "ms", ours, peer)])
}

/// `memory.*`: of the app's own processes; the webview's (WebKit*) are the same for everybody and left out.
pub fn memory(apps: &Apps) -> anyhow::Result<Vec<Row>> {
    const STARTS: usize = 3;
    let (mut shell, mut worker, mut ours, mut peer) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for which in apps.all() {
        let executable = apps.release(which)?;
        for _ in 0..STARTS {
            let mut app = apps.start("the app", command(apps, &executable), "idle")?;
            app.report("paint", STEP_LIMIT)?;
            super::dev::window_of(apps)?;
            std::thread::sleep(SETTLE);
            let main = app.program.id();
            let own: Vec<(u32, f64)> = std::iter::once(main)
                .chain(proc::descendants(main))
                .filter(|process| *process == main || is_own(*process))
                .filter_map(|process| Some((process, proc::pss_mb(process)?)))
                .collect();
            let total: f64 = own.iter().map(|(_, size)| size).sum();
            if which == Which::Tauri {
                peer.push(total);
                continue;
            }
            let of_main: f64 = own.iter().filter(|(process, _)| *process == main).map(|(_, size)| size).sum();
            shell.push(of_main);
            worker.push(total - of_main);
            ours.push(total);
        }
    }
    Ok(vec![
        Row::new("memory.shell_mb", "MB", shell, Vec::new()),
        Row::new("memory.worker_mb", "MB", worker, Vec::new()),
        Row::new("memory.own_total_mb", "MB", ours, peer),
    ])
}

/// Not one of the webview's processes, nor the sandbox around them.
fn is_own(process: u32) -> bool {
    let Some(path) = proc::executable(process) else { return false };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    !name.starts_with("WebKit") && !["bwrap", "xdg-dbus-proxy"].contains(&name.as_str())
}

/// `binary.mb`: the one executable that is shipped.
pub fn binary(apps: &Apps) -> anyhow::Result<Vec<Row>> {
    let mut sizes = Vec::new();
    for which in apps.all() {
        sizes.push(vec![std::fs::metadata(apps.release(which)?)?.len() as f64 / 1e6]);
    }
    let mut sizes = sizes.into_iter();
    let (ours, peer) = (sizes.next().unwrap_or_default(), sizes.next().unwrap_or_default());
    Ok(vec![Row::new("binary.mb", "MB", ours, peer)])
}
