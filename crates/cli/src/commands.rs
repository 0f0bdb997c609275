//! The command line: names, flags and help of every command, and which module does it.

use crate::project::{Mode, Project};
use crate::{build, bundle, dev, doctor, init, keys, publish, repo, rollout, run, testing, version, watch};
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Desktop apps that update like web pages, while they run.
#[derive(Debug, Parser)]
#[command(name = "staysail", version, about, max_term_width = 100)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new project.
    Init(init::Arguments),
    /// Run the app from its sources; what you save goes live in the open window.
    #[command(visible_alias = "serve")]
    Dev(dev::Arguments),
    /// Run the backend's tests, then those of the app in its real window.
    Test(testing::Arguments),
    /// Make the one executable to ship, under build/.
    Build(build::Arguments),
    /// Build if something changed, then start the built app.
    Run(run::Arguments),
    /// Make, exchange and renew the keys that sign releases.
    Keys(keys::KeysArgs),
    /// Publish a release, signed and with deltas from those before.
    Publish(Publish),
    /// Show or change how many get a release that was published with --rollout.
    Rollout(rollout::RolloutArgs),
    /// Check what is published as an app would, or sign it anew.
    Repo(repo::RepoArgs),
    /// Make one file of the newest release, for machines without network.
    Bundle(bundle::BundleArgs),
    /// Tell what changes in folders, or run a command each time.
    Watch(watch::Arguments),
    /// Check that this machine has everything an app needs.
    Doctor(doctor::Arguments),
    /// Show the versions of Staysail and of what it uses.
    Version(version::Arguments),
}

#[derive(Debug, Args)]
struct Publish {
    #[command(flatten)]
    project: ProjectArguments,
    #[command(flatten)]
    publish: publish::PublishArgs,
}

/// Where the project is.
#[derive(Debug, Clone, Default, Args)]
pub struct ProjectArguments {
    /// The project's folder [default: the nearest one with a staysail.toml, from here upwards].
    #[arg(long, short = 'C', value_name = "FOLDER", global = true)]
    pub project: Option<PathBuf>,
}

impl ProjectArguments {
    /// Loads the project named, or the one around the current folder.
    pub fn load(&self, mode: Mode) -> Result<Project> {
        Ok(Project::find(self.project.as_deref(), mode)?)
    }
}

/// Does what the command line asks for.
pub fn run(line: CommandLine) -> Result<ExitCode> {
    match line.command {
        Command::Init(arguments) => init::run(arguments),
        Command::Dev(arguments) => dev::run(arguments),
        Command::Test(arguments) => testing::run(arguments),
        Command::Build(arguments) => build::run(arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Keys(arguments) => keys::run(arguments).map(|()| ExitCode::SUCCESS),
        Command::Publish(Publish { project, publish }) => {
            let project = project.load(Mode::Production)?;
            publish::run(publish, project.trust_root(), || build::release(&project))
                .map(|_| ExitCode::SUCCESS)
        }
        Command::Rollout(arguments) => rollout::run(arguments).map(|()| ExitCode::SUCCESS),
        Command::Repo(arguments) => repo::run(arguments),
        Command::Bundle(arguments) => bundle::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Watch(arguments) => watch::run(arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Version(arguments) => version::run(&arguments),
    }
}
