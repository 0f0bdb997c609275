//! Targets: found, downloaded, checked, not downloaded twice.

use crate::simulator::Simulator;
use serde_json::json;

const ALL: [&str; 3] = ["targets", "snapshot", "timestamp"];

fn with_target(path: &str, content: &[u8]) -> Simulator {
    let simulator = Simulator::with_client();
    simulator.repository().add_target("targets", path, content);
    simulator.repository().publish(&ALL);
    simulator
}

#[test]
fn a_target_is_downloaded_once_under_any_name() {
    for (path, asked) in [
        ("target_file.txt", "target_file.txt"),
        ("path/to/a/target_file.txt", "path/to/a/target_file.txt"),
        ("a b/ü #1?.txt", "a%20b/%C3%BC%20%231%3F.txt"),
    ] {
        let simulator = with_target(path, b"content");
        simulator.refresh().unwrap();
        assert!(simulator.downloaded().is_empty());
        simulator.download(&[path]).unwrap();
        assert_eq!(simulator.downloaded(), [b"content"]);
        let hash = staysail_update::hash::of(b"content");
        let (folder, name) = asked
            .rsplit_once('/')
            .map_or((String::new(), asked), |(folder, name)| (format!("{folder}/"), name));
        assert_eq!(simulator.repository().target_requests, [format!("{folder}{hash}.{name}")]);
        simulator.download(&[path]).unwrap();
        assert_eq!(simulator.repository().target_requests.len(), 1, "what is there is not asked for again");
    }
}

#[test]
fn a_target_that_would_climb_out_is_not_asked_for() {
    for path in ["../secret", "a/../../secret", "/etc/passwd", "a//b"] {
        let simulator = with_target(path, b"content");
        assert!(simulator.download(&[path]).is_err(), "{path}");
        assert!(simulator.repository().target_requests.is_empty() && simulator.downloaded().is_empty());
    }
}

#[test]
fn other_bytes_than_the_signed_ones_are_never_kept() {
    let simulator = with_target("one", b"first content");
    simulator.repository().add_target("targets", "two", b"content");
    simulator.repository().publish(&ALL);
    simulator.download(&["one"]).unwrap();
    for content in [&b"malicious"[..], b"cuntent", b"content and more", b""] {
        for path in ["one", "two"] {
            simulator.repository().artifacts.insert(path.into(), content.into());
        }
        simulator.download(&["one"]).unwrap();
        assert!(simulator.download(&["two"]).is_err());
        assert_eq!(simulator.downloaded(), [b"first content"]);
    }
}

#[test]
fn a_target_that_changes_takes_the_place_of_the_old_one() {
    let simulator = with_target("file", b"content");
    simulator.download(&["file"]).unwrap();
    for number in 0..5 {
        let content = format!("content {number}").into_bytes();
        simulator.repository().add_target("targets", "file", &content);
        simulator.repository().publish(&ALL);
        simulator.download(&["file"]).unwrap();
        assert_eq!(simulator.downloaded(), std::slice::from_ref(&content));
        simulator.repository().artifacts.insert("file".into(), b"malicious".into());
        simulator.repository().publish(&ALL);
        simulator.download(&["file"]).unwrap();
        assert_eq!(simulator.downloaded(), [content]);
    }
}

#[test]
fn every_known_hash_must_fit_and_one_must_be_known() {
    let content = b"content";
    let sha256 = staysail_update::hash::of(content);
    let sha512 = staysail_update::hash::hex(ring::digest::digest(&ring::digest::SHA512, content).as_ref());
    for (hashes, fine) in [
        (json!({ "sha256": sha256 }), true),
        (json!({ "sha512": sha512 }), true),
        (json!({ "sha256": sha256, "sha512": sha512, "other": "00" }), true),
        (json!({ "sha256": sha256, "sha512": "0".repeat(128) }), false),
        (json!({ "unknown": sha512 }), false),
    ] {
        let simulator = with_target("file", content);
        simulator.repository().role("targets")["targets"]["file"]["hashes"] = hashes.clone();
        simulator.repository().publish(&ALL);
        assert_eq!(simulator.download(&["file"]).is_ok(), fine, "{hashes}");
        assert_eq!(simulator.downloaded().len(), usize::from(fine));
    }
}

#[test]
fn the_first_target_that_fails_ends_the_command() {
    let simulator = with_target("one", b"1");
    simulator.repository().add_target("targets", "three", b"3");
    simulator.repository().publish(&ALL);
    assert!(simulator.download(&["one", "two", "three"]).is_err());
    assert_eq!(simulator.downloaded(), [b"1"]);
}
