//! Rules about single files: STYLE.md's habits 1 to 3.

use super::{Finding, Tree};

/// Lines after which a file must give a reason, and after which it is refused.
const LINES_ASK: usize = 500;
const LINES_MAX: usize = 800;

const PEERS: &str = "benches/peers/";

/// Every Rust file says in a `//!` header what it is for.
pub fn headers(tree: &Tree) -> Vec<Finding> {
    let rust = tree.files.iter().filter(|file| file.extension() == "rs" && !file.path.starts_with(PEERS));
    rust.filter(|file| !file.text.trim_start().starts_with("//!"))
        .map(|file| {
            Finding::error(&file.path, "begins without a `//!` header; say in a sentence what it holds")
        })
        .collect()
}

/// Every crate's root states what is deliberately absent from it.
pub fn invariants(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in crate_folders(tree) {
        let roots = [format!("{folder}/src/lib.rs"), format!("{folder}/src/main.rs")];
        let Some(root) = roots.iter().find_map(|path| tree.get(path)) else {
            findings.push(Finding::error(folder, "has a Cargo.toml but neither src/lib.rs nor src/main.rs"));
            continue;
        };
        let header = root.text.lines().take_while(|line| line.starts_with("//!") || line.is_empty());
        if !header.into_iter().any(|line| line.contains("**Invariant:**")) {
            findings.push(Finding::error(&root.path, "the header has no `**Invariant:**` line"));
        }
    }
    findings
}

/// ARCHITECTURE.md lists every crate and none that is gone.
pub fn architecture(tree: &Tree) -> Vec<Finding> {
    const PATH: &str = "ARCHITECTURE.md";
    let Some(file) = tree.get(PATH) else {
        return vec![Finding::error(PATH, "is missing")];
    };
    let crates: Vec<&str> =
        crate_folders(tree).into_iter().filter(|path| path.starts_with("crates/")).collect();
    let mut findings = Vec::new();
    for folder in &crates {
        if !file.text.contains(&format!("`{folder}`")) {
            findings.push(Finding::error(PATH, format!("does not list `{folder}`")));
        }
    }
    for (number, line) in file.text.lines().enumerate() {
        for quoted in line.split('`').skip(1).step_by(2) {
            let is_place = quoted.starts_with("crates/") && !quoted.contains(['*', '<', ' ']);
            let known =
                tree.has(quoted) || tree.paths.iter().any(|path| path.starts_with(&format!("{quoted}/")));
            if is_place && !known {
                let place = format!("{PATH}:{}", number + 1);
                findings.push(Finding::error(place, format!("names `{quoted}`, which is gone")));
            }
        }
    }
    findings
}

/// A file holds one idea.
pub fn lengths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let source = matches!(file.extension(), "rs" | "ts" | "js" | "css" | "sh");
        // Built from packages, or copied from a peer's template.
        let built = ["crates/shell/page/", "packages/api/dist/", "packages/vite-plugin/dist/", PEERS];
        let built = built.into_iter().any(|folder| file.path.starts_with(folder));
        let lines = file.text.lines().count();
        if !source || built || lines <= LINES_ASK {
            continue;
        }
        let warning = lines <= LINES_MAX;
        let wish = if warning { "can it be two?" } else { "split it" };
        let message = format!("{lines} lines (asks from {LINES_ASK}, refused from {LINES_MAX}): {wish}");
        findings.push(Finding { place: file.path.clone(), message, warning });
    }
    findings
}

/// Nothing in the repository knows one machine or one mirror. Written in two halves, so that this file passes.
pub fn places(tree: &Tree) -> Vec<Finding> {
    const FOLDERS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/")];
    const HOSTS: [&str; 6] = [
        concat!("registry.npm", "js.org"),
        concat!("static.crates", ".io"),
        concat!("index.crates", ".io"),
        concat!("deb.deb", "ian.org"),
        concat!("files.python", "hosted.org"),
        concat!("pypi", ".org"),
    ];
    let mut findings = Vec::new();
    for file in &tree.files {
        for (number, line) in file.text.lines().enumerate() {
            let place = || format!("{}:{}", file.path, number + 1);
            for folder in FOLDERS {
                let absolute = |at: usize| {
                    !line[..at]
                        .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | '*'))
                };
                if line.match_indices(folder).any(|(at, _)| absolute(at)) {
                    findings.push(Finding::error(place(), format!("names the machine's folder {folder}")));
                }
            }
            if let Some(host) = HOSTS.iter().find(|host| line.contains(**host)) {
                findings.push(Finding::error(place(), format!("names the registry host {host}")));
            }
        }
    }
    findings
}

/// A folder shows its contents by its name.
pub fn names(tree: &Tree) -> Vec<Finding> {
    const BANNED: [&str; 8] = ["utils", "util", "helpers", "helper", "common", "misc", "manager", "stuff"];
    let mut findings = Vec::new();
    for path in &tree.paths {
        let parts = path.split('/').map(|part| part.split('.').next().unwrap_or(part));
        if let Some(part) = parts.into_iter().find(|part| BANNED.contains(part)) {
            findings.push(Finding::error(path, format!("`{part}` says nothing; name what it holds")));
        }
    }
    findings
}

/// What is built is built from the same versions everywhere.
pub fn locks(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| !file.path.starts_with("templates/")) {
        let folder = file.path.strip_suffix(file.name()).unwrap_or("");
        let lock = match file.name() {
            "Cargo.toml" if file.text.contains("[workspace]") || outside_workspace(tree, folder) => {
                "Cargo.lock"
            }
            "package.json" if file.text.contains("ependencies\"") => "package-lock.json",
            _ => continue,
        };
        if !tree.has(&format!("{folder}{lock}")) {
            findings.push(Finding::error(&file.path, format!("its {lock} is not committed")));
        }
    }
    findings
}

/// A package that neither belongs to the root workspace nor lies below another workspace's folder.
fn outside_workspace(tree: &Tree, folder: &str) -> bool {
    let member = ["crates/", "tests/", "xtask/"].iter().any(|known| folder.starts_with(known));
    let below = tree.files.iter().any(|file| {
        file.name() == "Cargo.toml"
            && file.path.len() > "Cargo.toml".len()
            && file.text.contains("[workspace]")
            && folder.starts_with(file.path.strip_suffix("Cargo.toml").unwrap_or("/"))
    });
    !member && !below
}

/// Bans carry their reason.
pub fn reasons(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, lists) in [
        ("deny.toml", &["bans.deny"][..]),
        ("clippy.toml", &["disallowed-methods", "disallowed-types", "disallowed-macros"][..]),
    ] {
        let Some(file) = tree.get(path) else {
            findings.push(Finding::error(path, "is missing"));
            continue;
        };
        let table = match file.text.parse::<toml::Table>() {
            Ok(table) => toml::Value::Table(table),
            Err(error) => {
                findings.push(Finding::error(path, format!("can not be read: {error}")));
                continue;
            }
        };
        for list in lists {
            let mut value = Some(&table);
            for key in list.split('.') {
                value = value.and_then(|value| value.get(key));
            }
            for entry in value.and_then(toml::Value::as_array).into_iter().flatten() {
                let reason = entry.get("reason").and_then(toml::Value::as_str).unwrap_or("");
                if reason.len() < 10 {
                    findings.push(Finding::error(path, format!("{list}: {entry} carries no reason")));
                }
            }
        }
    }
    findings
}

/// Every named limit is documented.
pub fn limits(tree: &Tree) -> Vec<Finding> {
    const GUIDE: &str = "docs/guide/limits.md";
    let text = tree.get(GUIDE).map_or("", |file| file.text.as_str());
    let source = tree.get("crates/protocol/src/limits.rs").map_or("", |file| file.text.as_str());
    let names = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    names
        .map(str::to_lowercase)
        .filter(|name| !text.contains(&format!("`{name}`")))
        .map(|name| Finding::error(GUIDE, format!("does not tell of `{name}`")))
        .collect()
}

/// No private key is ever committed.
pub fn secrets(tree: &Tree) -> Vec<Finding> {
    let marker = concat!("PRIVATE KEY", "-----");
    let hits = tree.files.iter().filter(|file| file.text.contains(marker));
    hits.map(|file| Finding::error(&file.path, "holds a private key; make keys at test time")).collect()
}

/// Folders of the root workspace's crates.
pub fn crate_folders(tree: &Tree) -> Vec<&str> {
    let manifests = tree.paths.iter().filter_map(|path| path.strip_suffix("/Cargo.toml"));
    manifests
        .filter(|folder| match folder.split_once('/') {
            Some(("crates", name)) => !name.contains('/'),
            _ => matches!(*folder, "xtask" | "tests/e2e"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRATE: [(&str, &str); 2] = [
        ("crates/a/Cargo.toml", "[package]"),
        ("crates/a/src/lib.rs", "//! A.\n//!\n//! **Invariant:** no files.\n"),
    ];

    #[test]
    fn a_file_without_header_is_found() {
        assert!(headers(&Tree::of(&CRATE)).is_empty());
        assert_eq!(headers(&Tree::of(&[("a.rs", "fn main() {}")])).len(), 1);
    }

    #[test]
    fn a_crate_root_without_invariant_is_found_and_one_below_the_header_does_not_count() {
        assert!(invariants(&Tree::of(&CRATE)).is_empty());
        let late = "//! A.\nfn a() {}\n//! **Invariant:** late";
        for text in ["//! A.", late] {
            assert_eq!(invariants(&Tree::of(&[CRATE[0], ("crates/a/src/lib.rs", text)])).len(), 1);
        }
    }

    #[test]
    fn a_crate_missing_from_the_architecture_and_one_that_is_gone_are_found() {
        let listed =
            Tree::of(&[CRATE[0], CRATE[1], ("ARCHITECTURE.md", "`crates/a` and `crates/a/src/lib.rs`")]);
        assert!(architecture(&listed).is_empty());
        let wrong = Tree::of(&[CRATE[0], CRATE[1], ("ARCHITECTURE.md", "`crates/b`")]);
        let messages: Vec<String> = architecture(&wrong).into_iter().map(|finding| finding.message).collect();
        assert_eq!(messages, ["does not list `crates/a`", "names `crates/b`, which is gone"]);
        assert_eq!(architecture(&Tree::default()).len(), 1);
    }

    #[test]
    fn a_long_file_is_asked_about_and_a_very_long_one_refused() {
        let text = |lines: usize| "x\n".repeat(lines);
        let findings = |lines| lengths(&Tree::of(&[("a.rs", &text(lines))]));
        assert!(findings(LINES_ASK).is_empty());
        assert!(findings(LINES_ASK + 1)[0].warning);
        assert!(!findings(LINES_MAX + 1)[0].warning);
    }

    #[test]
    fn paths_of_a_machine_and_hosts_of_registries_are_found() {
        let bad = [
            concat!("run /ro", "ot/x"),
            concat!("\"/ho", "me/me/x\""),
            concat!("/wo", "rk/main"),
            concat!("https://registry.npm", "js.org/x"),
        ];
        for text in bad {
            assert_eq!(places(&Tree::of(&[("a.md", text)])).len(), 1, "{text}");
        }
        let good = concat!("target/wo", "rk/x and ./ro", "ot/x");
        assert!(places(&Tree::of(&[("a.md", good)])).is_empty());
    }

    #[test]
    fn names_that_say_nothing_are_found_as_file_and_as_folder() {
        assert_eq!(names(&Tree::of(&[("crates/a/src/utils.rs", ""), ("crates/common/x.rs", "")])).len(), 2);
        assert!(names(&Tree::of(&[("crates/a/src/commons.rs", "")])).is_empty());
    }

    #[test]
    fn a_missing_lock_file_is_found_for_cargo_and_npm() {
        let members = [("examples/n/Cargo.toml", "[workspace]"), ("examples/n/core/Cargo.toml", "[package]")];
        assert_eq!(locks(&Tree::of(&members)).len(), 1);
        let lone = [("benches/app/Cargo.toml", "[package]"), ("p/package.json", "{\"devDependencies\": {}}")];
        assert_eq!(locks(&Tree::of(&lone)).len(), 2);
        let locked = [members[0], members[1], ("examples/n/Cargo.lock", "")];
        assert!(locks(&Tree::of(&locked)).is_empty());
    }

    #[test]
    fn a_ban_without_reason_is_found() {
        let deny = "[bans]\ndeny = [{ crate = \"x\" }, { crate = \"y\", reason = \"because it is slow\" }]";
        let clippy = "disallowed-methods = [\"std::env::set_var\"]";
        assert_eq!(reasons(&Tree::of(&[("deny.toml", deny), ("clippy.toml", clippy)])).len(), 2);
        assert_eq!(reasons(&Tree::default()).len(), 2);
    }

    #[test]
    fn a_limit_that_the_guide_leaves_out_is_found() {
        let source = ("crates/protocol/src/limits.rs", "/// Long.\npub const DRAIN_S: u64 = 10;\n");
        assert_eq!(limits(&Tree::of(&[source, ("docs/guide/limits.md", "")])).len(), 1);
        assert!(limits(&Tree::of(&[source, ("docs/guide/limits.md", "| `drain_s` | 10 |")])).is_empty());
    }

    #[test]
    fn a_private_key_is_found() {
        let text = concat!("-----BEGIN PRIVATE KEY", "-----");
        assert_eq!(secrets(&Tree::of(&[("k.pem", text)])).len(), 1);
    }
}
