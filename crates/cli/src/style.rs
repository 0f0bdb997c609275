//! How the command looks on a terminal: few colours, none when nobody would see them.

use std::io::IsTerminal;
use std::sync::OnceLock;

fn coloured() -> bool {
    static COLOURED: OnceLock<bool> = OnceLock::new();
    *COLOURED.get_or_init(|| {
        let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        forced || (!refused && std::io::stderr().is_terminal())
    })
}

fn paint(code: &str, text: &str) -> String {
    if coloured() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Something went wrong.
pub fn bad(text: &str) -> String {
    paint("1;31", text)
}

/// Something went well.
pub fn good(text: &str) -> String {
    paint("32", text)
}

/// Something to look at.
pub fn warn(text: &str) -> String {
    paint("33", text)
}

/// Something less important.
pub fn dim(text: &str) -> String {
    paint("2", text)
}

/// A name, a command to type.
pub fn strong(text: &str) -> String {
    paint("1", text)
}

/// Takes terminal colours out of rustc's text when nobody would see them.
pub fn for_terminal(text: &str) -> String {
    if coloured() { text.to_owned() } else { without_colours(text) }
}

/// The text without ANSI escape sequences.
pub fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c == '\x1b' {
            for inside in characters.by_ref() {
                if inside.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            plain.push(c);
        }
    }
    plain
}

/// Bytes as people read them.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} KB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn escape_sequences_are_taken_out_and_the_text_is_left() {
        assert_eq!(super::without_colours("\x1b[1;31merror\x1b[0m: x"), "error: x");
    }
}
