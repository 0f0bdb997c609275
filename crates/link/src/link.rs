//! The sending side of a connection.
//!
//! # Theory of operation
//! A frame is written by the thread that has it, straight into the socket: a call from the page costs no thread hop on
//! its way out, and neither does its answer. What the socket does not take at once goes into a backlog that one task
//! empties when the socket has room, many frames at a time: a socket holds a few hundred small writes and then is full,
//! however small they are. A frame in the backlog of which no byte was written has certainly not been
//! delivered; [`Link::undelivered`] names the calls among them, so that they may be sent to another worker
//! (law 2), while everything else may have started.

use crate::{Incoming, Parcel, Socket};
use staysail_protocol::frame::{Frame, FrameError};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// The sending side of a connection. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    socket: Arc<Socket>,
    outbox: Mutex<Outbox>,
    room: Notify,
}

#[derive(Default)]
struct Outbox {
    /// Frames not yet wholly written: call number and bytes.
    backlog: VecDeque<(u64, Parcel)>,
    /// Bytes of the first frame of the backlog that were written.
    written: usize,
    closed: bool,
}

/// Frames of the backlog that are written in one go.
const FRAMES_AT_ONCE_MAX: usize = 64;

impl Outbox {
    /// Keeps a frame for later. Small ones that are no calls are put together: a flood of them is a few pieces of memory.
    fn keep(&mut self, call: u64, parcel: Parcel) {
        let parcel = match self.backlog.back_mut() {
            Some((0, last)) if call == 0 => match last.join(parcel) {
                None => return,
                Some(parcel) => parcel,
            },
            _ => parcel,
        };
        self.backlog.push_back((call, parcel));
    }

    /// So many more bytes of the backlog were written.
    fn wrote(&mut self, count: usize) {
        self.written += count;
        while let Some(first) = self.backlog.front().map(|(_, parcel)| parcel.len()) {
            if self.written < first {
                break;
            }
            self.written -= first;
            self.backlog.pop_front();
        }
    }
}

impl Link {
    /// Takes over a connected socket: what goes into it, and the frames that come out of it. Must be called on a
    /// runtime.
    pub fn start(socket: Socket) -> (Self, Incoming) {
        let socket = Arc::new(socket);
        let link = Self::writing(socket.clone());
        (link.clone(), Incoming::new(socket, link))
    }

    /// Takes over the writing side of a connected socket; its owner reads, and says when it has ended. Must be called
    /// on a runtime.
    pub fn writing(socket: Arc<Socket>) -> Self {
        let link =
            Self { shared: Arc::new(Shared { socket, outbox: Mutex::default(), room: Notify::new() }) };
        tokio::spawn(write(link.clone()));
        link
    }

    /// Sends a frame, or keeps it until there is room. A closed connection takes nothing; its end is told by
    /// the receiving side.
    ///
    /// # Errors
    /// When the frame exceeds a limit of the protocol; nothing was sent then.
    pub fn send(&self, frame: &Frame) -> Result<(), FrameError> {
        let mut bytes = Vec::new();
        frame.encode_into(&mut bytes)?;
        self.send_parcel(0, bytes.into());
        Ok(())
    }

    /// Sends a frame as [`send`](Link::send) does, without copying its body.
    ///
    /// # Errors
    /// As [`send`](Link::send).
    pub fn pass(&self, frame: Frame) -> Result<(), FrameError> {
        self.send_parcel(0, Parcel::of(frame)?);
        Ok(())
    }

    /// Sends a frame that is encoded already. With the number of a call it is one of those that
    /// [`undelivered`](Link::undelivered) names: only what makes the call goes under its number, not what follows it.
    pub fn send_parcel(&self, call: u64, parcel: Parcel) {
        let mut outbox = self.outbox();
        if outbox.backlog.is_empty() && !outbox.closed {
            match self.shared.socket.try_write(&parcel.rest(0)) {
                Ok(count) if count == parcel.len() => return,
                Ok(count) => outbox.written = count,
                Err(_) => outbox.written = 0,
            }
        }
        outbox.keep(call, parcel);
        drop(outbox);
        self.shared.room.notify_one();
    }

    /// Calls, with their frames, of which no byte was written. Closes the connection for good.
    pub fn undelivered(&self) -> Vec<(u64, Parcel)> {
        let mut outbox = self.outbox();
        outbox.closed = true;
        let begun = usize::from(outbox.written > 0);
        std::mem::take(&mut outbox.backlog).into_iter().skip(begun).filter(|(call, _)| *call != 0).collect()
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.shared.outbox.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The connection has ended.
    pub fn close(&self) {
        self.outbox().closed = true;
        self.shared.room.notify_one();
    }

    /// Writes what the socket takes now. `Ok(true)` when the backlog is empty.
    fn flush(&self) -> io::Result<bool> {
        let mut outbox = self.outbox();
        loop {
            if outbox.backlog.is_empty() {
                // A flood leaves nothing behind.
                outbox.backlog = VecDeque::new();
                return Ok(true);
            }
            let mut pieces = Vec::with_capacity(2 * FRAMES_AT_ONCE_MAX);
            for (index, (_, parcel)) in outbox.backlog.iter().take(FRAMES_AT_ONCE_MAX).enumerate() {
                let written = if index == 0 { outbox.written } else { 0 };
                pieces.extend(parcel.rest(written).into_iter().filter(|piece| !piece.is_empty()));
            }
            match self.shared.socket.try_write(&pieces) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => outbox.wrote(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

async fn write(link: Link) {
    loop {
        link.shared.room.notified().await;
        loop {
            if link.outbox().closed {
                return;
            }
            match link.flush() {
                Ok(true) => break,
                Ok(false) if link.shared.socket.writable().await.is_ok() => {}
                _ => return,
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn frame(call: u64, size: usize) -> Frame {
        Frame { call, head: b"{}".to_vec(), body: vec![1; size] }
    }

    fn pair() -> (Socket, Socket) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Socket::new(ours).unwrap(), Socket::new(theirs).unwrap())
    }

    #[tokio::test]
    async fn frames_arrive_whole_and_in_order_through_a_full_socket() {
        let (ours, theirs) = pair();
        let (sender, _keep) = Link::start(ours);
        for call in 1..=50 {
            sender.send(&frame(call, 100_000)).unwrap();
        }
        let (_other, mut received) = Link::start(theirs);
        for call in 1..=50 {
            let got = received.next().await.unwrap().unwrap();
            assert_eq!((got.call, got.body.len()), (call, 100_000));
        }
    }

    #[tokio::test]
    async fn bodies_that_are_not_copied_arrive_as_they_are_among_others() {
        let (ours, theirs) = pair();
        let (sender, _keep) = Link::start(ours);
        let large: Vec<u8> = (0..3_000_000_u32).map(|at| at as u8).collect();
        for call in 1..=5 {
            sender.pass(Frame { call, head: b"{}".to_vec(), body: large.clone() }).unwrap();
            sender.send(&frame(call, 10)).unwrap();
        }
        let (_other, mut received) = Link::start(theirs);
        for call in 1..=5 {
            let got = received.next().await.unwrap().unwrap();
            assert!(got.call == call && got.body == large);
            assert_eq!(received.next().await.unwrap().unwrap(), frame(call, 10));
        }
    }

    #[tokio::test]
    async fn a_flood_of_small_frames_through_a_full_socket_arrives_whole_and_in_order() {
        let (ours, theirs) = pair();
        let (sender, _keep) = Link::start(ours);
        for call in 1..=20_000 {
            sender.send(&frame(call, (call % 90) as usize)).unwrap();
        }
        let (_other, mut received) = Link::start(theirs);
        for call in 1..=20_000 {
            assert_eq!(received.next().await.unwrap().unwrap(), frame(call, (call % 90) as usize));
        }
    }

    #[tokio::test]
    async fn a_connection_nobody_reads_any_more_is_closed() {
        let (ours, theirs) = pair();
        let (link, incoming) = Link::start(ours);
        let (_other, mut received) = Link::start(theirs);
        drop((link, incoming));
        assert!(received.next().await.is_none());
    }

    #[tokio::test]
    async fn only_calls_of_which_nothing_was_written_count_as_undelivered() {
        let (ours, theirs) = pair();
        let (sender, mut ended) = Link::start(ours);
        for call in 1..=3 {
            sender.send_parcel(call, Parcel::of(frame(call, 4 << 20)).unwrap());
        }
        // What follows a call under its number (a wish to cancel it, say) is never taken for the call itself.
        for call in [1, 3, 9] {
            sender.send(&frame(call, 10)).unwrap();
        }
        drop(theirs);
        assert!(ended.next().await.is_none());
        let calls: Vec<u64> = sender.undelivered().into_iter().map(|(call, _)| call).collect();
        assert_eq!(calls, [2, 3], "the first was begun, so it may have arrived");
    }
}
