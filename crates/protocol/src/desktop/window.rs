//! `window.*`: windows at run time. Sizes and positions are in logical pixels.

use crate::interface::Theme;
#[cfg(feature = "host")]
use crate::interface::WindowSpec;
use serde::{Deserialize, Serialize};

/// A request of the group `window`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum WindowRequest {
    /// Open a window that is not declared. Answer: null, once it is open.
    Create {
        /// What it is like; its label must be free.
        window: Box<WindowSpec>,
    },
    /// Labels of the open windows, sorted. Answer: array of strings.
    List {},
    /// The screens. Answer: array of [`Screen`], the primary one first.
    Screens {},
    /// How a window is now. Answer: [`WindowState`].
    State {
        /// Which; the asking page's own when absent.
        label: Option<String>,
    },
    /// Change a window. Answer: null.
    Set {
        /// Which; the asking page's own when absent.
        label: Option<String>,
        /// What to change; what is absent stays.
        change: Box<WindowChange>,
    },
    /// Close a window, asking its page first when it intercepts that. Answer: null.
    Close {
        /// Which; the asking page's own when absent.
        label: Option<String>,
    },
    /// Close a window without asking. Answer: null.
    Destroy {
        /// Which; the asking page's own when absent.
        label: Option<String>,
    },
    /// The page has heard `close_requested` and decides itself now whether the window closes. Answer: null.
    HoldClose {
        /// Which; the asking page's own when absent.
        label: Option<String>,
    },
    /// Raise and focus. Answer: null.
    Focus {
        /// Which; the asking page's own when absent.
        label: Option<String>,
    },
    /// Put in the middle of its screen. Answer: null.
    Center {
        /// Which; the asking page's own when absent.
        label: Option<String>,
    },
    /// Ask for the user's attention, as the system does that. Answer: null.
    RequestAttention {
        /// Which; the asking page's own when absent.
        label: Option<String>,
    },
    /// Move with the mouse, whose button is down: for windows without decorations. Answer: null.
    StartDragging {
        /// Which; the asking page's own when absent.
        label: Option<String>,
    },
    /// Resize with the mouse, whose button is down. Answer: null.
    StartResizing {
        /// Which; the asking page's own when absent.
        label: Option<String>,
        /// The edge or corner that is dragged.
        edge: Edge,
    },
}

/// What to change of a window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowChange {
    /// Title bar text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Inner width and height.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<(f64, f64)>,
    /// Smallest inner width and height; 0 × 0 takes the limit away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_size: Option<(f64, f64)>,
    /// Largest inner width and height; 0 × 0 takes the limit away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Option<(f64, f64)>,
    /// Position of the outer top left corner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<(f64, f64)>,
    /// Shown or hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visible: Option<bool>,
    /// Maximised or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximized: Option<bool>,
    /// Minimised or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimized: Option<bool>,
    /// In full screen or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fullscreen: Option<bool>,
    /// Above other windows or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub always_on_top: Option<bool>,
    /// Whether the user can change the size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resizable: Option<bool>,
    /// Whether the system draws title bar and borders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decorations: Option<bool>,
    /// Light, dark, or as the system has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<Theme>,
    /// Zoom of the page, 1 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zoom: Option<f64>,
    /// Path of a PNG of the page's files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// Progress shown in the task bar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Whether the page is asked before the window closes (event `close_requested`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intercept_close: Option<bool>,
    /// Whether the task bar leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_taskbar: Option<bool>,
}

/// Progress in the task bar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// None is shown.
    None,
    /// Something goes on, nobody knows how long.
    Indeterminate,
    /// So many percent, 0 to 100.
    Percent(u64),
    /// Stopped at so many percent by an error.
    Error(u64),
}

/// An edge or corner of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Edge {
    North,
    NorthEast,
    East,
    SouthEast,
    South,
    SouthWest,
    West,
    NorthWest,
}

/// How a window is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WindowState {
    /// Its label.
    pub label: String,
    /// Its title.
    pub title: String,
    /// Inner width and height.
    pub size: (f64, f64),
    /// Outer top left corner.
    pub position: (f64, f64),
    /// Physical pixels per logical pixel.
    pub scale: f64,
    /// It has the focus.
    pub focused: bool,
    /// It is shown.
    pub visible: bool,
    /// It is maximised.
    pub maximized: bool,
    /// It is minimised.
    pub minimized: bool,
    /// It is in full screen.
    pub fullscreen: bool,
    /// It stays above others.
    pub always_on_top: bool,
    /// The user can change its size.
    pub resizable: bool,
    /// The system draws its title bar.
    pub decorations: bool,
    /// `light` or `dark`.
    pub theme: Theme,
    /// The page is asked before it closes.
    pub intercept_close: bool,
}

/// A screen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Screen {
    /// Its name, when the system knows one.
    pub name: Option<String>,
    /// Its top left corner in logical pixels.
    pub position: (f64, f64),
    /// Its size in logical pixels.
    pub size: (f64, f64),
    /// Physical pixels per logical pixel.
    pub scale: f64,
    /// Where the system puts new windows.
    pub primary: bool,
}

/// What happened to a window: the payload of the event `staysail:window`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowEvent {
    /// Label of the window.
    pub label: String,
    /// What happened.
    #[serde(flatten)]
    pub what: WindowNews,
}

/// What happened to a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WindowNews {
    /// It was opened.
    Created,
    /// It is gone.
    Closed,
    /// The user wants to close it, and its page intercepts that.
    CloseRequested,
    /// It got the focus.
    Focused,
    /// It lost the focus.
    Blurred,
    /// Its inner size is another.
    Resized {
        /// Width.
        width: f64,
        /// Height.
        height: f64,
    },
    /// It was moved.
    Moved {
        /// Left edge.
        x: f64,
        /// Upper edge.
        y: f64,
    },
    /// The theme is another.
    ThemeChanged {
        /// The one now.
        theme: Theme,
    },
    /// Its screen has another scale.
    ScaleChanged {
        /// The one now.
        scale: f64,
    },
}
