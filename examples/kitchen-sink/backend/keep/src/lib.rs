//! What lasts: declared state, and a service with a beginning and an end.

pub mod logbook;
pub mod state;

pub use logbook::Logbook;
pub use state::Voyage;

/// The sources of this crate, shown in the page beside what they do.
pub const SOURCES: &[(&str, &str)] = &[
    ("backend/keep/src/logbook.rs", include_str!("logbook.rs")),
    ("backend/keep/src/state.rs", include_str!("state.rs")),
];
