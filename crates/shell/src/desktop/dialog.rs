//! `dialog.*`.

use super::app::OpenDialog;
use super::{Answer, Asker, answer, invalid};
use crate::platform::native;
use crate::shell::Shell;
use staysail_protocol::desktop::dialog::{DialogRequest, Filter, Level};
use std::sync::Arc;

/// Most buttons of a message: what every system has room for.
const BUTTONS_MAX: usize = 3;

/// What kind of path is chosen.
pub enum Choice {
    /// One file that is there.
    File,
    /// Several files that are there.
    Files,
    /// A folder.
    Folder,
    /// A place for a file, whose name is offered.
    Save(String),
}

/// A dialog that chooses paths.
pub struct Chooser {
    pub(crate) choice: Choice,
    pub(crate) title: String,
    pub(crate) filters: Vec<Filter>,
    pub(crate) directory: Option<String>,
}

/// A dialog that says or asks something.
pub struct Question {
    pub(crate) text: String,
    pub(crate) detail: String,
    pub(crate) level: Level,
    pub(crate) buttons: Vec<String>,
}

/// Does what is asked.
pub async fn handle(shell: &Arc<Shell>, asker: &Asker, request: DialogRequest) -> Answer {
    let own = match asker {
        // A dialog asked for from a browser tab stands alone.
        Asker::Page(visitor) if shell.pages.is_tab(&visitor.window) => None,
        Asker::Page(visitor) => Some(visitor.window.clone()),
        Asker::Worker(_) => None,
    };
    let _open = OpenDialog::begin(shell)?;
    match request {
        DialogRequest::Open { label, title, multiple, folder, filters, directory } => {
            let choice = match (folder, multiple) {
                (true, false) => Choice::Folder,
                (false, false) => Choice::File,
                (false, true) => Choice::Files,
                (true, true) => return Err(invalid("one folder can be chosen, not several".into())),
            };
            let chooser = Chooser { choice, title, filters, directory };
            let paths = native::choose(shell, label.or(own), chooser).await?;
            give(shell, asker, paths.as_deref().unwrap_or_default()).await;
            answer(paths)
        }
        DialogRequest::Save { label, title, name, filters, directory } => {
            let chooser = Chooser { choice: Choice::Save(name), title, filters, directory };
            let paths = native::choose(shell, label.or(own), chooser).await?;
            give(shell, asker, paths.as_deref().unwrap_or_default()).await;
            answer(paths.and_then(|paths| paths.into_iter().next()))
        }
        DialogRequest::Message { label, text, detail, level, mut buttons } => {
            if buttons.len() > BUTTONS_MAX {
                return Err(invalid(format!("a message has at most {BUTTONS_MAX} buttons")));
            }
            if buttons.is_empty() {
                buttons.push("OK".into());
            }
            let question = Question { text, detail, level, buttons };
            answer(native::question(shell, label.or(own), question).await?)
        }
    }
}

/// What the user chose for a page, that page may touch. What a worker asked for is the worker's, who needs no leave.
async fn give(shell: &Arc<Shell>, asker: &Asker, paths: &[String]) {
    let Asker::Page(visitor) = asker else { return };
    let (shell, window, paths) = (shell.clone(), visitor.window.clone(), paths.to_vec());
    let given = tokio::task::spawn_blocking(move || {
        for path in paths {
            shell.files.grants.give(&window, std::path::Path::new(&path));
        }
    });
    if let Err(error) = given.await {
        tracing::error!(%error, "what the user chose could not be noted down");
    }
}
