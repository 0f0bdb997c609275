//! Requests on their way to the shell, and the answers on their way back.

use super::super::shell::Control;
use axum::extract::ws::Message;
use staysail_protocol::control::{ToShell, ToTool};
use staysail_protocol::frame::Frame;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

/// Who waits for an answer.
enum Waiting {
    /// A page in a tab, under the ticket it chose.
    Tab { ticket: u32, window: String, answers: UnboundedSender<Message> },
    /// A browser that asks for a file.
    File(oneshot::Sender<Frame>),
}

/// See the module.
#[derive(Default)]
pub struct Exchange {
    shell: OnceLock<Control>,
    waiting: Mutex<HashMap<u64, Waiting>>,
    last: AtomicU64,
}

impl Exchange {
    /// The shell is there.
    pub fn connect(&self, shell: Control) {
        let _ = self.shell.set(shell);
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, waiting: Waiting, message: &ToShell, body: Vec<u8>) -> u64 {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.waiting().insert(number, waiting);
        self.send(number, message, body);
        number
    }

    fn send(&self, number: u64, message: &ToShell, body: Vec<u8>) {
        if let Some(shell) = self.shell.get() {
            shell.send(&Frame::new(number, message, body));
        }
    }

    /// Tells the shell something that is not answered.
    pub fn tell(&self, message: &ToShell) {
        self.send(0, message, Vec::new());
    }

    /// Hands a tab's request on; what comes back goes to `answers`.
    pub fn request(&self, window: &str, ticket: u32, body: Vec<u8>, answers: UnboundedSender<Message>) {
        let window = window.to_string();
        let waiting = Waiting::Tab { ticket, window: window.clone(), answers };
        self.ask(waiting, &ToShell::TabRequest { window }, body);
    }

    /// Asks for a file of the page. `None` when the shell is gone.
    pub async fn file(&self, message: &ToShell) -> Option<Frame> {
        let (answer, answered) = oneshot::channel();
        self.ask(Waiting::File(answer), message, Vec::new());
        answered.await.ok()
    }

    /// A page is gone: nobody waits for its answers any more.
    pub fn forget(&self, gone: &str) {
        self.waiting().retain(|_, waiting| !matches!(waiting, Waiting::Tab { window, .. } if window == gone));
    }

    /// The shell has answered.
    pub fn answered(&self, frame: Frame) {
        let Some(waiting) = self.waiting().remove(&frame.call) else { return };
        match waiting {
            Waiting::File(answer) => drop(answer.send(frame)),
            Waiting::Tab { ticket, answers, .. } => {
                let message = match frame.message::<ToTool>() {
                    Ok(ToTool::TabAnswer { raw: true }) => {
                        let mut bytes = Vec::with_capacity(frame.body.len() + 4);
                        bytes.extend_from_slice(&ticket.to_le_bytes());
                        bytes.extend_from_slice(&frame.body);
                        Message::Binary(bytes.into())
                    }
                    _ => Message::Text(format!("{ticket}\n{}", String::from_utf8_lossy(&frame.body)).into()),
                };
                drop(answers.send(message));
            }
        }
    }
}
