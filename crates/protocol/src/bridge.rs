//! Messages from page to shell and back.
//!
//! # Theory of operation
//! A request is one text: a line of JSON ([`Request`]), a newline, then the payload (JSON of the arguments).
//! `JSON.stringify` never writes a raw newline, so the first one ends the head, and the payload is handed on
//! unparsed. A request whose payload is raw bytes travels as the same text followed by the bytes, by POST only.
//!
//! An answer is one text: `+` and the JSON result, `-` and the JSON of a [`crate::CallError`], or `@` and the
//! path and length of a body the page then pulls from its own origin with GET, piece after piece (large or raw answers, never
//! pushed as script).
//!
//! Small requests go as a script message with reply (Linux), everything else by POST to
//! `<app origin>/__staysail/call`. Both carry the same text.
//!
//! The first request of every page load is `hello`, with the window's secret; its answer ([`Welcome`]) holds
//! the key and generation every further request must carry. One `next` request waits at the shell for events.

use serde::{Deserialize, Serialize};

/// Path under the app's own origin that takes requests by POST.
pub const CALL_PATH: &str = "/__staysail/call";
/// Path prefix under the app's own origin where large answers wait for GET.
pub const BODY_PATH: &str = "/__staysail/body/";
/// Path of the client library, for pages without a bundler.
pub const API_PATH: &str = "/__staysail/api.js";
/// Path of the module that defines the element `<staysail-update>`.
pub const UPDATE_NOTICE_PATH: &str = "/__staysail/update-notice.js";

/// Head of a request from the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The key of this page load; for `hello` the window's secret.
    pub k: String,
    /// What is wanted.
    #[serde(flatten)]
    pub what: What,
}

/// What a page wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum What {
    /// First message of a page load; answered with [`Welcome`].
    Hello,
    /// Call a command. Payload: arguments as a JSON object. Answered with its result.
    Call {
        /// Number of the call, unique within the page load.
        i: u64,
        /// Name of the command.
        c: String,
        /// The payload is raw bytes.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        raw: bool,
        /// Streams among the arguments, their numbers joined by commas.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        ch: String,
    },
    /// Wait for messages of a stream, the ones before being dealt with. Answered with an array of JSON messages, one
    /// raw message, or `{"closed": null | error}`.
    Pull {
        /// Number of the stream, unique within the page load.
        ch: u64,
    },
    /// Send a message up a stream. Payload: JSON or raw bytes. Answered with null when the command has taken it.
    Push {
        /// Number of the stream.
        ch: u64,
        /// The payload is raw bytes.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        raw: bool,
        /// There is no message: the page sends no more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        end: bool,
    },
    /// Want no more of a stream.
    Drop {
        /// Number of the stream.
        ch: u64,
    },
    /// Cancel the call with this number.
    Cancel {
        /// Number of the call.
        i: u64,
    },
    /// Emit an event to the backend. Payload: JSON.
    Emit {
        /// Its name.
        e: String,
    },
    /// Use a native feature. Payload: JSON object of arguments. Answered as [`crate::desktop`] describes.
    Desktop {
        /// Its name, `group.operation`.
        f: String,
        /// The arguments as JSON, when the payload is raw bytes that belong to them.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        a: String,
    },
    /// Wait for events: answered with an array of [`PageEvent`] as soon as there is one.
    Next,
    /// State to keep over the reload that follows. Payload: JSON object, opaque to the shell.
    KeepState,
    /// The page has come up: loaded, without a boot error.
    Ready,
    /// Something went wrong or was said in the page. Payload: JSON [`PageReport`].
    Report,
    /// A wish about updates. Payload: JSON [`crate::worker::UpdateWish`].
    Update,
    /// Start the backend again after the shell stopped trying.
    RetryBackend,
    /// The user pressed the button that starts the backend without the state that was kept.
    StartFresh,
}

/// Answer to `hello`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Welcome {
    /// Key of this page load.
    pub key: String,
    /// Number of this page load within its window, from 1.
    pub generation: u64,
    /// Label of the window.
    pub window: String,
    /// Mode, constants and the like.
    pub config: crate::manifest::ModeConfig,
    /// Version of the app that is live.
    pub version: String,
    /// State kept over the reload that made this page load, or null.
    pub state: Option<Box<serde_json::value::RawValue>>,
    /// Overlay to show at once, if something is wrong.
    pub overlay: Option<Overlay>,
    /// What has happened to the update that is under way, in order.
    pub update: Vec<crate::notice::UpdateEvent>,
}

/// Something the shell tells a page. `staysail:`-events reach listeners of that name, too.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum PageEvent {
    /// An event of the app or of Staysail (`staysail:worker`, `staysail:update`).
    Event {
        /// Its name.
        name: String,
        /// Its payload.
        payload: Box<serde_json::value::RawValue>,
    },
    /// Fetch these style sheets again and put them in place of the old ones.
    StylesChanged {
        /// Paths below the app's origin.
        paths: Vec<String>,
    },
    /// Save state (`keep_state`), then reload.
    Reload,
    /// Show this overlay; `None` takes it away.
    Overlay {
        /// What to show.
        overlay: Option<Overlay>,
    },
    /// So many events were dropped because the page did not fetch them.
    EventsLost {
        /// How many.
        count: u64,
    },
}

/// A message over the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// `build`, `page`, `server`, `worker`, `state` or `crash_loop`.
    pub kind: String,
    /// One line.
    pub title: String,
    /// What happened, preformatted (may hold ANSI colours).
    pub detail: String,
    /// What still works and what to do.
    pub advice: String,
    /// Whether a retry button is offered.
    #[serde(default)]
    pub retry: bool,
    /// Whether a button is offered that starts the backend without the state that was kept.
    #[serde(default)]
    pub fresh: bool,
}

/// A report from the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageReport {
    /// `error`, `rejection`, `console` or `boot`.
    pub kind: String,
    /// `error`, `warn`, `info` or `log`.
    pub level: String,
    /// The message.
    pub message: String,
    /// File, line and column when known.
    pub place: String,
}

/// Splits a request into its head and its payload.
///
/// # Errors
/// A sentence for the log when the text is no request.
///
/// ```
/// use staysail_protocol::bridge::{What, split};
/// let (request, payload) = split(b"{\"k\":\"x\",\"t\":\"call\",\"i\":1,\"c\":\"greet\"}\n{\"name\":\"A\"}").unwrap();
/// assert_eq!(request.what, What::Call { i: 1, c: "greet".into(), raw: false, ch: String::new() });
/// assert_eq!(payload, b"{\"name\":\"A\"}");
/// ```
pub fn split(bytes: &[u8]) -> Result<(Request, &[u8]), String> {
    let (head, payload) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[][..]),
    };
    let request =
        serde_json::from_slice(head).map_err(|error| format!("unreadable request head: {error}"))?;
    Ok((request, payload))
}
