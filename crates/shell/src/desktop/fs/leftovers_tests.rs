//! Half written files of processes that are killed, and of processes that are not.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the other process writes; set for nothing but that.
const FOLDER: &str = "STAYSAIL_TEST_LEFTOVERS_FOLDER";

/// This very program again, as a writer that has begun and goes no further.
struct Writer(Child);

impl Writer {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "desktop::fs::leftovers::tests::the_other_process_when_it_is_one",
            ])
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.map_while(Result::ok).any(|line| line.contains("half written")),
            "the writer did not begin"
        );
        Self(child)
    }

    fn kill(mut self) {
        self.0.kill().unwrap(); // SIGKILL
        self.0.wait().unwrap();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_other_process_when_it_is_one() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (_name, mut file) = create(&Held::anchor(Path::new(&folder)).unwrap(), None).unwrap();
    file.write_all(b"half").unwrap();
    println!("\nhalf written");
    // Until it is killed, or its parent is gone.
    let _ = std::io::stdin().read_line(&mut String::new());
}

fn ours(folder: &Path) -> Vec<OsString> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| token(name).is_some()).collect()
}

#[test]
fn what_a_killed_writer_leaves_is_taken_away_and_what_a_living_one_writes_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let held = Held::anchor(folder.path()).unwrap();
    let others = [
        ".staysail-notes.new".to_owned(),
        format!(".staysail-{}.new.txt", "0".repeat(32)),
        format!(".staysail-{}.new", "A".repeat(32)),
        format!("staysail-{}.new", "0".repeat(32)),
    ];
    for name in &others {
        std::fs::write(folder.path().join(name), "somebody else's").unwrap();
    }
    let link = folder.path().join(format!("{PREFIX}{}{ENDING}", "1".repeat(32)));
    std::os::unix::fs::symlink(&others[0], &link).unwrap();

    let killed = Writer::start(folder.path());
    let living = Writer::start(folder.path());
    assert_eq!(ours(folder.path()).len(), 3, "two files and the link");
    sweep(&held, |_| ());
    assert_eq!(ours(folder.path()).len(), 3, "what is being written was taken away");

    killed.kill();
    let mut told = Vec::new();
    sweep(&held, |token| told.push(token.to_owned()));
    assert_eq!((told.len(), ours(folder.path()).len()), (1, 2), "{told:?}");
    living.kill();
    sweep(&held, |_| ());
    assert_eq!(ours(folder.path()), [link.file_name().unwrap()], "a link is none of ours");
    for name in &others {
        assert!(folder.path().join(name).exists(), "{name}");
    }
}

/// A writer never loses its file to somebody who sweeps without end, whichever of the two is at it in between.
#[test]
fn whoever_sweeps_while_files_are_made_takes_none_of_them_away() {
    let folder = tempfile::tempdir().unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sweeping = scope.spawn(|| {
            let held = Held::anchor(folder.path()).unwrap();
            while !ended.load(Ordering::Relaxed) {
                sweep(&held, |_| ());
            }
        });
        let held = Held::anchor(folder.path()).unwrap();
        for number in 0..2_000 {
            let (name, file) = create(&held, None).unwrap();
            let placed = held.rename(&name, &held, OsStr::new("whole"), true);
            if let Err(error) = placed {
                ended.store(true, Ordering::Relaxed);
                panic!("{number}: {error}");
            }
            drop(file);
        }
        ended.store(true, Ordering::Relaxed);
        sweeping.join().unwrap();
    });
    assert!(ours(folder.path()).is_empty() && folder.path().join("whole").exists());
}
