//! Theme and scale of the screen. On Linux tao tells of neither and forgets the theme a window is built with; GTK's own
//! settings do better.

use crate::app::Wish;
use crate::shell::Shell;
use gtk::glib::prelude::ObjectExt;
use gtk::prelude::{GtkSettingsExt, WidgetExt};
use staysail_protocol::desktop::window::{WindowEvent, WindowNews};
use staysail_protocol::interface::Theme;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use tao::platform::unix::WindowExtUnix;
use tao::window::Window;

const PREFERS_DARK: &str = "gtk-application-prefer-dark-theme";

/// The theme its page sees: the same for all windows, for GTK has one per program.
///
/// Decided as WebKitGTK does it (`PageClientImpl::effectiveAppearanceIsDark`), so that both always agree.
pub fn theme(_window: &Window) -> Theme {
    now()
}

fn now() -> Theme {
    let Some(settings) = gtk::Settings::default() else { return Theme::Light };
    let named = || std::env::var("GTK_THEME").ok().or_else(|| settings.gtk_theme_name().map(Into::into));
    let is_dark = |name: String| ["-dark", "-Dark", ":dark"].iter().any(|end| name.ends_with(end));
    if settings.is_gtk_application_prefer_dark_theme() || named().is_some_and(is_dark) {
        Theme::Dark
    } else {
        Theme::Light
    }
}

/// Gives all windows this theme, or that of the desktop back.
pub fn set_theme(_window: &Window, theme: Theme) {
    let Some(settings) = gtk::Settings::default() else { return };
    if theme == Theme::System {
        settings.reset_property(PREFERS_DARK);
    } else {
        settings.set_gtk_application_prefer_dark_theme(theme == Theme::Dark);
    }
}

/// From now on all windows are told when the theme is another, whoever changed it.
pub fn hear_theme(shell: &Arc<Shell>) {
    let Some(settings) = gtk::Settings::default() else { return };
    let told = Rc::new(Cell::new(now()));
    for property in ["gtk-theme-name", PREFERS_DARK] {
        let (shell, told) = (shell.clone(), told.clone());
        settings.connect_notify_local(Some(property), move |_, _| {
            let theme = now();
            if told.replace(theme) != theme {
                shell.ui.wish(Wish::Do(Box::new(move |windows, _| windows.tell_theme(theme))));
            }
        });
    }
}

/// From now on the window is told when its screen has another scale.
pub fn hear_scale(shell: &Arc<Shell>, window: &Window, label: &str) {
    let (shell, label) = (shell.clone(), label.to_string());
    window.gtk_window().connect_scale_factor_notify(move |window| {
        let what = WindowNews::ScaleChanged { scale: f64::from(window.scale_factor()) };
        shell.tell_natively("window", &label, &WindowEvent { label: label.clone(), what });
    });
}
