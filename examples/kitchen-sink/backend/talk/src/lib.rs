//! How page and backend talk: calls, bytes, streams, events. One file for each section of the page.

pub mod binary;
pub mod calls;
pub mod events;
pub mod streams;

/// The sources of this crate, shown in the page beside what they do.
pub const SOURCES: &[(&str, &str)] = &[
    ("backend/talk/src/binary.rs", include_str!("binary.rs")),
    ("backend/talk/src/calls.rs", include_str!("calls.rs")),
    ("backend/talk/src/events.rs", include_str!("events.rs")),
    ("backend/talk/src/streams.rs", include_str!("streams.rs")),
];
