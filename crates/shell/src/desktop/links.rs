//! Links and files the app opens, and its start at log-in: registered with the system for the current user.
//!
//! Only a built app is: in development there is no program the system could start. What is declared is compared with
//! what is registered at each start and after each swap, off the windows' thread and one after the other.

use super::app::only_built;
use super::{Answer, answer};
use crate::platform::registration;
use crate::shell::Shell;
use serde_json::Value;
use staysail_protocol::desktop::app::Opens;
use staysail_protocol::desktop::autostart::AutostartRequest;
use staysail_protocol::{CallError, ErrorCode};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// The program the system starts.
#[derive(Debug, Clone)]
pub struct Program {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) executable: PathBuf,
}

fn program(shell: &Shell) -> Option<Program> {
    let (id, executable) = shell.application.installed()?;
    Some(Program { id, name: shell.facts().name, executable })
}

/// One at a time: each compares with what the one before has left.
static TURN: Mutex<()> = Mutex::new(());

/// Makes what is registered what is declared.
pub fn reconcile(shell: &Shell, opens: Opens) {
    let Some(program) = program(shell) else { return };
    shell.runtime.spawn_blocking(move || {
        let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match registration::reconcile(&program, &opens) {
            Ok(true) => {
                tracing::info!(schemes = ?opens.schemes, "links and files of the app were registered anew")
            }
            Ok(false) => {}
            Err(reason) => {
                tracing::warn!(reason, "links and files of the app could not be registered; all else works")
            }
        }
    });
}

/// `autostart.*`.
pub async fn handle(shell: &Arc<Shell>, request: AutostartRequest) -> Answer {
    let Some(program) = program(shell) else { return Err(only_built("start at log-in")) };
    let done = tokio::task::spawn_blocking(move || {
        let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match request {
            AutostartRequest::Enable { arguments } => {
                registration::autostart_enable(&program, &arguments).map(|()| Value::Null)
            }
            AutostartRequest::Disable {} => registration::autostart_disable(&program).map(|()| Value::Null),
            AutostartRequest::State {} => registration::autostart_is_enabled(&program).map(Value::Bool),
        }
    });
    let done = done.await.map_err(|error| CallError::new(ErrorCode::Internal, error.to_string()))?;
    answer(done.map_err(|reason| CallError::new(ErrorCode::Internal, reason))?)
}
