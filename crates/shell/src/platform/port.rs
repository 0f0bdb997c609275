//! The shell's side of the port: the socket on which WebKitGTK's web processes hand requests in.
//!
//! What runs on the other side, and why, is told in `port/lib.rs`; what goes over the socket, in `port/wire.rs`. The
//! library is written once into a folder of the app's own, because WebKit loads it from a file. The socket has an
//! unguessable abstract name; only processes of the same user that know the token are heard.

// Tested here; only the library uses it.
#[cfg(test)]
#[path = "../../port/text.rs"]
mod text;
#[path = "../../port/wire.rs"]
mod wire;

use crate::bridge;
use crate::responder::{Reply, Responder};
use crate::shell::{Shell, origin_of};
use staysail_link::{Link, Parcel, Socket};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener as StdListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use wire::{Fault, Frame, Kind, Reader};

/// Compiled by `build.rs`.
const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libstaysail_port.so"));
/// Set to `off`, pages use script messages instead, and with `post` they post to the app's own scheme as on Windows and
/// macOS: to compare, and to find out whether a fault is the port's.
const VARIABLE: &str = "STAYSAIL_PORT";
/// A web process proves itself in its first bytes.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// What a web process needs to know.
pub struct Offer {
    /// Where the library lies, and nothing else.
    pub folder: PathBuf,
    /// Name of the socket and the token, for the library.
    pub address: String,
}

/// Whether the environment asks for this way of calls.
pub fn is_set_to(way: &str) -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == way)
}

/// Opens the socket and puts the library in place. `None`, with a line in the log, when that is not possible: pages
/// use script messages then.
pub fn offer(shell: &Arc<Shell>) -> Option<Offer> {
    if is_set_to("off") || is_set_to("post") {
        return None;
    }
    let facts = shell.facts();
    let storage = Path::new(&facts.data_dir).with_file_name("webview");
    let offered = put_library(&storage).and_then(|folder| Ok((folder, listen(shell)?)));
    match offered {
        Ok((folder, address)) => Some(Offer { folder, address }),
        Err(error) => {
            tracing::warn!(%error, "calls go the slower way, by script messages: the port could not be opened");
            None
        }
    }
}

/// Writes the library unless it lies there already, byte for byte.
fn put_library(storage: &Path) -> io::Result<PathBuf> {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(LIBRARY);
    let name: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    // A folder per version, for apps of different versions may run at once on the same data.
    let folder = storage.join("port").join(name);
    let path = folder.join("libstaysail_port.so");
    if std::fs::read(&path).is_ok_and(|bytes| bytes == LIBRARY) {
        return Ok(folder);
    }
    std::fs::create_dir_all(&folder)?;
    let mut file = tempfile_in(&folder)?;
    file.1.write_all(LIBRARY)?;
    std::fs::rename(&file.0, &path)?;
    Ok(folder)
}

/// A new file that WebKit, which loads what ends in `.so`, does not look at.
fn tempfile_in(folder: &Path) -> io::Result<(PathBuf, std::fs::File)> {
    let path = folder.join(format!("{}.new", crate::secret::token()));
    let file = std::fs::File::options().write(true).create_new(true).open(&path)?;
    Ok((path, file))
}

fn listen(shell: &Arc<Shell>) -> io::Result<String> {
    let (name, token) = (format!("staysail-{}", crate::secret::token()), crate::secret::token());
    let listener = StdListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    listener.set_nonblocking(true)?;
    let _inside = shell.runtime.enter();
    let listener = UnixListener::from_std(listener)?;
    let address = format!("{name} {token}");
    let shell = shell.clone();
    shell.runtime.clone().spawn(async move {
        // An error of accept concerns one connection, or passes: a web process that finds no port goes without.
        loop {
            match listener.accept().await {
                Ok((socket, _)) => drop(tokio::spawn(receive(shell.clone(), socket, token.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "a web process could not be heard");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(address)
}

/// Hears one web process to its end.
async fn receive(shell: Arc<Shell>, socket: UnixStream, token: String) {
    // SAFETY: getuid always succeeds.
    let own = unsafe { libc::getuid() };
    if !socket.peer_cred().is_ok_and(|peer| peer.uid() == own) {
        return tracing::warn!("another user's process tried to open a port; refused");
    }
    let Ok(socket) = socket.into_std().and_then(Socket::new).map(Arc::new) else { return };
    let mut reader = Reader::default();
    let hello = tokio::time::timeout(HELLO_TIMEOUT, next(&socket, &mut reader)).await;
    let proven = matches!(&hello, Ok(Ok(frame))
        if frame.kind == Kind::Hello && crate::secret::same(&token, &String::from_utf8_lossy(&frame.body)));
    if !proven {
        return tracing::warn!("a process without the token tried to open a port; refused");
    }
    // Not before: what writes holds the socket open until it is closed.
    let link = Link::writing(socket.clone());
    let mut ports = HashMap::new();
    let error = loop {
        match next(&socket, &mut reader).await {
            Ok(frame) => heed(&shell, &link, &mut ports, frame),
            Err(error) => break error,
        }
    };
    link.close();
    if error.kind() != io::ErrorKind::UnexpectedEof {
        tracing::warn!(%error, "the connection to a web process broke");
    }
}

/// One page load of one window.
struct Port {
    label: String,
    origin: String,
}

fn heed(shell: &Arc<Shell>, link: &Link, ports: &mut HashMap<u64, Port>, frame: Frame) {
    match frame.kind {
        Kind::Open => {
            let text = String::from_utf8_lossy(&frame.body);
            let (label, address) = text.split_once('\n').unwrap_or_default();
            // A page without an address is of no origin that may call.
            let origin = origin_of(address).unwrap_or_else(|| "null".into());
            // One window shows one page: what it showed before asks nothing more.
            ports.retain(|_, port| port.label != label);
            ports.insert(frame.port, Port { label: label.to_string(), origin });
        }
        Kind::Request => {
            let Some(port) = ports.get(&frame.port) else { return };
            let (link, number, ticket) = (link.clone(), frame.port, frame.ticket);
            let responder = Responder::new(move |reply| {
                let (start, body) = match reply {
                    Reply::Text { mark, rest } => {
                        let head = wire::head(Kind::Text, number, ticket, rest.len() + 1);
                        ([&head[..], &[mark]].concat(), rest)
                    }
                    Reply::Raw(bytes) => (wire::head(Kind::Raw, number, ticket, bytes.len()).to_vec(), bytes),
                };
                link.send_parcel(0, Parcel::new(start, body, 0));
            });
            bridge::handle(shell, &port.label, Some(&port.origin), frame.body, responder);
        }
        Kind::Hello | Kind::Text | Kind::Raw => {
            tracing::warn!(?frame.kind, "a web process sent what only the shell may")
        }
    }
}

/// The next frame.
async fn next(socket: &Socket, reader: &mut Reader) -> io::Result<Frame> {
    let mut next = |stream: &mut dyn Read| {
        let read = |into: &mut [u8]| loop {
            match stream.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                read => return read.map(Some),
            }
        };
        reader.next(read).map_err(|fault| match fault {
            Fault::Ended => io::ErrorKind::UnexpectedEof.into(),
            Fault::NoFrame => io::Error::new(io::ErrorKind::InvalidData, "what came begins like no frame"),
            Fault::Broken(error) => error,
        })
    };
    socket.read_with(|stream| next(stream)?.ok_or(io::ErrorKind::WouldBlock.into())).await
}
