//! Where a repository lies: a folder, or a release server.

use crate::disk::{Disk, OsDisk};
use crate::{Error, disk};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for the connection to a release server.
pub const PUBLISH_CONNECT_TIMEOUT_S: u64 = 10;
/// A transfer to or from a release server that stands still this long has failed.
pub const PUBLISH_IDLE_TIMEOUT_S: u64 = 60;

/// A repository's files. Paths are relative and `/`-separated.
pub trait Place {
    /// A whole file; `None` when there is none.
    ///
    /// # Errors
    /// Disk, network, and files longer than `max`.
    fn read(&self, path: &str, max: u64) -> Result<Option<Vec<u8>>, Error>;

    /// Whether there is such a file, with its size.
    ///
    /// # Errors
    /// Disk, network.
    fn size(&self, path: &str) -> Result<Option<u64>, Error>;

    /// Whether the file holds exactly these bytes.
    ///
    /// # Errors
    /// Disk, network.
    fn holds(&self, path: &str, bytes: &[u8]) -> Result<bool, Error>;

    /// Puts a whole file in place, durably, or leaves what was there.
    ///
    /// # Errors
    /// Disk, network.
    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Error>;

    /// Replaces a file only if it still holds `old`.
    ///
    /// # Errors
    /// [`Error::Refused`] when somebody else changed it meanwhile.
    fn replace(&self, path: &str, old: Option<&[u8]>, bytes: &[u8]) -> Result<(), Error>;

    /// For messages.
    fn name(&self) -> String;
}

/// A repository in a folder. While this exists no other process publishes into it.
#[derive(Debug)]
pub struct Folder {
    folder: PathBuf,
    _lock: File,
}

impl Folder {
    /// Opens or creates the folder, and locks it.
    ///
    /// # Errors
    /// [`Error::Refused`] while another process publishes into it.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::disk("creating", folder))?;
        let path = folder.join(".publish.lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::disk("opening", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::Refused(format!(
                "another process is publishing into {}; nothing was changed. Wait until it is done",
                folder.display()
            ))),
            Err(TryLockError::Error(error)) => Err(Error::disk("locking", &path)(error)),
        }
    }
}

impl Place for Folder {
    fn read(&self, path: &str, max: u64) -> Result<Option<Vec<u8>>, Error> {
        let path = self.folder.join(path);
        disk::read(&path, max).map_err(Error::disk("reading", &path))
    }

    fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        let path = self.folder.join(path);
        match std::fs::metadata(&path) {
            Ok(found) => Ok(found.is_file().then_some(found.len())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::disk("reading", &path)(error)),
        }
    }

    fn holds(&self, path: &str, bytes: &[u8]) -> Result<bool, Error> {
        let same_size = self.size(path)? == Some(bytes.len() as u64);
        Ok(same_size && self.read(path, bytes.len() as u64)?.as_deref() == Some(bytes))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(path);
        OsDisk.write(&path, bytes, false).map_err(Error::disk("writing", &path))
    }

    fn replace(&self, path: &str, old: Option<&[u8]>, bytes: &[u8]) -> Result<(), Error> {
        if self.read(path, u64::MAX - 1)?.as_deref() != old {
            return Err(changed(path));
        }
        self.write(path, bytes)
    }

    fn name(&self) -> String {
        self.folder.display().to_string()
    }
}

fn changed(path: &str) -> Error {
    Error::Refused(format!(
        "{path} was changed by somebody else meanwhile; your release is not live. Publish again"
    ))
}

/// A repository behind a `staysail-server`, written with a bearer token.
pub struct Server {
    url: String,
    token: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Server {
    /// A server at `url`. Not to be used from within an async task: every method blocks.
    ///
    /// # Errors
    /// [`Error::Network`] when no client can be made.
    pub fn new(url: &str, token: &str) -> Result<Self, Error> {
        let client = crate::crypto::http_client()
            .connect_timeout(Duration::from_secs(PUBLISH_CONNECT_TIMEOUT_S))
            .read_timeout(Duration::from_secs(PUBLISH_IDLE_TIMEOUT_S))
            .build()
            .map_err(|error| Error::Network(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Network(error.to_string()))?;
        Ok(Self { url: url.trim_end_matches('/').to_owned(), token: token.to_owned(), client, runtime })
    }

    fn send(&self, request: reqwest::RequestBuilder, path: &str) -> Result<reqwest::Response, Error> {
        let failed =
            |error| Error::Network(format!("{}/{path}: {}", self.url, crate::engine::fetch::causes(&error)));
        self.runtime.block_on(async { request.send().await }).map_err(failed)
    }

    fn put(&self, path: &str, bytes: &[u8], condition: Option<(&str, String)>) -> Result<(), Error> {
        let mut request =
            self.client.put(format!("{}/{path}", self.url)).bearer_auth(&self.token).body(bytes.to_vec());
        if let Some((name, value)) = condition {
            request = request.header(name, value);
        }
        let response = self.send(request, path)?;
        match response.status().as_u16() {
            200..=299 => Ok(()),
            401 | 403 => Err(Error::Refused(format!(
                "{} refused the publish token; nothing is live. Check STAYSAIL_PUBLISH_TOKEN",
                self.url
            ))),
            409 | 412 => Err(changed(path)),
            status => {
                let text = self.runtime.block_on(response.text()).unwrap_or_default();
                let text: String = text.chars().take(300).collect();
                Err(Error::Network(format!("{}/{path}: the server answered {status}: {text}", self.url)))
            }
        }
    }
}

impl Place for Server {
    fn read(&self, path: &str, max: u64) -> Result<Option<Vec<u8>>, Error> {
        let request = self.client.get(format!("{}/{path}", self.url)).header("cache-control", "no-cache");
        let mut response = self.send(request, path)?;
        let failed = |what: String| Error::Network(format!("{}/{path}: {what}", self.url));
        match response.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            status => return Err(failed(format!("the server answered {status}"))),
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = self
            .runtime
            .block_on(response.chunk())
            .map_err(|error| failed(crate::engine::fetch::causes(&error)))?
        {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > max {
                return Err(failed(format!("longer than {max} bytes")));
            }
        }
        Ok(Some(bytes))
    }

    fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        let response = self.send(self.client.head(format!("{}/{path}", self.url)), path)?;
        let length =
            response.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
        match response.status().as_u16() {
            200 => Ok(length),
            404 => Ok(None),
            status => Err(Error::Network(format!("{}/{path}: the server answered {status}", self.url))),
        }
    }

    fn holds(&self, path: &str, bytes: &[u8]) -> Result<bool, Error> {
        // The server's entity tags are the SHA-256 of the content: nothing has to be downloaded.
        let response = self.send(self.client.head(format!("{}/{path}", self.url)), path)?;
        let tag = response.headers().get("etag").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(response.status() == 200 && tag == Some(format!("\"{}\"", crate::hash::of(bytes))))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        self.put(path, bytes, None)
    }

    fn replace(&self, path: &str, old: Option<&[u8]>, bytes: &[u8]) -> Result<(), Error> {
        let condition = match old {
            Some(old) => ("if-match", format!("\"{}\"", crate::hash::of(old))),
            None => ("if-none-match", "*".to_owned()),
        };
        self.put(path, bytes, Some(condition))
    }

    fn name(&self) -> String {
        self.url.clone()
    }
}
