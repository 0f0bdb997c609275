//! Native features: who asks, may they, and which module does it.
//!
//! Each group of [`staysail_protocol::desktop`] is a module here with one function `handle`. Whatever touches a window
//! runs on the windows' thread, by [`Ui::ask`](crate::app::Ui::ask); the request itself waits on the runtime, so
//! neither a dialog nor a slow disk holds up anything else.

pub mod app;
mod clipboard;
pub mod dialog;
pub(crate) mod downloads;
pub(crate) mod drops;
mod file_name;
pub mod fs;
mod geometry;
pub(crate) mod icon;
pub mod links;
mod menu_roles;
mod menus;
mod notification;
mod opener;
pub mod power;
mod presence;
mod requests;
pub(crate) mod shortcuts;
pub mod tray;
#[cfg(not(target_os = "linux"))]
pub(crate) mod tray_menu;
pub(crate) mod webview;
mod windows;

pub(crate) use opener::is_harmless;
pub use windows::Windows;
#[cfg(not(target_os = "linux"))]
pub use windows::native_theme;

use crate::asset_groups;
use crate::pages::Visitor;
use crate::router::Outcome;
use crate::shell::Shell;
use serde_json::Value;
use staysail_protocol::desktop::features::OTHERS;
use staysail_protocol::desktop::{parts, read};
use staysail_protocol::{CallError, ErrorCode};
use std::sync::Arc;

/// Who asks for a native feature.
#[derive(Debug, Clone)]
pub enum Asker {
    /// The page of a window; it needs a capability.
    Page(Visitor),
    /// A worker, by its number: a program of the user's own, which may ask for anything.
    Worker(u64),
}

/// What a request ends with.
pub type Answer = Result<Value, CallError>;

/// Does what a page asks, if it may. `body`: raw bytes that came with the arguments.
pub async fn answer_page(
    shell: &Arc<Shell>,
    visitor: Visitor,
    name: &str,
    arguments: &[u8],
    body: Option<Vec<u8>>,
) -> Outcome {
    let asker = Asker::Page(visitor);
    if let Some(("assets", operation)) = parts(name) {
        // The app's own files need no capability.
        let request = arguments_of(name, operation, arguments)?;
        let answered = asset_groups::handle(shell, &asker, request).await;
        return answered.map(|value| (value.to_string().into_bytes(), false));
    }
    if let (Asker::Page(visitor), Some(("fs", operation))) = (&asker, parts(name)) {
        permitted(shell, &asker, name)?;
        return fs::handle(shell, visitor, arguments_of(name, operation, arguments)?, body).await;
    }
    handle(shell, &asker, name, arguments).await.map(|value| (value.to_string().into_bytes(), false))
}

/// Does what is asked, if the asker may.
pub async fn handle(shell: &Arc<Shell>, asker: &Asker, name: &str, arguments: &[u8]) -> Answer {
    permitted(shell, asker, name)?;
    let Some((group, operation)) = parts(name) else { return Err(unknown(name)) };
    if let Asker::Page(visitor) = asker {
        let named = named_windows(arguments);
        for other in named.iter().flatten().filter(|label| **label != visitor.window) {
            may_reach(shell, visitor, name, other)?;
        }
        let is_window = named[0].as_ref().is_some_and(|label| !shell.pages.is_tab(label));
        if shell.pages.is_tab(&visitor.window) && is_done_to_window(group, operation) && !is_window {
            return Err(no_window(name, "a browser tab has none"));
        }
    }
    let done = done(shell, asker, name, group, operation, arguments).await;
    done.map_err(|error| match error.code {
        ErrorCode::NoWindow if error.details.is_null() => no_window(name, &error.message),
        _ => error,
    })
}

/// Whether this is done to the window a page is in, unless another is named.
fn is_done_to_window(group: &str, operation: &str) -> bool {
    match (group, operation) {
        ("window", operation) => !matches!(operation, "create" | "list" | "screens"),
        ("menu", operation) => operation == "popup",
        (group, _) => matches!(group, "page" | "find"),
    }
}

/// The windows that a page names in its arguments: the one something is done to, and the parent of a new one, which a modal
/// child takes the input from.
fn named_windows(arguments: &[u8]) -> [Option<String>; 2] {
    let arguments = serde_json::from_slice::<Value>(arguments).unwrap_or_default();
    [&arguments["label"], &arguments["window"]["parent"]].map(|label| label.as_str().map(str::to_owned))
}

/// Whether the page may do to another window what it may do to its own.
fn may_reach(shell: &Shell, visitor: &Visitor, name: &str, other: &str) -> Result<(), CallError> {
    if shell.granted(&visitor.window, |granted| granted.feature(OTHERS)) {
        return Ok(());
    }
    Err(denied(format!(
        "the page of window `{}` may use `{name}` for itself and not for window `{other}`; to let it, add `{OTHERS}` to \
         `allow` of [[capabilities]] in staysail.toml",
        visitor.window
    )))
}

fn no_window(name: &str, why: &str) -> CallError {
    let message = format!("`{name}` needs a window of the app: {why}. In the app's own window it works");
    CallError {
        details: serde_json::json!({ "feature": name }),
        ..CallError::new(ErrorCode::NoWindow, message)
    }
}

async fn done(
    shell: &Arc<Shell>,
    asker: &Asker,
    name: &str,
    group: &str,
    operation: &str,
    arguments: &[u8],
) -> Answer {
    match group {
        "window" => requests::handle(shell, asker, arguments_of(name, operation, arguments)?).await,
        "assets" => asset_groups::handle(shell, asker, arguments_of(name, operation, arguments)?).await,
        "app" => app::handle(shell, arguments_of(name, operation, arguments)?).await,
        "autostart" => links::handle(shell, arguments_of(name, operation, arguments)?).await,
        "clipboard" => clipboard::handle(shell, arguments_of(name, operation, arguments)?).await,
        "dialog" => dialog::handle(shell, asker, arguments_of(name, operation, arguments)?).await,
        "fs" => Err(unknown(&format!("{name}` for the backend, which opens files by itself (`std::fs"))),
        "menu" => menus::handle(shell, asker, arguments_of(name, operation, arguments)?).await,
        "notification" => notification::handle(shell, arguments_of(name, operation, arguments)?).await,
        "opener" => opener::handle(arguments_of(name, operation, arguments)?).await,
        "page" => webview::page(shell, asker, arguments_of(name, operation, arguments)?).await,
        "find" => webview::find(shell, asker, arguments_of(name, operation, arguments)?).await,
        "cookies" => webview::cookies(shell, arguments_of(name, operation, arguments)?).await,
        "storage" => webview::storage(shell, arguments_of(name, operation, arguments)?).await,
        "download" => downloads::handle(shell, asker, arguments_of(name, operation, arguments)?).await,
        "power" => power::handle(shell, asker, arguments_of(name, operation, arguments)?).await,
        "shortcut" => shortcuts::handle(shell, arguments_of(name, operation, arguments)?).await,
        "tray" => tray::handle(shell, arguments_of(name, operation, arguments)?).await,
        _ => Err(unknown(name)),
    }
}

fn permitted(shell: &Shell, asker: &Asker, name: &str) -> Result<(), CallError> {
    if let Asker::Page(visitor) = asker
        && !shell.granted(&visitor.window, |granted| granted.feature(name))
    {
        return Err(denied(format!(
            "the page of window `{}` may not use `{name}`; to let it, add it to `allow` of [[capabilities]] in \
             staysail.toml",
            visitor.window
        )));
    }
    Ok(())
}

fn denied(message: String) -> CallError {
    tracing::warn!(message, "denied");
    CallError::new(ErrorCode::Denied, message)
}

/// Does something native, begun before this returns: what is asked one after the other reaches the windows' thread in
/// that order, whoever waits for what.
pub fn begin(shell: &Shell, work: impl Future<Output = ()> + Send + 'static) {
    let mut work = Box::pin(work);
    let begun = work.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    if begun.is_pending() {
        shell.runtime.spawn(work);
    }
}

fn unknown(name: &str) -> CallError {
    CallError::new(ErrorCode::UnknownCommand, format!("there is no native feature `{name}`"))
}

fn arguments_of<R: serde::de::DeserializeOwned>(
    name: &str,
    operation: &str,
    arguments: &[u8],
) -> Result<R, CallError> {
    read(operation, arguments).map_err(|error| invalid(format!("`{name}`: {error}")))
}

fn invalid(message: String) -> CallError {
    CallError::new(ErrorCode::InvalidArguments, message)
}

fn answer(value: impl serde::Serialize) -> Answer {
    serde_json::to_value(value).map_err(|error| {
        CallError::new(ErrorCode::Internal, format!("the answer can not be written: {error}"))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn windows_are_named_as_what_something_is_done_to_and_as_the_parent_of_a_new_one() {
        let named = |text: &str| super::named_windows(text.as_bytes()).map(Option::unwrap_or_default);
        assert_eq!(named(r#"{"label":"main"}"#), ["main", ""]);
        assert_eq!(named(r#"{"window":{"label":"x","parent":"main","modal":true}}"#), ["", "main"]);
        assert_eq!(named(""), ["", ""]);
    }

    #[test]
    fn the_groups_that_are_done_here_are_the_ones_a_project_file_may_name() {
        let arms = include_str!("mod.rs").lines().filter_map(|line| {
            let (group, _) = line.trim().strip_prefix('"')?.split_once("\" => ")?;
            Some(group.to_string())
        });
        let mut done: Vec<String> = arms.collect();
        let mut named: Vec<String> = staysail_protocol::desktop::features::all()
            .iter()
            .filter_map(|feature| Some(feature.split_once('.')?.0.to_string()))
            .collect();
        // Of files dragged over a window one is told; nothing can be asked. Wishes about updates have a way of their own.
        done.extend(["drop".into(), "update".into()]);
        // The app's own files need no capability.
        done.retain(|group| group != "assets");
        done.sort();
        named.sort();
        named.dedup();
        assert_eq!(done, named, "add the group to crates/protocol/src/desktop/features.rs");
    }
}
