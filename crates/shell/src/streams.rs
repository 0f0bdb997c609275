//! Streams between a page and a command: messages down to the page (`Channel`) and up to the worker (`Receiver`).
//!
//! # Theory of operation
//! A stream belongs to one page load and to the call it was handed over with; that call's worker serves it to its end,
//! through a swap, too: an old worker finishes its streams while it drains, and those it has not finished by then end
//! with `Superseded`, upon which a page may ask the new worker to go on.
//!
//! Down: the page asks for more (`pull`) whenever it has dealt with what it got. One pull is answered with all JSON
//! messages that wait, up to `channel_batch_bytes_max`, or with one raw message. What a pull brought is credited to the
//! worker by the next one, and a worker sends at most `channel_window_bytes` ahead (of messages larger than that
//! `channel_large_window_bytes`): a slow page slows its sender and nobody else, and nothing grows.
//!
//! Up: a push is answered when the command has taken it, so the page's `await` is the back-pressure; at most
//! `channel_pushes_max` wait at a time in a stream, and `channel_push_bytes_max` bytes in all streams of a page.

use crate::pages::Visitor;
use crate::payload::Payload;
use crate::responder::Responder;
use staysail_link::Link;
use staysail_protocol::limits::{
    CHANNEL_BATCH_BYTES_MAX, CHANNEL_LARGE_WINDOW_BYTES, CHANNEL_PUSH_BYTES_MAX, CHANNEL_PUSHES_MAX,
    CHANNEL_WINDOW_BYTES, CHANNELS_MAX,
};
use staysail_protocol::worker::ToWorker;
use staysail_protocol::{CallError, ErrorCode};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

/// Names a stream from the page's side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    window: String,
    generation: u64,
    stream: u64,
}

struct Message {
    bytes: Vec<u8>,
    raw: bool,
}

/// The worker's end.
#[derive(Clone)]
struct End {
    worker: u64,
    link: Link,
    call: u64,
}

impl End {
    fn tell(&self, message: &ToWorker, body: Payload) {
        match body.frame(self.call, message) {
            Ok(frame) => self.link.send_parcel(0, frame),
            Err(error) => tracing::error!(%error, "a message of a stream was not sent"),
        }
    }
}

#[derive(Default)]
struct Stream {
    end: Option<End>,
    /// The call's frame is on its way: what follows in the stream comes after it.
    call_is_sent: bool,
    down: VecDeque<Message>,
    down_bytes: usize,
    /// Bytes the page was given and has not dealt with yet.
    delivered: usize,
    pull: Option<Responder>,
    /// How it ended: null, or an error. What waits is delivered before.
    closed: Option<Option<CallError>>,
    /// Pushes that wait for the worker's end to be known.
    early: Vec<(Payload, ToWorker)>,
    /// Pushes the command has not taken yet, in order, with their bytes.
    pushes: VecDeque<(Responder, usize)>,
}

#[derive(Default)]
struct Inner {
    streams: HashMap<Key, Stream>,
    by_call: HashMap<(u64, u64), Key>,
}

/// All streams. See the module.
#[derive(Default)]
pub struct Streams {
    inner: Mutex<Inner>,
}

/// Answers to give once the lock is released.
type Answers = Vec<(Responder, Result<(Vec<u8>, bool), CallError>)>;

fn give(answers: Answers) {
    for (responder, outcome) in answers {
        responder.finish(outcome);
    }
}

impl Streams {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A page hands streams over with a call.
    ///
    /// # Errors
    /// `QueueFull` when the page has too many open; none of these is opened then.
    pub fn open(&self, visitor: &Visitor, streams: &[u64]) -> Result<(), CallError> {
        if streams.is_empty() {
            return Ok(());
        }
        let mut inner = self.inner();
        let open = inner.streams.keys().filter(|key| key.is_of(visitor)).count();
        if open + streams.len() > CHANNELS_MAX {
            return Err(CallError::new(
                ErrorCode::QueueFull,
                format!(
                    "a page has at most {CHANNELS_MAX} streams open at once (channels_max); close those it no \
                     longer needs"
                ),
            ));
        }
        for stream in streams {
            inner.streams.entry(key(visitor, *stream)).or_default();
        }
        Ok(())
    }

    /// The call they were handed over with failed: those that never reached a worker are over.
    pub fn refuse(&self, visitor: &Visitor, streams: &[u64], error: &CallError) {
        let mut answers = Answers::new();
        let mut inner = self.inner();
        for stream in streams {
            let key = key(visitor, *stream);
            let Some(open) = inner.streams.get_mut(&key).filter(|open| open.end.is_none()) else { continue };
            open.closed = Some(Some(error.clone()));
            answers.extend(open.deliver());
            inner.streams.remove(&key);
        }
        drop(inner);
        give(answers);
    }

    /// The call goes to this worker. Said again when it goes to another one, because that one never got it.
    pub fn bind(&self, visitor: &Visitor, streams: &[u64], call: u64, worker: u64, link: &Link) {
        let mut answers = Answers::new();
        let mut inner = self.inner();
        for stream in streams {
            let key = key(visitor, *stream);
            let Some(open) = inner.streams.get_mut(&key) else { continue };
            let before = open.end.replace(End { worker, link: link.clone(), call });
            open.call_is_sent = false;
            if before.is_some() {
                // Whether the worker before got them is not known, and they are not sent twice.
                let lost =
                    CallError::new(ErrorCode::WorkerLost, "the backend ended before it took this message");
                answers.extend(open.pushes.drain(..).map(|(push, _)| (push, Err(lost.clone()))));
            }
            inner.by_call.insert((call, *stream), key);
        }
        drop(inner);
        give(answers);
    }

    /// The frame of the call is written: what the page pushed before may follow.
    pub fn bound(&self, visitor: &Visitor, streams: &[u64]) {
        let mut inner = self.inner();
        for stream in streams {
            let Some(open) = inner.streams.get_mut(&key(visitor, *stream)) else { continue };
            let Some(end) = open.end.clone() else { continue };
            open.call_is_sent = true;
            for (body, message) in std::mem::take(&mut open.early) {
                end.tell(&message, body);
            }
        }
    }

    /// A message from the worker. One for a stream that is gone is dropped.
    pub fn message(&self, worker: u64, call: u64, stream: u64, bytes: Vec<u8>, raw: bool) {
        let mut inner = self.inner();
        // What comes after the end, or after the stream was lost, is nobody's.
        let Some(open) = inner.of_call(worker, call, stream).filter(|open| open.closed.is_none()) else {
            return;
        };
        open.down_bytes += bytes.len();
        if open.down_bytes > (CHANNEL_WINDOW_BYTES + bytes.len()).max(CHANNEL_LARGE_WINDOW_BYTES) {
            // The worker's side keeps to the window; one that does not, loses the stream.
            open.down.clear();
            open.down_bytes = 0;
            open.closed = Some(Some(CallError::new(
                ErrorCode::TooLarge,
                format!(
                    "the backend sent more than {CHANNEL_WINDOW_BYTES} bytes ahead (channel_window_bytes)"
                ),
            )));
        } else {
            open.down.push_back(Message { bytes, raw });
        }
        let answers = open.deliver();
        drop(inner);
        give(answers);
    }

    /// The worker has ended a stream.
    pub fn ended(&self, worker: u64, call: u64, stream: u64, error: Option<CallError>) {
        let mut inner = self.inner();
        let Some(open) = inner.of_call(worker, call, stream) else { return };
        open.closed.get_or_insert(error);
        let answers = open.deliver();
        drop(inner);
        give(answers);
    }

    /// The command has taken the oldest push.
    pub fn taken(&self, worker: u64, call: u64, stream: u64) {
        let mut inner = self.inner();
        let push = inner.of_call(worker, call, stream).and_then(|open| open.pushes.pop_front());
        drop(inner);
        if let Some((push, _)) = push {
            push.success(b"null".to_vec(), false);
        }
    }

    /// The page has dealt with what it got, and waits for more.
    pub fn pull(&self, visitor: &Visitor, stream: u64, responder: Responder) {
        let key = key(visitor, stream);
        let mut inner = self.inner();
        let Some(open) = inner.streams.get_mut(&key) else {
            drop(inner);
            return responder.success(br#"{"closed":null}"#.to_vec(), false);
        };
        let dealt_with = std::mem::take(&mut open.delivered);
        if dealt_with > 0
            && let Some(end) = &open.end
        {
            let credit = ToWorker::Credit { stream, bytes: dealt_with as u64 };
            end.tell(&credit, Payload::default());
        }
        open.pull = Some(responder);
        let answers = open.deliver();
        if open.is_over() {
            inner.remove(&key);
        }
        drop(inner);
        give(answers);
    }

    /// A message from the page, or (`None`) its end of the stream.
    pub fn push(
        &self,
        visitor: &Visitor,
        stream: u64,
        body: Option<Payload>,
        raw: bool,
        responder: Responder,
    ) {
        let mut inner = self.inner();
        let bytes = body.as_ref().map_or(0, |body| body.len());
        let refused = match inner.streams.get(&key(visitor, stream)) {
            Some(open) if open.closed.is_none() => {
                inner.no_room(open, visitor, bytes).map(|why| CallError::new(ErrorCode::QueueFull, why))
            }
            Some(open) => open.closed.clone().flatten().or_else(|| Some(over())),
            None => Some(over()),
        };
        if let Some(error) = refused {
            drop(inner);
            return responder.failure(&error);
        }
        let message = match &body {
            Some(_) => ToWorker::Push { stream, raw },
            None => ToWorker::PushEnd { stream },
        };
        let is_message = body.is_some();
        let body = body.unwrap_or_default();
        if let Some(open) = inner.streams.get_mut(&key(visitor, stream)) {
            match &open.end {
                Some(end) if open.call_is_sent => {
                    end.tell(&message, body);
                }
                _ => open.early.push((body, message)),
            }
            if is_message {
                open.pushes.push_back((responder, bytes));
                return;
            }
        }
        drop(inner);
        responder.success(b"null".to_vec(), false);
    }

    /// The page does not want more of a stream.
    pub fn drop_stream(&self, visitor: &Visitor, stream: u64) {
        let mut inner = self.inner();
        let answers = inner.abandon(&key(visitor, stream));
        drop(inner);
        give(answers);
    }

    /// A page load is over: its streams are, too, and their workers are told.
    pub fn forget(&self, window: &str) {
        let mut inner = self.inner();
        let keys: Vec<Key> = inner.streams.keys().filter(|key| key.window == window).cloned().collect();
        for key in keys {
            // Nobody is there to read the answers.
            drop(inner.abandon(&key));
        }
    }

    /// A worker serves its streams no longer.
    pub fn end_worker(&self, worker: u64, error: &CallError) {
        let mut inner = self.inner();
        let mut answers = Answers::new();
        for open in inner.streams.values_mut() {
            if open.end.as_ref().is_some_and(|end| end.worker == worker) && open.closed.is_none() {
                open.closed = Some(Some(error.clone()));
                answers.extend(open.deliver());
            }
        }
        drop(inner);
        give(answers);
    }

    /// Streams that are open.
    pub fn count(&self) -> usize {
        self.inner().streams.len()
    }
}

fn key(visitor: &Visitor, stream: u64) -> Key {
    Key { window: visitor.window.clone(), generation: visitor.generation, stream }
}

fn over() -> CallError {
    CallError::new(ErrorCode::Cancelled, "this stream is closed")
}

impl Key {
    fn is_of(&self, visitor: &Visitor) -> bool {
        self.generation == visitor.generation && self.window == visitor.window
    }
}

impl Inner {
    /// Why a message of so many bytes can not wait in this stream of the page. A single one always can.
    fn no_room(&self, stream: &Stream, visitor: &Visitor, bytes: usize) -> Option<String> {
        // Ends that wait for the worker's end to be known are among the early ones only.
        if stream.pushes.len() >= CHANNEL_PUSHES_MAX || stream.early.len() > CHANNEL_PUSHES_MAX {
            return Some(format!(
                "{CHANNEL_PUSHES_MAX} messages wait already (channel_pushes_max); await `send`"
            ));
        }
        let of_page = self.streams.iter().filter(|(key, _)| key.is_of(visitor));
        let waiting: usize = of_page.flat_map(|(_, open)| &open.pushes).map(|(_, bytes)| bytes).sum();
        (waiting > 0 && waiting + bytes > CHANNEL_PUSH_BYTES_MAX).then(|| {
            format!(
                "more than {CHANNEL_PUSH_BYTES_MAX} bytes of messages would wait (channel_push_bytes_max); await \
                 `send`"
            )
        })
    }

    /// The stream of a call, if it is this worker's.
    fn of_call(&mut self, worker: u64, call: u64, stream: u64) -> Option<&mut Stream> {
        let key = self.by_call.get(&(call, stream))?;
        self.streams.get_mut(key).filter(|open| open.end.as_ref().is_some_and(|end| end.worker == worker))
    }

    fn remove(&mut self, key: &Key) -> Option<Stream> {
        let stream = self.streams.remove(key)?;
        if let Some(end) = &stream.end {
            self.by_call.remove(&(end.call, key.stream));
        }
        Some(stream)
    }

    fn abandon(&mut self, key: &Key) -> Answers {
        let Some(mut stream) = self.remove(key) else { return Answers::new() };
        if let Some(end) = stream.end.take().filter(|_| stream.closed.is_none()) {
            let gone = ToWorker::StreamGone { stream: key.stream };
            end.tell(&gone, Payload::default());
        }
        let pull = stream.pull.take().map(|pull| (pull, Ok((br#"{"closed":null}"#.to_vec(), false))));
        pull.into_iter().chain(stream.pushes.drain(..).map(|(push, _)| (push, Err(over())))).collect()
    }
}

impl Stream {
    fn is_over(&self) -> bool {
        self.closed.is_some() && self.down.is_empty() && self.pull.is_none() && self.delivered == 0
    }

    /// Answers the waiting pull, if there is something to answer with; and all pushes, once the stream has ended.
    fn deliver(&mut self) -> Answers {
        let mut answers = Answers::new();
        if let Some(closed) = &self.closed {
            let error = closed.clone().unwrap_or_else(over);
            answers.extend(self.pushes.drain(..).map(|(push, _)| (push, Err(error.clone()))));
        }
        if self.pull.is_none() {
            return answers;
        }
        let batch = self.batch();
        if let Some(outcome) = batch
            && let Some(pull) = self.pull.take()
        {
            answers.push((pull, Ok(outcome)));
        }
        answers
    }

    /// What a pull is answered with now.
    fn batch(&mut self) -> Option<(Vec<u8>, bool)> {
        if self.down.front().is_some_and(|message| message.raw) {
            let message = self.down.pop_front()?;
            self.down_bytes -= message.bytes.len();
            self.delivered += message.bytes.len();
            return Some((message.bytes, true));
        }
        let mut text = Vec::new();
        while let Some(message) = self.down.front().filter(|message| !message.raw) {
            if !text.is_empty() && text.len() + message.bytes.len() > CHANNEL_BATCH_BYTES_MAX {
                break;
            }
            text.push(if text.is_empty() { b'[' } else { b',' });
            text.extend_from_slice(&message.bytes);
            self.down_bytes -= message.bytes.len();
            self.delivered += message.bytes.len();
            self.down.pop_front();
        }
        if !text.is_empty() {
            text.push(b']');
            return Some((text, false));
        }
        let closed = self.closed.as_ref()?;
        Some((serde_json::json!({ "closed": closed }).to_string().into_bytes(), false))
    }
}

#[cfg(all(test, unix))]
mod tests;
