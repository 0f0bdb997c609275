//! The lock is `flock` on a file, the way to its holder a socket beside it, both in a folder of this user alone.

use super::{Entry, Handover, TAKEN, receive};
use crate::shell::Shell;
use staysail_protocol::limits::{HANDOVER_TIMEOUT_MS, HANDOVERS_MAX};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pause before another look at a first instance that is starting or ending.
const LOOK_AGAIN_MS: u64 = 10;

/// The first instance: holds the lock as long as it lives.
pub struct Instance {
    listener: UnixListener,
    lock: File,
}

impl Instance {
    /// Takes starts from now on, until the returned lock is dropped.
    pub fn serve(self, shell: &Arc<Shell>) -> Result<File, String> {
        let Self { listener, lock } = self;
        listener.set_nonblocking(true).map_err(|error| error.to_string())?;
        let listener = tokio::net::UnixListener::from_std(listener).map_err(|error| error.to_string())?;
        let shell = shell.clone();
        shell.runtime.clone().spawn(async move {
            let places = Arc::new(tokio::sync::Semaphore::new(HANDOVERS_MAX));
            loop {
                let Ok(place) = places.clone().acquire_owned().await else { return };
                let Ok((mut stream, _)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(LOOK_AGAIN_MS)).await;
                    continue;
                };
                let shell = shell.clone();
                tokio::spawn(async move {
                    let _place = place;
                    if !stream.peer_cred().is_ok_and(|peer| peer.uid() == own_uid()) {
                        return tracing::warn!("another user's process tried to hand a start over; refused");
                    }
                    let patience = Duration::from_millis(HANDOVER_TIMEOUT_MS);
                    match tokio::time::timeout(patience, receive(&shell, &mut stream)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(reason)) => tracing::warn!(reason, "a start could not be taken"),
                        Err(_) => tracing::warn!("a start was not handed over in time (handover_timeout_ms)"),
                    }
                });
            }
        });
        Ok(lock)
    }
}

/// See [`super::enter`].
pub fn enter(name: &str, start: &Handover) -> Result<Entry, String> {
    let folder = folder()?;
    let socket = folder.join(format!("{name}.sock"));
    let message = start.to_bytes()?;
    let lock = open_lock(&folder.join(format!("{name}.lock")))?;
    let deadline = Instant::now() + Duration::from_millis(HANDOVER_TIMEOUT_MS);
    loop {
        if try_lock(&lock)? {
            // Whatever is there was left by one that was killed: its lock was free.
            if let Err(error) = std::fs::remove_file(&socket)
                && error.kind() != ErrorKind::NotFound
            {
                return Err(format!("{} is in the way and can not be removed: {error}", socket.display()));
            }
            let listener = UnixListener::bind(&socket)
                .map_err(|error| format!("{} can not be made: {error}", socket.display()))?;
            return Ok(Entry::First(Instance { listener, lock }));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match hand_over(&socket, &message, left) {
            Outcome::Taken => return Ok(Entry::HandedOver),
            Outcome::Refused(reason) => return Err(reason),
            // It has not begun to listen yet, or is ending: the lock tells.
            Outcome::Nobody if !left.is_zero() => std::thread::sleep(Duration::from_millis(LOOK_AGAIN_MS)),
            Outcome::Nobody | Outcome::Silent => {
                return Err(format!(
                    "this app is running already, but did not answer within {HANDOVER_TIMEOUT_MS} ms \
                     (handover_timeout_ms). Nothing was opened beside it. If it hangs, end it and start again"
                ));
            }
        }
    }
}

enum Outcome {
    Taken,
    Nobody,
    Silent,
    Refused(String),
}

fn hand_over(socket: &Path, message: &[u8], left: Duration) -> Outcome {
    let silent = |error: &std::io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
    let mut stream = match connect(socket, left) {
        Ok(stream) => stream,
        Err(error) if silent(&error) => return Outcome::Silent,
        Err(_) => return Outcome::Nobody,
    };
    if peer_uid(&stream) != Some(own_uid()) {
        return Outcome::Refused(format!(
            "{} belongs to another user's process; nothing was handed over",
            socket.display()
        ));
    }
    let left = left.max(Duration::from_millis(1));
    let sent = stream
        .set_read_timeout(Some(left))
        .and_then(|()| stream.set_write_timeout(Some(left)))
        .and_then(|()| stream.write_all(message));
    let mut answer = [0];
    match sent.and_then(|()| stream.read(&mut answer)) {
        Ok(1) if answer == [TAKEN] => Outcome::Taken,
        Err(error) if silent(&error) => Outcome::Silent,
        _ => Outcome::Nobody,
    }
}

/// Connects without waiting for a place in the queue of one that hangs: a full queue of a Unix socket blocks.
fn connect(socket: &Path, left: Duration) -> std::io::Result<UnixStream> {
    let (done, connected) = std::sync::mpsc::channel();
    let socket = socket.to_path_buf();
    std::thread::spawn(move || drop(done.send(UnixStream::connect(socket))));
    connected.recv_timeout(left).unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

fn own_uid() -> u32 {
    // SAFETY: geteuid always succeeds.
    unsafe { libc::geteuid() }
}

#[cfg(target_os = "linux")]
fn peer_uid(stream: &UnixStream) -> Option<u32> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the descriptor is open, and the buffer is a ucred of the length that is told.
    let got = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    (got == 0).then_some(peer.uid)
}

#[cfg(not(target_os = "linux"))]
fn peer_uid(stream: &UnixStream) -> Option<u32> {
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: the descriptor is open, and both places are this function's own.
    let got = unsafe { libc::getpeereid(stream.as_raw_fd(), &raw mut uid, &raw mut gid) };
    (got == 0).then_some(uid)
}

/// The user's run-time folder, or one of ours that nobody else can write to.
fn folder() -> Result<PathBuf, String> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(folder) = runtime.filter(|folder| is_private(folder)) {
        return Ok(folder);
    }
    let folder = std::env::temp_dir().join(format!("staysail-{}", own_uid()));
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(format!("{} can not be made: {error}", folder.display()))
        }
        _ if is_private(&folder) => Ok(folder),
        _ => Err(format!(
            "{} is not this user's alone; remove it or take others' rights to it away",
            folder.display()
        )),
    }
}

/// A folder, no link to one, of this user, in which nobody else can do anything.
fn is_private(folder: &Path) -> bool {
    std::fs::symlink_metadata(folder)
        .is_ok_and(|facts| facts.is_dir() && facts.uid() == own_uid() && facts.mode() & 0o022 == 0)
}

fn open_lock(path: &Path) -> Result<File, String> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(|error| format!("{} can not be opened: {error}", path.display()))
}

fn try_lock(lock: &File) -> Result<bool, String> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => Err(format!("the app's lock can not be taken: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_others_can_write_to_and_a_link_to_one_are_not_used() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("run");
        DirBuilder::new().mode(0o700).create(&folder).unwrap();
        assert!(is_private(&folder));
        let link = scratch.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert!(!is_private(&link));
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(!is_private(&folder));
    }

    #[test]
    fn one_that_does_not_listen_and_one_that_says_nothing_are_told_apart() {
        let scratch = tempfile::tempdir().unwrap();
        let socket = scratch.path().join("socket");
        let hand_over = |left| hand_over(&socket, b"x", Duration::from_millis(left));
        assert!(matches!(hand_over(1_000), Outcome::Nobody));
        let listener = UnixListener::bind(&socket).unwrap();
        assert!(matches!(hand_over(50), Outcome::Silent));
        drop(listener);
        assert!(matches!(hand_over(1_000), Outcome::Nobody), "its socket file is still there");
    }
    /// Does something as another user of this machine, when that is possible: only root can.
    #[cfg(target_os = "linux")]
    fn as_another_user<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        const NOBODY: libc::c_long = 65_534;
        if own_uid() != 0 {
            println!("skipped: only root can act as another user");
            return None;
        }
        let done = std::thread::spawn(move || {
            // The bare system call changes this thread alone; the C library would change all of them.
            // SAFETY: takes three numbers and touches no memory; the thread ends with this closure.
            let changed = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
            assert_eq!(changed, 0);
            work()
        });
        Some(done.join().unwrap())
    }

    /// A folder and a socket in it that every user could reach: what the peer's identity is compared for.
    #[cfg(target_os = "linux")]
    fn open_to_all() -> (tempfile::TempDir, PathBuf) {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let socket = scratch.path().join("socket");
        (scratch, socket)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_of_another_users_process_is_handed_nothing() {
        let (_scratch, socket) = open_to_all();
        let theirs = socket.clone();
        let Some(listener) = as_another_user(move || UnixListener::bind(theirs).unwrap()) else { return };
        let Outcome::Refused(reason) = hand_over(&socket, b"secret", Duration::from_secs(10)) else {
            panic!("not refused")
        };
        assert!(reason.contains("another user's process"), "{reason}");
        let mut got = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut got).unwrap();
        assert!(got.is_empty(), "{got:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn another_users_process_is_cut_off_before_a_word_is_read() {
        let (scratch, socket) = open_to_all();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _inside = runtime.enter();
        let facts = crate::shell::Facts::default();
        let shell = Shell::new(crate::app::without_windows().1, runtime.handle().clone(), facts);
        let listener = UnixListener::bind(&socket).unwrap();
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o777)).unwrap();
        let lock = open_lock(&scratch.path().join("lock")).unwrap();
        let _lock = Instance { listener, lock }.serve(&shell).unwrap();
        let theirs = socket.clone();
        let cut_off = as_another_user(move || {
            let mut stream = UnixStream::connect(theirs).unwrap();
            // Says nothing: one that may speak is waited for, `handover_timeout_ms`.
            stream.set_read_timeout(Some(Duration::from_millis(HANDOVER_TIMEOUT_MS / 2))).unwrap();
            stream.read(&mut [0]).is_ok_and(|count| count == 0)
        });
        let Some(cut_off) = cut_off else { return };
        assert!(cut_off, "another user's process was listened to");
        let mut own = UnixStream::connect(&socket).unwrap();
        own.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(own.read(&mut [0]).is_err(), "this user's own process was cut off, too");
    }
}
