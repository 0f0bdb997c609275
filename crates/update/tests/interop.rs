//! Issue 5, Proof 5: other clients accept what we publish, and we accept what others publish.
//!
//! `./x test --only interop` makes python-tuf and tough ready and names them in the environment; by itself
//! `cargo test` leaves these out.

mod fixture;

use fixture::{Lab, options};
use staysail_update::disk::OsDisk;
use staysail_update::publisher::{self, Folder, Options, keys::Algorithm};
use staysail_update::trust::{Client, MetadataFolder, Web};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// What the environment calls the program, which gives its answer as lines.
fn other(variable: &str, words: &[&str]) -> Vec<String> {
    let program = std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set; run these by `./x test --only interop`"));
    let mut command = program.split('\n');
    let output =
        Command::new(command.next().unwrap_or_default()).args(command).args(words).output().expect(&program);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Releases before and after the root was renewed and the channel given to a role of its own; the client knows the first root.
fn theirs_reads_ours(variable: &str) {
    let lab = Lab::new();
    let root = lab.folder.path().join("pinned.json");
    std::fs::write(&root, lab.keys.root().unwrap()).unwrap();
    lab.publish(lab.contents("1.0.0", "one"));
    lab.keys.renew(None, jiff::Timestamp::now()).unwrap();
    lab.publish(lab.contents("1.1.0", "two"));
    // A channel with a role of its own.
    let key = lab.keys.make_for_channel("stable", Algorithm::Ecdsa, None).unwrap();
    let place = Folder::open(&lab.repository).unwrap();
    publisher::delegate(&place, &lab.keys, "stable", key, None, jiff::Timestamp::now()).unwrap();
    drop(place);
    let newest = lab.publish(lab.contents("1.2.0", "three"));
    // And one in waves: others find it, what says how many get it, and what is for everybody where it was.
    let options = Options { rollout: Some("5%".parse().unwrap()), ..options() };
    let wave = lab.publish_with(lab.contents("1.3.0", "four"), &options).unwrap();
    let repository = lab.repository.to_str().unwrap();
    let read = |target: &str| {
        let lines = other(variable, &["read", repository, root.to_str().unwrap(), target]);
        staysail_update::hash::unhex(&lines[0]).unwrap()
    };
    assert_eq!(staysail_update::hash::of(&read("releases/stable.json")), newest.hash);
    assert_eq!(staysail_update::hash::of(&read("releases/stable.wave-4.json")), wave.hash);
    let said = String::from_utf8(read("rollouts/stable.json")).unwrap();
    assert!(said.contains("\"share\": 500"), "{said}");
}

async fn download(repository: &Path, root: &Path, own: &Path, name: &str) -> Vec<u8> {
    let address = |name: &str| format!("file://{}", repository.join(name).display());
    let web = Web::new(&address("metadata"), Some(&address("targets"))).unwrap();
    let root = std::fs::read(root).unwrap();
    let mut client = Client::new(web, MetadataFolder::new(own, Arc::new(OsDisk)), &root).unwrap();
    client.refresh(jiff::Timestamp::now()).await.unwrap();
    let target = client.find(name).await.unwrap().unwrap_or_else(|| panic!("no {name}"));
    client.download(&target, 1_000).await.unwrap()
}

async fn ours_reads_theirs(variable: &str, targets: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("theirs");
    other(variable, &["write", repository.to_str().unwrap()]);
    for (name, content) in targets {
        let root = repository.join("metadata/1.root.json");
        let found = download(&repository, &root, &folder.path().join("own"), name).await;
        assert_eq!(found, content.as_bytes(), "{name}");
    }
}

#[test]
#[ignore = "wants python-tuf: ./x test --only interop"]
fn python_tuf_downloads_what_we_published() {
    theirs_reads_ours("STAYSAIL_INTEROP_PYTHON_TUF");
}

#[test]
#[ignore = "wants tough: ./x test --only interop"]
fn tough_downloads_what_we_published() {
    theirs_reads_ours("STAYSAIL_INTEROP_TOUGH");
}

#[tokio::test]
#[ignore = "wants python-tuf: ./x test --only interop"]
async fn we_download_what_python_tuf_published() {
    let targets =
        [("top.txt", "from the top"), ("team/file name", "from the team"), ("anything", "from the bins")];
    ours_reads_theirs("STAYSAIL_INTEROP_PYTHON_TUF", &targets).await;
}

#[tokio::test]
#[ignore = "wants tough: ./x test --only interop"]
async fn we_download_what_tough_published() {
    let targets = [("top.txt", "from the top"), ("team file.txt", "from the team")];
    ours_reads_theirs("STAYSAIL_INTEROP_TOUGH", &targets).await;
}
