//! `tray.*`: the app's icon in the tray.
//!
//! # Theory of operation
//! Declared or set at run time, there is one icon. After a swap the declaration is compared with the one before; what
//! is declared otherwise is changed in place, and what is not stays, also where it was changed at run time.

use super::{Answer, Windows, answer, icon, invalid};
use crate::platform::tray::Icon;
use crate::shell::Shell;
use base64::Engine;
use serde_json::Value;
use staysail_protocol::desktop::menu::{self, MenuItem, MenuKind, MenuRole};
use staysail_protocol::desktop::tray::{TrayEvent, TrayRequest, TraySpec, TrayState};
use staysail_protocol::limits::{DESKTOP_TIMEOUT_MS, ICON_SIDE_MAX};
use staysail_protocol::{CallError, ErrorCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A picture: four bytes a pixel, red, green, blue and alpha.
pub struct Pixels {
    pub(crate) rgba: Vec<u8>,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Does what is asked.
pub async fn handle(shell: &Arc<Shell>, request: TrayRequest) -> Answer {
    match request {
        TrayRequest::Set { tray } => {
            let mut shown = shell.ui.ask(move |windows, _| windows.set_tray(tray)).await??;
            // The desktop is asked meanwhile; one that hangs shows nothing.
            let patience = Duration::from_millis(DESKTOP_TIMEOUT_MS);
            let _ = tokio::time::timeout(patience, shown.wait_for(Option::is_some)).await;
            answer(shell.ui.ask(|windows, _| windows.tray().state()).await?)
        }
        TrayRequest::Update { icon, png, tooltip, title } => shell
            .ui
            .ask(move |windows, _| {
                let picture = match (png, icon) {
                    (Some(png), _) => Some(from_base64(&png)?),
                    (None, Some(path)) => Some(windows.tray_pixels(&path)?),
                    (None, None) => None,
                };
                windows.tray().update(picture, tooltip.as_deref(), title.as_deref())
            })
            .await?
            .map(|()| Value::Null),
        TrayRequest::UpdateItem { id, text, enabled, checked } => shell
            .ui
            .ask(move |windows, _| windows.tray().update_item(&id, text.as_deref(), enabled, checked))
            .await?
            .map(|()| Value::Null),
        TrayRequest::Remove {} => {
            shell.ui.ask(|windows, _| windows.tray().icon = None).await?;
            Ok(Value::Null)
        }
        TrayRequest::State {} => answer(shell.ui.ask(|windows, _| windows.tray().state()).await?),
    }
}

/// The tray, on the windows' thread.
#[derive(Default)]
pub struct Tray {
    icon: Option<Icon>,
    /// What is shown, as it was said.
    spec: TraySpec,
}

impl Tray {
    /// The user has chosen an entry: whether it is checked now.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn chosen(&self, id: &str) -> Option<bool> {
        self.icon.as_ref().and_then(|icon| icon.chosen(id))
    }

    fn state(&self) -> TrayState {
        let shown = self.icon.as_ref().is_some_and(|icon| *icon.shown().borrow() == Some(true));
        TrayState { set: self.icon.is_some(), shown }
    }

    fn there(&mut self) -> Result<&mut Icon, CallError> {
        self.icon.as_mut().ok_or_else(|| invalid("the app has no icon in the tray; set one first".into()))
    }

    fn update(
        &mut self,
        picture: Option<Pixels>,
        tooltip: Option<&str>,
        title: Option<&str>,
    ) -> Result<(), CallError> {
        let icon = self.there()?;
        if let Some(picture) = picture {
            icon.set_pixels(picture).map_err(failed)?;
        }
        if let Some(tooltip) = tooltip {
            icon.set_tooltip(tooltip).map_err(failed)?;
        }
        if let Some(title) = title {
            icon.set_title(title);
        }
        Ok(())
    }

    fn update_item(
        &mut self,
        id: &str,
        text: Option<&str>,
        enabled: Option<bool>,
        checked: Option<bool>,
    ) -> Result<(), CallError> {
        if self.there()?.update_item(id, text, enabled, checked) {
            Ok(())
        } else {
            Err(invalid(format!("the tray's menu has no entry `{id}`")))
        }
    }
}

impl Windows {
    /// Puts an icon into the tray, or changes the one there to be like this.
    pub fn set_tray(&mut self, spec: TraySpec) -> Result<watch::Receiver<Option<bool>>, CallError> {
        check(&spec)?;
        let (mut icon, old) = (self.tray().icon.take(), std::mem::take(&mut self.tray().spec));
        let done = self.bring_about(&mut icon, &old, &spec);
        // What could not be done leaves what was there.
        self.tray().icon = icon;
        self.tray().spec = if done.is_ok() { spec } else { old };
        done.and_then(|()| Ok(self.tray().there()?.shown()))
    }

    fn bring_about(&self, icon: &mut Option<Icon>, old: &TraySpec, new: &TraySpec) -> Result<(), CallError> {
        let Some(icon) = icon else {
            let pixels = self.tray_pixels(&new.icon)?;
            let (ui, facts) = (&self.shell().ui, self.shell().facts());
            let id = self.shell().application.start().id;
            let id = if id.is_empty() { facts.name.clone() } else { id };
            *icon = Some(Icon::new(ui, (id, facts.name), new.clone(), pixels).map_err(failed)?);
            return Ok(());
        };
        let picture = (old.icon != new.icon).then(|| self.tray_pixels(&new.icon)).transpose()?;
        if let Some(picture) = picture {
            icon.set_pixels(picture).map_err(failed)?;
        }
        if old.tooltip != new.tooltip {
            icon.set_tooltip(&new.tooltip).map_err(failed)?;
        }
        if old.title != new.title {
            icon.set_title(&new.title);
        }
        if old.menu_on_click != new.menu_on_click {
            icon.set_menu_on_click(new.menu_on_click);
        }
        icon.set_menu(&new.menu).map_err(failed)
    }

    /// What is declared now, and what was before.
    pub(super) fn declare_tray(&mut self, old: Option<&TraySpec>, new: Option<&TraySpec>) {
        if old == new {
            return;
        }
        match new {
            Some(new) => {
                if let Err(error) = self.set_tray(new.clone()) {
                    tracing::error!(%error, "the declared tray icon can not be shown; what was there before stays");
                }
            }
            None => *self.tray() = Tray::default(),
        }
    }

    fn tray_pixels(&self, path: &str) -> Result<Pixels, CallError> {
        let bytes = self.shell().assets.file(path).map_err(invalid)?;
        pixels(&bytes).map_err(|error| invalid(format!("{path}: {error}")))
    }

    /// The icon was clicked. Where a click opens the menu, that is all it does.
    pub fn tray_clicked(&mut self, event: TrayEvent) {
        if event != TrayEvent::Clicked || !self.tray().spec.menu_on_click {
            self.tray_event(event);
        }
    }

    /// Something happened to the icon.
    pub fn tray_event(&self, event: TrayEvent) {
        self.shell().tell_natively("tray", "", &event);
    }

    /// The user has chosen something that other systems do by themselves.
    #[cfg(target_os = "linux")]
    pub fn tray_role(&mut self, role: Option<MenuRole>) {
        if role == Some(MenuRole::Quit) {
            self.quit();
        }
    }
}

fn failed(error: String) -> CallError {
    CallError::new(ErrorCode::Internal, error)
}

fn pixels(bytes: &[u8]) -> Result<Pixels, String> {
    let (rgba, width, height) = icon::pixels(bytes, "icon", ICON_SIDE_MAX)?;
    Ok(Pixels { rgba, width, height })
}

fn from_base64(png: &str) -> Result<Pixels, CallError> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(png)
        .map_err(|error| invalid(format!("the picture is no base64: {error}")))?;
    pixels(&bytes).map_err(invalid)
}

/// A menu that belongs to no window can only quit of all that the system does by itself.
fn check(spec: &TraySpec) -> Result<(), CallError> {
    fn walk(menu: &[MenuItem]) -> Result<(), String> {
        for item in menu {
            if item.kind == MenuKind::Role && item.role != Some(MenuRole::Quit) {
                return Err(format!("the tray's menu can have the role `quit` only, not {:?}", item.role));
            }
            walk(&item.items)?;
        }
        Ok(())
    }
    menu::check(&spec.menu).and_then(|()| walk(&spec.menu)).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_needs_a_window_and_entries_of_one_id_are_refused() {
        let item = |role| MenuItem { kind: MenuKind::Role, role: Some(role), ..MenuItem::default() };
        let with = |menu: Vec<MenuItem>| check(&TraySpec { menu, ..TraySpec::default() });
        assert!(with(vec![item(MenuRole::Quit)]).is_ok());
        assert!(with(vec![item(MenuRole::Copy)]).unwrap_err().message.contains("quit"));
        let action = MenuItem { id: "a".into(), text: "A".into(), ..MenuItem::default() };
        assert!(with(vec![action.clone(), action]).is_err());
    }
}
