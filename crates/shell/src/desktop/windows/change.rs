//! What is changed of an open window, at run time and after a swap.

use super::menu_bars::shows_apps;
use super::{Done, Open, Windows, not_open, size};
use crate::platform;
use staysail_protocol::desktop::window::WindowChange;
use staysail_protocol::interface::WindowSpec;
use tao::dpi::LogicalPosition;
use tao::window::Fullscreen;

impl Windows {
    /// Changes a window: what `change` names, and nothing else.
    pub fn change(&mut self, label: &str, change: WindowChange) -> Done {
        let icon = change.icon.as_deref().map(|path| self.icon(path)).transpose()?;
        let open = self.open.get_mut(label).ok_or_else(|| not_open(label))?;
        let Open { window, page, spec, .. } = open;
        if let Some(title) = change.title {
            window.set_title(&title);
            spec.title = title;
        }
        if let Some(min) = change.min_size {
            spec.min_size = limit(min);
            window.set_min_inner_size(spec.min_size.map(size));
        }
        if let Some(max) = change.max_size {
            spec.max_size = limit(max);
            window.set_max_inner_size(spec.max_size.map(size));
        }
        if let Some((width, height)) = change.size {
            window.set_inner_size(size((width, height)));
            (spec.width, spec.height) = (width, height);
        }
        if let Some((x, y)) = change.position {
            window.set_outer_position(LogicalPosition::new(x, y));
            spec.position = Some((x, y));
        }
        if let Some(yes) = change.resizable {
            window.set_resizable(yes);
            spec.resizable = yes;
        }
        if let Some(yes) = change.decorations {
            window.set_decorations(yes);
            let had_menu = shows_apps(spec);
            spec.decorations = yes;
            let app = self.menus.app();
            if !app.is_empty() && shows_apps(spec) != had_menu {
                let change = if had_menu { platform::take_menu_bar } else { platform::attach_menu };
                change(app.bar(), window);
            }
        }
        if let Some(yes) = change.always_on_top {
            window.set_always_on_top(yes);
            spec.always_on_top = yes;
        }
        if let Some(wanted) = change.theme {
            platform::set_theme(window, wanted);
            spec.theme = wanted;
        }
        if let Some(zoom) = change.zoom {
            page.zoom(zoom);
            spec.zoom = zoom;
        }
        if let Some(icon) = icon {
            window.set_window_icon(Some(icon));
            spec.icon = change.icon;
        }
        if let Some(progress) = change.progress {
            platform::set_progress(window, progress, &self.shell.facts().data_dir);
        }
        if let Some(yes) = change.skip_taskbar {
            platform::set_skip_taskbar(window, yes);
            spec.skip_taskbar = yes;
        }
        if let Some(yes) = change.intercept_close {
            spec.intercept_close = yes;
        }
        if let Some(yes) = change.visible {
            window.set_visible(yes);
        }
        if let Some(yes) = change.minimized {
            window.set_minimized(yes);
        }
        if let Some(yes) = change.maximized {
            window.set_maximized(yes);
        }
        if let Some(yes) = change.fullscreen {
            window.set_fullscreen(yes.then_some(Fullscreen::Borderless(None)));
        }
        Ok(())
    }
}

/// 0 × 0 stands for no limit.
fn limit(size: (f64, f64)) -> Option<(f64, f64)> {
    (size.0 > 0.0 || size.1 > 0.0).then_some(size)
}

/// What is declared otherwise than before. What the user changed meanwhile stays.
pub(super) fn difference(old: &WindowSpec, new: &WindowSpec) -> WindowChange {
    fn other<T: PartialEq + Clone>(old: &T, new: &T) -> Option<T> {
        (old != new).then(|| new.clone())
    }
    WindowChange {
        title: other(&old.title, &new.title),
        size: other(&(old.width, old.height), &(new.width, new.height)),
        min_size: other(&old.min_size, &new.min_size).map(Option::unwrap_or_default),
        max_size: other(&old.max_size, &new.max_size).map(Option::unwrap_or_default),
        resizable: other(&old.resizable, &new.resizable),
        decorations: other(&old.decorations, &new.decorations),
        always_on_top: other(&old.always_on_top, &new.always_on_top),
        theme: other(&old.theme, &new.theme),
        zoom: other(&old.zoom, &new.zoom),
        icon: if old.icon == new.icon { None } else { new.icon.clone() },
        intercept_close: other(&old.intercept_close, &new.intercept_close),
        skip_taskbar: other(&old.skip_taskbar, &new.skip_taskbar),
        ..WindowChange::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_declared_otherwise_is_changed() {
        let old = WindowSpec { title: "One".into(), min_size: Some((10.0, 10.0)), ..WindowSpec::default() };
        assert_eq!(difference(&old, &old.clone()), WindowChange::default());
        let new = WindowSpec { title: "Two".into(), min_size: None, ..old.clone() };
        let change =
            WindowChange { title: Some("Two".into()), min_size: Some((0.0, 0.0)), ..WindowChange::default() };
        assert_eq!(difference(&old, &new), change);
    }
}
