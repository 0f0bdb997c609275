//! The repository's files: which paths exist, entity tags, ranges, caching.

use crate::{Shared, refuse};
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// Files whose tag is remembered.
const TAGS_MAX: usize = 100_000;

/// What a file of the repository is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `blobs/<sha256>.zst`
    Blob,
    /// `targets/releases/<sha256>.<channel>.json`, or the same as tough asks for it,
    /// `targets/<sha256>.releases/<channel>.json`; for barriers with `<channel>.<sequence>`, for releases in waves with
    /// `<channel>.wave-<sequence>`. The shares of those: `rollouts` in place of `releases`
    Target,
    /// `metadata/N.<role>.json`
    Versioned,
    /// `metadata/timestamp.json`, the only file that ever changes.
    Timestamp,
}

/// Sorts a request path; `None` for everything a repository does not hold.
pub fn kind(path: &str) -> Option<Kind> {
    let hash = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let word = |text: &str| {
        !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let number = |text: &str| !text.is_empty() && text.len() < 20 && text.bytes().all(|b| b.is_ascii_digit());
    let release = |name: &str| match name.split_once('.') {
        Some((channel, sequence)) => {
            word(channel) && number(sequence.strip_prefix("wave-").unwrap_or(sequence))
        }
        None => word(name),
    };
    let mut parts = path.strip_prefix('/')?.split('/');
    match (parts.next()?, parts.next()?, parts.next(), parts.next()) {
        ("blobs", name, None, None) => hash(name.strip_suffix(".zst")?).then_some(Kind::Blob),
        ("targets", "releases", Some(name), None) => {
            let (sha256, channel) = name.strip_suffix(".json")?.split_once('.')?;
            (hash(sha256) && release(channel)).then_some(Kind::Target)
        }
        ("targets", "rollouts", Some(name), None) => {
            let (sha256, channel) = name.strip_suffix(".json")?.split_once('.')?;
            (hash(sha256) && word(channel)).then_some(Kind::Target)
        }
        ("targets", folder, Some(name), None) => {
            let ((sha256, folder), channel) = (folder.split_once('.')?, name.strip_suffix(".json")?);
            let named = folder == "releases" && release(channel) || folder == "rollouts" && word(channel);
            (hash(sha256) && named).then_some(Kind::Target)
        }
        ("metadata", "timestamp.json", None, None) => Some(Kind::Timestamp),
        ("metadata", name, None, None) => {
            let (version, role) = name.strip_suffix(".json")?.split_once('.')?;
            let known = matches!(role, "root" | "targets" | "snapshot" | "rollout")
                || role.strip_prefix("channel-").is_some_and(word);
            (number(version) && known).then_some(Kind::Versioned)
        }
        _ => None,
    }
}

/// The file a path names, if nothing leads it out of the repository.
pub async fn locate(shared: &Shared, path: &str) -> Option<PathBuf> {
    kind(path)?;
    let file = tokio::fs::canonicalize(shared.root.join(path.trim_start_matches('/'))).await.ok()?;
    file.starts_with(&shared.root).then_some(file)
}

/// Entity tags: the SHA-256 of the content, remembered while length and time of the file stay.
#[derive(Default)]
pub struct Tags(Mutex<HashMap<PathBuf, (SystemTime, u64, String)>>);

impl Tags {
    /// The tag of a file, without quotes.
    pub async fn of(&self, path: &Path) -> std::io::Result<String> {
        let metadata = tokio::fs::metadata(path).await?;
        let (time, length) = (metadata.modified()?, metadata.len());
        {
            let tags = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((known_time, known_length, tag)) = tags.get(path)
                && (*known_time, *known_length) == (time, length)
            {
                return Ok(tag.clone());
            }
        }
        let owned = path.to_owned();
        let tag = tokio::task::spawn_blocking(move || {
            let mut hasher = Sha256::new();
            std::io::copy(&mut std::fs::File::open(owned)?, &mut hasher)?;
            std::io::Result::Ok(hex(&hasher.finalize()))
        })
        .await
        .map_err(std::io::Error::other)??;
        // A file written within the last moments may change again without its time changing.
        if time.elapsed().is_ok_and(|age| age.as_secs() >= 2) {
            let mut tags = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if tags.len() >= TAGS_MAX {
                tags.clear();
            }
            tags.insert(path.to_owned(), (time, length, tag.clone()));
        }
        Ok(tag)
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Answers GET and HEAD.
pub async fn serve(shared: &Shared, path: &str, head: bool, headers: &HeaderMap) -> Response {
    let (Some(kind), Some(file)) = (kind(path), locate(shared, path).await) else {
        return refuse(StatusCode::NOT_FOUND, "no such file");
    };
    read(shared, kind, &file, head, headers)
        .await
        .unwrap_or_else(|_| refuse(StatusCode::NOT_FOUND, "no such file"))
}

async fn read(
    shared: &Shared,
    kind: Kind,
    path: &Path,
    head: bool,
    headers: &HeaderMap,
) -> std::io::Result<Response> {
    let tag = format!("\"{}\"", shared.tags.of(path).await?);
    let mut file = tokio::fs::File::open(path).await?;
    let length = file.metadata().await?.len();
    let media = if kind == Kind::Blob { "application/zstd" } else { "application/json" };
    let caching = match kind {
        Kind::Timestamp => "no-cache",
        _ => "public, max-age=31536000, immutable",
    };
    let answer = Response::builder()
        .header(header::ETAG, &tag)
        .header(header::CACHE_CONTROL, caching)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_TYPE, media)
        .header("x-content-type-options", "nosniff");
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let known = text(header::IF_NONE_MATCH);
    if known.is_some_and(|known| {
        known.split(',').any(|known| matches!(known.trim(), "*" | "W/*") || known.trim() == tag)
    }) {
        return answer.status(StatusCode::NOT_MODIFIED).body(Body::empty()).map_err(std::io::Error::other);
    }
    let fresh = text(header::IF_RANGE).is_none_or(|known| known == tag);
    let wanted = text(header::RANGE).filter(|_| fresh).map_or(Range::Whole, |range| parse(range, length));
    let (answer, start, count) = match wanted {
        Range::Whole => (answer, 0, length),
        Range::Part(start, end) => {
            let place = format!("bytes {start}-{end}/{length}");
            (
                answer.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, place),
                start,
                end + 1 - start,
            )
        }
        Range::Outside => {
            let answer = answer.status(StatusCode::RANGE_NOT_SATISFIABLE);
            let answer = answer.header(header::CONTENT_RANGE, format!("bytes */{length}"));
            return answer.body(Body::empty()).map_err(std::io::Error::other);
        }
    };
    let body = if head {
        Body::empty()
    } else {
        file.seek(std::io::SeekFrom::Start(start)).await?;
        Body::from_stream(tokio_util::io::ReaderStream::with_capacity(file.take(count), 64 << 10))
    };
    answer.header(header::CONTENT_LENGTH, count).body(body).map_err(std::io::Error::other)
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// No range, or one we need not honour (several ranges, another unit).
    Whole,
    /// First and last byte.
    Part(u64, u64),
    /// Nothing of it exists.
    Outside,
}

fn parse(text: &str, length: u64) -> Range {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-'))
    else {
        return Range::Whole;
    };
    let number = |text: &str| text.parse::<u64>().ok();
    match (first, last) {
        ("", last) => match number(last) {
            Some(0) => Range::Outside,
            Some(count) if length > 0 => Range::Part(length.saturating_sub(count), length - 1),
            Some(_) => Range::Outside,
            None => Range::Whole,
        },
        (first, last) => {
            let (Some(first), Some(last)) =
                (number(first), if last.is_empty() { Some(u64::MAX) } else { number(last) })
            else {
                return Range::Whole;
            };
            if last < first {
                Range::Whole
            } else if first >= length {
                Range::Outside
            } else {
                Range::Part(first, last.min(length - 1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_paths_of_a_repository_exist() {
        let hash = "a".repeat(64);
        assert_eq!(kind(&format!("/blobs/{hash}.zst")), Some(Kind::Blob));
        assert_eq!(kind(&format!("/targets/releases/{hash}.stable.json")), Some(Kind::Target));
        assert_eq!(kind(&format!("/targets/{hash}.releases/stable.json")), Some(Kind::Target));
        assert_eq!(kind(&format!("/targets/releases/{hash}.stable.7.json")), Some(Kind::Target));
        assert_eq!(kind(&format!("/targets/{hash}.releases/stable.7.json")), Some(Kind::Target));
        assert_eq!(kind(&format!("/targets/releases/{hash}.stable.wave-7.json")), Some(Kind::Target));
        assert_eq!(kind(&format!("/targets/{hash}.releases/stable.wave-7.json")), Some(Kind::Target));
        assert_eq!(kind(&format!("/targets/rollouts/{hash}.stable.json")), Some(Kind::Target));
        assert_eq!(kind(&format!("/targets/{hash}.rollouts/stable.json")), Some(Kind::Target));
        assert_eq!(kind("/metadata/2.rollout.json"), Some(Kind::Versioned));
        assert_eq!(kind("/metadata/12.snapshot.json"), Some(Kind::Versioned));
        assert_eq!(kind("/metadata/3.channel-beta.json"), Some(Kind::Versioned));
        assert_eq!(kind("/metadata/timestamp.json"), Some(Kind::Timestamp));
        for bad in [
            "/",
            "",
            "/metadata",
            "/metadata/",
            "/metadata/..",
            "/metadata/../keys/root.key",
            "/metadata/1.root.json/",
            "/metadata/1.evil.json",
            "/metadata/1.channel-.json",
            "/metadata/1.channel-a.b.json",
            "/metadata/channel-beta.json",
            "//metadata/timestamp.json",
            "/metadata//timestamp.json",
            "/metadata/%2e%2e",
            "/.publish.lock",
            "/blobs/x.zst",
            "/targets/releases/x.stable.json",
            "/targets/x.releases/stable.json",
            "/targets/releases/stable.json",
            "/targets/rollouts/x.stable.json",
            "/targets/x.rollouts/stable.json",
        ] {
            assert_eq!(kind(bad), None, "{bad}");
        }
    }

    #[test]
    fn ranges_are_cut_to_the_file_and_nonsense_gets_the_whole() {
        assert_eq!(parse("bytes=0-3", 10), Range::Part(0, 3));
        assert_eq!(parse("bytes=5-", 10), Range::Part(5, 9));
        assert_eq!(parse("bytes=-3", 10), Range::Part(7, 9));
        assert_eq!(parse("bytes=-30", 10), Range::Part(0, 9));
        assert_eq!(parse("bytes=8-100", 10), Range::Part(8, 9));
        assert_eq!(parse("bytes=10-", 10), Range::Outside);
        assert_eq!(parse("bytes=-0", 10), Range::Outside);
        assert_eq!(parse("bytes=0-", 0), Range::Outside);
        for whole in ["bytes=3-1", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "bytes=", "bytes=--1"] {
            assert_eq!(parse(whole, 10), Range::Whole, "{whole}");
        }
    }
}
