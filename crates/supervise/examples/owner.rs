//! An owner of process trees for the tests: starts what its first argument says, prints `ready`, and waits to be
//! killed. Everything it starts holds its standard output open, so its reader sees the end when all are gone.

#[cfg(unix)]
fn main() {
    use staysail_supervise::Spawn;
    use std::io::{Read, Write};
    staysail_supervise::guardian_main();
    let what = std::env::args().nth(1).unwrap_or_default();
    // Two grandchildren: one in the group, one that left group and session and was orphaned.
    let forking = "sleep 1000 & (setsid sleep 1000 &) ; echo started; wait";
    let (script, guarded) = match what.as_str() {
        "guarded" => (forking, true),
        "frozen" => ("echo started; exec sleep 1000", false),
        other => panic!("unknown mode {other:?}"),
    };
    let (told, started) = std::io::pipe().expect("a pipe");
    let script = format!("exec 3>&2; {}", script.replace("echo started", "echo started; exec 1>&3"));
    let spawn = Spawn::new("sh").args(["-c", &script]).stdout(started).stderr(copy_of_stdout());
    let tree = spawn.guarded(guarded).spawn().expect("the tree starts");
    let mut line = [0; 7];
    (&told).read_exact(&mut line).expect("the child says that it started");
    if what == "frozen" {
        assert!(tree.freeze() || !cfg!(target_os = "linux"));
    }
    println!("ready {}", tree.id());
    std::io::stdout().flush().expect("standard output works");
    loop {
        std::thread::park();
    }
}

#[cfg(unix)]
fn copy_of_stdout() -> std::os::fd::OwnedFd {
    use std::os::fd::AsFd;
    std::io::stdout().as_fd().try_clone_to_owned().expect("a copy of standard output")
}

#[cfg(not(unix))]
fn main() {}
