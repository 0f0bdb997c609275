//! Asset groups in a built app: fetched from the server at first use, there without it afterwards, typed errors otherwise.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use staysail_e2e::built::{Running, Shipped};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::{Stage, play};
use std::path::Path;

const GROUPS: &str = "\n[assets.groups.maps]\nfiles = [\"maps/**\"]\n[assets.groups.charts]\nfiles = [\"charts/**\"]\n\
                      [assets.groups.broken]\nfiles = [\"broken.txt\"]\n[assets.groups.never]\nfiles = [\"*.never\"]\n\
                      [assets.groups.ahead]\nfiles = [\"ahead/**\"]\nprefetch = \"start\"\n";
const FILES: [&str; 7] =
    ["maps/a.txt", "maps/b.txt", "charts/a.txt", "charts/b.txt", "broken.txt", "a.never", "ahead/a.txt"];

/// Text that does not compress well, another one for each file.
fn text(path: &str) -> String {
    let mut seed = path.bytes().fold(1u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b' ' + (seed >> 58) as u8)
    };
    (0..200_000).map(|_| next()).collect()
}

fn project(stage: &Stage) -> anyhow::Result<Project> {
    let project = Project::fixture(stage)?;
    for path in FILES {
        let file = project.file("frontend").join(path);
        std::fs::create_dir_all(file.parent().context("a folder")?)?;
        std::fs::write(file, text(path))?;
    }
    project.write("staysail.toml", &(project.read("staysail.toml")? + GROUPS))?;
    Ok(project)
}

/// Fetches an address of the page: status, reason, and whether the right text came.
fn get(page: &Page, path: &str) -> anyhow::Result<Value> {
    page.run_async(
        "const answer = await fetch('/' + arguments_[0]); const text = await answer.text(); return { status: answer.status, \
         reason: answer.headers.get('staysail-asset-reason'), same: text === arguments_[1], \
         told: answer.ok ? null : JSON.parse(text) }",
        &[json!(path), json!(text(path))],
    )
}

fn here(page: &Page, path: &str) -> anyhow::Result<()> {
    let got = get(page, path)?;
    ensure!(got["status"] == 200 && got["same"] == true, "{path}: {got}");
    Ok(())
}

fn refused(page: &Page, group: &str, path: &str, status: u16, reason: &str) -> anyhow::Result<()> {
    let got = get(page, path)?;
    let told = json!({ "group": group, "path": path, "reason": reason });
    ensure!(got["status"] == status && got["reason"] == reason && got["told"] == told, "{path}: {got}");
    let error = assets(page, &format!("assets.fetch('{group}')"))?;
    ensure!(
        error["code"] == "AssetUnavailable" && error["typed"] == true && error["details"] == told,
        "{error}"
    );
    Ok(())
}

/// What a call of `assets` answers, with the progress that was told, or its error.
fn assets(page: &Page, call: &str) -> anyhow::Result<Value> {
    page.run_async(
        &format!(
            "const {{ assets, isAssetUnavailable }} = await import('/__staysail/api.js'); const progress = []; \
             const onProgress = (one) => progress.push(one); \
             return {call}.then((value) => ({{ value, progress }}), (error) => ({{ code: error.code, \
             details: error.details, message: error.message, typed: isAssetUnavailable(error) }}))"
        ),
        &[],
    )
}

fn state(page: &Page, group: &str) -> anyhow::Result<Value> {
    Ok(assets(page, &format!("assets.state('{group}')"))?["value"]["state"].clone())
}

/// Spoils the published blob of this file.
fn spoil(repository: &Path, group: &str) -> anyhow::Result<()> {
    let releases = std::fs::read_dir(repository.join("targets/releases"))?;
    let manifest = releases.last().context("no release")??.path();
    let manifest: Value = serde_json::from_slice(&std::fs::read(manifest)?)?;
    let blob = manifest["groups"][group]["files"][0]["blob"]["sha256"].as_str().context("no blob")?;
    let file = repository.join(format!("blobs/{blob}.zst"));
    let mut bytes = std::fs::read(&file)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes)?;
    Ok(())
}

#[test]
fn groups_are_fetched_at_first_use_and_are_there_when_the_server_is_gone() {
    play("asset_groups", |stage| {
        let shipped = Shipped::build(stage, project(stage)?)?;
        // What is shipped is what is published: the app has nothing to update to.
        shipped.publish(stage, "0.1.0")?;
        spoil(&shipped.repository, "broken")?;
        let Shipped { server, executable, .. } = shipped;
        let (running, page) = Running::live(stage, &executable)?;
        ensure!(state(&page, "maps")? == "absent");
        // Many at once, by their addresses.
        let many = page.run_async(
            "const all = await Promise.all([...Array(12)].map((_, at) => fetch(at % 2 ? '/maps/a.txt' : '/maps/b.txt'))); \
             return all.every((one) => one.status === 200)",
            &[],
        )?;
        ensure!(many == true);
        here(&page, "maps/a.txt")?;
        ensure!(state(&page, "maps")? == "ready");
        // A whole group, with progress.
        let fetched = assets(&page, "assets.fetch('charts', { onProgress })")?;
        ensure!(fetched["value"]["state"] == "ready" && fetched["value"]["missingBytes"] == 0, "{fetched}");
        let last = fetched["progress"].as_array().and_then(|all| all.last()).context("no progress")?;
        ensure!(last["bytes"] == last["total"] && last["total"].as_u64() > Some(200_000), "{fetched}");
        staysail_e2e::wait_until("the group that is fetched ahead", EDIT, || match state(&page, "ahead") {
            Ok(state) if state == "ready" => Ok(()),
            other => Err(format!("{other:?}")),
        })?;
        refused(&page, "broken", "broken.txt", 502, "damaged")?;
        let unknown = assets(&page, "assets.fetch('mpas')")?;
        ensure!(unknown["code"] == "InvalidArguments", "{unknown}");

        drop(server);
        refused(&page, "never", "a.never", 503, "offline")?;
        for path in ["maps/a.txt", "charts/b.txt", "ahead/a.txt"] {
            here(&page, path)?;
        }
        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;
        let (again, page) = Running::live(stage, &executable)?;
        for path in ["maps/b.txt", "charts/a.txt", "ahead/a.txt"] {
            here(&page, path)?;
        }
        let listed = assets(&page, "assets.list()")?;
        let states: Vec<_> =
            listed["value"].as_array().into_iter().flatten().map(|one| &one["state"]).collect();
        ensure!(states == ["ready", "absent", "ready", "ready", "absent"], "{listed}");
        drop(page);
        again.stop()
    });
}

#[test]
fn in_development_and_without_a_source_of_releases_all_files_are_there() {
    play("asset_groups_all_there", |stage| {
        let project = project(stage)?;
        let (dev, page) = Dev::live(stage, &project)?;
        for path in ["maps/a.txt", "broken.txt"] {
            here(&page, path)?;
        }
        ensure!(state(&page, "maps")? == "ready");
        let unknown = assets(&page, "assets.state('mpas')")?;
        ensure!(unknown["code"] == "InvalidArguments", "{unknown}");
        drop(page);
        drop(dev);
        stage.wait_nothing_left_of("counter")?;

        let executable = staysail_e2e::built::build(stage, &project, true)?;
        let (running, page) = Running::live(stage, &executable)?;
        here(&page, "maps/a.txt")?;
        ensure!(assets(&page, "assets.fetch('charts')")?["value"]["state"] == "ready");
        drop(page);
        running.stop()
    });
}
