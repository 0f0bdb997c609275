//! What a tab says: its name when it opens its socket, and its requests.
//!
//! **Invariant:** reads bytes that anybody may have sent, and does nothing else.

/// Length of a tab's name, in hexadecimal digits.
const NAME_CHARS: usize = 32;

/// Whether this can be the name of a tab.
pub fn is_name(name: &str) -> bool {
    name.len() == NAME_CHARS && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The ticket of a request, and the request.
pub fn split(bytes: &[u8]) -> Option<(u32, Vec<u8>)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let ticket = std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()?;
    Some((ticket, bytes[end + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_as_long_as_it_must_be_and_hexadecimal() {
        assert!(is_name("0123456789abcdefABCDEF0123456789"));
        for other in ["", "0123", "0123456789abcdefABCDEF012345678g", "0123456789abcdefABCDEF01234567890"] {
            assert!(!is_name(other), "{other}");
        }
    }

    #[test]
    fn a_request_begins_with_its_ticket() {
        assert_eq!(split(b"7\n{}\nbody\n"), Some((7, b"{}\nbody\n".to_vec())));
        for other in ["", "7", "x\n{}", "-1\n{}", "99999999999\n{}"] {
            assert_eq!(split(other.as_bytes()), None, "{other}");
        }
    }
}
