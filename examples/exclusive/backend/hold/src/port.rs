//! A port of this machine at which other programs read the entries: `curl http://127.0.0.1:4717`.

use crate::Database;
use staysail::{AppHandle, Exclusive};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A request has arrived within this time, or is not answered. Below what a release may take.
const REQUEST_TIME: Duration = Duration::from_secs(1);
/// More of a request is not read.
const REQUEST_BYTES_MAX: u64 = 8_192;

/// The port, and the thread that answers there.
pub struct Port {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    answering: JoinHandle<()>,
}

impl Exclusive for Port {
    const NAME: &'static str = "port";
    type Error = io::Error;

    fn acquire(app: &AppHandle) -> io::Result<Self> {
        let app = app.clone();
        let port = app.constant("port").unwrap_or(4717);
        Self::listen(port, move || match app.held::<Database>() {
            Some(database) => database.entries().map(|entries| {
                entries.iter().map(|entry| format!("{}: {}\n", entry.name, entry.text)).collect()
            }),
            None => Err("the entries are with another backend; ask again".into()),
        })
    }

    /// The request that is being answered ends; then the port is free.
    fn release(self) -> io::Result<()> {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread, which waits for somebody to come.
        drop(TcpStream::connect(self.address));
        self.answering.join().map_err(|_| io::Error::other("the thread that answers panicked"))
    }
}

impl Port {
    fn listen(port: u16, entries: impl Fn() -> Result<String, String> + Send + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let (address, over) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let is_over = over.clone();
        let answering = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                // One that breaks off is no concern of the next.
                let _ = stream.and_then(|stream| answer(stream, address, &entries));
            }
        });
        Ok(Self { address, over, answering })
    }

    /// Where it is.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn answer(
    mut stream: TcpStream,
    address: SocketAddr,
    entries: &impl Fn() -> Result<String, String>,
) -> io::Result<()> {
    stream.set_read_timeout(Some(REQUEST_TIME))?;
    stream.set_write_timeout(Some(REQUEST_TIME))?;
    let head = BufReader::new((&stream).take(REQUEST_BYTES_MAX)).lines();
    let head: Vec<String> =
        head.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).collect::<Result<_, _>>()?;
    let (status, body) = if !head.first().is_some_and(|line| line.starts_with("GET / ")) {
        ("404 Not Found", "there is nothing but GET /\n".into())
    } else if !is_meant_for(&head, address) {
        ("403 Forbidden", "this is no web site\n".into())
    } else {
        match entries() {
            Ok(entries) => ("200 OK", entries),
            Err(reason) => ("503 Service Unavailable", format!("{reason}\n")),
        }
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A web page that has its own name lead to this machine must not read the entries: the name it asks for gives it away.
fn is_meant_for(head: &[String], address: SocketAddr) -> bool {
    let host = head.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    host.is_some_and(|host| host == address.to_string() || host == format!("localhost:{}", address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(port: &Port, request: &str) -> String {
        let mut stream = TcpStream::connect(port.address).unwrap();
        write!(stream, "{request}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn it_answers_whoever_means_it_and_nobody_else() {
        let port = Port::listen(0, || Ok("Ada: A fine ship\n".into())).unwrap();
        let host = port.address;
        assert!(
            ask(&port, &format!("GET / HTTP/1.1\r\nHost: {host}")).ends_with("\r\n\r\nAda: A fine ship\n")
        );
        assert!(ask(&port, "GET / HTTP/1.1\r\nHost: evil.example").starts_with("HTTP/1.1 403"));
        assert!(ask(&port, &format!("GET /more HTTP/1.1\r\nHost: {host}")).starts_with("HTTP/1.1 404"));
        port.release().unwrap();
    }

    #[test]
    fn when_it_is_released_the_next_one_has_it() {
        let first = Port::listen(0, || Ok("first".into())).unwrap();
        let number = first.address.port();
        assert!(Port::listen(number, || Ok("too early".into())).is_err());
        first.release().unwrap();
        let next = Port::listen(number, || Ok("next".into())).unwrap();
        assert!(ask(&next, &format!("GET / HTTP/1.1\r\nHost: localhost:{number}")).ends_with("next"));
        next.release().unwrap();
    }
}
