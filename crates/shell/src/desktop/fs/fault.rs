//! What the system says about a file, as an error for the page: what happened, to which path, what to do.

use crate::platform::held;
use staysail_protocol::desktop::fs::{FileErrorDetails, FileFault};
use staysail_protocol::{CallError, ErrorCode};
use std::io::{self, ErrorKind};

/// An error of the system while `doing` (a participle: `read`, `written`) something to `path`.
pub fn from_system(doing: &str, path: &str, error: &io::Error) -> CallError {
    let reason = reason(error);
    match reason {
        FileFault::Io => fault(reason, doing, path, &error.to_string()),
        reason => fault(reason, doing, path, sentence(reason)),
    }
}

/// An error found here.
pub fn found(reason: FileFault, doing: &str, path: &str) -> CallError {
    fault(reason, doing, path, sentence(reason))
}

fn fault(reason: FileFault, doing: &str, path: &str, why: &str) -> CallError {
    let details = FileErrorDetails { reason, path: path.to_owned() };
    CallError {
        details: serde_json::to_value(details).unwrap_or_default(),
        ..CallError::new(ErrorCode::File, format!("`{path}` can not be {doing}: {why}"))
    }
}

fn reason(error: &io::Error) -> FileFault {
    if held::is_link(error) {
        return FileFault::IsLink;
    }
    match error.kind() {
        ErrorKind::NotFound => FileFault::NotFound,
        ErrorKind::AlreadyExists => FileFault::Exists,
        ErrorKind::PermissionDenied => FileFault::NoPermission,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FileFault::DiskFull,
        ErrorKind::ReadOnlyFilesystem => FileFault::ReadOnly,
        ErrorKind::IsADirectory => FileFault::IsFolder,
        ErrorKind::NotADirectory => FileFault::NotAFolder,
        ErrorKind::DirectoryNotEmpty => FileFault::NotEmpty,
        ErrorKind::CrossesDevices => FileFault::OtherDisk,
        ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => FileFault::Busy,
        ErrorKind::InvalidFilename => FileFault::BadName,
        // ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION
        _ if cfg!(windows) && matches!(error.raw_os_error(), Some(32 | 33)) => FileFault::Busy,
        // A pipe nobody reads from, or a socket, opened all the same: ENXIO.
        #[cfg(unix)]
        _ if error.raw_os_error() == Some(libc::ENXIO) => FileFault::NotAFile,
        _ => FileFault::Io,
    }
}

fn sentence(reason: FileFault) -> &'static str {
    match reason {
        FileFault::NotFound => "there is no such file or folder",
        FileFault::Exists => "something of this name is there already; it was left as it is",
        FileFault::NoPermission => "the user has no right to; the right has to be given in the system",
        FileFault::DiskFull => {
            "the disk is full, or the user's share of it; what was there before is still there. Make room and try again"
        }
        FileFault::ReadOnly => "the disk can only be read",
        FileFault::IsFolder => "it is a folder",
        FileFault::NotAFolder => "it, or something on the way to it, is no folder",
        FileFault::NotEmpty => "the folder is not empty; it was left as it is",
        FileFault::IsLink => {
            "it is a link, or lies behind one, and links are not followed; name the place it leads to"
        }
        FileFault::NotAFile => "it is no ordinary file but a device, a pipe or a socket",
        FileFault::NotText => "it is no text in UTF-8; read its bytes instead",
        FileFault::OtherDisk => "the two places are on different disks; copy what is in it, then remove it",
        FileFault::Busy => "another program holds it; try again when that is done",
        FileFault::BadName => "the file system does not take this name",
        _ => "the system refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_the_system_says_becomes_a_reason_a_page_can_act_on() {
        for (number, reason) in [
            (libc::ENOENT, "not_found"),
            (libc::EACCES, "no_permission"),
            (libc::EPERM, "no_permission"),
            (libc::ENOSPC, "disk_full"),
            (libc::EDQUOT, "disk_full"),
            (libc::EROFS, "read_only"),
            (libc::EISDIR, "is_folder"),
            (libc::ENOTEMPTY, "not_empty"),
            (libc::ELOOP, "is_link"),
            (libc::EXDEV, "other_disk"),
            (libc::ENXIO, "not_a_file"),
            (libc::ENAMETOOLONG, "bad_name"),
            (libc::EIO, "io"),
        ] {
            let error = from_system("written", "$DATA/a", &io::Error::from_raw_os_error(number));
            assert_eq!(error.code, ErrorCode::File);
            assert_eq!(error.details, serde_json::json!({ "reason": reason, "path": "$DATA/a" }), "{number}");
            assert!(error.message.starts_with("`$DATA/a` can not be written: "), "{error}");
        }
    }
}
