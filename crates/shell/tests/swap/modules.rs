//! Wasm modules are exchanged in the worker that runs: what calls see of it, and that nothing is lost when new ones are bad.

use crate::theatre::{PATIENCE, Test, Theatre, kill, wait};
use serde_json::json;
use staysail::{App, AppHandle, ModuleError, command, commands};
use staysail_protocol::limits::MODULE_FAILURES_MAX;
use staysail_protocol::module::{ModuleFile, ModuleLimits};
use staysail_shell::wasm::Modules;

pub const TESTS: &[Test] = &[
    ("modules are exchanged in the worker that runs and a call ends on the one it began with", exchanged),
    ("modules that can not be used are refused and those before stay", refused),
    ("a worker that died is started again with the newest modules", started_again),
    ("modules that prove good stay and those whose calls keep failing go back", proved),
];

/// Plays the role of an app with modules.
pub fn play(role: &str) -> bool {
    if role != "moduled" {
        return false;
    }
    let ended = App::new("dev.staysail.modules")
        // Set-up has them already.
        .setup(|app| app.module("rules").map(drop))
        .commands(commands![ask, trap])
        .run();
    panic!("the worker ended: {ended:?}");
}

/// What a function of the module answers.
#[command]
fn ask(function: String, app: AppHandle) -> Result<String, ModuleError> {
    let answer = app.module("rules")?.call(&function, b"")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Whether a call of the module fails.
#[command]
fn trap(app: AppHandle) -> bool {
    app.module("rules").and_then(|rules| rules.call("trap", b"")).is_err()
}

/// A module whose `name` answers with a letter at once, and `slow` after it has said so and worked for a while.
fn rules(theatre: &Theatre, letter: char, more: &str) -> Modules {
    let text = format!(
        r#"(module
            (import "staysail" "log" (func $log (param i32 i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "{letter}begun")
            (func (export "staysail_alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "name") (param i32 i32) (result i64) (i64.const 1))
            (func (export "trap") (param i32 i32) (result i64) unreachable)
            (func (export "slow") (param i32 i32) (result i64)
                (local $i i32)
                (call $log (i32.const 1) (i32.const 5))
                (loop $on
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $on (i32.lt_u (local.get $i) (i32.const 3000000))))
                (i64.const 1))
            {more})"#
    );
    read(theatre, &wat::parse_str(text).unwrap()).unwrap()
}

fn read(theatre: &Theatre, bytes: &[u8]) -> Result<Modules, String> {
    let path = theatre.folder.join("rules.wasm");
    std::fs::write(&path, bytes).unwrap();
    // Slow machines may work on `slow` for long.
    let limits = ModuleLimits { call_timeout_ms: 60_000, ..ModuleLimits::default() };
    Modules::read(&[ModuleFile { name: "rules".into(), path: path.display().to_string(), limits }])
}

fn name(theatre: &Theatre) -> String {
    theatre.call("ask", json!({ "function": "name" })).unwrap().as_str().unwrap().to_owned()
}

fn exchanged() {
    let theatre = Theatre::open();
    theatre.swap_with_modules("moduled", rules(&theatre, 'a', "")).unwrap();
    let process = theatre.process();
    assert_eq!(name(&theatre), "a");
    let slow = theatre.begin_call("ask", json!({ "function": "slow" }));
    theatre.wait_line("rules: begun");
    let exchanged = theatre.exchange_modules(&rules(&theatre, 'b', "")).unwrap();
    assert_eq!(name(&theatre), "b");
    assert_eq!(slow.recv_timeout(PATIENCE).unwrap().unwrap(), json!("a"));
    assert_eq!(theatre.process(), process, "the worker goes on");
    assert!(exchanged.before == rules(&theatre, 'a', ""));
}

fn refused() {
    let theatre = Theatre::open();
    theatre.swap_with_modules("moduled", rules(&theatre, 'a', "")).unwrap();
    let process = theatre.process();
    let garbage = read(&theatre, b"no module at all").unwrap();
    let without_slow = wat::parse_str(
        r#"(module (memory (export "memory") 1)
            (func (export "staysail_alloc") (param i32) (result i32) (i32.const 0))
            (func (export "name") (param i32 i32) (result i64) (i64.const 0)))"#,
    );
    let without_slow = read(&theatre, &without_slow.unwrap()).unwrap();
    let unfit = rules(&theatre, 'b', r#"(func (export "staysail_check") (result i32) (i32.const 1))"#);
    for (modules, part) in [
        (&garbage, "is no WebAssembly module"),
        (&without_slow, "no longer has the function `slow`"),
        (&unfit, "`staysail_check` returned 1"),
    ] {
        let refusal = theatre.exchange_modules(modules).err().expect("it is refused");
        assert!(refusal.reason.contains("rules.wasm") && refusal.reason.contains(part), "{refusal:?}");
        assert!(!refusal.of_others, "{refusal:?}");
        assert_eq!(name(&theatre), "a");
    }
    // A new worker with such modules is none.
    let refusal = theatre.swap_with_modules("moduled", garbage).err().expect("it is refused");
    assert!(refusal.reason.contains("is no WebAssembly module"), "{refusal:?}");
    assert_eq!((name(&theatre), theatre.process()), ("a".into(), process));
    let gone = Modules::read(&[ModuleFile {
        name: "rules".into(),
        path: theatre.folder.join("gone.wasm").display().to_string(),
        limits: ModuleLimits::default(),
    }]);
    assert!(gone.unwrap_err().contains("gone.wasm"));
}

fn started_again() {
    let theatre = Theatre::open_for(0);
    theatre.swap_with_modules("moduled", rules(&theatre, 'a', "")).unwrap();
    theatre.exchange_modules(&rules(&theatre, 'b', "")).unwrap();
    let process = theatre.process();
    kill(process);
    wait("another worker", || {
        let active = theatre.shell.router.active()?;
        (active.process() != process).then_some(())
    });
    assert_eq!(name(&theatre), "b");
}

fn proved() {
    let theatre = Theatre::open_for(0);
    theatre.swap_with_modules("moduled", rules(&theatre, 'a', "")).unwrap();
    let good = theatre.exchange_modules(&rules(&theatre, 'b', "")).unwrap();
    assert_eq!(theatre.prove_modules(&good), Some(Ok(())));
    // One that has more than the one before goes back all the same.
    let more = r#"(func (export "more") (param i32 i32) (result i64) (i64.const 0))"#;
    let bad = theatre.exchange_modules(&rules(&theatre, 'c', more)).unwrap();
    assert_eq!(name(&theatre), "c");
    for _ in 0..=MODULE_FAILURES_MAX {
        assert_eq!(theatre.call("trap", json!({})).unwrap(), json!(true));
    }
    let reason = theatre.prove_modules(&bad).unwrap().unwrap_err();
    assert!(reason.contains("calls of the module `rules` failed"), "{reason}");
    assert_eq!(name(&theatre), "b");
}
