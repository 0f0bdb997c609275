//! The page's files as the shell serves them to a window, and the start script in its HTML.

use super::exchange::Exchange;
use super::{TAB_SCRIPT_PATH, plain};
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use staysail_protocol::control::{ToShell, ToTool};

/// Headers that have a say in which bytes are answered.
const ASKED: [header::HeaderName; 2] = [header::RANGE, header::IF_NONE_MATCH];

/// What the shell is asked for a browser's request.
pub fn wanted(request: &Request<Body>) -> ToShell {
    let headers = ASKED.iter().filter_map(|name| {
        let value = request.headers().get(name)?.to_str().ok()?;
        Some((name.to_string(), value.to_string()))
    });
    ToShell::PageFile {
        method: request.method().to_string(),
        path: request.uri().path().to_string(),
        headers: headers.collect(),
    }
}

/// A file of the page, from the shell.
pub async fn from_shell(exchange: &Exchange, wanted: ToShell) -> Response<Body> {
    let Some(frame) = exchange.file(&wanted).await else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "the app is ending");
    };
    let Ok(ToTool::PageFile { status, headers }) = frame.message() else {
        return plain(
            StatusCode::BAD_GATEWAY,
            "the shell can not be understood; do both have the same version?",
        );
    };
    let is_html =
        headers.iter().any(|(name, value)| name == "content-type" && value.starts_with("text/html"));
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(name, value);
    }
    // Of a part of the file (206) nobody could say where its head is.
    let is_whole = status != StatusCode::PARTIAL_CONTENT.as_u16();
    let body =
        if is_html && is_whole && !frame.body.is_empty() { with_script(frame.body) } else { frame.body };
    answer.body(Body::from(body)).unwrap_or_default()
}

/// The page with the start script in front of every other.
pub fn with_script(html: Vec<u8>) -> Vec<u8> {
    let at = head(&html);
    let script = format!("<script src=\"{TAB_SCRIPT_PATH}\"></script>");
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
