//! Delegated roles: in which order they are asked, whom they may speak for, and what their names may be.

use crate::simulator::{Simulator, in_days};
use serde_json::{Value, json};

/// Who delegates to whom, on which terms.
type Delegation<'a> = (&'a str, &'a str, &'a Value);

const TOP: [&str; 3] = ["targets", "snapshot", "timestamp"];

fn published(delegations: &[(&str, &str, Value)]) -> Simulator {
    let simulator = Simulator::with_client();
    let mut roles: Vec<&str> = Vec::new();
    for (delegator, role, terms) in delegations {
        let mut terms = terms.clone();
        if terms["paths"].is_null() && terms["path_hash_prefixes"].is_null() {
            terms["paths"] = json!(["*"]);
        }
        simulator.repository().delegate(delegator, role, terms);
        if !roles.contains(role) {
            roles.push(role);
        }
    }
    simulator.repository().publish(&roles);
    simulator.repository().publish(&TOP);
    simulator
}

fn asked(simulator: &Simulator) -> Vec<String> {
    simulator.repository().metadata_requests.iter().skip(4).map(|(role, _)| role.clone()).collect()
}

#[test]
fn roles_are_asked_in_order_each_before_those_it_delegates_to() {
    let (any, last, python) = (json!({}), json!({ "terminating": true }), json!({ "paths": ["*.py"] }));
    let cases: &[(&[Delegation], &[&str])] = &[
        (&[("targets", "A", &any)], &["A"]),
        (&[("targets", "A", &any), ("targets", "B", &any)], &["A", "B"]),
        (&[("targets", "A", &any), ("targets", "B", &any), ("B", "C", &any)], &["A", "B", "C"]),
        (
            &[("targets", "A", &any), ("targets", "B", &any), ("A", "C", &any), ("A", "D", &any)],
            &["A", "C", "D", "B"],
        ),
        (
            &[("targets", "A", &any), ("targets", "B", &any), ("A", "C", &any), ("C", "D", &any)],
            &["A", "C", "D", "B"],
        ),
        (&[("targets", "A", &any), ("targets", "B", &any), ("A", "C", &last), ("A", "D", &any)], &["A", "C"]),
        (
            &[("targets", "A", &any), ("targets", "B", &any), ("A", "C", &last), ("C", "D", &any)],
            &["A", "C", "D"],
        ),
        (&[("targets", "A", &python), ("targets", "B", &any), ("A", "C", &any)], &["B"]),
        (
            &[("targets", "A", &any), ("targets", "B", &any), ("A", "C", &python), ("C", "D", &any)],
            &["A", "B"],
        ),
        (
            &[
                ("targets", "A", &any),
                ("targets", "B", &any),
                ("B", "C", &any),
                ("C", "D", &any),
                ("D", "B", &any),
            ],
            &["A", "B", "C", "D"],
        ),
        (
            &[("targets", "A", &any), ("targets", "B", &any), ("B", "C", &any), ("A", "C", &any)],
            &["A", "C", "B"],
        ),
        (
            &[("targets", "A", &any), ("targets", "B", &any), ("B", "C", &any), ("A", "C", &python)],
            &["A", "B", "C"],
        ),
    ];
    for (delegations, order) in cases {
        let owned: Vec<_> = delegations.iter().map(|(by, to, terms)| (*by, *to, (*terms).clone())).collect();
        let simulator = published(&owned);
        assert!(simulator.download(&["missingpath"]).unwrap_err().contains("no role names"));
        assert_eq!(asked(&simulator), *order, "{delegations:?}");
    }
}

#[test]
fn a_role_speaks_for_the_paths_it_was_given_and_only_through_those_above_it() {
    let simulator = published(&[
        ("targets", "A", json!({ "paths": ["*.doc", "*.md", "foo-?.tgz"] })),
        ("targets", "B", json!({ "paths": ["releases/*/*"] })),
        ("B", "C", json!({ "paths": ["releases/x/*"] })),
        ("B", "D", json!({ "paths": ["releases/y/*.zip"] })),
    ]);
    for (role, path) in [
        ("targets", "targetfile"),
        ("A", "README.md"),
        ("A", "releases/README.md"),
        ("A", "foo-1.tgz"),
        ("A", "foo-alpha.tgz"),
        ("C", "releases/x/x_v1"),
        ("D", "releases/y/y_v1.zip"),
        ("D", "releases/z/z_v1.zip"),
    ] {
        simulator.repository().add_target(role, path, path.as_bytes());
    }
    simulator.repository().publish(&["A", "B", "C", "D"]);
    simulator.repository().publish(&TOP);
    for (path, found) in [
        ("targetfile", true),
        ("README.md", true),
        ("releases/x/x_v1", true),
        ("releases/y/y_v1.zip", true),
        ("releases/z/z_v1.zip", false),
        ("releases/README.md", false),
        ("foo-1.tgz", true),
        ("foo-alpha.tgz", false),
        ("README.MD", false),
    ] {
        assert_eq!(simulator.download(&[path]).is_ok(), found, "{path}");
    }
    assert_eq!(simulator.downloaded().len(), 5);
}

#[test]
fn roles_may_be_chosen_by_the_hash_of_the_path() {
    let prefix = |path: &str| staysail_update::hash::of(path.as_bytes())[..4].to_owned();
    let simulator = published(&[
        ("targets", "left", json!({ "path_hash_prefixes": [prefix("one")] })),
        ("targets", "right", json!({ "path_hash_prefixes": [prefix("two"), "zz"] })),
    ]);
    simulator.repository().add_target("right", "two", b"2");
    simulator.repository().add_target("left", "three", b"3");
    simulator.repository().publish(&["left", "right"]);
    simulator.repository().publish(&TOP);
    simulator.download(&["two"]).unwrap();
    assert_eq!(asked(&simulator), ["right"]);
    assert!(simulator.download(&["three"]).is_err());
}

#[test]
fn a_role_is_verified_by_the_word_of_whoever_delegates_to_it_each_time() {
    let simulator = published(&[
        ("targets", "parent-a", json!({ "paths": ["team-a/*"] })),
        ("targets", "parent-b", json!({ "paths": ["team-b/*"] })),
        ("parent-a", "release", json!({ "paths": ["team-a/*"] })),
        ("parent-b", "release", json!({ "paths": ["team-b/*"] })),
    ]);
    {
        let mut repository = simulator.repository();
        repository.signers.get_mut("release").unwrap().truncate(1);
        repository.add_target("release", "team-a/file", b"good");
        repository.add_target("release", "team-b/file", b"bad");
        repository.publish(&["release"]);
        repository.publish(&TOP);
    }
    assert!(simulator.download(&["team-a/file", "team-b/file"]).is_err());
    assert_eq!(simulator.downloaded(), [b"good"]);
}

#[test]
fn a_role_the_snapshot_does_not_name_is_not_even_asked_for() {
    let simulator = published(&[("targets", "delegated", json!({ "paths": ["x/*"] }))]);
    simulator.repository().role("snapshot")["meta"].as_object_mut().unwrap().remove("delegated.json");
    simulator.repository().start_over("snapshot");
    simulator.repository().start_over("timestamp");
    simulator.repository().publish(&["snapshot", "timestamp"]);
    assert!(simulator.download(&["x/y"]).is_err());
    assert_eq!(asked(&simulator), Vec::<String>::new());
    assert_eq!(simulator.version("delegated"), None);
}

#[test]
fn an_expired_role_is_not_used_and_a_new_version_of_it_is() {
    let simulator = published(&[("targets", "delegated", json!({ "paths": ["x/*"] }))]);
    let publish = || {
        simulator.repository().publish(&["delegated"]);
        simulator.repository().publish(&["snapshot", "timestamp"]);
    };
    simulator.repository().role("delegated")["expires"] = in_days(-1).into();
    simulator.repository().add_target("delegated", "x/first", b"1");
    simulator.repository().add_target("delegated", "x/second", b"2");
    publish();
    assert!(simulator.download(&["x/first"]).unwrap_err().contains("expired"));
    assert_eq!(simulator.version("delegated"), None);
    simulator.repository().role("delegated")["expires"] = in_days(7).into();
    publish();
    simulator.download(&["x/first"]).unwrap();
    assert!(simulator.download_in(18, &["x/second"]).unwrap_err().contains("expired"));
    simulator.repository().role("delegated")["expires"] = in_days(21).into();
    publish();
    simulator.download_in(18, &["x/second"]).unwrap();
    assert_eq!(simulator.downloaded(), [b"1", b"2"]);
}

#[test]
fn a_role_that_is_known_is_not_asked_for_again() {
    let simulator = published(&[("targets", "delegated", json!({}))]);
    simulator.repository().add_target("delegated", "file", b"1");
    simulator.repository().publish(&["delegated"]);
    simulator.repository().publish(&TOP);
    simulator.download(&["file"]).unwrap();
    assert_eq!(asked(&simulator), ["delegated"]);
    simulator.download(&["file"]).unwrap();
    assert_eq!(asked(&simulator), ["delegated", "root", "timestamp"]);
}

#[test]
fn any_name_of_a_role_is_asked_for_and_kept_safely() {
    for (role, quoted) in [
        ("?", "%3F"),
        ("#", "%23"),
        ("/delegatedrole", "%2Fdelegatedrole"),
        ("../delegatedrole", "..%2Fdelegatedrole"),
        ("a b\\c:ü", "a%20b%5Cc%3A%C3%BC"),
    ] {
        let simulator = published(&[("targets", role, json!({}))]);
        assert!(simulator.download(&["nothing"]).is_err());
        assert_eq!(asked(&simulator), [quoted]);
        assert_eq!(simulator.trusted().len(), 5, "{role}");
    }
}

#[test]
fn a_role_that_calls_itself_like_a_top_level_one_is_never_taken_for_it() {
    let simulator = Simulator::with_client();
    simulator.repository().delegate("targets", "other", json!({ "paths": ["*"] }));
    simulator.repository().role("targets")["delegations"]["roles"][0]["name"] = "root".into();
    simulator.repository().publish(&TOP);
    assert!(simulator.download(&["nothing"]).unwrap_err().contains("no role names"));
    assert_eq!(asked(&simulator), Vec::<String>::new());
    assert_eq!(simulator.version("root"), Some(1));
}

#[test]
fn two_delegations_to_one_name_in_one_place_are_refused() {
    let simulator = published(&[("targets", "twice", json!({ "paths": ["a"] }))]);
    simulator.repository().delegate("targets", "twice", json!({ "paths": ["b"] }));
    simulator.repository().publish(&TOP);
    assert!(simulator.refresh().unwrap_err().contains("twice"));
}

#[test]
fn a_search_without_end_is_given_up() {
    let names: Vec<_> = (0..40).map(|number| format!("role{number}")).collect();
    let mut delegations = vec![("targets", names[0].as_str(), json!({}))];
    delegations.extend(names.windows(2).map(|two| (two[0].as_str(), two[1].as_str(), json!({}))));
    let simulator = published(&delegations);
    assert!(simulator.download(&["nothing"]).unwrap_err().contains("delegated_roles_visited_max"));
    assert_eq!(asked(&simulator).len(), 31);
}

#[test]
fn bins_that_are_named_by_a_rule_alone_are_passed_over_and_what_others_sign_is_found() {
    // `succinct_roles` (TAP 15), as python-tuf writes them.
    let simulator = published(&[("targets", "team", json!({ "paths": ["team/*"] }))]);
    {
        let mut repository = simulator.repository();
        let mut delegations = repository.role("targets")["delegations"].clone();
        let id = delegations["keys"].as_object().unwrap().keys().next().unwrap().clone();
        let rule = json!({ "keyids": [id], "threshold": 1, "bit_length": 2, "name_prefix": "bin" });
        delegations["succinct_roles"] = rule.clone();
        repository.role("targets")["delegations"] = delegations;
        // Alone, without a list of roles.
        let keys = repository.role("targets")["delegations"]["keys"].clone();
        repository.role("team")["delegations"] = json!({ "keys": keys, "succinct_roles": rule });
        repository.add_target("targets", "top", b"1");
        repository.add_target("team", "team/file", b"2");
        repository.publish(&["team"]);
        repository.publish(&TOP);
    }
    simulator.download(&["top", "team/file"]).unwrap();
    assert_eq!(simulator.downloaded(), [b"1", b"2"]);
    for bin in ["anything", "team/anything"] {
        assert!(simulator.download(&[bin]).unwrap_err().contains("no role names"), "{bin}");
    }
    assert!(!asked(&simulator).iter().any(|role| role.starts_with("bin")));
}
