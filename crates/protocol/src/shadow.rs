//! Shadow verification: what a release says of calls that its backend answers, too, before it takes over.

use crate::limits;
use serde::{Deserialize, Serialize};

/// Rules of a release, as its author wrote them under `[update.shadow]`. They travel in the signed manifest.
///
/// What runs answers all calls. Of those to read-only commands a share is answered by the new backend, too, and the answers
/// are compared; only when they are alike does the new one take over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShadowRules {
    /// Share of the read-only calls that is copied, above 0 and up to 1.
    pub share: f64,
    /// So many calls must have been compared.
    pub calls_min: u32,
    /// Seconds after which `when_quiet` decides, when there were fewer.
    pub seconds_max: u64,
    /// Calls the new backend works at, or that wait for it, at once; what comes meanwhile is not copied.
    pub in_flight_max: usize,
    /// Bytes of copied arguments and answers at once; what comes meanwhile is not copied.
    pub bytes_max: usize,
    /// Calls that may be answered otherwise; one more, and the release is rejected.
    pub differences_max: u32,
    /// How many times as long the new backend may take for a command, in the median; not looked at when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slower_max: Option<f64>,
    /// Places of answers that are not compared ([`Pattern`]).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// What fewer calls than `calls_min` in `seconds_max` mean.
    pub when_quiet: WhenQuiet,
}

impl Default for ShadowRules {
    fn default() -> Self {
        Self {
            share: 1.0,
            calls_min: limits::SHADOW_CALLS_MIN,
            seconds_max: limits::SHADOW_S,
            in_flight_max: limits::SHADOW_IN_FLIGHT,
            bytes_max: limits::SHADOW_BYTES,
            differences_max: 0,
            slower_max: None,
            ignore: Vec::new(),
            when_quiet: WhenQuiet::Pass,
        }
    }
}

impl ShadowRules {
    /// The same with every number within its named limit, whoever wrote them.
    pub fn bounded(mut self) -> Self {
        self.share = if self.share.is_finite() { self.share.clamp(0.0, 1.0) } else { 1.0 };
        self.calls_min = self.calls_min.clamp(1, limits::SHADOW_CALLS_MAX);
        self.seconds_max = self.seconds_max.clamp(1, limits::SHADOW_MAX_S);
        self.in_flight_max = self.in_flight_max.clamp(1, limits::SHADOW_IN_FLIGHT_MAX);
        self.bytes_max = self.bytes_max.clamp(limits::SHADOW_BYTES_MIN, limits::SHADOW_BYTES_MAX);
        self.ignore.truncate(limits::SHADOW_IGNORED_MAX);
        self
    }
}

/// What too few calls mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenQuiet {
    /// The release goes live: what was compared was alike.
    #[default]
    Pass,
    /// It stays staged, and the next look tries again.
    Wait,
    /// It is rejected.
    Reject,
}

/// Names places in an answer.
///
/// - `/items/0/id`: one place, as a JSON Pointer (RFC 6901) names it; `*` stands for any one key or index.
/// - `time`, `*/time`: without a slash in front, every place whose path ends like that.
/// - `search:/took_ms`: with a command in front, in answers of that command only.
///
/// All that is below such a place is not looked at either, nor whether it is there at all.
///
/// ```
/// use staysail_protocol::shadow::Pattern;
/// let pattern = Pattern::parse("/items/*/seen").unwrap();
/// assert!(pattern.matches("list", &["items", "3", "seen"]));
/// assert!(!pattern.matches("list", &["items", "seen"]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    command: Option<String>,
    anchored: bool,
    segments: Vec<String>,
}

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > limits::SHADOW_PATTERN_BYTES_MAX {
            let most = limits::SHADOW_PATTERN_BYTES_MAX;
            return Err(format!("a pattern has at most {most} bytes (shadow_pattern_bytes_max)"));
        }
        let slash = text.find('/').unwrap_or(text.len());
        let (command, path) = match text[..slash].split_once(':') {
            Some((command, _)) => (Some(command.to_owned()), &text[command.len() + 1..]),
            None => (None, text),
        };
        if command.as_ref().is_some_and(String::is_empty) {
            return Err(format!("{text:?} names no command before the colon"));
        }
        let (anchored, rest) = match path.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, path),
        };
        let segments: Vec<String> =
            rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
        if segments.iter().any(String::is_empty) {
            return Err(format!("{text:?} has an empty part; write \"/path/to/field\" or \"field\""));
        }
        Ok(Self { command, anchored, segments })
    }

    /// Whether it names this place of an answer of `command`: keys of objects, and indexes as text.
    pub fn matches<S: AsRef<str>>(&self, command: &str, path: &[S]) -> bool {
        let fits =
            if self.anchored { path.len() == self.segments.len() } else { path.len() >= self.segments.len() };
        let end = &path[path.len().saturating_sub(self.segments.len())..];
        let same = |(part, at): (&String, &S)| part == "*" || part == at.as_ref();
        fits && self.command.as_ref().is_none_or(|own| own == command)
            && self.segments.iter().zip(end).all(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str, path: &str) -> bool {
        let path: Vec<&str> = path.split('/').skip(1).collect();
        Pattern::parse(pattern).unwrap().matches("search", &path)
    }

    #[test]
    fn a_pattern_names_one_place_or_every_end_of_a_path() {
        for (pattern, path, expected) in [
            ("/time", "/time", true),
            ("/time", "/a/time", false),
            ("time", "/time", true),
            ("time", "/a/b/time", true),
            ("time", "/time/a", false),
            ("*/time", "/time", false),
            ("*/time", "/a/time", true),
            ("/a/*/c", "/a/7/c", true),
            ("/a/*/c", "/a/c", false),
            ("/a/*", "/a/b", true),
            ("/a~1b", "/a", false),
            ("search:/time", "/time", true),
            ("search:time", "/a/time", true),
            ("other:/time", "/time", false),
            ("other:time", "/time", false),
        ] {
            assert_eq!(names(pattern, path), expected, "{pattern} {path}");
        }
        assert!(Pattern::parse("/a~1b/~0").unwrap().matches("x", &["a/b", "~"]));
        assert!(
            Pattern::parse("/a:b").unwrap().matches("x", &["a:b"]),
            "a colon behind a slash is no command's"
        );
    }

    #[test]
    fn patterns_that_name_nothing_are_refused() {
        for bad in ["", "/", "/a//b", "a/", ":a", "search:", "search:/"] {
            assert!(Pattern::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Pattern::parse(&"a".repeat(limits::SHADOW_PATTERN_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn rules_are_kept_within_their_limits_whoever_wrote_them() {
        let wild = ShadowRules {
            share: f64::NAN,
            calls_min: 0,
            seconds_max: u64::MAX,
            in_flight_max: usize::MAX,
            bytes_max: 0,
            ignore: vec!["a".into(); 2 * limits::SHADOW_IGNORED_MAX],
            ..ShadowRules::default()
        };
        let bounded = wild.bounded();
        assert_eq!((bounded.share, bounded.calls_min), (1.0, 1));
        assert_eq!(bounded.seconds_max, limits::SHADOW_MAX_S);
        assert_eq!(bounded.in_flight_max, limits::SHADOW_IN_FLIGHT_MAX);
        assert_eq!(bounded.bytes_max, limits::SHADOW_BYTES_MIN);
        assert_eq!(bounded.ignore.len(), limits::SHADOW_IGNORED_MAX);
        assert_eq!(ShadowRules::default().bounded(), ShadowRules::default());
    }
}
