//! A published release, from staged to live. No peer replaces a running backend.

use super::Row;
use super::apps::{Apps, STEP_LIMIT, Which, succeed};
use crate::demo::plain;
use crate::program::Program;
use std::process::Command;
use std::time::Duration;

/// Releases that are published one after the other; each waits for the probation of the one before.
const RELEASES_MAX: usize = 5;
const COMMIT_LIMIT: Duration = Duration::from_secs(60);

/// Measures the group.
pub fn measure(apps: &Apps, runs: usize) -> anyhow::Result<Vec<Row>> {
    let folder = apps.folder(Which::Ours);
    let repository = apps.work("releases");
    for old in [&repository, &folder.join("keys"), &apps.work("data/dev.staysail.bench")] {
        if old.exists() {
            std::fs::remove_dir_all(old)?;
        }
    }
    std::fs::create_dir_all(&repository)?;
    let staysail = |arguments: &[&str]| {
        let mut command = apps.around(apps.tool("staysail"), &folder);
        command.args(arguments).env("STAYSAIL_TARGET_DIR", apps.target(Which::Ours, "release"));
        command
    };
    succeed(&mut staysail(&["keys", "init", "--unencrypted"]))?;
    let mut serve = apps.tool("staysail-server");
    let mut server = Program::start("staysail-server", serve.arg("--repo").arg(&repository))?;
    let url = server.lines.until("its address", STEP_LIMIT, |heard| {
        heard.text.strip_prefix("listening on ").map(|url| url.trim().to_owned())
    })?;
    let project_file = folder.join("staysail.toml");
    let text = std::fs::read_to_string(&project_file)?;
    std::fs::write(&project_file, format!("{text}\n[update]\nurl = \"{url}\"\nroot = \"keys/root.json\"\n"))?;
    let repository = repository.display().to_string();
    let publish =
        |version: &str| succeed(&mut staysail(&["publish", "--to", &repository, "--version", version]));
    publish("1.0.0")?;
    let executable = apps.release(Which::Ours)?;
    let mut command = apps.around(Command::new(executable), &apps.work("."));
    command.env("XDG_DATA_HOME", apps.work("data"));
    let mut app = apps.start("the app", command, "watch")?;
    app.report("revision", STEP_LIMIT)?;

    let (mut live_ms, mut bytes) = (Vec::new(), Vec::new());
    let [backend, page] = apps.edited(Which::Ours);
    // Where the group `dev` left off, or the beginning.
    let mut old = ["\"backend-", "\"page-"].map(String::from);
    for (text, path) in old.iter_mut().zip([backend, page]) {
        let source = std::fs::read_to_string(apps.work(path))?;
        *text =
            source.split(text.as_str()).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("0").into();
    }
    let [mut revision, mut marker] = old;
    for run in 1..=runs.min(RELEASES_MAX) {
        let next = format!("release-{run}");
        apps.edit(backend, &format!("\"backend-{revision}\""), &format!("\"backend-{next}\""))?;
        apps.edit(page, &format!("\"page-{marker}\""), &format!("\"page-{next}\""))?;
        (revision, marker) = (next.clone(), next);
        let version = format!("1.{run}.0");
        publish(&version)?;
        let quoted = format!("version: \"{version}\"");
        let mut event = |kind: &str, limit| {
            app.program.lines.until(kind, limit, |heard| {
                let text = plain(&heard.text);
                let event = text.split_once("event=")?.1;
                (event.starts_with(kind) && event.contains(&quoted)).then(|| event.to_owned())
            })
        };
        bytes.extend(number(&event("Available", STEP_LIMIT)?, "bytes: "));
        live_ms.extend(number(&event("Applied", STEP_LIMIT)?, "milliseconds: "));
        event("Committed", COMMIT_LIMIT)?;
    }
    let mut rows = vec![
        Row::new("update.staged_to_live_ms", "ms", live_ms, Vec::new()),
        Row::new("update.payload_bytes", "bytes", bytes, Vec::new()),
    ];
    rows.extend(super::deltas::measure(apps.root, &apps.work("deltas"), runs)?);
    Ok(rows)
}

/// The number behind a name in a logged event.
fn number(event: &str, name: &str) -> Option<f64> {
    let rest = event.split_once(name)?.1;
    let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | 'e' | '-')).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_of_a_logged_event_are_read() {
        let event = "Applied { version: \"1.1.0\", milliseconds: 9.125 }";
        assert_eq!(number(event, "milliseconds: "), Some(9.125));
        assert_eq!(number("Available { notes: \"\", bytes: 1234 }", "bytes: "), Some(1234.0));
        assert_eq!(number(event, "bytes: "), None);
    }
}
