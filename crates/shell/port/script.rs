//! Values of script: functions kept alive, texts, bytes, and the call that hands an answer over.
//!
//! What is on the stack of this thread JavaScriptCore sees and keeps; what lies elsewhere has to be protected, as
//! [`Callback`] does.

use crate::ffi::*;
use crate::wire::Kind;
use alloc::vec::Vec;
use core::ffi::CStr;
use core::ptr;

/// Answers of this size and more go to the page as bytes, texts too: the page's decoder is many times faster than the
/// interface for C.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// A function of the page, kept alive with its context.
pub struct Callback {
    context: *mut JSContext,
    function: JSObjectRef,
}

impl Callback {
    /// # Safety
    /// Both must be live; on the main thread.
    pub unsafe fn of(context: *mut JSContext, function: JSObjectRef) -> Self {
        // SAFETY: live, says the caller. What is taken here is given back in `drop`.
        unsafe {
            JSGlobalContextRetain(context);
            JSValueProtect(context, function);
        }
        Self { context, function }
    }
}

impl Clone for Callback {
    fn clone(&self) -> Self {
        // SAFETY: this one keeps both alive.
        unsafe { Self::of(self.context, self.function) }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        // SAFETY: taken in `of`, on the main thread; runs no script.
        unsafe {
            JSValueUnprotect(self.context, self.function);
            JSGlobalContextRelease(self.context);
        }
    }
}

/// The arguments of a call.
///
/// # Safety
/// Both must be what JSC passed; the slice must not outlive the call.
pub unsafe fn arguments<'a>(count: usize, values: *const JSValueRef) -> &'a [JSValueRef] {
    // SAFETY: so many are there.
    if count == 0 { &[] } else { unsafe { core::slice::from_raw_parts(values, count) } }
}

/// The memory of a `Uint8Array`.
///
/// # Safety
/// The value must be one and live, and no script may run as long as the slice is used.
pub unsafe fn bytes_of<'a>(context: JSContextRef, array: JSValueRef) -> &'a [u8] {
    // SAFETY: the memory begins where that of the array's buffer does, plus its place in it.
    unsafe {
        let array = array.cast_mut();
        let buffer = JSObjectGetTypedArrayBytesPtr(context, array, ptr::null_mut()).cast::<u8>();
        if buffer.is_null() {
            return &[];
        }
        let from = JSObjectGetTypedArrayByteOffset(context, array, ptr::null_mut());
        let length = JSObjectGetTypedArrayByteLength(context, array, ptr::null_mut());
        core::slice::from_raw_parts(buffer.add(from), length)
    }
}

/// A text of script.
pub struct Text(JSStringRef);

impl Text {
    /// A new one.
    pub fn new(text: &CStr) -> Self {
        // SAFETY: the string is ours until it is given back in `drop`.
        Self(unsafe { JSStringCreateWithUTF8CString(text.as_ptr()) })
    }

    /// A value's text; empty when it has none.
    ///
    /// # Safety
    /// Both must be live.
    pub unsafe fn of(context: JSContextRef, value: JSValueRef) -> Self {
        // SAFETY: the string is ours until it is given back in `drop`; null when the value has no text.
        Self(unsafe { JSValueToStringCopy(context, value, ptr::null_mut()) })
    }

    /// For functions that take a string and keep nothing of it.
    pub fn as_ptr(&self) -> JSStringRef {
        self.0
    }

    /// Its units of UTF-16.
    pub fn units(&self) -> &[u16] {
        if self.0.is_null() {
            return &[];
        }
        // SAFETY: the units never change and live as long as the string.
        unsafe {
            let (units, length) = (JSStringGetCharactersPtr(self.0), JSStringGetLength(self.0));
            if units.is_null() { &[] } else { core::slice::from_raw_parts(units, length) }
        }
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the reference taken in `new` or `of`.
            unsafe { JSStringRelease(self.0) };
        }
    }
}

/// Calls the start script's callback with a ticket and its answer.
pub fn hand(callback: &Callback, ticket: u64, kind: Kind, mut body: Vec<u8>) {
    let context = callback.context;
    // SAFETY: the callback keeps its context alive. The values are on the stack, where JSC looks for what is used; the
    // array is as long as it says, and the text ends with a zero.
    unsafe {
        let mut buffer = ptr::null();
        if kind == Kind::Raw || body.len() >= TEXT_BYTES_MAX {
            // Memory of our own is not let into WebKit's cage for buffers: the bytes are copied.
            let array = JSObjectMakeTypedArray(context, JS_UINT8_ARRAY, body.len(), ptr::null_mut());
            if !array.is_null() {
                let data = JSObjectGetTypedArrayBytesPtr(context, array, ptr::null_mut()).cast::<u8>();
                if !data.is_null() {
                    ptr::copy_nonoverlapping(body.as_ptr(), data, body.len());
                }
                buffer = JSObjectGetTypedArrayBuffer(context, array, ptr::null_mut()).cast_const();
            }
            if buffer.is_null() {
                body = too_large(body.len());
            }
        }
        let value = if buffer.is_null() {
            // JSON writes a zero as an escape: the only one is at the end.
            body.push(0);
            let text = Text(JSStringCreateWithUTF8CString(body.as_ptr().cast()));
            JSValueMakeString(context, text.0)
        } else {
            buffer
        };
        let arguments = [
            JSValueMakeNumber(context, ticket as f64),
            value,
            JSValueMakeBoolean(context, kind != Kind::Raw),
        ];
        JSObjectCallAsFunction(
            context,
            callback.function,
            ptr::null_mut(),
            arguments.len(),
            arguments.as_ptr(),
            ptr::null_mut(),
        );
    }
}

/// The answer in place of one that the page has no memory for.
fn too_large(mut length: usize) -> Vec<u8> {
    let mut digits = Vec::new();
    while length > 0 || digits.is_empty() {
        digits.insert(0, b'0' + (length % 10) as u8);
        length /= 10;
    }
    let before = br#"-{"code":"TooLarge","message":"the webview has no memory for an answer of "#;
    let after = br#" bytes; ask for less at once, or send it as a stream"}"#;
    [&before[..], &digits, after].concat()
}
