//! Keys at rest, thresholds, and roots that several have to sign.

use super::*;

fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

fn plan(role: Role, keys: usize, threshold: usize) -> Plan {
    Plan { roles: BTreeMap::from([(role, (keys, threshold))]), ..Plan::default() }
}

#[test]
fn encrypted_keys_open_with_their_passphrase_only_and_are_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let keys = Keys::create(&path, Some("correct horse"), now()).unwrap();
    assert!(keys.is_encrypted(Role::Targets));
    let signing = keys.signers(Role::Targets, Some("correct horse")).unwrap();
    assert_eq!(signing[0].sign(b"x").unwrap().len(), 128);
    for wrong in [None, Some("wrong")] {
        let error = keys.signers(Role::Targets, wrong).unwrap_err();
        assert!(matches!(&error, Error::Refused(text) if text.contains("passphrase")), "{error}");
    }
    let before = fs::read(path.join("root.key")).unwrap();
    assert!(matches!(Keys::create(&path, None, now()), Err(Error::Refused(_))));
    assert_eq!(fs::read(path.join("root.key")).unwrap(), before);
    assert!(!String::from_utf8(before).unwrap().contains("seed"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path.join("root.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn another_passphrase_opens_the_same_keys_and_a_wrong_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let keys = Keys::create(&path, Some("first"), now()).unwrap();
    let files =
        || keys.found().unwrap().iter().map(|found| fs::read(&found.path).unwrap()).collect::<Vec<_>>();
    let ids = || keys.found().unwrap().into_iter().map(|found| found.id).collect::<Vec<_>>();
    let (before, known) = (files(), ids());
    for wrong in [None, Some("wrong")] {
        let error = keys.change_passphrase(keys.found().unwrap(), wrong, Some("second")).unwrap_err();
        assert!(error.to_string().contains("passphrase"), "{error}");
    }
    assert_eq!(files(), before);
    // As if the last time had ended in the middle: one key is done already.
    let one = keys.found().unwrap().into_iter().take(1).collect();
    assert_eq!(keys.change_passphrase(one, Some("first"), Some("second")).unwrap().len(), 1);
    let changed = keys.change_passphrase(keys.found().unwrap(), Some("first"), Some("second")).unwrap();
    assert_eq!((changed.len(), ids()), (known.len() - 1, known));
    for role in Role::ALL {
        assert!(keys.signers(role, Some("first")).is_err());
        assert!(keys.signers(role, Some("second")).is_ok());
    }
    #[cfg(unix)]
    for found in keys.found().unwrap() {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&found.path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(
        fs::read_dir(&path)
            .unwrap()
            .flatten()
            .all(|entry| !entry.file_name().to_string_lossy().contains(".key."))
    );
    keys.change_passphrase(keys.found().unwrap(), Some("second"), None).unwrap();
    assert!(!keys.is_encrypted(Role::Root) && keys.signers(Role::Root, None).is_ok());
}

#[test]
fn a_renewed_root_is_accepted_by_who_pins_the_first_one() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::create(&folder.path().join("keys"), None, now()).unwrap();
    let first = keys.root().unwrap();
    assert_eq!(keys.renew(None, now()).unwrap(), 2);
    let mut trusted = crate::crypto::trusted(&first).unwrap();
    trusted.update_root(&keys.root().unwrap()).unwrap();
    assert_eq!(keys.roots().unwrap().into_keys().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn thresholds_want_that_many_keys_and_can_not_be_out_of_reach() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    assert!(Keys::create_with(&path, &plan(Role::Targets, 2, 3), None, now()).is_err());
    assert!(!path.exists());
    let keys = Keys::create_with(&path, &plan(Role::Targets, 3, 2), None, now()).unwrap();
    assert_eq!(keys.signers(Role::Targets, None).unwrap().len(), 2);
    for found in keys.of(Role::Targets).unwrap().iter().take(2) {
        fs::remove_file(&found.path).unwrap();
    }
    let error = keys.signers(Role::Targets, None).unwrap_err().to_string();
    assert!(error.contains("wants 2 signatures, and 1 of its keys"), "{error}");
    let error = keys.change(None, now(), |draft| {
        draft.set_threshold(Role::Targets, 4);
        Ok(())
    });
    assert!(error.unwrap_err().to_string().contains("would have 3 keys and want 4"));
}

#[test]
fn a_root_whose_keys_lie_apart_goes_round_until_enough_have_signed() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    let keys = Keys::create_with(&here, &plan(Role::Root, 2, 2), None, now()).unwrap();
    let first = keys.root().unwrap();
    // The second holder takes one root key away and knows the root.
    let second = Keys::at(&there);
    fs::create_dir(&there).unwrap();
    fs::copy(here.join("root.json"), there.join("root.json")).unwrap();
    let theirs = keys.of(Role::Root).unwrap().pop().unwrap();
    keys.export(&theirs.id, &there.join("mine.key")).unwrap();
    fs::remove_file(&theirs.path).unwrap();

    let new = keys.make(Role::Timestamp, Algorithm::Ecdsa, None).unwrap();
    let changed = keys
        .change(None, now(), |draft| {
            draft.clear(Role::Timestamp);
            draft.add(Role::Timestamp, &new.public, &new.id);
            Ok(())
        })
        .unwrap();
    assert_eq!(changed.progress, Progress { old: (1, 2), new: (1, 2) });
    assert_eq!(keys.root().unwrap(), first, "nothing is in force before enough have signed");
    assert!(keys.renew(None, now()).unwrap_err().to_string().contains("waits for signatures"));
    // A draft of something else does not slip in.
    let other = second.draft(now(), |_| Ok(())).unwrap();
    assert!(keys.accept(&other).unwrap_err().to_string().contains("another root"));

    let draft = fs::read(keys.draft_path()).unwrap();
    let signed = second.add_signatures(&draft, None).unwrap();
    let changed = keys.accept(&signed).unwrap();
    assert!(changed.progress.is_complete());
    let mut trusted = crate::crypto::trusted(&first).unwrap();
    trusted.update_root(&keys.root().unwrap()).unwrap();
    assert_eq!(keys.waiting().unwrap(), None);
    // The key that is trusted no more is out of the way, and the new one signs.
    assert_eq!(fs::read_dir(here.join("retired")).unwrap().count(), 1);
    assert_eq!(keys.signers(Role::Timestamp, None).unwrap()[0].id, new.id);
}

#[test]
fn a_forged_signature_never_completes_a_root() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::create(&folder.path().join("keys"), None, now()).unwrap();
    let changed = keys.propose(now(), |_| Ok(())).unwrap();
    assert_eq!(changed.progress, Progress { old: (0, 1), new: (0, 1) });
    let mut draft: Value = serde_json::from_slice(&fs::read(keys.draft_path()).unwrap()).unwrap();
    let id = keys.of(Role::Root).unwrap()[0].id.clone();
    draft["signatures"] = json!([{ "keyid": id, "sig": "00".repeat(64) }]);
    let changed = keys.accept(&metadata::pretty(&draft).unwrap()).unwrap();
    assert!(!changed.progress.is_complete());
    let signed = keys.add_signatures(&fs::read(keys.draft_path()).unwrap(), None).unwrap();
    assert!(keys.accept(&signed).unwrap().progress.is_complete());
}

#[test]
fn a_key_that_was_exchanged_under_its_old_id_is_refused_before_anything_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::create(&folder.path().join("keys"), None, now()).unwrap();
    keys.propose(now(), |_| Ok(())).unwrap();
    let mut draft: Value = serde_json::from_slice(&fs::read(keys.draft_path()).unwrap()).unwrap();
    fs::remove_file(keys.draft_path()).unwrap();
    draft["signed"]["consistent_snapshot"] = false.into();
    let (current, next) = (keys.root().unwrap(), metadata::pretty(&draft).unwrap());
    let (current, next) = (metadata::parse(&current).unwrap(), metadata::parse(&next).unwrap());
    assert!(changes(&current, &next).concat().contains("consistent_snapshot: false, not true"));
    draft["signed"]["consistent_snapshot"] = true.into();

    let thief = Signing::new(Algorithm::Ed25519, &[7; 32]).unwrap();
    let id = keys.of(Role::Targets).unwrap()[0].id.clone();
    draft["signed"]["keys"][&id] = thief.public;
    let draft = metadata::pretty(&draft).unwrap();
    for refusal in [keys.add_signatures(&draft, None).map(drop), keys.accept(&draft).map(drop)] {
        let error = refusal.unwrap_err().to_string();
        assert!(error.contains(&id) && error.contains("another key"), "{error}");
    }
    assert!(!keys.draft_path().exists());
}

#[test]
fn no_private_key_is_written_before_what_keeps_it_out_of_version_control() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    fs::create_dir_all(path.join(".gitignore/in-the-way")).unwrap();
    assert!(matches!(Keys::create(&path, None, now()), Err(Error::Disk { .. })));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
}

#[test]
fn a_draft_of_a_root_that_is_in_force_already_waits_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::create(&folder.path().join("keys"), None, now()).unwrap();
    keys.propose(now(), |_| Ok(())).unwrap();
    let draft = fs::read(keys.draft_path()).unwrap();
    assert_eq!(keys.waiting().unwrap(), Some(2));
    keys.accept(&keys.add_signatures(&draft, None).unwrap()).unwrap();
    // Killed between the new root and the end of its draft.
    fs::write(keys.draft_path(), draft).unwrap();
    assert_eq!(keys.waiting().unwrap(), None);
    assert_eq!(keys.renew(None, now()).unwrap(), 3);
    assert!(!keys.draft_path().exists());
}
