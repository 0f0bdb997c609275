//! `staysail init` as people and scripts meet it: the templates, folders and repositories as templates, and words for
//! what can not be made.

#[path = "support/failure.rs"]
mod failure;
mod support;

use failure::failure;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{project, staysail};

const TEMPLATES: [&str; 6] = ["vanilla", "vite", "react", "vue", "svelte", "webpack"];

fn made(folder: &Path, arguments: &[&str]) -> PathBuf {
    let output = staysail(folder).arg("init").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let name = arguments[0];
    assert!(said.contains(&format!("cd {name}\n  staysail dev")), "{said}");
    folder.join(name)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_template_becomes_a_project_in_either_language() {
    let folder = tempfile::tempdir().unwrap();
    for template in TEMPLATES {
        for language in ["js", "ts"] {
            let name = format!("{template}-{language}");
            let arguments = [&name, "--template", template, "--language", language, "--title", "Notes!"];
            let project = made(folder.path(), &arguments);
            for file in ["staysail.toml", "Cargo.toml", ".gitignore", "README.md", "frontend", "backend"] {
                assert!(project.join(file).exists(), "{name}: {file} is missing");
            }
            assert!(read(&project.join("staysail.toml")).contains("name = \"Notes!\""));
            let launch: serde_json::Value =
                serde_json::from_str(&read(&project.join(".vscode/launch.json"))).unwrap();
            let attach = &launch["configurations"][0];
            assert_eq!((&attach["type"], &attach["request"]), (&"lldb".into(), &"attach".into()));
            let program = format!("${{workspaceFolder}}/target/staysail/debug/{name}");
            assert_eq!(attach["program"], program, "not where the backend is built");
            let walk = ignore::WalkBuilder::new(&project).standard_filters(false).build();
            for entry in walk.flatten().filter(|entry| entry.path().is_file()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                assert!(!name.ends_with(".template") && name != "_gitignore", "{name} kept its disguise");
                assert_ne!(name, "template.toml", "{}", entry.path().display());
            }
            let manifest = project.join("frontend/package.json");
            if template == "vanilla" && language == "js" {
                assert!(!manifest.exists());
                continue;
            }
            let manifest: serde_json::Value = serde_json::from_str(&read(&manifest)).unwrap();
            for script in ["dev", "build", "test"] {
                assert!(manifest["scripts"][script].is_string(), "{name} has no script {script}");
            }
            let api = &manifest["dependencies"]["@staysail/api"];
            let api = api.as_str().or(manifest["devDependencies"]["@staysail/api"].as_str()).unwrap();
            let place = api.strip_prefix("file:").unwrap_or_else(|| panic!("{name}: {api} needs a registry"));
            assert!(Path::new(place).join("dist/index.js").is_file(), "{name}: nothing at {place}");
        }
    }
}

#[test]
fn a_template_may_be_named_with_its_language() {
    let folder = tempfile::tempdir().unwrap();
    let project = made(folder.path(), &["hello", "--template", "svelte-ts"]);
    assert!(project.join("frontend/src/state.svelte.ts").is_file());
    let error = staysail(folder.path())
        .args(["init", "other", "--template", "svelte-ts", "--language", "js"])
        .output()
        .unwrap();
    assert!(failure(&error).contains("already says another language"));
}

#[test]
fn the_list_names_every_template_and_an_unknown_one_is_answered_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let output = staysail(folder.path()).args(["init", "--list"]).output().unwrap();
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    for template in TEMPLATES {
        assert_eq!(list.lines().filter(|line| line.starts_with(template)).count(), 2, "{template}: {list}");
    }
    let output = staysail(folder.path()).args(["init", "hello", "--template", "reakt"]).output().unwrap();
    let error = failure(&output);
    assert!(error.contains("Did you mean \"react\"?") && error.contains("nothing was written"), "{error}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn a_folder_is_a_template_its_placeholders_filled_in_and_its_links_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join("mine").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("template.toml", "title = \"Mine\"\n[base]\n_backend = \"\"\n[values]\ncolour = \"teal\"\n");
    write("staysail.toml", "[app]\nid = \"{{id}}\"\n");
    write("frontend/index.html", "<p>{{colour}} {{ other }} {{unknown}}</p>");
    write("node_modules/x/index.js", "");
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("mine/link")).unwrap();
    let project = made(folder.path(), &["hello", "--template", "./mine"]);
    assert_eq!(read(&project.join("frontend/index.html")), "<p>teal {{ other }} {{unknown}}</p>");
    assert!(read(&project.join("staysail.toml")).contains("com.example.hello"));
    assert!(project.join("backend/core/src/lib.rs").is_file(), "the base is missing");
    for absent in ["node_modules", "link", "template.toml"] {
        assert!(!project.join(absent).exists(), "{absent}");
    }
    let output = staysail(folder.path()).args(["init", "x", "--template", "./none"]).output().unwrap();
    assert!(failure(&output).contains("does not exist"));
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let output = staysail(folder.path()).args(["init", "x", "--template", "./empty"]).output().unwrap();
    assert!(failure(&output).contains("neither a template nor a project"));
}

#[test]
fn a_git_repository_is_a_template_at_the_branch_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("mine");
    std::fs::create_dir(&repository).unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=x", "-c", "user.email=x@example.com"]).args(arguments);
        let output = command.current_dir(&repository).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    git(&["init", "--quiet", "--initial-branch", "main"]);
    for branch in ["main", "other"] {
        if branch == "other" {
            git(&["checkout", "--quiet", "-b", "other"]);
        }
        std::fs::write(repository.join("staysail.toml"), format!("[app]\nid = \"com.example.{branch}\"\n"))
            .unwrap();
        git(&["add", "-A"]);
        git(&["commit", "--quiet", "-m", branch]);
    }
    git(&["checkout", "--quiet", "main"]);
    let url = format!("file://{}", repository.display());
    for (name, address, branch) in [("one", url.clone(), "main"), ("two", format!("{url}#other"), "other")] {
        let project = made(folder.path(), &[name, "--template", &address]);
        assert!(read(&project.join("staysail.toml")).contains(&format!("com.example.{branch}")));
        assert!(!project.join(".git").exists(), "the template's history came along");
    }
    let none = format!("file://{}", folder.path().join("none").display());
    let output = staysail(folder.path()).args(["init", "three", "--template", &none]).output().unwrap();
    let error = failure(&output);
    assert!(error.contains("could not be fetched") && error.contains("Nothing was written"), "{error}");
    assert!(!folder.path().join("three").exists());
}

/// All files below a folder, with their contents.
fn all(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let walk = ignore::WalkBuilder::new(folder).standard_filters(false).build();
    let files = walk.flatten().filter(|entry| entry.path().is_file());
    let mut all: Vec<_> =
        files.map(|entry| (entry.path().to_path_buf(), std::fs::read(entry.path()).unwrap())).collect();
    all.sort();
    all
}

fn vite(folder: &Path) {
    let package = r#"{"name": "@me/My Shop", "scripts": {"dev": "vite", "build": "vite build"}, "devDependencies": {"vite": "8"}}"#;
    std::fs::write(folder.join("package.json"), package).unwrap();
    std::fs::write(folder.join("vite.config.js"), "export default { server: { port: 3456 } }").unwrap();
    std::fs::write(folder.join("pnpm-lock.yaml"), "").unwrap();
    std::fs::write(folder.join(".gitignore"), "dist\ntarget").unwrap();
}

#[test]
fn staysail_is_added_to_a_page_that_is_there_and_nothing_of_it_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    vite(folder.path());
    let before = all(folder.path());
    let output = staysail(folder.path()).args(["init", "--here", "--dry-run"]).output().unwrap();
    let plan = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in
        ["a Vite project", "pnpm (pnpm-lock.yaml)", "http://localhost:3456", "staysail.toml", "/keys/*.key"]
    {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    let asked = staysail(folder.path()).args(["init", "--here"]).output().unwrap();
    assert!(failure(&asked).contains("Add --yes"));
    assert_eq!(all(folder.path()), before, "something was written without leave");

    let output = staysail(folder.path()).args(["init", "--here", "--yes"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let settings = read(&folder.path().join("staysail.toml"));
    for part in ["com.example.my-shop", "url = \"http://localhost:3456\"", "command = \"pnpm run dev\""] {
        assert!(settings.contains(part), "{part}: {settings}");
    }
    assert!(read(&folder.path().join("backend/app/Cargo.toml")).contains("name = \"my-shop\""));
    assert_eq!(
        read(&folder.path().join(".gitignore")),
        "dist\ntarget\n/build\n/keys/*.key\n/staysail.d.ts\n"
    );
    for (path, content) in before.iter().filter(|(path, _)| !path.ends_with(".gitignore")) {
        assert_eq!(std::fs::read(path).unwrap(), *content, "{} was changed", path.display());
    }
    let again = staysail(folder.path()).args(["init", "--here", "--yes"]).output().unwrap();
    assert!(failure(&again).contains("staysail.toml already"));
}

#[test]
fn what_is_there_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    std::fs::remove_file(folder.path().join("staysail.toml")).unwrap();
    let before = all(folder.path());
    let error = failure(&staysail(folder.path()).args(["init", "--here", "--yes"]).output().unwrap());
    assert!(error.contains("Cargo.toml") && error.contains("Nothing was written"), "{error}");
    assert_eq!(all(folder.path()), before);
}
