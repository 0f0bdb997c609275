//! Deltas from the publisher to the app: from several releases, by every method, and none where none helps.

mod fixture;

use fixture::{App, Lab, Seen, noise, options};
use staysail_protocol::manifest::Manifest;
use staysail_protocol::notice::UpdateEvent;
use staysail_update::publisher::{self, Folder, Options, Published};
use staysail_update::{TARGET, pack};

/// Bytes that do not compress, of which one in fifty is another one in each version: little for zstd to match.
fn scattered(version: u8) -> Vec<u8> {
    let mut bytes = noise(100_000, 1);
    bytes.iter_mut().step_by(50).for_each(|byte| *byte = byte.wrapping_add(version));
    bytes
}

fn publish(lab: &Lab, version: u8, delta_releases: usize) -> Published {
    let contents = lab.contents_with(&format!("1.{version}.0"), "text", &scattered(version));
    let place = Folder::open(&lab.repository).unwrap();
    let options = Options { delta_releases, ..options() };
    publisher::publish(&place, &lab.keys, contents, &options, jiff::Timestamp::now()).unwrap()
}

fn manifest(lab: &Lab, published: &Published) -> Manifest {
    let file = format!("targets/releases/{}.stable.json", published.hash);
    Manifest::parse(&std::fs::read(lab.repository.join(file)).unwrap()).unwrap()
}

fn installed(lab: &Lab, version: u8) -> App {
    lab.install(&lab.contents_with(&format!("1.{version}.0"), "text", &scattered(version)))
}

/// What the app says it has to fetch, once it has fetched it and the release is live.
async fn bytes_of_update(lab: &Lab, app: &App, version: u8) -> u64 {
    let mut session = app.start(&lab.file_url());
    let mut announced = 0;
    let live = session.wait("release", |seen| match seen {
        Seen::Event(UpdateEvent::Available { bytes, .. }) => {
            announced = *bytes;
            None
        }
        Seen::Live(live) => Some(live.clone()),
        Seen::Event(_) => None,
    });
    let live = live.await;
    assert!(live.worker.ends_with(&scattered(version)));
    session.committed().await;
    session.engine.shut_down();
    announced
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_up_to_so_many_releases_behind_get_a_patch_from_what_they_have() {
    let lab = Lab::new();
    for version in 0..4 {
        publish(&lab, version, 3);
    }
    let published = publish(&lab, 4, 3);
    assert_eq!(published.deltas, 3);
    let manifest = manifest(&lab, &published);
    assert!(manifest.deltas.iter().all(|delta| delta.method == pack::CODE_AWARE), "{:?}", manifest.deltas);
    // The update from the release before is told, not that from an older one.
    let newest = manifest.deltas.iter().map(|delta| delta.blob.size).collect::<Vec<_>>();
    assert!(newest.contains(&published.update_bytes.unwrap()));
    for version in [3, 1] {
        let bytes = bytes_of_update(&lab, &installed(&lab, version), 4).await;
        assert!(bytes < 6_000, "{bytes} from {version}");
    }
    let bytes = bytes_of_update(&lab, &installed(&lab, 0), 4).await;
    assert!(bytes > 100_000, "{bytes} from a release too far behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_may_do_without_patches() {
    let lab = Lab::new();
    publish(&lab, 0, 3);
    let published = publish(&lab, 1, 0);
    assert_eq!((published.deltas, manifest(&lab, &published).deltas.len()), (0, 0));
    assert!(bytes_of_update(&lab, &installed(&lab, 0), 1).await > 100_000);
    // The release without patches is a release before the next one all the same.
    assert_eq!(publish(&lab, 2, 3).deltas, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_patch_of_code_leads_to_the_whole_file() {
    let lab = Lab::new();
    publish(&lab, 0, 3);
    let published = publish(&lab, 1, 3);
    let delta = manifest(&lab, &published).deltas.remove(0);
    assert_eq!(delta.method, pack::CODE_AWARE);
    let file = lab.repository.join(format!("blobs/{}.zst", delta.blob.sha256));
    let good = std::fs::read(&file).unwrap();
    for at in [0, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&file, bad).unwrap();
        bytes_of_update(&lab, &installed(&lab, 0), 1).await;
    }
}

#[test]
fn an_older_blob_that_can_not_be_read_costs_its_patch_and_not_the_publish() {
    let damages: [fn(&std::path::Path); 4] = [
        |blob| std::fs::remove_file(blob).unwrap(),
        |blob| std::fs::write(blob, "something else").unwrap(),
        |blob| std::fs::write(blob, [std::fs::read(blob).unwrap(), vec![0]].concat()).unwrap(),
        |blob| {
            std::fs::remove_file(blob).unwrap();
            std::fs::create_dir(blob).unwrap();
        },
    ];
    for damage in damages {
        let lab = Lab::new();
        publish(&lab, 0, 3);
        let before = publish(&lab, 1, 3);
        let blob = &manifest(&lab, &before).backend[TARGET][0].blob.sha256;
        damage(&lab.repository.join(format!("blobs/{blob}.zst")));
        let published = publish(&lab, 2, 3);
        // That from the release before the last one is there.
        assert_eq!(published.deltas, 1);
    }
}

#[test]
fn a_patch_is_kept_only_when_it_is_clearly_smaller_than_the_file() {
    let lab = Lab::new();
    let release = |version: &str, seed| lab.contents_with(version, "text", &noise(50_000, seed));
    lab.publish(release("1.0.0", 1));
    let published = lab.publish(release("1.1.0", 2));
    let worker = &manifest(&lab, &published).backend[TARGET][0];
    assert_eq!((published.deltas, published.update_bytes), (0, Some(worker.blob.size)));
}
