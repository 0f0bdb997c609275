//! The socket to the shell.

use crate::{Error, Result};
use serde::Serialize;
use staysail_protocol::frame::{Decoder, Frame};
use staysail_protocol::worker::{SOCKET_VARIABLE, TOKEN_VARIABLE};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

#[cfg(unix)]
type Socket = tokio::net::UnixStream;
#[cfg(windows)]
type Socket = tokio::net::windows::named_pipe::NamedPipeClient;

/// Frames on their way to the shell, in order. Cheap to clone.
///
/// Whoever has a frame writes it, straight into the socket: an answer costs no hop between threads. What the socket does
/// not take at once waits in the backlog, which one task empties when there is room.
#[derive(Clone)]
pub(crate) struct Outbox {
    shared: Arc<Shared>,
}

struct Shared {
    socket: Socket,
    backlog: Mutex<Backlog>,
    room: Notify,
}

/// Bytes of whole frames that the socket has not taken yet.
#[derive(Default)]
struct Backlog {
    bytes: Vec<u8>,
    written: usize,
}

impl Outbox {
    /// Sends a message.
    pub fn send(&self, call: u64, message: &impl Serialize, body: Vec<u8>) {
        let frame = Frame::new(call, message, body);
        let mut backlog = self.backlog();
        let idle = backlog.bytes.is_empty();
        if let Err(error) = frame.encode_into(&mut backlog.bytes) {
            eprintln!("staysail: a message was not sent: {error}");
            let error =
                staysail_protocol::CallError::new(staysail_protocol::ErrorCode::TooLarge, error.to_string());
            let failed = staysail_protocol::worker::ToShell::Failed { error };
            let _ = Frame::new(call, &failed, Vec::new()).encode_into(&mut backlog.bytes);
        }
        // Behind others it waits for its turn. An error is left to the task, which ends with the connection.
        if idle && !matches!(self.shared.flush(&mut backlog), Ok(true)) {
            self.shared.room.notify_one();
        }
    }

    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.shared.backlog.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Shared {
    /// Writes what the socket takes now. `Ok(true)` when nothing is left.
    fn flush(&self, backlog: &mut Backlog) -> io::Result<bool> {
        while backlog.written < backlog.bytes.len() {
            match self.socket.try_write(&backlog.bytes[backlog.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => backlog.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        backlog.bytes.clear();
        backlog.bytes.shrink_to(1 << 20);
        backlog.written = 0;
        Ok(true)
    }
}

async fn write(outbox: Outbox) {
    loop {
        outbox.shared.room.notified().await;
        loop {
            let flushed = outbox.shared.flush(&mut outbox.backlog());
            match flushed {
                Ok(true) => break,
                Ok(false) if outbox.shared.socket.writable().await.is_ok() => {}
                _ => return,
            }
        }
    }
}

/// Where the shell waits, and the token it knows this process by.
pub(crate) struct Invitation {
    address: String,
    /// Repeated in the hello.
    pub token: String,
}

impl Invitation {
    /// Takes both out of the environment, so that no process the app starts sees them.
    pub fn take() -> Result<Self> {
        let (Ok(address), Ok(token)) = (std::env::var(SOCKET_VARIABLE), std::env::var(TOKEN_VARIABLE)) else {
            return Err(Error::NoShell);
        };
        // SAFETY: called at the start of App::run, before any thread of Staysail's own exists; an app that starts
        // threads which read the environment before that races with its own main function.
        unsafe {
            std::env::remove_var(SOCKET_VARIABLE);
            std::env::remove_var(TOKEN_VARIABLE);
        }
        Ok(Self { address, token })
    }

    /// Connects. Must be called on the runtime.
    #[cfg(unix)]
    pub fn connect(&self) -> Result<Socket> {
        use std::os::fd::{AsFd, FromRawFd, OwnedFd};
        let descriptor: i32 = self.address.parse().map_err(|_| Error::NoShell)?;
        // SAFETY: the number was inherited from the shell for this purpose and is taken once, see `take`.
        let inherited = unsafe { OwnedFd::from_raw_fd(descriptor) };
        // Cloned, because a clone is closed in processes that the app starts, and the inherited one is not.
        let stream = std::os::unix::net::UnixStream::from(inherited.as_fd().try_clone_to_owned()?);
        drop(inherited);
        stream.set_nonblocking(true)?;
        Ok(Socket::from_std(stream)?)
    }

    /// Connects. Must be called on the runtime.
    #[cfg(windows)]
    pub fn connect(&self) -> Result<Socket> {
        Ok(tokio::net::windows::named_pipe::ClientOptions::new().open(&self.address)?)
    }
}

/// Takes over the connected socket: frames to the shell and frames from it. Must be called on the runtime.
pub(crate) fn start(socket: Socket) -> (Outbox, Incoming) {
    let shared = Arc::new(Shared { socket, backlog: Mutex::default(), room: Notify::new() });
    let outbox = Outbox { shared: shared.clone() };
    tokio::spawn(write(outbox.clone()));
    (outbox, Incoming { shared, decoder: Decoder::default(), buffer: vec![0; 256 << 10] })
}

/// Frames from the shell.
pub(crate) struct Incoming {
    shared: Arc<Shared>,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl Incoming {
    /// The next frame, or `None` when the shell is gone.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => return Some(frame),
                Ok(None) => {}
                Err(error) => {
                    eprintln!("staysail: the shell sent bytes that are no frame: {error}");
                    return None;
                }
            }
            self.shared.socket.readable().await.ok()?;
            match self.shared.socket.try_read(&mut self.buffer) {
                Ok(count @ 1..) => self.decoder.extend(&self.buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => return None,
            }
        }
    }
}
