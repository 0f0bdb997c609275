//! `clipboard.*`.

use super::{Answer, answer, invalid};
use crate::platform::native;
use crate::shell::Shell;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use staysail_protocol::desktop::clipboard::ClipboardRequest;
use std::sync::Arc;

/// Does what is asked.
pub async fn handle(shell: &Arc<Shell>, request: ClipboardRequest) -> Answer {
    match request {
        ClipboardRequest::ReadText {} => answer(native::clipboard_text(shell).await?),
        ClipboardRequest::WriteText { text } => native::clipboard_set_text(shell, text).await,
        ClipboardRequest::ReadHtml {} => answer(native::clipboard_html(shell).await?),
        ClipboardRequest::WriteHtml { html, text } => native::clipboard_set_html(shell, html, text).await,
        ClipboardRequest::ReadImage {} => {
            answer(native::clipboard_png(shell).await?.map(|png| STANDARD.encode(png)))
        }
        ClipboardRequest::WriteImage { png } => {
            let png =
                STANDARD.decode(png).map_err(|error| invalid(format!("the image is no base64: {error}")))?;
            native::clipboard_set_png(shell, png).await
        }
        ClipboardRequest::Clear {} => native::clipboard_clear(shell).await.map(|()| Value::Null),
    }
}
