//! What `staysail watch` prints: lines for people, or one JSON object per line for programs (`--json`).
//!
//! | `event` | Fields |
//! |---|---|
//! | `ready` | `folders`, `files`: how many are watched. Once, when everything is known |
//! | `add`, `change`, `unlink`, `addDir`, `unlinkDir` | `batch`, `path` |
//! | `rename`, `renameDir` | `batch`, `from`, `path` (the new one) |
//! | `batch` | `batch`, `events`: how many; `ms`: from the first sign to this line. After the events of each batch |
//! | `notice` | `subject` (`polling`, `limit`, `denied`, `overflow`, `root`, `too_many`), `path` where there is one, `message` |
//! | `run` | `run`: number, `command` |
//! | `exit` | `run`, `code`; `null` when the program was ended by a signal |
//! | `ended` | none. The last line |
//!
//! Paths are absolute. One that is no Unicode text is written with replacement characters and `"lossy": true`.

use crate::style;
use serde_json::{Map, Value, json};
use staysail_watch::{Batch, Event, Report, Rules, Select};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where lines go.
pub struct Output {
    json: bool,
    here: PathBuf,
    batches: u64,
}

impl Output {
    pub fn new(json: bool, here: PathBuf) -> Self {
        Self { json, here, batches: 0 }
    }

    /// Writes one report; `false` when nobody reads any longer.
    pub fn report(&mut self, report: &Report) -> bool {
        match report {
            Report::Ready { folders, files } if self.json => {
                line(&json!({ "event": "ready", "folders": folders, "files": files }))
            }
            Report::Ready { folders, files } => {
                eprintln!("watching {files} files in {folders} folders; Ctrl-C ends it");
                true
            }
            Report::Changed(batch) => self.batch(batch),
            Report::Notice(notice) if self.json => {
                let mut object =
                    json!({ "event": "notice", "subject": notice.subject.name(), "message": notice.message });
                if let (Some(path), Some(object)) = (&notice.path, object.as_object_mut()) {
                    put_path(object, "path", path);
                }
                line(&object)
            }
            Report::Notice(notice) => {
                eprintln!("{} {}", style::warn("note:"), notice.message);
                true
            }
            _ => true,
        }
    }

    /// Writes the events of a batch.
    pub fn batch(&mut self, batch: &Batch) -> bool {
        self.batches += 1;
        let mut text = String::new();
        for event in &batch.events {
            if self.json {
                text.push_str(&self.object(event).to_string());
            } else {
                text.push_str(&self.words(event));
            }
            text.push('\n');
        }
        if self.json {
            let ms = batch.first.elapsed().as_secs_f64() * 1_000.0;
            let ms = (ms * 10.0).round() / 10.0;
            let end =
                json!({ "event": "batch", "batch": self.batches, "events": batch.events.len(), "ms": ms });
            text.push_str(&end.to_string());
            text.push('\n');
        }
        write(&text)
    }

    fn object(&self, event: &Event) -> Value {
        let mut object = Map::new();
        object.insert("event".into(), event.name().into());
        object.insert("batch".into(), self.batches.into());
        if let Some(from) = event.from() {
            put_path(&mut object, "from", from);
        }
        put_path(&mut object, "path", event.path());
        Value::Object(object)
    }

    fn words(&self, event: &Event) -> String {
        let short = |path: &Path| {
            let below = path.strip_prefix(&self.here).unwrap_or(path);
            let text = if below.as_os_str().is_empty() { Path::new(".") } else { below }.to_string_lossy();
            // A name may hold anything but a separator: a line stays a line, and a terminal is told nothing.
            text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>()
        };
        match event.from() {
            Some(from) => format!("{:<9} {} → {}", event.name(), short(from), short(event.path())),
            None => format!("{:<9} {}", event.name(), short(event.path())),
        }
    }

    /// Tells that the command's program starts.
    pub fn run(&self, run: u64, command: &str) -> bool {
        if self.json {
            return line(&json!({ "event": "run", "run": run, "command": command }));
        }
        eprintln!("{} {command}", style::dim("$"));
        true
    }

    /// Tells how it ended.
    pub fn exit(&self, run: u64, code: Option<i32>) -> bool {
        if self.json {
            return line(&json!({ "event": "exit", "run": run, "code": code }));
        }
        match code {
            Some(0) => eprintln!("{} done", style::good("✓")),
            Some(code) => {
                eprintln!("{} ended with {code}; it runs again after the next change", style::bad("✗"))
            }
            None => {
                eprintln!("{} was ended by a signal; it runs again after the next change", style::bad("✗"))
            }
        }
        true
    }

    /// The last line.
    pub fn ended(&self) {
        if self.json {
            line(&json!({ "event": "ended" }));
        }
    }
}

fn put_path(object: &mut Map<String, Value>, name: &str, path: &Path) {
    object.insert(name.into(), path.to_string_lossy().into());
    if path.to_str().is_none() {
        object.insert("lossy".into(), true.into());
    }
}

fn line(value: &Value) -> bool {
    write(&format!("{value}\n"))
}

fn write(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

/// The rules, and one more: the file our own output goes to is not told of, for each line would make the next.
pub struct Apart {
    rules: Rules,
    own: Vec<PathBuf>,
}

impl Apart {
    pub fn new(rules: Rules) -> Self {
        // Only Linux tells where a descriptor leads to by a path; elsewhere `--ignore` is the way.
        let own =
            ["/proc/self/fd/1", "/proc/self/fd/2"].iter().filter_map(|link| std::fs::read_link(link).ok());
        Self { rules, own: own.collect() }
    }
}

impl Select for Apart {
    fn enter(&mut self, folder: &Path) -> bool {
        self.rules.enter(folder)
    }

    fn folder(&mut self, path: &Path) -> bool {
        self.rules.folder(path)
    }

    fn file(&mut self, path: &Path) -> bool {
        !self.own.iter().any(|own| own == path) && self.rules.file(path)
    }

    fn holds_rules(&self, path: &Path) -> bool {
        self.rules.holds_rules(path)
    }
}
