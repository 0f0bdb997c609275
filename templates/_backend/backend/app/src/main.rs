//! Puts the app together: its window, its state, and the commands the page may call.

use staysail::{App, AppHandle, Channel, Event, Kept, Window, command, commands};

/// Kept state: handed from each backend to the next, so an edit of this file does not reset it.
#[staysail::data]
#[derive(Clone, Default)]
struct Session {
    /// Greetings so far.
    greetings: u32,
}

/// Told to every page after a greeting.
#[staysail::data]
#[derive(Event)]
struct Greeted {
    /// Greetings so far.
    greetings: u32,
}

/// Greets by name.
#[command]
fn greet(name: String, session: Kept<Session>, app: AppHandle) -> String {
    let greetings = {
        let mut session = session.write();
        session.greetings += 1;
        session.greetings
    };
    app.emit_event(&Greeted { greetings });
    {{crate}}_core::greeting(&name)
}

/// What the backend remembers.
#[command]
fn session(session: Kept<Session>) -> Session {
    session.read().clone()
}

/// Sails across: streams to the page how far the boat has come, in hundredths.
#[command]
fn sail(progress: Channel<u8>) {
    for hundredths in {{crate}}_core::voyage() {
        if progress.send_blocking(&hundredths).is_err() {
            return; // The page has gone.
        }
        std::thread::sleep({{crate}}_core::PACE);
    }
}

fn main() -> staysail::Result {
    App::new("{{id}}")
        .window(Window::new("main").title("{{title}}").size(860.0, 700.0).min_size(420.0, 420.0))
        .keep("session", Session::default())
        .event::<Greeted>()
        .commands(commands![greet, session, sail])
        .run()
}
