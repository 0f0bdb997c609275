//! The top-level metadata: order, expiry, versions, signatures.

use crate::simulator::{Kind, Simulator, in_days};
use serde_json::json;

fn versions(list: &[(&str, u64)]) -> Vec<(String, u64)> {
    let mut list: Vec<_> = list.iter().map(|(role, version)| ((*role).to_owned(), *version)).collect();
    list.sort();
    list
}

#[test]
fn a_first_refresh_asks_for_each_role_once_in_order() {
    let simulator = Simulator::with_client();
    assert_eq!(simulator.repository().metadata_requests, []);
    simulator.refresh().unwrap();
    let asked = [("root", Some(2)), ("timestamp", None), ("snapshot", Some(1)), ("targets", Some(1))];
    let asked: Vec<_> = asked.map(|(role, version)| (role.to_owned(), version)).into();
    assert_eq!(simulator.repository().metadata_requests, asked);
    assert_eq!(
        simulator.trusted(),
        versions(&[("root", 1), ("timestamp", 1), ("snapshot", 1), ("targets", 1)])
    );
    // With nothing new there is no more to ask than that.
    simulator.refresh().unwrap();
    assert_eq!(simulator.repository().metadata_requests[4..], asked[..2]);
}

#[test]
fn a_download_refreshes_first_even_when_the_target_does_not_exist() {
    let simulator = Simulator::with_client();
    assert!(simulator.download(&["nothing"]).unwrap_err().contains("no role names"));
    assert_eq!(simulator.trusted().len(), 4);
}

#[test]
fn a_first_root_that_is_damaged_or_not_signed_is_never_used() {
    let simulator = Simulator::new();
    let root = simulator.repository().published["root"][0].clone();
    let root: serde_json::Value = serde_json::from_slice(&root).unwrap();
    let (mut without_version, mut forged) = (root.clone(), root);
    without_version["signed"].as_object_mut().unwrap().remove("version");
    forged["signatures"][0]["sig"] = "00".repeat(64).into();
    for bad in [without_version, forged] {
        let bad = serde_json::to_vec(&bad).unwrap();
        assert!(simulator.init_with(&bad).is_err());
        std::fs::create_dir_all(simulator.metadata_dir()).unwrap();
        std::fs::write(simulator.metadata_dir().join("root.json"), bad).unwrap();
        assert!(simulator.refresh().is_err());
    }
    assert_eq!(simulator.repository().metadata_requests, []);
}

#[test]
fn a_role_that_is_not_signed_ends_the_refresh_and_what_came_before_stays() {
    for (role, trusted) in [
        ("root", vec![("root", 1)]),
        ("timestamp", vec![("root", 1)]),
        ("snapshot", vec![("root", 1), ("timestamp", 2)]),
        ("targets", vec![("root", 1), ("timestamp", 2), ("snapshot", 2)]),
    ] {
        let simulator = Simulator::with_client();
        {
            let mut repository = simulator.repository();
            repository.signers.get_mut(role).unwrap().clear();
            repository.publish(if role == "root" {
                &["root"]
            } else {
                &["targets", "snapshot", "timestamp"]
            });
        }
        assert!(simulator.refresh().is_err(), "{role}");
        assert_eq!(simulator.trusted(), versions(&trusted), "{role}");
    }
}

#[test]
fn a_timestamp_of_the_same_version_changes_nothing_whatever_it_says() {
    let simulator = Simulator::with_client();
    simulator.refresh().unwrap();
    let kept = std::fs::read(simulator.metadata_dir().join("timestamp.json")).unwrap();
    {
        let mut repository = simulator.repository();
        repository.role("timestamp")["meta"]["snapshot.json"]["version"] = 100.into();
        repository.start_over("timestamp");
        repository.publish(&["timestamp"]);
    }
    simulator.refresh().unwrap();
    assert_eq!(simulator.repository().metadata_requests.last().unwrap().0, "timestamp");
    assert_eq!(std::fs::read(simulator.metadata_dir().join("timestamp.json")).unwrap(), kept);
}

#[test]
fn lengths_and_hashes_that_are_pinned_are_heeded() {
    let simulator = Simulator::with_client();
    simulator.repository().pin_hashes = true;
    simulator.repository().publish(&["targets", "snapshot", "timestamp"]);
    simulator.refresh().unwrap();
    for (spoil, value) in [("hashes", json!({ "sha256": "0".repeat(64) })), ("length", json!(10))] {
        let mut repository = simulator.repository();
        repository.publish(&["targets"]);
        repository.role("snapshot")["meta"]["targets.json"][spoil] = value;
        repository.publish(&["snapshot", "timestamp"]);
        drop(repository);
        assert!(simulator.refresh().is_err(), "{spoil}");
        assert_eq!(simulator.version("targets"), Some(2));
    }
    assert_eq!(simulator.version("snapshot"), Some(4));
}

#[test]
fn targets_nobody_pinned_are_not_asked_for() {
    let simulator = Simulator::with_client();
    simulator.refresh().unwrap();
    simulator.repository().publish(&["targets"]);
    simulator.refresh().unwrap();
    assert_eq!(simulator.version("targets"), Some(1));
    assert_eq!(simulator.repository().metadata_requests.last().unwrap().0, "timestamp");
}

#[test]
fn fields_nobody_knows_are_part_of_what_is_signed() {
    let simulator = Simulator::with_client();
    {
        let mut repository = simulator.repository();
        let root = repository.role("root");
        root["custom-field"] = json!({ "b": [1, null, true], "a": "ü\n\"" });
        root["roles"]["root"]["another-field"] = "value".into();
        let id = root["roles"]["root"]["keyids"][0].as_str().unwrap().to_owned();
        root["keys"][id]["extra-field"] = json!({ "a": 1, "b": 2 });
        repository.publish(&["root"]);
    }
    simulator.refresh().unwrap();
    assert_eq!(simulator.version("root"), Some(2));
    simulator.repository().publish(&["root"]);
    simulator.repository().tamper("root", |root| root["signed"]["custom-field"] = 1.into());
    assert!(simulator.refresh().is_err());
}

#[test]
fn another_major_version_of_the_specification_and_version_zero_are_refused() {
    let spoil = |change: fn(&mut crate::simulator::Repository)| {
        let simulator = Simulator::with_client();
        change(&mut simulator.repository());
        assert!(simulator.refresh().is_err());
        assert_eq!(simulator.trusted(), versions(&[("root", 1)]));
    };
    spoil(|repository| {
        repository.role("timestamp")["spec_version"] = "2.0.0".into();
        repository.publish(&["timestamp"]);
    });
    spoil(|repository| {
        repository.role("timestamp")["version"] = 0.into();
        let bytes = repository.sign("timestamp");
        repository.published.get_mut("timestamp").unwrap().push(bytes);
    });
    let simulator = Simulator::with_client();
    simulator.repository().role("timestamp")["spec_version"] = "1.7.3".into();
    simulator.repository().publish(&["timestamp"]);
    simulator.refresh().unwrap();
}

#[test]
fn what_has_expired_is_refused_and_what_came_before_stays() {
    for (role, publish, trusted) in [
        ("root", vec!["root"], [("root", 2), ("timestamp", 1), ("snapshot", 1), ("targets", 1)]),
        ("timestamp", vec!["timestamp"], [("root", 1), ("timestamp", 1), ("snapshot", 1), ("targets", 1)]),
        (
            "snapshot",
            vec!["snapshot", "timestamp"],
            [("root", 1), ("timestamp", 2), ("snapshot", 1), ("targets", 1)],
        ),
        (
            "targets",
            vec!["targets", "snapshot", "timestamp"],
            [("root", 1), ("timestamp", 2), ("snapshot", 2), ("targets", 1)],
        ),
    ] {
        let simulator = Simulator::with_client();
        simulator.refresh().unwrap();
        simulator.repository().role(role)["expires"] = in_days(-5).into();
        simulator.repository().publish(&publish);
        let error = simulator.refresh().unwrap_err();
        assert!(error.contains("expired"), "{role}: {error}");
        assert_eq!(simulator.trusted(), versions(&trusted), "{role}");
    }
}

#[test]
fn a_client_whose_own_metadata_have_expired_gets_the_new_ones() {
    for role in ["root", "timestamp", "snapshot", "targets"] {
        let simulator = Simulator::with_client();
        let all = ["root", "targets", "snapshot", "timestamp"];
        simulator.repository().role(role)["expires"] = in_days(7).into();
        simulator.repository().publish(&all);
        simulator.refresh().unwrap();
        assert!(simulator.refresh_in(18).unwrap_err().contains("expired"), "{role}");
        simulator.repository().role(role)["expires"] = in_days(21).into();
        simulator.repository().publish(&all);
        simulator.refresh_in(18).unwrap();
        assert_eq!(simulator.version(role), Some(3));
    }
}

#[test]
fn nothing_goes_back() {
    // The timestamp itself.
    let simulator = Simulator::with_client();
    simulator.repository().publish(&["timestamp"]);
    simulator.refresh().unwrap();
    simulator.repository().start_over("timestamp");
    simulator.repository().publish(&["timestamp"]);
    assert!(simulator.refresh().is_err());
    assert_eq!(simulator.version("timestamp"), Some(2));
    for hashes in [false, true] {
        // The snapshot it names.
        let simulator = Simulator::with_client();
        simulator.repository().pin_hashes = hashes;
        simulator.repository().publish(&["snapshot", "timestamp"]);
        simulator.refresh().unwrap();
        simulator.repository().start_over("snapshot");
        simulator.repository().publish(&["snapshot", "timestamp"]);
        assert!(simulator.refresh().is_err());
        assert_eq!((simulator.version("timestamp"), simulator.version("snapshot")), (Some(2), Some(2)));
        assert_eq!(simulator.repository().metadata_requests.last().unwrap().0, "timestamp");
        // The targets the snapshot names.
        let simulator = Simulator::with_client();
        simulator.repository().pin_hashes = hashes;
        simulator.repository().publish(&["targets", "snapshot", "timestamp"]);
        simulator.refresh().unwrap();
        simulator.repository().start_over("targets");
        simulator.repository().publish(&["targets", "snapshot", "timestamp"]);
        assert!(simulator.refresh().is_err());
        assert_eq!((simulator.version("snapshot"), simulator.version("targets")), (Some(2), Some(2)));
    }
}

#[test]
fn a_role_may_not_disappear_from_the_snapshot() {
    let simulator = Simulator::with_client();
    simulator.repository().delegate("targets", "delegated", json!({ "paths": ["x/*"] }));
    simulator.repository().publish(&["delegated", "targets", "snapshot", "timestamp"]);
    simulator.refresh().unwrap();
    simulator.repository().role("snapshot")["meta"].as_object_mut().unwrap().remove("delegated.json");
    simulator.repository().publish(&["snapshot", "timestamp"]);
    assert!(simulator.refresh().is_err());
    assert_eq!(simulator.version("snapshot"), Some(2));
}

#[test]
fn new_keys_lead_back_from_versions_driven_up_by_a_thief() {
    // Of the timestamp, with its key exchanged.
    let simulator = Simulator::with_client();
    (0..99).for_each(|_| simulator.repository().publish(&["timestamp"]));
    simulator.refresh().unwrap();
    simulator.repository().rotate("timestamp");
    simulator.repository().start_over("timestamp");
    simulator.repository().publish(&["root", "timestamp"]);
    simulator.refresh().unwrap();
    assert_eq!(simulator.version("timestamp"), Some(1));
    // Of the snapshot, with both keys exchanged.
    let simulator = Simulator::with_client();
    (0..99).for_each(|_| simulator.repository().publish(&["snapshot"]));
    simulator.repository().publish(&["timestamp"]);
    simulator.refresh().unwrap();
    simulator.repository().rotate("snapshot");
    simulator.repository().rotate("timestamp");
    simulator.repository().start_over("snapshot");
    simulator.repository().publish(&["root", "targets", "snapshot", "timestamp"]);
    simulator.refresh().unwrap();
    assert_eq!(simulator.version("snapshot"), Some(1));
    // Of the targets, with that of the snapshot exchanged; roles may then go, too.
    let simulator = Simulator::with_client();
    simulator.repository().delegate("targets", "delegated", json!({ "paths": ["x/*"] }));
    simulator.repository().publish(&["delegated"]);
    (0..99).for_each(|_| simulator.repository().publish(&["targets"]));
    simulator.repository().publish(&["snapshot", "timestamp"]);
    simulator.refresh().unwrap();
    assert_eq!(simulator.version("targets"), Some(100));
    simulator.repository().rotate("snapshot");
    simulator.repository().start_over("targets");
    simulator.repository().role("snapshot")["meta"].as_object_mut().unwrap().remove("delegated.json");
    simulator.repository().publish(&["root", "targets", "snapshot", "timestamp"]);
    simulator.refresh().unwrap();
    assert_eq!(simulator.version("targets"), Some(1));
}

#[test]
fn without_consistent_snapshots_files_have_no_version_in_their_names() {
    let simulator = Simulator::with_client();
    {
        let mut repository = simulator.repository();
        repository.role("root")["consistent_snapshot"] = false.into();
        for role in ["role1", "..", "."] {
            repository.delegate("targets", role, json!({ "paths": ["*"] }));
            repository.publish(&[role]);
        }
        repository.publish(&["root", "targets", "snapshot", "timestamp"]);
    }
    simulator.refresh().unwrap();
    let asked: Vec<_> = simulator.repository().metadata_requests.clone();
    assert_eq!(asked[3..], [("snapshot".to_owned(), None), ("targets".to_owned(), None)]);
    assert!(simulator.download(&["nothing"]).unwrap_err().contains("no role names"));
    assert_eq!(simulator.trusted().len(), 7);
}

#[test]
fn a_long_chain_of_roots_is_followed_in_bounded_steps() {
    let simulator = Simulator::with_client();
    (0..300).for_each(|_| simulator.repository().publish(&["root"]));
    assert!(simulator.refresh().unwrap_err().contains("root_rotations_max"));
    assert_eq!(simulator.version("root"), Some(257));
    simulator.refresh().unwrap();
    assert_eq!(simulator.version("root"), Some(301));
}

#[test]
fn endless_metadata_are_cut_off() {
    let simulator = Simulator::with_client();
    simulator.repository().role("timestamp")["padding"] = "x".repeat(20_000).into();
    simulator.repository().publish(&["timestamp"]);
    assert!(simulator.refresh().unwrap_err().contains("longer than"));
}

#[test]
fn every_kind_of_key_of_the_specification_counts_and_a_wrong_signature_of_it_does_not() {
    for kind in [Kind::Ed25519, Kind::Ecdsa, Kind::Rsa] {
        let simulator = Simulator::with_client();
        let signer = simulator.repository().add_key("root", kind);
        simulator.repository().role("root")["roles"]["root"]["threshold"] = 2.into();
        simulator.repository().publish(&["root"]);
        simulator.refresh().unwrap();
        assert_eq!(simulator.version("root"), Some(2), "{kind:?}");
        simulator.repository().publish(&["root"]);
        let wrong = signer.sign(b"something else");
        simulator.repository().tamper("root", |root| {
            let signatures = root["signatures"].as_array_mut().unwrap();
            signatures.iter_mut().find(|one| one["keyid"] == *signer.id).unwrap()["sig"] = wrong.into();
        });
        assert!(simulator.refresh().is_err(), "{kind:?}");
        assert_eq!(simulator.version("root"), Some(2), "{kind:?}");
    }
}
