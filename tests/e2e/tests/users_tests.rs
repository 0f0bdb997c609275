//! `staysail test`: what a user's tests are told, and what is left of them.

use anyhow::ensure;
use staysail_e2e::child;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::{Stage, cargo_target, play};
use staysail_e2e::template::{SOON, init};

/// Runs `staysail test` as on a machine without a display, and without leave for drivers in the environment.
fn test(stage: &Stage, project: &Project, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    let mut all = vec!["test"];
    all.extend(arguments);
    let mut command = project.staysail(stage, &all)?;
    command.env_remove("DISPLAY").env_remove("STAYSAIL_AUTOMATION");
    let (status, output) = child::run_to_end("staysail test", command, COLD_BUILD)?;
    Ok((status.success(), output))
}

#[test]
fn a_new_projects_tests_pass_in_its_window_and_a_failed_one_says_why_and_leaves_a_picture() {
    play("users_tests", |stage| {
        let project = init(stage, "vanilla", "js")?;
        let (well, output) = test(stage, &project, &[])?;
        ensure!(well && output.contains("2 passed"), "the backend's tests:\n{output}");
        ensure!(output.contains("✔ who gives a name is greeted, and the greeting is counted"), "{output}");
        stage.wait_nothing_left(SOON)?;

        let picture =
            cargo_target().join("test-pictures/who-gives-a-name-is-greeted-and-the-greeting-is-counted.png");
        if picture.exists() {
            std::fs::remove_file(&picture)?;
        }
        project.edit("tests/window.test.mjs", "openApp(t)", "openApp(t, { timeout: 1500 })")?;
        project.edit("tests/window.test.mjs", "waitForText(\"Ada\")", "waitForText(\"Ahoy, Bob\")")?;
        let (well, output) = test(stage, &project, &["--window"])?;
        ensure!(
            !well && output.contains("waiting for the text \"Ahoy, Bob\": not within 1500 ms"),
            "{output}"
        );
        ensure!(!output.contains("2 passed"), "only the window's tests were asked for:\n{output}");
        let bytes = std::fs::read(&picture)?;
        ensure!(bytes.starts_with(b"\x89PNG"), "{} is no picture", picture.display());
        ensure!(output.contains(&picture.display().to_string()), "the picture is not named:\n{output}");
        stage.wait_nothing_left(SOON)?;

        // What rustc says is what the test says.
        project.edit("backend/core/src/lib.rs", "Hello, ", "Hello, {nobody}, ")?;
        let (well, output) = test(stage, &project, &["--window"])?;
        ensure!(!well && output.contains("the app did not start") && output.contains("nobody"), "{output}");
        stage.wait_nothing_left(SOON)
    });
}

#[test]
fn what_is_missing_is_named_before_anything_runs() {
    play("users_tests_missing", |stage| {
        let project = init(stage, "vanilla", "js")?;
        let with_path = |path: &str| -> anyhow::Result<String> {
            let mut command = project.staysail(stage, &["test", "--window"])?;
            command.env("PATH", path).env_remove("DISPLAY");
            let (status, output) = child::run_to_end("staysail test", command, SOON)?;
            ensure!(!status.success(), "{output}");
            Ok(output)
        };
        let empty = stage.folder.path().join("nothing");
        std::fs::create_dir(&empty)?;
        let output = with_path(&empty.display().to_string())?;
        ensure!(output.contains("node could not be started") && output.contains("nodejs.org"), "{output}");
        let program = |name: &str, to: &str| -> anyhow::Result<()> {
            Ok(std::os::unix::fs::symlink(to, empty.join(name))?)
        };
        program("node", &child::run("which", which("node"), SOON)?)?;
        let output = with_path(&empty.display().to_string())?;
        ensure!(
            output.contains("WebKitWebDriver is not installed") && output.contains("webkit2gtk-driver"),
            "{output}"
        );
        program("WebKitWebDriver", "/bin/true")?;
        let output = with_path(&empty.display().to_string())?;
        ensure!(output.contains("Xvfb") && output.contains("--headed"), "{output}");
        std::fs::remove_file(project.file("tests/window.test.mjs"))?;
        let output = with_path(&empty.display().to_string())?;
        ensure!(output.contains("there are no window tests"), "{output}");
        Ok(())
    });
}

fn which(program: &str) -> std::process::Command {
    let mut command = std::process::Command::new("which");
    command.arg(program);
    command
}
