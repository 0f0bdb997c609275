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
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
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

impl Source {
    fn is_release_of(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Release(one), Self::Release(other)) if one.hash() == other.hash())
    }
}

/// Serves the page's files.
#[derive(Default)]
pub struct Assets {
    shelves: RwLock<Shelves>,
    exchanged: Arc<Notify>,
}

/// What files come from, and the policy pages are served with.
#[derive(Clone)]
struct Shelf {
    source: Source,
    policy: Option<String>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { source: Source::Nothing, policy: None }
    }
}

impl Shelf {
    fn policy(&self) -> &str {
        self.policy.as_deref().unwrap_or(DEFAULT_POLICY)
    }
}

/// One lock for all: the files of a page are those its document came with, also when they are exchanged meanwhile.
#[derive(Default)]
struct Shelves {
    now: Shelf,
    /// What windows go on with until they next load their page.
    held: BTreeMap<String, Shelf>,
    /// Windows that begin to load their page, and whether they have asked for its document.
    loading: BTreeMap<String, bool>,
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
        self.exchange(source, policy, Vec::new());
    }

    /// Exchanges the source; these windows keep what they have until they next load their page.
    pub fn exchange(&self, source: Source, policy: Option<String>, keeping: Vec<String>) {
        let mut shelves = self.write();
        let before = std::mem::replace(&mut shelves.now, Shelf { source, policy });
        for window in keeping {
            shelves.held.entry(window).or_insert_with(|| before.clone());
        }
        // Back at what a window kept: there is nothing left to keep.
        let Shelves { now, held, .. } = &mut *shelves;
        held.retain(|_, shelf| !shelf.source.is_release_of(&now.source));
        drop(shelves);
        self.exchanged.notify_waiters();
    }

    /// Windows that have other files than those of now.
    pub fn keeping(&self) -> BTreeSet<String> {
        self.read_shelves().held.keys().cloned().collect()
    }

    /// A window is about to load its page: not a frame in it.
    pub fn begins_load(&self, window: &str) {
        self.write().loading.insert(window.to_owned(), false);
    }

    /// Whether a request is that for the page a window is about to load, and the first one.
    pub fn is_load(&self, window: &str, method: &Method, headers: &HeaderMap) -> bool {
        let accepted = headers.get(header::ACCEPT).map(HeaderValue::as_bytes).unwrap_or_default();
        // Frames ask like that, too; scripts and styles do not.
        method == Method::GET
            && accepted.starts_with(b"text/html")
            && self.write().loading.get_mut(window).is_some_and(|asked| !std::mem::replace(asked, true))
    }

    /// Windows that have asked for their page and wait for it.
    pub fn arriving(&self) -> BTreeSet<String> {
        let shelves = self.read_shelves();
        shelves.loading.iter().filter(|(_, asked)| **asked).map(|(window, _)| window.clone()).collect()
    }

    /// A window loads its page, or is gone: it has the files of now.
    pub fn let_go(&self, window: &str) {
        let mut shelves = self.write();
        shelves.held.remove(window);
        shelves.loading.remove(window);
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shelves> {
        self.shelves.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_shelves(&self) -> RwLockReadGuard<'_, Shelves> {
        self.shelves.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Shelf {
        self.read_shelves().now.clone()
    }

    /// What a window has; with its document it gets what there is now.
    fn shelf(&self, window: &str, loads: bool) -> Shelf {
        if loads {
            let mut shelves = self.write();
            shelves.held.remove(window);
            shelves.loading.remove(window);
            return shelves.now.clone();
        }
        let shelves = self.read_shelves();
        shelves.held.get(window).unwrap_or(&shelves.now).clone()
    }

    /// Waits for the next exchange of the source, from this call on.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        Arc::clone(&self.exchanged).notified_owned()
    }

    /// The source now.
    pub fn source(&self) -> Source {
        self.read_shelves().now.source.clone()
    }

    /// The policy pages are served with, before the hashes of what stands inline in them; empty when they have none.
    pub fn policy(&self) -> String {
        self.read_shelves().now.policy().to_owned()
    }

    /// Answers a request of a window for `path` (percent-encoded, beginning with `/`, without query). It `loads` its page
    /// with that, or goes on with the files it has.
    pub fn look_up(
        &self,
        (window, loads): (&str, bool),
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Served {
        let shelf = self.shelf(window, loads);
        match find(&shelf, method, path, headers) {
            Ok(answer) => Served::Answer(guard(answer, shelf.policy())),
            Err(wanted) => Served::OnDemand(wanted),
        }
    }

    /// The answer with the page's policy, unless it has one. Whatever is shown in a frame is a document of the app's own
    /// origin, also an error: none of them is without a policy.
    pub fn guarded(&self, answer: Answer) -> Answer {
        guard(answer, self.read_shelves().now.policy())
    }

    /// A file of the page, by its path below the origin.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        let found = read(&self.now().source, path.trim_start_matches('/'))?;
        found.ok_or_else(|| format!("the page has no file {path}"))
    }

    /// The answer that hands out these bytes of a file.
    pub(crate) fn respond(&self, method: &Method, path: &str, bytes: Vec<u8>, headers: &HeaderMap) -> Answer {
        respond(&self.policy(), method, path, bytes, headers)
    }
}

fn guard(mut answer: Answer, policy: &str) -> Answer {
    if !answer.headers().contains_key(header::CONTENT_SECURITY_POLICY)
        && let Ok(policy) = HeaderValue::from_str(policy)
        && !policy.is_empty()
    {
        answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

fn find(shelf: &Shelf, method: &Method, path: &str, headers: &HeaderMap) -> Result<Answer, Box<Wanted>> {
    if method != Method::GET && method != Method::HEAD {
        return Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD"));
    }
    for (own, text) in [(API_PATH, API), (UPDATE_NOTICE_PATH, UPDATE_NOTICE)] {
        if path == own {
            return Ok(respond(shelf.policy(), method, own, text.as_bytes().to_vec(), headers));
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
        match read(&shelf.source, candidate) {
            Ok(Some(bytes)) => return Ok(respond(shelf.policy(), method, candidate, bytes, headers)),
            Ok(None) => of_group(&shelf.source, candidate).map_or(Ok(()), Err)?,
            Err(error) => {
                tracing::error!(path = candidate, %error, "a file of the page was refused");
                return Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, &error));
            }
        }
    }
    Ok(match is_route {
        true => missing_page(&shelf.source),
        false => plain(StatusCode::NOT_FOUND, "no such file"),
    })
}

fn of_group(source: &Source, path: &str) -> Option<Box<Wanted>> {
    let Source::Release(release) = source else { return None };
    let (group, entry) = release.on_demand(path)?;
    let (group, entry) = (group.to_owned(), entry.clone());
    Some(Box::new(Wanted { release: release.clone(), group, entry }))
}

fn read(source: &Source, path: &str) -> Result<Option<Vec<u8>>, String> {
    if staysail_protocol::manifest::check_path(path).is_err() {
        return Ok(None);
    }
    match source {
        Source::Nothing => Ok(None),
        Source::Folder(folder) => read_below(folder, path),
        Source::Release(release) => release.page_file(path).map_err(|error| error.to_string()),
    }
}

fn respond(policy: &str, method: &Method, path: &str, bytes: Vec<u8>, headers: &HeaderMap) -> Answer {
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
        let policy = with_inline(policy, &inline);
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
        match assets.look_up(("main", false), &Method::GET, path, &headers.collect()) {
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
    fn a_window_keeps_its_files_until_it_loads_its_page_and_a_frame_in_it_does_not_count() {
        let (_old, assets) = folder(&[("index.html", "old"), ("part.js", "old part")]);
        let new = tempfile::tempdir().unwrap();
        std::fs::write(new.path().join("index.html"), "new").unwrap();
        std::fs::write(new.path().join("part.js"), "new part").unwrap();
        let mut document = HeaderMap::new();
        document.insert("accept", HeaderValue::from_static("text/html,application/xhtml+xml;q=0.9"));
        let is_load = |headers: &HeaderMap| assets.is_load("main", &Method::GET, headers);
        let get = |window: &str, path: &str, loads: bool| match assets.look_up(
            (window, loads),
            &Method::GET,
            path,
            &HeaderMap::new(),
        ) {
            Served::Answer(answer) => String::from_utf8(answer.into_body()).unwrap(),
            Served::OnDemand(_) => panic!("no group"),
        };
        let policy = Some("img-src *".to_owned());
        assets.exchange(Source::Folder(new.path().into()), policy, vec!["main".into()]);
        assert_eq!(
            (get("main", "/part.js", false), get("second", "/part.js", false)),
            ("old part".into(), "new part".into())
        );
        // A frame asks like a page does, but no window has begun to load.
        assert!(!is_load(&document));
        assets.begins_load("main");
        assert!(!is_load(&HeaderMap::new()) && assets.arriving().is_empty(), "a script of the page before");
        assert!(is_load(&document) && !is_load(&document), "a frame of the page that is going");
        assert_eq!(assets.arriving(), BTreeSet::from(["main".to_owned()]));
        assert_eq!(get("main", "/part.js", false), "old part");
        assert_eq!(get("main", "/", true), "new");
        assert_eq!(get("main", "/part.js", false), "new part");
        assert!(assets.arriving().is_empty() && assets.keeping().is_empty());
        // What a window keeps already it keeps, over a second exchange.
        for text in ["newer", "newest"] {
            let source = tempfile::tempdir().unwrap();
            std::fs::write(source.path().join("part.js"), text).unwrap();
            assets.exchange(Source::Folder(source.keep()), None, vec!["main".into()]);
        }
        assert_eq!(get("main", "/part.js", false), "new part");
        assets.let_go("main");
        assert_eq!(get("main", "/part.js", false), "newest");
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
