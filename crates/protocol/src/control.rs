//! Messages between the development tool and the shell it started. Each is the head of a frame.
//!
//! The tool starts the shell with an inherited socket (`STAYSAIL_CONTROL`: descriptor number on Unix, pipe
//! name on Windows). When the socket closes, whichever side is left ends itself and everything it started.

use crate::{bridge::Overlay, bridge::PageReport, interface::Description, manifest::ModeConfig};
use serde::{Deserialize, Serialize};

/// Environment variable with the control socket.
pub const CONTROL_VARIABLE: &str = "STAYSAIL_CONTROL";

/// Development tool to shell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ToShell {
    /// First message: what to show. The shell opens the windows of `description` at once, and waits for the
    /// first `Swap` when there is none yet.
    Start(Box<Start>),
    /// Exchange the worker for this executable.
    Swap {
        /// Number of this swap, repeated in its result.
        id: u64,
        /// Path of the executable, never overwritten afterwards.
        worker: String,
        /// Do not hand the old worker's declared state over.
        fresh: bool,
    },
    /// Style sheets changed: exchange them in place. Paths below the app's origin.
    StylesChanged {
        /// Paths, beginning with `/`.
        paths: Vec<String>,
    },
    /// Other page files changed: reload with state kept.
    PageChanged {
        /// Paths, beginning with `/`.
        paths: Vec<String>,
    },
    /// Show or take away the overlay.
    Overlay {
        /// What to show; `None` takes it away.
        overlay: Option<Overlay>,
    },
    /// Open the web inspector of the window in front.
    Inspect,
    /// Close all windows and exit.
    Exit,
    /// A message of another version; ignored.
    #[serde(other)]
    Unknown,
}

/// What the shell shows in development.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Name of the app, until a description is known.
    pub name: String,
    /// Version of the app.
    pub version: String,
    /// Folder the page is served from, when there is no dev server.
    pub page_dir: Option<String>,
    /// Address of the external dev server, e.g. `http://localhost:5173`; its origin may call.
    pub dev_url: Option<String>,
    /// Chosen mode and its values.
    pub config: ModeConfig,
    /// The app's description from its last build, so that windows open without waiting for the worker.
    pub description: Option<Description>,
    /// Folder for the app's data.
    pub data_dir: String,
}

/// Shell to development tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ToTool {
    /// The windows are open.
    WindowsOpen,
    /// A page has come up.
    PageReady {
        /// Label of its window.
        window: String,
        /// Number of the page load.
        generation: u64,
    },
    /// A swap is live.
    SwapDone {
        /// Its number.
        id: u64,
        /// Where the time went.
        timing: SwapTiming,
    },
    /// A swap was given up; the old worker goes on serving.
    SwapFailed {
        /// Its number.
        id: u64,
        /// Why, and what to do.
        reason: String,
    },
    /// A worker died by itself.
    WorkerLost {
        /// How it ended.
        reason: String,
        /// Whether it is being started again.
        restarting: bool,
    },
    /// Something was said or went wrong in a page.
    Page(PageReport),
    /// A line from the worker (its standard output and error, and its log).
    WorkerLog {
        /// `error`, `warn`, `info`, `debug`, `trace`, `stdout` or `stderr`.
        level: String,
        /// The line.
        message: String,
    },
    /// The user closed the last window; the shell is about to exit.
    Closing,
    /// A message of another version; ignored.
    #[serde(other)]
    Unknown,
}

/// Where the time of one swap went, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SwapTiming {
    /// Start of the process to its hello.
    pub hello_ms: f64,
    /// Waiting for calls under way and taking the state.
    pub quiesce_ms: f64,
    /// Handing the state over.
    pub restore_ms: f64,
    /// Calls held up by the switch: from closing the gate to opening it.
    pub gate_ms: f64,
    /// Everything, from request to live.
    pub total_ms: f64,
}
