//! Bytes that go beside the frames: a sealed piece of memory, or a file without a name.
//!
//! # Theory of operation
//! What is too large for the socket is written once, by one process, and handed on as it is ([`Courier`]): whoever holds
//! it has the bytes, whatever becomes of its writer, and nobody copies them. On Linux it is memory (`memfd`), sealed when
//! it is complete: nobody can change or shorten it under its reader, so it is read where it lies. Elsewhere, and where
//! there is no such memory, it is a file that loses its name when it is made, or on Windows goes with its last handle:
//! nothing is left behind, however a process ends. Others who hold it could change it, so it is read into memory first.

mod courier;

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

pub use courier::Courier;

use std::fs::File;
use std::io::{self, Write};
use std::ops::Deref;

/// Bytes on their way to the system are gathered up to this size.
const GATHERED_BYTES: usize = 256 << 10;

/// An attachment that is being written.
///
/// ```
/// use std::io::Write;
/// let mut writer = staysail_link::AttachmentWriter::create()?;
/// writer.write_all(b"much")?;
/// let attachment = writer.finish()?;
/// assert_eq!(attachment.len(), 4);
/// assert_eq!(&*attachment.read()?, b"much");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct AttachmentWriter {
    file: File,
    gathered: Vec<u8>,
    written: u64,
}

impl AttachmentWriter {
    /// An empty one.
    ///
    /// # Errors
    /// When the system gives neither memory nor a file.
    pub fn create() -> io::Result<Self> {
        Ok(Self::into_file(system::create()?))
    }

    fn into_file(file: File) -> Self {
        Self { file, gathered: Vec::with_capacity(GATHERED_BYTES), written: 0 }
    }

    /// Completes it: from now on it is only read.
    ///
    /// # Errors
    /// When it can not be written, because the disk is full say.
    pub fn finish(mut self) -> io::Result<Attachment> {
        self.flush()?;
        system::seal(&self.file)?;
        Attachment::received(self.file, self.written)
    }
}

impl Write for AttachmentWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gathered.len() + bytes.len() > GATHERED_BYTES {
            self.flush()?;
        }
        if bytes.len() > GATHERED_BYTES {
            self.file.write_all(bytes)?;
        } else {
            self.gathered.extend_from_slice(bytes);
        }
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }
}

/// Bytes that are complete and are handed from process to process as they are.
#[derive(Debug)]
pub struct Attachment {
    file: File,
    len: u64,
    /// Nobody can change it any more.
    sealed: bool,
}

impl Attachment {
    /// Takes over what another process says are so many bytes.
    ///
    /// # Errors
    /// When it is no file of that length, or memory that somebody could still change.
    pub fn received(file: File, len: u64) -> io::Result<Self> {
        let facts = file.metadata()?;
        let refused = |what: String| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        if !facts.is_file() {
            return refused("what was handed over is neither memory nor a file".into());
        }
        if facts.len() != len {
            return refused(format!("{} bytes were handed over instead of {len}", facts.len()));
        }
        match system::is_sealed(&file) {
            Some(false) => refused("the memory that was handed over is not sealed".into()),
            sealed => Ok(Self { file, len, sealed: sealed.is_some() }),
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes.
    ///
    /// # Errors
    /// When they can not be read any more.
    pub fn read(&self) -> io::Result<Content> {
        let len = usize::try_from(self.len).map_err(io::Error::other)?;
        if self.sealed && len > 0 {
            return Ok(Content::Mapped(system::Mapped::new(&self.file, len)?));
        }
        let mut bytes = vec![0; len];
        system::read_exact(&self.file, &mut bytes)?;
        Ok(Content::Read(bytes))
    }
}

/// The bytes of an [`Attachment`], for as long as they are looked at.
pub enum Content {
    /// Read where they lie.
    Mapped(system::Mapped),
    /// Read into memory.
    Read(Vec<u8>),
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(mapped) => mapped,
            Self::Read(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn much() -> Vec<u8> {
        (0..3 * GATHERED_BYTES as u32 + 7).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn what_is_written_in_pieces_of_any_size_is_read_as_it_was() {
        for step in [1_000, GATHERED_BYTES, GATHERED_BYTES + 1, 1 << 20] {
            let mut writer = AttachmentWriter::create().unwrap();
            much().chunks(step).for_each(|piece| writer.write_all(piece).unwrap());
            let attachment = writer.finish().unwrap();
            assert_eq!(attachment.len(), much().len() as u64);
            assert!(*attachment.read().unwrap() == much()[..], "{step} bytes at a time");
            assert!(*attachment.read().unwrap() == much()[..], "a second time");
        }
    }

    #[test]
    fn an_empty_one_is_empty() {
        let attachment = AttachmentWriter::create().unwrap().finish().unwrap();
        assert!(attachment.is_empty());
        assert_eq!(&*attachment.read().unwrap(), b"");
    }

    #[test]
    fn a_file_of_another_length_is_refused() {
        let mut writer = AttachmentWriter::into_file(system::nameless_file().unwrap());
        writer.write_all(b"four").unwrap();
        writer.flush().unwrap();
        let error = Attachment::received(writer.file, 5).unwrap_err();
        assert!(error.to_string().contains("4 bytes were handed over instead of 5"), "{error}");
    }

    #[test]
    fn where_there_is_no_memory_to_hand_over_a_file_does() {
        let mut writer = AttachmentWriter::into_file(system::nameless_file().unwrap());
        writer.write_all(&much()).unwrap();
        let attachment = writer.finish().unwrap();
        assert!(!attachment.sealed);
        assert!(*attachment.read().unwrap() == much()[..]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_that_says_so() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut writer = AttachmentWriter::into_file(full);
        let error = writer.write_all(&much()).and_then(|()| writer.flush()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn sealed_memory_can_not_be_changed_any_more_and_memory_without_a_seal_is_refused() {
        let mut writer = AttachmentWriter::create().unwrap();
        writer.write_all(b"as it is").unwrap();
        writer.flush().unwrap();
        let open = writer.file.try_clone().unwrap();
        let error = Attachment::received(open, 8).unwrap_err();
        assert!(error.to_string().contains("not sealed"), "{error}");
        let attachment = writer.finish().unwrap();
        assert!(attachment.sealed);
        assert!((&attachment.file).write_all(b"!").is_err());
        assert!(attachment.file.set_len(0).is_err());
        assert_eq!(&*attachment.read().unwrap(), b"as it is");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_refused() {
        let (pipe, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(pipe));
        assert!(Attachment::received(file, 0).unwrap_err().to_string().contains("neither memory nor a file"));
    }
}
