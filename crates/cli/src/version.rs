//! `staysail version`: the versions of everything that takes part.

use crate::doctor::webview;
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::process::{Command, ExitCode, Stdio};

/// Flags of `staysail version`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints them.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let protocol = staysail_protocol::PROTOCOL_VERSION;
    let rustc = first_line("rustc", &["--version"]);
    let (webview, commit) = (webview(), commit());
    if arguments.json {
        let value = json!({
            "staysail": env!("CARGO_PKG_VERSION"), "protocol": protocol, "rustc": rustc,
            "webview": webview, "target": staysail_update::TARGET, "commit": commit,
        });
        println!("{value}");
        return Ok(ExitCode::SUCCESS);
    }
    let commit = commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
    let missing = || "missing; run `staysail doctor`".to_owned();
    println!("staysail  {}{commit}", env!("CARGO_PKG_VERSION"));
    println!("protocol  {protocol}");
    println!("target    {}", staysail_update::TARGET);
    println!("rustc     {}", rustc.unwrap_or_else(missing));
    println!("webview   {}", webview.unwrap_or_else(missing));
    Ok(ExitCode::SUCCESS)
}

/// First line a program prints, when it runs and succeeds.
pub fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// The commit this was built from: named at build time, or that of the checkout.
fn commit() -> Option<String> {
    if let Some(commit) = option_env!("STAYSAIL_COMMIT") {
        return Some(commit.to_owned());
    }
    let root = crate::shell_binary::checkout()?;
    first_line("git", &["-C", root.to_str()?, "rev-parse", "--short", "HEAD"])
}
