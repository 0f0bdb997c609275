//! Who may come in: the host, the origin and the token of a request.
//!
//! # Theory of operation
//! The address that is printed holds a token; for it a browser gets a cookie that no script reads and no other site makes
//! it send (`HttpOnly`, `SameSite=Strict`), and without which there is nothing to be had. That alone would not do:
//!
//! - A name of somebody else's that leads to this machine (DNS rebinding) is told by the `Host`, which must be ours.
//! - A page of another port of this machine is of the same *site*, so its requests carry the cookie. It is told by its
//!   `Origin`, compared whole (CVE-2025-24010, CVE-2025-30360, wails PR 6036), and where a browser sends none, by
//!   `Sec-Fetch-Site`.
//!
//! No answer allows another origin anything (CORS). A cookie is not bound to a port (RFC 6265, 8.5): a server of another
//! user on this machine that the developer's browser visits could see it; the guide says so.
//!
//! **Invariant:** decides by the request's head alone.

use http::{HeaderMap, HeaderName, header};

/// Where the token is exchanged for the cookie.
pub const OPEN_PATH: &str = "/__staysail/open";
/// Random bytes in a token.
pub const TOKEN_BYTES: usize = 32;
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The `Host` is none of ours.
    #[error("this server is not at the host the request names")]
    Host,
    /// Another page asks.
    #[error("pages of another origin get nothing here")]
    Origin,
    /// No cookie, or a wrong one.
    #[error("this browser has not shown the token")]
    Token,
}

/// See the module.
pub struct Door {
    port: u16,
    token: String,
    /// The hosts this server is called by.
    hosts: [String; 2],
}

impl Door {
    /// A door on this port that opens to whoever knows this secret.
    pub fn new(port: u16, secret: [u8; TOKEN_BYTES]) -> Self {
        let token = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { port, token, hosts: [format!("127.0.0.1:{port}"), format!("localhost:{port}")] }
    }

    /// The address that lets a browser in.
    pub fn address(&self) -> String {
        format!("http://{}{OPEN_PATH}?token={}", self.hosts[0], self.token)
    }

    /// Name of the cookie: browsers keep one jar for all ports of a host.
    pub fn cookie(&self) -> String {
        format!("staysail-{}", self.port)
    }

    fn host<'a>(&'a self, headers: &HeaderMap) -> Result<&'a str, Refusal> {
        let named = text(headers, &header::HOST).ok_or(Refusal::Host)?;
        let own = self.hosts.iter().find(|own| named.eq_ignore_ascii_case(own));
        own.map(String::as_str).ok_or(Refusal::Host)
    }

    /// Whether this request may come in.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = self.host(headers)?;
        if headers.contains_key(header::ORIGIN) {
            let is_own = |origin: &str| origin.strip_prefix("http://") == Some(host);
            if headers.get_all(header::ORIGIN).iter().count() != 1
                || !text(headers, &header::ORIGIN).is_some_and(is_own)
            {
                return Err(Refusal::Origin);
            }
        } else if let Some(site) = text(headers, &FETCH_SITE) {
            // What the user typed or clicked may come from anywhere: the cookie decides.
            let is_visit = text(headers, &FETCH_DEST) == Some("document");
            if !matches!(site, "same-origin" | "none") && !is_visit {
                return Err(Refusal::Origin);
            }
        }
        let name = self.cookie();
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        if pairs.any(|(given, value)| given == name && same(value, &self.token)) {
            Ok(())
        } else {
            Err(Refusal::Token)
        }
    }

    /// Exchanges the token in a query for the cookie, as it is set.
    ///
    /// # Errors
    /// Why not.
    pub fn open(&self, headers: &HeaderMap, query: &str) -> Result<String, Refusal> {
        self.host(headers)?;
        let token = query.split('&').find_map(|pair| pair.strip_prefix("token="));
        if !token.is_some_and(|token| same(token, &self.token)) {
            return Err(Refusal::Token);
        }
        Ok(format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie(), self.token))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Compares without telling by its time how much of it was right.
fn same(given: &str, token: &str) -> bool {
    let (given, token) = (given.as_bytes(), token.as_bytes());
    given.len() == token.len()
        && given.iter().zip(token).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(door: &Door, host: &str, more: &[(&str, &str)]) -> Result<(), Refusal> {
        let cookie = format!("other=1; {}={}", door.cookie(), door.token);
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", host), ("cookie", &cookie)].iter().chain(more) {
            headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        door.check(&headers)
    }

    #[test]
    fn whoever_has_the_cookie_and_comes_from_here_comes_in() {
        let door = Door::new(4000, [7; TOKEN_BYTES]);
        let ok: [&[(&str, &str)]; 5] = [
            &[],
            &[("origin", "http://127.0.0.1:4000")],
            &[("sec-fetch-site", "none"), ("sec-fetch-dest", "document")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-dest", "script")],
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "document")],
        ];
        for more in ok {
            assert_eq!(check(&door, "127.0.0.1:4000", more), Ok(()), "{more:?}");
        }
        assert_eq!(check(&door, "LOCALHOST:4000", &[("origin", "http://localhost:4000")]), Ok(()));
    }

    #[test]
    fn other_hosts_other_origins_and_other_tokens_stay_out() {
        let door = Door::new(4000, [7; TOKEN_BYTES]);
        for host in ["evil.example:4000", "127.0.0.1:4001", "127.0.0.1", "localhost:4000.evil.example", ""] {
            assert_eq!(check(&door, host, &[]), Err(Refusal::Host), "{host}");
        }
        for origin in [
            "http://localhost:4000",
            "http://127.0.0.1:5173",
            "https://127.0.0.1:4000",
            "http://127.0.0.1:4000.evil.example",
            "http://evil.example",
            "null",
        ] {
            let refused = check(&door, "127.0.0.1:4000", &[("origin", origin)]);
            assert_eq!(refused, Err(Refusal::Origin), "{origin}");
        }
        for dest in ["script", "iframe", "empty", "image"] {
            let more = [("sec-fetch-site", "same-site"), ("sec-fetch-dest", dest)];
            assert_eq!(check(&door, "127.0.0.1:4000", &more), Err(Refusal::Origin), "{dest}");
        }
        for cookie in ["", "staysail-4000=", "staysail-4001=x", "staysail-4000=0123"] {
            assert_eq!(
                check(&door, "127.0.0.1:4000", &[("cookie", cookie)]),
                Err(Refusal::Token),
                "{cookie}"
            );
        }
    }

    #[test]
    fn the_token_is_exchanged_for_a_cookie_scripts_and_other_sites_do_not_get() {
        let door = Door::new(4000, [7; TOKEN_BYTES]);
        let headers = |host: &str| HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
        let address = door.address();
        let query = address.split_once('?').unwrap().1;
        let cookie = door.open(&headers("127.0.0.1:4000"), query).unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        assert_eq!(door.open(&headers("evil.example:4000"), query), Err(Refusal::Host));
        for wrong in ["", "token=", "token=0000", "x=1&tokens=1"] {
            assert_eq!(door.open(&headers("127.0.0.1:4000"), wrong), Err(Refusal::Token), "{wrong}");
        }
    }
}
