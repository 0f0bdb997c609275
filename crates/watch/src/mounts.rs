//! Places where the system's events do not tell everything: file systems that others write to from elsewhere.
//!
//! An event is made by the kernel that writes. What another machine (or, under WSL, Windows) writes into a shared
//! folder makes none here.

use std::path::Path;

/// Why events of this folder can not be relied on: the name of its file system. `None` when they can.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn foreign(folder: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let kind = linux::magic(folder)?;
    if let Some((_, name)) = linux::FOREIGN.iter().find(|(magic, _)| *magic == kind) {
        return Some((*name).into());
    }
    if kind != linux::FUSE {
        return None;
    }
    // All of FUSE has one number: local disks (NTFS) and remote ones (sshfs) differ by the name they are mounted as.
    let device = std::fs::metadata(folder).ok()?.dev();
    let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    linux::foreign_fuse(&table, libc::major(device), libc::minor(device))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    /// Numbers of statfs(2) and of the kernel's `magic.h`.
    pub const FOREIGN: [(i64, &str); 11] = [
        (0x6969, "nfs"),
        (0xff53_4d42, "cifs"),
        (0xfe53_4d42, "smb2"),
        (0x517b, "smb"),
        // WSL 2 shows Windows' drives, QEMU and gVisor their host's folders by 9P.
        (0x0102_1997, "9p"),
        (0x00c3_6400, "ceph"),
        (0x5346_414f, "afs"),
        (0x6b41_4653, "afs"),
        (0x7375_7245, "coda"),
        (0x564c, "ncp"),
        (0x786f_4256, "vboxsf"),
    ];
    pub const FUSE: i64 = 0x6573_5546;
    /// Names of FUSE file systems whose files nobody else writes.
    const LOCAL_FUSE: [&str; 8] = [
        "fuseblk",
        "fuse.ntfs-3g",
        "fuse.mergerfs",
        "fuse.fuse-overlayfs",
        "fuse.encfs",
        "fuse.gocryptfs",
        "fuse.bindfs",
        "fuse.lxcfs",
    ];

    #[allow(clippy::unnecessary_cast, reason = "the width of the number differs between systems")]
    pub fn magic(folder: &Path) -> Option<i64> {
        let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
        // SAFETY: all zero bytes are a valid `statfs`, a structure of numbers.
        let mut facts: libc::statfs = unsafe { std::mem::zeroed() };
        // SAFETY: the path ends in a zero byte, and the system writes one structure into `facts`.
        let result = unsafe { libc::statfs(path.as_ptr(), &mut facts) };
        // The sign of a 32-bit number is no part of it.
        (result == 0).then_some(facts.f_type as i64 & 0xffff_ffff)
    }

    /// The name of the FUSE file system of this device, when it is not known to be local.
    pub fn foreign_fuse(mountinfo: &str, major: u32, minor: u32) -> Option<String> {
        let device = format!("{major}:{minor}");
        let line = mountinfo.lines().find(|line| line.split(' ').nth(2) == Some(&device))?;
        let (_, after) = line.split_once(" - ")?;
        let name = after.split(' ').next()?;
        (!LOCAL_FUSE.contains(&name)).then(|| name.to_owned())
    }
}

/// Why events of this folder can not be relied on: the name of its file system. `None` when they can.
#[cfg(target_os = "macos")]
pub fn foreign(folder: &Path) -> Option<String> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    // SAFETY: all zero bytes are a valid `statfs`, a structure of numbers and of arrays of them.
    let mut facts: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends in a zero byte, and the system writes one structure into `facts`.
    if unsafe { libc::statfs(path.as_ptr(), &mut facts) } != 0 {
        return None;
    }
    let local = facts.f_flags & (libc::MNT_LOCAL as u32) != 0;
    let name: String =
        facts.f_fstypename.iter().map_while(|&c| (c != 0).then_some(c as u8 as char)).collect();
    (!local || name.contains("fuse")).then_some(name)
}

/// Why events of this folder can not be relied on: the name of its file system. `None` when they can.
#[cfg(windows)]
pub fn foreign(folder: &Path) -> Option<String> {
    use std::os::windows::ffi::OsStrExt;
    use windows_sys::Win32::Storage::FileSystem::{GetDriveTypeW, GetVolumePathNameW};
    /// `DRIVE_REMOTE` of winbase.h.
    const REMOTE: u32 = 4;
    let wide: Vec<u16> = folder.as_os_str().encode_wide().chain([0]).collect();
    let mut root = [0u16; 1024];
    // SAFETY: the path ends in a zero, and the length given is that of the buffer written to.
    if unsafe { GetVolumePathNameW(wide.as_ptr(), root.as_mut_ptr(), root.len() as u32) } == 0 {
        return None;
    }
    // SAFETY: `root` ends in a zero, as the call before left it.
    (unsafe { GetDriveTypeW(root.as_ptr()) } == REMOTE).then(|| "network drive".into())
}

/// Why events of this folder can not be relied on. Nothing is known of this system.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos", windows)))]
pub fn foreign(_folder: &Path) -> Option<String> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn w54_a_local_disk_is_trusted_and_remote_fuse_is_told_from_local_fuse() {
        assert_eq!(foreign(&std::env::temp_dir()), None);
        let table = "36 25 0:31 / /mnt/a rw,relatime shared:1 - fuse.sshfs me@host: rw\n\
                     37 25 8:33 / /mnt/b rw shared:2 master:1 - fuseblk /dev/sdc1 rw\n\
                     38 25 0:40 / /mnt/c rw - fuse.grpcfuse grpcfuse rw\n";
        assert_eq!(linux::foreign_fuse(table, 0, 31).as_deref(), Some("fuse.sshfs"));
        assert_eq!(linux::foreign_fuse(table, 8, 33), None);
        assert_eq!(linux::foreign_fuse(table, 0, 40).as_deref(), Some("fuse.grpcfuse"));
        assert_eq!(linux::foreign_fuse(table, 9, 9), None);
    }

    #[test]
    fn w54_network_file_systems_and_windows_drives_under_wsl_are_known_by_their_numbers() {
        for (number, name) in [(0x6969, "nfs"), (0xff53_4d42_i64, "cifs"), (0x0102_1997, "9p")] {
            assert!(linux::FOREIGN.contains(&(number, name)), "{name}");
        }
        assert!(linux::magic(&std::env::temp_dir()).is_some());
    }
}
