//! What lies over the page: the last build's errors, and the error of a page that did not start.
//!
//! A bundler reads the page's scripts before the window does, and shows what is wrong with them in its own way. What it
//! hands on unread (Vite plain JavaScript) and the window can not read is shown here, too.

use super::Session;
use staysail_protocol::bridge::{Overlay, PageReport};
use staysail_protocol::control::ToShell;

/// The messages; that of the build goes first, that of the modules next, for a backend that is missing is reason enough for a page to fail.
#[derive(Default)]
pub(super) struct Over {
    build: Option<Overlay>,
    modules: Option<Overlay>,
    page: Option<Overlay>,
}

impl Over {
    /// What is to be seen.
    pub(super) fn shown(&self) -> Option<Overlay> {
        self.build.clone().or_else(|| self.modules.clone()).or_else(|| self.page.clone())
    }
}

impl Session {
    /// Shows this of the last build, or takes it away.
    pub(super) fn over_by_build(&mut self, overlay: Option<Overlay>) {
        let before = std::mem::replace(&mut self.over.build, overlay);
        if before.is_some() || self.over.build.is_some() {
            self.send(&ToShell::Overlay { overlay: self.over.shown() });
        }
    }

    /// Shows this of the Wasm modules, or takes it away.
    pub(super) fn over_by_modules(&mut self, overlay: Option<Overlay>) {
        let before = std::mem::replace(&mut self.over.modules, overlay);
        if before.is_some() || self.over.modules.is_some() {
            self.send(&ToShell::Overlay { overlay: self.over.shown() });
        }
    }

    /// Shows what kept the page from starting: the first error, which the others follow from.
    pub(super) fn over_by_page(&mut self, report: &PageReport) {
        if self.over.page.is_some() || !stops_the_page(report, self.frontend.url.is_some()) {
            return;
        }
        self.over.page = Some(overlay(report));
        if self.over.build.is_none() && self.over.modules.is_none() {
            self.send(&ToShell::Overlay { overlay: self.over.shown() });
        }
    }

    /// The page is loaded again: whether it starts is to be seen.
    pub(super) fn page_begins_anew(&mut self) {
        if self.over.page.take().is_some() && self.over.build.is_none() {
            self.send(&ToShell::Overlay { overlay: self.over.shown() });
        }
    }
}

/// A script that can not be read or ends early; a call that failed in the meantime has no place and stops nothing.
fn stops_the_page(report: &PageReport, bundled: bool) -> bool {
    let unread = report.message.starts_with("SyntaxError");
    report.kind == "boot" && report.level == "error" && !report.place.is_empty() && (unread || !bundled)
}

fn overlay(report: &PageReport) -> Overlay {
    Overlay {
        kind: "page".into(),
        title: "The page does not start".into(),
        detail: format!("{}\n  --> {}", report.message.trim_end(), report.place),
        advice: "Save a fix and this goes away, and what was typed and preserved is there again.".into(),
        retry: false,
        fresh: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(kind: &str, message: &str, place: &str) -> PageReport {
        PageReport { kind: kind.into(), level: "error".into(), message: message.into(), place: place.into() }
    }

    #[test]
    fn only_a_script_that_fails_while_the_page_starts_stops_it() {
        let unread = report("boot", "SyntaxError: no", "frontend/main.js:20:0");
        let thrown = report("boot", "TypeError: no", "frontend/main.js:20:0");
        for (report, alone, bundled) in [
            (&unread, true, true),
            // Bundlers show this, or the script that could not be made, by themselves.
            (&thrown, true, false),
            (&report("boot", "SyntaxError: no", ""), false, false),
            (&report("error", "SyntaxError: no", "main.js:1:1"), false, false),
            (&report("console", "SyntaxError: no", ""), false, false),
            (&PageReport { level: "warn".into(), ..unread.clone() }, false, false),
        ] {
            assert_eq!(stops_the_page(report, false), alone, "{report:?}");
            assert_eq!(stops_the_page(report, true), bundled, "{report:?}");
        }
    }

    #[test]
    fn the_message_names_the_place_and_the_builds_goes_first() {
        let page = overlay(&report("boot", "SyntaxError: no\n", "frontend/main.js:20:0"));
        assert_eq!(page.detail, "SyntaxError: no\n  --> frontend/main.js:20:0");
        let build = Overlay { kind: "build".into(), ..Overlay::default() };
        let over = Over { build: Some(build), modules: None, page: Some(page) };
        assert_eq!(over.shown().unwrap().kind, "build");
        assert_eq!(Over { build: None, ..over }.shown().unwrap().kind, "page");
    }
}
