//! Where a snapshot is written: in memory while it is small, in an attachment beyond that.

use staysail_link::{Attachment, AttachmentWriter};
use staysail_protocol::limits::{CHECKPOINT_BYTES_MAX, SNAPSHOT_BYTES_MAX, SNAPSHOT_INLINE_BYTES_MAX};
use std::io::{self, Write};

/// A written snapshot.
#[derive(Debug)]
pub(crate) enum Packed {
    /// To be sent inside a frame.
    Inline(Vec<u8>),
    /// To be sent beside it.
    Apart(Attachment),
}

/// A snapshot that is being written.
pub(crate) struct Packing<'a> {
    memory: Vec<u8>,
    apart: Option<AttachmentWriter>,
    len: usize,
    len_max: usize,
    inline_max: usize,
    /// Told once when it goes on beside the frames.
    grows: Option<&'a mut dyn FnMut()>,
    /// Why nothing more can be written.
    problem: Option<String>,
}

impl<'a> Packing<'a> {
    fn new(len_max: usize, inline_max: usize, grows: Option<&'a mut dyn FnMut()>) -> Self {
        Self { memory: Vec::new(), apart: None, len: 0, len_max, inline_max, grows, problem: None }
    }

    /// One that stays small.
    pub fn of_checkpoint() -> Self {
        Self::new(CHECKPOINT_BYTES_MAX, CHECKPOINT_BYTES_MAX, None)
    }

    /// One that may become as large as state may be. Without `grows` it stays in memory: the other side takes no
    /// attachments.
    pub fn of_snapshot(grows: Option<&'a mut dyn FnMut()>) -> Self {
        let inline_max = if grows.is_some() { SNAPSHOT_INLINE_BYTES_MAX } else { SNAPSHOT_BYTES_MAX };
        Self::new(SNAPSHOT_BYTES_MAX, inline_max, grows)
    }

    /// What kept the last write from being done, if that was no fault of who wrote.
    pub fn problem(&mut self) -> Option<String> {
        self.problem.take()
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Takes back what was written after the first `len` bytes, as long as it is all in memory.
    pub fn cut(&mut self, len: usize) {
        self.memory.truncate(len);
        self.len = len;
    }

    /// Writes over what was written before at this place, as long as it is all in memory.
    pub fn write_again(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.memory.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// Completes it.
    ///
    /// # Errors
    /// A sentence for people when it can not be written.
    pub fn finish(self) -> Result<Packed, String> {
        match self.apart {
            None => Ok(Packed::Inline(self.memory)),
            Some(writer) => writer.finish().map(Packed::Apart).map_err(|error| no_room(self.len, &error)),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.apart.is_none() && self.len + bytes.len() > self.inline_max {
            if let Some(grows) = self.grows.take() {
                grows();
            }
            let mut writer = AttachmentWriter::create()?;
            writer.write_all(&std::mem::take(&mut self.memory))?;
            self.apart = Some(writer);
        }
        match &mut self.apart {
            Some(writer) => writer.write_all(bytes),
            None => self.memory.write_all(bytes),
        }
    }
}

impl Write for Packing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.len + bytes.len() > self.len_max {
            self.problem = Some(format!(
                "with it the declared state is larger than {SNAPSHOT_BYTES_MAX} bytes (snapshot_bytes_max). Keep \
                 large data in files or a database in the app's data folder, and what leads to it in the state"
            ));
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.put(bytes).inspect_err(|error| self.problem = Some(no_room(self.len, error)))?;
        self.len += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn no_room(len: usize, error: &io::Error) -> String {
    format!(
        "there is no room to hand it over: {error}, after {len} bytes. Free memory, or space in {}, and try again; \
         large data belongs in files or a database in the app's data folder",
        std::env::temp_dir().display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_stays_in_memory_and_what_is_larger_goes_apart_whole() {
        let mut told = 0;
        let mut grows = || told += 1;
        let mut packing = Packing::new(100, 10, Some(&mut grows));
        packing.write_all(b"0123456789").unwrap();
        assert!(packing.apart.is_none());
        packing.write_all(b"ab").unwrap();
        packing.write_all(b"cd").unwrap();
        let Packed::Apart(attachment) = packing.finish().unwrap() else { panic!("not apart") };
        assert_eq!(&*attachment.read().unwrap(), b"0123456789abcd");
        assert_eq!(told, 1);
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_written_and_says_the_limit() {
        let mut packing = Packing::new(10, 10, None);
        packing.write_all(b"01234567").unwrap();
        assert!(packing.write_all(b"abc").is_err());
        let problem = packing.problem().unwrap();
        assert!(problem.contains("snapshot_bytes_max") && problem.contains("data folder"), "{problem}");
        let Packed::Inline(bytes) = packing.finish().unwrap() else { panic!("not inline") };
        assert_eq!(bytes, b"01234567");
    }

    #[test]
    fn what_was_written_in_memory_can_be_taken_back() {
        let mut packing = Packing::of_checkpoint();
        packing.write_all(b"count, good").unwrap();
        let good = packing.len();
        packing.write_all(b", ba").unwrap();
        packing.cut(good);
        packing.write_again(0, b"COUNT");
        let Packed::Inline(bytes) = packing.finish().unwrap() else { panic!("not inline") };
        assert_eq!(bytes, b"COUNT, good");
    }
}
