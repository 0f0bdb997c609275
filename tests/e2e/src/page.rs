//! The page under test: its load, its stream of calls, what it has seen.

use crate::dev::EDIT;
use crate::ledger::{self, Call};
use crate::stage::Stage;
use crate::webdriver::Session;
use serde_json::{Value, json};
use std::ops::Deref;
use std::time::Duration;

/// Longest wait for the page to come up.
const PAGE_PATIENCE: Duration = Duration::from_secs(30);

/// The page in the main window.
pub struct Page {
    session: Session,
}

impl Deref for Page {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Page {
    /// Attaches to the shell whose inspector is at `port` and waits for the fixture to be up.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn attach(stage: &Stage, port: u16, patience: Duration) -> anyhow::Result<Self> {
        let page = Self { session: Session::attach(stage, port, patience)? };
        page.wait_up()?;
        Ok(page)
    }

    /// Attaches without waiting for anything of the page.
    ///
    /// # Errors
    /// When the shell can not be driven.
    pub fn attach_only(stage: &Stage, port: u16, patience: Duration) -> anyhow::Result<Self> {
        Ok(Self { session: Session::attach(stage, port, patience)? })
    }

    /// Waits until the fixture's script has run.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait_up(&self) -> anyhow::Result<()> {
        self.wait_for("the page to be up", "return !!window.fixture", PAGE_PATIENCE)
    }

    /// Waits until a script returns something true.
    ///
    /// # Errors
    /// When it does not within `patience`; what it returned last is named.
    pub fn wait_for(&self, what: &str, script: &str, patience: Duration) -> anyhow::Result<()> {
        crate::wait_until(what, patience, || match self.run(script, &[]) {
            Ok(Value::Bool(true)) => Ok(()),
            Ok(other) => Err(other.to_string()),
            Err(error) => Err(format!("{error:#}")),
        })
    }

    /// Calls a command and returns its answer, or `{"code": …, "details": …, "message": …}` under `error`.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn call(&self, command: &str, arguments: &Value) -> anyhow::Result<Value> {
        self.run_async(
            "return fixture.invoke(arguments_[0], arguments_[1]).then(value => ({ value }), error => ({ error: \
             { code: error.code, details: error.details, message: error.message, \
             typed: error instanceof fixture.CallError } }))",
            &[json!(command), arguments.clone()],
        )
    }

    /// The number this page load gave itself: another one means that the page was loaded again.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn load(&self) -> anyhow::Result<String> {
        Ok(self.run("return fixture.load", &[])?.as_str().unwrap_or_default().to_owned())
    }

    /// Starts the stream of calls.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn start_calls(&self) -> anyhow::Result<()> {
        self.run("fixture.start()", &[]).map(drop)
    }

    /// Ends the stream and waits for the last answer.
    ///
    /// # Errors
    /// When an answer stays out.
    pub fn stop_calls(&self) -> anyhow::Result<Vec<Call>> {
        self.run_async("await fixture.stop()", &[])?;
        self.calls()
    }

    /// All calls of this and the page loads before, in order.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn calls(&self) -> anyhow::Result<Vec<Call>> {
        ledger::calls(&self.run("return [...fixture.before().records, ...fixture.records]", &[])?)
    }

    /// All events of Staysail of this and the page loads before.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn events(&self) -> anyhow::Result<Vec<Value>> {
        let events = self.run("return [...fixture.before().events, ...fixture.events]", &[])?;
        Ok(events.as_array().cloned().unwrap_or_default())
    }

    /// Waits for a step of an update of this version, and answers what the page was told.
    ///
    /// # Errors
    /// When it does not come; those that came are named.
    pub fn wait_event(&self, kind: &str, version: &str) -> anyhow::Result<Value> {
        crate::wait_until(&format!("{kind} of {version}"), EDIT, || {
            let events = self.events().map_err(|error| format!("{error:#}"))?;
            let found =
                events.iter().rfind(|event| event["kind"] == kind && event["version"] == version).cloned();
            found.ok_or_else(|| format!("{events:?}"))
        })
    }

    /// Waits until the stream of calls, made anew, is answered by this build, several times.
    ///
    /// # Errors
    /// When it is not.
    pub fn wait_answer(&self, version: &str, patience: Duration) -> anyhow::Result<()> {
        let script = format!(
            "const seen = fixture.records.filter(one => one.command === 'answer' && one.version).slice(-3); \
             return seen.length === 3 && seen.every(one => one.version === {version:?}) \
             || seen.map(one => one.version).join()"
        );
        self.wait_for(&format!("answers of {version}"), &script, patience)
    }

    /// Waits until one call at a time is answered by this build; for tests without a stream of calls.
    ///
    /// # Errors
    /// When it is not.
    pub fn wait_served_by(&self, version: &str, patience: Duration) -> anyhow::Result<()> {
        crate::wait_until(&format!("an answer of {version}"), patience, || {
            let answer = self.call("answer", &json!({ "id": "-" })).map_err(|error| format!("{error:#}"))?;
            if answer["value"]["version"] == version { Ok(()) } else { Err(answer.to_string()) }
        })
    }

    /// The text of the overlay, empty when there is none. It lies in a shadow tree of an element of its own.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn overlay(&self) -> anyhow::Result<String> {
        // The fixture opens the shadow tree (`early.js`).
        let script = "return document.querySelector('staysail-overlay')?.shadowRoot?.textContent ?? ''";
        Ok(self.run(script, &[])?.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the overlay's text is as wanted.
    ///
    /// # Errors
    /// When it is not; its text is named.
    pub fn wait_overlay(
        &self,
        what: &str,
        patience: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        crate::wait_until(what, patience, || {
            let text = self.overlay().map_err(|error| format!("{error:#}"))?;
            if wanted(&text) { Ok(text) } else { Err(format!("overlay {text:?}")) }
        })
    }
}
