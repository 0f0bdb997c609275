//! Streams between a command and the page that calls it.
//!
//! # Theory of operation
//! The page makes a stream and hands it over as an argument, `{"$channel": number}`; parsing the argument binds it to
//! the call under way. Down, at most `channel_window_bytes` are on their way, of messages larger than that
//! `channel_large_window_bytes`: what the page has dealt with comes back as credit. Up, each message is acknowledged when the command takes it. Whatever a stream's last handle is dropped
//! by, the page is told that the stream has ended.

use crate::command::Bytes;
use crate::handle::AppHandle;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use staysail_protocol::limits::{CHANNEL_LARGE_WINDOW_BYTES, CHANNEL_WINDOW_BYTES};
use staysail_protocol::worker::ToShell;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::marker::PhantomData;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use tokio::sync::Notify;
use ts_rs::{Config, Dummy, TS, TypeVisitor};

/// The page has closed the stream, left, or was loaded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page has closed this stream")]
pub struct Closed;

/// What can be sent: everything that serialises goes as JSON, [`Bytes`] as they are.
pub trait Message {
    /// The bytes, and whether they are raw.
    ///
    /// # Errors
    /// When the value can not be written as JSON.
    fn encode(&self) -> serde_json::Result<(Vec<u8>, bool)>;
}

impl<T: Serialize> Message for T {
    fn encode(&self) -> serde_json::Result<(Vec<u8>, bool)> {
        Ok((serde_json::to_vec(self)?, false))
    }
}

impl Message for Bytes {
    fn encode(&self) -> serde_json::Result<(Vec<u8>, bool)> {
        Ok((self.0.clone(), true))
    }
}

/// What can be received: everything that deserialises comes as JSON, [`Bytes`] as they are.
pub trait FromMessage: Sized {
    /// Reads a message.
    ///
    /// # Errors
    /// When it is of another shape.
    fn decode(bytes: Vec<u8>, raw: bool) -> serde_json::Result<Self>;
}

impl<T: DeserializeOwned> FromMessage for T {
    fn decode(bytes: Vec<u8>, raw: bool) -> serde_json::Result<Self> {
        if raw {
            return Err(serde_json::Error::custom("raw bytes where JSON was expected"));
        }
        serde_json::from_slice(&bytes)
    }
}

impl FromMessage for Bytes {
    fn decode(bytes: Vec<u8>, _raw: bool) -> serde_json::Result<Self> {
        Ok(Self(bytes))
    }
}

/// A stream from a command to the page that calls it; an argument of the command, and a `Channel` in the page. It may
/// outlive the call. When the last clone is dropped the page's stream ends.
///
/// A page that deals slowly with what it gets makes [`send`](Channel::send) wait: nothing piles up.
///
/// ```
/// use staysail::{Channel, command};
///
/// /// Counts, as fast as the page can follow.
/// #[command]
/// async fn count_up(to: u32, numbers: Channel<u32>) {
///     for number in 0..to {
///         if numbers.send(&number).await.is_err() {
///             return; // the page has gone elsewhere
///         }
///     }
/// }
/// ```
pub struct Channel<T: ?Sized> {
    down: Arc<Down>,
    message: PhantomData<fn(&T)>,
}

impl<T: ?Sized> Clone for Channel<T> {
    fn clone(&self) -> Self {
        Self { down: self.down.clone(), message: PhantomData }
    }
}

struct Down {
    app: AppHandle,
    call: u64,
    stream: u64,
    flow: Mutex<Flow>,
    credit: Notify,
    credit_for_threads: Condvar,
}

#[derive(Default)]
struct Flow {
    under_way: usize,
    gone: bool,
}

impl Flow {
    /// One message always fits, so that one larger than any window can go at all. Large ones are not sent one at a time:
    /// while the page deals with one, the next is on its way.
    fn has_room(&self, bytes: usize) -> bool {
        let window =
            if bytes > CHANNEL_WINDOW_BYTES { CHANNEL_LARGE_WINDOW_BYTES } else { CHANNEL_WINDOW_BYTES };
        self.under_way == 0 || self.under_way + bytes <= window
    }
}

impl Down {
    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Sends when there is room; says otherwise that there is none.
    fn pass(&self, bytes: &mut Option<Vec<u8>>, raw: bool) -> Result<bool, Closed> {
        let mut flow = self.flow();
        if flow.gone {
            return Err(Closed);
        }
        let length = bytes.as_ref().map_or(0, Vec::len);
        if !flow.has_room(length) {
            return Ok(false);
        }
        flow.under_way += length;
        // Under the lock, so that messages of several threads keep the order in which they found room.
        let message = ToShell::Stream { stream: self.stream, raw };
        self.app.inner.outbox.send(self.call, &message, bytes.take().unwrap_or_default());
        Ok(true)
    }
}

impl Drop for Down {
    fn drop(&mut self) {
        self.app.inner.streams.forget(self.call, self.stream);
        let gone = self.flow.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).gone;
        if !gone {
            self.app.inner.outbox.send(self.call, &ToShell::StreamEnd { stream: self.stream }, Vec::new());
        }
    }
}

impl<T: Message + ?Sized> Channel<T> {
    /// Sends a message, as soon as the page has dealt with enough of those before.
    ///
    /// # Errors
    /// When the page has closed the stream or is gone, now or while this waited. A message that can not be written as
    /// JSON is reported in the log and passed over.
    pub async fn send(&self, message: &T) -> Result<(), Closed> {
        let Some((mut bytes, raw)) = self.encode(message) else { return Ok(()) };
        loop {
            let credit = self.down.credit.notified();
            tokio::pin!(credit);
            credit.as_mut().enable();
            if self.down.pass(&mut bytes, raw)? {
                return Ok(());
            }
            credit.await;
        }
    }

    /// As [`send`](Channel::send), for commands that are not async: waits on this thread.
    ///
    /// # Errors
    /// As [`send`](Channel::send).
    pub fn send_blocking(&self, message: &T) -> Result<(), Closed> {
        let Some((mut bytes, raw)) = self.encode(message) else { return Ok(()) };
        while !self.down.pass(&mut bytes, raw)? {
            let flow = self.down.flow();
            let length = bytes.as_ref().map_or(0, Vec::len);
            let full = |flow: &mut Flow| !flow.gone && !flow.has_room(length);
            drop(
                self.down
                    .credit_for_threads
                    .wait_while(flow, full)
                    .unwrap_or_else(std::sync::PoisonError::into_inner),
            );
        }
        Ok(())
    }

    /// Whether nobody listens any more.
    pub fn is_closed(&self) -> bool {
        self.down.flow().gone
    }

    fn encode(&self, message: &T) -> Option<(Option<Vec<u8>>, bool)> {
        match message.encode() {
            Ok((bytes, raw)) => Some((Some(bytes), raw)),
            Err(error) => {
                self.down.app.log("error", format!("a message of a channel can not be written: {error}"));
                None
            }
        }
    }
}

/// A stream from the page to the command it calls; an argument of the command, and a `Sender` in the page. The page's
/// `send` waits until the message is taken here.
///
/// ```
/// use staysail::{Receiver, command};
///
/// /// Adds up what the page sends.
/// #[command]
/// async fn sum(mut numbers: Receiver<u32>) -> u32 {
///     let mut sum = 0;
///     while let Some(number) = numbers.next().await {
///         sum += number;
///     }
///     sum
/// }
/// ```
pub struct Receiver<T> {
    up: Arc<Up>,
    message: PhantomData<fn() -> T>,
}

struct Up {
    app: AppHandle,
    call: u64,
    stream: u64,
    queue: Mutex<Queue>,
    arrived: Notify,
    arrived_for_threads: Condvar,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<(Vec<u8>, bool)>,
    ended: bool,
}

impl Up {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn put(&self, change: impl FnOnce(&mut Queue)) {
        change(&mut self.queue());
        self.arrived.notify_waiters();
        self.arrived_for_threads.notify_all();
    }

    /// The next message, `None` in it at the end; `None` when one has to wait.
    fn take(&self) -> Option<Option<(Vec<u8>, bool)>> {
        let mut queue = self.queue();
        let message = queue.messages.pop_front();
        if message.is_some() {
            self.app.inner.outbox.send(self.call, &ToShell::Taken { stream: self.stream }, Vec::new());
            return Some(message);
        }
        queue.ended.then_some(None)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.app.inner.streams.forget(self.call, self.stream);
        self.app.inner.outbox.send(self.call, &ToShell::StreamEnd { stream: self.stream }, Vec::new());
    }
}

impl<T: FromMessage> Receiver<T> {
    /// The next message; `None` when the page has ended the stream or is gone. A message of another shape is reported
    /// in the log and passed over.
    pub async fn next(&mut self) -> Option<T> {
        loop {
            let arrived = self.up.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            match self.up.take() {
                Some(Some(message)) => {
                    if let Some(value) = self.decode(message) {
                        return Some(value);
                    }
                }
                Some(None) => return None,
                None => arrived.await,
            }
        }
    }

    /// As [`next`](Receiver::next), for commands that are not async: waits on this thread.
    pub fn next_blocking(&mut self) -> Option<T> {
        loop {
            match self.up.take() {
                Some(Some(message)) => {
                    if let Some(value) = self.decode(message) {
                        return Some(value);
                    }
                }
                Some(None) => return None,
                None => {
                    let nothing = |queue: &mut Queue| queue.messages.is_empty() && !queue.ended;
                    drop(
                        self.up
                            .arrived_for_threads
                            .wait_while(self.up.queue(), nothing)
                            .unwrap_or_else(std::sync::PoisonError::into_inner),
                    );
                }
            }
        }
    }

    fn decode(&self, (bytes, raw): (Vec<u8>, bool)) -> Option<T> {
        T::decode(bytes, raw)
            .inspect_err(|error| {
                self.up.app.log("warn", format!("a message of a stream does not fit: {error}"))
            })
            .ok()
    }
}

/// All streams of this worker.
#[derive(Default)]
pub(crate) struct Streams {
    open: Mutex<HashMap<(u64, u64), Weak<dyn Stream>>>,
}

/// What the shell says of a stream.
pub(crate) enum News {
    /// The page has dealt with so many bytes.
    Credit(u64),
    /// The page sends something.
    Push(Vec<u8>, bool),
    /// The page sends no more.
    PushEnd,
    /// The page is gone.
    Gone,
}

trait Stream: Send + Sync {
    fn heed(&self, news: News);
}

impl Stream for Down {
    fn heed(&self, news: News) {
        let mut flow = self.flow();
        match news {
            News::Credit(bytes) => flow.under_way = flow.under_way.saturating_sub(bytes as usize),
            News::Gone => flow.gone = true,
            News::Push(..) | News::PushEnd => {}
        }
        drop(flow);
        self.credit.notify_waiters();
        self.credit_for_threads.notify_all();
    }
}

impl Stream for Up {
    fn heed(&self, news: News) {
        match news {
            News::Push(bytes, raw) => self.put(|queue| queue.messages.push_back((bytes, raw))),
            News::PushEnd | News::Gone => self.put(|queue| queue.ended = true),
            News::Credit(_) => {}
        }
    }
}

impl Streams {
    fn open(&self) -> MutexGuard<'_, HashMap<(u64, u64), Weak<dyn Stream>>> {
        self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Brings what the shell says to the stream it is about.
    pub fn heed(&self, call: u64, stream: u64, news: News) {
        let found = self.open().get(&(call, stream)).and_then(Weak::upgrade);
        if let Some(found) = found {
            found.heed(news);
        }
    }

    fn forget(&self, call: u64, stream: u64) {
        self.open().remove(&(call, stream));
    }
}

thread_local! {
    /// The call whose arguments are being read on this thread.
    static CALL: RefCell<Option<(AppHandle, u64)>> = const { RefCell::new(None) };
}

/// Reads arguments of a call: streams among them are bound to it.
pub(crate) fn within<R>(app: &AppHandle, call: u64, read: impl FnOnce() -> R) -> R {
    let outer = CALL.replace(Some((app.clone(), call)));
    let result = read();
    CALL.set(outer);
    result
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "$channel")]
    stream: u64,
}

fn bind<'de, D: Deserializer<'de>, S: Stream + 'static>(
    deserializer: D,
    make: impl FnOnce(AppHandle, u64, u64) -> S,
) -> Result<Arc<S>, D::Error> {
    let reference = Reference::deserialize(deserializer)?;
    let call = CALL.with_borrow(Clone::clone);
    let (app, call) =
        call.ok_or_else(|| D::Error::custom("a stream can only be an argument of a command"))?;
    let streams = app.clone();
    let made = Arc::new(make(app, call, reference.stream));
    let known: Weak<S> = Arc::downgrade(&made);
    if streams.inner.streams.open().insert((call, reference.stream), known).is_some() {
        return Err(D::Error::custom("the same stream was handed over twice in one call"));
    }
    Ok(made)
}

impl<'de, T: ?Sized> Deserialize<'de> for Channel<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let down = bind(deserializer, |app, call, stream| Down {
            app,
            call,
            stream,
            flow: Mutex::default(),
            credit: Notify::new(),
            credit_for_threads: Condvar::new(),
        })?;
        Ok(Self { down, message: PhantomData })
    }
}

impl<'de, T> Deserialize<'de> for Receiver<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let up = bind(deserializer, |app, call, stream| Up {
            app,
            call,
            stream,
            queue: Mutex::default(),
            arrived: Notify::new(),
            arrived_for_threads: Condvar::new(),
        })?;
        Ok(Self { up, message: PhantomData })
    }
}

/// Bytes have no declaration of their own; a stream of them is one of `ArrayBuffer`.
impl TS for Bytes {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;
    fn name(_: &Config) -> String {
        "ArrayBuffer".into()
    }
    fn inline(_: &Config) -> String {
        "ArrayBuffer".into()
    }
}

macro_rules! stream_type {
    ($rust:ident, $page:literal) => {
        impl<T: TS> TS for $rust<T> {
            type WithoutGenerics = $rust<Dummy>;
            type OptionInnerType = Self;
            fn ident(_: &Config) -> String {
                $page.into()
            }
            fn name(config: &Config) -> String {
                format!(concat!($page, "<{}>"), T::name(config))
            }
            fn inline(config: &Config) -> String {
                Self::name(config)
            }
            fn visit_dependencies(visitor: &mut impl TypeVisitor)
            where
                Self: 'static,
            {
                T::visit_dependencies(visitor);
            }
            fn visit_generics(visitor: &mut impl TypeVisitor)
            where
                Self: 'static,
            {
                T::visit_generics(visitor);
                visitor.visit::<T>();
            }
        }
    };
}

// As the generated file imports them, under names that no type of an app has.
stream_type!(Channel, "PageChannel");
stream_type!(Receiver, "PageSender");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_small_messages_or_a_few_large_ones_or_one_of_any_size_is_under_way() {
        let room = |under_way: usize, bytes: usize| Flow { under_way, gone: false }.has_room(bytes);
        assert!(room(0, 10 * CHANNEL_LARGE_WINDOW_BYTES));
        assert!(room(CHANNEL_WINDOW_BYTES - 10, 10));
        assert!(!room(CHANNEL_WINDOW_BYTES - 10, 11));
        assert!(room(16 << 20, 16 << 20));
        assert!(!room(16 << 20, 10));
        assert!(!room(32 << 20, 16 << 20));
    }
}
