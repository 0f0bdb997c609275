//! Dialogs, clipboard, notifications and the file manager on Windows and macOS.

#[path = "notifications_portable.rs"]
mod notifications;

use crate::desktop::Answer;
use crate::desktop::dialog::{Choice, Chooser, Question};
use crate::shell::Shell;
use serde_json::Value;
use staysail_protocol::desktop::dialog::Level;
use staysail_protocol::limits::CLIPBOARD_IMAGE_SIDE_MAX;
use staysail_protocol::{CallError, ErrorCode};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

pub use notifications::{close_notification, notify};

type Done<T> = Result<T, CallError>;

fn failed(error: impl std::fmt::Display) -> CallError {
    CallError::new(ErrorCode::Internal, error.to_string())
}

/// Does something with the clipboard, off the threads that must not wait.
async fn clipboard<T: Send + 'static>(
    work: impl FnOnce(&mut arboard::Clipboard) -> Result<T, arboard::Error> + Send + 'static,
) -> Done<T> {
    tokio::task::spawn_blocking(move || {
        arboard::Clipboard::new().and_then(|mut clipboard| work(&mut clipboard))
    })
    .await
    .map_err(failed)?
    .map_err(failed)
}

fn present<T>(result: Result<T, arboard::Error>) -> Result<Option<T>, arboard::Error> {
    match result {
        Err(arboard::Error::ContentNotAvailable) => Ok(None),
        other => other.map(Some),
    }
}

/// Whether windows can be shown; these systems always can.
pub fn has_display() -> Result<(), String> {
    Ok(())
}

/// The text of the clipboard.
pub async fn clipboard_text(_shell: &Arc<Shell>) -> Done<Option<String>> {
    clipboard(|clipboard| present(clipboard.get_text())).await
}

/// The HTML of the clipboard.
pub async fn clipboard_html(_shell: &Arc<Shell>) -> Done<Option<String>> {
    clipboard(|clipboard| present(clipboard.get().html())).await
}

/// The image of the clipboard, as PNG.
pub async fn clipboard_png(_shell: &Arc<Shell>) -> Done<Option<Vec<u8>>> {
    let image = clipboard(|clipboard| present(clipboard.get_image())).await?;
    image.map(|image| encode(&image).map_err(failed)).transpose()
}

fn encode(image: &arboard::ImageData<'_>) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, image.width as u32, image.height as u32);
    encoder.set_color(png::ColorType::Rgba);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&image.bytes)?;
    writer.finish()?;
    Ok(bytes)
}

/// Puts a text into the clipboard.
pub async fn clipboard_set_text(_shell: &Arc<Shell>, text: String) -> Answer {
    clipboard(move |clipboard| clipboard.set_text(text)).await.map(|()| Value::Null)
}

/// Puts HTML into the clipboard, and a text for programs that take none.
pub async fn clipboard_set_html(_shell: &Arc<Shell>, html: String, text: String) -> Answer {
    clipboard(move |clipboard| clipboard.set_html(html, Some(text))).await.map(|()| Value::Null)
}

/// Puts an image into the clipboard.
pub async fn clipboard_set_png(_shell: &Arc<Shell>, bytes: Vec<u8>) -> Answer {
    let (pixels, width, height) = crate::desktop::icon::pixels(&bytes, "image", CLIPBOARD_IMAGE_SIDE_MAX)
        .map_err(|error| CallError::new(ErrorCode::InvalidArguments, error))?;
    let image =
        arboard::ImageData { width: width as usize, height: height as usize, bytes: Cow::Owned(pixels) };
    clipboard(move |clipboard| clipboard.set_image(image)).await.map(|()| Value::Null)
}

/// Empties the clipboard.
pub async fn clipboard_clear(_shell: &Arc<Shell>) -> Done<()> {
    clipboard(arboard::Clipboard::clear).await
}

/// Has the user choose paths; `None` when they did not.
pub async fn choose(
    shell: &Arc<Shell>,
    label: Option<String>,
    chooser: Chooser,
) -> Done<Option<Vec<String>>> {
    let chosen = shell
        .ui
        .ask(move |windows, _| {
            let mut dialog = rfd::AsyncFileDialog::new().set_title(chooser.title);
            if let Some(label) = label {
                dialog = dialog.set_parent(windows.window(&label)?);
            }
            if let Some(directory) = chooser.directory {
                dialog = dialog.set_directory(directory);
            }
            for filter in chooser.filters {
                dialog = dialog.add_filter(filter.name, &filter.extensions);
            }
            let one = |file: Option<rfd::FileHandle>| file.map(|file| vec![file]);
            type Chosen = std::pin::Pin<Box<dyn Future<Output = Option<Vec<rfd::FileHandle>>> + Send>>;
            let chosen: Chosen = match chooser.choice {
                Choice::File => {
                    let chosen = dialog.pick_file();
                    Box::pin(async move { one(chosen.await) })
                }
                Choice::Files => Box::pin(dialog.pick_files()),
                Choice::Folder => {
                    let chosen = dialog.pick_folder();
                    Box::pin(async move { one(chosen.await) })
                }
                Choice::Save(name) => {
                    let chosen = dialog.set_file_name(name).save_file();
                    Box::pin(async move { one(chosen.await) })
                }
            };
            Ok::<_, CallError>(chosen)
        })
        .await??;
    let text = |file: rfd::FileHandle| {
        let path = file.path().to_path_buf();
        path.into_os_string()
            .into_string()
            .map_err(|path| failed(format!("the path {} is no Unicode", path.display())))
    };
    chosen.await.map(|files| files.into_iter().map(text).collect()).transpose()
}

/// Asks the user something: the number of the button, or `None` when it was closed.
pub async fn question(shell: &Arc<Shell>, label: Option<String>, question: Question) -> Done<Option<usize>> {
    let names = question.buttons.clone();
    let asked = shell
        .ui
        .ask(move |windows, _| {
            let buttons = match question.buttons.as_slice() {
                [one] => rfd::MessageButtons::OkCustom(one.clone()),
                [one, two] => rfd::MessageButtons::OkCancelCustom(one.clone(), two.clone()),
                [one, two, three, ..] => {
                    rfd::MessageButtons::YesNoCancelCustom(one.clone(), two.clone(), three.clone())
                }
                [] => rfd::MessageButtons::Ok,
            };
            let level = match question.level {
                Level::Info => rfd::MessageLevel::Info,
                Level::Warning => rfd::MessageLevel::Warning,
                Level::Error => rfd::MessageLevel::Error,
            };
            let mut dialog = rfd::AsyncMessageDialog::new()
                .set_title(question.text)
                .set_description(question.detail)
                .set_level(level)
                .set_buttons(buttons);
            if let Some(label) = label {
                dialog = dialog.set_parent(windows.window(&label)?);
            }
            Ok::<_, CallError>(dialog.show())
        })
        .await??;
    Ok(match asked.await {
        rfd::MessageDialogResult::Custom(pressed) => names.iter().position(|name| *name == pressed),
        rfd::MessageDialogResult::Ok | rfd::MessageDialogResult::Yes => Some(0),
        rfd::MessageDialogResult::No => Some(1),
        rfd::MessageDialogResult::Cancel => None,
    })
}

/// Shows a file in the file manager.
pub fn reveal(path: &Path) -> std::io::Result<()> {
    let mut command = if cfg!(windows) {
        let mut command = std::process::Command::new("explorer.exe");
        command.arg("/select,").arg(path);
        command
    } else {
        let mut command = std::process::Command::new("open");
        command.arg("-R").arg(path);
        command
    };
    command.spawn().map(drop)
}
