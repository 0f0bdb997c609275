//! The command as people meet it: what it refuses, in which words, and that nothing is left of it.

#[path = "support/failure.rs"]
mod failure;
mod support;

use failure::failure;
use std::path::Path;
use support::{project, staysail};

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_project_is_never_made_over_something_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("hello")).unwrap();
    std::fs::write(folder.path().join("hello/precious"), "x").unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    let error = failure(&staysail(folder.path()).args(["init", "hello"]).output().unwrap());
    assert!(error.contains("exists and is not empty") && error.contains("nothing was written"), "{error}");
    let error = failure(&staysail(folder.path()).args(["init", "file"]).output().unwrap());
    assert!(error.contains("is no folder"), "{error}");
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(std::fs::read(folder.path().join("hello/precious")).unwrap(), b"x");
}

#[test]
fn bad_names_ids_and_folders_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (&["init"][..], "needs a name"),
        (&["init", "My App"], "How about \"my-app\"?"),
        (&["init", "../up"], "no name for a project"),
        (&["init", "hello", "--id", "hello"], "reverse domain"),
        (&["init", "hello", "--title", "<b>"], "title can not hold"),
        (&["init", "hello", "--directory", "no/such/folder"], "does not exist"),
    ] {
        let error = failure(&staysail(folder.path()).args(arguments).output().unwrap());
        assert!(error.contains(part), "{arguments:?}: {error}");
    }
    assert!(is_empty(folder.path()));
}

#[cfg(unix)]
#[test]
fn a_folder_without_write_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(folder.path().join("probe"), "").is_ok() {
        // The superuser may write anywhere; nothing can be shown here.
        return;
    }
    let error = failure(&staysail(folder.path()).args(["init", "hello"]).output().unwrap());
    assert!(error.contains("no permission to write in") && error.contains("nothing was written"), "{error}");
}

#[test]
fn a_wrong_project_file_is_refused_with_file_line_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    for (text, parts) in [
        (
            "[app]\nid = \"com.example.x\"\n[frontnd]\n",
            ["staysail.toml:3: unknown field `frontnd`", "Did you mean `frontend`?"],
        ),
        ("[app]\nname = \"x\"\n", ["staysail.toml:1: missing field `id`", "Add `id ="]),
        ("[app\n", ["staysail.toml:1:", "Correct this line"]),
    ] {
        std::fs::write(folder.path().join("staysail.toml"), text).unwrap();
        for command in ["dev", "build", "run"] {
            let error = failure(&staysail(folder.path()).arg(command).output().unwrap());
            assert!(parts.iter().all(|part| error.contains(part)), "{command}: {error}");
        }
    }
}

#[test]
fn without_a_project_the_way_to_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = failure(&staysail(folder.path()).arg("dev").output().unwrap());
    assert!(error.contains("there is no staysail.toml") && error.contains("staysail init NAME"), "{error}");
}

#[test]
fn a_mode_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let error = failure(&staysail(folder.path()).arg("build").env("STAYSAIL_ENV", "prod").output().unwrap());
    assert!(error.contains("`debug` or `production`"), "{error}");
}

#[test]
fn a_missing_shell_is_named_with_the_way_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let output = staysail(folder.path()).arg("dev").env("STAYSAIL_SHELL", "/no/shell").output().unwrap();
    assert!(failure(&output).contains("STAYSAIL_SHELL names /no/shell, which does not exist"));
}

#[test]
fn doctor_reports_for_scripts_and_its_exit_code_says_whether_all_is_there() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let report = |shell: &str| {
        let output =
            staysail(folder.path()).args(["doctor", "--json"]).env("STAYSAIL_SHELL", shell).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["ok"].as_bool().unwrap(), output.status.success());
        report
    };
    let bad = report("/no/shell");
    assert_eq!((&bad["ok"], &bad["mode"]), (&false.into(), &"debug".into()));
    let checks = bad["checks"].as_array().unwrap();
    let named = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap().clone();
    assert_eq!(named("shell")["ok"], false);
    assert!(!named("shell")["fix"].as_str().unwrap().is_empty());
    assert_eq!(named("rustc")["ok"], true);
    assert_eq!(named("project")["ok"], true);
}

#[test]
fn version_names_everything_that_takes_part() {
    let folder = tempfile::tempdir().unwrap();
    let output = staysail(folder.path()).args(["version", "--json"]).output().unwrap();
    let versions: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&versions["staysail"], &versions["protocol"]),
        (&env!("CARGO_PKG_VERSION").into(), &1.into())
    );
    assert!(versions["rustc"].as_str().unwrap().starts_with("rustc 1."));
}
