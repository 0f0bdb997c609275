//! `download.*`: what pages have the webview save.
//!
//! # Theory of operation
//! The platform tells [`Downloads`] of each step and does what it answers; the table here knows no webview. A file is
//! written beside its place, under another name, and gets its own only when it is whole: a shell that is killed leaves no
//! half file under a final name. What it leaves under the other name is listed in a file in the app's folder, and
//! removed at the next start.

use super::file_name::{self, Taken};
use super::fs::incoming::{Incoming, incoming};
use super::{Answer, Asker, answer, invalid};
use crate::platform::downloads as platform;
use crate::shell::{Shell, origin_of};
use serde_json::Value;
use staysail_protocol::CallError;
use staysail_protocol::desktop::download::{DownloadEvent, DownloadRequest, DownloadState};
use staysail_protocol::limits::{
    PAGE_DOWNLOAD_ACCEPT_S, PAGE_DOWNLOAD_BYTES_MAX, PAGE_DOWNLOAD_IDLE_S, PAGE_DOWNLOAD_LOOK_MS,
    PAGE_DOWNLOAD_TELL_MS, PAGE_DOWNLOADS_MAX,
};
use staysail_protocol::webview::Downloads as Policy;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

struct Download {
    event: DownloadEvent,
    /// Where it is written until it is whole.
    partial: Option<PathBuf>,
    /// It goes where a page wants it, if the page may write there.
    incoming: Option<Incoming>,
    /// How far it is will be told soon.
    tells: bool,
    heard: Instant,
}

/// The downloads under way. See the module.
#[derive(Default)]
pub struct Downloads {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    last: u64,
    under_way: BTreeMap<u64, Download>,
}

/// Where a download goes.
pub enum Place {
    /// Into this file, which is not there yet.
    Partial(PathBuf),
    /// Nobody knows yet; `platform::downloads::place` is called when somebody does.
    Later,
    /// Nowhere: it is to be cancelled.
    Nowhere,
}

impl Downloads {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A page asks for a download. Its number, or `None` when it may not: the platform ends it then.
    pub fn begin(&self, shell: &Arc<Shell>, label: &str, page: Option<&str>, url: &str) -> Option<u64> {
        let mut table = self.table();
        table.last += 1;
        let id = table.last;
        let event = DownloadEvent { id, label: label.into(), url: shown(url), ..DownloadEvent::default() };
        let refused = if table.under_way.len() >= PAGE_DOWNLOADS_MAX {
            Some(format!("{PAGE_DOWNLOADS_MAX} downloads are under way (page_downloads_max)"))
        } else {
            refusal(shell, label, page, url)
        };
        if let Some(reason) = refused {
            drop(table);
            tracing::warn!(window = label, url = shown(url), reason, "a download was denied");
            tell(shell, &DownloadEvent { state: DownloadState::Denied, reason, ..event });
            return None;
        }
        let now = Instant::now();
        table
            .under_way
            .insert(id, Download { event, partial: None, incoming: None, tells: false, heard: now });
        drop(table);
        shell.runtime.spawn(watch(shell.clone(), id));
        Some(id)
    }

    /// The webview knows a name for the download and asks where it goes.
    pub fn offer(&self, shell: &Arc<Shell>, id: u64, name: &str, total: Option<u64>) -> Place {
        if total.is_some_and(|total| total > PAGE_DOWNLOAD_BYTES_MAX) {
            self.fail(shell, id, &too_large());
            return Place::Nowhere;
        }
        let ask = shell.facts().config.webview.downloads == Policy::Ask && platform::CAN_WAIT;
        let mut table = self.table();
        let Some(download) = table.under_way.get_mut(&id) else { return Place::Nowhere };
        (download.event.name, download.event.total) = (file_name::harmless(name), total);
        download.heard = Instant::now();
        if ask {
            let event = download.event.clone();
            drop(table);
            tell(shell, &event);
            return Place::Later;
        }
        drop(table);
        match self.accept(shell, id, None, None) {
            Ok(partial) => Place::Partial(partial),
            Err(error) => {
                self.fail(shell, id, &error.message);
                Place::Nowhere
            }
        }
    }

    /// Decides where a download goes, and says where it is written until it is whole.
    /// A page has it go where the page may write (`incoming`), the worker wherever it likes (`path`).
    fn accept(
        &self,
        shell: &Arc<Shell>,
        id: u64,
        path: Option<PathBuf>,
        incoming: Option<Incoming>,
    ) -> Result<PathBuf, CallError> {
        let mut table = self.table();
        let download = table.under_way.get_mut(&id).ok_or_else(|| unknown(id))?;
        if download.partial.is_some() {
            return Err(invalid(format!("the download {id} has its place already")));
        }
        if let Some(incoming) = incoming {
            let partial = incoming.file().to_path_buf();
            (download.event.path, download.event.state) = (incoming.wanted(), DownloadState::Running);
            (download.partial, download.heard) = (Some(partial.clone()), Instant::now());
            download.incoming = Some(incoming);
            let event = download.event.clone();
            drop(table);
            tell(shell, &event);
            return Ok(partial);
        }
        let path = match path {
            Some(path) => path,
            None => folder()
                .ok_or_else(|| invalid("the user has no folder for downloads".into()))?
                .join(&download.event.name),
        };
        let parent = path.parent().filter(|parent| path.is_absolute() && parent.is_dir());
        let name = path.file_name().and_then(|name| name.to_str());
        let (Some(parent), Some(name)) = (parent, name) else {
            return Err(invalid(format!("{} is no absolute path in a folder that is there", path.display())));
        };
        let partial = file_name::partial(parent, name);
        download.event.path = path.display().to_string();
        download.event.state = DownloadState::Running;
        (download.partial, download.heard) = (Some(partial.clone()), Instant::now());
        let event = download.event.clone();
        let partials: Vec<PathBuf> = table.partials();
        drop(table);
        note(shell, &partials);
        tell(shell, &event);
        Ok(partial)
    }

    /// So much was received in all. Answers whether it may go on.
    pub fn received(&self, shell: &Arc<Shell>, id: u64, received: u64) -> bool {
        let mut table = self.table();
        let Some(download) = table.under_way.get_mut(&id) else { return false };
        (download.event.received, download.heard) = (received, Instant::now());
        if received > PAGE_DOWNLOAD_BYTES_MAX {
            drop(table);
            self.fail(shell, id, &too_large());
            return false;
        }
        // Told a while later: what comes meanwhile is told with it, and the last of it, too.
        if !std::mem::replace(&mut download.tells, true) {
            let shell = shell.clone();
            shell.runtime.clone().spawn(async move {
                tokio::time::sleep(Duration::from_millis(PAGE_DOWNLOAD_TELL_MS)).await;
                let event = shell.downloads.table().under_way.get_mut(&id).map(|download| {
                    download.tells = false;
                    download.event.clone()
                });
                if let Some(event) = event {
                    tell(&shell, &event);
                }
            });
        }
        true
    }

    /// It is whole: it gets its name.
    pub fn finish(&self, shell: &Arc<Shell>, id: u64) {
        let Some(mut download) = self.take(shell, id) else { return };
        let Some(partial) = download.partial else {
            (download.event.state, download.event.reason) =
                (DownloadState::Failed, "the webview did not ask where it goes".into());
            return tell(shell, &download.event);
        };
        let shell = shell.clone();
        shell.runtime.clone().spawn_blocking(move || {
            let length = std::fs::metadata(&partial).map(|file| file.len());
            let put = match download.incoming.take() {
                Some(incoming) => incoming.settle(Taken::Number).map_err(|error| error.message),
                None => file_name::put(&partial, Path::new(&download.event.path), Taken::Number)
                    .map(|path| path.display().to_string())
                    .map_err(|error| error.to_string()),
            };
            let event = &mut download.event;
            match put {
                Ok(path) => {
                    event.received = length.unwrap_or(event.received);
                    (event.path, event.state) = (path, DownloadState::Finished);
                }
                Err(reason) => {
                    let _ = std::fs::remove_file(&partial);
                    (event.state, event.reason) = (DownloadState::Failed, reason);
                }
            }
            tell(&shell, event);
        });
    }

    /// It failed: nothing of it stays.
    pub fn fail(&self, shell: &Arc<Shell>, id: u64, reason: &str) {
        self.end(shell, id, DownloadState::Failed, reason);
    }

    fn end(&self, shell: &Arc<Shell>, id: u64, state: DownloadState, reason: &str) {
        let Some(mut download) = self.take(shell, id) else { return };
        (download.event.state, download.event.reason) = (state, reason.into());
        tracing::warn!(id, url = download.event.url, ?state, reason, "a download ended before it was whole");
        tell(shell, &download.event);
        if let Some(partial) = download.partial {
            // With what keeps it: `incoming` removes the file, too.
            shell.runtime.spawn_blocking(move || {
                remove(&partial);
                drop(download.incoming);
            });
        }
    }

    fn take(&self, shell: &Arc<Shell>, id: u64) -> Option<Download> {
        let mut table = self.table();
        let download = table.under_way.remove(&id)?;
        let partials = table.partials();
        drop(table);
        if download.partial.is_some() {
            note(shell, &partials);
        }
        Some(download)
    }
}

impl Table {
    fn partials(&self) -> Vec<PathBuf> {
        let noted = self.under_way.values().filter(|download| download.incoming.is_none());
        noted.filter_map(|download| download.partial.clone()).collect()
    }
}

/// Why a page may not download this; `None` when it may.
fn refusal(shell: &Arc<Shell>, label: &str, page: Option<&str>, url: &str) -> Option<String> {
    let settings = shell.facts().config.webview;
    if settings.downloads == Policy::Deny {
        return Some("`downloads` in [webview] of staysail.toml denies them".into());
    }
    let origin = |address: &str| origin_of(address.strip_prefix("blob:").unwrap_or(address));
    let may = |address: &str| {
        origin(address).is_some_and(|origin| {
            shell.is_allowed_origin(label, &origin) || settings.download_origins.contains(&origin)
        })
    };
    let remedy = "name it in `download_origins` in [webview] of staysail.toml";
    if !page.is_some_and(may) {
        let page = page.and_then(origin).unwrap_or_else(|| "nobody knows where".into());
        return Some(format!("the page is of {page}, which may not; {remedy}"));
    }
    // What the page has made itself.
    if url.starts_with("data:") || may(url) {
        return None;
    }
    Some(format!("{} may not be downloaded from; {remedy}", origin(url).unwrap_or_else(|| shown(url))))
}

/// The user's folder for downloads; their home where there is none.
fn folder() -> Option<PathBuf> {
    dirs::download_dir().filter(|folder| folder.is_dir()).or_else(dirs::home_dir)
}

/// An address as it is told: that of a `data:` download is its content.
fn shown(url: &str) -> String {
    const CHARACTERS_MAX: usize = 2_000;
    let most = if url.starts_with("data:") { 64 } else { CHARACTERS_MAX };
    url.chars().take(most).collect()
}

fn too_large() -> String {
    format!("it is larger than {PAGE_DOWNLOAD_BYTES_MAX} bytes (page_download_bytes_max)")
}

fn unknown(id: u64) -> CallError {
    invalid(format!("no download {id} is under way"))
}

fn tell(shell: &Arc<Shell>, event: &DownloadEvent) {
    shell.tell_window_natively("download", &event.label, event);
}

/// How much of a download has come, by its file, when that is more than is known.
fn grown(partial: &Path, known: u64) -> Option<u64> {
    let length = |file: &Path| std::fs::metadata(file).map_or(0, |file| file.len());
    let longest = beside(partial).map(|file| length(&file)).chain([length(partial)]).max();
    longest.filter(|length| *length > known)
}

/// Hears of a download by its file, where the platform tells nothing of it. Answers whether it may go on.
fn look(shell: &Arc<Shell>, id: u64) -> bool {
    let known = {
        let table = shell.downloads.table();
        let Some(download) = table.under_way.get(&id) else { return false };
        download.partial.clone().map(|partial| (partial, download.event.received))
    };
    let Some((partial, known)) = known else { return true };
    grown(&partial, known).is_none_or(|received| shell.downloads.received(shell, id, received))
}

/// Ends a download that delivers nothing, or that nobody takes.
async fn watch(shell: Arc<Shell>, id: u64) {
    let pause =
        if platform::TELLS_PROGRESS { Duration::MAX } else { Duration::from_millis(PAGE_DOWNLOAD_LOOK_MS) };
    loop {
        if !platform::TELLS_PROGRESS && !look(&shell, id) {
            let _ = shell.ui.ask(move |_, _| platform::cancel(id)).await;
            return;
        }
        let left = {
            let table = shell.downloads.table();
            let Some(download) = table.under_way.get(&id) else { return };
            let (limit, name) = if download.event.state == DownloadState::Requested {
                (PAGE_DOWNLOAD_ACCEPT_S, "page_download_accept_s")
            } else {
                (PAGE_DOWNLOAD_IDLE_S, "page_download_idle_s")
            };
            Duration::from_secs(limit)
                .checked_sub(download.heard.elapsed())
                .ok_or_else(|| format!("nothing came for {limit} s ({name})"))
        };
        match left {
            Ok(left) => tokio::time::sleep(pause.min(left + Duration::from_millis(10))).await,
            Err(reason) => {
                shell.downloads.fail(&shell, id, &reason);
                let _ = shell.ui.ask(move |_, _| platform::cancel(id)).await;
                return;
            }
        }
    }
}

fn record(shell: &Shell) -> Option<PathBuf> {
    let data_dir = shell.facts().data_dir;
    (!data_dir.is_empty()).then(|| Path::new(&data_dir).with_file_name("partial-downloads.json"))
}

/// Notes which files are not whole.
fn note(shell: &Arc<Shell>, partials: &[PathBuf]) {
    let Some(record) = record(shell) else { return };
    let written = serde_json::to_vec(partials).map_err(std::io::Error::other).and_then(|text| {
        if partials.is_empty() { std::fs::remove_file(&record) } else { std::fs::write(&record, text) }
    });
    if let Err(error) = written {
        tracing::debug!(file = %record.display(), %error, "which downloads are not whole is not noted");
    }
}

/// Removes what a shell that was killed has left of downloads.
pub fn tidy_up(shell: &Arc<Shell>) {
    let Some(record) = record(shell) else { return };
    let Ok(text) = std::fs::read(&record) else { return };
    let partials: Vec<PathBuf> = serde_json::from_slice(&text).unwrap_or_default();
    for partial in partials {
        // Somebody may have changed the list: nothing is removed that could not be one of ours.
        if partial.to_str().is_some_and(|path| path.ends_with(file_name::PARTIAL)) {
            remove(&partial);
        }
    }
    let _ = std::fs::remove_file(record);
}

/// Removes what is not whole.
fn remove(partial: &Path) {
    let _ = std::fs::remove_file(partial);
    for file in beside(partial) {
        let _ = std::fs::remove_file(file);
    }
}

/// Where webviews write until a file is done: WebKitGTK and Chromium beside it.
fn beside(partial: &Path) -> impl Iterator<Item = PathBuf> {
    [".wkdownload", ".crdownload"].into_iter().map(|ending| {
        let mut file = partial.as_os_str().to_owned();
        file.push(ending);
        PathBuf::from(file)
    })
}

/// Does what is asked. A page sees and steers the downloads of its own window.
pub async fn handle(shell: &Arc<Shell>, asker: &Asker, request: DownloadRequest) -> Answer {
    let own = |event: &DownloadEvent| match asker {
        Asker::Page(visitor) => visitor.window == event.label,
        Asker::Worker(_) => true,
    };
    let known = |id: u64| {
        let table = shell.downloads.table();
        table.under_way.get(&id).filter(|download| own(&download.event)).map(drop).ok_or_else(|| unknown(id))
    };
    match request {
        DownloadRequest::List {} => {
            let table = shell.downloads.table();
            let events = table.under_way.values().map(|download| &download.event).filter(|event| own(event));
            let events: Vec<DownloadEvent> = events.cloned().collect();
            drop(table);
            answer(events)
        }
        DownloadRequest::Accept { id, path } => {
            known(id)?;
            let partial = match (asker, path) {
                (Asker::Page(visitor), Some(path)) => {
                    let incoming = incoming(shell, &visitor.window, path, Taken::Number).await?;
                    shell.downloads.accept(shell, id, None, Some(incoming))?
                }
                (_, path) => shell.downloads.accept(shell, id, path.map(PathBuf::from), None)?,
            };
            shell.ui.ask(move |_, _| platform::place(id, &partial)).await?;
            Ok(Value::Null)
        }
        DownloadRequest::Cancel { id } => {
            known(id)?;
            shell.downloads.end(shell, id, DownloadState::Cancelled, "it was cancelled");
            shell.ui.ask(move |_, _| platform::cancel(id)).await?;
            Ok(Value::Null)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{grown, remove};
    use std::path::PathBuf;

    #[test]
    fn a_download_is_heard_of_by_its_file_while_that_grows_wherever_the_webview_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let partial = folder.path().join("chart.kap.part");
        assert_eq!(grown(&partial, 0), None, "nothing has come");
        std::fs::write(&partial, [1; 10]).unwrap();
        assert_eq!(grown(&partial, 0), Some(10));
        assert_eq!(grown(&partial, 10), None, "no more has come");
        for ending in ["wkdownload", "crdownload"] {
            let beside = PathBuf::from(format!("{}.{ending}", partial.display()));
            std::fs::write(&beside, [1; 30]).unwrap();
            assert_eq!(grown(&partial, 10), Some(30), "{ending}");
            remove(&partial);
            assert!(!beside.exists() && !partial.exists(), "{ending}: nothing of it stays");
            std::fs::write(&partial, [1; 10]).unwrap();
        }
    }
}
