//! The few functions of GLib, JavaScriptCore and WebKitGTK that the port uses. All of them are in the web process
//! already when it loads this library. JavaScriptCore is asked by its own interface for C: GLib's over it wraps every
//! value into an object and knows no quick way to a long text.
#![allow(non_camel_case_types)]

use core::ffi::{c_char, c_void};

pub type gpointer = *mut c_void;
pub type gboolean = i32;
pub type GCallback = Option<unsafe extern "C" fn()>;
pub type GDestroyNotify = Option<unsafe extern "C" fn(gpointer)>;
pub type GUnixFDSourceFunc = unsafe extern "C" fn(i32, u32, gpointer) -> gboolean;

/// Objects that are only ever pointed at.
macro_rules! opaque {
    ($($name:ident),*) => { $(#[repr(C)] pub struct $name { _private: [u8; 0] })* };
}
opaque!(
    GObject,
    GVariant,
    GVariantType,
    JSContext,
    JSObject,
    JSString,
    WebKitWebExtension,
    WebKitWebPage,
    WebKitFrame,
    WebKitScriptWorld
);

/// Where script runs: the context of a frame, or one within it.
pub type JSContextRef = *const JSContext;
/// Any value of script; an object is one as well.
pub type JSValueRef = *const JSObject;
pub type JSObjectRef = *mut JSObject;
pub type JSStringRef = *mut JSString;
/// A function that script calls: context, function, `this`, number of arguments, arguments, exception.
pub type JSObjectCallAsFunctionCallback = unsafe extern "C" fn(
    JSContextRef,
    JSObjectRef,
    JSObjectRef,
    usize,
    *const JSValueRef,
    *mut JSValueRef,
) -> JSValueRef;

pub const G_IO_IN: u32 = 1;
pub const G_IO_OUT: u32 = 4;
pub const G_IO_ERR: u32 = 8;
pub const G_IO_HUP: u32 = 16;
/// `kJSTypedArrayTypeUint8Array`.
pub const JS_UINT8_ARRAY: u32 = 3;

unsafe extern "C" {
    pub fn g_object_weak_ref(
        object: *mut GObject,
        notify: unsafe extern "C" fn(gpointer, gpointer),
        data: gpointer,
    );
    pub fn g_signal_connect_data(
        instance: *mut GObject,
        signal: *const c_char,
        handler: GCallback,
        data: gpointer,
        destroy: Option<unsafe extern "C" fn(gpointer, gpointer)>,
        flags: u32,
    ) -> u64;
    pub fn g_unix_fd_add_full(
        priority: i32,
        descriptor: i32,
        condition: u32,
        function: GUnixFDSourceFunc,
        data: gpointer,
        destroy: GDestroyNotify,
    ) -> u32;
    pub fn g_idle_add_full(
        priority: i32,
        function: unsafe extern "C" fn(gpointer) -> gboolean,
        data: gpointer,
        destroy: GDestroyNotify,
    ) -> u32;
    pub fn g_variant_is_of_type(value: *const GVariant, kind: *const GVariantType) -> gboolean;
    pub fn g_variant_get_string(value: *const GVariant, length: *mut usize) -> *const c_char;

    pub fn JSContextGetGlobalContext(context: JSContextRef) -> *mut JSContext;
    pub fn JSContextGetGlobalObject(context: JSContextRef) -> JSObjectRef;
    pub fn JSGlobalContextRetain(context: *mut JSContext) -> *mut JSContext;
    pub fn JSGlobalContextRelease(context: *mut JSContext);
    pub fn JSObjectMakeFunctionWithCallback(
        context: JSContextRef,
        name: JSStringRef,
        callback: JSObjectCallAsFunctionCallback,
    ) -> JSObjectRef;
    pub fn JSObjectSetProperty(
        context: JSContextRef,
        object: JSObjectRef,
        name: JSStringRef,
        value: JSValueRef,
        attributes: u32,
        exception: *mut JSValueRef,
    );
    pub fn JSObjectIsFunction(context: JSContextRef, object: JSObjectRef) -> bool;
    pub fn JSObjectCallAsFunction(
        context: JSContextRef,
        function: JSObjectRef,
        this: JSObjectRef,
        count: usize,
        arguments: *const JSValueRef,
        exception: *mut JSValueRef,
    ) -> JSValueRef;
    pub fn JSObjectMakeTypedArray(
        context: JSContextRef,
        kind: u32,
        length: usize,
        exception: *mut JSValueRef,
    ) -> JSObjectRef;
    pub fn JSObjectGetTypedArrayBytesPtr(
        context: JSContextRef,
        array: JSObjectRef,
        exception: *mut JSValueRef,
    ) -> *mut c_void;
    pub fn JSObjectGetTypedArrayByteOffset(
        context: JSContextRef,
        array: JSObjectRef,
        exception: *mut JSValueRef,
    ) -> usize;
    pub fn JSObjectGetTypedArrayByteLength(
        context: JSContextRef,
        array: JSObjectRef,
        exception: *mut JSValueRef,
    ) -> usize;
    pub fn JSObjectGetTypedArrayBuffer(
        context: JSContextRef,
        array: JSObjectRef,
        exception: *mut JSValueRef,
    ) -> JSObjectRef;
    pub fn JSValueGetTypedArrayType(
        context: JSContextRef,
        value: JSValueRef,
        exception: *mut JSValueRef,
    ) -> u32;
    pub fn JSValueIsObject(context: JSContextRef, value: JSValueRef) -> bool;
    pub fn JSValueMakeNull(context: JSContextRef) -> JSValueRef;
    pub fn JSValueMakeBoolean(context: JSContextRef, value: bool) -> JSValueRef;
    pub fn JSValueMakeNumber(context: JSContextRef, number: f64) -> JSValueRef;
    pub fn JSValueMakeString(context: JSContextRef, string: JSStringRef) -> JSValueRef;
    pub fn JSValueToNumber(context: JSContextRef, value: JSValueRef, exception: *mut JSValueRef) -> f64;
    pub fn JSValueToStringCopy(
        context: JSContextRef,
        value: JSValueRef,
        exception: *mut JSValueRef,
    ) -> JSStringRef;
    pub fn JSValueProtect(context: JSContextRef, value: JSValueRef);
    pub fn JSValueUnprotect(context: JSContextRef, value: JSValueRef);
    pub fn JSStringCreateWithUTF8CString(text: *const c_char) -> JSStringRef;
    pub fn JSStringGetLength(string: JSStringRef) -> usize;
    pub fn JSStringGetCharactersPtr(string: JSStringRef) -> *const u16;
    pub fn JSStringRelease(string: JSStringRef);

    pub fn webkit_script_world_get_default() -> *mut WebKitScriptWorld;
    pub fn webkit_frame_is_main_frame(frame: *mut WebKitFrame) -> gboolean;
    pub fn webkit_frame_get_javascript_context_for_script_world(
        frame: *mut WebKitFrame,
        world: *mut WebKitScriptWorld,
    ) -> *mut JSContext;
    pub fn webkit_web_page_get_uri(page: *mut WebKitWebPage) -> *const c_char;
}
