//! What a bundler is told of the project, and what it tells: environment variables when it starts, small files in one
//! folder while it runs. `docs/spec/bundlers.md` is the format; `packages/vite-plugin` is its other end.

use crate::project::Project;
use serde::{Deserialize, Serialize};
use staysail_protocol::interface::Description;
use std::path::{Path, PathBuf};

/// Format of the files.
const FORMAT: u32 = 1;
/// Folder of the files, in the app's own folder of what is built.
const FOLDER: &str = "session";
const BACKEND_FILE: &str = "backend.json";
const INTERFACE_FILE: &str = "interface.json";
const BUNDLER_FILE: &str = "bundler.json";

/// The files and variables of one run of the command.
#[derive(Debug, Clone)]
pub struct Bundler {
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
}

/// Whether the backend compiles.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does.
    Good,
    /// It does not.
    Failed,
}

#[derive(Serialize)]
struct Backend<'a> {
    format: u32,
    state: State,
    errors: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct Interface<'a> {
    format: u32,
    commands: Vec<&'a str>,
    events: Vec<&'a str>,
}

#[derive(Deserialize)]
struct Said {
    format: u32,
    #[serde(default)]
    shows_errors: bool,
}

impl Bundler {
    /// Makes the folder anew. `address` is where a dev server must listen; there is none while building.
    pub fn begin(project: &Project, version: &str, address: Option<&str>) -> std::io::Result<Self> {
        let folder = project.app_folder().join(FOLDER);
        std::fs::create_dir_all(&folder)?;
        for name in [BACKEND_FILE, BUNDLER_FILE] {
            // What an earlier run left would be taken for this one's.
            if let Err(error) = std::fs::remove_file(folder.join(name))
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(error);
            }
        }
        let constants = serde_json::to_string(&project.mode_config().constants).unwrap_or_default();
        let mut variables = vec![
            ("STAYSAIL_MODE", project.mode.name().to_owned()),
            ("STAYSAIL_APP", project.config.app.id.clone()),
            ("STAYSAIL_VERSION", version.to_owned()),
            ("STAYSAIL_CONSTANTS", constants),
            ("STAYSAIL_DIST", project.dist().display().to_string()),
            ("STAYSAIL_TYPES", project.types().display().to_string()),
            ("STAYSAIL_SESSION", folder.display().to_string()),
        ];
        if let Some(url) = address {
            variables.push(("STAYSAIL_DEV_URL", url.to_owned()));
            if let Ok((_, port)) = crate::project::address(url) {
                // Many dev servers take their port from here.
                variables.push(("PORT", port.to_string()));
            }
        }
        Ok(Self { folder, variables })
    }

    /// For the environment of the bundler.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.variables.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Tells whether the backend compiles. A bundler that can not be told shows nothing, and the window still does.
    pub fn backend(&self, root: &Path, state: State, errors: &str) {
        let errors = &with_whole_paths(&crate::style::without_colours(errors), root);
        let place = place(errors);
        let (file, line, column) =
            place.map_or((None, 1, 1), |(file, line, column)| (Some(root.join(file)), line, column));
        self.write(BACKEND_FILE, &Backend { format: FORMAT, state, errors, file, line, column });
    }

    /// Tells what the backend offers.
    pub fn interface(&self, description: &Description) {
        let interface = Interface {
            format: FORMAT,
            commands: description.commands.iter().map(|command| command.name.as_str()).collect(),
            events: description.events.iter().map(|event| event.name.as_str()).collect(),
        };
        self.write(INTERFACE_FILE, &interface);
    }

    /// Whether the bundler shows compile errors over the page, so that the window need not.
    pub fn shows_errors(&self) -> bool {
        let said = std::fs::read(self.folder.join(BUNDLER_FILE)).ok();
        let said = said.and_then(|text| serde_json::from_slice::<Said>(&text).ok());
        said.is_some_and(|said| said.format == FORMAT && said.shows_errors)
    }

    /// Forgets what a bundler said that has ended.
    pub fn forget(&self) {
        // There may be nothing to forget.
        let _ = std::fs::remove_file(self.folder.join(BUNDLER_FILE));
    }

    /// Whole or not at all: a bundler may read at any moment. Only what changed is written: each write is news.
    fn write(&self, name: &str, value: &impl Serialize) {
        let path = self.folder.join(name);
        let text = serde_json::to_vec(value).unwrap_or_default();
        if std::fs::read(&path).is_ok_and(|old| old == text) {
            return;
        }
        let beside = self.folder.join(format!(".{name}"));
        // Only comfort is lost: see `backend`.
        let _ = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &path));
    }
}

/// A bundler's overlay makes links of whole paths only, and knows nothing of the folder that cargo ran in.
fn with_whole_paths(errors: &str, root: &Path) -> String {
    let whole = |line: &str| match line.split_once("--> ") {
        Some((before, place)) if before.trim().is_empty() => {
            format!("{before}--> {}\n", root.join(place).display())
        }
        _ => format!("{line}\n"),
    };
    errors.lines().map(whole).collect()
}

/// The first place that rustc names: `  --> backend/core/src/lib.rs:12:5`.
fn place(errors: &str) -> Option<(String, u32, u32)> {
    let line = errors.lines().find_map(|line| line.trim_start().strip_prefix("--> "))?;
    let (rest, column) = line.trim_end().rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    Some((file.to_owned(), line.parse().ok()?, column.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_rustc_names_is_found() {
        let said = "error[E0308]: mismatched types\n  --> backend/core/src/lib.rs:12:5\n   |\n";
        assert_eq!(place(said), Some(("backend/core/src/lib.rs".into(), 12, 5)));
        assert_eq!(place("error: no such command\n"), None);
        let root = if cfg!(windows) { r"C:\app" } else { "/app" };
        let whole = with_whole_paths(said, Path::new(root));
        assert!(whole.contains(&format!("--> {root}")) && whole.contains("lib.rs:12:5\n   |\n"), "{whole}");
    }
}
