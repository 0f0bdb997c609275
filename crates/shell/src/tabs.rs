//! Pages in browser tabs, in development: `staysail dev --browser`.
//!
//! The development tool serves the browser and checks who asks; here a tab is a page like that of a window, with a label
//! of its own and the capabilities of `main`. Requests and answers pass the control socket under a number the tool chose.
//!
//! **Invariant:** nothing is listened on here, and no tab exists but by the tool's word.

use crate::asset_groups;
use crate::bridge;
use crate::desktop::power::Wishes;
use crate::responder::{Reply, Responder};
use crate::shell::Shell;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use staysail_link::Link;
use staysail_protocol::control::{ToShell, ToTool};
use staysail_protocol::frame::Frame;
use staysail_protocol::{CallError, ErrorCode};
use std::sync::Arc;

/// Does what the tool asks for on behalf of a browser; `number` and `body` are its frame's.
pub fn heed(shell: &Arc<Shell>, link: &Link, number: u64, message: ToShell, body: Vec<u8>) {
    match message {
        ToShell::TabOpened { window, secret } => open(shell, &window, secret),
        ToShell::TabClosed { window } => {
            shell.pages.close_tab(&window);
            shell.streams.forget(&window);
            shell.bodies.forget(&window);
            shell.files.grants.forget(&window);
            Wishes::forget_page(shell, &window, u64::MAX);
        }
        ToShell::TabRequest { window } => {
            let responder = answer_to(link, number);
            if shell.pages.is_tab(&window) {
                // The tool has compared the origin, whole; the key decides here as ever.
                bridge::handle(shell, &window, None, body, responder);
            } else {
                responder.failure(&CallError::new(ErrorCode::Denied, "there is no such browser tab"));
            }
        }
        ToShell::PageFile { method, path, headers } => {
            let (shell, link) = (shell.clone(), link.clone());
            // Files are read from the disk.
            shell.runtime.clone().spawn_blocking(move || {
                let frame = page_file(&shell, number, &method, &path, headers);
                pass(&link, frame);
            });
        }
        _ => {}
    }
}

fn open(shell: &Shell, window: &str, secret: String) {
    if !shell.pages.open_tab(window, secret) {
        tracing::warn!(window, "the app has a window of this label; the browser tab gets no page");
    }
}

fn answer_to(link: &Link, number: u64) -> Responder {
    let link = link.clone();
    Responder::new(move |reply| {
        let raw = matches!(reply, Reply::Raw(_));
        let frame = Frame::new(number, &ToTool::TabAnswer { raw }, reply.into_text());
        if let Err(error) = link.pass(frame) {
            let refusal = CallError::new(ErrorCode::TooLarge, error.to_string());
            let mut text = b"-".to_vec();
            text.extend(serde_json::to_vec(&refusal).unwrap_or_default());
            pass(&link, Frame::new(number, &ToTool::TabAnswer { raw: false }, text));
        }
    })
}

fn page_file(
    shell: &Arc<Shell>,
    number: u64,
    method: &str,
    path: &str,
    headers: Vec<(String, String)>,
) -> Frame {
    let method = method.parse().unwrap_or(Method::GET);
    let headers: HeaderMap = headers
        .into_iter()
        .filter_map(|(name, value)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::try_from(value).ok()?))
        })
        .collect();
    let answer = shell.runtime.block_on(asset_groups::serve(shell, method, path, headers));
    let (parts, body) = answer.into_parts();
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_string();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    Frame::new(number, &ToTool::PageFile { status: parts.status.as_u16(), headers }, body)
}

fn pass(link: &Link, frame: Frame) {
    if let Err(error) = link.pass(frame) {
        tracing::error!(%error, "the development tool was not answered");
    }
}
