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
            eprintln!("{} {error:#}", style::bad("error:"));
            ExitCode::FAILURE
        }
    }
}
