//! State that survives every exchange of the backend, and every crash.

use staysail::{Kept, command};

// #region kept
/// Declared with `.keep("voyage", Voyage::default())`: handed from each backend to the next.
#[staysail::data]
#[derive(Clone, Default)]
pub struct Voyage {
    /// Miles so far.
    pub miles: u32,
}

/// Sails on, and says how far it is.
#[command]
pub fn sail(miles: u32, voyage: Kept<Voyage>) -> u32 {
    let mut voyage = voyage.write();
    voyage.miles += miles;
    voyage.miles
}
// #endregion

/// How far it is.
#[command]
pub fn voyage(voyage: Kept<Voyage>) -> Voyage {
    voyage.read().clone()
}

// #region swap
/// The pace. Change this number while the app runs and save: the window stays, and so do the miles.
pub const KNOTS: u32 = 6;

/// The pace, and the process that serves.
#[command]
pub fn pace() -> (u32, u32) {
    (KNOTS, std::process::id())
}
// #endregion

// #region crash
/// Ends this process in the middle of a call.
#[command]
pub fn sink() {
    std::process::abort();
}
// #endregion
