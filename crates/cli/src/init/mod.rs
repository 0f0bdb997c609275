//! `staysail init`: a new project, whole or not at all.

mod ask;
mod existing;
mod here;
mod name;
mod packages;
mod source;
mod template;

use crate::{project, style};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use dialoguer::Input;
use source::Source;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Flags of `staysail init`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Name of the project: small letters, digits, `-` and `_`.
    name: Option<String>,
    /// What the page is made with: a name of `--list`, a folder, or a Git repository (`URL#BRANCH`).
    #[arg(long, value_name = "NAME|FOLDER|GIT-URL")]
    template: Option<String>,
    /// Language of the page.
    #[arg(long, value_enum)]
    language: Option<Language>,
    /// Identifier in reverse domain order [default: com.example.NAME].
    #[arg(long)]
    id: Option<String>,
    /// Name for people [default: made from NAME].
    #[arg(long)]
    title: Option<String>,
    /// Folder to make [default: NAME].
    #[arg(long, value_name = "FOLDER")]
    directory: Option<PathBuf>,
    /// Name the templates.
    #[arg(long, conflicts_with_all = ["name", "template", "here"])]
    list: bool,
    /// Add Staysail to the page in this folder: a Vite, Webpack or static project.
    #[arg(long, conflicts_with_all = ["template", "language", "directory"])]
    here: bool,
    /// With --here: show what would be written, and write nothing.
    #[arg(long, requires = "here")]
    dry_run: bool,
    /// With --here: write without asking.
    #[arg(long, short, requires = "here")]
    yes: bool,
}

/// Language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// JavaScript.
    Js,
    /// TypeScript.
    Ts,
}

/// Everything a new project is made from.
#[derive(Debug)]
pub struct Answers {
    /// Cargo's name.
    pub name: String,
    /// App identifier.
    pub id: String,
    /// Name for people.
    pub title: String,
}

/// Asks for what the flags left open (on a terminal), then makes the project.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    if arguments.list {
        return list();
    }
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if arguments.here {
        return here::run(&arguments, terminal);
    }
    let asked_for_name = arguments.name.is_none();
    if terminal && asked_for_name {
        ask::at_a_terminal()?;
    }
    let name = match arguments.name {
        Some(name) => name,
        None if terminal => {
            let valid = |name: &String| name::check(name);
            let line = Input::new().with_prompt("Name of the project").validate_with(valid);
            ask::answer(line.interact_text())?
        }
        None => bail!("the project needs a name: `staysail init NAME`"),
    };
    name::check(&name).map_err(anyhow::Error::msg)?;
    // Everything has a default: only someone who did not even give a name wants to be asked for the rest.
    let ask = terminal && asked_for_name;
    let folder = arguments.directory.unwrap_or_else(|| PathBuf::from(&name));
    check_folder(&folder)?;
    let title = match arguments.title {
        Some(title) => title,
        None if ask => {
            let line = Input::new().with_prompt("Title").default(name::title(&name));
            ask::answer(line.interact_text())?
        }
        None => name::title(&name),
    };
    name::check_title(&title).map_err(anyhow::Error::msg)?;
    let id = identifier(arguments.id, &name, ask)?;
    let source = match &arguments.template {
        Some(other) if Source::is_repository(other) => Source::clone(other)?,
        Some(other) if Source::is_folder(other) => Source::of_folder(other)?,
        named => Source::named(&ask::template(named.as_deref(), arguments.language, ask)?),
    };
    let answers = Answers { name, id, title };
    let files = template::files(&source, &answers)?;
    write(&folder, &files)?;
    println!("{} {} in {}", style::good("made"), style::strong(&answers.title), folder.display());
    println!("\n  cd {}\n  staysail dev\n", folder.display());
    println!("Then change backend/ or frontend/ and save: the open window follows.");
    Ok(ExitCode::SUCCESS)
}

/// The identifier: given, asked for, or made from the name.
fn identifier(given: Option<String>, name: &str, ask: bool) -> Result<String> {
    let default = format!("com.example.{name}");
    let id = match given {
        Some(id) => id,
        None if ask => {
            let valid = |id: &String| project::check_id(id);
            let line = Input::new().with_prompt("Identifier").default(default).validate_with(valid);
            ask::answer(line.interact_text())?
        }
        None => default,
    };
    project::check_id(&id)
        .map_err(|problem| anyhow::anyhow!("{problem}; use one such as com.example.{name}"))?;
    Ok(id)
}

/// `staysail init --list`
fn list() -> Result<ExitCode> {
    println!("{:<10} {:<10} the page", "template", "language");
    for listed in template::list()? {
        println!("{:<10} {:<10} {}", listed.name, listed.language, listed.template.summary);
    }
    println!("\nstaysail init NAME --template react --language ts");
    println!("A folder or a Git repository is a template, too: --template https://example.com/template.git");
    Ok(ExitCode::SUCCESS)
}

/// Refuses a folder that holds anything.
fn check_folder(folder: &Path) -> Result<()> {
    let shown = folder.display();
    match std::fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => bail!(
                "{shown} exists and is not empty; nothing was written.\n  Choose another name, or another folder with --directory."
            ),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory || folder.is_file() => {
            drop(error);
            bail!(
                "{shown} exists and is no folder; nothing was written.\n  Choose another name, or another folder with --directory."
            )
        }
        Err(error) => {
            Err(error).with_context(|| format!("{shown} can not be looked into; nothing was written"))
        }
    }
}

/// Writes everything to a folder beside the wanted one, then renames it: the project is there whole, or not at all.
fn write(folder: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<()> {
    let absolute = std::path::absolute(folder)?;
    let parent = absolute.parent().context("a project can not be the root folder")?;
    let name = absolute.file_name().context("the folder needs a name")?.to_string_lossy();
    let refused = |error: std::io::Error, what: &Path| {
        let what = what.display();
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                anyhow::anyhow!(
                    "no permission to write in {what}; nothing was written.\n  Choose another folder with --directory."
                )
            }
            _ => anyhow::anyhow!("{what} can not be written: {error}; nothing is left of it"),
        }
    };
    if !parent.is_dir() {
        bail!(
            "the folder {} does not exist; nothing was written.\n  Make it first, or choose another one with --directory.",
            parent.display()
        );
    }
    let prefix = format!(".{name}.");
    let unfinished = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent);
    let unfinished = unfinished.map_err(|error| refused(error, parent))?;
    for (path, content) in files {
        let path = unfinished.path().join(path);
        let below = path.parent().unwrap_or(parent);
        std::fs::create_dir_all(below)
            .and_then(|()| std::fs::write(&path, content))
            .map_err(|error| refused(error, &path))?;
    }
    open_to_all_who_may_read(unfinished.path()).map_err(|error| refused(error, unfinished.path()))?;
    if cfg!(windows) && absolute.is_dir() {
        // It is empty, and Windows renames onto nothing.
        std::fs::remove_dir(&absolute).map_err(|error| refused(error, &absolute))?;
    }
    std::fs::rename(unfinished.path(), &absolute).map_err(|error| refused(error, &absolute))?;
    // Renamed away: there is nothing left to remove.
    let _ = unfinished.keep();
    Ok(())
}

/// Temporary folders are private; a project's folder is as any other that is made.
#[cfg(unix)]
fn open_to_all_who_may_read(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let like = folder.join("backend");
    let mode = std::fs::metadata(if like.is_dir() { &like } else { folder })?.permissions().mode();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn open_to_all_who_may_read(_: &Path) -> std::io::Result<()> {
    Ok(())
}
