//! Which files a page may touch: the `files` of a capability in `staysail.toml`.
//!
//! # Theory of operation
//! A scope is a pattern and an access. A pattern begins like a path ([`crate::path`]) and goes on in names, in which `*`
//! stands for any run of characters; `**` alone stands for any number of names, none as well. Names that begin with a dot
//! are met only by a name of the pattern that does, too. Everything is compared exactly, on systems that ignore case as
//! well: what differs is denied.
//!
//! The part of an absolute pattern before its first `*` (but not its last name) is its *anchor*, and so is the folder of
//! a variable: the shell goes there as the system leads it, links and all, as whoever wrote the pattern meant that
//! place. Below the anchor no link is followed.

use crate::path::{Base, FilePath, PATH_NAMES_MAX, PathError, Style, begin, check_name};
use serde::{Deserialize, Serialize};

/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1_024;

/// One entry of `files`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileScope {
    /// The pattern.
    pub path: String,
    /// What may be done there.
    #[serde(default)]
    pub access: Access,
}

/// What may be done with a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Read it and what is known of it.
    #[default]
    Read,
    /// Change it, too.
    ReadWrite,
}

/// A pattern taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// Where it begins.
    pub base: Base,
    /// Names before the rest that are taken as they stand; none after a variable.
    pub anchor: Vec<String>,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// One name; `*` stands for any run of characters.
    Name(String),
    /// `**`.
    Any,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It begins nowhere, or holds a name that no path has.
    #[error(transparent)]
    Path(#[from] PathError),
    /// It names a folder alone.
    #[error(
        "{0:?} names a folder and nothing in it; for all that is in it add `/**`, for its files alone `/*`"
    )]
    NothingInIt(String),
    /// `**` together with something else.
    #[error("`**` stands for whole names; in {0:?} it is part of one")]
    PartOfName(String),
    /// It holds a character that means something in other pattern languages.
    #[error(
        "{1:?} in {0:?} has no meaning here, only `*` and `**` have one; write one entry for each name instead"
    )]
    Foreign(String, char),
    /// It is too long.
    #[error("a pattern has at most {PATTERN_BYTES_MAX} bytes and {PATH_NAMES_MAX} names")]
    TooLong,
}

impl Pattern {
    /// Takes a pattern apart. It is written with `/` on every system; `C:/charts/*` is one of Windows.
    ///
    /// # Errors
    /// See [`PatternError`].
    ///
    /// ```
    /// use staysail_protocol::scope::Pattern;
    /// let charts = Pattern::parse("$DOCUMENTS/charts/*.kap").unwrap();
    /// assert!(charts.matches(&["charts", "atlantic.kap"]));
    /// assert!(!charts.matches(&["charts", "notes.txt"]) && !charts.matches(&["charts", "old", "a.kap"]));
    /// assert!(charts.lists(&["charts"]));
    /// ```
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        if let Some(foreign) = text.chars().find(|c| matches!(c, '?' | '[' | ']' | '{' | '}' | '\\')) {
            return Err(PatternError::Foreign(text.to_owned(), foreign));
        }
        let drive = text.as_bytes().get(1) == Some(&b':') || text.starts_with("//");
        let (base, rest) = begin(text, if drive { Style::Windows } else { Style::Unix })?;
        let mut parts = Vec::new();
        for name in rest.split('/') {
            if name == "**" {
                // Two in a row say no more than one.
                if parts.last() != Some(&Part::Any) {
                    parts.push(Part::Any);
                }
                continue;
            }
            if name.is_empty() && rest.is_empty() {
                return Err(PatternError::NothingInIt(text.to_owned()));
            }
            if name.contains("**") {
                return Err(PatternError::PartOfName(text.to_owned()));
            }
            check_name(name, Style::Unix).map_err(|why| PathError::Name {
                path: text.to_owned(),
                name: name.to_owned(),
                why,
            })?;
            parts.push(Part::Name(name.to_owned()));
        }
        if parts.len() > PATH_NAMES_MAX {
            return Err(PatternError::TooLong);
        }
        let anchor = match base {
            Base::Variable(_) => Vec::new(),
            Base::Root(_) => {
                let fixed =
                    parts.iter().take_while(|part| matches!(part, Part::Name(name) if !name.contains('*')));
                let count = fixed.count().min(parts.len() - 1);
                let fixed = parts.drain(..count);
                fixed.filter_map(|part| if let Part::Name(name) = part { Some(name) } else { None }).collect()
            }
        };
        Ok(Self { base, anchor, parts })
    }

    /// Everything below a folder that is held by other means.
    pub fn everything() -> Self {
        Self { base: Base::Root(String::new()), anchor: Vec::new(), parts: vec![Part::Any] }
    }

    /// The anchor as a path.
    pub fn anchor(&self) -> FilePath {
        FilePath { base: self.base.clone(), names: self.anchor.clone() }
    }

    /// Whether what lies at these names below the anchor is meant.
    pub fn matches<S: AsRef<str>>(&self, names: &[S]) -> bool {
        matches(&self.parts, names)
    }

    /// Whether a folder may be listed: it is meant itself, or something right in it can be.
    pub fn lists<S: AsRef<str>>(&self, folder: &[S]) -> bool {
        let inner = self.parts.split_last().map_or(&[][..], |(_, before)| before);
        matches(&self.parts, folder) || matches(inner, folder)
    }
}

/// Compares part by part. `reached[i]`: the first `i` parts can stand for the names so far. Its cost is the product of
/// the two lengths, whatever the pattern.
fn matches<S: AsRef<str>>(parts: &[Part], names: &[S]) -> bool {
    let mut reached = vec![false; parts.len() + 1];
    reached[0] = true;
    skip_any(parts, &mut reached);
    for name in names {
        let name = name.as_ref();
        let mut next = vec![false; parts.len() + 1];
        for (at, part) in parts.iter().enumerate() {
            match part {
                Part::Name(pattern) => next[at + 1] |= reached[at] && fits(pattern, name),
                // Stands for one name more and is not over yet.
                Part::Any => next[at + 1] |= reached[at + 1] && !name.starts_with('.'),
            }
        }
        skip_any(parts, &mut next);
        reached = next;
    }
    reached[parts.len()]
}

/// `**` may stand for nothing at all.
fn skip_any(parts: &[Part], reached: &mut [bool]) {
    for (at, part) in parts.iter().enumerate() {
        if *part == Part::Any && reached[at] {
            reached[at + 1] = true;
        }
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    let hidden_unasked = name.starts_with('.') && !pattern.starts_with('.');
    !hidden_unasked && crate::capability::matches(pattern, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_parts_of_names_and_two_for_whole_ones() {
        for (pattern, path, fits) in [
            ("$DATA/**", "", true),
            ("$DATA/**", "a/b/c", true),
            ("$DATA/*", "a", true),
            ("$DATA/*", "", false),
            ("$DATA/*", "a/b", false),
            ("$DATA/a", "a", true),
            ("$DATA/a", "A", false),
            ("$DATA/a", "a/b", false),
            ("$DATA/**/*.kap", "x.kap", true),
            ("$DATA/**/*.kap", "a/b/x.kap", true),
            ("$DATA/**/*.kap", "a/b/x.txt", false),
            ("$DATA/a/**/z", "a/z", true),
            ("$DATA/a/**/z", "a/1/2/z", true),
            ("$DATA/a/**/z", "a/1/2", false),
            ("$DATA/**/**/z", "z", true),
            ("$DATA/a/**", "a", true),
            ("$DATA/a/**", "b/a", false),
        ] {
            let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
            assert_eq!(Pattern::parse(pattern).unwrap().matches(&names), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn hidden_names_are_met_only_by_patterns_that_name_them() {
        for (pattern, path, fits) in [
            ("$HOME/**", ".ssh/id", false),
            ("$HOME/**", "a/.git/config", false),
            ("$HOME/*", ".netrc", false),
            ("$HOME/*rc", ".netrc", false),
            ("$HOME/.*", ".netrc", true),
            ("$HOME/.config/**", ".config/a", true),
            ("$HOME/.config/**", ".config/.a", false),
            ("$HOME/**/.env", "a/.env", true),
            ("$HOME/**/.env", ".a/.env", false),
        ] {
            let names: Vec<&str> = path.split('/').collect();
            assert_eq!(Pattern::parse(pattern).unwrap().matches(&names), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn a_folder_is_listed_when_something_in_it_can_be_meant() {
        for (pattern, folder, lists) in [
            ("$DATA/**", "", true),
            ("$DATA/**", "a/b", true),
            ("$DATA/**", ".a", false),
            ("$DATA/*.kap", "", true),
            ("$DATA/c/*.kap", "c", true),
            ("$DATA/c/*.kap", "", false),
            ("$DATA/c/x", "c", true),
            ("$DATA/c/x", "c/x", true),
        ] {
            let names: Vec<&str> = folder.split('/').filter(|name| !name.is_empty()).collect();
            assert_eq!(Pattern::parse(pattern).unwrap().lists(&names), lists, "{pattern} {folder}");
        }
    }

    #[test]
    fn the_fixed_part_of_an_absolute_pattern_is_its_anchor_and_its_last_name_is_not() {
        for (pattern, anchor) in [
            ("/srv/charts/**", &["srv", "charts"][..]),
            ("/srv/charts/a.kap", &["srv", "charts"]),
            ("/srv/*/a/b", &["srv"]),
            ("/**", &[]),
            ("C:/charts/*.kap", &["charts"]),
            ("$DATA/a/b/*", &[]),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().anchor, anchor, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_what_to_write_instead() {
        for (text, part) in [
            ("charts/*", "relative"),
            ("$DOCS/*", "$DOCUMENTS"),
            ("$DATA", "/**"),
            ("/", "/**"),
            ("$DATA/../x", "leads elsewhere"),
            ("$DATA//x", "empty"),
            ("$DATA/x/", "empty"),
            ("$DATA/a**", "whole names"),
            ("$DATA/*.{kap,txt}", "one entry for each"),
            ("$DATA/?", "one entry for each"),
            ("$DATA\\x", "no meaning"),
        ] {
            let message = Pattern::parse(text).unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
        assert_eq!(Pattern::parse(&format!("/{}", "a".repeat(2_000))), Err(PatternError::TooLong));
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_longer_than_its_length_tells() {
        let pattern = Pattern::parse(&format!("/{}z", "**/a/".repeat(120))).unwrap();
        let names = vec!["a"; 256];
        let begun = std::time::Instant::now();
        for _ in 0..20 {
            assert!(!pattern.matches(&names));
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(2));
    }
}
