//! A new backend that can not take over the state of the old one: the user decides, and nothing is lost before.

use anyhow::ensure;
use serde_json::json;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{Backend, Project};
use staysail_e2e::stage::play;

const SOURCE: &str = "backend/app/src/main.rs";
const BEFORE: &str = "    count: u32,\n}";
/// A field that old values have not, and no default for it.
const AFTER: &str = "    count: u32,\n    made_for_the_test: u32,\n}";

const KEPT: &str = ".keep(\"tally\", Tally::default())";
/// The second version of the state; of the first one, a count of one becomes a hundred and one.
const VERSIONED: &str = "#[derive(Clone, Default, State)]
#[state(version = 2, from_version = older)]
pub struct Tally";
const OLDER: &str = "
fn older(from_version: u32, value: staysail::Value) -> Result<Tally, String> {
    let count = value[\"count\"].as_u64().ok_or(\"no count\")?;
    Ok(Tally { count: count as u32 + 100 * from_version, made_for_the_test: 0 })
}
";

/// Presses a button of the overlay, as a click of the user does.
fn press(page: &Page, label: &str) -> anyhow::Result<()> {
    let script = "const all = document.querySelector('staysail-overlay').shadowRoot.querySelectorAll('button');\
        const one = Array.from(all).find((button) => button.textContent === arguments[0]);\
        one.click(); return true";
    page.run(script, &[json!(label)]).map(drop)
}

fn tally(page: &Page) -> anyhow::Result<serde_json::Value> {
    Ok(page.call("tally", &json!({}))?["value"].clone())
}

#[test]
fn state_that_does_not_fit_keeps_the_old_backend_until_the_user_starts_the_new_one_fresh() {
    play("refused_state", |stage| {
        let project = Project::fixture(stage)?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        for id in ["a", "b"] {
            page.call("count", &json!({ "id": id }))?;
        }
        ensure!(tally(&page)? == 2, "{}", tally(&page)?);
        let from = dev.position();
        project.edit(SOURCE, BEFORE, AFTER)?;
        dev.wait("swap_failed", from, EDIT)?;
        let text =
            page.wait_overlay("the question", EDIT, |text| text.contains("can not take over the state"))?;
        stage.screenshot("asked");
        ensure!(
            text.contains("tally") && text.contains("made_for_the_test"),
            "what does not fit is not named: {text}"
        );
        ensure!(tally(&page)? == 2, "the old backend does not serve with its state any more");

        press(&page, "Keep the old one")?;
        ensure!(tally(&page)? == 2, "the old backend does not serve any more");
        page.wait_overlay("the small form", EDIT, |text| !text.contains("Start fresh"))?;

        // The pill opens it again.
        let opened = "document.querySelector('staysail-overlay').shadowRoot.querySelector('button').click(); return true";
        page.run(opened, &[])?;
        let from = dev.position();
        press(&page, "Start fresh")?;
        dev.wait("swap_done", from, EDIT)?;
        page.wait_overlay("the overlay to go away", EDIT, str::is_empty)?;
        ensure!(tally(&page)? == 0, "it did not start fresh: {}", tally(&page)?);
        Ok(())
    });
}

#[test]
fn an_edit_that_fits_again_takes_the_state_along_after_a_refusal_and_the_next_version_migrates_it() {
    play("refused_state_repaired", |stage| {
        let project = Project::fixture(stage)?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        page.call("count", &json!({ "id": "a" }))?;
        let from = dev.position();
        project.edit(SOURCE, BEFORE, AFTER)?;
        dev.wait("swap_failed", from, EDIT)?;
        let from = dev.position();
        project.edit(SOURCE, AFTER, &AFTER.replace("    made", "    #[serde(default)]\n    made"))?;
        dev.wait("swap_done", from, EDIT)?;
        page.wait_overlay("the overlay to go away", EDIT, str::is_empty)?;
        ensure!(tally(&page)? == 1, "{}", tally(&page)?);

        // The next one says how an older value becomes one of its own.
        let from = dev.position();
        let text = project.read(SOURCE)?;
        let versioned = text
            .replace("#[derive(Clone, Default)]\npub struct Tally", VERSIONED)
            .replace(KEPT, ".kept::<Tally>()");
        ensure!(!versioned.contains(KEPT) && versioned.contains(VERSIONED), "the fixture is another");
        project.write(SOURCE, &(versioned + OLDER))?;
        dev.wait("swap_done", from, EDIT)?;
        ensure!(tally(&page)? == 101, "{}", tally(&page)?);
        // What is of its own version already is taken over as it is.
        let from = dev.position();
        project.backend(&Backend::good("after the migration"))?;
        dev.wait("swap_done", from, EDIT)?;
        page.wait_served_by("after the migration", EDIT)?;
        ensure!(tally(&page)? == 101, "{}", tally(&page)?);
        Ok(())
    });
}
