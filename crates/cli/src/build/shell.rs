//! The shell a release carries: the one that `staysail build` attaches releases to.

use super::output_path;
use crate::project::Project;
use crate::shell_binary::{self, Use};
use crate::style;
use crate::version::first_line;
use anyhow::{Context, Result, bail};
use staysail_update::bundle::ShellFile;
use std::path::Path;

/// The shell that a release of this project carries, if it is to carry one. Without a word in `staysail.toml` that is an
/// optimised one of this version; with one, whatever is found.
pub fn to_carry(project: &Project) -> Result<Option<ShellFile>> {
    let wish = wish(project);
    if wish == Some(false) {
        return Ok(None);
    }
    let without = |why: String| {
        eprintln!("{} the release carries no shell: {why}", style::warn("note:"));
        Ok(None)
    };
    if cfg!(target_os = "macos") {
        return match wish {
            Some(_) => without("on macOS it is part of the signed bundle and is not exchanged".into()),
            None => Ok(None),
        };
    }
    let file = shell_binary::find(Use::Ship)?;
    let shown = file.display();
    if wish.is_none() && file.parent().is_some_and(|folder| folder.ends_with("debug")) {
        return without(format!("{shown} is not optimised. `shell = true` under [update] has it carried"));
    }
    let version = version(&file)?;
    let own = env!("CARGO_PKG_VERSION");
    if version != own {
        let differs = format!("{shown} has version {version}, this command {own}");
        return match wish {
            Some(_) => {
                bail!("{differs}.\n  Install the shell of this version, or set shell = false under [update].")
            }
            None => without(differs),
        };
    }
    let name = output_path(project)?.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Some(ShellFile { name: name.unwrap_or_default(), version, file }))
}

fn wish(project: &Project) -> Option<bool> {
    project.config.update.as_ref().and_then(|update| update.shell)
}

/// Whether the project says that its releases carry none.
pub fn is_unwanted(project: &Project) -> bool {
    wish(project) == Some(false)
}

/// The version a shell tells.
pub fn version(file: &Path) -> Result<String> {
    let line = first_line(&file.to_string_lossy(), &["--version"]);
    let version = line.as_deref().and_then(|line| line.strip_prefix("staysail-shell "));
    let version = version.with_context(|| {
        format!(
            "{} does not tell its version, so apps could not start it.\n  Name a shell that runs here with {}, or set shell = false under [update].",
            file.display(),
            shell_binary::SHELL_VARIABLE
        )
    })?;
    Ok(version.to_owned())
}
