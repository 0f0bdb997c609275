//! The client as a process: its command line, its exit code, and the files it keeps, which is all that the suite sees of it.

use crate::simulator::Simulator;
use std::path::PathBuf;
use std::process::{Command, Output};

const ALL: [&str; 3] = ["targets", "snapshot", "timestamp"];

/// The example, which `cargo test` builds beside the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().join("examples");
    let program = folder.join(format!("tuf_client{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "no {}: cargo build -p staysail-update --examples", program.display());
    program
}

/// Exit code and what it said.
fn client(words: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(program()).args(words).output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

/// A repository, and what every call of its client begins with.
struct Call {
    simulator: Simulator,
    global: Vec<String>,
}

impl Call {
    fn new() -> Self {
        let simulator = Simulator::new();
        let (metadata, targets) = (simulator.metadata_dir(), simulator.target_dir());
        let url = simulator.metadata_url();
        let global = [
            ["--metadata-dir", metadata.to_str().unwrap()],
            ["--metadata-url", &url],
            ["--target-base-url", &url.replace("/metadata", "/targets")],
            ["--target-dir", targets.to_str().unwrap()],
        ];
        let global = global.concat().into_iter().map(str::to_owned).collect();
        Self { simulator, global }
    }

    fn run(&self, words: &[&str]) -> (Option<i32>, String) {
        let global: Vec<&str> = self.global.iter().map(String::as_str).collect();
        client(&[&global, words].concat())
    }

    /// Ends well, and says nothing.
    fn succeeds(&self, words: &[&str]) {
        assert_eq!(self.run(words), (Some(0), String::new()), "{words:?}");
    }

    /// Ends with 1, and says why.
    fn fails(&self, words: &[&str], why: &str) {
        let (code, said) = self.run(words);
        assert_eq!(code, Some(1), "{words:?}: {said}");
        assert!(said.starts_with("tuf_client: ") && said.contains(why), "{words:?}: {said}");
    }

    fn init(&self) {
        let root = self.simulator.repository().published["root"][0].clone();
        let file = self.simulator.metadata_dir().with_file_name("trusted.json");
        std::fs::write(&file, root).unwrap();
        self.succeeds(&["init", file.to_str().unwrap()]);
    }

    /// Names of the metadata that are kept; what the client remembers beside them is its own.
    fn kept(&self) -> Vec<String> {
        let listing = std::fs::read_dir(self.simulator.metadata_dir()).unwrap();
        let names = listing.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
        names.sort();
        names
    }
}

#[test]
fn the_program_begins_with_a_root_refreshes_and_downloads_and_keeps_metadata_without_versions() {
    let call = Call::new();
    call.init();
    assert_eq!(call.kept(), ["root.json"]);
    {
        let mut repository = call.simulator.repository();
        repository.rotate("timestamp");
        repository.add_target("targets", "one", b"first");
        repository.add_target("targets", "path/two", b"second");
        repository.publish(&["root", "targets", "snapshot", "timestamp"]);
    }
    call.succeeds(&["refresh"]);
    assert_eq!(call.kept(), ["root.json", "snapshot.json", "targets.json", "timestamp.json"]);
    for role in ["root", "snapshot", "targets", "timestamp"] {
        let kept = std::fs::read(call.simulator.metadata_dir().join(format!("{role}.json"))).unwrap();
        assert!(kept == *call.simulator.repository().published[role].last().unwrap(), "{role}");
    }
    assert!(call.simulator.downloaded().is_empty());
    call.succeeds(&["--target-name", "one", "--target-name=path/two", "download"]);
    assert_eq!(call.simulator.downloaded(), [&b"first"[..], b"second"]);
}

#[test]
fn what_the_repository_should_not_say_ends_the_program_with_1_and_leaves_what_was_trusted() {
    let call = Call::new();
    call.fails(&["refresh"], "begin with a trusted root");
    call.init();
    call.simulator.repository().add_target("targets", "one", b"content");
    call.simulator.repository().publish(&ALL);
    call.succeeds(&["refresh"]);
    let trusted = call.simulator.trusted();
    call.fails(&["--target-name", "another", "download"], "no role names another");
    call.simulator.repository().artifacts.insert("one".into(), b"cuntent".to_vec());
    call.fails(&["--target-name", "one", "download"], "");
    assert!(call.simulator.downloaded().is_empty());
    call.simulator.repository().publish(&ALL);
    call.simulator.repository().tamper("timestamp", |file| file["signed"]["version"] = 9.into());
    call.fails(&["refresh"], "");
    assert_eq!(call.simulator.trusted(), trusted);
}

#[test]
fn a_command_line_that_means_nothing_ends_the_program_with_1_and_changes_nothing() {
    let call = Call::new();
    for (words, why) in [
        (&[][..], "say one of: init TRUSTED_ROOT, refresh, download"),
        (&["revert"], "say one of"),
        (&["refresh", "download"], "say one of"),
        (&["init"], "say one of"),
        (&["init", "/nowhere/root.json"], "reading /nowhere/root.json"),
        (&["--colour", "red", "refresh"], "there is no option --colour"),
        (&["refresh", "--target-name"], "--target-name wants a value"),
        (&["--time", "noon", "refresh"], ""),
        (&["download"], "download wants --target-name and --target-base-url"),
    ] {
        call.fails(words, why);
    }
    assert!(!call.simulator.metadata_dir().exists());
    let alone = |words: &[&str], why: &str| {
        let (code, said) = client(words);
        assert!(code == Some(1) && said.contains(why), "{words:?}: {code:?} {said}");
    };
    call.init();
    let folder = call.simulator.metadata_dir();
    let folder = folder.to_str().unwrap();
    alone(&["refresh"], "--metadata-dir is missing");
    alone(&["--metadata-dir", folder, "refresh"], "--metadata-url is missing");
    alone(&["--metadata-dir", folder, "download"], "--target-dir is missing");
}
