//! A small W3C WebDriver client over HTTP/1.1, and the start of WebKitWebDriver.
//!
//! # Theory of operation
//! The program under test is started by the test with `WEBKIT_INSPECTOR_SERVER` naming a free port; its web
//! context allows automation (`STAYSAIL_AUTOMATION=1`). The driver is started with `--target` naming the same
//! port and attaches: so the program is started, signalled and ended by the test alone.

use crate::child::Program;
use crate::stage::Stage;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longest wait for one answer of the driver.
const ANSWER_PATIENCE: Duration = Duration::from_secs(40);
/// Longest run of a script that waits for something: floods of calls take minutes on a busy machine.
const SCRIPT_PATIENCE: Duration = Duration::from_secs(300);
/// Key under which WebDriver names an element (W3C WebDriver, section 12.2).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A session with the first web view of a shell.
pub struct Session {
    address: String,
    session: String,
    _driver: Program,
}

/// An element of the page.
#[derive(Debug, Clone)]
pub struct Element(String);

impl Session {
    /// Attaches to the program whose inspector listens, or will listen, on `port`.
    ///
    /// # Errors
    /// When no web view can be driven within `patience`.
    pub fn attach(stage: &Stage, port: u16, patience: Duration) -> anyhow::Result<Self> {
        let begun = Instant::now();
        crate::wait_until("the shell's inspector port", patience, || {
            TcpStream::connect(("127.0.0.1", port)).map(drop).map_err(|error| error.to_string())
        })?;
        let mut seen = None;
        // The driver answers "session not created" while the shell has no web view yet.
        while begun.elapsed() < patience {
            match Self::once(stage, port) {
                Ok(session) => return Ok(session),
                Err(error) => seen = Some(error),
            }
        }
        Err(seen.unwrap_or_else(|| anyhow::anyhow!("no time was left")).context("no WebDriver session"))
    }

    fn once(stage: &Stage, port: u16) -> anyhow::Result<Self> {
        let own = crate::free_port()?;
        let mut command: Command = stage.command(Path::new("WebKitWebDriver"));
        command.args([format!("--port={own}"), format!("--target=127.0.0.1:{port}")]);
        let driver = Program::start("WebKitWebDriver", command)?;
        let address = format!("127.0.0.1:{own}");
        crate::wait_until("WebKitWebDriver", Duration::from_secs(10), || {
            TcpStream::connect(&address).map(drop).map_err(|error| error.to_string())
        })?;
        let capabilities = json!({ "capabilities": { "alwaysMatch": {} } });
        let answer = request(&address, "POST", "/session", Some(&capabilities))?;
        let session = answer["sessionId"].as_str().context("the driver named no session")?.to_owned();
        let session = Self { address, session, _driver: driver };
        session.post(
            "/timeouts",
            &json!({ "script": SCRIPT_PATIENCE.as_millis() as u64, "pageLoad": 30_000, "implicit": 0 }),
        )?;
        Ok(session)
    }

    fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        request(&self.address, "POST", &format!("/session/{}{path}", self.session), Some(body))
    }

    fn get(&self, path: &str) -> anyhow::Result<Value> {
        request(&self.address, "GET", &format!("/session/{}{path}", self.session), None)
    }

    /// Runs `script` as a function's body in the page and returns what it returns.
    ///
    /// # Errors
    /// When it throws, or the page is gone.
    pub fn run(&self, script: &str, arguments: &[Value]) -> anyhow::Result<Value> {
        self.post("/execute/sync", &json!({ "script": script, "args": arguments }))
            .with_context(|| format!("running {script}"))
    }

    /// Runs `script` as an async function's body and returns what it resolves to.
    ///
    /// # Errors
    /// When it rejects, takes too long, or the page is gone.
    pub fn run_async(&self, script: &str, arguments: &[Value]) -> anyhow::Result<Value> {
        let wrapped = format!(
            "const done = arguments[arguments.length - 1]; \
             (async (...arguments_) => {{ {script} }})(...Array.prototype.slice.call(arguments, 0, -1)).then(\
             value => done({{ value: value === undefined ? null : value }}), \
             error => done({{ error: String(error && error.stack ? error + '\\n' + error.stack : error) }}));"
        );
        let path = format!("/session/{}/execute/async", self.session);
        let body = json!({ "script": wrapped, "args": arguments });
        let answer =
            request_within(SCRIPT_PATIENCE + ANSWER_PATIENCE, &self.address, "POST", &path, Some(&body))?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => bail!("{script}\nrejected: {error}"),
            None => Ok(answer["value"].clone()),
        }
    }

    /// What follows happens in this frame of the page.
    ///
    /// # Errors
    /// When it is none.
    pub fn enter_frame(&self, frame: &Element) -> anyhow::Result<()> {
        self.post("/frame", &json!({ "id": { ELEMENT: frame.0 } })).map(drop)
    }

    /// What follows happens in the page itself again.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn leave_frames(&self) -> anyhow::Result<()> {
        self.post("/frame", &json!({ "id": null })).map(drop)
    }

    /// The first element that matches a CSS selector.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, selector: &str) -> anyhow::Result<Element> {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector }))?;
        Ok(Element(found[ELEMENT].as_str().context("no element in the answer")?.to_owned()))
    }

    /// Types into an element.
    ///
    /// # Errors
    /// When it can not be typed into.
    pub fn send_keys(&self, element: &Element, text: &str) -> anyhow::Result<()> {
        self.post(&format!("/element/{}/value", element.0), &json!({ "text": text })).map(drop)
    }

    /// Clicks an element.
    ///
    /// # Errors
    /// When it can not be clicked.
    pub fn click(&self, element: &Element) -> anyhow::Result<()> {
        self.post(&format!("/element/{}/click", element.0), &json!({})).map(drop)
    }

    /// The text of an element as it is shown.
    ///
    /// # Errors
    /// When it is gone.
    pub fn text(&self, element: &Element) -> anyhow::Result<String> {
        let answer = self.get(&format!("/element/{}/text", element.0))?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// The page's title.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn title(&self) -> anyhow::Result<String> {
        Ok(self.get("/title")?.as_str().unwrap_or_default().to_owned())
    }

    /// A picture of the page, PNG in base64.
    ///
    /// # Errors
    /// When it can not be taken.
    pub fn screenshot(&self) -> anyhow::Result<String> {
        Ok(self.get("/screenshot")?.as_str().unwrap_or_default().to_owned())
    }
}

fn request(address: &str, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
    request_within(ANSWER_PATIENCE, address, method, path, body)
}

fn request_within(
    patience: Duration,
    address: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Value> {
    let text = body.map(Value::to_string).unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: \
         {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    let (status, answer) = exchange(address, &head, text.as_bytes(), patience)?;
    let answer: Value = serde_json::from_slice(&answer).context("the driver did not answer with JSON")?;
    let value = answer.get("value").cloned().unwrap_or(Value::Null);
    if status != 200 {
        bail!(
            "{method} {path}: {}: {}",
            value["error"].as_str().unwrap_or("?"),
            value["message"].as_str().unwrap_or("")
        );
    }
    Ok(value)
}

/// Sends one request and reads the whole answer: status and body.
///
/// # Errors
/// When the connection fails or is silent for `patience`.
pub fn exchange(
    address: &str,
    head: &str,
    body: &[u8],
    patience: Duration,
) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no HTTP status line")?;
    let mut length = None;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let mut bytes = Vec::new();
    match length {
        Some(length) => {
            bytes.resize(length, 0);
            reader.read_exact(&mut bytes)?;
        }
        None => {
            reader.read_to_end(&mut bytes)?;
        }
    }
    Ok((status, bytes))
}
