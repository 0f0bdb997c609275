//! The one seam to the network.
//!
//! A [`Network`] answers requests for files of one repository. What is asked for again, how long is waited, and whether
//! an answer is believed is decided above it (`fetch`), the same for a server, a folder and a simulation.

use super::fetch::causes;
use crate::Error;
use crate::disk::{Disk, OsDisk};
use reqwest::redirect::{Action, Attempt, Policy};
use staysail_protocol::limits;
use std::fmt::Debug;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Redirects followed for one request.
pub const DOWNLOAD_REDIRECTS_MAX: usize = 5;

/// What a network does takes a while.
pub type NetworkFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// The head of an answer, and its body to be read piece by piece.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `content-range`, when part of a file was asked for.
    pub range: Option<String>,
    /// `content-type`.
    pub media: String,
    /// What follows.
    pub body: Box<dyn Body>,
}

/// The bytes of an answer.
pub trait Body: Send {
    /// The next piece; `None` at the end. An error is a sentence for people.
    fn piece(&mut self) -> NetworkFuture<'_, Option<Vec<u8>>>;
}

/// A repository's files as they come over a network. Errors are sentences for people, and another try may help.
pub trait Network: Debug + Send + Sync {
    /// Asks for a file (a relative, `/`-separated path), from its byte `start` on.
    fn get<'a>(&'a self, path: &'a str, start: u64) -> NetworkFuture<'a, Answer>;

    /// Asks for the stream of announcements; `None` when there never is one.
    fn announcements(&self) -> Option<NetworkFuture<'_, Answer>>;

    /// Whether it is a file that is here now and gone later: it holds the files of releases whole, those of asset groups are
    /// fetched with all others, and there are no patches in it.
    fn is_carried(&self) -> bool {
        false
    }

    /// A look begins. Where there are several ways to the repository, it begins with the first.
    fn begin(&self) {}

    /// What was had led to nothing. Where there are several ways, the next look begins with another one.
    fn leave(&self) {}

    /// Where it leads, for messages.
    fn name(&self) -> String;
}

/// The network that leads to `url`: `http://`, `https://` or `file://`.
///
/// # Errors
/// [`Error::Network`] for anything else.
pub fn connect(url: &str) -> Result<Arc<dyn Network>, Error> {
    let url = url.trim_end_matches('/');
    if let Some(folder) = url.strip_prefix("file://") {
        return Ok(Arc::new(Folder(PathBuf::from(folder))));
    }
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err(Error::Network(format!(
            "{url:?} is no address of a repository (https://, http://, file://)"
        )));
    }
    let client = |patience_s| {
        crate::crypto::http_client()
            .redirect(Policy::custom(redirect))
            .connect_timeout(Duration::from_secs(patience_s))
            .read_timeout(Duration::from_secs(patience_s))
            .build()
            .map_err(|error| Error::Network(causes(&error)))
    };
    Ok(Arc::new(Http {
        url: url.to_owned(),
        client: client(limits::DOWNLOAD_TIMEOUT_S)?,
        // The one for downloads gives up far too early for a connection that waits.
        waiting: client(super::notices::NOTICE_SILENCE_S)?,
    }))
}

/// Follows a few redirects, and none that gives up encryption.
fn redirect(attempt: Attempt<'_>) -> Action {
    match refused(attempt.previous(), attempt.url()) {
        Some(why) => attempt.error(why),
        None => attempt.follow(),
    }
}

/// Why the way that led through `before` does not go on to `next`.
fn refused(before: &[reqwest::Url], next: &reqwest::Url) -> Option<String> {
    if before.len() > DOWNLOAD_REDIRECTS_MAX {
        return Some(format!("more than {DOWNLOAD_REDIRECTS_MAX} redirects"));
    }
    let loses = next.scheme() != "https" && before.iter().any(|url| url.scheme() == "https");
    loses.then(|| "a redirect from https to an address without encryption".to_owned())
}

#[derive(Debug)]
struct Http {
    url: String,
    client: reqwest::Client,
    waiting: reqwest::Client,
}

impl Network for Http {
    fn get<'a>(&'a self, path: &'a str, start: u64) -> NetworkFuture<'a, Answer> {
        let path = match crate::trust::as_address(path) {
            Ok(path) => path,
            Err(error) => return Box::pin(std::future::ready(Err(error.to_string()))),
        };
        let mut request = self.client.get(format!("{}/{path}", self.url));
        if start > 0 {
            request = request.header("range", format!("bytes={start}-"));
        }
        Box::pin(send(request))
    }

    fn announcements(&self) -> Option<NetworkFuture<'_, Answer>> {
        let request = self.waiting.get(format!("{}/events", self.url)).header("accept", "text/event-stream");
        Some(Box::pin(send(request)))
    }

    fn name(&self) -> String {
        self.url.clone()
    }
}

async fn send(request: reqwest::RequestBuilder) -> Result<Answer, String> {
    let response = request.send().await.map_err(|error| causes(&error))?;
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    Ok(Answer {
        status: response.status().as_u16(),
        range: header("content-range"),
        media: header("content-type").unwrap_or_default(),
        body: Box::new(response),
    })
}

impl Body for reqwest::Response {
    fn piece(&mut self) -> NetworkFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            let piece = self.chunk().await.map_err(|error| causes(&error))?;
            Ok(piece.map(|piece| piece.to_vec()))
        })
    }
}

/// A repository in a folder of this machine: a USB stick, a network drive.
#[derive(Debug)]
struct Folder(PathBuf);

impl Network for Folder {
    fn get<'a>(&'a self, path: &'a str, start: u64) -> NetworkFuture<'a, Answer> {
        let file = self.0.join(path);
        read_apart(start, move || {
            let read = OsDisk.read(&file, crate::pack::FILE_BYTES_MAX);
            read.map_err(|error| format!("reading {}: {error}", file.display()))
        })
    }

    fn announcements(&self) -> Option<NetworkFuture<'_, Answer>> {
        None
    }

    fn name(&self) -> String {
        format!("file://{}", self.0.display())
    }
}

/// Answers from its byte `start` on with a file that `read` reads, on a thread where it holds nobody up.
pub(crate) fn read_apart<'a>(
    start: u64,
    read: impl FnOnce() -> Result<Option<Vec<u8>>, String> + Send + 'static,
) -> NetworkFuture<'a, Answer> {
    let (done, found) = tokio::sync::oneshot::channel();
    crate::store::apart(Box::new(move || drop(done.send(read()))));
    Box::pin(async move { Ok(answer(found.await.map_err(|error| error.to_string())??, start)) })
}

/// The answer of a server to a request for a file from its byte `start` on; `None` when it has none.
fn answer(found: Option<Vec<u8>>, start: u64) -> Answer {
    let size = found.as_ref().map_or(0, Vec::len);
    let whole = start == 0 || start >= size as u64;
    Answer {
        status: if found.is_none() {
            404
        } else if whole {
            200
        } else {
            206
        },
        range: (!whole).then(|| format!("bytes {start}-{}/{size}", size - 1)),
        media: String::new(),
        body: Box::new(Whole(found.map(|mut bytes| {
            bytes.drain(..if whole { 0 } else { start as usize });
            bytes
        }))),
    }
}

/// A body in one piece.
struct Whole(Option<Vec<u8>>);

impl Body for Whole {
    fn piece(&mut self) -> NetworkFuture<'_, Option<Vec<u8>>> {
        let piece = self.0.take();
        Box::pin(async { Ok(piece) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Sends whoever asks for `/N` on to `/N-1`, and serves `/0`.
    async fn server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let number = head.split([' ', '/']).find_map(|word| word.parse::<u32>().ok()).unwrap();
                let answer = match number {
                    0 => "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok".to_owned(),
                    _ => format!(
                        "HTTP/1.1 302 Found\r\nlocation: /{}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                        number - 1
                    ),
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn a_few_redirects_are_followed_and_no_more() {
        let network = connect(&server().await).unwrap();
        let most = DOWNLOAD_REDIRECTS_MAX.to_string();
        let mut answer = network.get(&most, 0).await.unwrap();
        assert_eq!(answer.body.piece().await.unwrap().unwrap(), b"ok");
        let refused = network.get(&(DOWNLOAD_REDIRECTS_MAX + 1).to_string(), 0).await.err().unwrap();
        assert!(refused.contains("redirects"), "{refused}");
    }

    #[test]
    fn encryption_is_never_given_up_on_the_way_however_long_that_is() {
        let url = |text: &str| reqwest::Url::parse(text).unwrap();
        let (plain, safe) = (url("http://a.example/x"), url("https://b.example/x"));
        for (before, next, follows) in [
            (vec![&plain], &safe, true),
            (vec![&safe], &safe, true),
            (vec![&plain], &plain, true),
            (vec![&safe], &plain, false),
            (vec![&safe, &safe], &plain, false),
            (vec![&plain, &safe], &plain, false),
        ] {
            let before: Vec<_> = before.into_iter().cloned().collect();
            assert_eq!(refused(&before, next).is_none(), follows, "{before:?} {next}");
        }
    }

    #[tokio::test]
    async fn a_folder_answers_like_a_server() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), b"0123456789").unwrap();
        let network = connect(&format!("file://{}", folder.path().display())).unwrap();
        for (start, status, range, body) in [
            (0, 200, None, Some(&b"0123456789"[..])),
            (4, 206, Some("bytes 4-9/10"), Some(b"456789")),
            // What is there already is more than there is: the whole is sent.
            (10, 200, None, Some(b"0123456789")),
        ] {
            let mut answer = network.get("a", start).await.unwrap();
            assert_eq!((answer.status, answer.range.as_deref()), (status, range), "{start}");
            assert_eq!(answer.body.piece().await.unwrap().as_deref(), body, "{start}");
        }
        assert_eq!(network.get("b", 0).await.unwrap().status, 404);
    }
}
