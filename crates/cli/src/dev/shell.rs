//! The shell as a child, and the control socket to it.

use anyhow::{Context, Result};
use staysail_protocol::control::{Start, ToShell, ToTool};
use staysail_supervise::Tree;
use std::io::{BufReader, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Windows and worker get this long to end in order.
const CLOSE_MS: u64 = 2_000;
/// Lines of GTK, WebKit and the shell itself that tell the developer of an app nothing.
const NOISE: [&str; 8] = [
    "Gtk-WARNING",
    "dconf-WARNING",
    "libEGL warning",
    "MESA",
    "GLib-GIO",
    "Failed to fully launch dbus-proxy",
    " DEBUG staysail_",
    " TRACE staysail_",
];

/// What comes from the shell.
#[derive(Debug)]
pub enum FromShell {
    /// It says something.
    Said(ToTool),
    /// A line of its own output.
    Line(String),
    /// It has ended: by itself after its window was closed, or not.
    Gone {
        /// Whether its exit code was 0.
        well: bool,
        /// How it ended.
        status: String,
    },
}

/// A running shell.
pub struct ShellLink {
    tree: Arc<Tree>,
    #[cfg(unix)]
    socket: std::os::unix::net::UnixStream,
}

impl ShellLink {
    /// Process id.
    pub fn id(&self) -> u32 {
        self.tree.id()
    }

    /// Starts the shell and tells it what to show. What comes from it goes to `sink`, from other threads.
    #[cfg(unix)]
    pub fn start(
        shell: &Path,
        start: Start,
        sink: impl Fn(FromShell) + Send + Sync + 'static,
    ) -> Result<Self> {
        use std::os::fd::AsRawFd;
        use std::process::Stdio;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().context("making the control socket")?;
        let number = theirs.as_raw_fd();
        let tree = staysail_supervise::Spawn::new(shell)
            .env(staysail_protocol::control::CONTROL_VARIABLE, number.to_string())
            .inherit(number)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("the shell could not be started")?;
        drop(theirs);
        let tree = Arc::new(tree);
        let link = Self { tree: tree.clone(), socket: ours.try_clone().context("the control socket")? };
        link.send(&ToShell::Start(Box::new(start)));
        let sink = Arc::new(sink);
        for stream in [tree.take_stdout().map(boxed), tree.take_stderr().map(boxed)].into_iter().flatten() {
            let sink = sink.clone();
            std::thread::spawn(move || {
                let lines = crate::cargo::lines(BufReader::new(stream));
                for line in lines.filter(|line| !is_noise(line)) {
                    sink(FromShell::Line(line));
                }
            });
        }
        std::thread::Builder::new().name("shell".into()).spawn(move || {
            read(ours, &*sink);
            let (well, status) = match tree.wait() {
                Ok(status) => (status.success(), status.to_string()),
                Err(error) => (false, error.to_string()),
            };
            sink(FromShell::Gone { well, status });
        })?;
        Ok(link)
    }

    /// Not yet possible here.
    #[cfg(not(unix))]
    pub fn start(_: &Path, _: Start, _: impl Fn(FromShell) + Send + Sync + 'static) -> Result<Self> {
        anyhow::bail!(
            "`staysail dev` does not run on this system yet; `staysail build` and `staysail run` do"
        )
    }

    /// Sends a message. A shell that is gone reports that itself.
    pub fn send(&self, message: &ToShell) {
        let mut bytes = Vec::new();
        if staysail_protocol::frame::Frame::new(0, message, Vec::new()).encode_into(&mut bytes).is_ok() {
            #[cfg(unix)]
            let _ = (&self.socket).write_all(&bytes);
        }
    }

    /// Closes the windows and ends the shell with everything it started.
    pub fn end(&self) {
        self.send(&ToShell::Exit);
        let (done, ended) = std::sync::mpsc::channel();
        let tree = self.tree.clone();
        std::thread::spawn(move || done.send(tree.wait().is_ok()));
        if ended.recv_timeout(Duration::from_millis(CLOSE_MS)).is_err() {
            self.tree.kill();
            // Killed processes end in a moment.
            let _ = ended.recv_timeout(Duration::from_millis(CLOSE_MS));
        }
    }
}

#[cfg(unix)]
fn is_noise(line: &str) -> bool {
    let plain = crate::style::without_colours(line);
    plain.trim().is_empty() || NOISE.iter().any(|noise| plain.contains(noise))
}

#[cfg(unix)]
fn boxed(stream: impl std::io::Read + Send + 'static) -> Box<dyn std::io::Read + Send> {
    Box::new(stream)
}

/// Reads frames until the socket closes.
#[cfg(unix)]
fn read(mut socket: std::os::unix::net::UnixStream, sink: &impl Fn(FromShell)) {
    use std::io::Read;
    let mut decoder = staysail_protocol::frame::Decoder::default();
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = socket.read(&mut buffer) {
        decoder.extend(&buffer[..count]);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => {
                    if let Ok(message) = frame.message::<ToTool>() {
                        sink(FromShell::Said(message));
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    sink(FromShell::Line(format!(
                        "the shell can not be understood: {error}; do both have the same version?"
                    )));
                    return;
                }
            }
        }
    }
}
