//! From a save to the live page, and from an empty target folder to the first one.

mod peers;
mod projects;
mod vite;
mod watched;

use super::apps::{Apps, COLD_BUILD_LIMIT, Running, STEP_LIMIT, TITLE, Which};
use super::{Row, median};
use crate::{proc, window};
use projects::{Layout, Project, change};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use watched::{Absence, Bystander, TYPED};

/// Pause between two saves: drain, file events and compilers have come to rest.
const REST: Duration = Duration::from_millis(1_500);
/// So many saves of a peer are enough: each takes it seconds.
const PEER_RUNS_MAX: usize = 5;

/// A development tool at work on a project whose page reports to the bench.
struct Subject {
    name: &'static str,
    command: Command,
    /// The files that are edited.
    backend: PathBuf,
    page: PathBuf,
    /// Its tool writes what it does as JSON.
    explains: bool,
}

#[derive(Default)]
struct Numbers {
    first_cpu_s: Vec<f64>,
    first_compile_cpu_s: Vec<f64>,
    first_s: Vec<f64>,
    backend_ms: Vec<f64>,
    /// Beyond what cargo took.
    overhead_ms: Vec<f64>,
    absent_ms: Vec<f64>,
    /// Of each save: 1 when the keyboard was taken, when the text was gone.
    robbed: Vec<f64>,
    lost: Vec<f64>,
    page_ms: Vec<f64>,
}

/// Measures the group.
pub fn measure(apps: &Apps, runs: usize) -> anyhow::Result<Vec<Row>> {
    let template = Project::make(apps, "hello", Layout::Template)?;
    let ours = edits(apps, develop(apps, template)?, runs, true)?;
    let mut tauri = Numbers::default();
    let mut others = Vec::new();
    if apps.peers {
        let [backend, page] = apps.edited(Which::Tauri).map(|path| apps.work(path));
        let command = apps.develop(Which::Tauri, &emptied(apps.target(Which::Tauri, "dev"))?);
        let subject = Subject { name: "Tauri", command, backend, page, explains: false };
        tauri = edits(apps, subject, runs.min(PEER_RUNS_MAX), true)?;
        others = peers::measure(apps, runs);
    }
    let many = |name, layout| -> anyhow::Result<Numbers> {
        edits(apps, develop(apps, Project::make(apps, name, layout)?)?, runs, false)
    };
    let twelve = many("twelve", Layout::Crates(12))?;
    let one = many("single", Layout::OneCrate)?;
    let [through, alone] = vite::measure(apps, runs)?;
    let most = median(&alone).map(|alone| alone * 1.1);
    let row = |name: &str, unit, ours| Row::new(format!("dev.{name}"), unit, ours, Vec::new());
    // What is measured of the others, too.
    let beside = |name: &str, unit, pick: fn(&Numbers) -> Vec<f64>| {
        let others = others.iter().filter_map(|(name, numbers)| Some((*name, median(&pick(numbers))?)));
        Row::new(format!("dev.{name}"), unit, pick(&ours), pick(&tauri)).beside(others.collect())
    };
    Ok(vec![
        beside("backend_template_ms", "ms", |numbers| numbers.backend_ms.clone())
            .at_most(Some(500.0), Some(1.0 / 15.0))
            .below("dioxus"),
        row("backend_12_crates_ms", "ms", twelve.backend_ms).at_most(Some(900.0), None),
        row("backend_1_crate_ms", "ms", one.backend_ms),
        row("beyond_cargo_ms", "ms", ours.overhead_ms.clone()).at_most(Some(60.0), None),
        beside("page_plain_ms", "ms", |numbers| numbers.page_ms.clone()).at_most(Some(60.0), None),
        row("page_vite_ms", "ms", through).at_most(most, None),
        row("page_vite_alone_ms", "ms", alone),
        beside("first_live_cpu_s", "s", |numbers| numbers.first_cpu_s.clone()).at_most(None, Some(0.125)),
        row("first_compile_cpu_s", "s", ours.first_compile_cpu_s.clone()).at_most(Some(30.0), None),
        beside("first_live_s", "s", |numbers| numbers.first_s.clone()),
        beside("window_absent_ms", "ms", |numbers| numbers.absent_ms.clone()).at_most(Some(0.0), None),
        beside("focus_stolen", "times", |numbers| total(&numbers.robbed)).at_most(Some(0.0), None),
        beside("page_state_lost", "times", |numbers| total(&numbers.lost)).at_most(Some(0.0), None),
    ])
}

/// `staysail dev` in a project, from an empty target folder.
fn develop(apps: &Apps, project: Project) -> anyhow::Result<Subject> {
    let Project { name, folder, backend, page } = project;
    let mut command = apps.around(apps.tool("staysail"), &folder);
    let target = emptied(apps.work(&format!("{name}-target")))?;
    command.args(["dev", "--json"]).env("STAYSAIL_TARGET_DIR", target);
    Ok(Subject { name, command, backend, page, explains: true })
}

fn emptied(folder: PathBuf) -> anyhow::Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(folder)
}

fn edits(apps: &Apps, subject: Subject, runs: usize, watched: bool) -> anyhow::Result<Numbers> {
    let mut numbers = Numbers::default();
    let Subject { name, command, backend, page, explains } = subject;
    println!("{name}: first build, from an empty target folder");
    let begun = Instant::now();
    let mut app = apps.start("the development tool", command, "watch")?;
    app.report("revision", COLD_BUILD_LIMIT)?;
    numbers.first_s.push(begun.elapsed().as_secs_f64());
    numbers.first_cpu_s.push(proc::cpu_s(app.program.id()));
    if explains {
        numbers.first_compile_cpu_s.push(proc::ended_cpu_s(app.program.id()));
    }
    let bystander = if watched { Some(Bystander::open(apps)?) } else { None };
    for run in 1..=runs {
        std::thread::sleep(REST);
        if let Some(bystander) = &bystander {
            // The peer's window is another one after each save.
            bystander.type_into(apps, window::wait(apps.display, TITLE, STEP_LIMIT)?)?;
        }
        let absence = Absence::watch(apps.display);
        let revision = format!("backend-{run}");
        let saved = Instant::now();
        change(&backend, &format!("\"backend-{}\"", run - 1), &format!("\"{revision}\""))?;
        let (live, field) = app.reports.until(&revision, STEP_LIMIT, |heard| {
            let field = heard.value["field"].as_str().unwrap_or_default().to_owned();
            (heard.is("revision") && heard.value["revision"] == *revision).then_some((heard.at, field))
        })?;
        numbers.backend_ms.push(milliseconds(live - saved));
        if explains {
            let (live, cargo_ms) = app.program.lines.until("the swap", STEP_LIMIT, |heard| {
                let cargo_ms = heard.value["cargo_ms"].as_f64()?;
                (heard.is("swap_done") && heard.at > saved).then_some((heard.at, cargo_ms))
            })?;
            numbers.overhead_ms.push(milliseconds(live - saved) - cargo_ms);
        }
        numbers.absent_ms.push(absence.end());
        if let Some(bystander) = &bystander {
            numbers.robbed.push(f64::from(u8::from(bystander.was_robbed(apps.display))));
            numbers.lost.push(f64::from(u8::from(!field.contains(TYPED))));
        }
    }
    // The others show the same page.
    let page_runs = if watched { runs } else { 0 };
    for run in 1..=page_runs {
        std::thread::sleep(REST);
        let marker = format!("page-{run}");
        let saved = Instant::now();
        change(&page, &format!("\"page-{}\"", run - 1), &format!("\"{marker}\""))?;
        numbers.page_ms.push(milliseconds(wait_for(&mut app, "script", &marker)? - saved));
    }
    app.program.stop();
    println!(
        "{name}: backend {:?} ms, beyond cargo {:?} ms, page {:?} ms, window absent {:?} ms, focus stolen {:?}, text lost {:?}",
        median(&numbers.backend_ms),
        median(&numbers.overhead_ms),
        median(&numbers.page_ms),
        median(&numbers.absent_ms),
        total(&numbers.robbed),
        total(&numbers.lost)
    );
    Ok(numbers)
}

/// When the page reported this marker for the first time.
fn wait_for(app: &mut Running, kind: &str, marker: &str) -> anyhow::Result<Instant> {
    let is_it = |heard: &crate::program::Heard| heard.is(kind) && heard.value["marker"] == *marker;
    app.reports.until(marker, STEP_LIMIT, |heard| is_it(heard).then_some(heard.at))
}

/// The sum, of what was measured at all.
fn total(numbers: &[f64]) -> Vec<f64> {
    if numbers.is_empty() { Vec::new() } else { vec![numbers.iter().sum()] }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Waits for the window of a measured app.
pub fn window_of(apps: &Apps) -> anyhow::Result<window::Id> {
    window::wait(apps.display, TITLE, STEP_LIMIT)
}
