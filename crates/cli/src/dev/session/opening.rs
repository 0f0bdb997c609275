//! What is shown: the shell with its windows, and the page in browsers.

use super::super::browser::Browser;
use super::super::description;
use super::{FromShell, Incoming, Said, Session, ShellLink};
use anyhow::{Context, Result};
use staysail_protocol::control::Start;

impl Session {
    /// Starts the shell, and the server for browsers where one is wanted.
    pub(super) fn start_shell(&mut self) -> Result<()> {
        let project = &self.project;
        let data_dir = match &self.driven {
            Some(folder) => folder.join("data"),
            None => project.app_folder().join("data"),
        };
        std::fs::create_dir_all(&data_dir).with_context(|| format!("making {}", data_dir.display()))?;
        let served = project.served();
        let start = Start {
            name: project.name().into(),
            version: project.config.app.version.clone().unwrap_or_else(|| self.backend.version.clone()),
            page_dir: served.map(|folder| folder.display().to_string()),
            dev_url: self.frontend.url.clone(),
            config: project.mode_config(),
            description: description::cached(&project.app_folder()),
            data_dir: data_dir.display().to_string(),
            no_window: self.browsers.without_window(),
            driven: self.driven.is_some(),
        };
        let (sender, answered) = (self.sender.clone(), self.exchange.clone());
        let shell = ShellLink::start(&self.program, start, move |what| match what {
            FromShell::Answered(frame) => answered.answered(frame),
            what => drop(sender.send(Incoming::Shell(what))),
        })?;
        self.output.say(&Said::ShellStarted { pid: shell.id(), shell: self.program.display().to_string() });
        self.exchange.connect(shell.control());
        self.shell = Some(shell);
        if self.browsers.browser {
            self.open_browser()?;
        }
        // A build may have finished while the dev server was waited for; its messages are still in the queue.
        Ok(())
    }

    /// Serves the page to browsers, unless it is served already, and opens one.
    pub(super) fn open_browser(&mut self) -> Result<()> {
        if let Some(browser) = &self.browser {
            browser.open();
            return Ok(());
        }
        let dev_url = self.frontend.url.as_deref();
        let browser = Browser::start(self.browsers.browser_port, dev_url, self.exchange.clone())?;
        self.output.say(&Said::BrowserReady { url: browser.url().into() });
        if self.browsers.without_window() && !self.browsers.no_window {
            let message = "there is no display: the page is in the browser alone".into();
            self.output.say(&Said::Notice { message });
        }
        browser.open();
        self.browser = Some(browser);
        Ok(())
    }
}
