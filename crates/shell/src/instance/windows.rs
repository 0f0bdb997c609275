//! The first server of a named pipe is the only instance; the pipe is the way to it. Its name is that of the user's
//! session, its default rights let nobody else write to it, and who connects checks that it is served from its own
//! session.

use super::{Entry, Handover, TAKEN, receive};
use crate::shell::Shell;
use staysail_protocol::limits::HANDOVER_TIMEOUT_MS;
use std::fs::File;
use std::io::{Read, Write};
use std::os::windows::io::AsRawHandle;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use windows::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_PIPE_BUSY, HANDLE};
use windows::Win32::System::Pipes::GetNamedPipeServerProcessId;
use windows::Win32::System::RemoteDesktop::ProcessIdToSessionId;
use windows::Win32::UI::WindowsAndMessaging::AllowSetForegroundWindow;

/// Pause before another look at a first instance that is starting or ending.
const LOOK_AGAIN_MS: u64 = 10;

/// The first instance.
pub struct Instance {
    pipe: NamedPipeServer,
    name: String,
}

/// Holds the name as long as it lives.
pub struct Held {
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Instance {
    /// Takes starts from now on, until what is returned is dropped.
    pub fn serve(self, shell: &Arc<Shell>) -> Result<Held, String> {
        let Self { mut pipe, name } = self;
        let shell = shell.clone();
        let task = shell.runtime.clone().spawn(async move {
            loop {
                if pipe.connect().await.is_err() {
                    let _ = pipe.disconnect();
                    tokio::time::sleep(Duration::from_millis(LOOK_AGAIN_MS)).await;
                    continue;
                }
                // The next pipe is there before this one is used, so that the name is never free.
                let Ok(next) = ServerOptions::new().reject_remote_clients(true).create(&name) else { return };
                let mut stream = std::mem::replace(&mut pipe, next);
                let shell = shell.clone();
                tokio::spawn(async move {
                    let patience = Duration::from_millis(HANDOVER_TIMEOUT_MS);
                    match tokio::time::timeout(patience, receive(&shell, &mut stream)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(reason)) => tracing::warn!(reason, "a start could not be taken"),
                        Err(_) => tracing::warn!("a start was not handed over in time (handover_timeout_ms)"),
                    }
                });
            }
        });
        Ok(Held { task })
    }
}

/// See [`super::enter`].
pub fn enter(name: &str, start: &Handover) -> Result<Entry, String> {
    let session = session_of(std::process::id()).unwrap_or_default();
    let user = std::env::var("USERNAME").unwrap_or_default();
    let user: String = user.chars().filter(|c| c.is_alphanumeric()).collect();
    let name = format!(r"\\.\pipe\{name}-{session}-{user}");
    let message = start.to_bytes()?;
    let deadline = Instant::now() + Duration::from_millis(HANDOVER_TIMEOUT_MS);
    loop {
        match ServerOptions::new().first_pipe_instance(true).reject_remote_clients(true).create(&name) {
            Ok(pipe) => return Ok(Entry::First(Instance { pipe, name })),
            Err(error) if error.raw_os_error() == Some(ERROR_ACCESS_DENIED.0 as i32) => {}
            Err(error) => return Err(format!("{name} can not be made: {error}")),
        }
        // Reading from a pipe has no time limit of its own.
        let (done, outcome) = std::sync::mpsc::channel();
        let (pipe, bytes) = (name.clone(), message.clone());
        std::thread::spawn(move || drop(done.send(hand_over(&pipe, &bytes))));
        match outcome.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Ok(true)) => return Ok(Entry::HandedOver),
            Ok(Ok(false)) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(LOOK_AGAIN_MS));
            }
            Ok(Err(reason)) => return Err(reason),
            Ok(Ok(false)) | Err(_) => {
                return Err(format!(
                    "this app is running already, but did not answer within {HANDOVER_TIMEOUT_MS} ms \
                     (handover_timeout_ms). Nothing was opened beside it. If it hangs, end it and start again"
                ));
            }
        }
    }
}

/// Whether the start was taken; `false` when nobody is there, or not any more.
fn hand_over(name: &str, message: &[u8]) -> Result<bool, String> {
    let mut pipe: File = match std::fs::OpenOptions::new().read(true).write(true).open(name) {
        Ok(pipe) => pipe,
        Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY.0 as i32) => return Ok(false),
        Err(_) => return Ok(false),
    };
    let mut server = 0;
    // SAFETY: the handle is that of the open pipe, and the place for the number is this function's own.
    unsafe { GetNamedPipeServerProcessId(HANDLE(pipe.as_raw_handle()), &mut server) }
        .map_err(|error| error.to_string())?;
    if session_of(server) != session_of(std::process::id()) {
        return Err(format!("{name} is served by a process of another session; nothing was handed over"));
    }
    // SAFETY: any number may be asked for. Without leave the first instance only blinks in the task bar.
    let _ = unsafe { AllowSetForegroundWindow(server) };
    let mut answer = [0];
    Ok(pipe.write_all(message).and_then(|()| pipe.read(&mut answer)).is_ok_and(|_| answer == [TAKEN]))
}

fn session_of(process: u32) -> Option<u32> {
    let mut session = 0;
    // SAFETY: the place for the number is this function's own.
    unsafe { ProcessIdToSessionId(process, &mut session) }.ok().map(|()| session)
}
