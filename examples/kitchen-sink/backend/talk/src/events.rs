//! Events: told to whoever listens, answered by nobody.

use staysail::{AppHandle, Event, command};
use std::time::Duration;

// #region ring
/// The ship's bell. In the page: `listen("bell", …)`.
#[staysail::data]
#[derive(Event)]
pub struct Bell {
    /// Which stroke it is.
    stroke: u32,
}

/// Rings the bell, for every window to hear.
#[command]
pub async fn ring(strokes: u32, app: AppHandle) {
    for stroke in 1..=strokes {
        app.emit_event(&Bell { stroke });
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}
// #endregion

// #region wave
/// Waves back to every page that waves, and to no other.
pub fn listen(app: &AppHandle) {
    app.on("wave", |from: String, window| {
        window.emit("waved-back", &format!("{from} was seen from the crow's nest"));
    });
}
// #endregion
