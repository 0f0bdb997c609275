//! `[webview]` of `staysail.toml`: how the webview itself is set up. Part of the signed configuration.

use crate::path::{FilePath, Style};
use serde::{Deserialize, Serialize};

/// How the webview is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebviewConfig {
    /// What pages send as `User-Agent`, whole; the webview's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// `http://host:port`, `socks5://host:port`, or `none`; the system's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Languages whose spelling is checked where the user writes, e.g. `en_GB`. None is checked when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spell_check: Vec<String>,
    /// Videos and sounds may begin by themselves.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub autoplay: bool,
    /// Folder of what the webview keeps (cookies, `localStorage`, caches): a path, or one that begins with a variable of
    /// [`crate::path::Variable`], such as `$CACHE/web`. Below the app's own folder when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
    /// What becomes of downloads.
    #[serde(skip_serializing_if = "is_default")]
    pub downloads: Downloads,
    /// Foreign origins, whole (`https://files.example.com`), of which pages may download.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub download_origins: Vec<String>,
}

fn is_default(downloads: &Downloads) -> bool {
    *downloads == Downloads::default()
}

/// What becomes of downloads that pages ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Downloads {
    /// They go into the user's download folder, under a free name.
    #[default]
    Folder,
    /// The app says where each one goes (`download.accept`).
    Ask,
    /// There are none.
    Deny,
}

/// Something in `[webview]` that can not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongSetting {
    /// The key.
    pub key: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What to write instead.
    pub remedy: &'static str,
}

/// A proxy, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proxy {
    /// Connect to every server directly.
    None,
    /// An HTTP proxy: host and port.
    Http(String, u16),
    /// A SOCKS 5 proxy: host and port.
    Socks5(String, u16),
}

impl WebviewConfig {
    /// Checks all values.
    ///
    /// # Errors
    /// Which key is wrong, and what to write.
    pub fn check(&self) -> Result<(), WrongSetting> {
        let wrong = |key, problem, remedy| Err(WrongSetting { key, problem, remedy });
        if let Some(agent) = &self.user_agent
            && (agent.trim().is_empty()
                || agent.len() > 512
                || agent.chars().any(|c| !(' '..='~').contains(&c)))
        {
            return wrong(
                "user_agent",
                format!("user_agent {agent:?} is no header value"),
                "Use 1 to 512 printable ASCII characters, such as \"Notes/1.0\".",
            );
        }
        if let Some(proxy) = &self.proxy
            && Proxy::parse(proxy).is_none()
        {
            return wrong(
                "proxy",
                format!("proxy {proxy:?} is no proxy's address"),
                "Use \"http://host:port\", \"socks5://host:port\" or \"none\"; leave it out for the system's.",
            );
        }
        if let Some(language) = self.spell_check.iter().find(|language| !is_language(language)) {
            return wrong(
                "spell_check",
                format!("spell_check names {language:?}, which is no language"),
                "Use codes such as \"en_GB\" or \"de\".",
            );
        }
        if let Some(storage) = &self.storage {
            // Which system reads it is not known here.
            let parsed = FilePath::parse(storage, Style::Unix);
            let parsed = parsed.or_else(|error| FilePath::parse(storage, Style::Windows).map_err(|_| error));
            let problem = match parsed {
                Ok(path) if path.names.is_empty() => {
                    Some("it would lie among what is not its own".to_owned())
                }
                Ok(_) => None,
                Err(error) => Some(error.to_string()),
            };
            if let Some(problem) = problem {
                return wrong(
                    "storage",
                    format!("storage {storage:?} is no folder for what the webview keeps: {problem}"),
                    "Use a folder of its own, such as \"$CACHE/web\"; leave it out for one beside the app's data.",
                );
            }
        }
        if let Some(origin) = self.download_origins.iter().find(|origin| !is_origin(origin)) {
            return wrong(
                "download_origins",
                format!("download_origins names {origin:?}, which is no whole origin"),
                "Use scheme and host, and a port if it is an unusual one, such as \"https://files.example.com\".",
            );
        }
        Ok(())
    }
}

impl Proxy {
    /// Reads `http://host:port`, `socks5://host:port` or `none`.
    ///
    /// ```
    /// use staysail_protocol::webview::Proxy;
    /// assert_eq!(Proxy::parse("http://[::1]:3128"), Some(Proxy::Http("[::1]".into(), 3128)));
    /// assert_eq!(Proxy::parse("proxy.example.com"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::None);
        }
        let (scheme, rest) = text.split_once("://")?;
        let (host, port) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port > 0)?;
        if !is_host(host) {
            return None;
        }
        match scheme {
            "http" => Some(Self::Http(host.into(), port)),
            "socks5" => Some(Self::Socks5(host.into(), port)),
            _ => None,
        }
    }
}

fn is_host(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match inner {
        Some(address) => {
            !address.is_empty() && address.chars().all(|c| c.is_ascii_hexdigit() || c == ':' || c == '.')
        }
        None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.'),
    }
}

/// `de`, `en_GB`, `sr_RS@latin` and the like.
fn is_language(text: &str) -> bool {
    let language = text.split(['_', '-', '@']).next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.chars().all(|c| c.is_ascii_lowercase())
        && text.len() <= 32
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-@.".contains(c))
}

fn is_origin(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    match rest.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !rest.ends_with(']')) {
        Some((host, port)) => is_host(host) && port.parse::<u16>().is_ok(),
        None => is_host(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_can_not_work_is_named_by_its_key() {
        let wrong = |config: WebviewConfig| config.check().err().map(|wrong| wrong.key);
        let some = |text: &str| Some(text.to_string());
        assert_eq!(wrong(WebviewConfig::default()), None);
        for good in ["http://proxy:3128", "socks5://127.0.0.1:9050/", "http://[::1]:80", "none"] {
            assert_eq!(wrong(WebviewConfig { proxy: some(good), ..Default::default() }), None, "{good}");
        }
        for bad in
            ["", "proxy:3128", "http://proxy", "http://a b:1", "http://x:0", "ftp://x:1", "http://u@x:1"]
        {
            assert_eq!(
                wrong(WebviewConfig { proxy: some(bad), ..Default::default() }),
                Some("proxy"),
                "{bad}"
            );
        }
        for bad in ["", " ", "Notes\r\nX: y", "Nötes"] {
            let config = WebviewConfig { user_agent: some(bad), ..Default::default() };
            assert_eq!(wrong(config), Some("user_agent"), "{bad:?}");
        }
        for (language, good) in
            [("en_GB", true), ("de", true), ("", false), ("English", false), ("../x", false)]
        {
            let config = WebviewConfig { spell_check: vec![language.into()], ..Default::default() };
            assert_eq!(wrong(config).is_none(), good, "{language}");
        }
        for (storage, good) in [
            ("$CACHE/web", true),
            ("/srv/kiosk/web", true),
            ("D:\\kiosk\\web", true),
            ("$HOME", false),
            ("/", false),
            ("web", false),
            ("$DATA/../x", false),
            ("$NOWHERE/web", false),
        ] {
            let config = WebviewConfig { storage: some(storage), ..Default::default() };
            assert_eq!(wrong(config).is_none(), good, "{storage}");
        }
        for (origin, good) in [
            ("https://files.example.com", true),
            ("http://127.0.0.1:8080", true),
            ("https://files.example.com/", false),
            ("https://*.example.com", false),
            ("files.example.com", false),
            ("https://a:b", false),
        ] {
            let config = WebviewConfig { download_origins: vec![origin.into()], ..Default::default() };
            assert_eq!(wrong(config).is_none(), good, "{origin}");
        }
    }
}
