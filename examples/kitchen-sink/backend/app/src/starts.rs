//! Starts of the app: a second one, one by a link, one by a file.

use staysail::{AppHandle, State, command};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

/// The source of this file, shown in the page beside what it does.
pub const SOURCES: &[(&str, &str)] = &[("backend/app/src/starts.rs", include_str!("starts.rs"))];

// #region again
/// Starts the installed app once more, as the user does, or the desktop. The second hands these words to the first.
#[command]
pub async fn start_again(app: AppHandle, words: Vec<String>) -> Result<(), String> {
    let executable = app.info().await.map_err(|error| error.message)?.executable;
    if executable.is_empty() {
        return Err("only a built app can be started again: run `staysail build`, then what is in build/".into());
    }
    let mut second = Command::new(executable).args(words).spawn().map_err(|error| error.to_string())?;
    std::thread::spawn(move || second.wait()); // it ends as soon as it has handed them over
    Ok(())
}
// #endregion

// #region file
/// The charts that were opened with this app. No other file is read for the page.
#[derive(Default)]
pub struct Charts(Mutex<Vec<PathBuf>>);

/// Remembers which charts are opened.
pub fn listen(app: &AppHandle) {
    let charts = app.state::<Charts>();
    app.on_opened(move |opened| {
        let Some(charts) = &charts else { return };
        charts.0.lock().unwrap().extend(opened.files.iter().map(PathBuf::from));
    });
}

/// What is on a chart that was opened.
#[command]
pub fn opened_chart(path: PathBuf, charts: State<Charts>) -> Result<String, String> {
    if !charts.0.lock().unwrap().contains(&path) {
        return Err(format!("{} was not opened with this app", path.display()));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}
// #endregion

/// Makes a chart and opens it, as a double click in the file manager does.
#[command]
pub async fn open_chart(app: AppHandle, text: String) -> Result<(), String> {
    let chart = app.data_dir().join("treasure.chart");
    std::fs::write(&chart, text).map_err(|error| error.to_string())?;
    start_again(app, vec![chart.display().to_string()]).await
}
