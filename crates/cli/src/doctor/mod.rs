//! `staysail doctor`: every requirement, its version, and how to fix it.

mod checks;

pub use checks::webview;

use crate::commands::ProjectArguments;
use crate::style;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;

/// Flags of `staysail doctor`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// One requirement and what was found.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What is required.
    pub name: &'static str,
    /// Whether it is there and good.
    pub ok: bool,
    /// Without it nothing works; otherwise only something does not.
    pub required: bool,
    /// What was found.
    pub found: String,
    /// How to fix it; empty when nothing is wrong.
    pub fix: String,
}

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    mode: Option<&'static str>,
    checks: &'a [Check],
}

/// Checks everything; exit code 1 when something required is missing.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (checks, mode) = checks::all(arguments.project.project.as_deref());
    let ok = checks.iter().all(|check| check.ok || !check.required);
    if arguments.json {
        println!("{}", serde_json::to_string(&Report { ok, mode, checks: &checks })?);
    } else {
        for check in &checks {
            let mark = match (check.ok, check.required) {
                (true, _) => style::good("✓"),
                (false, true) => style::bad("✗"),
                (false, false) => style::warn("!"),
            };
            println!("{mark} {:<14} {}", check.name, check.found);
            for line in check.fix.lines() {
                println!("    {line}");
            }
        }
        println!();
        match ok {
            true => println!("Everything that is required is there."),
            false => println!("Something required is missing; see the lines marked ✗."),
        }
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
