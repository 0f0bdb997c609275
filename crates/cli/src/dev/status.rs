//! The line at the foot of the terminal: what runs, since when, the last save's time, errors.

use super::output::seconds;
use crate::style;
use staysail_protocol::bridge::PageReport;

/// What there is to know at a glance.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The app's name.
    pub name: String,
    /// When the backend that serves went live, as a time of day.
    pub live_since: Option<String>,
    /// From the last save to live, in milliseconds.
    pub last_save_ms: Option<f64>,
    /// What is going on: cargo's own words, or the dev server's.
    pub busy: Option<String>,
    /// Errors of the last build.
    pub build_errors: usize,
    /// Errors of pages since they were loaded last, or the terminal was cleared.
    pub page_errors: usize,
    /// Whether the backend has ended and nothing serves.
    pub lost: bool,
    /// Saved files that wait, while swapping on save is off.
    pub waiting: Option<usize>,
}

impl Status {
    /// The line.
    pub fn line(&self) -> String {
        let mut parts = Vec::new();
        if let Some(busy) = &self.busy {
            parts.push(busy.clone());
        } else if self.lost {
            parts.push(style::bad("● backend lost"));
        } else if self.build_errors > 0 {
            parts.push(style::bad(&format!("● {}", count(self.build_errors, "error", "the build"))));
        } else if self.live_since.is_some() {
            parts.push(style::good("● live"));
        } else {
            parts.push(style::dim("● starting"));
        }
        parts.push(style::strong(&self.name));
        if let Some(since) = &self.live_since
            && !self.lost
        {
            parts.push(format!("backend of {since}"));
        }
        if let Some(last) = self.last_save_ms {
            parts.push(format!("last save {} s", seconds(last)));
        }
        if self.page_errors > 0 {
            parts.push(style::bad(&count(self.page_errors, "error", "the page")));
        }
        match self.waiting {
            Some(0) => parts.push(style::warn("swap on save is off (s)")),
            Some(files) => parts.push(style::warn(&format!("{} saved, r builds", number(files, "file")))),
            None => {}
        }
        parts.push(style::dim("h help"));
        parts.join(&style::dim(" · "))
    }
}

/// Whether a page's report counts as an error of the page. What a bundler's client says of an edit that it could not
/// exchange does not: it takes no message back when the next edit repairs it, and shows by itself what is wrong.
pub fn counts(report: &PageReport) -> bool {
    const BUNDLERS: [&str; 3] = ["[vite]", "[webpack-dev-server]", "[HMR]"];
    let by_bundler = BUNDLERS.iter().any(|name| report.message.starts_with(name));
    report.level == "error" && !(report.kind == "console" && by_bundler)
}

fn number(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn count(count: usize, what: &str, place: &str) -> String {
    format!("{} in {place}", number(count, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(status: &Status) -> String {
        style::without_colours(&status.line())
    }

    #[test]
    fn what_a_bundler_says_of_an_edit_is_no_error_of_the_page() {
        let report = |level: &str, message: &str| PageReport {
            kind: "console".into(),
            level: level.into(),
            message: message.into(),
            place: String::new(),
        };
        assert!(counts(&report("error", "it is wrong")));
        assert!(!counts(&report("warn", "it may be wrong")));
        assert!(!counts(&report("error", "[vite] Failed to reload /src/App.tsx.")));
        let thrown = PageReport { kind: "error".into(), ..report("error", "[vite] is my array") };
        assert!(counts(&thrown));
    }

    #[test]
    fn the_line_tells_what_serves_and_what_is_wrong() {
        let mut status = Status { name: "notes".into(), ..Status::default() };
        assert_eq!(plain(&status), "● starting · notes · h help");
        status.live_since = Some("12:04:31".into());
        status.last_save_ms = Some(583.0);
        assert_eq!(plain(&status), "● live · notes · backend of 12:04:31 · last save 0.58 s · h help");
        status.build_errors = 2;
        status.page_errors = 1;
        assert_eq!(
            plain(&status),
            "● 2 errors in the build · notes · backend of 12:04:31 · last save 0.58 s · 1 error in the page · h help"
        );
        status = Status { waiting: Some(3), ..Status { build_errors: 0, page_errors: 0, ..status } };
        assert!(plain(&status).contains("3 files saved, r builds"));
        status.lost = true;
        assert!(plain(&status).starts_with("● backend lost · notes · last save"), "{}", plain(&status));
    }
}
