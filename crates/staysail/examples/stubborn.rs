//! A worker whose code gets in the way: commands that block, hooks and migrations that go wrong. For tests.

use staysail::{App, AppHandle, Kept, Receiver, Window, WindowHandle, command, commands};
use std::sync::{Condvar, Mutex};

#[staysail::data]
#[derive(Default)]
struct Note {
    text: String,
}

static RELEASED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

fn wait_for_release() {
    let mut released = RELEASED.0.lock().unwrap();
    while !*released {
        released = RELEASED.1.wait(released).unwrap();
    }
}

/// Blocks its thread until the event `release` comes.
#[command]
fn held(app: AppHandle) -> u32 {
    wait_for_release();
    app.emit("held-ends", &());
    1
}

/// Blocks a thread of the asynchronous runtime for ever.
#[command]
async fn hog() -> u32 {
    loop {
        std::thread::park();
    }
}

/// Changes declared state once released, whoever still waits.
#[command]
fn write_late(note: Kept<Note>, app: AppHandle) {
    app.emit("begun", &());
    wait_for_release();
    note.write().text = "late".into();
}

/// What `on_activate` left behind.
#[command]
fn activated(note: Kept<Note>) -> String {
    note.read().text.clone()
}

/// Adds up what the page sends.
#[command]
fn sum(mut numbers: Receiver<u32>) -> u32 {
    let mut sum = 0;
    while let Some(number) = numbers.next_blocking() {
        sum += number;
    }
    sum
}

/// Recurses until its stack is used up.
#[command]
fn overflow() -> u32 {
    #[allow(unconditional_recursion)]
    fn deeper(n: u32) -> u32 {
        std::hint::black_box([n; 64])[0] + deeper(n + 1)
    }
    deeper(0)
}

fn main() -> staysail::Result {
    App::new("dev.staysail.stubborn")
        .window(Window::new("main"))
        .keep_versioned("note", 2, Note::default(), |_, _| panic!("this migration is broken"))
        .setup(|app| {
            app.on("release", |_: (), _| {
                *RELEASED.0.lock().unwrap() = true;
                RELEASED.1.notify_all();
            });
            app.on("number", |number: u32, window: WindowHandle| window.emit("number", &number));
            Ok::<(), String>(())
        })
        .on_activate(|app| {
            if std::env::var_os("STUBBORN_ACTIVATION").is_some() {
                wait_for_release();
            }
            if let Some(note) = app.kept::<Note>() {
                note.write().text = "activated".into();
            }
        })
        .on_retire(|app| app.emit("retire-hook", &()))
        .health(|| Ok::<(), String>(()))
        .commands(commands![held, hog, write_late, activated, sum, overflow])
        .run()
}
