//! The kitchen sink's section about links and files, built: a second start, a link and a file reach the app that runs.
#![cfg(target_os = "linux")]

use anyhow::ensure;
use staysail_e2e::dev::EDIT;
use staysail_e2e::kitchen_sink::KitchenSink;
use staysail_e2e::stage::{Stage, play};

#[test]
fn a_second_start_a_link_and_a_file_reach_the_app_that_runs() {
    play("kitchen-sink-built", |stage| {
        let sink = KitchenSink::start_built(stage, &[])?;
        sink.go("links")?;
        sink.press("links-again-start")?;
        sink.wait_answer("links-again", |text| text == "Second start: --watch starboard")?;
        sink.press("links-link-open")?;
        sink.wait_answer("links-link", |text| text == "Sail to harbour")?;
        sink.press("links-file-open")?;
        sink.wait_answer("links-file", |text| text == "Here be dragons")?;
        // Another file is read for nobody.
        let refused = sink.run(
            "return await api.invoke('opened_chart', { path: '/etc/hostname' }).then(() => 'read', error => error.message)",
        )?;
        ensure!(refused.as_str().is_some_and(|text| text.contains("not opened")), "{refused}");
        ensure!(stage.display.windows("^Kitchen Sink$").len() == 1, "a second window");
        let entry = stage.folder.path().join("data/applications/dev.staysail.kitchen-sink.staysail.desktop");
        let text = staysail_e2e::wait_until("the desktop's entry", EDIT, || {
            std::fs::read_to_string(&entry).map_err(|error| error.to_string())
        })?;
        for part in ["x-scheme-handler/kitchen-sink;", "application/x-dev.staysail.kitchen-sink-chart;"] {
            ensure!(text.contains(part), "{part} is not in {text}");
        }
        sink.picture("links")?;
        starts_at_log_in(stage, &sink)
    });
}

/// What the system starts at log-in is this program, with the arguments asked for, until it is told not to.
fn starts_at_log_in(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("starts")?;
    sink.try_out("starts-autostart", "state", "Does not start at log-in")?;
    sink.try_out("starts-autostart", "enable", "Done")?;
    let folder = stage.folder.path().join("config/autostart");
    let entries = || -> anyhow::Result<Vec<std::path::PathBuf>> {
        Ok(std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?)
    };
    let there = entries()?;
    let [entry] = there.as_slice() else { anyhow::bail!("{there:?}") };
    let text = std::fs::read_to_string(entry)?;
    let program = stage.folder.path().join("installed").display().to_string();
    let starts = text.lines().find_map(|line| line.strip_prefix("Exec=")).unwrap_or_default();
    ensure!(starts.contains(&program) && starts.contains("--hidden"), "{text}");
    sink.try_out("starts-autostart", "state", "Starts at log-in")?;
    sink.picture("starts")?;
    sink.try_out("starts-autostart", "disable", "Done")?;
    sink.try_out("starts-autostart", "state", "Does not start at log-in")?;
    ensure!(entries()?.is_empty(), "{:?}", entries()?);
    Ok(())
}
