//! What goes over the socket between a web process and the shell. Both sides compile this file.
//!
//! A frame is a head of 21 bytes and a body: kind (1 byte), length of the body (4 bytes), number of the port and
//! ticket (8 bytes each), little-endian. A port is one page load of one window; a ticket is one request of it.
//!
//! | Kind | Direction | Body |
//! |---|---|---|
//! | `Hello` | to the shell, first | the token |
//! | `Open` | to the shell | label of the window, newline, address of the page |
//! | `Request` | to the shell | a request as `staysail_protocol::bridge` describes it |
//! | `Text` | to the page | an answer as described there, never one that has to be pulled |
//! | `Raw` | to the page | a raw answer's bytes |

use alloc::vec;
use alloc::vec::Vec;

/// Bytes before the body.
pub const HEAD_BYTES: usize = 21;
/// Longest body: that of the largest call with some room for its head.
pub const BODY_BYTES_MAX: usize = (512 << 20) + (1 << 20);

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Hello = 1,
    Open = 2,
    Request = 3,
    Text = 4,
    Raw = 5,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Hello, Self::Open, Self::Request, Self::Text, Self::Raw]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub port: u64,
    pub ticket: u64,
    pub body: Vec<u8>,
}

/// Why there is no next frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault<E> {
    /// The stream is at its end.
    Ended,
    /// What came begins like no frame.
    NoFrame,
    /// The stream could not be read.
    Broken(E),
}

/// The head of a frame.
pub fn head(kind: Kind, port: u64, ticket: u64, length: usize) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[0] = kind as u8;
    head[1..5].copy_from_slice(&(length as u32).to_le_bytes());
    head[5..13].copy_from_slice(&port.to_le_bytes());
    head[13..].copy_from_slice(&ticket.to_le_bytes());
    head
}

/// Bytes asked for at once.
const READ_BYTES: usize = 64 << 10;

/// Reads frames from a socket that does not block.
#[derive(Default)]
pub struct Reader {
    /// What was read and not yet used lies between `start` and `end`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The frame whose body is being read, straight into place, and how much of it is there.
    open: Option<(Frame, usize)>,
}

impl Reader {
    /// The next whole frame; `None` when the socket has no more for now. `read` puts what there is into a place and says
    /// how much that was: nothing at the end of the stream, `None` when there is nothing for now.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn next<E>(
        &mut self,
        mut read: impl FnMut(&mut [u8]) -> Result<Option<usize>, E>,
    ) -> Result<Option<Frame>, Fault<E>> {
        loop {
            if self.open.is_none() {
                let head = self.buffer[self.start..self.end].first_chunk::<HEAD_BYTES>();
                let Some(head) = head else {
                    if self.read_more(&mut read)? {
                        continue;
                    }
                    return Ok(None);
                };
                self.open = Some((opened(head)?, 0));
                self.start += HEAD_BYTES;
            }
            let Some((frame, have)) = &mut self.open else { continue };
            let taken = (self.end - self.start).min(frame.body.len() - *have);
            frame.body[*have..*have + taken].copy_from_slice(&self.buffer[self.start..self.start + taken]);
            self.start += taken;
            *have += taken;
            while *have < frame.body.len() {
                match some(read(&mut frame.body[*have..]))? {
                    Some(count) => *have += count,
                    None => return Ok(None),
                }
            }
            return Ok(self.open.take().map(|(frame, _)| frame));
        }
    }

    fn read_more<E>(
        &mut self,
        mut read: impl FnMut(&mut [u8]) -> Result<Option<usize>, E>,
    ) -> Result<bool, Fault<E>> {
        self.buffer.resize(READ_BYTES, 0);
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let count = some(read(&mut self.buffer[self.end..]))?;
        self.end += count.unwrap_or(0);
        Ok(count.is_some())
    }
}

/// What was read, unless that was the end.
fn some<E>(read: Result<Option<usize>, E>) -> Result<Option<usize>, Fault<E>> {
    match read {
        Ok(Some(0)) => Err(Fault::Ended),
        Ok(count) => Ok(count),
        Err(error) => Err(Fault::Broken(error)),
    }
}

fn opened<E>(head: &[u8; HEAD_BYTES]) -> Result<Frame, Fault<E>> {
    let number = |from: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&head[from..from + 8]);
        u64::from_le_bytes(bytes)
    };
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let kind = Kind::from_byte(head[0]).filter(|_| length <= BODY_BYTES_MAX).ok_or(Fault::NoFrame)?;
    Ok(Frame { kind, port: number(5), ticket: number(13), body: vec![0; length] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: Kind, port: u64, ticket: u64, body: &[u8]) -> Vec<u8> {
        [&head(kind, port, ticket, body.len())[..], body].concat()
    }

    /// Hands out what it holds in pieces of a few bytes, as a socket that is filled meanwhile.
    fn trickle(bytes: &mut &[u8], piece: usize) -> impl FnMut(&mut [u8]) -> Result<Option<usize>, ()> {
        move |into| {
            let count = piece.min(bytes.len()).min(into.len());
            into[..count].copy_from_slice(&bytes[..count]);
            *bytes = &bytes[count..];
            Ok((count > 0).then_some(count))
        }
    }

    #[test]
    fn frames_survive_any_split_of_the_stream() {
        let bodies: [&[u8]; 4] = [b"", b"abc", &[7; 100_000], b"last"];
        let mut bytes = Vec::new();
        for (ticket, body) in bodies.iter().enumerate() {
            bytes.extend(frame(Kind::Request, 9, ticket as u64, body));
        }
        for piece in [1, 7, HEAD_BYTES, 4_096, bytes.len()] {
            let (mut reader, mut rest) = (Reader::default(), &bytes[..]);
            let mut read = trickle(&mut rest, piece);
            for (ticket, body) in bodies.iter().enumerate() {
                let found = reader.next(&mut read).unwrap().unwrap();
                assert_eq!((found.kind, found.port, found.ticket), (Kind::Request, 9, ticket as u64));
                assert_eq!(found.body, *body);
            }
            assert_eq!(reader.next(&mut read).unwrap(), None);
        }
    }

    /// Hands out all it holds, and then the end.
    fn whole(mut bytes: &[u8]) -> impl FnMut(&mut [u8]) -> Result<Option<usize>, ()> {
        move |into| {
            let count = bytes.len().min(into.len());
            into[..count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            Ok(Some(count))
        }
    }

    #[test]
    fn what_is_no_head_and_what_ends_early_is_refused_and_an_error_is_told() {
        assert_eq!(Reader::default().next(|_| Err("broken")), Err(Fault::Broken("broken")));
        let mut unknown = head(Kind::Text, 1, 1, 0);
        unknown[0] = 99;
        let huge = head(Kind::Text, 1, 1, BODY_BYTES_MAX + 1);
        for bytes in [unknown, huge] {
            assert_eq!(Reader::default().next(whole(&bytes)), Err(Fault::NoFrame));
        }
        for cut in [0, 5, HEAD_BYTES, HEAD_BYTES + 2] {
            let bytes = frame(Kind::Text, 1, 1, b"abc");
            assert_eq!(Reader::default().next(whole(&bytes[..cut])), Err(Fault::Ended), "{cut}");
        }
    }
}
