//! Memory that can be sealed (Linux), and files without a name.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::atomic::{AtomicU64, Ordering};

/// Memory where the system has it, a file otherwise.
pub fn create() -> io::Result<File> {
    sealable_memory().or_else(|_| nameless_file())
}

/// A file in the folder for temporary ones that only this process has open, and that has no name any more.
pub fn nameless_file() -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let name = format!("staysail-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        match File::options().read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads from the start. The position of a file is shared with everybody who holds it, so it is not used.
pub fn read_exact(file: &File, into: &mut [u8]) -> io::Result<()> {
    file.read_exact_at(into, 0)
}

#[cfg(target_os = "linux")]
const SEALS: libc::c_int = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

#[cfg(target_os = "linux")]
fn sealable_memory() -> io::Result<File> {
    use std::os::fd::FromRawFd;
    let make = |flags: libc::c_uint| {
        // SAFETY: takes a name that ends in zero and flags; what comes back is a new descriptor or an error.
        unsafe { libc::memfd_create(c"staysail".as_ptr(), flags) }
    };
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // Some systems insist that it can not be executed; older ones do not know how to say so.
    let descriptor = match make(flags | libc::MFD_NOEXEC_SEAL) {
        -1 => make(flags),
        descriptor => descriptor,
    };
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open, new, and owned by nobody else.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

#[cfg(not(target_os = "linux"))]
fn sealable_memory() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Takes care that nobody can change it any more, where that is possible.
#[cfg(target_os = "linux")]
pub fn seal(file: &File) -> io::Result<()> {
    if is_sealed(file).is_none() {
        return Ok(());
    }
    // SAFETY: a call with numbers on a descriptor that is open.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEALS) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Takes care that nobody can change it any more, where that is possible.
#[cfg(not(target_os = "linux"))]
pub fn seal(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Whether nobody can change it any more; `None` for what knows no seals. A file on a disk never does, one in a folder
/// that is kept in memory (tmpfs) has only the seal that forbids others.
#[cfg(target_os = "linux")]
pub fn is_sealed(file: &File) -> Option<bool> {
    // SAFETY: a call with numbers on a descriptor that is open.
    let seals = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) };
    let can_be = seals != -1 && seals != libc::F_SEAL_SEAL;
    can_be.then_some(seals & SEALS == SEALS)
}

/// Whether nobody can change it any more; `None` for what knows no seals.
#[cfg(not(target_os = "linux"))]
pub fn is_sealed(_file: &File) -> Option<bool> {
    None
}

/// Sealed memory, read where it lies.
pub struct Mapped {
    start: std::ptr::NonNull<u8>,
    len: usize,
}

// SAFETY: the bytes are sealed, so nobody changes them; sharing and moving a pointer to them is as good as a slice.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// `file` is sealed and has `len` bytes, not zero.
    pub(super) fn new(file: &File, len: usize) -> io::Result<Self> {
        // Private, because a shared mapping of memory that is sealed against writing is refused by older kernels.
        // SAFETY: the system chooses the place; the file is sealed against being shortened, so all of it stays there.
        let start = unsafe {
            let (protection, flags) = (libc::PROT_READ, libc::MAP_PRIVATE);
            libc::mmap(std::ptr::null_mut(), len, protection, flags, file.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = std::ptr::NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: mapped for reading, of this length, until dropped, and sealed against change.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped; nothing borrows it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
