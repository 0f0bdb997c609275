//! What the backend is made of, by cargo's own listing: watched wherever it lies, and nothing beside it.

use super::Dev;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const PROGRAM: &str = r##"fn main() {
    let text = format!("{}-{}", include_str!("../secret/greeting.txt").trim(), shared::word().trim());
    println!(r#"{{"app": "com.example.tiny", "commands": [{{"name": "{text}", "arguments": "", "result": "string", "error": "never"}}]}}"#);
}
"##;

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// What the next backend that goes live says of itself.
fn next(dev: &Dev) -> String {
    dev.until("swap_done");
    let output = Command::new(dev.told("swap")["worker"].as_str().unwrap()).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    said["commands"][0]["name"].as_str().unwrap().to_owned()
}

#[test]
fn what_the_backend_is_made_of_is_watched_wherever_it_lies_and_nothing_beside_it() {
    let elsewhere = tempfile::tempdir().unwrap();
    let shared = elsewhere.path().canonicalize().unwrap();
    write(
        &shared.join("Cargo.toml"),
        "[package]\nname = \"shared\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
    );
    write(&shared.join("src/lib.rs"), "pub fn word() -> &'static str { include_str!(\"../word.txt\") }\n");
    write(&shared.join("word.txt"), "one");
    let dev = Dev::with(
        |folder| {
            let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
            let dependency =
                format!("[dependencies]\nshared = {{ path = {:?} }}\n", shared.display().to_string());
            write(&folder.join("Cargo.toml"), &(manifest + &dependency));
            write(&folder.join("src/main.rs"), PROGRAM);
            // Left out by git, and no Rust: only the listing says that it counts.
            write(&folder.join(".gitignore"), "target\nbuild\nsecret\n");
            write(&folder.join("secret/greeting.txt"), "a");
        },
        &[],
    );
    assert_eq!(next(&dev), "a-one");
    dev.until("types_written");
    // The watch takes one thing at a time: when it has seen this, it knows the listing.
    dev.write("frontend/style.css", "body { color: blue }");
    dev.until("styles_changed");

    write(&shared.join("word.txt"), "two");
    assert_eq!(next(&dev), "a-two");
    dev.write("secret/greeting.txt", "b");
    assert_eq!(next(&dev), "b-two");
    write(&shared.join("src/lib.rs"), "pub fn word() -> &'static str { \"three\" }\n");
    assert_eq!(next(&dev), "b-three");

    // Neither of them is in the listing.
    write(&shared.join("notes.txt"), "of no concern");
    dev.write("secret/other.txt", "of no concern");
    dev.write("frontend/style.css", "body { color: green }");
    let (_, before) = dev.until("styles_changed");
    assert!(!before.contains(&"build_started".into()), "{before:?}");
}
