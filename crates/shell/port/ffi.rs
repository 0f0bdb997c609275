//! The few functions of GLib, JavaScriptCore and WebKitGTK that the port uses. All of them are in the web process
//! already when it loads this library.
#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_void};

pub type gpointer = *mut c_void;
pub type gboolean = i32;
pub type GType = usize;
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
    GBytes,
    GVariantType,
    JSCValue,
    JSCContext,
    WebKitWebExtension,
    WebKitWebPage,
    WebKitFrame,
    WebKitScriptWorld
);

pub const G_IO_IN: u32 = 1;
pub const G_IO_OUT: u32 = 4;
pub const G_IO_ERR: u32 = 8;
pub const G_IO_HUP: u32 = 16;
/// `G_TYPE_MAKE_FUNDAMENTAL(5)`.
pub const G_TYPE_BOOLEAN: GType = 5 << 2;
pub const JSC_TYPED_ARRAY_UINT8: u32 = 5;

/// The arguments of a function called by script.
#[repr(C)]
pub struct GPtrArray {
    pub pdata: *mut gpointer,
    pub len: u32,
}

unsafe extern "C" {
    pub fn g_object_ref(object: *mut GObject) -> *mut GObject;
    pub fn g_object_unref(object: *mut GObject);
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
    pub fn g_bytes_get_data(bytes: *mut GBytes, size: *mut usize) -> *const c_void;
    pub fn g_bytes_new_with_free_func(
        data: *const c_void,
        size: usize,
        free: GDestroyNotify,
        data_of_free: gpointer,
    ) -> *mut GBytes;
    pub fn g_bytes_unref(bytes: *mut GBytes);

    pub fn jsc_context_set_value(context: *mut JSCContext, name: *const c_char, value: *mut JSCValue);
    pub fn jsc_value_get_type() -> GType;
    pub fn jsc_value_get_context(value: *mut JSCValue) -> *mut JSCContext;
    pub fn jsc_value_is_function(value: *mut JSCValue) -> gboolean;
    pub fn jsc_value_is_typed_array(value: *mut JSCValue) -> gboolean;
    pub fn jsc_value_new_null(context: *mut JSCContext) -> *mut JSCValue;
    pub fn jsc_value_new_boolean(context: *mut JSCContext, value: gboolean) -> *mut JSCValue;
    pub fn jsc_value_new_number(context: *mut JSCContext, number: f64) -> *mut JSCValue;
    pub fn jsc_value_new_string_from_bytes(context: *mut JSCContext, bytes: *mut GBytes) -> *mut JSCValue;
    pub fn jsc_value_new_typed_array(context: *mut JSCContext, kind: u32, length: usize) -> *mut JSCValue;
    pub fn jsc_value_typed_array_get_buffer(array: *mut JSCValue) -> *mut JSCValue;
    pub fn jsc_value_new_function_variadic(
        context: *mut JSCContext,
        name: *const c_char,
        callback: GCallback,
        user_data: gpointer,
        destroy: GDestroyNotify,
        return_type: GType,
    ) -> *mut JSCValue;
    pub fn jsc_value_to_double(value: *mut JSCValue) -> f64;
    pub fn jsc_value_to_string_as_bytes(value: *mut JSCValue) -> *mut GBytes;
    pub fn jsc_value_typed_array_get_data(value: *mut JSCValue, length: *mut usize) -> gpointer;
    pub fn jsc_value_function_callv(
        function: *mut JSCValue,
        n_parameters: u32,
        parameters: *const *mut JSCValue,
    ) -> *mut JSCValue;

    pub fn webkit_script_world_get_default() -> *mut WebKitScriptWorld;
    pub fn webkit_frame_is_main_frame(frame: *mut WebKitFrame) -> gboolean;
    pub fn webkit_frame_get_js_context_for_script_world(
        frame: *mut WebKitFrame,
        world: *mut WebKitScriptWorld,
    ) -> *mut JSCContext;
    pub fn webkit_web_page_get_uri(page: *mut WebKitWebPage) -> *const c_char;
}
