//! Programs that run beside us and say things: command lines, apps, servers, and what they report.

use crate::display::ending_with_us;
use crate::proc;
use anyhow::{Context, bail};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// A line that was said.
#[derive(Debug, Clone)]
pub struct Heard {
    /// When it arrived.
    pub at: Instant,
    /// The line.
    pub text: String,
    /// The line as JSON; null when it is none.
    pub value: Value,
}

impl Heard {
    fn new(text: String) -> Self {
        let value = serde_json::from_str(&text).unwrap_or_default();
        Self { at: Instant::now(), text, value }
    }

    /// Whether this is an event of that kind.
    pub fn is(&self, kind: &str) -> bool {
        self.value["kind"] == kind
    }
}

/// Lines in the order they were said.
#[derive(Debug)]
pub struct Lines {
    name: String,
    receiver: Receiver<Heard>,
    recent: VecDeque<String>,
}

impl Lines {
    fn new(name: &str) -> (Self, Sender<Heard>) {
        let (sender, receiver) = channel();
        (Self { name: name.into(), receiver, recent: VecDeque::new() }, sender)
    }

    /// Waits for a line that `wanted` makes something of; lines before it are passed over.
    ///
    /// # Errors
    /// When it does not come in time or never will; the last lines are in the message.
    pub fn until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Heard) -> Option<T>,
    ) -> anyhow::Result<T> {
        const RECENT_MAX: usize = 30;
        let end = Instant::now() + limit;
        loop {
            match self.receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(heard) => {
                    if self.recent.len() == RECENT_MAX {
                        self.recent.pop_front();
                    }
                    self.recent.push_back(heard.text.chars().take(2_000).collect());
                    if let Some(found) = wanted(&heard) {
                        return Ok(found);
                    }
                }
                Err(problem) => {
                    let why = match problem {
                        RecvTimeoutError::Timeout => format!("{} s passed", limit.as_secs()),
                        RecvTimeoutError::Disconnected => "it ended".into(),
                    };
                    let recent = self.recent.make_contiguous().join("\n  ");
                    bail!("{}: waiting for {what}: {why}. Last lines:\n  {recent}", self.name)
                }
            }
        }
    }

    /// Waits for an event of that kind.
    ///
    /// # Errors
    /// As [`Lines::until`].
    pub fn event(&mut self, kind: &str, limit: Duration) -> anyhow::Result<Heard> {
        self.until(kind, limit, |heard| heard.is(kind).then(|| heard.clone()))
    }
}

/// A program, and everything it started. Ends when this is dropped.
#[derive(Debug)]
pub struct Program {
    /// What it says on both streams.
    pub lines: Lines,
    child: Child,
}

impl Program {
    /// Starts it.
    ///
    /// # Errors
    /// When it can not be started.
    pub fn start(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let mut child = ending_with_us(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("{:?} can not be started", command.get_program()))?;
        let (lines, sender) = Lines::new(name);
        for pipe in [
            child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
            child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        ] {
            let sender = sender.clone();
            pipe.map(|pipe| std::thread::spawn(move || pass_on(pipe, &sender)));
        }
        Ok(Self { lines, child })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, then ends it and all it started.
    pub fn stop(&mut self) {
        const GRACE: Duration = Duration::from_secs(5);
        let family = proc::descendants(self.id());
        if self.runs() {
            proc::signal(self.id(), libc::SIGTERM);
            let asked = Instant::now();
            while self.runs() && asked.elapsed() < GRACE {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in family {
            proc::signal(process, libc::SIGKILL);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}

fn pass_on(pipe: Box<dyn Read + Send>, sender: &Sender<Heard>) {
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if sender.send(Heard::new(text)).is_err() {
            return;
        }
    }
}

/// Takes reports of measured apps: one connection of the loopback a report.
///
/// # Errors
/// When the loopback can not be used.
pub fn collector() -> anyhow::Result<(String, Lines)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?.to_string();
    let (lines, sender) = Lines::new("the page's reports");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let arrived = Instant::now();
            let mut text = String::new();
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            if stream.read_to_string(&mut text).is_ok() {
                let heard = Heard { at: arrived, ..Heard::new(text) };
                if sender.send(heard).is_err() {
                    return;
                }
            }
        }
    });
    Ok((address, lines))
}
