//! The `staysail` command: everything a developer does with an app, from `init` to `publish`.
//!
//! | Way | Module |
//! |---|---|
//! | a new project | [`init`] |
//! | a save goes live | [`dev`], [`replay`] |
//! | tests, also in the window | [`testing`] |
//! | one executable to ship | [`build`], [`run`] |
//! | a signed release | [`keys`], [`publish`], [`rollout`], [`repo`] |
//! | what changes in a folder | [`watch`] |
//! | what the machine has | [`doctor`], [`version`] |
//!
//! **Invariant:** runs without a display and links no webview; windows belong to the shell, which is started as a
//! process of its own. Whatever a command started ends with it.

mod build;
mod bundle;
mod bundler;
mod cargo;
mod commands;
mod dev;
mod doctor;
mod init;
mod keys;
mod modules;
mod package_manager;
mod project;
mod publish;
mod replay;
mod repo;
mod rollout;
mod run;
mod shell_binary;
mod style;
mod testing;
mod types;
mod version;
mod watch;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    staysail_supervise::guardian_main();
    replay::hidden_main();
    match commands::run(commands::CommandLine::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{} {}", style::bad("error:"), said(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and what is behind it, each thing once: some errors say themselves what the system said.
fn said(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    #[test]
    fn what_the_system_said_is_said_once() {
        let source = std::io::Error::other("no room");
        let disk = staysail_update::Error::Disk { operation: "writing", path: "x".into(), source };
        let error = Err::<(), _>(disk).context("y was not made").unwrap_err();
        assert_eq!(super::said(&error), "y was not made: writing x: no room");
    }
}
