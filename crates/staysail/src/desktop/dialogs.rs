//! Dialogs, clipboard, notifications and other programs.

use crate::AppHandle;
use crate::native::Request;
use serde_json::json;
pub use staysail_protocol::desktop::dialog::Level;
use std::path::{Path, PathBuf};

/// The system's own dialogs; each waits for the user, so await it, or wait for it in a command that is not async.
pub struct Dialogs {
    app: AppHandle,
    window: Option<String>,
}

impl Dialogs {
    /// They belong to this window, which takes no input meanwhile.
    pub fn over(mut self, window: &str) -> Self {
        self.window = Some(window.into());
        self
    }

    /// Lets the user choose a file that is there: a list of one, or `None` when they did not.
    pub fn open_file(&self, title: &str) -> Request<Option<Vec<PathBuf>>> {
        self.app.ask("dialog.open", &json!({ "label": self.window, "title": title }))
    }

    /// Lets the user choose files that are there.
    pub fn open_files(&self, title: &str) -> Request<Option<Vec<PathBuf>>> {
        self.app.ask("dialog.open", &json!({ "label": self.window, "title": title, "multiple": true }))
    }

    /// Lets the user choose a folder: a list of one, or `None` when they did not.
    pub fn open_folder(&self, title: &str) -> Request<Option<Vec<PathBuf>>> {
        self.app.ask("dialog.open", &json!({ "label": self.window, "title": title, "folder": true }))
    }

    /// Lets the user choose where to save; `name` is offered.
    pub fn save_file(&self, title: &str, name: &str) -> Request<Option<PathBuf>> {
        self.app.ask("dialog.save", &json!({ "label": self.window, "title": title, "name": name }))
    }

    /// Says or asks something: the number of the button, from 0, or `None` when it was closed.
    pub fn message(
        &self,
        level: Level,
        text: &str,
        detail: &str,
        buttons: &[&str],
    ) -> Request<Option<usize>> {
        let arguments = json!({
            "label": self.window, "level": level, "text": text, "detail": detail, "buttons": buttons,
        });
        self.app.ask("dialog.message", &arguments)
    }
}

/// The clipboard.
pub struct Clipboard {
    app: AppHandle,
}

impl Clipboard {
    /// Its text.
    pub fn text(&self) -> Request<Option<String>> {
        self.app.ask("clipboard.read_text", &json!({}))
    }

    /// Puts a text into it.
    pub fn set_text(&self, text: &str) -> Request<()> {
        self.app.ask("clipboard.write_text", &json!({ "text": text }))
    }

    /// Puts HTML into it, and a text for programs that take none.
    pub fn set_html(&self, html: &str, text: &str) -> Request<()> {
        self.app.ask("clipboard.write_html", &json!({ "html": html, "text": text }))
    }
}

/// A notification. What happens to it is told by `staysail:notification`.
#[derive(Debug, Clone, Default)]
pub struct Notification {
    title: String,
    body: String,
    actions: Vec<(String, String)>,
}

impl Notification {
    /// One with a title.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// More about it.
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a button, whose id the event tells.
    pub fn action(mut self, id: impl Into<String>, label: impl Into<String>) -> Self {
        self.actions.push((id.into(), label.into()));
        self
    }
}

impl AppHandle {
    /// The system's own dialogs.
    ///
    /// ```no_run
    /// # async fn example(app: staysail::AppHandle) -> Result<(), staysail::CallError> {
    /// if let Some(path) = app.dialogs().over("main").save_file("Save the chart", "chart.txt").await? {
    ///     app.log("info", format!("saving to {}", path.display()));
    /// }
    /// # Ok(()) }
    /// ```
    pub fn dialogs(&self) -> Dialogs {
        Dialogs { app: self.clone(), window: None }
    }

    /// The clipboard.
    pub fn clipboard(&self) -> Clipboard {
        Clipboard { app: self.clone() }
    }

    /// Shows a notification; its number is answered.
    pub fn notify(&self, notification: Notification) -> Request<u32> {
        let actions: Vec<_> =
            notification.actions.iter().map(|(id, label)| json!({ "id": id, "label": label })).collect();
        let arguments = json!({ "title": notification.title, "body": notification.body, "actions": actions });
        self.ask("notification.show", &arguments)
    }

    /// Opens an address (https, http, mailto, tel) with the program the user has for it.
    pub fn open_url(&self, url: &str) -> Request<()> {
        self.ask("opener.open_url", &json!({ "url": url }))
    }

    /// Opens a file or folder with the program the user has for it.
    pub fn open_path(&self, path: &Path) -> Request<()> {
        self.ask("opener.open_path", &json!({ "path": path }))
    }

    /// Shows a file or folder in the file manager.
    pub fn reveal(&self, path: &Path) -> Request<()> {
        self.ask("opener.reveal", &json!({ "path": path }))
    }
}
