//! Names and patterns, held against slower ways of saying the same.

use crate::requested::{Range, decode, parse_range};
use staysail_protocol::capability::{Capability, Granted};
use staysail_protocol::path::{FilePath, Style};
use staysail_protocol::scope::Pattern;
use std::path::Path;

fn lines(bytes: &[u8]) -> Option<Vec<&str>> {
    std::str::from_utf8(bytes).ok().map(|text| text.split('\n').collect())
}

/// Two lines: a pattern and a name. The same answer as the plainest way to compare them.
pub fn capability(bytes: &[u8]) -> bool {
    if let Ok(capability) = serde_json::from_slice::<Capability>(bytes) {
        let text = serde_json::to_vec(&capability).expect("what was read can be written");
        assert_eq!(
            serde_json::from_slice::<Capability>(&text).expect("what was written can be read"),
            capability
        );
        return true;
    }
    let Some([pattern, name]) = lines(bytes).and_then(|lines| <[&str; 2]>::try_from(lines).ok()) else {
        return false;
    };
    if pattern.len() + name.len() > 400 {
        return false;
    }
    let capability =
        Capability { windows: vec!["*".into()], allow: vec![pattern.to_owned()], ..Capability::default() };
    let all = [capability];
    let granted = Granted::to(&all, "main");
    let allowed = granted.feature(name);
    assert_eq!(allowed, stars(pattern.as_bytes(), name.as_bytes()), "{pattern:?} {name:?}");
    let known = staysail_protocol::desktop::features::all();
    if allowed && known.iter().any(|feature| feature == name) {
        let group = name.split('.').next().unwrap_or_default();
        assert!(granted.group(group), "a feature of {group} without its events: {pattern:?}");
    }
    allowed
}

/// `reached[i]`: the first `i` bytes of the name can be met by the pattern so far.
fn stars(pattern: &[u8], name: &[u8]) -> bool {
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for byte in pattern {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            next[at] = if *byte == b'*' {
                reached[at] || (at > 0 && next[at - 1])
            } else {
                at > 0 && reached[at - 1] && name[at - 1] == *byte
            };
        }
        reached = next;
    }
    reached[name.len()]
}

/// Two lines: a pattern of files and a path.
pub fn scope(bytes: &[u8]) -> bool {
    let Some([pattern, path]) = lines(bytes).and_then(|lines| <[&str; 2]>::try_from(lines).ok()) else {
        return false;
    };
    for style in [Style::Unix, Style::Windows] {
        let Ok(path) = FilePath::parse(path, style) else { continue };
        for name in &path.names {
            assert!(!matches!(name.as_str(), "" | "." | "..") && !name.contains(['/', '\0']), "{name:?}");
            assert!(style == Style::Unix || !name.contains(['\\', ':']), "{name:?}");
        }
        // Spelled out it is the same path.
        assert_eq!(FilePath::parse(&path.text(style), style), Ok(path));
    }
    let (Ok(parsed), Ok(path)) = (Pattern::parse(pattern), FilePath::parse(path, Style::Unix)) else {
        return false;
    };
    if parsed.base != path.base {
        return false;
    }
    let Some(names) = path.names.strip_prefix(parsed.anchor.as_slice()) else { return false };
    let matched = parsed.matches(names);
    if names.len() <= 12 && pattern.split('/').count() <= 12 {
        let parts: Vec<&str> = pattern.split('/').skip(1 + parsed.anchor.len()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(matched, plainly(&parts, &names), "{pattern:?} {names:?}");
    }
    if matched {
        let hidden = names.iter().any(|name| name.starts_with('.'));
        assert!(!hidden || pattern.contains("/."), "a hidden name was met by {pattern:?}");
        if let (Some((_, folder)), false) = (names.split_last(), pattern.ends_with("**")) {
            assert!(parsed.lists(folder), "what may be read can not be listed: {pattern:?} {names:?}");
        }
    }
    matched
}

fn plainly(parts: &[&str], names: &[&str]) -> bool {
    match (parts, names) {
        ([], names) => names.is_empty(),
        (["**", rest @ ..], names) => {
            plainly(rest, names)
                || names
                    .split_first()
                    .is_some_and(|(name, names)| !name.starts_with('.') && plainly(parts, names))
        }
        ([part, rest @ ..], [name, names @ ..]) => {
            (!name.starts_with('.') || part.starts_with('.'))
                && stars(part.as_bytes(), name.as_bytes())
                && plainly(rest, names)
        }
        _ => false,
    }
}

/// Path and range of a request for a file of the page: three lines, the size of the file first.
pub fn requested(bytes: &[u8]) -> bool {
    let Some([total, path, range]) = lines(bytes).and_then(|lines| <[&str; 3]>::try_from(lines).ok()) else {
        return false;
    };
    let decoded = decode(path);
    if let Some(decoded) = &decoded {
        assert!(decoded.len() <= path.len());
        assert!(path.contains('%') || decoded == path, "a path without escapes was changed");
    }
    let total = total.parse::<usize>().unwrap_or(0);
    match parse_range(range, total) {
        Range::Part(first, last) => assert!(first <= last && last < total, "{range:?} of {total}"),
        Range::Ignored | Range::Unsatisfiable => {}
    }
    decoded.is_some()
}

/// `staysail.toml`.
pub fn project_file(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    match crate::project::parse(text, Path::new("staysail.toml")) {
        Ok(config) => {
            for scope in config.capabilities.iter().flat_map(|capability| &capability.files) {
                assert!(Pattern::parse(&scope.path).is_ok(), "a scope was let through that is none");
            }
            true
        }
        Err(crate::project::ProjectError::Invalid { line, problem, remedy, .. }) => {
            assert!(
                (1..=text.lines().count() + 1).contains(&line),
                "line {line} of {}",
                text.lines().count()
            );
            assert!(!problem.is_empty() && !remedy.is_empty(), "refused without a word");
            false
        }
        Err(other) => panic!("{other}"),
    }
}
