//! `files` of `[[capabilities]]`: patterns that can not mean anything are refused before they are signed.

use super::file::Config;
use staysail_protocol::capability::matches;
use staysail_protocol::desktop::features;
use staysail_protocol::scope::Pattern;

/// A pattern that is none: itself, what is wrong, what to do.
pub struct BadPattern {
    pub pattern: String,
    pub problem: String,
    pub remedy: String,
}

/// Checks all patterns, and that they can be used at all.
pub fn check(config: &Config) -> Result<(), BadPattern> {
    for (number, capability) in config.capabilities.iter().enumerate() {
        for scope in &capability.files {
            if let Err(error) = Pattern::parse(&scope.path) {
                return Err(BadPattern {
                    pattern: scope.path.clone(),
                    problem: format!("`files` of [[capabilities]] number {}: {error}", number + 1),
                    remedy: "A pattern is such as \"$DATA/**\" or \"$DOCUMENTS/charts/*.kap\"; docs/guide/files.md tells \
                             all of it."
                        .into(),
                });
            }
        }
        let mut allowed = config.capabilities.iter().flat_map(|one| &one.allow);
        if let Some(scope) = capability.files.first()
            && !allowed.any(|pattern| files_are_touched_by(pattern))
        {
            return Err(BadPattern {
                pattern: scope.path.clone(),
                problem: format!(
                    "[[capabilities]] number {} names `files`, and no capability allows a feature to use them",
                    number + 1
                ),
                remedy: "Add \"fs.*\" to its `allow`, or single ones such as \"fs.read_text\" or \"page.print_to_pdf\"."
                    .into(),
            });
        }
    }
    Ok(())
}

/// Whether a pattern of `allow` allows something that touches files.
fn files_are_touched_by(pattern: &str) -> bool {
    features::all().iter().any(|feature| features::touches_files(feature) && matches(pattern, feature))
}

#[cfg(test)]
mod tests {
    use super::super::file::parse;
    use std::path::Path;

    const APP: &str = "[app]\nid = \"com.example.hello\"\n[[capabilities]]\nwindows = [\"*\"]\n";

    #[test]
    fn a_scope_that_can_mean_nothing_is_refused_at_its_line() {
        for (lines, line, part) in [
            (
                "allow = [\"fs.*\"]\nfiles = [\n  { path = \"$DATA/**\" },\n  { path = \"$DOCS/*\" },\n]",
                8,
                "$DOCUMENTS",
            ),
            ("allow = [\"fs.*\"]\nfiles = [{ path = \"charts/*.kap\" }]", 6, "relative"),
            ("allow = [\"fs.*\"]\nfiles = [{ path = \"$DATA/../x\" }]", 6, "leads elsewhere"),
            ("allow = [\"fs.*\"]\nfiles = [{ path = \"$DATA\" }]", 6, "/**"),
            ("allow = [\"dialog.*\"]\nfiles = [{ path = \"$DATA/**\" }]", 6, "fs.*"),
            ("allow = [\"fs.*\"]\nfiles = [{ path = \"$DATA/**\", access = \"write\" }]", 6, "read_write"),
            ("allow = [\"fs.*\"]\nfiles = [{ path = \"$DATA/**\", acces = \"read\" }]", 6, "access"),
        ] {
            let message =
                parse(&format!("{APP}{lines}\n"), Path::new("staysail.toml")).unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("staysail.toml:{line}: ")) && message.contains(part),
                "{message}"
            );
        }
        for pattern in ["page.*", "download.accept", "*.write", "*"] {
            let lines = format!("{APP}allow = [{pattern:?}]\nfiles = [{{ path = \"$DATA/**\" }}]\n");
            assert!(parse(&lines, Path::new("x")).is_ok(), "{pattern}");
        }
        let good = "allow = [\"fs.read\"]\nfiles = [{ path = \"C:/charts/*\" }, { path = \"$DATA/**\", access = \"read_write\" }]";
        assert!(parse(&format!("{APP}{good}\n"), Path::new("x")).is_ok());
    }
}
