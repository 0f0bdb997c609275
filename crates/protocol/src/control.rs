//! Messages between the development tool and the shell it started. Each is the head of a frame.
//!
//! The tool starts the shell with an inherited socket (`STAYSAIL_CONTROL`: descriptor number on Unix, pipe
//! name on Windows). When the socket closes, whichever side is left ends itself and everything it started.
//!
//! Pages in browser tabs (`staysail dev --browser`) talk to the tool, which hands each of their requests on as a frame
//! with a number of its own (`Frame::call`, never 0) and the request as its body; the answer carries the same number.

use crate::{
    bridge::Overlay, bridge::PageReport, interface::Description, manifest::ModeConfig, module::ModuleFile,
};
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
        /// The project's Wasm modules. When only these differ from what runs, they are exchanged in the worker that runs.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        modules: Vec<ModuleFile>,
    },
    /// Style sheets changed: exchange them in place. Paths below the app's origin.
    StylesChanged {
        /// Paths, beginning with `/`.
        paths: Vec<String>,
    },
    /// Other page files changed, or the dev server is back: reload with state kept.
    PageChanged {
        /// Paths, beginning with `/`; none when any may have changed.
        paths: Vec<String>,
    },
    /// Show or take away the overlay.
    Overlay {
        /// What to show; `None` takes it away.
        overlay: Option<Overlay>,
    },
    /// Open the web inspector of the window in front.
    Inspect,
    /// A browser tab shows the page. It counts as a window from now on, with the capabilities of `main`.
    TabOpened {
        /// Its label, [`tab_label`].
        window: String,
        /// What its page says hello with.
        secret: String,
    },
    /// A browser tab is gone.
    TabClosed {
        /// Its label.
        window: String,
    },
    /// A request of the page in a tab: the text `crate::bridge` describes, in the body. Answered with `TabAnswer`.
    TabRequest {
        /// Label of the tab.
        window: String,
    },
    /// A browser asks for a file of the page. Answered with `PageFile`.
    PageFile {
        /// `GET` or `HEAD`.
        method: String,
        /// Percent-encoded path, without the query.
        path: String,
        /// Headers that have a say in the answer.
        headers: Vec<(String, String)>,
    },
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
    /// Open no window and need no display: pages are in browser tabs only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_window: bool,
    /// Let a driver attach to the windows: `staysail test` runs the app.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub driven: bool,
    /// Names of the project's asset groups; in development all their files are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Workers wait for a debugger, and nothing they do is too slow.
    #[serde(default)]
    pub debug_worker: bool,
}

/// The label of the browser tab with this number, counted from 1.
pub fn tab_label(number: u64) -> String {
    format!("browser-{number}")
}

/// Whether a window of this label can be a browser tab. An app may give a window of its own such a label, too.
pub fn may_be_tab(label: &str) -> bool {
    label.starts_with("browser-")
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
        /// Whether another one serves: that before it.
        #[serde(default)]
        serving: bool,
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
    /// Answer to the `TabRequest` of the same number: the text or the raw bytes, in the body.
    TabAnswer {
        /// The body is a result of raw bytes.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        raw: bool,
    },
    /// Answer to the `PageFile` of the same number; the file is in the body.
    PageFile {
        /// HTTP status.
        status: u16,
        /// Headers.
        headers: Vec<(String, String)>,
    },
    /// The user wants the newest backend without the state that was kept.
    StartFresh,
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
