//! Networks and servers that break, lie and stall.

mod fixture;

use fixture::{App, Lab, Seen, Session, noise};
use staysail_protocol::limits;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::worker::UpdateWish;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What the server does with one request for a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blob {
    /// Serves it, ranges too.
    Right,
    /// Sends so many bytes of what was asked for and cuts the connection.
    Cut(usize),
    /// Sends the whole file whatever range is asked for.
    IgnoresRange,
    /// Says 206 with the range asked for and sends bytes from the beginning.
    LiesAboutRange,
    /// Says 206 with another range.
    AnotherRange,
    /// Sends bytes without end.
    Endless,
    /// Answers 500.
    Broken,
    /// Sends a byte now and then, sooner than anybody takes it for silent.
    Drips,
}

/// Between two bytes of a server that drips.
const DRIP: Duration = Duration::from_secs(limits::DOWNLOAD_TIMEOUT_S / 2);
/// Nobody has this address; a proxy is asked for it.
const BEHIND_PROXY: &str = "http://updates.invalid";
/// Executable of the app that is behind a proxy.
const APP_VARIABLE: &str = "STAYSAIL_TEST_APP";

/// A server that does with each request for a blob what its list says next, then `last` for ever.
struct Rogue {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    next: Arc<AtomicUsize>,
    /// Requests for the timestamp that are answered as if nothing had been published yet.
    too_early: Arc<AtomicUsize>,
    /// Requests that are answered with 503.
    busy: Arc<AtomicUsize>,
}

impl Rogue {
    async fn start(repository: PathBuf, plan: Vec<Blob>, last: Blob, captive: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let next = Arc::new(AtomicUsize::new(0));
        let too_early = Arc::new(AtomicUsize::new(0));
        let busy = Arc::new(AtomicUsize::new(0));
        let (seen, count, early, unwilling) =
            (Arc::clone(&requests), Arc::clone(&next), Arc::clone(&too_early), Arc::clone(&busy));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (repository, plan, seen, count, early, unwilling) = (
                    repository.clone(),
                    plan.clone(),
                    Arc::clone(&seen),
                    Arc::clone(&count),
                    Arc::clone(&early),
                    Arc::clone(&unwilling),
                );
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => return,
                        }
                    }
                    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
                    // A proxy is asked for the whole address.
                    let path = head.split(' ').nth(1).unwrap().trim_start_matches(BEHIND_PROXY);
                    let path = path.trim_start_matches('/').to_owned();
                    let start = head
                        .split("range: bytes=")
                        .nth(1)
                        .map(|range| range.split('-').next().unwrap().parse::<usize>().unwrap());
                    if captive {
                        let page = "<html>Please log in</html>";
                        let answer = format!(
                            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{page}",
                            page.len()
                        );
                        let _ = stream.write_all(answer.as_bytes()).await;
                        return;
                    }
                    let take_one = |left: usize| left.checked_sub(1);
                    if path != "events"
                        && unwilling.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one).is_ok()
                    {
                        let answer = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                        let _ = stream.write_all(answer.as_bytes()).await;
                        return;
                    }
                    let hidden = path == "metadata/timestamp.json"
                        && early.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one).is_ok();
                    let found = std::fs::read(repository.join(&path)).ok().filter(|_| !hidden);
                    let Some(bytes) = found else {
                        let answer =
                            "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                        let _ = stream.write_all(answer.as_bytes()).await;
                        return;
                    };
                    let behaviour = if path.starts_with("blobs/") {
                        seen.lock().unwrap().push(format!("{}", start.unwrap_or(0)));
                        *plan.get(count.fetch_add(1, Ordering::SeqCst)).unwrap_or(&last)
                    } else {
                        Blob::Right
                    };
                    answer(&mut stream, &bytes, start, behaviour).await;
                });
            }
        });
        Self { url, requests, next, too_early, busy }
    }
}

async fn answer(stream: &mut tokio::net::TcpStream, bytes: &[u8], start: Option<usize>, behaviour: Blob) {
    let total = bytes.len();
    let from = start.unwrap_or(0).min(total);
    let part = |from: usize| {
        format!("HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {from}-{}/{total}\r\n", total - 1)
    };
    let whole = "HTTP/1.1 200 OK\r\n".to_owned();
    let (status, length, body) = match behaviour {
        Blob::Right | Blob::Cut(_) | Blob::Drips if start.is_some() => {
            (part(from), total - from, &bytes[from..])
        }
        Blob::Right | Blob::Cut(_) | Blob::Drips | Blob::IgnoresRange => (whole, total, bytes),
        Blob::LiesAboutRange if start.is_some() => (part(from), total - from, &bytes[..total - from]),
        Blob::AnotherRange if start.is_some() => (part(1), total - 1, &bytes[1..]),
        Blob::LiesAboutRange | Blob::AnotherRange => (whole, total, bytes),
        Blob::Endless => (whole, usize::MAX, bytes),
        Blob::Broken => ("HTTP/1.1 500 Internal Server Error\r\n".into(), 0, &bytes[..0]),
    };
    let head = if length == usize::MAX {
        format!("{status}connection: close\r\n\r\n")
    } else {
        format!("{status}connection: close\r\ncontent-length: {length}\r\n\r\n")
    };
    let _ = stream.write_all(head.as_bytes()).await;
    match behaviour {
        Blob::Cut(after) => {
            let _ = stream.write_all(&body[..after.min(body.len())]).await;
        }
        Blob::Drips => {
            for byte in body {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(DRIP).await;
            }
        }
        Blob::Endless => while stream.write_all(&[7; 65_536]).await.is_ok() {},
        _ => {
            let _ = stream.write_all(body).await;
        }
    }
}

/// A release whose worker is one large blob that does not compress, and whose page is as before.
fn lab() -> (Lab, fixture::App, Vec<u8>) {
    let lab = Lab::new();
    let mut first = lab.contents_with("1.0.0", "one", b"");
    first.manifest.notes = "first".into();
    let app = lab.install(&first);
    let ballast = noise(400_000, 3);
    lab.publish(lab.contents_with("1.1.0", "two", &ballast));
    (lab, app, ballast)
}

async fn live(session: &mut Session, ballast: &[u8]) {
    let live = session.outcome().await.unwrap();
    assert_eq!(live.index, b"<h1>two</h1>");
    assert!(live.worker.ends_with(ballast));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_download_goes_on_where_it_was_cut() {
    let (lab, app, ballast) = lab();
    // The first blob is the small page; the worker is cut twice.
    let plan = vec![Blob::Right, Blob::Cut(100_000), Blob::Cut(150_000)];
    let rogue = Rogue::start(lab.repository.clone(), plan, Blob::Right, false).await;
    let mut session = app.start(&rogue.url);
    live(&mut session, &ballast).await;
    assert_eq!(*rogue.requests.lock().unwrap(), ["0", "0", "100000", "250000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_goes_on_after_a_restart_of_the_app() {
    let (lab, app, ballast) = lab();
    let mut plan = vec![Blob::Right];
    plan.extend([Blob::Cut(20_000); 3]);
    let rogue = Rogue::start(lab.repository.clone(), plan, Blob::Right, false).await;
    let mut session = app.start(&rogue.url);
    let reason = session.failed().await;
    assert!(reason.contains("broke off") || reason.contains("error"), "{reason}");
    session.engine.shut_down();
    let before = rogue.requests.lock().unwrap().len();
    let mut session = app.start(&rogue.url);
    let (bytes, total) = session
        .wait("progress", |seen| match seen {
            Seen::Event(UpdateEvent::Progress { bytes, total, .. }) => Some((*bytes, *total)),
            _ => None,
        })
        .await;
    assert!(bytes > 60_000 && total > 400_000, "{bytes} of {total}");
    live(&mut session, &ballast).await;
    let requests = rogue.requests.lock().unwrap().clone();
    assert_eq!(requests[before..], ["60000"], "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lies_about_ranges_gets_one_more_chance_from_the_beginning() {
    for lie in [Blob::IgnoresRange, Blob::LiesAboutRange, Blob::AnotherRange] {
        let (lab, app, ballast) = lab();
        let plan = vec![Blob::Right, Blob::Cut(100_000), lie];
        let rogue = Rogue::start(lab.repository.clone(), plan, Blob::Right, false).await;
        let mut session = app.start(&rogue.url);
        live(&mut session, &ballast).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_bytes_than_announced_a_broken_server_and_a_captive_portal_are_failures_that_harm_nothing() {
    let (lab, app, _) = lab();
    for (last, captive, says) in
        [(Blob::Endless, false, "longer than"), (Blob::Broken, false, "500"), (Blob::Right, true, "metadata")]
    {
        let rogue = Rogue::start(lab.repository.clone(), vec![], last, captive).await;
        let mut session = app.start(&rogue.url);
        let reason = session.failed().await;
        assert!(reason.contains(says) && reason.contains("goes on running"), "{reason}");
        // Three tries of a server that answers nothing, no try of one that answers wrongly.
        let tries = rogue.next.load(Ordering::SeqCst);
        assert_eq!(tries, if last == Blob::Broken { 3 } else { usize::from(!captive) }, "{last:?}");
        session.engine.shut_down();
        assert!(app.boot(&app.store()).release.is_embedded());
        std::fs::remove_dir_all(app.store_folder()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_server_at_all_is_said_once_and_then_a_release_is_found() {
    let (lab, app, ballast) = lab();
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nowhere.local_addr().unwrap());
    drop(nowhere);
    let mut session = app.start(&url);
    session.failed().await;
    session.engine.shut_down();
    let mut session = app.start(&lab.file_url());
    live(&mut session, &ballast).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_publish_that_comes_in_the_middle_of_a_look_is_no_failure() {
    let (lab, app, ballast) = lab();
    let rogue = Rogue::start(lab.repository.clone(), vec![], Blob::Right, false).await;
    rogue.too_early.store(1, Ordering::SeqCst);
    let mut session = app.start(&rogue.url);
    let first = session.wait("event", |seen| Some(seen.clone())).await;
    assert!(matches!(first, Seen::Event(UpdateEvent::Available { .. })), "{first:?}");
    live(&mut session, &ballast).await;
}

/// A repository as it was once, in a folder of its own.
fn copy(lab: &Lab, name: &str) -> (PathBuf, String) {
    let to = lab.folder.path().join(name);
    for file in fixture::files(&lab.repository) {
        let copy = to.join(file.strip_prefix(&lab.repository).unwrap());
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(file, copy).unwrap();
    }
    let url = format!("file://{}", to.display());
    (to, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_stands_still_is_asked_no_longer_than_the_first_address_is_away() {
    let (lab, app, _) = lab();
    let (_, frozen) = copy(&lab, "frozen");
    lab.publish(lab.contents("1.2.0", "three"));
    let first = Rogue::start(lab.repository.clone(), vec![], Blob::Right, false).await;
    first.busy.store(1, Ordering::SeqCst);
    let mut session = app.start_mirrored(&first.url, vec![frozen]);
    assert_eq!(session.committed().await, "1.1.0");
    // After a commit it is looked for more at once.
    assert_eq!(session.committed().await, "1.2.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_whose_answers_lead_to_nothing_is_left_for_the_next_one() {
    let spoil: [fn(&PathBuf); 3] = [
        |incomplete| std::fs::remove_dir_all(incomplete.join("blobs")).unwrap(),
        |lying| {
            for blob in fixture::files(&lying.join("blobs")) {
                let bytes: Vec<u8> = std::fs::read(&blob).unwrap().iter().map(|byte| byte ^ 1).collect();
                std::fs::write(blob, bytes).unwrap();
            }
        },
        |lying| std::fs::write(lying.join("metadata/timestamp.json"), "{}").unwrap(),
    ];
    for spoil in spoil {
        let (lab, app, ballast) = lab();
        let (folder, first) = copy(&lab, "spoilt");
        spoil(&folder);
        let mut session = app.start_mirrored(&first, vec![lab.file_url()]);
        session.failed().await;
        session.engine.wish(UpdateWish::Check);
        live(&mut session, &ballast).await;
    }
}

/// Waits for a failure, however long that takes.
async fn fails(session: &mut Session) -> String {
    loop {
        if let Some(Seen::Event(UpdateEvent::Failed { reason })) = session.seen.recv().await {
            return reason;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_given_up_after_three_tries_of_ten_seconds_each() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            silent.push(stream);
        }
    });
    let began = tokio::time::Instant::now();
    let reason = fails(&mut app.start(&url)).await;
    let tries = u64::from(limits::DOWNLOAD_ATTEMPTS_MAX) * limits::DOWNLOAD_TIMEOUT_S;
    let took = began.elapsed().as_secs();
    assert!((tries..tries + 5).contains(&took), "{took} s: {reason}");
}

#[tokio::test(start_paused = true)]
async fn who_drips_is_given_up_when_the_time_for_so_many_bytes_is_over() {
    let (lab, app, _) = lab();
    let plan = vec![Blob::Right];
    let rogue = Rogue::start(lab.repository.clone(), plan, Blob::Drips, false).await;
    let began = tokio::time::Instant::now();
    let reason = fails(&mut app.start(&rogue.url)).await;
    assert!(reason.contains("too slow"), "{reason}");
    // 400 kB by three tries, each by 1 KiB a second and half a minute.
    let (took, most) = (began.elapsed().as_secs(), 3 * (400_000 / limits::DOWNLOAD_BYTES_PER_S_MIN + 40));
    assert!(took > 60 && took < most, "{took} s of {most}");
}

#[tokio::test]
#[ignore = "the app of the test below; does nothing when it is run by itself"]
async fn the_app_behind_a_proxy() {
    let Some(executable) = std::env::var_os(APP_VARIABLE).map(PathBuf::from) else { return };
    let attached = staysail_update::bundle::read_attached(&executable).unwrap().unwrap();
    let app = App { executable, root: attached.root.unwrap(), folder: tempfile::tempdir().unwrap() };
    let version = app.take_over(BEHIND_PROXY).await;
    println!("went live: {version}");
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_come_by_the_proxy_that_the_system_names() {
    let (lab, app, _) = lab();
    let proxy = Rogue::start(lab.repository.clone(), vec![], Blob::Right, false).await;
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "the_app_behind_a_proxy", "--nocapture"]);
    for variable in
        ["HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"]
    {
        child.env_remove(variable);
    }
    child.env("http_proxy", &proxy.url).env(APP_VARIABLE, &app.executable);
    // It waits for nothing longer than `PATIENCE`.
    let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("went live: 1.1.0"), "{said}");
    assert!(proxy.next.load(Ordering::SeqCst) > 0, "the proxy was not asked");
}
