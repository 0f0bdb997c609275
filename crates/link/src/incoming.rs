//! The receiving side of a connection.

use crate::{Link, Socket};
use staysail_protocol::frame::{Decoder, Frame, FrameError};
use std::sync::Arc;

/// Bytes asked for at once.
const READ_BYTES: usize = 256 << 10;

/// Frames from the other process, in order.
pub struct Incoming {
    socket: Arc<Socket>,
    link: Link,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl Incoming {
    pub(crate) fn new(socket: Arc<Socket>, link: Link) -> Self {
        Self { socket, link, decoder: Decoder::default(), buffer: vec![0; READ_BYTES] }
    }

    /// Takes no frames with longer bodies from now on: the next one is an error.
    pub fn limit_bodies(&mut self, bytes: usize) {
        self.decoder.limit_bodies(bytes);
    }

    /// The next frame; `None` when the connection has ended. May be given up at any moment without losing a frame.
    ///
    /// # Errors
    /// When what came is no frame. Nothing that follows can be read then, and the connection is closed.
    pub async fn next(&mut self) -> Option<Result<Frame, FrameError>> {
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => return Some(Ok(frame)),
                Ok(None) => {}
                Err(error) => {
                    self.link.close();
                    return Some(Err(error));
                }
            }
            // A large body is read where it belongs; everything else together, as many frames as there are.
            let room = self.decoder.room();
            let in_place = !room.is_empty();
            let into = if in_place { room } else { &mut self.buffer[..] };
            match self.socket.read_with(|stream| stream.read(into)).await {
                Ok(count @ 1..) if in_place => self.decoder.filled(count),
                Ok(count @ 1..) => self.decoder.extend(&self.buffer[..count]),
                _ => {
                    self.link.close();
                    return None;
                }
            }
        }
    }
}

impl Drop for Incoming {
    /// Whoever reads no more has done with the connection: nothing holds the socket open then.
    fn drop(&mut self) {
        self.link.close();
    }
}
