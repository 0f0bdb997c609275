//! One framed connection to another local process: the worker, or the development tool.
//!
//! # Theory of operation
//! A frame is written by the thread that has it, straight into the socket: a call from the page costs no
//! thread hop on its way out. What the socket does not take at once goes into a backlog that one task empties
//! when the socket has room. A frame in the backlog of which no byte was written has certainly not been
//! delivered; [`Link::undelivered`] names the calls among them, so that they may be sent to another worker
//! (law 2), while everything else may have started.

use staysail_protocol::frame::{Decoder, Frame};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Notify, mpsc};

#[cfg(unix)]
type Socket = tokio::net::UnixStream;
#[cfg(windows)]
type Socket = tokio::net::windows::named_pipe::NamedPipeServer;

/// The sending side of a connection. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    socket: Socket,
    outbox: Mutex<Outbox>,
    room: Notify,
}

#[derive(Default)]
struct Outbox {
    /// Frames not yet wholly written: call number and bytes.
    backlog: VecDeque<(u64, Vec<u8>)>,
    /// Bytes of the first frame of the backlog that were written.
    written: usize,
    closed: bool,
}

impl Link {
    /// Takes over a connected socket. Received frames come out of the returned channel, which closes with the
    /// connection. Must be called on the runtime.
    pub fn start(socket: Socket) -> (Self, mpsc::UnboundedReceiver<Frame>) {
        let link =
            Self { shared: Arc::new(Shared { socket, outbox: Mutex::default(), room: Notify::new() }) };
        let (frames_in, frames_out) = mpsc::unbounded_channel();
        tokio::spawn(read(link.clone(), frames_in));
        tokio::spawn(write(link.clone()));
        (link, frames_out)
    }

    /// Sends a frame, or keeps it until there is room. A closed connection takes nothing; its end is told by
    /// the receiving side.
    ///
    /// # Errors
    /// When the frame exceeds a limit of the protocol; nothing was sent then.
    pub fn send(&self, frame: &Frame) -> Result<(), staysail_protocol::frame::FrameError> {
        let mut bytes = Vec::new();
        frame.encode_into(&mut bytes)?;
        self.send_bytes(frame.call, bytes);
        Ok(())
    }

    /// Sends a frame that is encoded already.
    pub fn send_bytes(&self, call: u64, bytes: Vec<u8>) {
        let mut outbox = self.outbox();
        if outbox.backlog.is_empty() && !outbox.closed {
            match self.shared.socket.try_write(&bytes) {
                Ok(count) if count == bytes.len() => return,
                Ok(count) => outbox.written = count,
                Err(_) => outbox.written = 0,
            }
        }
        outbox.backlog.push_back((call, bytes));
        drop(outbox);
        self.shared.room.notify_one();
    }

    /// Calls, with their frames, of which no byte was written. Closes the connection for good.
    pub fn undelivered(&self) -> Vec<(u64, Vec<u8>)> {
        let mut outbox = self.outbox();
        outbox.closed = true;
        let begun = usize::from(outbox.written > 0);
        std::mem::take(&mut outbox.backlog).into_iter().skip(begun).filter(|(call, _)| *call != 0).collect()
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.shared.outbox.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn close(&self) {
        self.outbox().closed = true;
        self.shared.room.notify_one();
    }

    /// Writes what the socket takes now. `Ok(true)` when the backlog is empty.
    fn flush(&self) -> io::Result<bool> {
        let mut outbox = self.outbox();
        loop {
            let Some((_, bytes)) = outbox.backlog.front() else { return Ok(true) };
            match self.shared.socket.try_write(&bytes[outbox.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    outbox.written += count;
                    if outbox.written == outbox.backlog.front().map_or(0, |(_, bytes)| bytes.len()) {
                        outbox.backlog.pop_front();
                        outbox.written = 0;
                    }
                }
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
                Ok(false) if writable(&link.shared.socket).await => {}
                _ => return,
            }
        }
    }
}

async fn writable(socket: &Socket) -> bool {
    socket.writable().await.is_ok()
}

async fn read(link: Link, frames: mpsc::UnboundedSender<Frame>) {
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; 256 << 10];
    'connection: while link.shared.socket.readable().await.is_ok() {
        match link.shared.socket.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => decoder.extend(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => break,
        }
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => {
                    if frames.send(frame).is_err() {
                        break 'connection;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "the other process sent bytes that are no frame; closing the connection");
                    break 'connection;
                }
            }
        }
    }
    link.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(call: u64, size: usize) -> Frame {
        Frame { call, head: b"{}".to_vec(), body: vec![1; size] }
    }

    #[tokio::test]
    async fn frames_arrive_whole_and_in_order_through_a_full_socket() {
        let (ours, theirs) = Socket::pair().unwrap();
        let (sender, _keep) = Link::start(ours);
        for call in 1..=50 {
            sender.send(&frame(call, 100_000)).unwrap();
        }
        let (_other, mut received) = Link::start(theirs);
        for call in 1..=50 {
            let got = received.recv().await.unwrap();
            assert_eq!((got.call, got.body.len()), (call, 100_000));
        }
    }

    #[tokio::test]
    async fn only_frames_of_which_nothing_was_written_count_as_undelivered() {
        let (ours, theirs) = Socket::pair().unwrap();
        let (sender, mut ended) = Link::start(ours);
        for call in 1..=3 {
            sender.send(&frame(call, 4 << 20)).unwrap();
        }
        drop(theirs);
        assert!(ended.recv().await.is_none());
        let calls: Vec<u64> = sender.undelivered().into_iter().map(|(call, _)| call).collect();
        assert_eq!(calls, [2, 3], "the first was begun, so it may have arrived");
    }
}
