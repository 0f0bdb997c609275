//! The shell as the development tool starts it: by the control socket, without the tool.
//!
//! So workers are exchanged as often as wished, without compiling anything in between. The frames are those of
//! `docs/spec`: magic, lengths, call number, JSON.

use crate::child::Program;
use crate::stage::{Stage, shell_under_test};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::{Duration, Instant};

const HEADER_BYTES: usize = 20;
/// A message of the shell is short.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// A shell under control.
pub struct Shell {
    /// Its process.
    pub program: Program,
    /// Port of its inspector.
    pub port: u16,
    socket: UnixStream,
    swaps: u64,
}

impl Shell {
    /// Starts it, to show the page in `page`.
    ///
    /// # Errors
    /// When it can not be started.
    pub fn start(stage: &Stage, page: &Path) -> anyhow::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let descriptor = theirs.as_raw_fd();
        let port = crate::free_port()?;
        let mut command = stage.command(&shell_under_test()?);
        command
            .env("STAYSAIL_CONTROL", descriptor.to_string())
            .env("WEBKIT_INSPECTOR_SERVER", format!("127.0.0.1:{port}"));
        // SAFETY: fcntl is async-signal-safe; the descriptor is open until `theirs` is dropped below.
        unsafe {
            command.pre_exec(move || {
                if libc::fcntl(descriptor, libc::F_SETFD, 0) == -1 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let program = Program::start("staysail-shell", command)?;
        drop(theirs);
        let shell = Self { program, port, socket: ours, swaps: 0 };
        let data = stage.folder.path().join("data/soak/data");
        std::fs::create_dir_all(&data)?;
        shell.say(&json!({
            "t": "start", "name": "Soak", "version": "1.0.0", "page_dir": page, "data_dir": data, "driven": true,
            "config": { "mode": "debug", "log": "warn", "inspector": true, "probation_s": 1 },
        }))?;
        Ok(shell)
    }

    fn say(&self, message: &Value) -> anyhow::Result<()> {
        let head = message.to_string();
        let mut bytes = b"SSF1".to_vec();
        bytes.extend((head.len() as u32).to_le_bytes());
        bytes.extend([0; 12]);
        bytes.extend(head.as_bytes());
        (&self.socket).write_all(&bytes).context("the shell's control socket is closed")
    }

    fn hear(&self, until: Instant) -> anyhow::Result<Value> {
        let left = until.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "the shell said nothing in time");
        self.socket.set_read_timeout(Some(left))?;
        let mut header = [0; HEADER_BYTES];
        (&self.socket).read_exact(&mut header).context("the shell said nothing in time")?;
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize
        };
        let (head, body) = (word(4), word(8));
        ensure!(header.starts_with(b"SSF1") && head + body <= MESSAGE_BYTES_MAX, "the shell said no frame");
        let mut bytes = vec![0; head + body];
        (&self.socket).read_exact(&mut bytes).context("the shell stopped in the middle of a message")?;
        serde_json::from_slice(&bytes[..head]).context("the shell said no JSON")
    }

    /// Exchanges the worker for this executable and waits until it is live. Says how long calls were held up, in
    /// milliseconds.
    ///
    /// # Errors
    /// When it does not become live in time, or a worker was lost meanwhile.
    pub fn swap(&mut self, worker: &Path, patience: Duration) -> anyhow::Result<f64> {
        self.swaps += 1;
        let id = self.swaps;
        self.say(&json!({ "t": "swap", "id": id, "worker": worker, "fresh": false }))?;
        let until = Instant::now() + patience;
        loop {
            let message = self.hear(until).with_context(|| format!("waiting for swap {id}"))?;
            match message["t"].as_str() {
                Some("swap_done") if message["id"] == id => {
                    return message["timing"]["gate_ms"].as_f64().context("a swap without its times");
                }
                Some("swap_failed" | "worker_lost") => bail!("swap {id}: {message}"),
                _ => {}
            }
        }
    }

    /// Has the page loaded again, as after an edit of it.
    ///
    /// # Errors
    /// When the shell is gone.
    pub fn page_changed(&self) -> anyhow::Result<()> {
        self.say(&json!({ "t": "page_changed", "paths": ["/main.js"] }))
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it does not end by itself.
    pub fn end(mut self) -> anyhow::Result<()> {
        self.say(&json!({ "t": "exit" }))?;
        let status = self.program.wait(Duration::from_secs(15))?;
        ensure!(status.success(), "the shell ended with {status}");
        Ok(())
    }
}
