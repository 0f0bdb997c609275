//! Bytes on their way into a socket.

use staysail_protocol::frame::{Frame, FrameError, start};
use std::io::IoSlice;

/// A body below this size is put behind its head: two pieces cost more than copying it.
const APART_BYTES_MIN: usize = 16 << 10;

/// Small parcels are put together up to this size.
const JOINED_BYTES_MAX: usize = 64 << 10;

/// Bytes that are written one after the other: a head, and a body that is not copied behind it when it is large.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parcel {
    head: Vec<u8>,
    body: Vec<u8>,
    /// What of the body counts begins here.
    skip: usize,
}

impl Parcel {
    /// A head, and what of `body` follows after its first `skip` bytes.
    pub fn new(mut head: Vec<u8>, body: Vec<u8>, skip: usize) -> Self {
        let tail = &body[skip.min(body.len())..];
        if tail.len() < APART_BYTES_MIN {
            head.extend_from_slice(tail);
            return Self { head, body: Vec::new(), skip: 0 };
        }
        Self { head, body, skip }
    }

    /// A whole frame.
    ///
    /// # Errors
    /// When it exceeds a limit of the protocol.
    pub fn of(frame: Frame) -> Result<Self, FrameError> {
        let head = start(frame.call, &frame.head, frame.body.len())?;
        Ok(Self::new(head, frame.body, 0))
    }

    /// Puts another one behind this, when both are small; gives it back otherwise.
    pub(crate) fn join(&mut self, next: Self) -> Option<Self> {
        if !self.body.is_empty() || !next.body.is_empty() || self.len() + next.len() > JOINED_BYTES_MAX {
            return Some(next);
        }
        self.head.extend_from_slice(&next.head);
        None
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len() - self.skip
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything after the first `written` bytes, in two pieces.
    pub(crate) fn rest(&self, written: usize) -> [IoSlice<'_>; 2] {
        let in_body = self.skip + written.saturating_sub(self.head.len());
        [&self.head[written.min(self.head.len())..], &self.body[in_body..]].map(IoSlice::new)
    }
}

impl From<Vec<u8>> for Parcel {
    fn from(head: Vec<u8>) -> Self {
        Self { head, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_parcels_are_joined_and_large_ones_are_not() {
        let mut first = Parcel::from(vec![1; 10]);
        assert_eq!(first.join(vec![2; 5].into()), None);
        assert_eq!(first, [vec![1; 10], vec![2; 5]].concat().into());
        let large = Parcel::new(vec![3], vec![4; APART_BYTES_MIN], 0);
        assert_eq!(first.join(large.clone()), Some(large));
        let much = Parcel::from(vec![5; JOINED_BYTES_MAX]);
        assert_eq!(first.join(much.clone()), Some(much));
        assert_eq!(first.len(), 15);
    }

    #[test]
    fn a_parcel_is_head_and_tail_wherever_it_is_cut_and_however_large_it_is() {
        for size in [0, 100, APART_BYTES_MIN + 9] {
            let body: Vec<u8> = (0..size).map(|at| at as u8).collect();
            let skip = 7.min(size);
            let parcel = Parcel::new(b"head".to_vec(), body.clone(), skip);
            let whole = [b"head", &body[skip..]].concat();
            assert_eq!(parcel.len(), whole.len());
            for written in [0, 2, 4, 5, whole.len()].into_iter().filter(|written| *written <= whole.len()) {
                let pieces = parcel.rest(written);
                assert!([&pieces[0][..], &pieces[1][..]].concat() == whole[written..], "{size} {written}");
            }
        }
    }
}
