//! Another user of the machine at the sockets of a running app.

use anyhow::ensure;
use serde_json::json;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::project::Project;
use staysail_e2e::stage::play;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};

/// `nobody`, on every Linux.
const NOBODY: libc::c_long = 65_534;

/// Speaks to an abstract socket as another user. What it got for it.
fn speak_as_nobody(name: String) -> anyhow::Result<Vec<u8>> {
    let speaker = std::thread::spawn(move || -> anyhow::Result<Vec<u8>> {
        // The bare system call changes this thread alone; the C library would change all of them.
        // SAFETY: takes three numbers and touches no memory; the thread ends after this.
        let changed = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
        ensure!(changed == 0, "this thread could not become another user");
        // One of another test's app may have ended.
        let address = SocketAddr::from_abstract_name(name)?;
        let Ok(mut stream) = UnixStream::connect_addr(&address) else { return Ok(Vec::new()) };
        // A hello as long as a right one.
        let _ = stream.write_all(&[&[1, 64, 0, 0, 0][..], &[0; 16], &[b'a'; 64]].concat());
        let mut answer = Vec::new();
        // Cut off with what it sent unread: an end, or a reset.
        let _ = stream.read_to_end(&mut answer);
        Ok(answer)
    });
    speaker.join().map_err(|_| anyhow::anyhow!("the other user's thread panicked"))?
}

#[test]
fn another_user_is_refused_at_the_port_before_a_word_is_read() {
    play("other-user", |stage| {
        // SAFETY: always succeeds.
        if unsafe { libc::geteuid() } != 0 {
            println!("skipped: only root can act as another user");
            return Ok(());
        }
        let project = Project::fixture(stage)?;
        let (dev, page) = Dev::live(stage, &project)?;
        let table = std::fs::read_to_string("/proc/net/unix")?;
        let names: Vec<&str> =
            table.lines().filter_map(|line| Some(line.split_once(" @staysail-")?.1)).collect();
        ensure!(!names.is_empty(), "no socket of a port");
        for name in names {
            let answer = speak_as_nobody(format!("staysail-{name}"))?;
            ensure!(answer.is_empty(), "another user was answered: {answer:?}");
        }
        staysail_e2e::wait_until("the refusal by the user's identity in the log", EDIT, || {
            let lines = dev.program.lines();
            let refused = lines.iter().any(|line| line.contains("another user's process"));
            if refused { Ok(()) } else { Err(format!("{lines:?}")) }
        })?;
        ensure!(page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy");
        Ok(())
    });
}
