//! Asset groups: files of the page that are fetched when they are first asked for, by an address or by `assets.fetch`.
//!
//! # Theory of operation
//! [`OnDemand`] brings single files, each once. Here is what pages see of it: an address waits until its file is there, a
//! group is fetched a few files at a time and told of while it comes, and groups that the project file says so are
//! fetched ahead. In development all files lie in the project's folder, so every group is there.
//!
//! **Invariant:** no byte is handed out that the release does not name by its hash; what is not in the release is not
//! fetched, whatever a page asks for.

use crate::assets::{Answer, Served, Source, Wanted};
use crate::desktop::Asker;
use crate::shell::Shell;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use serde_json::Value;
use staysail_protocol::assets::{
    AssetFault, AssetUnavailable, AssetsEvent, AssetsRequest, GroupState, Prefetch, Presence, REASON_HEADER,
};
use staysail_protocol::limits::{ASSETS_AT_ONCE_MAX, ASSETS_IDLE_S, ASSETS_RETRY_S, ASSETS_TELL_MS};
use staysail_protocol::manifest::FileEntry;
use staysail_protocol::policy::Metered;
use staysail_protocol::{CallError, ErrorCode};
use staysail_update::engine::{OnDemand, Unavailable};
use staysail_update::store::Release;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

const EVENT: &str = "staysail:assets";

/// A request under way: window and page load, or no window and the worker; and its number.
type Request = (String, u64, u64);

/// What the shell knows of asset groups.
#[derive(Default)]
pub struct AssetGroups {
    /// Absent in development.
    on_demand: OnceLock<OnDemand>,
    /// In development: the names the project file gives.
    declared: OnceLock<Vec<String>>,
    /// Requests that can be cancelled.
    requests: Mutex<HashMap<Request, oneshot::Sender<()>>>,
    /// When a page asked for a file last.
    asked: Mutex<Option<Instant>>,
}

impl AssetGroups {
    /// Names who fetches files; the first one stays.
    pub fn fetch_with(&self, on_demand: OnDemand) {
        let _ = self.on_demand.set(on_demand);
    }

    /// Names the groups of a project in development; the first ones stay.
    pub fn declare(&self, names: Vec<String>) {
        let _ = self.declared.set(names);
    }

    fn on_demand(&self) -> Result<&OnDemand, Unavailable> {
        self.on_demand.get().ok_or_else(|| Unavailable {
            reason: AssetFault::Missing,
            message: "this shell fetches no files".into(),
        })
    }

    fn now_asked(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn requests(&self) -> std::sync::MutexGuard<'_, HashMap<Request, oneshot::Sender<()>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers a request for a file of the page, once it is there.
pub async fn serve(shell: &Arc<Shell>, method: Method, path: &str, headers: HeaderMap) -> Answer {
    match shell.assets.look_up(("", false), &method, path, &headers) {
        Served::Answer(answer) => answer,
        Served::OnDemand(wanted) => deliver(shell, *wanted, method, headers).await,
    }
}

/// Answers a request for a file of a group, once it is there.
pub async fn deliver(shell: &Arc<Shell>, wanted: Wanted, method: Method, headers: HeaderMap) -> Answer {
    shell.groups.now_asked();
    let Wanted { release, group, entry } = wanted;
    let brought = match shell.groups.on_demand() {
        Ok(on_demand) => on_demand.file(&release, &entry).await,
        Err(error) => Err(error),
    };
    let bytes = match brought {
        Ok(bytes) => bytes,
        Err(error) => return shell.assets.guarded(refusal(&group, &entry, &error)),
    };
    let (shell_then, path) = (shell.clone(), entry.path);
    // Large files are hashed for their tag.
    let respond = move || shell_then.assets.respond(&method, &path, bytes, &headers);
    let answer = shell.runtime.spawn_blocking(respond).await;
    shell.assets.guarded(answer.unwrap_or_else(|_| Response::new(Vec::new())))
}

/// The answer to an address whose file can not be had.
fn refusal(group: &str, entry: &FileEntry, error: &Unavailable) -> Answer {
    let status = match error.reason {
        AssetFault::Missing => StatusCode::NOT_FOUND,
        AssetFault::Damaged => StatusCode::BAD_GATEWAY,
        AssetFault::Offline | AssetFault::Disk => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut answer = Response::new(serde_json::to_vec(&facts(group, entry, error)).unwrap_or_default());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(REASON_HEADER, HeaderValue::from_static(error.reason.name()));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn facts(group: &str, entry: &FileEntry, error: &Unavailable) -> AssetUnavailable {
    AssetUnavailable { group: group.to_owned(), path: entry.path.clone(), reason: error.reason }
}

fn unavailable(group: &str, entry: &FileEntry, error: &Unavailable) -> CallError {
    let message = format!(
        "`{}` of the asset group `{group}` can not be had: {error}. What is here goes on working; ask again later",
        entry.path
    );
    CallError {
        details: serde_json::to_value(facts(group, entry, error)).unwrap_or_default(),
        ..CallError::new(ErrorCode::AssetUnavailable, message)
    }
}

/// Does what a page or the backend asks.
///
/// # Errors
/// [`ErrorCode::AssetUnavailable`], [`ErrorCode::Cancelled`]; [`ErrorCode::InvalidArguments`] for a group that is none.
pub async fn handle(shell: &Arc<Shell>, asker: &Asker, request: AssetsRequest) -> Result<Value, CallError> {
    let number = |id| match asker {
        Asker::Page(visitor) => (visitor.window.clone(), visitor.generation, id),
        Asker::Worker(worker) => (String::new(), *worker, id),
    };
    let answer = match request {
        AssetsRequest::Fetch { group, id } => {
            let (cancel, cancelled) = oneshot::channel();
            shell.groups.requests().insert(number(id), cancel);
            let fetched = tokio::select! {
                fetched = fetch(shell, &group) => fetched,
                Ok(()) = cancelled => {
                    Err(CallError::new(ErrorCode::Cancelled, format!("fetching `{group}` was cancelled")))
                }
            };
            shell.groups.requests().remove(&number(id));
            serde_json::to_value(fetched?)
        }
        AssetsRequest::Cancel { id } => {
            if let Some(cancel) = shell.groups.requests().remove(&number(id)) {
                let _ = cancel.send(());
            }
            Ok(Value::Null)
        }
        AssetsRequest::State { group } => {
            serde_json::to_value(states(shell, Some(&group)).await?.into_iter().next())
        }
        AssetsRequest::List {} => serde_json::to_value(states(shell, None).await?),
    };
    answer.map_err(|error| CallError::new(ErrorCode::Internal, error.to_string()))
}

fn release(shell: &Shell) -> Option<Release> {
    match shell.assets.source() {
        Source::Release(release) => Some(release),
        Source::Folder(_) | Source::Nothing => None,
    }
}

fn no_group<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> CallError {
    let known: Vec<_> = known.map(|name| format!("`{name}`")).collect();
    let known = if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) };
    let message =
        format!("the app has no asset group `{name}`: {known} (`[assets.groups]` in staysail.toml)");
    CallError::new(ErrorCode::InvalidArguments, message)
}

/// How one group is, or all of them.
async fn states(shell: &Arc<Shell>, wanted: Option<&str>) -> Result<Vec<GroupState>, CallError> {
    let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted == name);
    let Some(release) = release(shell) else {
        let declared = shell.groups.declared.get().map(Vec::as_slice).unwrap_or_default();
        let here = |name: &String| GroupState {
            group: name.clone(),
            state: Presence::Ready,
            ..GroupState::default()
        };
        let found: Vec<_> = declared.iter().filter(|name| is_wanted(name)).map(here).collect();
        return match wanted.filter(|_| found.is_empty()) {
            Some(name) => Err(no_group(name, declared.iter())),
            None => Ok(found),
        };
    };
    let groups = &release.manifest().groups;
    let names: Vec<String> = groups.keys().filter(|name| is_wanted(name)).cloned().collect();
    if let Some(name) = wanted.filter(|_| names.is_empty()) {
        return Err(no_group(name, groups.keys()));
    }
    let look = move || names.iter().map(|name| state(&release, name)).collect();
    let looked = shell.runtime.spawn_blocking(look).await;
    looked.map_err(|error| CallError::new(ErrorCode::Internal, error.to_string()))
}

fn state(release: &Release, name: &str) -> GroupState {
    let files = release.manifest().groups.get(name).map(|group| group.files.as_slice()).unwrap_or_default();
    let missing: Vec<_> = files.iter().filter(|entry| !release.has_group_file(entry)).collect();
    let state = match missing.len() {
        0 => Presence::Ready,
        all if all == files.len() => Presence::Absent,
        _ => Presence::Partial,
    };
    GroupState {
        group: name.to_owned(),
        state,
        files: files.len(),
        bytes: files.iter().map(|entry| entry.size).sum(),
        missing_bytes: blob_bytes(missing),
    }
}

/// Bytes that travel for these files: the same content travels once.
fn blob_bytes<'a>(files: impl IntoIterator<Item = &'a FileEntry>) -> u64 {
    let blobs: BTreeMap<&str, u64> =
        files.into_iter().map(|entry| (entry.sha256.as_str(), entry.blob.size)).collect();
    blobs.values().sum()
}

/// Fetches what is missing of a group and tells of it while it comes.
async fn fetch(shell: &Arc<Shell>, group: &str) -> Result<GroupState, CallError> {
    shell.groups.now_asked();
    if let Some(release) = release(shell) {
        let total = states(shell, Some(group)).await?.first().map_or(0, |state| state.missing_bytes);
        if total > 0 {
            bring(shell, &release, group, total).await?;
        }
    }
    let mut states = states(shell, Some(group)).await?;
    Ok(states.pop().unwrap_or_default())
}

async fn bring(shell: &Arc<Shell>, release: &Release, group: &str, total: u64) -> Result<(), CallError> {
    let files = release.manifest().groups.get(group).map(|group| group.files.as_slice()).unwrap_or_default();
    let mut contents = BTreeSet::new();
    let mut waiting =
        files.iter().filter(|entry| !release.has_group_file(entry) && contents.insert(entry.sha256.as_str()));
    let (mut flying, mut done, mut told) = (Vec::new(), 0, None);
    let mut flights = JoinSet::new();
    let mut tick = tokio::time::interval(Duration::from_millis(ASSETS_TELL_MS));
    let on_demand = shell.groups.on_demand();
    loop {
        while flights.len() < ASSETS_AT_ONCE_MAX
            && let Some(entry) = waiting.next()
        {
            let on_demand = on_demand.clone().map_err(|error| unavailable(group, entry, &error))?.clone();
            flying.push(entry.clone());
            let entry = entry.clone();
            flights.spawn_on(
                async move {
                    on_demand.fetch(&entry).await.map_err(|error| (entry.clone(), error)).map(|()| entry)
                },
                &shell.runtime,
            );
        }
        tokio::select! {
            landed = flights.join_next() => match landed {
                None => break,
                Some(Ok(Ok(entry))) => {
                    flying.retain(|other| other.sha256 != entry.sha256);
                    done += entry.blob.size;
                }
                Some(Ok(Err((entry, error)))) => return Err(unavailable(group, &entry, &error)),
                Some(Err(error)) => return Err(CallError::new(ErrorCode::Internal, error.to_string())),
            },
            _ = tick.tick() => {}
        }
        let coming =
            |entry: &FileEntry| on_demand.as_ref().map_or(0, |all| all.received(entry)).min(entry.blob.size);
        let bytes = (done + flying.iter().map(coming).sum::<u64>()).min(total);
        if told != Some(bytes) {
            told = Some(bytes);
            tell(shell, &AssetsEvent { group: group.to_owned(), bytes, total });
        }
    }
    Ok(())
}

/// Tells pages and the backend of a group that is being fetched.
fn tell(shell: &Shell, event: &AssetsEvent) {
    shell.announce(EVENT, event);
    let payload = serde_json::to_vec(event).unwrap_or_default();
    shell.router.emit(EVENT.into(), String::new(), payload);
}

/// Tells whether bytes cost money on the connection, when that can be told.
pub type Meter = fn() -> Option<bool>;

/// Fetches ahead what releases say, as long as the app runs.
pub async fn prefetch(shell: Arc<Shell>, meter: Meter) {
    while let Some(release) = release(&shell) {
        let mut whole = all_of(&shell, &release, Prefetch::Start, meter).await;
        if whole && has_any(&release, Prefetch::Idle) {
            until_idle(&shell).await;
            whole = all_of(&shell, &release, Prefetch::Idle, meter).await;
        }
        let changed = shell.assets.changed();
        if is_shown(&shell, &release) {
            match whole {
                true => changed.await,
                false => drop(tokio::time::timeout(Duration::from_secs(ASSETS_RETRY_S), changed).await),
            }
        }
    }
}

fn is_shown(shell: &Shell, shown: &Release) -> bool {
    release(shell).is_some_and(|release| release == *shown)
}

fn has_any(release: &Release, when: Prefetch) -> bool {
    release.manifest().groups.values().any(|group| group.prefetch == when)
}

/// Fetches the groups that are fetched at this time; whether all of them are there, or the release is another by now.
async fn all_of(shell: &Arc<Shell>, release: &Release, when: Prefetch, meter: Meter) -> bool {
    let mut whole = true;
    let costly = is_costly(shell, release, meter).await;
    for (name, _) in release.manifest().groups.iter().filter(|(_, group)| group.prefetch == when) {
        let total = state(release, name).missing_bytes;
        if total == 0 || !is_shown(shell, release) {
            continue;
        }
        if costly {
            whole = false;
        } else if let Err(error) = bring(shell, release, name, total).await {
            tracing::warn!(group = name, %error, "an asset group was not fetched ahead");
            whole = false;
        }
    }
    whole
}

/// Whether the connection costs money, and the release has what nobody asked for wait for another one.
async fn is_costly(shell: &Shell, release: &Release, meter: Meter) -> bool {
    match release.manifest().policy.metered {
        Metered::Download => false,
        policy => policy.waits(shell.runtime.spawn_blocking(meter).await.ok().flatten()),
    }
}

/// Waits until no page has asked for a file of a group for a while.
async fn until_idle(shell: &Shell) {
    let began = Instant::now();
    loop {
        let asked = *shell.groups.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let idle_at = asked.unwrap_or(began).max(began) + Duration::from_secs(ASSETS_IDLE_S);
        if idle_at <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(idle_at).await;
    }
}

#[cfg(test)]
#[path = "asset_groups_tests.rs"]
mod tests;
