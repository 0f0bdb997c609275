//! Publishing: refusals that change nothing, interruptions that leave the repository valid, two publishers, a server.

mod fixture;

use fixture::{Lab, files, noise, options};
use staysail_update::Error;
use staysail_update::publisher::{self, Folder, Keys, Options, Place, Server};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn image(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(folder).into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

/// A place whose `n`-th write fails, after doing nothing, half of it, or all of it.
struct Faulty {
    folder: Folder,
    path: PathBuf,
    left: Cell<usize>,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Before,
    HalfTemporary,
    After,
}

impl Faulty {
    fn fail(&self, path: &str, write: impl FnOnce() -> Result<(), Error>, bytes: &[u8]) -> Result<(), Error> {
        let failure = || Err(Error::Network("the machine died".into()));
        match self.left.get() {
            0 => failure(),
            1 => {
                self.left.set(0);
                match self.how {
                    How::Before => {}
                    // What an atomic write leaves when it dies in the middle.
                    How::HalfTemporary => {
                        let file = self.path.join(path).with_extension("tmp");
                        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                        std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
                    }
                    How::After => write()?,
                }
                failure()
            }
            left => {
                self.left.set(left - 1);
                write()
            }
        }
    }
}

impl Place for Faulty {
    fn read(&self, path: &str, max: u64) -> Result<Option<Vec<u8>>, Error> {
        self.folder.read(path, max)
    }
    fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        self.folder.size(path)
    }
    fn holds(&self, path: &str, bytes: &[u8]) -> Result<bool, Error> {
        self.folder.holds(path, bytes)
    }
    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        self.fail(path, || self.folder.write(path, bytes), bytes)
    }
    fn replace(&self, path: &str, old: Option<&[u8]>, bytes: &[u8]) -> Result<(), Error> {
        self.fail(path, || self.folder.replace(path, old, bytes), bytes)
    }
    fn name(&self) -> String {
        "faulty".into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_interrupted_at_any_write_leaves_a_repository_clients_accept() {
    for how in [How::Before, How::HalfTemporary, How::After] {
        for earlier in [false, true] {
            let lab = Lab::new();
            let app = lab.install(&lab.contents("1.0.0", "one"));
            if earlier {
                lab.publish(lab.contents_with("1.1.0", "two", &noise(3_000, 1)));
            }
            let mut writes = 1;
            loop {
                let place = Faulty {
                    folder: Folder::open(&lab.repository).unwrap(),
                    path: lab.repository.clone(),
                    left: Cell::new(writes),
                    how,
                };
                let contents = lab.contents_with("1.2.0", "three", &noise(3_000, 1));
                let result =
                    publisher::publish(&place, &lab.keys, contents, &options(), jiff::Timestamp::now());
                let done = place.left.get() > 0;
                drop(place);
                if done {
                    result.unwrap();
                    break;
                }
                // Only after the very last write is it live, though the publisher did not learn of it.
                let last = matches!(&result, Err(Error::Refused(text)) if text.contains("published already"));
                result.unwrap_err();
                if !earlier && !lab.repository.join("metadata/timestamp.json").exists() {
                    // To a client this is a repository before its first publish.
                    writes += 1;
                    continue;
                }
                let store = app.folder.path().join(format!("store-{how:?}-{earlier}-{writes}"));
                let mut session =
                    app.start_on(staysail_update::Store::open(&store).unwrap(), &lab.file_url());
                match (session.outcome().await, earlier) {
                    (Ok(live), _) if live.version == "1.2.0" => assert_eq!(how, How::After, "write {writes}"),
                    (Ok(live), true) => assert_eq!(live.version, "1.1.0", "write {writes}"),
                    other => panic!("{how:?}, write {writes}: {other:?}"),
                }
                session.engine.shut_down();
                if last {
                    break;
                }
                writes += 1;
            }
            assert!(writes > 3, "{writes}");
            let mut session = app.start(&lab.file_url());
            let version = session.outcome().await.unwrap().version;
            assert_eq!(version, "1.2.0", "{how:?} {earlier}");
        }
    }
}

#[test]
fn what_is_refused_changes_no_byte_of_the_repository() {
    let lab = Lab::new();
    lab.publish(lab.contents("1.1.0", "one"));
    let before = image(&lab.repository);
    let refused = |keys: &Keys, contents, options: &Options, now, says: &str| {
        let place = Folder::open(&lab.repository).unwrap();
        let error = publisher::publish(&place, keys, contents, options, now).unwrap_err();
        assert!(matches!(&error, Error::Refused(text) if text.contains(says)), "{says}: {error}");
        assert_eq!(image(&lab.repository), before, "{says}");
    };
    let now = jiff::Timestamp::now();
    refused(&lab.keys, lab.contents("1.1.0", "two"), &options(), now, "published already");
    refused(&lab.keys, lab.contents("1.0.9", "two"), &options(), now, "lower than 1.1.0");
    refused(&lab.keys, lab.contents("banana", "two"), &options(), now, "no semantic version");
    let mut foreign = lab.contents("1.2.0", "two");
    foreign.manifest.app = "org.other".into();
    refused(&lab.keys, foreign, &options(), now, "holds releases of com.example.lab");
    let late = now + jiff::SignedDuration::from_hours(24 * 4_000);
    refused(&lab.keys, lab.contents("1.2.0", "two"), &options(), late, "root role expired");
    let channel = Options { channel: "../x".into(), ..options() };
    refused(&lab.keys, lab.contents("1.2.0", "two"), &channel, now, "channel");

    let others = Keys::create(&lab.folder.path().join("others"), None, now).unwrap();
    refused(&others, lab.contents("1.2.0", "two"), &options(), now, "belongs to other keys");
    let locked = Keys::create(&lab.folder.path().join("locked"), Some("secret"), now).unwrap();
    for passphrase in [None, Some("wrong".to_owned())] {
        let options = Options { passphrase, ..options() };
        refused(&locked, lab.contents("1.2.0", "two"), &options, now, "passphrase");
    }
    let targets = lab.keys.folder().join("targets.key");
    let kept = std::fs::read(&targets).unwrap();
    std::fs::remove_file(&targets).unwrap();
    refused(&lab.keys, lab.contents("1.2.0", "two"), &options(), now, "targets key is missing");
    std::fs::copy(others.folder().join("targets.key"), &targets).unwrap();
    refused(&lab.keys, lab.contents("1.2.0", "two"), &options(), now, "is one that is trusted for this role");
    std::fs::write(&targets, kept).unwrap();

    lab.publish(lab.contents("1.2.0", "two"));
}

#[test]
fn a_torn_repository_is_refused() {
    let lab = Lab::new();
    lab.publish(lab.contents("1.1.0", "one"));
    for file in files(&lab.repository) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        // What only tough asks for is not looked at.
        if name.starts_with('.') || name.ends_with(".zst") || file.to_string_lossy().contains(".releases/") {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap();
        let mut bad = bytes.clone();
        bad[bytes.len() / 2] ^= 1;
        std::fs::write(&file, &bad).unwrap();
        let before = image(&lab.repository);
        let error = lab.try_publish(lab.contents("1.2.0", "two")).unwrap_err();
        assert!(
            matches!(&error, Error::Refused(text) if text.contains("torn") || text.contains("other keys")),
            "{error}"
        );
        assert_eq!(image(&lab.repository), before);
        std::fs::write(&file, &bytes).unwrap();
    }
    lab.publish(lab.contents("1.2.0", "two"));
}

#[test]
fn two_publishers_can_not_mix_their_releases() {
    let lab = Lab::new();
    let place = Folder::open(&lab.repository).unwrap();
    let error = Folder::open(&lab.repository).unwrap_err();
    assert!(matches!(&error, Error::Refused(text) if text.contains("another process")), "{error}");
    drop(place);
    lab.publish(lab.contents("1.0.0", "one"));
}

#[test]
fn a_renewal_keeps_the_release_and_moves_the_expiry() {
    let lab = Lab::new();
    lab.publish(lab.contents("1.1.0", "one"));
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 29);
    let place = Folder::open(&lab.repository).unwrap();
    publisher::renew(&place, &lab.keys, None, later).unwrap();
    let timestamp = place.read("metadata/timestamp.json", 10_000).unwrap().unwrap();
    let timestamp: sigstore_tuf::Timestamp = publisher::metadata::parse(&timestamp).unwrap();
    assert_eq!(timestamp.version, 2);
    assert!(timestamp.expires > later + jiff::SignedDuration::from_hours(24 * 29));
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_metadata_install_nothing_until_they_are_renewed_and_the_app_starts_all_the_same() {
    let lab = Lab::new();
    let app = lab.updated().await;
    let place = Folder::open(&lab.repository).unwrap();
    let past = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * 40);
    publisher::publish(&place, &lab.keys, lab.contents("1.2.0", "three"), &options(), past).unwrap();
    let mut session = app.start(&lab.file_url());
    assert_eq!(session.booted.manifest().version, "1.1.0");
    let reason = session.failed().await;
    assert!(reason.contains("expired"), "{reason}");
    publisher::renew(&place, &lab.keys, None, jiff::Timestamp::now()).unwrap();
    session.engine.wish(staysail_protocol::worker::UpdateWish::Check);
    assert_eq!(session.committed().await, "1.2.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_through_a_server_needs_its_token_and_reaches_listeners() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let token = "0123456789abcdef".to_owned();
    let options_ = staysail_server::Options {
        repository: lab.repository.clone(),
        listen: "127.0.0.1:0".into(),
        token: Some(token.clone()),
    };
    let server = staysail_server::start(options_).await.unwrap();
    let publish = |version: &'static str, token: String| {
        let (url, keys, contents) = (server.url(), lab.keys.clone(), lab.contents(version, version));
        tokio::task::spawn_blocking(move || {
            let place = Server::new(&url, &token)?;
            publisher::publish(&place, &keys, contents, &options(), jiff::Timestamp::now())
        })
    };
    let error = publish("1.1.0", "wrong-token-wrong".into()).await.unwrap().unwrap_err();
    assert!(matches!(&error, Error::Refused(text) if text.contains("token")), "{error}");
    assert_eq!(files(&lab.repository), Vec::<PathBuf>::new());
    // What an interrupted publish may have left: numbers that are taken, and are never given out again.
    std::fs::create_dir_all(lab.repository.join("metadata")).unwrap();
    for name in ["1.targets.json", "2.targets.json", "1.snapshot.json"] {
        std::fs::write(lab.repository.join("metadata").join(name), "left over").unwrap();
    }
    assert_eq!(publish("1.1.0", token.clone()).await.unwrap().unwrap().sequence, 1);
    let mut session = app.start(&server.url());
    assert_eq!(session.committed().await, "1.1.0");
    // From here on only the announcement tells: the next look of its own is an hour away.
    for (version, sequence) in [("1.2.0", 2), ("1.3.0", 3)] {
        assert_eq!(publish(version, token.clone()).await.unwrap().unwrap().sequence, sequence);
        assert_eq!(session.committed().await, version);
    }
    let error = publish("1.3.0", token).await.unwrap().unwrap_err();
    assert!(matches!(&error, Error::Refused(text) if text.contains("published already")), "{error}");
    session.engine.shut_down();
    server.stop().await;
}

#[test]
fn what_is_wrong_is_said_before_anything_is_compiled() {
    let lab = Lab::new();
    let now = jiff::Timestamp::now();
    let ready = |options: &Options, root: Option<&[u8]>| {
        let place = Folder::open(&lab.repository)?;
        publisher::check_ready(&place, &lab.keys, options, root, now)
    };
    let version = |version: &str| Options { version: Some(version.into()), ..options() };
    let root = lab.keys.root().unwrap();
    // Whether there is a repository yet; an app may have been built with any root there ever was.
    assert!(!ready(&version("1.0.0"), Some(&root)).unwrap());
    lab.publish(lab.contents("1.0.0", "one"));
    assert!(ready(&version("1.1.0"), Some(&root)).unwrap());
    let others = Lab::new().keys.root().unwrap();
    for (options, root, says) in [
        (version("1.0.0"), &root, "is published already"),
        (version("0.9.0"), &root, "is lower than 1.0.0"),
        (version("1.1"), &root, "no semantic version"),
        (Options { channel: "Be ta".into(), ..options() }, &root, "Be ta"),
        (version("1.1.0"), &others, "trust other keys"),
    ] {
        let refused = ready(&options, Some(root)).unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}");
    }
}
