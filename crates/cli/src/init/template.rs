//! What a project is made from: a template's folder, the folders it builds on, and its placeholders filled in.

use super::Answers;
use super::packages::{self, Packages};
use super::source::{File, Source};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file that says how a template is put together.
pub const FILE_NAME: &str = "template.toml";

/// What `template.toml` says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Template {
    /// Name for people.
    pub title: String,
    /// What it is made with, in a line.
    pub summary: String,
    /// Place in the list.
    pub position: u32,
    /// Folders whose files come first, and where they go. The template's own files replace theirs.
    base: BTreeMap<String, String>,
    /// Placeholders of its own.
    values: BTreeMap<String, String>,
}

/// One of Staysail's own templates.
#[derive(Debug)]
pub struct Listed {
    /// What `--template` takes together with `--language`: `react`.
    pub name: String,
    /// `js` or `ts`.
    pub language: String,
    /// What its file says.
    pub template: Template,
}

/// Staysail's own templates, in the order in which they are offered.
pub fn list() -> Result<Vec<Listed>> {
    let mut found = Vec::new();
    for folder in Source::own().folders()? {
        let Some((name, language)) = folder.rsplit_once('-') else { continue };
        if let Some(template) = read(&Source::own().folder(&folder)?)? {
            found.push(Listed { name: name.into(), language: language.into(), template });
        }
    }
    found.sort_by(|a, b| {
        (a.template.position, &a.name, &a.language).cmp(&(b.template.position, &b.name, &b.language))
    });
    Ok(found)
}

/// The files of the project.
///
/// # Errors
/// When the template can not be read, or is wrong.
pub fn files(source: &Source, answers: &Answers) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let own = source.template()?;
    let Some(template) = read(&own)? else {
        return as_it_is(own, source);
    };
    let mut all: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for (folder, to) in &template.base {
        for file in Source::own().folder(folder).with_context(|| format!("the template's base {folder}"))? {
            let path = Path::new(to).join(&file.path);
            if all.insert(path.clone(), file.content).is_some() {
                bail!("two folders under [base] of the template have a file {}", path.display());
            }
        }
    }
    for file in own {
        if file.path != Path::new(FILE_NAME) {
            all.insert(file.path, file.content);
        }
    }
    let packages = Packages::find();
    let mut values = values(answers, &packages);
    values.extend(template.values.iter().map(|(name, value)| (name.clone(), value.clone())));
    let mut filled = Vec::with_capacity(all.len());
    let mut npm = false;
    for (path, content) in all {
        let path = disguise(&path, answers);
        npm |= path.file_name().is_some_and(|name| name == "package.json");
        let content = fill(content, &values);
        filled.push((path, content));
    }
    if npm {
        filled.extend(packages.copies(Path::new("frontend")));
    }
    Ok(filled)
}

/// Files with the placeholders filled in that need no template of their own.
pub fn filled(files: &[File], answers: &Answers) -> Vec<(PathBuf, Vec<u8>)> {
    let values = values(answers, &Packages::find());
    let fill = |file: &File| (disguise(&file.path, answers), fill(file.content.clone(), &values));
    files.iter().map(fill).collect()
}

/// A project that somebody keeps as a template without saying anything about it: nothing is filled in.
fn as_it_is(files: Vec<File>, source: &Source) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    if !files.iter().any(|file| file.path == Path::new("staysail.toml")) {
        bail!(
            "{source} is neither a template nor a project: it has no {FILE_NAME} and no staysail.toml. Nothing was written.\n  `staysail init --list` names the templates; to add Staysail to an existing page, go there and use `staysail init --here`."
        );
    }
    Ok(files.into_iter().map(|file| (file.path, file.content)).collect())
}

fn read(files: &[File]) -> Result<Option<Template>> {
    let Some(file) = files.iter().find(|file| file.path == Path::new(FILE_NAME)) else { return Ok(None) };
    let text = std::str::from_utf8(&file.content).with_context(|| format!("{FILE_NAME} is no text"))?;
    toml::from_str(text).map(Some).with_context(|| format!("the template's {FILE_NAME} is wrong"))
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

/// What every template may name.
fn values(answers: &Answers, packages: &Packages) -> BTreeMap<String, String> {
    let values = [
        ("name", answers.name.clone()),
        ("crate", answers.name.replace('-', "_")),
        ("id", answers.id.clone()),
        ("title", answers.title.clone()),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("staysail_dependency", packages::staysail()),
        ("api_dependency", packages.dependency("api")),
        ("vite_plugin_dependency", packages.dependency("vite-plugin")),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Fills in the placeholders. Double braces mean something to Vue and others, too: unknown ones are left alone.
fn fill(content: Vec<u8>, values: &BTreeMap<String, String>) -> Vec<u8> {
    // Pictures and fonts go as they are.
    let text = match String::from_utf8(content) {
        Ok(text) => text,
        Err(error) => return error.into_bytes(),
    };
    let mut filled = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("{{") {
        let (before, after) = rest.split_at(at);
        filled.push_str(before);
        let named = after[2..].split_once("}}").and_then(|(name, after)| Some((values.get(name)?, after)));
        match named {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push_str("{{");
                rest = &after[2..];
            }
        }
    }
    filled.push_str(rest);
    filled.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Answers {
        Answers { name: "my-app".into(), id: "com.example.x".into(), title: "X".into() }
    }

    #[test]
    fn placeholders_are_filled_and_other_braces_are_left() {
        let values = values(&answers(), &Packages::find());
        let filled = fill(b"{{name}} {{crate}} {{ not }} ${{x: 1}} {{nmae}} {{".to_vec(), &values);
        assert_eq!(String::from_utf8(filled).unwrap(), "my-app my_app {{ not }} ${{x: 1}} {{nmae}} {{");
        assert_eq!(fill(vec![0xff, 0xfe], &values), [0xff, 0xfe]);
    }

    #[test]
    fn disguised_files_get_their_names() {
        for (from, to) in
            [("_gitignore", ".gitignore"), ("backend/app/Cargo.toml.template", "backend/app/Cargo.toml")]
        {
            assert_eq!(disguise(Path::new(from), &answers()), Path::new(to));
        }
    }

    #[test]
    fn every_template_becomes_a_project_without_a_placeholder_of_ours_left() {
        let listed = list().unwrap();
        assert_eq!(listed.len(), 12, "{listed:?}");
        for Listed { name, language, .. } in listed {
            let source = Source::named(&format!("{name}-{language}"));
            let files = files(&source, &answers()).unwrap();
            for wanted in
                ["staysail.toml", "Cargo.toml", ".gitignore", "README.md", "backend/core/src/lib.rs"]
            {
                let has = files.iter().any(|(path, _)| path == Path::new(wanted));
                assert!(has, "{name}-{language} has no {wanted}");
            }
            for (path, content) in &files {
                // The Vue templates' own double braces have spaces inside.
                let text = String::from_utf8_lossy(content);
                let left = text.split("{{").skip(1).find(|rest| {
                    rest.split_once("}}").is_some_and(|(inside, _)| {
                        !inside.is_empty() && inside.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                    })
                });
                assert_eq!(left, None, "{name}-{language}: {}", path.display());
            }
        }
    }
}
