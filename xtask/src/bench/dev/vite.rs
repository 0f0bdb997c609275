//! A page that Vite builds: its hot module replacement in Staysail's window, and in WebKitGTK's own small browser.

use super::projects::{change, made};
use super::{REST, milliseconds, wait_for};
use crate::bench::apps::{Apps, COLD_BUILD_LIMIT, Running, STEP_LIMIT, succeed};
use crate::program::Program;
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// A module that takes its own replacement and says that it ran. Both ways it says so through Vite's server.
const MARKER: &str = r#"const MARKER = "page-0";

fetch(`/__bench?kind=script&marker=${MARKER}`).catch(console.error);
import.meta.hot?.accept();
"#;
const CONFIG: &str = r#"import { connect } from "node:net";
import staysail from "@staysail/vite-plugin";
import { defineConfig } from "vite";

const bench = {
  name: "bench",
  configureServer(server) {
    server.middlewares.use("/__bench", (request, response) => {
      const line = JSON.stringify(Object.fromEntries(new URL(request.url, "http://localhost").searchParams));
      const [host, port] = process.env.BENCH_COLLECTOR.split(":");
      const socket = connect(Number(port), host, () => socket.end(line));
      response.end();
    });
  },
};

export default defineConfig({ plugins: process.env.BENCH_ALONE ? [bench] : [staysail(), bench] });
"#;

/// Times from save to the module's replacement: through Staysail, and of Vite alone where the browser is there.
pub fn measure(apps: &Apps, runs: usize) -> anyhow::Result<[Vec<f64>; 2]> {
    let folder = made(apps, "hellovite", "vite")?;
    let frontend = folder.join("frontend");
    fs::write(frontend.join("vite.config.js"), CONFIG)?;
    fs::write(frontend.join("src/marker.js"), MARKER)?;
    let script = "<script type=\"module\" src=\"/src/main.js\"></script>";
    let ours = "<script type=\"module\" src=\"/src/marker.js\"></script>";
    change(&frontend.join("index.html"), script, &format!("{script}\n    {ours}"))?;
    println!("Vite: installing its packages");
    let mut npm = apps.around(Command::new("npm"), &frontend);
    succeed(npm.args(["install", "--no-audit", "--no-fund"]))?;

    let mut command = apps.around(apps.tool("staysail"), &folder);
    command.args(["dev", "--json"]).env("STAYSAIL_TARGET_DIR", apps.work("hellovite-target"));
    let mut app = apps.start("staysail dev", command, "idle")?;
    app.reports.event("script", COLD_BUILD_LIMIT)?;
    let through = edits(&mut app, &frontend.join("src/marker.js"), runs)?;
    app.program.stop();
    println!("Ours: Vite's page {:?} ms", super::median(&through));

    let Some(browser) = browser() else { return Ok([through, Vec::new()]) };
    fs::write(frontend.join("src/marker.js"), MARKER)?;
    let mut command = apps.around(Command::new("npx"), &frontend);
    let port = free_port()?;
    command.args(["vite", "--strictPort", "--port", &port.to_string()]).env("BENCH_ALONE", "1");
    let mut app = apps.start("Vite", command, "idle")?;
    app.program.lines.until("its address", STEP_LIMIT, |heard| heard.text.contains("Local").then_some(()))?;
    let mut command = apps.around(Command::new(browser), &folder);
    command.arg(format!("http://localhost:{port}/"));
    let mut window = Program::start("WebKitGTK's browser", &mut command)?;
    app.reports.event("script", STEP_LIMIT)?;
    let alone = edits(&mut app, &frontend.join("src/marker.js"), runs)?;
    window.stop();
    app.program.stop();
    println!("Vite alone: page {:?} ms", super::median(&alone));
    Ok([through, alone])
}

fn edits(app: &mut Running, file: &Path, runs: usize) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for run in 1..=runs {
        std::thread::sleep(REST);
        let marker = format!("page-{run}");
        let saved = Instant::now();
        change(file, &format!("\"page-{}\"", run - 1), &format!("\"{marker}\""))?;
        times.push(milliseconds(wait_for(app, "script", &marker)? - saved));
    }
    Ok(times)
}

/// The small browser that comes with WebKitGTK: the webview that Staysail's window has, and nothing else.
fn browser() -> Option<PathBuf> {
    let mut folders = vec![PathBuf::from("/usr/libexec"), PathBuf::from("/usr/lib")];
    folders.extend(fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path()));
    folders.into_iter().map(|folder| folder.join("webkit2gtk-4.1/MiniBrowser")).find(|path| path.is_file())
}

/// A port of the loopback that nobody uses now.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?.port())
}
