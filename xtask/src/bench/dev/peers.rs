//! Other tools for apps whose pages are drawn by the same webview, measured where their commands are installed.

use super::vite::free_port;
use super::{Numbers, Subject, edits, emptied};
use crate::bench::apps::{Apps, succeed};
use std::process::{Command, Stdio};

/// Such a tool.
struct Peer {
    /// Its name in the results.
    name: &'static str,
    title: &'static str,
    /// Commands it needs, and a part of what each answers: other programs have the same short names.
    commands: &'static [(&'static [&'static str], &'static str)],
    /// How they are installed.
    remedy: &'static str,
    prepare: fn(&Apps) -> anyhow::Result<Subject>,
}

const PEERS: [Peer; 2] = [
    Peer {
        name: "dioxus",
        title: "Dioxus",
        commands: &[(&["dx", "--version"], "dioxus")],
        remedy: "install libxdo-dev, then: cargo install dioxus-cli --locked",
        prepare: dioxus,
    },
    Peer {
        name: "wails2",
        title: "Wails",
        commands: &[(&["go", "version"], "go version"), (&["wails", "version"], "v2.")],
        remedy: "install Go, then: go install github.com/wailsapp/wails/v2/cmd/wails@latest",
        prepare: wails,
    },
];

/// Measures those that are there, by the names they have in the results. What another project's tool fails at is said,
/// and costs ours nothing.
pub fn measure(apps: &Apps, runs: usize) -> Vec<(&'static str, Numbers)> {
    let mut measured = Vec::new();
    for peer in PEERS {
        if let Some((missing, _)) = peer.commands.iter().find(|(command, part)| !answers(command, part)) {
            println!(
                "{}: left out, there is no `{}` here. To have it: {}",
                peer.title, missing[0], peer.remedy
            );
            continue;
        }
        match (peer.prepare)(apps).and_then(|subject| edits(apps, subject, runs, true)) {
            Ok(numbers) => measured.push((peer.name, numbers)),
            Err(error) => println!("{}: left out, it could not be measured: {error:#}", peer.title),
        }
    }
    measured
}

/// Whether the command is there and its answer holds that text.
fn answers(command: &[&str], part: &str) -> bool {
    let output = Command::new(command[0]).args(&command[1..]).stdin(Stdio::null()).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(part))
}

/// `dx serve --hot-patch`: functions are exchanged inside the running process.
fn dioxus(apps: &Apps) -> anyhow::Result<Subject> {
    apps.copy("benches/peers/dioxus", "dioxus", None)?;
    let folder = apps.work("dioxus");
    println!("Dioxus: fetching its crates");
    succeed(Command::new("cargo").args(["fetch", "--locked"]).current_dir(&folder))?;
    let mut command = apps.around(Command::new("dx"), &folder);
    command
        .args(["serve", "--hot-patch", "--platform", "desktop", "--interactive", "false"])
        .args(["--port", &free_port()?.to_string()])
        .env("CARGO_TARGET_DIR", emptied(apps.work("dioxus-target"))?)
        .env("TELEMETRY", "false");
    let main = folder.join("src/main.rs");
    Ok(Subject { name: "Dioxus", command, backend: main.clone(), page: main, explains: false })
}

/// `wails dev`: builds anew and starts the app again, as Tauri does.
fn wails(apps: &Apps) -> anyhow::Result<Subject> {
    apps.copy("benches/peers/wails", "wails", Some("frontend"))?;
    let folder = apps.work("wails");
    println!("Wails: fetching its modules");
    succeed(Command::new("go").args(["mod", "tidy"]).current_dir(&folder))?;
    let mut command = apps.around(Command::new("wails"), &folder);
    command
        // WebKitGTK 4.1, which the others use; there is no frontend to build.
        .args(["dev", "-tags", "webkit2_41", "-s"])
        .args(["-devserver", &format!("localhost:{}", free_port()?)])
        .env("GOCACHE", emptied(apps.work("wails-target"))?);
    let page = folder.join("frontend/measure.js");
    Ok(Subject { name: "Wails", command, backend: folder.join("app.go"), page, explains: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_counts_when_it_is_there_and_is_the_one_that_is_meant() {
        assert!(answers(&["sh", "-c", "echo dioxus 0.7.10"], "dioxus"));
        assert!(!answers(&["sh", "-c", "echo dx v0.395.0"], "dioxus"));
        assert!(!answers(&["no-such-command-of-any-peer", "--version"], ""));
    }
}
