//! Reads and writes repositories with tough.
//!
//! ```text
//! tough-interop read FOLDER ROOT TARGET...   prints each target's content as hexadecimal, one line each
//! tough-interop write FOLDER                 writes a repository with targets at the top and in a delegated role
//! ```

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use std::collections::HashMap;
use std::error::Error;
use std::num::NonZeroU64;
use std::path::Path;
use tough::editor::RepositoryEditor;
use tough::editor::signed::{PathExists, SignedRole};
use tough::key_source::{KeySource, LocalKeySource};
use tough::schema::{KeyHolder, PathPattern, PathSet, RoleKeys, RoleType, Root};
use tough::{IntoVec, RepositoryLoader, TargetName};
use url::Url;

type Done = Result<(), Box<dyn Error>>;

const FIRST: NonZeroU64 = NonZeroU64::MIN;

async fn read(folder: &Path, root: &Path, names: &[String]) -> Done {
    let folder = folder.canonicalize()?;
    let below = |name: &str| Url::from_directory_path(folder.join(name)).map_err(|()| "no absolute path");
    let root = std::fs::read(root)?;
    let repository = RepositoryLoader::new(&root, below("metadata")?, below("targets")?).load().await?;
    for name in names {
        let target = repository.read_target(&TargetName::new(name)?).await?;
        let target = target.ok_or_else(|| format!("no role names {name}"))?;
        println!("{}", hex::encode(target.into_vec().await?));
    }
    Ok(())
}

/// A new key in a file, which is where tough takes keys from.
fn key(folder: &Path, name: &str) -> Result<Box<dyn KeySource>, Box<dyn Error>> {
    let path = folder.join(name);
    std::fs::write(&path, Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())?)?;
    Ok(Box::new(LocalKeySource { path }))
}

async fn write(folder: &Path) -> Done {
    let own = folder.join("own");
    let source = own.join("source");
    for folder in [&folder.join("metadata"), &folder.join("targets"), &source] {
        std::fs::create_dir_all(folder)?;
    }
    let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 30);
    let expires = jiff::Timestamp::from_second(expires.as_second())?;
    let keys = [key(&own, "key")?];
    let public = keys[0].as_sign().await.map_err(|error| error.to_string())?.tuf_key();
    let id = public.key_id()?;
    let roles = [RoleType::Root, RoleType::Timestamp, RoleType::Snapshot, RoleType::Targets];
    let role_keys = RoleKeys { keyids: vec![id.clone()], threshold: FIRST, _extra: HashMap::new() };
    let root = Root {
        spec_version: "1.0.0".into(),
        consistent_snapshot: true,
        version: FIRST,
        expires,
        keys: HashMap::from([(id, public)]),
        roles: roles.into_iter().map(|role| (role, role_keys.clone())).collect(),
        _extra: HashMap::new(),
    };
    let signed = SignedRole::new(root.clone(), &KeyHolder::Root(root), &keys, &SystemRandom::new()).await?;
    let root = own.join("1.root.json");
    std::fs::write(&root, signed.buffer())?;

    let mut editor = RepositoryEditor::new(&root).await?;
    for (name, content) in [("top.txt", "from the top"), ("team file.txt", "from the team")] {
        std::fs::write(source.join(name), content)?;
    }
    editor.targets_version(FIRST)?.targets_expires(expires)?;
    editor.add_target_path(source.join("top.txt")).await?;
    editor.snapshot_version(FIRST).snapshot_expires(expires);
    editor.timestamp_version(FIRST).timestamp_expires(expires);
    let team = [key(&own, "team")?];
    let paths = PathSet::Paths(vec![PathPattern::new("team*")?]);
    editor.delegate_role("team", &team, paths, true, FIRST, expires, FIRST).await?;
    editor.sign_targets_editor(&keys).await?;
    editor.change_delegated_targets("team")?;
    editor.targets_version(FIRST)?.targets_expires(expires)?;
    editor.add_target_path(source.join("team file.txt")).await?;
    editor.sign_targets_editor(&team).await?;
    let repository = editor.sign(&keys).await?;
    repository.write(folder.join("metadata")).await?;
    repository.copy_targets(&source, folder.join("targets"), PathExists::Fail).await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [word, folder, root, names @ ..] if word == "read" => read(folder.as_ref(), root.as_ref(), names).await,
        [word, folder] if word == "write" => write(folder.as_ref()).await,
        _ => Err("say: read FOLDER ROOT TARGET..., or write FOLDER".into()),
    }
}
