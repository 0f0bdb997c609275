//! Paths of the disk as pages write them: where they begin, and what may stand in them.
//!
//! # Theory of operation
//! A path is absolute or begins with a [`Variable`] (`$DATA/charts/a.kap`). It is taken apart here, before the disk is
//! touched, into names that mean themselves and nothing else: no `.` or `..`, no empty name, and by Windows' rules
//! ([`Style::Windows`]) no device, no alternate stream, no `\\?\`. What is left can be opened name by name below a folder,
//! so nothing a page writes leads out of it.

use std::fmt;

/// Longest path a page may write, in bytes.
pub const PATH_BYTES_MAX: usize = 4_096;
/// Most names in a path.
pub const PATH_NAMES_MAX: usize = 256;

/// Whose rules a path follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Linux, macOS and their kin: `/` alone separates, and any other character may be part of a name.
    Unix,
    /// Windows: `/` and `\` separate, drives and shares are roots, some names are devices.
    Windows,
}

impl Style {
    /// That of the system this was compiled for.
    pub const fn here() -> Self {
        if cfg!(windows) { Self::Windows } else { Self::Unix }
    }
}

/// A folder that every system has somewhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// The app's own data.
    Data,
    /// The app's own settings.
    Config,
    /// What the app can make again.
    Cache,
    /// The user's own folder.
    Home,
    /// The user's documents.
    Documents,
    /// What the user downloaded.
    Downloads,
    /// The user's desktop.
    Desktop,
    /// The user's pictures.
    Pictures,
    /// The user's music.
    Music,
    /// The user's videos.
    Videos,
    /// Files of a moment; shared with every other program of the user.
    Temp,
}

impl Variable {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Data,
        Self::Config,
        Self::Cache,
        Self::Home,
        Self::Documents,
        Self::Downloads,
        Self::Desktop,
        Self::Pictures,
        Self::Music,
        Self::Videos,
        Self::Temp,
    ];

    /// Its name, without the dollar sign.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "DATA",
            Self::Config => "CONFIG",
            Self::Cache => "CACHE",
            Self::Home => "HOME",
            Self::Documents => "DOCUMENTS",
            Self::Downloads => "DOWNLOADS",
            Self::Desktop => "DESKTOP",
            Self::Pictures => "PICTURES",
            Self::Music => "MUSIC",
            Self::Videos => "VIDEOS",
            Self::Temp => "TEMP",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|variable| variable.name() == name)
    }
}

/// Where a path begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// In a folder the system knows.
    Variable(Variable),
    /// At a root: empty on Unix, `C:` or `\\server\share` on Windows.
    Root(String),
}

/// A path taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath {
    /// Where it begins.
    pub base: Base,
    /// The names below, outermost first.
    pub names: Vec<String>,
}

/// Why a text is no path that could be opened safely.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It begins nowhere.
    #[error(
        "{0:?} begins neither at a root nor with a variable such as $DATA; relative paths have no folder here"
    )]
    Relative(String),
    /// It begins with a variable that is none.
    #[error("{0:?} begins with no known variable; known: {known}", known = known())]
    UnknownVariable(String),
    /// A name in it means another place, or something other than a file.
    #[error("the name {name:?} in {path:?} is not taken: {why}")]
    Name {
        /// The whole path.
        path: String,
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A limit is exceeded.
    #[error("a path has at most {PATH_BYTES_MAX} bytes and {PATH_NAMES_MAX} names")]
    TooLong,
}

fn known() -> String {
    Variable::ALL.map(|variable| format!("${}", variable.name())).join(" ")
}

impl FilePath {
    /// Takes a path apart.
    ///
    /// # Errors
    /// See [`PathError`].
    ///
    /// ```
    /// use staysail_protocol::path::{Base, FilePath, Style, Variable};
    /// let path = FilePath::parse("$DATA/charts/a.kap", Style::Unix).unwrap();
    /// assert_eq!(path.base, Base::Variable(Variable::Data));
    /// assert_eq!(path.names, ["charts", "a.kap"]);
    /// assert!(FilePath::parse("$DATA/../secret", Style::Unix).is_err());
    /// assert!(FilePath::parse("C:\\charts\\NUL", Style::Windows).is_err());
    /// ```
    pub fn parse(text: &str, style: Style) -> Result<Self, PathError> {
        let (base, names) = begin(text, style)?;
        let names: Vec<&str> = match names.as_str() {
            "" => Vec::new(),
            names => names.strip_suffix('/').unwrap_or(names).split('/').collect(),
        };
        if names.len() > PATH_NAMES_MAX {
            return Err(PathError::TooLong);
        }
        for name in &names {
            check_name(name, style).map_err(|why| PathError::Name {
                path: shortened(text),
                name: shortened(name),
                why,
            })?;
        }
        Ok(Self { base, names: names.into_iter().map(str::to_owned).collect() })
    }

    /// The path as it is written on this kind of system; with its variable when it has one.
    pub fn text(&self, style: Style) -> String {
        let separator = if style == Style::Windows { '\\' } else { '/' };
        let mut text = match &self.base {
            Base::Variable(variable) => format!("${}", variable.name()),
            Base::Root(root) => root.clone(),
        };
        for name in &self.names {
            text.push(separator);
            text.push_str(name);
        }
        if self.names.is_empty() && matches!(self.base, Base::Root(_)) {
            text.push(separator);
        }
        text
    }
}

/// Reads where a path begins; what follows is separated by `/`, and begins without one.
pub(crate) fn begin(text: &str, style: Style) -> Result<(Base, String), PathError> {
    if text.len() > PATH_BYTES_MAX {
        return Err(PathError::TooLong);
    }
    let slashed = match style {
        Style::Unix => text.to_owned(),
        Style::Windows => text.replace('\\', "/"),
    };
    if let Some(rest) = slashed.strip_prefix('$') {
        let (name, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let variable = Variable::named(name).ok_or_else(|| PathError::UnknownVariable(shortened(text)))?;
        return Ok((Base::Variable(variable), rest.to_owned()));
    }
    let relative = || PathError::Relative(shortened(text));
    match style {
        Style::Unix => slashed
            .strip_prefix('/')
            .map(|rest| (Base::Root(String::new()), rest.to_owned()))
            .ok_or_else(relative),
        Style::Windows => {
            if let Some(rest) = slashed.strip_prefix("//") {
                return share(text, rest);
            }
            let (drive, rest) = slashed.split_at_checked(2).ok_or_else(relative)?;
            let letter = drive.strip_suffix(':').and_then(|letter| letter.chars().next());
            let letter = letter.filter(char::is_ascii_alphabetic).ok_or_else(relative)?;
            // `C:x` is a path below the drive's current folder, whichever that is.
            let rest = rest.strip_prefix('/').ok_or_else(relative)?;
            Ok((Base::Root(format!("{}:", letter.to_ascii_uppercase())), rest.to_owned()))
        }
    }
}

/// `\\server\share\…`, whose first two names are the root.
fn share(text: &str, rest: &str) -> Result<(Base, String), PathError> {
    let mut parts = rest.splitn(3, '/');
    let (server, share) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    for name in [server, share] {
        // Not `\\?\` and `\\.\`, which switch the rules off or name devices.
        check_name(name, Style::Windows).map_err(|why| PathError::Name {
            path: shortened(text),
            name: shortened(name),
            why,
        })?;
    }
    Ok((Base::Root(format!(r"\\{server}\{share}")), parts.next().unwrap_or_default().to_owned()))
}

/// Whether a name means itself and nothing else.
pub(crate) fn check_name(name: &str, style: Style) -> Result<(), &'static str> {
    match name {
        "" => return Err("it is empty"),
        "." | ".." => return Err("it leads elsewhere"),
        _ if name.contains(['\0', '/']) => return Err("it holds a character no name has"),
        _ => {}
    }
    if style == Style::Unix {
        return Ok(());
    }
    if name.contains(|c: char| c.is_control() || matches!(c, '\\' | ':' | '<' | '>' | '"' | '|' | '?' | '*'))
    {
        return Err(
            "it holds a character no name has on Windows; a colon would name another stream of a file",
        );
    }
    if name.ends_with(['.', ' ']) {
        return Err("Windows takes dots and spaces away from the end of names");
    }
    if is_device(name) {
        return Err("on Windows it is a device and not a file");
    }
    Ok(())
}

/// Whether Windows takes a name for a device, whatever its ending.
pub fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or("").trim_end().to_ascii_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$") {
        return true;
    }
    let number = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    // The superscripts are digits to Windows, too.
    number.is_some_and(|number| {
        let mut digits = number.chars();
        let digit = digits.next().is_some_and(|c| c.is_ascii_digit() || matches!(c, '¹' | '²' | '³'));
        digit && digits.next().is_none()
    })
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

impl fmt::Display for FilePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text(Style::here()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Base {
        Base::Root(text.into())
    }

    #[test]
    fn a_path_is_taken_apart_into_names_that_mean_themselves() {
        for (text, style, base, names) in [
            ("$DOCUMENTS", Style::Unix, Base::Variable(Variable::Documents), &[][..]),
            ("$TEMP/a b/ü", Style::Unix, Base::Variable(Variable::Temp), &["a b", "ü"]),
            ("/", Style::Unix, root(""), &[]),
            ("/srv/a\\b:c/", Style::Unix, root(""), &["srv", "a\\b:c"]),
            ("c:\\x\\y", Style::Windows, root("C:"), &["x", "y"]),
            ("D:/", Style::Windows, root("D:"), &[]),
            (r"\\nas\music\a", Style::Windows, root(r"\\nas\music"), &["a"]),
        ] {
            let path = FilePath::parse(text, style).unwrap();
            assert_eq!(
                (path.base.clone(), path.names.as_slice()),
                (base, &names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()[..]),
                "{text}"
            );
            assert_eq!(FilePath::parse(&path.text(style), style), Ok(path), "{text}");
        }
    }

    #[test]
    fn a_path_that_climbs_or_begins_nowhere_is_refused() {
        for (text, style) in [
            ("", Style::Unix),
            ("a", Style::Unix),
            ("./a", Style::Unix),
            ("~/a", Style::Unix),
            ("$DATA/../a", Style::Unix),
            ("$DATA/a/..", Style::Unix),
            ("$DATA/./a", Style::Unix),
            ("$DATA//a", Style::Unix),
            ("$DATAX/a", Style::Unix),
            ("$data/a", Style::Unix),
            ("/a\0b", Style::Unix),
            ("//", Style::Unix),
            ("C:a", Style::Windows),
            ("C:", Style::Windows),
            ("/a", Style::Windows),
            (r"\a", Style::Windows),
            (r"C:\a\..\b", Style::Windows),
            (r"$DATA\..\b", Style::Windows),
        ] {
            assert!(FilePath::parse(text, style).is_err(), "{text:?}");
        }
        assert_eq!(FilePath::parse(&"/a".repeat(300), Style::Unix), Err(PathError::TooLong));
        assert_eq!(FilePath::parse(&format!("/{}", "a".repeat(5_000)), Style::Unix), Err(PathError::TooLong));
    }

    #[test]
    fn what_windows_takes_for_something_else_than_a_file_is_refused_there() {
        for text in [
            r"\\?\C:\a",
            r"\\.\PhysicalDrive0",
            r"\\.\pipe\x",
            r"\\server",
            r"C:\NUL",
            r"C:\nul.txt",
            r"C:\con",
            r"C:\COM1",
            r"C:\lpt¹.log",
            r"C:\aux .txt",
            r"C:\CONIN$",
            r"C:\a.txt:secret",
            r"C:\a.txt::$DATA",
            r"C:\a.",
            r"C:\a ",
            r"C:\a*",
            "C:\\a\u{1}",
        ] {
            assert!(FilePath::parse(text, Style::Windows).is_err(), "{text}");
        }
        for text in [r"C:\console.txt", r"C:\COM10", r"C:\nullable", r"C:\.hidden", r"C:\a..b"] {
            assert!(FilePath::parse(text, Style::Windows).is_ok(), "{text}");
        }
    }
}
