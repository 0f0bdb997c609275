//! The way back to a page for one request.

use crate::bodies::Bodies;
use staysail_protocol::CallError;
use staysail_protocol::bridge::BODY_PATH;
use std::sync::Arc;

/// Answers one request of a page, once, from any thread. Dropped unanswered, the page's promise stays open:
/// only done for pages that are gone.
pub struct Responder {
    send: Box<dyn FnOnce(Vec<u8>) + Send>,
    inline_max: usize,
    window: String,
    bodies: Arc<Bodies>,
}

impl Responder {
    /// `send` takes the answer's text to the page of `window`. Answers over `inline_max` bytes, and raw ones, are
    /// put into `bodies` for the page to pull.
    pub fn new(
        window: &str,
        inline_max: usize,
        bodies: Arc<Bodies>,
        send: impl FnOnce(Vec<u8>) + Send + 'static,
    ) -> Self {
        Self { send: Box::new(send), inline_max, window: window.to_string(), bodies }
    }

    /// The request succeeded.
    pub fn success(self, body: Vec<u8>, raw: bool) {
        if raw || body.len() > self.inline_max {
            let id = self.bodies.put(&self.window, body, raw);
            (self.send)(format!("@{BODY_PATH}{id}").into_bytes());
        } else {
            let mut text = Vec::with_capacity(body.len() + 1);
            text.push(b'+');
            text.extend_from_slice(&body);
            (self.send)(text);
        }
    }

    /// The request failed.
    pub fn failure(self, error: &CallError) {
        let mut text = b"-".to_vec();
        text.extend(serde_json::to_vec(error).unwrap_or_else(|_| b"{}".to_vec()));
        (self.send)(text);
    }

    /// Either.
    pub fn finish(self, outcome: crate::router::Outcome) {
        match outcome {
            Ok((body, raw)) => self.success(body, raw),
            Err(error) => self.failure(&error),
        }
    }
}
