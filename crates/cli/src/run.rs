//! `staysail run`: the built app, built first when something is newer than it.

use crate::commands::ProjectArguments;
use crate::project::{Mode, Project};
use crate::{build, shell_binary};
use anyhow::{Context, Result};
use clap::Args;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::SystemTime;

/// Flags of `staysail run`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Arguments for the app, after `--`.
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// Builds when needed, then becomes the app.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let project = arguments.project.load(Mode::Production)?;
    let mut path = build::output_path(&project)?;
    if is_outdated(&project, &path)? {
        path = build::build(&project)?;
    }
    let mut command = Command::new(&path);
    command.args(arguments.arguments);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let error = command.exec();
        Err(error).with_context(|| format!("{} could not be started", path.display()))
    }
    #[cfg(not(unix))]
    {
        let status = command.status().with_context(|| format!("{} could not be started", path.display()))?;
        Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
    }
}

/// Whether any file of the project, or the shell, is newer than the executable.
fn is_outdated(project: &Project, built: &Path) -> Result<bool> {
    let Some(time) = modified(built) else { return Ok(true) };
    let shell = shell_binary::find(shell_binary::Use::Ship)?;
    let (output, target) = (project.root.join("build"), project.root.join("target"));
    let own = project.target();
    let walk = ignore::WalkBuilder::new(&project.root)
        .standard_filters(false)
        .hidden(true)
        .filter_entry(move |entry| {
            let path = entry.path();
            path != output && path != target && path != own && entry.file_name() != "node_modules"
        })
        .build();
    let types = project.types();
    let mut sources =
        walk.flatten().map(ignore::DirEntry::into_path).filter(|path| path.is_file() && *path != types);
    Ok(modified(&shell).is_some_and(|shell| shell > time)
        || sources.any(|path| modified(&path).is_some_and(|source| source > time)))
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|facts| facts.modified()).ok()
}
