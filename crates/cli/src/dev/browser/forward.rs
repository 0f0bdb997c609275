//! What a bundler's dev server has to say, handed on: its files, and the sockets of hot module replacement.
//!
//! A dev server takes a connection that comes from a host or an origin it does not know for an attack: both are put as if
//! the browser had come to it directly. Its token in the query and its `Sec-WebSocket-Protocol` are kept.

use super::door::Door;
use super::plain;
use super::start_script::with_script;
use anyhow::{Context, Result, bail};
use axum::body::Body;
use axum::http::uri::{Authority, Scheme, Uri};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use staysail_protocol::limits::FRAME_BODY_BYTES_MAX;

/// Seconds after which a browser asks again for a page that the dev server did not give.
const AGAIN_S: u64 = 2;

/// Headers that belong to one connection (RFC 9110, 7.6.1).
const OF_ONE_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
];

/// The bundler's dev server.
pub struct DevServer {
    url: String,
    authority: Authority,
    origin: String,
    path: String,
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

impl DevServer {
    /// The one at this address.
    pub fn at(url: &str) -> Result<Self> {
        let uri: Uri = match url.parse() {
            Ok(uri) => uri,
            Err(error) => bail!("frontend.dev.url in staysail.toml is no address: {url}: {error}"),
        };
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            bail!("frontend.dev.url in staysail.toml is no whole address: {url}");
        };
        if *scheme != Scheme::HTTP && !(*scheme == Scheme::HTTPS && is_of_this_machine(authority.host())) {
            bail!(
                "browsers can not be handed what a dev server elsewhere says over TLS: {url}.\n  Let it run on this machine, or speak plain HTTP; the app's window shows it all the same."
            );
        }
        let connector = super::certificate::connector().context("TLS to the dev server")?;
        Ok(Self {
            url: url.to_string(),
            authority: authority.clone(),
            origin: format!("{scheme}://{authority}"),
            path: uri.path().to_string(),
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// Path of the page.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Hands a request on and brings what comes back.
    pub async fn forward(&self, door: &Door, mut request: Request<Body>) -> Response<Body> {
        let upgrade = request.headers().get(header::UPGRADE).cloned();
        let to_browser = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        let (mut parts, body) = request.into_parts();
        let is_get = parts.method == Method::GET;
        let wanted = parts.uri.path_and_query().map_or("/", |wanted| wanted.as_str());
        let Ok(uri) = format!("{}{wanted}", self.origin).parse() else {
            return plain(StatusCode::BAD_REQUEST, "unreadable path");
        };
        parts.uri = uri;
        self.rewrite(&mut parts.headers, &door.cookie());
        keep_upgrade(&mut parts.headers, upgrade.as_ref());
        let mut answer = match self.client.request(Request::from_parts(parts, body)).await {
            Ok(answer) => answer,
            Err(_) => {
                let text = format!(
                    "The dev server does not answer at {}. This page is loaded again when it does.",
                    self.url
                );
                let mut answer = plain(StatusCode::BAD_GATEWAY, &text);
                if is_get {
                    answer.headers_mut().insert(header::REFRESH, AGAIN_S.into());
                }
                return answer;
            }
        };
        let upgraded = answer.headers().get(header::UPGRADE).cloned();
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let Some(to_browser) = to_browser else {
                return plain(StatusCode::BAD_GATEWAY, "the dev server wants another protocol");
            };
            let to_server = hyper::upgrade::on(&mut answer);
            tokio::spawn(async move {
                let (Ok(browser), Ok(server)) = tokio::join!(to_browser, to_server) else { return };
                let (mut browser, mut server) = (TokioIo::new(browser), TokioIo::new(server));
                // Whichever ends first ends both.
                let _ = tokio::io::copy_bidirectional(&mut browser, &mut server).await;
            });
        }
        let (mut parts, body) = answer.into_parts();
        let is_switch = parts.status == StatusCode::SWITCHING_PROTOCOLS;
        for name in &OF_ONE_CONNECTION {
            parts.headers.remove(name);
        }
        keep_upgrade(&mut parts.headers, upgraded.as_ref().filter(|_| is_switch));
        self.relocate(&mut parts.headers);
        if is_switch {
            return Response::from_parts(parts, Body::empty());
        }
        let is_html = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let is_plain = !parts.headers.contains_key(header::CONTENT_ENCODING);
        if !(is_get && is_html && is_plain && parts.status != StatusCode::NOT_MODIFIED) {
            return Response::from_parts(parts, Body::new(body));
        }
        match axum::body::to_bytes(Body::new(body), FRAME_BODY_BYTES_MAX).await {
            Ok(html) => {
                parts.headers.remove(header::CONTENT_LENGTH);
                Response::from_parts(parts, Body::from(with_script(html.to_vec())))
            }
            Err(error) => {
                plain(StatusCode::BAD_GATEWAY, &format!("the dev server's page broke off: {error}"))
            }
        }
    }

    /// As if the browser had come to the dev server itself; our cookie is none of its business.
    fn rewrite(&self, headers: &mut HeaderMap, cookie: &str) {
        for name in &OF_ONE_CONNECTION {
            headers.remove(name);
        }
        if let Ok(host) = HeaderValue::from_str(self.authority.as_str()) {
            headers.insert(header::HOST, host);
        }
        if headers.contains_key(header::ORIGIN)
            && let Ok(origin) = HeaderValue::from_str(&self.origin)
        {
            headers.insert(header::ORIGIN, origin);
        }
        headers.remove(header::REFERER);
        // A script is put into its HTML.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let jar: Vec<String> = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .map(str::trim)
            .filter(|pair| pair.split_once('=').is_none_or(|(name, _)| name != cookie))
            .map(str::to_owned)
            .collect();
        headers.remove(header::COOKIE);
        if let Ok(jar) = HeaderValue::from_str(&jar.join("; "))
            && !jar.is_empty()
        {
            headers.insert(header::COOKIE, jar);
        }
    }

    /// A way to the dev server itself leads here.
    fn relocate(&self, headers: &mut HeaderMap) {
        let to = headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
        if let Some(path) = to.and_then(|to| to.strip_prefix(&self.origin))
            && path.starts_with('/')
            && let Ok(path) = HeaderValue::from_str(path)
        {
            headers.insert(header::LOCATION, path);
        }
    }
}

fn is_of_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn keep_upgrade(headers: &mut HeaderMap, upgrade: Option<&HeaderValue>) {
    headers.remove(header::UPGRADE);
    if let Some(upgrade) = upgrade {
        headers.insert(header::UPGRADE, upgrade.clone());
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dev_server_sees_its_own_host_and_origin_and_not_our_cookie() {
        let server = DevServer::at("http://localhost:5173/app/").unwrap();
        assert_eq!(server.path(), "/app/");
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "127.0.0.1:4000"),
            ("origin", "http://127.0.0.1:4000"),
            ("cookie", "a=1; staysail-4000=secret; b=2"),
            ("connection", "keep-alive"),
            ("sec-websocket-protocol", "vite-hmr"),
        ] {
            headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        server.rewrite(&mut headers, "staysail-4000");
        assert_eq!(headers["host"], "localhost:5173");
        assert_eq!(headers["origin"], "http://localhost:5173");
        assert_eq!(headers["cookie"], "a=1; b=2");
        assert_eq!(headers["sec-websocket-protocol"], "vite-hmr");
        assert!(!headers.contains_key("connection"));
        let mut answer =
            HeaderMap::from_iter([(header::LOCATION, "http://localhost:5173/app/x".parse().unwrap())]);
        server.relocate(&mut answer);
        assert_eq!(answer["location"], "/app/x");
        let mut foreign =
            HeaderMap::from_iter([(header::LOCATION, "http://localhost:51730/x".parse().unwrap())]);
        server.relocate(&mut foreign);
        assert_eq!(foreign["location"], "http://localhost:51730/x");
    }

    #[test]
    fn an_address_that_can_not_be_handed_on_is_named() {
        for url in ["https://localhost:5173/", "https://127.0.0.1:1", "https://[::1]:1", "http://dev.example"]
        {
            assert!(DevServer::at(url).is_ok(), "{url}");
        }
        for (url, why) in [
            ("https://dev.example:5173", "over TLS"),
            ("https://localhost.dev.example", "over TLS"),
            ("localhost", "whole address"),
            ("http://[", "no address"),
        ] {
            let error = DevServer::at(url).err().unwrap().to_string();
            assert!(error.contains(why) && error.contains(url), "{error}");
        }
    }
}
