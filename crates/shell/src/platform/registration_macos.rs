//! Links, files and log-in starts on macOS.
//!
//! Links and files are the bundle's: Launch Services reads them from its `Info.plist`, and nothing else may register
//! them. The log-in start is a launch agent in the user's own folder.

use crate::desktop::links::Program;
use staysail_protocol::desktop::app::Opens;
use std::path::PathBuf;

type Done<T = ()> = Result<T, String>;

/// The bundle's `Info.plist` registers, which `staysail build` has written.
///
/// # Errors
/// There is something to register, and no bundle.
pub fn reconcile(program: &Program, opens: &Opens) -> Done<bool> {
    let bundled = program.executable.parent().is_some_and(|folder| folder.ends_with("Contents/MacOS"));
    if bundled || opens.is_empty() || opens.unregistered {
        return Ok(false);
    }
    let name = program.executable.file_name().unwrap_or_default().display();
    Err(format!(
        "macOS knows what {} opens from a bundle only; ship and start {name}.app, which `staysail build` makes",
        program.name
    ))
}

fn agent(program: &Program) -> Done<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let home = home.ok_or("HOME names no folder")?;
    Ok(home.join("Library/LaunchAgents").join(format!("{}.plist", program.id)))
}

fn mark(program: &Program) -> String {
    format!("<!-- Staysail {} -->", program.id)
}

/// Starts the app at log-in.
///
/// # Errors
/// A sentence for people.
pub fn autostart_enable(program: &Program, arguments: &[String]) -> Done {
    let file = agent(program)?;
    if file.exists() && !is_own(program)? {
        return Err(format!("{} was not written by this app, so it stays as it is", file.display()));
    }
    let executable = program.executable.display().to_string();
    let words: String = std::iter::once(&executable)
        .chain(arguments)
        .map(|word| format!("    <string>{}</string>\n", escaped(word)))
        .collect();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n<plist version=\"1.0\"><dict>\n  <key>Label</key><string>{}</string>\n  \
         <key>ProgramArguments</key><array>\n{words}  </array>\n  <key>RunAtLoad</key><true/>\n</dict></plist>\n",
        mark(program),
        escaped(&program.id)
    );
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let temporary = file.with_extension(crate::secret::token());
    std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, &file)).map_err(failed)
}

/// Does so no more.
///
/// # Errors
/// A sentence for people.
pub fn autostart_disable(program: &Program) -> Done {
    let file = agent(program)?;
    if !is_own(program)? {
        return Ok(());
    }
    std::fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))
}

/// Whether it does.
///
/// # Errors
/// A sentence for people.
pub fn autostart_is_enabled(program: &Program) -> Done<bool> {
    is_own(program)
}

fn is_own(program: &Program) -> Done<bool> {
    Ok(std::fs::read_to_string(agent(program)?).is_ok_and(|text| text.contains(&mark(program))))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
