//! A channel whose releases another role signs: found, proved and started like any other.

mod fixture;

use fixture::{App, Lab, files};
use serde_json::{Value, json};
use staysail_update::disk::OsDisk;
use staysail_update::hash;
use staysail_update::publisher::{self, Folder, Role, keys::Signing, metadata};
use staysail_update::trust::{Client, Delegated, MetadataFolder, Proof, Web};
use std::path::Path;
use std::sync::Arc;

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Lets the targets role hand the stable channel over to a role of its own, whose metadata `signer` signs.
fn hand_over(lab: &Lab, team: &Signing, signer: &Signing, paths: &Value) {
    let signers = |role| lab.keys.signers(role, None).unwrap();
    let write = |name: &str, signed: &Value, signers: &[&Signing]| {
        let bytes = metadata::envelope(signed, signers).unwrap();
        std::fs::write(lab.repository.join("metadata").join(name), &bytes).unwrap();
        metadata::pin(signed["version"].as_u64().unwrap(), &bytes)
    };
    let file = |name: &str| read(&lab.repository.join("metadata").join(name))["signed"].clone();
    let (mut timestamp, mut top) = (file("timestamp.json"), file("1.targets.json"));
    let releases = top["targets"].take();
    top["version"] = 2.into();
    top["targets"] = json!({});
    top["delegations"] = json!({
        "keys": { &team.id: team.public },
        "roles": [{ "name": "stable", "keyids": [team.id], "threshold": 1, "terminating": true, "paths": paths }],
    });
    let expires = metadata::in_days(jiff::Timestamp::now(), 30);
    let stable = metadata::role(Role::Targets, 1, expires, releases);
    let meta = json!({
        "targets.json": write("2.targets.json", &top, &[&signers(Role::Targets)[0]]),
        "stable.json": write("1.stable.json", &stable, &[signer]),
    });
    let snapshot = metadata::role(Role::Snapshot, 2, expires, meta);
    let pin = write("2.snapshot.json", &snapshot, &[&signers(Role::Snapshot)[0]]);
    timestamp["version"] = 2.into();
    timestamp["meta"]["snapshot.json"] = pin;
    write("timestamp.json", &timestamp, &[&signers(Role::Timestamp)[0]]);
}

fn lab() -> (Lab, App, Signing, Signing) {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    let team = lab.keys.make(Role::Targets, Default::default(), None).unwrap();
    let stranger = lab.keys.make(Role::Targets, Default::default(), None).unwrap();
    (lab, app, team, stranger)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_of_a_delegated_role_goes_live_and_starts_next_time_without_network() {
    let (lab, app, team, _) = lab();
    hand_over(&lab, &team, &team, &json!(["releases/stable.json"]));
    assert_eq!(app.take_over(&lab.file_url()).await, "1.1.0");
    std::fs::remove_dir_all(&lab.repository).unwrap();
    let boot = app.boot(&app.store());
    assert_eq!(boot.release.manifest().version, "1.1.0", "{:?}", boot.fallback_reason);

    // The proof counts whole: without the delegated role, or with one byte of it changed, it is none.
    let proof = files(&app.store_folder()).into_iter().find(|file| file.ends_with("proof.json")).unwrap();
    let whole = read(&proof);
    let delegated = whole["delegated"][0][1].as_str().unwrap();
    assert!(delegated.contains(&hash::of(boot.release.manifest_bytes())));
    let mut without = whole.clone();
    without["delegated"] = json!([]);
    let mut changed = whole.clone();
    changed["delegated"][0][1] = delegated.replacen("\"version\": 1", "\"version\": 2", 1).into();
    let mut renamed = whole.clone();
    renamed["delegated"][0][0] = "beta".into();
    for bad in [without, changed, renamed] {
        std::fs::write(&proof, serde_json::to_vec(&bad).unwrap()).unwrap();
        assert!(app.boot(&app.store()).release.is_embedded());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_another_key_signed_ends_the_look() {
    let (lab, app, team, stranger) = lab();
    hand_over(&lab, &team, &stranger, &json!(["releases/stable.json"]));
    let mut session = app.start(&lab.file_url());
    let reason = session.failed().await;
    assert!(reason.contains("role stable: 0/1"), "{reason}");
    session.engine.shut_down();
    assert!(app.boot(&app.store()).release.is_embedded());
}

#[tokio::test]
async fn a_role_says_nothing_of_a_channel_it_was_not_given_neither_online_nor_in_a_proof() {
    let (lab, app, team, _) = lab();
    hand_over(&lab, &team, &team, &json!(["releases/beta.json"]));
    let address = |name: &str| format!("{}/{name}", lab.file_url());
    let web = Web::new(&address("metadata"), Some(&address("targets"))).unwrap();
    let own = MetadataFolder::new(&app.folder.path().join("own"), Arc::new(OsDisk));
    let mut client = Client::new(web, own, &app.root).unwrap();
    client.refresh(jiff::Timestamp::now()).await.unwrap();
    assert!(client.find("releases/stable.json").await.unwrap().is_none());
    let file = |name: &str| std::fs::read(lab.repository.join("metadata").join(name)).unwrap();
    let proof = Proof {
        path: "releases/stable.json".into(),
        roots: Vec::new(),
        timestamp: file("timestamp.json"),
        snapshot: file("2.snapshot.json"),
        targets: file("2.targets.json"),
        delegated: vec![Delegated { role: "stable".into(), metadata: file("1.stable.json") }],
    };
    let error = proof.verify(&app.root).unwrap_err().to_string();
    assert!(error.contains("does not let stable name releases/stable.json"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_given_a_key_belongs_to_no_other_role_any_more() {
    let (lab, app, team, _) = lab();
    hand_over(&lab, &team, &team, &json!(["releases/stable.json"]));
    let key = lab.keys.make_for_channel("stable", Default::default(), None).unwrap();
    let place = Folder::open(&lab.repository).unwrap();
    publisher::delegate(&place, &lab.keys, "stable", key, None, jiff::Timestamp::now()).unwrap();
    drop(place);
    let targets = read(&lab.repository.join("metadata/3.targets.json"));
    let delegations = &targets["signed"]["delegations"];
    let roles = delegations["roles"].as_array().unwrap();
    let names: Vec<_> = roles.iter().map(|role| role["name"].as_str().unwrap()).collect();
    // The second one says how many get a release; it has the snapshot key and names no release.
    assert_eq!(names, ["channel-stable", "rollout"], "{delegations}");
    assert_eq!(delegations["keys"].as_object().unwrap().len(), 2, "{delegations}");
    assert!(!delegations.to_string().contains(&team.id), "{delegations}");
    // What was published there moves along, and with it the count: apps take nothing that counts lower.
    let moved = read(&lab.repository.join("metadata/1.channel-stable.json"));
    assert_eq!(moved["signed"]["targets"]["releases/stable.json"]["custom"]["version"], "1.1.0");
    lab.publish(lab.contents("1.2.0", "three"));
    let mut session = app.start(&lab.file_url());
    assert_eq!(session.committed().await, "1.2.0");
    session.engine.shut_down();
}

#[tokio::test]
async fn a_role_that_was_given_the_newest_release_alone_signs_no_barrier_and_that_is_said() {
    let lab = Lab::new();
    lab.publish(lab.contents("1.1.0", "two"));
    let key = lab.keys.make_for_channel("stable", Default::default(), None).unwrap();
    hand_over(&lab, &key, &key, &json!(["releases/stable.json"]));
    let mut contents = lab.contents("1.2.0", "three");
    contents.manifest.barrier = true;
    let refused = lab.try_publish(contents).unwrap_err().to_string();
    assert!(
        refused.contains("may not sign barriers yet") && refused.contains("repo delegate stable"),
        "{refused}"
    );
    lab.publish(lab.contents("1.2.0", "three"));
}
