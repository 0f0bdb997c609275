//! What an app that does nothing takes: memory by process, and processor time.

use super::Row;
use super::apps::{Apps, STEP_LIMIT};
use super::built::Built;
use crate::proc;
use std::time::{Duration, Instant};

const STARTS: usize = 3;
/// Time for caches and first garbage collection before memory is read.
const SETTLE: Duration = Duration::from_secs(4);
/// Processor time is counted for so long.
const IDLE: Duration = Duration::from_secs(5);

/// What one start takes.
struct Taken {
    main: f64,
    own: f64,
    page: f64,
    network: f64,
    idle_percent: f64,
}

/// The group `memory`.
pub fn measure(apps: &Apps) -> anyhow::Result<Vec<Row>> {
    let built = Built::new(apps)?;
    let [ours, peer] = built.by_turns(STARTS, |_, which, executable| {
        let mut app = built.start(executable, "idle", &[])?;
        app.report("paint", STEP_LIMIT)?;
        super::dev::window_of(apps)?;
        std::thread::sleep(SETTLE);
        let main = app.program.id();
        let (begun, used) = (Instant::now(), proc::cpu_s(main));
        std::thread::sleep(IDLE);
        let idle_percent = (proc::cpu_s(main) - used) / begun.elapsed().as_secs_f64() * 100.0;
        let named = |part: &str| -> f64 {
            let all = proc::descendants(main).into_iter().filter(|process| name(*process).contains(part));
            all.filter_map(proc::pss_mb).sum()
        };
        let taken = Taken {
            main: proc::pss_mb(main).unwrap_or(f64::NAN),
            own: own_mb(main),
            page: named("WebKitWebProcess"),
            network: named("WebKitNetwork"),
            idle_percent,
        };
        let Taken { main, own, page, network, idle_percent } = &taken;
        println!("{which:?}: main {main:.1}, own {own:.1}, page {page:.1}, network {network:.1} MB, idle {idle_percent:.1} %");
        Ok(taken)
    })?;
    let column = |of: fn(&Taken) -> f64| [&ours, &peer].map(|side| side.iter().map(of).collect::<Vec<_>>());
    let row = |name: &str, unit, of: fn(&Taken) -> f64| {
        let [ours, peer] = column(of);
        Row::new(name, unit, ours, peer)
    };
    let [shell, _] = column(|taken| taken.main);
    let [worker, _] = column(|taken| taken.own - taken.main);
    Ok(vec![
        Row::new("memory.shell_mb", "MB", shell, Vec::new()),
        Row::new("memory.worker_mb", "MB", worker, Vec::new()),
        row("memory.own_total_mb", "MB", |taken| taken.own).at_most(None, Some(1.25)),
        row("memory.web_process_mb", "MB", |taken| taken.page),
        row("memory.network_process_mb", "MB", |taken| taken.network),
        row("memory.idle_cpu_percent", "%", |taken| taken.idle_percent),
    ])
}

/// Memory of an app's own processes. The webview's are the same for everybody and left out.
pub fn own_mb(main: u32) -> f64 {
    let all = proc::descendants(main).into_iter().filter(|process| is_own(*process));
    std::iter::once(main).chain(all).filter_map(proc::pss_mb).sum()
}

fn name(process: u32) -> String {
    let path = proc::executable(process).unwrap_or_default();
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Not one of the webview's processes, nor the sandbox around them.
fn is_own(process: u32) -> bool {
    let name = name(process);
    !name.is_empty() && !name.starts_with("WebKit") && !["bwrap", "xdg-dbus-proxy"].contains(&name.as_str())
}
