//! Links, files and log-in starts on Windows: the current user's part of the registry.
//!
//! What was registered is written down below `Software\Staysail`, so that what is no longer declared is found again. A
//! key that another program has made its own since is left alone: it does not name this executable.

use crate::desktop::links::Program;
use staysail_protocol::desktop::app::{FileType, Opens};
use windows::Win32::UI::Shell::{SHCNE_ASSOCCHANGED, SHCNF_IDLIST, SHChangeNotify};
use windows_registry::CURRENT_USER;

const CLASSES: &str = r"Software\Classes";
const RUN: &str = r"Software\Microsoft\Windows\CurrentVersion\Run";
/// Where the task manager keeps what the user has switched off.
const APPROVED: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run";

type Done<T = ()> = Result<T, String>;

fn text(error: windows::core::Error) -> String {
    error.message()
}

/// Makes what is registered what is declared. Returns whether anything was changed.
///
/// # Errors
/// What the system said.
pub fn reconcile(program: &Program, opens: &Opens) -> Done<bool> {
    let notes = format!(r"Software\Staysail\{}", program.id);
    let before = |name: &str| -> Vec<String> {
        let opened = CURRENT_USER.open(&notes).and_then(|key| key.get_multi_string(name));
        opened.unwrap_or_default()
    };
    let none = Opens::default();
    let wanted = if opens.is_empty() { &none } else { opens };
    let extensions: Vec<String> = wanted.files.iter().flat_map(|file| file.extensions.clone()).collect();
    let mut changed = false;
    for scheme in before("Schemes").iter().filter(|scheme| !wanted.schemes.contains(scheme)) {
        changed |= remove_class(program, scheme)?;
    }
    for extension in before("Extensions").iter().filter(|extension| !extensions.contains(extension)) {
        changed |= remove_extension(program, extension)?;
    }
    for scheme in &wanted.schemes {
        changed |= add_class(program, scheme, &format!("URL:{}", program.name), true)?;
    }
    for file in &wanted.files {
        for extension in &file.extensions {
            changed |= add_extension(program, file, extension)?;
        }
    }
    if changed {
        if wanted.schemes.is_empty() && extensions.is_empty() {
            let _ = CURRENT_USER.remove_tree(&notes);
        } else {
            let key = CURRENT_USER.create(&notes).map_err(text)?;
            let set = |name: &str, list: &[String]| {
                let list: Vec<&str> = list.iter().map(String::as_str).collect();
                key.set_multi_string(name, &list).map_err(text)
            };
            set("Schemes", &wanted.schemes)?;
            set("Extensions", &extensions)?;
        }
        // SAFETY: this event takes no items.
        unsafe { SHChangeNotify(SHCNE_ASSOCCHANGED, SHCNF_IDLIST, None, None) };
    }
    Ok(changed)
}

/// The command of a class: the file or link is its last argument, in quotes, and data only.
fn command(program: &Program) -> String {
    format!("{} \"%1\"", quoted(&program.executable.display().to_string()))
}

fn command_of(class: &str) -> Option<String> {
    let key = CURRENT_USER.open(format!(r"{CLASSES}\{class}\shell\open\command")).ok()?;
    key.get_string("").ok()
}

fn add_class(program: &Program, class: &str, name: &str, is_link: bool) -> Done<bool> {
    let there = command_of(class);
    if there.as_deref() == Some(&command(program)) {
        return Ok(false);
    }
    let key = CURRENT_USER.create(format!(r"{CLASSES}\{class}")).map_err(text)?;
    key.set_string("", name).map_err(text)?;
    if is_link {
        key.set_string("URL Protocol", "").map_err(text)?;
    }
    let open = CURRENT_USER.create(format!(r"{CLASSES}\{class}\shell\open\command")).map_err(text)?;
    open.set_string("", command(program)).map_err(text)?;
    Ok(true)
}

fn remove_class(program: &Program, class: &str) -> Done<bool> {
    // Another program's by now, or gone.
    if command_of(class).as_deref() != Some(&command(program)) {
        return Ok(false);
    }
    CURRENT_USER.remove_tree(format!(r"{CLASSES}\{class}")).map_err(text)?;
    Ok(true)
}

fn class_of(program: &Program, extension: &str) -> String {
    format!("{}.{extension}", program.id)
}

fn add_extension(program: &Program, file: &FileType, extension: &str) -> Done<bool> {
    let class = class_of(program, extension);
    let name = if file.description.is_empty() { &program.name } else { &file.description };
    let changed = add_class(program, &class, name, false)?;
    let key = CURRENT_USER.create(format!(r"{CLASSES}\.{extension}")).map_err(text)?;
    // What the user opens such files with stays; the app is offered beside it.
    if key.get_string("").is_err() {
        key.set_string("", &class).map_err(text)?;
        key.set_string("Content Type", file.mime_in(&program.id)).map_err(text)?;
    }
    let offered = CURRENT_USER.create(format!(r"{CLASSES}\.{extension}\OpenWithProgids")).map_err(text)?;
    offered.set_string(&class, "").map_err(text)?;
    Ok(changed)
}

fn remove_extension(program: &Program, extension: &str) -> Done<bool> {
    let class = class_of(program, extension);
    let changed = remove_class(program, &class)?;
    let path = format!(r"{CLASSES}\.{extension}");
    if let Ok(key) = CURRENT_USER.options().read().write().open(&path)
        && key.get_string("").is_ok_and(|default| default == class)
    {
        key.remove_value("").map_err(text)?;
    }
    if let Ok(offered) = CURRENT_USER.options().read().write().open(format!(r"{path}\OpenWithProgids")) {
        let _ = offered.remove_value(&class);
    }
    Ok(changed)
}

/// Starts the app at log-in.
///
/// # Errors
/// What the system said.
pub fn autostart_enable(program: &Program, arguments: &[String]) -> Done {
    let mut line = quoted(&program.executable.display().to_string());
    for argument in arguments {
        line = format!("{line} {}", quoted(argument));
    }
    CURRENT_USER.create(RUN).and_then(|key| key.set_string(&program.id, line)).map_err(text)?;
    // The user has asked for it again.
    if let Ok(approved) = CURRENT_USER.options().read().write().open(APPROVED) {
        let _ = approved.remove_value(&program.id);
    }
    Ok(())
}

/// Does so no more.
///
/// # Errors
/// What the system said.
pub fn autostart_disable(program: &Program) -> Done {
    let Ok(key) = CURRENT_USER.options().read().write().open(RUN) else { return Ok(()) };
    if key.get_string(&program.id).is_err() {
        return Ok(());
    }
    key.remove_value(&program.id).map_err(text)
}

/// Whether it does. The user may have switched it off in the task manager.
///
/// # Errors
/// None here.
pub fn autostart_is_enabled(program: &Program) -> Done<bool> {
    let is_there = CURRENT_USER.open(RUN).and_then(|key| key.get_string(&program.id)).is_ok();
    // An odd first byte stands for switched off.
    let is_off = CURRENT_USER
        .open(APPROVED)
        .and_then(|key| key.get_value(&program.id))
        .is_ok_and(|value| value.first().is_some_and(|first| first % 2 == 1));
    Ok(is_there && !is_off)
}

/// As `CommandLineToArgvW` takes it apart again.
fn quoted(argument: &str) -> String {
    let mut line = String::from("\"");
    let mut backslashes = 0;
    for c in argument.chars() {
        match c {
            '\\' => backslashes += 1,
            '"' => {
                line.extend(std::iter::repeat_n('\\', backslashes * 2 + 1));
                backslashes = 0;
                line.push('"');
                continue;
            }
            _ => {
                line.extend(std::iter::repeat_n('\\', backslashes));
                backslashes = 0;
                line.push(c);
                continue;
            }
        }
    }
    line.extend(std::iter::repeat_n('\\', backslashes * 2));
    line.push('"');
    line
}
