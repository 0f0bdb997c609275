//! Asset groups: fetched at first use, once, verified, kept, and still there offline, after updates and after their end.

mod fixture;

use fixture::{App, Lab, noise};
use staysail_protocol::assets::AssetFault;
use staysail_protocol::manifest::{FileEntry, UpdateSource};
use staysail_update::bundle::{self, Contents};
use staysail_update::engine::network::{Answer, Network, NetworkFuture, connect};
use staysail_update::engine::{OnDemand, RateLimit, Surroundings};
use staysail_update::{Release, Store};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Long enough that a part of it can be told from the whole.
const MAP_BYTES: usize = 60_000;

/// A release with a group `maps` of two files, `maps/same.bin` and `maps/own.bin`, of which the second one differs from
/// version to version.
fn contents(lab: &Lab, version: u8) -> Contents {
    let mut contents = lab.contents(&format!("1.{version}.0"), "text");
    for (name, seed) in [("same", 7), ("own", 100 + u64::from(version))] {
        let file = lab.folder.path().join(name);
        std::fs::write(&file, noise(MAP_BYTES, seed)).unwrap();
        contents.add_to_group("maps", &format!("maps/{name}.bin"), &file).unwrap();
    }
    contents.source = Some(UpdateSource { url: lab.file_url(), ..UpdateSource::default() });
    contents
}

/// The repository in a folder, which counts what is asked of it, or is away.
#[derive(Debug)]
struct Counted {
    folder: Arc<dyn Network>,
    asked: AtomicUsize,
    away: bool,
}

impl Network for Counted {
    fn get<'a>(&'a self, path: &'a str, start: u64) -> NetworkFuture<'a, Answer> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.away {
            true => Box::pin(async { Err("no route".to_owned()) }),
            false => self.folder.get(path, start),
        }
    }

    fn announcements(&self) -> Option<NetworkFuture<'_, Answer>> {
        None
    }

    fn name(&self) -> String {
        self.folder.name()
    }
}

fn on_demand(lab: &Lab, store: &Store, away: bool) -> (OnDemand, Arc<Counted>) {
    let folder = connect(&lab.file_url()).unwrap();
    let network = Arc::new(Counted { folder, asked: AtomicUsize::new(0), away });
    let surroundings = Surroundings {
        network: Arc::clone(&network) as Arc<dyn Network>,
        ..Surroundings::of_this_machine(&lab.file_url()).unwrap()
    };
    (OnDemand::new_in(store.clone(), &surroundings), network)
}

fn map(release: &Release, name: &str) -> FileEntry {
    let (group, entry) = release.on_demand(&format!("maps/{name}.bin")).unwrap();
    assert_eq!(group, "maps");
    entry.clone()
}

fn blob(lab: &Lab, entry: &FileEntry) -> PathBuf {
    lab.repository.join(format!("blobs/{}.zst", entry.blob.sha256))
}

fn installed(lab: &Lab, version: u8) -> (App, Store, Release) {
    let app = lab.install(&contents(lab, version));
    let store = app.store();
    let release = app.boot(&store).release;
    (app, store, release)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_fetched_once_however_many_ask_and_is_there_offline_afterwards() {
    let lab = Lab::new();
    lab.publish(contents(&lab, 1));
    let (app, store, release) = installed(&lab, 1);
    let entry = map(&release, "own");
    assert!(!release.has_group_file(&entry));
    assert_eq!(release.group_file(&entry).unwrap(), None);
    let (maps, network) = on_demand(&lab, &store, false);
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let (maps, release, entry) = (maps.clone(), release.clone(), entry.clone());
            tokio::spawn(async move { maps.file(&release, &entry).await })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap().unwrap(), noise(MAP_BYTES, 101));
    }
    assert_eq!(network.asked.load(Ordering::Relaxed), 1);
    assert!(release.has_group_file(&entry));

    // The app is started again, without a network.
    let store = app.store();
    let release = app.boot(&store).release;
    let (maps, network) = on_demand(&lab, &store, true);
    assert_eq!(maps.file(&release, &entry).await.unwrap(), noise(MAP_BYTES, 101));
    assert_eq!(network.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_had_is_told_by_its_reason_and_nothing_of_it_is_kept() {
    let lab = Lab::new();
    lab.publish(contents(&lab, 1));
    let (app, store, release) = installed(&lab, 1);
    let entry = map(&release, "own");
    let good = std::fs::read(blob(&lab, &entry)).unwrap();
    let reason =
        async |away| on_demand(&lab, &store, away).0.file(&release, &entry).await.unwrap_err().reason;

    assert_eq!(reason(true).await, AssetFault::Offline);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    // Something longer is what networks send that want to be paid first.
    let longer = [good.clone(), vec![0]].concat();
    for (bad, why) in [(flipped, AssetFault::Damaged), (longer, AssetFault::Offline)] {
        std::fs::write(blob(&lab, &entry), bad).unwrap();
        assert_eq!(reason(false).await, why);
        assert_eq!(release.group_file(&entry).unwrap(), None);
    }
    std::fs::remove_file(blob(&lab, &entry)).unwrap();
    assert_eq!(reason(false).await, AssetFault::Missing);
    let nowhere =
        OnDemand::new(store.clone(), None, RateLimit::default()).file(&release, &entry).await.unwrap_err();
    assert_eq!(nowhere.reason, AssetFault::Missing);

    // Whoever asks again when it is there gets it.
    std::fs::write(blob(&lab, &entry), good).unwrap();
    assert_eq!(on_demand(&lab, &store, false).0.file(&release, &entry).await.unwrap(), noise(MAP_BYTES, 101));
    assert_eq!(std::fs::read_dir(app.store_folder().join("on-demand")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_broke_off_goes_on_and_a_damaged_file_is_fetched_again() {
    let lab = Lab::new();
    lab.publish(contents(&lab, 1));
    let (app, store, release) = installed(&lab, 1);
    let entry = map(&release, "own");
    let good = std::fs::read(blob(&lab, &entry)).unwrap();
    let half = good.len() / 2;
    let partial = app.store_folder().join("on-demand").join(&entry.blob.sha256);
    std::fs::create_dir_all(partial.parent().unwrap()).unwrap();
    std::fs::write(&partial, &good[..half]).unwrap();
    // Only the rest is asked for: the beginning is another one by now.
    let mut rest = good.clone();
    rest[..half].fill(0);
    std::fs::write(blob(&lab, &entry), rest).unwrap();
    let (maps, _) = on_demand(&lab, &store, false);
    maps.file(&release, &entry).await.unwrap();

    std::fs::write(blob(&lab, &entry), &good).unwrap();
    let stored = app.store_folder().join("files").join(&entry.sha256[..2]).join(&entry.sha256);
    std::fs::write(&stored, noise(MAP_BYTES, 9)).unwrap();
    assert_eq!(maps.file(&release, &entry).await.unwrap(), noise(MAP_BYTES, 101));
    assert_eq!(std::fs::read(&stored).unwrap(), noise(MAP_BYTES, 101));
}

/// Brings the app to the newest release and waits until that is good.
async fn update(lab: &Lab, app: &App) {
    let mut session = app.start(&lab.file_url());
    session.committed().await;
    session.engine.shut_down();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_release_has_what_did_not_change_and_a_whole_group_goes_along_with_it() {
    for whole in [false, true] {
        let lab = Lab::new();
        lab.publish(contents(&lab, 1));
        let (app, store, first) = installed(&lab, 1);
        let (maps, _) = on_demand(&lab, &store, false);
        maps.fetch(&map(&first, "same")).await.unwrap();
        if whole {
            maps.fetch(&map(&first, "own")).await.unwrap();
        }
        lab.publish(contents(&lab, 2));
        update(&lab, &app).await;
        let store = app.store();
        let second = app.boot(&store).release;
        assert_eq!(second.manifest().version, "1.2.0");
        let (offline, _) = on_demand(&lab, &store, true);
        assert_eq!(offline.file(&second, &map(&second, "same")).await.unwrap(), noise(MAP_BYTES, 7));
        let own = offline.file(&second, &map(&second, "own")).await;
        match whole {
            true => assert_eq!(own.unwrap(), noise(MAP_BYTES, 102)),
            false => assert_eq!(own.unwrap_err().reason, AssetFault::Offline),
        }
        // Tidying up has left what the release before has: whoever returns to it finds it.
        let before = offline.file(&first, &map(&first, "own")).await;
        assert_eq!(before.is_ok(), whole);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_group_that_can_not_be_had_never_stands_in_the_way_of_a_release() {
    let lab = Lab::new();
    lab.publish(contents(&lab, 1));
    let (app, store, first) = installed(&lab, 1);
    let (maps, _) = on_demand(&lab, &store, false);
    for name in ["same", "own"] {
        maps.fetch(&map(&first, name)).await.unwrap();
    }
    let next = contents(&lab, 2);
    let own =
        next.manifest.groups["maps"].files.iter().find(|entry| entry.path == "maps/own.bin").unwrap().clone();
    lab.publish(next);
    std::fs::remove_file(blob(&lab, &own)).unwrap();
    update(&lab, &app).await;
    let second = app.boot(&app.store()).release;
    assert_eq!(second.manifest().version, "1.2.0");
    assert!(second.has_group_file(&map(&second, "same")) && !second.has_group_file(&own));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_release_has_any_more_is_removed() {
    let lab = Lab::new();
    lab.publish(contents(&lab, 1));
    let (app, store, attached) = installed(&lab, 1);
    let mut entries = vec![map(&attached, "same")];
    let (maps, _) = on_demand(&lab, &store, false);
    drop(attached);
    for version in 2..=4 {
        lab.publish(contents(&lab, version));
        update(&lab, &app).await;
        let release = app.boot(&app.store()).release;
        entries.push(map(&release, "own"));
        maps.fetch(&entries[entries.len() - 1]).await.unwrap();
    }
    let last = app.boot(&app.store()).release;
    let left: Vec<bool> = entries.iter().map(|entry| last.has_group_file(entry)).collect();
    // `same` was never fetched; of those fetched the current's and the previous one's are kept.
    assert_eq!(left, [false, false, true, true]);
}

#[test]
fn an_app_is_shipped_without_its_groups_only_if_they_can_be_fetched() {
    let lab = Lab::new();
    let size = |contents: &Contents| {
        let app = lab.install(contents);
        let attached = bundle::read_attached(&app.executable).unwrap().unwrap();
        let release = app.store().embed(&attached).unwrap();
        let entry = map(&release, "own");
        assert_eq!(release.has_group_file(&entry), release.group_file(&entry).unwrap().is_some());
        (release.has_group_file(&entry), std::fs::metadata(&app.executable).unwrap().len())
    };
    let mut contents = contents(&lab, 1);
    let (without, small) = size(&contents);
    contents.source = None;
    let (with, large) = size(&contents);
    assert!(!without && with);
    assert!(large > small + MAP_BYTES as u64, "{small} {large}");
}
