//! `staysail init --here`: Staysail beside an existing page. Only new files are made; of the user's own, .gitignore alone
//! gets a few more lines.

use super::existing::{self, Existing, Kind};
use super::packages::Packages;
use super::source::Source;
use super::{Answers, Arguments, identifier, name, template};
use crate::package_manager::PackageManager;
use crate::style;
use anyhow::{Context, Result, bail};
use dialoguer::Confirm;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What cargo and Staysail make, which is not to be committed.
const IGNORED: [&str; 3] = ["/target", "/build", "/keys/*.key"];

/// Shows what would be written, asks, and writes it.
pub fn run(arguments: &Arguments, terminal: bool) -> Result<ExitCode> {
    let root = Path::new(".");
    if root.join("staysail.toml").exists() {
        bail!("this folder has a staysail.toml already: it is a project of Staysail. Nothing was written.");
    }
    let existing = existing::look(root)?;
    let answers = answers(arguments, &existing)?;
    let files = files(&existing, &answers)?;
    refuse_to_overwrite(root, &files)?;
    let ignored = missing_rules(root, &existing)?;
    print!("{}", plan(&existing, &files, &ignored));
    if arguments.dry_run {
        println!("\nNothing was written (--dry-run).");
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.yes {
        if !terminal {
            bail!("nothing was written. Add --yes to write this without being asked.");
        }
        if !Confirm::new().with_prompt("Write this?").default(true).interact()? {
            println!("Nothing was written.");
            return Ok(ExitCode::SUCCESS);
        }
    }
    write(root, &files)?;
    add_rules(root, &ignored)?;
    print!("{}", next(&existing));
    Ok(ExitCode::SUCCESS)
}

fn answers(arguments: &Arguments, existing: &Existing) -> Result<Answers> {
    let name = match &arguments.name {
        Some(name) => name.clone(),
        // `@scope/name` → `name`.
        None => {
            let bare = existing.name.rsplit('/').next().unwrap_or(&existing.name);
            let bare = if name::check(bare).is_ok() { Some(bare.to_owned()) } else { name::suggestion(bare) };
            bare.unwrap_or_else(|| "app".into())
        }
    };
    name::check(&name).map_err(anyhow::Error::msg)?;
    let title = arguments.title.clone().unwrap_or_else(|| name::title(&name));
    name::check_title(&title).map_err(anyhow::Error::msg)?;
    let id = identifier(arguments.id.clone(), &name, false)?;
    Ok(Answers { name, id, title })
}

/// The project file, and the backend that all templates share.
fn files(existing: &Existing, answers: &Answers) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let backend = template::filled(&Source::own().folder("_backend")?, answers);
    let wanted = |path: &Path| path.starts_with("backend") || path == Path::new("Cargo.toml");
    let mut files: Vec<_> = backend.into_iter().filter(|(path, _)| wanted(path)).collect();
    files.insert(0, ("staysail.toml".into(), settings(existing, answers).into_bytes()));
    if existing.kind != Kind::Static {
        files.extend(Packages::find().copies(Path::new("")));
    }
    Ok(files)
}

fn settings(existing: &Existing, answers: &Answers) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let Answers { name, id, title } = answers;
    let mut text = format!(
        "# Every field: https://github.com/staysail/staysail/blob/main/docs/guide/project-file.md\n[app]\nid = {}\nname = {}\n\n[frontend]\ndist = {}\ntypes = {}\n",
        quoted(id),
        quoted(title),
        quoted(&existing.dist),
        quoted(&existing.types)
    );
    // Writing to a text never fails.
    if let (Some(dev), Some(url)) = (&existing.dev, &existing.url) {
        let _ = writeln!(text, "\n[frontend.dev]\ncommand = {}\nurl = {}", quoted(dev), quoted(url));
    }
    if let Some(build) = &existing.build {
        let _ = writeln!(text, "\n[frontend.build]\ncommand = {}", quoted(build));
    }
    let _ = writeln!(
        text,
        "\n[backend]\npackage = {}\n\n# `staysail dev`\n[debug]\nlog = \"debug\"\ninspector = true\n\n# `staysail build`\n[production]\nlog = \"info\"\ninspector = false",
        quoted(name)
    );
    text
}

fn refuse_to_overwrite(root: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<()> {
    let there: Vec<String> = files
        .iter()
        .filter(|(path, _)| root.join(path).symlink_metadata().is_ok())
        .map(|(path, _)| format!("  {}\n", path.display()))
        .collect();
    // A folder `backend` with other things in it would become a muddle.
    let backend = root.join("backend").exists();
    if there.is_empty() && !backend {
        return Ok(());
    }
    let list = if there.is_empty() { "  backend/\n".to_owned() } else { there.concat() };
    bail!(
        "these are there already and would be overwritten:\n{list}Nothing was written. Rename them, or make a project beside this one with `staysail init NAME` and point its [frontend] at this page."
    )
}

/// Lines that .gitignore lacks.
fn missing_rules(root: &Path, existing: &Existing) -> Result<Vec<String>> {
    let text = read_rules(root)?;
    let has = |rule: &str| {
        let same = |line: &str| line.trim().trim_matches('/') == rule.trim_matches('/');
        text.lines().any(same)
    };
    let types = format!("/{}", existing.types);
    let rules = IGNORED.iter().map(|rule| (*rule).to_owned()).chain([types]);
    Ok(rules.filter(|rule| !has(rule)).collect())
}

fn read_rules(root: &Path) -> Result<String> {
    match std::fs::read_to_string(root.join(".gitignore")) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).context("reading .gitignore; nothing was written"),
    }
}

fn add_rules(root: &Path, rules: &[String]) -> Result<()> {
    if rules.is_empty() {
        return Ok(());
    }
    let old = read_rules(root)?;
    let separator = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
    let added = format!("{separator}{}\n", rules.join("\n"));
    let file = std::fs::OpenOptions::new().create(true).append(true).open(root.join(".gitignore"));
    file.and_then(|mut file| file.write_all(added.as_bytes())).context(
        "everything else is written, but .gitignore is not; add target, build and keys/*.key to it by hand",
    )
}

fn plan(existing: &Existing, files: &[(PathBuf, Vec<u8>)], ignored: &[String]) -> String {
    let kind = match existing.kind {
        Kind::Vite => "a Vite project",
        Kind::Webpack => "a Webpack project",
        Kind::Static => "a page without a bundler",
    };
    let mut text = format!("This is {}.\n", style::strong(kind));
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(text, "  {what:<12} {value}");
    };
    if let Some(PackageManager { program, lock }) = existing.manager {
        line("packages", &lock.map_or(program.to_owned(), |lock| format!("{program} ({lock})")));
    }
    for (what, value) in [("dev server", &existing.dev), ("at", &existing.url), ("build", &existing.build)] {
        if let Some(value) = value {
            line(what, value);
        }
    }
    line("shipped", &format!("{}/", existing.dist));
    text += "\nNew files:\n";
    for (path, _) in files {
        let _ = writeln!(text, "  {}", path.display());
    }
    if !ignored.is_empty() {
        let _ = writeln!(text, "\nAdded to .gitignore:\n  {}", ignored.join("\n  "));
    }
    text += "\nNothing else is touched.\n";
    text
}

/// All or nothing: what was written is taken away again when something can not be.
fn write(root: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<()> {
    let mut written: Vec<PathBuf> = Vec::new();
    for (path, content) in files {
        let path = root.join(path);
        let result = std::fs::create_dir_all(path.parent().unwrap_or(root))
            .and_then(|()| std::fs::OpenOptions::new().write(true).create_new(true).open(&path))
            .and_then(|mut file| {
                written.push(path.clone());
                file.write_all(content)
            });
        if let Err(error) = result {
            for file in &written {
                // What can not be taken away is named by the error below, with its folder.
                let _ = std::fs::remove_file(file);
            }
            return Err(error).with_context(|| {
                format!("{} can not be written; what was written before it was taken away", path.display())
            });
        }
    }
    Ok(())
}

fn next(existing: &Existing) -> String {
    let Some(manager) = existing.manager else {
        return format!(
            "\n{}\n\n  staysail dev\n\nScripts of the page reach the backend so:\n\n  import {{ invoke }} from \"/__staysail/api.js\";\n  await invoke(\"greet\", {{ name: \"Ada\" }});\n",
            style::good("done")
        );
    };
    let packages = Packages::find();
    let add = manager.add();
    let vite = existing.kind == Kind::Vite;
    let plugin = if vite { format!(" {}", packages.dependency("vite-plugin")) } else { String::new() };
    let mut text = format!(
        "\n{}\n\n  {add} {}{plugin}\n  staysail dev\n\nThe page reaches the backend so:\n\n  import {{ invoke }} from \"@staysail/api\";\n  await invoke(\"greet\", {{ name: \"Ada\" }});\n",
        style::good("done"),
        packages.dependency("api")
    );
    if vite {
        text += "\nIf you like, in Vite's configuration: `import staysail from \"@staysail/vite-plugin\"` and `plugins: [staysail()]`.\nThen it takes address and output folder from staysail.toml, and shows the backend's errors in its overlay.\n";
    }
    text
}
