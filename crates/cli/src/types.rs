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
pub fn declarations(description: &Description) -> String {
    let mut text = String::from(
        "// Made by `staysail dev` and `staysail build` from the backend's commands and events. Do not edit.\n\n",
    );
    for r#type in &description.types {
        let declaration = r#type.declaration.trim();
        let declaration = declaration.strip_prefix("export ").unwrap_or(declaration);
        let end = if declaration.ends_with([';', '}']) { "" } else { ";" };
        let _ = writeln!(text, "export {declaration}{end}");
    }
    if !description.types.is_empty() {
        text.push('\n');
    }
    for module in MODULES {
        let _ = writeln!(text, "declare module \"{module}\" {{\n  interface Commands {{");
        for command in &description.commands {
            comment(&mut text, &command.doc);
            let (name, arguments) = (quoted(&command.name), or_unknown(&command.arguments));
            let (result, error) = (or_unknown(&command.result), or_unknown(&command.error));
            let _ = writeln!(text, "    {name}: {{ args: {arguments}; result: {result}; error: {error} }};");
        }
        text.push_str("  }\n  interface Events {\n");
        for event in &description.events {
            let _ = writeln!(text, "    {}: {};", quoted(&event.name), or_unknown(&event.payload));
        }
        text.push_str("  }\n}\n\n");
    }
    text.push_str("export {};\n");
    text
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
    text.push_str("    /**\n");
    for line in doc.lines() {
        let _ = writeln!(text, "     * {}", line.trim());
    }
    text.push_str("     */\n");
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
        };
        let description = Description {
            commands: vec![greet],
            events: vec![EventSpec { name: "tick-tock".into(), payload: String::new() }],
            types: vec![TypeSpec { name: "Hit".into(), declaration: "type Hit = { id: number, };".into() }],
            ..Description::default()
        };
        let text = declarations(&description);
        let command = "greet: { args: { name: string }; result: Hit[]; error: never };";
        assert_eq!(text.matches(command).count(), 2, "{text}");
        assert_eq!(text.matches("\"tick-tock\": unknown;").count(), 2, "{text}");
        assert!(text.contains("\nexport type Hit = { id: number, };\n"), "{text}");
        assert_eq!(text.matches("*/").count(), 2, "a doc comment can not end the comment early: {text}");
    }

    #[test]
    fn an_unchanged_file_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/staysail.d.ts");
        assert!(write_if_changed(&path, &Description::default()).unwrap());
        assert!(!write_if_changed(&path, &Description::default()).unwrap());
    }
}
