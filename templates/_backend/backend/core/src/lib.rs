//! What the app does. It knows nothing of windows or pages, so it is quick to compile and easy to test.

use std::time::Duration;

/// How long the boat takes for one of the hundred parts of its way.
pub const PACE: Duration = Duration::from_millis(30);

/// The answer to a name.
///
/// Change the text and save: the open window answers with the new one.
pub fn greeting(name: &str) -> String {
    let name = name.trim();
    let name = if name.is_empty() { "stranger" } else { name };
    format!("Hello, {name}! This was written in Rust.")
}

/// The way of the boat, in hundredths.
pub fn voyage() -> impl Iterator<Item = u8> {
    1..=100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_gives_no_name_is_a_stranger() {
        assert!(greeting("  ").contains("stranger"));
        assert!(greeting(" Ada ").contains(" Ada!"));
    }

    #[test]
    fn the_boat_arrives() {
        assert_eq!(voyage().last(), Some(100));
    }
}
