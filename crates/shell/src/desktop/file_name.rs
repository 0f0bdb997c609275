//! Names and places of files that are written for a page: harmless, free, and taken only by what is whole.

use staysail_protocol::limits::PAGE_DOWNLOAD_NAME_BYTES_MAX;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A file that is being written ends in this.
pub const PARTIAL: &str = ".part";
/// Names of one file that are tried, from `name` to `name (999)`.
pub const NAMES_MAX: u32 = 1_000;
/// An ending longer than this is no ending but a part of the name.
const ENDING_BYTES_MAX: usize = 16;

/// Makes a name somebody else has chosen one that means the same file on every system, in the folder it is put in.
pub fn harmless(offered: &str) -> String {
    // Whatever looks like a path, of this system or another one: its last part.
    let last = offered.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().map(|c| if is_misleading(c) { '_' } else { c }).collect();
    // A dot in front hides a file; dots and spaces behind are cut off by Windows.
    let trimmed = kept.trim().trim_start_matches('.').trim_end_matches(['.', ' ']).trim();
    if trimmed.is_empty() {
        return "download".into();
    }
    let (stem, ending) = parts(trimmed);
    let stem = shortened(stem, PAGE_DOWNLOAD_NAME_BYTES_MAX.saturating_sub(ending.len())).trim_end();
    let name = format!("{stem}{ending}");
    if is_device(&name) { format!("_{name}") } else { name }
}

/// Characters that end a name, are none on some system, or show it other than it is: a right-to-left override makes
/// `gpj.exe` of `exe.jpg` (CVE-2009-3376).
fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Names that are devices on Windows, with any ending.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || (stem.chars().count() == 4
            && (stem.starts_with("COM") || stem.starts_with("LPT"))
            && stem.ends_with(|c: char| c.is_ascii_digit() || "¹²³".contains(c)))
}

/// Stem and ending, whose dot goes with it; `.tar.gz` and the like are one.
fn parts(name: &str) -> (&str, &str) {
    let Some(dot) = name.rfind('.').filter(|dot| *dot > 0 && name.len() - dot <= ENDING_BYTES_MAX) else {
        return (name, "");
    };
    let dot = name[..dot].strip_suffix(".tar").filter(|stem| !stem.is_empty()).map_or(dot, str::len);
    name.split_at(dot)
}

fn shortened(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A path in `folder` at which a file may be written until it is whole. It is not there yet.
pub fn partial(folder: &Path, name: &str) -> PathBuf {
    let (stem, _) = parts(name);
    let token = crate::secret::token();
    folder.join(format!("{}.{}{PARTIAL}", shortened(stem, 100), shortened(&token, 12)))
}

/// What happens when the name a whole file is to have is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It gets a number behind its name.
    Number,
    /// It takes the place of the file that is there.
    Replace,
    /// It is refused.
    Refuse,
}

/// Gives a whole file its name and says which one it is. However the machine ends meanwhile, the name is that of the
/// whole file or of none.
///
/// # Errors
/// What the system said; the partial file is still there then.
pub fn put(partial: &Path, wanted: &Path, taken: Taken) -> std::io::Result<PathBuf> {
    if taken == Taken::Replace {
        std::fs::rename(partial, wanted)?;
        return Ok(wanted.to_path_buf());
    }
    let name = wanted.file_name().and_then(|name| name.to_str()).unwrap_or("download");
    for number in 0..NAMES_MAX {
        let path = match number {
            0 => wanted.to_path_buf(),
            number => wanted.with_file_name(numbered(name, number)),
        };
        match take(partial, &path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && taken == Taken::Number => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(path),
        }
    }
    Err(std::io::Error::new(ErrorKind::AlreadyExists, format!("there are {NAMES_MAX} files of that name")))
}

/// The name with a number behind it: `log (2).tar.gz`.
pub fn numbered(name: &str, number: u32) -> String {
    let (stem, ending) = parts(name);
    format!("{stem} ({number}){ending}")
}

/// Renames, unless the name is taken.
fn take(partial: &Path, path: &Path) -> std::io::Result<()> {
    // A link fails when the name is taken, in one step; `rename` would overwrite.
    match std::fs::hard_link(partial, path) {
        Ok(()) => {
            let _ = std::fs::remove_file(partial);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // A file system without links (FAT): the name is reserved, then taken.
        Err(_) => {
            std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
            std::fs::rename(partial, path).inspect_err(|_| {
                let _ = std::fs::remove_file(path);
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_elsewhere_never_leaves_its_folder_and_never_means_something_else() {
        for (offered, name) in [
            ("report.pdf", "report.pdf"),
            ("übersicht 日本.csv", "übersicht 日本.csv"),
            ("../../.ssh/authorized_keys", "authorized_keys"),
            ("..\\..\\autorun.inf", "autorun.inf"),
            ("/etc/passwd", "passwd"),
            ("C:\\x\\y.txt", "y.txt"),
            ("..", "download"),
            ("", "download"),
            ("/", "download"),
            (".bashrc", "bashrc"),
            ("a\0b\nc.txt", "a_b_c.txt"),
            ("con", "_con"),
            ("NUL.txt", "_NUL.txt"),
            ("com1.tar.gz", "_com1.tar.gz"),
            ("LPT¹", "_LPT¹"),
            ("file.txt. . ", "file.txt"),
            ("a:b.txt", "a_b.txt"),
            ("photo\u{202e}gpj.exe", "photo_gpj.exe"),
        ] {
            assert_eq!(harmless(offered), name, "{offered:?}");
        }
        let long = harmless(&format!("{}.pdf", "ü".repeat(500)));
        assert!(long.len() <= PAGE_DOWNLOAD_NAME_BYTES_MAX && long.ends_with("ü.pdf"), "{long}");
        assert!(harmless(&"x".repeat(5_000)).len() <= PAGE_DOWNLOAD_NAME_BYTES_MAX);
    }

    #[test]
    fn a_whole_file_takes_a_free_name_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = folder.path().join("log.tar.gz");
        let put_one = |text: &str, taken| {
            let partial = partial(folder.path(), "log.tar.gz");
            std::fs::write(&partial, text).unwrap();
            put(&partial, &wanted, taken).inspect(|_| assert!(!partial.exists()))
        };
        assert_eq!(put_one("one", Taken::Number).unwrap(), wanted);
        assert_eq!(put_one("two", Taken::Number).unwrap(), folder.path().join("log (1).tar.gz"));
        assert_eq!(put_one("three", Taken::Refuse).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&wanted).unwrap(), "one");
        assert_eq!(put_one("four", Taken::Replace).unwrap(), wanted);
        assert_eq!(std::fs::read_to_string(&wanted).unwrap(), "four");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_points_nowhere_is_a_taken_name() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = folder.path().join("a.txt");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &wanted).unwrap();
        let partial = partial(folder.path(), "a.txt");
        std::fs::write(&partial, "text").unwrap();
        assert_eq!(put(&partial, &wanted, Taken::Number).unwrap(), folder.path().join("a (1).txt"));
        assert!(!folder.path().join("elsewhere").exists());
    }
}
