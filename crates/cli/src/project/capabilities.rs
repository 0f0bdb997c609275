//! What `[[capabilities]]` say is checked before anything is built: a name with a slip of the pen in it would allow
//! nothing, and be found out by a user.

use super::file::{line_at, similar};
use staysail_protocol::capability::{Capability, check_origin, matches};
use staysail_protocol::desktop::features;
use toml::de::{DeTable, DeValue};

/// What is wrong, in which line, and what to do.
pub type Wrong = (usize, String, String);

/// Checks all capabilities of a project file.
pub fn check(text: &str, capabilities: &[Capability]) -> Result<(), Wrong> {
    let features = features::all();
    for (at, capability) in capabilities.iter().enumerate() {
        let line = |field: &str, item: usize| line_of(text, at, field, item);
        if capability.windows.is_empty() {
            let problem = "this capability names no window, so it is for none".to_owned();
            let remedy =
                "Add `windows = [\"main\"]` with the labels it is for, or `windows = [\"*\"]`.".to_owned();
            return Err((line("", 0), problem, remedy));
        }
        for (item, pattern) in capability.allow.iter().enumerate() {
            if !features.iter().any(|feature| matches(pattern, feature)) {
                let problem = format!("there is no native feature `{pattern}`");
                return Err((line("allow", item), problem, remedy(pattern, &features)));
            }
        }
        let lists = [("origins", &capability.origins, true), ("navigate", &capability.navigate, false)];
        for (field, origins, calls) in lists {
            for (item, origin) in origins.iter().enumerate() {
                check_origin(origin, calls)
                    .map_err(|(problem, remedy)| (line(field, item), problem, remedy))?;
            }
        }
    }
    Ok(())
}

/// The nearest feature, or the operations of the group, or the groups.
fn remedy(pattern: &str, features: &[String]) -> String {
    let group = pattern.split('.').next().unwrap_or_default();
    let of_group: Vec<&str> =
        features.iter().filter_map(|feature| feature.strip_prefix(group)?.strip_prefix('.')).collect();
    let mut groups: Vec<String> =
        features.iter().filter_map(|feature| Some(format!("{}.*", feature.split_once('.')?.0))).collect();
    groups.dedup();
    let known = match of_group.as_slice() {
        [] => format!("Groups are {}.", groups.join(", ")),
        operations => format!("`{group}` has {}.", operations.join(", ")),
    };
    // A pattern means a group; a name, a feature.
    let names = if pattern.contains('*') { &groups } else { features };
    let nearest = names.iter().max_by(|a, b| similar(pattern, a).total_cmp(&similar(pattern, b)));
    match nearest.filter(|name| similar(pattern, name) > 0.8) {
        Some(name) => format!("Did you mean `{name}`? {known}"),
        None => format!("{known} docs/guide/capabilities.md lists them."),
    }
}

/// The line of an item of a list of the capability at `at`; of the capability itself when there is none.
fn line_of(text: &str, at: usize, field: &str, item: usize) -> usize {
    let Ok(file) = DeTable::parse(text) else { return 1 };
    let Some(DeValue::Array(capabilities)) = file.get_ref().get("capabilities").map(|value| value.get_ref())
    else {
        return 1;
    };
    let Some(capability) = capabilities.get(at) else { return 1 };
    let list = capability.get_ref().get(field);
    let found = list.and_then(|list| list.get_ref().get(item)).or(list).unwrap_or(capability);
    line_at(text, found.span().start)
}

#[cfg(test)]
mod tests {
    use crate::project::file::parse;
    use std::path::Path;

    fn refused(capability: &str) -> String {
        let text = format!(
            "[app]\nid = \"com.example.hello\"\n\n[[capabilities]]\nwindows = [\"*\"]\n\n[[capabilities]]\n{capability}\n"
        );
        parse(&text, Path::new("staysail.toml"))
            .map(|_| "accepted".to_owned())
            .unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn a_capability_that_would_allow_nothing_is_refused_at_its_line_with_what_to_write() {
        for (capability, line, parts) in [
            ("allow = [\"dialog.*\"]", 7, ["names no window", "windows = [\"main\"]"]),
            (
                "windows = [\"main\"]\nallow = [\n  \"menu.*\",\n  \"dailog.open\",\n]",
                11,
                ["`dailog.open`", "`dialog.open`"],
            ),
            ("windows = [\"main\"]\nallow = [\"dialogs.*\"]", 9, ["`dialogs.*`", "`dialog.*`"]),
            ("windows = [\"main\"]\nallow = [\"dialog.fly\"]", 9, ["`dialog.fly`", "open, save, message"]),
            ("windows = [\"main\"]\nallow = [\"xyzzy\"]", 9, ["`xyzzy`", "window.*"]),
            (
                "windows = [\"main\"]\norigins = [\"https://a.b\", \"https://a.b/x\"]",
                9,
                ["no whole origin", "\"https://a.b\""],
            ),
            ("windows = [\"main\"]\norigins = [\"http://a.b\"]", 9, ["may not call", "navigate"]),
            ("windows = [\"main\"]\nnavigate = [\"*.a.b\"]", 9, ["no scheme", "https://docs.example.com"]),
            (
                "windows = [\"main\"]\npermissions = [\"camera\", \"micropone\"]",
                9,
                ["`micropone`", "`microphone`"],
            ),
            ("windows = [\"main\"]\nalow = []", 9, ["unknown field `alow`", "`allow`"]),
            ("windows = \"main\"", 8, ["invalid type", "docs/guide"]),
        ] {
            let message = refused(capability);
            assert!(message.starts_with(&format!("staysail.toml:{line}: ")), "{capability}: {message}");
            assert!(parts.iter().all(|part| message.contains(part)), "{capability}: {message}");
        }
    }

    #[test]
    fn the_guide_names_every_feature_and_permission() {
        let guide = include_str!("../../../../docs/guide/capabilities.md");
        for feature in staysail_protocol::desktop::features::all() {
            let (group, operation) = feature.split_once('.').unwrap();
            let row = guide.lines().find(|line| line.starts_with(&format!("| `{group}` |")));
            let named = row.is_some_and(|row| row.contains(&format!("`{operation}`")));
            assert!(named, "docs/guide/capabilities.md does not name {feature}");
        }
        let safety = include_str!("../../../../docs/guide/safety.md");
        let refusal = serde_json::from_str::<staysail_protocol::permission::Permission>("\"?\"").unwrap_err();
        for name in refusal.to_string().split('`').skip(3).step_by(2) {
            assert!(safety.contains(&format!("`{name}`")), "docs/guide/safety.md does not name {name}");
        }
    }

    #[test]
    fn what_can_work_is_accepted() {
        for capability in [
            "windows = [\"*\"]\nallow = [\"*\"]",
            "windows = [\"note-*\"]\nallow = [\"window.s*\", \"menu.popup\"]\ncommands = [\"anything\"]",
            "windows = [\"help\"]\nnavigate = [\"https://docs.example.com\"]\npermissions = [\"microphone\"]",
        ] {
            assert_eq!(refused(capability), "accepted", "{capability}");
        }
    }
}
