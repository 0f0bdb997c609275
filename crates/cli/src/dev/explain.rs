//! `staysail dev --explain`: where the time of a save went, and what would shorten it.
//!
//! # Theory of operation
//! Cargo says on its error stream when it begins a crate and on its output when one is done; the time between is that
//! crate's. Crates overlap, since cargo begins one as soon as the interface of what it needs is known, so the parts are
//! cut where they meet: what a later crate does while an earlier one still runs counts for the earlier. What is left
//! of cargo's time is cargo's own. rustc runs the linker inside the last crate's time; on Linux that process is looked
//! for (`/proc`), elsewhere compiling and linking are one part.

use super::output::milliseconds;
use crate::cargo::Compiled;
use crate::style;
use serde::Serialize;
use staysail_protocol::control::SwapTiming;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
#[cfg(any(target_os = "linux", test))]
use std::time::Duration;
use std::time::{Instant, SystemTime};

/// A crate that takes longer is worth splitting.
const CRATE_MS_MAX: f64 = 500.0;
/// A link that takes longer is worth a faster linker.
const LINK_MS_MAX: f64 = 250.0;
/// Cargo's own work beyond this comes from many packages or build scripts that run each time.
const CARGO_MS_MAX: f64 = 200.0;
/// A backend that takes longer to say hello works before its `run()`.
const HELLO_MS_MAX: f64 = 100.0;
/// State that takes longer to hand over is large.
const STATE_MS_MAX: f64 = 50.0;
/// What a build takes around rustc: of cargo, and of replaying its commands.
const CARGO: &str = "cargo itself";
const REPLAYED: &str = "rustc replayed";
/// Pause between two looks for the linker.
#[cfg(target_os = "linux")]
const LOOK_MS: u64 = 4;

/// What a build does, as it does it.
#[derive(Debug)]
pub struct Trace {
    started: Instant,
    /// The same moment, to compare times of files with.
    started_at: SystemTime,
    begun: Vec<(String, Instant)>,
    compiled: Vec<Span>,
    /// Packages whose build scripts ran.
    scripts: Vec<String>,
    linker: Receiver<Linking>,
}

/// A linker at work.
#[derive(Debug, Clone, PartialEq)]
struct Linking {
    name: String,
    from: Instant,
    to: Instant,
}

#[derive(Debug, Clone, PartialEq)]
struct Span {
    what: Compiled,
    from: Instant,
    to: Instant,
}

/// One term of the sum.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// What took the time.
    pub name: String,
    /// How long, in milliseconds.
    pub ms: f64,
    /// More about it.
    pub note: String,
}

/// The sum, and what would make it smaller.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Explained {
    /// From the first file event to live.
    pub total_ms: f64,
    /// In the order in which they happened.
    pub parts: Vec<Part>,
    /// Sentences for people.
    pub advice: Vec<String>,
}

/// Times of a save around cargo's.
pub struct Around {
    /// First file event to the start of cargo.
    pub watch_ms: f64,
    /// Start of cargo to the executable.
    pub cargo_ms: f64,
    /// Cargo was not needed: its commands were run once more.
    pub replayed: bool,
    /// From the executable to the request for the swap: copying it to a path of its own.
    pub copy_ms: f64,
    /// What the shell says of the swap.
    pub swap: SwapTiming,
    /// First file event to live.
    pub total_ms: f64,
}

impl Trace {
    /// Begins with the start of cargo, whose process this is.
    pub fn begin(cargo: u32) -> Self {
        Self {
            started: Instant::now(),
            started_at: SystemTime::now(),
            begun: Vec::new(),
            compiled: Vec::new(),
            scripts: Vec::new(),
            linker: watch_linker(cargo),
        }
    }

    /// A line of cargo's error stream.
    pub fn progress(&mut self, line: &str) {
        let plain = style::without_colours(line);
        if let Some(name) = plain.trim().strip_prefix("Compiling ").and_then(|rest| rest.split(' ').next()) {
            self.begun.push((name.replace('-', "_"), Instant::now()));
        }
    }

    /// A crate is done.
    pub fn compiled(&mut self, what: Compiled) {
        let name = what.name.replace('-', "_");
        let from = self.begun.iter().rev().find(|(begun, _)| *begun == name).map(|(_, at)| *at);
        // A crate that is not its package's namesake: it began when the one before it was done.
        let from = from.or(self.compiled.last().map(|span| span.to)).unwrap_or(self.started);
        self.compiled.push(Span { what, from, to: Instant::now() });
    }

    /// Cargo has what this package's build script says. Whether it ran for that tells a file beside its output: cargo
    /// writes it anew each time it starts the script, and says nothing of it in its messages.
    pub fn script(&mut self, package: String, out_dir: &Path) {
        let invoked = out_dir.with_file_name("invoked.timestamp").metadata().and_then(|file| file.modified());
        if invoked.is_ok_and(|at| at >= self.started_at) {
            self.scripts.push(package);
        }
    }

    /// The sum.
    pub fn explain(&self, around: &Around) -> Explained {
        sum(self.started, &self.compiled, &self.scripts, self.linker.try_iter().last(), around)
    }
}

fn sum(
    started: Instant,
    compiled: &[Span],
    scripts: &[String],
    linking: Option<Linking>,
    around: &Around,
) -> Explained {
    let mut parts = vec![part("save noticed", around.watch_ms, "")];
    let (mut seen, mut own) = (started, around.cargo_ms);
    let mut crates = Vec::new();
    for span in compiled {
        let from = span.from.max(seen);
        let ms = milliseconds(span.to.saturating_duration_since(from));
        seen = seen.max(span.to);
        own -= ms;
        let kind = match span.what.kind.as_str() {
            "bin" | "lib" | "rlib" => "",
            "custom-build" => "build script",
            "proc-macro" => "macros",
            other => other,
        };
        crates.push(part(&span.what.name, ms, kind));
    }
    let link = linking.zip(crates.last_mut()).map(|(linking, last)| {
        let ms = milliseconds(linking.to - linking.from).min(last.ms);
        last.ms = round(last.ms - ms);
        part("link", ms, &linking.name)
    });
    let around_rustc = if around.replayed { REPLAYED } else { CARGO };
    parts.push(part(around_rustc, round(own.max(0.0)), ""));
    parts.extend(crates.iter().cloned());
    parts.extend(link.clone());
    let SwapTiming { hello_ms, quiesce_ms, restore_ms, gate_ms, .. } = around.swap;
    parts.push(part("copy to its own path", around.copy_ms, ""));
    parts.push(part("start", hello_ms, "process to hello"));
    parts.push(part("state", round(quiesce_ms + restore_ms), "taken and handed over"));
    // Calls wait from the old state's taking to the end; what is not the state's is handing over resources, and the switch.
    let switch_ms = round((gate_ms - quiesce_ms - restore_ms).max(0.0));
    parts.push(part("switch", switch_ms, "resources handed over, calls let on"));
    // A script that was compiled had to run: it is new, or was changed.
    let scripts = if crates.iter().any(|part| part.note == "build script") { &[] } else { scripts };
    let advice = advice(&parts, &crates, scripts, link.as_ref(), around);
    Explained { total_ms: around.total_ms, advice, parts }
}

fn advice(
    parts: &[Part],
    crates: &[Part],
    scripts: &[String],
    link: Option<&Part>,
    around: &Around,
) -> Vec<String> {
    let mut advice = Vec::new();
    if let Some(slow) =
        crates.iter().filter(|part| part.ms > CRATE_MS_MAX).max_by(|a, b| a.ms.total_cmp(&b.ms))
    {
        let name = &slow.name;
        advice.push(format!(
            "`{name}` takes {} to compile. Move what you edit most into a crate of its own that `{name}` depends on only for \
             its interface, or split `{name}` by topic: only the crates that changed are compiled (docs/guide/development.md).",
            time(slow.ms)
        ));
    }
    let after: Vec<&str> = crates.iter().skip(1).map(|part| part.name.as_str()).collect();
    if after.len() > 3 {
        advice.push(format!(
            "An edit in `{}` compiles {} more crates, because they depend on it: {}. What changes often belongs near the program, \
             what rarely changes below it.",
            crates[0].name,
            after.len(),
            after.join(", ")
        ));
    }
    if !scripts.is_empty() {
        advice.push(format!(
            "The build script of `{}` ran for this save, and what depends on it was compiled again. Let it print \
             `cargo:rerun-if-changed=…` for the files it reads: then only these make it run.",
            scripts.join("`, `")
        ));
    }
    if let Some(link) = link.filter(|link| link.ms > LINK_MS_MAX) {
        let fast = ["mold", "wild", "lld"].iter().any(|name| link.note.contains(name));
        advice.push(match fast {
            false => format!(
                "Linking with {} takes {}. A faster linker (`mold`, `wild` or `lld`) is set in .cargo/config.toml.",
                link.note,
                time(link.ms)
            ),
            true => format!(
                "Linking takes {}, with a fast linker: the program is large. Dependencies that only some commands need may \
                 go behind a feature that is off in development.",
                time(link.ms)
            ),
        });
    }
    let own = parts.iter().find(|part| part.name == CARGO).map_or(0.0, |part| part.ms);
    if own > CARGO_MS_MAX {
        advice.push(format!(
            "Cargo itself takes {} to see what changed: a large workspace, a slow disk, or another cargo that holds the lock \
             (an editor's, with the same target folder).",
            time(own)
        ));
    }
    if around.swap.hello_ms > HELLO_MS_MAX {
        advice.push(format!(
            "The backend takes {} to start. Work before `run()` belongs into a service's start-up, which runs beside the old \
             backend.",
            time(around.swap.hello_ms)
        ));
    }
    if around.swap.quiesce_ms + around.swap.restore_ms > STATE_MS_MAX {
        advice.push(
            "Handing the state over takes long: a call was under way, or the state is large. What can be read again from disk \
             needs not be kept state."
                .into(),
        );
    }
    advice
}

impl Explained {
    /// A table for people, slowest marked.
    pub fn table(&self) -> String {
        let width = self.parts.iter().map(|part| part.name.chars().count()).max().unwrap_or(0);
        let slowest = self.parts.iter().map(|part| part.ms).fold(0.0, f64::max);
        let mut text = format!("where {} went", time(self.total_ms));
        for part in &self.parts {
            let bar = "▇".repeat((part.ms / self.total_ms.max(1.0) * 24.0).round() as usize);
            let line = format!("  {:width$}  {:>7.1} ms  {bar} {}", part.name, part.ms, part.note);
            let line = line.trim_end();
            text.push('\n');
            text.push_str(&if part.ms == slowest { style::warn(line) } else { style::dim(line) });
        }
        for advice in &self.advice {
            text.push_str(&format!("\n  {} {advice}", style::strong("→")));
        }
        text
    }
}

fn part(name: &str, ms: f64, note: &str) -> Part {
    Part { name: name.into(), ms, note: note.into() }
}

fn round(ms: f64) -> f64 {
    (ms * 100.0).round() / 100.0
}

fn time(ms: f64) -> String {
    if ms < 1_000.0 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1e3) }
}

/// Looks for a linker below this process until it ends; each time one was there again, a newer answer comes.
#[cfg(target_os = "linux")]
fn watch_linker(cargo: u32) -> Receiver<Linking> {
    let (found, linker) = channel();
    std::thread::spawn(move || {
        let mut now: Option<Linking> = None;
        while let Some(names) = linkers_below(cargo) {
            if let Some(name) = names {
                let at = Instant::now();
                match &mut now {
                    Some(linking) => linking.to = at,
                    None => now = Some(Linking { name, from: at, to: at }),
                }
            } else if let Some(linking) = now.take()
                && found.send(linking).is_err()
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(LOOK_MS));
        }
        if let Some(linking) = now {
            // Nobody may wait for it any more.
            let _ = found.send(linking);
        }
    });
    linker
}

#[cfg(not(target_os = "linux"))]
fn watch_linker(_: u32) -> Receiver<Linking> {
    channel().1
}

/// Name of the linker that runs below this process; `None` when the process is gone.
#[cfg(target_os = "linux")]
fn linkers_below(ancestor: u32) -> Option<Option<String>> {
    let parent_and_name = |process: u32| -> Option<(u32, String, char)> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name stands in parentheses and may hold some itself.
        let (before, after) = stat.rsplit_once(')')?;
        let mut fields = after.split_whitespace();
        let state = fields.next()?.chars().next()?;
        Some((fields.next()?.parse().ok()?, before.split_once('(')?.1.to_owned(), state))
    };
    parent_and_name(ancestor).filter(|(_, _, state)| *state != 'Z')?;
    let all = std::fs::read_dir("/proc").ok()?;
    let processes = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for process in processes {
        let Some((mut parent, name, _)) = parent_and_name(process) else { continue };
        if !["ld", "ld.lld", "lld", "rust-lld", "mold", "wild", "ld.bfd", "ld.gold"].contains(&name.as_str())
        {
            continue;
        }
        while parent > 1 && parent != ancestor {
            parent = parent_and_name(parent).map_or(0, |(above, _, _)| above);
        }
        if parent == ancestor {
            return Some(Some(name));
        }
    }
    Some(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    fn span(start: Instant, name: &str, from: u64, to: u64) -> Span {
        let what = Compiled { name: name.into(), kind: "lib".into() };
        Span { what, from: at(start, from), to: at(start, to) }
    }

    fn around(cargo_ms: f64) -> Around {
        let swap =
            SwapTiming { hello_ms: 3.0, quiesce_ms: 0.5, restore_ms: 0.5, gate_ms: 1.1, total_ms: 5.0 };
        Around { watch_ms: 22.0, cargo_ms, replayed: false, copy_ms: 1.0, swap, total_ms: cargo_ms + 28.0 }
    }

    #[test]
    fn the_parts_are_the_whole_and_overlaps_count_once() {
        let start = Instant::now();
        let spans = [span(start, "core", 60, 300), span(start, "app", 200, 500)];
        let linking = Linking { name: "rust-lld".into(), from: at(start, 420), to: at(start, 490) };
        let explained = sum(start, &spans, &[], Some(linking), &around(500.0));
        let of = |name: &str| explained.parts.iter().find(|part| part.name == name).unwrap().ms;
        assert_eq!(
            [of("core"), of("app"), of("link"), of("cargo itself"), of("switch")],
            [240.0, 130.0, 70.0, 60.0, 0.1]
        );
        let whole: f64 = explained.parts.iter().map(|part| part.ms).sum();
        assert!((whole - explained.total_ms).abs() < 1.0, "{whole} of {}", explained.total_ms);
        assert_eq!(explained.advice, [""; 0], "nothing here is slow");
    }

    #[test]
    fn what_is_slow_is_named_with_a_remedy() {
        let start = Instant::now();
        let mut spans = vec![span(start, "everything", 0, 2_900)];
        spans.extend((0..4).map(|n| span(start, &format!("part{n}"), 2_900, 3_000)));
        let linking = Linking { name: "ld".into(), from: at(start, 3_000), to: at(start, 3_600) };
        spans.push(span(start, "app", 3_000, 3_600));
        let slow = SwapTiming { hello_ms: 400.0, restore_ms: 90.0, ..SwapTiming::default() };
        let explained =
            sum(start, &spans, &["macros".into()], Some(linking), &Around { swap: slow, ..around(3_900.0) });
        for part in [
            "`everything` takes 2.9 s",
            "5 more crates",
            "build script of `macros`",
            "Linking with ld takes 600 ms",
            "Cargo itself",
            "to start",
            "state",
        ] {
            assert!(
                explained.advice.iter().any(|advice| advice.contains(part)),
                "{part}: {:?}",
                explained.advice
            );
        }
        let table = style::without_colours(&explained.table());
        assert!(table.contains("everything") && table.contains("2900.0 ms"), "{table}");
    }

    #[test]
    fn a_crates_time_begins_where_cargo_says_so() {
        let mut trace = Trace::begin(std::process::id());
        trace.progress("\u{1b}[1m\u{1b}[92m   Compiling\u{1b}[0m notes-core v0.1.0 (/p/core)");
        trace.compiled(Compiled { name: "notes_core".into(), kind: "lib".into() });
        assert_eq!(trace.compiled[0].from, trace.begun[0].1);
    }
}
