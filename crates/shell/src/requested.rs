//! What a request for a file of the page says of it: its path, and the part that is wanted.
//!
//! **Invariant:** text in, values out; compiled by the fuzz targets as well, so nothing of a webview is named here.

/// The part of a file that is wanted.
#[derive(Debug, PartialEq, Eq)]
pub enum Range {
    /// Not understood: the whole file is sent (RFC 9110, 14.2).
    Ignored,
    /// It lies behind the end.
    Unsatisfiable,
    /// First and last byte, both included.
    Part(usize, usize),
}

/// Reads a `Range` header for a file of `total` bytes.
pub fn parse_range(text: &str, total: usize) -> Range {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Range::Ignored;
    };
    let (first, last) = match (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
        (Ok(first), Ok(last)) => (first, last),
        (Ok(first), Err(_)) if last.trim().is_empty() => (first, usize::MAX),
        (Err(_), Ok(suffix)) if first.trim().is_empty() && suffix > 0 => {
            (total.saturating_sub(suffix), usize::MAX)
        }
        _ => return Range::Ignored,
    };
    if first > last {
        return Range::Ignored;
    }
    if first >= total { Range::Unsatisfiable } else { Range::Part(first, last.min(total - 1)) }
}

/// Takes the percent-encoding out of a path; `None` when what is left is no UTF-8, or an escape is none.
pub fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
