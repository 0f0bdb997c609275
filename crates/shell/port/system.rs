//! What the standard library would do: memory, a socket, and state that belongs to one thread. All of it is asked of the
//! C library, which is in the web process already.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::{RefCell, UnsafeCell};
use core::ffi::{c_int, c_ulong, c_void};
use core::ptr;

/// What may lie in the socket that the shell has not read yet: a megabyte is written at once where the system allows it.
const SEND_BUFFER_BYTES: c_int = 2 << 20;

// Numbers of Linux on x86-64 and arm64.
const AF_UNIX: u16 = 1;
const SOCK_STREAM_CLOEXEC: c_int = 0o2_000_001;
const SOL_SOCKET: c_int = 1;
const SO_SNDBUF: c_int = 7;
const MSG_DONTWAIT: c_int = 0x40;
/// No signal when the other side is gone.
const MSG_NOSIGNAL: c_int = 0x4000;
const EINTR: c_int = 4;
const EAGAIN: c_int = 11;

/// The C library aligns memory to this.
const MALLOC_ALIGN_BYTES: usize = 16;

#[link(name = "c")]
unsafe extern "C" {
    fn malloc(bytes: usize) -> *mut c_void;
    fn calloc(count: usize, bytes: usize) -> *mut c_void;
    fn realloc(memory: *mut c_void, bytes: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
    #[cfg(panic = "abort")]
    fn abort() -> !;
    fn pthread_self() -> c_ulong;
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn connect(descriptor: c_int, address: *const Address, bytes: u32) -> c_int;
    fn setsockopt(descriptor: c_int, level: c_int, name: c_int, value: *const c_void, bytes: u32) -> c_int;
    fn send(descriptor: c_int, bytes: *const c_void, length: usize, flags: c_int) -> isize;
    fn recv(descriptor: c_int, bytes: *mut c_void, length: usize, flags: c_int) -> isize;
    fn close(descriptor: c_int) -> c_int;
    fn __errno_location() -> *mut c_int;
}

#[cfg(panic = "abort")]
#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: takes nothing. The shell loads the page of a web process that dies again.
    unsafe { abort() }
}

/// Memory from the C library.
struct Memory;

#[global_allocator]
static MEMORY: Memory = Memory;

// SAFETY: the C library's functions keep to the same contract, for alignments up to its own; for more there is none.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > MALLOC_ALIGN_BYTES {
            return ptr::null_mut();
        }
        // SAFETY: takes any size.
        unsafe { malloc(layout.size()).cast() }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() > MALLOC_ALIGN_BYTES {
            return ptr::null_mut();
        }
        // SAFETY: takes any size.
        unsafe { calloc(1, layout.size()).cast() }
    }

    unsafe fn realloc(&self, memory: *mut u8, _layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: from one of the functions here, says the caller.
        unsafe { realloc(memory.cast(), bytes).cast() }
    }

    unsafe fn dealloc(&self, memory: *mut u8, _layout: Layout) {
        // SAFETY: from one of the functions here, says the caller.
        unsafe { free(memory.cast()) }
    }
}

/// A value that only the thread that began it can reach.
pub struct MainThread<T> {
    /// The thread, once it began.
    thread: UnsafeCell<Option<c_ulong>>,
    value: RefCell<T>,
}

// SAFETY: `thread` is written once, before any other thread can know of it (see `begin`); `value` is touched by that
// thread only.
unsafe impl<T> Sync for MainThread<T> {}

impl<T> MainThread<T> {
    pub const fn new(value: T) -> Self {
        Self { thread: UnsafeCell::new(None), value: RefCell::new(value) }
    }

    /// Gives the value to this thread.
    ///
    /// # Safety
    /// Called once, before anything else of this is called on any thread.
    pub unsafe fn begin(&self, value: T) {
        // SAFETY: nobody else reads it yet, says the caller.
        unsafe { *self.thread.get() = Some(pthread_self()) };
        *self.value.borrow_mut() = value;
    }

    /// Does something with the value; nothing on another thread.
    pub fn with<R>(&self, action: impl FnOnce(&mut T) -> R) -> Option<R> {
        // SAFETY: not written any more, see `begin`.
        let thread = unsafe { (*self.thread.get())? == pthread_self() };
        thread.then(|| action(&mut self.value.borrow_mut()))
    }
}

/// `sockaddr_un`.
#[repr(C)]
struct Address {
    family: u16,
    path: [u8; 108],
}

/// A socket to the shell, on which nothing waits.
pub struct Socket(c_int);

impl Socket {
    /// Connects to the socket of an abstract name.
    pub fn connect(name: &str) -> Option<Self> {
        let mut address = Address { family: AF_UNIX, path: [0; 108] };
        // An abstract name begins with a zero and ends where the length says.
        address.path.get_mut(1..=name.len())?.copy_from_slice(name.as_bytes());
        let length = size_of::<u16>() + 1 + name.len();
        // SAFETY: the address is as long as is said; the option's value is an int. Without the option there is less room.
        unsafe {
            let descriptor = socket(AF_UNIX.into(), SOCK_STREAM_CLOEXEC, 0);
            if descriptor < 0 {
                return None;
            }
            let this = Self(descriptor);
            let bytes = ptr::from_ref(&SEND_BUFFER_BYTES).cast();
            setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, bytes, size_of::<c_int>() as u32);
            (connect(descriptor, &raw const address, length as u32) == 0).then_some(this)
        }
    }

    pub fn descriptor(&self) -> c_int {
        self.0
    }

    /// How much of this the socket took; `None` when it has no room for now.
    ///
    /// # Errors
    /// The system's number.
    pub fn write(&self, bytes: &[u8]) -> Result<Option<usize>, c_int> {
        // SAFETY: so many bytes are there.
        answer(|| unsafe { send(self.0, bytes.as_ptr().cast(), bytes.len(), MSG_DONTWAIT | MSG_NOSIGNAL) })
    }

    /// How much there was, put into a place: nothing at the end of the stream; `None` when there is nothing for now.
    ///
    /// # Errors
    /// The system's number.
    pub fn read(&self, into: &mut [u8]) -> Result<Option<usize>, c_int> {
        // SAFETY: so much room is there.
        answer(|| unsafe { recv(self.0, into.as_mut_ptr().cast(), into.len(), MSG_DONTWAIT) })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this socket's own.
        unsafe { close(self.0) };
    }
}

/// What the system says, asked again where a signal came between.
fn answer(mut ask: impl FnMut() -> isize) -> Result<Option<usize>, c_int> {
    loop {
        if let Ok(count) = usize::try_from(ask()) {
            return Ok(Some(count));
        }
        // SAFETY: the thread's own number, always there.
        match unsafe { *__errno_location() } {
            EINTR => {}
            EAGAIN => return Ok(None),
            error => return Err(error),
        }
    }
}
