//! Keeping the machine awake on Windows (power requests) and macOS (power assertions).

#[cfg(windows)]
pub use on_windows::Hold;

#[cfg(not(windows))]
pub use on_macos::Hold;

#[cfg(windows)]
mod on_windows {
    use windows::Win32::Foundation::{CloseHandle, HANDLE};
    use windows::Win32::System::Power::{
        POWER_REQUEST_TYPE, PowerClearRequest, PowerCreateRequest, PowerRequestDisplayRequired,
        PowerRequestSystemRequired, PowerSetRequest,
    };
    use windows::Win32::System::SystemServices::POWER_REQUEST_CONTEXT_VERSION;
    use windows::Win32::System::Threading::{
        POWER_REQUEST_CONTEXT_SIMPLE_STRING, REASON_CONTEXT, REASON_CONTEXT_0,
    };
    use windows::core::{HSTRING, PWSTR};

    /// The machine is kept awake until this is dropped.
    pub struct Hold {
        request: HANDLE,
        kind: POWER_REQUEST_TYPE,
    }

    // SAFETY: a handle of the process, which any thread may use and close; it is used by its owner only.
    unsafe impl Send for Hold {}

    impl Hold {
        /// Keeps it awake.
        ///
        /// # Errors
        /// What the system said.
        pub fn take(_app: &str, reason: &str, display: bool) -> Result<Self, String> {
            let text = HSTRING::from(reason);
            let context = REASON_CONTEXT {
                Version: POWER_REQUEST_CONTEXT_VERSION,
                Flags: POWER_REQUEST_CONTEXT_SIMPLE_STRING,
                Reason: REASON_CONTEXT_0 { SimpleReasonString: PWSTR(text.as_ptr().cast_mut()) },
            };
            // SAFETY: the context and its text live through the call, which copies them.
            let request = unsafe { PowerCreateRequest(&context) }.map_err(|error| error.to_string())?;
            let kind = if display { PowerRequestDisplayRequired } else { PowerRequestSystemRequired };
            let hold = Self { request, kind };
            // SAFETY: the handle was just made.
            unsafe { PowerSetRequest(hold.request, kind) }.map_err(|error| error.to_string())?;
            Ok(hold)
        }
    }

    impl Drop for Hold {
        fn drop(&mut self) {
            // SAFETY: the handle is this value's own and is not used again.
            unsafe {
                let _ = PowerClearRequest(self.request, self.kind);
                let _ = CloseHandle(self.request);
            }
        }
    }
}

#[cfg(not(windows))]
mod on_macos {
    use std::ffi::{CString, c_char, c_void};

    type CFStringRef = *const c_void;
    const UTF8: u32 = 0x0800_0100;
    const LEVEL_ON: u32 = 255;

    #[link(name = "CoreFoundation", kind = "framework")]
    unsafe extern "C" {
        fn CFStringCreateWithCString(
            allocator: *const c_void,
            text: *const c_char,
            encoding: u32,
        ) -> CFStringRef;
        fn CFRelease(object: *const c_void);
    }

    #[link(name = "IOKit", kind = "framework")]
    unsafe extern "C" {
        fn IOPMAssertionCreateWithName(kind: CFStringRef, level: u32, name: CFStringRef, id: *mut u32)
        -> i32;
        fn IOPMAssertionRelease(id: u32) -> i32;
    }

    /// The machine is kept awake until this is dropped.
    pub struct Hold(u32);

    impl Hold {
        /// Keeps it awake.
        ///
        /// # Errors
        /// What the system said.
        pub fn take(_app: &str, reason: &str, display: bool) -> Result<Self, String> {
            let kind = if display { "PreventUserIdleDisplaySleep" } else { "PreventUserIdleSystemSleep" };
            let (kind, reason) = (Text::new(kind)?, Text::new(reason)?);
            let mut id = 0;
            // SAFETY: both texts live through the call, and the place for the number is this function's own.
            match unsafe { IOPMAssertionCreateWithName(kind.0, LEVEL_ON, reason.0, &raw mut id) } {
                0 => Ok(Self(id)),
                code => Err(format!("macOS does not keep the machine awake: error {code:#x}")),
            }
        }
    }

    impl Drop for Hold {
        fn drop(&mut self) {
            // SAFETY: the number is that of an assertion of this process, released once.
            unsafe { IOPMAssertionRelease(self.0) };
        }
    }

    struct Text(CFStringRef);

    impl Text {
        fn new(text: &str) -> Result<Self, String> {
            let text = CString::new(text).map_err(|_| "the reason holds a NUL".to_string())?;
            // SAFETY: the text is a C string of UTF-8 that lives through the call.
            let made = unsafe { CFStringCreateWithCString(std::ptr::null(), text.as_ptr(), UTF8) };
            if made.is_null() { Err("no memory for a text".into()) } else { Ok(Self(made)) }
        }
    }

    impl Drop for Text {
        fn drop(&mut self) {
            // SAFETY: made above, released once.
            unsafe { CFRelease(self.0) };
        }
    }
}
