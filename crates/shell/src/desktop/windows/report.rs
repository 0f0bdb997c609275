//! What is told of windows: how they are, which screens there are, and what happens.

use super::{Done, Open, Windows};
use crate::app::Target;
use crate::desktop::geometry::Place;
use crate::platform;
use staysail_protocol::desktop::window::{Screen, WindowEvent as Told, WindowNews, WindowState};
use staysail_protocol::interface::Theme;
use tao::event::WindowEvent;
use tao::monitor::MonitorHandle;
use tao::window::WindowId;

impl Windows {
    /// The screens, the primary one first.
    pub fn screens(&self, target: &Target) -> Vec<Screen> {
        let primary = target.primary_monitor();
        let mut screens: Vec<Screen> = target
            .available_monitors()
            .map(|monitor| screen(&monitor, primary.as_ref().is_some_and(|primary| *primary == monitor)))
            .collect();
        screens.sort_by_key(|screen| !screen.primary);
        screens
    }

    /// How a window is.
    pub fn state(&self, label: &str) -> Done<WindowState> {
        let Open { window, spec, focused, .. } = self.find(label)?;
        let scale = window.scale_factor();
        let inner = window.inner_size().to_logical::<f64>(scale);
        let position = window.outer_position().unwrap_or_default().to_logical::<f64>(scale);
        Ok(WindowState {
            label: label.into(),
            title: window.title(),
            size: (inner.width, inner.height),
            position: (position.x, position.y),
            scale,
            focused: *focused,
            visible: window.is_visible(),
            maximized: window.is_maximized(),
            minimized: window.is_minimized(),
            fullscreen: window.fullscreen().is_some(),
            // tao does not know it on Linux.
            always_on_top: spec.always_on_top,
            resizable: window.is_resizable(),
            decorations: window.is_decorated(),
            theme: platform::theme(window),
            intercept_close: spec.intercept_close,
        })
    }

    /// Something happened to a window.
    pub fn heed(&mut self, id: WindowId, event: &WindowEvent<'_>) {
        let Some(label) = self.labels.get(&id).cloned() else { return };
        match event {
            WindowEvent::CloseRequested => {
                let _ = self.request_close(&label);
            }
            WindowEvent::Focused(focused) => {
                if let Some(open) = self.open.get_mut(&label) {
                    open.focused = *focused;
                }
                #[cfg(target_os = "macos")]
                if *focused {
                    self.front_menu_bar(&label);
                }
                self.tell(&label, if *focused { WindowNews::Focused } else { WindowNews::Blurred });
            }
            WindowEvent::Resized(_) => drop(self.resized.insert(label)),
            WindowEvent::Moved(_) => drop(self.moved.insert(label)),
            // On Linux neither comes by this way; see `platform/looks_linux.rs`.
            WindowEvent::ThemeChanged(theme) => {
                let dark = *theme == tao::window::Theme::Dark;
                let theme = if dark { Theme::Dark } else { Theme::Light };
                self.tell(&label, WindowNews::ThemeChanged { theme });
            }
            WindowEvent::ScaleFactorChanged { scale_factor, .. } => {
                self.tell(&label, WindowNews::ScaleChanged { scale: *scale_factor });
            }
            _ => {}
        }
    }

    /// The theme of all windows is another.
    pub fn tell_theme(&self, theme: Theme) {
        for label in self.open.keys() {
            self.tell(label, WindowNews::ThemeChanged { theme });
        }
    }

    /// Tells what came in bursts: of many moves and sizes the last one.
    pub fn settle(&mut self) {
        for label in std::mem::take(&mut self.resized) {
            if let Ok(state) = self.state(&label) {
                self.tell(&label, WindowNews::Resized { width: state.size.0, height: state.size.1 });
            }
        }
        for label in std::mem::take(&mut self.moved) {
            if let Ok(state) = self.state(&label) {
                self.tell(&label, WindowNews::Moved { x: state.position.0, y: state.position.1 });
            }
        }
    }

    pub(super) fn tell(&self, label: &str, what: WindowNews) {
        self.shell.tell_natively("window", label, &Told { label: label.into(), what });
    }
}

fn screen(monitor: &MonitorHandle, primary: bool) -> Screen {
    let scale = monitor.scale_factor();
    let position = monitor.position().to_logical::<f64>(scale);
    let size = monitor.size().to_logical::<f64>(scale);
    Screen {
        name: monitor.name(),
        position: (position.x, position.y),
        size: (size.width, size.height),
        scale,
        primary,
    }
}

pub(super) fn place_of_screen(screen: &Screen) -> Place {
    let ((x, y), (width, height)) = (screen.position, screen.size);
    Place { x, y, width, height, maximized: false }
}
