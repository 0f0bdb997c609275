//! `fs.*`: files, for pages.
//!
//! # Theory of operation
//! `reach` decides, by names alone, whether a path may be touched, and where it begins: a folder of the system's, of
//! the project file's or of the user's choice. `disk` goes down from there by handles of folders that follow no link
//! (`crate::platform::held`) and does what was asked. Nothing touches the disk before the first has agreed, and
//! whatever touches it runs on a thread that may block, a few at once, with a bound on the wait.
//!
//! What the webview writes for a page (a PDF, a download) comes by `incoming` and goes the same way.
//!
//! **Invariant:** no path of a page is ever given to the system whole; only names below a folder held open are.

mod disk;
mod fault;
pub mod folders;
pub mod grants;
pub mod incoming;
mod leftovers;
mod reach;

use super::invalid;
use crate::pages::Visitor;
use crate::router::Outcome;
use crate::shell::Shell;
use grants::Grants;
use reach::Reach;
use serde::Serialize;
use staysail_protocol::desktop::fs::FsRequest;
use staysail_protocol::limits::{
    FS_REQUESTS_AT_ONCE_MAX, FS_REQUESTS_WAITING_MAX, FS_TEXT_BYTES_MAX, FS_TIMEOUT_S, FS_WRITE_BYTES_MAX,
};
use staysail_protocol::scope::Access;
use staysail_protocol::{CallError, ErrorCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// What the shell knows of files: what the user chose, and who is at the disk.
pub struct Files {
    /// Paths the user chose.
    pub grants: Grants,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            grants: Grants::default(),
            turns: Arc::new(Semaphore::new(FS_REQUESTS_AT_ONCE_MAX)),
            waiting: AtomicUsize::new(0),
        }
    }
}

/// Does what a page asks. `body` holds the request's raw bytes, when it came with some.
pub async fn handle(
    shell: &Arc<Shell>,
    visitor: &Visitor,
    request: FsRequest,
    body: Option<Vec<u8>>,
) -> Outcome {
    if body.as_ref().is_some_and(|body| body.len() > FS_WRITE_BYTES_MAX) {
        let message = format!(
            "more than {FS_WRITE_BYTES_MAX} bytes (fs_write_bytes_max) at once; nothing was written. Write the file in \
             parts: `write`, then `append`"
        );
        return Err(CallError::new(ErrorCode::TooLarge, message));
    }
    let reach = Reach::of(shell, &visitor.window);
    at_the_disk(&shell.files, move || work(&reach, request, body)).await
}

/// Runs what blocks: in its turn, on a thread of its own, and not waited for beyond the bound.
async fn at_the_disk<T: Send + 'static>(
    files: &Files,
    work: impl FnOnce() -> Result<T, CallError> + Send + 'static,
) -> Result<T, CallError> {
    struct Waiting<'a>(&'a AtomicUsize);
    impl Drop for Waiting<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let waiting = files.waiting.fetch_add(1, Ordering::Relaxed);
    let waits = Waiting(&files.waiting);
    if waiting >= FS_REQUESTS_WAITING_MAX + FS_REQUESTS_AT_ONCE_MAX {
        let message = format!(
            "{FS_REQUESTS_WAITING_MAX} requests for files wait already (fs_requests_waiting_max); nothing was done. \
             Await some before the next"
        );
        return Err(CallError::new(ErrorCode::QueueFull, message));
    }
    let turns = files.turns.clone();
    let done = async move {
        let turn = turns.acquire_owned().await.map_err(|error| internal(&error))?;
        let work = move || {
            // Given back when the disk has answered, not when the page stops waiting.
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| internal(&error))?
    };
    let outcome = tokio::time::timeout(Duration::from_secs(FS_TIMEOUT_S), done).await;
    drop(waits);
    outcome.unwrap_or_else(|_| {
        let message = format!(
            "the disk did not answer within {FS_TIMEOUT_S} s (fs_timeout_s); what was asked for may still come about. \
             A drive of the network may be away"
        );
        Err(CallError::new(ErrorCode::Timeout, message))
    })
}

fn work(reach: &Reach, request: FsRequest, body: Option<Vec<u8>>) -> Outcome {
    let null = |()| (b"null".to_vec(), false);
    let bytes = |body: Option<Vec<u8>>| body.ok_or_else(|| invalid("the bytes to write are missing".into()));
    match request {
        FsRequest::ReadText { path } => {
            let place = reach.place(&path, Access::Read)?;
            json(&disk::read_text(reach, &place, FS_TEXT_BYTES_MAX)?)
        }
        FsRequest::Read { path, offset, length } => {
            disk::read(reach, &reach.place(&path, Access::Read)?, offset, length).map(|bytes| (bytes, true))
        }
        FsRequest::WriteText { path, text } if text.len() as u64 > FS_TEXT_BYTES_MAX => {
            Err(text_too_long(&path))
        }
        FsRequest::WriteText { path, text } => {
            disk::write(reach, &reach.place(&path, Access::ReadWrite)?, text.as_bytes()).map(null)
        }
        FsRequest::Write { path } => {
            disk::write(reach, &reach.place(&path, Access::ReadWrite)?, &bytes(body)?).map(null)
        }
        FsRequest::Append { path, text } => {
            let bytes = text.map_or_else(|| bytes(body), |text| Ok(text.into_bytes()))?;
            disk::append(reach, &reach.place(&path, Access::ReadWrite)?, &bytes).map(null)
        }
        FsRequest::List { path } => json(&disk::list(reach, &reach.folder(&path)?)?),
        FsRequest::Stat { path } => json(&disk::stat(reach, &reach.place(&path, Access::Read)?)?),
        FsRequest::Exists { path } => json(&disk::exists(reach, &reach.place(&path, Access::Read)?)?),
        FsRequest::CreateFolder { path } => {
            disk::create_folder(reach, &reach.place(&path, Access::ReadWrite)?).map(null)
        }
        FsRequest::Remove { path, recursive } => {
            disk::remove(reach, &reach.place(&path, Access::ReadWrite)?, recursive).map(null)
        }
        FsRequest::Rename { from, to, overwrite } => {
            let (from, to) = (reach.place(&from, Access::ReadWrite)?, reach.place(&to, Access::ReadWrite)?);
            disk::rename(reach, &from, &to, overwrite).map(null)
        }
        FsRequest::Copy { from, to, overwrite } => {
            let (from, to) = (reach.place(&from, Access::Read)?, reach.place(&to, Access::ReadWrite)?);
            disk::copy(reach, &from, &to, overwrite).map(null)
        }
    }
}

fn text_too_long(path: &str) -> CallError {
    let message = format!(
        "the text for `{path}` is longer than {FS_TEXT_BYTES_MAX} bytes (fs_text_bytes_max); nothing was written. Write \
         bytes instead"
    );
    CallError::new(ErrorCode::TooLarge, message)
}

fn json(value: &impl Serialize) -> Outcome {
    serde_json::to_vec(value).map(|body| (body, false)).map_err(|error| internal(&error))
}

fn internal(error: &dyn std::fmt::Display) -> CallError {
    CallError::new(ErrorCode::Internal, format!("the answer can not be given: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_beyond_those_at_the_disk_wait_and_beyond_those_that_wait_are_refused() {
        let files = Arc::new(Files::default());
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let mut under_way = Vec::new();
        for _ in 0..FS_REQUESTS_AT_ONCE_MAX + FS_REQUESTS_WAITING_MAX {
            let (files, held) = (files.clone(), held.clone());
            under_way.push(tokio::spawn(async move {
                let work = move || -> Outcome {
                    held.lock().unwrap().recv().unwrap();
                    Ok((Vec::new(), false))
                };
                at_the_disk(&files, work).await
            }));
            tokio::task::yield_now().await;
        }
        let refused = at_the_disk(&files, || Ok(())).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::QueueFull, "{refused}");
        for _ in 0..under_way.len() {
            release.send(()).unwrap();
        }
        for one in under_way {
            one.await.unwrap().unwrap();
        }
        at_the_disk(&files, || Ok(())).await.unwrap();
    }
}
