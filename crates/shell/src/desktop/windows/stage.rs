//! Where a window stands among others: in front, in the middle, under the mouse.

use super::{Done, Windows};
use crate::app::Target;
use crate::desktop::invalid;
use crate::platform;
use staysail_protocol::desktop::window::Edge;
use staysail_protocol::interface::WindowSpec;
use staysail_protocol::{CallError, ErrorCode};
use tao::window::{ResizeDirection, UserAttentionType};

impl Windows {
    /// Shows, raises and focuses a window.
    pub fn focus(&self, label: &str) -> Done {
        let window = &self.find(label)?.window;
        window.set_visible(true);
        window.set_minimized(false);
        window.set_focus();
        Ok(())
    }

    /// Brings the main window to the front; opens it when it is closed. `activation` is the desktop's leave to do so.
    pub fn show_main(&mut self, target: &Target, activation: Option<&str>) -> Done {
        let Some(main) = self.main.clone() else { return Err(invalid("the app declares no window".into())) };
        let label = main.label.clone();
        if !self.open.contains_key(&label) {
            self.create(target, WindowSpec { visible: true, ..main })?;
        }
        if let Some(activation) = activation {
            platform::set_activation(&self.find(&label)?.window, activation);
        }
        self.focus(&label)
    }

    /// Puts a window in the middle of its screen.
    pub fn center(&self, label: &str) -> Done {
        let window = &self.find(label)?.window;
        let monitor = window.current_monitor().or_else(|| window.primary_monitor());
        let Some(monitor) = monitor else { return Ok(()) };
        let (area, corner, outer) = (monitor.size(), monitor.position(), window.outer_size());
        let middle = |from: i32, length: u32, own: u32| from + (length as i32 - own as i32) / 2;
        window.set_outer_position(tao::dpi::PhysicalPosition::new(
            middle(corner.x, area.width, outer.width),
            middle(corner.y, area.height, outer.height),
        ));
        Ok(())
    }

    /// Asks for the user's attention.
    pub fn request_attention(&self, label: &str) -> Done {
        self.find(label)?.window.request_user_attention(Some(UserAttentionType::Informational));
        Ok(())
    }

    /// Moves a window with the mouse, whose button is down.
    pub fn start_dragging(&self, label: &str) -> Done {
        let open = self.find(label)?;
        let dragged = open.window.drag_window();
        platform::webview::let_go(open.page.webview());
        dragged.map_err(|error| CallError::new(ErrorCode::Internal, error.to_string()))
    }

    /// Resizes a window with the mouse, whose button is down.
    pub fn start_resizing(&self, label: &str, edge: Edge) -> Done {
        let direction = match edge {
            Edge::North => ResizeDirection::North,
            Edge::NorthEast => ResizeDirection::NorthEast,
            Edge::East => ResizeDirection::East,
            Edge::SouthEast => ResizeDirection::SouthEast,
            Edge::South => ResizeDirection::South,
            Edge::SouthWest => ResizeDirection::SouthWest,
            Edge::West => ResizeDirection::West,
            Edge::NorthWest => ResizeDirection::NorthWest,
        };
        let open = self.find(label)?;
        let dragged = open.window.drag_resize_window(direction);
        platform::webview::let_go(open.page.webview());
        dragged.map_err(|error| CallError::new(ErrorCode::Internal, error.to_string()))
    }
}
