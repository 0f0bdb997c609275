//! Wasm modules: parts of the backend that are exchanged while it runs.
//!
//! # Theory of operation
//! The shell hands over all modules in one frame, verified. They are compiled and checked beside those in use; only when
//! each is good do they take their places, in one moment. A call holds the set it began with, so it ends on what it began.
//!
//! Each call has an instance of its own, which ends with it: nothing a call left behind, and nothing a trap broke, is seen
//! by the next. What must last is declared state. The format of a module is in `docs/spec/modules.md`.

mod engine;
#[cfg(test)]
mod tests;

use crate::handle::AppHandle;
use engine::Loaded;
use serde::Serialize;
use serde::de::DeserializeOwned;
use staysail_protocol::limits;
use staysail_protocol::module::ModuleSpec;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Why a call of a module failed. The app goes on; the module's instance is gone with its memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// The app has no module of this name.
    #[error(
        "the app has no module `{name}`; it has {known}. Modules are declared as [modules.NAME] in staysail.toml"
    )]
    NoModule {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The module exports no such function.
    #[error("the module `{module}` has no function `{function}`; it has {known}")]
    NoFunction {
        /// Name of the module.
        module: String,
        /// The function asked for.
        function: String,
        /// The functions there are.
        known: String,
    },
    /// It gave up: unreachable code (in Rust: a panic), an access outside of its memory, too deep a recursion.
    #[error("`{function}` of the module `{module}` trapped: {message}")]
    Trap {
        /// Name of the module.
        module: String,
        /// The function called.
        function: String,
        /// What happened.
        message: String,
    },
    /// It used up its fuel.
    #[error(
        "`{function}` of the module `{module}` used up its {fuel} units of fuel; give it more with `fuel_per_call` in \
         [modules.{module}]"
    )]
    OutOfFuel {
        /// Name of the module.
        module: String,
        /// The function called.
        function: String,
        /// What it had.
        fuel: u64,
    },
    /// It wanted more memory than it may have.
    #[error(
        "`{function}` of the module `{module}` needs more than {bytes} bytes of memory; give it more with \
         `memory_bytes_max` in [modules.{module}]"
    )]
    OutOfMemory {
        /// Name of the module.
        module: String,
        /// The function called.
        function: String,
        /// What it may have.
        bytes: usize,
    },
    /// It did not end in time.
    #[error(
        "`{function}` of the module `{module}` took longer than {milliseconds} ms; give it more with `call_timeout_ms` in \
         [modules.{module}]"
    )]
    OutOfTime {
        /// Name of the module.
        module: String,
        /// The function called.
        function: String,
        /// What it had.
        milliseconds: u64,
    },
    /// What it returned lies outside of its memory.
    #[error(
        "`{function}` of the module `{module}` returned {what} outside of its memory (docs/spec/modules.md)"
    )]
    BadAnswer {
        /// Name of the module.
        module: String,
        /// The function called.
        function: String,
        /// What of it.
        what: &'static str,
    },
    /// Arguments or answer are not JSON of the type.
    #[error("`{function}` of the module `{module}`: {what} does not fit: {message}")]
    Json {
        /// Name of the module.
        module: String,
        /// The function called.
        function: String,
        /// `the argument` or `the answer`.
        what: &'static str,
        /// Why not.
        message: String,
    },
}

impl ModuleError {
    /// The module is at fault, not who called it.
    fn of_module(&self) -> bool {
        !matches!(
            self,
            Self::NoModule { .. } | Self::NoFunction { .. } | Self::Json { what: "the argument", .. }
        )
    }
}

/// A module of the app, by its name. It follows every exchange: each call runs on what is newest as it begins.
#[derive(Clone)]
pub struct Module {
    app: AppHandle,
    name: String,
}

impl AppHandle {
    /// A Wasm module, by its name in `staysail.toml`.
    ///
    /// ```no_run
    /// # fn example(app: &staysail::AppHandle) -> Result<(), staysail::ModuleError> {
    /// let price: u32 = app.module("rules")?.call_json("price", &("apples", 3))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ModuleError::NoModule`].
    pub fn module(&self, name: &str) -> Result<Module, ModuleError> {
        self.inner.modules.find(name)?;
        Ok(Module { app: self.clone(), name: name.into() })
    }
}

impl Module {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls a function with bytes and returns the bytes it answers with. Computes on this thread, for
    /// `call_timeout_ms` at most: in an async command use `tokio::task::spawn_blocking`.
    ///
    /// # Errors
    /// See [`ModuleError`].
    pub fn call(&self, function: &str, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        self.app.inner.modules.call(&self.name, function, input)
    }

    /// Calls a function whose argument and answer are JSON.
    ///
    /// # Errors
    /// See [`ModuleError`].
    pub fn call_json<R: DeserializeOwned>(
        &self,
        function: &str,
        argument: &(impl Serialize + ?Sized),
    ) -> Result<R, ModuleError> {
        let misfit = |what, error: serde_json::Error| ModuleError::Json {
            module: self.name.clone(),
            function: function.into(),
            what,
            message: error.to_string(),
        };
        let input = serde_json::to_vec(argument).map_err(|error| misfit("the argument", error))?;
        let answer = self.call(function, &input)?;
        serde_json::from_slice(&answer).map_err(|error| {
            let error = misfit("the answer", error);
            if let Ok(loaded) = self.app.inner.modules.find(&self.name) {
                loaded.failed(&error);
            }
            error
        })
    }
}

type Set = BTreeMap<String, Arc<Loaded>>;

/// The modules in use.
#[derive(Default)]
pub(crate) struct Shelf {
    set: RwLock<Arc<Set>>,
}

impl Shelf {
    fn set(&self) -> Arc<Set> {
        self.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts these in place of all before; on an error, which names the module, those before stay. Those that come `back`
    /// were found good before, and may have less than those in use.
    pub fn take(
        &self,
        app: &AppHandle,
        specs: &[ModuleSpec],
        body: &[u8],
        back: bool,
    ) -> Result<(), (String, String)> {
        let log = app.clone();
        let log: engine::Log = Arc::new(move |line: &str| log.log("info", line));
        self.take_with(specs, body, back, &log)
    }

    fn take_with(
        &self,
        specs: &[ModuleSpec],
        mut body: &[u8],
        back: bool,
        log: &engine::Log,
    ) -> Result<(), (String, String)> {
        let before = self.set();
        let mut set = Set::new();
        for spec in specs {
            let (bytes, rest) = body
                .split_at_checked(spec.bytes)
                .ok_or_else(|| (spec.name.clone(), "its bytes did not come whole".to_owned()))?;
            body = rest;
            let tried = |loaded: Loaded| {
                if !back {
                    loaded.check()?;
                    before.get(&spec.name).map_or(Ok(()), |old| loaded.replaces(old))?;
                }
                Ok(loaded)
            };
            let loaded = Loaded::new(spec, bytes, log).and_then(tried).map_err(|reason| {
                (spec.name.clone(), format!("the module `{}` ({}) {reason}", spec.name, spec.origin))
            })?;
            set.insert(spec.name.clone(), Arc::new(loaded));
        }
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
        Ok(())
    }

    fn find(&self, name: &str) -> Result<Arc<Loaded>, ModuleError> {
        let set = self.set();
        set.get(name)
            .cloned()
            .ok_or_else(|| ModuleError::NoModule { name: name.into(), known: list(set.keys()) })
    }

    fn call(&self, name: &str, function: &str, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        let loaded = self.find(name)?;
        loaded.call(function, input).inspect_err(|error| loaded.failed(error))
    }

    /// Failures count from the activation of this worker on.
    pub fn forget_failures(&self) {
        self.set().values().for_each(|loaded| loaded.forget_failures());
    }

    /// Whether a module has failed more often than a good one does.
    pub fn health(&self) -> Result<(), String> {
        let set = self.set();
        let failing = set.values().find_map(|loaded| loaded.failing(limits::MODULE_FAILURES_MAX));
        failing.map_or(Ok(()), Err)
    }
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
