//! Answers of two backends that are compared, and patterns of what is not.

use crate::compare::{Answer, compare};
use staysail_protocol::limits::{SHADOW_DIFFERENCES_TOLD_MAX, SHADOW_VALUE_BYTES_MAX};
use staysail_protocol::shadow::Pattern;

/// A pattern, and on two further lines two answers. An answer is like itself; what differs one way differs the other way,
/// told within its limits; and what is ignored is none of it.
pub fn answers(bytes: &[u8]) -> bool {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let pattern = lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let pattern = pattern.and_then(|text| Pattern::parse(text).ok());
    let [before, now]: [Answer; 2] = [(); 2].map(|()| Ok((lines.next().unwrap_or_default().to_vec(), false)));
    assert_eq!(compare("look", &before, &before, &[]), [], "an answer is not like itself");
    let there = compare("look", &before, &now, &[]);
    let back = compare("look", &now, &before, &[]);
    assert_eq!(there.is_empty(), back.is_empty());
    assert!(there.len() <= SHADOW_DIFFERENCES_TOLD_MAX);
    for one in &there {
        assert!(one.path.len().max(one.before.len()).max(one.now.len()) <= SHADOW_VALUE_BYTES_MAX);
        // Whoever ignores the place that is told no longer hears of it.
        if let Some(told) = Pattern::parse(&one.path).ok().filter(|_| !one.path.ends_with('…')) {
            let left = compare("look", &before, &now, &[told]);
            assert!(!left.iter().any(|other| other.path == one.path), "{}", one.path);
        }
    }
    let Some(pattern) = pattern else { return false };
    let path = |text: &str| -> Vec<String> {
        text.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
    };
    let left = compare("look", &before, &now, std::slice::from_ref(&pattern));
    // A path that was cut names another place.
    let whole =
        |one: &&staysail_protocol::notice::Difference| !one.path.is_empty() && !one.path.ends_with('…');
    assert!(left.iter().filter(whole).all(|one| !pattern.matches("look", &path(&one.path))));
    true
}
