//! `staysail dev --browser`: the same page in any browser, in as many tabs as wanted, with the running backend.
//!
//! # Theory of operation
//! An HTTP server on the loopback address serves the page: its files from the shell, with the policy and the types they
//! have in a window, or what the bundler's dev server says ([`forward`]). Into its HTML goes the start script
//! ([`start_script`]), which opens one WebSocket per tab (`socket`). What comes over it is handed to the shell under a number
//! ([`exchange`]), where a tab is a page like that of a window. So a swap, an overlay, a reload with state and an event
//! reach a tab as they reach a window.
//!
//! Who may come in is decided in [`door`], before anything else is looked at.

mod certificate;
mod door;
mod exchange;
mod forward;
mod page;
mod socket;
mod spoken;
mod start_script;
mod tabs;

pub use exchange::Exchange;

use anyhow::{Context, Result, bail};
use axum::body::Body;
use axum::extract::{FromRequestParts, State, WebSocketUpgrade};
use axum::http::{Method, Request, Response, StatusCode, header};
use clap::Args;
use door::{Door, Refusal};
use forward::DevServer;
use staysail_protocol::bridge::{API_PATH, UPDATE_NOTICE_PATH};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tabs::Tabs;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Paths of Staysail's own lie below this.
const OWN: &str = "/__staysail/";
/// Where a tab's socket is opened.
const SOCKET_PATH: &str = "/__staysail/socket";
/// The start script, built from packages/api.
const TAB_SCRIPT: &str = include_str!("../../../page/tab.js");

/// Flags of `staysail dev`.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// Serve the page to browsers, too, and open one; the backend works in every tab.
    #[arg(long)]
    pub browser: bool,
    /// Port for browsers [default: one that is free].
    #[arg(long, value_name = "PORT", requires = "browser")]
    pub browser_port: Option<u16>,
    /// Open no window: the page is in the browser alone, and no display is needed.
    #[arg(long, requires = "browser")]
    pub no_window: bool,
}

impl Flags {
    /// Whether no window is opened: because that is wanted, or because there is nowhere to.
    pub fn without_window(&self) -> bool {
        self.no_window || (self.browser && !has_display())
    }
}

/// Whether something can be shown on this machine, as far as that is known.
pub fn has_display() -> bool {
    let named = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(not(target_os = "linux")) || named("DISPLAY") || named("WAYLAND_DISPLAY")
}

/// The server, running.
pub struct Browser {
    runtime: Option<Runtime>,
    url: String,
}

/// What every request needs.
struct House {
    door: Door,
    exchange: Arc<Exchange>,
    tabs: Arc<Tabs>,
    dev_server: Option<DevServer>,
}

impl Browser {
    /// Begins to serve. `dev_url`: the address of a bundler's dev server, if there is one.
    pub fn start(port: Option<u16>, dev_url: Option<&str>, exchange: Arc<Exchange>) -> Result<Self> {
        let dev_server = dev_url.map(DevServer::at).transpose()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .thread_name("browser")
            .build()
            .context("the server for browsers has no threads")?;
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
        let listener = match runtime.block_on(TcpListener::bind(wanted)) {
            Ok(listener) => listener,
            Err(error) => bail!(
                "browsers can not be served at {wanted}: {error}.\n  Choose another port with --browser-port, or leave the flag out for one that is free."
            ),
        };
        let port = listener.local_addr().context("the port for browsers")?.port();
        let mut secret = [0; door::TOKEN_BYTES];
        getrandom::fill(&mut secret)
            .map_err(|error| anyhow::anyhow!("no token for browsers could be made: {error}"))?;
        let door = Door::new(port, secret);
        let url = door.address();
        let tabs = Tabs::new(exchange.clone());
        let house = Arc::new(House { door, exchange, tabs, dev_server });
        runtime.spawn(async move {
            let app = axum::Router::new().fallback(answer).with_state(house);
            if let Err(error) = axum::serve(listener, app).await {
                eprintln!("the server for browsers ended: {error}");
            }
        });
        Ok(Self { runtime: Some(runtime), url })
    }

    /// The address to open, with the token that lets a browser in.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Opens it in the user's browser, unless `BROWSER=none` or there is nothing to show it on.
    pub fn open(&self) {
        if std::env::var_os("BROWSER").is_none_or(|browser| browser != "none") && has_display() {
            let url = self.url.clone();
            // Where no browser is found the address is in the terminal.
            std::thread::spawn(move || drop(open::that_detached(url)));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer(State(house): State<Arc<House>>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_string();
    if path == door::OPEN_PATH {
        let to = house.dev_server.as_ref().map_or("/", DevServer::path);
        let opened = house.door.open(request.headers(), request.uri().query().unwrap_or_default());
        return opened.map_or_else(|refusal| refused(&refusal), |cookie| led_to(to, cookie));
    }
    if let Err(refusal) = house.door.check(request.headers()) {
        return refused(&refusal);
    }
    match path.as_str() {
        SOCKET_PATH => socket(house, request).await,
        start_script::PATH => Response::builder()
            .header(header::CONTENT_TYPE, "text/javascript; charset=utf-8")
            .header(header::CACHE_CONTROL, "no-store")
            .body(Body::from(TAB_SCRIPT))
            .unwrap_or_default(),
        API_PATH | UPDATE_NOTICE_PATH => page::from_shell(&house.exchange, page::wanted(&request)).await,
        own if own.starts_with(OWN) => plain(StatusCode::NOT_FOUND, "there is nothing here"),
        _ => match &house.dev_server {
            Some(server) => server.forward(&house.door, request).await,
            None => page::from_shell(&house.exchange, page::wanted(&request)).await,
        },
    }
}

async fn socket(house: Arc<House>, request: Request<Body>) -> Response<Body> {
    // A browser names the origin of every socket; what names none is no page (CVE-2025-24010).
    if !request.headers().contains_key(header::ORIGIN) {
        return plain(StatusCode::FORBIDDEN, "the origin is missing");
    }
    let query = request.uri().query().unwrap_or_default();
    let name = query.strip_prefix("tab=").unwrap_or_default().to_string();
    if request.method() != Method::GET || !spoken::is_name(&name) {
        return plain(StatusCode::BAD_REQUEST, "this is where pages open their socket");
    }
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => socket::open(upgrade, house.exchange.clone(), house.tabs.clone(), name),
        Err(rejection) => axum::response::IntoResponse::into_response(rejection),
    }
}

/// Leads to the page, now that the browser is let in.
fn led_to(page: &str, cookie: String) -> Response<Body> {
    Response::builder()
        .status(StatusCode::SEE_OTHER)
        .header(header::LOCATION, page)
        .header(header::SET_COOKIE, cookie)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::REFERRER_POLICY, "no-referrer")
        .body(Body::empty())
        .unwrap_or_default()
}

fn refused(refusal: &Refusal) -> Response<Body> {
    plain(
        StatusCode::FORBIDDEN,
        &format!(
            "{refusal}.\n\nOpen the address `staysail dev --browser` prints: it holds the token that lets a browser in.\n"
        ),
    )
}

/// A short plain answer.
fn plain(status: StatusCode, text: &str) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(Body::from(text.to_string()))
        .unwrap_or_default()
}
