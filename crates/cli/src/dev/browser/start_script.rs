//! Puts the start script of a tab into a page, in front of every other.
//!
//! **Invariant:** changes nothing else of the page, whatever the page is.

/// Where the start script is.
pub const PATH: &str = "/__staysail/tab.js";

/// The page with the start script in front of every other.
pub fn with_script(html: Vec<u8>) -> Vec<u8> {
    let at = head(&html);
    let script = format!("<script src=\"{PATH}\"></script>");
    let mut page = Vec::with_capacity(html.len() + script.len());
    page.extend_from_slice(&html[..at]);
    page.extend_from_slice(script.as_bytes());
    page.extend_from_slice(&html[at..]);
    page
}

/// Where the content of the head begins: behind the document type, comments, and the tags of `html` and `head`, each of
/// which may be missing (HTML, 13.1.2.4).
fn head(html: &[u8]) -> usize {
    let mut at = if html.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    // Where to put it when something else comes than expected: behind what must come first.
    let mut place = at;
    loop {
        at += html[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let rest = &html[at..];
        if rest.starts_with(b"<!--") {
            let Some(end) = rest.windows(3).position(|three| three == b"-->") else { return place };
            at += end + 3;
            continue;
        }
        let is_head = is_tag(rest, b"<head");
        if !(is_head || is_tag(rest, b"<html") || is_tag(rest, b"<!doctype")) {
            return place;
        }
        let Some(end) = end_of_tag(rest) else { return place };
        at += end;
        place = at;
        if is_head {
            return place;
        }
    }
}

fn is_tag(text: &[u8], tag: &[u8]) -> bool {
    text.len() > tag.len()
        && text[..tag.len()].eq_ignore_ascii_case(tag)
        && (text[tag.len()].is_ascii_whitespace() || matches!(text[tag.len()], b'>' | b'/'))
}

/// Length of a tag; a `>` inside quotes does not end it.
fn end_of_tag(text: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_comes_before_every_other_and_leaves_the_page_in_its_mode() {
        const S: &str = "<script src=\"/__staysail/tab.js\"></script>";
        let cases = [
            ("<!doctype html><html lang=de><head><title>x", "<!doctype html><html lang=de><head>|<title>x"),
            ("\u{feff}<!DOCTYPE html>\n<title>x", "\u{feff}<!DOCTYPE html>|\n<title>x"),
            (
                "<!doctype html><!-- <head> --><HEAD data-x='>'>y",
                "<!doctype html><!-- <head> --><HEAD data-x='>'>|y",
            ),
            ("<header>x", "|<header>x"),
            ("<p>x", "|<p>x"),
            ("", "|"),
            ("<!-- never ends <head>", "|<!-- never ends <head>"),
            ("<html>\n<!-- a --> <script>", "<html>|\n<!-- a --> <script>"),
        ];
        for (page, expected) in cases {
            let made = String::from_utf8(with_script(page.into())).unwrap();
            assert_eq!(made, expected.replace('|', S), "{page}");
        }
    }
}
