//! Large and raw answers, waiting for the page that asked to pull them, piece after piece: the webview holds a whole response in
//! memory beside its copy (wry on Linux), and so a piece only.

use staysail_protocol::limits::{BODIES_WAITING_BYTES_MAX, BODY_PIECE_BYTES_MAX};
use staysail_protocol::{CallError, ErrorCode};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

/// What one waiting answer is counted for beside its bytes, so that many empty ones come to an end, too.
const ENTRY_BYTES: usize = 256;

struct Body {
    window: String,
    bytes: Vec<u8>,
    raw: bool,
    /// How many of the bytes the page has.
    given: usize,
}

impl Body {
    fn size(&self) -> usize {
        self.bytes.len() + ENTRY_BYTES
    }
}

#[derive(Default)]
struct Waiting {
    bodies: HashMap<String, Body>,
    /// Their sizes together.
    bytes: usize,
}

/// Answers by an unguessable name. Each byte is given out once; what a page never fetched goes with its next load.
#[derive(Default)]
pub struct Bodies {
    waiting: Mutex<Waiting>,
}

impl Bodies {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Puts an answer for a page of `window` and returns its name.
    ///
    /// # Errors
    /// `QueueFull` when others wait and there is no room beside them; the answer is dropped then.
    pub fn put(&self, window: &str, bytes: Vec<u8>, raw: bool) -> Result<String, CallError> {
        let body = Body { window: window.to_string(), bytes, raw, given: 0 };
        let size = body.size();
        let mut waiting = self.waiting();
        if waiting.bytes > 0 && waiting.bytes + size > BODIES_WAITING_BYTES_MAX {
            return Err(CallError::new(
                ErrorCode::QueueFull,
                format!(
                    "more than {BODIES_WAITING_BYTES_MAX} bytes of answers would wait to be fetched \
                     (bodies_waiting_bytes_max); the call was executed, its answer is dropped: await large answers \
                     one after the other"
                ),
            ));
        }
        let id = crate::secret::token();
        waiting.bytes += size;
        waiting.bodies.insert(id.clone(), body);
        Ok(id)
    }

    /// Takes the next piece of an answer: its bytes, and whether they are raw rather than JSON.
    pub fn take(&self, id: &str) -> Option<(Vec<u8>, bool)> {
        let mut waiting = self.waiting();
        let body = waiting.bodies.get_mut(id)?;
        let rest = &body.bytes[body.given..];
        if rest.len() > BODY_PIECE_BYTES_MAX {
            let piece = rest[..BODY_PIECE_BYTES_MAX].to_vec();
            body.given += piece.len();
            return Some((piece, body.raw));
        }
        let body = waiting.bodies.remove(id)?;
        waiting.bytes -= body.size();
        let Body { mut bytes, raw, given, .. } = body;
        bytes.drain(..given);
        Some((bytes, raw))
    }

    /// Drops what the pages of `window` so far have not fetched.
    pub fn forget(&self, window: &str) {
        let mut waiting = self.waiting();
        waiting.bodies.retain(|_, body| body.window != window);
        waiting.bytes = waiting.bodies.values().map(Body::size).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_nobody_fetches_are_limited_and_what_is_fetched_or_forgotten_makes_room() {
        let bodies = Bodies::default();
        let half = || vec![0; BODIES_WAITING_BYTES_MAX / 2];
        let first = bodies.put("main", half(), true).unwrap();
        let error = bodies.put("main", half(), true).unwrap_err();
        assert_eq!(error.code, ErrorCode::QueueFull);
        assert!(error.message.contains("bodies_waiting_bytes_max"), "{}", error.message);
        let pieces: Vec<usize> = std::iter::from_fn(|| Some(bodies.take(&first)?.0.len())).collect();
        assert_eq!(pieces.iter().sum::<usize>(), half().len());
        assert!(pieces.iter().all(|piece| *piece == BODY_PIECE_BYTES_MAX), "{pieces:?}");
        let _ = bodies.put("main", half(), true).unwrap();
        bodies.put("other", half(), true).unwrap_err();
        bodies.forget("main");
        let _ = bodies.put("other", half(), true).unwrap();
        assert_eq!(bodies.waiting().bytes, half().len() + ENTRY_BYTES);
    }

    #[test]
    fn a_large_answer_is_given_out_piece_after_piece_and_a_small_one_at_once() {
        let bodies = Bodies::default();
        let bytes: Vec<u8> = (0..2 * BODY_PIECE_BYTES_MAX + 3).map(|at| (at % 251) as u8).collect();
        let large = bodies.put("main", bytes.clone(), false).unwrap();
        let pieces: Vec<_> = std::iter::from_fn(|| bodies.take(&large)).collect();
        assert_eq!(pieces.len(), 3);
        assert!(pieces.iter().all(|(_, raw)| !raw));
        assert!(pieces.into_iter().flat_map(|(piece, _)| piece).eq(bytes));
        for size in [0, 1, BODY_PIECE_BYTES_MAX] {
            let small = bodies.put("main", vec![7; size], true).unwrap();
            assert_eq!(bodies.take(&small), Some((vec![7; size], true)));
            assert_eq!(bodies.take(&small), None);
        }
        assert_eq!(bodies.waiting().bytes, 0);
    }
}
