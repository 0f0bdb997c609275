//! Running a module: the one place that knows the engine.
//!
//! # Theory of operation
//! Fuel is handed out in slices: the interpreter stops where a slice ends, the clock is looked at, and it goes on where it
//! was. So a call is bounded by fuel, which is the same on every machine, and by time, without a thread that watches.

use super::{ModuleError, list};
use staysail_protocol::limits;
use staysail_protocol::module::{ModuleLimits, ModuleSpec};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use wasmi::{
    Caller, Config, Engine, Error, ExternType, Instance, Linker, Memory, Store, StoreLimits,
    StoreLimitsBuilder, TrapCode, TypedFunc, TypedResumableCall, ValType, WasmParams, WasmResults,
};

/// Export that gives room for arguments.
const ALLOC: &str = "staysail_alloc";
/// Export that says whether the module is fit; may be absent.
const CHECK: &str = "staysail_check";
/// Export with the memory.
const MEMORY: &str = "memory";
/// Fuel between two looks at the clock: some milliseconds.
const SLICE_FUEL: u64 = 1_000_000;

/// Where lines of modules go.
pub(super) type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// A module that was found right.
pub(super) struct Loaded {
    name: String,
    module: wasmi::Module,
    limits: ModuleLimits,
    /// What can be called.
    functions: BTreeSet<String>,
    log: Log,
    failures: AtomicU32,
    last_failure: Mutex<String>,
}

/// What belongs to one instance.
struct Host {
    name: String,
    limits: StoreLimits,
    log: Log,
    lines: u32,
}

/// Why a call stopped.
enum Stop {
    Fuel,
    Time,
    Error(Error),
}

/// What is left of fuel and time.
struct Budget {
    fuel: u64,
    deadline: Instant,
}

fn engine() -> &'static (Engine, Linker<Host>) {
    static ENGINE: OnceLock<(Engine, Linker<Host>)> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::default();
        config.consume_fuel(true).allow_start_fn(false).wasm_multi_memory(false);
        let engine = Engine::new(&config);
        let mut linker = Linker::new(&engine);
        // Defined once in an empty linker, it can not be defined already.
        let _ = linker.func_wrap("staysail", "log", log);
        (engine, linker)
    })
}

/// What a module calls to write a line to the app's log.
fn log(mut caller: Caller<'_, Host>, pointer: u32, length: u32) {
    let lines = caller.data().lines;
    let Some(memory) = caller.get_export(MEMORY).and_then(|export| export.into_memory()) else { return };
    let length = (length as usize).min(limits::MODULE_LOG_BYTES_MAX);
    let Some(line) = part(memory.data(&caller), pointer, length) else { return };
    let line = format!("{}: {}", caller.data().name, String::from_utf8_lossy(line));
    if lines < limits::MODULE_LOG_LINES_MAX {
        caller.data_mut().lines += 1;
        (caller.data().log)(&line);
    }
}

fn part(memory: &[u8], pointer: u32, length: usize) -> Option<&[u8]> {
    memory.get(pointer as usize..)?.get(..length)
}

impl Loaded {
    /// Compiles a module and looks at what it wants and has.
    pub fn new(spec: &ModuleSpec, bytes: &[u8], log: &Log) -> Result<Self, String> {
        let module = wasmi::Module::new(&engine().0, bytes).map_err(|error| {
            format!("is no WebAssembly module that can be used: {error}. Build it for wasm32-unknown-unknown")
        })?;
        Ok(Self {
            name: spec.name.clone(),
            functions: functions(&module)?,
            module,
            limits: spec.limits,
            log: log.clone(),
            failures: AtomicU32::new(0),
            last_failure: Mutex::default(),
        })
    }

    /// Whether this can stand where `old` is.
    pub fn replaces(&self, old: &Self) -> Result<(), String> {
        match old.functions.iter().find(|function| !self.functions.contains(*function)) {
            Some(gone) => {
                Err(format!("no longer has the function `{gone}`, which the backend that runs may call"))
            }
            None => Ok(()),
        }
    }

    /// Makes an instance and runs its own check, in the time it has for that.
    pub fn check(&self) -> Result<(), String> {
        let time = Duration::from_millis(self.limits.call_timeout_ms.min(limits::MODULE_CHECK_TIMEOUT_MS));
        let (mut store, instance) =
            self.instance().map_err(|error| self.error(CHECK, Stop::Error(error)).to_string())?;
        if instance.get_export(&store, CHECK).is_none() {
            return Ok(());
        }
        let check: TypedFunc<(), i32> = instance.get_typed_func(&store, CHECK).map_err(|_| {
            format!("exports `{CHECK}`, but not as a function without parameters that returns i32")
        })?;
        let mut budget = Budget { fuel: self.limits.fuel_per_call, deadline: Instant::now() + time };
        match run(&mut store, &check, (), &mut budget) {
            Ok(0) => Ok(()),
            Ok(code) => Err(format!("finds itself unfit: `{CHECK}` returned {code}")),
            Err(stop) => Err(format!("failed its check: {}", self.error(CHECK, stop))),
        }
    }

    fn instance(&self) -> Result<(Store<Host>, Instance), Error> {
        let (engine, linker) = engine();
        let limits = StoreLimitsBuilder::new()
            .memory_size(self.limits.memory_bytes_max)
            .trap_on_grow_failure(true)
            .build();
        let host = Host { name: self.name.clone(), limits, log: self.log.clone(), lines: 0 };
        let mut store = Store::new(engine, host);
        store.limiter(|host| &mut host.limits);
        // What it takes to lay out the memory is bounded by the memory.
        store.set_fuel(u64::MAX)?;
        let instance = linker.instantiate_and_start(&mut store, &self.module)?;
        Ok((store, instance))
    }

    /// Calls a function in an instance of its own.
    pub fn call(&self, function: &str, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        if !self.functions.contains(function) {
            let known = list(self.functions.iter());
            return Err(ModuleError::NoFunction {
                module: self.name.clone(),
                function: function.into(),
                known,
            });
        }
        let mut budget = Budget {
            fuel: self.limits.fuel_per_call,
            deadline: Instant::now() + Duration::from_millis(self.limits.call_timeout_ms),
        };
        let called = self.instance().map_err(Stop::Error).and_then(|(mut store, instance)| {
            let memory = exported_memory(&store, &instance)?;
            let alloc: TypedFunc<u32, u32> = instance.get_typed_func(&store, ALLOC).map_err(Stop::Error)?;
            let entry: TypedFunc<(u32, u32), u64> =
                instance.get_typed_func(&store, function).map_err(Stop::Error)?;
            let length = u32::try_from(input.len()).unwrap_or(u32::MAX);
            let pointer = run(&mut store, &alloc, length, &mut budget)?;
            let place = memory.data_mut(&mut store).get_mut(pointer as usize..);
            let Some(place) = place.and_then(|place| place.get_mut(..input.len())) else {
                return Ok(Err("room for its argument"));
            };
            place.copy_from_slice(input);
            let answer = run(&mut store, &entry, (pointer, length), &mut budget)?;
            let (pointer, length) = ((answer >> 32) as u32, answer as u32);
            let answer = part(memory.data(&store), pointer, length as usize);
            Ok(answer.map(<[u8]>::to_vec).ok_or("an answer"))
        });
        match called {
            Ok(answer) => answer.map_err(|what| ModuleError::BadAnswer {
                module: self.name.clone(),
                function: function.into(),
                what,
            }),
            Err(stop) => Err(self.error(function, stop)),
        }
    }

    fn error(&self, function: &str, stop: Stop) -> ModuleError {
        let (module, function) = (self.name.clone(), function.to_owned());
        let error = match stop {
            Stop::Fuel => {
                return ModuleError::OutOfFuel { module, function, fuel: self.limits.fuel_per_call };
            }
            Stop::Time => {
                let milliseconds = self.limits.call_timeout_ms;
                return ModuleError::OutOfTime { module, function, milliseconds };
            }
            Stop::Error(error) => error,
        };
        match error.as_trap_code() {
            Some(TrapCode::GrowthOperationLimited | TrapCode::OutOfSystemMemory) => {
                ModuleError::OutOfMemory { module, function, bytes: self.limits.memory_bytes_max }
            }
            Some(TrapCode::UnreachableCodeReached) => {
                let message = "it reached unreachable code (in Rust: it panicked)".into();
                ModuleError::Trap { module, function, message }
            }
            _ => ModuleError::Trap { module, function, message: error.to_string() },
        }
    }

    /// Counts a failed call, when the module is at fault.
    pub fn failed(&self, error: &ModuleError) {
        if error.of_module() {
            self.failures.fetch_add(1, Ordering::Relaxed);
            *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = error.to_string();
        }
    }

    pub fn forget_failures(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// Why it does not count as good, when it failed more than `most` times.
    pub fn failing(&self, most: u32) -> Option<String> {
        let failures = self.failures.load(Ordering::Relaxed);
        let last = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner);
        (failures > most)
            .then(|| format!("{failures} calls of the module `{}` failed, last: {last}", self.name))
    }
}

fn exported_memory(store: &Store<Host>, instance: &Instance) -> Result<Memory, Stop> {
    let memory = instance.get_memory(store, MEMORY);
    memory.ok_or_else(|| Stop::Error(Error::new("it exports no memory")))
}

/// The functions of a module that can be called, when it is one of ours.
fn functions(module: &wasmi::Module) -> Result<BTreeSet<String>, String> {
    if let Some(import) =
        module.imports().find(|import| (import.module(), import.name()) != ("staysail", "log"))
    {
        return Err(format!(
            "imports `{}.{}`, which there is not: a module has `staysail.log` and nothing else. Build it for \
             wasm32-unknown-unknown, without WASI and without bindings for browsers",
            import.module(),
            import.name()
        ));
    }
    let signature = |name: &str, parameters: &[ValType], results: &[ValType]| matches!(module.get_export(name), Some(ExternType::Func(ty)) if ty.params() == parameters && ty.results() == results);
    if !matches!(module.get_export(MEMORY), Some(ExternType::Memory(_))) {
        return Err(format!("exports no memory `{MEMORY}` (docs/spec/modules.md)"));
    }
    if !signature(ALLOC, &[ValType::I32], &[ValType::I32]) {
        return Err(format!("exports no function `{ALLOC}(length: i32) -> i32` (docs/spec/modules.md)"));
    }
    let names = module.exports().map(|export| export.name());
    let callable = names.filter(|name| signature(name, &[ValType::I32, ValType::I32], &[ValType::I64]));
    Ok(callable.map(str::to_owned).collect())
}

/// Runs a function within what is left.
fn run<P: WasmParams, R: WasmResults>(
    store: &mut Store<Host>,
    function: &TypedFunc<P, R>,
    parameters: P,
    budget: &mut Budget,
) -> Result<R, Stop> {
    let mut slice = budget.fuel.min(SLICE_FUEL);
    store.set_fuel(slice).map_err(Stop::Error)?;
    let mut call = function.call_resumable(&mut *store, parameters);
    loop {
        let left = store.get_fuel().map_err(Stop::Error)?;
        budget.fuel -= slice.saturating_sub(left);
        match call.map_err(Stop::Error)? {
            TypedResumableCall::Finished(results) => return Ok(results),
            // What modules are given to call never fails.
            TypedResumableCall::HostTrap(trap) => {
                return Err(Stop::Error(Error::new(trap.host_error().to_string())));
            }
            TypedResumableCall::OutOfFuel(stopped) => {
                if Instant::now() >= budget.deadline {
                    return Err(Stop::Time);
                }
                let needed = stopped.required_fuel();
                if needed > budget.fuel {
                    return Err(Stop::Fuel);
                }
                slice = SLICE_FUEL.max(needed).min(budget.fuel);
                store.set_fuel(slice).map_err(Stop::Error)?;
                call = stopped.resume(&mut *store);
            }
        }
    }
}
