//! What happens at a real disk: links, exchanged folders, devices, hidden files, full and read-only disks.

use super::*;
use crate::shell::Facts;
use staysail_protocol::scope::FileScope;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};

/// A folder with a scope over all of `inside`, and a secret beside it.
struct Stage {
    _folder: tempfile::TempDir,
    root: PathBuf,
    reach: Reach,
}

fn stage() -> Stage {
    stage_with(&[])
}

fn stage_with(more: &[(&str, Access)]) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("inside")).unwrap();
    std::fs::create_dir(root.join("outside")).unwrap();
    std::fs::write(root.join("outside/secret"), "secret").unwrap();
    let mut scopes = vec![scope(&root.join("inside/**"), Access::ReadWrite)];
    scopes.extend(more.iter().map(|(path, access)| scope(&root.join(path), *access)));
    let reach = Reach::new("main", Facts::default(), &scopes, Vec::new());
    Stage { _folder: folder, root, reach }
}

fn scope(path: &Path, access: Access) -> FileScope {
    FileScope { path: path.display().to_string(), access }
}

impl Stage {
    fn at(&self, path: &str) -> PathBuf {
        self.root.join("inside").join(path)
    }

    fn place(&self, path: &str) -> Place {
        self.reach.place(&self.at(path).display().to_string(), Access::ReadWrite).unwrap()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, CallError> {
        read(&self.reach, &self.place(path), 0, None)
    }

    fn write(&self, path: &str, text: &str) -> Result<(), CallError> {
        write(&self.reach, &self.place(path), text.as_bytes())
    }

    fn list(&self, path: &str) -> Vec<String> {
        let place = self.reach.folder(&self.at(path).display().to_string()).unwrap();
        list(&self.reach, &place).unwrap().into_iter().map(|entry| entry.name).collect()
    }
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, CallError>) -> String {
    let error = outcome.unwrap_err();
    match error.code {
        ErrorCode::File => error.details["reason"].as_str().unwrap_or_default().to_owned(),
        code => format!("{code:?}"),
    }
}

#[test]
fn files_are_written_read_appended_copied_renamed_listed_and_removed() {
    let stage = stage();
    stage.write("a/b/note.txt", "ahoy").unwrap();
    append(&stage.reach, &stage.place("a/b/note.txt"), b", sailor").unwrap();
    append(&stage.reach, &stage.place("log"), b"new").unwrap();
    assert_eq!(stage.read("a/b/note.txt").unwrap(), b"ahoy, sailor");
    assert_eq!(read(&stage.reach, &stage.place("a/b/note.txt"), 6, Some(4)).unwrap(), b"sail");
    assert_eq!(read(&stage.reach, &stage.place("a/b/note.txt"), 600, None).unwrap(), b"");
    copy(&stage.reach, &stage.place("a/b/note.txt"), &stage.place("copy"), false).unwrap();
    assert_eq!(reason(copy(&stage.reach, &stage.place("log"), &stage.place("copy"), false)), "exists");
    assert_eq!(reason(rename(&stage.reach, &stage.place("log"), &stage.place("copy"), false)), "exists");
    assert_eq!(stage.read("copy").unwrap(), b"ahoy, sailor");
    rename(&stage.reach, &stage.place("log"), &stage.place("copy"), true).unwrap();
    assert_eq!(stage.read("copy").unwrap(), b"new");
    rename(&stage.reach, &stage.place("a"), &stage.place("z"), false).unwrap();
    assert_eq!(stage.list(""), ["copy", "z"]);
    create_folder(&stage.reach, &stage.place("z/y/x")).unwrap();
    create_folder(&stage.reach, &stage.place("z/y/x")).unwrap();
    assert_eq!(reason(create_folder(&stage.reach, &stage.place("copy"))), "not_a_folder");
    let known = super::stat(&stage.reach, &stage.place("copy")).unwrap();
    assert_eq!((known.kind, known.size, known.readonly), (FileKind::File, 3, false));
    assert!(known.modified.unwrap() > 1_600_000_000_000);
    assert!(exists(&stage.reach, &stage.place("z/y")).unwrap());
    assert!(
        !exists(&stage.reach, &stage.place("q/y")).unwrap()
            && !exists(&stage.reach, &stage.place("copy/y")).unwrap()
    );
    assert_eq!(reason(remove(&stage.reach, &stage.place("z"), false)), "not_empty");
    remove(&stage.reach, &stage.place("z"), true).unwrap();
    remove(&stage.reach, &stage.place("copy"), false).unwrap();
    assert!(stage.list("").is_empty());
    for (outcome, why) in [
        (stage.read("gone").map(drop), "not_found"),
        (remove(&stage.reach, &stage.place("gone"), true), "not_found"),
        (stage.read("").map(drop), "is_folder"),
        (stage.write("", "x"), "Denied"),
        (remove(&stage.reach, &stage.place(""), true), "Denied"),
    ] {
        assert_eq!(reason(outcome), why);
    }
    std::fs::write(stage.at("latin1"), b"caf\xe9").unwrap();
    assert_eq!(reason(read_text(&stage.reach, &stage.place("latin1"), 100)), "not_text");
    assert_eq!(reason(read_text(&stage.reach, &stage.place("latin1"), 3)), "TooLarge");
}

#[test]
fn a_file_is_replaced_whole_with_its_rights_and_its_other_names_keep_the_old_content() {
    let stage = stage();
    std::fs::write(stage.at("a"), "old").unwrap();
    std::fs::set_permissions(stage.at("a"), std::fs::Permissions::from_mode(0o4750)).unwrap();
    std::fs::hard_link(stage.at("a"), stage.root.join("outside/other-name")).unwrap();
    let before = std::fs::metadata(stage.at("a")).unwrap().ino();
    stage.write("a", "new").unwrap();
    let after = std::fs::metadata(stage.at("a")).unwrap();
    assert_ne!(after.ino(), before);
    assert_eq!(after.mode() & 0o7777, 0o750, "rights are kept, lent identities are not");
    assert_eq!(std::fs::read(stage.root.join("outside/other-name")).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(stage.at("")).unwrap().count(), 1, "something was left beside it");
}

#[test]
fn no_link_leads_anywhere_in_the_middle_or_at_the_end_of_a_path() {
    let stage = stage();
    symlink(stage.root.join("outside"), stage.at("way")).unwrap();
    symlink(stage.root.join("outside/secret"), stage.at("link")).unwrap();
    symlink("../outside/secret", stage.at("relative")).unwrap();
    symlink("/proc/self/root", stage.at("root")).unwrap();
    symlink(stage.root.join("outside/new"), stage.at("dangling")).unwrap();
    for path in ["way/secret", "link", "relative", "root/etc/passwd", "dangling"] {
        assert_eq!(reason(stage.read(path)), "is_link", "reading {path}");
        assert_eq!(reason(stage.write(path, "x")), "is_link", "writing {path}");
        assert_eq!(reason(append(&stage.reach, &stage.place(path), b"x")), "is_link", "appending to {path}");
        assert_eq!(
            reason(copy(&stage.reach, &stage.place(path), &stage.place("copy"), false)),
            "is_link",
            "{path}"
        );
    }
    assert_eq!(reason(remove(&stage.reach, &stage.place("way/secret"), false)), "is_link");
    assert_eq!(reason(create_folder(&stage.reach, &stage.place("way/new"))), "is_link");
    assert_eq!(reason(rename(&stage.reach, &stage.place("way/secret"), &stage.place("x"), false)), "is_link");
    assert_eq!(super::stat(&stage.reach, &stage.place("link")).unwrap().kind, FileKind::Link);
    // A link itself can be taken away; what it leads to stays.
    remove(&stage.reach, &stage.place("way"), true).unwrap();
    remove(&stage.reach, &stage.place("link"), false).unwrap();
    assert_eq!(std::fs::read(stage.root.join("outside/secret")).unwrap(), b"secret");
    assert!(!stage.root.join("outside/new").exists());
}

#[test]
fn a_folder_removed_whole_takes_links_along_and_not_what_they_lead_to() {
    let stage = stage();
    std::fs::create_dir_all(stage.at("a/b")).unwrap();
    symlink(stage.root.join("outside"), stage.at("a/b/way")).unwrap();
    remove(&stage.reach, &stage.place("a"), true).unwrap();
    assert!(!stage.at("a").exists() && stage.root.join("outside/secret").exists());
}

/// Exchanges two names, over and over, until it is dropped.
#[cfg(target_os = "linux")]
struct Swing(std::sync::Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);

#[cfg(target_os = "linux")]
impl Swing {
    fn of(name: PathBuf, others: Vec<PathBuf>) -> Self {
        let over = std::sync::Arc::new(AtomicBool::new(false));
        let over_then = over.clone();
        let swing = std::thread::spawn(move || {
            for other in others.iter().cycle() {
                if over_then.load(Ordering::Relaxed) {
                    break;
                }
                // There and back: a name that is missing for a moment would be made by who writes.
                for _ in 0..2 {
                    use rustix::fs::{CWD, RenameFlags, renameat_with};
                    renameat_with(CWD, &name, CWD, other, RenameFlags::EXCHANGE).unwrap();
                }
            }
        });
        Self(over, Some(swing))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Swing {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        let ended = self.1.take().is_none_or(|swing| swing.join().is_ok());
        assert!(ended || std::thread::panicking(), "the exchanges failed");
    }
}

/// A folder becomes a link to another one, while a page reads and writes through its name.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_exchanged_for_a_link_meanwhile_never_lets_a_page_out() {
    let stage = stage();
    std::fs::create_dir_all(stage.at("swing/deep")).unwrap();
    std::fs::create_dir_all(stage.root.join("outside/deep")).unwrap();
    std::fs::write(stage.at("swing/deep/f"), "inside").unwrap();
    std::fs::write(stage.root.join("outside/deep/f"), "secret").unwrap();
    symlink(stage.root.join("outside"), stage.at("bait")).unwrap();
    let swing = Swing::of(stage.at("swing"), vec![stage.at("bait")]);
    let mut seen = (0, 0);
    for round in 0..4_000 {
        match stage.read("swing/deep/f") {
            Ok(bytes) => {
                assert_eq!(bytes, b"inside", "a page read through the link");
                seen.0 += 1;
            }
            Err(error) => {
                let reason = error.details["reason"].as_str().unwrap_or_default();
                // It may be a folder again by the time it is looked at what was in the way.
                assert!(["is_link", "not_a_folder"].contains(&reason), "{error}");
                seen.1 += 1;
            }
        }
        // Each of these waits for the disk.
        if round % 20 == 0 {
            let _ = stage.write("swing/deep/w1", "inside");
            let _ = append(&stage.reach, &stage.place("swing/deep/f"), b"");
            let _ = create_folder(&stage.reach, &stage.place("swing/made/here"));
            let _ = remove(&stage.reach, &stage.place("swing/made"), true);
            let _ = remove(&stage.reach, &stage.place("swing/deep/w1"), false);
        }
    }
    drop(swing);
    assert!(seen.0 > 0 && seen.1 > 0, "the folder was never met in both of its states: {seen:?}");
    let names = |folder: &Path| {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|one| one.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&stage.root.join("outside/deep")), ["f"], "a page wrote through the link");
    assert_eq!(names(&stage.root.join("outside")), ["deep", "secret"]);
    assert_eq!(std::fs::read(stage.root.join("outside/deep/f")).unwrap(), b"secret");
}

/// The same with the last name: a file that becomes a link or a pipe between the look and the opening.
#[cfg(target_os = "linux")]
#[test]
fn a_file_exchanged_for_a_link_or_a_pipe_meanwhile_is_not_opened() {
    let stage = stage();
    std::fs::write(stage.at("f"), "inside").unwrap();
    symlink(stage.root.join("outside/secret"), stage.at("bait")).unwrap();
    pipe(&stage.at("pipe"));
    let _swing = Swing::of(stage.at("f"), vec![stage.at("bait"), stage.at("pipe")]);
    for round in 0..10_000 {
        match stage.read("f") {
            Ok(bytes) => assert_eq!(bytes, b"inside"),
            Err(error) => {
                let reason = error.details["reason"].as_str().unwrap_or_default();
                assert!(["is_link", "not_a_file"].contains(&reason), "{error}");
            }
        }
        if round % 20 == 0 {
            let _ = append(&stage.reach, &stage.place("f"), b"");
        }
    }
    assert_eq!(std::fs::read(stage.root.join("outside/secret")).unwrap(), b"secret");
}

fn pipe(path: &Path) {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: a path that ends with a NUL.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

#[test]
fn pipes_sockets_and_devices_are_refused_and_never_waited_for() {
    let stage = stage();
    pipe(&stage.at("pipe"));
    let _socket = std::os::unix::net::UnixListener::bind(stage.at("socket")).unwrap();
    let mut kinds = vec!["pipe", "socket"];
    let device = std::ffi::CString::new(stage.at("zero").as_os_str().as_bytes()).unwrap();
    // SAFETY: a path that ends with a NUL. Needs root; what can not be made is not tried.
    if unsafe { libc::mknod(device.as_ptr(), libc::S_IFCHR | 0o666, libc::makedev(1, 5)) } == 0 {
        kinds.push("zero");
    }
    for kind in kinds {
        assert_eq!(reason(stage.read(kind)), "not_a_file", "{kind}");
        assert_eq!(reason(stage.write(kind, "x")), "not_a_file", "{kind}");
        assert_eq!(reason(append(&stage.reach, &stage.place(kind), b"x")), "not_a_file", "{kind}");
        assert_eq!(super::stat(&stage.reach, &stage.place(kind)).unwrap().kind, FileKind::Other);
    }
}

#[test]
fn hidden_files_are_not_seen_and_keep_their_folder_from_being_removed_or_moved() {
    let stage = stage_with(&[("named/.env", Access::Read), ("named/*.txt", Access::Read)]);
    std::fs::create_dir_all(stage.at("a/.git")).unwrap();
    std::fs::write(stage.at("a/seen"), "").unwrap();
    assert_eq!(stage.list("a"), ["seen"]);
    for outcome in [
        remove(&stage.reach, &stage.place("a"), true),
        rename(&stage.reach, &stage.place("a"), &stage.place("b"), false),
    ] {
        let error = outcome.unwrap_err();
        assert!(error.code == ErrorCode::Denied && error.message.contains(".git"), "{error}");
    }
    assert!(stage.at("a/seen").exists(), "something went before it was refused");
    std::fs::create_dir(stage.root.join("named")).unwrap();
    for name in [".env", ".other", "a.txt", "b.md"] {
        std::fs::write(stage.root.join("named").join(name), "x").unwrap();
    }
    let place = stage.reach.folder(&stage.root.join("named").display().to_string()).unwrap();
    let names: Vec<String> =
        list(&stage.reach, &place).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, [".env", "a.txt"], "a list shows what may be read");
}

#[test]
fn a_folder_is_not_moved_to_where_more_of_it_could_be_read() {
    // `box/*` means the folders in it, and not what they hold.
    let stage = stage_with(&[("box/*", Access::ReadWrite)]);
    std::fs::create_dir_all(stage.root.join("box/private")).unwrap();
    std::fs::write(stage.root.join("box/private/diary"), "dear").unwrap();
    let private =
        stage.reach.place(&stage.root.join("box/private").display().to_string(), Access::ReadWrite).unwrap();
    assert_eq!(reason(rename(&stage.reach, &private, &stage.place("mine"), false)), "Denied");
    assert!(stage.root.join("box/private/diary").exists());
}

#[test]
fn names_that_are_no_unicode_are_shown_and_not_lost() {
    let stage = stage();
    std::fs::write(stage.at("").join(OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    let place = stage.reach.folder(&stage.at("").display().to_string()).unwrap();
    let entries = list(&stage.reach, &place).unwrap();
    assert_eq!((entries[0].name.as_str(), entries[0].unreadable_name), ("caf\u{fffd}", true));
    // A folder with one in it can be removed all the same.
    std::fs::create_dir(stage.at("a")).unwrap();
    std::fs::write(stage.at("a").join(OsStr::from_bytes(b"\xff")), "").unwrap();
    remove(&stage.reach, &stage.place("a"), true).unwrap();
}

/// Mounts a small disk for one test; `None` without the right to.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, options: &str) -> Option<Self> {
        let mount =
            std::process::Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(at).output();
        mount.is_ok_and(|done| done.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_and_one_that_is_read_only_leave_what_was_there() {
    let stage = stage();
    std::fs::create_dir(stage.at("disk")).unwrap();
    let Some(disk) = Disk::mount(&stage.at("disk"), "size=64k") else { return };
    stage.write("disk/a", "old").unwrap();
    append(&stage.reach, &stage.place("disk/log"), b"one").unwrap();
    let large = "x".repeat(200_000);
    assert_eq!(reason(stage.write("disk/a", &large)), "disk_full");
    assert_eq!(stage.read("disk/a").unwrap(), b"old");
    assert_eq!(reason(append(&stage.reach, &stage.place("disk/log"), large.as_bytes())), "disk_full");
    assert_eq!(stage.read("disk/log").unwrap(), b"one", "half of what did not fit was left");
    assert_eq!(stage.list("disk"), ["a", "log"]);
    assert_eq!(std::fs::read_dir(stage.at("disk")).unwrap().count(), 2, "something was left beside it");
    // From one disk to the other: a file is copied, a folder is not.
    stage.write("b", "there").unwrap();
    rename(&stage.reach, &stage.place("b"), &stage.place("disk/b"), false).unwrap();
    assert!(!stage.at("b").exists() && stage.read("disk/b").unwrap() == b"there");
    create_folder(&stage.reach, &stage.place("folder")).unwrap();
    assert_eq!(
        reason(rename(&stage.reach, &stage.place("folder"), &stage.place("disk/f"), false)),
        "other_disk"
    );
    drop(disk);
    let Some(_disk) = Disk::mount(&stage.at("disk"), "ro") else { return };
    assert_eq!(reason(stage.write("disk/a", "x")), "read_only");
}

#[test]
fn a_folder_of_the_apps_own_is_made_when_something_is_written_into_it_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().canonicalize().unwrap().join("app/data");
    let facts = Facts { data_dir: data.display().to_string(), ..Facts::default() };
    let scopes = [FileScope { path: "$CONFIG/**".into(), access: Access::ReadWrite }];
    let reach = Reach::new("main", facts, &scopes, Vec::new());
    let place = reach.place("$CONFIG/settings.json", Access::ReadWrite).unwrap();
    assert_eq!(reason(read(&reach, &place, 0, None)), "not_found");
    assert!(!data.with_file_name("config").exists());
    write(&reach, &place, b"{}").unwrap();
    assert_eq!(std::fs::read(data.with_file_name("config").join("settings.json")).unwrap(), b"{}");
}
