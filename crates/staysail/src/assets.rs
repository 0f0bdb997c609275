//! Asset groups: files of the page that are not shipped with the app, but fetched when they are first asked for.
//!
//! The page asks for them by their addresses. Here the backend has a whole group fetched, hears how far it is and how groups
//! are; the files themselves are the page's.

use crate::AppHandle;
use crate::native::Request;
use serde_json::json;
use staysail_protocol::{CallError, ErrorCode};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

pub use staysail_protocol::assets::{AssetFault, AssetUnavailable, AssetsEvent, GroupState, Presence};

/// Numbers of fetches, by which they are cancelled.
static LAST: AtomicU64 = AtomicU64::new(0);

/// The app's asset groups, as its backend sees them.
pub struct Assets {
    app: AppHandle,
}

impl Assets {
    pub(crate) fn of(app: &AppHandle) -> Self {
        Self { app: app.clone() }
    }

    /// Fetches what is missing of a group; the answer comes when all of it is there, also offline. Dropped before, it is
    /// cancelled: files under way are still fetched, no further ones.
    ///
    /// ```no_run
    /// # async fn example(app: staysail::AppHandle) -> Result<(), staysail::CallError> {
    /// use staysail::assets::unavailable;
    /// app.assets().on_progress(|event| println!("{}: {} of {} bytes", event.group, event.bytes, event.total));
    /// match app.assets().fetch("maps").await {
    ///     Ok(group) => println!("{} files are there", group.files),
    ///     Err(error) => match unavailable(&error) {
    ///         Some(file) => println!("{} can not be had now", file.path),
    ///         None => return Err(error),
    ///     },
    /// }
    /// # Ok(()) }
    /// ```
    pub fn fetch(&self, group: &str) -> Fetch {
        let id = LAST.fetch_add(1, Ordering::Relaxed);
        let request = self.app.ask("assets.fetch", &json!({ "group": group, "id": id }));
        Fetch { app: self.app.clone(), id, request: Some(request) }
    }

    /// How a group is on this machine.
    pub fn state(&self, group: &str) -> Request<GroupState> {
        self.app.ask("assets.state", &json!({ "group": group }))
    }

    /// How all groups are.
    pub fn list(&self) -> Request<Vec<GroupState>> {
        self.app.ask("assets.list", &json!({}))
    }

    /// Is told of every group that is being fetched as a whole, whoever asked for it.
    pub fn on_progress(&self, handler: impl Fn(&AssetsEvent) + Send + Sync + 'static) {
        self.app.on("staysail:assets", move |event: AssetsEvent, _| handler(&event));
    }
}

/// A group that is being fetched. Await it, or [`wait`](Self::wait) for it in a command that is not async.
///
/// Its error has the code [`ErrorCode::AssetUnavailable`] when a file can not be had ([`unavailable`]), and
/// [`ErrorCode::InvalidArguments`] for a group the app does not have.
#[must_use = "dropped, it is cancelled"]
pub struct Fetch {
    app: AppHandle,
    id: u64,
    request: Option<Request<GroupState>>,
}

impl Fetch {
    /// Waits for the group on this thread.
    ///
    /// # Errors
    /// See [`Fetch`].
    ///
    /// # Panics
    /// In async code: await it there.
    pub fn wait(mut self) -> Result<GroupState, CallError> {
        let request = self.request.take();
        request.map_or_else(|| Err(CallError::new(ErrorCode::Internal, "it has ended")), Request::wait)
    }
}

impl Future for Fetch {
    type Output = Result<GroupState, CallError>;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(request) = &mut self.request else { return Poll::Pending };
        let answer = Pin::new(request).poll(context);
        if answer.is_ready() {
            self.request = None;
        }
        answer
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        if self.request.is_some() {
            self.app.tell("assets.cancel", &json!({ "id": self.id }));
        }
    }
}

/// The file that could not be had, and why, when it is that what an error says.
pub fn unavailable(error: &CallError) -> Option<AssetUnavailable> {
    let is_it = error.code == ErrorCode::AssetUnavailable;
    is_it.then(|| serde_json::from_value(error.details.clone()).ok()).flatten()
}
