//! The tray of Windows and macOS, by tray-icon, which shares its menus with the application's.

use crate::app::{Ui, Wish};
use crate::desktop::tray::Pixels;
use crate::desktop::tray_menu::TrayMenu;
use staysail_protocol::desktop::menu::MenuItem;
use staysail_protocol::desktop::tray::{TrayEvent, TraySpec};
use tokio::sync::watch;
use tray_icon::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};

/// An icon in the tray; gone when dropped.
pub struct Icon {
    icon: TrayIcon,
    menu: TrayMenu,
    shown: watch::Sender<Option<bool>>,
}

impl Icon {
    /// Puts an icon into the tray.
    ///
    /// # Errors
    /// What the system said.
    pub fn new(ui: &Ui, app: (String, String), spec: TraySpec, pixels: Pixels) -> Result<Self, String> {
        let ui = ui.clone();
        TrayIconEvent::set_event_handler(Some(move |event: TrayIconEvent| {
            let event = match event {
                TrayIconEvent::Click {
                    button: MouseButton::Left,
                    button_state: MouseButtonState::Up,
                    ..
                } => TrayEvent::Clicked,
                TrayIconEvent::Click {
                    button: MouseButton::Middle,
                    button_state: MouseButtonState::Up,
                    ..
                } => TrayEvent::MiddleClicked,
                _ => return,
            };
            ui.wish(Wish::Do(Box::new(move |windows, _| windows.tray_clicked(event))));
        }));
        let menu = TrayMenu::new(&spec.menu).map_err(|error| error.message)?;
        let tooltip = if spec.tooltip.is_empty() { &app.1 } else { &spec.tooltip };
        let mut builder = TrayIconBuilder::new()
            .with_icon(picture(pixels)?)
            .with_tooltip(tooltip)
            .with_menu_on_left_click(spec.menu_on_click);
        if !spec.menu.is_empty() {
            builder = builder.with_menu(menu.shown());
        }
        if !spec.title.is_empty() {
            builder = builder.with_title(&spec.title);
        }
        let icon = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { icon, menu, shown: watch::Sender::new(Some(true)) })
    }

    /// Whether the desktop shows it.
    pub fn shown(&self) -> watch::Receiver<Option<bool>> {
        self.shown.subscribe()
    }

    /// Another picture.
    ///
    /// # Errors
    /// What the system said.
    pub fn set_pixels(&mut self, pixels: Pixels) -> Result<(), String> {
        self.icon.set_icon(Some(picture(pixels)?)).map_err(|error| error.to_string())
    }

    /// Another text when the mouse is over it.
    ///
    /// # Errors
    /// What the system said.
    pub fn set_tooltip(&mut self, tooltip: &str) -> Result<(), String> {
        self.icon.set_tooltip(Some(tooltip)).map_err(|error| error.to_string())
    }

    /// Another title.
    pub fn set_title(&mut self, title: &str) {
        self.icon.set_title(Some(title));
    }

    /// Whether a click opens the menu.
    pub fn set_menu_on_click(&mut self, yes: bool) {
        self.icon.set_show_menu_on_left_click(yes);
    }

    /// Another menu, changed in place where its entries are the same.
    ///
    /// # Errors
    /// An accelerator that can not be read.
    pub fn set_menu(&mut self, menu: &[MenuItem]) -> Result<(), String> {
        if self.menu.change(menu).map_err(|error| error.message)? {
            self.icon.set_menu((!menu.is_empty()).then(|| self.menu.shown()));
        }
        Ok(())
    }

    /// Changes an entry of the menu. Returns whether it has it.
    pub fn update_item(
        &mut self,
        id: &str,
        text: Option<&str>,
        enabled: Option<bool>,
        checked: Option<bool>,
    ) -> bool {
        self.menu.update(id, text, enabled, checked)
    }

    /// The user has chosen an entry: whether it is checked now.
    pub fn chosen(&self, id: &str) -> Option<bool> {
        self.menu.chosen(id)
    }
}

fn picture(pixels: Pixels) -> Result<tray_icon::Icon, String> {
    tray_icon::Icon::from_rgba(pixels.rgba, pixels.width, pixels.height).map_err(|error| error.to_string())
}
