//! What the router copies for a candidate: calls to read-only commands, with the answers they got.
//!
//! A call is copied once it is answered, and only when the declared state was the same all the while: whatever a call
//! changed is told before any later answer (ADR 3), so the newest checkpoint is exactly the state that was answered from.

use super::super::state::Snapshot;
use super::compare::Answer;
use crate::router::Call;
use crate::worker::Worker;
use staysail_protocol::ErrorCode;
use staysail_protocol::limits::{SHADOW_ANSWER_MAX_MS, SHADOW_ANSWER_TIMEOUT_MS, SHADOW_CALL_BYTES_MAX};
use staysail_protocol::shadow::ShadowRules;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// Copies calls of one worker. Costs a call that is not copied a look-up of its command's name.
pub struct Mirror {
    worker: u64,
    rules: ShadowRules,
    inner: Mutex<Inner>,
    /// Bytes of all copies.
    bytes: AtomicUsize,
    /// Copies that wait for the candidate or are with it.
    in_flight: AtomicUsize,
    passed_over: AtomicU32,
    samples: UnboundedSender<Sample>,
}

struct Inner {
    /// Absent when nobody can tell it: it has not come yet, or it is too large to be followed.
    state: Option<Arc<State>>,
    /// Of the newest state.
    number: u64,
    /// No state will come that could be followed.
    lost: bool,
    /// Commands whose calls are copied, each with what its calls since the last copied one add up to. Counted apart: calls
    /// that take turns would otherwise fall on the same places again and again.
    due: HashMap<String, f64>,
}

/// The declared state at some moment.
pub struct State {
    /// Counts up with each change.
    pub number: u64,
    /// What can be restored.
    pub snapshot: Snapshot,
}

/// A call that was answered, for the candidate to answer it again.
pub struct Sample {
    /// Name of the command.
    pub command: String,
    /// Label of the window that called.
    pub window: String,
    /// The arguments are raw bytes.
    pub raw: bool,
    /// The page's own bytes.
    pub arguments: Vec<u8>,
    /// What the caller got.
    pub before: Answer,
    /// How long that took.
    pub took: Duration,
    /// What it was answered from.
    pub state: Arc<State>,
    _counted: ([Share; 2], Place),
}

/// A call on its way to the worker that answers it.
pub struct Probe {
    command: String,
    window: String,
    raw: bool,
    arguments: Vec<u8>,
    /// Number of the state it is answered from. The state itself is taken with the answer: a call that waits holds none.
    state: u64,
    begun: Instant,
    share: Share,
}

/// Bytes counted as copied until it is dropped.
struct Share {
    mirror: Arc<Mirror>,
    bytes: usize,
}

/// A copy counted as in flight until it is dropped.
struct Place(Arc<Mirror>);

impl Drop for Share {
    fn drop(&mut self) {
        self.mirror.bytes.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Inner {
    fn change(&mut self, snapshot: Option<Snapshot>) {
        self.number += 1;
        self.lost |= snapshot.is_none();
        let number = self.number;
        let known = snapshot.filter(|_| !self.lost);
        self.state = known.map(|snapshot| Arc::new(State { number, snapshot }));
    }
}

impl Mirror {
    /// Copies calls of `worker` to these commands into `samples`, once its state is known.
    pub fn new(
        worker: u64,
        commands: HashSet<String>,
        rules: ShadowRules,
        samples: UnboundedSender<Sample>,
    ) -> Arc<Self> {
        Arc::new(Self {
            worker,
            // The first call of each is copied.
            inner: Mutex::new(Inner {
                state: None,
                number: 0,
                lost: false,
                due: commands.into_iter().map(|command| (command, 1.0 - rules.share)).collect(),
            }),
            rules,
            bytes: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            passed_over: AtomicU32::new(0),
            samples,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The state at the beginning. A checkpoint that has come meanwhile is as good: answers are from one that is as new.
    pub fn begin(&self, snapshot: Snapshot) {
        let mut inner = self.inner();
        if inner.number == 0 {
            inner.change(Some(snapshot));
        }
    }

    /// The declared state of a worker has changed; it is `None` where it is too large to be told each time.
    pub fn changed(&self, worker: u64, snapshot: Option<Snapshot>) {
        if worker == self.worker {
            self.inner().change(snapshot);
        }
    }

    /// The state became too large to be followed, and nothing is copied any more.
    pub fn lost(&self) -> bool {
        self.inner().lost
    }

    /// Whether this is the worker whose calls are copied.
    pub fn is_of(&self, worker: Option<&Worker>) -> bool {
        worker.is_some_and(|worker| worker.id == self.worker)
    }

    /// Calls to commands that could be compared, and were not copied: for the limits, or because the state changed
    /// while they were answered.
    pub fn passed_over(&self) -> u32 {
        self.passed_over.load(Ordering::SeqCst)
    }

    /// Notes that a call was not compared.
    pub fn pass_over(&self) {
        self.passed_over.fetch_add(1, Ordering::SeqCst);
    }

    /// A call is about to be sent to `worker`: what is kept of it, if it is one of the share.
    pub fn sample(self: &Arc<Self>, worker: u64, call: &Call) -> Option<Box<Probe>> {
        // Streams are bound to the call they were made for.
        if worker != self.worker || call.on_send.is_some() {
            return None;
        }
        let mut inner = self.inner();
        let state = inner.state.as_ref()?.number;
        let due = inner.due.get_mut(&call.command)?;
        *due += self.rules.share;
        if *due < 1.0 {
            return None;
        }
        *due -= 1.0;
        drop(inner);
        let full = self.in_flight.load(Ordering::SeqCst) >= self.rules.in_flight_max;
        if full || call.arguments.len() > SHADOW_CALL_BYTES_MAX {
            self.pass_over();
            return None;
        }
        Some(Box::new(Probe {
            share: self.share(call.arguments.len())?,
            command: call.command.clone(),
            window: call.caller.window.clone(),
            raw: call.raw,
            arguments: call.arguments.to_vec(),
            state,
            begun: Instant::now(),
        }))
    }

    /// Counts bytes as copied, if there is room for them.
    fn share(self: &Arc<Self>, bytes: usize) -> Option<Share> {
        let share = Share { mirror: self.clone(), bytes };
        if self.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes > self.rules.bytes_max {
            self.pass_over();
            return None;
        }
        Some(share)
    }

    /// Counts a copy as in flight, if there is room for it.
    fn place(self: &Arc<Self>) -> Option<Place> {
        let place = Place(self.clone());
        if self.in_flight.fetch_add(1, Ordering::SeqCst) >= self.rules.in_flight_max {
            self.pass_over();
            return None;
        }
        Some(place)
    }
}

/// How long a candidate has for a call that took so long; `None` for one that took longer than any candidate is waited for.
pub fn patience(took: Duration) -> Option<Duration> {
    let usual = Duration::from_millis(SHADOW_ANSWER_TIMEOUT_MS) + 2 * took;
    (usual <= Duration::from_millis(SHADOW_ANSWER_MAX_MS)).then_some(usual)
}

impl Probe {
    /// The call was answered by the worker it was sent to.
    pub fn answered(self, answer: &Answer) {
        let mirror = self.share.mirror.clone();
        let took = self.begun.elapsed();
        let given_up = |code| matches!(code, ErrorCode::Cancelled | ErrorCode::Superseded);
        if answer.as_ref().is_err_and(|error| given_up(error.code)) {
            return;
        }
        let bytes = answer.as_ref().map_or(0, |(body, _)| body.len());
        let state = mirror.inner().state.clone().filter(|state| state.number == self.state);
        let Some(state) = state.filter(|_| bytes <= SHADOW_CALL_BYTES_MAX && patience(took).is_some()) else {
            return mirror.pass_over();
        };
        // With the state that is kept for it.
        let more = mirror.share(bytes + state.snapshot.bytes());
        let (Some(more), Some(place)) = (more, mirror.place()) else { return };
        let Self { command, window, raw, arguments, share, .. } = self;
        let (before, counted) = (answer.clone(), ([share, more], place));
        let sample = Sample { command, window, raw, arguments, before, took, state, _counted: counted };
        // Nobody listens any more: there is nothing to compare.
        let _ = mirror.samples.send(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_took_longer_than_any_candidate_is_waited_for_is_not_held_against_one() {
        let most = Duration::from_millis(SHADOW_ANSWER_MAX_MS);
        assert!(patience(Duration::ZERO).is_some_and(|patience| patience < most));
        assert_eq!(patience(most), None);
        for took in [10, 1_000, 20_000].map(Duration::from_millis) {
            assert!(
                patience(took).is_some_and(|patience| patience >= 2 * took && patience <= most),
                "{took:?}"
            );
        }
    }
}
