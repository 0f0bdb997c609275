//! The names of all native features, for whoever checks what a project file allows.

use super::{
    app, autostart, clipboard, cookies, dialog, download, find, fs, menu, notification, opener, page, power,
    read, shortcut, tray, window,
};
use serde::de::DeserializeOwned;

/// What a page may do that chooses a channel or a version to stay at.
pub const UPDATE_FOLLOW: &str = "update.follow";

/// A group's name, and what lists its operations.
type Group = (&'static str, fn() -> Vec<String>);

/// Every native feature, `group.operation`.
///
/// ```
/// assert!(staysail_protocol::desktop::features::all().contains(&"dialog.open".to_string()));
/// ```
pub fn all() -> Vec<String> {
    let groups: [Group; 17] = [
        ("app", operations::<app::AppRequest>),
        ("autostart", operations::<autostart::AutostartRequest>),
        ("clipboard", operations::<clipboard::ClipboardRequest>),
        ("cookies", operations::<cookies::CookiesRequest>),
        ("dialog", operations::<dialog::DialogRequest>),
        ("download", operations::<download::DownloadRequest>),
        ("find", operations::<find::FindRequest>),
        ("fs", operations::<fs::FsRequest>),
        ("menu", operations::<menu::MenuRequest>),
        ("notification", operations::<notification::NotificationRequest>),
        ("opener", operations::<opener::OpenerRequest>),
        ("page", operations::<page::PageRequest>),
        ("power", operations::<power::PowerRequest>),
        ("shortcut", operations::<shortcut::ShortcutRequest>),
        ("storage", operations::<cookies::StorageRequest>),
        ("tray", operations::<tray::TrayRequest>),
        ("window", operations::<window::WindowRequest>),
    ];
    let of_group = |(group, operations): Group| {
        operations().into_iter().map(move |operation| format!("{group}.{operation}")).collect::<Vec<_>>()
    };
    // Nothing can be asked by these names: who may use something of the first one's group is told of paths, the second
    // lets a page do to other windows what it may do to its own, the third are wishes.
    let others = ["drop.paths", OTHERS, UPDATE_FOLLOW].map(str::to_owned);
    groups.into_iter().flat_map(of_group).chain(others).collect()
}

/// Lets a page do to other windows what it may do to its own.
pub const OTHERS: &str = "window.others";

/// Whether a feature touches files by the `files` of a capability.
pub fn touches_files(feature: &str) -> bool {
    feature.starts_with("fs.") || matches!(feature, "page.print_to_pdf" | "download.accept")
}

/// The operations of a group: asked for one that is none, serde names those there are. So nothing is listed twice.
fn operations<R: DeserializeOwned>() -> Vec<String> {
    let refusal = read::<R>("?", b"{}").err().unwrap_or_default();
    // "unknown variant `?`, expected one of `a`, `b`"
    refusal.split('`').skip(1).step_by(2).skip(1).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn every_operation_of_every_group_is_named() {
        let features = all();
        for feature in [
            "drop.paths",
            "window.others",
            "cookies.set",
            "storage.clear",
            "window.start_resizing",
            "window.create",
            "opener.reveal",
            "menu.popup",
            "clipboard.clear",
        ] {
            assert!(features.iter().any(|known| known == feature), "{feature} is missing in {features:?}");
        }
        assert_eq!(
            features
                .iter()
                .filter(|feature| super::touches_files(feature) && !feature.starts_with("fs."))
                .count(),
            2
        );
        assert!(features.iter().all(|feature| super::super::parts(feature).is_some()), "{features:?}");
    }
}
