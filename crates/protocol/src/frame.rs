//! Length-delimited frames: the envelope of every message between two local processes.
//!
//! ```text
//! offset  size  field      (integers little-endian)
//!      0     4  magic      "SSF1"
//!      4     4  head_len   bytes of JSON that follow the header
//!      8     4  body_len   bytes of raw body that follow the head
//!     12     8  call       call number, 0 when the frame belongs to no call
//!     20     …  head, then body
//! ```
//!
//! The head is a small JSON message ([`crate::worker`], [`crate::control`]). The body is raw: the page's own
//! JSON arguments, an answer, or a state snapshot. Nobody between page and command parses it.

use crate::limits::{FRAME_BODY_BYTES_MAX, FRAME_HEAD_BYTES_MAX};

/// Size of the fixed header in bytes.
pub const HEADER_BYTES: usize = 20;
const MAGIC: [u8; 4] = *b"SSF1";

/// One message: a JSON head, a raw body and the call it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// Call number, 0 when the frame belongs to no call.
    pub call: u64,
    /// JSON of the message.
    pub head: Vec<u8>,
    /// Raw bytes; empty when the message has none.
    pub body: Vec<u8>,
}

/// Why bytes are no frame. The connection they came from can not be used any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The first bytes are not a frame's.
    #[error("not a Staysail frame (bad magic bytes); the two processes are of incompatible versions")]
    BadMagic,
    /// The head is longer than `FRAME_HEAD_BYTES_MAX`.
    #[error("frame head of {0} bytes exceeds frame_head_bytes_max ({FRAME_HEAD_BYTES_MAX})")]
    HeadTooLarge(usize),
    /// The body is longer than `FRAME_BODY_BYTES_MAX`.
    #[error(
        "frame body of {0} bytes exceeds frame_body_bytes_max ({FRAME_BODY_BYTES_MAX}) or what was agreed on"
    )]
    BodyTooLarge(usize),
}

/// The decoded fixed header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of head to read next.
    pub head_len: usize,
    /// Bytes of body to read after the head.
    pub body_len: usize,
    /// Call number.
    pub call: u64,
}

impl Header {
    /// Reads and checks the fixed header.
    ///
    /// # Errors
    /// When the magic is wrong or a length exceeds its limit.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, FrameError> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if bytes[0..4] != MAGIC {
            return Err(FrameError::BadMagic);
        }
        let (head_len, body_len) = (word(4) as usize, word(8) as usize);
        if head_len > FRAME_HEAD_BYTES_MAX {
            return Err(FrameError::HeadTooLarge(head_len));
        }
        if body_len > FRAME_BODY_BYTES_MAX {
            return Err(FrameError::BodyTooLarge(body_len));
        }
        let call = u64::from(word(12)) | (u64::from(word(16)) << 32);
        Ok(Self { head_len, body_len, call })
    }
}

fn header(call: u64, head_len: usize, body_len: usize) -> Result<[u8; HEADER_BYTES], FrameError> {
    if head_len > FRAME_HEAD_BYTES_MAX {
        return Err(FrameError::HeadTooLarge(head_len));
    }
    if body_len > FRAME_BODY_BYTES_MAX {
        return Err(FrameError::BodyTooLarge(body_len));
    }
    let mut out = [0; HEADER_BYTES];
    out[0..4].copy_from_slice(&MAGIC);
    out[4..8].copy_from_slice(&(head_len as u32).to_le_bytes());
    out[8..12].copy_from_slice(&(body_len as u32).to_le_bytes());
    out[12..20].copy_from_slice(&call.to_le_bytes());
    Ok(out)
}

/// Header and head of a frame, for a body of so many bytes that is written after them without being copied.
///
/// # Errors
/// When head or body exceed their limit; nothing must be sent then.
pub fn start(call: u64, head: &[u8], body_len: usize) -> Result<Vec<u8>, FrameError> {
    let header = header(call, head.len(), body_len)?;
    // A small body is put behind it after all; then there is room.
    let room = if body_len < IN_PLACE_BYTES_MIN { body_len } else { 0 };
    let mut start = Vec::with_capacity(HEADER_BYTES + head.len() + room);
    start.extend_from_slice(&header);
    start.extend_from_slice(head);
    Ok(start)
}

impl Frame {
    /// A frame with a JSON head made of `message`.
    pub fn new<M: serde::Serialize>(call: u64, message: &M, body: Vec<u8>) -> Self {
        let head = serde_json::to_vec(message).unwrap_or_else(|_| b"{}".to_vec());
        Self { call, head, body }
    }

    /// Reads the head as a message.
    ///
    /// # Errors
    /// When the head is no JSON of that message.
    pub fn message<'a, M: serde::Deserialize<'a>>(&'a self) -> Result<M, serde_json::Error> {
        serde_json::from_slice(&self.head)
    }

    /// The fixed header of this frame.
    ///
    /// # Errors
    /// When head or body exceed their limit; nothing must be sent then.
    pub fn header(&self) -> Result<[u8; HEADER_BYTES], FrameError> {
        header(self.call, self.head.len(), self.body.len())
    }

    /// Appends header, head and body to `out`.
    ///
    /// # Errors
    /// As [`Frame::header`]; `out` is unchanged then.
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let header = self.header()?;
        out.reserve(HEADER_BYTES + self.head.len() + self.body.len());
        out.extend_from_slice(&header);
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&self.body);
        Ok(())
    }
}

/// Takes whole frames out of a growing buffer.
///
/// ```
/// use staysail_protocol::frame::{Decoder, Frame};
/// let frame = Frame { call: 7, head: b"{}".to_vec(), body: b"[1,2]".to_vec() };
/// let mut bytes = Vec::new();
/// frame.encode_into(&mut bytes).unwrap();
/// let mut decoder = Decoder::default();
/// decoder.extend(&bytes[..9]);
/// assert_eq!(decoder.next_frame(), Ok(None));
/// decoder.extend(&bytes[9..]);
/// assert_eq!(decoder.next_frame(), Ok(Some(frame)));
/// ```
#[derive(Debug)]
pub struct Decoder {
    body_bytes_max: usize,
    buffer: Vec<u8>,
    start: usize,
    /// A frame with a large body that is being filled in place, and how much of it is there.
    open: Option<(Frame, usize)>,
}

/// Bodies of this size and more are filled in place instead of being gathered first.
const IN_PLACE_BYTES_MIN: usize = 64 << 10;

impl Default for Decoder {
    fn default() -> Self {
        Self { body_bytes_max: FRAME_BODY_BYTES_MAX, buffer: Vec::new(), start: 0, open: None }
    }
}

impl Decoder {
    /// Takes no bodies longer than this from now on.
    pub fn limit_bodies(&mut self, bytes: usize) {
        self.body_bytes_max = bytes;
    }

    /// Adds bytes as they came.
    pub fn extend(&mut self, bytes: &[u8]) {
        let room = self.room();
        let taken = room.len().min(bytes.len());
        room[..taken].copy_from_slice(&bytes[..taken]);
        self.filled(taken);
        self.buffer.extend_from_slice(&bytes[taken..]);
    }

    /// Where the bytes that come next belong, when they belong to a large body: whoever reads may read them straight
    /// into it, and then says how many with [`filled`](Decoder::filled). Empty otherwise.
    pub fn room(&mut self) -> &mut [u8] {
        self.open.as_mut().map(|(frame, have)| &mut frame.body[*have..]).unwrap_or_default()
    }

    /// So many bytes were read into [`room`](Decoder::room).
    pub fn filled(&mut self, count: usize) {
        if let Some((_, have)) = &mut self.open {
            *have += count;
        }
    }

    /// The next whole frame, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes are no frame; the decoder must not be used any further.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.open.is_some() {
            let whole = self.room().is_empty();
            return Ok(if whole { self.open.take().map(|(frame, _)| frame) } else { None });
        }
        let pending = &self.buffer[self.start..];
        let Some(header) = pending.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let header = Header::decode(header)?;
        if header.body_len > self.body_bytes_max {
            return Err(FrameError::BodyTooLarge(header.body_len));
        }
        let (head_end, whole) =
            (HEADER_BYTES + header.head_len, HEADER_BYTES + header.head_len + header.body_len);
        if pending.len() < whole {
            if pending.len() >= head_end && header.body_len >= IN_PLACE_BYTES_MIN {
                let mut body = vec![0; header.body_len];
                let have = pending.len() - head_end;
                body[..have].copy_from_slice(&pending[head_end..]);
                let head = pending[HEADER_BYTES..head_end].to_vec();
                self.open = Some((Frame { call: header.call, head, body }, have));
                self.buffer.clear();
                self.start = 0;
            } else if self.start > 0 {
                self.buffer.drain(..self.start);
                self.start = 0;
            }
            return Ok(None);
        }
        let frame = Frame {
            call: header.call,
            head: pending[HEADER_BYTES..head_end].to_vec(),
            body: pending[head_end..whole].to_vec(),
        };
        self.start += whole;
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(frame: &Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.encode_into(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn frames_survive_any_split_of_the_stream() {
        let frames = [
            Frame { call: 1, head: b"{\"t\":\"ping\"}".to_vec(), body: vec![] },
            Frame { call: u64::MAX, head: vec![], body: vec![0, 255, 10] },
            Frame { call: 0, head: b"{}".to_vec(), body: vec![7; 1000] },
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(encoded).collect();
        for step in 1..60 {
            let (mut decoder, mut seen) = (Decoder::default(), Vec::new());
            for piece in bytes.chunks(step) {
                decoder.extend(piece);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, frames, "split every {step} bytes");
        }
    }

    #[test]
    fn large_bodies_are_filled_in_place_and_come_out_whole_whatever_follows_them() {
        let large = |call, length: usize| Frame {
            call,
            head: b"{}".to_vec(),
            body: (0..length).map(|at| at as u8).collect(),
        };
        let small = Frame { call: 2, head: b"{\"t\":\"ping\"}".to_vec(), body: vec![1, 2, 3] };
        let frames =
            [large(1, IN_PLACE_BYTES_MIN), small.clone(), large(3, 3 * IN_PLACE_BYTES_MIN + 7), small];
        let bytes: Vec<u8> = frames.iter().flat_map(encoded).collect();
        for step in [1_000, IN_PLACE_BYTES_MIN - 1, IN_PLACE_BYTES_MIN + 40, bytes.len()] {
            let (mut decoder, mut seen, mut rest) = (Decoder::default(), Vec::new(), &bytes[..]);
            while !rest.is_empty() {
                let room = decoder.room();
                let count = if room.is_empty() { step } else { step.min(room.len()) }.min(rest.len());
                if room.is_empty() {
                    decoder.extend(&rest[..count]);
                } else {
                    room[..count].copy_from_slice(&rest[..count]);
                    decoder.filled(count);
                }
                rest = &rest[count..];
                while let Some(frame) = decoder.next_frame().unwrap() {
                    seen.push(frame);
                }
            }
            assert!(seen == frames, "read {step} bytes at a time");
        }
    }

    #[test]
    fn a_wrong_magic_is_refused() {
        let mut bytes = encoded(&Frame::default());
        bytes[0] ^= 1;
        let mut decoder = Decoder::default();
        decoder.extend(&bytes);
        assert_eq!(decoder.next_frame(), Err(FrameError::BadMagic));
    }

    #[test]
    fn a_body_longer_than_agreed_on_is_refused_and_one_as_long_is_taken() {
        let frame = |length| Frame { call: 1, head: b"{}".to_vec(), body: vec![7; length] };
        let mut decoder = Decoder::default();
        decoder.limit_bodies(100);
        decoder.extend(&encoded(&frame(100)));
        assert_eq!(decoder.next_frame(), Ok(Some(frame(100))));
        decoder.extend(&encoded(&frame(101))[..HEADER_BYTES]);
        assert_eq!(decoder.next_frame(), Err(FrameError::BodyTooLarge(101)));
    }

    #[test]
    fn a_length_over_its_limit_is_refused_before_anything_is_allocated() {
        let mut bytes = encoded(&Frame::default());
        bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut decoder = Decoder::default();
        decoder.extend(&bytes);
        assert_eq!(decoder.next_frame(), Err(FrameError::BodyTooLarge(u32::MAX as usize)));
    }
}
