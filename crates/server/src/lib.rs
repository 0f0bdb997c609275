//! The release server: serves a repository of plain files and tells listeners of a new release at once.
//!
//! | Path | What |
//! |---|---|
//! | `GET /metadata/…`, `/targets/…`, `/blobs/…` | the repository, with entity tags, ranges and caching headers |
//! | `GET /events` | server-sent events; `event: release` when `timestamp.json` changed |
//! | `PUT` the same files | publishing, with a bearer token |
//! | `GET /health` | `ok` |
//!
//! **Invariant:** it takes no part in trust. It signs nothing, decides nothing for a client and shares no code with one:
//! whatever it says is verified by the client against the pinned root, so the worst it can do is to be of no use.

mod events;
mod files;
mod upload;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Longest wait for requests under way when the server stops.
pub const SHUTDOWN_TIMEOUT_S: u64 = 10;
/// Pause between two looks at the timestamp, for publishes that go past the server.
pub const WATCH_INTERVAL_MS: u64 = 200;
/// Listeners at `/events`; one more is told to poll.
pub const LISTENERS_MAX: usize = 50_000;
/// Largest uploaded blob.
pub const BLOB_BYTES_MAX: u64 = 2 << 30;
/// Largest uploaded metadata file or manifest.
pub const METADATA_BYTES_MAX: u64 = 16 << 20;
/// An upload that stands still this long has failed.
pub const UPLOAD_IDLE_TIMEOUT_S: u64 = 30;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository is no folder.
    #[error("{} is no folder; create it, or publish into it first: {source}", path.display())]
    Repository {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The address can not be listened on.
    #[error("can not listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// How to serve.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of the repository.
    pub repository: PathBuf,
    /// Address and port; port 0 lets the system choose.
    pub listen: String,
    /// Token that publishers must present; uploads are refused without one.
    pub token: Option<String>,
}

pub(crate) struct Shared {
    pub root: PathBuf,
    pub token: Option<String>,
    pub tags: files::Tags,
    pub release: watch::Sender<events::Announcement>,
    /// One upload is put in place at a time.
    pub writing: tokio::sync::Mutex<()>,
    pub stop: watch::Receiver<bool>,
}

/// A running server.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base address, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops in order: requests under way are finished, with a bound.
    pub async fn stop(self) {
        // Nobody listens any more when the server ended by itself; then there is nothing to stop.
        let _ = self.stop.send(true);
        let _ = tokio::time::timeout(Duration::from_secs(SHUTDOWN_TIMEOUT_S), self.serving).await;
    }
}

/// Starts serving on the current tokio runtime.
///
/// # Errors
/// See [`Error`].
pub async fn start(options: Options) -> Result<Running, Error> {
    let root = tokio::fs::canonicalize(&options.repository)
        .await
        .map_err(|source| Error::Repository { path: options.repository.clone(), source })?;
    let listening = async {
        let listener = TcpListener::bind(&options.listen).await?;
        let address = listener.local_addr()?;
        std::io::Result::Ok((listener, address))
    };
    let (listener, address) =
        listening.await.map_err(|source| Error::Listen { address: options.listen.clone(), source })?;
    let (stop, stopped) = watch::channel(false);
    let (release, _) = watch::channel(events::Announcement::default());
    let shared = Arc::new(Shared {
        root,
        token: options.token.filter(|token| !token.is_empty()),
        tags: files::Tags::default(),
        release,
        writing: tokio::sync::Mutex::new(()),
        stop: stopped.clone(),
    });
    events::look(&shared).await;
    let watching = tokio::spawn(events::watch(Arc::clone(&shared)));
    let router = Router::new().fallback(answer).with_state(shared);
    let serving = tokio::spawn(async move {
        let mut stopped = stopped;
        let until = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until).await {
            eprintln!("staysail-server stopped: {error}");
        }
        watching.abort();
    });
    Ok(Running { address, stop, serving })
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Response {
    let path = uri.path();
    match (&method, path) {
        (&Method::GET | &Method::HEAD, "/health") => "ok\n".into_response(),
        (&Method::GET, "/events") => events::listen(&shared),
        (&Method::GET | &Method::HEAD, _) => {
            files::serve(&shared, path, method == Method::HEAD, &headers).await
        }
        (&Method::PUT, _) => upload::put(&shared, path, &headers, body).await,
        _ => refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET, HEAD and PUT"),
    }
}

/// An answer that says why not.
pub(crate) fn refuse(status: StatusCode, why: &str) -> Response {
    (status, [("cache-control", "no-store")], format!("{why}\n")).into_response()
}
