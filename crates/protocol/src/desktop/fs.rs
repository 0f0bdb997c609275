//! `fs.*`: files, for pages. The worker, a program with the user's rights, opens files by itself.
//!
//! Paths are absolute or begin with a variable ([`crate::path`]). Which of them a page may touch is said by the `files`
//! of its window's capabilities ([`crate::scope`]) and by what the user chose in a dialog.

use serde::{Deserialize, Serialize};

/// A request of the group `fs`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum FsRequest {
    /// The text of a file. Answer: a string.
    ReadText {
        /// Its path.
        path: String,
    },
    /// The bytes of a file. Answer: raw bytes.
    Read {
        /// Its path.
        path: String,
        /// Where to begin.
        #[serde(default)]
        offset: u64,
        /// How many at most; all without it.
        #[serde(default)]
        length: Option<u64>,
    },
    /// Write a text, whole or not at all. Answer: null.
    WriteText {
        /// Path of the file.
        path: String,
        /// What it holds afterwards.
        text: String,
    },
    /// Write the bytes of the request's body, whole or not at all. Answer: null.
    Write {
        /// Path of the file.
        path: String,
    },
    /// Write at the end of a file, which is made when it is not there: the text, or the bytes of the request's body.
    /// Answer: null.
    Append {
        /// Path of the file.
        path: String,
        /// The text.
        #[serde(default)]
        text: Option<String>,
    },
    /// What is in a folder, of what the page may read. Answer: array of [`Entry`], by name.
    List {
        /// Its path.
        path: String,
    },
    /// What is known of a file or folder. Answer: [`Stat`].
    Stat {
        /// Its path.
        path: String,
    },
    /// Whether something is there. Answer: a boolean.
    Exists {
        /// Its path.
        path: String,
    },
    /// Make a folder and those it lies in, unless they are there. Answer: null.
    CreateFolder {
        /// Its path.
        path: String,
    },
    /// Take a file away, or a folder. Answer: null.
    Remove {
        /// Its path.
        path: String,
        /// A folder with everything in it.
        #[serde(default)]
        recursive: bool,
    },
    /// Give a file or folder another name or place. Answer: null.
    Rename {
        /// Its path now.
        from: String,
        /// Its path afterwards.
        to: String,
        /// A file that is there already is replaced.
        #[serde(default)]
        overwrite: bool,
    },
    /// Copy a file. Answer: null.
    Copy {
        /// Its path.
        from: String,
        /// Path of the copy.
        to: String,
        /// A file that is there already is replaced.
        #[serde(default)]
        overwrite: bool,
    },
}

/// What something on the disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, or on Windows whatever leads elsewhere. Not followed.
    Link,
    /// A device, a pipe, a socket. Not opened.
    Other,
}

/// What is known of a file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Size in bytes; 0 of anything but a file.
    pub size: u64,
    /// When it was changed last, in milliseconds since 1970; null where that is not known.
    pub modified: Option<u64>,
    /// It is marked as not to be changed.
    pub readonly: bool,
}

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The name is no Unicode, and shown with replacement characters: it can be seen, and not be opened by a page.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreadable_name: bool,
    /// What is known of it.
    #[serde(flatten)]
    pub stat: Stat,
}

/// Why a file could not be read or written: `details.reason` of an error with the code `File`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileFault {
    /// Nothing is there.
    NotFound,
    /// Something is there already.
    Exists,
    /// The system does not let the user do that.
    NoPermission,
    /// The disk is full, or the user's share of it.
    DiskFull,
    /// The disk can not be written.
    ReadOnly,
    /// A folder where a file is wanted.
    IsFolder,
    /// A file where a folder is wanted.
    NotAFolder,
    /// The folder is not empty.
    NotEmpty,
    /// A link in the way.
    IsLink,
    /// A device, a pipe or a socket.
    NotAFile,
    /// The file is no UTF-8.
    NotText,
    /// The two places lie on different disks.
    OtherDisk,
    /// Another program holds it.
    Busy,
    /// A name the file system does not take.
    BadName,
    /// Anything else the system said.
    Io,
}

/// `details` of an error with the code `File`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileErrorDetails {
    /// Why.
    pub reason: FileFault,
    /// Which path, as the page wrote it.
    pub path: String,
}
