//! The folders behind the variables of paths, by system.

use crate::shell::Facts;
use staysail_protocol::path::{Base, FilePath, Style, Variable};
use std::path::{Path, PathBuf};

/// The folder of a variable; `None` where the system has none.
pub fn folder(variable: Variable, facts: &Facts) -> Option<PathBuf> {
    let home = dirs::home_dir;
    let user = |known: Option<PathBuf>, name: &str| known.or_else(|| Some(home()?.join(name)));
    let folder = match variable {
        Variable::Data => own(facts).map(Path::to_path_buf),
        Variable::Config => beside(facts, "config", dirs::config_dir().filter(|_| cfg!(target_os = "linux"))),
        Variable::Cache => beside(facts, "cache", dirs::cache_dir().filter(|_| cfg!(unix))),
        Variable::Home => home(),
        // Where the user has set up none of these, a desktop makes them under these names.
        Variable::Documents => user(dirs::document_dir(), "Documents"),
        Variable::Downloads => user(dirs::download_dir(), "Downloads"),
        Variable::Desktop => user(dirs::desktop_dir(), "Desktop"),
        Variable::Pictures => user(dirs::picture_dir(), "Pictures"),
        Variable::Music => user(dirs::audio_dir(), "Music"),
        Variable::Videos => {
            user(dirs::video_dir(), if cfg!(target_os = "macos") { "Movies" } else { "Videos" })
        }
        Variable::Temp => Some(std::env::temp_dir()),
    };
    folder.filter(|folder| folder.is_absolute())
}

/// Whether a folder is the app's own, and made when it is not there.
pub fn is_own(variable: Variable) -> bool {
    matches!(variable, Variable::Data | Variable::Config | Variable::Cache)
}

/// What lies around the app's data and is Staysail's: releases, the web engine's storage. No page touches it.
pub fn kept_from_pages(facts: &Facts) -> Option<PathBuf> {
    own(facts)?.parent().map(Path::to_path_buf)
}

/// Names in that folder that are the app's all the same.
pub const OWN_NAMES: [&str; 3] = ["data", "config", "cache"];

/// Where the webview keeps cookies and the like. No page touches it.
pub fn of_webview(facts: &Facts) -> Option<PathBuf> {
    let chosen = facts.config.webview.storage.as_ref().and_then(|text| {
        let path = FilePath::parse(text, Style::here()).ok().and_then(|path| absolute(path, facts));
        if path.is_none() {
            tracing::warn!(
                storage = text,
                "this system has no such folder; the webview's own lies beside the app's data"
            );
        }
        path
    });
    let chosen = chosen.map(|path| PathBuf::from(path.text(Style::here())));
    chosen.or_else(|| own(facts).map(|data| data.with_file_name("webview")))
}

/// The path with its variable replaced.
pub fn absolute(path: FilePath, facts: &Facts) -> Option<FilePath> {
    let variable = match path.base {
        Base::Root(_) => return Some(path),
        Base::Variable(variable) => variable,
    };
    let mut whole = FilePath::parse(folder(variable, facts)?.to_str()?, Style::here()).ok()?;
    whole.names.extend(path.names);
    Some(whole)
}

fn own(facts: &Facts) -> Option<&Path> {
    Some(Path::new(&facts.data_dir)).filter(|folder| !folder.as_os_str().is_empty())
}

/// The app's folder below the system's, or one beside its data: in development, and where the system keeps all of it
/// together.
fn beside(facts: &Facts, name: &str, system: Option<PathBuf>) -> Option<PathBuf> {
    match system.filter(|_| !facts.app.is_empty()) {
        Some(system) => Some(system.join(&facts.app)),
        None => own(facts).map(|data| data.with_file_name(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_apps_own_folders_never_hold_its_releases() {
        for app in ["", "com.example.charts"] {
            let facts =
                Facts { app: app.into(), data_dir: "/x/com.example.charts/data".into(), ..Facts::default() };
            let kept = kept_from_pages(&facts).unwrap();
            for variable in Variable::ALL.into_iter().filter(|variable| is_own(*variable)) {
                let folder = folder(variable, &facts).unwrap();
                assert!(!kept.starts_with(&folder), "{}", folder.display());
            }
        }
        let facts = Facts::default();
        assert_eq!((folder(Variable::Data, &facts), folder(Variable::Config, &facts)), (None, None));
    }
}
