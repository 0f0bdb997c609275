//! The way back to a page for one request.

use crate::bodies::Bodies;
use staysail_protocol::CallError;
use staysail_protocol::bridge::BODY_PATH;
use std::sync::Arc;

/// An answer on its way to the page.
pub enum Reply {
    /// A text as `staysail_protocol::bridge` describes it: its first byte, and the rest.
    Text {
        /// `+`, `-` or `@`.
        mark: u8,
        /// What follows.
        rest: Vec<u8>,
    },
    /// A result of raw bytes, where those can be handed over as they are.
    Raw(Vec<u8>),
}

impl Reply {
    /// The whole text.
    pub fn into_text(self) -> Vec<u8> {
        match self {
            Self::Text { mark, rest } => {
                let mut text = Vec::with_capacity(rest.len() + 1);
                text.push(mark);
                text.extend_from_slice(&rest);
                text
            }
            Self::Raw(bytes) => bytes,
        }
    }
}

/// Answers one request of a page, once, from any thread. Dropped unanswered, the page's promise stays open:
/// only done for pages that are gone.
pub struct Responder {
    send: Box<dyn FnOnce(Reply) + Send>,
}

fn failed(error: &CallError) -> Reply {
    Reply::Text { mark: b'-', rest: serde_json::to_vec(error).unwrap_or_else(|_| b"{}".to_vec()) }
}

impl Responder {
    /// `send` takes any answer to the page.
    pub fn new(send: impl FnOnce(Reply) + Send + 'static) -> Self {
        Self { send: Box::new(send) }
    }

    /// `send` takes a text to the page of `window`. Answers over `inline_max` bytes, and raw ones, are put into
    /// `bodies` for the page to pull, piece after piece.
    pub fn of_texts(
        window: &str,
        inline_max: usize,
        bodies: Arc<Bodies>,
        send: impl FnOnce(Vec<u8>) + Send + 'static,
    ) -> Self {
        let window = window.to_string();
        Self::new(move |reply| {
            let (body, raw) = match reply {
                Reply::Raw(body) => (body, true),
                Reply::Text { mark: b'+', rest } if rest.len() > inline_max => (rest, false),
                text => return send(text.into_text()),
            };
            let length = body.len();
            match bodies.put(&window, body, raw) {
                Ok(id) => send(format!("@{BODY_PATH}{id} {length}").into_bytes()),
                Err(error) => send(failed(&error).into_text()),
            }
        })
    }

    /// The request succeeded.
    pub fn success(self, body: Vec<u8>, raw: bool) {
        (self.send)(if raw { Reply::Raw(body) } else { Reply::Text { mark: b'+', rest: body } });
    }

    /// The request failed.
    pub fn failure(self, error: &CallError) {
        (self.send)(failed(error));
    }

    /// Either.
    pub fn finish(self, outcome: crate::router::Outcome) {
        match outcome {
            Ok((body, raw)) => self.success(body, raw),
            Err(error) => self.failure(&error),
        }
    }
}
