//! Wasm modules of a project: where their files are, and how those come about that are crates.

use crate::cargo;
use crate::project::{Project, Source};
use anyhow::{Context, Result, bail};
use staysail_protocol::limits;
use staysail_protocol::module::ModuleFile;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What crates are built for.
const TARGET: &str = "wasm32-unknown-unknown";
/// What every WebAssembly module of version 1 begins with.
const MAGIC: [u8; 8] = *b"\0asm\x01\0\0\0";

/// Builds what is to be built, and finds all modules of a project.
///
/// # Errors
/// A sentence that names the module and its file.
pub fn make(project: &Project) -> Result<Vec<ModuleFile>> {
    let modules = project.config.modules.iter().map(|(name, module)| {
        let path = match module.source() {
            Source::File(file) => project.root.join(file),
            Source::Crate(folder) => {
                build(project, folder).with_context(|| format!("[modules.{name}] could not be built"))?
            }
        };
        look(&path).with_context(|| format!("[modules.{name}] can not be used"))?;
        Ok(ModuleFile { name: name.clone(), path: path.display().to_string(), limits: module.limits() })
    });
    modules.collect()
}

/// Refuses what is no WebAssembly module at all. Everything else is found by the backend, which has the engine.
fn look(path: &Path) -> Result<()> {
    let mut file = std::fs::File::open(path).with_context(|| format!("reading {}", path.display()))?;
    let size = file.metadata().map_or(0, |facts| facts.len());
    if size > limits::MODULE_BYTES_MAX {
        bail!(
            "{} has {size} bytes, more than {} (module_bytes_max)",
            path.display(),
            limits::MODULE_BYTES_MAX
        );
    }
    let mut begin = [0; MAGIC.len()];
    if file.read_exact(&mut begin).is_err() || begin != MAGIC {
        bail!(
            "{} is no WebAssembly module: it does not begin as one.\n  A text module (.wat) is turned into one by wat2wasm or \
             `wasm-tools parse`.",
            path.display()
        );
    }
    Ok(())
}

/// Builds a crate and returns its `.wasm`. Optimised always: it is small, and an interpreter runs what it is given.
fn build(project: &Project, folder: &Path) -> Result<PathBuf> {
    let folder = project.root.join(folder);
    let manifest = folder.join("Cargo.toml");
    if !manifest.is_file() {
        bail!("there is no {}", manifest.display());
    }
    has_target(&folder)?;
    let output = Command::new(cargo::program())
        .args(["build", "--release", "--lib", "--target", TARGET])
        .args(["--message-format=json-diagnostic-rendered-ansi", "--manifest-path"])
        .arg(&manifest)
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", project.target().join("modules"))
        .stdin(Stdio::null())
        .output()
        .context("cargo could not be started; install Rust from https://rustup.rs")?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let errors: String = said.lines().filter_map(rendered).collect();
        let notices = String::from_utf8_lossy(&output.stderr);
        bail!("{}", if errors.is_empty() { cargo::failure_text(&notices) } else { errors });
    }
    said.lines().rev().find_map(|line| artifact(line, &manifest)).with_context(|| {
        format!(
            "{} makes no .wasm file.\n  Add to it:  [lib]\n              crate-type = [\"cdylib\"]",
            manifest.display()
        )
    })
}

/// Whether the compiler used in this folder can build modules.
fn has_target(folder: &Path) -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("rustc could not be started; install Rust from https://rustup.rs")?;
    missing_target(Path::new(String::from_utf8_lossy(&output.stdout).trim()))
        .map_or(Ok(()), |said| bail!(said))
}

fn missing_target(libraries: &Path) -> Option<String> {
    let there = libraries.read_dir().is_ok_and(|mut files| files.next().is_some());
    (!there).then(|| {
        format!("Rust can not build for {TARGET} yet.\n  Install it once:  rustup target add {TARGET}")
    })
}

/// The text of an error.
fn rendered(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let message = &line["message"];
    (message["level"] == "error").then(|| message["rendered"].as_str().unwrap_or_default().to_owned())
}

/// The `.wasm` that cargo made of this package.
fn artifact(line: &str, manifest: &Path) -> Option<PathBuf> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let own = line["manifest_path"].as_str().is_some_and(|path| same_file(Path::new(path), manifest));
    let mut files = line["filenames"].as_array().filter(|_| own)?.iter().filter_map(|file| file.as_str());
    files.find(|file| file.ends_with(".wasm")).map(PathBuf::from)
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_is_refused_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.wasm");
        for (content, good) in
            [(&b"\0asm\x01\0\0\0"[..], true), (b"(module)", false), (b"\0asm", false), (b"", false)]
        {
            std::fs::write(&path, content).unwrap();
            let looked = look(&path).map_err(|error| error.to_string());
            assert_eq!(looked.is_ok(), good, "{content:?}");
            assert!(looked.err().is_none_or(|error| error.contains("rules.wasm is no WebAssembly module")));
        }
        let gone = look(&folder.path().join("gone.wasm")).unwrap_err();
        assert!(gone.to_string().contains("gone.wasm"), "{gone}");
    }

    #[test]
    fn a_compiler_without_the_target_is_told_how_to_get_it() {
        let folder = tempfile::tempdir().unwrap();
        let said = missing_target(&folder.path().join("lib")).unwrap();
        assert!(said.contains("rustup target add wasm32-unknown-unknown"), "{said}");
        std::fs::write(folder.path().join("libcore.rlib"), "").unwrap();
        assert_eq!(missing_target(folder.path()), None);
    }

    #[test]
    fn the_module_is_taken_from_what_cargo_says_of_the_crate_itself() {
        let line = |manifest: &str, file: &str| {
            serde_json::json!({
                "reason": "compiler-artifact", "manifest_path": manifest, "filenames": ["/t/librules.rlib", file],
            })
            .to_string()
        };
        let found = |line: &str| artifact(line, Path::new("/app/rules/Cargo.toml"));
        let own = "/app/rules/Cargo.toml";
        assert_eq!(found(&line(own, "/t/rules.wasm")), Some("/t/rules.wasm".into()));
        assert_eq!(found(&line("/app/other/Cargo.toml", "/t/other.wasm")), None);
        assert_eq!(found(&line(own, "/t/rules.so")), None);
        let error = r#"{"reason":"compiler-message","message":{"level":"error","rendered":"boom"}}"#;
        assert_eq!(rendered(error).as_deref(), Some("boom"));
        assert_eq!(rendered(&error.replace("error", "warning")), None);
    }
}
