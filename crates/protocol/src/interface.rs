//! What an app says of itself: windows, commands, events, types. Made by the worker (`--staysail-describe`
//! or its hello), written into the release manifest, read by shell and command-line tool.

use crate::desktop::menu::MenuItem;
use serde::{Deserialize, Serialize};

/// The argument that makes an app print its [`Description`] as JSON and exit.
pub const DESCRIBE_ARGUMENT: &str = "--staysail-describe";

/// An app's own description.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Reverse-domain identifier, e.g. `com.example.notes`.
    pub app: String,
    /// Windows to open at start; the first is the main one.
    #[serde(default)]
    pub windows: Vec<WindowSpec>,
    /// What it declares beside windows: menus, tray and the like.
    #[serde(default)]
    pub desktop: crate::desktop::Declared,
    /// Commands the page may call, sorted by name.
    #[serde(default)]
    pub commands: Vec<CommandSpec>,
    /// Events that cross the bridge, sorted by name.
    #[serde(default)]
    pub events: Vec<EventSpec>,
    /// TypeScript declarations of the named types used, sorted by name.
    #[serde(default)]
    pub types: Vec<TypeSpec>,
    /// Names of declared state that is handed from worker to worker.
    #[serde(default)]
    pub states: Vec<StateSpec>,
    /// Its backend takes Wasm modules: it was built with the feature `wasm`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub modules: bool,
    /// Hash over commands, events and types, in hexadecimal: equal hashes speak the same interface (law 7).
    #[serde(default)]
    pub interface: String,
}

impl Description {
    /// The hash over commands, events and types: FNV-1a of 128 bits over [`Self::interface_text`], in hexadecimal.
    ///
    /// It tells builds of one author apart, who may write the field as he likes anyway: releases are signed, their
    /// files hashed with SHA-256. So it need not withstand an attacker, and spares every new project the compilation
    /// of a cryptographic hash.
    pub fn interface_hash(&self) -> String {
        format!("{:032x}", fnv1a(&self.interface_text()))
    }

    /// The text whose hash is the interface hash: everything a page can observe, nothing else (documentation
    /// comments and windows are left out).
    pub fn interface_text(&self) -> String {
        let mut text = String::new();
        for command in &self.commands {
            text += &format!("command {}({}) -> {}", command.name, command.arguments, command.result);
            text += &format!(" throws {}\n", command.error);
        }
        for event in &self.events {
            text += &format!("event {} {}\n", event.name, event.payload);
        }
        for r#type in &self.types {
            text += &format!("type {}\n", without_comments(&r#type.declaration));
        }
        text
    }

    /// Everything a page can observe of one command: its types, and the declarations of all types these name.
    pub fn command_text(&self, command: &CommandSpec) -> String {
        let mut text = format!("({}) -> {} throws {}", command.arguments, command.result, command.error);
        let mut left: Vec<&TypeSpec> = self.types.iter().collect();
        // What a declaration adds may name further types.
        while let Some(at) = left.iter().position(|r#type| names(&text, &r#type.name)) {
            text += &format!("\ntype {}", without_comments(&left.remove(at).declaration));
        }
        text
    }
}

/// Whether a word of the text is this name.
fn names(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').any(|word| word == name)
}

/// FNV-1a of 128 bits (RFC 9923).
fn fnv1a(text: &str) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
    text.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

/// A TypeScript declaration without its comments, every stretch of white space as one space. What stands in quotes
/// is left as it is.
fn without_comments(declaration: &str) -> String {
    let mut plain = String::new();
    let mut rest = declaration;
    while let Some(character) = rest.chars().next() {
        let length = if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if matches!(character, '"' | '\'' | '`') {
            quoted(rest, character)
        } else {
            character.len_utf8()
        };
        let (piece, behind) = rest.split_at(length);
        if piece.starts_with("/*") || character.is_whitespace() {
            if !plain.ends_with(' ') {
                plain.push(' ');
            }
        } else {
            plain += piece;
        }
        rest = behind;
    }
    plain.trim().into()
}

/// Length of the quoted text at the beginning.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + character.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// One command: a Rust function the page may call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CommandSpec {
    /// Name used in `invoke(name, …)`.
    pub name: String,
    /// TypeScript type of the arguments object, e.g. `{ name: string }`.
    pub arguments: String,
    /// TypeScript type of the answer.
    pub result: String,
    /// TypeScript type of the error's `details`; `never` when the command can not fail.
    pub error: String,
    /// The function's doc comment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// It changes nothing: it may run once more than it was called, to compare its answers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EventSpec {
    /// Name used in `listen(name, …)` and `emit(name, …)`.
    pub name: String,
    /// TypeScript type of the payload.
    pub payload: String,
}

/// One named type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TypeSpec {
    /// Its name in TypeScript.
    pub name: String,
    /// Its declaration, e.g. `type Note = { id: number, title: string };`.
    pub declaration: String,
}

/// One declared state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StateSpec {
    /// Its name in the snapshot.
    pub name: String,
}

/// A window as the app declares it. Sizes and positions are in logical pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowSpec {
    /// Unique name of the window within the app.
    pub label: String,
    /// Title bar text.
    pub title: String,
    /// Path of the page below the app's origin, beginning with `/`.
    pub url: String,
    /// Inner width.
    pub width: f64,
    /// Inner height.
    pub height: f64,
    /// Smallest inner width and height.
    pub min_size: Option<(f64, f64)>,
    /// Largest inner width and height.
    pub max_size: Option<(f64, f64)>,
    /// Position of the outer top left corner; the window manager's choice when absent.
    pub position: Option<(f64, f64)>,
    /// Whether the user can change the size.
    pub resizable: bool,
    /// Whether the system draws title bar and borders.
    pub decorations: bool,
    /// Starts maximised.
    pub maximized: bool,
    /// Starts in full screen.
    pub fullscreen: bool,
    /// Stays above other windows.
    pub always_on_top: bool,
    /// Shown at once; otherwise shown when the app asks for it.
    pub visible: bool,
    /// Background before the page has painted, as `#rrggbb`; follows the system theme when absent.
    pub background: Option<String>,
    /// Label of the window it belongs to: it stays above that one and is minimised with it.
    pub parent: Option<String>,
    /// Its parent takes no input while it is open.
    pub modal: bool,
    /// What the page does not paint shows what is behind the window.
    pub transparent: bool,
    /// Light, dark, or as the system has it.
    pub theme: Theme,
    /// Path of a PNG of the page's files: the window's icon.
    pub icon: Option<String>,
    /// The task bar leaves it out.
    pub skip_taskbar: bool,
    /// Size and position are those it had when it was closed last, if that is on a screen.
    pub remember: bool,
    /// The page is asked before the window closes.
    pub intercept_close: bool,
    /// Private: it shares no cookies and no storage with others, and keeps none when it is closed.
    pub incognito: bool,
    /// Zoom of the page.
    pub zoom: f64,
    /// Its own menu bar, in place of the application's; none at all when empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub menu: Option<Vec<MenuItem>>,
}

/// Light or dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Default for WindowSpec {
    fn default() -> Self {
        Self {
            label: "main".into(),
            title: String::new(),
            url: "/".into(),
            width: 960.0,
            height: 680.0,
            min_size: None,
            max_size: None,
            position: None,
            resizable: true,
            decorations: true,
            maximized: false,
            fullscreen: false,
            always_on_top: false,
            visible: true,
            background: None,
            parent: None,
            modal: false,
            transparent: false,
            theme: Theme::System,
            icon: None,
            skip_taskbar: false,
            remember: false,
            intercept_close: false,
            incognito: false,
            zoom: 1.0,
            menu: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(declaration: &str) -> String {
        let types = vec![TypeSpec { name: "Note".into(), declaration: declaration.into() }];
        Description { types, ..Description::default() }.interface_text()
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv1a(""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(fnv1a("a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        assert_eq!(fnv1a("foobar"), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
    }

    #[test]
    fn the_text_of_a_command_holds_what_its_types_are_made_of_and_nothing_else() {
        let declare =
            |name: &str, declaration: &str| TypeSpec { name: name.into(), declaration: declaration.into() };
        let command = CommandSpec { result: "Array<Note>".into(), ..CommandSpec::default() };
        let text = |tag: &str, other: &str| {
            let types = vec![
                declare("Notebook", other),
                declare("Tag", tag),
                declare("Note", "type Note = { tags: Array<Tag> };"),
            ];
            Description { types, ..Description::default() }.command_text(&command)
        };
        let plain = text("type Tag = string;", "type Notebook = string;");
        assert!(plain.contains("type Tag = string;") && !plain.contains("type Notebook"), "{plain}");
        assert_eq!(text("type Tag = /** Doc. */ string;", "type Notebook = number;"), plain);
        assert_ne!(text("type Tag = number;", "type Notebook = string;"), plain);
    }

    #[test]
    fn comments_on_types_and_fields_are_no_part_of_the_interface() {
        let plain = text_of("type Note = { id: number, title: string, };");
        let documented = "/**\n * A note.\n */\ntype Note = { \n/**\n * Its \"number\".\n */\nid: number, title: string, };";
        assert_eq!(text_of(documented), plain);
        assert_eq!(text_of("/** a */ type Note = { id: number, /* b */ title: string, };"), plain);
    }

    #[test]
    fn everything_else_of_a_declaration_is() {
        let plain = text_of("type Note = { id: number, };");
        for other in [
            "type Note = { id: string, };",
            "type Note = { ids: number, };",
            "type Note = { id?: number, };",
            "type Note = { \"/* id */\": number, };",
        ] {
            assert_ne!(text_of(other), plain, "{other}");
        }
        let [one, two] = ["\"a /* x */ \\\" b\"", "\"a /* y */ \\\" b\""]
            .map(|name| text_of(&format!("type A = {name};")));
        assert_ne!(one, two, "what stands in quotes is no comment");
    }
}
