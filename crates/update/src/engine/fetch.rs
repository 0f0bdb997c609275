//! Getting bytes from a repository: over HTTP or from a folder, bounded in size and time, tried again, resumed.
//!
//! # Theory of operation
//! A blob under way lies in a file named by its hash; the next try asks for the rest by range. Nothing the server says is
//! believed: a range that is not the one asked for, more bytes than announced, a whole file where a part was asked for and
//! a captive portal's page all end in the same place, the hash. When bytes of several tries do not fit together, the
//! partial file goes and the blob is fetched once from its beginning.
//!
//! Several blobs are fetched at once, each into its own file. Only one of them at a time is held in memory whole (`Brought`),
//! so it takes no more memory than one after the other.

use super::network::{Answer, Network};
use super::rate::RateLimit;
use super::{Chance, Surroundings};
use crate::disk::Disk;
use crate::trust::{self, Fetching, Repository};
use crate::{Error, hash};
use staysail_protocol::limits;
use staysail_protocol::manifest::Blob;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// First pause between two tries; doubles.
pub const DOWNLOAD_BACKOFF_MS: u64 = 500;
/// A try that brought at least this much starts the count anew.
pub const DOWNLOAD_PROGRESS_BYTES_MIN: u64 = 64 << 10;

/// An error with all its causes: reqwest's own text stops at "error sending request".
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

/// A repository as a client reads it.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    network: Arc<dyn Network>,
    chance: Chance,
    backoff: Duration,
    rate: RateLimit,
    /// Files of a release that are fetched at once.
    at_once: usize,
    /// Whoever has the one place in it may hold a blob in memory.
    assembly: Arc<Semaphore>,
}

/// A blob that came, verified. Until it is dropped no other one is held in memory.
#[derive(Debug)]
pub(crate) struct Brought {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The right to hold it.
    pub only: Option<OwnedSemaphorePermit>,
}

/// Told of bytes that came, or with a number below zero, that were there and are no longer.
pub(crate) type Arrived<'a> = &'a (dyn Fn(i64) + Send + Sync);

/// Why a try failed.
enum Failure {
    /// Another try may help.
    Again(String),
    /// It would not.
    Final(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Again(text) => Self::Network(text),
            Failure::Final(error) => error,
        }
    }
}

/// Longest time for a whole transfer of so many bytes beside others, which have their part of what the line gives.
fn time_for(bytes: u64, at_once: usize) -> Duration {
    let share = (limits::DOWNLOAD_BYTES_PER_S_MIN / at_once as u64).max(1);
    Duration::from_secs(limits::DOWNLOAD_TIMEOUT_S * 3 + bytes / share)
}

fn too_slow(path: &str) -> Failure {
    Failure::Again(format!("{path}: too slow"))
}

impl Remote {
    /// The repository that lies behind a network.
    pub fn new(surroundings: &Surroundings) -> Self {
        Self {
            network: Arc::clone(&surroundings.network),
            chance: surroundings.chance,
            backoff: Duration::from_millis(DOWNLOAD_BACKOFF_MS),
            rate: surroundings.rate.clone(),
            at_once: limits::DOWNLOAD_PARALLEL_MAX,
            assembly: Arc::new(Semaphore::new(1)),
        }
    }

    /// The same, with so many files of a release fetched at once; as many as usual for 0.
    pub fn at_once(self, files: usize) -> Self {
        let usual = if files == 0 { limits::DOWNLOAD_PARALLEL_MAX } else { files };
        Self { at_once: usual.min(limits::DOWNLOAD_PARALLEL_CEILING), ..self }
    }

    /// How many files of a release are fetched at once. What is in a file at hand is read one after the other.
    pub fn files_at_once(&self) -> usize {
        if self.network.is_carried() { 1 } else { self.at_once }
    }

    /// The network itself.
    pub fn network(&self) -> &dyn Network {
        &*self.network
    }

    /// A whole small file of at most `max` bytes, with tries; `None` when there is none.
    pub async fn small(&self, path: &str, max: u64) -> Result<Option<Vec<u8>>, Error> {
        let mut attempt = 1;
        loop {
            let fetched = tokio::time::timeout(time_for(max, 1), self.small_once(path, max)).await;
            match fetched.unwrap_or_else(|_| Err(too_slow(path))) {
                Ok(bytes) => return Ok(bytes),
                Err(Failure::Again(_)) if attempt < limits::DOWNLOAD_ATTEMPTS_MAX => {
                    self.pause(attempt).await
                }
                Err(failure) => return Err(failure.into()),
            }
            attempt += 1;
        }
    }

    /// Whether the repository answers and has no such file.
    pub async fn lacks(&self, path: &str) -> bool {
        matches!(self.small(path, 1 << 20).await, Ok(None))
    }

    async fn pause(&self, attempt: u32) {
        let pause = self.backoff * 2_u32.saturating_pow(attempt - 1);
        tokio::time::sleep(pause + pause * u32::from((self.chance)()) / 512).await;
    }

    async fn small_once(&self, path: &str, max: u64) -> Result<Option<Vec<u8>>, Failure> {
        let Some(mut answer) = self.get(path, 0).await? else { return Ok(None) };
        let mut bytes = Vec::new();
        while let Some(piece) = piece(&mut answer, path).await? {
            if (bytes.len() + piece.len()) as u64 > max {
                return Err(Failure::Final(Error::Network(format!("{path} is longer than {max} bytes"))));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Some(bytes))
    }

    /// Sends the request for everything from `start` on; `None` when there is no such file.
    async fn get(&self, path: &str, start: u64) -> Result<Option<Answer>, Failure> {
        let answer = self.network.get(path, start).await.map_err(Failure::Again)?;
        let said = || format!("{}/{path}: the server answered {}", self.network.name(), answer.status);
        match answer.status {
            200 | 206 => Ok(Some(answer)),
            // Object stores say 403 for what they do not have; python-tuf reads it so, too.
            403 | 404 => Ok(None),
            408 | 425 | 429 | 500..=599 => Err(Failure::Again(said())),
            _ => Err(Failure::Final(Error::Network(said()))),
        }
    }

    /// A blob, verified. `progress` hears of each piece that arrived.
    pub async fn blob(
        &self,
        blob: &Blob,
        partial: &Path,
        disk: &dyn Disk,
        progress: Arrived<'_>,
    ) -> Result<Brought, Error> {
        let path = format!("blobs/{}.zst", blob.sha256);
        let (mut attempt, mut from_start) = (1, false);
        loop {
            let before = there(disk, partial);
            let failure = match self.rest(&path, blob, partial, disk, progress).await {
                Ok(()) => {
                    // It is never closed.
                    let only = Arc::clone(&self.assembly).acquire_owned().await.ok();
                    let bytes = disk
                        .read(partial, blob.size)
                        .map_err(Error::disk("reading", partial))?
                        .unwrap_or_default();
                    let found = hash::of(&bytes);
                    if found == blob.sha256 && bytes.len() as u64 == blob.size {
                        return Ok(Brought { bytes, only });
                    }
                    drop(only);
                    disk.remove(partial).map_err(Error::disk("removing", partial))?;
                    progress(-signed(blob.size));
                    let tampered =
                        Error::Tampered { what: path.clone(), expected: blob.sha256.clone(), found };
                    if before == 0 || from_start {
                        return Err(tampered);
                    }
                    // Pieces of several tries that do not fit together: once more, in one piece.
                    from_start = true;
                    continue;
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again(text)) => text,
            };
            if there(disk, partial).saturating_sub(before) >= DOWNLOAD_PROGRESS_BYTES_MIN {
                attempt = 1;
            } else if attempt >= limits::DOWNLOAD_ATTEMPTS_MAX {
                return Err(Error::Network(failure));
            } else {
                attempt += 1;
            }
            self.pause(attempt.max(2) - 1).await;
        }
    }

    /// Fetches what the partial file still lacks.
    async fn rest(
        &self,
        path: &str,
        blob: &Blob,
        partial: &Path,
        disk: &dyn Disk,
        progress: Arrived<'_>,
    ) -> Result<(), Failure> {
        let on_disk = |error| Failure::Final(Error::disk("writing", partial)(error));
        let give_up = |had: u64| {
            disk.remove(partial).map_err(on_disk)?;
            progress(-signed(had));
            Ok::<(), Failure>(())
        };
        let mut have = there(disk, partial);
        if have > blob.size {
            give_up(blob.size)?;
            have = 0;
        }
        if have == blob.size && have > 0 {
            return Ok(());
        }
        let missing = || Failure::Final(Error::NotThere(path.to_owned()));
        let mut until = Instant::now() + time_for(blob.size, self.at_once);
        let slow = |_| too_slow(path);
        let answer = timeout_at(until, self.get(path, have)).await.map_err(slow)?;
        let mut answer = answer?.ok_or_else(missing)?;
        if have > 0 && !continues(&answer, have, blob.size) {
            // The server sends something else than the rest: take it only if it is the whole.
            let whole = answer.status == 200;
            give_up(have)?;
            if !whole {
                return Err(Failure::Again(format!(
                    "{path}: the server sent another range than the one asked for"
                )));
            }
            have = 0;
        } else if have == 0 && answer.status != 200 {
            return Err(Failure::Again(format!(
                "{path}: the server sent a part where the whole was asked for"
            )));
        }
        while let Some(piece) = timeout_at(until, piece(&mut answer, path)).await.map_err(slow)?? {
            let came = piece.len() as u64;
            if have + came > blob.size {
                give_up(have)?;
                return Err(Failure::Final(Error::Network(format!(
                    "{path} is longer than {} bytes",
                    blob.size
                ))));
            }
            disk.append(partial, &piece).map_err(on_disk)?;
            have += came;
            progress(signed(came));
            drop(piece);
            // Time in which nothing may come is not the server's.
            until += self.rate.pay(came).await;
        }
        if have < blob.size {
            return Err(Failure::Again(format!("{path} broke off after {have} of {} bytes", blob.size)));
        }
        Ok(())
    }
}

async fn piece(answer: &mut Answer, path: &str) -> Result<Option<Vec<u8>>, Failure> {
    answer.body.piece().await.map_err(|error| Failure::Again(format!("{path}: {error}")))
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Bytes that are there of a blob under way.
pub(crate) fn there(disk: &dyn Disk, partial: &Path) -> u64 {
    disk.size(partial).ok().flatten().unwrap_or_default()
}

/// Whether the answer is the part of a file of `size` bytes that begins at `start`.
fn continues(answer: &Answer, start: u64, size: u64) -> bool {
    answer.status == 206 && answer.range == Some(format!("bytes {start}-{}/{size}", size - 1))
}

impl Repository for Remote {
    fn metadata<'a>(&'a self, file: &'a str, bytes_max: u64) -> Fetching<'a> {
        Box::pin(async move { self.small(&format!("metadata/{file}"), bytes_max).await })
    }

    fn target<'a>(&'a self, path: &'a str, bytes_max: u64) -> Fetching<'a> {
        Box::pin(async move {
            trust::as_address(path)?;
            self.small(&format!("targets/{path}"), bytes_max).await
        })
    }
}
