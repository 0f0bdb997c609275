//! TypeScript declarations for an app's commands and events, so that `invoke` and `listen` are checked and completed.
//!
//! Nothing that runs is generated: one declaration file that adds to the interfaces of `@staysail/api`, and of
//! `/__staysail/api.js` for pages without a bundler.

use staysail_protocol::interface::Description;
use std::fmt::Write;
use std::io;
use std::path::Path;

const MODULES: [&str; 2] = ["@staysail/api", "/__staysail/api.js"];

/// The file's text.
///
/// Commands and events stand outside the modules they are added to: inside one, a name means the module's own type
/// before it means the app's.
pub fn declarations(description: &Description) -> String {
    let mut text = String::from(
        "// Made by `staysail dev` and `staysail build` from the backend's commands and events. Do not edit.\n\n",
    );
    imports(&mut text, description);
    for r#type in &description.types {
        let (comment, declaration) = apart(&r#type.declaration);
        let declaration = declaration.strip_prefix("export ").unwrap_or(declaration);
        let end = if declaration.ends_with([';', '}']) { "" } else { ";" };
        let _ = writeln!(text, "{comment}export {declaration}{end}");
    }
    if !description.types.is_empty() {
        text.push('\n');
    }
    text.push_str("/** What the page may call. */\nexport interface AppCommands {\n");
    for command in &description.commands {
        comment(&mut text, &command.doc);
        let (name, arguments) = (quoted(&command.name), or_unknown(&command.arguments));
        let (result, error) = (or_unknown(&command.result), or_unknown(&command.error));
        let _ = writeln!(text, "  {name}: {{ args: {arguments}; result: {result}; error: {error} }};");
    }
    text.push_str("}\n\n/** What the backend tells. */\nexport interface AppEvents {\n");
    for event in &description.events {
        let _ = writeln!(text, "  {}: {};", quoted(&event.name), or_unknown(&event.payload));
    }
    text.push_str("}\n\n");
    for module in MODULES {
        let _ = writeln!(
            text,
            "declare module \"{module}\" {{\n  interface Commands extends AppCommands {{}}\n  interface Events \
             extends AppEvents {{}}\n}}\n"
        );
    }
    text.push_str("export {};\n");
    text
}

/// The page's ends of streams, by the names that the descriptions use.
fn imports(text: &mut String, description: &Description) {
    let arguments = description.commands.iter().map(|command| &command.arguments);
    let used = |name: &str| {
        let declared = description.types.iter().map(|ty| &ty.declaration);
        arguments.clone().chain(declared).any(|ty| ty.contains(name))
    };
    let ends = [("Channel", "PageChannel<"), ("Sender", "PageSender<")];
    let imported = ends.into_iter().filter(|(_, used_as)| used(used_as));
    let imported = imported.map(|(end, used_as)| format!("{end} as {}", used_as.trim_end_matches('<')));
    let imported = imported.collect::<Vec<_>>().join(", ");
    if !imported.is_empty() {
        let _ = writeln!(text, "import type {{ {imported} }} from \"{}\";\n", MODULES[0]);
    }
}

/// The comment before a declaration, with the end of its line, and the declaration.
fn apart(declaration: &str) -> (String, &str) {
    let declaration = declaration.trim();
    match declaration.find("*/") {
        Some(end) if declaration.starts_with("/*") => {
            let (comment, rest) = declaration.split_at(end + 2);
            (format!("{comment}\n"), rest.trim_start())
        }
        _ => (String::new(), declaration),
    }
}

/// A property's name, quoted when it is no identifier.
fn quoted(name: &str) -> String {
    let starts = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$');
    if starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$') {
        name.to_owned()
    } else {
        serde_json::to_string(name).unwrap_or_default()
    }
}

fn or_unknown(r#type: &str) -> &str {
    if r#type.trim().is_empty() { "unknown" } else { r#type }
}

fn comment(text: &mut String, doc: &str) {
    let doc = doc.trim().replace("*/", "* /");
    if doc.is_empty() {
        return;
    }
    text.push_str("  /**\n");
    for line in doc.lines() {
        let _ = writeln!(text, "   * {}", line.trim());
    }
    text.push_str("   */\n");
}

/// Writes the file when its text changed; watchers and bundlers see nothing otherwise.
pub fn write_if_changed(path: &Path, description: &Description) -> io::Result<bool> {
    let text = declarations(description);
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)?;
    Ok(true)
}

/// Puts a file there that lets everything pass, when there is none yet: a new project, or a fresh clone of one, would greet with
/// type errors for as long as its backend has not been compiled for the first time.
pub fn promise(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut text = String::from(
        "// The backend has not been compiled yet: until then anything passes. Do not edit.\n\n\
         // eslint-disable-next-line @typescript-eslint/no-explicit-any\ntype Anything = any;\n\n",
    );
    for module in MODULES {
        let _ = writeln!(
            text,
            "declare module \"{module}\" {{\n  interface Commands {{\n    [name: string]: {{ args: Anything; result: Anything; \
             error: Anything }};\n  }}\n  interface Events {{\n    [name: string]: Anything;\n  }}\n}}\n"
        );
    }
    text.push_str("export {};\n");
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use staysail_protocol::interface::{CommandSpec, EventSpec, TypeSpec};

    #[test]
    fn commands_events_and_named_types_are_declared_for_both_module_names() {
        let greet = CommandSpec {
            name: "greet".into(),
            arguments: "{ name: string }".into(),
            result: "Hit[]".into(),
            error: "never".into(),
            doc: "Greets. */ Ends nothing.".into(),
            ..CommandSpec::default()
        };
        let description = Description {
            commands: vec![greet],
            events: vec![EventSpec { name: "tick-tock".into(), payload: String::new() }],
            types: vec![TypeSpec { name: "Hit".into(), declaration: "type Hit = { id: number, };".into() }],
            ..Description::default()
        };
        let text = declarations(&description);
        let command = "greet: { args: { name: string }; result: Hit[]; error: never };";
        assert_eq!(text.matches(command).count(), 1, "{text}");
        assert_eq!(text.matches("\"tick-tock\": unknown;").count(), 1, "{text}");
        assert_eq!(text.matches("interface Commands extends AppCommands").count(), 2, "{text}");
        assert!(text.contains("\nexport type Hit = { id: number, };\n"), "{text}");
        assert_eq!(text.matches("* /").count(), 1, "a doc comment can not end the comment early: {text}");
    }

    #[test]
    fn a_types_comment_stands_before_the_type_and_its_export() {
        let declaration = "/**\n * A hit.\n */\ntype Hit = number;".into();
        let types = vec![TypeSpec { name: "Hit".into(), declaration }];
        let text = declarations(&Description { types, ..Description::default() });
        assert!(text.contains("\n/**\n * A hit.\n */\nexport type Hit = number;\n"), "{text}");
    }

    /// The description is kept fresh by the tests of `crates/staysail`, the result is compiled by those of
    /// `packages/api`.
    #[test]
    fn the_declarations_that_are_compiled_are_those_of_the_app_with_every_kind_of_type() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packages/api/test/types/generated");
        let description = std::fs::read_to_string(folder.join("description.json")).unwrap();
        let text = declarations(&serde_json::from_str(&description).unwrap());
        let path = folder.join("staysail.d.ts");
        if std::env::var_os("STAYSAIL_BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == text, "{} is old; write it anew with STAYSAIL_BLESS=1", path.display());
    }

    #[test]
    fn an_unchanged_file_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/staysail.d.ts");
        assert!(write_if_changed(&path, &Description::default()).unwrap());
        assert!(!write_if_changed(&path, &Description::default()).unwrap());
    }

    #[test]
    fn before_the_backend_is_known_anything_passes_and_what_is_known_is_never_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("src/staysail.d.ts");
        promise(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            MODULES.iter().all(|module| text.contains(&format!("declare module \"{module}\""))),
            "{text}"
        );
        assert!(write_if_changed(&path, &Description::default()).unwrap());
        let known = std::fs::read_to_string(&path).unwrap();
        promise(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), known);
    }
}
