//! What the page of a window may do, beyond its app's own commands. Declared in `staysail.toml`, signed with the
//! release, kept by the shell.
//!
//! # Theory of operation
//! A window's permissions are the union of all capabilities whose `windows` name it. Without any, its page may call
//! the app's own commands and nothing else. Names are compared whole; in a pattern `*` stands for any run of
//! characters. Native features are named `group.operation` (see [`crate::desktop`]).

use crate::scope::FileScope;
use serde::{Deserialize, Serialize};

/// One `[[capabilities]]` of `staysail.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capability {
    /// Labels of the windows it is for; patterns.
    pub windows: Vec<String>,
    /// Native features the page may use, e.g. `dialog.*`; patterns.
    pub allow: Vec<String>,
    /// The app's own commands it may call, patterns; all of them when no capability of the window has this list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands: Option<Vec<String>>,
    /// Foreign origins, whole (`https://docs.example.com`), whose pages may call from these windows.
    pub origins: Vec<String>,
    /// Files the page may touch with the features `fs.*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileScope>,
}

/// The capabilities of one window.
#[derive(Debug, Clone, Copy)]
pub struct Granted<'a> {
    all: &'a [Capability],
    window: &'a str,
}

impl<'a> Granted<'a> {
    /// Of the window with this label.
    ///
    /// ```
    /// use staysail_protocol::capability::{Capability, Granted};
    /// let editor = Capability {
    ///     windows: vec!["main".into(), "note-*".into()],
    ///     allow: vec!["dialog.*".into()],
    ///     ..Capability::default()
    /// };
    /// let all = [editor];
    /// assert!(Granted::to(&all, "note-7").feature("dialog.open"));
    /// assert!(!Granted::to(&all, "note-7").feature("clipboard.read_text"));
    /// assert!(!Granted::to(&all, "help").feature("dialog.open"));
    /// assert!(Granted::to(&all, "help").command("search"));
    /// ```
    pub fn to(all: &'a [Capability], window: &'a str) -> Self {
        Self { all, window }
    }

    /// The capabilities that name the window.
    pub fn each(self) -> impl Iterator<Item = &'a Capability> {
        let window = self.window;
        self.all.iter().filter(move |capability| any_matches(&capability.windows, window))
    }

    /// Whether the page may use a native feature.
    pub fn feature(self, name: &str) -> bool {
        self.each().any(|capability| any_matches(&capability.allow, name))
    }

    /// Whether the page may use any feature of a group, and so is told of its events.
    pub fn group(self, group: &str) -> bool {
        let prefix = format!("{group}.");
        self.each().flat_map(|capability| &capability.allow).any(|pattern| {
            pattern.starts_with(&prefix) || (pattern.contains('*') && matches(pattern, &format!("{prefix}*")))
        })
    }

    /// Whether the page may call one of the app's own commands.
    pub fn command(self, name: &str) -> bool {
        let mut lists = self.each().filter_map(|capability| capability.commands.as_deref()).peekable();
        lists.peek().is_none() || lists.any(|list| any_matches(list, name))
    }

    /// Which files the page may touch.
    pub fn files(self) -> impl Iterator<Item = &'a FileScope> {
        self.each().flat_map(|capability| &capability.files)
    }

    /// Whether pages of a foreign origin may call.
    pub fn origin(self, origin: &str) -> bool {
        self.each().any(|capability| capability.origins.iter().any(|allowed| allowed == origin))
    }
}

fn any_matches(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, name))
}

/// Whether `name` fits `pattern`, in which `*` stands for any run of characters.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters_and_nothing_else_does() {
        for (pattern, name, fits) in [
            ("dialog.open", "dialog.open", true),
            ("dialog.open", "dialog.opens", false),
            ("dialog.*", "dialog.", true),
            ("dialog.*", "dialogs.open", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("ab*ba", "aba", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_window_without_capabilities_has_its_apps_commands_and_nothing_else() {
        let granted = Granted::to(&[], "main");
        assert!(granted.command("anything"));
        assert!(
            !granted.feature("window.close") && !granted.group("window") && !granted.origin("https://a.b")
        );
    }

    #[test]
    fn capabilities_of_a_window_add_up() {
        let one = Capability {
            windows: vec!["*".into()],
            allow: vec!["menu.popup".into()],
            commands: Some(vec!["list".into()]),
            ..Capability::default()
        };
        let two = Capability {
            windows: vec!["main".into()],
            allow: vec!["dialog.*".into()],
            commands: Some(vec!["save_*".into()]),
            origins: vec!["https://docs.example.com".into()],
            files: vec![FileScope { path: "$DATA/**".into(), ..FileScope::default() }],
        };
        let all = [one, two];
        let (main, other) = (Granted::to(&all, "main"), Granted::to(&all, "other"));
        assert!(main.command("list") && main.command("save_all") && !main.command("delete"));
        assert!(other.command("list") && !other.command("save_all"));
        assert!(main.group("menu") && main.group("dialog") && !other.group("dialog") && !main.group("dial"));
        assert!(main.origin("https://docs.example.com") && !other.origin("https://docs.example.com"));
        assert!(!main.origin("https://docs.example.com.evil.net"));
        assert_eq!((main.files().count(), other.files().count()), (1, 0));
    }
}
