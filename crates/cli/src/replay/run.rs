//! The process that stands in for cargo: runs the commands of a [`Job`], and becomes cargo when anything is doubtful.
//!
//! Started as `<this executable> <cargo> <arguments…>` with the job's file in [`JOB_VARIABLE`]. It says on its standard
//! output what cargo would say, so its reader sees little difference. What the compiler says is held back until it is
//! known that it stands; until then becoming cargo goes unnoticed.

use super::marks;
use super::plan::Job;
use super::record::Unit;
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::fs::{File, TryLockError};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// The file that holds the [`Job`]. Not handed on.
pub const JOB_VARIABLE: &str = "STAYSAIL_REPLAY_JOB";
/// Said in a line of its own when the commands were replayed, whether they went well or not.
pub const REPLAYED: &str = "staysail-replayed";
/// Said when cargo takes over.
pub const HANDED_OVER: &str = "staysail-handed-over";
/// What cargo ends with when something does not compile.
const FAILED: i32 = 101;
/// A build that was cancelled a moment ago may still hold the lock for so long.
const LOCK_WAIT: Duration = Duration::from_millis(50);
/// Pause between two tries for it.
const LOCK_POLL: Duration = Duration::from_millis(1);
/// Errors of rustc that come from artifacts that do not belong together, not from the source.
const STALE: [&str; 8] = ["E0460", "E0461", "E0462", "E0463", "E0514", "E0519", "E0523", "E0786"];

/// Something that only cargo can put right.
struct Doubt;

/// Stands in for cargo if this process was started for that; then it never returns.
pub fn main() {
    let Some(job) = std::env::var_os(JOB_VARIABLE) else { return };
    let mut arguments = std::env::args_os().skip(1);
    let Some(cargo) = arguments.next() else { return };
    if let Ok(success) = replay(Path::new(&job)) {
        std::process::exit(if success { 0 } else { FAILED });
    }
    say(&serde_json::json!({ "reason": HANDED_OVER }));
    let error = super::become_command(Command::new(&cargo).args(arguments).env_remove(JOB_VARIABLE));
    eprintln!("error: {} could not be started: {error}", Path::new(&cargo).display());
    std::process::exit(1);
}

fn say(line: &serde_json::Value) {
    // Whoever does not listen any more has cancelled this.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn replay(job: &Path) -> Result<bool, Doubt> {
    let job: Job =
        std::fs::read(job).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or(Doubt)?;
    let _lock = lock(&job.executable)?;
    let unchanged =
        |(path, mark): &(PathBuf, Option<marks::Mark>)| mark.is_some() && marks::mark(path) == *mark;
    if !job.unchanged.iter().all(unchanged) {
        return Err(Doubt);
    }
    let units: Vec<Unit> = job.records.into_iter().map(Unit::of).collect::<Option<_>>().ok_or(Doubt)?;
    for unit in &units {
        invalidate(unit)?;
    }
    let mut build = Build::new(&units);
    let success = build.run()?;
    if success {
        put_in_place(units.last().ok_or(Doubt)?, &job.executable)?;
        write_sources(&units, &job.executable)?;
    }
    build.tell(success.then_some(&job.executable));
    Ok(success)
}

/// The lock that cargo takes for its artifacts. Held by another cargo, or by another replay, it is cargo that waits.
fn lock(executable: &Path) -> Result<File, Doubt> {
    let path = executable.parent().ok_or(Doubt)?.join(".cargo-lock");
    let file = File::options().read(true).write(true).open(path).map_err(|_| Doubt)?;
    let end = Instant::now() + LOCK_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(LOCK_POLL),
            Err(_) => return Err(Doubt),
        }
    }
}

/// Lets cargo make it anew when it runs next, whatever becomes of this, and removes what cargo removes: beside an older
/// library new metadata are not looked at, and some linkers change the file that is there.
fn invalidate(unit: &Unit) -> Result<(), Doubt> {
    let fingerprints = unit.fingerprints();
    if fingerprints.is_empty() {
        return Err(Doubt);
    }
    for file in fingerprints {
        std::fs::write(file, "").map_err(|_| Doubt)?;
    }
    for output in unit.outputs().iter().filter(|output| output.extension().is_none_or(|end| end != "rmeta")) {
        match std::fs::remove_file(output) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Doubt),
            _ => {}
        }
    }
    Ok(())
}

/// Puts the program where cargo puts it, as cargo does.
fn put_in_place(program: &Unit, executable: &Path) -> Result<(), Doubt> {
    let made = &program.outputs()[0];
    match std::fs::remove_file(executable) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Doubt),
        _ => {}
    }
    std::fs::hard_link(made, executable)
        .or_else(|_| std::fs::copy(made, executable).map(drop))
        .map_err(|_| Doubt)
}

/// Writes which files the program was made of: those of before that are still there, and those of what was compiled.
fn write_sources(units: &[Unit], executable: &Path) -> Result<(), Doubt> {
    let file = executable.with_extension("d");
    let mut sources: BTreeSet<PathBuf> =
        staysail_watch::depinfo::read(&file).into_iter().filter(|path| path.exists()).collect();
    sources.extend(units.iter().flat_map(Unit::sources));
    let quoted = |path: &Path| path.display().to_string().replace(' ', "\\ ");
    let list: String = sources.iter().map(|source| format!(" {}", quoted(source))).collect();
    std::fs::write(file, format!("{}:{list}\n", quoted(executable))).map_err(|_| Doubt)
}

/// A line of rustc's.
#[derive(Deserialize)]
struct Said {
    #[serde(rename = "$message_type")]
    sort: String,
    emit: Option<String>,
    level: Option<String>,
    #[serde(default)]
    message: String,
    code: Option<Code>,
    #[serde(default)]
    spans: Vec<serde::de::IgnoredAny>,
}

impl Said {
    /// An error that does not come from the source but from what lies around it: artifacts that do not belong together or are
    /// gone, a linker that failed, a full disk. Cargo may put it right, or says it in its own words.
    fn is_of_surroundings(&self) -> bool {
        let stale = self.code.as_ref().is_some_and(|code| STALE.contains(&code.code.as_str()));
        let nowhere = self.spans.is_empty() && !self.message.starts_with("aborting due to");
        stale || nowhere || self.message.starts_with("extern location")
    }
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

/// What a running rustc reports.
enum Event {
    Line(usize, String),
    Ended(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Waiting,
    Running,
    /// Its interface is known.
    Described,
    Done,
}

/// Commands under way.
struct Build<'a> {
    units: &'a [Unit],
    stages: Vec<Stage>,
    running: HashMap<usize, Child>,
    diagnostics: Vec<(usize, String)>,
    /// Crates with errors, and those of them whose rustc has ended.
    errors: Vec<usize>,
    failed: Vec<usize>,
    sender: Sender<Event>,
    events: Receiver<Event>,
}

impl<'a> Build<'a> {
    fn new(units: &'a [Unit]) -> Self {
        let (sender, events) = channel();
        let stages = vec![Stage::Waiting; units.len()];
        Self {
            units,
            stages,
            running: HashMap::new(),
            diagnostics: Vec::new(),
            errors: Vec::new(),
            failed: Vec::new(),
            sender,
            events,
        }
    }

    /// Runs all; whether all went well.
    fn run(&mut self) -> Result<bool, Doubt> {
        let result = self.run_all();
        for child in self.running.values_mut() {
            // Cargo may write the same files next: nothing may be under way then, no linker of a killed rustc either.
            let _ = child.wait();
        }
        result
    }

    fn run_all(&mut self) -> Result<bool, Doubt> {
        let at_once_max = std::thread::available_parallelism().map_or(1, |count| count.get());
        loop {
            for at in 0..self.units.len() {
                if self.failed.is_empty()
                    && self.running.len() < at_once_max
                    && self.stages[at] == Stage::Waiting
                    && self.may_begin(at)
                {
                    self.begin(at)?;
                }
            }
            match self.events.recv().map_err(|_| Doubt)? {
                Event::Line(at, line) => self.heard(at, line)?,
                Event::Ended(at) => {
                    let status = self.running.remove(&at).ok_or(Doubt)?.wait().map_err(|_| Doubt)?;
                    self.ended(at, status)?;
                }
            }
            // What runs beside a crate that fails is waited for: it may have errors of its own.
            if !self.failed.is_empty() && self.running.is_empty() {
                return Ok(false);
            }
            if self.stages.iter().all(|stage| *stage == Stage::Done) {
                return Ok(true);
            }
        }
    }

    /// As cargo does it: the interface of a library is enough to compile against, but a program waits for everything, whole.
    fn may_begin(&self, at: usize) -> bool {
        // It is linked of all that lies below it, also of what it does not name.
        if self.units[at].kind == "bin" {
            let mut others = self.stages.iter().enumerate().filter(|(other, _)| *other != at);
            return others.all(|(_, stage)| *stage == Stage::Done);
        }
        self.units.iter().zip(&self.stages).all(|(other, stage)| {
            let used = |path: &PathBuf| other.outputs().contains(path);
            let whole = |path: &&PathBuf| path.extension().is_some_and(|end| end == "rlib");
            let mut uses = self.units[at].externs.iter().filter(|path| used(path)).peekable();
            match uses.peek().is_none() {
                true => true,
                false if uses.any(|path| whole(&path)) => *stage == Stage::Done,
                false => *stage >= Stage::Described,
            }
        })
    }

    fn begin(&mut self, at: usize) -> Result<(), Doubt> {
        let unit = &self.units[at];
        eprintln!("   Compiling {} ({})", unit.package_name, unit.package.display());
        let mut command = unit.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|_| Doubt)?;
        let (stderr, sender) = (child.stderr.take().ok_or(Doubt)?, self.sender.clone());
        self.running.insert(at, child);
        self.stages[at] = Stage::Running;
        std::thread::spawn(move || {
            for line in crate::cargo::lines(BufReader::new(stderr)) {
                // Nobody listens after a failure.
                let _ = sender.send(Event::Line(at, line));
            }
            let _ = sender.send(Event::Ended(at));
        });
        Ok(())
    }

    fn heard(&mut self, at: usize, line: String) -> Result<(), Doubt> {
        let Ok(said) = serde_json::from_str::<Said>(&line) else {
            // Of a macro, for people.
            eprintln!("{line}");
            return Ok(());
        };
        if said.sort == "artifact" && said.emit.as_deref() == Some("metadata") {
            self.stages[at] = Stage::Described;
        }
        if said.sort == "diagnostic" {
            if said.level.as_ref().is_some_and(|level| level.starts_with("error")) {
                if said.is_of_surroundings() {
                    return Err(Doubt);
                }
                self.errors.push(at);
            }
            self.diagnostics.push((at, line));
        }
        Ok(())
    }

    /// A rustc has ended. One that failed without a word is not believed.
    fn ended(&mut self, at: usize, status: ExitStatus) -> Result<(), Doubt> {
        if status.success() {
            self.stages[at] = Stage::Done;
            say(&serde_json::json!({
                "reason": "compiler-artifact", "target": target(&self.units[at]), "executable": null, "fresh": false
            }));
            return Ok(());
        }
        self.failed.push(at);
        if status.code() == Some(1) && self.errors.contains(&at) { Ok(()) } else { Err(Doubt) }
    }

    /// Says what was held back.
    fn tell(&self, executable: Option<&PathBuf>) {
        let roots: Vec<&PathBuf> = self.units.iter().map(|unit| &unit.root).collect();
        say(&serde_json::json!({ "reason": REPLAYED, "roots": roots }));
        for (at, line) in &self.diagnostics {
            let message: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            let target = target(&self.units[*at]);
            say(&serde_json::json!({ "reason": "compiler-message", "target": target, "message": message }));
        }
        if let (Some(executable), Some(program)) = (executable, self.units.last()) {
            let target = target(program);
            say(&serde_json::json!({
                "reason": "compiler-artifact", "target": target, "executable": executable, "fresh": true
            }));
        }
    }
}

fn target(unit: &Unit) -> serde_json::Value {
    serde_json::json!({ "name": unit.name, "kind": [unit.kind], "src_path": unit.root })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_source_stand_and_those_of_its_surroundings_are_for_cargo() {
        let is_of_surroundings = |rest: &str| {
            let line = format!(r#"{{"$message_type":"diagnostic","level":"error",{rest}}}"#);
            serde_json::from_str::<Said>(&line).unwrap().is_of_surroundings()
        };
        let span = r#""spans":[{"file_name":"src/main.rs"}]"#;
        for source in [
            format!(r#""message":"mismatched types","code":{{"code":"E0308"}},{span}"#),
            format!(r#""message":"expected `;`","code":null,{span}"#),
            r#""message":"aborting due to 1 previous error","code":null,"spans":[]"#.into(),
        ] {
            assert!(!is_of_surroundings(&source), "{source}");
        }
        for around in [
            format!(r#""message":"found possibly newer version of crate","code":{{"code":"E0460"}},{span}"#),
            format!(r#""message":"extern location for a does not exist","code":null,{span}"#),
            r#""message":"linking with `cc` failed: exit status: 1","code":null,"spans":[]"#.into(),
            r#""message":"failed to write: No space left on device","code":null,"spans":[]"#.into(),
        ] {
            assert!(is_of_surroundings(&around), "{around}");
        }
    }
}
