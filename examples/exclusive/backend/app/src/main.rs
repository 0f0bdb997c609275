//! Guest book: entries in a database, which other programs read at a port. Both belong to one backend at a time and are
//! handed over when it is exchanged; how is in `guest-book-hold`.

use guest_book_hold::{Database, Entry, Port};
use staysail::{App, Held, Window, command, commands};

/// Shown by the page, to be changed while the app runs.
const WELCOME: &str = "Welcome aboard. Sign here.";

/// What the page shows of the backend.
#[staysail::data]
struct About {
    welcome: String,
    process: u32,
    /// Where other programs find the entries.
    address: String,
}

/// Says who answers.
#[command]
fn about(port: Held<Port>) -> About {
    About { welcome: WELCOME.into(), process: std::process::id(), address: port.address() }
}

/// Writes an entry.
#[command]
fn sign(name: String, text: String, database: Held<Database>) -> Result<(), String> {
    database.sign(&name, &text)
}

/// All entries, the newest first.
#[command]
fn entries(database: Held<Database>) -> Result<Vec<Entry>, String> {
    database.entries()
}

fn main() -> staysail::Result {
    App::new("dev.staysail.guest-book")
        .window(Window::new("main").title("Guest Book").size(640.0, 720.0))
        // In this order: who is asked at the port looks into the database.
        .exclusive::<Database>()
        .exclusive::<Port>()
        .commands(commands![about, sign, entries])
        .run()
}
