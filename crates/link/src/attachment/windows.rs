//! Files that go with their last handle.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::sync::atomic::{AtomicU64, Ordering};

/// `FILE_SHARE_DELETE`: others may remove it, who open it by its name; nobody may read or write it.
const SHARE_DELETE: u32 = 4;
/// `FILE_ATTRIBUTE_TEMPORARY`: kept in memory where there is room.
const TEMPORARY: u32 = 0x100;
/// `FILE_FLAG_DELETE_ON_CLOSE`.
const DELETE_ON_CLOSE: u32 = 0x0400_0000;

/// A file that is gone with its last handle.
pub fn create() -> io::Result<File> {
    nameless_file()
}

/// As [`create`].
pub fn nameless_file() -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let name = format!("staysail-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        options.share_mode(SHARE_DELETE).attributes(TEMPORARY).custom_flags(DELETE_ON_CLOSE);
        match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result,
        }
    }
}

/// Reads from the start, whatever the file's position is.
pub fn read_exact(file: &File, mut into: &mut [u8]) -> io::Result<()> {
    let mut at = 0;
    while !into.is_empty() {
        match file.seek_read(into, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                at += count as u64;
                into = &mut into[count..];
            }
        }
    }
    Ok(())
}

/// There are no seals here.
pub fn seal(_file: &File) -> io::Result<()> {
    Ok(())
}

/// There are no seals here.
pub fn is_sealed(_file: &File) -> Option<bool> {
    None
}

/// Never made: only sealed memory is read where it lies.
pub struct Mapped(Infallible);

impl Mapped {
    pub(super) fn new(_file: &File, _len: usize) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self.0 {}
    }
}
