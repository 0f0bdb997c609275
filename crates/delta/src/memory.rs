//! Memory for a large result.
//!
//! A process is given memory page by page, each when it is first written to, and for 4 KiB that takes longer than filling
//! them does. Linux gives 2 MiB at once to whoever asks for it, and pages in advance for less each; other systems have no
//! such requests.

/// What the system gives at once when asked.
const HUGE_PAGE_BYTES: usize = 2 << 20;
/// A last part of one that is worth a whole one.
const WORTHY_BYTES: usize = HUGE_PAGE_BYTES / 4;
/// The smallest page of all systems.
const PAGE_BYTES: usize = 4 << 10;

/// So many zeros, most of which will be written to.
pub(super) fn zeros(count: usize) -> Vec<u8> {
    let huge = huge_bytes(count);
    // The system aligns a mapping of whole huge pages, and the allocator adds up to a page to what it is asked for.
    let whole = (count + PAGE_BYTES).next_multiple_of(HUGE_PAGE_BYTES) - PAGE_BYTES;
    let mut bytes = vec![0; if huge > 0 { whole } else { count }];
    #[cfg(target_os = "linux")]
    if count >= WORTHY_BYTES {
        advise(&mut bytes[..huge], libc::MADV_HUGEPAGE);
        advise(&mut bytes[..count], libc::MADV_POPULATE_WRITE);
    }
    bytes.truncate(count);
    bytes
}

/// Bytes at the beginning of so many that are to lie in huge pages.
fn huge_bytes(bytes: usize) -> usize {
    let rest = bytes % HUGE_PAGE_BYTES;
    match bytes {
        _ if !cfg!(target_os = "linux") => 0,
        _ if rest > WORTHY_BYTES => bytes - rest + HUGE_PAGE_BYTES - PAGE_BYTES,
        _ => bytes - rest,
    }
}

/// Gives the system advice on memory. Without its help pages are given one by one, so whether it succeeded does not matter.
#[cfg(target_os = "linux")]
fn advise(bytes: &mut [u8], advice: libc::c_int) {
    let page = bytes.as_mut_ptr().map_addr(|address| address & !(PAGE_BYTES - 1));
    let length = bytes.as_ptr().addr() + bytes.len() - page.addr();
    // SAFETY: neither advice changes any content or access, neither in this memory nor in what shares its first page.
    unsafe { libc::madvise(page.cast(), length, advice) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_zeros_as_asked_for_in_little_more_memory() {
        let huge = HUGE_PAGE_BYTES;
        for count in
            [0, 1, WORTHY_BYTES + 1, huge - 1, huge, huge * 3 / 2, 2 * huge - PAGE_BYTES + 1, 9 * huge]
        {
            let bytes = zeros(count);
            assert!(bytes == vec![0; count], "{count}");
            assert!(bytes.capacity() <= count + 2 * huge, "{count}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn huge_pages_are_asked_for_only_where_most_of_them_is_used() {
        let whole = |bytes: usize| huge_bytes(bytes).div_ceil(HUGE_PAGE_BYTES);
        assert_eq!([WORTHY_BYTES, WORTHY_BYTES + 1, HUGE_PAGE_BYTES - 1].map(whole), [0, 1, 1]);
        assert_eq!(whole(HUGE_PAGE_BYTES + WORTHY_BYTES), 1);
        assert_eq!(whole(HUGE_PAGE_BYTES + WORTHY_BYTES + 1), 2);
    }
}
