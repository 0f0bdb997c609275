//! What the app does. It knows nothing of windows or pages, so it is quick to compile and easy to test.

/// The answer to a name.
///
/// Change the text and save: the open window answers with the new one.
pub fn greeting(name: &str) -> String {
    let name = name.trim();
    let name = if name.is_empty() { "stranger" } else { name };
    format!("Hello, {name}! This was written in Rust.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_gives_no_name_is_a_stranger() {
        assert!(greeting("  ").starts_with("Hello, stranger"));
        assert!(greeting(" Ada ").starts_with("Hello, Ada!"));
    }
}
