//! `shortcut.*`: keys that reach the app whatever program has the focus.
//!
//! # Theory of operation
//! Declared and taken at run time, all are kept by their ids. After a swap those that are declared no more are given
//! back first, then new ones are taken; what is declared as before is not touched. One whose keys another program has
//! is kept with its problem, for `shortcut.list`, and costs nothing else.

use super::{Answer, Windows, answer, invalid};
use crate::app::Target;
use crate::platform::shortcuts::Keys;
use crate::shell::Shell;
use muda::accelerator::Accelerator;
use serde_json::Value;
use staysail_protocol::desktop::shortcut::{Shortcut, ShortcutEvent, ShortcutRequest, ShortcutSpec};
use staysail_protocol::limits::SHORTCUTS_MAX;
use staysail_protocol::{CallError, ErrorCode};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Does what is asked.
pub async fn handle(shell: &Arc<Shell>, request: ShortcutRequest) -> Answer {
    let ui = &shell.ui;
    match request {
        ShortcutRequest::Register { id, keys } => {
            let (asked, wanted) = (id.clone(), keys.clone());
            let begun = ui.ask(move |windows, _| windows.shortcuts().register(&asked, &wanted)).await??;
            let Some(begun) = begun else { return Ok(Value::Null) };
            let taken = begun.taking.await.unwrap_or_else(|_| Err("the app ends".into()));
            let is_taken = taken.is_ok();
            let settled = ui.ask(move |windows, _| {
                if is_taken {
                    windows.shortcuts().give_back(begun.before);
                } else {
                    windows.shortcuts().undo(&id, begun.accelerator, begun.before);
                }
            });
            settled.await?;
            taken.map_err(|reason| refused(&keys, &reason))?;
            Ok(Value::Null)
        }
        ShortcutRequest::Unregister { id } => {
            ui.ask(move |windows, _| windows.shortcuts().unregister(&id)).await?.map(|()| Value::Null)
        }
        ShortcutRequest::List {} => answer(ui.ask(|windows, _| windows.shortcuts().list()).await?),
    }
}

/// What comes of taking keys.
#[derive(Debug)]
pub enum Taking {
    /// They are taken.
    Now,
    /// The user is asked; a sentence for people when they are not taken.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only a portal asks the user"))]
    Later(oneshot::Receiver<Result<(), String>>),
}

/// Keys that are taken when the user agrees.
struct Begun {
    taking: oneshot::Receiver<Result<(), String>>,
    accelerator: u32,
    /// What the shortcut was before.
    before: Option<Taken>,
}

struct Taken {
    keys: String,
    accelerator: Option<Accelerator>,
    problem: Option<String>,
}

/// All shortcuts, on the windows' thread.
pub struct Shortcuts {
    shell: Arc<Shell>,
    keys: Keys,
    taken: BTreeMap<String, Taken>,
}

impl Shortcuts {
    /// None yet.
    pub fn new(shell: &Arc<Shell>) -> Self {
        Self { shell: shell.clone(), keys: Keys::new(shell), taken: BTreeMap::new() }
    }

    /// Takes keys; what they were before under this id is given back once that has worked.
    fn register(&mut self, id: &str, keys: &str) -> Result<Option<Begun>, CallError> {
        if id.is_empty() {
            return Err(invalid("a shortcut needs an id".into()));
        }
        let accelerator = parse(keys)?;
        let has = |taken: &Taken| taken.accelerator.is_some_and(|other| other.id() == accelerator.id());
        if let Some((owner, _)) = self.taken.iter().find(|(_, taken)| has(taken)) {
            if owner == id {
                return Ok(None);
            }
            return Err(invalid(format!(
                "`{keys}` are the keys of the app's own shortcut `{owner}` already"
            )));
        }
        if self.taken.len() >= SHORTCUTS_MAX && !self.taken.contains_key(id) {
            let message = format!("the app has {SHORTCUTS_MAX} shortcuts already (shortcuts_max)");
            return Err(CallError::new(ErrorCode::TooLarge, message));
        }
        let taking = self.keys.take(id, accelerator).map_err(|reason| refused(keys, &reason))?;
        let taken = Taken { keys: keys.into(), accelerator: Some(accelerator), problem: None };
        let before = self.taken.insert(id.into(), taken);
        match taking {
            Taking::Now => {
                self.give_back(before);
                Ok(None)
            }
            Taking::Later(taking) => Ok(Some(Begun { taking, accelerator: accelerator.id(), before })),
        }
    }

    /// The user did not agree: the shortcut is what it was before, unless it is another one by now.
    fn undo(&mut self, id: &str, accelerator: u32, before: Option<Taken>) {
        if self.taken.get(id).and_then(|taken| taken.accelerator).is_none_or(|own| own.id() != accelerator) {
            return;
        }
        let refused = self.taken.remove(id);
        self.give_back(refused);
        if let Some(before) = before {
            if let Some(accelerator) = before.accelerator {
                // The user has agreed to these before; what is refused now is told as lost.
                let _ = self.keys.take(id, accelerator);
            }
            self.taken.insert(id.into(), before);
        }
    }

    /// Keys do not work any more, or a declared shortcut never got any.
    fn lost(&mut self, accelerator: u32, reason: &str) {
        let is_it = |taken: &&mut Taken| taken.accelerator.is_some_and(|own| own.id() == accelerator);
        if let Some(taken) = self.taken.values_mut().find(is_it) {
            tracing::warn!(keys = taken.keys, reason, "a shortcut does not work");
            taken.problem = Some(refused(&taken.keys, reason).message);
            taken.accelerator = None;
        }
    }

    fn unregister(&mut self, id: &str) -> Result<(), CallError> {
        let taken = self.taken.remove(id);
        if taken.is_none() {
            return Err(invalid(format!("the app has no shortcut `{id}`")));
        }
        self.give_back(taken);
        Ok(())
    }

    fn give_back(&mut self, taken: Option<Taken>) {
        if let Some(accelerator) = taken.and_then(|taken| taken.accelerator) {
            self.keys.give_back(accelerator);
        }
    }

    fn list(&self) -> Vec<Shortcut> {
        let shortcut = |(id, taken): (&String, &Taken)| Shortcut {
            id: id.clone(),
            keys: taken.keys.clone(),
            problem: taken.problem.clone(),
        };
        self.taken.iter().map(shortcut).collect()
    }

    /// What is declared now, and what was before.
    pub fn declare(&mut self, old: &[ShortcutSpec], new: &[ShortcutSpec]) {
        for gone in old.iter().filter(|shortcut| !new.contains(shortcut)) {
            // Other keys of the same id, taken at run time, are not the declaration's to give back.
            if self.taken.get(&gone.id).is_some_and(|taken| taken.keys == gone.keys) {
                let taken = self.taken.remove(&gone.id);
                self.give_back(taken);
            }
        }
        for shortcut in new.iter().filter(|shortcut| !old.contains(shortcut)) {
            let ShortcutSpec { id, keys } = shortcut;
            let registered = self.register(id, keys);
            if let Ok(Some(begun)) = registered {
                let shell = self.shell.clone();
                self.shell.runtime.spawn(async move {
                    if let Ok(Err(reason)) = begun.taking.await {
                        let lost = move |windows: &mut Windows, _: &Target| {
                            windows.shortcut_lost(begun.accelerator, &reason);
                        };
                        let _ = shell.ui.ask(lost).await;
                    }
                });
            } else if let Err(error) = registered {
                tracing::warn!(id, keys, %error, "a declared shortcut does not work");
                let taken = Taken { keys: keys.clone(), accelerator: None, problem: Some(error.message) };
                let before = self.taken.insert(id.clone(), taken);
                self.give_back(before);
            }
        }
    }

    fn id_of(&self, accelerator: u32) -> Option<&String> {
        let is_it = |taken: &Taken| taken.accelerator.is_some_and(|own| own.id() == accelerator);
        self.taken.iter().find(|(_, taken)| is_it(taken)).map(|(id, _)| id)
    }
}

impl Windows {
    /// Keys were pressed or let go.
    pub fn shortcut_pressed(&mut self, accelerator: u32, pressed: bool) {
        let Some(id) = self.shortcuts().id_of(accelerator).cloned() else { return };
        self.shell().tell_natively("shortcut", "", &ShortcutEvent { id, pressed });
    }

    /// The desktop has taken keys back, or never gave them.
    pub fn shortcut_lost(&mut self, accelerator: u32, reason: &str) {
        self.shortcuts().lost(accelerator, reason);
    }
}

fn refused(keys: &str, reason: &str) -> CallError {
    CallError::new(ErrorCode::Internal, format!("`{keys}` can not be taken: {reason}"))
}

fn parse(keys: &str) -> Result<Accelerator, CallError> {
    let accelerator: Accelerator =
        keys.parse().map_err(|error| invalid(format!("the keys `{keys}` can not be read: {error}")))?;
    Ok(accelerator)
}
