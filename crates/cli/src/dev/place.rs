//! Where a page's error is, as a path that terminals and editors open.

use crate::project::Project;
use std::path::Path;

/// The file of the project behind a place like `app://localhost/main.js:3:7` or `http://localhost:5173/src/main.ts?t=1:3:7`,
/// relative to the project's folder as an editor started there takes it; what is no such file stays as it is.
pub fn of(place: &str, project: &Project) -> String {
    let (address, position) = split(place);
    let Some(path) = path_of(address) else { return place.to_owned() };
    let folders = [project.served(), Some(project.frontend_folder())];
    folders
        .into_iter()
        .flatten()
        .find_map(|folder| within(&folder, path, &project.root))
        .map_or_else(|| place.to_owned(), |file| format!("{file}{position}"))
}

/// Address, and `:line:column` if it ends so.
fn split(place: &str) -> (&str, &str) {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut at = place.len();
    for _ in 0..2 {
        match place[..at].rsplit_once(':') {
            Some((before, number)) if digits(number) => at = before.len(),
            _ => break,
        }
    }
    place.split_at(at)
}

/// The path of an address, without its query.
fn path_of(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    Some(path.split(['?', '#']).next().unwrap_or(path)).filter(|path| !path.is_empty())
}

fn within(folder: &Path, path: &str, root: &Path) -> Option<String> {
    // Vite serves files outside its root under this prefix.
    let file = match path.strip_prefix("@fs/") {
        Some(absolute) => Path::new("/").join(absolute),
        None if path.split('/').any(|part| part == "..") => return None,
        None => folder.join(path),
    };
    let shown = file.strip_prefix(root).unwrap_or(&file);
    file.is_file().then(|| shown.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_and_column_are_cut_off_and_a_port_is_not() {
        assert_eq!(split("http://localhost:5173/a.js:3:7"), ("http://localhost:5173/a.js", ":3:7"));
        assert_eq!(split("app://localhost/a.js"), ("app://localhost/a.js", ""));
        assert_eq!(path_of("http://localhost:5173/src/a.ts?t=17"), Some("src/a.ts"));
        assert_eq!(path_of("http://localhost:5173/"), None);
        assert_eq!(path_of("main.js"), None);
    }

    #[test]
    fn only_files_that_are_there_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let pages = folder.path().join("frontend");
        std::fs::create_dir(&pages).unwrap();
        std::fs::write(pages.join("main.js"), "").unwrap();
        let shown = Path::new("frontend").join("main.js").display().to_string();
        assert_eq!(within(&pages, "main.js", folder.path()), Some(shown));
        assert_eq!(within(&pages, "other.js", folder.path()), None);
        assert_eq!(within(&pages, "../frontend/main.js", folder.path()), None);
    }
}
