//! Ten published releases go live in a built app, under a continuous stream of calls.

use staysail_e2e::built::{Running, Shipped};
use staysail_e2e::dev::EDIT;
use staysail_e2e::ledger;
use staysail_e2e::project::{Backend, Project};
use staysail_e2e::stage::play;
use std::time::Duration;

const RELEASES: usize = 10;

#[test]
fn ten_releases_go_live_in_one_window_and_the_next_start_runs_the_newest() {
    play("live_update", |stage| {
        let shipped = Shipped::build(stage, Project::fixture(stage)?)?;
        let project = &shipped.project;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        let window = stage.display.window("Counter under test", Duration::from_secs(10))?;
        let mut load = page.load()?;
        page.send_keys(&page.find("#name")?, "typed before")?;
        page.start_calls()?;
        page.wait_answer("v0", EDIT)?;
        let mut expected = vec!["v0".to_owned()];
        let mut reloads = 0;
        for release in 1..=RELEASES {
            let version = format!("v{release}");
            project.backend(&Backend::good(&version))?;
            let page_changes = release % 4 == 0;
            if page_changes {
                let (old, new) = (format!("page-{}", release - 4), format!("page-{release}"));
                project.edit("frontend/index.html", &old, &new)?;
            }
            if release % 4 == 2 {
                let colour = format!("h1 {{ color: rgb({release}, 0, 0); }}\n");
                let styles = project.read("frontend/styles.css")? + &colour;
                project.write("frontend/styles.css", &styles)?;
            }
            shipped.publish(stage, &format!("0.{release}.1"))?;
            if page_changes {
                reloads += 1;
                let shown =
                    format!("return document.querySelector('#heading')?.textContent === 'page-{release}'");
                page.wait_for("the new page", &shown, EDIT)?;
                page.wait_up()?;
                let now = page.load()?;
                anyhow::ensure!(now != load, "the page's file changed, but it was not loaded again");
                load = now;
            }
            page.wait_answer(&version, EDIT)?;
            if release % 4 == 2 {
                let style = format!(
                    "return getComputedStyle(document.querySelector('#heading')).color === 'rgb({release}, 0, 0)'"
                );
                page.wait_for("the new style", &style, EDIT)?;
            }
            anyhow::ensure!(page.load()? == load, "release {release} loaded the page without a reason");
            expected.push(version);
        }
        stage.screenshot("after-10-releases");
        let calls = page.stop_calls()?;
        let executions = ledger::executions(&stage.ledger_file())?;
        ledger::check_once(&calls, &executions, &["PageGone"], reloads)?;
        ledger::check_monotone(&calls, &expected)?;
        let count = ledger::check_counts(&calls)?;
        let typed = page.run("return document.querySelector('#name').value", &[])?;
        anyhow::ensure!(typed == "typed before", "the field holds {typed}");
        let same = stage.display.window("Counter under test", Duration::from_secs(10))?;
        anyhow::ensure!(same == window, "the window was {window}, now it is {same}");
        println!("{} calls through {RELEASES} releases, count {count}", calls.len());

        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;
        let (again, page) = Running::live(stage, &shipped.executable)?;
        page.wait_served_by(&format!("v{RELEASES}"), EDIT)?;
        let heading = page.text(&page.find("#heading")?)?;
        anyhow::ensure!(heading == "page-8", "the next start shows {heading}");
        let version = page.call("version", &serde_json::json!({}))?;
        anyhow::ensure!(version["value"] == format!("0.{RELEASES}.1"), "the next start runs {version}");
        drop(page);
        again.stop()
    });
}
