//! A worker with a command of every kind, for tests and for trying the shell.

use staysail::assets::unavailable;
use staysail::{App, AppHandle, Bytes, Kept, State, Window, WindowHandle, command, commands};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How often `count` was called, over all workers.
#[staysail::data]
#[derive(Default)]
struct Counter {
    count: u32,
}

/// Why `fail` fails.
#[staysail::data]
#[derive(Debug)]
enum Refusal {
    /// The number is too large.
    TooLarge {
        /// The largest allowed.
        most: u32,
    },
}

/// Sent once when a worker becomes active.
#[staysail::data]
#[derive(staysail::Event)]
struct Tick {
    number: u32,
}

#[command]
fn echo(text: String) -> String {
    text
}

/// Adds two numbers.
#[command]
fn add(a: i32, b: i32) -> i32 {
    a + b
}

#[command]
async fn slow(ms: u32) -> u32 {
    tokio::time::sleep(Duration::from_millis(ms.into())).await;
    ms
}

#[command]
fn fail(number: u32) -> Result<u32, Refusal> {
    if number > 9 { Err(Refusal::TooLarge { most: 9 }) } else { Ok(number) }
}

#[command]
fn panics() -> u32 {
    panic!("on purpose")
}

#[command]
fn abort() -> u32 {
    std::process::abort()
}

#[command]
fn count(counter: Kept<Counter>, calls: State<AtomicU32>) -> (u32, u32) {
    let mut counter = counter.write();
    counter.count += 1;
    (counter.count, calls.fetch_add(1, Ordering::Relaxed) + 1)
}

#[command]
fn big(bytes: usize) -> String {
    "x".repeat(bytes)
}

#[command]
fn raw(body: Bytes) -> Bytes {
    body
}

#[command]
fn greet_window(name: Option<String>, app: AppHandle, window: WindowHandle) -> String {
    app.emit("greeted", &name);
    format!("{} from {}", name.unwrap_or_default(), window.label())
}

/// Fetches an asset group, and says how many files it has or which one can not be had.
#[command]
async fn fetch_group(group: String, app: AppHandle) -> Result<u32, String> {
    let fetched = app.assets().fetch(&group).await;
    fetched.map(|group| group.files as u32).map_err(|error| match unavailable(&error) {
        Some(file) => format!("{} {}", file.path, file.reason.name()),
        None => error.to_string(),
    })
}

#[command]
fn limit_downloads(rate: Option<u32>, app: AppHandle) {
    app.updates().limit_downloads(rate.map(u64::from));
}

fn main() -> staysail::Result {
    App::new("dev.staysail.echo")
        .window(Window::new("main").title("Echo"))
        .keep("counter", Counter::default())
        .manage(AtomicU32::new(0))
        .event::<Tick>()
        .on_activate(|app| {
            // Before the event that tests wait for.
            app.updates().condition("recording", || Some(true.into()));
            app.updates().condition("unsure", || None);
            app.updates().condition("broken", || panic!("on purpose"));
            app.emit_event(&Tick { number: 1 });
            let pages = app.clone();
            app.assets().on_progress(move |event| pages.emit("fetched", &event.bytes));
        })
        .health(|| Ok::<(), String>(()))
        .commands(commands![
            echo,
            add,
            slow,
            fail,
            panics,
            abort,
            count,
            big,
            raw,
            greet_window,
            fetch_group,
            limit_downloads
        ])
        .run()
}
