//! Sends each call to the active worker and each answer back to its caller.
//!
//! # Theory of operation
//! A call is given a number and written once, to one worker; it then waits in `pending` until its answer comes
//! or that worker is lost. While workers are exchanged the gate is closed and calls wait in a bounded queue, in
//! order. When a worker is lost, calls of which no byte had left the shell go back to the head of the queue;
//! all others may have started and fail with `WorkerLost`. So no call is lost and none runs twice (law 2).
//!
//! Every call carries the interface epoch its page was loaded with. After a switch to another interface, calls
//! of pages of the epoch before fail with `PageGone` instead of reaching a worker that would misread them
//! (law 7).
//!
//! **Invariant:** no I/O here but handing frames to a [`Link`]; no waiting at all.

use crate::conductor::shadow::mirror::{Mirror, Probe};
use crate::payload::Payload;
use crate::worker::Worker;
use staysail_link::{Link, Parcel};
use staysail_protocol::frame::Frame;
use staysail_protocol::limits::{CALLS_IN_FLIGHT_MAX, SWAP_QUEUE_BYTES_MAX, SWAP_QUEUE_CALLS_MAX};
use staysail_protocol::worker::ToWorker;
use staysail_protocol::{CallError, ErrorCode};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

/// What a call ends with: the body and whether it is raw bytes, or an error.
pub type Outcome = Result<(Vec<u8>, bool), CallError>;
/// Takes the outcome to the caller. Called exactly once.
pub type Reply = Box<dyn FnOnce(Outcome) + Send>;

/// Is told the number of a call and its worker, before it is sent (`false`) and after (`true`).
pub type OnSend = Box<dyn Fn(u64, &Worker, bool) + Send>;

/// One call of a page.
pub struct Call {
    /// Who calls, for cancelling: window label, page load, and the page's own number of the call.
    pub caller: Caller,
    /// Interface epoch of the page.
    pub epoch: u64,
    /// Name of the command.
    pub command: String,
    /// The arguments are raw bytes.
    pub raw: bool,
    /// The page's own bytes.
    pub arguments: Payload,
    /// Told to which worker it goes, before and after it is sent; streams among the arguments need that.
    pub on_send: Option<OnSend>,
    /// Where the outcome goes.
    pub reply: Reply,
}

/// Identifies a call from the page's side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Label of the window.
    pub window: String,
    /// Number of the page load.
    pub generation: u64,
    /// The page's number of the call.
    pub number: u64,
}

enum Waiting {
    /// Number, call, and its frame when it was made for a worker that was lost before it took it.
    Call(u64, Call, Option<Parcel>),
    Event {
        name: String,
        window: String,
        payload: Vec<u8>,
    },
}

impl Waiting {
    fn bytes(&self) -> usize {
        match self {
            // What was made a frame already left no arguments behind.
            Self::Call(_, call, frame) => call.arguments.len() + frame.as_ref().map_or(0, Parcel::len),
            Self::Event { payload, .. } => payload.len(),
        }
    }
}

struct Sent {
    worker: u64,
    /// The way to that worker, also when another is active meanwhile.
    link: Link,
    call: Call,
    /// What is kept of it for a candidate to answer it, too.
    probe: Option<Box<Probe>>,
}

#[derive(Default)]
struct Inner {
    active: Option<Arc<Worker>>,
    /// Closed while workers are exchanged, and until the first one is there.
    open: bool,
    /// Set when no worker will come by itself.
    unavailable: Option<String>,
    epoch: u64,
    next: u64,
    queue: VecDeque<Waiting>,
    pending: HashMap<u64, Sent>,
    mirror: Option<Arc<Mirror>>,
    /// How many of the pending ones are the active worker's.
    active_calls: usize,
    /// Events for which the queue had no room since the gate was closed.
    events_lost: u64,
}

/// See the module's theory of operation.
#[derive(Default)]
pub struct Router {
    inner: Mutex<Inner>,
}

impl Router {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Interface epoch a page that loads now belongs to.
    pub fn epoch(&self) -> u64 {
        self.inner().epoch
    }

    /// Takes a call from a page.
    pub fn submit(&self, call: Call) {
        let mut inner = self.inner();
        let refused = if call.epoch != inner.epoch {
            Some(CallError::new(
                ErrorCode::PageGone,
                "this page belongs to the version before; it is being replaced",
            ))
        } else if let Some(reason) = &inner.unavailable {
            Some(CallError::new(ErrorCode::WorkerUnavailable, reason.clone()))
        } else {
            inner.full(call.arguments.len()).map(|why| CallError::new(ErrorCode::QueueFull, why))
        };
        if let Some(error) = refused {
            drop(inner);
            (call.reply)(Err(error));
            return;
        }
        inner.next += 1;
        let number = inner.next;
        if !inner.open {
            inner.queue.push_back(Waiting::Call(number, call, None));
            return;
        }
        let failed = inner.send(number, call, None);
        drop(inner);
        finish(failed);
    }

    /// Takes an event from a page.
    pub fn emit(&self, name: String, window: String, payload: Vec<u8>) {
        let mut inner = self.inner();
        if inner.open {
            return inner.send_event(name, window, payload);
        }
        match inner.no_room(payload.len()) {
            None => inner.queue.push_back(Waiting::Event { name, window, payload }),
            Some(reason) => {
                // Once for all until the gate opens; how many they were is told then.
                if inner.events_lost == 0 {
                    tracing::warn!(event = name, window, reason, "an event of a page was dropped");
                }
                inner.events_lost += 1;
            }
        }
    }

    /// Gives a call up: one that waits is answered here, one under way by its worker.
    pub fn cancel(&self, caller: &Caller) {
        let mut inner = self.inner();
        let waiting = inner
            .queue
            .iter()
            .position(|waiting| matches!(waiting, Waiting::Call(_, call, _) if call.caller == *caller));
        if let Some(Waiting::Call(_, call, _)) = waiting.and_then(|at| inner.queue.remove(at)) {
            drop(inner);
            (call.reply)(Err(CallError::new(ErrorCode::Cancelled, "the call was cancelled")));
            return;
        }
        let found = inner.pending.iter().find(|(_, sent)| sent.call.caller == *caller);
        // Also one that was active before and finishes its calls.
        if let Some((number, sent)) = found {
            let _ = sent.link.send(&Frame::new(*number, &ToWorker::Cancel, Vec::new()));
        }
    }

    /// Brings a worker's answer to its caller. One nobody waits for, or of a call that was given to another worker,
    /// is dropped.
    pub fn answered(&self, worker: u64, number: u64, outcome: Outcome) {
        let mut inner = self.inner();
        if inner.pending.get(&number).is_none_or(|sent| sent.worker != worker) {
            return;
        }
        let sent = inner.pending.remove(&number);
        if inner.active.as_ref().is_some_and(|active| active.id == worker) {
            inner.active_calls -= 1;
        }
        drop(inner);
        if let Some(sent) = sent {
            if let Some(probe) = sent.probe {
                probe.answered(&outcome);
            }
            (sent.call.reply)(outcome);
        }
    }

    /// Copies calls from now on, or no more.
    pub fn set_mirror(&self, mirror: Option<Arc<Mirror>>) {
        self.inner().mirror = mirror;
    }

    /// What copies calls now.
    pub fn mirror(&self) -> Option<Arc<Mirror>> {
        self.inner().mirror.clone()
    }

    /// Closes the gate: calls wait from now on.
    pub fn close(&self) {
        self.inner().open = false;
    }

    /// Opens the gate to the worker that was active before.
    pub fn reopen(&self) {
        let failed = self.inner().open_gate();
        finish(failed);
    }

    /// Makes `worker` the active one and lets the waiting calls flow to it. With `new_interface` the calls of
    /// the pages so far are refused instead.
    pub fn switch(&self, worker: Arc<Worker>, new_interface: bool) {
        let mut inner = self.inner();
        inner.active_calls = inner.numbers_of(worker.id).len();
        inner.active = Some(worker);
        inner.unavailable = None;
        inner.epoch += u64::from(new_interface);
        let failed = inner.open_gate();
        drop(inner);
        finish(failed);
    }

    /// Calls under way in a worker.
    pub fn in_flight(&self, worker: u64) -> usize {
        self.inner().pending.values().filter(|sent| sent.worker == worker).count()
    }

    /// The active worker.
    pub fn active(&self) -> Option<Arc<Worker>> {
        self.inner().active.clone()
    }

    /// Ends what a lost worker left behind.
    pub fn worker_lost(&self, worker: &Worker, reason: &str) {
        let mut inner = self.inner();
        // Asked under the router's lock, so that no call is handed to the dead link in between.
        let mut undelivered: HashMap<u64, Parcel> = worker.link.undelivered().into_iter().collect();
        let worker = worker.id;
        if inner.active.as_ref().is_some_and(|active| active.id == worker) {
            inner.active = None;
            inner.active_calls = 0;
            inner.open = false;
        }
        let mut numbers = inner.numbers_of(worker);
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        let mut failed = Vec::new();
        for number in numbers {
            let Some(sent) = inner.pending.remove(&number) else { continue };
            if let Some(frame) = undelivered.remove(&number) {
                inner.queue.push_front(Waiting::Call(number, sent.call, Some(frame)));
            } else {
                failed.push(sent.call.reply);
            }
        }
        drop(inner);
        for reply in failed {
            reply(Err(CallError::new(
                ErrorCode::WorkerLost,
                format!(
                    "the backend ended while this call may have been under way ({reason}); it was not repeated"
                ),
            )));
        }
    }

    /// Cancels what a retired worker has not finished within its time.
    pub fn abandon(&self, worker: &Worker, drain_s: u64) {
        let mut inner = self.inner();
        let numbers: Vec<u64> = inner.numbers_of(worker.id);
        let sent: Vec<(u64, Sent)> =
            numbers.into_iter().filter_map(|number| Some((number, inner.pending.remove(&number)?))).collect();
        if inner.active.as_ref().is_some_and(|active| active.id == worker.id) {
            inner.active_calls = 0;
        }
        drop(inner);
        for (number, sent) in sent {
            let _ = worker.link.send(&Frame::new(number, &ToWorker::Cancel, Vec::new()));
            (sent.call.reply)(Err(CallError::new(
                ErrorCode::Cancelled,
                format!(
                    "a newer version took over, and this call was still running {drain_s} s later (drain_s)"
                ),
            )));
        }
    }

    /// No worker will come by itself: everything that waits is answered with the reason, until a switch.
    pub fn give_up(&self, reason: &str) {
        let mut inner = self.inner();
        inner.open = false;
        inner.unavailable = Some(reason.to_string());
        let waiting = std::mem::take(&mut inner.queue);
        inner.tell_events_lost();
        drop(inner);
        for waiting in waiting {
            if let Waiting::Call(_, call, _) = waiting {
                (call.reply)(Err(CallError::new(ErrorCode::WorkerUnavailable, reason)));
            }
        }
    }

    /// Whether [`Router::give_up`] was said last.
    pub fn has_given_up(&self) -> bool {
        self.inner().unavailable.is_some()
    }

    /// A worker is being started again by wish of the user: calls wait for it.
    pub fn hope_again(&self) {
        self.inner().unavailable = None;
    }
}

type Failed = Vec<(Reply, CallError)>;

fn finish(failed: Failed) {
    for (reply, error) in failed {
        reply(Err(error));
    }
}

impl Inner {
    fn numbers_of(&self, worker: u64) -> Vec<u64> {
        self.pending.iter().filter(|(_, sent)| sent.worker == worker).map(|(number, _)| *number).collect()
    }

    /// Why a call with so many bytes of arguments can not be taken now.
    fn full(&self, bytes: usize) -> Option<String> {
        if !self.open {
            return self.no_room(bytes);
        }
        (self.active_calls >= CALLS_IN_FLIGHT_MAX).then(|| {
            format!(
                "{CALLS_IN_FLIGHT_MAX} calls are under way in the backend (calls_in_flight_max); await some of them"
            )
        })
    }

    /// Why so many bytes can not wait for the next worker.
    fn no_room(&self, bytes: usize) -> Option<String> {
        if self.queue.len() >= SWAP_QUEUE_CALLS_MAX {
            return Some(format!(
                "{SWAP_QUEUE_CALLS_MAX} calls and events wait for the backend, which is being exchanged \
                 (swap_queue_calls_max); try again later"
            ));
        }
        let waiting: usize = self.queue.iter().map(Waiting::bytes).sum();
        (waiting + bytes > SWAP_QUEUE_BYTES_MAX).then(|| {
            format!(
                "more than {SWAP_QUEUE_BYTES_MAX} bytes would wait for the backend, which is being exchanged \
                 (swap_queue_bytes_max); try again later"
            )
        })
    }

    fn tell_events_lost(&mut self) {
        let count = std::mem::take(&mut self.events_lost);
        if count > 0 {
            tracing::warn!(count, "events of pages were dropped: too much waited for the backend");
        }
    }

    fn open_gate(&mut self) -> Failed {
        let mut failed = Vec::new();
        if self.active.is_none() {
            return failed;
        }
        self.open = true;
        self.tell_events_lost();
        for waiting in std::mem::take(&mut self.queue) {
            match waiting {
                Waiting::Call(_, call, _) if call.epoch != self.epoch => failed.push((
                    call.reply,
                    CallError::new(ErrorCode::PageGone, "this page belongs to the version before"),
                )),
                Waiting::Call(number, call, frame) => failed.extend(self.send(number, call, frame)),
                Waiting::Event { name, window, payload } => self.send_event(name, window, payload),
            }
        }
        failed
    }

    fn send(&mut self, number: u64, mut call: Call, frame: Option<Parcel>) -> Failed {
        let Some(worker) = self.active.clone() else { return Vec::new() };
        let probe = self.mirror.as_ref().and_then(|mirror| mirror.sample(worker.id, &call));
        let frame = match frame {
            Some(frame) => Ok(frame),
            None => {
                let message = ToWorker::Call {
                    command: std::mem::take(&mut call.command),
                    window: call.caller.window.clone(),
                    raw: call.raw,
                };
                std::mem::take(&mut call.arguments).frame(number, &message)
            }
        };
        match frame {
            Ok(frame) => {
                // Kept before it is sent: the answer may come before this thread goes on.
                let on_send = call.on_send.take();
                if let Some(on_send) = &on_send {
                    on_send(number, &worker, false);
                }
                // Kept for a next worker, should this one be lost before it takes the call.
                let sent = self.pending.entry(number).insert_entry(Sent {
                    worker: worker.id,
                    link: worker.link.clone(),
                    call,
                    probe,
                });
                self.active_calls += 1;
                worker.link.send_parcel(number, frame);
                if let Some(on_send) = on_send {
                    on_send(number, &worker, true);
                    sent.into_mut().call.on_send = Some(on_send);
                }
                Vec::new()
            }
            Err(error) => vec![(call.reply, CallError::new(ErrorCode::TooLarge, error.to_string()))],
        }
    }

    fn send_event(&self, name: String, window: String, payload: Vec<u8>) {
        if let Some(worker) = &self.active {
            worker.tell_with(&ToWorker::Event { name, window }, payload);
        }
    }
}

#[cfg(all(test, unix))]
mod queue_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn an_answer_is_taken_from_the_worker_that_got_the_call_and_from_no_other() {
        let router = Router::default();
        let (told, answers) = std::sync::mpsc::channel();
        let call = Call {
            caller: Caller { window: "main".into(), generation: 1, number: 1 },
            epoch: 0,
            command: "pay".into(),
            raw: false,
            arguments: Payload::default(),
            on_send: None,
            reply: Box::new(move |outcome| drop(told.send(outcome))),
        };
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let link = Link::writing(Arc::new(staysail_link::Socket::new(ours).unwrap()));
        router.inner().pending.insert(7, Sent { worker: 1, link, call, probe: None });
        // Another worker, an old one that drains or one that guesses: nothing comes of it.
        router.answered(2, 7, Ok((b"forged".to_vec(), false)));
        router.answered(1, 8, Ok((b"forged".to_vec(), false)));
        assert!(answers.try_recv().is_err(), "an answer of another worker reached the page");
        // Given up, its worker is told, although another may be active by now.
        router.cancel(&Caller { window: "main".into(), generation: 1, number: 1 });
        let (_back, mut received) = Link::start(staysail_link::Socket::new(theirs).unwrap());
        let told = received.next().await.unwrap().unwrap();
        assert_eq!((told.call, told.message::<ToWorker>().unwrap()), (7, ToWorker::Cancel));
        router.answered(1, 7, Ok((b"paid".to_vec(), false)));
        assert_eq!(answers.try_recv().unwrap().unwrap(), (b"paid".to_vec(), false));
        // Once and never again.
        router.answered(1, 7, Ok((b"twice".to_vec(), false)));
        assert!(answers.try_recv().is_err());
    }
}
