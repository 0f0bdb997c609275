//! Declaring windows.

use crate::Menu;
use staysail_protocol::interface::{Theme, WindowSpec};

/// A window as the app wants it. Sizes and positions are in logical pixels.
///
/// ```
/// let window = staysail::Window::new("main").title("Notes").size(1000.0, 700.0).min_size(480.0, 320.0);
/// ```
#[derive(Debug, Clone)]
pub struct Window {
    pub(crate) spec: WindowSpec,
}

impl Window {
    /// A window with a label that is unique within the app.
    pub fn new(label: impl Into<String>) -> Self {
        Self { spec: WindowSpec { label: label.into(), ..WindowSpec::default() } }
    }

    /// Title bar text; the app's name when not set.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.spec.title = title.into();
        self
    }

    /// Path of its page below the app's origin; `/` when not set.
    pub fn url(mut self, path: impl Into<String>) -> Self {
        self.spec.url = path.into();
        self
    }

    /// Inner size; 960 × 680 when not set.
    pub fn size(mut self, width: f64, height: f64) -> Self {
        (self.spec.width, self.spec.height) = (width, height);
        self
    }

    /// Smallest inner size.
    pub fn min_size(mut self, width: f64, height: f64) -> Self {
        self.spec.min_size = Some((width, height));
        self
    }

    /// Largest inner size.
    pub fn max_size(mut self, width: f64, height: f64) -> Self {
        self.spec.max_size = Some((width, height));
        self
    }

    /// Position of the outer top left corner; the window manager's choice when not set.
    pub fn position(mut self, x: f64, y: f64) -> Self {
        self.spec.position = Some((x, y));
        self
    }

    /// Whether the user can change the size; yes when not set.
    pub fn resizable(mut self, yes: bool) -> Self {
        self.spec.resizable = yes;
        self
    }

    /// Whether the system draws title bar and borders; yes when not set.
    pub fn decorations(mut self, yes: bool) -> Self {
        self.spec.decorations = yes;
        self
    }

    /// Starts maximised.
    pub fn maximized(mut self, yes: bool) -> Self {
        self.spec.maximized = yes;
        self
    }

    /// Starts in full screen.
    pub fn fullscreen(mut self, yes: bool) -> Self {
        self.spec.fullscreen = yes;
        self
    }

    /// Stays above other windows.
    pub fn always_on_top(mut self, yes: bool) -> Self {
        self.spec.always_on_top = yes;
        self
    }

    /// Shown at once; otherwise when [`WindowHandle::show`](crate::WindowHandle::show) is called.
    pub fn visible(mut self, yes: bool) -> Self {
        self.spec.visible = yes;
        self
    }

    /// Background before the page has painted, as `#rrggbb`: no flash at the start.
    pub fn background(mut self, colour: impl Into<String>) -> Self {
        self.spec.background = Some(colour.into());
        self
    }

    /// Label of the window it belongs to: it stays above that one and closes with it.
    pub fn parent(mut self, label: impl Into<String>) -> Self {
        self.spec.parent = Some(label.into());
        self
    }

    /// Its parent takes no input while it is open.
    pub fn modal(mut self, yes: bool) -> Self {
        self.spec.modal = yes;
        self
    }

    /// What the page does not paint shows what is behind the window.
    pub fn transparent(mut self, yes: bool) -> Self {
        self.spec.transparent = yes;
        self
    }

    /// Light or dark; as the system has it when not set.
    pub fn theme(mut self, theme: Theme) -> Self {
        self.spec.theme = theme;
        self
    }

    /// Its icon: the path of a PNG of the page's files.
    pub fn icon(mut self, path: impl Into<String>) -> Self {
        self.spec.icon = Some(path.into());
        self
    }

    /// Whether the task bar leaves it out.
    pub fn skip_taskbar(mut self, yes: bool) -> Self {
        self.spec.skip_taskbar = yes;
        self
    }

    /// Opens it where the user left it, with the size they gave it, if a screen still shows that place.
    pub fn remember(mut self, yes: bool) -> Self {
        self.spec.remember = yes;
        self
    }

    /// Asks the page before it closes (`onCloseRequested`), e.g. for unsaved changes.
    pub fn intercept_close(mut self, yes: bool) -> Self {
        self.spec.intercept_close = yes;
        self
    }

    /// Private: it shares no cookies and no storage with other windows, and keeps none when it is closed.
    pub fn incognito(mut self, yes: bool) -> Self {
        self.spec.incognito = yes;
        self
    }

    /// Zoom of the page; 1 when not set.
    pub fn zoom(mut self, factor: f64) -> Self {
        self.spec.zoom = factor;
        self
    }

    /// Its own menu bar, in place of the application's; an empty one for none at all. What is chosen is told as ever, with
    /// the window's label. On macOS it stands in the system's bar while the window has the focus.
    ///
    /// ```
    /// use staysail::{Menu, MenuItem, Window};
    /// let log = Menu::new().item(MenuItem::new("sign", "&Sign").accelerator("CmdOrCtrl+S"));
    /// let window = Window::new("log").menu(Menu::new().menu("&Log", log));
    /// ```
    pub fn menu(mut self, menu: Menu) -> Self {
        self.spec.menu = Some(menu.items);
        self
    }
}
