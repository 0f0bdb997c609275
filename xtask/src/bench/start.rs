//! From the start of the process to the page's second animation frame.

use super::apps::{Apps, STEP_LIMIT};
use super::built::Built;
use super::{Row, median};
use crate::proc;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Cold starts read everything from the disk anew, so their times lie a third apart: of five the median says little.
const COLD_RUNS: usize = 15;

/// The group `start`.
pub fn measure(apps: &Apps, runs: usize) -> anyhow::Result<Vec<Row>> {
    let built = Built::new(apps)?;
    // The first start of each fills caches and is not counted; it tells what files there are to be forgotten.
    let mut files = BTreeSet::new();
    let mut first = |executable: &Path| -> anyhow::Result<()> {
        let mut app = built.start(executable, "idle", &[])?;
        app.report("paint", STEP_LIMIT)?;
        let main = app.program.id();
        files.extend(std::iter::once(main).chain(proc::descendants(main)).flat_map(proc::mapped_files));
        Ok(())
    };
    built.by_turns(1, |_, _, executable| first(executable))?;
    let paint = |executable: &Path, more: &[(&str, String)]| -> anyhow::Result<f64> {
        let begun = Instant::now();
        let mut app = built.start(executable, "idle", more)?;
        Ok((app.report("paint", STEP_LIMIT)?.at - begun).as_secs_f64() * 1000.0)
    };
    let [ours, peer] = built.by_turns(runs, |_, _, executable| paint(executable, &[]))?;
    println!("warm: {:?} ms, Tauri {:?} ms", median(&ours), median(&peer));
    let fresh = apps.work("cold-data");
    let [cold, peer_cold] = built.by_turns(COLD_RUNS, |_, _, executable| {
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh)?;
        }
        files.iter().for_each(forget);
        paint(executable, &[("XDG_DATA_HOME", fresh.display().to_string())])
    })?;
    println!("cold: {:?} ms, Tauri {:?} ms", median(&cold), median(&peer_cold));
    Ok(vec![
        Row::new("start.first_paint_ms", "ms", ours, peer).at_most(None, Some(1.0)),
        Row::new("start.first_paint_cold_ms", "ms", cold, peer_cold).at_most(None, Some(1.0)),
    ])
}

/// Has the system forget what it knows of a file's content. Pages that another process uses stay, as they would for
/// any app that starts.
fn forget(path: &PathBuf) {
    let Ok(file) = File::open(path) else { return };
    // SAFETY: the descriptor is open for the whole call, which touches no memory of ours.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
}
