//! The app while its page calls without a pause: what its log says, and what its page reports.

use crate::bench::apps::{Apps, Running, STEP_LIMIT};
use crate::demo::plain;
use crate::proc;
use anyhow::Context;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// A running app under load.
pub struct Watched {
    app: Running,
    /// What its page has reported so far.
    pub load: Load,
}

/// What the calls of a page came to.
#[derive(Debug, Default)]
pub struct Load {
    /// Answered calls of each load of the page, by when it was loaded.
    calls: BTreeMap<u64, u64>,
    /// Why calls failed.
    pub failures: Vec<String>,
    /// The longest that a call took, in milliseconds.
    pub slowest_ms: f64,
}

impl Load {
    fn hear(&mut self, kind: &str, values: &serde_json::Value) {
        if kind == "call_failed" {
            self.failures.push(values["message"].to_string());
        }
        if let (Some(loaded), Some(calls)) = (values["loaded"].as_u64(), values["calls"].as_u64()) {
            self.calls.insert(loaded, calls);
            self.slowest_ms = self.slowest_ms.max(values["slowest_ms"].as_f64().unwrap_or_default());
        }
    }

    /// Calls that were answered, as far as that is reported.
    pub fn calls(&self) -> u64 {
        self.calls.values().sum()
    }
}

/// An event of an update in the app's log.
pub struct Told {
    /// When it was read.
    pub at: Instant,
    text: String,
}

impl Told {
    /// The number behind a name.
    pub fn number(&self, name: &str) -> anyhow::Result<f64> {
        number(&self.text, name).with_context(|| format!("there is no {name} in {}", self.text))
    }
}

impl Watched {
    /// Starts it, and waits for the first answer.
    pub fn start(apps: &Apps, executable: &Path) -> anyhow::Result<Self> {
        let command = apps.around(Command::new(executable), &apps.work("."));
        let mut watched = Self { app: apps.start("the app", command, "load")?, load: Load::default() };
        watched.answered_by("backend-")?;
        Ok(watched)
    }

    /// Waits until a page sees its first answer by this backend. Gives when that was reported.
    pub fn answered_by(&mut self, backend: &str) -> anyhow::Result<Instant> {
        let load = &mut self.load;
        self.app.reports.until(backend, STEP_LIMIT, |heard| {
            let kind = heard.value["kind"].as_str().unwrap_or_default();
            load.hear(kind, &heard.value);
            let revision = heard.value["revision"].as_str().unwrap_or_default();
            (kind == "revision" && revision.starts_with(backend)).then_some(heard.at)
        })
    }

    /// Waits until the page has told what its calls came to, twice from now on: whatever happened before is in it.
    pub fn settle(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        for _ in 0..2 {
            let load = &mut self.load;
            self.app.reports.until("what its calls came to", STEP_LIMIT, |heard| {
                let kind = heard.value["kind"].as_str().unwrap_or_default();
                load.hear(kind, &heard.value);
                (kind == "load" && heard.at > begun).then_some(())
            })?;
        }
        Ok(())
    }

    /// Waits for an event of a version.
    pub fn told(&mut self, kind: &str, version: &str) -> anyhow::Result<Told> {
        let quoted = format!("version: \"{version}\"");
        self.app.program.lines.until(&format!("{kind} of {version}"), STEP_LIMIT, |heard| {
            let text = plain(&heard.text);
            let event = text.split_once("event=")?.1;
            let is_meant = event.starts_with(kind) && event.contains(&quoted);
            is_meant.then(|| Told { at: heard.at, text: event.to_owned() })
        })
    }

    /// The backends that run, and whether each is frozen.
    pub fn backends(&self) -> Vec<(u32, bool)> {
        let all = proc::descendants(self.app.program.id()).into_iter();
        let is_backend = |process: &u32| {
            proc::executable(*process).is_some_and(|path| path.iter().any(|part| part == "backend"))
        };
        all.filter(is_backend).map(|process| (process, proc::is_stopped(process))).collect()
    }
}

/// The number behind a name in a logged event.
fn number(event: &str, name: &str) -> Option<f64> {
    let rest = event.split_once(name)?.1;
    let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | 'e' | '-')).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_of_a_logged_event_are_read() {
        let event = "Applied { version: \"1.1.0\", milliseconds: 9.125 }";
        assert_eq!(number(event, "milliseconds: "), Some(9.125));
        assert_eq!(number("Available { notes: \"\", bytes: 1234 }", "bytes: "), Some(1234.0));
        assert_eq!(number(event, "bytes: "), None);
    }

    #[test]
    fn the_calls_of_all_loads_are_counted_and_each_failure() {
        let mut load = Load::default();
        let told = |loaded: u64, calls: u64| json!({ "loaded": loaded, "calls": calls, "slowest_ms": calls });
        for values in [told(7, 10), told(7, 30), told(9, 5)] {
            load.hear("load", &values);
        }
        load.hear("revision", &json!({ "revision": "backend-0" }));
        load.hear("call_failed", &json!({ "message": "gone" }));
        assert_eq!((load.calls(), load.slowest_ms), (35, 30.0));
        assert_eq!(load.failures, ["\"gone\""]);
    }
}
