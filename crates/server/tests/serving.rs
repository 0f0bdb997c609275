//! The server over real connections: caching, ranges, what is refused, uploads, announcements, its binary.

use reqwest::{Client, StatusCode};
use sha2::{Digest, Sha256};
use staysail_server::{Options, Running};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TOKEN: &str = "0123456789abcdef";

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(folder: &Path, path: &str, bytes: &[u8]) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, bytes).unwrap();
}

async fn start(folder: &TempDir, token: Option<&str>) -> Running {
    let options = Options {
        repository: folder.path().to_owned(),
        listen: "127.0.0.1:0".into(),
        token: token.map(str::to_owned),
    };
    staysail_server::start(options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_come_with_tags_ranges_and_how_long_they_keep() {
    let folder = tempfile::tempdir().unwrap();
    let blob = format!("blobs/{}.zst", hash(b"0123456789"));
    write(folder.path(), &blob, b"0123456789");
    write(folder.path(), "metadata/timestamp.json", b"{}");
    let server = start(&folder, None).await;
    let client = client();
    let get = |path: &str| client.get(format!("{}/{path}", server.url()));

    let answer = get(&blob).send().await.unwrap();
    assert_eq!(answer.headers()["etag"], format!("\"{}\"", hash(b"0123456789")));
    assert!(answer.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(answer.bytes().await.unwrap(), "0123456789");
    let answer = get("metadata/timestamp.json").send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-cache");
    let tag = answer.headers()["etag"].clone();
    let answer = get("metadata/timestamp.json").header("if-none-match", tag).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);

    let answer = get(&blob).header("range", "bytes=3-5").send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["content-range"]),
        (StatusCode::PARTIAL_CONTENT, &"bytes 3-5/10".parse().unwrap())
    );
    assert_eq!(answer.bytes().await.unwrap(), "345");
    let answer = get(&blob).header("range", "bytes=10-").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(answer.headers()["content-range"], "bytes */10");
    let answer =
        get(&blob).header("range", "bytes=3-5").header("if-range", "\"other\"").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let answer = client.head(format!("{}/{blob}", server.url())).send().await.unwrap();
    assert_eq!(answer.headers()["content-length"], "10");
    assert_eq!(get("health").send().await.unwrap().text().await.unwrap(), "ok\n");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outside_the_repository_is_ever_served() {
    let outer = tempfile::tempdir().unwrap();
    write(outer.path(), "secret", b"secret");
    let folder = tempfile::tempdir_in(outer.path()).unwrap();
    write(folder.path(), "metadata/timestamp.json", b"{}");
    write(folder.path(), "keys/root.key", b"secret");
    write(folder.path(), ".publish.lock", b"");
    #[cfg(unix)]
    std::os::unix::fs::symlink(outer.path().join("secret"), folder.path().join("metadata/1.root.json"))
        .unwrap();
    let server = start(&folder, Some(TOKEN)).await;
    for path in [
        "/metadata/1.root.json",
        "/../secret",
        "/metadata/../../secret",
        "/metadata/..%2f..%2fsecret",
        "/%2e%2e/secret",
        "/metadata/%2e%2e/%2e%2e/secret",
        "//etc/passwd",
        "/keys/root.key",
        "/.publish.lock",
        "/metadata/",
        "/metadata/timestamp.json/",
        "/",
    ] {
        for method in ["GET", "PUT"] {
            // By hand: a client library would tidy the path up.
            let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            // The link's own name may be written to; then the link is left alone, as the file there is another one.
            let refused = ["HTTP/1.1 404", "HTTP/1.1 403", "HTTP/1.1 400", "HTTP/1.1 409"];
            assert!(refused.iter().any(|status| answer.starts_with(status)), "{method} {path}: {answer}");
            assert!(!answer.contains("secret"), "{method} {path}");
        }
    }
    assert_eq!(std::fs::read(outer.path().join("secret")).unwrap(), b"secret");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_taken_only_with_the_token_whole_and_by_its_right_name() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder, Some(TOKEN)).await;
    let client = client();
    let put = |path: String, bytes: &'static [u8]| {
        client.put(format!("{}/{path}", server.url())).bearer_auth(TOKEN).body(bytes)
    };
    let blob = format!("blobs/{}.zst", hash(b"blob"));
    let answer = client.put(format!("{}/{blob}", server.url())).body("blob").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let answer = put(blob.clone(), b"other").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(!folder.path().join(&blob).exists());
    assert_eq!(put(blob.clone(), b"blob").send().await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(put(blob, b"blob").send().await.unwrap().status(), StatusCode::NO_CONTENT);

    let name = || "metadata/1.snapshot.json".to_owned();
    assert_eq!(put(name(), b"one").send().await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(put(name(), b"two").send().await.unwrap().status(), StatusCode::CONFLICT);

    let name = || "metadata/timestamp.json".to_owned();
    assert_eq!(put(name(), b"one").send().await.unwrap().status(), StatusCode::PRECONDITION_REQUIRED);
    let answer = put(name(), b"one").header("if-none-match", "*").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let answer = put(name(), b"two").header("if-none-match", "*").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PRECONDITION_FAILED);
    let tag = format!("\"{}\"", hash(b"one"));
    let answer = put(name(), b"two").header("if-match", &tag).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let answer = put(name(), b"three").header("if-match", tag).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(std::fs::read(folder.path().join(name())).unwrap(), b"two");

    // An upload that breaks off leaves nothing.
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "PUT /metadata/2.snapshot.json HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 100\r\n\r\nhalf"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    server.stop().await;
    let names: Vec<_> = std::fs::read_dir(folder.path().join("metadata"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

/// Reads announcements from an open stream.
/// A client; the workspace's has no TLS of its own choice, so that one is named.
fn client() -> Client {
    // An error means that another test named it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

async fn next_checksum(response: &mut reqwest::Response) -> String {
    let mut text = String::new();
    loop {
        let chunk = tokio::time::timeout(Duration::from_secs(30), response.chunk()).await.expect("in time");
        text += std::str::from_utf8(&chunk.unwrap().expect("the stream goes on")).unwrap();
        if let Some(data) = text.lines().find_map(|line| line.strip_prefix("data: "))
            && text.contains("event: release\n")
        {
            let notice: serde_json::Value = serde_json::from_str(data).unwrap();
            assert_eq!(notice["event"], "release");
            return notice["checksum"].as_str().unwrap().to_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_hear_of_a_publish_into_the_folder_and_newcomers_of_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder, None).await;
    let listen = || client().get(format!("{}/events", server.url())).send();
    let mut early = listen().await.unwrap();
    assert_eq!(early.headers()["content-type"], "text/event-stream");
    for text in ["first", "second"] {
        write(folder.path(), "metadata/timestamp.json", text.as_bytes());
        assert_eq!(next_checksum(&mut early).await, hash(text.as_bytes()));
    }
    assert_eq!(next_checksum(&mut listen().await.unwrap()).await, hash(b"second"));
    // Open streams do not hold up the end.
    tokio::time::timeout(Duration::from_secs(5), server.stop()).await.expect("it stops at once");
}

/// Ends the child however the test ends.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_says_where_it_listens_and_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_staysail-server"))
        .arg("--repo")
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Reaped(child);
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap();
    assert_eq!(client().get(format!("{url}/health")).send().await.unwrap().text().await.unwrap(), "ok\n");
    #[cfg(unix)]
    {
        let ended = Command::new("kill").arg(child.0.id().to_string()).status().unwrap();
        assert!(ended.success());
        assert!(child.0.wait().unwrap().success());
    }
    let missing = Command::new(env!("CARGO_BIN_EXE_staysail-server"))
        .args(["--repo", "/nowhere/at/all"])
        .output()
        .unwrap();
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("is no folder"));
}
