//! The control socket to the shell: a socket pair whose other end the shell inherits, a named pipe on Windows.
//!
//! The tool makes it before it starts the shell, so the shell finds it there.

use anyhow::{Context, Result};
use staysail_protocol::control::CONTROL_VARIABLE;
use staysail_supervise::Spawn;

pub use system::{Offer, Reader, Writer};

#[cfg(unix)]
mod system {
    use super::{CONTROL_VARIABLE, Context, Result, Spawn};
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    /// A socket whose other end waits for the shell.
    pub struct Offer {
        ours: UnixStream,
        theirs: UnixStream,
    }

    /// Brings what the shell sends.
    pub type Reader = UnixStream;

    /// Sends to the shell.
    pub struct Writer(UnixStream);

    impl Offer {
        /// Makes one.
        pub fn make() -> Result<Self> {
            let (ours, theirs) = UnixStream::pair().context("making the control socket")?;
            Ok(Self { ours, theirs })
        }

        /// Tells a shell that is about to be started where it is.
        pub fn hand_to(&self, shell: Spawn) -> Spawn {
            let number = self.theirs.as_raw_fd();
            shell.env(CONTROL_VARIABLE, number.to_string()).inherit(number)
        }

        /// Both directions, once the shell has been started.
        pub fn accept(self) -> Result<(Writer, Reader)> {
            let writer = Writer(self.ours.try_clone().context("the control socket")?);
            Ok((writer, self.ours))
        }
    }

    impl Writer {
        /// Sends, and waits until it is sent.
        pub fn send(&self, bytes: &[u8]) -> std::io::Result<()> {
            (&self.0).write_all(bytes)
        }
    }
}

#[cfg(windows)]
mod system {
    use super::{CONTROL_VARIABLE, Context, Result, Spawn};
    use staysail_protocol::limits::HELLO_TIMEOUT_MS;
    use std::io::{Error, ErrorKind, Read};
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
    use tokio::runtime::Runtime;
    use tokio::sync::mpsc::UnboundedSender;

    /// Bytes taken from the pipe at once.
    const BUFFER_BYTES: usize = 64 << 10;

    /// A pipe that waits for the shell. A pipe that is read and written at once must be asynchronous, so it has a
    /// thread of its own.
    pub struct Offer {
        runtime: Runtime,
        pipe: NamedPipeServer,
        name: String,
    }

    /// Brings what the shell sends.
    pub struct Reader {
        pieces: Receiver<Vec<u8>>,
        piece: Vec<u8>,
        at: usize,
    }

    /// Sends to the shell.
    pub struct Writer {
        pieces: UnboundedSender<Vec<u8>>,
        _runtime: Arc<Runtime>,
    }

    impl Offer {
        /// Makes one, under a name that can not be guessed.
        pub fn make() -> Result<Self> {
            let mut secret = [0; 16];
            getrandom::fill(&mut secret)
                .map_err(|error| anyhow::anyhow!("the control pipe can not be named: {error}"))?;
            let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            let name = format!(r"\\.\pipe\staysail-control-{secret}");
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .context("the control pipe's thread")?;
            let inside = runtime.enter();
            let pipe = ServerOptions::new()
                .first_pipe_instance(true)
                .reject_remote_clients(true)
                .create(&name)
                .context("making the control pipe")?;
            drop(inside);
            Ok(Self { runtime, pipe, name })
        }

        /// Tells a shell that is about to be started where it is.
        pub fn hand_to(&self, shell: Spawn) -> Spawn {
            shell.env(CONTROL_VARIABLE, &self.name)
        }

        /// Both directions, once the shell has been started and has come.
        pub fn accept(self) -> Result<(Writer, Reader)> {
            let Self { runtime, pipe, .. } = self;
            let patience = Duration::from_millis(HELLO_TIMEOUT_MS);
            runtime
                .block_on(async { tokio::time::timeout(patience, pipe.connect()).await })
                .context("the shell did not open the control pipe in time (hello_timeout_ms)")?
                .context("the control pipe")?;
            let (mut from_shell, mut to_shell) = tokio::io::split(pipe);
            let (read, read_pieces) = channel();
            runtime.spawn(async move {
                let mut buffer = vec![0; BUFFER_BYTES];
                while let Ok(count @ 1..) = from_shell.read(&mut buffer).await {
                    if read.send(buffer[..count].to_vec()).is_err() {
                        break;
                    }
                }
            });
            let (write, mut write_pieces) = tokio::sync::mpsc::unbounded_channel::<Vec<u8>>();
            runtime.spawn(async move {
                while let Some(piece) = write_pieces.recv().await {
                    if to_shell.write_all(&piece).await.is_err() {
                        break;
                    }
                }
            });
            let writer = Writer { pieces: write, _runtime: Arc::new(runtime) };
            Ok((writer, Reader { pieces: read_pieces, piece: Vec::new(), at: 0 }))
        }
    }

    impl Writer {
        /// Sends, in the order asked for.
        pub fn send(&self, bytes: &[u8]) -> std::io::Result<()> {
            self.pieces.send(bytes.to_vec()).map_err(|_| Error::from(ErrorKind::BrokenPipe))
        }
    }

    impl Read for Reader {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.at == self.piece.len() {
                let Ok(piece) = self.pieces.recv() else { return Ok(0) };
                (self.piece, self.at) = (piece, 0);
            }
            let count = buffer.len().min(self.piece.len() - self.at);
            buffer[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
            self.at += count;
            Ok(count)
        }
    }
}
