//! Which certificates are accepted that no authority signed: those of the dev server on this machine, while developing.
//!
//! Dev servers with HTTPS sign their own certificate. It is accepted for the very origin that `staysail dev` named, and only
//! when that is an address of the machine itself: nobody is in between. An app that is shipped knows no dev server.

use crate::shell::{Shell, origin_of};

/// The host whose certificate is accepted for `address`; `None` when its errors stand.
pub fn trusted_host(shell: &Shell, address: &str) -> Option<String> {
    host_of(shell.facts().dev_url.as_deref()?, address)
}

fn host_of(dev_url: &str, address: &str) -> Option<String> {
    let origin = origin_of(dev_url)?;
    let authority = origin.strip_prefix("https://")?;
    if origin_of(address)? != origin {
        return None;
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    let by_name = host == "localhost" || host.ends_with(".localhost");
    let by_number = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    (by_name || by_number).then(|| host.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dev_servers_own_origin_on_this_machine_is_trusted() {
        let dev = "https://localhost:5173/";
        assert_eq!(host_of(dev, "https://localhost:5173/src/main.js"), Some("localhost".into()));
        assert_eq!(host_of("https://[::1]:5173", "https://[::1]:5173/"), Some("::1".into()));
        assert_eq!(host_of("https://127.0.0.2", "https://127.0.0.2:443/"), Some("127.0.0.2".into()));
        for (dev, address) in [
            (dev, "https://localhost:5174/"),
            (dev, "https://localhost.example.com:5173/"),
            (dev, "https://example.com/"),
            ("http://localhost:5173", "https://localhost:5173/"),
            ("https://192.168.1.5:5173", "https://192.168.1.5:5173/"),
            ("https://dev.example.com", "https://dev.example.com/"),
            ("https://localhost.example.com:1", "https://localhost.example.com:1/"),
        ] {
            assert_eq!(host_of(dev, address), None, "{dev} {address}");
        }
    }
}
