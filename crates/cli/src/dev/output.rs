//! What `staysail dev` says: calm lines for people, or one JSON object per line for programs.
//!
//! With `--json` each line on standard output is `{"kind": …, "at_ms": …, …}`; `at_ms` counts from the start of
//! the command. Times are milliseconds, with fractions. Kinds and their fields (more may be added):
//!
//! | kind | fields |
//! |---|---|
//! | `shell_started` | `pid`, `shell` |
//! | `window_open` | |
//! | `browser_ready` | `url`: the address that lets a browser in, with its token |
//! | `page_ready` | `window`, `generation` |
//! | `build_started` | `build`, `files` (what was saved; empty at the start) |
//! | `build_finished` | `build`, `replayed`: everything was built; the swap may be over already |
//! | `build_failed` | `build`, `cargo_ms`, `errors`, `replayed` |
//! | `build_unchanged` | `build`, `cargo_ms`: cargo had nothing to do |
//! | `build_cancelled` | `build` |
//! | `swap_done` | `id`, `build`, `watch_to_build`, `cargo_ms`, `swap_ms`, `total_ms`, `hello_ms`, `quiesce_ms`, `restore_ms`, `gate_ms`, `replayed` |
//! | `swap_explained` | `swap`, `total_ms`, `parts` (`name`, `ms`, `note`), `advice`; with `--explain` |
//! | `swap_failed` | `id`, `build`, `reason` |
//! | `modules_exchanged` | `id`, `names`, `total_ms`: from the first file event to live |
//! | `modules_refused` | `id`, `reason`: those before stay in use |
//! | `worker_lost` | `reason`, `restarting`, `serving` (the backend before it) |
//! | `styles_changed`, `page_changed` | `paths`, `watch_ms`: from the first file event to the shell |
//! | `page_report` | `report` (`kind`, `level`, `message`, `place`), from the page |
//! | `worker_log` | `level`, `message` |
//! | `types_written` | `path` |
//! | `notice` | `message` |
//! | `error` | `message` |
//! | `ended` | |
//!
//! `watch_to_build`: first file event to the start of cargo. `cargo_ms`: start of cargo to the executable. `swap_ms`:
//! executable to live. `total_ms`: first file event to live; at the start and after `r`, from the start of cargo.
//! `replayed`: cargo was not needed, its commands to rustc were run once more; `cargo_ms` is the time of those then.

use super::explain::Explained;
use super::status::Status;
use crate::style;
use serde::Serialize;
use staysail_protocol::bridge::PageReport;
use std::io::Write;
use std::time::Instant;

/// Something that happened.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Said {
    ShellStarted {
        pid: u32,
        shell: String,
    },
    WindowOpen,
    BrowserReady {
        url: String,
    },
    PageReady {
        window: String,
        generation: u64,
    },
    BuildStarted {
        build: u64,
        files: Vec<String>,
    },
    BuildFinished {
        build: u64,
        replayed: bool,
    },
    BuildFailed {
        build: u64,
        cargo_ms: f64,
        errors: String,
        /// Whether a backend serves meanwhile: for the words only.
        #[serde(skip)]
        serving: bool,
        replayed: bool,
    },
    BuildUnchanged {
        build: u64,
        cargo_ms: f64,
    },
    BuildCancelled {
        build: u64,
    },
    SwapDone(SwapDone),
    SwapExplained {
        swap: u64,
        #[serde(flatten)]
        explained: Explained,
    },
    SwapFailed {
        id: u64,
        build: u64,
        reason: String,
        /// Whether a backend serves meanwhile: for the words only.
        #[serde(skip)]
        serving: bool,
    },
    ModulesExchanged {
        id: u64,
        names: Vec<String>,
        total_ms: f64,
    },
    ModulesRefused {
        id: u64,
        reason: String,
    },
    WorkerLost {
        reason: String,
        restarting: bool,
        serving: bool,
    },
    StylesChanged {
        paths: Vec<String>,
        watch_ms: f64,
    },
    PageChanged {
        paths: Vec<String>,
        watch_ms: f64,
    },
    PageReport {
        report: PageReport,
    },
    WorkerLog {
        level: String,
        message: String,
    },
    TypesWritten {
        path: String,
    },
    Notice {
        message: String,
    },
    Error {
        message: String,
    },
    Ended,
}

/// Where the time from save to live went.
#[derive(Debug, Serialize)]
pub struct SwapDone {
    pub id: u64,
    pub build: u64,
    pub watch_to_build: f64,
    pub cargo_ms: f64,
    pub swap_ms: f64,
    pub total_ms: f64,
    pub hello_ms: f64,
    pub quiesce_ms: f64,
    pub restore_ms: f64,
    pub gate_ms: f64,
    pub replayed: bool,
    #[serde(skip)]
    pub first: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    said: &'a Said,
    at_ms: f64,
}

/// Where it is said.
pub struct Output {
    json: bool,
    started: Instant,
    foot: Option<Foot>,
}

/// The line at the foot of the terminal.
struct Foot {
    bar: indicatif::ProgressBar,
    line: String,
    busy: bool,
}

impl Foot {
    fn new() -> Self {
        let foot = Self { bar: indicatif::ProgressBar::new_spinner(), line: String::new(), busy: true };
        foot.bar.set_style(Self::style(true));
        foot
    }

    fn style(busy: bool) -> indicatif::ProgressStyle {
        let template = if busy { "{spinner} {wide_msg}" } else { "{wide_msg}" };
        indicatif::ProgressStyle::with_template(template)
            .unwrap_or_else(|_| indicatif::ProgressStyle::default_spinner())
    }

    /// Draws it when it says something else: a line that never changes costs nothing.
    fn show(&mut self, line: String, busy: bool) {
        if busy != self.busy || self.line.is_empty() {
            self.busy = busy;
            self.bar.set_style(Self::style(busy));
            match busy {
                true => self.bar.enable_steady_tick(std::time::Duration::from_millis(120)),
                false => self.bar.disable_steady_tick(),
            }
        }
        if line != self.line {
            self.bar.set_message(line.clone());
            self.line = line;
            self.bar.tick();
        }
    }
}

/// A duration in milliseconds, to a hundredth.
pub fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}

impl Output {
    /// For programs or for people.
    pub fn new(json: bool) -> Self {
        Self { json, started: Instant::now(), foot: None }
    }

    /// A line that is only for people.
    pub fn tell(&self, text: &str) {
        if !self.json {
            self.line(text);
        }
    }

    /// Shows this at the foot of the terminal; `None` takes it away.
    pub fn show(&mut self, status: Option<&Status>) {
        use std::io::IsTerminal;
        if self.json || !std::io::stderr().is_terminal() {
            return;
        }
        let Some(status) = status else {
            if let Some(foot) = self.foot.take() {
                foot.bar.finish_and_clear();
            }
            return;
        };
        let (line, busy) = (status.line(), status.busy.is_some());
        let foot = self.foot.get_or_insert_with(Foot::new);
        foot.show(line, busy);
    }

    /// Clears the terminal.
    pub fn clear(&self) {
        if !self.json {
            self.line("\x1b[2J\x1b[3J\x1b[H");
        }
    }

    /// Says it.
    pub fn say(&self, said: &Said) {
        if self.json {
            let line = Line { said, at_ms: milliseconds(self.started.elapsed()) };
            let mut text = serde_json::to_vec(&line).unwrap_or_default();
            text.push(b'\n');
            // The reader may be gone; that ends nothing here.
            let mut out = std::io::stdout().lock();
            let _ = out.write_all(&text).and_then(|()| out.flush());
        } else if let Some(text) = words(said) {
            self.line(&format!("{}  {text}", style::dim(&clock())));
        }
    }

    fn line(&self, text: &str) {
        let write = || {
            // The terminal may be gone; that ends nothing here.
            let _ = writeln!(std::io::stdout(), "{text}");
        };
        match &self.foot {
            Some(foot) => foot.bar.suspend(write),
            None => write(),
        }
    }
}

pub fn clock() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}

pub fn seconds(milliseconds: f64) -> String {
    if milliseconds < 100.0 {
        format!("{:.3}", milliseconds / 1e3)
    } else {
        format!("{:.2}", milliseconds / 1e3)
    }
}

fn list(paths: &[String]) -> String {
    match paths {
        [] => String::new(),
        [first, rest @ ..] if rest.len() > 2 => format!("{first} and {} more", rest.len()),
        paths => paths.join(", "),
    }
}

/// What still works after a backend did not come.
fn still(serving: bool) -> &'static str {
    if serving {
        "the backend before goes on serving"
    } else {
        "no backend runs yet, save a fix and it starts"
    }
}

fn words(said: &Said) -> Option<String> {
    Some(match said {
        Said::ShellStarted { .. }
        | Said::Ended
        | Said::BuildCancelled { .. }
        | Said::BuildFinished { .. } => return None,
        Said::WindowOpen => "window open".into(),
        Said::BrowserReady { url } => format!("in any browser: {url}"),
        Said::PageReady { window, generation: 1 } => format!("page ready in window {window}"),
        Said::PageReady { .. } => return None,
        Said::BuildStarted { files, .. } if files.is_empty() => "building the backend …".into(),
        Said::BuildStarted { files, .. } => style::dim(&format!("building … ({})", list(files))),
        Said::BuildFailed { errors, cargo_ms, serving, .. } => {
            let text = style::for_terminal(errors.trim_end());
            let (what, still) = (style::bad("build failed"), still(*serving));
            format!("{what} ({} s); {still}\n{text}", seconds(*cargo_ms))
        }
        Said::BuildUnchanged { .. } => style::dim("nothing to build"),
        Said::SwapDone(done) => {
            let what = if done.first { "backend live" } else { "backend swapped" };
            let parts = format!("(cargo {}, swap {})", seconds(done.cargo_ms), seconds(done.swap_ms));
            format!("{} in {} s  {}", style::good(what), seconds(done.total_ms), style::dim(&parts))
        }
        Said::SwapExplained { explained, .. } => explained.table(),
        Said::SwapFailed { reason, serving, .. } => {
            format!("{}; {}\n  {reason}", style::bad("swap failed"), still(*serving))
        }
        Said::ModulesExchanged { names, total_ms, .. } => {
            format!("{} in {} s  {}", style::good("modules exchanged"), seconds(*total_ms), list(names))
        }
        Said::ModulesRefused { reason, .. } => {
            format!("{}; those before stay in use\n  {reason}", style::bad("modules refused"))
        }
        Said::WorkerLost { reason, restarting: true, .. } => {
            format!("{}: {reason}; it is being started again", style::warn("backend lost"))
        }
        Said::WorkerLost { reason, serving: true, .. } => {
            format!("{}; {}\n  {reason}", style::bad("the new backend failed"), still(true))
        }
        Said::WorkerLost { reason, .. } => {
            let advice = "save a fix, or press Try again in the window";
            format!("{}: {reason}; {advice}", style::bad("backend lost"))
        }
        Said::StylesChanged { paths, .. } => format!("{} {}", style::good("exchanged in place"), list(paths)),
        Said::PageChanged { paths, .. } => format!("{} {}", style::good("page reloaded"), list(paths)),
        Said::PageReport { report } => {
            let place = if report.place.is_empty() { String::new() } else { format!(" ({})", report.place) };
            let level = if report.level == "warn" { style::warn("page") } else { style::bad("page") };
            let level =
                if matches!(report.level.as_str(), "info" | "log") { style::dim("page") } else { level };
            format!("{level} {}{}", report.message, style::dim(&place))
        }
        Said::WorkerLog { level, message } => match level.as_str() {
            "error" => format!("{} {message}", style::bad("backend")),
            "warn" => format!("{} {message}", style::warn("backend")),
            _ => format!("{} {message}", style::dim("backend")),
        },
        Said::TypesWritten { path } => style::dim(&format!("wrote {path}")),
        Said::Notice { message } => format!("{} {message}", style::warn("note:")),
        Said::Error { message } => format!("{} {message}", style::bad("error:")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_names_its_kind_and_time() {
        let said = Said::PageReady { window: "main".into(), generation: 2 };
        let line = serde_json::to_value(Line { said: &said, at_ms: 1.5 }).unwrap();
        assert_eq!(
            line,
            serde_json::json!({"kind": "page_ready", "window": "main", "generation": 2, "at_ms": 1.5})
        );
        let done = SwapDone {
            id: 1,
            build: 1,
            watch_to_build: 1.0,
            cargo_ms: 520.0,
            swap_ms: 9.0,
            total_ms: 610.0,
            hello_ms: 2.0,
            quiesce_ms: 0.0,
            restore_ms: 0.0,
            gate_ms: 0.1,
            replayed: false,
            first: false,
        };
        let said = Said::SwapDone(done);
        let line = serde_json::to_value(Line { said: &said, at_ms: 1.5 }).unwrap();
        assert_eq!((&line["kind"], &line["total_ms"]), (&"swap_done".into(), &610.0.into()));
        let text = style::without_colours(&words(&said).unwrap());
        assert_eq!(text, "backend swapped in 0.61 s  (cargo 0.52, swap 0.009)");
    }

    #[test]
    fn a_backend_that_never_ran_is_not_said_to_go_on_serving() {
        for (serving, still) in
            [(true, "; the backend before goes on serving\n"), (false, "; no backend runs yet")]
        {
            let errors = "error".into();
            let failed = Said::BuildFailed { build: 1, cargo_ms: 1.0, errors, replayed: false, serving };
            let refused = Said::SwapFailed { id: 1, build: 1, reason: "it ended".into(), serving };
            let lost = Said::WorkerLost { reason: "it ended".into(), restarting: false, serving };
            let text = style::without_colours(&words(&lost).unwrap());
            let expected = if serving {
                "the new backend failed; the backend before goes on"
            } else {
                "backend lost: it ended"
            };
            assert!(text.starts_with(expected), "{text}");
            for said in [failed, refused] {
                let text = words(&said).unwrap();
                assert!(text.contains(still), "{text}");
                let line = serde_json::to_value(Line { said: &said, at_ms: 1.5 }).unwrap();
                assert!(line.get("serving").is_none(), "{line}");
            }
        }
    }
}
