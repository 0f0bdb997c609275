//! What was seen once stands, whatever becomes of the files and of the clock.

use crate::simulator::{Kind, Simulator, in_days};
use serde_json::json;
use staysail_update::disk::OsDisk;
use staysail_update::trust::{Client, MetadataFolder, Web};
use std::path::PathBuf;
use std::sync::Arc;

/// All files of metadata, without the floors.
fn cached(simulator: &Simulator) -> Vec<PathBuf> {
    ["timestamp.json", "snapshot.json", "targets.json"].map(|name| simulator.metadata_dir().join(name)).into()
}

fn floors(simulator: &Simulator) -> [PathBuf; 2] {
    ["floors", "floors.copy"].map(|name| simulator.metadata_dir().join(name))
}

/// A client that has seen version 3 of everything; versions 2 are still valid.
fn three_seen() -> Simulator {
    let simulator = Simulator::with_client();
    simulator.repository().publish(&["targets", "snapshot", "timestamp"]);
    simulator.repository().publish(&["targets", "snapshot", "timestamp"]);
    simulator.refresh().unwrap();
    simulator
}

fn go_back(simulator: &Simulator) {
    simulator.repository().published.get_mut("timestamp").unwrap().pop();
}

#[test]
fn floors_survive_the_loss_and_the_damage_of_all_metadata() {
    for damage in [None, Some(&b""[..]), Some(b"{}"), Some(b"\0\0\0")] {
        let simulator = three_seen();
        for file in cached(&simulator) {
            match damage {
                None => std::fs::remove_file(file).unwrap(),
                Some(bytes) => std::fs::write(file, bytes).unwrap(),
            }
        }
        go_back(&simulator);
        let error = simulator.refresh().unwrap_err();
        assert!(error.contains("rollback of timestamp: version 2 is lower than 3"), "{error}");
        simulator.repository().publish(&["timestamp"]);
        simulator.refresh().unwrap();
    }
}

#[test]
fn floors_survive_the_damage_of_either_copy_and_metadata_that_of_both() {
    for damaged in [vec![0], vec![1], vec![0, 1]] {
        let simulator = three_seen();
        for at in &damaged {
            let file = &floors(&simulator)[*at];
            let mut bytes = std::fs::read(file).unwrap();
            let last = bytes.len() - 2;
            bytes[last] ^= 1;
            std::fs::write(file, bytes).unwrap();
        }
        if damaged.len() == 1 {
            cached(&simulator).iter().for_each(|file| std::fs::remove_file(file).unwrap());
        }
        go_back(&simulator);
        assert!(simulator.refresh().is_err(), "{damaged:?}");
    }
}

#[test]
fn floors_survive_expiry_and_a_refresh_that_ended_half_way() {
    let simulator = three_seen();
    // The timestamp names a snapshot that can not be used; what that one would have said must not be forgotten.
    simulator.repository().role("snapshot")["expires"] = in_days(-1).into();
    simulator.repository().publish(&["snapshot", "timestamp"]);
    assert!(simulator.refresh().unwrap_err().contains("expired"));
    simulator.repository().role("snapshot")["expires"] = in_days(60).into();
    simulator.repository().role("timestamp")["expires"] = in_days(60).into();
    simulator.repository().role("root")["expires"] = in_days(60).into();
    simulator.repository().role("targets")["expires"] = in_days(60).into();
    simulator.repository().start_over("targets");
    simulator.repository().publish(&["root", "targets", "snapshot", "timestamp"]);
    let error = simulator.refresh_in(40).unwrap_err();
    assert!(error.contains("rollback of targets.json: version 1 is lower than 3"), "{error}");
}

#[test]
fn only_a_key_that_is_taken_away_lets_floors_fall() {
    let simulator = three_seen();
    simulator.repository().add_key("timestamp", Kind::Ed25519);
    simulator.repository().publish(&["root"]);
    go_back(&simulator);
    cached(&simulator).iter().for_each(|file| std::fs::remove_file(file).unwrap());
    assert!(simulator.refresh().unwrap_err().contains("rollback"));
    simulator.repository().rotate("timestamp");
    simulator.repository().start_over("timestamp");
    simulator.repository().publish(&["root", "timestamp"]);
    simulator.refresh().unwrap();
    assert_eq!(simulator.version("timestamp"), Some(1));
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_fresh_again() {
    let simulator = Simulator::with_client();
    simulator.repository().role("timestamp")["expires"] = in_days(10).into();
    simulator.repository().publish(&["timestamp"]);
    simulator.refresh_in(9).unwrap();
    // The clock says day 0; that of the last success was day 9. Nothing has expired yet ...
    simulator.refresh_in(0).unwrap();
    // ... but this, which by day 0 would be fresh for five days more, had expired on day 9.
    simulator.repository().role("timestamp")["expires"] = in_days(5).into();
    simulator.repository().publish(&["timestamp"]);
    assert!(simulator.refresh_in(0).unwrap_err().contains("expired"));
    // Whoever renews signs beyond any time at which something succeeded: a clock once ahead locks nobody out.
    simulator.repository().role("timestamp")["expires"] = in_days(12).into();
    simulator.repository().publish(&["timestamp"]);
    simulator.refresh_in(0).unwrap();
}

#[test]
fn a_key_that_is_taken_away_does_not_take_the_time_along() {
    let simulator = Simulator::with_client();
    simulator.refresh_in(9).unwrap();
    simulator.repository().rotate("timestamp");
    simulator.repository().start_over("timestamp");
    simulator.repository().role("timestamp")["expires"] = in_days(5).into();
    simulator.repository().publish(&["root", "timestamp"]);
    assert!(simulator.refresh_in(0).unwrap_err().contains("expired"));
    simulator.repository().role("timestamp")["expires"] = in_days(12).into();
    simulator.repository().publish(&["timestamp"]);
    simulator.refresh_in(0).unwrap();
}

#[test]
fn a_refresh_that_fails_proves_no_time() {
    let simulator = Simulator::with_client();
    simulator.refresh().unwrap();
    assert!(simulator.refresh_in(4_000).unwrap_err().contains("expired"));
    simulator.refresh().unwrap();
}

#[test]
fn metadata_on_disk_that_somebody_changed_are_fetched_anew() {
    let simulator = three_seen();
    simulator.repository().delegate("targets", "delegated", json!({ "paths": ["*"] }));
    simulator.repository().add_target("delegated", "file", b"1");
    simulator.repository().publish(&["delegated", "targets", "snapshot", "timestamp"]);
    simulator.download(&["file"]).unwrap();
    let mut files = cached(&simulator);
    files.push(simulator.metadata_dir().join("delegated.json"));
    for file in files {
        let good = std::fs::read(&file).unwrap();
        let forged = String::from_utf8(good.clone()).unwrap().replacen("\"version\":", "\"version\": 7", 1);
        std::fs::write(&file, forged).unwrap();
        std::fs::remove_dir_all(simulator.target_dir()).unwrap();
        simulator.download(&["file"]).unwrap();
        assert!(std::fs::read(&file).unwrap() == good, "{}", file.display());
    }
}

#[test]
fn a_damaged_root_in_the_chain_is_fetched_anew_and_those_behind_it_are_not() {
    let simulator = Simulator::new();
    let pinned = simulator.repository().published["root"][0].clone();
    (0..3).for_each(|_| simulator.repository().publish(&["root"]));
    let own = tempfile::tempdir().unwrap();
    let refresh = || {
        simulator.repository().metadata_requests.clear();
        let folder = MetadataFolder::new(own.path(), Arc::new(OsDisk));
        let web = Web::new(&simulator.metadata_url(), None).unwrap();
        let mut client = Client::new(web, folder, &pinned).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let refreshed = runtime.block_on(client.refresh(jiff::Timestamp::now()));
        refreshed.map(|()| simulator.repository().metadata_requests.clone())
    };
    let asked = |roots: &[u64]| -> Vec<_> {
        let roots = roots.iter().map(|version| ("root".to_owned(), Some(*version)));
        roots.chain([("timestamp".to_owned(), None)]).collect()
    };
    assert_eq!(refresh().unwrap()[..5], asked(&[2, 3, 4, 5]));
    assert_eq!(refresh().unwrap(), asked(&[5]));
    std::fs::write(own.path().join("root_history/2.root.json"), b"{}").unwrap();
    assert_eq!(refresh().unwrap(), asked(&[2, 5]));
    assert_eq!(refresh().unwrap(), asked(&[5]));
    // Withheld, it ends the update: trust had come further before.
    std::fs::write(own.path().join("root_history/2.root.json"), b"{}").unwrap();
    simulator.repository().published.get_mut("root").unwrap().truncate(1);
    assert!(refresh().unwrap_err().to_string().contains("rollback of root: version 1 is lower than 4"));
}
