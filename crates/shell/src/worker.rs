//! One worker process: its start, its handshake, its connection.

use crate::wasm::Modules;
use serde::Serialize;
use staysail_link::{Courier, Incoming, Link, Socket};
use staysail_protocol::frame::Frame;
use staysail_protocol::limits;
use staysail_protocol::worker::{
    ATTACHMENTS_VARIABLE, DEBUG_VARIABLE, Hello, SOCKET_VARIABLE, TOKEN_VARIABLE, ToShell, ToWorker, Welcome,
    WorkerConfig,
};
use staysail_protocol::{PROTOCOL_VERSION, PROTOCOL_VERSION_MIN};
use staysail_supervise::{Spawn, Tree};
use staysail_update::awake;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// The worker's executable, at a path that is never overwritten.
    pub executable: PathBuf,
    /// Version of the app as release or project name it.
    pub version: String,
    /// Interface hash it must show; any when absent (development).
    pub interface: Option<String>,
    /// What it is told of its configuration; that of now when absent (development).
    pub config: Option<WorkerConfig>,
    /// Its Wasm modules.
    pub modules: Modules,
    /// It waits for a debugger, and somebody may look at it for as long as they like.
    pub debugged: bool,
}

impl Launch {
    /// How long this worker may take for what others do within `usual`.
    pub fn patience(&self, usual: Duration) -> Duration {
        if self.debugged { Duration::from_secs(limits::DEBUGGER_PATIENCE_S) } else { usual }
    }
}

/// A connected worker.
pub struct Worker {
    /// Unique within this shell.
    pub id: u64,
    /// What was started.
    pub launch: Launch,
    /// What it said of itself.
    pub hello: Hello,
    /// The way to it.
    pub link: Link,
    /// The way of what is too large for frames.
    pub courier: Courier,
    tree: Tree,
}

/// A line a worker wrote to its standard output or error.
pub type LineSink = Arc<dyn Fn(&str, String) + Send + Sync>;

/// Pause between two looks whether a worker that was told to end has ended.
const END_POLL_MS: u64 = 5;

/// Why a worker was not started.
#[derive(Debug)]
pub struct NotStarted {
    /// A sentence for people.
    pub reason: String,
    /// It speaks another protocol than this shell.
    pub of_shell: bool,
}

impl From<String> for NotStarted {
    fn from(reason: String) -> Self {
        Self { reason, of_shell: false }
    }
}

impl From<NotStarted> for String {
    fn from(not: NotStarted) -> Self {
        not.reason
    }
}

/// Why this shell and a backend that speaks these protocols do not understand each other, if so.
fn misfit(oldest: u16, newest: u16) -> Option<String> {
    let (who, remedy) = if oldest > PROTOCOL_VERSION {
        ("a newer", "install the app again, or in development a newer staysail command")
    } else if newest < PROTOCOL_VERSION_MIN {
        (
            "an older",
            "publish the app with this version of Staysail, or in development update the app's dependency",
        )
    } else {
        return None;
    };
    Some(format!(
        "the backend was made with {who} Staysail: it speaks protocol {oldest} to {newest}, this shell \
         {PROTOCOL_VERSION_MIN} to {PROTOCOL_VERSION}; {remedy}"
    ))
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

#[cfg(all(test, unix))]
impl Worker {
    /// A worker whose process does nothing, and the other end of its connection.
    pub fn of_test(id: u64) -> (Arc<Self>, std::os::unix::net::UnixStream) {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let worker = Self {
            id,
            launch: Launch::default(),
            hello: serde_json::from_value(serde_json::json!({
                "protocol_min": 1, "protocol_max": 1, "token": "", "version": "",
                "description": staysail_protocol::interface::Description::default(),
            }))
            .unwrap(),
            link: Link::writing(Arc::new(Socket::new(ours).unwrap())),
            courier: Courier::pair().unwrap().0,
            tree: Spawn::new("true").guarded(false).spawn().unwrap(),
        };
        (Arc::new(worker), theirs)
    }
}

impl Worker {
    /// Starts `launch` and shakes hands. Frames after the hello come out of the returned channel.
    ///
    /// # Errors
    /// It could not be started, ended, said nothing in time, or speaks another protocol.
    pub async fn start(
        launch: Launch,
        welcome: Welcome,
        hello_timeout: Duration,
        lines: LineSink,
    ) -> Result<(Arc<Self>, Incoming), NotStarted> {
        let token = crate::secret::token();
        let Connected { socket, courier, tree } = connect(&launch, &token)?;
        for (name, stream) in [
            ("stdout", tree.take_stdout().map(|out| Box::new(out) as Box<dyn Read + Send>)),
            ("stderr", tree.take_stderr().map(|out| Box::new(out) as Box<dyn Read + Send>)),
        ] {
            if let Some(stream) = stream {
                forward_lines(name, stream, lines.clone());
            }
        }
        let (link, mut frames) = Link::start(socket);
        let hello = match awake::timeout(hello_timeout, first_hello(&mut frames)).await {
            Ok(Ok(hello)) => hello,
            Ok(Err(reason)) => {
                let ended = tokio::task::spawn_blocking({
                    let tree = tree;
                    move || {
                        let _ = tree.terminate(Duration::from_millis(200));
                        tree.wait().map(|status| status.to_string()).unwrap_or_default()
                    }
                });
                let status = ended.await.unwrap_or_default();
                return Err(format!("the backend {reason} ({status})").into());
            }
            Err(_) => {
                tree.kill();
                return Err(format!(
                    "the backend said no hello within {} ms (hello_timeout_ms); its main() must reach App::run",
                    hello_timeout.as_millis()
                )
                .into());
            }
        };
        let refuse = |reason: String| {
            tree.kill();
            Err(reason.into())
        };
        if hello.token != token {
            return refuse("the process that answered is not the backend that was started".into());
        }
        if let Some(reason) = misfit(hello.protocol_min, hello.protocol_max) {
            tree.kill();
            return Err(NotStarted { reason, of_shell: true });
        }
        if let Some(expected) = &launch.interface
            && *expected != hello.description.interface
        {
            return refuse("the backend's interface is not the one its manifest names".into());
        }
        let worker = Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            launch,
            hello,
            link,
            courier,
            tree,
        });
        let protocol = worker.hello.protocol_max.min(PROTOCOL_VERSION);
        let modules = worker.takes_modules();
        worker.tell(&ToWorker::Welcome(Box::new(Welcome { protocol, modules, ..welcome })));
        if modules {
            let (message, body) = worker.launch.modules.frame(false);
            worker.tell_with(&message, body);
        }
        Ok((worker, frames))
    }

    /// Whether it is handed modules at its start.
    pub fn takes_modules(&self) -> bool {
        self.hello.description.modules && !self.launch.modules.is_empty()
    }

    /// Process id.
    pub fn process(&self) -> u32 {
        self.tree.id()
    }

    /// Sends a message that has no body and belongs to no call.
    pub fn tell(&self, message: &ToWorker) {
        self.tell_with(message, Vec::new());
    }

    /// Sends a message with a body.
    pub fn tell_with(&self, message: &impl Serialize, body: Vec<u8>) {
        if let Err(error) = self.link.pass(Frame::new(0, message, body)) {
            tracing::error!(%error, "a message to the backend was not sent");
        }
    }

    /// Ends the process and everything it started, at once.
    pub fn kill(&self) {
        self.tree.kill();
    }

    /// Asks the process to end and makes sure it does, without waiting for it.
    pub fn retire(self: Arc<Self>) {
        std::thread::spawn(move || self.end());
    }

    /// Asks the process to end, which stops the app's services, and kills it when it takes longer than it may.
    pub fn end(&self) {
        self.tree.thaw();
        self.tell(&ToWorker::Shutdown);
        let deadline = Instant::now() + Duration::from_millis(limits::SHUTDOWN_MS);
        while Instant::now() < deadline {
            // An error means that nothing can be learned of it any more.
            if !matches!(self.tree.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(END_POLL_MS));
        }
        self.tree.kill();
    }

    /// Stops it in its tracks, memory kept, for an instant return.
    pub fn freeze(&self) {
        self.tree.freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.tree.thaw();
    }

    /// How the process ended; waits for it up to a second.
    pub async fn exit_reason(self: &Arc<Self>) -> String {
        let worker = self.clone();
        let waited = tokio::task::spawn_blocking(move || {
            let _ = worker.tree.terminate(Duration::from_secs(1));
            worker.tree.wait().map(|status| status.to_string()).unwrap_or_else(|error| error.to_string())
        });
        waited.await.unwrap_or_else(|_| "ended".into())
    }
}

async fn first_hello(frames: &mut Incoming) -> Result<Hello, String> {
    let frame =
        frames.next().await.ok_or("ended before it said hello")?.map_err(|error| error.to_string())?;
    match frame.message::<ToShell>() {
        Ok(ToShell::Hello(hello)) => Ok(*hello),
        Ok(_) => Err("did not say hello first".into()),
        Err(error) => Err(format!("sent an unreadable hello: {error}")),
    }
}

fn forward_lines(name: &'static str, stream: Box<dyn Read + Send>, sink: LineSink) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            sink(name, String::from_utf8_lossy(&line).trim_end().to_string());
            line.clear();
        }
    });
}

fn command(launch: &Launch, token: &str, socket: &str, attachments: &str) -> Spawn {
    let spawn = Spawn::new(&launch.executable);
    let spawn = match launch.debugged {
        true => spawn.env(DEBUG_VARIABLE, "1"),
        false => spawn.env_remove(DEBUG_VARIABLE),
    };
    spawn
        .env(SOCKET_VARIABLE, socket)
        .env(TOKEN_VARIABLE, token)
        .env(ATTACHMENTS_VARIABLE, attachments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
}

fn not_started(launch: &Launch, error: impl std::fmt::Display) -> String {
    format!("the backend {} could not be started: {error}", launch.executable.display())
}

/// A worker that was started, and the ways to it.
struct Connected {
    socket: Socket,
    courier: Courier,
    tree: Tree,
}

#[cfg(unix)]
fn connect(launch: &Launch, token: &str) -> Result<Connected, String> {
    use std::os::fd::AsRawFd;
    let failed = |error| not_started(launch, error);
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
    let (courier, their_courier) = Courier::pair().map_err(failed)?;
    let (descriptor, attachments) = (theirs.as_raw_fd(), their_courier.as_raw_fd());
    let tree = command(launch, token, &descriptor.to_string(), &attachments.to_string())
        .inherit(descriptor)
        .inherit(attachments)
        .spawn()
        .map_err(|error| not_started(launch, error))?;
    let socket = Socket::new(ours).map_err(failed)?;
    Ok(Connected { socket, courier, tree })
}

#[cfg(windows)]
fn connect(launch: &Launch, token: &str) -> Result<Connected, String> {
    use tokio::net::windows::named_pipe::ServerOptions;
    let failed = |error| not_started(launch, error);
    let name = format!(r"\\.\pipe\staysail-{}", crate::secret::token());
    let pipe = ServerOptions::new()
        .first_pipe_instance(true)
        .reject_remote_clients(true)
        .create(&name)
        .map_err(failed)?;
    let tree =
        command(launch, token, &name, "handles").spawn().map_err(|error| not_started(launch, error))?;
    let courier = Courier::to(tree.id()).map_err(failed)?;
    Ok(Connected { socket: pipe.into(), courier, tree })
}
