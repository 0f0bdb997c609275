//! What every Unix tells of machine and moment.

use std::path::Path;

unsafe extern "C" {
    fn tzset();
}

/// Seconds that the user's local time is ahead of universal time at a moment.
pub fn local_offset_s(now_s: i64) -> Option<i64> {
    // SAFETY: `tm` is plain numbers and a pointer, for which zeros are good; both pointers outlive the call. `tzset` has
    // the zone read again, which may have changed since the start; it locks what it changes.
    unsafe {
        tzset();
        let mut local = std::mem::zeroed::<libc::tm>();
        (!libc::localtime_r(&raw const now_s, &raw mut local).is_null()).then_some(local.tm_gmtoff)
    }
}

/// Load average of the last minute per processor of the machine.
pub fn load_per_core() -> Option<f64> {
    let mut loads = [0.0; 1];
    // SAFETY: there is room for the one number asked for.
    let told = unsafe { libc::getloadavg(loads.as_mut_ptr(), 1) };
    // SAFETY: asks for a number.
    let cores = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    (told == 1 && cores > 0).then(|| loads[0] / cores as f64)
}

/// Bytes free for this user where a folder is.
pub fn free_disk_bytes(folder: &Path) -> Option<u64> {
    let facts = rustix::fs::statvfs(folder).ok()?;
    facts.f_bavail.checked_mul(facts.f_frsize)
}
