//! Large and raw answers, waiting for the page that asked to pull them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

struct Body {
    window: String,
    bytes: Vec<u8>,
    raw: bool,
}

/// Answers by an unguessable name. Each is given out once; what a page never fetched goes with its next load.
#[derive(Default)]
pub struct Bodies {
    waiting: Mutex<HashMap<String, Body>>,
}

impl Bodies {
    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Body>> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Puts an answer for a page of `window` and returns its name.
    pub fn put(&self, window: &str, bytes: Vec<u8>, raw: bool) -> String {
        let id = crate::secret::token();
        self.waiting().insert(id.clone(), Body { window: window.to_string(), bytes, raw });
        id
    }

    /// Takes an answer: its bytes, and whether they are raw rather than JSON.
    pub fn take(&self, id: &str) -> Option<(Vec<u8>, bool)> {
        self.waiting().remove(id).map(|body| (body.bytes, body.raw))
    }

    /// Drops what the pages of `window` so far have not fetched.
    pub fn forget(&self, window: &str) {
        self.waiting().retain(|_, body| body.window != window);
    }
}
