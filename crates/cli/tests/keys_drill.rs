//! docs/guide/keys.md as a drill: every key lost or stolen, and the way back, with the commands that stand there. An installed
//! app is a TUF client that has seen the repository before.

mod company;

use company::{App, Company, publish, publish_to, publish_with, renew};
use staysail_update::publisher::{Keys, Options, Role, metadata};
use std::process::Command;

#[test]
fn lost_online_keys_are_exchanged_and_apps_go_on() {
    let company = Company::new(&[]);
    let app = company.install();
    app.sees_version("1.0.0");
    company.lose(Role::Timestamp);
    company.lose(Role::Snapshot);
    company.fails(&renew(&[]), "keys rotate snapshot");
    company.does(&["keys", "rotate", "timestamp", "snapshot", "--unencrypted"]);
    company.does(&renew(&[]));
    app.sees_version("1.0.0");
    company.publish("1.1.0", false).unwrap();
    app.sees_version("1.1.0");
    company.install().sees_version("1.1.0");
}

#[test]
fn stolen_online_keys_lock_nobody_out() {
    let company = Company::new(&[]);
    let (app, backup) = (company.install(), company.copy("repository", "backup"));
    app.sees_version("1.0.0");
    // The thief drives the number of the timestamp up, so that no app takes an honest one any more.
    let stolen = Keys::at(&company.copy("keys", "stolen"));
    let path = company.repository().join("metadata/timestamp.json");
    let mut timestamp: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    timestamp["signed"]["version"] = 1_000_000.into();
    let signers = stolen.signers(Role::Timestamp, None).unwrap();
    let evil = metadata::envelope(&timestamp["signed"], &[&signers[0]]).unwrap();
    std::fs::write(&path, &evil).unwrap();
    app.sees_version("1.0.0");
    company.restore(&backup);
    company.does(&renew(&[]));
    assert!(app.sees().unwrap_err().contains("rollback"), "this is what the thief wanted");
    company.does(&["keys", "rotate", "timestamp", "snapshot", "--unencrypted"]);
    company.does(&renew(&[]));
    app.sees_version("1.0.0");
    std::fs::write(&path, &evil).unwrap();
    assert!(app.sees().is_err(), "what the thief signs counts for nothing now");
}

#[test]
fn a_lost_targets_key_is_exchanged_and_what_is_published_signed_again() {
    let company = Company::new(&[]);
    let app = company.install();
    app.sees_version("1.0.0");
    company.lose(Role::Targets);
    company.does(&["keys", "rotate", "targets", "--unencrypted"]);
    company.fails(&renew(&[]), "version \"1.0.0\"");
    company.does(&renew(&["--resign"]));
    app.sees_version("1.0.0");
    company.publish("1.1.0", false).unwrap();
    app.sees_version("1.1.0");
}

#[test]
fn a_stolen_targets_key_publishes_no_more_once_it_is_exchanged() {
    let company = Company::new(&[]);
    let app = company.install();
    let stolen = Keys::at(&company.copy("keys", "stolen"));
    publish(&stolen, &company.repository(), "6.6.6", false).unwrap();
    app.sees_version("6.6.6");
    company.does(&["keys", "rotate", "targets", "snapshot", "timestamp", "--unencrypted"]);
    // What the thief has published is not signed by accident.
    assert!(company.publish("7.0.0", false).unwrap_err().to_string().contains("6.6.6"));
    company.publish("7.0.0", true).unwrap();
    app.sees_version("7.0.0");
    assert!(publish(&stolen, &company.repository(), "8.0.0", false).is_err());
    // Not even with a repository of the thief's own that follows from the same first root.
    let theirs = company.path("theirs");
    std::fs::create_dir(&theirs).unwrap();
    publish(&stolen, &theirs, "8.0.0", false).unwrap();
    let led_astray = App { repository: theirs, ..app };
    assert!(led_astray.sees().unwrap_err().contains("refused"));
}

#[test]
fn what_a_stolen_targets_key_gave_away_is_listed_before_it_is_signed_anew() {
    let company = Company::new(&[]);
    let app = company.install();
    let stolen = Keys::at(&company.copy("keys", "stolen"));
    company.does(&["repo", "delegate", "stable", "--to", "repository", "--unencrypted", "--keys", "stolen"]);
    publish(&stolen, &company.repository(), "6.6.6", false).unwrap();
    app.sees_version("6.6.6");
    let theirs = stolen.found().unwrap().into_iter().find(|found| found.channel().is_some()).unwrap().id;
    company.does(&["keys", "rotate", "targets", "snapshot", "timestamp", "--unencrypted"]);
    for words in [renew(&[]), vec!["repo", "delegate", "stable", "--to", "repository", "--unencrypted"]] {
        company.fails(&words, "channel-stable");
        company.fails(&words, &theirs);
        company.fails(&words, "releases/stable.json: version \"6.6.6\"");
    }
    assert!(!company.path("keys/channel-stable.key").exists());
    // Taken back: who has looked signs the list, gives the channel another key, and publishes.
    company.does(&renew(&["--resign"]));
    company.does(&["repo", "delegate", "stable", "--to", "repository", "--unencrypted"]);
    company.publish("7.0.0", false).unwrap();
    app.sees_version("7.0.0");
    assert!(publish(&stolen, &company.repository(), "8.0.0", false).is_err());
}

#[test]
fn a_release_for_a_channel_with_a_key_of_its_own_signs_the_list_anew_when_that_was_said() {
    let company = Company::new(&[]);
    let app = company.install();
    company.does(&["repo", "delegate", "stable", "--to", "repository", "--unencrypted"]);
    company.does(&["keys", "rotate", "targets", "--unencrypted"]);
    assert!(company.publish("1.1.0", false).is_err());
    company.publish("1.1.0", true).unwrap();
    app.sees_version("1.1.0");
}

#[test]
fn one_of_several_root_keys_may_be_lost_or_stolen() {
    let company = Company::new(&["--threshold", "root=2/3"]);
    let app = company.install();
    let roots = company.keys().of(Role::Root).unwrap();
    let stolen = company.path("stolen");
    std::fs::create_dir(&stolen).unwrap();
    std::fs::copy(company.path("keys/root.json"), stolen.join("root.json")).unwrap();
    std::fs::rename(&roots[0].path, stolen.join("root.key")).unwrap();
    // The thief's one key makes no root.
    let forged = Keys::at(&stolen).change(None, jiff::Timestamp::now(), |_| Ok(())).unwrap();
    assert!(!forged.progress.is_complete());
    std::fs::copy(Keys::at(&stolen).draft_path(), company.repository().join("metadata/2.root.json")).unwrap();
    assert!(app.sees().is_err());
    std::fs::remove_file(company.repository().join("metadata/2.root.json")).unwrap();
    // The two that are left exchange it.
    company.fails(&["keys", "remove", "root", &roots[0].id[..8], "--threshold", "3"], "would have 2 keys");
    company.does(&["keys", "remove", "root", &roots[0].id[..8]]);
    company.does(&["keys", "add", "root", "--unencrypted"]);
    company.does(&renew(&[]));
    app.sees_version("1.0.0");
    let status = company.does(&["keys", "status"]);
    assert!(status.starts_with("Root 3") && status.contains("root: 2 of 3 keys must sign"), "{status}");
    assert!(!status.contains("elsewhere") && !status.contains(&roots[0].id[..8]), "{status}");
}

#[test]
fn when_the_only_root_key_is_lost_installed_apps_stay_as_they_are_and_new_ones_begin_anew() {
    let company = Company::new(&[]);
    let app = company.install();
    company.lose(Role::Root);
    company.fails(&["keys", "renew"], "no key in");
    // Releases go on as long as the root counts.
    company.publish("1.1.0", false).unwrap();
    app.sees_version("1.1.0");
    // New keys, a new repository, and an installer that pins the new root.
    std::fs::rename(company.path("keys"), company.path("old-keys")).unwrap();
    std::fs::rename(company.repository(), company.path("old-repository")).unwrap();
    company.does(&["keys", "init", "--unencrypted"]);
    std::fs::create_dir(company.repository()).unwrap();
    company.publish("2.0.0", false).unwrap();
    company.install().sees_version("2.0.0");
    assert!(app.sees().is_err());
}

#[test]
fn holders_of_keys_that_lie_apart_sign_by_exchanging_a_file() {
    let company = Company::new(&["--threshold", "root=2/2"]);
    let app = company.install();
    // The second holder's machine has one root key and the root, and never sees the others.
    let theirs = company.keys().of(Role::Root).unwrap().pop().unwrap();
    std::fs::create_dir(company.path("second")).unwrap();
    std::fs::copy(company.path("keys/root.json"), company.path("second/root.json")).unwrap();
    company.does(&["keys", "export", &theirs.id[..8], "moved.key"]);
    company.does(&["keys", "import", "moved.key", "--role", "root", "--keys", "second"]);
    std::fs::remove_file(&theirs.path).unwrap();

    let said = company.does(&["keys", "rotate", "timestamp", "--unencrypted", "--offline"]);
    assert!(said.contains("0 of 2 by keys of the root before"), "{said}");
    company.fails(&["keys", "renew"], "waits for signatures");
    let said =
        company.does(&["keys", "sign", "keys/draft.root.json", "--keys", "second", "--out", "signed.json"]);
    assert!(
        said.contains("timestamp: trusts the key") && said.contains("timestamp: no longer trusts"),
        "{said}"
    );
    let said = company.does(&["keys", "sign", "--accept", "signed.json"]);
    assert!(said.contains("1 of 2 by keys of the root before"), "{said}");
    let said = company.does(&["keys", "sign"]);
    assert!(said.contains("Root 2 is signed"), "{said}");
    company.does(&renew(&[]));
    app.sees_version("1.0.0");
}

#[test]
fn a_channel_with_a_key_of_its_own_is_published_to_without_the_targets_key_and_nothing_else_is() {
    let company = Company::new(&[]);
    let app = company.install();
    app.sees_version("1.0.0");
    company.does(&["repo", "delegate", "stable", "--to", "repository", "--unencrypted"]);
    app.sees_version("1.0.0");
    // A team with this channel's key and the online ones.
    std::fs::create_dir_all(company.path("team/roots")).unwrap();
    for name in ["root.json", "channel-stable.key", "snapshot.key", "timestamp.key"] {
        std::fs::copy(company.path("keys").join(name), company.path("team").join(name)).unwrap();
    }
    let team = Keys::at(&company.path("team"));
    publish(&team, &company.repository(), "1.1.0", false).unwrap();
    app.sees_version("1.1.0");
    company.install().sees_version("1.1.0");
    let on_beta = publish_to("beta", &team, &company.repository(), "1.2.0", false);
    assert!(on_beta.unwrap_err().to_string().contains("targets key is missing"));
    // Its key is stolen: another takes its place, and what was published stays.
    let stolen = Keys::at(&company.copy("team", "stolen"));
    company.does(&["repo", "delegate", "stable", "--to", "repository", "--unencrypted"]);
    app.sees_version("1.1.0");
    let said = publish(&stolen, &company.repository(), "6.6.6", false).unwrap_err().to_string();
    assert!(said.contains("channel-stable key is missing"), "{said}");
    company.publish("1.3.0", false).unwrap();
    app.sees_version("1.3.0");
    let said = company.does(&["repo", "check", "repository", "--files"]);
    assert!(said.contains("channel-stable") && said.contains("1.3.0 (sequence 3)"), "{said}");
    // A root changes, and the channel's key is still there.
    company.does(&["keys", "rotate", "timestamp", "--unencrypted"]);
    company.publish("1.4.0", false).unwrap();
    app.sees_version("1.4.0");
    company.fails(&["repo", "delegate", "../x", "--to", "repository", "--unencrypted"], "name of a channel");
}

#[cfg(unix)]
#[test]
fn an_external_signer_takes_the_place_of_a_key_file() {
    use std::os::unix::fs::PermissionsExt;
    let company = Company::new(&[]);
    let app = company.install();
    let openssl = |words: &[&str]| {
        let done = Command::new("openssl").args(words).current_dir(company.folder.path()).status();
        assert!(done.unwrap().success(), "{words:?}");
    };
    openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "token.pem"]);
    openssl(&["ec", "-in", "token.pem", "-pubout", "-out", "public.pem"]);
    let signer = company.path("signer");
    let script = format!(
        "#!/bin/sh\nopenssl dgst -sha256 -sign {} | od -An -v -tx1 | tr -d ' \\n'\n",
        company.path("token.pem").display()
    );
    std::fs::write(&signer, script).unwrap();
    std::fs::set_permissions(&signer, std::fs::Permissions::from_mode(0o755)).unwrap();
    let old = company.keys().of(Role::Timestamp).unwrap().remove(0).id;
    company.does(&[
        "keys",
        "add",
        "timestamp",
        "--public",
        "public.pem",
        "--signer",
        signer.to_str().unwrap(),
    ]);
    company.does(&["keys", "remove", "timestamp", &old]);
    assert!(company.does(&["keys", "status"]).contains("with an external signer"));
    company.does(&renew(&[]));
    app.sees_version("1.0.0");
    std::fs::write(&signer, "#!/bin/sh\nexit 1\n").unwrap();
    company.fails(&renew(&[]), "nothing was signed");
    app.sees_version("1.0.0");
}

#[test]
fn a_wrong_passphrase_changes_nothing_and_leaves_no_key_behind() {
    let company = Company { folder: tempfile::tempdir().unwrap() };
    std::fs::write(company.path("right"), "correct horse\n").unwrap();
    std::fs::write(company.path("wrong"), "battery staple\n").unwrap();
    company.does(&["keys", "init", "--passphrase-file", "right"]);
    let listing = || {
        let mut names: Vec<_> = std::fs::read_dir(company.path("keys"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    let before = listing();
    for words in [["keys", "rotate", "targets"], ["keys", "add", "snapshot"]] {
        company.fails(&[&words[..], &["--passphrase-file", "wrong"]].concat(), "wrong passphrase");
        assert_eq!(listing(), before);
    }
    company.does(&["keys", "rotate", "targets", "--passphrase-file", "right"]);
    let text = std::fs::read_to_string(company.path("keys/root.json")).unwrap();
    assert!(text.contains("\"version\": 2"), "{text}");
    for found in company.keys().found().unwrap() {
        assert!(found.file.is_encrypted());
    }
}

#[test]
fn a_check_sees_what_an_app_would_and_warns_before_anything_expires() {
    let company = Company::new(&[]);
    let said = company.does(&["repo", "check", "repository", "--files"]);
    assert!(said.contains("timestamp      version 1") && said.contains("1.0.0 (sequence 1)"), "{said}");
    let output = company.command(&["repo", "check", "repository", "--warn-days", "31"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("SOON: staysail repo renew") && said.matches("SOON").count() == 1, "{said}");
    company.fails(&["repo", "check", "nowhere"], "is no folder");
    // Nobody listens there.
    company.fails(&["repo", "check", "http://127.0.0.1:1"], "could not even read it: http://127.0.0.1:1");
    let blobs = company.repository().join("blobs");
    let blob = std::fs::read_dir(blobs).unwrap().next().unwrap().unwrap().path();
    let good = std::fs::read(&blob).unwrap();
    std::fs::write(&blob, [&good[..good.len() - 1], b"?"].concat()).unwrap();
    company.does(&["repo", "check", "repository"]);
    company.fails(&["repo", "check", "repository", "--files"], "an app would refuse");
    std::fs::remove_file(company.repository().join("metadata/1.snapshot.json")).unwrap();
    company.fails(&["repo", "check", "repository"], "1.snapshot.json");
}

fn rollout<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [&["rollout"], words, &company::TO[..]].concat()
}

fn in_waves(channel: &str) -> Options {
    Options { channel: channel.into(), rollout: Some("5%".parse().unwrap()), ..Options::default() }
}

#[test]
fn how_many_get_a_release_is_changed_with_the_online_keys_alone_and_seen_by_a_check() {
    let company = Company::new(&[]);
    let (keys, repository) = (company.keys(), company.repository());
    company.fails(&rollout(&["pause"]), "`staysail publish --rollout 5%` publishes one");
    publish_with(&in_waves("stable"), &keys, &repository, "1.1.0").unwrap();
    company.install().sees_version("1.0.0");
    company.lose(Role::Targets);
    let check = ["repo", "check", "repository", "--files"];
    let shown = "1.0.0 is for everybody on stable.\n  1.1.0: ";
    for (words, says, checked) in [
        (&["show"][..], "given to 5%", ", for 5% of all installs"),
        (&["set", "1.1.0", "12.5"], "given to 12.5%", ", for 12.5% of all installs"),
        (&["pause"], "paused at 12.5%; nobody else gets it", ", paused at 12.5%"),
        (&["resume", "1.1.0"], "given to 12.5%", ", for 12.5% of all installs"),
        (&["finish"], "given to everybody", ", for 100% of all installs"),
    ] {
        let told = company.does(&rollout(words));
        assert!(told.contains(&format!("1.1.0: {says}\n")), "{told}");
        let told = company.does(&rollout(&["show"]));
        assert_eq!(told, format!("{shown}{says}\n"));
        let told = company.does(&check);
        let wave = "releases/stable.wave-2.json: 1.1.0 (sequence 2)";
        assert!(told.contains(&format!("{wave}{checked}, manifest")), "{told}");
        assert!(told.contains("  rollout        version"), "{told}");
    }
    company.install().sees_version("1.0.0");
    let before = std::fs::read(repository.join("metadata/timestamp.json")).unwrap();
    company.fails(
        &rollout(&["set", "1.2.0", "5%"]),
        "version 1.2.0 is no release of stable that is given out in waves: there is 1.1.0",
    );
    company.fails(&rollout(&["set", "1.1.0", "101%"]), "write a percentage from 0% to 100%");
    company.fails(&rollout(&["pause", "--channel", "beta"]), "on beta: there is none");
    company.fails(&["publish", "--to", "repository", "--rollout", "5", "--barrier"], "cannot be used with");
    company.lose(Role::Snapshot);
    company.fails(&rollout(&["pause"]), "keys rotate snapshot");
    assert_eq!(std::fs::read(repository.join("metadata/timestamp.json")).unwrap(), before);
}

#[test]
fn a_channel_with_a_key_of_its_own_gives_releases_out_in_waves_without_the_targets_key() {
    let company = Company::new(&[]);
    let (keys, repository) = (company.keys(), company.repository());
    company.does(&["repo", "delegate", "beta", "--to", "repository", "--unencrypted"]);
    company.lose(Role::Targets);
    publish_to("beta", &keys, &repository, "2.0.0", false).unwrap();
    publish_with(&in_waves("beta"), &keys, &repository, "2.1.0").unwrap();
    let told = company.does(&rollout(&["set", "2.1.0", "50%", "--channel", "beta"]));
    assert!(told.contains("2.1.0: given to 50%"), "{told}");
    let told = company.does(&["repo", "check", "repository"]);
    assert!(
        told.contains("releases/beta.wave-2.json: 2.1.0 (sequence 2), for 50% of all installs"),
        "{told}"
    );
    // It is renewed along with what has to be renewed.
    let version = |told: &str| -> String {
        told.lines().find(|line| line.starts_with("  rollout ")).unwrap().chars().take(30).collect()
    };
    let before = version(&told);
    company.does(&renew(&[]));
    assert_ne!(version(&company.does(&["repo", "check", "repository"])), before);
}
