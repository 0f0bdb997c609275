//! Publishing over HTTP: PUT with a bearer token.
//!
//! A file appears whole or not at all. Only `timestamp.json` may ever be replaced, and only by who knows what it held
//! (`If-Match`), so two publishers can not mix their releases; everything else is written once.

use crate::files::{self, Kind};
use crate::{BLOB_BYTES_MAX, METADATA_BYTES_MAX, Shared, UPLOAD_IDLE_TIMEOUT_S, events, refuse};
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Answers PUT.
pub async fn put(shared: &Shared, path: &str, headers: &HeaderMap, body: Body) -> Response {
    match take(shared, path, headers, body).await {
        Ok(status) => status.into_response(),
        Err((status, why)) => refuse(status, &why),
    }
}

type Refusal = (StatusCode, String);

fn no(status: StatusCode, why: impl Into<String>) -> Refusal {
    (status, why.into())
}

fn disk(error: std::io::Error) -> Refusal {
    let status = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            StatusCode::INSUFFICIENT_STORAGE
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, format!("the file could not be written: {error}"))
}

async fn take(shared: &Shared, path: &str, headers: &HeaderMap, body: Body) -> Result<StatusCode, Refusal> {
    authorize(shared, headers)?;
    let kind = files::kind(path).ok_or_else(|| no(StatusCode::FORBIDDEN, "no path of a repository"))?;
    let max = if kind == Kind::Blob { BLOB_BYTES_MAX } else { METADATA_BYTES_MAX };
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > max) {
        return Err(no(StatusCode::PAYLOAD_TOO_LARGE, format!("at most {max} bytes")));
    }
    let target = shared.root.join(path.trim_start_matches('/'));
    let folder = target.parent().map(Path::to_owned).unwrap_or_default();
    tokio::fs::create_dir_all(&folder).await.map_err(disk)?;
    let temporary = Temporary(folder.join(format!(
        ".upload.{}-{}.tmp",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    )));
    let hash = receive(&temporary.0, body, max).await?;
    check_name(kind, path, &hash)?;

    let _writing = shared.writing.lock().await;
    let there = match tokio::fs::metadata(&target).await {
        Ok(_) => Some(shared.tags.of(&target).await.map_err(disk)?),
        Err(_) => None,
    };
    if kind == Kind::Timestamp {
        check_condition(headers, there.as_deref())?;
    } else if let Some(there) = &there {
        return if *there == hash {
            Ok(StatusCode::NO_CONTENT)
        } else if kind == Kind::Blob {
            // Named by its content: what is there is damaged, what came is right.
            place(&temporary.0, &target, &folder).await
        } else {
            Err(no(StatusCode::CONFLICT, "this file exists with other content and is never replaced"))
        };
    }
    let status = place(&temporary.0, &target, &folder).await?;
    if kind == Kind::Timestamp {
        events::look(shared).await;
    }
    Ok(status)
}

fn authorize(shared: &Shared, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(token) = &shared.token else {
        return Err(no(StatusCode::FORBIDDEN, "uploads are off; start the server with --publish-token-file"));
    };
    let given =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    // Equal hashes: how long the comparison takes says nothing of the token.
    match given {
        Some(given) if Sha256::digest(given) == Sha256::digest(token) => Ok(()),
        _ => Err(no(StatusCode::UNAUTHORIZED, "the publish token is missing or wrong")),
    }
}

async fn receive(path: &Path, mut body: Body, max: u64) -> Result<String, Refusal> {
    let mut file = tokio::fs::File::create_new(path).await.map_err(disk)?;
    let (mut hasher, mut length) = (Sha256::new(), 0_u64);
    loop {
        let frame = tokio::time::timeout(Duration::from_secs(UPLOAD_IDLE_TIMEOUT_S), body.frame()).await;
        let Some(frame) = frame.map_err(|_| no(StatusCode::REQUEST_TIMEOUT, "the upload stood still"))?
        else {
            break;
        };
        let frame =
            frame.map_err(|error| no(StatusCode::BAD_REQUEST, format!("the upload broke off: {error}")))?;
        let Some(bytes) = frame.data_ref() else { continue };
        length += bytes.len() as u64;
        if length > max {
            return Err(no(StatusCode::PAYLOAD_TOO_LARGE, format!("at most {max} bytes")));
        }
        hasher.update(bytes);
        file.write_all(bytes).await.map_err(disk)?;
    }
    file.sync_all().await.map_err(disk)?;
    Ok(files::hex(&hasher.finalize()))
}

fn check_name(kind: Kind, path: &str, hash: &str) -> Result<(), Refusal> {
    let named = path.split('/').any(|piece| piece.starts_with(hash));
    match kind {
        Kind::Blob | Kind::Target if !named => Err(no(
            StatusCode::BAD_REQUEST,
            format!("the content has the SHA-256 {hash}, which is not its name"),
        )),
        _ => Ok(()),
    }
}

fn check_condition(headers: &HeaderMap, there: Option<&str>) -> Result<(), Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let holds = match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (Some(wanted), _) => there.is_some_and(|there| wanted == format!("\"{there}\"")),
        (None, Some("*")) => there.is_none(),
        _ => return Err(no(StatusCode::PRECONDITION_REQUIRED, "say with If-Match what you are replacing")),
    };
    if holds { Ok(()) } else { Err(no(StatusCode::PRECONDITION_FAILED, "somebody else published meanwhile")) }
}

async fn place(temporary: &Path, target: &Path, folder: &Path) -> Result<StatusCode, Refusal> {
    let (from, to, folder): (PathBuf, PathBuf, PathBuf) = (temporary.into(), target.into(), folder.into());
    tokio::task::spawn_blocking(move || {
        std::fs::rename(from, to)?;
        if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
    })
    .await
    .map_err(|error| no(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?
    .map_err(disk)?;
    Ok(StatusCode::CREATED)
}

/// A half-written upload goes when its request does, however that ends.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
