//! Takes attachments from process to process.
//!
//! # Theory of operation
//! Unix: a pair of datagram sockets beside the connection carries descriptors, each with the number that a frame names.
//! The descriptor is sent before that frame, so whoever reads the frame finds it there, without a wait; what was sent for
//! a frame that nobody cared for is dropped by the next look. Windows: handles are copied out of the other process and
//! into it by the side that started it, and the frame names the copy.

use super::Attachment;
use std::io;

/// One end of the way that attachments take between two processes.
#[derive(Debug)]
pub struct Courier(system::Courier);

impl Courier {
    /// Hands an attachment over, and returns the number by which the other end [receives](Self::receive) it: it goes into
    /// the frame that is sent afterwards. The attachment stays usable here.
    ///
    /// # Errors
    /// When the other process is gone, or takes no more.
    pub fn send(&self, attachment: &Attachment) -> io::Result<u64> {
        self.0.send(attachment)
    }

    /// Takes over what the other end has sent under `number`, as it says `len` bytes. Does not wait.
    ///
    /// # Errors
    /// When nothing was sent under this number, or it is not what was announced.
    pub fn receive(&self, number: u64, len: u64) -> io::Result<Attachment> {
        Attachment::received(self.0.receive(number)?, len)
    }
}

#[cfg(unix)]
mod system {
    use crate::Attachment;
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
    use std::os::unix::net::UnixDatagram;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Room for the descriptors of one message: one is sent, and what somebody adds is closed.
    const CONTROL_WORDS: usize = 8;

    #[derive(Debug)]
    pub struct Courier {
        socket: UnixDatagram,
        next: AtomicU64,
    }

    impl super::Courier {
        /// This end, and the other one for a process that is about to be started.
        ///
        /// # Errors
        /// When there are no descriptors left.
        pub fn pair() -> io::Result<(Self, OwnedFd)> {
            let (ours, theirs) = UnixDatagram::pair()?;
            Ok((Self::new(ours)?, theirs.into()))
        }

        /// The end that was inherited.
        ///
        /// # Errors
        /// When it is no socket.
        pub fn inherited(descriptor: OwnedFd) -> io::Result<Self> {
            Self::new(descriptor.into())
        }

        fn new(socket: UnixDatagram) -> io::Result<Self> {
            socket.set_nonblocking(true)?;
            Ok(Self(Courier { socket, next: AtomicU64::new(1) }))
        }
    }

    impl Courier {
        pub fn send(&self, attachment: &Attachment) -> io::Result<u64> {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let mut control = [0_u64; CONTROL_WORDS];
            let mut text = number.to_le_bytes();
            let mut piece = libc::iovec { iov_base: text.as_mut_ptr().cast(), iov_len: text.len() };
            let mut message = empty(&mut piece, &mut control);
            // SAFETY: `message` points to `control`, which is aligned and has room for one descriptor; `control`, `piece`
            // and `text` outlive the call, and the descriptor is open.
            let sent = unsafe {
                message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
                let header = libc::CMSG_FIRSTHDR(&raw const message);
                (*header).cmsg_level = libc::SOL_SOCKET;
                (*header).cmsg_type = libc::SCM_RIGHTS;
                (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
                libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(attachment.file.as_raw_fd());
                libc::sendmsg(self.socket.as_raw_fd(), &raw const message, 0)
            };
            if sent == -1 { Err(io::Error::last_os_error()) } else { Ok(number) }
        }

        pub fn receive(&self, wanted: u64) -> io::Result<File> {
            loop {
                match self.next_one() {
                    Ok((number, Some(descriptor))) if number == wanted => return Ok(descriptor.into()),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        let what = "what a message says was handed over did not come with it";
                        return Err(io::Error::new(io::ErrorKind::NotFound, what));
                    }
                    Err(error) => return Err(error),
                }
            }
        }

        fn next_one(&self) -> io::Result<(u64, Option<OwnedFd>)> {
            let mut control = [0_u64; CONTROL_WORDS];
            let mut text = [0; 8];
            let mut piece = libc::iovec { iov_base: text.as_mut_ptr().cast(), iov_len: text.len() };
            let mut message = empty(&mut piece, &mut control);
            // SAFETY: everything `message` points to outlives the call, and is as long as it says.
            let count =
                unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut message, CLOSED_IN_CHILDREN) };
            if count == -1 {
                return Err(io::Error::last_os_error());
            }
            // The first is taken, the others are closed.
            let descriptor = descriptors(&message).into_iter().next();
            let number = if count == 8 { u64::from_le_bytes(text) } else { 0 };
            descriptor.iter().try_for_each(close_in_children)?;
            Ok((number, descriptor))
        }
    }

    /// A message of one piece, with room for descriptors.
    fn empty(piece: &mut libc::iovec, control: &mut [u64; CONTROL_WORDS]) -> libc::msghdr {
        // SAFETY: all zeros is a valid value of this plain structure.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = piece;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(control) as _;
        message
    }

    /// The descriptors that came with a message. Each is owned from here on.
    fn descriptors(message: &libc::msghdr) -> Vec<OwnedFd> {
        let mut found = Vec::new();
        // SAFETY: the kernel has filled the control part; the macros stay within its length, and every descriptor in it was
        // opened for this process and is taken once.
        unsafe {
            let mut header = libc::CMSG_FIRSTHDR(message);
            while let Some(one) = header.as_ref() {
                if one.cmsg_level == libc::SOL_SOCKET && one.cmsg_type == libc::SCM_RIGHTS {
                    let whole: usize = one.cmsg_len as _;
                    let bytes = whole.saturating_sub(libc::CMSG_LEN(0) as usize);
                    let first = libc::CMSG_DATA(header).cast::<RawFd>();
                    for at in 0..bytes / size_of::<RawFd>() {
                        found.push(OwnedFd::from_raw_fd(first.add(at).read_unaligned()));
                    }
                }
                header = libc::CMSG_NXTHDR(message, header);
            }
        }
        found
    }

    #[cfg(target_os = "linux")]
    const CLOSED_IN_CHILDREN: libc::c_int = libc::MSG_CMSG_CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    const CLOSED_IN_CHILDREN: libc::c_int = 0;

    #[cfg(target_os = "linux")]
    fn close_in_children(_descriptor: &OwnedFd) -> io::Result<()> {
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn close_in_children(descriptor: &OwnedFd) -> io::Result<()> {
        // SAFETY: a call with numbers on a descriptor that is open.
        match unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

#[cfg(windows)]
mod system {
    use crate::Attachment;
    use std::fs::File;
    use std::io;
    use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
    use std::sync::Mutex;

    /// `PROCESS_DUP_HANDLE`.
    const MAY_COPY_HANDLES: u32 = 0x40;
    /// `DUPLICATE_SAME_ACCESS`.
    const SAME_ACCESS: u32 = 2;

    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn OpenProcess(access: u32, inherit: i32, process: u32) -> RawHandle;
        fn GetCurrentProcess() -> RawHandle;
        fn DuplicateHandle(
            from_process: RawHandle,
            handle: RawHandle,
            to_process: RawHandle,
            copy: *mut RawHandle,
            access: u32,
            inherit: i32,
            options: u32,
        ) -> i32;
    }

    #[derive(Debug)]
    pub enum Courier {
        /// The side that started the other, which it copies handles to and from.
        Starter(OwnedHandle),
        /// The started side, and what it has offered last: it stays open until the other has its copy.
        Started(Mutex<Option<File>>),
    }

    impl super::Courier {
        /// The end of the side that has started `process`.
        ///
        /// # Errors
        /// When there is no such process, or it may not be reached.
        pub fn to(process: u32) -> io::Result<Self> {
            // SAFETY: takes numbers; what comes back is a handle of our own or null.
            let handle = unsafe { OpenProcess(MAY_COPY_HANDLES, 0, process) };
            if handle.is_null() {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: it is open, new, and owned by nobody else.
            Ok(Self(Courier::Starter(unsafe { OwnedHandle::from_raw_handle(handle) })))
        }

        /// The end of the side that was started.
        pub fn of_started() -> Self {
            Self(Courier::Started(Mutex::default()))
        }
    }

    fn copy(from: RawHandle, handle: RawHandle, to: RawHandle) -> io::Result<RawHandle> {
        let mut copy = std::ptr::null_mut();
        // SAFETY: both processes are open; a handle that is none in its process is an error.
        match unsafe { DuplicateHandle(from, handle, to, &raw mut copy, 0, 0, SAME_ACCESS) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(copy),
        }
    }

    fn this_process() -> RawHandle {
        // SAFETY: takes nothing; the answer is a constant that stands for this process.
        unsafe { GetCurrentProcess() }
    }

    impl Courier {
        pub fn send(&self, attachment: &Attachment) -> io::Result<u64> {
            let handle = attachment.file.as_raw_handle();
            match self {
                Self::Starter(process) => {
                    Ok(copy(this_process(), handle, process.as_raw_handle())?.addr() as u64)
                }
                Self::Started(offered) => {
                    let file = attachment.file.try_clone()?;
                    let number = file.as_raw_handle().addr() as u64;
                    *offered.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(file);
                    Ok(number)
                }
            }
        }

        pub fn receive(&self, number: u64) -> io::Result<File> {
            let handle = std::ptr::without_provenance_mut(number as usize);
            let ours = match self {
                Self::Starter(process) => copy(process.as_raw_handle(), handle, this_process())?,
                Self::Started(_) => handle,
            };
            // SAFETY: a copy that was made for this process, by us or by the side that started us, and is taken once.
            Ok(unsafe { File::from_raw_handle(ours) })
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::AttachmentWriter;
    use super::*;
    use std::io::Write;

    fn attachment(text: &[u8]) -> Attachment {
        let mut writer = AttachmentWriter::create().unwrap();
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    }

    fn couple() -> (Courier, Courier) {
        let (ours, theirs) = Courier::pair().unwrap();
        (ours, Courier::inherited(theirs).unwrap())
    }

    #[test]
    fn what_is_handed_over_outlives_its_sender_and_can_be_handed_on() {
        let (worker, shell) = couple();
        let number = worker.send(&attachment(b"the state")).unwrap();
        drop(worker);
        let kept = shell.receive(number, 9).unwrap();
        let (shell, next) = couple();
        for _ in 0..2 {
            let number = shell.send(&kept).unwrap();
            assert_eq!(&*next.receive(number, 9).unwrap().read().unwrap(), b"the state");
        }
    }

    #[test]
    fn what_nobody_asked_for_is_passed_over_and_what_did_not_come_is_an_error() {
        let (ours, theirs) = couple();
        ours.send(&attachment(b"old")).unwrap();
        let number = ours.send(&attachment(b"new")).unwrap();
        assert_eq!(&*theirs.receive(number, 3).unwrap().read().unwrap(), b"new");
        let error = theirs.receive(number, 3).unwrap_err();
        assert!(error.to_string().contains("did not come"), "{error}");
    }

    #[test]
    fn a_wrong_length_is_refused() {
        let (ours, theirs) = couple();
        let number = ours.send(&attachment(b"four")).unwrap();
        assert!(theirs.receive(number, 400).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_receiver_that_takes_nothing_is_an_error_instead_of_a_wait() {
        let (ours, _theirs) = couple();
        let one = attachment(b"again");
        let refused = (0..100_000).map(|_| ours.send(&one)).find_map(Result::err).expect("room for all");
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    }
}
