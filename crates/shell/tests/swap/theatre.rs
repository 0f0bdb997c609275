//! Runs the tests, and gives each a shell of its own.

use serde_json::{Value, json};
use staysail_protocol::CallError;
use staysail_protocol::manifest::ModeConfig;
use staysail_protocol::shadow::ShadowRules;
use staysail_shell::app::without_windows;
use staysail_shell::conductor::modules::Exchanged;
use staysail_shell::conductor::shadow::{rehearse, tally::Gate, tally::Tally};
use staysail_shell::conductor::{Refusal, SwapOptions, Switched};
use staysail_shell::payload::Payload;
use staysail_shell::router::{Call, Caller};
use staysail_shell::shell::{Facts, Observer, Shell};
use staysail_shell::wasm::Modules;
use staysail_shell::worker::Launch;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

const SHUT_DOWN: Duration = Duration::from_secs(5);

/// A test: a sentence, and what it does.
pub type Test = (&'static str, fn());

/// Runs the tests of which the argument names a part, all without one; those asked for by name only when they are.
pub fn run(tests: &[&[Test]], by_name: &[Test]) {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.iter().any(|part| name.contains(part));
    let all = tests.iter().copied().flatten().filter(|(name, _)| wanted.is_empty() || is_wanted(name));
    let chosen: Vec<_> = all.chain(by_name.iter().filter(|(name, _)| is_wanted(name))).collect();
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in chosen {
        if std::env::args().any(|argument| argument == "--list") {
            println!("{name}: test");
            continue;
        }
        let ok = std::panic::catch_unwind(test).is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        if ok { passed += 1 } else { failed += 1 }
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "test result: {result}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    std::process::exit(i32::from(failed > 0));
}

/// A shell without windows, and a folder for its workers.
pub struct Theatre {
    pub shell: Arc<Shell>,
    pub folder: PathBuf,
    /// Not waited for at the end, whatever still runs on it.
    runtime: Option<Runtime>,
    lines: Lines,
    _folder: tempfile::TempDir,
}

/// What workers wrote.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Observer for Lines {
    fn worker_line(&self, _source: &str, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Theatre {
    /// With a probation that no test waits for.
    pub fn open() -> Self {
        Self::open_for(600)
    }

    pub fn open_for(probation_s: u64) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (_ended, ui) = without_windows();
        let config = ModeConfig { probation_s, ..ModeConfig::default() };
        let facts = Facts { config, data_dir: folder.path().display().to_string(), ..Facts::default() };
        let shell = Shell::new(ui, runtime.handle().clone(), facts);
        let lines = Lines::default();
        shell.set_observer(Arc::new(lines.clone()));
        let runtime = Some(runtime);
        Self { shell, folder: folder.path().to_owned(), runtime, lines, _folder: folder }
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is open")
    }

    /// This program under the name of a role.
    fn launch(&self, role: &str) -> Launch {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let executable = self.folder.join(format!("{number}-{role}"));
        std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &executable).unwrap();
        Launch { executable, version: "1.0.0".into(), ..Launch::default() }
    }

    /// Exchanges the worker that serves for one that plays this role.
    pub fn swap(&self, role: &str) -> Result<Switched, Refusal> {
        self.swap_with(role, SwapOptions::default())
    }

    pub fn swap_with(&self, role: &str, options: SwapOptions) -> Result<Switched, Refusal> {
        self.runtime().block_on(self.shell.conductor.swap(&self.shell, self.launch(role), options))
    }

    /// With a worker that has these Wasm modules.
    pub fn swap_with_modules(&self, role: &str, modules: Modules) -> Result<Switched, Refusal> {
        let launch = Launch { modules, ..self.launch(role) };
        self.runtime().block_on(self.shell.conductor.swap(&self.shell, launch, SwapOptions::default()))
    }

    /// Gives the worker that serves these modules.
    pub fn exchange_modules(&self, modules: &Modules) -> Result<Exchanged, Refusal> {
        self.runtime().block_on(self.shell.conductor.exchange_modules(modules))
    }

    /// Watches them until they are proved or fail, and takes those before back when they fail.
    pub fn prove_modules(&self, exchanged: &Exchanged) -> Option<Result<(), String>> {
        self.runtime().block_on(async {
            let proved = self.shell.conductor.prove_modules(&self.shell, exchanged).await;
            if matches!(proved, Some(Err(_))) {
                self.shell.conductor.take_modules_back(exchanged).await;
            }
            proved
        })
    }

    /// Has a worker that plays this role answer calls beside the one that serves, in the background.
    pub fn begin_rehearsal(&self, role: &str, rules: &ShadowRules) -> mpsc::Receiver<(Gate, Tally)> {
        self.begin_rehearsal_to_give_up(role, rules).0
    }

    /// The same, with what gives it up.
    pub fn begin_rehearsal_to_give_up(
        &self,
        role: &str,
        rules: &ShadowRules,
    ) -> (mpsc::Receiver<(Gate, Tally)>, AbortHandle) {
        let (done, outcome) = mpsc::channel();
        let (shell, launch, rules) = (self.shell.clone(), self.launch(role), rules.clone());
        let task = self.runtime().spawn(async move {
            let _ = done.send(rehearse(&shell, launch, &rules).await);
        });
        (outcome, task.abort_handle())
    }

    /// As [`swap`](Self::swap), in the background.
    pub fn begin_swap(&self, role: &str) -> mpsc::Receiver<Result<Switched, Refusal>> {
        self.begin(self.launch(role))
    }

    /// With a worker that waits for a debugger.
    pub fn begin_swap_debugged(&self, role: &str) -> mpsc::Receiver<Result<Switched, Refusal>> {
        self.begin(Launch { debugged: true, ..self.launch(role) })
    }

    fn begin(&self, launch: Launch) -> mpsc::Receiver<Result<Switched, Refusal>> {
        let (done, outcome) = mpsc::channel();
        let shell = self.shell.clone();
        self.runtime().spawn(async move {
            let _ = done.send(shell.conductor.swap(&shell, launch, SwapOptions::default()).await);
        });
        outcome
    }

    /// Calls a command as a page does and waits for its answer.
    pub fn call(&self, command: &str, arguments: Value) -> Result<Value, CallError> {
        self.begin_call(command, arguments).recv_timeout(PATIENCE).expect("an answer")
    }

    pub fn begin_call(&self, command: &str, arguments: Value) -> mpsc::Receiver<Result<Value, CallError>> {
        let (answer_in, answer) = mpsc::channel();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.shell.router.submit(Call {
            caller: Caller { window: "main".into(), generation: 1, number },
            epoch: self.shell.router.epoch(),
            command: command.into(),
            raw: false,
            arguments: Payload::after(arguments.to_string().into_bytes(), 0),
            on_send: None,
            reply: Box::new(move |outcome| {
                let value = |(body, _): (Vec<u8>, bool)| serde_json::from_slice(&body).unwrap_or(json!(null));
                let _ = answer_in.send(outcome.map(value));
            }),
        });
        answer
    }

    /// Process of the worker that serves.
    pub fn process(&self) -> u32 {
        self.shell.router.active().expect("a worker serves").process()
    }

    /// How the probation of a worker ends.
    pub fn verdict(&self, switched: Switched) -> Result<(), String> {
        let verdict = async { tokio::time::timeout(PATIENCE, switched.verdict).await };
        self.runtime().block_on(verdict).expect("a verdict").expect("a verdict")
    }

    /// Waits until a worker has said so by [`roles::say`](crate::roles::say), and returns its process.
    pub fn wait_said(&self, what: &str) -> u32 {
        wait(what, || read(&self.folder.join(what)))
    }

    /// Waits for a line of a worker with this in it, and returns what follows.
    pub fn wait_line(&self, part: &str) -> String {
        wait(part, || {
            let lines = self.lines.0.lock().unwrap();
            lines.iter().find_map(|line| Some(line.split_once(part)?.1.to_owned()))
        })
    }

    /// The process that says it waits for a debugger.
    pub fn wait_process_that_waits(&self) -> u32 {
        let said = self.wait_line("waiting for a debugger: process ");
        said.split(' ').next().and_then(|number| number.parse().ok()).expect("a process")
    }
}

fn read(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.parse().ok()
}

/// Waits for something that happens soon.
pub fn wait<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn kill(process: u32) {
    // SAFETY: sends a signal to a process this test has started and that has not been waited for.
    unsafe { libc::kill(process as libc::pid_t, libc::SIGKILL) };
}

impl Drop for Theatre {
    fn drop(&mut self) {
        // A worker that waits for a debugger is not waited for; it ends with this process.
        let end = async { tokio::time::timeout(SHUT_DOWN, self.shell.conductor.shut_down()).await };
        if let Some(runtime) = self.runtime.take() {
            let _ = runtime.block_on(end);
            runtime.shutdown_background();
        }
    }
}
