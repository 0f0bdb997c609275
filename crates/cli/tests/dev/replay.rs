//! Saves without cargo: the same program, byte for byte, and cargo wherever it could be another.

use super::{BOUND, Dev};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const MANIFEST: &str = "[package]\nname = \"tiny\"\nversion = \"0.3.0\"\nedition = \"2024\"\n[workspace]\nmembers = [\"core\"]\n\
     [dependencies]\ntiny-core = { path = \"core\" }\n";

/// A program that says what its library says.
fn program(prefix: &str) -> String {
    format!(
        r##"fn main() {{
    let text = format!("{prefix}-{{}}", tiny_core::word());
    println!(r#"{{{{"app": "com.example.tiny", "commands": [{{{{"name": "{{text}}", "arguments": "", "result": "string", "error": "never"}}}}]}}}}"#);
}}
"##
    )
}

fn library(word: &str) -> String {
    format!("pub fn word() -> &'static str {{ \"{word}\" }}\n")
}

fn workspace(folder: &Path) {
    for (path, text) in [
        ("Cargo.toml", MANIFEST),
        ("src/main.rs", &program("a")),
        ("core/Cargo.toml", "[package]\nname = \"tiny-core\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
        ("core/src/lib.rs", &library("b")),
    ] {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// A program that went live.
struct Live {
    replayed: bool,
    worker: PathBuf,
}

impl Live {
    /// What it says of itself.
    fn says(&self) -> String {
        let output = Command::new(&self.worker).output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        said["commands"][0]["name"].as_str().unwrap().to_owned()
    }
}

impl Dev {
    fn workspace() -> Self {
        Self::with(workspace, &[])
    }

    /// The next program that is live after a build that came to its end.
    fn live(&self) -> Live {
        let (mut swapped, mut finished) = (None, false);
        let end = Instant::now() + BOUND;
        while swapped.is_none() || !finished {
            let line = self.said.recv_timeout(end.saturating_duration_since(Instant::now())).unwrap();
            match line["kind"].as_str().unwrap() {
                "swap_done" => swapped = Some(line["replayed"].as_bool().unwrap()),
                "build_finished" => finished = true,
                "build_failed" => panic!("{line}"),
                _ => {}
            }
        }
        let worker = self.told("swap")["worker"].as_str().unwrap().into();
        Live { replayed: swapped.unwrap(), worker }
    }

    /// Saves a file, and waits until the program made of it is live.
    fn save(&self, path: &str, text: &str) -> Live {
        self.write(path, text);
        self.live()
    }

    /// As [`save`](Self::save), after another file was written: both make `says`. A busy machine may see the other one alone first,
    /// which makes `alone`, and never the second without it.
    fn save_both(&self, path: &str, text: &str, alone: &str, says: &str) {
        let mut live = self.save(path, text);
        while live.says() == alone {
            live = self.live();
        }
        assert!(!live.replayed && live.says() == says, "{}", live.says());
    }

    /// What cargo makes of the same sources.
    fn by_cargo(&self, note: &str) -> Live {
        let live = self.save("Cargo.toml", &format!("{MANIFEST}# {note}\n"));
        assert!(!live.replayed, "the manifest changed");
        live
    }

    /// A session whose next save can be replayed.
    fn ready(&self) {
        let first = self.live();
        assert!(!first.replayed && first.says() == "a-b", "{}", first.says());
    }
}

fn bytes(live: &Live) -> Vec<u8> {
    std::fs::read(&live.worker).unwrap()
}

/// Makes `change` in a session of its own; it must be replayed, say this, and be what cargo makes of it.
fn is_what_cargo_makes(says: &str, change: impl FnOnce(&Dev) -> Live) {
    let dev = Dev::workspace();
    dev.ready();
    let replayed = change(&dev);
    assert!(replayed.replayed, "{says}");
    assert_eq!(replayed.says(), says);
    let cargos = dev.by_cargo(says);
    assert!(bytes(&replayed) == bytes(&cargos), "{says}: the program differs from cargo's");
}

#[test]
fn an_edit_in_a_library_is_replayed_and_makes_what_cargo_makes() {
    is_what_cargo_makes("a-second", |dev| dev.save("core/src/lib.rs", &library("second")));
}

#[test]
fn an_edit_in_the_program_is_replayed_and_makes_what_cargo_makes() {
    is_what_cargo_makes("c-b", |dev| dev.save("src/main.rs", &program("c")));
}

#[test]
fn edits_in_both_one_after_the_other_are_replayed_and_make_what_cargo_makes() {
    is_what_cargo_makes("c-e", |dev| {
        for (word, prefix) in [("d", "x"), ("e", "c")] {
            assert!(dev.save("core/src/lib.rs", &library(word)).replayed);
            assert!(dev.save("src/main.rs", &program(prefix)).replayed);
        }
        dev.save("src/main.rs", &(program("c") + "// the end\n"))
    });
}

#[test]
fn a_new_module_is_replayed_and_its_edits_are_seen() {
    is_what_cargo_makes("a-other", |dev| {
        std::fs::write(dev.folder.path().join("core/src/part.rs"), library("part")).unwrap();
        let first = dev.save("core/src/lib.rs", "mod part;\npub use part::word;\n");
        assert!(first.replayed && first.says() == "a-part");
        dev.save("core/src/part.rs", &library("other"))
    });
}

#[test]
fn a_module_that_is_gone_is_rustcs_error_and_its_return_the_repair() {
    let dev = Dev::with(
        |folder| {
            workspace(folder);
            std::fs::write(folder.join("core/src/part.rs"), library("b")).unwrap();
            std::fs::write(folder.join("core/src/lib.rs"), "mod part;\npub use part::word;\n").unwrap();
        },
        &[],
    );
    dev.ready();
    std::fs::remove_file(dev.folder.path().join("core/src/part.rs")).unwrap();
    let (failed, _) = dev.until("build_failed");
    assert!(failed["errors"].as_str().unwrap().contains("file not found for module `part`"), "{failed}");
    assert_eq!(failed["replayed"], true, "{failed}");
    let back = dev.save("core/src/part.rs", &library("back"));
    assert!(back.replayed && back.says() == "a-back");
}

#[test]
fn an_error_is_told_as_cargo_tells_it_and_the_repair_is_replayed() {
    let dev = Dev::workspace();
    dev.ready();
    dev.write("core/src/lib.rs", "pub fn word() -> u32 { \"no\" }\n");
    let (replayed, _) = dev.until("build_failed");
    assert_eq!(replayed["replayed"], true, "{replayed}");
    dev.write("Cargo.toml", &format!("{MANIFEST}# changed\n"));
    let (cargos, _) = dev.until("build_failed");
    assert_eq!(cargos["replayed"], false, "{cargos}");
    assert_eq!(replayed["errors"], cargos["errors"]);
    assert!(!dev.save("core/src/lib.rs", &library("once by cargo")).replayed);
    let repaired = dev.save("core/src/lib.rs", &library("repaired"));
    assert!(repaired.replayed && repaired.says() == "a-repaired");
    dev.write("src/main.rs", "fn main() { tiny_core::words() }\n");
    assert_eq!(dev.until("build_failed").0["replayed"], true);
    let repaired = dev.save("src/main.rs", &program("fixed"));
    assert!(repaired.replayed && repaired.says() == "fixed-repaired");
}

#[test]
fn features_and_variables_of_the_configuration_are_cargos() {
    let dev = Dev::with(
        |folder| {
            workspace(folder);
            std::fs::create_dir(folder.join(".cargo")).unwrap();
            std::fs::write(folder.join(".cargo/config.toml"), "[env]\nWORD = \"b\"\n").unwrap();
            std::fs::write(
                folder.join("core/src/lib.rs"),
                "pub fn word() -> &'static str { if cfg!(feature = \"loud\") { \"LOUD\" } else { env!(\"WORD\") } }\n",
            )
            .unwrap();
        },
        &[],
    );
    dev.ready();
    assert!(dev.save("src/main.rs", &program("c")).replayed);
    // Both at once: the newer variable must be in what the newer source makes.
    std::fs::write(dev.folder.path().join(".cargo/config.toml"), "[env]\nWORD = \"newer\"\n").unwrap();
    dev.save_both("src/main.rs", &program("d"), "c-newer", "d-newer");
    dev.save("core/src/lib.rs", &(library("unused") + "// by cargo, once\n"));
    let core = "[package]\nname = \"tiny-core\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\ndefault = [\"loud\"]\nloud = []\n";
    std::fs::write(dev.folder.path().join("core/Cargo.toml"), core).unwrap();
    let text =
        "pub fn word() -> &'static str { if cfg!(feature = \"loud\") { \"LOUD\" } else { \"soft\" } }\n";
    dev.save_both("core/src/lib.rs", text, "d-unused", "d-LOUD");
}

#[test]
fn packages_with_a_build_script_are_cargos_also_when_it_is_new() {
    let dev = Dev::workspace();
    dev.ready();
    assert!(dev.save("core/src/lib.rs", &library("replayed")).replayed);
    let script = "fn main() { println!(\"cargo::rustc-env=WORD=scripted\"); }\n";
    std::fs::write(dev.folder.path().join("core/build.rs"), script).unwrap();
    let text = "pub fn word() -> &'static str { env!(\"WORD\") }\n";
    dev.save_both("core/src/lib.rs", text, "a-replayed", "a-scripted");
    let live = dev.save("src/main.rs", &program("c"));
    assert!(!live.replayed && live.says() == "c-scripted", "a build script may ask to be run at any time");
}

#[test]
fn what_a_macro_is_made_of_is_cargos() {
    let dev = Dev::with(
        |folder| {
            workspace(folder);
            let write = |path: &str, text: &str| std::fs::write(folder.join(path), text).unwrap();
            std::fs::create_dir_all(folder.join("macros/src")).unwrap();
            write(
                "macros/Cargo.toml",
                "[package]\nname = \"tiny-macros\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\nproc-macro = true\n\
                 [dependencies]\ntiny-core = { path = \"../core\" }\n",
            );
            write(
                "macros/src/lib.rs",
                "#[proc_macro]\npub fn word(_: proc_macro::TokenStream) -> proc_macro::TokenStream {\n    \
                 format!(\"{:?}\", tiny_core::word()).parse().unwrap()\n}\n",
            );
            let manifest = MANIFEST.replace("\"core\"]", "\"core\", \"macros\"]");
            write("Cargo.toml", &format!("{manifest}tiny-macros = {{ path = \"macros\" }}\n"));
            write("src/main.rs", &program("a").replace("tiny_core::word()", "tiny_macros::word!()"));
        },
        &[],
    );
    dev.ready();
    for word in ["c", "d"] {
        let live = dev.save("core/src/lib.rs", &library(word));
        assert!(!live.replayed && live.says() == format!("a-{word}"), "{}", live.says());
    }
    // The program alone is not what the macro is made of.
    let text = program("e").replace("tiny_core::word()", "tiny_macros::word!()");
    let live = dev.save("src/main.rs", &text);
    assert!(live.replayed && live.says() == "e-d", "{}", live.says());
}

#[test]
fn artifacts_that_are_gone_or_of_another_are_made_by_cargo() {
    let dev = Dev::workspace();
    dev.ready();
    let folder = dev.folder.path().join("target/staysail/debug/deps");
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|end| end == "rlib") {
            std::fs::remove_file(entry).unwrap();
        }
    }
    let live = dev.save("src/main.rs", &program("c"));
    assert!(!live.replayed && live.says() == "c-b");
}

#[test]
fn a_file_that_is_put_there_with_a_time_from_before_the_last_build_is_seen() {
    let dev = Dev::workspace();
    dev.ready();
    let root = dev.folder.path();
    let compiled = std::fs::metadata(root.join("target/staysail/debug/tiny")).unwrap().modified().unwrap();
    // Built after that moment, by a save that the library has no part in.
    assert!(dev.save("src/main.rs", &program("x")).replayed);
    let beside = root.join("target/lib.rs");
    std::fs::write(&beside, library("later")).unwrap();
    std::fs::File::options().append(true).open(&beside).unwrap().set_modified(compiled).unwrap();
    std::fs::rename(&beside, root.join("core/src/lib.rs")).unwrap();
    dev.write("src/main.rs", &program("y"));
    let mut live = dev.live();
    while live.says().starts_with('x') {
        live = dev.live();
    }
    assert_eq!(live.says(), "y-later");
}

#[test]
fn a_replay_that_is_cut_off_leaves_nothing_behind() {
    let dev = Dev::workspace();
    dev.ready();
    let held = dev.folder.path().join("target/held");
    let name = std::ffi::CString::new(held.to_str().unwrap()).unwrap();
    // SAFETY: a path that ends with a zero.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let text = "pub fn word() -> &'static str { include_str!(\"../../target/held\") }\n";
    dev.write("core/src/lib.rs", text);
    // Returns when rustc has opened the pipe's other end: it is in the middle of its work then, and stays there.
    let pipe = std::fs::File::options().write(true).open(&held).unwrap();
    std::fs::remove_file(&held).unwrap();
    std::fs::write(&held, "whole").unwrap();
    dev.write("core/src/lib.rs", &format!("{text}// again\n"));
    dev.until("build_cancelled");
    let live = dev.live();
    drop(pipe);
    assert_eq!(live.says(), "a-whole");
    assert!(bytes(&live) == bytes(&dev.by_cargo("after the cut")), "the program differs from cargo's");
}

#[test]
fn two_sessions_with_one_target_folder_both_end_with_the_newest() {
    let dev = Dev::workspace();
    dev.ready();
    let other = Dev::within(dev.folder.clone(), &[], &[]);
    other.live();
    for word in ["one", "two", "three"] {
        dev.write("core/src/lib.rs", &library(word));
        for session in [&dev, &other] {
            // A session that waited for the other's lock may swap to what the other made first.
            let end = Instant::now() + BOUND;
            while session.live().says() != format!("a-{word}") {
                assert!(Instant::now() < end);
            }
        }
    }
}

#[test]
fn the_switch_leaves_everything_to_cargo() {
    let dev = Dev::with_environment(workspace, &[], &[("STAYSAIL_REPLAY", "0")]);
    dev.ready();
    assert!(!dev.save("core/src/lib.rs", &library("second")).replayed);
    assert!(!dev.folder.path().join("target/staysail/replay").exists());
}
