//! Modules written as text: what calls answer, what stops them, and what is refused.

use super::*;
use staysail_protocol::module::ModuleLimits;
use std::sync::Mutex;

/// A module with a memory, room at a fixed place, and what `rest` adds.
fn wasm(rest: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (import "staysail" "log" (func $log (param i32 i32)))
            (memory (export "memory") 1)
            (func (export "staysail_alloc") (param i32) (result i32) (i32.const 1024))
            {rest})"#
    );
    wat::parse_str(text).unwrap()
}

/// Returns its argument.
const ECHO: &str = r#"(func (export "echo") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))"#;
/// Never ends.
const SPIN: &str = r#"(func (export "spin") (param i32 i32) (result i64) (loop $on (br $on)) (i64.const 0))"#;

fn spec(bytes: &[u8], limits: ModuleLimits) -> ModuleSpec {
    ModuleSpec { name: "rules".into(), origin: "rules.wasm".into(), bytes: bytes.len(), limits }
}

fn take(shelf: &Shelf, bytes: &[u8], limits: ModuleLimits) -> Result<(), String> {
    let log: engine::Log = Arc::new(|_: &str| {});
    shelf.take_with(&[spec(bytes, limits)], bytes, false, &log).map_err(|(_, message)| message)
}

fn shelf(rest: &str, limits: ModuleLimits) -> Shelf {
    let shelf = Shelf::default();
    take(&shelf, &wasm(rest), limits).unwrap();
    shelf
}

#[test]
fn a_call_answers_with_the_bytes_the_module_returns() {
    let shelf = shelf(ECHO, ModuleLimits::default());
    assert_eq!(shelf.call("rules", "echo", b"some bytes").unwrap(), b"some bytes");
    assert_eq!(shelf.call("rules", "echo", b"").unwrap(), b"");
    assert!(matches!(shelf.call("rule", "echo", b""), Err(ModuleError::NoModule { .. })));
    let unknown = shelf.call("rules", "ech", b"").unwrap_err();
    assert!(unknown.to_string().contains("it has `echo`"), "{unknown}");
    shelf.health().unwrap();
}

#[test]
fn no_call_sees_what_another_one_left() {
    let counts = r#"(global $n (mut i32) (i32.const 0))
        (func (export "count") (param i32 i32) (result i64)
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (i32.store8 (i32.const 0) (global.get $n))
            (i64.const 1))"#;
    let shelf = shelf(counts, ModuleLimits::default());
    assert_eq!(shelf.call("rules", "count", b"").unwrap(), [1]);
    assert_eq!(shelf.call("rules", "count", b"").unwrap(), [1]);
}

#[test]
fn whoever_uses_too_much_is_stopped_and_named() {
    let fuel = ModuleLimits { fuel_per_call: 10_000_000, ..ModuleLimits::default() };
    let stopped = shelf(SPIN, fuel).call("rules", "spin", b"");
    assert!(matches!(stopped, Err(ModuleError::OutOfFuel { fuel: 10_000_000, .. })), "{stopped:?}");

    let time = ModuleLimits { call_timeout_ms: 1, fuel_per_call: u64::MAX, ..ModuleLimits::default() };
    let stopped = shelf(SPIN, time).call("rules", "spin", b"");
    assert!(matches!(stopped, Err(ModuleError::OutOfTime { milliseconds: 1, .. })), "{stopped:?}");

    let grow = r#"(func (export "grow") (param i32 i32) (result i64)
        (drop (memory.grow (i32.const 10))) (i64.const 0))"#;
    let memory = ModuleLimits { memory_bytes_max: 2 << 16, ..ModuleLimits::default() };
    let stopped = shelf(grow, memory).call("rules", "grow", b"");
    assert!(matches!(stopped, Err(ModuleError::OutOfMemory { bytes: 131_072, .. })), "{stopped:?}");
    shelf(grow, ModuleLimits::default()).call("rules", "grow", b"").unwrap();
}

#[test]
fn a_trap_is_an_error_and_many_of_them_are_bad_health() {
    let rest = format!(
        r#"{ECHO} (func (export "trap") (param i32 i32) (result i64) unreachable)
        (func $deep (export "deep") (param i32 i32) (result i64) (call $deep (i32.const 0) (i32.const 0)))
        (func (export "outside") (param i32 i32) (result i64) (i64.const -1))"#
    );
    let shelf = shelf(&rest, ModuleLimits::default());
    assert!(matches!(shelf.call("rules", "trap", b""), Err(ModuleError::Trap { .. })));
    assert!(matches!(shelf.call("rules", "deep", b""), Err(ModuleError::Trap { .. })));
    assert!(matches!(shelf.call("rules", "outside", b""), Err(ModuleError::BadAnswer { .. })));
    assert_eq!(shelf.call("rules", "echo", b"still here").unwrap(), b"still here");
    // What does not fit where it is to go is no fault of the memory.
    assert!(matches!(shelf.call("rules", "echo", &vec![0; 1 << 16]), Err(ModuleError::BadAnswer { .. })));
    assert_eq!(shelf.health().is_ok(), limits::MODULE_FAILURES_MAX >= 4);
    shelf.forget_failures();
    shelf.health().unwrap();
}

#[test]
fn what_can_not_be_used_is_refused_by_its_file_and_the_one_before_stays() {
    let shelf = shelf(ECHO, ModuleLimits::default());
    let without = |text: &str| wat::parse_str(text).unwrap();
    let wasi = without(
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (func)) (memory (export "memory") 1))"#,
    );
    let start = wat::parse_str(
        r#"(module (memory (export "memory") 1) (func $f)
            (func (export "staysail_alloc") (param i32) (result i32) (i32.const 0)) (start $f))"#,
    );
    let unfit = wasm(&format!(r#"{ECHO} (func (export "staysail_check") (result i32) (i32.const 7))"#));
    let hangs = wasm(&format!(
        r#"{ECHO} (func (export "staysail_check") (result i32) (loop $on (br $on)) (i32.const 0))"#
    ));
    for (bytes, part) in [
        (b"<!doctype html>".to_vec(), "is no WebAssembly module"),
        (wasm(ECHO)[..40].to_vec(), "is no WebAssembly module"),
        (wasi, "imports `wasi_snapshot_preview1.fd_write`"),
        (start.unwrap(), "is no WebAssembly module"),
        (without("(module)"), "exports no memory"),
        (without(r#"(module (memory (export "memory") 1))"#), "exports no function `staysail_alloc"),
        (wasm(SPIN), "no longer has the function `echo`"),
        (unfit, "`staysail_check` returned 7"),
        (hangs, "failed its check"),
    ] {
        let limits = ModuleLimits { fuel_per_call: 5_000_000, ..ModuleLimits::default() };
        let refused = take(&shelf, &bytes, limits).unwrap_err();
        assert!(refused.contains("`rules` (rules.wasm)") && refused.contains(part), "{refused}");
        assert_eq!(shelf.call("rules", "echo", b"before").unwrap(), b"before");
    }
    // What was in use before comes back with what it had.
    let log: engine::Log = Arc::new(|_: &str| {});
    let fewer = wasm(SPIN);
    shelf.take_with(&[spec(&fewer, ModuleLimits::default())], &fewer, true, &log).unwrap();
    assert!(matches!(shelf.call("rules", "echo", b""), Err(ModuleError::NoFunction { .. })));
    let large = without(
        r#"(module (memory (export "memory") 9)
            (func (export "staysail_alloc") (param i32) (result i32) (i32.const 0)))"#,
    );
    let few = ModuleLimits { memory_bytes_max: 1 << 16, ..ModuleLimits::default() };
    assert!(take(&Shelf::default(), &large, few).unwrap_err().contains("memory"), "too large from the start");
}

#[test]
fn a_module_writes_so_many_lines_to_the_log_and_no_more() {
    let chatty = r#"(data (i32.const 0) "hello")
        (func (export "chat") (param i32 i32) (result i64)
            (local $i i32)
            (loop $on
                (call $log (i32.const 0) (i32.const 5))
                (call $log (i32.const -1) (i32.const 5))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $on (i32.lt_u (local.get $i) (i32.const 1000))))
            (i64.const 0))"#;
    let (shelf, bytes) = (Shelf::default(), wasm(chatty));
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let log: engine::Log = Arc::new(move |line: &str| sink.lock().unwrap().push(line.to_owned()));
    shelf.take_with(&[spec(&bytes, ModuleLimits::default())], &bytes, false, &log).unwrap();
    shelf.call("rules", "chat", b"").unwrap();
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), limits::MODULE_LOG_LINES_MAX as usize);
    assert_eq!(lines[0], "rules: hello");
}
