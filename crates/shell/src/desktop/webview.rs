//! `page.*`, `find.*`, `cookies.*` and `storage.*`: what the webview of a window can do.

use super::file_name::{self, Taken};
use super::fs::incoming::incoming;
use super::{Answer, Asker, answer, invalid};
use crate::app::Target;
use crate::desktop::Windows;
use crate::pages::Visitor;
use crate::platform::webview as platform;
use crate::shell::{Shell, origin_of};
use serde_json::Value;
use staysail_protocol::desktop::cookies::{Cookie, CookiesRequest, StorageRequest};
use staysail_protocol::desktop::find::{FindRequest, Found};
use staysail_protocol::desktop::page::{PageRequest, PdfLayout};
use staysail_protocol::limits::{FIND_TIMEOUT_MS, PRINT_TIMEOUT_S, STORAGE_TIMEOUT_MS};
use staysail_protocol::{CallError, ErrorCode};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// What the webview says when it is done.
pub type Done<T> = oneshot::Sender<Result<T, String>>;

/// What to find, and how.
pub enum Search {
    /// Begin anew.
    Start {
        /// The text.
        text: String,
        /// Upper and lower case are told apart.
        case: bool,
        /// Upwards.
        backwards: bool,
        /// Round and round.
        wrap: bool,
    },
    /// Go on downwards.
    Next,
    /// Go on upwards.
    Previous,
}

/// Begins something on the windows' thread and waits for what comes of it.
async fn later<T: Send + 'static>(
    shell: &Arc<Shell>,
    patience: Duration,
    limit: &str,
    begin: impl FnOnce(&mut Windows, &Target, Done<T>) -> Result<(), CallError> + Send + 'static,
) -> Result<T, CallError> {
    let (done, result) = oneshot::channel();
    shell.ui.ask(move |windows, target| begin(windows, target, done)).await??;
    match tokio::time::timeout(patience, result).await {
        Ok(Ok(Ok(value))) => Ok(value),
        Ok(Ok(Err(message))) => Err(CallError::new(ErrorCode::Internal, message)),
        Ok(Err(_)) => Err(CallError::new(ErrorCode::Cancelled, "the window was closed meanwhile")),
        Err(_) => {
            Err(CallError::new(ErrorCode::Timeout, format!("the webview did not answer in time ({limit})")))
        }
    }
}

fn window(asker: &Asker, label: Option<String>) -> Result<String, CallError> {
    let own = match asker {
        Asker::Page(visitor) => Some(visitor.window.clone()),
        Asker::Worker(_) => None,
    };
    label.or(own).ok_or_else(|| invalid("the label of the window is missing".into()))
}

/// `page.*`
pub async fn page(shell: &Arc<Shell>, asker: &Asker, request: PageRequest) -> Answer {
    match request {
        PageRequest::Print { label } => {
            let label = window(asker, label)?;
            let printed = shell.ui.ask(move |windows, _| {
                let (page, window) = (windows.page(&label)?, windows.window(&label)?);
                platform::print(page.webview(), window)
                    .map_err(|error| CallError::new(ErrorCode::Internal, error))
            });
            printed.await?.map(|()| Value::Null)
        }
        PageRequest::PrintToPdf { label, path, overwrite, layout } => {
            let label = window(asker, label)?;
            layout.check().map_err(invalid)?;
            if !Path::new(&path).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("pdf")) {
                return Err(invalid(format!("`{path}` does not end in .pdf; nothing was printed")));
            }
            let taken = if overwrite { Taken::Replace } else { Taken::Refuse };
            match asker {
                Asker::Page(visitor) => print_in_reach(shell, visitor, label, path, taken, layout).await,
                Asker::Worker(_) => print_anywhere(shell, label, PathBuf::from(path), taken, layout).await,
            }
        }
    }
}

/// For a page: where its scopes of files, or the user, let it write.
async fn print_in_reach(
    shell: &Arc<Shell>,
    visitor: &Visitor,
    label: String,
    path: String,
    taken: Taken,
    layout: PdfLayout,
) -> Answer {
    let incoming = incoming(shell, &visitor.window, path, taken).await?;
    print(shell, label, incoming.file().to_path_buf(), layout).await?;
    on_disk(move || incoming.settle(taken).map(drop)).await?;
    Ok(Value::Null)
}

/// For the worker: wherever the user may write.
async fn print_anywhere(
    shell: &Arc<Shell>,
    label: String,
    path: PathBuf,
    taken: Taken,
    layout: PdfLayout,
) -> Answer {
    let Some(folder) = path.parent().filter(|folder| path.is_absolute() && folder.is_dir()) else {
        return Err(invalid(format!(
            "`{}` is no absolute path in a folder that is there; nothing was printed",
            path.display()
        )));
    };
    if taken == Taken::Refuse && path.symlink_metadata().is_ok() {
        return Err(invalid(format!(
            "{} is there already; `overwrite` puts the new one in its place",
            path.display()
        )));
    }
    let partial = file_name::partial(folder, &path.file_name().unwrap_or_default().to_string_lossy());
    let printed = print(shell, label, partial.clone(), layout).await;
    on_disk(move || {
        let placed = printed.and_then(|()| {
            file_name::put(&partial, &path, taken).map_err(|error| {
                CallError::new(
                    ErrorCode::Internal,
                    format!("{} could not be written: {error}", path.display()),
                )
            })
        });
        if placed.is_err() {
            let _ = std::fs::remove_file(&partial);
        }
        placed.map(drop)
    })
    .await?;
    Ok(Value::Null)
}

async fn print(shell: &Arc<Shell>, label: String, file: PathBuf, layout: PdfLayout) -> Result<(), CallError> {
    later(shell, Duration::from_secs(PRINT_TIMEOUT_S), "print_timeout_s", move |windows, _, done| {
        platform::print_to_pdf(windows.page(&label)?.webview(), &file, &layout, done);
        Ok(())
    })
    .await
}

async fn on_disk(work: impl FnOnce() -> Result<(), CallError> + Send + 'static) -> Result<(), CallError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| CallError::new(ErrorCode::Internal, error.to_string()))?
}

/// `find.*`
pub async fn find(shell: &Arc<Shell>, asker: &Asker, request: FindRequest) -> Answer {
    let (label, search) = match request {
        FindRequest::Start { text, .. } if text.is_empty() => return Err(invalid("`text` is empty".into())),
        FindRequest::Start { label, text, case, backwards, wrap } => {
            (label, Search::Start { text, case, backwards, wrap })
        }
        FindRequest::Next { label } => (label, Search::Next),
        FindRequest::Previous { label } => (label, Search::Previous),
        FindRequest::Stop { label } => {
            let label = window(asker, label)?;
            let stopped = shell
                .ui
                .ask(move |windows, _| windows.page(&label).map(|page| platform::find_stop(page.webview())));
            return stopped.await?.map(|()| Value::Null);
        }
    };
    let label = window(asker, label)?;
    let found: Found =
        later(shell, Duration::from_millis(FIND_TIMEOUT_MS), "find_timeout_ms", move |windows, _, done| {
            platform::find(windows.page(&label)?.webview(), search, done);
            Ok(())
        })
        .await?;
    answer(found)
}

async fn storage_later<T: Send + 'static>(
    shell: &Arc<Shell>,
    label: Option<String>,
    begin: impl FnOnce(&platform::Store, Done<T>) + Send + 'static,
) -> Result<T, CallError> {
    let patience = Duration::from_millis(STORAGE_TIMEOUT_MS);
    later(shell, patience, "storage_timeout_ms", move |windows, _, done| {
        let page = match label {
            Some(label) => Some(windows.page(&label)?),
            None => windows.public_page(),
        };
        let store = platform::Store::of(page.map(|page| page.webview())).map_err(invalid)?;
        begin(&store, done);
        Ok(())
    })
    .await
}

fn check_url(url: &str) -> Result<(), CallError> {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    if is_web && origin_of(url).is_some() && !url.chars().any(char::is_control) {
        return Ok(());
    }
    Err(invalid(format!("`{url}` is no address that has cookies: only https:// and http:// have")))
}

/// `cookies.*`
pub async fn cookies(shell: &Arc<Shell>, request: CookiesRequest) -> Answer {
    match request {
        CookiesRequest::List { label, url } => {
            url.as_deref().map(check_url).transpose()?;
            answer(storage_later(shell, label, move |store, done| store.cookies(url.as_deref(), done)).await?)
        }
        CookiesRequest::Get { label, url, name } => {
            check_url(&url)?;
            let all: Vec<Cookie> =
                storage_later(shell, label, move |store, done| store.cookies(Some(&url), done)).await?;
            answer(all.into_iter().find(|cookie| cookie.name == name))
        }
        CookiesRequest::Set { label, mut cookie } => {
            cookie.check().map_err(invalid)?;
            if cookie.path.is_empty() {
                cookie.path = "/".into();
            }
            storage_later(shell, label, move |store, done| store.set_cookie(&cookie, done)).await?;
            Ok(Value::Null)
        }
        CookiesRequest::Remove { label, url, name } => {
            check_url(&url)?;
            let of = label.clone();
            let all: Vec<Cookie> =
                storage_later(shell, of, move |store, done| store.cookies(Some(&url), done)).await?;
            let mut removed = 0;
            for cookie in all.into_iter().filter(|cookie| cookie.name == name) {
                storage_later(shell, label.clone(), move |store, done| store.remove_cookie(&cookie, done))
                    .await?;
                removed += 1;
            }
            answer(removed)
        }
        CookiesRequest::Clear { label } => {
            use staysail_protocol::desktop::cookies::StorageKind;
            storage_later(shell, label, |store, done| store.clear(&[StorageKind::Cookies], done)).await?;
            Ok(Value::Null)
        }
    }
}

/// `storage.*`
pub async fn storage(shell: &Arc<Shell>, request: StorageRequest) -> Answer {
    let StorageRequest::Clear { label, kinds } = request;
    storage_later(shell, label, move |store, done| store.clear(&kinds, done)).await?;
    Ok(Value::Null)
}
