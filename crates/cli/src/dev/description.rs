//! The app's description of itself: its types go to the frontend, and it is kept so that the next start opens its
//! windows without waiting for a build.

use super::output::{Output, Said};
use crate::project::Project;
use crate::types;
use staysail_protocol::interface::Description;
use std::path::Path;

/// The description of the last build, in the app's own folder of what is built.
const FILE_NAME: &str = "description.json";

/// The description of the last build.
pub fn cached(app_folder: &Path) -> Option<Description> {
    // A cache: unreadable is as good as absent, the worker's own description comes anyway.
    serde_json::from_slice(&std::fs::read(app_folder.join(FILE_NAME)).ok()?).ok()
}

/// Writes the types and the cache, each only when it changed.
pub fn keep(project: &Project, description: &Description, output: &Output) {
    match types::write_if_changed(&project.types(), description) {
        Ok(true) => {
            output.say(&Said::TypesWritten { path: project.config.frontend.types.display().to_string() })
        }
        Ok(false) => {}
        Err(error) => {
            let message = format!("{} can not be written: {error}", project.types().display());
            output.say(&Said::Error { message });
        }
    }
    let json = serde_json::to_vec(description).unwrap_or_default();
    let path = project.app_folder().join(FILE_NAME);
    if std::fs::read(&path).is_ok_and(|old| old == json) {
        return;
    }
    if let Err(error) = std::fs::write(&path, json) {
        let path = path.display();
        let message = format!("{path} can not be written: {error}; the next start opens its window later");
        output.say(&Said::Notice { message });
    }
}
