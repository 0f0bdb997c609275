//! From a save to the live page, and from an empty target folder to the first one.

use super::apps::{Apps, COLD_BUILD_LIMIT, Running, STEP_LIMIT, TITLE, Which};
use super::{Row, median};
use crate::display::Display;
use crate::{proc, window};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Pause between two saves: drain, file events and compilers have come to rest.
const REST: Duration = Duration::from_millis(1_500);

#[derive(Default)]
struct Numbers {
    first_cpu_s: Vec<f64>,
    backend_ms: Vec<f64>,
    absent_ms: Vec<f64>,
    page_ms: Vec<f64>,
}

/// Measures the group.
pub fn measure(apps: &Apps, runs: usize) -> anyhow::Result<Vec<Row>> {
    let mut both = Vec::new();
    for which in apps.all() {
        both.push(one(apps, which, if which == Which::Ours { runs } else { runs.clamp(1, 5) })?);
    }
    let peer = if both.len() > 1 { both.pop() } else { None }.unwrap_or_default();
    let ours = both.pop().unwrap_or_default();
    Ok(vec![
        Row::new("dev.backend_save_to_live_ms", "ms", ours.backend_ms, peer.backend_ms)
            .at_most(Some(1_000.0), Some(0.125)),
        Row::new("dev.page_save_to_live_ms", "ms", ours.page_ms, peer.page_ms).at_most(Some(150.0), None),
        Row::new("dev.window_absent_ms", "ms", ours.absent_ms, peer.absent_ms).at_most(Some(0.0), None),
        Row::new("dev.first_live_cpu_s", "s", ours.first_cpu_s, peer.first_cpu_s).at_most(None, Some(0.125)),
    ])
}

fn one(apps: &Apps, which: Which, runs: usize) -> anyhow::Result<Numbers> {
    let mut numbers = Numbers::default();
    let target = apps.target(which, "dev");
    if target.exists() {
        std::fs::remove_dir_all(&target)?;
    }
    if which == Which::Ours {
        numbers.first_cpu_s.push(first_of_new_project(apps)?);
    }
    println!("{which:?}: first build, from an empty target folder");
    let mut app = apps.start("the development tool", apps.develop(which, &target), "watch")?;
    app.report("paint", COLD_BUILD_LIMIT)?;
    if which == Which::Tauri {
        numbers.first_cpu_s.push(proc::cpu_s(app.program.id()));
    }
    app.report("revision", STEP_LIMIT)?;
    let [backend, page] = apps.edited(which);
    for run in 1..=runs {
        std::thread::sleep(REST);
        let absence = Absence::watch(apps.display);
        let revision = format!("backend-{run}");
        let saved = Instant::now();
        apps.edit(backend, &format!("\"backend-{}\"", run - 1), &format!("\"{revision}\""))?;
        let live = wait_for(&mut app, "revision", &revision)?;
        numbers.absent_ms.push(absence.end());
        numbers.backend_ms.push(milliseconds(live - saved));
    }
    for run in 1..=runs {
        std::thread::sleep(REST);
        let marker = format!("page-{run}");
        let saved = Instant::now();
        apps.edit(page, &format!("\"page-{}\"", run - 1), &format!("\"{marker}\""))?;
        let live = wait_for(&mut app, "script", &marker)?;
        numbers.page_ms.push(milliseconds(live - saved));
    }
    app.program.stop();
    println!(
        "{which:?}: backend {:?} ms, page {:?} ms, window absent {:?} ms",
        median(&numbers.backend_ms),
        median(&numbers.page_ms),
        median(&numbers.absent_ms)
    );
    Ok(numbers)
}

/// CPU seconds of everything from `staysail dev` in a project that was just made to its live page.
fn first_of_new_project(apps: &Apps) -> anyhow::Result<f64> {
    let folder = apps.work("new");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let mut init = apps.around(apps.tool("staysail"), &folder);
    super::apps::succeed(init.args(["init", "hello", "--template", "vanilla", "--language", "js"]))?;
    let mut command = apps.around(apps.tool("staysail"), &folder.join("hello"));
    command.args(["dev", "--json"]).env("STAYSAIL_TARGET_DIR", empty(&apps.work("new-target"))?);
    let mut app = apps.start("staysail dev", command, "idle")?;
    let (mut live, mut page) = (false, false);
    app.program.lines.until("the live page", COLD_BUILD_LIMIT, |heard| {
        live |= heard.is("swap_done");
        page |= heard.is("page_ready");
        (live && page).then_some(())
    })?;
    let used = proc::cpu_s(app.program.id());
    println!("Ours: first live page of a new project after {used:.1} CPU seconds");
    Ok(used)
}

fn empty(folder: &Path) -> anyhow::Result<&Path> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(folder)
}

/// When the page reported this revision or marker for the first time.
fn wait_for(app: &mut Running, kind: &str, value: &str) -> anyhow::Result<Instant> {
    let field = if kind == "revision" { "revision" } else { "marker" };
    app.reports
        .until(value, STEP_LIMIT, |heard| (heard.is(kind) && heard.value[field] == value).then_some(heard.at))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Adds up for how long no window with the title was there.
struct Absence {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<f64>,
}

impl Absence {
    fn watch(display: &Display) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, name) = (stop.clone(), display.name.clone());
        let thread = std::thread::spawn(move || {
            let mut absent = Duration::ZERO;
            let mut last = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let there = Command::new("xdotool")
                    .args(["search", "--onlyvisible", "--name", TITLE])
                    .env("DISPLAY", &name)
                    .output()
                    .is_ok_and(|output| !output.stdout.is_empty());
                let now = Instant::now();
                if !there {
                    absent += now - last;
                }
                last = now;
                std::thread::sleep(Duration::from_millis(20));
            }
            milliseconds(absent)
        });
        Self { stop, thread }
    }

    fn end(self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or(f64::NAN)
    }
}

/// Waits for the window of a measured app.
pub fn window_of(apps: &Apps) -> anyhow::Result<window::Id> {
    window::wait(apps.display, TITLE, STEP_LIMIT)
}
