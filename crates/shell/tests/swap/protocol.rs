//! Who a shell takes for its worker. Shells and workers of different versions: each pair either works, or is refused with
//! what to do, and nothing is lost. A stranger that speaks like one is refused.

use crate::theatre::{Test, Theatre};
use serde_json::json;
use staysail_protocol::worker::TOKEN_VARIABLE;
use staysail_protocol::{PROTOCOL_VERSION, PROTOCOL_VERSION_MIN};

pub const TESTS: &[Test] = &[
    ("a worker of a newer version that speaks this shell's protocol, too, serves", newer_that_speaks_ours),
    ("a worker that speaks only newer protocols is refused through no fault of its own", newer),
    ("a worker that speaks only older protocols is refused through no fault of its own", older),
    ("a stranger that does not know the worker's token is refused and the worker before serves", forged),
];

/// What a role says as its token: a forger says one that looks right.
pub fn token(role: &str) -> String {
    let token = std::env::var(TOKEN_VARIABLE).unwrap();
    if role == "forger" { token.chars().rev().collect() } else { token }
}

/// Oldest and newest protocol of a role.
pub fn spoken_by(role: &str) -> (u16, u16) {
    match role {
        "newer-that-speaks-ours" => (PROTOCOL_VERSION, PROTOCOL_VERSION + 2),
        "newer" => (PROTOCOL_VERSION + 1, PROTOCOL_VERSION + 2),
        "older" => (PROTOCOL_VERSION_MIN - 1, PROTOCOL_VERSION_MIN - 1),
        _ => (PROTOCOL_VERSION_MIN, PROTOCOL_VERSION),
    }
}

fn newer_that_speaks_ours() {
    let theatre = Theatre::open();
    theatre.swap("newer-that-speaks-ours").unwrap();
    assert_eq!(theatre.call("anything", json!({})).unwrap(), "newer-that-speaks-ours");
}

fn newer() {
    let next = PROTOCOL_VERSION + 1;
    refused(
        "newer",
        &["made with a newer Staysail", &format!("protocol {next} to"), "install the app again"],
    );
}

fn older() {
    refused("older", &["made with an older Staysail", "publish the app with this version"]);
}

fn forged() {
    let theatre = Theatre::open();
    theatre.swap("good").unwrap();
    theatre.call("fill", json!({ "bytes": 10 })).unwrap();
    let before = theatre.process();
    let Err(refusal) = theatre.swap("forger") else { panic!("a stranger was taken for the worker") };
    assert!(refusal.reason.contains("is not the backend that was started"), "{}", refusal.reason);
    assert_eq!(theatre.process(), before);
    assert_eq!(theatre.call("look", json!({})).unwrap(), json!([1, 10, true]));
}

/// The worker before serves on with its state, and the release is not blamed.
fn refused(role: &str, parts: &[&str]) {
    let theatre = Theatre::open();
    theatre.swap("good").unwrap();
    theatre.call("fill", json!({ "bytes": 10 })).unwrap();
    let before = theatre.process();
    let Err(refusal) = theatre.swap(role) else { panic!("{role} was taken over") };
    assert!(refusal.of_shell, "{refusal:?}");
    assert!(parts.iter().all(|part| refusal.reason.contains(part)), "{}", refusal.reason);
    assert_eq!(theatre.process(), before);
    assert_eq!(theatre.call("look", json!({})).unwrap(), json!([1, 10, true]));
}
