//! How a worker is ended: it is asked, it has its time, and it is gone. Without windows; the workers are this same
//! program, started under other names.

#[cfg(unix)]
fn main() {
    match workers::name().as_str() {
        "orderly" => workers::run(|mut test| {
            use std::io::{Read, Write};
            // Only the test lets it go on: as long as a service stops, nothing else ends the process.
            test.read_exact(&mut [0]).unwrap();
            test.write_all(b"stopped").unwrap();
            std::process::exit(0);
        }),
        "stubborn" => workers::run(|_test| {
            loop {
                std::thread::park();
            }
        }),
        _ => tests::run(),
    }
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod workers {
    use staysail_protocol::frame::{Decoder, Frame};
    use staysail_protocol::worker::{Hello, SOCKET_VARIABLE, TOKEN_VARIABLE, ToShell, ToWorker};
    use std::io::{Read, Write};
    use std::os::fd::FromRawFd;
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    /// What this program was started as.
    pub fn name() -> String {
        let path = PathBuf::from(std::env::args_os().next().unwrap_or_default());
        path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Says hello, waits until it is told to end, and calls `end` with a connection to the test.
    pub fn run(end: fn(UnixStream)) {
        let descriptor = std::env::var(SOCKET_VARIABLE).unwrap().parse().unwrap();
        // SAFETY: the number was inherited from the shell for this purpose and is taken once.
        let mut shell = unsafe { UnixStream::from_raw_fd(descriptor) };
        let hello = Hello {
            protocol_min: staysail_protocol::PROTOCOL_VERSION_MIN,
            protocol_max: staysail_protocol::PROTOCOL_VERSION,
            token: std::env::var(TOKEN_VARIABLE).unwrap(),
            ..Hello::default()
        };
        let mut bytes = Vec::new();
        Frame::new(0, &ToShell::Hello(Box::new(hello)), Vec::new()).encode_into(&mut bytes).unwrap();
        shell.write_all(&bytes).unwrap();
        let mut decoder = Decoder::default();
        let mut buffer = [0; 4096];
        loop {
            let count = shell.read(&mut buffer).unwrap();
            assert!(count > 0, "the shell hung up");
            decoder.extend(&buffer[..count]);
            while let Some(frame) = decoder.next_frame().unwrap() {
                if frame.message::<ToWorker>().unwrap() == ToWorker::Shutdown {
                    let place = std::env::current_exe().unwrap().with_file_name("test.socket");
                    end(UnixStream::connect(place).unwrap());
                }
            }
        }
    }
}

#[cfg(unix)]
mod tests {
    use staysail_protocol::worker::Welcome;
    use staysail_shell::worker::{Launch, Worker};
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    pub fn run() {
        // `cargo test -- --list` and filters are the harness's; this is a program of two tests.
        a_worker_that_stops_in_order_is_not_disturbed();
        println!("a worker that stops in order is not disturbed ... ok");
        a_worker_that_does_not_end_is_killed();
        println!("a worker that does not end is killed ... ok");
        println!("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
    }

    /// Starts this program under a name, tells it to end, and returns its connection when it was told.
    fn told_to_end(
        name: &str,
        runtime: &tokio::runtime::Runtime,
    ) -> (UnixStream, mpsc::Receiver<()>, Arc<Worker>) {
        let folder = tempfile::tempdir().unwrap().keep();
        let executable = folder.join(name);
        std::fs::copy(std::env::current_exe().unwrap(), &executable).unwrap();
        let listener = UnixListener::bind(folder.join("test.socket")).unwrap();
        let launch = Launch { executable, version: "1.0.0".into(), ..Launch::default() };
        let lines = Arc::new(|_: &str, line: String| eprintln!("{line}"));
        let started = Worker::start(launch, Welcome::default(), Duration::from_secs(20), lines);
        let (worker, _frames) = runtime.block_on(started).unwrap();
        let ended = end(&worker);
        let (connected, connection) = mpsc::channel();
        std::thread::spawn(move || connected.send(listener.accept().unwrap().0));
        let connection =
            connection.recv_timeout(Duration::from_secs(20)).expect("the worker was told to end");
        std::fs::remove_dir_all(folder).unwrap();
        (connection, ended, worker)
    }

    fn end(worker: &Arc<Worker>) -> mpsc::Receiver<()> {
        let (done, ended) = mpsc::channel();
        let worker = worker.clone();
        std::thread::spawn(move || {
            worker.end();
            let _ = done.send(());
        });
        ended
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    fn a_worker_that_stops_in_order_is_not_disturbed() {
        let runtime = runtime();
        let (mut connection, ended, _worker) = told_to_end("orderly", &runtime);
        connection.write_all(b"!").unwrap();
        let mut said = String::new();
        connection.read_to_string(&mut said).unwrap();
        assert_eq!(said, "stopped");
        ended.recv_timeout(Duration::from_secs(20)).expect("its end was seen");
    }

    fn a_worker_that_does_not_end_is_killed() {
        let runtime = runtime();
        let (mut connection, ended, _worker) = told_to_end("stubborn", &runtime);
        ended.recv_timeout(Duration::from_secs(20)).expect("it was killed");
        assert_eq!(connection.read(&mut [0]).unwrap(), 0, "it is gone");
    }
}
