//! The app as a whole: its starts, the links and files it opens, its start at log-in.

use crate::native::Request;
use crate::{App, AppHandle};
pub use staysail_protocol::desktop::app::{AppEvent, AppInfo, FileType, Opened};

impl App {
    /// A second start hands its arguments over to the first and ends. The first is told by
    /// [`AppHandle::on_opened`], and its main window comes to the front.
    ///
    /// Decided by the installed executable before anything is opened: what a release declares later counts from the
    /// start after next on. In development each `staysail dev` is an instance of its own.
    pub fn single_instance(mut self) -> Self {
        self.desktop.single_instance = true;
        self
    }

    /// Links the app opens, by their scheme: `.deep_link("notes")` for `notes://…`. A built app registers them for the
    /// current user when it starts. Combine it with [`single_instance`](Self::single_instance), or each link starts
    /// another instance.
    pub fn deep_link(mut self, scheme: impl Into<String>) -> Self {
        self.desktop.opens.schemes.push(scheme.into());
        self
    }

    /// Files the app opens. A built app registers them for the current user when it starts.
    ///
    /// ```
    /// # use staysail::{App, FileType};
    /// let app = App::new("com.example.charts").single_instance().file_type(FileType {
    ///     extensions: vec!["kap".into()],
    ///     description: "Nautical chart".into(),
    ///     ..FileType::default()
    /// });
    /// ```
    pub fn file_type(mut self, file: FileType) -> Self {
        self.desktop.opens.files.push(file);
        self
    }

    /// Leaves registering links and files to the app's installer. What the app registered itself before is taken back.
    pub fn registered_by_installer(mut self) -> Self {
        self.desktop.opens.unregistered = true;
        self
    }
}

impl AppHandle {
    /// Is told of every start with links or files, and of every start that was handed over. Also of the one that began
    /// before this worker did: nothing is lost. What it brings is data from anywhere, a web page's link for instance:
    /// check it.
    pub fn on_opened(&self, handler: impl Fn(Opened) + Send + Sync + 'static) {
        self.on("staysail:app", move |event: AppEvent, _| {
            let AppEvent::Opened(opened) = event;
            handler(opened);
        });
    }

    /// What the app is and how it was started.
    pub fn info(&self) -> Request<AppInfo> {
        self.ask("app.info", &serde_json::json!({}))
    }

    /// Shows and focuses the main window; opens it when it is closed.
    pub fn show(&self) {
        self.tell("app.show", &serde_json::json!({}));
    }

    /// Ends the whole app in order and starts it again with the same arguments. Fails in development.
    pub fn relaunch(&self) -> Request<()> {
        self.ask("app.relaunch", &serde_json::json!({}))
    }

    /// The app's start at log-in.
    pub fn autostart(&self) -> Autostart {
        Autostart { app: self.clone() }
    }
}

/// The app's start when its user logs in. Only a built app can have one.
pub struct Autostart {
    app: AppHandle,
}

impl Autostart {
    /// Starts it from now on, with these arguments.
    pub fn enable(&self, arguments: &[&str]) -> Request<()> {
        self.app.ask("autostart.enable", &serde_json::json!({ "arguments": arguments }))
    }

    /// Does so no more.
    pub fn disable(&self) -> Request<()> {
        self.app.ask("autostart.disable", &serde_json::json!({}))
    }

    /// Whether it does. The user may have switched it off in the system's settings.
    pub fn is_enabled(&self) -> Request<bool> {
        self.app.ask("autostart.state", &serde_json::json!({}))
    }
}
