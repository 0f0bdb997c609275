//! What browsers, and whoever pretends to be one, say to `staysail dev --browser`.

use crate::door::{Door, Refusal, TOKEN_BYTES};
use crate::{spoken as said, start_script as script};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The port and the token of the door under test.
pub const PORT: u16 = 4000;
/// The token, as it is written.
pub const TOKEN: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// A line with the query of the opening address, then the lines of a request's head.
pub fn door(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let query = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        // As a server reads it: without the space around it.
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let door = Door::new(PORT, [7; TOKEN_BYTES]);
    let first = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = first(&header::HOST).map(str::to_ascii_lowercase).unwrap_or_default();
    let is_here = [format!("127.0.0.1:{PORT}"), format!("localhost:{PORT}")].contains(&host);
    let (checked, opened) = (door.check(&headers), door.open(&headers, &query));
    assert!(is_here || (checked == Err(Refusal::Host) && opened == Err(Refusal::Host)), "{host} came in");
    if checked.is_ok() {
        let mut cookies = headers.get_all(header::COOKIE).iter();
        let pair = format!("{}={TOKEN}", door.cookie());
        let shown =
            cookies.any(|value| value.as_bytes().windows(pair.len()).any(|part| part == pair.as_bytes()));
        assert!(shown, "somebody without the token came in");
        for origin in headers.get_all(header::ORIGIN) {
            assert_eq!(origin.as_bytes(), format!("http://{host}").as_bytes(), "another origin came in");
        }
    }
    if let Ok(cookie) = &opened {
        assert!(query.contains(&format!("token={TOKEN}")), "{query:?} was taken for the token");
        assert_eq!(cookie.matches(TOKEN).count(), 1);
    }
    checked.is_ok() || opened.is_ok()
}

/// A request of a tab, as it comes over its socket; or the name of a tab.
pub fn spoken(bytes: &[u8]) -> bool {
    if let Ok(name) = std::str::from_utf8(bytes)
        && said::is_name(name)
    {
        assert!(name.len() == 32 && name.chars().all(|digit| digit.is_ascii_hexdigit()));
        return true;
    }
    let Some((ticket, request)) = said::split(bytes) else { return false };
    assert!(bytes.ends_with(&request), "what is handed on is not what came");
    let head = &bytes[..bytes.len() - request.len()];
    assert!(head.ends_with(b"\n") && head.len() <= bytes.len());
    // Leading zeros and a plus sign name the same ticket.
    let digits = String::from_utf8_lossy(&head[..head.len() - 1]).into_owned();
    assert_eq!(
        digits.trim_start_matches('+').trim_start_matches('0'),
        ticket.to_string().trim_start_matches('0')
    );
    true
}

/// HTML of a page.
pub fn start_script(bytes: &[u8]) -> bool {
    let tag = format!("<script src=\"{}\"></script>", script::PATH);
    let made = script::with_script(bytes.to_vec());
    assert_eq!(made.len(), bytes.len() + tag.len());
    let same = made.iter().zip(bytes).take_while(|(made, given)| made == given).count();
    // The page is cut at one place: somewhere before the first difference stands the tag, and the rest follows.
    let at = (0..=same).rev().find(|at| made[*at..].starts_with(tag.as_bytes())).expect("the tag");
    assert_eq!(&made[at + tag.len()..], &bytes[at..], "the page was changed");
    at > 0
}
