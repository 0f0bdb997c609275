//! `staysail keys init`.

use super::{AlgorithmName, FolderArgs, new_passphrase};
use clap::Args;
use staysail_update::publisher::keys::Plan;
use staysail_update::publisher::{Keys, Role};

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Leave the private keys unencrypted.
    #[arg(long, conflicts_with = "passphrase_file")]
    unencrypted: bool,
    /// Keys of a role and how many must sign: ROLE=NEEDED/KEYS, as in root=2/3; one of one otherwise.
    #[arg(long, value_name = "ROLE=NEEDED/KEYS", value_parser = threshold)]
    threshold: Vec<(Role, (usize, usize))>,
    /// Kind of keys.
    #[arg(long, value_enum, default_value_t)]
    algorithm: AlgorithmName,
}

fn threshold(text: &str) -> Result<(Role, (usize, usize)), String> {
    let wanted = || format!("{text:?} is not like root=2/3");
    let (role, numbers) = text.split_once('=').ok_or_else(wanted)?;
    let (needed, keys) = numbers.split_once('/').ok_or_else(wanted)?;
    let role = Role::ALL.into_iter().find(|known| known.name() == role).ok_or_else(wanted)?;
    let number = |text: &str| text.parse::<usize>().ok().filter(|number| (1..=100).contains(number));
    Ok((role, (number(keys).ok_or_else(wanted)?, number(needed).ok_or_else(wanted)?)))
}

pub(super) fn init(arguments: &InitArgs) -> anyhow::Result<()> {
    let passphrase = new_passphrase(&arguments.folder.passphrase, arguments.unencrypted)?;
    let plan =
        Plan { roles: arguments.threshold.iter().copied().collect(), algorithm: arguments.algorithm.into() };
    let folder = &arguments.folder.keys;
    Keys::create_with(folder, &plan, passphrase.as_deref(), jiff::Timestamp::now())?;
    let folder = folder.display();
    println!("Made the keys of this app in {folder}:");
    println!("  root.json                    public: build it into the app, keep it in version control");
    for found in Keys::at(&arguments.folder.keys).found()? {
        println!("  {}", found.path.file_name().unwrap_or_default().to_string_lossy());
    }
    println!("root*.key signs who may publish, targets*.key what is published: keep them offline.");
    println!("snapshot*.key and timestamp*.key sign what is newest: they may lie where you release.");
    println!("Back them up now: an app that is installed can only be updated with these keys.");
    println!("Next, in staysail.toml, so that built apps look for releases and can verify them:");
    println!("  [update]");
    println!("  url = \"https://updates.example.com\"");
    println!("  root = \"{folder}/root.json\"");
    println!("Then `staysail publish --to FOLDER`, and serve that folder: `staysail-server --repo FOLDER`.");
    Ok(())
}
