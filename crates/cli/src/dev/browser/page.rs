//! The page's files as the shell serves them to a window, with the start script in its HTML.

use super::exchange::Exchange;
use super::plain;
use super::start_script::with_script;
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
