//! One end of a local connection.
//!
//! # Theory of operation
//! A wake-up of a sleeping thread costs more than everything else a call does. On Linux a socket that is watched for
//! room, too, wakes its owner each time the other side reads what was sent. So a socket is watched for bytes to read
//! only; whoever finds it full watches a second descriptor of it for room, for as long as that lasts. For the same reason
//! the system is asked to let a megabyte and more lie in a socket: it takes memory only while something does.

use std::io::{self, IoSlice, Read};

/// One end of a connected local socket: a Unix socket, or a named pipe on Windows.
#[derive(Debug)]
pub struct Socket(system::Socket);

impl Socket {
    /// Reads: calls `attempt` with the stream now and whenever bytes have come, until it returns something else than
    /// [`io::ErrorKind::WouldBlock`]. May be given up at any moment; bytes not read stay where they are.
    ///
    /// # Errors
    /// Those of `attempt`, and when the socket can not be watched.
    pub async fn read_with<T>(&self, attempt: impl FnMut(&mut dyn Read) -> io::Result<T>) -> io::Result<T> {
        self.0.read_with(attempt).await
    }

    /// Writes as many bytes as there is room for, without waiting, of one piece after the other.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is no room now; whatever the system says otherwise.
    pub fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write(pieces)
    }

    /// Waits until there is room to write.
    ///
    /// # Errors
    /// When the socket can not be watched.
    pub async fn writable(&self) -> io::Result<()> {
        self.0.writable().await
    }
}

#[cfg(unix)]
mod system {
    use std::io::{self, IoSlice, Read, Write};
    use std::os::unix::net::UnixStream;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// What may lie in a socket that nobody has read yet.
    const SEND_BUFFER_BYTES: libc::c_int = 2 << 20;

    #[derive(Debug)]
    pub struct Socket(AsyncFd<UnixStream>);

    impl super::Socket {
        /// Takes over a connected socket. Must be called on a runtime.
        ///
        /// # Errors
        /// When the runtime can not watch it.
        pub fn new(stream: UnixStream) -> io::Result<Self> {
            stream.set_nonblocking(true)?;
            widen(&stream);
            Ok(Self(Socket(watch(stream, Interest::READABLE)?)))
        }
    }

    /// Asks for room in the socket. The system gives what its own limit allows (Linux: `net.core.wmem_max`).
    fn widen(stream: &UnixStream) {
        use std::os::fd::AsRawFd;
        let bytes = SEND_BUFFER_BYTES;
        // SAFETY: the descriptor is open; the value is an int of the length told.
        unsafe {
            libc::setsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_SNDBUF,
                std::ptr::from_ref(&bytes).cast(),
                std::mem::size_of_val(&bytes) as libc::socklen_t,
            );
        }
    }

    fn watch(stream: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
        // SAFETY: a `UnixStream` owns its descriptor, which stays open and the same until it is dropped.
        Ok(unsafe { AsyncFd::register_with_interest(stream, interest) }?)
    }

    impl Socket {
        pub async fn read_with<T>(
            &self,
            mut attempt: impl FnMut(&mut dyn Read) -> io::Result<T>,
        ) -> io::Result<T> {
            loop {
                let mut ready = self.0.readable().await?;
                if let Ok(result) = ready.try_io(|stream| attempt(&mut stream.get_ref())) {
                    return result;
                }
            }
        }

        pub fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            loop {
                match self.0.get_ref().write_vectored(pieces) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return result,
                }
            }
        }

        pub async fn writable(&self) -> io::Result<()> {
            let second = watch(self.0.get_ref().try_clone()?, Interest::WRITABLE)?;
            let _ready = second.writable().await?;
            Ok(())
        }
    }
}

#[cfg(windows)]
mod system {
    use std::io::{self, IoSlice, Read};
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::net::windows::named_pipe::{NamedPipeClient, NamedPipeServer};

    #[derive(Debug)]
    pub enum Socket {
        /// The pipe, and whether its client has come.
        Server(NamedPipeServer, AtomicBool),
        Client(NamedPipeClient),
    }

    macro_rules! either {
        ($socket:expr, $pipe:ident => $action:expr) => {
            match $socket {
                Socket::Server($pipe, _) => $action,
                Socket::Client($pipe) => $action,
            }
        };
    }

    impl Socket {
        pub async fn read_with<T>(
            &self,
            mut attempt: impl FnMut(&mut dyn Read) -> io::Result<T>,
        ) -> io::Result<T> {
            // Read before its client has come, a pipe fails for good.
            if let Self::Server(pipe, has_client) = self
                && !has_client.load(Ordering::Relaxed)
            {
                pipe.connect().await?;
                has_client.store(true, Ordering::Relaxed);
            }
            loop {
                either!(self, pipe => pipe.readable().await)?;
                match attempt(&mut NoWait(self)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
            }
        }

        pub fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            // Named pipes have no gathering write; what is left is written with the next attempt.
            let piece = pieces.iter().find(|piece| !piece.is_empty()).map_or(&[][..], |piece| &piece[..]);
            either!(self, pipe => pipe.try_write(piece))
        }

        pub async fn writable(&self) -> io::Result<()> {
            either!(self, pipe => pipe.writable().await)
        }
    }

    /// Reads what is there.
    struct NoWait<'a>(&'a Socket);

    impl Read for NoWait<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            either!(self.0, pipe => pipe.try_read(buffer))
        }
    }

    impl From<NamedPipeServer> for super::Socket {
        fn from(pipe: NamedPipeServer) -> Self {
            Self(Socket::Server(pipe, AtomicBool::new(false)))
        }
    }

    impl From<NamedPipeClient> for super::Socket {
        fn from(pipe: NamedPipeClient) -> Self {
            Self(Socket::Client(pipe))
        }
    }
}
