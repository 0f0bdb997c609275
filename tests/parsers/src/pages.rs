//! HTML of a page and the policy it is served with.

use crate::content_policy::{may_frame, with_inline};
use crate::inline_scripts;
use staysail_protocol::limits::INLINE_HASHES_MAX;

/// A line of policy, a line with an address, then HTML.
pub fn inline_scripts(bytes: &[u8]) -> bool {
    let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
    let (Some(policy), Some(address), Some(html)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let (Ok(policy), Ok(address)) = (std::str::from_utf8(policy), std::str::from_utf8(address)) else {
        return false;
    };
    let found = inline_scripts::of(html);
    for list in [&found.scripts, &found.styles] {
        assert!(list.len() <= INLINE_HASHES_MAX);
        for (at, hash) in list.iter().enumerate() {
            // What goes into a policy can neither end a directive nor begin another source.
            assert!(
                hash.starts_with("'sha256-") && hash.ends_with('\'') && !hash.contains([' ', ';', ',']),
                "{hash}"
            );
            assert!(!list[..at].contains(hash), "the same hash twice");
        }
    }
    let whole = with_inline(policy, &found);
    // A policy only ever gains hashes: each source of it stood in the old one, or is one of them.
    for source in whole.split([' ', ';', ',']).map(str::trim).filter(|source| !source.is_empty()) {
        let added = found.scripts.iter().chain(&found.styles).any(|hash| hash == source)
            || ["script-src", "style-src"].contains(&source);
        assert!(
            added || policy.contains(source),
            "{source:?} came out of nowhere: {policy:?} became {whole:?}"
        );
    }
    let _ = may_frame(policy, address);
    !found.scripts.is_empty()
}
