//! Calls: answers, errors, cancelling, time limits.

use staysail::{AppHandle, Event, command};
use std::time::{Duration, Instant};

// #region greet
/// Greets somebody.
#[command]
pub fn greet(name: String) -> String {
    format!("Ahoy, {name}!")
}
// #endregion

// #region order
/// Why an order is refused. The page gets it as `error.details`.
#[staysail::data]
#[derive(Debug, PartialEq)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Refusal {
    /// Nothing was ordered.
    Nothing,
    /// More than there is.
    TooMany { limit: u32 },
}

/// Orders anchors, of which there are seven.
#[command]
pub fn order(pieces: u32) -> Result<String, Refusal> {
    match pieces {
        0 => Err(Refusal::Nothing),
        1..=7 => Ok(format!("{pieces} on the way")),
        _ => Err(Refusal::TooMany { limit: 7 }),
    }
}
// #endregion

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing was ordered"),
            Self::TooMany { limit } => write!(f, "there are only {limit}"),
        }
    }
}

// #region panic
/// Panics when it is given a word it does not like.
#[command]
pub fn careless(word: String) -> u32 {
    word.parse().expect("a number")
}
// #endregion

// #region cancel
/// Told when the work of `search_ocean` ends, whether it was done or given up.
#[staysail::data]
#[derive(Event)]
pub struct SearchEnded {
    /// How long it worked.
    #[data(number)]
    milliseconds: u64,
    /// It came to its end.
    done: bool,
}

/// Searches for a while. A cancelled call drops this future at its `await`, so the work really ends.
#[command]
pub async fn search_ocean(seconds: u32, app: AppHandle) -> String {
    let mut search = Search { app, begun: Instant::now(), done: false };
    tokio::time::sleep(Duration::from_secs(seconds.into())).await;
    search.done = true;
    "Found an island".into()
}

struct Search {
    app: AppHandle,
    begun: Instant,
    done: bool,
}

impl Drop for Search {
    fn drop(&mut self) {
        let milliseconds = self.begun.elapsed().as_millis() as u64;
        self.app.emit_event(&SearchEnded { milliseconds, done: self.done });
    }
}
// #endregion

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_reaches_the_page_with_its_reason() {
        assert_eq!(order(3), Ok("3 on the way".into()));
        assert_eq!(order(0), Err(Refusal::Nothing));
        let json = serde_json::to_string(&order(8).unwrap_err()).unwrap();
        assert_eq!(json, r#"{"reason":"too_many","limit":7}"#);
    }
}
