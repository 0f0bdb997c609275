//! Notebook: a folder of Markdown notes with full-text search. This file only puts the app together; what it does
//! is in `notebook-core`, so that the usual edit compiles one small crate.

use notebook_core::{Folder, Hit, Note, Problem, Summary};
use staysail::{App, AppHandle, Kept, State, Window, command, commands};

/// What survives every swap and every crash: what the user was doing.
#[staysail::data]
#[derive(Clone, Default)]
pub struct Session {
    /// The open note.
    open: Option<String>,
    /// What is searched for.
    query: String,
    /// Text that is not saved yet, by note.
    #[serde(default)]
    unsaved: Option<(String, String)>,
}

/// What the status line shows of the backend.
#[staysail::data]
pub struct About {
    version: String,
    tagline: String,
    process: u32,
}

/// All notes, the newest first.
#[command]
fn list_notes(folder: State<Folder>) -> Result<Vec<Summary>, Problem> {
    folder.list()
}

/// One note.
#[command]
fn read_note(name: String, folder: State<Folder>, session: Kept<Session>) -> Result<Note, Problem> {
    let mut note = folder.read(&name)?;
    let mut session = session.write();
    if let Some((unsaved, text)) = &session.unsaved
        && *unsaved == name
    {
        note.text.clone_from(text);
    }
    session.open = Some(name);
    Ok(note)
}

/// Remembers what is being typed, before it is saved.
#[command]
fn keep_typing(name: String, text: String, session: Kept<Session>) {
    session.write().unsaved = Some((name, text));
}

/// Writes a note to the disk.
#[command]
fn save_note(
    name: String,
    text: String,
    folder: State<Folder>,
    session: Kept<Session>,
    app: AppHandle,
) -> Result<Summary, Problem> {
    let saved = folder.save(&name, &text)?;
    let mut session = session.write();
    if session.unsaved.as_ref().is_some_and(|(unsaved, kept)| *unsaved == name && *kept == text) {
        session.unsaved = None;
    }
    app.emit("note-saved", &saved);
    Ok(saved)
}

/// A new note with a name that is free.
#[command]
fn create_note(folder: State<Folder>) -> Result<Summary, Problem> {
    folder.create("Untitled")
}

/// Moves a note to the folder's bin.
#[command]
fn delete_note(name: String, folder: State<Folder>) -> Result<(), Problem> {
    folder.delete(&name)
}

/// Markdown as HTML that is safe to show.
#[command]
fn render(text: String) -> String {
    notebook_core::render(&text)
}

/// Notes that hold all words, the best first, with the places marked.
#[command]
fn search(query: String, folder: State<Folder>, session: Kept<Session>) -> Result<Vec<Hit>, Problem> {
    session.write().query.clone_from(&query);
    folder.search(&query)
}

/// What the user was doing.
#[command]
fn session(session: Kept<Session>) -> Session {
    session.read().clone()
}

/// What runs.
#[command]
fn about(app: AppHandle) -> About {
    About {
        version: app.version().to_string(),
        tagline: notebook_core::TAGLINE.into(),
        process: std::process::id(),
    }
}

fn main() -> staysail::Result {
    App::new("dev.staysail.notebook")
        .window(
            Window::new("main")
                .title("Notebook")
                .size(1100.0, 720.0)
                .min_size(640.0, 420.0)
                .background("#fbfaf7"),
        )
        .keep("session", Session::default())
        .setup(|app| {
            app.manage(Folder::open(&app.data_dir().join("notes"))?);
            Ok::<(), Problem>(())
        })
        .commands(commands![
            list_notes,
            read_note,
            keep_typing,
            save_note,
            create_note,
            delete_note,
            render,
            search,
            session,
            about
        ])
        .run()
}
