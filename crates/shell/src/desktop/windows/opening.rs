//! How a window is opened: what it is built of, and where it stands.

use super::report::place_of_screen;
use super::{Done, Open, Windows, menu_bars, native_theme, not_open, size};
use crate::app::Target;
use crate::desktop::geometry::Place;
use crate::desktop::invalid;
use crate::desktop::menus::Bar;
use crate::platform;
use staysail_protocol::desktop::window::WindowNews;
use staysail_protocol::interface::{Theme, WindowSpec};
use staysail_protocol::limits::WINDOWS_MAX;
use staysail_protocol::{CallError, ErrorCode};
use tao::dpi::LogicalPosition;
use tao::window::{Fullscreen, WindowBuilder};

impl Windows {
    /// Opens a window.
    ///
    /// # Errors
    /// When its label is taken, there are too many, or what the system said.
    pub fn create(&mut self, target: &Target, spec: WindowSpec) -> Done {
        if spec.label.is_empty() || self.open.contains_key(&spec.label) {
            return Err(invalid(format!(
                "a window labelled `{}` is open already, or the label is empty",
                spec.label
            )));
        }
        if self.open.len() >= WINDOWS_MAX {
            return Err(CallError::new(
                ErrorCode::TooLarge,
                format!("{WINDOWS_MAX} windows are open already (windows_max)"),
            ));
        }
        if spec.url.contains("://") || spec.url.starts_with("//") {
            return Err(invalid(format!(
                "`{}` is no path of the app; a window's url is one, e.g. `/help.html`",
                spec.url
            )));
        }
        let mut spec = spec;
        let mut maximized = spec.maximized;
        if let Some(place) = spec.remember.then(|| self.places.of(&spec.label)).flatten() {
            let screens: Vec<Place> = self.screens(target).iter().map(place_of_screen).collect();
            let (position, size) = place.fit(&screens);
            (spec.width, spec.height) = size;
            spec.position = position;
            maximized |= place.maximized;
        }
        let open = self.build(target, &spec, maximized)?;
        self.labels.insert(open.window.id(), spec.label.clone());
        let label = spec.label.clone();
        self.open.insert(label.clone(), open);
        self.tell(&label, WindowNews::Created);
        Ok(())
    }

    fn build(&mut self, target: &Target, spec: &WindowSpec, maximized: bool) -> Done<Open> {
        let title = if spec.title.is_empty() { self.shell.facts().name } else { spec.title.clone() };
        let mut builder = WindowBuilder::new()
            .with_title(title)
            .with_inner_size(size((spec.width, spec.height)))
            .with_resizable(spec.resizable)
            .with_decorations(spec.decorations)
            .with_maximized(maximized)
            .with_always_on_top(spec.always_on_top)
            .with_transparent(spec.transparent)
            .with_theme(native_theme(spec.theme))
            .with_visible(spec.visible);
        if let Some(min) = spec.min_size {
            builder = builder.with_min_inner_size(size(min));
        }
        if let Some(max) = spec.max_size {
            builder = builder.with_max_inner_size(size(max));
        }
        let over_parent = || {
            let parent = &self.open.get(spec.parent.as_ref()?)?.window;
            let scale = parent.scale_factor();
            let corner = parent.outer_position().ok()?.to_logical(scale);
            let place = Place::over(corner, parent.outer_size().to_logical(scale), (spec.width, spec.height));
            Some(place)
        };
        if let Some((x, y)) = spec.position.or_else(over_parent) {
            builder = builder.with_position(LogicalPosition::new(x, y));
        }
        if spec.fullscreen {
            builder = builder.with_fullscreen(Some(Fullscreen::Borderless(None)));
        }
        if let Some(path) = &spec.icon {
            builder = builder.with_window_icon(Some(self.icon(path)?));
        }
        let background = spec.background.as_deref().and_then(parse_colour);
        if let Some(colour) = background.filter(|_| !spec.transparent) {
            builder = builder.with_background_color(colour);
        }
        if let Some(parent) = &spec.parent {
            let parent = self.open.get(parent).ok_or_else(|| not_open(parent))?;
            builder = platform::with_parent(builder, &parent.window);
        }
        builder = platform::with_skip_taskbar(builder, spec.skip_taskbar);
        let own = |items: &Vec<_>| Bar::of_window(&self.shell, &spec.label, items.clone());
        let bar = spec.menu.as_ref().map(own).transpose()?;
        let failed = |error: String| CallError::new(ErrorCode::Internal, error);
        let window = builder.build(target).map_err(|error| failed(error.to_string()))?;
        if spec.theme != Theme::System {
            platform::set_theme(&window, spec.theme);
        }
        if spec.modal
            && let Some(parent) = spec.parent.as_ref().and_then(|parent| self.open.get(parent))
        {
            platform::set_modal(&window, &parent.window, true);
        }
        let shown = menu_bars::shown(bar.as_ref(), spec, self.menus.app());
        // On macOS a menu of its own comes with the focus.
        if let Some(shown) = shown.filter(|_| !cfg!(target_os = "macos") || bar.is_none()) {
            platform::attach_menu(shown, &window);
        }
        let page = self.context.open(&self.shell, &window, spec, background).map_err(failed)?;
        if (spec.zoom - 1.0).abs() > f64::EPSILON {
            page.zoom(spec.zoom);
        }
        let spec = spec.clone();
        Ok(Open { window, page, spec, bar, close_wishes: 0, close_is_held: false, focused: false })
    }
}

fn parse_colour(text: &str) -> Option<(u8, u8, u8, u8)> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let channel = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some((channel(0)?, channel(2)?, channel(4)?, 255))
}
