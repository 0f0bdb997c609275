//! Links, files and log-in starts on Linux desktops, as freedesktop.org has them: desktop entries, media types and
//! `mimeapps.list`, in the user's own folders.
//!
//! # Theory of operation
//! Two files are this app's own and carry its mark: a desktop entry named after it, and the description of its media
//! types. A file without the mark is somebody else's and stays. `mimeapps.list` is the user's: of it only the lines
//! that name the app's own entry are changed, and a default the user has chosen stays. Nothing is written that is there
//! already, and what is no longer declared is taken away.

use crate::desktop::links::Program;
use staysail_protocol::desktop::app::Opens;
use staysail_protocol::limits::REGISTRATION_TIMEOUT_MS;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Marks desktop entries as written by an app.
const MARK: &str = "X-Staysail-App";
/// Pause between two looks whether a tool has ended.
const LOOK_AGAIN_MS: u64 = 10;

type Done<T = ()> = Result<T, String>;

fn home(variable: &str, fallback: &str) -> Done<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable)
        .or_else(|| absolute("HOME").map(|home| home.join(fallback)))
        .ok_or_else(|| format!("neither {variable} nor HOME names a folder"))
}

/// Makes what is registered what is declared. Returns whether anything was changed.
///
/// # Errors
/// A sentence for people.
pub fn reconcile(program: &Program, opens: &Opens) -> Done<bool> {
    let data = home("XDG_DATA_HOME", ".local/share")?;
    let entry_name = format!("{}.staysail.desktop", program.id);
    let entry_file = data.join("applications").join(&entry_name);
    let types_file = data.join("mime/packages").join(format!("{}.staysail.xml", program.id));
    let (types, entry, description) = if opens.is_empty() {
        (Vec::new(), None, None)
    } else {
        let types = types_of(program, opens);
        let entry = entry_text(program, &types)?;
        let description = (!opens.files.is_empty()).then(|| description_text(program, opens));
        (types, Some(entry), description)
    };
    let entry_changed = keep(&entry_file, entry.as_deref(), &entry_mark(program))?;
    let types_changed = keep(&types_file, description.as_deref(), &description_mark(program))?;
    let list = home("XDG_CONFIG_HOME", ".config")?.join("mimeapps.list");
    let list_changed = change_list(&list, &entry_name, &types)?;
    if types_changed {
        refresh("update-mime-database", &data.join("mime"));
    }
    if entry_changed {
        refresh("update-desktop-database", &data.join("applications"));
    }
    Ok(entry_changed || types_changed || list_changed)
}

/// Starts the app at log-in.
///
/// # Errors
/// A sentence for people.
pub fn autostart_enable(program: &Program, arguments: &[String]) -> Done {
    let text = format!(
        "[Desktop Entry]\nType=Application\nName={}\nExec={}\nTerminal=false\nX-GNOME-Autostart-enabled=true\n{}\n",
        plain(&program.name),
        command_line(program, arguments.iter().map(|argument| quoted(argument)))?,
        entry_mark(program),
    );
    keep(&autostart_file(program)?, Some(&text), &entry_mark(program)).map(drop)
}

/// Does so no more.
///
/// # Errors
/// A sentence for people.
pub fn autostart_disable(program: &Program) -> Done {
    keep(&autostart_file(program)?, None, &entry_mark(program)).map(drop)
}

/// Whether it does. The user may have switched it off in the desktop's own settings.
///
/// # Errors
/// A sentence for people.
pub fn autostart_is_enabled(program: &Program) -> Done<bool> {
    let text = std::fs::read_to_string(autostart_file(program)?).unwrap_or_default();
    let has = |line: &str| text.lines().any(|other| other.trim() == line);
    Ok(has(&entry_mark(program)) && !has("Hidden=true") && !has("X-GNOME-Autostart-enabled=false"))
}

fn autostart_file(program: &Program) -> Done<PathBuf> {
    Ok(home("XDG_CONFIG_HOME", ".config")?.join("autostart").join(format!("{}.desktop", program.id)))
}

fn entry_mark(program: &Program) -> String {
    format!("{MARK}={}", program.id)
}

fn description_mark(program: &Program) -> String {
    format!("<!-- {MARK}={} -->", program.id)
}

/// Media types the app opens: of its links, and of its files.
fn types_of(program: &Program, opens: &Opens) -> Vec<String> {
    let links = opens.schemes.iter().map(|scheme| format!("x-scheme-handler/{scheme}"));
    links.chain(opens.files.iter().map(|file| file.mime_in(&program.id))).collect()
}

fn entry_text(program: &Program, types: &[String]) -> Done<String> {
    // Hidden from menus: an installed app has an entry of its own there.
    Ok(format!(
        "[Desktop Entry]\nType=Application\nName={}\nExec={}\nTerminal=false\nNoDisplay=true\nStartupNotify=true\n\
         MimeType={};\n{}\n",
        plain(&program.name),
        command_line(program, ["%U".to_string()])?,
        types.join(";"),
        entry_mark(program),
    ))
}

/// Without what would begin another line.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().replace('\\', "\\\\")
}

fn command_line(program: &Program, arguments: impl IntoIterator<Item = String>) -> Done<String> {
    let executable = program.executable.to_str().filter(|path| !path.contains('='));
    let executable = executable.ok_or_else(|| {
        format!(
            "{} can not stand in a desktop entry: its path is no UTF-8 or has a `=`; move the app elsewhere",
            program.executable.display()
        )
    })?;
    // GLib looks for the program under its name with `%%` in it, and takes the entry for broken.
    let through = if executable.contains('%') { "/usr/bin/env " } else { "" };
    let mut line = format!("{through}{}", quoted(executable));
    for argument in arguments {
        line.push(' ');
        line += &argument;
    }
    Ok(line)
}

/// An argument as the Desktop Entry Specification quotes one ("The Exec key"), within a value, which has escapes of its
/// own, and with field codes taken out.
fn quoted(argument: &str) -> String {
    let mut inner = String::new();
    for c in argument.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        match c {
            // A backslash before it, and each backslash twice as in every value.
            '"' | '`' | '$' => inner.extend(['\\', '\\', c]),
            '\\' => inner.push_str("\\\\\\\\"),
            '%' => inner.push_str("%%"),
            _ => inner.push(c),
        }
    }
    format!("\"{inner}\"")
}

fn description_text(program: &Program, opens: &Opens) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n<mime-info xmlns=\"http://www.freedesktop.org/standards/shared-mime-info\">\n",
        description_mark(program)
    );
    for file in &opens.files {
        let name = if file.description.is_empty() { &program.name } else { &file.description };
        text += &format!("  <mime-type type=\"{}\">\n", escaped(&file.mime_in(&program.id)));
        text += &format!("    <comment>{}</comment>\n", escaped(name));
        for extension in &file.extensions {
            text += &format!("    <glob pattern=\"*.{}\"/>\n", escaped(extension));
        }
        text += "  </mime-type>\n";
    }
    text + "</mime-info>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Makes a file of this app what it should be; without a text it is taken away. Returns whether it was changed.
fn keep(file: &Path, text: Option<&str>, mark: &str) -> Done<bool> {
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    let there = match std::fs::read(file) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    if there.as_deref() == text {
        return Ok(false);
    }
    if let Some(there) = &there
        && !there.lines().any(|line| line.trim() == mark)
    {
        // Taking away what is not there any more is done; putting something in place of another's is not ours to do.
        return match text {
            None => Ok(false),
            Some(_) => Err(format!("{} was not written by this app, so it stays as it is", file.display())),
        };
    }
    match text {
        Some(text) => write_whole(file, text).map_err(failed)?,
        None => std::fs::remove_file(file).map_err(failed)?,
    }
    Ok(true)
}

/// Never half a file, whatever moment the power fails at.
fn write_whole(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}", crate::secret::token()));
    std::fs::write(&temporary, text)?;
    std::fs::rename(&temporary, file).inspect_err(|_| drop(std::fs::remove_file(&temporary)))
}

fn change_list(list: &Path, entry: &str, types: &[String]) -> Done<bool> {
    let failed = |error: std::io::Error| format!("{}: {error}", list.display());
    // Through a link, so that a file kept elsewhere stays there.
    let list = &std::fs::canonicalize(list).unwrap_or_else(|_| list.to_path_buf());
    let there = match std::fs::read_to_string(list) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(error)),
    };
    let wanted = associated(&there, entry, types);
    if wanted == there {
        return Ok(false);
    }
    write_whole(list, &wanted).map_err(failed)?;
    Ok(true)
}

const DEFAULTS: &str = "[Default Applications]";
const ADDED: &str = "[Added Associations]";

/// `mimeapps.list` with `entry` opening these types and no others.
fn associated(text: &str, entry: &str, types: &[String]) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut section = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with('[') {
            section = line.trim().into();
        }
        match line.split_once('=') {
            Some((kind, entries)) if section == DEFAULTS || section == ADDED => {
                let is_wanted = types.iter().any(|wanted| wanted == kind.trim());
                if is_wanted || !entries.split(';').any(|other| other.trim() == entry) {
                    lines.push(line.into());
                    continue;
                }
                let others: Vec<&str> = entries
                    .split(';')
                    .map(str::trim)
                    .filter(|other| !other.is_empty() && *other != entry)
                    .collect();
                if !others.is_empty() {
                    lines.push(format!("{}={};", kind.trim(), others.join(";")));
                }
            }
            _ => lines.push(line.into()),
        }
    }
    for kind in types {
        // A default that is there is the user's choice, or ours already.
        add(&mut lines, DEFAULTS, kind, entry, false);
        add(&mut lines, ADDED, kind, entry, true);
    }
    let mut all = lines.join("\n");
    if !all.is_empty() {
        all.push('\n');
    }
    if all.trim_end() == text.trim_end() { text.into() } else { all }
}

/// Adds `entry` to a section's line for `kind`; to a line that is there only when there may be several.
fn add(lines: &mut Vec<String>, section: &str, kind: &str, entry: &str, several: bool) {
    let begin = match lines.iter().position(|line| line.trim() == section) {
        Some(at) => at + 1,
        None => {
            if lines.last().is_some_and(|line| !line.trim().is_empty()) {
                lines.push(String::new());
            }
            lines.push(section.into());
            lines.len()
        }
    };
    let length = lines[begin..].iter().take_while(|line| !line.trim_start().starts_with('[')).count();
    let own = |line: &&mut String| line.split_once('=').is_some_and(|(key, _)| key.trim() == kind);
    match lines[begin..begin + length].iter_mut().find(own) {
        None => lines.insert(begin, format!("{kind}={entry};")),
        Some(line) if several && !line.split(['=', ';']).any(|other| other.trim() == entry) => {
            if !line.trim_end().ends_with([';', '=']) {
                line.push(';');
            }
            *line = format!("{}{entry};", line.trim_end());
        }
        Some(_) => {}
    }
}

/// Has a tool of the desktop read the folder again, where there is one. Without it, desktops find what is new later.
fn refresh(tool: &str, folder: &Path) {
    let begun = Command::new(tool)
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = begun else {
        return tracing::debug!(tool, "not there; the desktop finds out by itself");
    };
    let deadline = Instant::now() + Duration::from_millis(REGISTRATION_TIMEOUT_MS);
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return tracing::warn!(tool, "did not end in time (registration_timeout_ms)");
        }
        std::thread::sleep(Duration::from_millis(LOOK_AGAIN_MS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "com.example.notes.staysail.desktop";

    fn types(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_users_list_keeps_every_line_that_is_not_the_apps_own() {
        let users = "# mine\n[Default Applications]\ntext/html=browser.desktop\nx-scheme-handler/notes=other.desktop\n\n\
                     [Added Associations]\ntext/plain=editor.desktop;\n\n[Removed Associations]\nimage/png=a.desktop\n";
        let with = associated(users, ENTRY, &types(&["x-scheme-handler/notes", "application/x-chart"]));
        for line in users.lines() {
            assert!(with.lines().any(|other| other == line), "{line} is gone from {with}");
        }
        assert!(with.contains(&format!("application/x-chart={ENTRY};")));
        assert_eq!(with.matches(ENTRY).count(), 3, "no default is taken from the user: {with}");
        let again = associated(&with, ENTRY, &types(&["x-scheme-handler/notes", "application/x-chart"]));
        assert_eq!(again, with, "nothing is written twice");
        assert_eq!(associated(&with, ENTRY, &[]), users);
        assert_eq!(associated(users, ENTRY, &[]), users);
        assert_eq!(associated("", ENTRY, &[]), "");
    }

    #[test]
    fn of_lines_with_several_programs_only_the_apps_own_name_goes() {
        let list = format!("[Added Associations]\na/b=one.desktop;{ENTRY};two.desktop;\n");
        assert_eq!(associated(&list, ENTRY, &[]), "[Added Associations]\na/b=one.desktop;two.desktop;\n");
        let without = "[Added Associations]\na/b=one.desktop\n";
        let with = associated(without, ENTRY, &types(&["a/b"]));
        assert!(with.contains(&format!("a/b=one.desktop;{ENTRY};")), "{with}");
    }

    #[test]
    fn a_path_with_everything_in_it_is_quoted_as_the_specification_says() {
        let quoted = quoted("/opt/a b/\"x\"$`100%\\\n");
        assert_eq!(quoted, r#""/opt/a b/\\"x\\"\\$\\`100%%\\\\ ""#);
    }

    #[test]
    fn a_file_of_another_program_is_neither_overwritten_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sub/entry.desktop");
        assert_eq!(keep(&file, Some("text\nMARK=a\n"), "MARK=a"), Ok(true));
        assert_eq!(keep(&file, Some("text\nMARK=a\n"), "MARK=a"), Ok(false));
        std::fs::write(&file, "somebody else's\n").unwrap();
        assert!(
            keep(&file, Some("text\nMARK=a\n"), "MARK=a")
                .unwrap_err()
                .contains("was not written by this app")
        );
        assert_eq!(keep(&file, None, "MARK=a"), Ok(false));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "somebody else's\n");
        std::fs::write(&file, "old\nMARK=a\n").unwrap();
        assert_eq!(keep(&file, None, "MARK=a"), Ok(true));
        assert!(!file.exists());
    }

    #[test]
    fn what_people_are_shown_can_begin_no_line_and_no_element() {
        let program = Program { id: "a.b".into(), name: "A\nExec=rm".into(), executable: "/x".into() };
        let entry = entry_text(&program, &types(&["a/b"])).unwrap();
        assert!(entry.contains("\nExec=\"/x\" %U\n"), "{entry}");
        assert_eq!(entry.lines().filter(|line| line.starts_with("Exec=")).count(), 1, "{entry}");
        let file = staysail_protocol::desktop::app::FileType {
            extensions: vec!["kap".into()],
            description: "</comment><x>".into(),
            ..Default::default()
        };
        let text = description_text(&program, &Opens { files: vec![file], ..Opens::default() });
        assert!(!text.contains("<x>"), "{text}");
    }
}
