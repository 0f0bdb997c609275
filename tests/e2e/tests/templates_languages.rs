//! The templates without a bundler, driven as the others are. And pages that were there before: `staysail init --here`.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use staysail_e2e::child;
use staysail_e2e::dev::EDIT;
use staysail_e2e::project::{COLD_BUILD, Project, staysail};
use staysail_e2e::stage::{Stage, cargo_target, play, repository};
use staysail_e2e::template::{Drive, SOON, drive, end, greet, init, install, live};
use std::time::Duration;

#[test]
fn typescript_without_a_bundler_is_compiled_at_each_save_and_the_page_loaded_with_its_state() {
    play("template-vanilla-ts", |stage| {
        let project = init(stage, "vanilla", "ts")?;
        install(stage, &project)?;
        drive(
            stage,
            &project,
            &Drive {
                file: "frontend/public/index.html",
                hot: false,
                mistake: ("frontend/src/main.ts", "const = ;\n"),
                overlay: "staysail-overlay",
                backend_overlay: "staysail-overlay",
            },
        )?;
        let (dev, page) = live(stage, &project)?;
        greet(&page, "Ahoy")?;
        project.edit("frontend/src/words.ts", "1 greeting", "One greeting")?;
        page.wait_for(
            "the compiled edit",
            "return fetch('/js/words.js').then(answer => answer.text()).then(text => text.includes('One greeting'))",
            EDIT,
        )?;
        drop(page);
        end(stage, &project, dev)
    });
}

#[test]
fn javascript_without_a_bundler_needs_no_packages() {
    play("template-vanilla-js", |stage| {
        let project = init(stage, "vanilla", "js")?;
        ensure!(!project.file("frontend/package.json").exists(), "there are packages");
        drive(
            stage,
            &project,
            &Drive {
                file: "frontend/index.html",
                hot: false,
                mistake: ("frontend/main.js", "const = ;\n"),
                overlay: "staysail-overlay",
                backend_overlay: "staysail-overlay",
            },
        )?;
        let mut tests = stage.command("cargo".as_ref());
        tests
            .args(["test", "--workspace"])
            .current_dir(&project.root)
            .env("CARGO_TARGET_DIR", cargo_target());
        child::run("cargo test", tests, COLD_BUILD).map(drop)
    });
}

const PAGE: &str = r##"<!doctype html>
<html>
  <head><title>Shop</title><link rel="stylesheet" href="/style.css" /><script type="module" src="/main.js"></script></head>
  <body><form id="greet"><button id="sail">Greet</button></form><p id="answer"></p></body>
</html>
"##;
const SCRIPT: &str = r##"import { invoke } from "FROM";
document.querySelector("#greet").addEventListener("submit", async (event) => {
  event.preventDefault();
  document.querySelector("#answer").textContent = await invoke("greet", { name: "Ada" });
});
"##;

/// A page somebody has: its files, what its package.json says, and from where its script gets the way to the backend.
struct Before {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    scripts: Value,
    /// The template that names the versions of these packages.
    template: &'static str,
    packages: &'static [&'static str],
    script: &'static str,
    from: &'static str,
    style: &'static str,
}

/// Makes the page, adds Staysail to it, and does what the command then says is to be done.
fn add(stage: &Stage, before: &Before) -> anyhow::Result<Project> {
    let project = Project { root: stage.folder.path().join(before.name) };
    let data = cargo_target().join(format!("apps/com.example.{}", before.name));
    if data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    let port = staysail_e2e::free_port()?.to_string();
    let script = SCRIPT.replace("FROM", before.from);
    let style = ":root { --accent: #0f766e }\n";
    for (path, text) in before.files.iter().chain(&[(before.script, script.as_str()), (before.style, style)])
    {
        std::fs::create_dir_all(project.file(path).parent().context("no folder")?)?;
        project.write(path, &text.replace("PORT", &port))?;
    }
    if !before.packages.is_empty() {
        let template =
            repository().join("templates").join(before.template).join("frontend/package.json.template");
        let template: Value = serde_json::from_str(&std::fs::read_to_string(template)?)?;
        let versions = before.packages.iter().map(|name| (*name, template["devDependencies"][name].clone()));
        let versions: std::collections::BTreeMap<_, _> = versions.collect();
        let package = json!({ "name": before.name, "private": true, "type": "module", "scripts": before.scripts, "devDependencies": versions });
        project.write("package.json", &package.to_string())?;
    }
    let mut command = staysail(stage, &["init", "--here", "--yes"])?;
    command.current_dir(&project.root);
    let said = child::run("staysail init --here", command, SOON)?;
    std::fs::copy(repository().join("Cargo.lock"), project.file("Cargo.lock"))?;
    if let Some(add) = said.lines().map(str::trim).find(|line| line.starts_with("npm install ")) {
        let mut command = stage.command("sh".as_ref());
        command
            .args(["-c", &format!("{add} --prefer-offline --no-audit --no-fund")])
            .current_dir(&project.root);
        child::run(add, command, COLD_BUILD)?;
    }
    Ok(project)
}

#[test]
fn pages_that_were_there_before_open_in_a_window_with_a_backend_and_their_own_exchange() {
    let pages = [
        Before {
            name: "here-static",
            files: &[("public/index.html", PAGE)],
            scripts: Value::Null,
            template: "",
            packages: &[],
            script: "public/main.js",
            from: "/__staysail/api.js",
            style: "public/style.css",
        },
        Before {
            name: "here-vite",
            files: &[
                ("index.html", PAGE),
                ("vite.config.js", "export default { server: { port: PORT, strictPort: true } };\n"),
            ],
            scripts: json!({ "dev": "vite", "build": "vite build" }),
            template: "vite-js",
            packages: &["vite"],
            script: "main.js",
            from: "@staysail/api",
            style: "style.css",
        },
        Before {
            name: "here-webpack",
            files: &[
                ("public/index.html", PAGE),
                (
                    "webpack.config.js",
                    "export default { entry: './src/main.js', devtool: 'source-map', devServer: { port: PORT, static: 'public' } };\n",
                ),
            ],
            scripts: json!({ "start": "webpack serve --mode development", "build": "webpack --mode production" }),
            template: "webpack-js",
            packages: &["webpack", "webpack-cli", "webpack-dev-server"],
            script: "src/main.js",
            from: "@staysail/api",
            style: "public/style.css",
        },
    ];
    for before in &pages {
        play(before.name, |stage| {
            let project = add(stage, before)?;
            let (mut dev, page) = live(stage, &project)?;
            greet(&page, "Hello, Ada!")?;
            let live = "return getComputedStyle(document.documentElement).getPropertyValue('--accent').trim() === '#010203'";
            if before.packages.is_empty() {
                project.edit(before.style, "#0f766e", "#010203")?;
                page.wait_for("the edited style", live, EDIT)?;
            } else {
                // A bundler that Staysail has no part in tells nobody of a save before its socket is open.
                let mut saves = 0;
                staysail_e2e::wait_until("the edited style", EDIT, || {
                    saves += 1;
                    let style = format!(":root {{ --accent: #010203 }} /* {saves} */\n");
                    let saved = project.write(before.style, &style);
                    saved
                        .and_then(|()| page.wait_for("it", live, Duration::from_secs(3)))
                        .map_err(|error| format!("{error:#}"))
                })?;
            }
            stage.screenshot("page-edited");
            let from = dev.position();
            project.edit("backend/core/src/lib.rs", "Hello, {name}!", "Ahoy, {name}!")?;
            dev.wait("swap_done", from, EDIT)?;
            greet(&page, "Ahoy, Ada!")?;
            drop(page);
            end(stage, &project, dev)
        });
    }
}
