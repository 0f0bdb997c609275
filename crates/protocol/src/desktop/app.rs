//! `app.*`: the app as a whole, its starts, and the links and files it opens.

use serde::{Deserialize, Serialize};

/// A request of the group `app`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum AppRequest {
    /// Answer: [`AppInfo`].
    Info {},
    /// Show and focus the main window; open it when it is closed. Answer: null.
    Show {},
    /// End the app in order. Answer: null.
    Exit {
        /// Exit code of the process.
        #[serde(default)]
        code: i32,
    },
    /// End the app in order and start it again. Answer: null.
    Relaunch {
        /// Arguments of the new start; those of this one when absent.
        #[serde(default)]
        arguments: Option<Vec<String>>,
    },
}

/// What the app is and how it was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppInfo {
    /// Its identifier.
    pub id: String,
    /// Name shown to people.
    pub name: String,
    /// Version that is live.
    pub version: String,
    /// `debug` or `production`.
    pub mode: String,
    /// Version of the shell.
    pub staysail: String,
    /// `linux`, `windows` or `macos`.
    pub os: String,
    /// Architecture of the processor: `x86_64`, `aarch64`, …
    pub arch: String,
    /// The user's language as a BCP 47 tag; empty when it is not known.
    pub locale: String,
    /// What the system starts: the installed executable; empty in development.
    pub executable: String,
    /// Folder for the app's own data.
    pub data_dir: String,
    /// The user's home folder.
    pub home_dir: String,
    /// Folder for temporary files.
    pub temp_dir: String,
    /// Arguments of the start, without the program's name.
    pub arguments: Vec<String>,
    /// Working folder of the start.
    pub cwd: String,
}

/// Something that happened to the app: the payload of the event `staysail:app`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AppEvent {
    /// It was started once more, or with a link or files.
    Opened(Opened),
}

/// A start of the app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Its arguments, without the program's name. What is no Unicode in them is replaced.
    pub arguments: Vec<String>,
    /// Its working folder.
    pub cwd: String,
    /// Those of the arguments that are links the app declares.
    pub urls: Vec<String>,
    /// Those that are files or folders that are there, as absolute paths.
    pub files: Vec<String>,
    /// It is the start of this very process; otherwise one that was handed over.
    pub first: bool,
}

/// Links and files the app opens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Opens {
    /// Schemes of links, e.g. `notes` for `notes://…`.
    pub schemes: Vec<String>,
    /// Kinds of files.
    pub files: Vec<FileType>,
    /// They are not registered with the system by the app itself; its installer does that.
    pub unregistered: bool,
}

/// A kind of files the app opens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileType {
    /// Endings without their dot.
    pub extensions: Vec<String>,
    /// Its media type; made of the app's identifier and the first ending when empty.
    pub mime: String,
    /// Its name, for people.
    pub description: String,
}

impl FileType {
    /// Its media type in the app `id`.
    ///
    /// ```
    /// use staysail_protocol::desktop::app::FileType;
    /// let chart = FileType { extensions: vec!["kap".into()], ..FileType::default() };
    /// assert_eq!(chart.mime_in("com.example.charts"), "application/x-com.example.charts-kap");
    /// ```
    pub fn mime_in(&self, id: &str) -> String {
        if !self.mime.is_empty() {
            return self.mime.clone();
        }
        let ending = self.extensions.first().map_or("file", String::as_str);
        format!("application/x-{}-{}", id.to_ascii_lowercase(), ending.to_ascii_lowercase())
    }
}

impl Opens {
    /// Whether there is anything to register.
    pub fn is_empty(&self) -> bool {
        self.unregistered || (self.schemes.is_empty() && self.files.is_empty())
    }

    /// Whether an argument is a link of one of the schemes. It is data, whatever it says.
    ///
    /// ```
    /// use staysail_protocol::desktop::app::Opens;
    /// let opens = Opens { schemes: vec!["notes".into()], ..Opens::default() };
    /// assert!(opens.is_link("notes://open/7") && opens.is_link("NOTES:7"));
    /// assert!(!opens.is_link("--notes://") && !opens.is_link("notes") && !opens.is_link("notes:a\nb"));
    /// ```
    pub fn is_link(&self, argument: &str) -> bool {
        let Some((scheme, _)) = argument.split_once(':') else { return false };
        self.schemes.iter().any(|own| own.eq_ignore_ascii_case(scheme))
            && !argument.chars().any(char::is_control)
    }

    /// Looks them through.
    ///
    /// # Errors
    /// A sentence for people: a name that systems do not take, or that belongs to others.
    pub fn check(&self) -> Result<(), String> {
        // Whoever takes these stands between the user and everything else.
        const FOREIGN: [&str; 15] = [
            "http",
            "https",
            "ftp",
            "file",
            "mailto",
            "tel",
            "data",
            "javascript",
            "about",
            "blob",
            "ws",
            "wss",
            "app",
            "view-source",
            "vbscript",
        ];
        for scheme in &self.schemes {
            let plain =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
            let good = scheme.len() >= 2 && scheme.starts_with(|c: char| c.is_ascii_lowercase());
            if !good || scheme.len() > 64 || !scheme.chars().all(plain) {
                return Err(format!(
                    "the link scheme `{scheme}` must be two or more lower-case letters, digits, `+`, `-` or `.`, a letter first"
                ));
            }
            if FOREIGN.contains(&scheme.as_str()) {
                return Err(format!(
                    "the link scheme `{scheme}` belongs to the system; choose one of the app's own"
                ));
            }
        }
        for file in &self.files {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+');
            if file.extensions.is_empty() {
                return Err(format!("the file type `{}` has no ending", file.description));
            }
            if let Some(bad) =
                file.extensions.iter().find(|e| e.is_empty() || e.len() > 64 || !e.chars().all(plain))
            {
                return Err(format!(
                    "the file ending `{bad}` must be letters, digits, `-`, `_` or `+`, without a dot"
                ));
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '.');
            let parts: Vec<&str> = file.mime.split('/').collect();
            let well_formed =
                parts.len() == 2 && parts.iter().all(|part| !part.is_empty() && part.chars().all(plain));
            if !file.mime.is_empty() && !well_formed {
                return Err(format!("`{}` is no media type; one is e.g. `application/x-chart`", file.mime));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_of_others_and_what_systems_do_not_take_are_refused() {
        let check = |scheme: &str| Opens { schemes: vec![scheme.into()], ..Opens::default() }.check();
        assert!(check("notes").is_ok() && check("com.example.notes").is_ok() && check("x-notes+1").is_ok());
        for bad in ["", "n", "Notes", "1notes", "notes://", "no tes", "no;tes", "https", "javascript", "file"]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn file_types_need_endings_and_media_types_that_are_plain_names() {
        let check = |extension: &str, mime: &str| {
            let file =
                FileType { extensions: vec![extension.into()], mime: mime.into(), ..FileType::default() };
            Opens { files: vec![file], ..Opens::default() }.check()
        };
        assert!(check("kap", "").is_ok() && check("kap", "application/x-chart").is_ok());
        for (extension, mime) in
            [("", ""), (".kap", ""), ("k*", ""), ("kap", "chart"), ("kap", "a/b;c"), ("kap", "a/\n")]
        {
            assert!(check(extension, mime).is_err(), "{extension} {mime}");
        }
        assert!(Opens { files: vec![FileType::default()], ..Opens::default() }.check().is_err());
    }
}
