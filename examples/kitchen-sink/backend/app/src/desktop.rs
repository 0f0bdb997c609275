//! Native features, used from Rust. The page has the same ones; each section shows both.

use staysail::{AppHandle, CallError, Level, Menu, MenuItem, MenuRole, Notification, Window, command};

/// The source of this file, shown in the page beside what it does.
pub const SOURCES: &[(&str, &str)] = &[("backend/app/src/desktop.rs", include_str!("desktop.rs"))];

// #region menu
/// The application's menu. Change it and save: the open windows have the new one.
pub fn menu() -> Menu {
    Menu::new()
        .menu(
            "&Ship",
            Menu::new()
                .item(MenuItem::new("anchor", "Drop &anchor").accelerator("CmdOrCtrl+D"))
                .separator()
                .role(MenuRole::Quit),
        )
        .menu(
            "&Edit",
            Menu::new()
                .role(MenuRole::Cut)
                .role(MenuRole::Copy)
                .role(MenuRole::Paste)
                .role(MenuRole::SelectAll),
        )
        .menu(
            "&View",
            Menu::new()
                .item(MenuItem::check("grid", "Show &grid", true).accelerator("CmdOrCtrl+G"))
                .item(MenuItem::radio("miles", "&Miles", "unit", true))
                .item(MenuItem::radio("kilometres", "&Kilometres", "unit", false))
                .separator()
                .role(MenuRole::Fullscreen),
        )
}
// #endregion

// #region from_rust
/// Opens a window and says how large it is.
#[command]
pub async fn open_from_rust(app: AppHandle) -> Result<(f64, f64), CallError> {
    let window = Window::new("from-rust").title("From Rust").url("/windows/plain.html").size(420.0, 260.0);
    let window = app.open_window(window).await?;
    Ok(window.state().await?.size)
}
// #endregion

// #region ask
/// Asks over the main window, and says what was answered.
#[command]
pub async fn ask_from_rust(app: AppHandle) -> Result<String, CallError> {
    let dialogs = app.dialogs().over("main");
    let detail = "The glass has been falling since noon.";
    let answer = dialogs.message(Level::Warning, "Reef the sails?", detail, &["Not yet", "Reef"]).await?;
    Ok(match answer {
        Some(1) => "Reefed".into(),
        Some(_) => "Sailing on".into(),
        None => "No answer".into(),
    })
}
// #endregion

// #region notify
/// Shows a notification and says its number.
#[command]
pub async fn notify_from_rust(app: AppHandle) -> Result<u32, CallError> {
    app.notify(Notification::new("Land in sight").body("Two miles ahead.").action("steer", "Steer for it")).await
}
// #endregion

// #region data_folder
/// The folder for this app's own data.
#[command]
pub fn data_folder(app: AppHandle) -> std::path::PathBuf {
    app.data_dir()
}
// #endregion
