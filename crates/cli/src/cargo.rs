//! Cargo as a child: which package is the backend, and builds whose messages arrive as they happen.

use crate::project::Project;
use crate::replay::{Replay, Run};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use staysail_supervise::{Spawn, Tree};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// Lines of cargo's own text that are kept, for failures that no compiler message explains.
const NOTICE_LINES_MAX: usize = 200;

/// The package and program that are the app's backend.
#[derive(Debug, Clone)]
pub struct Backend {
    /// Package name.
    pub package: String,
    /// Name of its executable.
    pub binary: String,
    /// Its version.
    pub version: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    default_run: Option<String>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    #[serde(default)]
    src_path: PathBuf,
}

/// The cargo to use: the one that runs us when there is one.
pub fn program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Finds the backend package of a project.
pub fn locate(project: &Project) -> Result<Backend> {
    let manifest = project.root.join("Cargo.toml");
    if !manifest.is_file() {
        bail!(
            "there is no Cargo.toml beside {}.\n  The backend is a Rust program in the same folder or below it.",
            project.file().display()
        );
    }
    let output = Command::new(program())
        .args(["metadata", "--format-version=1", "--no-deps", "--manifest-path"])
        .arg(&manifest)
        .current_dir(&project.root)
        .stdin(Stdio::null())
        .output()
        .context("cargo could not be started; install Rust from https://rustup.rs")?;
    if !output.status.success() {
        bail!(
            "cargo can not read {}:\n{}",
            manifest.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cargo metadata was unreadable")?;
    choose(&metadata.packages, project.config.backend.package.as_deref())
}

fn choose(packages: &[Package], wanted: Option<&str>) -> Result<Backend> {
    let programs = |package: &Package| -> Vec<String> {
        let binaries = package.targets.iter().filter(|target| target.kind.iter().any(|kind| kind == "bin"));
        binaries.map(|target| target.name.clone()).collect()
    };
    let all: Vec<&Package> = packages.iter().filter(|package| !programs(package).is_empty()).collect();
    let names = || all.iter().map(|package| package.name.as_str()).collect::<Vec<_>>().join(", ");
    let package = match (wanted, all.as_slice()) {
        (Some(name), _) => *all.iter().find(|package| package.name == name).with_context(|| {
            format!("there is no package {name:?} with an executable here.\n  Set backend.package in staysail.toml to one of: {}", names())
        })?,
        (None, [only]) => only,
        (None, []) => bail!("no package here has an executable.\n  The backend needs a package with a src/main.rs."),
        (None, _) => bail!("several packages have an executable: {}.\n  Name one in staysail.toml:  [backend]\n                              package = \"…\"", names()),
    };
    let binaries = programs(package);
    let by_name = || binaries.iter().find(|name| **name == package.name).cloned();
    let binary = match (&package.default_run, binaries.as_slice()) {
        (Some(name), _) => name.clone(),
        (None, [only]) => only.clone(),
        (None, _) => by_name().with_context(|| {
            format!(
                "package {} has several executables: {}.\n  Set default-run in its Cargo.toml.",
                package.name,
                binaries.join(", ")
            )
        })?,
    };
    Ok(Backend { package: package.name.clone(), binary, version: package.version.clone() })
}

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Quick to build.
    Develop,
    /// Small and fast.
    Ship,
}

impl Profile {
    /// Cargo's folder of this profile below the target folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Develop => "debug",
            Self::Ship => "release",
        }
    }

    /// Settings that do not depend on what the project's Cargo.toml says.
    pub fn environment(self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        let all: &[(&str, &str)] = match self {
            // Line tables are enough for back-traces and halve the linker's work.
            Self::Develop => &[
                ("CARGO_PROFILE_DEV_DEBUG", "line-tables-only"),
                // Unlike CARGO_INCREMENTAL this leaves it to the project which packages are compiled that way.
                ("CARGO_PROFILE_DEV_INCREMENTAL", "true"),
                // Optimised macros cost a new project 75 CPU seconds before its first page (110 s against 35 s) and
                // gain nothing at a save (0.67 s both, measured with the vanilla template on two cores).
                ("CARGO_PROFILE_DEV_BUILD_OVERRIDE_OPT_LEVEL", "0"),
            ],
            Self::Ship => &[
                ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
                ("CARGO_PROFILE_RELEASE_LTO", "thin"),
                ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
                ("CARGO_PROFILE_RELEASE_STRIP", "true"),
                // A panic in a command is an error to its caller, so it must unwind.
                ("CARGO_PROFILE_RELEASE_PANIC", "unwind"),
            ],
        };
        // Who sets one of these for himself knows better.
        all.iter().filter(|(name, _)| std::env::var_os(name).is_none())
    }
}

/// Something cargo said.
#[derive(Debug)]
pub enum Message {
    /// It works on this (`Compiling serde v1`, `Downloading …`).
    Progress(String),
    /// rustc's own text of one error or warning, with colours.
    Diagnostic {
        /// `error` or `warning`.
        level: String,
        /// The text.
        rendered: String,
        /// Root file of the crate it is about.
        root: PathBuf,
    },
    /// Cargo was not needed: its commands were run once more.
    Replayed,
    /// This was compiled, not found as it was.
    Compiled(Compiled),
    /// What the build script of this package wrote is here, whether it ran now or in an earlier build.
    Script {
        /// Name of the package.
        package: String,
        /// The script's own folder for its output.
        out_dir: PathBuf,
    },
    /// The backend's executable is ready at this path.
    Executable(PathBuf),
    /// Cargo has ended. Always the last message.
    Finished {
        /// Whether everything was built.
        success: bool,
        /// What cargo itself said, colours and all; explains failures that no diagnostic explains.
        notices: String,
    },
}

/// A part of a package that was compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// Name of the crate.
    pub name: String,
    /// `lib`, `bin`, `proc-macro`, `custom-build` …
    pub kind: String,
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    fresh: bool,
    reason: String,
    #[serde(default)]
    package_id: String,
    out_dir: Option<PathBuf>,
    target: Option<Target>,
    executable: Option<PathBuf>,
    message: Option<Rendered>,
}

#[derive(Deserialize)]
struct Rendered {
    rendered: Option<String>,
    level: String,
    #[serde(default)]
    message: String,
}

/// Starts a build; messages go to `sink`, from other threads, until `Finished`. Killing the tree cancels the build.
pub fn build(
    project: &Project,
    backend: &Backend,
    profile: Profile,
    sink: impl Fn(Message) + Send + Sync + 'static,
) -> Result<Arc<Tree>> {
    start(project, backend, profile, None, sink)
}

/// The same for [`Profile::Develop`], after these files were saved; without cargo where that comes to the same.
pub fn build_again(
    project: &Project,
    backend: &Backend,
    replay: &Replay,
    saved: &[PathBuf],
    sink: impl Fn(Message) + Send + Sync + 'static,
) -> Result<Arc<Tree>> {
    start(project, backend, Profile::Develop, replay.begin(saved), sink)
}

fn start(
    project: &Project,
    backend: &Backend,
    profile: Profile,
    mut run: Option<Run>,
    sink: impl Fn(Message) + Send + Sync + 'static,
) -> Result<Arc<Tree>> {
    let spawn = match run.as_ref().and_then(Run::stand_in) {
        Some(stand_in) => Spawn::new(stand_in).arg(program()),
        None => Spawn::new(program()),
    };
    let mut spawn = spawn
        .args(["build", "--message-format=json-diagnostic-rendered-ansi", "--package", &backend.package])
        .args(["--bin", &backend.binary])
        .current_dir(&project.root)
        .env("CARGO_TARGET_DIR", project.target())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .guarded(true);
    if profile == Profile::Ship {
        spawn = spawn.arg("--release");
    }
    for (name, value) in profile.environment() {
        spawn = spawn.env(name, value);
    }
    for (name, value) in run.iter().flat_map(Run::variables) {
        spawn = spawn.env(name, value);
    }
    let tree = Arc::new(spawn.spawn().context("cargo could not be started")?);
    let (stdout, stderr) = (tree.take_stdout(), tree.take_stderr());
    let sink = Arc::new(sink);
    let notices = Arc::new(Mutex::new(Vec::<String>::new()));
    let (kept, said) = (notices.clone(), sink.clone());
    let errors = std::thread::spawn(move || {
        for line in stderr.into_iter().flat_map(|stream| lines(BufReader::new(stream))) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < NOTICE_LINES_MAX {
                kept.push(line.clone());
            }
            drop(kept);
            said(Message::Progress(line));
        }
    });
    let (waited, binary) = (tree.clone(), backend.binary.clone());
    std::thread::spawn(move || {
        for line in stdout.into_iter().flat_map(|stream| lines(BufReader::new(stream))) {
            if run.as_mut().is_some_and(|run| run.heard(&line)) {
                sink(Message::Replayed);
            }
            for message in understand(&line, &binary) {
                if let (Some(run), Message::Diagnostic { level, rendered, root }) = (&mut run, &message)
                    && level == "warning"
                {
                    run.warned(root, rendered);
                }
                sink(message);
            }
        }
        let success = waited.wait().is_ok_and(|status| status.success());
        run.map(|run| run.ended(success)).into_iter().flatten().for_each(&*sink);
        let _ = errors.join();
        let notices = notices.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
        sink(Message::Finished { success, notices });
    });
    Ok(tree)
}

/// Lines of a stream until its end; bytes that are no UTF-8 are replaced.
pub fn lines(mut stream: impl BufRead) -> impl Iterator<Item = String> {
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        let count = stream.read_until(b'\n', &mut line).ok()?;
        (count > 0).then(|| String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned())
    })
}

fn understand(line: &str, binary: &str) -> Vec<Message> {
    // Most lines are of what was there already: those that count are told apart before parsing.
    let counts = [
        "\"executable\":\"",
        "\"reason\":\"compiler-message\"",
        "\"fresh\":false",
        "\"build-script-executed\"",
    ];
    if !counts.iter().any(|part| line.contains(part)) {
        return Vec::new();
    }
    let Ok(line) = serde_json::from_str::<Line>(line) else { return Vec::new() };
    match line.reason.as_str() {
        "compiler-artifact" => {
            let Some(target) = line.target else { return Vec::new() };
            let kind = target.kind.first().cloned().unwrap_or_default();
            let is_backend = target.name == binary && kind == "bin";
            let compiled = (!line.fresh).then_some(Message::Compiled(Compiled { name: target.name, kind }));
            let executable = line.executable.filter(|_| is_backend).map(Message::Executable);
            compiled.into_iter().chain(executable).collect()
        }
        "compiler-message" => {
            let root = line.target.map(|target| target.src_path).unwrap_or_default();
            line.message.and_then(|message| diagnostic(message, root)).into_iter().collect()
        }
        "build-script-executed" => {
            let package = package_name(&line.package_id).to_owned();
            line.out_dir.map(|out_dir| Message::Script { package, out_dir }).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The name in a package's id: `path+file:///app/core#notes-core@0.1.0`, `path+file:///app/core#0.1.0`.
fn package_name(id: &str) -> &str {
    let (place, name) = id.rsplit_once('#').unwrap_or((id, ""));
    match name.split_once('@') {
        Some((name, _)) => name,
        None => place.rsplit('/').next().unwrap_or(place),
    }
}

fn diagnostic(message: Rendered, root: PathBuf) -> Option<Message> {
    // "N warnings emitted", "aborting due to …": sums, said again by cargo.
    let sum = message.message.contains("warning emitted")
        || message.message.contains("warnings emitted")
        || message.message.starts_with("aborting due to");
    let rendered = message.rendered.filter(|_| !sum)?;
    let level = if message.level.starts_with("error") { "error" } else { "warning" };
    Some(Message::Diagnostic { level: level.into(), rendered, root })
}

/// Cargo's own words about a failure: from the first line that says error.
pub fn failure_text(notices: &str) -> String {
    let from = notices
        .lines()
        .position(|line| crate::style::without_colours(line).starts_with("error"))
        .unwrap_or(0);
    notices.lines().skip(from).collect::<Vec<_>>().join("\n")
}

/// Every source file of the program, from the dependency file cargo writes beside it.
pub fn sources(executable: &Path) -> Vec<PathBuf> {
    staysail_watch::depinfo::read(&executable.with_extension("d"))
}

/// Runs the finished program with the argument that makes it describe itself.
pub fn describe(executable: &Path) -> Result<staysail_protocol::interface::Description> {
    let tree = Spawn::new(executable)
        .arg(staysail_protocol::interface::DESCRIBE_ARGUMENT)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let tree = Arc::new(tree);
    let (done, timer) = std::sync::mpsc::channel::<()>();
    let (limited, limit) = (tree.clone(), staysail_protocol::limits::HELLO_TIMEOUT_MS);
    std::thread::spawn(move || {
        if timer.recv_timeout(std::time::Duration::from_millis(limit))
            == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            limited.kill();
        }
    });
    let stderr = tree.take_stderr();
    let said = std::thread::spawn(move || {
        stderr.into_iter().flat_map(|s| lines(BufReader::new(s))).collect::<Vec<_>>()
    });
    let text = tree.take_stdout().map(std::io::read_to_string).transpose();
    let status = tree.wait()?;
    drop(done);
    let said = said.join().unwrap_or_default().join("\n");
    let text = text.unwrap_or_default().unwrap_or_default();
    let json = text.lines().rev().find(|line| line.starts_with('{')).unwrap_or(&text);
    if !status.success() {
        let said = said.trim();
        let advice = match said.is_empty() {
            true => "\n  Does its main call `App::new(…)…run()`, and nothing that fails before?",
            false => "",
        };
        bail!("the backend, started to learn its commands and events, failed ({status}): {said}{advice}");
    }
    serde_json::from_str(json).context("the backend's list of its commands and events is unreadable; does its main print to standard output before `run()`?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, bins: &[&str]) -> Package {
        let target =
            |name: &&str| Target { name: (*name).into(), kind: vec!["bin".into()], src_path: PathBuf::new() };
        let targets = bins.iter().map(target).collect();
        Package { name: name.into(), version: "1.2.3".into(), default_run: None, targets }
    }

    #[test]
    fn the_only_program_is_the_backend_and_several_must_be_named() {
        let two = [package("core", &[]), package("app", &["hello"])];
        let backend = choose(&two, None).unwrap();
        assert_eq!((backend.package.as_str(), backend.binary.as_str()), ("app", "hello"));
        let many = [package("a", &["a"]), package("b", &["b"])];
        assert!(choose(&many, None).unwrap_err().to_string().contains("a, b"));
        assert_eq!(choose(&many, Some("b")).unwrap().binary, "b");
        assert!(choose(&many, Some("c")).unwrap_err().to_string().contains("one of: a, b"));
    }

    #[test]
    fn only_the_backends_own_program_and_diagnostics_are_taken_from_cargo() {
        let artifact = r#"{"reason":"compiler-artifact","target":{"name":"app","kind":["bin"]},"executable":"/t/app","fresh":false}"#;
        let [Message::Compiled(compiled), Message::Executable(path)] = &understand(artifact, "app")[..]
        else {
            panic!("{:?}", understand(artifact, "app"))
        };
        assert_eq!((compiled.name.as_str(), path.as_path()), ("app", Path::new("/t/app")));
        assert!(matches!(understand(artifact, "other")[..], [Message::Compiled(_)]));
        let fresh = artifact.replace("\"fresh\":false", "\"fresh\":true");
        assert!(matches!(understand(&fresh, "app")[..], [Message::Executable(_)]));
        let error =
            r#"{"reason":"compiler-message","message":{"rendered":"boom","level":"error","message":"x"}}"#;
        assert!(
            matches!(&understand(error, "app")[..], [Message::Diagnostic { level, .. }] if level == "error")
        );
        let sum = r#"{"reason":"compiler-message","message":{"rendered":"s","level":"error","message":"aborting due to 1 previous error"}}"#;
        assert!(understand(sum, "app").is_empty());
    }

    #[test]
    fn a_build_scripts_package_is_named_whatever_its_id_looks_like() {
        let said = |id: &str| {
            format!(r#"{{"reason":"build-script-executed","package_id":"{id}","out_dir":"/t/build/x/out"}}"#)
        };
        for (id, name) in [
            ("path+file:///app/core#notes-core@0.1.0", "notes-core"),
            ("path+file:///app/core#0.1.0", "core"),
        ] {
            let messages = understand(&said(id), "app");
            let [Message::Script { package, out_dir }] = &messages[..] else { panic!("{messages:?}") };
            assert_eq!((package.as_str(), out_dir.as_path()), (name, Path::new("/t/build/x/out")));
        }
    }
}
