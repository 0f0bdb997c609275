//! How a window is closed: its page is asked when it wants to be, and its place is remembered.
//!
//! # Theory of operation
//! A window whose page intercepts closing is asked first (`close_requested`). The page has
//! `close_answer_timeout_ms` to say that it has heard (`hold_close`); from then on the user decides in the page, and a
//! page that hangs never keeps its window open.

use super::{Done, Open, Windows, not_open};
use crate::desktop::geometry::Place;
use crate::desktop::power::Wishes;
use crate::platform;
use staysail_protocol::desktop::window::WindowNews;
use staysail_protocol::limits::CLOSE_ANSWER_TIMEOUT_MS;
use std::time::Duration;

impl Windows {
    /// The user, or somebody for them, wants to close a window.
    pub fn request_close(&mut self, label: &str) -> Done {
        let open = self.open.get_mut(label).ok_or_else(|| not_open(label))?;
        if !open.spec.intercept_close {
            return self.close(label);
        }
        open.close_wishes += 1;
        open.close_is_held = false;
        let (wish, label, ui) = (open.close_wishes, label.to_string(), self.shell.ui.clone());
        self.tell(&label, WindowNews::CloseRequested);
        self.shell.runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(CLOSE_ANSWER_TIMEOUT_MS)).await;
            let _ = ui
                .ask(move |windows, _| {
                    let unheard = |open: &Open| open.close_wishes == wish && !open.close_is_held;
                    if windows.open.get(&label).is_some_and(unheard) {
                        tracing::warn!(
                            window = label,
                            "the page did not answer within {CLOSE_ANSWER_TIMEOUT_MS} ms \
                             (close_answer_timeout_ms); its window is closed"
                        );
                        let _ = windows.close(&label);
                    }
                })
                .await;
        });
        Ok(())
    }

    /// The user wants the app to end. Every page that is asked before its window closes is asked; one that keeps its window
    /// keeps the app.
    pub fn quit(&mut self) {
        self.quits = true;
        if self.open.is_empty() {
            self.ending.get_or_insert(0);
        }
        // A window that belongs to another may be gone with it.
        for label in self.labels() {
            let _ = self.request_close(&label);
        }
    }

    /// The page decides about the newest wish to close its window.
    pub fn hold_close(&mut self, label: &str) -> Done {
        self.open.get_mut(label).ok_or_else(|| not_open(label))?.close_is_held = true;
        Ok(())
    }

    /// Closes a window, and the windows that belong to it.
    pub fn close(&mut self, label: &str) -> Done {
        self.find(label)?;
        let children: Vec<String> = self
            .open
            .values()
            .filter(|open| open.spec.parent.as_deref() == Some(label))
            .map(|open| open.spec.label.clone())
            .collect();
        for child in children {
            self.close(&child)?;
        }
        self.remember(label);
        if let Some(open) = self.open.remove(label) {
            // The next window may be given the same address, and would count as one that has its menu bar.
            open.take_menu_bar(self.menus.app());
            if open.spec.modal
                && let Some(parent) = open.spec.parent.as_ref().and_then(|parent| self.open.get(parent))
            {
                platform::set_modal(&open.window, &parent.window, false);
            }
            self.labels.remove(&open.window.id());
            self.shell.pages.close(label);
            self.shell.assets.let_go(label);
            self.shell.streams.forget(label);
            self.shell.bodies.forget(label);
            Wishes::forget_page(&self.shell, label, u64::MAX);
            self.shell.files.grants.forget(label);
        }
        self.moved.remove(label);
        self.resized.remove(label);
        self.tell(label, WindowNews::Closed);
        if self.open.is_empty() && (self.quits || !self.declared.runs_without_windows) {
            self.shell.observe(|observer| observer.closing());
            self.ending.get_or_insert(0);
        }
        Ok(())
    }

    pub(super) fn remember(&mut self, label: &str) {
        let Ok(Open { window, spec, .. }) = self.find(label) else { return };
        if !spec.remember {
            return;
        }
        let (scale, maximized) = (window.scale_factor(), window.is_maximized());
        let inner = window.inner_size().to_logical::<f64>(scale);
        let position = window.outer_position().unwrap_or_default().to_logical::<f64>(scale);
        let now = Place { x: position.x, y: position.y, width: inner.width, height: inner.height, maximized };
        // Of a maximised window the size it returns to is the one remembered before.
        let place = if maximized { Place { maximized, ..self.places.of(label).unwrap_or(now) } } else { now };
        self.places.keep(label, place);
    }

    /// Remembers where all windows are, because the app ends.
    pub fn remember_all(&mut self) {
        for label in self.labels() {
            self.remember(&label);
        }
    }
}
