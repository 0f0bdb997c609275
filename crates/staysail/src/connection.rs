//! The socket to the shell.

use crate::{Error, Result};
use serde::Serialize;
use staysail_protocol::frame::{Decoder, Frame};
use staysail_protocol::worker::{SOCKET_VARIABLE, TOKEN_VARIABLE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

#[cfg(unix)]
type Socket = tokio::net::UnixStream;
#[cfg(windows)]
type Socket = tokio::net::windows::named_pipe::NamedPipeClient;

/// Frames on their way to the shell, in order. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbox {
    frames: mpsc::UnboundedSender<Frame>,
}

impl Outbox {
    /// An outbox and what comes out of it.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Frame>) {
        let (frames, out) = mpsc::unbounded_channel();
        (Self { frames }, out)
    }

    /// Sends a message.
    pub fn send(&self, call: u64, message: &impl Serialize, body: Vec<u8>) {
        let _ = self.frames.send(Frame::new(call, message, body));
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

/// Frames from the shell, and the task that writes those to it.
pub(crate) fn start(socket: Socket, mut outgoing: mpsc::UnboundedReceiver<Frame>) -> Incoming {
    let (reader, mut writer) = tokio::io::split(socket);
    tokio::spawn(async move {
        let mut bytes = Vec::new();
        let mut frames = Vec::new();
        // Everything that is there goes out in one write.
        while outgoing.recv_many(&mut frames, 1024).await > 0 {
            for frame in frames.drain(..) {
                if let Err(error) = frame.encode_into(&mut bytes) {
                    eprintln!("staysail: a message was not sent: {error}");
                    let error = staysail_protocol::CallError::new(
                        staysail_protocol::ErrorCode::TooLarge,
                        error.to_string(),
                    );
                    let failed = staysail_protocol::worker::ToShell::Failed { error };
                    let _ = Frame::new(frame.call, &failed, Vec::new()).encode_into(&mut bytes);
                }
            }
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
            bytes.clear();
            bytes.shrink_to(1 << 20);
        }
    });
    Incoming { reader, decoder: Decoder::default(), buffer: vec![0; 256 << 10] }
}

/// Frames from the shell.
pub(crate) struct Incoming {
    reader: tokio::io::ReadHalf<Socket>,
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
            match self.reader.read(&mut self.buffer).await {
                Ok(count @ 1..) => self.decoder.extend(&self.buffer[..count]),
                _ => return None,
            }
        }
    }
}
