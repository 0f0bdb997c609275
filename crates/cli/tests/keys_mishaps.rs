//! What goes wrong with keys on the way: commands that fail, disks that are full, answers that are lost. No key that anything
//! is signed with may be gone afterwards, and none that nobody wanted be left.

mod company;

use company::Company;
use staysail_update::hash;
use staysail_update::publisher::{self, Folder, Keys, Role};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names of the private keys, in order.
fn private(company: &Company) -> Vec<String> {
    let listing = std::fs::read_dir(company.path("keys")).unwrap();
    let mut names: Vec<_> = listing.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".key"));
    names.sort();
    names
}

#[test]
fn an_add_that_fails_takes_no_private_key_away_that_was_there_before() {
    let company = Company::new(&[]);
    let spare = company.keys().make(Role::Targets, Default::default(), None).unwrap().id;
    let before = private(&company);
    assert_eq!(before.len(), 5);
    company.does(&["keys", "export", &spare[..8], "spare.json", "--public"]);
    let add = ["keys", "add", "targets", "--public", "spare.json", "--threshold", "3"];
    company.fails(&add, "would have 2 keys");
    assert_eq!(private(&company), before);
    // What the command made itself goes.
    company.fails(&["keys", "add", "targets", "--unencrypted", "--threshold", "3"], "would have 2 keys");
    assert_eq!(private(&company), before);
    // Nor does one that an external signer was to stand for.
    let with_signer =
        [&add[..3], &["--public", "spare.hex", "--signer", "false", "--scheme", "ed25519"]].concat();
    let public: serde_json::Value =
        serde_json::from_slice(&std::fs::read(company.path("spare.json")).unwrap()).unwrap();
    std::fs::write(company.path("spare.hex"), public["keyval"]["public"].as_str().unwrap()).unwrap();
    company.fails(&with_signer, "is here already");
    assert_eq!(private(&company), before);
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_no_half_key_that_stops_every_other_command() {
    let company = Company::new(&[]);
    let before = private(&company);
    // No file may grow: what a full disk does, for this process alone.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" keys add targets --unencrypted"])
        .arg(env!("CARGO_BIN_EXE_staysail"))
        .current_dir(company.folder.path())
        .env_remove("STAYSAIL_KEYS_PASSPHRASE")
        .output()
        .unwrap();
    assert!(!output.status.success(), "the disk was to be full");
    company.does(&["keys", "status"]);
    assert_eq!(private(&company), before);
    assert_eq!(std::fs::read_dir(company.path("keys")).unwrap().count(), before.len() + 3);
}

/// A release server that takes everything and loses the answer to the one write that counts.
fn forgetful_server(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        listener.incoming().for_each(|stream| serve(stream.unwrap(), &folder));
    });
    address
}

fn serve(mut stream: TcpStream, folder: &Path) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim() {
            "" => break,
            line => lines.push(line.to_ascii_lowercase()),
        }
    }
    let Some((method, path)) = lines.first().and_then(|line| line.split_once(" /")) else { return };
    let path = folder.join(path.split(' ').next().unwrap());
    if method == "put" {
        let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut bytes = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut bytes).unwrap();
        std::fs::write(&path, bytes).unwrap();
        if !path.ends_with("timestamp.json") {
            stream
                .write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .unwrap();
        }
        return;
    }
    let (status, bytes) = match std::fs::read(&path) {
        Ok(bytes) => ("200 OK", bytes),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let (tag, length) = (hash::of(&bytes), bytes.len());
    let head = format!(
        "HTTP/1.1 {status}\r\netag: \"{tag}\"\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    if method == "get" {
        stream.write_all(&bytes).unwrap();
    }
}

#[test]
fn a_channels_key_is_kept_when_only_the_answer_was_lost_and_removed_when_it_was_refused() {
    let company = Company::new(&[]);
    let app = company.install();
    let before = private(&company);
    let delegate = |to| ["repo", "delegate", "stable", "--to", to, "--unencrypted"];
    company.fails(&delegate("nowhere"), "nowhere is no folder");
    assert!(!company.folder.path().join("nowhere").exists());
    std::fs::create_dir(company.folder.path().join("empty")).unwrap();
    company.fails(&delegate("empty"), "holds no release yet");
    assert_eq!(private(&company), before);
    let address = forgetful_server(company.repository());
    let output = Command::new(env!("CARGO_BIN_EXE_staysail"))
        .args(["repo", "delegate", "stable", "--unencrypted", "--to", &address])
        .current_dir(company.folder.path())
        .env_remove("STAYSAIL_KEYS_PASSPHRASE")
        .env("STAYSAIL_PUBLISH_TOKEN", "token")
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "the answer was lost");
    assert!(errors.contains("may be live") && errors.contains("staysail repo check"), "{errors}");
    assert!(private(&company).contains(&"channel-stable.key".to_owned()));
    company.publish("1.1.0", false).unwrap();
    app.sees_version("1.1.0");
}

#[test]
fn an_export_says_how_the_copy_opens_and_takes_no_id_that_means_two_keys() {
    let company = Company::new(&[]);
    let id = company.keys().of(Role::Targets).unwrap()[0].id.clone();
    for more in [&[][..], &["--public"]] {
        company.fails(&[&["keys", "export", "", "copy"], more].concat(), "several keys");
    }
    let said = company.does(&["keys", "export", &id, "copy"]);
    assert!(said.contains("NOT encrypted") && !said.contains("passphrase"), "{said}");
    std::fs::write(company.path("secret"), "correct horse\n").unwrap();
    company.does(&["keys", "rotate", "targets", "--passphrase-file", "secret"]);
    let id = company.keys().of(Role::Targets).unwrap()[0].id.clone();
    let said = company.does(&["keys", "export", &id, "encrypted"]);
    assert!(said.contains("the same passphrase"), "{said}");
}

#[test]
fn keys_get_another_passphrase_without_a_change_of_who_may_sign() {
    let company = Company::new(&[]);
    let root = company.keys().root().unwrap();
    std::fs::write(company.path("old"), "correct horse\n").unwrap();
    std::fs::write(company.path("new"), "battery staple\n").unwrap();
    company.fails(&["keys", "passphrase"], "--new-passphrase-file");
    company.does(&["keys", "passphrase", "--new-passphrase-file", "old"]);
    let before = private(&company);
    company.fails(&["keys", "passphrase", "--new-passphrase-file", "new"], "encrypted");
    let wrong = ["keys", "passphrase", "--passphrase-file", "new", "--unencrypted"];
    company.fails(&wrong, "wrong passphrase for the");
    company.fails(&wrong, "no key was changed; where they have different passphrases");
    company.fails(&["keys", "passphrase", "none", "--unencrypted"], "no private key none");
    let change = ["keys", "passphrase", "--passphrase-file", "old", "--new-passphrase-file", "new"];
    assert!(company.does(&change).contains("open with the new passphrase now: 4."));
    assert_eq!((private(&company), company.keys().root().unwrap()), (before, root));
    company.fails(&["keys", "renew", "--passphrase-file", "old"], "wrong passphrase");
    company.does(&["keys", "renew", "--passphrase-file", "new"]);
    let open = ["keys", "passphrase", "--passphrase-file", "new", "--unencrypted"];
    assert!(company.does(&open).contains("without a passphrase now: 4."));
    company.does(&["keys", "renew"]);
}

/// A project that compiles in a moment: its backend only describes itself.
fn project(company: &Company, version: &str) {
    let write = |name: &str, text: &str| {
        let path = company.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let package =
        format!("[package]\nname = \"drill\"\nversion = \"{version}\"\nedition = \"2024\"\n\n[workspace]\n");
    write("Cargo.toml", &package);
    write("src/main.rs", "fn main() { println!(\"{}\", r#\"{\"app\":\"com.example.drill\"}\"#); }\n");
    write("page/index.html", "<!doctype html><title>Drill</title>");
    write(
        "staysail.toml",
        "[app]\nid = \"com.example.drill\"\nname = \"Drill\"\n\n[frontend]\ndist = \"page\"\n",
    );
}

#[test]
fn who_has_a_channels_key_and_the_online_ones_publishes_there_by_command() {
    let company = Company::new(&[]);
    let app = company.install();
    company.does(&["repo", "delegate", "stable", "--to", "repository", "--unencrypted"]);
    let own = company.keys().found().unwrap().into_iter().find(|found| found.channel().is_some()).unwrap().id;
    company.does(&["keys", "export", &own, "handed-over.key"]);
    std::fs::create_dir(company.path("team")).unwrap();
    for name in ["root.json", "snapshot.key", "timestamp.key"] {
        std::fs::copy(company.path("keys").join(name), company.path("team").join(name)).unwrap();
    }
    let import = ["keys", "import", "handed-over.key", "--keys", "team"];
    company.fails(&import, "--channel");
    company.does(&[&import[..], &["--channel", "stable"]].concat());
    assert!(
        Keys::at(&company.path("team"))
            .found()
            .unwrap()
            .iter()
            .any(|found| found.channel() == Some("stable"))
    );
    project(&company, "1.1.0");
    let publish = ["publish", "--to", "repository", "--keys", "team"];
    // Told before anything is compiled.
    company.fails(&[&publish[..], &["--channel", "beta"]].concat(), "targets key is missing");
    assert!(!company.path("target").exists());
    let said = company.does(&publish);
    assert!(said.contains("Published 1.1.0"), "{said}");
    app.sees_version("1.1.0");
}

#[test]
fn a_channels_key_may_have_a_passphrase_of_its_own() {
    let company = Company::new(&[]);
    let (app, keys) = (company.install(), company.keys());
    let made = keys.make_for_channel("stable", Default::default(), Some("of its own")).unwrap();
    let place = Folder::open(&company.repository()).unwrap();
    publisher::delegate(&place, &keys, "stable", made, None, jiff::Timestamp::now()).unwrap();
    app.sees_version("1.0.0");
    drop(place);
    // By command, from a file that is not the passphrase of anything else.
    std::fs::write(company.path("its-own"), "of its own, too\n").unwrap();
    let delegate = ["repo", "delegate", "stable", "--to", "repository", "--new-passphrase-file", "its-own"];
    company.does(&delegate);
    project(&company, "1.1.0");
    let publish = ["publish", "--to", "repository"];
    company.fails(&publish, "is encrypted; give its passphrase");
    company.does(&[&publish[..], &["--passphrase-file", "its-own"]].concat());
    app.sees_version("1.1.0");
    // The online keys get one, too, which is another one.
    std::fs::write(company.path("online"), "of the online keys\n").unwrap();
    company.does(&["keys", "rotate", "snapshot", "timestamp", "--passphrase-file", "online"]);
    let publish = [&publish[..], &["--version", "1.2.0", "--passphrase-file", "online"]].concat();
    company.fails(&publish, "wrong passphrase");
    company.does(&[&publish[..], &["--channel-passphrase-file", "its-own"]].concat());
    app.sees_version("1.2.0");
}
