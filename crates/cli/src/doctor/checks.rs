//! The single checks of `staysail doctor`.

use super::Check;
use crate::project::{Mode, Project, ProjectError};
use crate::shell_binary::{self, Use};
use crate::version::first_line;
use std::path::Path;

/// Oldest Rust that compiles an app.
const RUST_MIN: (u64, u64) = (1, 95);
/// Oldest WebKitGTK with script messages that are answered.
const WEBKIT_MIN: (u32, u32) = (2, 40);
/// Fewer watches than this and larger projects are looked at in intervals.
const INOTIFY_WATCHES_MIN: u64 = 8_192;

fn check(name: &'static str, required: bool, found: Result<String, (String, String)>) -> Check {
    match found {
        Ok(found) => Check { name, ok: true, required, found, fix: String::new() },
        Err((found, fix)) => Check { name, ok: false, required, found, fix },
    }
}

/// All checks, and the mode the project would be developed in.
pub fn all(folder: Option<&Path>) -> (Vec<Check>, Option<&'static str>) {
    let mut checks =
        vec![rust(), tool("cargo", "cargo", "Install Rust: https://rustup.rs"), linker(), webkit(), shell()];
    checks.extend(display());
    checks.extend(notification());
    let mut mode = None;
    match Project::find(folder, Mode::Debug) {
        Ok(project) => {
            mode = Some(project.mode.name());
            let why = if project.mode_from_environment { ", chosen by STAYSAIL_ENV" } else { "" };
            let found =
                format!("{} ({} mode in development{why})", project.file().display(), project.mode.name());
            checks.push(check("project", true, Ok(found)));
            checks.extend(node(&project));
        }
        Err(ProjectError::Missing(_)) if folder.is_none() => {}
        Err(error) => checks.push(check("project", true, Err(("can not be used".into(), error.to_string())))),
    }
    (checks, mode)
}

fn rust() -> Check {
    let fix = format!(
        "Install Rust {}.{} or newer: https://rustup.rs, or `rustup update`.",
        RUST_MIN.0, RUST_MIN.1
    );
    let found = match first_line("rustc", &["--version"]) {
        None => Err(("missing".into(), fix)),
        Some(text) => match numbers(&text) {
            Some(version) if version >= RUST_MIN => Ok(text),
            _ => Err((format!("{text} is too old"), fix)),
        },
    };
    check("rustc", true, found)
}

/// Major and minor of the first version number in a text.
fn numbers(text: &str) -> Option<(u64, u64)> {
    let word = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut parts = word.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

fn tool(name: &'static str, program: &str, fix: &str) -> Check {
    check(name, true, first_line(program, &["--version"]).ok_or(("missing".into(), fix.into())))
}

fn linker() -> Check {
    let fix = "Install a C compiler and linker: `apt install build-essential`, `dnf install gcc`, `pacman -S base-devel`, or `xcode-select --install`.";
    if cfg!(windows) {
        let text = first_line("rustc", &["--print", "target-libdir"]);
        return check(
            "linker",
            true,
            text.map(|_| "checked by rustc".into()).ok_or(("missing".into(), fix.into())),
        );
    }
    tool("linker", "cc", fix)
}

fn webkit() -> Check {
    let install = "Install WebKitGTK: `apt install libwebkit2gtk-4.1-0`, `dnf install webkit2gtk4.1`, or `pacman -S webkit2gtk-4.1`.";
    let found = match webview() {
        None => Err(("missing".into(), install.into())),
        Some(text) if !cfg!(target_os = "linux") => Ok(text),
        Some(text) => {
            let (major, minor) = (u64::from(WEBKIT_MIN.0), u64::from(WEBKIT_MIN.1));
            match numbers(&text) {
                Some(version) if version >= (major, minor) => Ok(text),
                _ => Err((format!("{text} is older than {major}.{minor}"), install.into())),
            }
        }
    };
    check("webview", true, found)
}

/// The system's webview and its version.
#[cfg(target_os = "linux")]
pub fn webview() -> Option<String> {
    // SAFETY: the library is only loaded and asked for three numbers; these functions take nothing, touch nothing
    // and need no initialisation (WebKitGTK reference, WebKitVersion).
    unsafe {
        let library = libc::dlopen(c"libwebkit2gtk-4.1.so.0".as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL);
        if library.is_null() {
            return None;
        }
        let mut version = [0; 3];
        let names = [c"webkit_get_major_version", c"webkit_get_minor_version", c"webkit_get_micro_version"];
        for (number, name) in version.iter_mut().zip(names) {
            let symbol = libc::dlsym(library, name.as_ptr());
            if symbol.is_null() {
                return None;
            }
            let function: extern "C" fn() -> libc::c_uint = std::mem::transmute(symbol);
            *number = function();
        }
        Some(format!("WebKitGTK {}.{}.{}", version[0], version[1], version[2]))
    }
}

/// The system's webview and its version.
#[cfg(target_os = "macos")]
pub fn webview() -> Option<String> {
    let version = first_line("sw_vers", &["-productVersion"])?;
    Some(format!("WKWebView of macOS {version}"))
}

/// The system's webview and its version.
#[cfg(windows)]
pub fn webview() -> Option<String> {
    let key =
        r"HKLM\SOFTWARE\WOW6432Node\Microsoft\EdgeUpdate\Clients\{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}";
    let output = std::process::Command::new("reg").args(["query", key, "/v", "pv"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(format!("WebView2 {}", text.split_whitespace().last()?))
}

fn shell() -> Check {
    let found = match shell_binary::find(Use::Develop) {
        Err(error) => {
            let text = error.to_string();
            let (what, fix) = text.split_once('\n').unwrap_or((&text, ""));
            Err((what.to_owned(), fix.trim().to_owned()))
        }
        Ok(path) => {
            let shown = path.display();
            match path.to_str().and_then(|program| first_line(program, &["--version"])) {
                Some(text) if text.split_whitespace().last() == Some(env!("CARGO_PKG_VERSION")) => {
                    Ok(format!("{text} ({shown})"))
                }
                Some(text) => Err((
                    format!("{shown} is {text}, this command is {}", env!("CARGO_PKG_VERSION")),
                    "Install both in the same version.".into(),
                )),
                None if says_that_it_is_bare(&path) => Ok(format!("{shown}")),
                None => Err((
                    format!("{shown} does not start"),
                    "Run it with --version and see what it says; a missing library is the usual reason."
                        .into(),
                )),
            }
        }
    };
    check("shell", true, found)
}

/// A shell that does not know `--version` still says what it is.
fn says_that_it_is_bare(shell: &Path) -> bool {
    let output =
        std::process::Command::new(shell).arg("--version").stdin(std::process::Stdio::null()).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stderr).contains("bare shell"))
}

fn display() -> Vec<Check> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let found = set("WAYLAND_DISPLAY").map(|display| format!("Wayland {display}"));
    let found = found.or_else(|| set("DISPLAY").map(|display| format!("X11 {display}")));
    let fix =
        "Building works; `staysail dev` and `run` need one. For a virtual one: `xvfb-run staysail dev`.";
    let mut checks = vec![check("display", false, found.ok_or(("none".into(), fix.into())))];
    if Path::new("/proc/driver/nvidia/version").exists() && set("WEBKIT_DISABLE_DMABUF_RENDERER").is_none() {
        let fix = "If windows stay blank, set WEBKIT_DISABLE_DMABUF_RENDERER=1 (tauri #8462).";
        checks.push(check("graphics", false, Err(("NVIDIA's own driver".into(), fix.into()))));
    }
    checks
}

fn notification() -> Option<Check> {
    let text = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").ok()?;
    let limit: u64 = text.trim().parse().ok()?;
    let fix = "Larger projects are then looked at in intervals. `sysctl fs.inotify.max_user_watches=524288` raises it.";
    let found = format!("{limit} folders");
    let result = if limit >= INOTIFY_WATCHES_MIN { Ok(found) } else { Err((found, fix.into())) };
    Some(check("file watching", false, result))
}

fn node(project: &Project) -> Vec<Check> {
    let frontend = &project.config.frontend;
    let wanted = project.frontend_folder().join("package.json").is_file()
        || frontend.build.is_some()
        || frontend.dev.as_ref().is_some_and(|server| server.command.is_some());
    if !wanted {
        return Vec::new();
    }
    let fix = "This project's frontend needs Node.js: https://nodejs.org, or your system's package `nodejs`.";
    vec![tool("node", "node", fix), tool("npm", if cfg!(windows) { "npm.cmd" } else { "npm" }, fix)]
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_read_out_of_what_programs_say() {
        assert_eq!(super::numbers("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(super::numbers("WebKitGTK 2.50.1"), Some((2, 50)));
        assert_eq!(super::numbers("nothing"), None);
    }
}
