//! Where the ready-made shell is.

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Environment variable with the path of the shell.
pub const SHELL_VARIABLE: &str = "STAYSAIL_SHELL";
const NAME: &str = if cfg!(windows) { "staysail-shell.exe" } else { "staysail-shell" };

/// What the shell is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To show the window now.
    Develop,
    /// To be shipped: an optimised one counts more than a near one.
    Ship,
}

/// Finds the shell: the environment's, the one beside this executable, or one on the search path.
pub fn find(r#use: Use) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(SHELL_VARIABLE).filter(|value| !value.is_empty()) {
        let path = PathBuf::from(path);
        if path.is_file() {
            return Ok(path);
        }
        bail!("{SHELL_VARIABLE} names {}, which does not exist.\n  Correct or unset it.", path.display());
    }
    let beside = std::env::current_exe().ok().and_then(|own| own.parent().map(Path::to_path_buf));
    let mut folders = Vec::new();
    if let Some(folder) = &beside {
        if r#use == Use::Ship && folder.ends_with("debug") {
            folders.push(folder.with_file_name("release"));
        }
        folders.push(folder.clone());
    }
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    if let Some(found) = folders.iter().map(|folder| folder.join(NAME)).find(|path| path.is_file()) {
        return Ok(found);
    }
    let checkout = checkout().map_or_else(String::new, |root| {
        let profile = if r#use == Use::Ship { " --release" } else { "" };
        format!("\n  From this checkout: cargo build{profile} -p staysail-shell  (in {})", root.display())
    });
    bail!(
        "the program {NAME} is missing; it shows the app's window.\n  Install it with `cargo install staysail-shell`, or name it with {SHELL_VARIABLE}.{checkout}"
    )
}

/// The checkout this command was built from, if it is still there.
pub fn checkout() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.parent()?;
    root.join("crates/staysail/Cargo.toml").is_file().then(|| root.to_path_buf())
}
