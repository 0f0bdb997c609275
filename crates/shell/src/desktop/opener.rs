//! `opener.*`.

use super::{Answer, invalid};
use crate::platform::native;
use serde_json::Value;
use staysail_protocol::desktop::opener::OpenerRequest;
use staysail_protocol::{CallError, ErrorCode};
use std::path::{Path, PathBuf};

/// Kinds of addresses that are handed to other programs. Not among them: `file:` and whatever else runs something.
const SCHEMES: [&str; 4] = ["https://", "http://", "mailto:", "tel:"];

/// Does what is asked.
pub async fn handle(request: OpenerRequest) -> Answer {
    let opened = match request {
        OpenerRequest::OpenUrl { url } => {
            if !is_harmless(&url) {
                return Err(invalid(format!(
                    "`{url}` is not opened: only https:, http:, mailto: and tel: are; for a file there is open_path"
                )));
            }
            tokio::task::spawn_blocking(move || open::that_detached(&url)).await
        }
        OpenerRequest::OpenPath { path } => {
            let path = existing(&path)?;
            tokio::task::spawn_blocking(move || open::that_detached(&path)).await
        }
        OpenerRequest::Reveal { path } => {
            let path = existing(&path)?;
            tokio::task::spawn_blocking(move || native::reveal(&path)).await
        }
    };
    let failed =
        |error: String| CallError::new(ErrorCode::Internal, format!("no program could be started: {error}"));
    opened
        .map_err(|error| failed(error.to_string()))?
        .map(|()| Value::Null)
        .map_err(|error| failed(error.to_string()))
}

/// Whether an address can be handed to another program: it runs nothing.
pub(crate) fn is_harmless(url: &str) -> bool {
    let lower = url.to_ascii_lowercase();
    SCHEMES.iter().any(|scheme| lower.starts_with(scheme)) && !url.chars().any(char::is_control)
}

fn existing(path: &str) -> Result<PathBuf, CallError> {
    let found = Path::new(path);
    if !found.is_absolute() || !found.exists() {
        return Err(invalid(format!("`{path}` is no absolute path of something that is there")));
    }
    Ok(found.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::is_harmless;

    #[test]
    fn only_addresses_that_run_nothing_are_opened() {
        for (url, opened) in [
            ("https://example.com", true),
            ("HTTPS://example.com", true),
            ("mailto:a@b.c", true),
            ("file:///etc/passwd", false),
            ("javascript:alert(1)", false),
            ("smb://host/share/x.exe", false),
            ("/usr/bin/xterm", false),
            (" https://example.com", false),
            ("https://example.com\n--new-window", false),
        ] {
            assert_eq!(is_harmless(url), opened, "{url:?}");
        }
    }
}
