//! Projects as people have them: what `staysail init` makes, with the bench's page and commands put in, and as many
//! commands more as are asked for.

use super::super::apps::{Apps, succeed};
use crate::demo::copy_folder;
use anyhow::{Context, ensure};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// A project, and what is edited in it.
pub struct Project {
    pub name: &'static str,
    pub folder: PathBuf,
    /// The file with the line `"backend-0"`.
    pub backend: PathBuf,
    /// The file with the line `"page-0"`.
    pub page: PathBuf,
}

/// How the commands are laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As `staysail init` lays them out: a core and a thin crate for the app.
    Template,
    /// Sixty more commands in so many crates of their own.
    Crates(usize),
    /// Sixty more commands in the app's crate.
    OneCrate,
}

const COMMANDS: usize = 60;
const COMMANDS_OF_THE_BENCH: &str = r#"
/// What the page should do.
#[command]
fn task() -> String {
    std::env::var("BENCH_TASK").unwrap_or_else(|_| "idle".into())
}

#[command]
fn revision() -> String {
    REVISION.into()
}

/// Hands one line to the bench.
#[command]
fn report(line: String) {
    if let Ok(address) = std::env::var("BENCH_COLLECTOR")
        && let Ok(mut stream) = std::net::TcpStream::connect(address)
    {
        let _ = std::io::Write::write_all(&mut stream, line.as_bytes());
    }
}

"#;

impl Project {
    /// Makes it anew.
    pub fn make(apps: &Apps, name: &'static str, layout: Layout) -> anyhow::Result<Self> {
        let folder = made(apps, name, "vanilla")?;
        copy_folder(&apps.root.join("benches/page"), &folder.join("frontend"))?;
        fs::copy(apps.root.join("benches/app/frontend/bridge.js"), folder.join("frontend/bridge.js"))?;
        let main = folder.join("backend/app/src/main.rs");
        let core = folder.join("backend/core/src/lib.rs");
        change(&main, &format!(".title(\"{}\")", capitalised(name)), ".title(\"Staysail Bench\")")?;
        change(&main, "fn main() ->", &format!("{COMMANDS_OF_THE_BENCH}fn main() ->"))?;
        let revision = "/// The bench changes this line.\npub const REVISION: &str = \"backend-0\";\n";
        let (backend, from, more) = match layout {
            Layout::Template => (core, format!("{name}_core"), String::new()),
            Layout::OneCrate => {
                let file = main.with_file_name("many.rs");
                fs::write(&file, commands(0..COMMANDS))?;
                change(&main, "use staysail::", "mod many;\n\nuse staysail::")?;
                (file, "many".to_owned(), list("many", 0..COMMANDS))
            }
            Layout::Crates(count) => crates(&folder, count)?,
        };
        let text = fs::read_to_string(&backend)?;
        // Behind the file's own comment.
        let at = text.find("\n\n").map_or(0, |at| at + 2);
        fs::write(&backend, format!("{}{revision}\n{}", &text[..at], &text[at..]))?;
        change(&main, "\nuse staysail::", &format!("\nuse {from}::REVISION;\nuse staysail::"))?;
        let listed = "commands![greet, session, sail";
        change(&main, listed, &format!("{listed}, task, revision, report{more}"))?;
        Ok(Self { name, page: folder.join("frontend/measure.js"), folder, backend })
    }
}

/// A crate for each part of the commands. Gives the file that is edited, its crate and the list of all commands.
fn crates(folder: &Path, count: usize) -> anyhow::Result<(PathBuf, String, String)> {
    let each = COMMANDS / count;
    let (mut all, mut members, mut dependencies) = (String::new(), String::new(), String::new());
    let app = folder.join("backend/app/Cargo.toml");
    let staysail = fs::read_to_string(&app)?;
    let staysail = staysail.lines().find(|line| line.starts_with("staysail =")).context("no staysail")?;
    for part in 0..count {
        let name = format!("part{part}");
        let (at, range) = (folder.join("backend").join(&name), part * each..(part + 1) * each);
        fs::create_dir_all(at.join("src"))?;
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{staysail}\n"
        );
        fs::write(at.join("Cargo.toml"), manifest)?;
        fs::write(at.join("src/lib.rs"), commands(range.clone()))?;
        all += &list(&name, range);
        write!(members, ", \"backend/{name}\"")?;
        writeln!(dependencies, "{name} = {{ path = \"../{name}\" }}")?;
    }
    change(&folder.join("Cargo.toml"), "\"backend/core\"", &format!("\"backend/core\"{members}"))?;
    change(&app, "staysail =", &format!("{dependencies}staysail ="))?;
    let edited = format!("part{}", count / 2);
    Ok((folder.join("backend").join(&edited).join("src/lib.rs"), edited, all))
}

/// Commands with types of their own, as apps have them.
fn commands(range: std::ops::Range<usize>) -> String {
    let mut text = "//! Commands of the bench.\n\nuse staysail::command;\n".to_owned();
    for number in range {
        text += &format!(
            r#"
/// An entry of list {number}.
#[staysail::data]
#[derive(Clone, PartialEq)]
pub struct Entry{number} {{
    pub id: u32,
    pub title: String,
    pub labels: Vec<String>,
    pub parent: Option<u32>,
    pub done: bool,
}}

/// The entries of list {number} that hold a text.
#[command]
pub fn list_{number}(entries: Vec<Entry{number}>, text: Option<String>, most: u32) -> Result<Vec<Entry{number}>, String> {{
    let text = text.unwrap_or_default();
    if most == 0 {{
        return Err("none are asked for".into());
    }}
    let mut found: Vec<_> = entries.into_iter().filter(|entry| entry.title.contains(&text)).collect();
    found.sort_by(|a, b| a.title.cmp(&b.title).then(a.id.cmp(&b.id)));
    found.truncate(most as usize);
    Ok(found)
}}
"#
        );
    }
    text
}

fn list(path: &str, range: std::ops::Range<usize>) -> String {
    range.map(|number| format!(", {path}::list_{number}")).collect()
}

/// A new project of a template, with the command that is measured.
pub fn made(apps: &Apps, name: &str, template: &str) -> anyhow::Result<PathBuf> {
    let around = apps.work("new");
    fs::create_dir_all(&around)?;
    let folder = around.join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut init = apps.around(apps.tool("staysail"), &around);
    succeed(init.args(["init", name, "--template", template, "--language", "js"]))?;
    Ok(folder)
}

/// Exchanges a text in a file.
pub fn change(path: &Path, old: &str, new: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    ensure!(text.contains(old), "{} does not hold {old:?}", path.display());
    // As editors save: written beside it and moved over it.
    let fresh = path.with_extension("saving");
    fs::write(&fresh, text.replacen(old, new, 1))?;
    fs::rename(&fresh, path).with_context(|| format!("saving {}", path.display()))
}

fn capitalised(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}
