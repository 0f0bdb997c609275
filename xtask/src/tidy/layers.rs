//! Rules about who may use whom (DESIGN, chapter 2), read from the crates' manifests.

use super::{Finding, Tree, rules::crate_folders};

/// Crate folder, and which of our crates it may use. Tests may use more (`DEV`).
const MAY_USE: [(&str, &[&str]); 14] = [
    ("crates/delta", &[]),
    ("crates/protocol", &[]),
    ("crates/macros", &[]),
    ("crates/supervise", &[]),
    ("crates/link", &["staysail-protocol"]),
    ("crates/update", &["staysail-delta", "staysail-protocol"]),
    ("crates/watch", &["staysail-protocol"]),
    ("crates/shell", &["staysail-link", "staysail-protocol", "staysail-supervise", "staysail-update"]),
    ("crates/staysail", &["staysail-link", "staysail-protocol", "staysail-macros"]),
    ("crates/cli", &["staysail-protocol", "staysail-supervise", "staysail-update", "staysail-watch"]),
    ("crates/server", &["staysail-protocol"]),
    ("crates/testkit", &["staysail-protocol", "staysail-update"]),
    ("tests/e2e", &["staysail-protocol", "staysail-supervise"]),
    ("xtask", &["staysail-supervise"]),
];

/// Crates that draw or link the webview stack; only the shell may.
const WEBVIEW: [&str; 8] = [
    "tao",
    "wry",
    "webkit2gtk",
    "webkit2gtk-sys",
    "gtk",
    "webview2-com",
    "objc2-web-kit",
    "javascriptcore-rs",
];

/// Every crate uses only what its layer allows.
pub fn layers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in crate_folders(tree) {
        let path = format!("{folder}/Cargo.toml");
        let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == folder) else {
            findings.push(Finding::error(
                path,
                "this crate has no layer; give it one in xtask/src/tidy/layers.rs",
            ));
            continue;
        };
        for used in dependencies(tree, &path, &["dependencies", "build-dependencies"]) {
            if used.starts_with("staysail") && !allowed.contains(&used.as_str()) {
                findings.push(Finding::error(&path, format!("may not use `{used}` (DESIGN, chapter 2)")));
            }
        }
    }
    findings
}

/// Only the shell uses the webview stack, not even in tests.
pub fn webview(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in crate_folders(tree).into_iter().filter(|folder| *folder != "crates/shell") {
        let path = format!("{folder}/Cargo.toml");
        for used in dependencies(tree, &path, &["dependencies", "build-dependencies", "dev-dependencies"]) {
            // The program that tests drag files from is a program of its own; the shell has no part in it.
            let is_drag_source = folder == "tests/e2e" && used == "gtk";
            if WEBVIEW.contains(&used.as_str()) && !is_drag_source {
                findings.push(Finding::error(&path, format!("uses `{used}`; only crates/shell draws")));
            }
        }
    }
    findings
}

/// Names of the packages a manifest depends on, those of single targets included.
fn dependencies(tree: &Tree, path: &str, kinds: &[&str]) -> Vec<String> {
    let Some(table) = tree.get(path).and_then(|file| file.text.parse::<toml::Table>().ok()) else {
        return Vec::new();
    };
    let targets = table.get("target").and_then(toml::Value::as_table);
    let sections = targets.into_iter().flat_map(|targets| targets.values()).filter_map(toml::Value::as_table);
    let mut names = Vec::new();
    for section in sections.chain([&table]) {
        for kind in kinds {
            for (name, value) in section.get(*kind).and_then(toml::Value::as_table).into_iter().flatten() {
                let package = value.get("package").and_then(toml::Value::as_str);
                names.push(package.unwrap_or(name).to_owned());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_reaches_past_its_layer_is_found_under_any_alias() {
        for text in [
            "[dependencies]\nstaysail-update.workspace = true",
            "[dependencies]\nhidden = { package = \"staysail-shell\", path = \"x\" }",
            "[target.'cfg(unix)'.dependencies]\nstaysail-cli = \"1\"",
        ] {
            assert_eq!(layers(&Tree::of(&[("crates/staysail/Cargo.toml", text)])).len(), 1, "{text}");
        }
        let allowed = "[dependencies]\nstaysail-macros = \"1\"\n[dev-dependencies]\nstaysail-server = \"1\"";
        assert!(layers(&Tree::of(&[("crates/staysail/Cargo.toml", allowed)])).is_empty());
    }

    #[test]
    fn a_crate_without_a_layer_is_found() {
        assert_eq!(layers(&Tree::of(&[("crates/new/Cargo.toml", "")])).len(), 1);
    }

    #[test]
    fn a_webview_outside_the_shell_is_found() {
        let text = "[dev-dependencies]\nwry = \"1\"";
        assert_eq!(webview(&Tree::of(&[("crates/staysail/Cargo.toml", text)])).len(), 1);
        assert!(webview(&Tree::of(&[("crates/shell/Cargo.toml", text)])).is_empty());
    }
}
