//! What the page of a window may do, beyond its app's own commands. Declared in `staysail.toml`, signed with the
//! release, kept by the shell.
//!
//! # Theory of operation
//! A window's permissions are the union of all capabilities whose `windows` name it. Without any, its page may call
//! the app's own commands and nothing else. Names are compared whole; in a pattern `*` stands for any run of
//! characters. Native features are named `group.operation` (see [`crate::desktop`]).
//!
//! Foreign pages are named by their whole origin. Two lists keep apart what is often mixed up: `navigate` lets the window
//! show them, `origins` lets them call from it.

use crate::desktop::{features, parts};
use crate::permission::Permission;
use crate::scope::FileScope;
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

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
    /// Foreign origins, whole, the window may go to. Their pages get no bridge, unless `origins` names them, too.
    pub navigate: Vec<String>,
    /// What the app's own pages may ask the webview for, e.g. the microphone.
    pub permissions: Vec<Permission>,
    /// Files the page may touch: with the features `fs.*`, by printing to PDF, by saying where a download goes.
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
        // By the features there are, not by how a pattern looks: `*.set` means something of windows and nothing of trays.
        let of_group = |feature: &&String| parts(feature).is_some_and(|(name, _)| name == group);
        all_features().iter().filter(of_group).any(|feature| self.feature(feature))
    }

    /// Whether the page is told of what happens to a window: of its own when it may use anything of the group; of others
    /// only when it may list them.
    pub fn told(self, group: &str, window: &str) -> bool {
        self.group(group) && (group != "window" || window == self.window || self.feature("window.list"))
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

    /// Whether the window may show pages of a foreign origin.
    pub fn navigation(self, origin: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|allowed| allowed == origin);
        self.each().any(|capability| named(&capability.navigate) || named(&capability.origins))
    }

    /// Whether the app's own pages in this window are permitted something.
    pub fn permission(self, permission: Permission) -> bool {
        self.each().any(|capability| capability.permissions.contains(&permission))
    }
}

/// Checks that a foreign origin is a whole one, as browsers write it: scheme and host in lower case, the port unless it is
/// the scheme's own, and nothing else. `calls`: its pages may call, so nobody on the way may change them.
///
/// # Errors
/// What is wrong, and what to write instead.
pub fn check_origin(origin: &str, calls: bool) -> Result<(), (String, String)> {
    let whole = "Write scheme, host and, if it is not the usual one, the port: \"https://docs.example.com\".";
    let wrong = |why: &str| Err((format!("{origin:?} is no whole origin: {why}"), whole.to_string()));
    let Some((scheme, authority)) = origin.split_once("://") else { return wrong("it has no scheme") };
    if scheme != "https" && scheme != "http" {
        return wrong("only pages of https and http can be named");
    }
    if authority.contains('*') {
        return wrong("a pattern would also fit hosts of others");
    }
    if let Some(at) = authority.find(['/', '?', '#', '@']) {
        let (host, rest) = authority.split_at(at);
        let instead = format!("Write \"{scheme}://{host}\".");
        return Err((format!("{origin:?} is no whole origin: `{rest}` does not belong to it"), instead));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return wrong("it names no host");
    }
    if !host.is_ascii() {
        return wrong("browsers write such a host in ASCII (xn--…)");
    }
    let usual = if scheme == "https" { "443" } else { "80" };
    if port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with('0')) {
        return wrong("its port is no number from 1 to 65535");
    }
    let lower = host.to_ascii_lowercase();
    if lower != host || port == Some(usual) {
        let port = port.filter(|port| *port != usual).map(|port| format!(":{port}")).unwrap_or_default();
        let instead = format!("Write it as browsers do: \"{scheme}://{lower}{port}\".");
        return Err((format!("{origin:?} would never match"), instead));
    }
    let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&host) || host.ends_with(".localhost");
    if calls && scheme == "http" && !is_here {
        return Err((
            format!("pages of {origin:?} may not call: anybody on the way can change what comes by http"),
            format!("Write \"https://{authority}\", or let the window only show it with `navigate`."),
        ));
    }
    Ok(())
}

/// Every native feature, made once: this is asked for each event.
fn all_features() -> &'static [String] {
    static ALL: OnceLock<Vec<String>> = OnceLock::new();
    ALL.get_or_init(features::all)
}

fn any_matches(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, name))
}

/// Whether `name` fits `pattern`, in which `*` stands for any run of characters.
pub fn matches(pattern: &str, name: &str) -> bool {
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

    /// Found by the fuzz target `capability`: `*t*` allowed `window.set` and told of no event of windows.
    #[test]
    fn whoever_may_use_a_feature_of_a_group_is_told_of_its_events_however_the_pattern_is_written() {
        for (pattern, group, told) in [
            ("*t*", "window", true),
            ("*.set", "window", true),
            ("win*.set", "window", true),
            ("window.state", "window", true),
            ("*.popup", "menu", true),
            ("*.popup", "tray", false),
            ("window.nothing", "window", false),
            ("windows.*", "window", false),
        ] {
            let all = [Capability {
                windows: vec!["*".into()],
                allow: vec![pattern.into()],
                ..Capability::default()
            }];
            assert_eq!(Granted::to(&all, "main").group(group), told, "{pattern} {group}");
        }
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
            navigate: vec!["https://www.example.com".into()],
            permissions: vec![Permission::Microphone],
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
        assert!(main.navigation("https://www.example.com") && main.navigation("https://docs.example.com"));
        assert!(!main.origin("https://www.example.com") && !main.navigation("https://www.example.com:444"));
        assert!(main.permission(Permission::Microphone) && !other.permission(Permission::Microphone));
        assert!(!main.permission(Permission::Camera) && !other.navigation("https://www.example.com"));
    }

    #[test]
    fn a_page_hears_of_its_own_window_and_of_others_when_it_may_list_them() {
        let allow = |allow: &str| {
            vec![Capability { windows: vec!["*".into()], allow: vec![allow.into()], ..Capability::default() }]
        };
        let (dragging, listing, menus) = (allow("window.start_dragging"), allow("window.*"), allow("menu.*"));
        let told = |all: &[Capability], group, window| Granted::to(all, "main").told(group, window);
        assert!(told(&dragging, "window", "main") && !told(&dragging, "window", "other"));
        assert!(told(&listing, "window", "main") && told(&listing, "window", "other"));
        assert!(!told(&menus, "window", "main") && told(&menus, "menu", "other"));
        assert!(!told(&[], "window", "main"));
    }

    #[test]
    fn an_origin_that_is_none_or_could_never_match_is_refused_with_what_to_write() {
        for good in [
            "https://a.b",
            "https://a.b:8443",
            "http://localhost:3000",
            "http://127.0.0.1:1",
            "http://[::1]:2",
        ] {
            assert_eq!(check_origin(good, true), Ok(()), "{good}");
        }
        for (bad, part) in [
            ("docs.example.com", "no scheme"),
            ("app://localhost", "https and http"),
            ("https://*.example.com", "pattern"),
            ("https://", "no host"),
            ("https://a.b/", "\"https://a.b\""),
            ("https://a.b/help?x", "\"https://a.b\""),
            ("https://a.b:443", "\"https://a.b\""),
            ("https://A.b:8443", "\"https://a.b:8443\""),
            ("https://a.b:port", "1 to 65535"),
            ("https://a.b:0", "1 to 65535"),
            ("https://m\u{fc}nchen.de", "xn--"),
            ("http://example.com", "\"https://example.com\""),
            ("https://user@a.b", "does not belong"),
        ] {
            let (problem, remedy) = check_origin(bad, true).unwrap_err();
            assert!(format!("{problem} {remedy}").contains(part), "{bad}: {problem} {remedy}");
        }
        assert_eq!(check_origin("http://example.com", false), Ok(()));
    }
}
