//! Names of roles and targets as they stand in addresses and file names.

use crate::Error;

fn escape(byte: u8, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// A role's or target's name as one piece of a path or as a file's name: every byte that is not a letter, a digit or one of
/// `-_.~` is escaped, `/` among them. Other clients do the same, so a repository may be shared with them.
///
/// ```
/// assert_eq!(staysail_update::trust::as_file_name("../é"), "..%2F%C3%A9");
/// ```
pub fn as_file_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => escape(byte, &mut out),
        }
    }
    out
}

/// A target's path as the end of an address. Target paths are path-relative URL strings (section 4.5), so escapes that are
/// there already stay as they are; whatever could not stand in a path, or would end it, is escaped.
///
/// # Errors
/// [`Error::Trust`] for a path that would leave the folder of targets: absolute, or with `.` or `..` as a piece.
pub(crate) fn as_address(path: &str) -> Result<String, Error> {
    let climbs = |piece: &str| {
        let plain = piece.replace("%2e", ".").replace("%2E", ".");
        plain == "." || plain == ".."
    };
    if path.is_empty() || path.split(['/', '\\']).any(|piece| piece.is_empty() || climbs(piece)) {
        return Err(Error::Trust(format!("{path:?} can not be the path of a target")));
    }
    let bytes = path.as_bytes();
    let mut out = String::with_capacity(path.len());
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => out.push(char::from(*byte)),
            // Section 3.3 of RFC 3986: what a path may hold as it is.
            b'-' | b'_' | b'.' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b','
            | b';' | b'=' | b':' | b'@' | b'/' => out.push(char::from(*byte)),
            b'%' if bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)) => {
                out.push('%');
            }
            _ => escape(*byte, &mut out),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_roles_become_harmless_file_names() {
        for (name, file) in [
            ("role1", "role1"),
            ("?", "%3F"),
            ("#", "%23"),
            ("/delegatedrole", "%2Fdelegatedrole"),
            ("../delegatedrole", "..%2Fdelegatedrole"),
            ("a b", "a%20b"),
            ("CON:", "CON%3A"),
        ] {
            assert_eq!(as_file_name(name), file);
        }
    }

    #[test]
    fn paths_of_targets_become_addresses_that_stay_below_their_base() {
        for (path, address) in [
            ("releases/stable.json", "releases/stable.json"),
            ("a b/c?d#e", "a%20b/c%3Fd%23e"),
            ("100%/20%25", "100%25/20%25"),
            ("ü", "%C3%BC"),
            ("a:b@c+d,e;f=g", "a:b@c+d,e;f=g"),
        ] {
            assert_eq!(as_address(path).unwrap(), address);
        }
        for path in ["", "/a", "a//b", "a/", "../a", "a/../b", "a/./b", "a/%2e%2E/b", "a\\..\\b"] {
            assert!(as_address(path).is_err(), "{path:?}");
        }
    }
}
