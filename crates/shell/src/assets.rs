//! The page's files over the app's own scheme: source, MIME types, ranges, ETag, history fallback, policy.
//!
//! **Invariant:** a file comes out of one source only, the folder of the project in development or a verified
//! release; there is no path by which a page could name another file of the disk.

use crate::content_policy::{DEFAULT_POLICY, with_inline};
use crate::inline_scripts;
use crate::requested::{Range, decode, parse_range};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use sha2::{Digest, Sha256};
use staysail_protocol::bridge::{API_PATH, UPDATE_NOTICE_PATH};
use staysail_protocol::limits::INLINE_HASHES_MAX;
use staysail_protocol::manifest::FileEntry;
use staysail_update::store::Release;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use tokio::sync::Notify;

/// Where the page's files come from.
#[derive(Clone)]
pub enum Source {
    /// A folder of the project, in development.
    Folder(PathBuf),
    /// A verified release. Every byte is checked against its manifest when it is read.
    Release(Release),
    /// A bundler's dev server serves the page; this scheme has nothing but Staysail's own paths.
    Nothing,
}

/// The client library for pages without a bundler.
const API: &str = include_str!("../page/api.js");
const UPDATE_NOTICE: &str = include_str!("../page/update-notice.js");

/// Serves the page's files.
pub struct Assets {
    source: RwLock<Source>,
    policy: RwLock<Option<String>>,
    exchanged: Arc<Notify>,
}

impl Default for Assets {
    fn default() -> Self {
        Self { source: RwLock::new(Source::Nothing), policy: RwLock::default(), exchanged: Arc::default() }
    }
}

/// A whole answer.
pub type Answer = Response<Vec<u8>>;

/// What a request for a file leads to.
pub enum Served {
    /// Its answer.
    Answer(Answer),
    /// A file of an asset group, which may have to be fetched ([`crate::asset_groups`]).
    OnDemand(Box<Wanted>),
}

/// A file of an asset group.
pub struct Wanted {
    /// The release that names it.
    pub release: Release,
    /// Its group.
    pub group: String,
    /// The file.
    pub entry: FileEntry,
}

impl Assets {
    /// Exchanges the source, for everything that is asked for from now on.
    pub fn set(&self, source: Source, policy: Option<String>) {
        *self.source.write().unwrap_or_else(std::sync::PoisonError::into_inner) = source;
        *self.policy.write().unwrap_or_else(std::sync::PoisonError::into_inner) = policy;
        self.exchanged.notify_waiters();
    }

    /// Waits for the next exchange of the source, from this call on.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        Arc::clone(&self.exchanged).notified_owned()
    }

    /// The source now.
    pub fn source(&self) -> Source {
        self.source.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// The policy pages are served with, before the hashes of what stands inline in them; empty when they have none.
    pub fn policy(&self) -> String {
        let policy = self.policy.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        policy.clone().unwrap_or_else(|| DEFAULT_POLICY.into())
    }

    /// Answers a request for `path` (percent-encoded, beginning with `/`, without query).
    pub fn look_up(&self, method: &Method, path: &str, headers: &HeaderMap) -> Served {
        match self.find(method, path, headers) {
            Ok(answer) => Served::Answer(self.guarded(answer)),
            Err(wanted) => Served::OnDemand(wanted),
        }
    }

    /// The answer with the page's policy, unless it has one. Whatever is shown in a frame is a document of the app's own
    /// origin, also an error: none of them is without a policy.
    pub fn guarded(&self, mut answer: Answer) -> Answer {
        if !answer.headers().contains_key(header::CONTENT_SECURITY_POLICY)
            && let Ok(policy) = HeaderValue::from_str(&self.policy())
            && !policy.is_empty()
        {
            answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        answer
    }

    fn find(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<Answer, Box<Wanted>> {
        if method != Method::GET && method != Method::HEAD {
            return Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD"));
        }
        for (own, text) in [(API_PATH, API), (UPDATE_NOTICE_PATH, UPDATE_NOTICE)] {
            if path == own {
                return Ok(self.respond(method, own, text.as_bytes().to_vec(), headers));
            }
        }
        let Some(path) = decode(path) else { return Ok(plain(StatusCode::BAD_REQUEST, "unreadable path")) };
        let wanted = path.trim_start_matches('/');
        let mut candidates = Vec::new();
        if wanted.is_empty() || wanted.ends_with('/') {
            candidates.push(format!("{wanted}index.html"));
        } else {
            candidates.push(wanted.to_string());
        }
        let is_route = !wanted.rsplit('/').next().unwrap_or("").contains('.');
        if is_route {
            candidates.push(format!("{}/index.html", wanted.trim_end_matches('/')));
            candidates.push("index.html".into());
        }
        for candidate in &candidates {
            match self.read(candidate) {
                Ok(Some(bytes)) => return Ok(self.respond(method, candidate, bytes, headers)),
                Ok(None) => self.of_group(candidate).map_or(Ok(()), Err)?,
                Err(error) => {
                    tracing::error!(path = candidate, %error, "a file of the page was refused");
                    return Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, &error));
                }
            }
        }
        Ok(match is_route {
            true => missing_page(&self.source()),
            false => plain(StatusCode::NOT_FOUND, "no such file"),
        })
    }

    fn of_group(&self, path: &str) -> Option<Box<Wanted>> {
        let Source::Release(release) = self.source() else { return None };
        let (group, entry) = release.on_demand(path)?;
        let (group, entry) = (group.to_owned(), entry.clone());
        Some(Box::new(Wanted { release, group, entry }))
    }

    /// A file of the page, by its path below the origin.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        let found = self.read(path.trim_start_matches('/'))?;
        found.ok_or_else(|| format!("the page has no file {path}"))
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        if staysail_protocol::manifest::check_path(path).is_err() {
            return Ok(None);
        }
        match self.source() {
            Source::Nothing => Ok(None),
            Source::Folder(folder) => read_below(&folder, path),
            Source::Release(release) => release.page_file(path).map_err(|error| error.to_string()),
        }
    }

    /// The answer that hands out these bytes of a file.
    pub(crate) fn respond(&self, method: &Method, path: &str, bytes: Vec<u8>, headers: &HeaderMap) -> Answer {
        let mime = mime_guess::from_path(path).first_or_octet_stream();
        let mut content_type = mime.essence_str().to_string();
        if mime.type_() == "text" || content_type.ends_with("javascript") || content_type.ends_with("json") {
            content_type += "; charset=utf-8";
        }
        let tag = format!("\"{}\"", &crate::digest::hex(&Sha256::digest(&bytes))[..32]);
        let mut answer = Response::builder()
            .header(header::CONTENT_TYPE, &content_type)
            .header(header::ETAG, &tag)
            .header(header::ACCEPT_RANGES, "bytes")
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        if content_type.starts_with("text/html") {
            let inline = inline_scripts::of(&bytes);
            if inline.too_many {
                tracing::warn!(
                    path,
                    "more than {INLINE_HASHES_MAX} inline scripts or styles (inline_hashes_max); the rest is blocked"
                );
            }
            let policy = with_inline(&self.policy(), &inline);
            if !policy.is_empty() {
                answer = answer.header(header::CONTENT_SECURITY_POLICY, policy);
            }
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if text(header::IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(|one| one.trim() == tag)) {
            return finish(answer.status(StatusCode::NOT_MODIFIED), Vec::new());
        }
        let total = bytes.len();
        let body = match text(header::RANGE).map(|range| parse_range(range, total)) {
            None | Some(Range::Ignored) => bytes,
            Some(Range::Unsatisfiable) => {
                let answer = answer
                    .status(StatusCode::RANGE_NOT_SATISFIABLE)
                    .header(header::CONTENT_RANGE, format!("bytes */{total}"));
                return finish(answer, Vec::new());
            }
            Some(Range::Part(first, last)) => {
                answer = answer
                    .status(StatusCode::PARTIAL_CONTENT)
                    .header(header::CONTENT_RANGE, format!("bytes {first}-{last}/{total}"));
                bytes[first..=last].to_vec()
            }
        };
        finish(answer, if method == Method::HEAD { Vec::new() } else { body })
    }
}

fn finish(answer: http::response::Builder, body: Vec<u8>) -> Answer {
    answer.body(body).unwrap_or_else(|_| Response::new(Vec::new()))
}

/// A short plain answer.
pub fn plain(status: StatusCode, text: &str) -> Answer {
    let answer = Response::builder().status(status).header(header::CONTENT_TYPE, "text/plain; charset=utf-8");
    finish(answer, text.as_bytes().to_vec())
}

fn missing_page(source: &Source) -> Answer {
    let place = match source {
        Source::Folder(folder) => format!("{} has no index.html", folder.display()),
        Source::Release(_) => "This release has no index.html".into(),
        Source::Nothing => "This app has no page of its own".into(),
    };
    let page = format!(
        "<!doctype html><meta charset=utf-8><title>No page</title><style>body{{font:16px system-ui;margin:4rem;\
         color-scheme:light dark}}</style><h1>There is no page to show</h1><p>{}.</p>\
         <p>Check <code>frontend.dist</code> in <code>staysail.toml</code>.</p>",
        place.replace('&', "&amp;").replace('<', "&lt;")
    );
    let answer = Response::builder()
        .status(StatusCode::NOT_FOUND)
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8");
    finish(answer, page.into_bytes())
}

fn read_below(folder: &Path, path: &str) -> Result<Option<Vec<u8>>, String> {
    let Ok(folder) = folder.canonicalize() else { return Ok(None) };
    let Ok(file) = folder.join(path).canonicalize() else { return Ok(None) };
    if !file.starts_with(&folder) {
        return Err(format!("{path} leads out of {} through a link", folder.display()));
    }
    if !file.is_file() {
        return Ok(None);
    }
    std::fs::read(&file).map(Some).map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Assets) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let file = folder.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let assets = Assets::default();
        assets.set(Source::Folder(folder.path().to_path_buf()), None);
        (folder, assets)
    }

    fn get(assets: &Assets, path: &str, headers: &[(&'static str, &str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap())
        });
        match assets.look_up(&Method::GET, path, &headers.collect()) {
            Served::Answer(answer) => answer,
            Served::OnDemand(wanted) => panic!("{} is in {}", wanted.entry.path, wanted.group),
        }
    }

    #[test]
    fn the_library_and_the_update_notice_are_there_whatever_the_page_has() {
        for path in [API_PATH, UPDATE_NOTICE_PATH] {
            let module = get(&Assets::default(), path, &[]);
            assert_eq!(module.status(), 200);
            assert_eq!(module.headers()["content-type"], "text/javascript; charset=utf-8");
        }
    }

    #[test]
    fn files_come_with_their_type_and_pages_with_the_strict_policy() {
        let (_folder, assets) = folder(&[("index.html", "<p>"), ("a b/ü.js", "1"), ("x.wasm", "w")]);
        let page = get(&assets, "/", &[]);
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(page.headers()["content-security-policy"], DEFAULT_POLICY);
        let script = get(&assets, "/a%20b/%C3%BC.js", &[]);
        assert_eq!(
            (script.status().as_u16(), script.headers()["content-type"].to_str().unwrap()),
            (200, "text/javascript; charset=utf-8")
        );
        assert_eq!(get(&assets, "/x.wasm", &[]).headers()["content-type"], "application/wasm");
    }

    #[test]
    fn inline_scripts_are_in_the_policy_of_their_page_and_every_answer_has_one() {
        let (_folder, assets) =
            folder(&[("index.html", "<script>go()</script>"), ("a.css", "a{}"), ("b.html", "<p>")]);
        let policy = |path: &str| {
            get(&assets, path, &[]).headers()["content-security-policy"].to_str().unwrap().to_string()
        };
        let own = policy("/");
        assert!(own.contains("script-src 'self' 'wasm-unsafe-eval' 'sha256-"), "{own}");
        for other in ["/b.html", "/a.css", "/gone.png", "/%zz", "/__staysail/api.js"] {
            assert_eq!(policy(other), DEFAULT_POLICY, "{other}");
        }
        let tag = get(&assets, "/", &[]).headers()["etag"].to_str().unwrap().to_string();
        let unchanged = get(&assets, "/", &[("if-none-match", &tag)]);
        assert_eq!(unchanged.headers()["content-security-policy"], own);
        let source = assets.source();
        assets.set(source.clone(), Some("script-src 'self'; img-src *".into()));
        assert!(policy("/").starts_with("script-src 'self' 'sha256-"), "{}", policy("/"));
        assets.set(source, Some(String::new()));
        assert!(!get(&assets, "/", &[]).headers().contains_key("content-security-policy"));
    }

    #[test]
    fn routes_fall_back_to_the_index_and_missing_files_do_not() {
        let (_folder, assets) = folder(&[("index.html", "home"), ("docs/index.html", "docs")]);
        assert_eq!(get(&assets, "/settings/profile", &[]).body(), b"home");
        assert_eq!(get(&assets, "/docs", &[]).body(), b"docs");
        assert_eq!(get(&assets, "/gone.png", &[]).status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn ranges_and_tags_follow_rfc_9110() {
        let (_folder, assets) = folder(&[("f.bin", "0123456789")]);
        let part = get(&assets, "/f.bin", &[("range", "bytes=2-4")]);
        assert_eq!((part.status().as_u16(), part.body().as_slice()), (206, &b"234"[..]));
        assert_eq!(part.headers()["content-range"], "bytes 2-4/10");
        assert_eq!(get(&assets, "/f.bin", &[("range", "bytes=-3")]).body(), b"789");
        assert_eq!(get(&assets, "/f.bin", &[("range", "bytes=8-")]).body(), b"89");
        assert_eq!(get(&assets, "/f.bin", &[("range", "bytes=10-")]).status().as_u16(), 416);
        assert_eq!(get(&assets, "/f.bin", &[("range", "lines=1-2")]).status().as_u16(), 200);
        let tag = get(&assets, "/f.bin", &[]).headers()["etag"].to_str().unwrap().to_string();
        assert_eq!(get(&assets, "/f.bin", &[("if-none-match", &tag)]).status().as_u16(), 304);
    }

    #[test]
    fn no_path_leaves_the_folder() {
        let (inside, assets) = folder(&[("index.html", "home")]);
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.txt"), "secret").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(outside.path().join("secret.txt"), inside.path().join("link.txt"))
            .unwrap();
        for path in [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/link.txt",
            "//etc/passwd",
            "/%00.txt",
        ] {
            assert!(!String::from_utf8_lossy(get(&assets, path, &[]).body()).contains("secret\n"), "{path}");
            assert_ne!(get(&assets, path, &[]).body(), b"secret", "{path}");
        }
        drop(inside);
    }
}
