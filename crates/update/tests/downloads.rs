//! Downloads of releases: how many files at once, how fast, where bytes cost money, and what becomes of the others when one
//! hangs or fails.

mod fixture;

use fixture::{App, Lab, Seen, Session, noise};
use staysail_protocol::manifest::UpdateSource;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::policy::{Metered, UpdatePolicy};
use staysail_protocol::worker::UpdateWish;
use staysail_update::TARGET;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, Notify, Semaphore};

/// What becomes of a request for a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// It is served once so many requests are under way at once, the first time.
    Together,
    Serve,
    /// Half of what was asked for comes, then the connection is cut.
    Cut,
    /// Nothing comes until all other blobs have been served; then the connection is cut.
    HangForOthers,
    /// Nothing comes until the app hangs up.
    Hang,
    Missing,
}

/// What was asked for, and what came of it.
#[derive(Default)]
struct Log {
    /// Where each request for a blob began, by the blob.
    asked: BTreeMap<String, Vec<usize>>,
    under_way: usize,
    most_under_way: usize,
    served: usize,
    bytes: usize,
}

struct Server {
    repository: PathBuf,
    /// By blob: what becomes of its first requests; of later ones: it is served.
    acts: BTreeMap<String, Vec<Act>>,
    together: Barrier,
    /// Blobs there are.
    blobs: usize,
    log: Mutex<Log>,
    served: Notify,
    hung_up: Semaphore,
}

impl Server {
    async fn start(self) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Arc::new(self);
        let answering = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = Arc::clone(&answering);
                tokio::spawn(async move { server.answer(stream).await });
            }
        });
        (server, url)
    }

    async fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let path = head.split(' ').nth(1)?.trim_start_matches('/').to_owned();
        let range =
            head.split("range: bytes=").nth(1).and_then(|range| range.split('-').next()?.parse().ok());
        let start: usize = range.unwrap_or(0);
        let Some(blob) = path.strip_prefix("blobs/") else {
            let found = std::fs::read(self.repository.join(&path)).ok();
            return send(&mut stream, found.as_deref(), 0, usize::MAX).await;
        };
        let act = {
            let mut log = self.log.lock().unwrap();
            log.under_way += 1;
            log.most_under_way = log.most_under_way.max(log.under_way);
            let asked = log.asked.entry(blob.to_owned()).or_default();
            asked.push(start);
            let acts = self.acts.get(blob).map(Vec::as_slice).unwrap_or_default();
            *acts.get(asked.len() - 1).unwrap_or(&Act::Serve)
        };
        let bytes = std::fs::read(self.repository.join(&path)).unwrap();
        let rest = bytes.len() - start;
        let sent = match act {
            Act::Together | Act::Serve => rest,
            Act::Cut => rest / 2,
            Act::HangForOthers | Act::Hang | Act::Missing => 0,
        };
        match act {
            Act::Together => {
                self.together.wait().await;
            }
            Act::HangForOthers => loop {
                let served = self.served.notified();
                if self.log.lock().unwrap().served >= self.blobs - 1 {
                    break;
                }
                served.await;
            },
            Act::Hang => {
                // The app sends nothing more; it only hangs up.
                let _ = stream.read_u8().await;
                self.hung_up.add_permits(1);
            }
            Act::Serve | Act::Cut | Act::Missing => {}
        }
        {
            // Before it is sent: who has all of it may ask for the next one at once.
            let mut log = self.log.lock().unwrap();
            log.under_way -= 1;
            log.bytes += sent;
            log.served += usize::from(sent == rest);
        }
        self.served.notify_waiters();
        match act {
            Act::HangForOthers | Act::Hang => None,
            Act::Missing => send(&mut stream, None, 0, 0).await,
            _ => send(&mut stream, Some(&bytes), start, sent).await,
        }
    }
}

/// Sends a file from its byte `start` on, and at most so many bytes of what is announced.
async fn send(stream: &mut TcpStream, found: Option<&[u8]>, start: usize, most: usize) -> Option<()> {
    let status = match found {
        None => "404 Not Found\r\n".to_owned(),
        Some(_) if start == 0 => "200 OK\r\n".to_owned(),
        Some(bytes) => {
            let (last, size) = (bytes.len() - 1, bytes.len());
            format!("206 Partial Content\r\ncontent-range: bytes {start}-{last}/{size}\r\n")
        }
    };
    let body = &found.unwrap_or_default()[start..];
    let head = format!("HTTP/1.1 {status}connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&body[..most.min(body.len())]).await.ok()
}

const FILES: usize = 9;
const FILE_BYTES: usize = 50_000;

/// An app at 1.0.0, and release 1.1.0 with so many files that are new; the first two have the same content as another one of
/// the page and one beside the worker. Gives the new blobs, in the order of the manifest.
fn lab() -> (Lab, App, Vec<String>) {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut next = lab.contents("1.1.0", "one");
    let add = |name: &str, seed: u64| {
        let file = lab.folder.path().join(name);
        std::fs::write(&file, noise(FILE_BYTES, seed)).unwrap();
        file
    };
    for number in 0..FILES as u64 {
        next.add_page(&format!("data/{number}.bin"), &add("file", number)).unwrap();
    }
    next.add_page("data/again.bin", &add("file", 0)).unwrap();
    next.add_backend(TARGET, "again.dat", &add("again.dat", 1)).unwrap();
    let is_new = |path: &str| path.starts_with("data/") && path != "data/again.bin";
    let new = next.manifest.page.iter().filter(|entry| is_new(&entry.path));
    let blobs = new.map(|entry| format!("{}.zst", entry.blob.sha256)).collect();
    lab.publish(next);
    (lab, app, blobs)
}

fn server(lab: &Lab, blobs: &[String], acts: impl Fn(usize) -> Vec<Act>) -> Server {
    Server {
        repository: lab.repository.clone(),
        acts: blobs.iter().enumerate().map(|(number, blob)| (blob.clone(), acts(number))).collect(),
        together: Barrier::new(4),
        blobs: blobs.len(),
        log: Mutex::default(),
        served: Notify::new(),
        hung_up: Semaphore::new(0),
    }
}

fn start(app: &App, url: &str, change: impl FnOnce(&mut UpdateSource)) -> Session {
    let store = app.store();
    let current = app.boot(&store).release;
    let mut source = UpdateSource { url: url.into(), check_interval_s: 3_600, ..UpdateSource::default() };
    change(&mut source);
    app.start_as(store, current, source, |_| {})
}

/// Waits for the release, and gives what was told of its way here.
async fn live(session: &mut Session) -> Vec<(u64, u64)> {
    let mut told = Vec::new();
    let live = session
        .wait("release", |seen| match seen {
            Seen::Event(UpdateEvent::Progress { bytes, total, .. }) => {
                told.push((*bytes, *total));
                None
            }
            Seen::Event(UpdateEvent::Failed { reason }) => panic!("{reason}"),
            Seen::Live(live) => Some(live.version.clone()),
            _ => None,
        })
        .await;
    assert_eq!(live, "1.1.0");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_files_as_are_allowed_are_fetched_at_once_and_each_content_once() {
    for (allowed, at_once) in [(0, 4), (1, 1), (2, 2)] {
        let (lab, app, blobs) = lab();
        let mut server =
            server(&lab, &blobs, |number| vec![if number < at_once { Act::Together } else { Act::Serve }]);
        server.together = Barrier::new(at_once);
        let (server, url) = server.start().await;
        let mut session = start(&app, &url, |source| source.download_parallel_max = allowed);
        let told = live(&mut session).await;
        let log = server.log.lock().unwrap();
        assert_eq!(log.most_under_way, at_once, "download_parallel_max = {allowed}");
        // What is at two places comes twice, and after each other: beside the worker lie no files of pages.
        let asked: Vec<usize> = blobs.iter().map(|blob| log.asked[blob].len()).collect();
        assert_eq!(asked, [1, 2, 1, 1, 1, 1, 1, 1, 1], "download_parallel_max = {allowed}");
        assert_eq!(
            told.last().map(|(bytes, total)| (*bytes, bytes == total)),
            Some((log.bytes as u64, true))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_cut_go_on_where_they_were_cut_and_no_byte_is_counted_twice() {
    let (lab, app, blobs) = lab();
    let (server, url) =
        server(&lab, &blobs, |number| vec![if number % 2 == 0 { Act::Cut } else { Act::Serve }])
            .start()
            .await;
    let mut session = start(&app, &url, |_| {});
    let told = live(&mut session).await;
    let log = server.log.lock().unwrap();
    for (number, blob) in blobs.iter().enumerate() {
        let size = std::fs::metadata(lab.repository.join("blobs").join(blob)).unwrap().len() as usize;
        let expected = match number {
            1 => vec![0, 0],
            number if number % 2 == 0 => vec![0, size / 2],
            _ => vec![0],
        };
        assert_eq!(log.asked[blob], expected, "{number}");
    }
    let bytes: Vec<u64> = told.iter().map(|(bytes, _)| *bytes).collect();
    assert!(bytes.is_sorted() && told.iter().all(|(bytes, total)| bytes <= total), "{told:?}");
    assert_eq!(bytes.last(), Some(&(log.bytes as u64)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_that_hangs_holds_up_none_of_the_others() {
    let (lab, app, blobs) = lab();
    let (server, url) = server(&lab, &blobs, |number| match number {
        0 => vec![Act::HangForOthers],
        _ => vec![],
    })
    .start()
    .await;
    live(&mut start(&app, &url, |_| {})).await;
    assert_eq!(server.log.lock().unwrap().asked[&blobs[0]], [0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_file_that_can_not_be_had_ends_the_download_and_what_came_is_kept_for_the_next() {
    let (lab, app, blobs) = lab();
    let (server, url) = server(&lab, &blobs, |number| match number {
        0..3 => vec![Act::Hang],
        5 => vec![Act::Missing],
        _ => vec![],
    })
    .start()
    .await;
    let mut session = start(&app, &url, |_| {});
    let reason = session.failed().await;
    assert!(reason.contains(&blobs[5]), "{reason}");
    // Nobody waits for a file of a download that has failed.
    let hung_up = tokio::time::timeout(fixture::PATIENCE, server.hung_up.acquire_many(3)).await;
    hung_up.expect("the app hangs up").unwrap().forget();
    session.engine.wish(UpdateWish::Check);
    live(&mut session).await;
    let log = server.log.lock().unwrap();
    // By the one carrier that went on.
    assert_eq!([3, 4].map(|number| log.asked[&blobs[number]].len()), [1; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_holds_for_all_files_together_and_not_for_metadata_and_can_be_lifted_at_any_time() {
    // Nothing here takes time but waiting for the limit.
    for lifted in [false, true] {
        let (lab, app, _) = lab();
        let mut session =
            start(&app, &lab.file_url(), |source| source.download_bytes_per_s_max = Some(10_000));
        let began = tokio::time::Instant::now();
        session
            .wait("release found", |seen| {
                matches!(seen, Seen::Event(UpdateEvent::Available { .. })).then_some(())
            })
            .await;
        assert!(began.elapsed() < Duration::from_secs(1), "metadata took {:?}", began.elapsed());
        if lifted {
            session.engine.wish(UpdateWish::DownloadRate { bytes_per_s_max: None });
        }
        live(&mut session).await;
        let seconds = began.elapsed().as_secs();
        let expected = (FILES + 1) * FILE_BYTES / 10_000;
        match lifted {
            true => assert!(seconds < 3, "{seconds} s"),
            false => assert!((expected as u64 - 1..expected as u64 + 3).contains(&seconds), "{seconds} s"),
        }
    }
}

/// An app at 1.0.0 on a connection that says this of itself, and release 1.1.0 with this policy.
fn on_connection(lab: &Lab, app: &App, metered: Option<bool>, policy: Metered) -> Session {
    let mut next = lab.contents("1.1.0", "two");
    next.manifest.policy = UpdatePolicy { metered: policy, ..UpdatePolicy::default() };
    lab.publish(next);
    let store = app.store();
    let current = app.boot(&store).release;
    let source = UpdateSource { url: lab.file_url(), check_interval_s: 3_600, ..UpdateSource::default() };
    app.start_as(store, current, source, |host| *host.metered.lock().unwrap() = metered)
}

#[tokio::test(flavor = "multi_thread")]
async fn where_bytes_cost_money_a_release_waits_if_it_says_so_for_another_connection_or_for_the_user() {
    for wanted in [false, true] {
        let lab = Lab::new();
        let app = lab.install(&lab.contents("1.0.0", "one"));
        let mut session = on_connection(&lab, &app, Some(true), Metered::Wait);
        let passed = |seen: &Seen| match seen {
            Seen::Event(UpdateEvent::Waiting { reason, .. }) => Some(reason.clone()),
            Seen::Event(UpdateEvent::Progress { .. }) | Seen::Live(_) => Some("it was downloaded".into()),
            _ => None,
        };
        let reason = session.wait("pause", passed).await;
        assert!(reason.contains("metered"), "{reason}");
        if !wanted {
            *session.host.metered.lock().unwrap() = Some(false);
        }
        session.engine.wish(if wanted { UpdateWish::Apply } else { UpdateWish::Check });
        live(&mut session).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_does_not_say_so_waits_nowhere_and_none_waits_where_nobody_knows() {
    for (metered, policy) in
        [(Some(true), Metered::Download), (None, Metered::Wait), (Some(false), Metered::Wait)]
    {
        let lab = Lab::new();
        let app = lab.install(&lab.contents("1.0.0", "one"));
        live(&mut on_connection(&lab, &app, metered, policy)).await;
    }
}
