//! A request's payload on its way from a page to the worker.

use staysail_link::Parcel;
use staysail_protocol::frame::{FrameError, start};
use std::ops::Deref;

/// What follows the head of a request. It stays where it was read: a payload of megabytes is not copied on its way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    bytes: Vec<u8>,
    skip: usize,
}

impl Payload {
    /// What of `bytes` follows the first `skip`.
    pub fn after(bytes: Vec<u8>, skip: usize) -> Self {
        let skip = skip.min(bytes.len());
        Self { bytes, skip }
    }

    /// The frame of a message with this payload as its body.
    ///
    /// # Errors
    /// When it exceeds a limit of the protocol.
    pub fn frame<M: serde::Serialize>(self, call: u64, message: &M) -> Result<Parcel, FrameError> {
        let head = serde_json::to_vec(message).unwrap_or_else(|_| b"{}".to_vec());
        let head = start(call, &head, self.len())?;
        Ok(Parcel::new(head, self.bytes, self.skip))
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.skip..]
    }
}
