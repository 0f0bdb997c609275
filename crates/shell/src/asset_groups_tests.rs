//! Groups of a real release, brought by the real engine into a real store; only network, connection and time are simulated.

use super::*;
use crate::app::without_windows;
use crate::desktop;
use crate::shell::Facts;
use staysail_protocol::manifest::{Manifest, UpdateSource};
use staysail_protocol::policy::UpdatePolicy;
use staysail_update::bundle::{self, Contents};
use staysail_update::engine::Surroundings;
use staysail_update::engine::network::{Answer, Body, Network, NetworkFuture};
use staysail_update::store::Store;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Answers at once with what was released, and notes what was asked for; or never.
#[derive(Debug)]
struct Repository {
    blobs: BTreeMap<String, Vec<u8>>,
    asked: Mutex<Vec<String>>,
    hangs: AtomicBool,
}

struct Whole(Option<Vec<u8>>);

impl Body for Whole {
    fn piece(&mut self) -> NetworkFuture<'_, Option<Vec<u8>>> {
        let piece = self.0.take();
        Box::pin(async { Ok(piece) })
    }
}

impl Network for Repository {
    fn get<'a>(&'a self, path: &'a str, _start: u64) -> NetworkFuture<'a, Answer> {
        let blob = path.trim_start_matches("blobs/").trim_end_matches(".zst").to_owned();
        let bytes = self.blobs[&blob].clone();
        self.asked.lock().unwrap().push(blob);
        let hangs = self.hangs.load(Ordering::Relaxed);
        Box::pin(async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(Answer { status: 200, range: None, media: String::new(), body: Box::new(Whole(Some(bytes))) })
        })
    }

    fn announcements(&self) -> Option<NetworkFuture<'_, Answer>> {
        None
    }

    fn name(&self) -> String {
        "simulated".into()
    }
}

/// An app that runs, without windows.
struct Stage {
    shell: Arc<Shell>,
    release: Release,
    repository: Arc<Repository>,
    began: Instant,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// A release with these groups of so many files each. Their files stand in it from the last to the first.
    fn new(groups: &[(&str, Prefetch, usize)], metered: Metered) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            file
        };
        let policy = UpdatePolicy { metered, ..UpdatePolicy::default() };
        let app = "com.example.stage".to_owned();
        let mut contents = Contents::new(Manifest { format: 1, app, policy, ..Manifest::default() });
        contents.add_page("index.html", &write("index.html", "<h1>Hello</h1>")).unwrap();
        contents.add_backend(staysail_update::TARGET, "worker", &write("worker", "a worker")).unwrap();
        for (name, prefetch, files) in groups {
            for number in 0..*files {
                let path = format!("{name}/{number}.txt");
                contents.add_to_group(name, &path, &write("file", &path)).unwrap();
            }
            let group = contents.manifest.groups.get_mut(*name).unwrap();
            group.prefetch = *prefetch;
            group.files.reverse();
        }
        contents.source = Some(UpdateSource { url: "file:///nowhere".into(), ..UpdateSource::default() });
        let executable = folder.path().join("app");
        bundle::attach(&write("shell", "a shell"), &executable, &contents).unwrap();
        let attached = bundle::read_attached(&executable).unwrap().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let release = store.embed(&attached).unwrap();
        let repository = Arc::new(Repository {
            blobs: contents.blobs,
            asked: Mutex::default(),
            hangs: AtomicBool::new(false),
        });
        let surroundings = Surroundings::with_network(Arc::clone(&repository) as Arc<dyn Network>);
        let shell = Shell::new(without_windows().1, tokio::runtime::Handle::current(), facts(folder.path()));
        shell.groups.fetch_with(OnDemand::new_in(store, &surroundings));
        shell.assets.set(Source::Release(release.clone()), None);
        Self { shell, release, repository, began: Instant::now(), _folder: folder }
    }

    fn is_ready(&self, group: &str) -> bool {
        state(&self.release, group).state == Presence::Ready
    }

    /// Lets time pass until so many seconds after the beginning.
    async fn at(&self, second: u64) {
        tokio::time::sleep_until(self.began + Duration::from_secs(second)).await;
    }

    fn asked(&self) -> Vec<String> {
        let asked = self.repository.asked.lock().unwrap();
        let files: BTreeMap<&str, &str> = (self.release.manifest().group_files())
            .map(|entry| (entry.blob.sha256.as_str(), entry.path.as_str()))
            .collect();
        asked.iter().map(|blob| files[blob.as_str()].to_owned()).collect()
    }
}

fn facts(folder: &Path) -> Facts {
    Facts {
        app: "com.example.stage".into(),
        name: "Stage".into(),
        version: "1.0.0".into(),
        config: Default::default(),
        data_dir: folder.display().to_string(),
        dev_url: None,
        driven: false,
    }
}

#[tokio::test(start_paused = true)]
async fn groups_come_when_the_app_has_started_or_when_no_page_asks_for_files_any_more_or_never() {
    let groups = [("later", Prefetch::Idle, 1), ("never", Prefetch::Never, 2), ("start", Prefetch::Start, 1)];
    let stage = Stage::new(&groups, Metered::Download);
    let ahead = tokio::spawn(prefetch(stage.shell.clone(), || None));
    stage.at(1).await;
    assert_eq!(stage.asked(), ["start/0.txt"]);
    stage.at(15).await;
    let answer = serve(&stage.shell, Method::GET, "/never/0.txt", HeaderMap::new()).await;
    assert_eq!((answer.status(), answer.body().as_slice()), (StatusCode::OK, &b"never/0.txt"[..]));
    stage.at(15 + ASSETS_IDLE_S - 1).await;
    assert_eq!(stage.asked(), ["start/0.txt", "never/0.txt"], "somebody asked just now");
    stage.at(15 + ASSETS_IDLE_S + 1).await;
    assert_eq!(stage.asked(), ["start/0.txt", "never/0.txt", "later/0.txt"]);
    assert!(stage.is_ready("start") && stage.is_ready("later"));
    stage.at(10 * ASSETS_RETRY_S).await;
    assert_eq!(stage.asked().len(), 3);
    ahead.abort();
}

#[tokio::test(start_paused = true)]
async fn where_bytes_cost_money_only_what_is_asked_for_comes_and_the_rest_when_they_no_longer_do() {
    static COSTS: AtomicBool = AtomicBool::new(true);
    let groups = [("asked", Prefetch::Never, 1), ("later", Prefetch::Idle, 1), ("start", Prefetch::Start, 1)];
    let stage = Stage::new(&groups, Metered::Wait);
    let ahead = tokio::spawn(prefetch(stage.shell.clone(), || Some(COSTS.load(Ordering::Relaxed))));
    stage.at(1).await;
    fetch(&stage.shell, "asked").await.unwrap();
    stage.at(ASSETS_RETRY_S + 1).await;
    assert_eq!(stage.asked(), ["asked/0.txt"]);
    COSTS.store(false, Ordering::Relaxed);
    stage.at(2 * ASSETS_RETRY_S + ASSETS_IDLE_S + 1).await;
    assert_eq!(stage.asked(), ["asked/0.txt", "start/0.txt", "later/0.txt"]);
    ahead.abort();

    let stage = Stage::new(&groups, Metered::Download);
    let ahead = tokio::spawn(prefetch(stage.shell.clone(), || Some(true)));
    stage.at(1).await;
    assert_eq!(stage.asked(), ["start/0.txt"], "releases that do not say so are fetched for money, too");
    ahead.abort();
}

#[tokio::test(start_paused = true)]
async fn the_backend_has_a_group_fetched_in_its_order_a_few_files_at_a_time_and_may_cancel_it() {
    let stage = Stage::new(&[("maps", Prefetch::Never, 10)], Metered::Download);
    let backend = Asker::Worker(7);
    stage.repository.hangs.store(true, Ordering::Relaxed);
    let (shell, asker) = (stage.shell.clone(), backend.clone());
    let fetching = tokio::spawn(async move {
        desktop::handle(&shell, &asker, "assets.fetch", br#"{"group":"maps","id":3}"#).await
    });
    stage.at(1).await;
    let mut first = stage.asked();
    first.sort();
    assert_eq!(first, ["maps/6.txt", "maps/7.txt", "maps/8.txt", "maps/9.txt"]);
    // Another backend's request with the same number is not meant.
    desktop::handle(&stage.shell, &Asker::Worker(8), "assets.cancel", br#"{"id":3}"#).await.unwrap();
    stage.at(2).await;
    assert!(!fetching.is_finished());
    desktop::handle(&stage.shell, &backend, "assets.cancel", br#"{"id":3}"#).await.unwrap();
    assert_eq!(fetching.await.unwrap().unwrap_err().code, ErrorCode::Cancelled);
    stage.repository.hangs.store(false, Ordering::Relaxed);
    let answer = desktop::handle(&stage.shell, &backend, "assets.fetch", br#"{"group":"maps","id":4}"#).await;
    let state: GroupState = serde_json::from_value(answer.unwrap()).unwrap();
    assert_eq!((state.state, state.missing_bytes), (Presence::Ready, 0));
}
