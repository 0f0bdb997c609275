//! What belongs to the webview: printing, finding, cookies, storage, downloads.

use crate::native::Request;
use crate::{AppHandle, WindowHandle};
use serde_json::json;
pub use staysail_protocol::desktop::cookies::{Cookie, SameSite, StorageKind};
pub use staysail_protocol::desktop::download::{DownloadEvent, DownloadState};
pub use staysail_protocol::desktop::drop::{DropEvent, DropKind};
pub use staysail_protocol::desktop::find::Found;
pub use staysail_protocol::desktop::page::PdfLayout;
use std::path::Path;

impl WindowHandle {
    /// Shows the system's dialog for printing its page.
    pub fn print(&self) -> Request<()> {
        self.app().ask("page.print", &json!({ "label": self.label() }))
    }

    /// Prints its page to a PDF file that is not there yet.
    ///
    /// ```no_run
    /// # async fn example(window: staysail::WindowHandle) -> Result<(), staysail::CallError> {
    /// use staysail::webview::PdfLayout;
    /// let layout = PdfLayout { landscape: true, ..PdfLayout::default() };
    /// window.print_to_pdf(std::path::Path::new("chart.pdf"), layout).await?;
    /// # Ok(()) }
    /// ```
    pub fn print_to_pdf(&self, path: &Path, layout: PdfLayout) -> Request<()> {
        let arguments = json!({ "label": self.label(), "path": path, "layout": layout });
        self.app().ask("page.print_to_pdf", &arguments)
    }

    /// Finds a text in its page, whatever its case, marks all places, and goes to the first one.
    pub fn find(&self, text: &str) -> Request<Found> {
        self.app().ask("find.start", &json!({ "label": self.label(), "text": text }))
    }

    /// Goes to the next place of the text that was found.
    pub fn find_next(&self) -> Request<Found> {
        self.app().ask("find.next", &json!({ "label": self.label() }))
    }

    /// Goes to the place before.
    pub fn find_previous(&self) -> Request<Found> {
        self.app().ask("find.previous", &json!({ "label": self.label() }))
    }

    /// Takes the marks away.
    pub fn find_stop(&self) -> Request<()> {
        self.app().ask("find.stop", &json!({ "label": self.label() }))
    }
}

impl AppHandle {
    /// The cookies of the webview, those of private windows apart.
    pub fn cookies(&self) -> Cookies {
        Cookies { app: self.clone() }
    }

    /// Has the webview forget what it keeps: everything, or what is named.
    pub fn clear_storage(&self, kinds: &[StorageKind]) -> Request<()> {
        self.ask("storage.clear", &json!({ "kinds": kinds }))
    }

    /// The downloads of pages. What happens to them is told by `staysail:download`.
    ///
    /// ```no_run
    /// # fn example(app: &staysail::AppHandle) {
    /// use staysail::webview::{DownloadEvent, DownloadState};
    /// let handle = app.clone();
    /// app.on("staysail:download", move |event: DownloadEvent, _| {
    ///     if event.state == DownloadState::Requested {
    ///         let place = handle.data_dir().join(&event.name);
    ///         drop(handle.downloads().accept(event.id, Some(&place)));
    ///     }
    /// });
    /// # }
    /// ```
    pub fn downloads(&self) -> Downloads {
        Downloads { app: self.clone() }
    }
}

/// The cookies of the webview.
pub struct Cookies {
    app: AppHandle,
}

impl Cookies {
    /// All of them.
    pub fn list(&self) -> Request<Vec<Cookie>> {
        self.app.ask("cookies.list", &json!({}))
    }

    /// Those a request to this address would carry.
    pub fn list_for(&self, url: &str) -> Request<Vec<Cookie>> {
        self.app.ask("cookies.list", &json!({ "url": url }))
    }

    /// One of those a request to this address would carry.
    pub fn get(&self, url: &str, name: &str) -> Request<Option<Cookie>> {
        self.app.ask("cookies.get", &json!({ "url": url, "name": name }))
    }

    /// Sets one.
    pub fn set(&self, cookie: &Cookie) -> Request<()> {
        self.app.ask("cookies.set", &json!({ "cookie": cookie }))
    }

    /// Removes those of this name that a request to this address would carry, and says how many they were.
    pub fn remove(&self, url: &str, name: &str) -> Request<u32> {
        self.app.ask("cookies.remove", &json!({ "url": url, "name": name }))
    }

    /// Removes all.
    pub fn clear(&self) -> Request<()> {
        self.app.ask("cookies.clear", &json!({}))
    }
}

/// What pages have the webview save.
pub struct Downloads {
    app: AppHandle,
}

impl Downloads {
    /// Those under way.
    pub fn list(&self) -> Request<Vec<DownloadEvent>> {
        self.app.ask("download.list", &json!({}))
    }

    /// Takes one that waits (`downloads = "ask"`); into the user's download folder without a path.
    pub fn accept(&self, id: u64, path: Option<&Path>) -> Request<()> {
        self.app.ask("download.accept", &json!({ "id": id, "path": path }))
    }

    /// Ends one; nothing of it stays.
    pub fn cancel(&self, id: u64) -> Request<()> {
        self.app.ask("download.cancel", &json!({ "id": id }))
    }
}
