//! Wasm modules are a part of a release like any other.

use super::fixture::{Lab, noise};
use staysail_protocol::module::ModuleLimits;
use staysail_protocol::worker::UpdateWish;
use staysail_update::bundle::Contents;
use staysail_update::{Error, Release};

/// A release whose backend has this module.
fn with_module(lab: &Lab, version: &str, bytes: &[u8]) -> Contents {
    let mut contents = lab.contents(version, "one");
    let file = lab.folder.path().join("source/rules.wasm");
    std::fs::write(&file, bytes).unwrap();
    contents.add_module("rules", ModuleLimits::default(), &file).unwrap();
    contents
}

fn module(release: &Release) -> Result<Vec<u8>, Error> {
    release.module(&release.manifest().modules["rules"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_changes_only_a_module_is_fetched_by_its_delta_and_verified() {
    let lab = Lab::new();
    let (one, mut two) = (noise(40_000, 1), noise(40_000, 1));
    two[20_000..20_010].fill(7);
    let app = lab.install(&with_module(&lab, "1.0.0", &one));
    assert_eq!(module(&app.boot(&app.store()).release).unwrap(), one, "from the attached release");
    lab.publish(with_module(&lab, "1.0.0", &one));
    let published = lab.publish(with_module(&lab, "1.1.0", &two));
    assert!(
        published.deltas == 1 && published.update_bytes.is_some_and(|bytes| bytes < 4_000),
        "{published:?}"
    );

    assert_eq!(app.take_over(&lab.file_url()).await, "1.1.0");
    let release = app.boot(&app.store()).release;
    assert_eq!(module(&release).unwrap(), two);
    // What is damaged on disk is never handed out.
    let hash = &release.manifest().modules["rules"].file.sha256;
    std::fs::write(app.store_folder().join("files").join(&hash[..2]).join(hash), &one).unwrap();
    assert!(matches!(module(&release), Err(Error::Tampered { .. })), "{:?}", module(&release));
    assert!(release.verify().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_banned_by_its_module_alone_under_every_number() {
    let lab = Lab::new();
    let app = lab.install(&with_module(&lab, "1.0.0", b"good"));
    let mut session = app.start(&lab.file_url());
    session.host.fail.lock().unwrap().insert("1.1.0".into());
    lab.publish(with_module(&lab, "1.1.0", b"bad"));
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.rolled_back().await.0, "1.1.0");
    // Under another number it is the same; with another module, or other limits of it, it is not.
    lab.publish(with_module(&lab, "1.2.0", b"bad"));
    session.engine.wish(UpdateWish::Check);
    let mut again = with_module(&lab, "1.3.0", b"bad");
    again.manifest.modules.get_mut("rules").unwrap().limits.fuel_per_call += 1;
    lab.publish(again);
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "1.3.0");
    lab.publish(with_module(&lab, "1.4.0", b"better"));
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "1.4.0");
}
