//! The shell as a child, and the control socket to it.

use super::control::{Offer, Reader, Writer};
use anyhow::{Context, Result};
use staysail_protocol::control::{Start, ToShell, ToTool};
use staysail_protocol::frame::Frame;
use staysail_supervise::Tree;
use std::io::BufReader;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
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
    /// It answers the request of this number.
    Answered(Frame),
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
    control: Control,
}

/// Sends frames to the shell, one after the other, from any thread.
#[derive(Clone)]
pub struct Control(Arc<Mutex<Writer>>);

impl Control {
    /// Sends a frame. A shell that is gone reports that itself.
    pub fn send(&self, frame: &Frame) {
        let mut bytes = Vec::new();
        if frame.encode_into(&mut bytes).is_ok() {
            let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).send(&bytes);
        }
    }
}

impl ShellLink {
    /// Process id.
    pub fn id(&self) -> u32 {
        self.tree.id()
    }

    /// Starts the shell and tells it what to show. What comes from it goes to `sink`, from other threads.
    pub fn start(
        shell: &Path,
        start: Start,
        sink: impl Fn(FromShell) + Send + Sync + 'static,
    ) -> Result<Self> {
        let offer = Offer::make()?;
        let spawn = staysail_supervise::Spawn::new(shell).stdout(Stdio::piped()).stderr(Stdio::piped());
        let tree = offer.hand_to(spawn).spawn().context("the shell could not be started")?;
        let tree = Arc::new(tree);
        let (control, from_shell) = offer.accept()?;
        let link = Self { tree: tree.clone(), control: Control(Arc::new(Mutex::new(control))) };
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
            read(from_shell, &*sink);
            let (well, status) = match tree.wait() {
                Ok(status) => (status.success(), status.to_string()),
                Err(error) => (false, error.to_string()),
            };
            sink(FromShell::Gone { well, status });
        })?;
        Ok(link)
    }

    /// Sends a message. A shell that is gone reports that itself.
    pub fn send(&self, message: &ToShell) {
        self.control.send(&Frame::new(0, message, Vec::new()));
    }

    /// The way to the shell, for others.
    pub fn control(&self) -> Control {
        self.control.clone()
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

fn is_noise(line: &str) -> bool {
    let plain = crate::style::without_colours(line);
    plain.trim().is_empty() || NOISE.iter().any(|noise| plain.contains(noise))
}

fn boxed(stream: impl std::io::Read + Send + 'static) -> Box<dyn std::io::Read + Send> {
    Box::new(stream)
}

/// Reads frames until the socket closes.
fn read(mut socket: Reader, sink: &impl Fn(FromShell)) {
    use std::io::Read;
    let mut decoder = staysail_protocol::frame::Decoder::default();
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = socket.read(&mut buffer) {
        decoder.extend(&buffer[..count]);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) if frame.call != 0 => sink(FromShell::Answered(frame)),
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
