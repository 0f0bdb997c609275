//! What the example `types` says of itself, and what it really writes: both are kept beside the tests of
//! `packages/api`, which compile the one against the other. `STAYSAIL_BLESS=1` writes them anew.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

fn said_with(argument: &str) -> String {
    let tests = std::env::current_exe().unwrap();
    let name = format!("examples/types{}", std::env::consts::EXE_SUFFIX);
    let example = tests.parent().unwrap().parent().unwrap().join(name);
    assert!(example.exists(), "{} is built by cargo test along with this test", example.display());
    let output = Command::new(example).arg(argument).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn kept(name: &str, text: &str) {
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packages/api/test/types/generated").join(name);
    if std::env::var_os("STAYSAIL_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{} is old; write it anew with STAYSAIL_BLESS=1", path.display());
}

fn description() -> Value {
    serde_json::from_str(&said_with("--staysail-describe")).unwrap()
}

#[test]
fn the_description_that_is_compiled_is_the_apps() {
    let text = serde_json::to_string_pretty(&description()).unwrap() + "\n";
    kept("description.json", &text);
}

#[test]
fn the_values_that_are_compiled_are_what_serde_writes() {
    let description = description();
    let names: Vec<&str> =
        description["types"].as_array().unwrap().iter().map(|ty| ty["name"].as_str().unwrap()).collect();
    let mut text = format!(
        "// What Rust really writes, as literals of the declared types. Made by crates/staysail/tests/types.rs.\n\
         import type {{ {} }} from \"./staysail\";\n\n",
        names.join(", ")
    );
    for (index, line) in said_with("--samples").lines().enumerate() {
        let (ty, json) = line.split_once('\t').unwrap();
        text += &format!("export const sample{index}: {ty} = {json};\n");
    }
    kept("samples.ts", &text);
}
