//! Messages between shell and worker. Each is the head of a [`crate::frame::Frame`].
//!
//! # Theory of operation
//! The shell starts the worker with an inherited socket (`STAYSAIL_SOCKET`: on Unix a descriptor number, on
//! Windows the name of a pipe) and a token (`STAYSAIL_TOKEN`). The worker's first frame is [`ToShell::Hello`];
//! the shell answers [`ToWorker::Welcome`]. A candidate then may get [`ToWorker::Restore`] (body: snapshot) and
//! answers [`ToShell::Restored`] or [`ToShell::RestoreFailed`]. With [`ToWorker::Activate`] it becomes the
//! active worker and calls flow. When the socket closes, the worker exits at once: it never outlives its shell.
//!
//! A snapshot larger than `snapshot_inline_bytes_max` goes beside the frames, as an [`Attached`], when both sides can: the
//! shell offers it by `STAYSAIL_ATTACHMENTS`, the worker says so in its hello.
//!
//! A snapshot is MessagePack: a map from state name to `{version: u32, value: any}`, names spelled out.
//!
//! Whatever declared state a call changed is sent as [`ToShell::Checkpoint`] *before* the call's answer on the
//! same ordered stream, so the state that belongs to an answer a page has seen is never lost, not even when
//! the worker is killed right after.

use crate::{
    CallError, interface::Description, module::ModuleSpec, notice::UpdateEvent, policy::CustomValue,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Environment variable with the socket: descriptor number (Unix) or pipe name (Windows).
pub const SOCKET_VARIABLE: &str = "STAYSAIL_SOCKET";
/// Environment variable with the one-time token the hello must repeat.
pub const TOKEN_VARIABLE: &str = "STAYSAIL_TOKEN";
/// Environment variable with the way attachments take: descriptor number of a datagram socket (Unix), or any value.
pub const ATTACHMENTS_VARIABLE: &str = "STAYSAIL_ATTACHMENTS";

/// Environment variable that makes a worker wait for a debugger before it does anything (`staysail dev --debug-worker`).
pub const DEBUG_VARIABLE: &str = "STAYSAIL_DEBUG_WORKER";

/// Shell to worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ToWorker {
    /// Answer to hello.
    Welcome(Box<Welcome>),
    /// Take over this state. Body: snapshot, unless it is attached. Answered by `Restored` or `RestoreFailed`.
    Restore {
        /// Version of the app that made the snapshot.
        from_version: String,
        /// Where the snapshot is when it is not the body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attached: Option<Attached>,
    },
    /// These are the Wasm modules from now on, all of them or none. Body: their bytes, one after the other. Answered by
    /// `ModulesTaken` or `ModulesRefused`. Calls of modules that are under way end on the ones before.
    Modules {
        /// What each is.
        modules: Vec<ModuleSpec>,
        /// They were in use before those that are: taken back without being tried.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        back: bool,
    },
    /// Let go of all exclusive resources, for another worker. Answered by `Released` or `ReleaseFailed`.
    Release,
    /// Take all exclusive resources that you do not hold. Answered by `Acquired` or `AcquireFailed`.
    Acquire,
    /// You are the active worker now.
    Activate,
    /// A call. `frame.call` is its number, the body its arguments: a JSON object, or raw bytes.
    Call {
        /// Name of the command.
        command: String,
        /// Label of the window that calls.
        window: String,
        /// The body is raw bytes instead of JSON.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        raw: bool,
    },
    /// The page has dealt with so many bytes of a stream of the call `frame.call`.
    Credit {
        /// Number of the stream.
        stream: u64,
        /// How many.
        bytes: u64,
    },
    /// A message of the page in a stream of the call `frame.call`. Body: JSON or raw bytes.
    Push {
        /// Number of the stream.
        stream: u64,
        /// The body is raw bytes.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        raw: bool,
    },
    /// The page sends no more in this stream.
    PushEnd {
        /// Number of the stream.
        stream: u64,
    },
    /// Nobody listens to this stream any more.
    StreamGone {
        /// Number of the stream.
        stream: u64,
    },
    /// Give up the call `frame.call`. It is still answered, with `Cancelled`, unless it finished before.
    Cancel,
    /// An event from a page. Body: JSON payload.
    Event {
        /// Its name.
        name: String,
        /// Label of the window it came from.
        window: String,
    },
    /// Deliver the declared state, answered by `Snapshot` or `SnapshotFailed`. Changes made afterwards are lost.
    Snapshot,
    /// Finish the calls under way, then answer `Retired`. The process stays, idle, for an instant return.
    Retire,
    /// Run the app's health checks; answered by `Healthy`.
    Health,
    /// Sign of life wanted; answered by `Pong` with the same number.
    Ping {
        /// Any number.
        n: u64,
    },
    /// Say what the app's conditions with these names come to; answered by `Update` with [`UpdateWish::Conditions`].
    Conditions {
        /// Number of the question.
        id: u64,
        /// Names of conditions; those the app does not have are left out of the answer.
        names: Vec<String>,
    },
    /// Answer to `Desktop` with the number `frame.call`. Body: JSON.
    DesktopDone,
    /// The request `Desktop` with the number `frame.call` failed.
    DesktopFailed {
        /// Why.
        error: CallError,
    },
    /// Something happened in the life of an update.
    Update(UpdateEvent),
    /// Stop the app's services, within a bounded time, and end the process.
    Shutdown,
    /// A message of a newer protocol; ignored.
    #[serde(other)]
    Unknown,
}

/// What a worker learns at its start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// Protocol version both speak.
    pub protocol: u16,
    /// Version of the app as its release or project names it.
    #[serde(default)]
    pub version: String,
    /// What of the mode's values is for Rust.
    #[serde(default)]
    pub config: WorkerConfig,
    /// Folder for the app's own data; exists.
    #[serde(default)]
    pub data_dir: String,
    /// The next frame is `Modules`: set-up waits for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub modules: bool,
}

/// The part of the chosen mode's values that Rust can ask for. The rest is for shell and page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerConfig {
    /// `debug` or `production`.
    pub mode: String,
    /// Constants (`app.constant`).
    pub constants: BTreeMap<String, serde_json::Value>,
}

#[cfg(feature = "host")]
impl WorkerConfig {
    /// That part of all values.
    pub fn of(config: &crate::manifest::ModeConfig) -> Self {
        Self { mode: config.mode.clone(), constants: config.constants.clone() }
    }
}

/// Worker to shell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ToShell {
    /// First message of a worker.
    Hello(Box<Hello>),
    /// The handed-over state is in place.
    Restored,
    /// The handed-over state could not be used.
    RestoreFailed {
        /// Which declared state.
        state: String,
        /// Why, and what to do.
        message: String,
    },
    /// The Wasm modules are in place.
    ModulesTaken,
    /// The Wasm modules can not be used; those before are.
    ModulesRefused {
        /// Which one.
        module: String,
        /// Why, and what to do.
        message: String,
    },
    /// No exclusive resource is held any more.
    Released,
    /// An exclusive resource could not be released; it and others may still be held.
    ReleaseFailed {
        /// Its name.
        resource: String,
        /// Why, and what to do.
        message: String,
    },
    /// All exclusive resources are held.
    Acquired,
    /// An exclusive resource could not be acquired; none is held that was not held before.
    AcquireFailed {
        /// Its name.
        resource: String,
        /// Why, and what to do.
        message: String,
    },
    /// Newest declared state. Body: snapshot.
    Checkpoint,
    /// The declared state has changed and is too large for checkpoints: the shell's newest one is older than it, until
    /// the next comes.
    CheckpointLeftOut,
    /// Before the answer to `Snapshot`: it is large and is being written beside the frames, which may take
    /// `snapshot_apart_timeout_ms`.
    SnapshotGrows,
    /// Answer to `Snapshot`. Body: snapshot, unless it is attached.
    Snapshot {
        /// Where the snapshot is when it is not the body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attached: Option<Attached>,
    },
    /// Answer to `Snapshot`: the state can not be handed over.
    SnapshotFailed {
        /// Which declared state; empty when it is all of them together.
        state: String,
        /// Why, and what to do.
        message: String,
    },
    /// The call `frame.call` succeeded. Body: JSON answer, or raw bytes.
    Answer {
        /// The body is raw bytes instead of JSON.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        raw: bool,
    },
    /// The call `frame.call` failed.
    Failed {
        /// What the page's promise is rejected with.
        error: CallError,
    },
    /// A message in a stream of the call `frame.call`. Body: JSON or raw bytes.
    Stream {
        /// Number of the stream.
        stream: u64,
        /// The body is raw bytes.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        raw: bool,
    },
    /// The command has taken the oldest message the page sent in this stream.
    Taken {
        /// Number of the stream.
        stream: u64,
    },
    /// The command is done with this stream.
    StreamEnd {
        /// Number of the stream.
        stream: u64,
    },
    /// An event for pages. Body: JSON payload.
    Event {
        /// Its name.
        name: String,
        /// Label of the one window it is for; all windows when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<String>,
    },
    /// Result of the app's health checks.
    Healthy {
        /// All checks passed.
        ok: bool,
        /// Which failed and why.
        #[serde(default)]
        message: String,
    },
    /// Sign of life.
    Pong {
        /// The number asked with.
        n: u64,
    },
    /// A line for the log.
    Log {
        /// `error`, `warn`, `info`, `debug` or `trace`.
        level: String,
        /// What is being said.
        message: String,
    },
    /// Use a native feature ([`crate::desktop`]). Body: JSON object of arguments. `frame.call`: a number of the
    /// worker's own, for the answer; 0 when it wants none.
    Desktop {
        /// Its name, `group.operation`.
        name: String,
    },
    /// The app's wish about an update.
    Update(UpdateWish),
    /// All calls have ended after `Retire`.
    Retired,
    /// End the whole app in order.
    Exit {
        /// Exit code of the shell.
        code: i32,
    },
    /// A message of a newer protocol; ignored.
    #[serde(other)]
    Unknown,
}

/// Bytes beside the frame that names them: sealed memory or a file without a name, handed over by descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// Under what number it was handed over: on Unix that of the datagram which came with the descriptor, sent before this
    /// frame; on Windows the handle, in the worker's process.
    pub number: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

/// What a worker says of itself first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Oldest protocol version it speaks.
    pub protocol_min: u16,
    /// Newest protocol version it speaks.
    pub protocol_max: u16,
    /// The one-time token of its environment.
    pub token: String,
    /// Version of the app's crate.
    pub version: String,
    /// It takes attachments.
    #[serde(default)]
    pub attachments: bool,
    /// It answers questions for the values of conditions.
    #[serde(default)]
    pub conditions: bool,
    /// Names of its exclusive resources. Without any it is asked neither to release nor to acquire.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusive: Vec<String>,
    /// The app.
    pub description: Description,
}

/// The app's or page's wish about an update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateWish {
    /// Look for a release now.
    Check,
    /// Apply the staged release now, whatever was deferred.
    Apply,
    /// Do not apply before this many seconds have passed, also over starts.
    Defer {
        /// Seconds from now.
        seconds: u64,
    },
    /// Answer to a question for the values of conditions.
    Conditions {
        /// Number of the question.
        id: u64,
        /// Values by name.
        values: BTreeMap<String, CustomValue>,
    },
    /// Follow a channel, remembered over starts; the app's own when absent.
    Follow {
        /// Which.
        #[serde(default)]
        channel: Option<String>,
    },
    /// Stay at a version (`1.4.2`, `1.4.x`), remembered over starts; no longer at any when absent.
    Pin {
        /// Which.
        #[serde(default)]
        version: Option<String>,
    },
    /// Download no faster from now on, until the app ends or says otherwise.
    DownloadRate {
        /// Bytes per second; absent: as fast as they come.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes_per_s_max: Option<u64>,
    },
    /// Do not take this version; remembered over starts. A critical release is taken all the same.
    Skip {
        /// Which.
        version: String,
    },
}
