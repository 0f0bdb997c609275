//! The templates: read from the checkout this command was built from, or those built into it.

use super::Answers;
use crate::shell_binary::checkout;
use anyhow::{Context, Result, bail};
use include_dir::{Dir, include_dir};
use std::path::{Path, PathBuf};

static BUILT_IN: Dir = include_dir!("$CARGO_MANIFEST_DIR/templates");
/// Most files of a template.
const FILES_MAX: usize = 1_000;

/// The files of the chosen template with its placeholders filled in.
pub fn files(answers: &Answers) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    match checkout()
        .map(|root| root.join("templates").join(&answers.template))
        .filter(|folder| folder.is_dir())
    {
        Some(folder) => read(&folder, &folder, &mut found)?,
        None => {
            let folder = BUILT_IN.get_dir(&answers.template);
            collect(
                folder.with_context(|| format!("there is no template {}", answers.template))?,
                &answers.template,
                &mut found,
            );
        }
    }
    let values = values(answers);
    found
        .into_iter()
        .map(|(path, content)| Ok((disguise(&path, answers), fill(&path, content, &values)?)))
        .collect()
}

fn read(root: &Path, folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if name == "node_modules" || name == "target" || found.len() > FILES_MAX {
            continue;
        }
        if path.is_dir() {
            read(root, &path, found)?;
        } else {
            let content = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            found.push((path.strip_prefix(root)?.to_path_buf(), content));
        }
    }
    Ok(())
}

fn collect(folder: &Dir, root: &str, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for file in folder.files() {
        let path = file.path().strip_prefix(root).unwrap_or(file.path());
        found.push((path.to_path_buf(), file.contents().to_vec()));
    }
    for below in folder.dirs() {
        collect(below, root, found);
    }
}

/// Files that cargo, git or npm would take for their own while they are templates carry another name there.
fn disguise(path: &Path, answers: &Answers) -> PathBuf {
    let parts = path.components().map(|part| {
        let part = part.as_os_str().to_string_lossy().replace("{{name}}", &answers.name);
        let part = part.strip_suffix(".template").unwrap_or(&part).to_owned();
        match part.strip_prefix('_') {
            Some(rest) if rest == "gitignore" || rest == "gitattributes" || rest == "npmrc" => {
                format!(".{rest}")
            }
            _ => part,
        }
    });
    parts.collect()
}

fn values(answers: &Answers) -> Vec<(&'static str, String)> {
    let version = env!("CARGO_PKG_VERSION");
    let quoted = |path: PathBuf| serde_json::to_string(&path.display().to_string()).unwrap_or_default();
    let (staysail, api) = match checkout() {
        Some(root) => (
            format!("{{ path = {} }}", quoted(root.join("crates").join("staysail"))),
            format!("file:{}", root.join("packages").join("api").display()),
        ),
        None => (format!("\"{version}\""), format!("^{version}")),
    };
    vec![
        ("name", answers.name.clone()),
        ("crate", answers.name.replace('-', "_")),
        ("id", answers.id.clone()),
        ("title", answers.title.clone()),
        ("version", version.into()),
        ("staysail_dependency", staysail),
        ("api_dependency", api),
    ]
}

fn fill(path: &Path, content: Vec<u8>, values: &[(&str, String)]) -> Result<Vec<u8>> {
    // Pictures and fonts go as they are.
    let Ok(text) = String::from_utf8(content.clone()) else { return Ok(content) };
    let mut filled = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("{{") {
        let (before, after) = rest.split_at(at);
        filled.push_str(before);
        let inside = after[2..].split_once("}}").map(|(inside, _)| inside);
        let Some(name) = inside
            .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !name.is_empty())
        else {
            filled.push_str("{{");
            rest = &after[2..];
            continue;
        };
        let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
            bail!(
                "the template's {} has an unknown placeholder {{{{{name}}}}}; this is a fault of this build of staysail",
                path.display()
            );
        };
        filled.push_str(value);
        rest = &after[2 + name.len() + 2..];
    }
    filled.push_str(rest);
    Ok(filled.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Answers {
        Answers {
            name: "my-app".into(),
            id: "com.example.x".into(),
            title: "X".into(),
            template: "vanilla-js".into(),
        }
    }

    #[test]
    fn placeholders_are_filled_and_other_braces_are_left() {
        let values = values(&answers());
        let text =
            fill(Path::new("x"), b"{{name}} {{crate}} {{ not }} ${{x: 1}} {{".to_vec(), &values).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "my-app my_app {{ not }} ${{x: 1}} {{");
        assert!(fill(Path::new("x"), b"{{nmae}}".to_vec(), &values).is_err());
        assert_eq!(fill(Path::new("x"), vec![0xff, 0xfe], &values).unwrap(), [0xff, 0xfe]);
    }

    #[test]
    fn disguised_files_get_their_names() {
        for (from, to) in
            [("_gitignore", ".gitignore"), ("backend/app/Cargo.toml.template", "backend/app/Cargo.toml")]
        {
            assert_eq!(disguise(Path::new(from), &answers()), Path::new(to));
        }
    }
}
