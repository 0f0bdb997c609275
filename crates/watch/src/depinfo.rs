//! Cargo's dependency files: exactly which files a program was made of.

use std::path::{Path, PathBuf};

/// Every source file a `.d` file beside an executable names; empty when there is none.
pub fn read(file: &Path) -> Vec<PathBuf> {
    std::fs::read_to_string(file).map_or_else(|_| Vec::new(), |text| parse(&text))
}

/// `program: source source …`, where a space inside a path is `\ `.
pub fn parse(text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in text.lines() {
        let Some((_, list)) = line.split_once(": ") else { continue };
        let mut path = String::new();
        let mut characters = list.chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '\\' if characters.peek() == Some(&' ') => {
                    characters.next();
                    path.push(' ');
                }
                ' ' => found.extend((!path.is_empty()).then(|| PathBuf::from(std::mem::take(&mut path)))),
                c => path.push(c),
            }
        }
        found.extend((!path.is_empty()).then(|| PathBuf::from(path)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_in_paths_belong_to_them() {
        let text = "/t/app: /a/src/main.rs /a/my\\ files/x.rs\n\n";
        assert_eq!(parse(text), [Path::new("/a/src/main.rs"), Path::new("/a/my files/x.rs")]);
        assert!(parse("").is_empty() && read(Path::new("/no/such/file.d")).is_empty());
    }
}
