//! Child processes of a test: their output is collected, and they die with the test however it ends.

use anyhow::Context;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The output of every program of the test that runs now, for the message when it fails.
static OUTPUTS: Mutex<Vec<(String, Lines)>> = Mutex::new(Vec::new());

type Lines = Arc<Mutex<Vec<String>>>;

/// Forgets the outputs of the test before.
pub fn forget_outputs() {
    OUTPUTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
}

/// The newest lines of every program of this test.
pub fn outputs() -> String {
    let mut text = String::new();
    for (name, lines) in OUTPUTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter() {
        let lines = lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !lines.is_empty() {
            text += &format!("--- {name}\n{}\n", lines[lines.len().saturating_sub(80)..].join("\n"));
        }
    }
    text
}

/// A running program whose output lines are kept.
pub struct Program {
    name: String,
    child: Child,
    lines: Lines,
    readers: Vec<JoinHandle<()>>,
}

/// Makes `command` die with the thread that spawns it, also when the test itself is killed. It heeds signals as if started by a
/// user, also where tests run in the background, in which some shells have Ctrl-C ignored, or under `nohup`.
pub fn die_with_test(command: &mut Command) {
    // SAFETY: prctl and signal are async-signal-safe and touch only the new process.
    unsafe {
        command.pre_exec(|| {
            for signal in [libc::SIGINT, libc::SIGHUP] {
                libc::signal(signal, libc::SIG_DFL);
            }
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == -1 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

impl Program {
    /// Starts `command` in a process group of its own. Standard output and error are collected line by line.
    ///
    /// # Errors
    /// When it can not be started.
    pub fn start(name: &str, mut command: Command) -> anyhow::Result<Self> {
        die_with_test(&mut command);
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
        let lines = Lines::default();
        OUTPUTS
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push((name.to_owned(), lines.clone()));
        let mut readers = Vec::new();
        if let Some(output) = child.stdout.take() {
            readers.push(collect(output, name.to_owned(), lines.clone()));
        }
        if let Some(output) = child.stderr.take() {
            readers.push(collect(output, name.to_owned(), lines.clone()));
        }
        Ok(Self { name: name.to_owned(), child, lines, readers })
    }

    /// Its process id.
    pub fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// All lines so far, of both streams.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Waits until a line satisfies `wanted`, and returns what it made of it. Lines before `from` are not looked at.
    ///
    /// # Errors
    /// When the time is over or the program ends before; the output is in the message.
    pub fn wait_line<T>(
        &mut self,
        what: &str,
        from: usize,
        patience: Duration,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> anyhow::Result<T> {
        let found = crate::wait_until(what, patience, || {
            // What it said last may still be on its way when it has ended.
            let heard_out = self.readers.iter().all(JoinHandle::is_finished);
            let ended = self.child.try_wait().ok().flatten().filter(|_| heard_out);
            if let Some(found) = self.lines().iter().skip(from).find_map(|line| wanted(line)) {
                return Ok(Ok(found));
            }
            match ended {
                Some(status) => Ok(Err(status)),
                None => Err("no such line".into()),
            }
        });
        match found {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(status)) => {
                anyhow::bail!("{} ended ({status}) before {what}:\n{}", self.name, self.tail())
            }
            Err(error) => anyhow::bail!("{error}; output of {}:\n{}", self.name, self.tail()),
        }
    }

    /// The newest lines, for messages.
    pub fn tail(&self) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Sends a signal to this process alone.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the process is a child that has not been reaped, so the number can not be somebody else's.
        unsafe { libc::kill(self.id(), signal) };
    }

    /// Sends a signal to its whole process group, as a terminal does on Ctrl-C.
    pub fn signal_group(&self, signal: i32) {
        // SAFETY: as above; the group is named by its leader, our child.
        unsafe { libc::kill(-self.id(), signal) };
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it still runs after `patience`.
    pub fn wait(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let name = self.name.clone();
        crate::wait_until(&format!("the end of {name}"), patience, || {
            self.ended().ok_or_else(|| "still running".to_string())
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.signal(libc::SIGKILL);
            let _ = self.child.wait();
        }
        // Readers end with the last holder of the pipes; they are not waited for, grandchildren may hold them.
        self.readers.clear();
    }
}

fn collect(output: impl std::io::Read + Send + 'static, name: String, lines: Lines) -> JoinHandle<()> {
    let echo = std::env::var_os("STAYSAIL_E2E_ECHO").is_some();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            if echo {
                eprintln!("[{name}] {line}");
            }
            lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(line);
            bytes.clear();
        }
    })
}

/// Runs `command` to its end and returns its standard output.
///
/// # Errors
/// When it fails (both streams are in the message) or takes longer than `patience`.
pub fn run(name: &str, command: Command, patience: Duration) -> anyhow::Result<String> {
    let (status, output) = run_to_end(name, command, patience)?;
    anyhow::ensure!(status.success(), "{name} failed ({status}):\n{output}");
    Ok(output)
}

/// Runs `command` to its end, whether it succeeds or not; both streams are returned as one text.
///
/// # Errors
/// When it can not be started or takes longer than `patience`.
pub fn run_to_end(name: &str, command: Command, patience: Duration) -> anyhow::Result<(ExitStatus, String)> {
    let mut program = Program::start(name, command)?;
    let status = match program.wait(patience) {
        Ok(status) => status,
        Err(error) => anyhow::bail!("{error}:\n{}", program.tail()),
    };
    for reader in std::mem::take(&mut program.readers) {
        let _ = crate::wait_until("its last output", Duration::from_secs(2), || {
            if reader.is_finished() { Ok(()) } else { Err("open".into()) }
        });
    }
    debug_assert!(status.code().is_some() || status.signal().is_some());
    Ok((status, program.lines().join("\n")))
}
