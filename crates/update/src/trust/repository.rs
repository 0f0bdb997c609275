//! Where metadata and targets come from: the one seam between the client and the network.

use super::names::as_address;
use crate::Error;
use crate::engine::Surroundings;
use crate::engine::fetch::Remote;
use std::future::Future;
use std::pin::Pin;

/// A file being fetched; `None` when the repository has none of that name.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, Error>> + Send + 'a>>;

/// A repository as a client reads it. Nothing it gives is believed; it only has to keep to the sizes.
pub trait Repository: Send + Sync {
    /// A metadata file by its name below the folder of metadata, escaped already; at most `bytes_max` bytes.
    fn metadata<'a>(&'a self, file: &'a str, bytes_max: u64) -> Fetching<'a>;

    /// A target by its path below the folder of targets, as metadata spell it; at most `bytes_max` bytes.
    fn target<'a>(&'a self, path: &'a str, bytes_max: u64) -> Fetching<'a>;
}

/// A repository whose metadata and targets have addresses of their own. Fetches with the engine's own code: tries again, is
/// bounded in time and size, takes proxies from the system.
#[derive(Debug)]
pub struct Web {
    metadata: Remote,
    targets: Option<Remote>,
}

impl Web {
    /// The repository with metadata below one address and targets below another (`http://`, `https://` or `file://`).
    /// Without the second one there are no targets.
    ///
    /// # Errors
    /// [`Error::Network`] for an address of another kind.
    pub fn new(metadata_url: &str, targets_url: Option<&str>) -> Result<Self, Error> {
        let remote = |url| Surroundings::of_this_machine(url).map(|surroundings| Remote::new(&surroundings));
        Ok(Self { metadata: remote(metadata_url)?, targets: targets_url.map(remote).transpose()? })
    }
}

impl Repository for Web {
    fn metadata<'a>(&'a self, file: &'a str, bytes_max: u64) -> Fetching<'a> {
        Box::pin(self.metadata.small(file, bytes_max))
    }

    fn target<'a>(&'a self, path: &'a str, bytes_max: u64) -> Fetching<'a> {
        Box::pin(async move {
            let Some(targets) = &self.targets else { return Ok(None) };
            as_address(path)?;
            targets.small(path, bytes_max).await
        })
    }
}
