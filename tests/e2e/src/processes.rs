//! Bookkeeping of all processes a test causes, however deep and whoever adopted them, through `/proc`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The variable every process of a test inherits; its value is the test's own.
pub const MARK: &str = "STAYSAIL_E2E_MARK";

/// One process as `/proc` tells.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its id.
    pub id: i32,
    /// Its parent's id.
    pub parent: i32,
    /// Its name as the kernel keeps it (15 bytes).
    pub name: String,
    /// Its command line, blanks between arguments.
    pub command_line: String,
    /// `R`, `S`, `T` (stopped), `Z` (dead, not reaped), …
    pub state: char,
}

impl Process {
    /// Path of its executable.
    pub fn executable(&self) -> String {
        std::fs::read_link(format!("/proc/{}/exe", self.id))
            .map(|path| path.display().to_string())
            .unwrap_or_default()
    }

    /// Memory the process made itself, in kilobytes: its share of what is mapped from no file, swapped out or not. Pages of
    /// programs and libraries are left out: a process's share of these grows when *other* programs that use them end.
    pub fn memory_kb(&self) -> u64 {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id)).unwrap_or_default();
        own_kb(&rollup)
    }

    /// Kills it, at once.
    pub fn kill(&self) {
        // SAFETY: sending a signal to a number is harmless to this process; it was looked up a moment ago.
        unsafe { libc::kill(self.id, libc::SIGKILL) };
    }
}

/// The sum of what `smaps_rollup` counts as a process's own (proc_pid_smaps(5)).
fn own_kb(rollup: &str) -> u64 {
    let value = |name: &str| -> u64 {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    value("Pss_Anon") + value("Pss_Shmem") + value("SwapPss")
}

/// All processes that carry the test's mark and live.
pub fn marked(mark: &str) -> Vec<Process> {
    let wanted = format!("{MARK}={mark}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let folder = entry.path();
        let environment = std::fs::read(folder.join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()) {
            found.extend(process(id, &folder).filter(|process| process.state != 'Z'));
        }
    }
    found
}

/// One process, by its number.
pub fn one(id: i32) -> Option<Process> {
    process(id, &Path::new("/proc").join(id.to_string()))
}

/// The marked processes below `ancestor`, itself not counted.
pub fn descendants(mark: &str, ancestor: i32) -> Vec<Process> {
    let all: BTreeMap<i32, Process> = marked(mark).into_iter().map(|process| (process.id, process)).collect();
    let below = |process: &Process| {
        let mut parent = process.parent;
        for _ in 0..64 {
            if parent == ancestor {
                return true;
            }
            match all.get(&parent) {
                Some(next) => parent = next.parent,
                None => return false,
            }
        }
        false
    };
    all.values().filter(|process| below(process)).cloned().collect()
}

/// Waits until no marked process is left that `concerns` says yes to.
///
/// # Errors
/// When some are left after `patience`; they are named.
pub fn wait_none_left(
    mark: &str,
    patience: Duration,
    concerns: impl Fn(&Process) -> bool,
) -> anyhow::Result<()> {
    crate::wait_until("no process to be left over", patience, || {
        let left: Vec<_> = marked(mark).into_iter().filter(|process| concerns(process)).collect();
        if left.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = left
            .iter()
            .map(|one| format!("{} (parent {}) {}", one.id, one.parent, one.command_line))
            .collect();
        Err(names.join("; "))
    })
}

fn process(id: i32, folder: &Path) -> Option<Process> {
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    let name = stat.get(stat.find('(')? + 1..stat.rfind(')')?)?.to_owned();
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let command_line = String::from_utf8_lossy(&std::fs::read(folder.join("cmdline")).ok()?)
        .trim_end_matches('\0')
        .replace('\0', " ");
    Some(Process { id, parent, name, command_line, state })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_processs_own_memory_is_what_it_maps_from_no_file() {
        let rollup = "Pss:  900 kB\nPss_Anon:  100 kB\nPss_File:  700 kB\nPss_Shmem:  20 kB\nSwap:  9 kB\nSwapPss:  3 kB\n";
        assert_eq!(super::own_kb(rollup), 123);
        let us = super::one(std::process::id() as i32).map_or(0, |process| process.memory_kb());
        assert!(us > 0, "nothing is known of this process");
    }
}
