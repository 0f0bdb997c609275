//! Projects in temporary folders, and the command as a child that always ends.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The command, in this folder, with nothing of the caller's settings.
pub fn staysail(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_staysail"));
    command
        .current_dir(folder)
        .env_remove("STAYSAIL_ENV")
        .env_remove("STAYSAIL_TARGET_DIR")
        .env_remove("STAYSAIL_REPLAY")
        .env("NO_COLOR", "1");
    command.env("STAYSAIL_SHELL", scripted_shell());
    command
}

/// The example that plays the shell.
pub fn scripted_shell() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples/scripted_shell");
    assert!(
        path.is_file(),
        "not built: `cargo test -p staysail-cli` builds it, `--test NAME` alone does not"
    );
    path
}

/// A backend that needs no dependency: it only describes itself.
pub fn backend(answer: &str) -> String {
    format!(
        r##"fn main() {{
    let text = "{answer}";
    println!(r#"{{{{"app": "com.example.tiny", "commands": [{{{{"name": "{{text}}", "arguments": "", "result": "string", "error": "never"}}}}]}}}}"#);
}}
"##
    )
}

/// A whole small project.
pub fn project(folder: &Path) {
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("staysail.toml", "[app]\nid = \"com.example.tiny\"\n");
    write("Cargo.toml", "[package]\nname = \"tiny\"\nversion = \"0.3.0\"\nedition = \"2024\"\n[workspace]\n");
    write("src/main.rs", &backend("first"));
    write("frontend/index.html", "<!doctype html><title>Tiny</title>");
    write("frontend/style.css", "body { color: red }");
    write(".gitignore", "target\nbuild\n");
}
