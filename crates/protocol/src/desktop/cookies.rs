//! `cookies.*` and `storage.*`: what the webview remembers for web pages.
//!
//! All windows share one store, below the app's own folder; private windows share another one, which is gone with the
//! last of them.

use serde::{Deserialize, Serialize};

/// A request of the group `cookies`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum CookiesRequest {
    /// All cookies, or those a request to `url` would carry. Answer: array of [`Cookie`].
    List {
        /// A window whose store is meant; any window that is not private when absent.
        label: Option<String>,
        /// An address, `https://…` or `http://…`.
        #[serde(default)]
        url: Option<String>,
    },
    /// One cookie a request to `url` would carry. Answer: [`Cookie`], or null when there is none.
    Get {
        /// As in `list`.
        label: Option<String>,
        /// An address.
        url: String,
        /// Its name.
        name: String,
    },
    /// Set a cookie. Answer: null.
    Set {
        /// As in `list`.
        label: Option<String>,
        /// It.
        cookie: Box<Cookie>,
    },
    /// Remove the cookies of this name that a request to `url` would carry. Answer: how many they were.
    Remove {
        /// As in `list`.
        label: Option<String>,
        /// An address.
        url: String,
        /// Its name.
        name: String,
    },
    /// Remove all cookies. Answer: null.
    Clear {
        /// As in `list`.
        label: Option<String>,
    },
}

/// A cookie.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The host it is for; with a dot before it, for the hosts below it, too.
    pub domain: String,
    /// The path it is for; `/` for all.
    pub path: String,
    /// When it ends, in seconds since 1970; with the session of the webview when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_s: Option<i64>,
    /// It goes over encrypted connections only.
    pub secure: bool,
    /// No script of a page sees it.
    pub http_only: bool,
    /// Whether it goes along with requests from other sites.
    pub same_site: SameSite,
}

/// Whether a cookie goes along with requests from other sites.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SameSite {
    /// Yes.
    None,
    /// When the user follows a link.
    #[default]
    Lax,
    /// Never.
    Strict,
}

impl Cookie {
    /// Says what about the cookie can not be set. RFC 6265, section 4.1.1, which has no character in names and values
    /// that could end them.
    ///
    /// # Errors
    /// A sentence for people that names the field.
    pub fn check(&self) -> Result<(), String> {
        let is_token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c);
        if self.name.is_empty() || !self.name.chars().all(is_token) {
            return Err(format!(
                "the cookie's `name` {:?} is none: letters, digits and -_.!#$%&'*+^`|~",
                self.name
            ));
        }
        if self.value.chars().any(|c| c.is_control() || c == ';') {
            return Err("the cookie's `value` has a semicolon or a control character in it".into());
        }
        let host = self.domain.strip_prefix('.').unwrap_or(&self.domain);
        if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c)) {
            return Err(format!("the cookie's `domain` {:?} is no host", self.domain));
        }
        if !self.path.is_empty()
            && (!self.path.starts_with('/') || self.path.chars().any(|c| c.is_control() || c == ';'))
        {
            return Err(format!("the cookie's `path` {:?} does not begin with a slash", self.path));
        }
        Ok(())
    }
}

/// A request of the group `storage`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum StorageRequest {
    /// Forget what the webview keeps. Answer: null, once it is gone.
    Clear {
        /// A window whose store is meant; any window that is not private when absent.
        label: Option<String>,
        /// What; everything when empty.
        #[serde(default)]
        kinds: Vec<StorageKind>,
    },
}

/// A kind of what the webview keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StorageKind {
    /// Cookies.
    Cookies,
    /// Files of the web, in memory and on disk.
    Cache,
    /// What pages have stored: local and session storage, databases, service workers.
    Data,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_that_could_be_read_as_two_is_refused_by_the_name_of_its_field() {
        let good = Cookie {
            name: "sid".into(),
            value: "a=b c".into(),
            domain: ".example.com".into(),
            ..Cookie::default()
        };
        assert_eq!(good.check(), Ok(()));
        for (cookie, field) in [
            (Cookie { name: "a=b".into(), ..good.clone() }, "name"),
            (Cookie { name: String::new(), ..good.clone() }, "name"),
            (Cookie { value: "x; Domain=evil.example".into(), ..good.clone() }, "value"),
            (Cookie { value: "x\r\nSet-Cookie: y".into(), ..good.clone() }, "value"),
            (Cookie { domain: "example.com/x".into(), ..good.clone() }, "domain"),
            (Cookie { path: "x".into(), ..good.clone() }, "path"),
        ] {
            assert!(cookie.check().is_err_and(|error| error.contains(field)), "{cookie:?}");
        }
    }
}
