//! The development loop without a window: cargo, the watch and the control socket are real, the shell is scripted.

#![cfg(unix)]

#[path = "support/failure.rs"]
mod failure;
#[cfg(target_os = "linux")]
#[path = "dev/replay.rs"]
mod replay;
#[path = "dev/sources.rs"]
mod sources;
mod support;
#[path = "dev/words.rs"]
mod words;

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use support::{backend, project, staysail};

/// A build on a busy machine may take long; only a failing test waits for this.
const BOUND: Duration = Duration::from_secs(120);

/// `staysail dev --json`, running. Ends with the test.
struct Dev {
    child: Child,
    said: Receiver<Value>,
    told: Receiver<Value>,
    folder: Arc<tempfile::TempDir>,
}

impl Dev {
    fn start() -> Self {
        Self::with(|_| {}, &[])
    }

    fn with(change: impl FnOnce(&Path), flags: &[&str]) -> Self {
        Self::with_environment(change, flags, &[])
    }

    fn with_environment(change: impl FnOnce(&Path), flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        project(folder.path());
        change(folder.path());
        Self::within(Arc::new(folder), flags, variables)
    }

    fn within(folder: Arc<tempfile::TempDir>, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command: Command = staysail(folder.path());
        let mut child = command
            .args(["dev", "--json"])
            .args(flags)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (said_to, said) = channel();
        let (told_to, told) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = said_to.send(serde_json::from_str(&line).expect("a line of JSON"));
            }
        });
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                match line.split_once("TOLD ") {
                    Some((_, json)) => {
                        drop(told_to.send(serde_json::from_str(json).expect("a message in JSON")))
                    }
                    None => eprintln!("dev: {line}"),
                }
            }
        });
        Self { child, said, told, folder }
    }

    /// The next line of this kind, and the kinds before it.
    fn until(&self, kind: &str) -> (Value, Vec<String>) {
        let (end, mut before) = (Instant::now() + BOUND, Vec::new());
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.said.recv_timeout(left).unwrap_or_else(|_| panic!("no {kind} after {before:?}"));
            if line["kind"] == kind {
                return (line, before);
            }
            before.push(line["kind"].as_str().unwrap().to_owned());
        }
    }

    /// The next message of this kind the shell was told.
    fn told(&self, kind: &str) -> Value {
        let end = Instant::now() + BOUND;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message =
                self.told.recv_timeout(left).unwrap_or_else(|_| panic!("the shell was not told {kind}"));
            if message["t"] == kind {
                return message;
            }
        }
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.folder.path().join(path), text).unwrap();
    }

    fn signal(&self, signal: i32) {
        // SAFETY: the child is ours and not yet reaped.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_saved_backend_is_built_from_a_path_of_its_own_and_swapped_in() {
    let dev = Dev::start();
    let start = dev.told("start");
    assert_eq!(start["name"], "com.example.tiny");
    assert_eq!(start["version"], "0.3.0", "the package's version");
    let (first, _) = dev.until("swap_done");
    let first_path = dev.told("swap")["worker"].as_str().unwrap().to_owned();
    dev.until("types_written");
    let types = std::fs::read_to_string(dev.folder.path().join("frontend/staysail.d.ts")).unwrap();
    assert!(types.contains("first: { args: unknown; result: string; error: never };"), "{types}");
    dev.write("src/main.rs", &backend("second"));
    let (second, before) = dev.until("swap_done");
    assert!(!before.contains(&"page_changed".into()), "the generated types are no page change: {before:?}");
    let second_path = dev.told("swap")["worker"].as_str().unwrap().to_owned();
    assert_ne!(first_path, second_path);
    assert!(Path::new(&first_path).exists(), "the way back stays");
    let number = |line: &Value, name: &str| line[name].as_f64().unwrap_or_else(|| panic!("{name} in {line}"));
    assert_eq!(number(&first, "watch_to_build"), 0.0);
    let sum = number(&second, "watch_to_build") + number(&second, "cargo_ms") + number(&second, "swap_ms");
    assert!((sum - number(&second, "total_ms")).abs() < 1.0, "{second}");
    assert_eq!(number(&second, "hello_ms"), 1.5, "the shell's own times are handed on");
}

#[test]
fn a_compile_error_shows_rustcs_words_and_goes_away_with_the_fix() {
    let dev = Dev::start();
    dev.until("swap_done");
    dev.write("src/main.rs", "fn main() { let x: u32 = \"no\"; }");
    let (failed, before) = dev.until("build_failed");
    assert!(failed["errors"].as_str().unwrap().contains("mismatched types"), "{failed}");
    assert!(!before.contains(&"swap_done".into()));
    let overlay = &dev.told("overlay")["overlay"];
    assert_eq!(overlay["kind"], "build");
    assert!(overlay["detail"].as_str().unwrap().contains("mismatched types"), "{overlay}");
    assert!(overlay["advice"].as_str().unwrap().contains("goes on serving"), "{overlay}");
    dev.write("src/main.rs", &backend("fixed"));
    dev.until("swap_done");
    assert!(dev.told("overlay")["overlay"].is_null());
}

#[test]
fn a_swap_that_fails_is_told_and_the_next_save_is_tried_again() {
    let dev = Dev::start();
    dev.until("swap_done");
    dev.write("src/main.rs", &backend("REFUSE-TO-SWAP"));
    let (failed, _) = dev.until("swap_failed");
    assert!(failed["reason"].as_str().unwrap().contains("never said hello"));
    dev.write("src/main.rs", &backend("good"));
    dev.until("swap_done");
}

#[test]
fn a_saved_module_is_handed_over_with_the_program_that_is_live_and_what_is_none_is_named() {
    let module = |rest: &[u8]| [b"\0asm\x01\0\0\0", rest].concat();
    let declare = |folder: &Path| {
        let settings = std::fs::read_to_string(folder.join("staysail.toml")).unwrap();
        let declared = "\n[modules.rules]\nfile = \"build/rules.wasm\"\nfuel_per_call = 7\n";
        std::fs::write(folder.join("staysail.toml"), settings + declared).unwrap();
        std::fs::create_dir(folder.join("build")).unwrap();
        std::fs::write(folder.join("build/rules.wasm"), module(b"")).unwrap();
    };
    let dev = Dev::with(declare, &[]);
    dev.until("swap_done");
    let first = dev.told("swap");
    assert_eq!(first["modules"][0]["name"], "rules", "{first}");
    assert_eq!(first["modules"][0]["limits"]["fuel_per_call"], 7, "{first}");
    let path = dev.folder.path().join("build/rules.wasm");
    std::fs::write(&path, module(b"\0\0")).unwrap();
    let (exchanged, before) = dev.until("modules_exchanged");
    assert_eq!(exchanged["names"], serde_json::json!(["rules"]));
    assert!(!before.contains(&"build_started".into()), "nothing is compiled: {before:?}");
    let second = dev.told("swap");
    assert_eq!((&second["worker"], &second["fresh"]), (&first["worker"], &Value::Bool(false)));
    assert_eq!(second["modules"], first["modules"]);
    // Garbage is not even handed over, and lies over the page until it is repaired.
    std::fs::write(&path, "(module)").unwrap();
    let (error, _) = dev.until("error");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("build/rules.wasm is no WebAssembly module"), "{message}");
    assert_eq!(dev.told("overlay")["overlay"]["title"], "A Wasm module can not be used");
    std::fs::write(&path, module(b"\0\0\0")).unwrap();
    dev.until("modules_exchanged");
    assert!(dev.told("overlay")["overlay"].is_null());
}

#[test]
fn styles_are_exchanged_other_page_files_reload_and_nothing_else_happens() {
    let dev = Dev::start();
    dev.until("swap_done");
    dev.write("frontend/style.css", "body { color: blue }");
    let (styles, before) = dev.until("styles_changed");
    assert_eq!(styles["paths"], serde_json::json!(["/style.css"]));
    assert!(!before.contains(&"build_started".into()), "{before:?}");
    assert_eq!(dev.told("styles_changed")["paths"], serde_json::json!(["/style.css"]));
    // Written again with the same content, in a way editors do: nothing has changed.
    dev.write("frontend/.index.html.swp", "x");
    dev.write("frontend/index.html.new~", "<!doctype html><title>Tiny</title>");
    let (new, old) =
        (dev.folder.path().join("frontend/index.html.new~"), dev.folder.path().join("frontend/index.html"));
    std::fs::rename(new, &old).unwrap();
    dev.write("frontend/style.css", "body { color: green }");
    let (_, before) = dev.until("styles_changed");
    assert!(
        before.iter().all(|kind| ["types_written", "build_finished"].contains(&kind.as_str())),
        "{before:?}"
    );
    // A fresh folder with a file in it, at once.
    std::fs::create_dir_all(dev.folder.path().join("frontend/new/deep")).unwrap();
    dev.write("frontend/new/deep/page.html", "new");
    let (page, _) = dev.until("page_changed");
    assert_eq!(page["paths"], serde_json::json!(["/new/deep/page.html"]));
    std::fs::remove_dir_all(dev.folder.path().join("frontend/new")).unwrap();
    let (page, _) = dev.until("page_changed");
    assert_eq!(page["paths"], serde_json::json!(["/new/deep/page.html"]), "what is gone has changed, too");
}

#[test]
fn a_page_that_does_not_start_says_so_over_itself_until_it_is_loaded_again() {
    let dev = Dev::start();
    dev.until("swap_done");
    dev.write("frontend/broken.js", "const = ;");
    let overlay = &dev.told("overlay")["overlay"];
    assert_eq!(overlay["kind"], "page");
    let detail = overlay["detail"].as_str().unwrap();
    let place = Path::new("frontend").join("broken.js").display().to_string();
    assert!(detail.contains("not like this") && detail.contains(&format!("{place}:1:6")), "{detail}");
    dev.write("frontend/index.html", "<!doctype html><title>Repaired</title>");
    assert!(dev.told("overlay")["overlay"].is_null());
}

#[test]
fn looking_at_intervals_sees_the_same_where_nothing_is_notified() {
    let dev = Dev::with(|_| {}, &["--poll"]);
    dev.until("swap_done");
    for color in ["rebeccapurple", "teal", "navy"] {
        dev.write("frontend/style.css", &format!("body {{ color: {color} }}"));
        assert_eq!(dev.until("styles_changed").0["paths"], serde_json::json!(["/style.css"]));
    }
}

#[test]
fn a_newer_save_cancels_the_build_under_way() {
    let dev = Dev::with(
        |folder| {
            // A build script that never ends while its file is there makes the first build last.
            std::fs::write(folder.join("build.rs"), "fn main() { while std::path::Path::new(\"hold\").exists() { std::thread::yield_now() } println!(\"cargo::rerun-if-changed=build.rs\"); }").unwrap();
            std::fs::write(folder.join("hold"), "").unwrap();
        },
        &[],
    );
    dev.until("build_started");
    std::fs::remove_file(dev.folder.path().join("hold")).unwrap();
    dev.until("swap_done");
    std::fs::write(dev.folder.path().join("hold"), "").unwrap();
    dev.write(
        "build.rs",
        "fn main() { while std::path::Path::new(\"hold\").exists() { std::thread::yield_now() } }",
    );
    dev.until("build_started");
    dev.write("build.rs", "fn main() {}");
    dev.write("src/main.rs", &backend("newest"));
    dev.until("build_cancelled");
    dev.until("swap_done");
}

/// Reads its source, compiles for as long as there is a file `compiling`, and hears of nothing that is saved meanwhile, as
/// `tsc --watch` of TypeScript 7.0 when it starts. Writes a source each time, too, as what generates some does.
const COMPILER: &str = r#"
words=$(cat frontend/words.ts); touch frontend/read frontend/words.ts; while [ -e frontend/compiling ] && ! rm frontend/go 2> frontend/none; do sleep 0.05; done
printf '%s' "$words" > frontend/public/words.js; echo 'Found 0 errors. Watching for file changes.'; exec sleep 1000
"#;

#[test]
fn what_is_saved_while_a_compiler_starts_is_compiled_by_another_start_and_by_one_only() {
    let dev = Dev::with(
        |folder| {
            let settings = "[app]\nid = \"com.example.tiny\"\n[frontend]\ndist = \"frontend/public\"\n\
                            [frontend.dev]\ncommand = \"sh compiler.sh\"\n";
            std::fs::create_dir(folder.join("frontend/public")).unwrap();
            for (path, text) in [
                ("staysail.toml", settings),
                ("compiler.sh", COMPILER),
                ("frontend/words.ts", "first"),
                ("frontend/compiling", ""),
            ] {
                std::fs::write(folder.join(path), text).unwrap();
            }
        },
        &[],
    );
    let file = |path: &str| dev.folder.path().join("frontend").join(path);
    let wait = |is: &dyn Fn() -> bool| {
        let end = Instant::now() + BOUND;
        while !is() {
            assert!(Instant::now() < end, "the compiler does not come so far");
            std::thread::yield_now();
        }
    };
    let words = || std::fs::read_to_string(file("public/words.js")).unwrap_or_default();
    // The declarations of types are a source that is written during the first compile as well.
    dev.until("types_written");
    for text in ["second", "third"] {
        wait(&|| file("read").exists());
        dev.write("frontend/words.ts", text);
        std::fs::remove_file(file("read")).unwrap();
        if text == "third" {
            std::fs::remove_file(file("compiling")).unwrap();
        } else {
            std::fs::write(file("go"), "").unwrap();
        }
        let (notice, _) = dev.until("notice");
        let message = notice["message"].as_str().unwrap();
        assert!(
            message.contains("words.ts was saved while") && message.contains("started again"),
            "{message}"
        );
    }
    wait(&|| words() == "third");
    dev.write("src/main.rs", &backend("second"));
    let (_, before) = dev.until("swap_done");
    assert!(!before.iter().any(|kind| ["notice", "error"].contains(&kind.as_str())), "{before:?}");
}

#[test]
fn closing_the_window_ends_the_command_well() {
    let mut dev = Dev::start();
    dev.until("swap_done");
    dev.write("frontend/close.html", "x");
    dev.until("ended");
    assert!(dev.child.wait().unwrap().success());
}

#[test]
fn every_way_of_being_asked_to_end_ends_shell_and_dev_server() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // The dev server holds the pipe's end through a grandchild that left its session.
        let mut dev = Dev::with(
            |folder| {
                let text = "[app]\nid = \"com.example.tiny\"\n[frontend.dev]\ncommand = \"(setsid sleep 1000 &) ; echo up; wait; sleep 1000\"\n";
                std::fs::write(folder.join("staysail.toml"), text).unwrap();
            },
            &[],
        );
        dev.until("window_open");
        dev.signal(signal);
        dev.until("ended");
        assert!(dev.child.wait().unwrap().success(), "signal {signal}");
    }
}

#[test]
fn killing_the_command_leaves_no_process_behind() {
    // One child of the dev server leaves its session and writes to the command's own standard error.
    let mut dev = Dev::with(
        |folder| {
            let text = "[app]\nid = \"com.example.tiny\"\n[frontend.dev]\ncommand = \"(setsid sleep 1000 &) ; sleep 1000\"\n";
            std::fs::write(folder.join("staysail.toml"), text).unwrap();
        },
        &[],
    );
    dev.until("window_open");
    dev.child.kill().unwrap();
    dev.child.wait().unwrap();
    // Both channels close when nobody holds the command's output any longer.
    let end = Instant::now() + BOUND;
    while dev.told.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok() {}
    while dev.said.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok() {}
    assert!(Instant::now() < end, "something still holds the output");
}

#[test]
fn a_taken_port_and_a_dev_server_that_ends_are_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let settings = |command: &str, port: u16| {
        let text = format!(
            "[app]\nid = \"com.example.tiny\"\n[frontend.dev]\ncommand = \"{command}\"\nurl = \"http://127.0.0.1:{port}\"\n"
        );
        std::fs::write(folder.path().join("staysail.toml"), text).unwrap();
        failure::failure(&staysail(folder.path()).args(["dev", "--json"]).output().unwrap())
    };
    let error = settings("sleep 1000", port);
    assert!(error.contains("already listens at") && error.contains("choose another port"), "{error}");
    drop(taken);
    let error = settings("echo cannot start; exit 3", port);
    assert!(error.contains("ended before it answered") && error.contains("| cannot start"), "{error}");
}
