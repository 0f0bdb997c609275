//! The content security policy a page is served with: the strict default or the one of `staysail.toml`, and the hashes
//! of the page's own inline scripts in it.
//!
//! # Theory of operation
//! The page's HTML is signed, so its inline scripts are as trustworthy as its files; one that is injected is not among
//! them. The hashes go into the directive that decides about inline scripts: `script-src-elem`, else `script-src`, else
//! a `script-src` made of the sources of `default-src` (CSP 3, 6.8.3). Style sheets likewise.
//!
//! A directive is left as it is when it allows everything inline already (`'unsafe-inline'`, which a hash would switch
//! off), and when it is `'none'`: who says that means it. Event handlers in attributes stay forbidden, as no hash covers
//! them without `'unsafe-hashes'`.
//!
//! Every answer carries a policy, not only HTML: a picture or an error shown in a frame would otherwise be a document of
//! the app's own origin without any, into which a compromised page could put the script it may not have itself.
//!
//! **Invariant:** pure; a policy only ever gains hashes.

use crate::inline_scripts::Inline;

/// The strict policy a page gets unless its configuration names another.
pub const DEFAULT_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; \
    media-src 'self' data: blob:; connect-src 'self'; worker-src 'self' blob:; frame-src 'self'; \
    object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// `policy` with the hashes of what stands inline in the page.
pub fn with_inline(policy: &str, inline: &Inline) -> String {
    if inline.scripts.is_empty() && inline.styles.is_empty() {
        return policy.to_string();
    }
    // A header may hold several policies, separated by commas; all of them count.
    let one = |policy: &str| {
        let mut directives: Vec<String> = policy.split(';').map(|text| text.trim().to_string()).collect();
        directives.retain(|directive| !directive.is_empty());
        allow(&mut directives, ["script-src-elem", "script-src"], &inline.scripts);
        allow(&mut directives, ["style-src-elem", "style-src"], &inline.styles);
        directives.join("; ")
    };
    policy.split(',').map(one).collect::<Vec<_>>().join(", ")
}

fn allow(directives: &mut Vec<String>, names: [&str; 2], hashes: &[String]) {
    if hashes.is_empty() {
        return;
    }
    let hashes = hashes.join(" ");
    if let Some(at) = names.iter().find_map(|name| place_of(directives, name)) {
        if takes_hashes(&directives[at]) {
            directives[at] = format!("{} {hashes}", directives[at]);
        }
    } else if let Some(at) = place_of(directives, "default-src")
        && takes_hashes(&directives[at])
    {
        let sources = directives[at].split_once(char::is_whitespace).map_or("", |(_, sources)| sources);
        directives.push(format!("{} {} {hashes}", names[1], sources.trim()));
    }
}

/// Where a directive stands; of equal ones the first counts (CSP 3, 2.2.1).
fn place_of(directives: &[String], name: &str) -> Option<usize> {
    directives.iter().position(|directive| name_of(directive).eq_ignore_ascii_case(name))
}

fn name_of(directive: &str) -> &str {
    directive.split_ascii_whitespace().next().unwrap_or_default()
}

fn sources(directive: &str) -> impl Iterator<Item = String> {
    directive.split_ascii_whitespace().skip(1).map(str::to_ascii_lowercase)
}

/// Whether a hash would let something run that is not let run already, and is not forbidden outright.
fn takes_hashes(directive: &str) -> bool {
    let sources: Vec<String> = sources(directive).collect();
    if sources.is_empty() || sources == ["'none'"] {
        return false;
    }
    // With any of these `'unsafe-inline'` counts for nothing (CSP 3, 6.7.3.2).
    let switches_off = |source: &String| {
        source == "'strict-dynamic'"
            || ["'nonce-", "'sha256-", "'sha384-", "'sha512-"].iter().any(|kind| source.starts_with(kind))
    };
    !sources.iter().any(|source| source == "'unsafe-inline'") || sources.iter().any(switches_off)
}

/// Whether a page under this policy may show `address` in a frame. Where that is not plain, yes.
pub fn may_frame(policy: &str, address: &str) -> bool {
    policy.split(',').all(|policy| {
        let directives: Vec<String> = policy.split(';').map(|text| text.trim().to_string()).collect();
        let decides = ["frame-src", "child-src", "default-src"];
        let Some(at) = decides.iter().find_map(|name| place_of(&directives, name)) else { return true };
        sources(&directives[at]).any(|source| may_match(&source, address))
    })
}

/// Whether a source expression may fit a foreign address (CSP 3, 6.7.2.8): scheme and host are compared, port and path
/// are not, so that this says yes rather too often.
fn may_match(source: &str, address: &str) -> bool {
    let Some((scheme, host)) = scheme_and_host(address) else { return false };
    if source.starts_with('\'') {
        return false;
    }
    if source == "*" {
        return true;
    }
    let (wanted_scheme, wanted_host) = match source.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => match source.strip_suffix(':') {
            Some(only) => return only == scheme || (only == "http" && scheme == "https"),
            None => (None, source),
        },
    };
    if wanted_scheme.is_some_and(|wanted| wanted != scheme && !(wanted == "http" && scheme == "https")) {
        return false;
    }
    let wanted_host = host_of(wanted_host);
    match wanted_host.strip_prefix('*') {
        Some("") => true,
        Some(end) => host.ends_with(end),
        None => wanted_host == host,
    }
}

fn scheme_and_host(address: &str) -> Option<(String, String)> {
    let (scheme, rest) = address.split_once(':')?;
    let host = rest.strip_prefix("//").map_or("", host_of);
    Some((scheme.to_ascii_lowercase(), host.to_ascii_lowercase()))
}

/// The host of what follows `://`.
fn host_of(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let port = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*'));
    port.map_or(host, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(policy: &str) -> String {
        let inline = Inline { scripts: vec!["'sha256-A='".into()], ..Inline::default() };
        with_inline(policy, &inline)
    }

    #[test]
    fn hashes_go_to_the_directive_that_decides_about_inline_scripts() {
        assert_eq!(policy("script-src 'self'; img-src *"), "script-src 'self' 'sha256-A='; img-src *");
        assert_eq!(
            policy("Script-Src-Elem 'self'; script-src x"),
            "Script-Src-Elem 'self' 'sha256-A='; script-src x"
        );
        assert_eq!(
            policy(" default-src 'self' x ;"),
            "default-src 'self' x; script-src 'self' x 'sha256-A='"
        );
        assert_eq!(policy("script-src a; script-src b"), "script-src a 'sha256-A='; script-src b");
        assert_eq!(
            policy("script-src a, default-src b"),
            "script-src a 'sha256-A=', default-src b; script-src b 'sha256-A='"
        );
        let whole = policy(DEFAULT_POLICY);
        assert!(whole.contains("script-src 'self' 'wasm-unsafe-eval' 'sha256-A=';"), "{whole}");
        assert_eq!(whole.replace(" 'sha256-A='", ""), DEFAULT_POLICY);
    }

    #[test]
    fn a_directive_that_allows_all_inline_or_nothing_at_all_stays_as_it_is() {
        for as_it_is in [
            "script-src 'self' 'unsafe-inline'",
            "script-src 'self' 'UNSAFE-INLINE'",
            "default-src 'unsafe-inline'",
            "script-src 'none'",
            "script-src",
            "default-src 'none'; img-src 'self'",
            "img-src 'self'",
            "",
        ] {
            assert_eq!(policy(as_it_is), as_it_is);
        }
        // A nonce has switched 'unsafe-inline' off already.
        assert_eq!(
            policy("script-src 'unsafe-inline' 'nonce-x'"),
            "script-src 'unsafe-inline' 'nonce-x' 'sha256-A='"
        );
    }

    #[test]
    fn style_sheets_get_theirs_where_inline_styles_are_not_allowed_anyway() {
        let inline = Inline { styles: vec!["'sha256-B='".into()], ..Inline::default() };
        assert_eq!(with_inline(DEFAULT_POLICY, &inline), DEFAULT_POLICY);
        assert_eq!(with_inline("style-src 'self'", &inline), "style-src 'self' 'sha256-B='");
    }

    #[test]
    fn which_addresses_a_page_may_frame_is_read_from_its_policy() {
        for (policy, address, may) in [
            (DEFAULT_POLICY, "https://example.com/", false),
            (DEFAULT_POLICY, "blob:app://localhost/1", false),
            ("frame-src https://player.example.com", "https://player.example.com/v?1", true),
            ("frame-src https://player.example.com", "https://player.example.com.evil.net/", false),
            ("frame-src https://player.example.com", "https://evil@player.example.com:8443/", true),
            ("frame-src https://player.example.com", "https://player.example.com@evil.net/", false),
            ("frame-src *.example.com:*", "https://a.example.com/", true),
            ("frame-src *.example.com", "https://example.com.evil/", false),
            ("frame-src https:", "http://example.com/", false),
            ("frame-src http:", "https://example.com/", true),
            ("frame-src blob:", "blob:app://localhost/1", true),
            ("child-src *; default-src 'none'", "https://example.com/", true),
            ("default-src 'self'", "https://example.com/", false),
            ("img-src 'self'", "https://example.com/", true),
            ("frame-src *, frame-src 'self'", "https://example.com/", false),
            ("", "https://example.com/", true),
        ] {
            assert_eq!(may_frame(policy, address), may, "{policy} | {address}");
        }
    }
}
