//! Thresholds, rotations, and signatures that count less than they look.

use crate::simulator::{Kind, Signer, Simulator};
use serde_json::json;

#[test]
fn fewer_signatures_than_the_threshold_are_none() {
    let simulator = Simulator::with_client();
    simulator.repository().role("root")["roles"]["snapshot"]["threshold"] = 3.into();
    simulator.repository().add_key("snapshot", Kind::Ed25519);
    simulator.repository().add_key("snapshot", Kind::Ecdsa);
    simulator.repository().publish(&["root", "targets", "snapshot", "timestamp"]);
    simulator.refresh().unwrap();
    simulator.repository().signers.get_mut("snapshot").unwrap().pop();
    simulator.repository().publish(&["targets", "snapshot", "timestamp"]);
    assert!(simulator.refresh().is_err());
    assert_eq!(simulator.version("snapshot"), Some(2));
    // A threshold nobody can reach.
    simulator.repository().role("root")["roles"]["snapshot"]["threshold"] = 6.into();
    simulator.repository().publish(&["root", "snapshot", "timestamp"]);
    assert!(simulator.refresh().is_err());
    assert_eq!((simulator.version("root"), simulator.version("snapshot")), (Some(3), Some(2)));
}

#[test]
fn a_threshold_of_zero_lets_nothing_pass() {
    let simulator = Simulator::with_client();
    simulator.repository().role("root")["roles"]["timestamp"]["threshold"] = 0.into();
    simulator.repository().signers.get_mut("timestamp").unwrap().clear();
    simulator.repository().publish(&["root", "timestamp"]);
    assert!(simulator.refresh().is_err());
    assert_eq!(simulator.version("timestamp"), None);
}

#[test]
fn one_key_never_counts_twice() {
    // Its id nine times, and as many signatures.
    let simulator = Simulator::with_client();
    let signer = simulator.repository().add_key("snapshot", Kind::Ed25519);
    (0..8).for_each(|_| simulator.repository().trust("snapshot", &signer));
    simulator.repository().role("root")["roles"]["snapshot"]["threshold"] = 6.into();
    simulator.repository().publish(&["root", "snapshot", "timestamp"]);
    let repeat = |snapshot: &mut serde_json::Value| {
        let signatures = snapshot["signatures"].as_array_mut().unwrap();
        let last = signatures.last().unwrap().clone();
        signatures.extend(std::iter::repeat_n(last, 8));
    };
    simulator.repository().tamper("snapshot", repeat);
    assert!(simulator.refresh().is_err());
    assert_eq!(simulator.version("snapshot"), None);
    // Under several ids.
    let simulator = Simulator::with_client();
    simulator.repository().role("root")["roles"]["snapshot"]["threshold"] = 2.into();
    let alias = simulator.repository().signers["snapshot"][0].alias(&"ab".repeat(32));
    simulator.repository().trust("snapshot", &alias);
    simulator.repository().signers.get_mut("snapshot").unwrap().push(alias);
    simulator.repository().publish(&["root", "snapshot", "timestamp"]);
    assert!(simulator.refresh().unwrap_err().contains("one key under two ids"));
    assert_eq!(simulator.version("snapshot"), None);
    // In capital letters it is the same key.
    let simulator = Simulator::with_client();
    simulator.repository().role("root")["roles"]["snapshot"]["threshold"] = 2.into();
    let mut alias = simulator.repository().signers["snapshot"][0].alias(&"ab".repeat(32));
    let public = alias.public["keyval"]["public"].as_str().unwrap().to_ascii_uppercase();
    alias.public["keyval"]["public"] = public.into();
    simulator.repository().trust("snapshot", &alias);
    simulator.repository().signers.get_mut("snapshot").unwrap().push(alias);
    simulator.repository().publish(&["root", "snapshot", "timestamp"]);
    assert!(simulator.refresh().unwrap_err().contains("one key under two ids"));
    assert_eq!(simulator.version("snapshot"), None);
}

#[test]
fn two_signatures_of_one_key_are_refused_even_where_one_would_do() {
    let simulator = Simulator::with_client();
    simulator.repository().tamper("snapshot", |snapshot| {
        let first = snapshot["signatures"][0].clone();
        snapshot["signatures"].as_array_mut().unwrap().push(first);
    });
    assert!(simulator.refresh().is_err());
    assert_eq!(simulator.version("snapshot"), None);
}

#[test]
fn a_wrong_or_empty_signature_beside_enough_good_ones_does_no_harm() {
    let simulator = Simulator::with_client();
    simulator.repository().add_key("timestamp", Kind::Ecdsa);
    simulator.repository().publish(&["root"]);
    for wrong in ["00".repeat(64), String::new(), "no hexadecimal".into()] {
        simulator.repository().publish(&["timestamp"]);
        simulator
            .repository()
            .tamper("timestamp", |timestamp| timestamp["signatures"][0]["sig"] = wrong.into());
        simulator.refresh().unwrap();
    }
    assert_eq!(simulator.version("timestamp"), Some(4));
}

#[test]
fn an_id_is_whatever_its_publisher_calls_the_key() {
    let simulator = Simulator::with_client();
    let odd = simulator.repository().new_signer(Kind::Ed25519).alias("not a hash at all");
    simulator.repository().trust("timestamp", &odd);
    simulator.repository().signers.insert("timestamp".into(), vec![odd]);
    simulator.repository().publish(&["root", "timestamp"]);
    simulator.refresh().unwrap();
    assert_eq!(simulator.version("timestamp"), Some(2));
}

/// Keys, threshold and signers of one version of a role.
type Version = (&'static [usize], u64, &'static [usize]);

fn set(simulator: &Simulator, role: &str, signers: &[Signer], (keys, threshold, signs): Version) {
    let mut repository = simulator.repository();
    repository.role("root")["roles"][role] = json!({ "keyids": [], "threshold": threshold });
    keys.iter().for_each(|key| repository.trust(role, &signers[*key]));
    repository.signers.insert(role.into(), signs.iter().map(|signer| signers[*signer].clone()).collect());
}

fn ten() -> Vec<Signer> {
    (100..110).map(|seed| Signer::new(Kind::Ed25519, seed)).collect()
}

const FIVE: &[usize] = &[0, 1, 2, 3, 4];

#[test]
fn roots_follow_each_other_by_enough_old_and_enough_new_keys() {
    let good: &[&[Version]] = &[
        &[(&[1], 1, &[1]), (&[2], 1, &[2, 1]), (&[2], 1, &[2])],
        &[(&[1], 1, &[3, 1, 4]), (&[2], 1, &[3, 2, 1, 4]), (&[2], 1, &[3, 2, 4])],
        &[(FIVE, 3, &[0, 2, 4]), (FIVE, 3, &[0, 4, 1]), (FIVE, 3, &[0, 1, 3]), (FIVE, 3, &[0, 1, 3])],
        &[(FIVE, 3, &[0, 2, 4]), (&[0, 1, 3, 4, 5], 3, &[0, 4, 1])],
        &[(FIVE, 3, &[0, 2, 4]), (&[0, 1, 3, 4, 5], 3, &[0, 2, 4, 5]), (&[0, 1, 3, 4, 5], 3, &[0, 4, 5])],
        &[
            (FIVE, 3, &[0, 2, 4]),
            (&[5, 6, 7, 8, 9], 3, &[0, 2, 4, 5, 6, 7]),
            (&[5, 6, 7, 8, 9], 3, &[5, 6, 7]),
        ],
        &[(&[1, 2, 3], 1, &[1]), (&[1, 2, 3], 2, &[1, 2])],
        &[(&[1, 2, 3], 2, &[1, 2]), (&[1, 2, 3], 1, &[1, 2]), (&[1, 2, 3], 1, &[1])],
        &[(&[1], 1, &[1]), (&[1, 2], 2, &[1, 2])],
    ];
    let bad: &[&[Version]] = &[
        &[(&[1], 1, &[1]), (&[2], 1, &[2, 3, 4])],
        &[(&[1], 1, &[1]), (&[2], 1, &[1, 3, 4])],
        &[(FIVE, 3, &[0, 2, 4]), (&[0, 1, 3, 4, 5], 3, &[0, 2, 4])],
        &[(FIVE, 3, &[0, 2, 4]), (&[0, 1, 3, 4, 5], 3, &[0, 4, 5])],
        &[(&[1, 2, 3], 1, &[1]), (&[1, 2, 3], 2, &[2])],
        &[(&[1, 2, 3], 2, &[1, 2]), (&[1, 2, 3], 1, &[1])],
    ];
    let signers = ten();
    for (chain, fine) in good.iter().map(|chain| (chain, true)).chain(bad.iter().map(|chain| (chain, false)))
    {
        let simulator = Simulator::new();
        simulator.repository().start_over("root");
        for version in *chain {
            set(&simulator, "root", &signers, *version);
            simulator.repository().publish(&["root"]);
        }
        simulator.init().unwrap();
        assert_eq!(simulator.refresh().is_ok(), fine, "{chain:?}");
        let expected = chain.len() - usize::from(!fine);
        let kept = std::fs::read(simulator.metadata_dir().join("root.json")).unwrap();
        assert!(kept == simulator.repository().published["root"][expected - 1], "{chain:?}");
    }
}

#[test]
fn the_other_roles_follow_the_newest_root() {
    let cases: &[(Version, bool)] = &[
        ((&[2], 1, &[2]), true),
        ((&[1], 1, &[3, 1, 4]), true),
        ((&[2], 1, &[1, 3, 4]), false),
        ((&[0, 1, 3, 4, 5], 3, &[0, 2, 4]), false),
        ((&[0, 1, 3, 4, 5], 3, &[0, 4]), false),
        ((FIVE, 3, &[0, 2, 4]), true),
        ((FIVE, 3, &[0, 4, 1]), true),
        ((FIVE, 3, &[2, 3, 4]), true),
    ];
    let signers = ten();
    for (version, fine) in cases {
        for role in ["timestamp", "snapshot", "targets"] {
            let simulator = Simulator::with_client();
            set(&simulator, role, &signers, *version);
            simulator.repository().publish(&["root", "targets", "snapshot", "timestamp"]);
            assert_eq!(simulator.refresh().is_ok(), *fine, "{role} {version:?}");
            let kept = std::fs::read(simulator.metadata_dir().join(format!("{role}.json"))).ok();
            let served = simulator.repository().published[role][1].clone();
            assert_eq!(kept == Some(served), *fine, "{role} {version:?}");
        }
    }
}
