//! What keys of the terminal ask of the running loop.

use super::super::browser::Browser;
use super::super::keyboard::{self, Key};
use super::super::output::Said;
use super::super::underway::Swap;
use super::Session;
use crate::cargo::Profile;
use anyhow::Result;
use staysail_protocol::control::ToShell;
use std::time::Instant;

impl Session {
    /// Does what a key asks for.
    pub(super) fn key(&mut self, key: Key) -> Result<()> {
        match key {
            Key::Rebuild => {
                let (files, since) = match &mut self.waiting {
                    Some(waiting) => std::mem::take(waiting),
                    None => Default::default(),
                };
                self.status.waiting = self.waiting.as_ref().map(|_| 0);
                if files.is_empty() {
                    self.versions.forget();
                }
                self.start_build(&files.into_iter().collect::<Vec<_>>(), since)?;
            }
            Key::Fresh => self.start_afresh(),
            Key::Toggle => self.toggle()?,
            Key::Inspector => self.send(&ToShell::Inspect),
            Key::Browser => {
                if let Err(error) = self.open_browser() {
                    self.output.say(&Said::Error { message: format!("{error:#}") });
                }
            }
            Key::Clear => {
                self.status.page_errors = 0;
                self.output.clear();
            }
            Key::Blank => self.output.tell(""),
            Key::Help => self.output.tell(keyboard::HELP),
            Key::Quit => {}
        }
        Ok(())
    }

    /// Opens the app in the user's browser, which this serves from the first time on.
    pub(super) fn open_browser(&mut self) -> Result<()> {
        let browser = match self.browser.take() {
            Some(browser) => browser,
            None => {
                let (port, url) = (self.browsers.browser_port, self.frontend.url.clone());
                Browser::start(port, url.as_deref(), self.exchange.clone())?
            }
        };
        self.output.say(&Said::BrowserReady { url: browser.url().into() });
        browser.open();
        self.browser = Some(browser);
        Ok(())
    }

    /// Swaps to the newest executable once more, without the state that was kept.
    pub(super) fn start_afresh(&mut self) {
        let Some(path) = self.newest.clone() else { return self.output.tell("nothing is built yet") };
        self.swaps_asked += 1;
        let now = Instant::now();
        let built = self.project.target().join(Profile::Develop.folder()).join(&self.backend.binary);
        let worker = path.display().to_string();
        let swap = Swap {
            build: self.builds,
            path,
            built,
            saved: None,
            started: now,
            cargo_ms: 0.0,
            asked: now,
            copied: now,
            trace: None,
            replayed: false,
        };
        self.swaps.insert(self.swaps_asked, swap);
        self.send(&ToShell::Swap {
            id: self.swaps_asked,
            worker,
            fresh: true,
            modules: self.modules.made.clone(),
        });
    }

    /// Swapping on save, on or off; what was saved meanwhile is built when it goes on again.
    fn toggle(&mut self) -> Result<()> {
        match self.waiting.take() {
            None => {
                self.waiting = Some(Default::default());
                self.status.waiting = Some(0);
                self.output.tell("saves of the backend wait now; r builds them, s swaps on save again");
            }
            Some((files, since)) => {
                self.status.waiting = None;
                self.output.tell("saves of the backend go live at once again");
                if !files.is_empty() {
                    self.start_build(&files.into_iter().collect::<Vec<_>>(), since)?;
                }
            }
        }
        Ok(())
    }
}
