//! How much room the disk has.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// GB that may still be written where this folder is; none where the system does not say.
pub fn free_gb(folder: &Path) -> Option<f64> {
    let path = CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut found = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the path ends with a zero byte and the system writes one `statvfs` where it is told.
    let answer = unsafe { libc::statvfs(path.as_ptr(), found.as_mut_ptr()) };
    if answer != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so all of it is written; all zeros would be valid, too.
    let found = unsafe { found.assume_init() };
    Some(found.f_bavail as f64 * found.f_frsize as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::free_gb;
    use std::path::Path;

    #[test]
    fn the_room_is_told_of_a_folder_that_is_there() {
        assert!(free_gb(Path::new(env!("CARGO_MANIFEST_DIR"))).is_some_and(|free| free > 0.0));
        assert_eq!(free_gb(Path::new("/no such folder")), None);
    }
}
