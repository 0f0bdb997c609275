//! Global shortcuts on Linux: X11's grabs, or on Wayland the desktop's portal.
//!
//! A Wayland session shows X11 windows, too, and lets them grab keys, which then work only while one of them has the
//! focus. So the session decides, not the display: the portal where there is one, and grabs for want of it.

use super::shortcuts_portal::{Portal, Refusal};
use super::shortcuts_x11::{self as x11, Grabs, x_name};
use crate::desktop::shortcuts::Taking;
use crate::shell::Shell;
use gtk::glib;
use muda::accelerator::Accelerator;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The keys this app has taken.
pub struct Keys {
    shell: Arc<Shell>,
    grabs: Rc<RefCell<Grabs>>,
    portal: Option<Portal>,
}

impl Keys {
    /// None yet.
    pub fn new(shell: &Arc<Shell>) -> Self {
        Self { shell: shell.clone(), grabs: Rc::new(RefCell::new(Grabs::new(&shell.ui))), portal: None }
    }

    /// Takes keys for the shortcut of this id.
    ///
    /// # Errors
    /// A sentence for people: another program has them, or this desktop has no such thing.
    pub fn take(&mut self, id: &str, accelerator: Accelerator) -> Result<Taking, String> {
        if !is_wayland(|name| std::env::var(name).ok()) {
            return self.grabs.borrow_mut().take(accelerator).map(|()| Taking::Now);
        }
        let key = x_name(accelerator.key());
        let shell = &self.shell;
        let portal =
            self.portal.get_or_insert_with(|| Portal::new(&shell.ui, &crate::desktop::app::id(shell)));
        let answer = portal.offer(id, accelerator, &key);
        let (taken, taking) = oneshot::channel();
        let grabs = self.grabs.clone();
        glib::MainContext::default().spawn_local(async move {
            let outcome = match answer.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(Refusal::Refused(reason))) => Err(reason),
                Ok(Err(Refusal::Absent(reason))) => instead(&grabs, accelerator, &reason),
                Err(_) => Err("others were taken in their place meanwhile".into()),
            };
            let _ = taken.send(outcome);
        });
        Ok(Taking::Later(taking))
    }

    /// Gives keys back.
    pub fn give_back(&mut self, accelerator: Accelerator) {
        self.grabs.borrow_mut().give_back(accelerator);
        if let Some(portal) = &self.portal {
            portal.take_back(accelerator.id());
        }
    }
}

/// Grabs keys in a Wayland session whose desktop has no portal.
fn instead(grabs: &Rc<RefCell<Grabs>>, accelerator: Accelerator, reason: &str) -> Result<(), String> {
    if !x11::is_here() {
        return Err(format!(
            "this session is Wayland, where keys are taken by the desktop's portal for global shortcuts, which can not \
             be had here ({reason}). GNOME 48, KDE Plasma 5.27, Hyprland and newer have it, by xdg-desktop-portal. \
             Elsewhere the user can bind keys to a command in the desktop's settings: the app itself with an argument, \
             which a running app is told of when it declares `single_instance`"
        ));
    }
    tracing::warn!(
        reason,
        "this session is Wayland, and its desktop has no portal for global shortcuts; keys are grabbed by X11, which \
         works only while a window of X11 has the focus"
    );
    grabs.borrow_mut().take(accelerator)
}

/// Whether this is a session of Wayland, whatever the app's own windows are.
fn is_wayland(variable: impl Fn(&str) -> Option<String>) -> bool {
    match variable("XDG_SESSION_TYPE").as_deref() {
        Some("wayland") => true,
        Some("x11") => false,
        _ => variable("WAYLAND_DISPLAY").is_some_and(|display| !display.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_decides_and_without_its_word_whether_there_is_a_wayland_display() {
        let session = |kind: Option<&'static str>, display: Option<&'static str>| {
            is_wayland(move |name| {
                let value = if name == "XDG_SESSION_TYPE" { kind } else { display };
                value.map(str::to_owned)
            })
        };
        assert!(session(Some("wayland"), None) && session(None, Some("wayland-0")));
        assert!(session(Some("tty"), Some("wayland-0")));
        for (kind, display) in
            [(Some("x11"), Some("wayland-0")), (None, None), (Some("tty"), None), (None, Some(""))]
        {
            assert!(!session(kind, display), "{kind:?} {display:?}");
        }
    }
}
