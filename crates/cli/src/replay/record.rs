//! How cargo ran rustc: written down by this executable, which stands between the two, and read back as [`Unit`]s.
//!
//! Cargo starts `<this executable> <rustc> <arguments…>` for the crates of the workspace (`RUSTC_WORKSPACE_WRAPPER`).
//! What is written is what cargo added to its own environment, for the rest may hold secrets: the caller hands on
//! digests of its variables ([`baseline`]), and those that match none of them are cargo's.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folder in which to write down the commands. Set for cargo, and taken away for rustc.
pub const FOLDER_VARIABLE: &str = "STAYSAIL_REPLAY_RECORD";
/// Digests of the variables that cargo was started with.
pub const BASELINE_VARIABLE: &str = "STAYSAIL_REPLAY_BASELINE";
/// Tells cargo of this executable; it is not for cargos that a macro starts.
pub const WRAPPER_VARIABLE: &str = "RUSTC_WORKSPACE_WRAPPER";
/// Cargo's hand-out of parallel work belongs to one run of cargo.
const JOBSERVER_VARIABLE: &str = "CARGO_MAKEFLAGS";

/// One command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The compiler.
    pub rustc: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The folder it ran in.
    pub folder: PathBuf,
    /// What cargo added to the environment.
    pub environment: BTreeMap<String, String>,
}

/// Digests of these variables, to be handed on in [`BASELINE_VARIABLE`].
pub fn baseline(variables: impl Iterator<Item = (OsString, OsString)>) -> String {
    let digests = variables.map(|(name, value)| format!("{:x}", digest(&name, &value)));
    digests.collect::<Vec<_>>().join(",")
}

fn digest(name: &OsStr, value: &OsStr) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, value).hash(&mut hasher);
    hasher.finish()
}

/// Stands between cargo and rustc if cargo started this process for that; then it never returns.
pub fn main() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else { return };
    let mut arguments = std::env::args_os().skip(1);
    let Some(rustc) =
        arguments.next().filter(|program| Path::new(program).file_stem() == Some("rustc".as_ref()))
    else {
        return;
    };
    let arguments: Vec<OsString> = arguments.collect();
    write(Path::new(&folder), &rustc, &arguments);
    let mut command = Command::new(&rustc);
    command.args(&arguments);
    for ours in [FOLDER_VARIABLE, BASELINE_VARIABLE, WRAPPER_VARIABLE] {
        command.env_remove(ours);
    }
    let error = super::become_command(&mut command);
    eprintln!("error: {} could not be started: {error}", Path::new(&rustc).display());
    std::process::exit(1);
}

/// Writes the command down. What can not be written is not replayed, so failures are no errors here.
fn write(folder: &Path, rustc: &OsStr, arguments: &[OsString]) {
    let text = |text: &OsString| text.clone().into_string().ok();
    let Some(arguments) = arguments.iter().map(text).collect::<Option<Vec<_>>>() else { return };
    let Some(name) = file_name(&arguments) else { return };
    let path = folder.join(name);
    // First of all: what was written for an earlier run must not speak for this one.
    let _ = std::fs::remove_file(&path);
    let known = std::env::var(BASELINE_VARIABLE).unwrap_or_default();
    let (Some(environment), Ok(current)) = (added(&known, std::env::vars_os()), std::env::current_dir())
    else {
        return;
    };
    let record = Record { rustc: rustc.into(), arguments, folder: current, environment };
    let Ok(bytes) = serde_json::to_vec(&record) else { return };
    let unfinished = path.with_extension(std::process::id().to_string());
    if std::fs::write(&unfinished, bytes).is_ok() {
        let _ = std::fs::rename(&unfinished, &path);
    }
}

/// The variables that cargo added or changed; `None` when one can not be written down.
fn added(
    baseline: &str,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Option<BTreeMap<String, String>> {
    let known: BTreeSet<&str> = baseline.split(',').collect();
    let ours = [FOLDER_VARIABLE, BASELINE_VARIABLE, JOBSERVER_VARIABLE, WRAPPER_VARIABLE];
    variables
        .filter(|(name, value)| !known.contains(format!("{:x}", digest(name, value)).as_str()))
        .filter(|(name, _)| ours.iter().all(|our| name != our))
        .map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// `None` for questions about the compiler, which cargo asks as well, and for arguments in a file.
fn file_name(arguments: &[String]) -> Option<String> {
    let name = value(arguments, "--crate-name").filter(|name| *name != "___")?;
    Some(format!("{name}{}.json", codegen(arguments, "extra-filename=")?))
}

/// What follows this flag.
fn value<'a>(arguments: &'a [String], flag: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(at + 1).map(String::as_str)
}

/// The value of `-C name=value`.
fn codegen<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let pairs = arguments.windows(2).filter(|pair| pair[0] == "-C");
    pairs.filter_map(|pair| pair[1].strip_prefix(name)).next()
}

/// A crate that cargo compiled, as its command tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The command.
    pub record: Record,
    /// Name of the crate or program, as cargo calls it.
    pub name: String,
    /// `lib`, `bin`, or what else it is.
    pub kind: String,
    /// Its root file.
    pub root: PathBuf,
    /// Where its output goes.
    pub folder: PathBuf,
    /// Crate name with cargo's digest: its files are called after it.
    pub stem: String,
    /// The crates it uses.
    pub externs: Vec<PathBuf>,
    /// Folder of its package.
    pub package: PathBuf,
    /// Name of its package.
    pub package_name: String,
}

impl Unit {
    /// Reads a command; `None` when it is none that cargo of today would write.
    pub fn of(record: Record) -> Option<Self> {
        let arguments = &record.arguments;
        let crate_name = value(arguments, "--crate-name")?;
        let extra = codegen(arguments, "extra-filename=")?;
        let kinds: Vec<_> = arguments.windows(2).filter(|pair| pair[0] == "--crate-type").collect();
        let kind = match kinds.as_slice() {
            [only] => only[1].as_str(),
            _ => "several",
        };
        let externs = arguments.windows(2).filter(|pair| pair[0] == "--extern");
        let externs = externs.filter_map(|pair| pair[1].split_once('=')).map(|(_, path)| path.into());
        let root = arguments.iter().find(|argument| argument.ends_with(".rs") && !argument.contains('='))?;
        let variable = |name: &str| record.environment.get(name);
        Some(Self {
            name: variable("CARGO_BIN_NAME").map_or(crate_name, String::as_str).to_owned(),
            kind: if kind == "rlib" { "lib".into() } else { kind.into() },
            root: record.folder.join(root),
            folder: record.folder.join(value(arguments, "--out-dir")?),
            stem: format!("{crate_name}{extra}"),
            externs: externs.collect(),
            package: variable("CARGO_MANIFEST_DIR")?.into(),
            package_name: variable("CARGO_PKG_NAME")?.clone(),
            record,
        })
    }

    /// Whether its command alone makes it: not a macro, nothing from a build script, nothing for another machine.
    pub fn is_playable(&self) -> bool {
        let arguments = &self.record.arguments;
        // Debugging information in a file of its own is a second thing that cargo puts in place.
        let plain = |argument: &String| {
            !argument.starts_with('@')
                && argument != "--test"
                && argument != "--target"
                && !argument.contains("split-debuginfo")
        };
        ["lib", "bin"].contains(&self.kind.as_str())
            && arguments.iter().all(plain)
            && arguments.iter().any(|argument| argument == "--error-format=json")
            && !self.record.environment.contains_key("OUT_DIR")
    }

    /// What rustc makes of it, if it is playable.
    pub fn outputs(&self) -> Vec<PathBuf> {
        match self.kind.as_str() {
            "bin" => vec![self.folder.join(&self.stem)],
            "lib" => ["rlib", "rmeta"].map(|end| self.folder.join(format!("lib{}.{end}", self.stem))).into(),
            _ => Vec::new(),
        }
    }

    /// Every file it was made of.
    pub fn sources(&self) -> Vec<PathBuf> {
        let file = self.folder.join(format!("{}.d", self.stem));
        let mut found: Vec<_> =
            staysail_watch::depinfo::read(&file).iter().map(|file| self.record.folder.join(file)).collect();
        found.sort();
        found.dedup();
        found
    }

    /// The files by which cargo knows that it is as it should be. Empty when cargo keeps them elsewhere.
    pub fn fingerprints(&self) -> Vec<PathBuf> {
        let digest = self.stem.rsplit('-').next().unwrap_or_default();
        let profile = self.folder.parent().unwrap_or(Path::new(""));
        let folder = profile.join(".fingerprint").join(format!("{}-{digest}", self.package_name));
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_digest = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            (name.starts_with("lib-") || name.starts_with("bin-")) && !name.ends_with(".json")
        };
        entries.filter(is_digest).collect()
    }

    /// The command, to be run once more.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.record.rustc);
        command.args(&self.record.arguments).current_dir(&self.record.folder).envs(&self.record.environment);
        for ours in [FOLDER_VARIABLE, BASELINE_VARIABLE, WRAPPER_VARIABLE, super::run::JOB_VARIABLE] {
            command.env_remove(ours);
        }
        command
    }
}

/// Reads all commands of a folder.
///
/// # Errors
/// When one can not be read: then nothing is known for certain.
pub fn read_all(folder: &Path) -> io::Result<Vec<Unit>> {
    let mut units = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "json") {
            let record = serde_json::from_slice(&std::fs::read(&path)?)?;
            units.push(Unit::of(record).ok_or(io::ErrorKind::InvalidData)?);
        }
    }
    Ok(units)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A command as cargo writes it.
    pub fn record(name: &str, kind: &str, more: &[&str]) -> Record {
        let arguments = format!(
            "--crate-name {name} --edition=2024 {name}/src/lib.rs --error-format=json --crate-type {kind} \
             -C metadata=1 -C extra-filename=-0a --out-dir /t/debug/deps"
        );
        let arguments = arguments.split_whitespace().chain(more.iter().copied()).map(str::to_owned).collect();
        let environment = [("CARGO_MANIFEST_DIR", format!("/p/{name}")), ("CARGO_PKG_NAME", name.into())];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
        Record { rustc: "rustc".into(), arguments, folder: "/p".into(), environment }
    }

    #[test]
    fn a_command_tells_what_it_makes_of_what() {
        let more = ["--extern", "used=/t/debug/deps/libused-0b.rmeta", "--extern", "noprelude:std"];
        let unit = Unit::of(record("core", "lib", &more)).unwrap();
        assert!(unit.is_playable());
        assert_eq!(unit.root, Path::new("/p/core/src/lib.rs"));
        assert_eq!(unit.externs, [Path::new("/t/debug/deps/libused-0b.rmeta")]);
        assert_eq!(
            unit.outputs(),
            ["rlib", "rmeta"].map(|end| PathBuf::from(format!("/t/debug/deps/libcore-0a.{end}")))
        );
    }

    #[test]
    fn what_more_than_its_command_decides_about_is_not_playable() {
        for (kind, more) in [
            ("proc-macro", &[][..]),
            ("lib", &["--crate-type", "cdylib"]),
            ("lib", &["--target", "wasm32-unknown-unknown"]),
            ("bin", &["-C", "split-debuginfo=packed"]),
        ] {
            assert!(!Unit::of(record("core", kind, more)).unwrap().is_playable(), "{kind} {more:?}");
        }
        let mut scripted = record("core", "lib", &[]);
        scripted.environment.insert("OUT_DIR".into(), "/t/out".into());
        assert!(!Unit::of(scripted).unwrap().is_playable());
        let question = ["-", "--crate-name", "___", "-C", "extra-filename=-0a"].map(str::to_owned);
        assert_eq!(file_name(&question), None);
        assert_eq!(file_name(&["@/tmp/arguments".to_owned()]), None);
    }

    #[test]
    fn what_cargo_was_started_with_is_not_written_down() {
        let variables = |list: &[(&str, &str)]| -> Vec<(OsString, OsString)> {
            list.iter().map(|(name, value)| (name.into(), value.into())).collect()
        };
        let before = variables(&[("TOKEN", "secret"), ("LD_LIBRARY_PATH", "/a"), ("HOME", "/h")]);
        let mut after = before.clone();
        after[1].1 = "/t:/a".into();
        after.extend(variables(&[("CARGO_PKG_NAME", "core"), ("CARGO_MAKEFLAGS", "-j")]));
        let added = added(&baseline(before.into_iter()), after.into_iter()).unwrap();
        let expected = [("CARGO_PKG_NAME", "core"), ("LD_LIBRARY_PATH", "/t:/a")];
        assert_eq!(added, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }
}
