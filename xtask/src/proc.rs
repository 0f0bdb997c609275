//! What Linux knows of processes: trees, CPU time, memory of their own.

use std::path::PathBuf;

/// Sends a signal.
pub fn signal(process: u32, signal: i32) {
    if let Ok(process) = i32::try_from(process) {
        // SAFETY: kill takes two integers and touches no memory of ours.
        unsafe { libc::kill(process, signal) };
    }
}

struct Stat {
    id: u32,
    parent: u32,
    ticks: u64,
    /// Of children that ended and were waited for, and theirs.
    ended_ticks: u64,
}

/// Everything in `/proc`; a process that ends meanwhile is left out.
fn all() -> Vec<Stat> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| {
        let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name is in parentheses and may hold anything: fields are counted from the last one (proc(5)).
        let fields: Vec<&str> = text[text.rfind(')')? + 2..].split(' ').collect();
        // utime, stime and those of children that were waited for.
        let sum = |fields: &[&str]| fields.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
        let (ticks, ended_ticks) = (sum(fields.get(11..15)?), sum(fields.get(13..15)?));
        Some(Stat { id, parent: fields.get(1)?.parse().ok()?, ticks, ended_ticks })
    })
    .collect()
}

/// All processes below one, without it.
pub fn descendants(root: u32) -> Vec<u32> {
    below(root, &all())
}

fn below(root: u32, all: &[Stat]) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|stat| stat.parent == parent).map(|stat| stat.id));
        next += 1;
    }
    found.split_off(1)
}

/// CPU seconds a process and everything below it have used, children that ended included.
pub fn cpu_s(root: u32) -> f64 {
    let all = all();
    let mut family = below(root, &all);
    family.push(root);
    seconds(all.iter().filter(|stat| family.contains(&stat.id)).map(|stat| stat.ticks).sum())
}

/// CPU seconds of what a process started and has waited for: compilers, for a tool that builds.
pub fn ended_cpu_s(process: u32) -> f64 {
    seconds(all().iter().filter(|stat| stat.id == process).map(|stat| stat.ended_ticks).sum())
}

fn seconds(ticks: u64) -> f64 {
    // SAFETY: sysconf takes an integer and touches no memory of ours.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    ticks as f64 / per_second.max(1) as f64
}

/// Whether a process was stopped in its tracks (`SIGSTOP`).
pub fn is_stopped(process: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    text.rfind(')').is_some_and(|end| text[end..].starts_with(") T "))
}

/// The executable of a process.
pub fn executable(process: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{process}/exe")).ok()
}

/// Files a process has mapped into its memory: its executable, libraries, fonts, caches.
pub fn mapped_files(process: u32) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
    let mut files: Vec<PathBuf> =
        text.lines().filter_map(|line| Some(PathBuf::from(&line[line.find('/')?..]))).collect();
    files.sort();
    files.dedup();
    files
}

/// Proportional set size in MB: memory of its own and its share of what it shares.
pub fn pss_mb(process: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_child_is_found_below_its_parent_and_its_work_is_counted() {
        let mut child = Command::new("sh")
            .args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; read x"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let own = std::process::id();
        let begun = std::time::Instant::now();
        while cpu_s(child.id()) < 0.01 && begun.elapsed().as_secs() < 30 {
            std::thread::yield_now();
        }
        assert!(descendants(own).contains(&child.id()));
        for (with, stopped) in [(libc::SIGSTOP, true), (libc::SIGCONT, false)] {
            signal(child.id(), with);
            while is_stopped(child.id()) != stopped && begun.elapsed().as_secs() < 60 {
                std::thread::yield_now();
            }
            assert_eq!(is_stopped(child.id()), stopped);
        }
        assert!(cpu_s(own) >= cpu_s(child.id()));
        assert!(pss_mb(child.id()).is_some_and(|size| size > 0.01));
        drop(child.stdin.take());
        child.wait().expect("sh ends");
        assert!(!descendants(own).contains(&child.id()));
    }
}
