//! From a saved Wasm module to its exchange: made on a thread of its own, then handed to the shell with the executable
//! that is live, which tells it that only modules are new.

use super::super::output::{Said, milliseconds};
use super::{Incoming, Session};
use crate::modules;
use staysail_protocol::bridge::Overlay;
use staysail_protocol::control::ToShell;
use staysail_protocol::module::ModuleFile;
use std::path::PathBuf;
use std::time::Instant;

/// An exchange under way.
pub(super) struct Exchange {
    saved: Instant,
    /// The executable that has the modules.
    program: PathBuf,
}

/// The project's modules.
#[derive(Default)]
pub(super) struct Modules {
    /// As they were last made.
    pub(super) made: Vec<ModuleFile>,
    /// Counts up with each making; what an older one made is not wanted any more.
    newest: u64,
    exchanges: std::collections::BTreeMap<u64, Exchange>,
}

impl Session {
    /// Begins to make the modules, if the project has any.
    pub(super) fn make_modules(&mut self, saved: Instant) {
        if self.project.config.modules.is_empty() {
            return;
        }
        self.modules.newest += 1;
        let (project, number, sender) = (self.project.clone(), self.modules.newest, self.sender.clone());
        std::thread::spawn(move || {
            let made = modules::make(&project).map_err(|error| format!("{error:#}"));
            drop(sender.send(Incoming::Modules(number, saved, made)));
        });
    }

    /// They are made, or can not be.
    pub(super) fn modules_made(
        &mut self,
        number: u64,
        saved: Instant,
        made: Result<Vec<ModuleFile>, String>,
    ) {
        if number != self.modules.newest {
            return;
        }
        match made {
            Ok(made) => {
                self.over_by_modules(None);
                self.modules.made = made;
                let Some(program) = self.newest.clone() else { return };
                self.swaps_asked += 1;
                let (id, worker) = (self.swaps_asked, program.display().to_string());
                self.modules.exchanges.insert(id, Exchange { saved, program });
                self.send(&ToShell::Swap { id, worker, fresh: false, modules: self.modules.made.clone() });
            }
            Err(errors) => {
                self.output
                    .say(&Said::Error { message: format!("{errors}\n  The modules before stay in use.") });
                self.over_by_modules(Some(Overlay {
                    kind: "build".into(),
                    title: "A Wasm module can not be used".into(),
                    detail: errors,
                    advice: "The modules before stay in use. Save a fix and this goes away.".into(),
                    retry: false,
                    fresh: false,
                }));
            }
        }
    }

    /// Whether this was an exchange of modules that is live now.
    pub(super) fn modules_exchanged(&mut self, id: u64) -> bool {
        let Some(exchange) = self.modules.exchanges.remove(&id) else { return false };
        self.live = Some(exchange.program);
        let names = self.modules.made.iter().map(|module| module.name.clone()).collect();
        let total_ms = milliseconds(exchange.saved.elapsed());
        self.output.say(&Said::ModulesExchanged { id, names, total_ms });
        true
    }

    /// Whether this was an exchange of modules that was refused.
    pub(super) fn modules_refused(&mut self, id: u64, reason: &str) -> bool {
        let ours = self.modules.exchanges.remove(&id).is_some();
        if ours {
            self.output.say(&Said::ModulesRefused { id, reason: reason.into() });
        }
        ours
    }
}
